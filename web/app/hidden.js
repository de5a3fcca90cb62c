// @ts-check
// The replays that the user hid with this browser: the server lists hidden replays to nobody, not even to their owner.
import { me } from "./session.js";

/** @typedef {{file: string, title: string}} Hidden */

const MOST = 100;
const key = () => `mini-lvb-hidden-${me().user}`;

/** @returns {Hidden[]} */
export function hiddenReplays() {
  try {
    return JSON.parse(localStorage.getItem(key()) ?? "[]");
  } catch {
    return [];
  }
}

/** @param {Hidden} hidden */
export function keepHidden(hidden) {
  const others = hiddenReplays().filter(({ file }) => file !== hidden.file);
  localStorage.setItem(key(), JSON.stringify([hidden, ...others].slice(0, MOST)));
}

/** @param {string} file */
export function forgetHidden(file) {
  localStorage.setItem(key(), JSON.stringify(hiddenReplays().filter((hidden) => hidden.file !== file)));
}
