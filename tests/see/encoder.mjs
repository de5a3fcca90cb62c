// ffmpeg as the encoder of a host: a test picture, or another one, and a tone, as H.264 and AAC.
import { spawn } from "node:child_process";

const PICTURE = "testsrc=size=640x360:rate=15";
const SOUND = "sine=frequency=440";
const VIDEO = ["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "baseline", "-pix_fmt", "yuv420p", "-g", "15"];
const AUDIO = ["-c:a", "aac", "-b:a", "96k"];

/**
 * Pushes to a signed URL until `stop` is called or the live cloud ends the push.
 * @param {string} url
 * @param {string} [picture] a source of ffmpeg
 */
export function push(url, picture = PICTURE) {
  const input = ["-re", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", SOUND];
  const options = ["-hide_banner", "-nostdin", "-loglevel", "warning", ...input, ...VIDEO, ...AUDIO, "-f", "flv", url];
  const child = spawn("ffmpeg", options, { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.on("data", (text) => (errors += text));
  /** @type {Promise<{code: number | null, errors: string}>} */
  const ended = new Promise((resolve) => child.once("close", (code) => resolve({ code, errors })));
  return {
    ended,
    async stop() {
      child.kill("SIGINT");
      await ended;
    },
  };
}
