// A live by ffmpeg from its start to its replay: a viewer by FLV, a viewer by HLS, likes, comments, and texts of strangers.
import { expect, until } from "../faults.mjs";
import { push } from "../encoder.mjs";
import { BIDI, HUGE, LONG, MARKUP } from "../strangers.mjs";

const TITLE = `${MARKUP} ${BIDI}`;

export async function live({ windows }) {
  const [host, viewer, other] = [await windows.person("host"), await windows.person("viewer"), await windows.person("other")];
  await Promise.all([host.signUp(), viewer.signUp(), other.signUp()]);
  await host.visit("#/start", "[name=title]");
  await host.look("start");
  expect((await host.call("get_push_url", { groupid: "g", title: HUGE, userinfo: {} })).refused, "a huge title is refused");
  const url = await host.startLive(TITLE);

  await refusePush(url);
  const encoder = push(url);
  await appearInList(host, viewer);
  await Promise.all([watchByFlv(host, viewer), watchByHls(host, other)]);
  await talk(host, viewer, other);
  await host.page.locator("summary").click();
  await until("the push address is a QR code", () => host.page.locator("canvas.code").evaluate(({ width }) => width > 40));
  await host.look("host");
  await viewer.look("watch");
  await other.page.getByRole("link", { name: "Lives", exact: true }).click();
  await other.card(host).waitFor();
  await other.look("lives");

  await host.stopLive();
  await encoder.stop();
  await viewer.see("The live has ended.");
  await viewer.look("ended");
  await watchReplay(host, viewer);
  await own(host, viewer);
}

/** A push with a wrong signature is refused with the reason. */
async function refusePush(url) {
  const wrong = url.replace(/txSecret=(.)/, (_, digit) => `txSecret=${digit === "0" ? "1" : "0"}`);
  const { code, errors } = await push(wrong).ended;
  expect(code !== 0 && /txSecret/.test(errors), `a push with a wrong txSecret is refused, and says why: ${errors}`);
}

/** The live is in the list, with the title as a text and a picture of the stream. */
async function appearInList(host, viewer) {
  const card = viewer.card(host);
  await card.waitFor();
  expect((await card.locator(".name").textContent()) === TITLE, "the title in the list is the text that the host wrote");
  await until("the card has a picture", () => card.locator("img").evaluateAll(([image]) => image?.naturalWidth > 0));
  await viewer.seeNoMarkup();
}

async function watchByFlv(host, viewer) {
  const flv = viewer.page.waitForRequest(/\.flv/);
  await viewer.choose(host, "Lives");
  await flv;
  await viewer.seePlaying();
}

/** A viewer to whom no FLV comes gets HLS. */
async function watchByHls(host, other) {
  await other.page.route(/\.flv/, (route) => route.abort());
  const segment = other.page.waitForResponse((response) => /\.ts/.test(response.url()) && response.ok());
  await other.choose(host, "Lives");
  await segment;
  await other.seePlaying();
}

async function talk(host, viewer, other) {
  await viewer.comment(`hello ${MARKUP}`);
  await Promise.all([host, viewer, other].map((person) => person.seeComment(`hello ${MARKUP}`)));
  await host.comment(`welcome ${BIDI}`);
  await viewer.seeComment(`welcome ${BIDI}`);
  await other.comment(LONG, true);
  await viewer.page.locator(".floating .comment").waitFor({ state: "attached" });
  await host.seeComment(LONG);
  await viewer.button("Like").click();
  await viewer.page.locator(".floating .heart").first().waitFor({ state: "attached" });
  await host.see("1 like");
  await host.see("2 watching");
  await host.see("In the room (2)");
  await viewer.seeNoMarkup();
}

async function watchReplay(host, viewer) {
  await viewer.page.getByRole("link", { name: "Replays", exact: true }).click();
  await viewer.card(host).waitFor();
  await viewer.look("replays");
  await viewer.choose(host, "Replays");
  await viewer.seePlaying();
  await viewer.comment("what a live that was");
  await viewer.seeComment("what a live that was");
  await viewer.look("replay");
}

/** The owner renames, hides, shows and deletes the replay. */
async function own(host, viewer) {
  await host.choose(host, "Replays");
  await host.seePlaying();
  await host.look("replay-own");
  await host.page.getByLabel("Title").fill(LONG);
  await host.button("Rename").click();
  await host.see("The replay has a new title.");
  await host.button("Hide").click();
  await host.see(/The replay is hidden/);
  await viewer.page.getByRole("link", { name: "Replays", exact: true }).click();
  await viewer.card(host).waitFor({ state: "detached" });
  await host.visit("#/me", ".hidden");
  await host.look("me-hidden");
  await host.button(`Show again: ${LONG}`).click();
  await host.see("The replay is in the list again.");
  await viewer.card(host).waitFor();
  expect((await viewer.card(host).locator(".name").textContent()) === LONG, "the list has the new title");
  await viewer.look("replays-long-title");
  await host.choose(host, "Replays");
  host.page.once("dialog", (dialog) => dialog.accept());
  await host.button("Delete").click();
  await host.card(host).waitFor({ state: "detached" });
}
