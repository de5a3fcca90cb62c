// A joint broadcast: a viewer asks to join, the host accepts, and all see both. One who comes later sees both, too.
import { expect } from "../faults.mjs";

export async function joint({ windows }) {
  const people = await Promise.all(["hostess", "guest", "watcher", "late"].map((name) => windows.person(name)));
  await Promise.all(people.map((person) => person.signUp()));
  const [host, guest, viewer, late] = people;
  await host.startLive("Two at once");
  await host.button("Use the camera").click();
  await host.see(/^You are live/);
  await Promise.all([guest.choose(host, "Lives"), viewer.choose(host, "Lives")]);
  await Promise.all([guest.seePlaying(), viewer.seePlaying()]);

  await guest.button("Ask to join").click();
  await host.see(`${guest.name} asks to join`);
  await host.look("joint-asked");
  await host.button("Decline").click();
  await guest.see("The host has declined.");
  await guest.button("Ask to join").click();
  await host.button("Accept").click();
  await guest.button("Leave the joint broadcast").waitFor();
  await Promise.all([host, viewer].map((person) => person.seePlaying(1, ".guest video")));
  await late.choose(host, "Lives");
  await late.seePlaying(1, ".guest video");
  await host.look("joint-host");
  await guest.look("joint-guest");
  await viewer.look("joint-viewer");

  await guest.button("Leave the joint broadcast").click();
  await Promise.all(people.map((person) => person.page.waitForSelector(".guest", { state: "detached" })));
  await guest.button("Ask to join").click();
  await host.button("Accept").click();
  await viewer.seePlaying(1, ".guest video");
  await host.button(`End the joint broadcast with ${guest.name}`).click();
  await Promise.all(people.map((person) => person.page.waitForSelector(".guest", { state: "detached" })));
  expect(await guest.button("Ask to join").isVisible(), "a guest whose part has ended can ask again");
  await host.stopLive();
}
