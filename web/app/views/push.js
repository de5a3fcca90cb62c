// @ts-check
// The page of a host: where to push the video, the camera, the people in the room, and the end of the live.
import { currentBroadcast, keepBroadcast } from "../broadcast.js";
import { pushFromCamera } from "../camera.js";
import { config } from "../config.js";
import { openJoint } from "../joint.js";
import { t } from "../i18n.js";
import { address, go } from "../router.js";
import { call, me } from "../session.js";
import { act, html, nothing, redraw, say, showError } from "../view.js";
import { openRoom } from "../room.js";

/** @typedef {import("../broadcast.js").Broadcast} Broadcast */

const ONLINE = 0;
const OFFLINE = 1;

/** @returns {import("../view.js").View} */
export function pushView() {
  const broadcast = currentBroadcast();
  return broadcast ? hostView(broadcast) : noLiveView();
}

/** @returns {import("../view.js").View} */
function noLiveView() {
  return {
    title: () => t("Go live"),
    draw: () => html`<h1 tabindex="-1">${t("Go live")}</h1>
      <p class="none">${t("You have not started a live.")} <a href=${address("start")}>${t("Go live")}</a></p>`,
  };
}

/** @param {Broadcast} broadcast @returns {import("../view.js").View} */
function hostView({ pushUrl, title, group }) {
  /** @type {import("../camera.js").Push | null} */
  let push = null;
  const joint = openJoint(me().user, (text) => room.signal(text));
  const room = openRoom({ type: 0, host: me().user, file: "", group }, undefined, joint.receive);
  const { server, key } = parts(pushUrl);

  const useCamera = act(async () => {
    const preview = /** @type {HTMLVideoElement} */ (document.querySelector("video"));
    push = await pushFromCamera(pushUrl, preview, (reason) => {
      push = null;
      void showError(new Error(t("The camera has stopped: {why}", { why: reason })));
    });
    await call("change_status", { status: ONLINE });
    say(push.hasSound ? "You are live." : "You are live, without sound: this browser cannot encode AAC.");
  });

  const goOnline = act(async () => {
    await call("change_status", { status: ONLINE });
    say("You are in the list of lives.");
  });

  const stop = act(async () => {
    push?.stop();
    push = null;
    await call("change_status", { status: OFFLINE });
    keepBroadcast(null);
    go("lives");
  });

  return {
    title: () => title,
    async ready() {
      void drawCode(pushUrl).catch(showError);
      await room.enter();
    },
    leave() {
      push?.stop();
      joint.leave();
      room.leave();
    },
    draw: () => html`
      <div class="watch">
        <div>
          <h1 tabindex="-1"><bdi>${title}</bdi></h1>
          <p class="about">${room.numbers()}</p>
          <div class=${joint.isShown() ? "screen joint" : "screen"} ?hidden=${!push && !joint.isShown()}>
            <video ?hidden=${!push} muted playsinline aria-label=${t("Your camera")}></video>
            ${joint.draw()}
            <div class="floating" aria-hidden="true"></div>
          </div>
          <div class="actions">
            ${config.video && !push ? html`<button class="main" @click=${useCamera}>${t("Use the camera")}</button>` : nothing}
            ${config.video ? nothing : html`<button class="main" @click=${goOnline}>${t("I am pushing: show my live in the list")}</button>`}
            <button class="danger" @click=${stop}>${t("Stop the live")}</button>
          </div>
          ${config.video ? nothing : html`<p class="hint">${t("This server has no live cloud that takes a camera. Push with OBS or ffmpeg.")}</p>`}
          ${joint.tools()}
          <details ?open=${!config.video}>
            <summary>${t("Push with OBS, ffmpeg or a phone")}</summary>
            ${copyable(t("Server"), server)}
            ${copyable(t("Stream key"), key)}
            ${copyable(t("Command for ffmpeg"), command(pushUrl))}
            <h2 id="code">${t("For a phone's camera: server and key together")}</h2>
            <canvas class="code" role="img" aria-labelledby="code"></canvas>
            <p class="hint">${t("Whoever has the key can push to your live.")}</p>
          </details>
        </div>
        <div class="side">${room.draw()}</div>
      </div>`,
  };
}

/** Draws the push URL as a QR code. The library is loaded here, since viewers do not need it. @param {string} pushUrl */
async function drawCode(pushUrl) {
  const { generate } = await import("../vendor/lean-qr.js");
  const canvas = /** @type {HTMLCanvasElement | null} */ (document.querySelector("canvas.code"));
  if (canvas) generate(pushUrl).toCanvas(canvas);
}

/** The push URL as OBS has it: the part before the stream, and the rest. @param {string} pushUrl */
export function parts(pushUrl) {
  const end = pushUrl.indexOf("/", pushUrl.indexOf("://") + 3);
  const afterApp = pushUrl.indexOf("/", end + 1);
  return { server: pushUrl.slice(0, afterApp), key: pushUrl.slice(afterApp + 1) };
}

/** @param {string} pushUrl */
const command = (pushUrl) =>
  `ffmpeg -re -i clip.mp4 -c:v libx264 -preset veryfast -pix_fmt yuv420p -g 50 -c:a aac -f flv '${pushUrl}'`;

/** A text with a button that copies it. @param {string} name @param {string} text */
function copyable(name, text) {
  const copy = act(async (/** @type {Event} */ event) => {
    const button = /** @type {HTMLElement} */ (event.currentTarget);
    const input = /** @type {HTMLInputElement} */ (button.previousElementSibling?.querySelector("input"));
    input.select();
    // Pages that did not come over HTTPS or loopback have no clipboard. The text is selected then.
    await navigator.clipboard?.writeText(text);
    say(navigator.clipboard ? "Copied." : "The text is selected: copy it now.");
  });
  return html`<div class="copyable">
    <label>${name}<input readonly .value=${text}></label>
    <button @click=${copy} aria-label=${t("Copy: {name}", { name })}>${t("Copy")}</button>
  </div>`;
}
