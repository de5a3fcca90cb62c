// @ts-check
// Watching a live or a replay.
import { t } from "../i18n.js";
import { openJoint } from "../joint.js";
import { play, sourcesOf } from "../player.js";
import { address } from "../router.js";
import { openRoom, readRow } from "../room.js";
import { call, me } from "../session.js";
import { act, hostOf, html, nothing, picture, redraw, say, showError, time } from "../view.js";
import { replayTools } from "./replay.js";

/** @typedef {import("../view.js").Row} Row */
/** @typedef {import("../player.js").Source} Source */

/** After how long a live that does not play is tried again, in milliseconds. */
const RETRY = 5000;
const OFFLINE = "0";

/** @param {{type: number, user: string, file: string}} of @returns {import("../view.js").View} */
export function watchView({ type, user, file }) {
  const isLive = type === 0;
  /** @type {Row | null} */
  let row = null;
  /** @type {ReturnType<typeof openRoom> | null} */
  let room = null;
  /** @type {ReturnType<typeof openJoint> | null} */
  let joint = null;
  /** @type {import("../player.js").Player | null} */
  let player = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let fault = t("Loading…");
  let hasLeft = false;
  /** Which of the attempts to play counts: the latest. */
  let attempts = 0;
  const tools = isLive || user !== me().user ? null : replayTools(file, (title) => row && (row.title = title));

  const hasEnded = () => isLive && row?.status === OFFLINE;

  /** @param {Source[]} sources */
  async function start(sources) {
    const attempt = ++attempts;
    const isCurrent = () => attempt === attempts && !hasLeft;
    clearTimeout(timer);
    player?.stop();
    player = null;
    try {
      const video = /** @type {HTMLVideoElement} */ (document.querySelector("video"));
      const started = await play(video, sources, isLive, (reason) => isCurrent() && stopped(sources, reason));
      if (!isCurrent()) return started.stop();
      [player, fault] = [started, ""];
    } catch (error) {
      if (isCurrent()) stopped(sources, error instanceof Error ? error.message : String(error));
    }
    redraw();
  }

  /** @param {Source[]} sources @param {string} reason */
  function stopped(sources, reason) {
    player?.stop();
    player = null;
    fault = hasEnded() ? t("The live has ended.") : t("The video cannot be played: {reason}", { reason });
    if (isLive) {
      timer = setTimeout(() => !hasEnded() && start(sources), RETRY);
      // The stream may have ended because the live has.
      void room?.renew();
    }
    redraw();
  }

  /** @param {Row} next */
  function onRow(next) {
    const isBack = row?.status === OFFLINE && next.status !== OFFLINE;
    row = next;
    if (!isLive) return;
    if (hasEnded() && !player) fault = t("The live has ended.");
    if (isBack) void start(sourcesOf(next));
  }

  const report = act(async () => {
    if (!confirm(t("Report {name} to the operators of this server?", { name: user }))) return;
    await call("report_user", { hostuserid: user });
    say("Thank you: the operators will see your report.");
  });

  const again = () => row && start(sourcesOf(row));

  return {
    title: () => row?.title ?? (isLive ? t("Live") : t("Replay")),
    async ready() {
      try {
        row = await readRow({ type, host: user, file, group: "" });
      } catch (error) {
        fault = t("This live or replay does not exist, or no longer.");
        return showError(error);
      }
      if (hasLeft) return;
      if (isLive && user !== me().user) joint = openJoint(user, (text) => room?.signal(text));
      room = openRoom({ type, host: user, file, group: row.groupid || file }, onRow, joint?.receive);
      redraw();
      await Promise.all([room.enter(), start(sourcesOf(row))]);
    },
    leave() {
      hasLeft = true;
      clearTimeout(timer);
      player?.stop();
      joint?.leave();
      room?.leave();
    },
    draw: () => html`
      <div class="watch">
        <div class=${joint?.isShown() ? "screen joint" : "screen"}>
          <video playsinline controls aria-label=${t("Video")}></video>
          ${joint?.draw() ?? nothing}
          <div class="floating" aria-hidden="true"></div>
          ${fault ? html`<div class="fault"><p role="status">${fault}</p>
            ${row && !hasEnded() ? html`<button @click=${again}>${t("Try again")}</button>` : nothing}</div>` : nothing}
        </div>
        <div class="side">
          <h1 tabindex="-1"><bdi>${row?.title ?? ""}</bdi></h1>
          ${row ? about(row) : nothing}
          <div class="actions">
            ${room?.likeButton() ?? nothing}
            ${joint && room?.hasChat() && !hasEnded() ? joint.tools() : nothing}
            ${user === me().user ? nothing : html`<button @click=${report}>${t("Report")}</button>`}
          </div>
          ${row?.parts ? partList(row.parts) : nothing}
          ${row && tools ? tools.draw(row) : nothing}
          ${room?.draw() ?? nothing}
          <p><a href=${address(isLive ? "lives" : "replays")}>${t("Back to the list")}</a></p>
        </div>
      </div>`,
  };

  /** @param {Row} shown */
  function about(shown) {
    return html`<p class="host">${picture(shown.userinfo.headpic, "portrait")}<bdi>${hostOf(shown)}</bdi></p>
      <p class="about">${room?.numbers()} ${isLive ? nothing : html`<span>${time(shown.timestamp)}</span>`}</p>`;
  }

  /** @param {NonNullable<Row["parts"]>} parts */
  function partList(parts) {
    const begin = parts[0]?.start_time ?? 0;
    return html`<section aria-labelledby="parts"><h2 id="parts">${t("Parts")}</h2><ul class="parts">
      ${parts.map(({ url, format, start_time, end_time }) => html`<li>
        <button @click=${() => start(sourcesOf({ type, playurl: url, hls_play_url: "" }))}>
          ${clock(start_time - begin)}–${clock(end_time - begin)} ${format.toUpperCase()}</button></li>`)}
    </ul></section>`;
  }
}

/** A time within a video. @param {number} seconds */
function clock(seconds) {
  const two = (/** @type {number} */ value) => String(value % 60).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60))}:${two(seconds)}`;
}
