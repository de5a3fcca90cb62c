// @ts-check
// Calls of the operators' commands, through the program that serves the console. That program has the key; the page has
// a token, which came in the address that the program printed.

/** A call that failed, with a text for the operator. */
export class Failed extends Error {}

const KEY = "mini-lvb-console-token";

/** Takes the token out of the address, so that neither bookmarks nor screenshots have it. */
export function takeToken() {
  const [, token] = /^#token=([0-9a-f]+)$/.exec(location.hash) ?? [];
  if (!token) return;
  sessionStorage.setItem(KEY, token);
  history.replaceState(null, "", "#/");
}

/**
 * Calls a command and returns the data of its answer.
 * @param {string} command
 * @param {Record<string, unknown>} [fields]
 * @returns {Promise<any>}
 */
export async function call(command, fields = {}) {
  const headers = { "Content-Type": "application/json", "X-Console-Token": sessionStorage.getItem(KEY) ?? "" };
  let answer;
  try {
    answer = await (await fetch(`/call/${command}`, { method: "POST", headers, body: JSON.stringify(fields) })).json();
  } catch {
    throw new Failed("The console's program does not answer. Start mini-lvb console again, and open its address.");
  }
  if (answer.code !== 200) throw new Failed(`${answer.code} ${answer.message}`);
  return answer.data;
}

/**
 * Calls a command that works in parts, until an answer has no `next`. Joins the lists of all parts.
 * @param {string} command
 * @param {Record<string, unknown>} fields
 * @returns {Promise<any>}
 */
export async function callInParts(command, fields) {
  /** @type {any} */
  const whole = {};
  for (let after; ;) {
    const { next, ...part } = await call(command, { ...fields, after });
    for (const [name, list] of Object.entries(part)) whole[name] = [...(whole[name] ?? []), ...list];
    if (!next || next === after) return whole;
    after = next;
  }
}
