// @ts-check
// What the views share: how they are drawn, how their errors are shown, tables, pages, pictures and bans.
import { html, nothing } from "./vendor/lit-html.js";
import { call } from "./api.js";
import { languageTag, t } from "./i18n.js";

/**
 * A page of the console.
 * @typedef {object} View
 * @property {() => string} title
 * @property {() => unknown} draw the content of `main`
 * @property {() => Promise<void>} load reads what the page shows
 * @property {number} [every] the seconds after which the page is read again
 */

/** What the frame shows beside the view. */
export const frame = { problem: "", status: "", isBusy: false };

/** What console.js does for the views. */
const shell = { draw: () => {} };

/** @param {typeof shell} functions */
export const setShell = (functions) => Object.assign(shell, functions);

export const redraw = () => shell.draw();

/** The address of a page. @param {...string} words */
export const address = (...words) => `#/${words.map(encodeURIComponent).join("/")}`;

/** @param {unknown} error */
export function showError(error) {
  frame.problem = error instanceof Error ? t(error.message) : String(error);
  redraw();
}

/**
 * A handler of events: shows the error of its work, and ignores further events until the work is done.
 * @template {Event} E
 * @param {(event: E) => unknown} work
 * @returns {(event: E) => Promise<void>}
 */
export function act(work) {
  return async (event) => {
    event.preventDefault();
    if (frame.isBusy) return;
    Object.assign(frame, { problem: "", status: "", isBusy: true });
    redraw();
    try {
      await work(event);
    } catch (error) {
      showError(error);
    } finally {
      frame.isBusy = false;
      redraw();
    }
  };
}

/** Says what was done. @param {string} text */
export function say(text) {
  frame.status = text;
  redraw();
}

/** The text of a field of a form. @param {Event} event @param {string} name */
export function field(event, name) {
  const form = /** @type {HTMLFormElement} */ (event.target);
  return String(new FormData(form).get(name) ?? "").trim();
}

/** @param {string} text @param {(event: Event) => unknown} work @param {{kind?: string, label?: string}} [options] */
export const button = (text, work, { kind = "", label = "" } = {}) =>
  html`<button type="button" class=${kind} aria-label=${label || nothing} ?disabled=${frame.isBusy} @click=${act(work)}>${text}</button>`;

/** A link to the page of a user. @param {string} user */
export const userLink = (user) => (user ? html`<a href=${address("user", user)}><bdi>${user}</bdi></a>` : "–");

/** A text of a stranger: its direction does not reach beyond it. @param {unknown} words */
export const words = (words) => html`<bdi>${String(words ?? "")}</bdi>`;

/** A picture of a stranger, or a field of colour in its place. @param {string} url @param {string} kind @param {string} [alt] */
export function picture(url, kind, alt = "") {
  return /^https?:\/\//.test(url ?? "")
    ? html`<img class=${kind} src=${url} alt=${alt} loading="lazy" referrerpolicy="no-referrer">`
    : html`<span class=${`${kind} blank`}></span>`;
}

/**
 * A table. On a narrow screen each row is a block with the heads beside its cells.
 * @param {string} caption
 * @param {string[]} heads
 * @param {unknown[][]} rows
 */
export function table(caption, heads, rows) {
  if (rows.length === 0) return html`<p class="none">${t("Nothing here.")}</p>`;
  return html`<table>
    <caption class="unseen">${caption}</caption>
    <thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
    <tbody>${rows.map((cells) => html`<tr>${cells.map((cell, n) => html`<td data-head=${heads[n]}><div>${cell}</div></td>`)}</tr>`)}</tbody>
  </table>`;
}

/** A mark with a word. @param {string} text @param {string} [kind] good, bad or plain */
export const mark = (text, kind = "plain") => html`<span class=${`mark ${kind}`}>${text}</span>`;

/** The state of a room. @param {{state: string, banned: number}} room */
export function roomMark({ state, banned }) {
  if (banned) return mark(t("banned"), "bad");
  switch (state) {
    case "live": return mark(t("live"), "good");
    case "hidden": return mark(t("hidden"), "bad");
    case "offline": return mark(t("offline"));
    default: return mark(t("no user"));
  }
}

/**
 * Rows that are read page by page.
 * @param {string} command
 * @param {() => Record<string, unknown>} fields
 */
