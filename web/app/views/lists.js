// @ts-check
// The lists of lives and replays.
import { t } from "../i18n.js";
import { address } from "../router.js";
import { call } from "../session.js";
import { act, hostOf, html, nothing, numbers, picture, redraw, showError, showSessionEnd, time } from "../view.js";

/** @typedef {import("../view.js").Row} Row */

const FLAGS = { lives: 1, replays: 2 };
const PAGE = 12;
/** The longest page that the server gives. */
const LONGEST_PAGE = 100;
/** How often a list that is shown is read again, in milliseconds. */
const RENEWAL = 5000;

/** @param {"lives" | "replays"} kind @returns {import("../view.js").View} */
export function listView(kind) {
  /** @type {Row[] | null} */
  let rows = null;
  let total = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;

  /** @param {number} page @param {number} size */
  async function read(page, size) {
    const reply = await call("fetch_list", { flag: FLAGS[kind], pageno: page, pagesize: size });
    total = reply.totalcount;
    return /** @type {Row[]} */ (reply.pusherlist);
  }

  /** Reads again what is shown. */
  async function renew() {
    const size = Math.ceil(Math.max(rows?.length ?? 0, PAGE) / PAGE) * PAGE;
    if (document.hidden || size > LONGEST_PAGE) return;
    rows = await read(1, size);
    redraw();
  }

  const more = act(async () => {
    const shown = rows ?? [];
    const next = await read(Math.floor(shown.length / PAGE) + 1, PAGE);
    // The list may have moved meanwhile.
    const known = new Set(shown.map(key));
    rows = [...shown, ...next.filter((row) => !known.has(key(row)))];
  });

  const title = () => (kind === "lives" ? t("Lives") : t("Replays"));
  const empty = () => (kind === "lives" ? t("Nobody is live. Be the first.") : t("There are no replays yet."));

  return {
    title,
    async ready() {
      timer = setInterval(() => renew().catch(showSessionEnd), RENEWAL);
      await renew().catch(showError);
    },
    leave: () => clearInterval(timer),
    draw: () => html`
      <h1 tabindex="-1">${title()}</h1>
      ${rows === null ? html`<p class="none">${t("Loading…")}</p>` : nothing}
      ${rows?.length === 0 ? html`<p class="none">${empty()}</p>` : nothing}
      ${rows?.length ? html`<ul class="cards">${rows.map(card)}</ul>` : nothing}
      ${rows && rows.length < total ? html`<button class="more" @click=${more}>${t("More")}</button>` : nothing}`,
  };
}

/** @param {Row} row */
const key = (row) => `${row.userid} ${row.fileid}`;

/** @param {Row} row */
function card(row) {
  const link = row.type === 0 ? address("live", row.userid) : address("replay", row.userid, row.fileid);
  return html`<li><a class="card" href=${link}>
    ${picture(row.userinfo.frontcover, "cover")}
    <bdi class="name">${row.title}</bdi>
    <span class="about"><bdi>${hostOf(row)}</bdi></span>
    <span class="about">${numbers(row)}</span>
    ${row.type === 0 ? nothing : html`<span class="about">${time(row.timestamp)}</span>`}
  </a></li>`;
}
