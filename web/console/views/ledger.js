// @ts-check
// The notices of the live cloud: those of a user or a stream, or all that are not settled; "show" and "do again".
import { call } from "../api.js";
import { act, address, button, field, html, nothing, pages, redraw, say, t, table, time, userLink, words } from "../view.js";

const FATES = ["", "open", "applied", "parked", "dropped"];
/** The events of notices that the server knows. @type {[string, string][]} */
const EVENTS = [["", "all"], ["0", "push ended"], ["1", "push started"], ["100", "file recorded"], ["200", "picture"], ["317", "moderation"]];

/** @param {string} [kind] user or stream @param {string} [name] @returns {import("../view.js").View} */
export function ledgerView(kind = "", name = "") {
  const filter = { event: "", fate: "" };
  /** @type {any} */
  let shown = null;
  const list = pages("list_notices", () => ({
    ...(kind === "user" ? { userid: name } : kind === "stream" ? { streamid: name } : {}),
    ...(filter.event ? { event: filter.event } : {}),
    ...(filter.fate && name ? { fate: filter.fate } : {}),
  }));
  const show = async (/** @type {any} */ row) => {
    shown = await call("show_notice", { streamid: row.streamid, id: row.id });
    redraw();
    /** @type {HTMLElement | null} */ (document.querySelector(".notice h2"))?.focus();
  };
  const again = async (/** @type {any} */ row) => {
    const { list: [done] } = await call("replay_notices", { streamid: row.streamid, id: row.id });
    say(t("Done again: {status}", { status: t(done?.fate ?? "") }));
    await list.load();
  };
  /** @param {any} row */
  const cells = (row) => [
    time(row.received_at), row.times, html`<a href=${address("ledger", "stream", row.streamid)}><bdi>${row.streamid}</bdi></a>`,
    words(row.id), html`${t(row.fate)} ${row.userid ? userLink(row.userid) : nothing} ${words(row.reason)} ${row.errcode === undefined ? nothing : html`(${row.errcode} ${words(row.errmsg)})`}`,
    html`<div class="actions">${button(t("Show"), () => show(row), { label: t("Show {id}", { id: row.id }) })}
      ${button(t("Do again"), () => again(row), { label: t("Do again: {id}", { id: row.id }) })}</div>`,
  ];
  const heads = () => ["Received", "Times", "Stream", "Id", "Status", "Action"].map((head) => t(head));
  const search = (/** @type {SubmitEvent} */ event) => {
    Object.assign(filter, { event: field(event, "event"), fate: field(event, "fate") });
    const [next, of] = [field(event, "name"), field(event, "kind")];
    if (next !== name || (next && of !== kind)) {
      location.hash = next ? address("ledger", of, next) : address("ledger");
      return undefined;
    }
    return list.first();
  };
  const notice = () => html`<section class="notice">
    <h2 tabindex="-1">${t("Notice")} ${words(shown.id)}</h2>
    <p class="about">${time(shown.received_at)} · ${words(shown.streamid)}${shown.late ? html` · ${t("after its expiry")}` : nothing}</p>
    <pre tabindex="0" aria-label=${t("The notice as it was received")}>${pretty(shown.body)}</pre>
    ${button(t("Close"), () => { shown = null; redraw(); })}</section>`;
  return {
    title: () => t("Notices"),
    load: list.load,
    draw: () => html`<form class="filters" @submit=${act(search)}>
        <label>${t("Of")}<select name="kind">
          <option value="user" ?selected=${kind !== "stream"}>${t("User")}</option>
          <option value="stream" ?selected=${kind === "stream"}>${t("Stream")}</option></select></label>
        <label>${t("Name")}<input name="name" .defaultValue=${name} autocomplete="off" placeholder=${t("empty: all unsettled")}></label>
        <label>${t("Event")}<select name="event">${EVENTS.map(([event, text]) => html`<option value=${event}>${event} ${t(text)}</option>`)}</select></label>
        <label>${t("Status")}<select name="fate" ?disabled=${!name}>${FATES.map((fate) => html`<option value=${fate}>${t(fate || "all")}</option>`)}</select></label>
        <button class="main">${t("Search")}</button>
      </form>
      <p class="hint">${name ? t("The notices of {name}, newest first.", { name }) : t("All notices that are not settled: the server tries them again.")}</p>
      ${shown ? notice() : nothing}
      ${table(t("Notices"), heads(), list.state.rows.map(cells))}${list.draw()}`,
  };
}

/** @param {string} body */
function pretty(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
