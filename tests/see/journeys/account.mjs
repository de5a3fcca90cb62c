// Signing up, in and out, the empty lists, and the profile with its portrait.
import { expect } from "../faults.mjs";
import { MARKUP } from "../strangers.mjs";

/** The time to the first picture of the app, in milliseconds. It is a third of this, unless the machine is busy. */
const FIRST_PAINT = 1000;

export async function account({ windows }) {
  const ann = await windows.person("anna");
  await ann.open();
  expect(ann.page.url().endsWith("/app/"), "the address of the server leads a browser to the app");
  const paint = await ann.page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  console.log(`   first paint after ${Math.round(paint)} ms`);
  expect(paint < FIRST_PAINT, `the first paint within ${FIRST_PAINT} ms`);
  await ann.look("sign-up");
  await ann.signUp();
  await ann.see("Nobody is live. Be the first.");
  await ann.look("lives-empty");
  await ann.visit("#/replays", "h1");
  await ann.see("There are no replays yet.");
  await ann.look("replays-empty");

  await ann.visit("#/me", "[name=nickname]");
  await ann.page.getByLabel("Nickname").fill(MARKUP.slice(0, 60));
  const portrait = await ann.page.screenshot();
  await ann.page.setInputFiles("[name=portrait]", { name: "portrait.png", mimeType: "image/png", buffer: portrait });
  await ann.button("Save").click();
  await ann.see("Saved.");
  await ann.page.waitForFunction(() => document.querySelector("img.portrait")?.naturalWidth > 0);
  await ann.look("me");

  await ann.button("Sign out").click();
  await ann.button("Sign in").waitFor();
  await ann.enterName("wrong");
  await ann.button("Sign in").click();
  await ann.see("The password is wrong.");
  await ann.look("sign-in");
  await ann.enterName("secret123");
  await ann.button("Sign in").click();
  await ann.page.waitForSelector("nav");
}
