// @ts-check
// Who is signed in. Each tab of the browser is a phone of its own, so that one browser can show host and viewer.
import { Code, post, Refused } from "./api.js";
import { md5 } from "./md5.js";

/**
 * @typedef {object} Session
 * @property {string} user
 * @property {string} token
 * @property {string} refreshToken
 * @property {string} userSig proves the user to the chat
 * @property {string} nickname
 * @property {string} portrait
 */

const KEY = "mini-lvb-session";
/** Set if somebody has signed in with this browser. */
const KNOWN = "mini-lvb-known";

/** @type {Session | null} */
let session = read();

/** @returns {Session | null} */
function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}

/** @param {Session | null} next */
function keep(next) {
  session = next;
  if (next) sessionStorage.setItem(KEY, JSON.stringify(next));
  else sessionStorage.removeItem(KEY);
}

/** Whether somebody has signed in with this browser before. */
export const isKnown = () => localStorage.getItem(KNOWN) !== null;

export const isSignedIn = () => session !== null;

/** The session of this tab. */
export function me() {
  if (!session) throw new Refused(Code.BadToken, "nobody is signed in");
  return session;
}

/** @param {string} user @param {string} password */
export async function signUp(user, password) {
  await post("register", { userid: user, password: digest(user, password) });
  await signIn(user, password);
}

/** @param {string} user @param {string} password */
export async function signIn(user, password) {
  const reply = await post("login", { userid: user, password: digest(user, password) });
  const userSig = reply.roomservice_sign?.userSig ?? "";
  keep({ user, token: reply.token, refreshToken: reply.refresh_token, userSig, nickname: "", portrait: "" });
  localStorage.setItem(KNOWN, "1");
  await readProfile();
}

/** Reads nickname and portrait, which the user shows to others when entering a room. */
export async function readProfile() {
  const profile = await call("get_user_info");
  keep({ ...me(), nickname: profile.nickname || me().user, portrait: profile.avatar });
  return profile;
}

export async function signOut() {
  // A session that has ended already need not be ended.
  await call("logout").catch(() => {});
  keep(null);
}

/** Forgets a session that the server no longer knows. */
export const forget = () => keep(null);

/** What the apps send instead of the password. @param {string} user @param {string} password */
function digest(user, password) {
  return md5(md5(password) + user);
}

/**
 * Sends a command as the user of this tab. If the token is no longer valid, gets the next one and sends it again.
 * @param {string} command
 * @param {Record<string, unknown>} [fields]
 * @returns {Promise<any>}
 */
export async function call(command, fields = {}) {
  const { user, token } = me();
  const send = () => post(command, { userid: user, ...fields }, me().token);
  try {
    return await send();
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== Code.BadToken) throw error;
    // Another call may have got the next token meanwhile.
    if (me().token === token) await refresh();
    return send();
  }
}

/** @type {Promise<void> | null} */
let refreshing = null;

/** Gets the next tokens, once for all calls that need them. */
function refresh() {
  refreshing ??= post("refresh", { userid: me().user, refresh_token: me().refreshToken })
    .then((reply) => keep({ ...me(), token: reply.token, refreshToken: reply.refresh_token }))
    .finally(() => (refreshing = null));
  return refreshing;
}
