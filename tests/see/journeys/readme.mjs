// Takes the pictures of the README, which are in docs/pictures: `scripts/see readme`.
import { until } from "../faults.mjs";
import { push } from "../encoder.mjs";

const LIVES = [
  ["nora", "Northern lights over the fjord", "gradients=size=640x360:rate=10:c0=0x0b2a4a:c1=0x1fa37c:c2=0x7a2f8f:nb_colors=3:speed=0.02"],
  ["julia", "A walk into the Mandelbrot set", "mandelbrot=size=640x360:rate=10"],
  ["conway", "Life, generation by generation", "life=size=320x180:rate=10:mold=10:ratio=0.1:death_color=#c83232:life_color=#00ff00,scale=640:360"],
  ["tess", "Test card, please stand by", "testsrc2=size=640x360:rate=10"],
];
const COMMENTS = ["Where is this?", "Wonderful, greetings from Shenzhen", "太美了!"];

export async function readme({ windows }) {
  const viewer = await windows.person("maya", { colorScheme: "dark" });
  const friend = await windows.person("otto");
  await Promise.all([viewer.signUp(), friend.signUp()]);
  const hosts = [];
  const encoders = [];
  for (const [name, title, picture] of LIVES) {
    const host = await windows.person(name);
    await host.signUp();
    encoders.push(push(await host.startLive(title), picture));
    hosts.push(host);
    await friend.card(host).waitFor();
  }
  const [host] = hosts;
  await until("all lives have pictures", () =>
    friend.page.locator(".card img").evaluateAll((images) => images.length === 4 && images.every(({ naturalWidth }) => naturalWidth > 0)));

  await viewer.choose(host, "Lives");
  await viewer.seePlaying();
  await friend.choose(host, "Lives");
  await friend.seePlaying();
  await friend.comment(COMMENTS[0]);
  await host.comment("Tromsø, minus 14 degrees");
  await friend.comment(COMMENTS[1]);
  await friend.button("Like").click();
  await viewer.comment(COMMENTS[2]);
  await viewer.see("2 watching");
  await viewer.see("1 like");
  await friend.comment("Wow", true);
  await viewer.page.locator(".floating .comment").waitFor({ state: "attached" });
  await friend.button("Like").click();
  await viewer.page.waitForFunction(() => document.querySelector(".floating .comment")?.getBoundingClientRect().right < innerWidth);
  await viewer.keepPicture("watching");

  await friend.page.getByRole("link", { name: "Lives", exact: true }).click();
  await friend.card(host).waitFor();
  await friend.keepPicture("lives");
  await host.stopLive();
  await Promise.all(encoders.map((encoder) => encoder.stop()));
  await host.choose(host, "Replays");
  await host.seePlaying();
  await host.keepPicture("replay");
}
