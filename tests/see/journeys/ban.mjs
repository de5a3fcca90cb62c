// An operator bans a host: the push is cut, the host is signed out, and nobody can push until the ban is lifted.
import { expect } from "../faults.mjs";
import { push } from "../encoder.mjs";

/** Within how many milliseconds a ban cuts a push. It is half a second, unless the machine is busy. */
const CUT = 3000;

export async function ban({ server, windows }) {
  const [host, viewer] = [await windows.person("rude"), await windows.person("witness")];
  await Promise.all([host.signUp(), viewer.signUp()]);
  const url = await host.startLive("Nothing good");
  const encoder = push(url);
  await viewer.card(host).waitFor();
  await viewer.choose(host, "Lives");
  await viewer.seePlaying();
  viewer.page.once("dialog", (dialog) => dialog.accept());
  await viewer.button("Report").click();
  await viewer.see("Thank you: the operators will see your report.");

  const start = Date.now();
  await server.operate("forbid_live", { userid: host.name, forbidflag: 1, reason: "scripts/see", actor: "see" });
  await encoder.ended;
  const cut = Date.now() - start;
  console.log(`   the ban cut the push after ${cut} ms`);
  expect(cut < CUT, `the ban cuts the push within ${CUT} ms`);
  await viewer.see("The live has ended.");
  await host.see(/Your session has ended/);
  await host.look("banned");
  const { code, errors } = await push(url).ended;
  expect(code !== 0 && /forbidden/.test(errors), `a push during the ban is refused, and says why: ${errors}`);

  await server.operate("forbid_live", { userid: host.name, forbidflag: 0, actor: "see" });
  await host.signIn();
  const again = push(await host.startLive("Better now"));
  await viewer.choose(host, "Lives");
  await viewer.seePlaying();
  await host.stopLive();
  await again.stop();
}
