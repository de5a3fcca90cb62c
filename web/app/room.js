// @ts-check
// The people of a live or a replay: viewers, likes, members and comments.
import { enterChat } from "./chat.js";
import { floatHeart, floatText } from "./floating.js";
import { t } from "./i18n.js";
import { call, me } from "./session.js";
import { act, field, html, nothing, numbers, picture, redraw, showSessionEnd, submitButton } from "./view.js";

/** @typedef {import("./view.js").Row} Row */
/** @typedef {import("./chat.js").Message} Message */
/** @typedef {{userid: string, nickname: string, headpic: string}} Member */

/**
 * What a room is of.
 * @typedef {object} Place
 * @property {number} type 0 a live, 1 a replay
 * @property {string} host
 * @property {string} file
 * @property {string} group the group of a live, the file of a replay
 */

/** How often the numbers are read, in milliseconds. */
const RENEWAL = 5000;
const MOST_MEMBERS = 50;
const MOST_MESSAGES = 100;

/** @param {Place} place @returns {Promise<Row>} */
export function readRow({ type, host, file }) {
  return call("get_live_info", { liveuserid: host, type, fileid: file });
}

/**
 * @param {Place} place
 * @param {(row: Row) => void} [onRow] called with each new state of the row
 * @param {(message: Message) => void} [onMessage] called with each message of another member
 */
export function openRoom(place, onRow = () => {}, onMessage = () => {}) {
  const group = { liveuserid: place.host, groupid: place.group, flag: place.type };
  // The host is no viewer of the own live. Asked now, since a room is also left when the session has ended.
  const isViewer = place.host !== me().user;
  /** @type {Row | null} */
  let row = null;
  /** @type {Member[]} */
  let members = [];
  let memberCount = 0;
  /** @type {Message[]} */
  let messages = [];
  let isChatOpen = false;
  /** @type {import("./chat.js").Chat | null} */
  let chat = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;

  async function renew() {
    if (document.hidden) return;
    const page = { liveuserid: place.host, groupid: place.group, pageno: 1, pagesize: MOST_MEMBERS };
    const [next, people] = await Promise.all([readRow(place), call("fetch_group_member_list", page)]);
    row = next;
    [members, memberCount] = [people.memberlist, people.totalcount];
    onRow(next);
    redraw();
  }

  /** @param {Message} message */
  function show(message) {
    if (message.kind === "like") floatHeart();
    else if (message.kind === "screen") floatText(message.text);
    if (message.kind !== "like" && message.kind !== "link") messages = [...messages, message].slice(-MOST_MESSAGES);
    redraw();
    const log = document.querySelector(".messages");
    log?.scrollTo(0, log.scrollHeight);
  }

  const say = act(async (/** @type {SubmitEvent} */ event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    const kind = field(event, "screen") ? "screen" : "text";
    const message = chat?.send(kind, field(event, "text").trim());
    if (!message) return;
    show(message);
    form.reset();
  });

  const like = act(async () => {
    await call("change_count", { liveuserid: place.host, type: 1, optype: 0, flag: place.type, fileid: place.file });
    if (row) row = { ...row, likecount: row.likecount + 1 };
    chat?.send("like");
    floatHeart();
  });

  return {
    async enter() {
      if (isViewer) {
        await call("enter_group", { ...group, nickname: me().nickname, headpic: me().portrait }).catch(() => {});
      }
      chat = enterChat(place.group, {
        onMessage(message) {
          show(message);
          onMessage(message);
        },
        onState(isOpen) {
          isChatOpen = isOpen;
          redraw();
        },
      });
      timer = setInterval(() => renew().catch(showSessionEnd), RENEWAL);
      await renew().catch(showSessionEnd);
    },
    /** Reads the state of the room now. */
    renew: () => renew().catch(showSessionEnd),
    hasChat: () => isChatOpen,
    /** Sends a signal to the other members. @param {string} text */
    signal: (text) => chat?.send("link", text),
    leave() {
      clearInterval(timer);
      chat?.leave();
      if (isViewer) call("quit_group", group).catch(() => {});
    },
    numbers: () => (row ? numbers(row) : nothing),
    likeButton: () => html`<button class="main like" @click=${like}><span aria-hidden="true">♥</span> ${t("Like")}</button>`,
    draw: () => html`
      <section aria-labelledby="comments">
        <h2 id="comments">${t("Comments")}</h2>
        ${messages.length ? html`<div class="messages" role="log" tabindex="0" aria-labelledby="comments"><ul>${messages.map(line)}</ul></div>` : nothing}
        ${isChatOpen ? commentForm(say) : html`<p class="hint">${t("There is no chat here.")}</p>`}
      </section>
      <section aria-labelledby="members">
        <h2 id="members">${t("In the room ({n})", { n: memberCount })}</h2>
        <ul class="members">${members.map(member)}</ul>
      </section>`,
  };
}

/** @param {(event: SubmitEvent) => unknown} say */
function commentForm(say) {
  return html`<form class="say" @submit=${say}>
    <input name="text" required maxlength="200" autocomplete="off" aria-label=${t("Your comment")} placeholder=${t("Your comment")}>
    <label class="check"><input type="checkbox" name="screen" value="1">${t("On the video")}</label>
    ${submitButton(t("Send"))}
  </form>`;
}

/** @param {Message} message */
function line({ kind, userid, nickname, text }) {
  const name = html`<bdi class="who">${nickname || userid}</bdi>`;
  if (kind === "join") return html`<li>${name} ${t("came in")}</li>`;
  if (kind === "leave") return html`<li>${name} ${t("left")}</li>`;
  return html`<li>${name} <bdi>${text}</bdi></li>`;
}

/** @param {Member} person */
function member({ userid, nickname, headpic }) {
  return html`<li>${picture(headpic, "portrait")}<bdi>${nickname || userid}</bdi></li>`;
}
