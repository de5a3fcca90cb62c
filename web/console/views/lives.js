// @ts-check
// The wall of live rooms.
import { banButton, html, pages, picture, roomMark, t, time, userLink, words } from "../view.js";

/** @returns {import("../view.js").View} */
export function livesView() {
  const list = pages("list_rooms");
  /** @param {any} room */
  const card = (room) => html`<li class="card">
    ${picture(room.picture || room.frontcover, "cover", t("Picture of the live of {user}", { user: room.userid }))}
    <h2>${words(room.title) }</h2>
    <p>${userLink(room.userid)} ${roomMark(room)}</p>
    <p class="about">${t("{n} watching", { n: room.viewercount })} · ${t("{n} likes", { n: room.likecount })}</p>
    <p class="about">${t("since {time}", { time: time(room.started_at) })}</p>
    <div class="actions">${banButton(room.userid, room.banned === 1, list.load)}</div>
  </li>`;
  return {
    title: () => t("Lives"),
    every: 5,
    load: list.load,
    draw: () => html`<p class="hint">${t("{n} live", { n: list.state.total })}</p>
      ${list.state.rows.length ? html`<ul class="cards">${list.state.rows.map(card)}</ul>` : html`<p class="none">${t("Nobody is live.")}</p>`}
      ${list.draw()}`,
  };
}
