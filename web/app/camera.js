// @ts-check
// Pushes camera and microphone to the live cloud: encoded by the browser (WebCodecs), sent by WebSocket.
import { socketUrl } from "./config.js";
import { audioConfiguration, audioFrame, videoConfiguration, videoFrame } from "./flv.js";
import { t } from "./i18n.js";

/** @typedef {{hasSound: boolean, stop: () => void}} Push */

const SIZE = { width: 640, height: 360 };
const FRAME_RATE = 25;
const VIDEO_CODEC = "avc1.42001f";
const VIDEO_BITRATE = 800_000;
const AUDIO_CODEC = "mp4a.40.2";
const AUDIO_BITRATE = 96_000;
/** A viewer who comes in waits for a key frame. */
const FRAMES_PER_KEY = FRAME_RATE * 2;
/** Frames are dropped while so many wait for the encoder, or so many bytes for the network. */
const MOST_QUEUED_FRAMES = 3;
const MOST_QUEUED_BYTES = 1_000_000;

/** What TypeScript's library lacks. @type {any} */
const browser = globalThis;

/**
 * The address that takes the WebSocket of a push URL: the same stream and the same signature.
 * @param {string} pushUrl
 */
export function ingestPath(pushUrl) {
  return pushUrl.slice(pushUrl.indexOf("/", pushUrl.indexOf("://") + 3));
}

/**
 * Shows the camera in `preview` and pushes it until `stop`.
 * @param {string} pushUrl
 * @param {HTMLVideoElement} preview
 * @param {(reason: string) => void} onEnd called if the push ends by itself
 * @returns {Promise<Push>}
 */
export async function pushFromCamera(pushUrl, preview, onEnd) {
  if (!navigator.mediaDevices || !("VideoEncoder" in globalThis) || !browser.MediaStreamTrackProcessor) {
    throw new Error(t("This browser cannot encode the camera. Use Chrome or Edge, over HTTPS or on this machine."));
  }
  const stream = await openCamera();
  /** @type {{close: () => void, state: string}[]} */
  const encoders = [];
  let hasEnded = false;
  /** @type {WebSocket | null} */
  let socket = null;

  function stop() {
    hasEnded = true;
    for (const track of stream.getTracks()) track.stop();
    for (const encoder of encoders) if (encoder.state !== "closed") encoder.close();
    socket?.close();
    preview.srcObject = null;
  }
  /** @param {string} reason */
  function end(reason) {
    if (hasEnded) return;
    stop();
    onEnd(reason);
  }

  try {
    socket = await open(socketUrl(ingestPath(pushUrl)));
  } catch (error) {
    stop();
    throw error;
  }
  const { send, timeOf } = sender(socket);
  socket.onclose = ({ reason }) => end(reason || t("the live cloud has closed the connection"));
  preview.srcObject = stream;
  void preview.play();

  const [videoTrack] = stream.getVideoTracks();
  videoTrack.onended = () => end(t("the camera was switched off"));
  const video = videoEncoder(send, timeOf, end);
  encoders.push(video);
  const isFull = () => video.encodeQueueSize >= MOST_QUEUED_FRAMES || (socket?.bufferedAmount ?? 0) > MOST_QUEUED_BYTES;
  let frames = 0;
  void read(videoTrack, (frame) => {
    if (video.state === "configured" && !isFull()) video.encode(frame, { keyFrame: frames++ % FRAMES_PER_KEY === 0 });
  });

  const [audioTrack] = stream.getAudioTracks();
  const audio = audioTrack ? await audioEncoder(audioTrack, send, timeOf, end) : null;
  if (audio) {
    encoders.push(audio);
    void read(audioTrack, (data) => audio.state === "configured" && audio.encode(data));
  }
  return { hasSound: audio !== null, stop };
}

/** The camera, with the microphone if there is one. */
async function openCamera() {
  const video = { ...SIZE, frameRate: FRAME_RATE };
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio: true }).catch((error) => {
      if (error.name !== "NotFoundError") throw error;
      return navigator.mediaDevices.getUserMedia({ video });
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(t("The camera cannot be used: {why}", { why }));
  }
}

/** @param {string} url @returns {Promise<WebSocket>} */
function open(url) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    const refused = (/** @type {string} */ why) => reject(new Error(t("The live cloud refuses the push: {why}", { why })));
    socket.onopen = () => resolve(socket);
    socket.onerror = () => refused(new URL(url).host);
    socket.onclose = ({ reason }) => refused(reason || new URL(url).host);
  });
}

/** @param {WebSocket} socket */
function sender(socket) {
  /** @type {number | null} */
  let first = null;
  return {
    /** @param {Uint8Array<ArrayBuffer>} message */
    send(message) {
      if (socket.readyState === WebSocket.OPEN) socket.send(message);
    },
    /** Milliseconds since the first picture or sound. @param {number} microseconds */
    timeOf(microseconds) {
      first ??= microseconds;
      return Math.max(0, Math.round((microseconds - first) / 1000));
    },
  };
}

/** @typedef {ReturnType<typeof sender>} Sender */

/** @param {Sender["send"]} send @param {Sender["timeOf"]} timeOf @param {(reason: string) => void} onError */
function videoEncoder(send, timeOf, onError) {
  const encoder = new VideoEncoder({
    output(chunk, metadata) {
      const time = timeOf(chunk.timestamp);
      const description = metadata?.decoderConfig?.description;
      if (description) send(videoConfiguration(time, bytesOf(description)));
      send(videoFrame(time, chunk.type === "key", contentOf(chunk)));
    },
    error: (error) => onError(error.message),
  });
  const format = { avc: /** @type {const} */ ({ format: "avc" }), latencyMode: /** @type {const} */ ("realtime") };
  encoder.configure({ codec: VIDEO_CODEC, ...SIZE, bitrate: VIDEO_BITRATE, framerate: FRAME_RATE, ...format });
  return encoder;
}

/**
 * An encoder of AAC, or null if the browser has none.
 * @param {MediaStreamTrack} track @param {Sender["send"]} send @param {Sender["timeOf"]} timeOf
 * @param {(reason: string) => void} onError
 */
async function audioEncoder(track, send, timeOf, onError) {
  if (!("AudioEncoder" in globalThis)) return null;
  const { sampleRate = 48_000, channelCount = 1 } = track.getSettings();
  const settings = { codec: AUDIO_CODEC, sampleRate, numberOfChannels: channelCount, bitrate: AUDIO_BITRATE };
  const { supported } = await AudioEncoder.isConfigSupported(settings).catch(() => ({ supported: false }));
  if (!supported) return null;
  const encoder = new AudioEncoder({
    output(chunk, metadata) {
      const time = timeOf(chunk.timestamp);
      const description = metadata?.decoderConfig?.description;
      if (description) send(audioConfiguration(time, bytesOf(description)));
      send(audioFrame(time, contentOf(chunk)));
    },
    error: (error) => onError(error.message),
  });
  encoder.configure(settings);
  return encoder;
}

/**
 * Gives each frame of a track to `use`, until the track ends.
 * @param {MediaStreamTrack} track
 * @param {(frame: any) => unknown} use
 */
async function read(track, use) {
  const reader = new browser.MediaStreamTrackProcessor({ track }).readable.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    use(value);
    value.close();
  }
}

/** @param {AllowSharedBufferSource} source */
function bytesOf(source) {
  return ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);
}

/** @param {EncodedVideoChunk | EncodedAudioChunk} chunk */
function contentOf(chunk) {
  const bytes = new Uint8Array(chunk.byteLength);
  chunk.copyTo(bytes);
  return bytes;
}
