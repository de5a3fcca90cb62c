// @ts-check
// Plays a live or a replay: FLV by mpegts.js, HLS by hls.js or by the browser, and other files by the browser.
import { isLoadable } from "./config.js";
import { t } from "./i18n.js";

/** @typedef {{stop: () => void}} Player */
/** @typedef {{kind: "flv" | "hls" | "file", url: string}} Source */

/** How long a source may take to show its first picture, in milliseconds. */
const PATIENCE = 8000;

/** Players of the libraries, as far as they are used. @type {any} */
const libraries = globalThis;

/**
 * The sources of a row, best first.
 * @param {{type: number, playurl: string, hls_play_url: string}} row
 * @returns {Source[]}
 */
export function sourcesOf({ type, playurl, hls_play_url }) {
  const path = playurl.split(/[?#]/)[0].toLowerCase();
  /** @type {Source} */
  const file = { kind: path.endsWith(".flv") ? "flv" : path.endsWith(".m3u8") ? "hls" : "file", url: playurl };
  /** @type {Source} */
  const hls = { kind: "hls", url: hls_play_url };
  // FLV has less delay. A recording in HLS can be sought at once.
  const sources = type === 0 ? [file, hls] : file.kind === "file" ? [file, hls] : [hls, file];
  return sources.filter(({ url }) => url !== "");
}

/**
 * Plays the first source that works. Throws the reason if none does.
 * @param {HTMLVideoElement} video
 * @param {Source[]} sources
 * @param {boolean} isLive
 * @param {(reason: string) => void} onFault called if the video ends early, after it has begun
 * @returns {Promise<Player>}
 */
export async function play(video, sources, isLive, onFault) {
  let reason = t("it has no address");
  for (const source of sources) {
    try {
      return await start(video, source, isLive, onFault);
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
  }
  throw new Error(reason);
}

/** @param {HTMLVideoElement} video @param {Source} source @param {boolean} isLive @param {(reason: string) => void} onFault */
async function start(video, { kind, url }, isLive, onFault) {
  if (!isLoadable(url)) throw new Error(t("its address belongs to another server: {host}", { host: hostOf(url) }));
  let hasBegun = false;
  /** @type {(error: Error) => void} */
  let refuse = () => {};
  const fail = (/** @type {string} */ reason) => (hasBegun ? onFault(reason) : refuse(new Error(reason)));
  const stopLibrary = await attach(video, kind, url, isLive, fail);
  const onError = () => fail(video.error?.message || t("the browser cannot read it"));
  video.addEventListener("error", onError);
  const stop = () => {
    video.removeEventListener("error", onError);
    stopLibrary();
  };
  try {
    await new Promise((resolve, reject) => {
      refuse = reject;
      video.addEventListener("loadeddata", resolve, { once: true });
      setTimeout(() => reject(new Error(t("no picture came within {n} seconds", { n: PATIENCE / 1000 }))), PATIENCE);
    });
  } catch (error) {
    stop();
    throw error;
  }
  hasBegun = true;
  // A browser that starts no sound by itself starts a muted video.
  await video.play().catch(() => {
    video.muted = true;
    return video.play().catch(() => {});
  });
  return { stop };
}

/**
 * Gives the video to a library or to the browser, and returns what ends it.
 * @param {HTMLVideoElement} video @param {Source["kind"]} kind @param {string} url @param {boolean} isLive
 * @param {(reason: string) => void} fail
 */
async function attach(video, kind, url, isLive, fail) {
  if (kind === "flv") return attachFlv(video, url, isLive, fail);
  if (kind === "hls" && "MediaSource" in globalThis) return attachHls(video, url, fail);
  video.src = url;
  return () => video.removeAttribute("src");
}

/** @param {HTMLVideoElement} video @param {string} url @param {boolean} isLive @param {(reason: string) => void} fail */
async function attachFlv(video, url, isLive, fail) {
  await load("vendor/mpegts.js");
  const { mpegts } = libraries;
  if (!mpegts.isSupported()) throw new Error(t("this browser cannot play FLV"));
  mpegts.LoggingControl.enableAll = false;
  const lowDelay = { enableStashBuffer: false, liveBufferLatencyChasing: true, liveBufferLatencyMaxLatency: 1.2, liveBufferLatencyMinRemain: 0.3 };
  const player = mpegts.createPlayer({ type: "flv", isLive, url }, isLive ? lowDelay : {});
  player.on(mpegts.Events.ERROR, (/** @type {string} */ type, /** @type {string} */ detail) => fail(`${type}: ${detail}`));
  player.on(mpegts.Events.LOADING_COMPLETE, () => isLive && fail(t("the stream has ended")));
  player.attachMediaElement(video);
  player.load();
  return () => player.destroy();
}

/** @param {HTMLVideoElement} video @param {string} url @param {(reason: string) => void} fail */
async function attachHls(video, url, fail) {
  await load("vendor/hls.light.min.js");
  const { Hls } = libraries;
  // A worker would be a script from a blob, which the policy of the page forbids.
  const player = new Hls({ enableWorker: false });
  player.on(Hls.Events.ERROR, (/** @type {string} */ _, /** @type {{fatal: boolean, type: string, details: string}} */ error) => {
    if (error.fatal) fail(`${error.type}: ${error.details}`);
  });
  player.loadSource(url);
  player.attachMedia(video);
  return () => player.destroy();
}

/** @type {Map<string, Promise<void>>} */
const loading = new Map();

/** Loads a library once. @param {string} path */
function load(path) {
  let loaded = loading.get(path);
  if (!loaded) {
    loaded = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = path;
      script.onload = () => resolve();
      script.onerror = () => {
        loading.delete(path);
        reject(new Error(t("the player could not be loaded")));
      };
      document.head.append(script);
    });
    loading.set(path, loaded);
  }
  return loaded;
}

/** @param {string} url */
const hostOf = (url) => (URL.canParse(url) ? new URL(url).host : url.slice(0, 60));
