// @ts-check
// One call of the REST dialect: docs/protocol.md.
import { md5 } from "./md5.js";

/** How long a call is valid, in seconds. */
const EXPIRES = 60;

/** The codes that the app treats in a way of its own. */
export const Code = { Forbidden: 403, BadToken: 498, UserExists: 612, NotExist: 620, WrongPassword: 621, TooMany: 4003 };

/** A call that the server refused. */
export class Refused extends Error {
  /** @param {number} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** A request that got no answer. */
export class Unreachable extends Error {}

/**
 * The signature of a body.
 * @param {string} token
 * @param {string} body
 */
export function signature(token, body) {
  return md5(token + md5(body));
}

/**
 * Sends a command and returns the data of its answer.
 * @param {string} command
 * @param {Record<string, unknown>} fields
 * @param {string} [token] signs the call
 * @returns {Promise<any>}
 */
export async function post(command, fields, token) {
  const body = JSON.stringify({ ...fields, timestamp: Math.floor(Date.now() / 1000), expires: EXPIRES });
  const headers = token ? { "Liteav-Sig": signature(token, body) } : undefined;
  const { code, message, data } = await answer(`/${command}`, { method: "POST", body, headers });
  if (code !== 200) throw new Refused(code, message);
  return data;
}

/** @param {string} url @param {RequestInit} request */
async function answer(url, request) {
  try {
    return await (await fetch(url, request)).json();
  } catch {
    throw new Unreachable();
  }
}
