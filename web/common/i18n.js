// @ts-check
// The language of the app, and of the console: each has its Chinese texts in its own zh.js, by the English ones.
import { zh } from "./zh.js";

/** @typedef {"en" | "zh"} Language */

const KEY = "mini-lvb-language";

/** @type {Language} */
let language = kept() ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");

/** @returns {Language | null} */
function kept() {
  const text = localStorage.getItem(KEY);
  return text === "en" || text === "zh" ? text : null;
}

export const currentLanguage = () => language;

/** The language for `lang` attributes. @param {Language} [of] */
export const languageTag = (of = language) => (of === "zh" ? "zh-CN" : "en");

/** @param {Language} next */
export function setLanguage(next) {
  language = next;
  localStorage.setItem(KEY, next);
}

/**
 * A text in the user's language, with `{name}` replaced by the values.
 * @param {string} text
 * @param {Record<string, string | number>} [values]
 */
export function t(text, values = {}) {
  const pattern = language === "zh" ? zh[text] ?? text : text;
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}
