// A draft: walks through every view of the demo app in headless Chromium, takes pictures, and runs axe-core.
//
//   node scripts/see.mjs URL TOOLS PICTURES
//
// URL is the address of a running server, TOOLS a folder with node_modules of playwright-core and axe-core, and
// PICTURES the folder for the pictures. Exits with 1 if axe-core or the page has something to say.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [url, tools, pictures] = process.argv.slice(2);
if (!pictures) {
  console.error("usage: node scripts/see.mjs URL TOOLS PICTURES");
  process.exit(2);
}
const { chromium } = createRequire(join(resolve(tools), "package.json"))("playwright-core");
const axe = readFileSync(join(tools, "node_modules/axe-core/axe.min.js"), "utf8");
mkdirSync(pictures, { recursive: true });

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const SIZES = { phone: { width: 390, height: 844 }, desk: { width: 1280, height: 800 } };
let faults = 0;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
});
for (const [size, viewport] of Object.entries(SIZES)) {
  for (const [locale, colorScheme] of [["en-US", "light"], ["zh-CN", "dark"], ["en-US", "dark"], ["zh-CN", "light"]]) {
    await walk(`${size}-${locale.slice(0, 2)}-${colorScheme}`, { viewport, locale, colorScheme });
  }
}
await browser.close();
process.exit(faults > 0 ? 1 : 0);

async function walk(name, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => fault(name, `error: ${error}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(new URL(url).origin) && !request.url().startsWith("blob:")) {
      console.log(name, "foreign request", request.url());
    }
  });
  await page.goto(`${url}/app/`);
  await look("sign-in", "input");
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  console.log(name, "first paint", Math.round(paint), "ms");
  await page.fill("[name=user]", `u${Date.now().toString(36)}`);
  await page.fill("[name=password]", "secret123");
  await page.click("button.main");
  await look("lives", "nav");
  await visit("replays", "#/replays", "h1");
  await visit("start", "#/start", "[name=title]");
  await page.fill("[name=title]", "海边日落 <b>");
  await page.click("button.main");
  await look("push", ".copyable");
  await visit("watch", `#/live/${process.env.HOST ?? "alice"}`, ".screen");
  await visit("replay", `#/replay/${process.env.HOST ?? "alice"}/${process.env.FILE ?? "f1"}`, ".screen");
  await visit("me", "#/me", "[name=nickname]");
  await context.close();

  async function visit(view, hash, selector) {
    await page.evaluate((next) => (location.hash = next), hash);
    await look(view, selector);
  }

  async function look(view, selector) {
    await page.waitForSelector(selector);
    await page.waitForTimeout(500);
    await page.screenshot({ path: join(pictures, `${name}-${view}.png`) });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    if (wide) fault(`${name} ${view}`, "wider than the screen");
    await page.evaluate(axe);
    const { violations } = await page.evaluate((rules) => globalThis.axe.run(document, { runOnly: rules }), RULES);
    for (const { id, nodes } of violations) fault(`${name} ${view}`, `axe: ${id}: ${nodes.map((node) => node.html).join(" ").slice(0, 300)}`);
  }
}

function fault(where, what) {
  faults++;
  console.log("FAULT", where, what);
}
