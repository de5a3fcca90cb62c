// @ts-check
// What a browser sends to the live cloud: each message of the WebSocket is one tag of FLV.
//
//   1 byte   kind: 8 audio, 9 video, 18 script
//   4 bytes  time in milliseconds, the highest byte first
//   rest     the body of the tag

export const Kind = { Audio: 8, Video: 9 };

const KEY_FRAME_AVC = 0x17;
const INTER_FRAME_AVC = 0x27;
/** AAC, 44 kHz, 16 bits, stereo: for AAC these numbers are always these, and the configuration has the true ones. */
const AAC = 0xaf;
const CONFIGURATION = 0;
const CONTENT = 1;

/**
 * @param {number} kind
 * @param {number} milliseconds
 * @param {number[]} head the first bytes of the body
 * @param {Uint8Array} content the rest of the body
 */
function message(kind, milliseconds, head, content) {
  const bytes = new Uint8Array(5 + head.length + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setUint32(1, milliseconds);
  bytes.set(head, 5);
  bytes.set(content, 5 + head.length);
  return bytes;
}

/** @param {number} time @param {Uint8Array} description an AVCDecoderConfigurationRecord */
export const videoConfiguration = (time, description) =>
  message(Kind.Video, time, [KEY_FRAME_AVC, CONFIGURATION, 0, 0, 0], description);

/** @param {number} time @param {boolean} isKey @param {Uint8Array} content units of H.264 with their lengths */
export const videoFrame = (time, isKey, content) =>
  message(Kind.Video, time, [isKey ? KEY_FRAME_AVC : INTER_FRAME_AVC, CONTENT, 0, 0, 0], content);

/** @param {number} time @param {Uint8Array} description an AudioSpecificConfig */
export const audioConfiguration = (time, description) => message(Kind.Audio, time, [AAC, CONFIGURATION], description);

/** @param {number} time @param {Uint8Array} content a frame of AAC without header */
export const audioFrame = (time, content) => message(Kind.Audio, time, [AAC, CONTENT], content);
