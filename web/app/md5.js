// @ts-check
// MD5 (RFC 1321), which signs calls. Browsers have no function for it.

/** How far each step of a round rotates, four numbers a round. */
const ROTATIONS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
];

/** The constant of each step: digits of a sine. */
const SINES = Array.from({ length: 64 }, (_, step) => Math.floor(Math.abs(Math.sin(step + 1)) * 2 ** 32));

/**
 * The digest of a text in UTF-8, as lower-case hexadecimal digits.
 * @param {string} text
 */
export function md5(text) {
  const words = padded(new TextEncoder().encode(text));
  let digest = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
  for (let start = 0; start < words.length; start += 16) {
    digest = compress(digest, words.subarray(start, start + 16));
  }
  const bytes = new Uint8Array(new Uint32Array(digest).buffer);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The message in blocks of 16 words: its bytes, the bit 1, zeros, and its length in bits. Browsers run on machines
 * that store the lowest byte first, as MD5 does.
 * @param {Uint8Array} bytes
 */
function padded(bytes) {
  const blocks = Math.floor((bytes.length + 8) / 64) + 1;
  const padded = new Uint8Array(blocks * 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const words = new Uint32Array(padded.buffer);
  words[words.length - 2] = bytes.length << 3;
  words[words.length - 1] = bytes.length >>> 29;
  return words;
}

/**
 * @param {number[]} digest
 * @param {Uint32Array} block
 */
function compress(digest, block) {
  let [a, b, c, d] = digest;
  for (let step = 0; step < 64; step++) {
    const round = step >> 4;
    const [mixed, word] = mix(round, step, b, c, d);
    const sum = (a + mixed + SINES[step] + block[word]) | 0;
    const rotation = ROTATIONS[round][step & 3];
    [a, d, c, b] = [d, c, b, (b + ((sum << rotation) | (sum >>> (32 - rotation)))) | 0];
  }
  return [a, b, c, d].map((word, index) => (word + digest[index]) | 0);
}

/**
 * The function of a round, and which word of the block a step takes.
 * @param {number} round @param {number} step @param {number} b @param {number} c @param {number} d
 * @returns {[number, number]}
 */
function mix(round, step, b, c, d) {
  switch (round) {
    case 0: return [(b & c) | (~b & d), step];
    case 1: return [(d & b) | (~d & c), (5 * step + 1) & 15];
    case 2: return [b ^ c ^ d, (3 * step + 5) & 15];
    default: return [c ^ (b | ~d), (7 * step) & 15];
  }
}
