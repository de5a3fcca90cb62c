// @ts-check
// The chat of a room: a WebSocket of the live cloud, entered with the UserSig of the login.
import { config, socketUrl } from "./config.js";
import { me } from "./session.js";

/** `link` is a signal of a joint broadcast: joint.js. @typedef {"text" | "screen" | "like" | "link" | "join" | "leave"} Kind */

/**
 * @typedef {object} Message
 * @property {Kind} kind
 * @property {string} userid
 * @property {string} nickname
 * @property {string} text
 */

/**
 * @typedef {object} Chat
 * @property {(kind: Kind, text?: string) => Message | null} send the message as others get it; null without connection
 * @property {() => void} leave
 */

const KINDS = ["text", "screen", "like", "link", "join", "leave"];
const LONGEST_TEXT = 500;
/** The pauses before the chat is entered again, in milliseconds. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;

/**
 * Enters the chat of a group. If the chat refuses, nothing happens.
 * @param {string} group
 * @param {{onMessage: (message: Message) => void, onState: (isOpen: boolean) => void}} listener
 * @returns {Chat}
 */
export function enterChat(group, { onMessage, onState }) {
  // Kept, since the last message may be sent when the session has ended.
  const { user, userSig, nickname } = me();
  /** @type {WebSocket | null} */
  let socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let [pause, hasLeft, wasOpen] = [FIRST_PAUSE, false, false];
  /** What this tab has sent, so that a server that sends it back to its sender shows it once. @type {string[]} */
  const sent = [];

  function connect() {
    const query = new URLSearchParams({ group, userid: user, usersig: userSig });
    socket = new WebSocket(socketUrl(`/chat?${query}`));
    socket.onopen = () => {
      [pause, wasOpen] = [FIRST_PAUSE, true];
      onState(true);
    };
    socket.onmessage = ({ data }) => {
      const message = parse(data);
      if (message && !isOwn(message)) onMessage(message);
    };
    socket.onclose = () => {
      onState(false);
      // A chat that never opened has refused this user, or does not exist.
      if (hasLeft || !wasOpen) return;
      timer = setTimeout(connect, pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    };
  }

  /** @param {Message} message */
  function isOwn({ userid, kind, text }) {
    if (kind === "join") return userid === user;
    const at = userid === user ? sent.indexOf(`${kind} ${text}`) : -1;
    if (at >= 0) sent.splice(at, 1);
    return at >= 0;
  }

  if (config.chat && config.video) connect();
  return {
    send(kind, text = "") {
      if (socket?.readyState !== WebSocket.OPEN) return null;
      const message = { kind, userid: user, nickname, text: text.slice(0, LONGEST_TEXT) };
      socket.send(JSON.stringify(message));
      sent.push(`${message.kind} ${message.text}`);
      if (sent.length > 50) sent.shift();
      return message;
    },
    leave() {
      hasLeft = true;
      clearTimeout(timer);
      socket?.close();
    },
  };
}

/** A message of a stranger, or null if it is none. @param {unknown} data @returns {Message | null} */
export function parse(data) {
  if (typeof data !== "string") return null;
  try {
    const { kind, userid, nickname, text } = JSON.parse(data);
    if (!KINDS.includes(kind) || typeof userid !== "string") return null;
    const words = (/** @type {unknown} */ value) => (typeof value === "string" ? value.slice(0, LONGEST_TEXT) : "");
    return { kind, userid: words(userid), nickname: words(nickname), text: words(text) };
  } catch {
    return null;
  }
}
