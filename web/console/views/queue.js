// @ts-check
// The pictures that the cloud's moderation reported, and what followed.
import { address, banButton, html, mark, pages, picture, roomMark, t, time, userLink, words } from "../view.js";

/** @returns {import("../view.js").View} */
export function queueView() {
  const list = pages("list_verdicts");
  /** @param {any} row */
  const card = (row) => html`<li class="card">
    ${picture(row.picture, "cover", t("Picture of the stream {stream}", { stream: row.streamid }))}
    <h2>${row.forbidden ? mark(t("forbidden"), "bad") : mark(t("allowed"))} ${words(row.suggestion)} ${words(row.label)}</h2>
    <p>${userLink(row.userid)} ${roomMark(row)}</p>
    <p class="about">${time(row.taken_at ?? row.received_at)}</p>
    <p class="about">${row.reason ? words(row.reason) : t(row.fate)}
      · <a href=${address("ledger", "stream", row.streamid)}>${t("notices of the stream")}</a></p>
    <div class="actions">${row.userid ? banButton(row.userid, row.banned === 1, list.load) : ""}</div>
  </li>`;
  return {
    title: () => t("Moderation"),
    every: 15,
    load: list.load,
    draw: () => html`<p class="hint">${t("What follows from a forbidden picture, the setting MODERATION says. A ban ends a live; a live that moderation has hidden stays hidden until its end.")}</p>
      ${list.state.rows.length ? html`<ul class="cards">${list.state.rows.map(card)}</ul>` : html`<p class="none">${t("Nothing here.")}</p>`}
      ${list.draw()}`,
  };
}
