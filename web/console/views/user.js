// @ts-check
// One user: the room, the lives, the replays also hidden ones, and the evidence.
import { call, callInParts } from "../api.js";
import { act, address, banButton, button, field, html, mark, nothing, pages, picture, redraw, roomMark, say, t, table, time, words } from "../view.js";

/** @param {string} [user] @returns {import("../view.js").View} */
export function userView(user = "") {
  /** @type {any} */
  let room = null;
  /** @type {any} */
  let rebuilt = null;
  const replays = pages("list_replays", () => ({ userid: user }));
  const reports = pages("list_reports", () => ({ hostuserid: user }));
  const readRoom = async () => {
    ({ list: [room] } = await call("list_rooms", { userid: user }));
    redraw();
  };
  const compare = async () => {
    rebuilt = await callInParts("rebuild_user", { userid: user, dry_run: 1 });
    redraw();
  };
  const repair = async () => {
    const { differences, left } = await callInParts("rebuild_user", { userid: user });
    say(t("{n} differences, {left} left.", { n: differences.length, left: left.length }));
    await Promise.all([compare(), replays.load()]);
  };
  const search = () => html`<form class="filters" @submit=${act((event) => { const name = field(event, "user"); if (name) location.hash = address("user", name); })}>
    <label>${t("User")}<input name="user" required autocomplete="off" .defaultValue=${user}></label>
    <button class="main">${t("Search")}</button></form>`;
  /** @param {any} live */
  const liveCells = (live) => [
    time(live.started_at), live.ended_at ? time(live.ended_at) : t("live now"), words(live.title),
    html`${live.reason ? t(live.reason) : "–"} ${live.errcode === undefined ? nothing : html`(${live.errcode} ${words(live.errmsg)})`}`,
    live.peak, live.visits, live.likes,
  ];
  /** @param {any} replay */
  const replayCells = (replay) => [
    words(replay.title), time(replay.start_time), time(replay.end_time), replay.viewercount,
    html`${replay.listed ? mark(t("listed"), "good") : nothing}${["hidden", "deleted", "withheld", "forbidden"].map((why) => (replay[why] ? mark(t(why), "bad") : nothing))}${
      replay.listed || replay.hidden || replay.deleted || replay.withheld || replay.forbidden ? nothing : mark(t("too short"))}`,
    replay.parts.map((/** @type {any} */ part) => html`<a href=${/^https?:\/\//.test(part.url) ? part.url : nothing} target="_blank" rel="noopener noreferrer" aria-label=${t("{format} file {id}", { format: part.format, id: part.fileid })}>${part.format || "file"}</a> `),
  ];
  const heads = (/** @type {string[]} */ ...heads) => heads.map((head) => t(head));
  const details = () => html`
    <section class="room">
      ${picture(room.picture || room.frontcover, "cover", t("Picture of the live of {user}", { user }))}
      <div><h2>${words(room.nickname || user)} ${roomMark(room)}</h2>
        <p>${words(room.title)}</p>
        <p class="about">${t("{n} watching", { n: room.viewercount })} · ${t("{n} likes", { n: room.likecount })} · ${t("since {time}", { time: time(room.started_at) })}</p>
        <p class="about">${t("Stream")} <a href=${address("ledger", "stream", room.streamid)}><bdi>${room.streamid}</bdi></a></p>
        <div class="actions">${banButton(user, room.banned === 1, readRoom)} <a class="button" href=${address("ledger", "user", user)}>${t("Notices")}</a></div></div>
    </section>
    <h2>${t("Lives")}</h2>
    ${rebuilt ? table(t("Lives"), heads("Started", "Ended", "Title", "End", "Peak", "Visits", "Likes"), rebuilt.lives.map(liveCells).reverse()) : html`<p class="none">…</p>`}
    <h2>${t("Replays")}</h2>
    ${table(t("Replays"), heads("Title", "Started", "Ended", "Viewers", "Status", "Files"), replays.state.rows.map(replayCells))}${replays.draw()}
    <h2>${t("Evidence")}</h2>
    ${rebuilt?.differences.length
      ? html`<ul>${rebuilt.differences.map((/** @type {string} */ line) => html`<li>${words(line)}</li>`)}</ul>${button(t("Repair"), repair)}`
      : html`<p>${rebuilt ? t("The room, the lives and the replays are what the notices say.") : "…"}</p>`}
    <h2>${t("Reports")}</h2>
    ${table(t("Reports"), heads("At", "Reported by"), reports.state.rows.map((/** @type {any} */ row) => [time(row.at), words(row.userid)]))}${reports.draw()}`;
  return {
    title: () => (user ? user : t("Users")),
    load: async () => {
      if (!user) return;
      await readRoom();
      await Promise.all([replays.load(), reports.load(), compare()]);
    },
    draw: () => html`${search()}${room ? details() : nothing}`,
  };
}
