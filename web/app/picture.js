// @ts-check
// Pictures: made small in the browser, and uploaded to the object storage with a permission of the server.
import { t } from "./i18n.js";
import { call } from "./session.js";

const TYPE = "image/jpeg";
const QUALITY = 0.85;

/**
 * A small copy of a picture, without what a camera adds to it, such as the place.
 * @param {Blob | HTMLVideoElement} source
 * @param {number} longestSide in pixels
 */
export async function shrink(source, longestSide) {
  const bitmap = await createImageBitmap(source).catch(() => {
    throw new Error(t("This file is not a picture that the browser can read."));
  });
  const scale = Math.min(1, longestSide / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  /** @type {Blob | null} */
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, TYPE, QUALITY));
  if (!blob) throw new Error(t("This file is not a picture that the browser can read."));
  return blob;
}

/** Uploads a picture and returns its address. @param {Blob} blob */
export async function upload(blob) {
  const grant = await call("get_cos_grant", { size: blob.size, type: blob.type });
  // The browser sets the length itself.
  const { "Content-Length": _, ...headers } = grant.headers;
  const answer = await fetch(grant.url, { method: grant.method, headers, body: blob }).catch(() => null);
  if (!answer?.ok) {
    const why = answer ? `HTTP ${answer.status}` : new URL(grant.url).host;
    throw new Error(t("The picture could not be uploaded: {why}", { why }));
  }
  return String(grant.url);
}

/** The picture that the user chose in a form, or null. @param {SubmitEvent} event @param {string} name */
export function chosen(event, name) {
  const file = new FormData(/** @type {HTMLFormElement} */ (event.target)).get(name);
  return file instanceof File && file.size > 0 ? file : null;
}
