// @ts-check
// The user's own profile: nickname, portrait, and the end of the session.
import { currentBroadcast, keepBroadcast } from "../broadcast.js";
import { forgetHidden, hiddenReplays } from "../hidden.js";
import { t } from "../i18n.js";
import { chosen, shrink, upload } from "../picture.js";
import { address } from "../router.js";
import { call, me, readProfile, signOut } from "../session.js";
import { act, field, html, nothing, picture, redraw, say, showAddress, showError, submitButton } from "../view.js";

const PORTRAIT_SIDE = 256;

/** @returns {import("../view.js").View} */
export function profileView() {
  /** @type {{nickname: string, avatar: string, sex: number} | null} */
  let profile = null;

  const save = act(async (/** @type {SubmitEvent} */ event) => {
    const [nickname, file] = [field(event, "nickname").trim(), chosen(event, "portrait")];
    const { sex } = profile ?? (await readProfile());
    const avatar = file ? await upload(await shrink(file, PORTRAIT_SIDE)) : undefined;
    await call("upload_user_info", { nickname, avatar, sex });
    profile = await readProfile();
    say("Saved.");
  });

  /** @param {string} file */
  const show = (file) =>
    act(async () => {
      await call("update_replay", { file_id: file, hidden: 0 });
      forgetHidden(file);
      say("The replay is in the list again.");
    });

  const leave = act(async () => {
    keepBroadcast(null);
    await signOut();
    await showAddress();
  });

  return {
    title: () => t("Me"),
    async ready() {
      try {
        profile = await readProfile();
        redraw();
      } catch (error) {
        await showError(error);
      }
    },
    draw: () => html`
      <form class="narrow" @submit=${save}>
        <h1 tabindex="-1">${t("Me")}</h1>
        <p class="host">${picture(profile?.avatar ?? "", "portrait")}<bdi>${me().user}</bdi></p>
        <label>${t("Nickname")}<input name="nickname" .value=${profile?.nickname ?? ""} maxlength="128" autocomplete="nickname"></label>
        <label>${t("Portrait (optional)")}<input name="portrait" type="file" accept="image/*"></label>
        ${submitButton(t("Save"))}
        ${currentBroadcast() ? html`<a class="button" href=${address("push")}>${t("Back to my live")}</a>` : nothing}
        <button type="button" class="quiet" @click=${leave}>${t("Sign out")}</button>
      </form>
      ${hiddenReplays().length > 0 ? html`<section class="narrow" aria-labelledby="hidden">
        <h2 id="hidden">${t("Replays that you have hidden with this browser")}</h2>
        <ul class="hidden">${hiddenReplays().map(({ file, title }) => html`<li><bdi>${title}</bdi>
          <button @click=${show(file)} aria-label=${t("Show again: {name}", { name: title })}>${t("Show again")}</button></li>`)}</ul>
      </section>` : nothing}`,
  };
}
