// What is wrong: printed at once, and counted.

let count = 0;

/** @param {string} where @param {string} what */
export function fault(where, what) {
  count++;
  console.log(`FAULT ${where}: ${what}`);
}

export const faultCount = () => count;

/** Ends a journey unless a condition holds. @param {unknown} condition @param {string} expected */
export function expect(condition, expected) {
  if (!condition) throw new Error(`expected: ${expected}`);
}

/**
 * Calls `read` until it returns something true, and returns that.
 * @template T
 * @param {string} what
 * @param {() => Promise<T>} read
 * @param {number} seconds
 */
export async function until(what, read, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await read();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
