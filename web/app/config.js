// @ts-check
// What the server tells the page: see `Settings` in web/src/lib.rs.

/**
 * @typedef {object} Config
 * @property {string | null} video the address of a live cloud that takes WebSockets
 * @property {boolean} chat
 * @property {string[]} media the addresses of video and pictures
 */

/** @type {Config} */
export const config = { video: null, chat: false, media: [] };

export async function readConfig() {
  const answer = await fetch("config.json");
  Object.assign(config, await answer.json());
}

/**
 * Whether the page may load this address. The addresses of pictures are text of strangers.
 * @param {string} url
 */
export function isLoadable(url) {
  if (!URL.canParse(url)) return false;
  const { origin } = new URL(url);
  return [location.origin, config.video, ...config.media].includes(origin);
}

/**
 * An address of the live cloud for a WebSocket.
 * @param {string} path
 */
export function socketUrl(path) {
  if (!config.video) throw new Error("there is no live cloud");
  return config.video.replace(/^http/, "ws") + path;
}
