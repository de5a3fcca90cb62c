// @ts-check
// What the views share: how they are drawn, and how their errors are shown.
import { html, nothing } from "./vendor/lit-html.js";
import { Code, Refused, Unreachable } from "./api.js";
import { isLoadable } from "./config.js";
import { languageTag, t } from "./i18n.js";
import { forget, isSignedIn } from "./session.js";

/** @typedef {import("./vendor/lit-html.js").TemplateResult} TemplateResult */

/**
 * A screen of the app.
 * @typedef {object} View
 * @property {() => string} title
 * @property {() => unknown} draw the content of `main`
 * @property {() => void | Promise<void>} [ready] called once, when the view is in the document
 * @property {() => void} [leave] called when another view takes its place
 */

/**
 * A row of a list: a live, a replay or a short video.
 * @typedef {object} Row
 * @property {string} userid
 * @property {string} groupid
 * @property {string} title
 * @property {number} timestamp
 * @property {number} type 0 a live, 1 a replay
 * @property {number} viewercount
 * @property {number} likecount
 * @property {string} playurl
 * @property {string} hls_play_url
 * @property {string} status
 * @property {string} fileid
 * @property {{nickname: string, headpic: string, frontcover: string, location: string}} userinfo
 * @property {{fileid: string, format: string, url: string, start_time: number, end_time: number}[]} [parts]
 */

/**
 * What the frame of the app shows beside the view: an error, or the English text of something else. Both are put into
 * words when they are drawn, so that they follow the language.
 * @type {{problem: unknown, status: string, isBusy: boolean}}
 */
export const frame = { problem: null, status: "", isBusy: false };

/** What app.js does for the views. */
const app = { draw: () => {}, show: async () => {} };

/** @param {typeof app} functions */
export const setApp = (functions) => Object.assign(app, functions);

/** Draws the app again. */
export const redraw = () => app.draw();

/** Shows the view at the address, from the start. */
export const showAddress = () => app.show();

/** Says something that is not an error. @param {string} text in English */
export function say(text) {
  frame.status = text;
  redraw();
}

/** Shows an error in plain words. Without a valid session, the user must sign in again. @param {unknown} error */
export async function showError(error) {
  if (error instanceof Refused && error.code === Code.BadToken && isSignedIn()) {
    forget();
    await showAddress();
  }
  frame.problem = error;
  redraw();
}

/** Shows that the session has ended, and nothing else: for what is repeated anyway. @param {unknown} error */
export async function showSessionEnd(error) {
  if (error instanceof Refused && error.code === Code.BadToken && isSignedIn()) await showError(error);
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
    Object.assign(frame, { problem: null, status: "", isBusy: true });
    redraw();
    try {
      await work(event);
    } catch (error) {
      await showError(error);
    } finally {
      frame.isBusy = false;
      redraw();
    }
  };
}

/** An error in the words of the user. @param {unknown} error */
export function words(error) {
  if (error instanceof Unreachable) return t("The server cannot be reached. Check the network, then try again.");
  if (!(error instanceof Refused)) return error instanceof Error ? error.message : String(error);
  switch (error.code) {
    case Code.BadToken: return t("Your session has ended, or the clock of this device is wrong. Sign in again.");
    case Code.UserExists: return t("This name is taken. Choose another one.");
    case Code.WrongPassword: return t("The password is wrong.");
    case Code.TooMany: return t("Too many attempts. Wait a quarter of an hour.");
    case Code.NotExist: return t("This does not exist, or no longer: {what}", { what: detail(error) });
    case Code.Forbidden: return t("The server does not allow this: {what}", { what: detail(error) });
    default: return t("The server refused this: {what}", { what: detail(error) });
  }
}

/** The part of a message that says what is wrong. @param {Error} error */
const detail = ({ message }) => message.split(" | ").at(-1) ?? message;

/** The text of a field of a form. @param {SubmitEvent} event @param {string} name */
export function field(event, name) {
  const form = /** @type {HTMLFormElement} */ (event.target);
  return String(new FormData(form).get(name) ?? "");
}

/** The name of the person in a row. @param {Row} row */
export const hostOf = (row) => row.userinfo.nickname || row.userid;

/** Who and how many, below a title. @param {Row} row */
export function numbers({ type, viewercount, likecount }) {
  const viewers = type === 0 ? t("{n} watching", { n: viewercount }) : count(viewercount, "{n} viewer", "{n} viewers");
  return html`<span>${viewers}</span> <span>${count(likecount, "{n} like", "{n} likes")}</span>`;
}

/** @param {number} n @param {string} one @param {string} many */
const count = (n, one, many) => t(n === 1 ? one : many, { n });

/** A picture, or a field of colour in its place. @param {string} url @param {string} kind */
export function picture(url, kind) {
  return isLoadable(url)
    ? html`<img class=${kind} src=${url} alt="" loading="lazy">`
    : html`<span class=${`${kind} blank`}></span>`;
}

/** A button that submits a form. @param {string} text */
export function submitButton(text) {
  return html`<button class="main" ?disabled=${frame.isBusy}>${text}</button>`;
}

export { html, nothing };

/** A time of the server, with the year if it is another one. @param {number} seconds */
export function time(seconds) {
  const date = new Date(seconds * 1000);
  const isThisYear = date.getFullYear() === new Date().getFullYear();
  /** @type {Intl.DateTimeFormatOptions} */
  const parts = { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" };
  return new Intl.DateTimeFormat(languageTag(), isThisYear ? parts : { ...parts, year: "numeric" }).format(date);
}
