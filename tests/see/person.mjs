// A person at a window of the app: what one does with it, and what one sees there.
import { expect, until } from "./faults.mjs";

const PASSWORD = "secret123";

export class Person {
  /**
   * @param {import("./browser.mjs").Browser} browser
   * @param {import("playwright-core").Page} page
   * @param {string} name the name of the account
   */
  constructor(browser, page, name) {
    Object.assign(this, { browser, page, name });
  }

  look(view) {
    return this.browser.look(this.page, view);
  }

  keepPicture(name) {
    return this.browser.picture(this.page, name);
  }

  button(name) {
    return this.page.getByRole("button", { name, exact: true });
  }

  /** Opens the address of the server, as it is printed, and is led to the app. */
  async open() {
    await this.page.goto(this.browser.server.url);
    await this.page.waitForSelector("h1");
  }

  async signUp() {
    await this.open();
    await this.enterName(PASSWORD);
    await this.button("Sign up").click();
    await this.page.waitForSelector("nav");
    return this;
  }

  async signIn() {
    await this.enterName(PASSWORD);
    await this.button("Sign in").click();
    await this.page.waitForSelector("nav");
  }

  async enterName(password) {
    await this.page.fill("[name=user]", this.name);
    await this.page.fill("[name=password]", password);
  }

  /** Goes to a view by its address, and waits for what it shows. @param {string} hash @param {string} selector */
  async visit(hash, selector) {
    await this.page.evaluate((next) => (location.hash = next), hash);
    await this.page.waitForSelector(selector);
  }

  /** Starts a live with a title, and returns its push URL. @param {string} title */
  async startLive(title) {
    await this.visit("#/start", "[name=title]");
    await this.page.fill("[name=title]", title);
    await this.button("Continue").click();
    const server = await this.page.getByLabel("Server", { exact: true }).inputValue();
    const key = await this.page.getByLabel("Stream key", { exact: true }).inputValue();
    return `${server}/${key}`;
  }

  async stopLive() {
    await this.button("Stop the live").click();
    await this.page.waitForFunction(() => location.hash === "#/lives");
  }

  /** The card of somebody's live or replay in the list that is shown. @param {Person} host */
  card(host) {
    return this.page.locator(`a.card[href$="/${host.name}"], a.card[href*="/${host.name}/"]`);
  }

  /** Opens the card of somebody in a list. @param {Person} host @param {"Lives" | "Replays"} list */
  async choose(host, list) {
    await this.page.getByRole("link", { name: list, exact: true }).click();
    await this.card(host).first().click();
    await this.page.waitForSelector(".watch h1");
  }

  /**
   * Waits until a video moves.
   * @param {number} seconds of the video that must have been shown
   * @param {string} selector of the video; by default the only one, or the host's
   */
  async seePlaying(seconds = 1, selector = ".watch video") {
    await this.page.waitForFunction(
      ([element, least]) => {
        const { currentTime = 0, videoWidth = 0, played } = document.querySelector(element) ?? {};
        return videoWidth > 0 && currentTime - (played.length > 0 ? played.start(0) : currentTime) > least;
      },
      /** @type {const} */ ([selector, seconds]),
    );
  }

  async comment(text, isOnVideo = false) {
    await this.page.getByLabel("Your comment").fill(text);
    if (isOnVideo) await this.page.getByLabel("On the video").check();
    await this.button("Send").click();
  }

  /** Waits for a comment, as a text. @param {string} text */
  async seeComment(text) {
    const log = this.page.locator("[role=log] li");
    await until(`${this.name} sees the comment ${text.slice(0, 40)}`, async () =>
      (await log.allTextContents()).some((line) => line.includes(text)),
    );
  }

  /** Waits for a text anywhere on the page. @param {string | RegExp} text */
  see(text) {
    return this.page.getByText(text).first().waitFor();
  }

  /** Sends a command to the server as this person, as another client could. */
  call(command, fields) {
    return this.page.evaluate(
      async ([name, values]) => {
        const { call } = await import("/app/session.js");
        return call(name, values).catch((error) => ({ refused: error.message }));
      },
      [command, fields],
    );
  }

  /** What strangers wrote is text: no element of the page came from it. */
  async seeNoMarkup() {
    const elements = await this.page.locator("main [onerror], main script, main b, main i").count();
    expect(elements === 0, "the text of strangers makes no elements");
  }
}
