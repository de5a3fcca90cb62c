// @ts-check
// The frame of the console: header, errors, the page at the address, and the navigation.
import { nothing, render } from "./vendor/lit-html.js";
import { takeToken } from "./api.js";
import { currentLanguage, languageTag, setLanguage } from "./i18n.js";
import { address, banDialog, frame, html, redraw, setShell, showError, t } from "./view.js";
import { bansView } from "./views/bans.js";
import { ledgerView } from "./views/ledger.js";
import { livesView } from "./views/lives.js";
import { overviewView } from "./views/overview.js";
import { queueView } from "./views/queue.js";
import { reportsView } from "./views/reports.js";
import { userView } from "./views/user.js";

/** The pages, by the first word of their address. @type {Record<string, (...words: string[]) => import("./view.js").View>} */
const VIEWS = { "": overviewView, lives: livesView, user: userView, queue: queueView, reports: reportsView, bans: bansView, ledger: ledgerView };
/** @type {[string, string][]} */
const LINKS = [["", "Overview"], ["lives", "Lives"], ["user", "Users"], ["queue", "Moderation"], ["reports", "Reports"], ["bans", "Bans"], ["ledger", "Notices"]];

/** @type {import("./view.js").View | null} */
let view = null;
/** @type {number | undefined} */
let timer;

/** The words of the address. */
function route() {
  try {
    return location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  } catch {
    return [""];
  }
}

async function show() {
  takeToken();
  clearInterval(timer);
  const isFirst = view === null;
  const [name, ...rest] = route();
  const shown = (Object.hasOwn(VIEWS, name) ? VIEWS[name] : overviewView)(...rest);
  view = shown;
  Object.assign(frame, { problem: "", status: "" });
  redraw();
  // On a narrow screen the sections do not all fit.
  document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  // A reader of the screen begins at the heading of the new page.
  if (!isFirst) document.querySelector("h1")?.focus();
  if (shown.every) timer = setInterval(() => document.hidden || frame.isBusy || shown.load().catch(showError), shown.every * 1000);
  await shown.load();
}

function switchLanguage() {
  setLanguage(currentLanguage() === "zh" ? "en" : "zh");
  redraw();
}

function draw() {
  if (!view) return;
  document.documentElement.lang = languageTag();
  document.title = `${view.title()} · ${t("Mini LVB console")}`;
  render(frameOf(view), document.body);
}

/** @param {import("./view.js").View} shown */
function frameOf(shown) {
  const [current] = route();
  const other = currentLanguage() === "zh" ? "en" : "zh";
  return html`
    <header>
      <a class="brand" href="#/">${t("Mini LVB console")}</a>
      <button class="quiet" lang=${languageTag(other)} @click=${switchLanguage}>${other === "zh" ? "中文" : "English"}</button>
      <nav aria-label=${t("Sections")}>${LINKS.map(([name, text]) =>
        html`<a href=${address(name)} aria-current=${current === name ? "page" : nothing}>${t(text)}</a>`)}</nav>
    </header>
    <div role="alert">${frame.problem ? html`<p class="problem">${frame.problem}</p>` : nothing}</div>
    <div role="status">${frame.status ? html`<p class="said">${frame.status}</p>` : nothing}</div>
    <main><h1 tabindex="-1">${shown.title()}</h1>${shown.draw()}</main>
    ${banDialog()}`;
}

setShell({ draw });
window.addEventListener("hashchange", () => show().catch(showError));
show().catch(showError);
