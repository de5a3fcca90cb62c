// Starts a server and a browser, goes through the journeys, and prints every fault: see scripts/see.
//
//   node main.mjs SERVER TOOLS PICTURES [JOURNEY ...]
//
// SERVER is the program, TOOLS a folder with the packages of package.json, PICTURES the folder for pictures and the log.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Browser } from "./browser.mjs";
import { faultCount, fault } from "./faults.mjs";
import { Server } from "./server.mjs";
import { account } from "./journeys/account.mjs";
import { ban } from "./journeys/ban.mjs";
import { camera } from "./journeys/camera.mjs";
import { joint } from "./journeys/joint.mjs";
import { live } from "./journeys/live.mjs";
import { readme } from "./journeys/readme.mjs";

/**
 * Each journey is a story on its own, with users of its own. A journey of another page, such as a console of operators,
 * is a file in journeys/ and its name here and in `ORDER`: it opens the page with `windows.person`, and calls `look` in
 * each view.
 */
const JOURNEYS = { account, live, camera, joint, ban, readme };
/**
 * One stage after the other; in a stage, each list at the same time as the others, since most of the time is waiting. The
 * first stage sees empty lists, and the last one measures how soon a ban cuts.
 */
const ORDER = [[["account"]], [["live"], ["camera", "joint"]], [["ban"]], [["readme"]]];
/** Made when they are asked for, not a test. */
const PICTURES = ["readme"];

const [program, tools, pictures, ...wanted] = process.argv.slice(2);
const names = wanted.length > 0 ? wanted : Object.keys(JOURNEYS).filter((name) => !PICTURES.includes(name));
const unknown = names.filter((name) => !Object.hasOwn(JOURNEYS, name));
if (unknown.length > 0) {
  console.error(`no such journey: ${unknown.join(", ")}; there are ${Object.keys(JOURNEYS).join(", ")}`);
  process.exit(2);
}

mkdirSync(pictures, { recursive: true });
const server = await Server.start(program, join(pictures, "server.log"));
const browser = await Browser.start(server, tools, pictures);
for (const stage of ORDER) {
  await Promise.all(stage.map(async (list) => {
    for (const name of list.filter((name) => names.includes(name))) await go(name);
  }));
}
await browser.stop();
await server.stop();
console.log(faultCount() === 0 ? `no faults; the pictures are in ${pictures}` : `${faultCount()} faults; see ${pictures}`);
process.exit(faultCount() === 0 ? 0 : 1);

/** @param {string} name of a journey */
async function go(name) {
  const start = Date.now();
  const windows = browser.windows();
  try {
    await JOURNEYS[name]({ server, windows });
  } catch (error) {
    fault(name, error.stack ?? String(error));
    await windows.keepPictures(`failed-${name}`);
  }
  await windows.close();
  console.log(`${name}: ${((Date.now() - start) / 1000).toFixed(1)} s`);
}
