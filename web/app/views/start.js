// @ts-check
// Starting a live: its title and its cover.
import { t } from "../i18n.js";
import { keepBroadcast } from "../broadcast.js";
import { chosen, shrink, upload } from "../picture.js";
import { go } from "../router.js";
import { call, me, readProfile } from "../session.js";
import { act, field, html, nothing, picture, redraw, showError, submitButton } from "../view.js";

const LONGEST_SIDE = 960;

/** @returns {import("../view.js").View} */
export function startView() {
  /** @type {{nickname: string, avatar: string, frontcover: string, sex: number} | null} */
  let profile = null;

  const start = act(async (/** @type {SubmitEvent} */ event) => {
    const [title, file] = [field(event, "title"), chosen(event, "cover")];
    const { avatar, sex, frontcover } = profile ?? (await readProfile());
    let cover = frontcover;
    if (file) {
      cover = await upload(await shrink(file, LONGEST_SIDE));
      await call("upload_user_info", { sex, frontcover: cover });
    }
    const groupid = `live_${me().user}`;
    const userinfo = { nickname: me().nickname, headpic: avatar, frontcover: cover };
    const reply = await call("get_push_url", { groupid, title, userinfo });
    keepBroadcast({ pushUrl: reply.pushurl, title, group: groupid });
    go("push");
  });

  return {
    title: () => t("Go live"),
    async ready() {
      try {
        profile = await readProfile();
        redraw();
      } catch (error) {
        await showError(error);
      }
    },
    draw: () => html`
      <form class="narrow" @submit=${start}>
        <h1 tabindex="-1">${t("Go live")}</h1>
        <label>${t("Title")}<input name="title" required maxlength="128" autocomplete="off"></label>
        <label>${t("Cover picture (optional)")}<input name="cover" type="file" accept="image/*"></label>
        ${profile?.frontcover ? html`<p class="hint">${t("Without a new picture, your last cover is used:")}</p>
          ${picture(profile.frontcover, "cover")}` : nothing}
        ${submitButton(t("Continue"))}
      </form>`,
  };
}
