// @ts-check
// A joint broadcast: a viewer asks to join, the host accepts, and everybody sees the guest's video beside the host's.
//
// The signals are messages of the chat, which all members of the room receive:
//
//   ask           a viewer wants to join             accept, decline   the host answers the user of `user`
//   ready         the guest pushes, to be played at `url`      show    the host has all play `url`, of the guest `user`
//   leave         the viewer or guest does not want to any more  end   the host has all stop that
//
// Members obey only the host: the chat vouches for the sender of a message.
import { pushFromCamera } from "./camera.js";
import { config } from "./config.js";
import { t } from "./i18n.js";
import { play } from "./player.js";
import { call, me } from "./session.js";
import { act, html, nothing, redraw, say, showError } from "./view.js";

/** @typedef {{user: string, name: string, url: string}} Guest */
/** @typedef {Partial<Guest> & {word: string}} Signal */

const MOST_ASKING = 20;
/** After how long a guest's video that does not play is tried again, in milliseconds. */
const RETRY = 1500;

/**
 * @param {string} host
 * @param {(text: string) => unknown} send sends a signal to the room
 */
export function openJoint(host, send) {
  const isHost = host === me().user;
  /** Those who ask the host, with their names. @type {Map<string, string>} */
  const asking = new Map();
  /** @type {Guest | null} */
  let guest = null;
  let hasAsked = false;
  /** @type {{stop: () => void} | null} the push of this guest, or the player of the guest's video */
  let running = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const isGuest = () => guest?.user === me().user;
  /** @param {Signal} signal */
  const signal = (signal) => send(JSON.stringify(signal));
  const video = () => /** @type {HTMLVideoElement} */ (document.querySelector(".guest video"));

  function reset() {
    clearTimeout(timer);
    running?.stop();
    [running, guest, hasAsked] = [null, null, false];
    redraw();
  }

  /** Plays the video of the guest until it is another one. */
  async function showGuest() {
    const shown = guest;
    if (!shown?.url) return;
    const again = () => shown === guest && (timer = setTimeout(showGuest, RETRY));
    try {
      const fields = { originStreamUrl: shown.url, liveuserid: host };
      const { streamUrlWithSignature } = await call("get_link_mic_play_url", fields);
      const player = await play(video(), [{ kind: "flv", url: streamUrlWithSignature }], true, again);
      if (shown !== guest) return player.stop();
      running?.stop();
      running = player;
    } catch {
      again();
    }
  }

  /** @param {Guest} next */
  function setGuest(next) {
    if (next.user === guest?.user && next.url === guest.url) return;
    reset();
    guest = next;
    redraw();
    void showGuest();
  }

  /** Pushes the camera of this viewer, whom the host has accepted. */
  async function join() {
    guest = { user: me().user, name: me().nickname, url: "" };
    redraw();
    try {
      const userinfo = { nickname: me().nickname, headpic: me().portrait };
      const { pushurl, playurl } = await call("get_link_mic_push_url", { title: me().nickname, userinfo });
      const push = await pushFromCamera(pushurl, video(), (reason) => {
        leave();
        void showError(new Error(t("The camera has stopped: {why}", { why: reason })));
      });
      if (!isGuest()) return push.stop();
      running = push;
      signal({ word: "ready", url: `${config.video}${new URL(playurl).pathname}.flv` });
    } catch (error) {
      leave();
      await showError(error);
    }
  }

  /** What a guest, or a viewer who has asked, does in the end. */
  function leave() {
    signal({ word: "leave" });
    reset();
  }

  const announce = () => guest && signal({ word: "show", ...guest });

  function end() {
    signal({ word: "end" });
    reset();
  }

  /** @param {Signal} received @param {string} user @param {string} name */
  function fromViewer({ word, url = "" }, user, name) {
    if (word === "ask" && asking.size < MOST_ASKING) asking.set(user, name || user);
    if (word === "leave") forget(user);
    if (word === "ready" && guest?.user === user) {
      setGuest({ ...guest, url });
      announce();
    }
  }

  /** @param {Signal} received */
  function fromHost({ word, user = "", name = "", url = "" }) {
    const isForMe = user === me().user;
    if (word === "accept" && isForMe && hasAsked) void join();
    if (word === "decline" && isForMe && hasAsked) {
      reset();
      say("The host has declined.");
    }
    if (word === "show" && !isForMe) setGuest({ user, name, url });
    if (word === "end") reset();
  }

  /** Forgets a viewer who is gone. @param {string} user */
  function forget(user) {
    asking.delete(user);
    if (isHost && guest?.user === user) end();
    if (user === host) reset();
  }

  /** @param {string} user @param {string} name */
  const accept = (user, name) =>
    act(() => {
      asking.delete(user);
      guest = { user, name, url: "" };
      signal({ word: "accept", user });
    });

  /** @param {string} user */
  const decline = (user) =>
    act(() => {
      asking.delete(user);
      signal({ word: "decline", user });
    });

  const ask = act(() => {
    hasAsked = true;
    signal({ word: "ask" });
  });

  return {
    /** @param {import("./chat.js").Message} message */
    receive({ kind, userid, nickname, text }) {
      if (kind === "join" && isHost && guest?.url) announce();
      else if (kind === "leave") forget(userid);
      else if (kind === "link") {
        const received = parse(text);
        if (received && isHost) fromViewer(received, userid, nickname);
        else if (received && userid === host) fromHost(received);
      }
      redraw();
    },
    leave() {
      if (isHost && guest) end();
      else if (hasAsked) leave();
      else reset();
    },
    isShown: () => guest !== null,
    /** The guest's video. */
    draw: () =>
      guest ? html`<div class="guest">
        <video playsinline .muted=${isGuest()} aria-label=${t("Video of {name}", { name: guest.name })}></video>
        <bdi>${guest.name}</bdi></div>` : nothing,
    /** What the user can do. */
    tools: () => (isHost ? hostTools() : viewerTools()),
  };

  function viewerTools() {
    if (hasAsked) return html`<button @click=${act(leave)}>${isGuest() ? t("Leave the joint broadcast") : t("Asked to join: cancel")}</button>`;
    return guest ? nothing : html`<button @click=${ask}>${t("Ask to join")}</button>`;
  }

  function hostTools() {
    if (guest) return html`<p class="actions"><button @click=${act(end)}>${t("End the joint broadcast with {name}", { name: guest.name })}</button></p>`;
    return [...asking].map(([user, name]) => html`<p class="actions asking" role="status">
      <span>${t("{name} asks to join", { name })}</span>
      <button class="main" @click=${accept(user, name)}>${t("Accept")}</button>
      <button @click=${decline(user)}>${t("Decline")}</button></p>`);
  }
}

/** A signal of a stranger, or null if it is none. @param {string} text @returns {Signal | null} */
function parse(text) {
  try {
    const { word, user, name, url } = JSON.parse(text);
    return [word, user ?? "", name ?? "", url ?? ""].every((part) => typeof part === "string") ? { word, user, name, url } : null;
  } catch {
    return null;
  }
}
