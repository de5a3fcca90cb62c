// The browser: a window for each person, and the faults that every page may have.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fault } from "./faults.mjs";
import { Person } from "./person.mjs";

const PHONE = { width: 390, height: 844 };
const SIZES = { phone: PHONE, desk: { width: 1280, height: 800 } };
const SCHEMES = /** @type {const} */ (["light", "dark"]);
const LANGUAGES = { en: "en", zh: "zh-CN" };
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const PATIENCE = 20_000;
// In a container, Chromium cannot isolate its processes. The pages are our own.
const FLAGS = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--mute-audio", "--disable-gpu"];

export class Browser {
  /** @param {import("./server.mjs").Server} server @param {string} tools @param {string} pictures */
  static async start(server, tools, pictures) {
    const require = createRequire(join(resolve(tools), "package.json"));
    const { chromium } = require("playwright-core");
    const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
    const driver = await chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS });
    const { video, media } = await (await fetch(`${server.url}/app/config.json`)).json();
    const hosts = new Set([server.url, video, ...media].map((address) => new URL(address).host));
    return new Browser({ server, driver, axe, pictures, hosts });
  }

  constructor(parts) {
    Object.assign(this, parts);
  }

  /** The windows of a journey. */
  windows() {
    return new Windows(this);
  }

  /** Reports what no page may do. */
  watch(name, page) {
    const isOwn = (url) => ["blob:", "data:"].includes(new URL(url).protocol) || this.hosts.has(new URL(url).host);
    const visit = (url) => isOwn(url) || fault(name, `a request to a foreign host: ${url}`);
    page.on("request", (request) => visit(request.url()));
    page.on("websocket", (socket) => visit(socket.url()));
    page.on("pageerror", (error) => fault(name, `an error of the page: ${error}`));
    page.on("console", (message) => {
      if (message.text().includes("Content Security Policy")) fault(name, message.text());
    });
  }

  /**
   * Checks a view in each language, scheme and size, and takes pictures. Half of the combinations are pictures enough:
   * each two of language, scheme and size are together in one of them.
   * @param {import("playwright-core").Page} page @param {string} view
   */
  async look(page, view) {
    const before = page.viewportSize();
    // Moving hearts and comments would differ from picture to picture.
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.evaluate(this.axe);
    for (const [language, tag] of Object.entries(LANGUAGES)) {
      await this.speak(page, tag);
      for (const colorScheme of SCHEMES) {
        await page.emulateMedia({ colorScheme });
        for (const [size, viewport] of Object.entries(SIZES)) {
          await page.setViewportSize(viewport);
          const name = `${view}-${size}-${language}-${colorScheme}`;
          await this.check(page, name);
          const odd = [size === "desk", language === "zh", colorScheme === "dark"].filter(Boolean).length % 2;
          if (odd === 0) await this.picture(page, name, true);
        }
      }
    }
    await this.speak(page, LANGUAGES.en);
    await page.emulateMedia({ colorScheme: "light", reducedMotion: "no-preference" });
    await page.setViewportSize(before);
  }

  /** Switches the language of a page with its button. */
  async speak(page, tag) {
    const current = await page.evaluate(() => document.documentElement.lang);
    if (current === tag) return;
    await page.click(`header button[lang="${tag}"]`);
    await page.waitForFunction((next) => document.documentElement.lang === next, tag);
  }

  async check(page, name) {
    const found = await page.evaluate(async (rules) => {
      const { violations } = await globalThis.axe.run(document, { runOnly: rules, resultTypes: ["violations"], selectors: false });
      const faults = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ").slice(0, 300)}`);
      const { scrollWidth, clientWidth } = document.documentElement;
      return scrollWidth > clientWidth ? [...faults, `it is ${scrollWidth - clientWidth} px wider than the screen`] : faults;
    }, RULES);
    for (const what of found) fault(name, what);
  }

  /** @param {import("playwright-core").Page} page @param {string} name @param {boolean} [isWhole] */
  picture(page, name, isWhole = false) {
    return page.screenshot({ path: join(this.pictures, `${name}.jpg`), type: "jpeg", quality: 80, fullPage: isWhole });
  }

  stop() {
    return this.driver.close();
  }
}

class Windows {
  /** @param {Browser} browser */
  constructor(browser) {
    this.browser = browser;
    /** @type {Map<string, import("playwright-core").Page>} */
    this.pages = new Map();
  }

  /**
   * Opens a window for a person, who has an account and a session of their own.
   * @param {string} name the name of the person's account, and of the person in faults and pictures
   * @param {object} [options] of the window
   */
  async person(name, options = {}) {
    const settings = { viewport: PHONE, locale: "en-US", permissions: ["camera", "microphone"], ...options };
    const context = await this.browser.driver.newContext(settings);
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    this.browser.watch(name, page);
    this.pages.set(name, page);
    return new Person(this.browser, page, name);
  }

  /** Takes a picture of every window. @param {string} name */
  async keepPictures(name) {
    for (const [person, page] of this.pages) {
      await this.browser.picture(page, `${name}-${person}`).catch(() => {});
    }
  }

  async close() {
    await Promise.all([...this.pages.values()].map((page) => page.context().close()));
  }
}
