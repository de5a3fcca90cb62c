// @ts-check
// The address of a view is the part after #, so that the browser's back button and bookmarks work.
import { isSignedIn } from "./session.js";
import { listView } from "./views/lists.js";
import { signInView } from "./views/sign_in.js";

/** @typedef {import("./view.js").View} View */

/** Views that most visits do not need are loaded when they are shown. */
const VIEWS = {
  /** @returns {View} */
  lives: () => listView("lives"),
  /** @returns {View} */
  replays: () => listView("replays"),
  live: async (/** @type {string} */ user) => (await import("./views/watch.js")).watchView({ type: 0, user, file: "" }),
  replay: async (/** @type {string} */ user, /** @type {string} */ file) =>
    (await import("./views/watch.js")).watchView({ type: 1, user, file }),
  start: async () => (await import("./views/start.js")).startView(),
  push: async () => (await import("./views/push.js")).pushView(),
  me: async () => (await import("./views/profile.js")).profileView(),
};

/** The words of the address. */
export function route() {
  const words = location.hash.replace(/^#\/?/, "").split("/");
  try {
    return words.map(decodeURIComponent);
  } catch {
    return [""];
  }
}

/** The view at the address. @returns {Promise<View>} */
export async function viewAtAddress() {
  if (!isSignedIn()) return signInView();
  const [name, ...parameters] = route();
  const views = /** @type {Record<string, (...parameters: string[]) => View | Promise<View>>} */ (VIEWS);
  return Object.hasOwn(views, name) ? views[name](...parameters) : views.lives();
}

/** The address of a view. @param {...string} words */
export const address = (...words) => `#/${words.map(encodeURIComponent).join("/")}`;

/** Goes to a view. @param {...string} words */
export function go(...words) {
  const next = address(...words);
  if (location.hash === next) window.dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = next;
}
