// @ts-check
// The live that this tab started, kept over a reload of the page.

/**
 * @typedef {object} Broadcast
 * @property {string} pushUrl
 * @property {string} title
 * @property {string} group
 */

const KEY = "mini-lvb-broadcast";

/** @returns {Broadcast | null} */
export function currentBroadcast() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}

/** @param {Broadcast | null} broadcast */
export function keepBroadcast(broadcast) {
  if (broadcast) sessionStorage.setItem(KEY, JSON.stringify(broadcast));
  else sessionStorage.removeItem(KEY);
}
