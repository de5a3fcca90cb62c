// @ts-check
// Hearts and comments that float over the video. They repeat what the page says elsewhere, so readers of the screen
// skip them.

const LONGEST = 80;
const MOST = 40;
const LANES = 5;
let lane = 0;

export function floatHeart() {
  const heart = put("heart", "♥");
  heart?.style.setProperty("--left", `${60 + Math.round(Math.random() * 32)}%`);
}

/** @param {string} text */
export function floatText(text) {
  const comment = put("comment", text.slice(0, LONGEST));
  lane = (lane + 1) % LANES;
  comment?.style.setProperty("--top", `${8 + lane * 12}%`);
}

/** Puts a text over the video until its movement ends. @param {string} kind @param {string} text */
function put(kind, text) {
  const layer = document.querySelector(".floating");
  if (!layer || layer.childElementCount >= MOST) return null;
  const item = document.createElement("bdi");
  item.className = kind;
  item.textContent = text;
  item.addEventListener("animationend", () => item.remove());
  layer.append(item);
  return item;
}
