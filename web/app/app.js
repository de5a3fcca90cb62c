// @ts-check
// The frame of the app: header, errors, the view at the address, and the navigation.
import { nothing, render } from "./vendor/lit-html.js";
import { readConfig } from "./config.js";
import { currentLanguage, languageTag, setLanguage, t } from "./i18n.js";
import { address, route, viewAtAddress } from "./router.js";
import { isSignedIn } from "./session.js";
import { frame, html, redraw, setApp, showError, words } from "./view.js";

/** @type {import("./view.js").View | null} */
let view = null;
/** How many views were asked for: one that is loaded late must not replace a later one. */
let visits = 0;

async function show() {
  const visit = ++visits;
  const next = await viewAtAddress();
  if (visit !== visits) return;
  const isFirst = view === null;
  view?.leave?.();
  view = next;
  Object.assign(frame, { problem: null, status: "" });
  redraw();
  window.scrollTo(0, 0);
  // A reader of the screen begins at the heading of the new view.
  if (!isFirst) document.querySelector("h1")?.focus();
  await next.ready?.();
}

function switchLanguage() {
  setLanguage(currentLanguage() === "zh" ? "en" : "zh");
  redraw();
}

function draw() {
  if (!view) return;
  document.documentElement.lang = languageTag();
  document.title = `${view.title()} · ${t("Mini LVB")}`;
  render(frameOf(view), document.body);
}

/** @param {import("./view.js").View} shown */
function frameOf(shown) {
  const other = currentLanguage() === "zh" ? "en" : "zh";
  return html`
    <header>
      <a class="brand" href=${address("lives")}>${t("Mini LVB")}</a>
      <button class="quiet" lang=${languageTag(other)} @click=${switchLanguage}>${other === "zh" ? "中文" : "English"}</button>
    </header>
    <div role="alert">${frame.problem ? html`<p class="problem">${words(frame.problem)}</p>` : nothing}</div>
    <div role="status">${frame.status ? html`<p class="said">${t(frame.status)}</p>` : nothing}</div>
    <main>${shown.draw()}</main>
    ${isSignedIn() ? navigation() : nothing}`;
}

function navigation() {
  const [current] = route();
  /** @param {string} name @param {string} text */
  const link = (name, text) =>
    html`<a href=${address(name)} aria-current=${(current || "lives") === name ? "page" : nothing}>${text}</a>`;
  return html`<nav aria-label=${t("Sections")}>
    ${link("lives", t("Lives"))}${link("replays", t("Replays"))}${link("start", t("Go live"))}${link("me", t("Me"))}
  </nav>`;
}

setApp({ draw, show });
window.addEventListener("hashchange", () => show().catch(showError));
readConfig().then(show).catch(showError);