export function pages(command, fields = () => ({})) {
  const COUNT = 20;
  const state = { /** @type {any[]} */ rows: [], total: 0, hasMore: false, page: 1 };
  /** @param {number} page */
  const read = async (page) => {
    const answer = await call(command, { ...fields(), index: page, count: COUNT });
    const total = answer.totalcount ?? 0;
    Object.assign(state, { rows: answer.list, page, total });
    state.hasMore = answer.totalcount === undefined ? answer.more === 1 : page * COUNT < total;
    redraw();
  };
  return {
    state,
    load: () => read(state.page),
    first: () => read(1),
    draw: () => state.page === 1 && !state.hasMore ? nothing : html`<div class="pages" role="group" aria-label=${t("Pages")}>
      <button type="button" ?disabled=${state.page === 1 || frame.isBusy} @click=${act(() => read(state.page - 1))}>${t("Newer")}</button>
      <span>${t("page {n}", { n: state.page })}</span>
      <button type="button" ?disabled=${!state.hasMore || frame.isBusy} @click=${act(() => read(state.page + 1))}>${t("Older")}</button>
    </div>`,
  };
}

/** Asks for the reason of a ban. @param {string} user @param {() => unknown} after called when the ban is written */
export function askBan(user, after) {
  Object.assign(ban, { user, after });
  redraw();
  /** @type {HTMLDialogElement | null} */ (document.querySelector("dialog"))?.showModal();
}

const ban = { user: "", after: () => {} };

/** The ends of a ban that can be chosen, in hours; 0 for none. */
const LENGTHS = /** @type {const} */ ([[1, "one hour"], [24, "one day"], [168, "one week"], [720, "30 days"], [0, "no end"]]);

export function banDialog() {
  const close = () => /** @type {HTMLDialogElement | null} */ (document.querySelector("dialog"))?.close();
  const send = act(async (/** @type {SubmitEvent} */ event) => {
    const hours = Number(field(event, "hours"));
    const { user, after } = ban;
    const fields = { userid: user, forbidflag: 1, reason: field(event, "reason"), actor: field(event, "actor"), hide_replays: field(event, "hide") ? 1 : 0 };
    localStorage.setItem("mini-lvb-console-actor", fields.actor);
    close();
    await call("forbid_live", hours ? { ...fields, until: Math.floor(Date.now() / 1000) + hours * 3600 } : fields);
    say(t("{user} is banned.", { user }));
    await after();
  });
  return html`<dialog aria-labelledby="ban-title">
    <form @submit=${send}>
      <h2 id="ban-title">${t("Ban")} ${words(ban.user)}</h2>
      <p>${t("The live ends, all sessions end, and the user cannot go live until the ban ends.")}</p>
      <label>${t("Reason")}<input name="reason" maxlength="255" autocomplete="off"></label>
      <label>${t("Your name")}<input name="actor" maxlength="128" autocomplete="off" .value=${localStorage.getItem("mini-lvb-console-actor") ?? ""}></label>
      <label>${t("Length")}<select name="hours">${LENGTHS.map(([hours, text]) => html`<option value=${hours} ?selected=${hours === 24}>${t(text)}</option>`)}</select></label>
      <label class="check"><input type="checkbox" name="hide" value="1">${t("Hide the replays, too")}</label>
      <div class="actions"><button class="danger" ?disabled=${frame.isBusy}>${t("Ban")}</button>
        <button type="button" @click=${close}>${t("Cancel")}</button></div>
    </form>
  </dialog>`;
}

/** Lifts a ban. @param {string} user @param {() => unknown} after */
export async function lift(user, after) {
  await call("forbid_live", { userid: user, forbidflag: 0 });
  say(t("The ban of {user} is lifted.", { user }));
  await after();
}

/** A button that bans, or lifts the ban. @param {string} user @param {boolean} isBanned @param {() => unknown} after */
export function banButton(user, isBanned, after) {
  return isBanned
    ? button(t("Lift the ban"), () => lift(user, after), { label: t("Lift the ban of {user}", { user }) })
    : html`<button type="button" class="danger" aria-label=${t("Ban {user}", { user })} ?disabled=${frame.isBusy} @click=${() => askBan(user, after)}>${t("Ban…")}</button>`;
}

export { html, nothing, t };

/** A time of the server. @param {number | undefined} seconds */
export function time(seconds) {
  if (!seconds) return "–";
  const format = new Intl.DateTimeFormat(languageTag(), { dateStyle: "medium", timeStyle: "medium" });
  return format.format(new Date(seconds * 1000));
}
