// A live from the camera of the browser.
export async function camera({ windows }) {
  const [host, viewer] = [await windows.person("camera"), await windows.person("onlooker")];
  await Promise.all([host.signUp(), viewer.signUp()]);
  await host.startLive("海边日落");
  await host.button("Use the camera").click();
  await host.see(/^You are live/);
  await viewer.card(host).waitFor();
  await viewer.choose(host, "Lives");
  await viewer.seePlaying();
  await host.look("host-camera");
  await viewer.look("watch-camera");
  await host.stopLive();
  await viewer.see("The live has ended.");
}
