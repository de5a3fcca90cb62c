// @ts-check
// What the owner of a replay can do with it.
import { t } from "../i18n.js";
import { forgetHidden, hiddenReplays, keepHidden } from "../hidden.js";
import { go } from "../router.js";
import { call } from "../session.js";
import { act, field, html, say, submitButton } from "../view.js";

/** @param {string} file @param {(title: string) => void} onTitle */
export function replayTools(file, onTitle) {
  const isHidden = () => hiddenReplays().some((hidden) => hidden.file === file);

  const rename = act(async (/** @type {SubmitEvent} */ event) => {
    const title = field(event, "title");
    await call("update_replay", { file_id: file, title });
    onTitle(title);
    say("The replay has a new title.");
  });

  /** @param {string} title */
  const hide = (title) =>
    act(async () => {
      await call("update_replay", { file_id: file, hidden: 1 });
      keepHidden({ file, title });
      say("The replay is hidden. Your profile lists it.");
    });

  const show = act(async () => {
    await call("update_replay", { file_id: file, hidden: 0 });
    forgetHidden(file);
    say("The replay is in the list again.");
  });

  const remove = act(async () => {
    if (!confirm(t("Delete this replay and its files for ever?"))) return;
    await call("delete_replay", { file_id: file });
    forgetHidden(file);
    go("replays");
  });

  return {
    /** @param {import("../view.js").Row} row */
    draw: (row) => html`<section aria-labelledby="tools">
      <h2 id="tools">${t("Your replay")}</h2>
      <form @submit=${rename}>
        <label>${t("Title")}<input name="title" .value=${row.title} maxlength="255" required></label>
        ${submitButton(t("Rename"))}
      </form>
      <div class="actions">
        ${isHidden() ? html`<button @click=${show}>${t("Show again")}</button>` : html`<button @click=${hide(row.title)}>${t("Hide")}</button>`}
        <button class="danger" @click=${remove}>${t("Delete")}</button>
      </div>
    </section>`,
  };
}
