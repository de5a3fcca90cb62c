// @ts-check
// What the owner of a replay can do with it.
import { t } from "../i18n.js";
import { go } from "../router.js";
import { call } from "../session.js";
import { act, field, html, say, submitButton } from "../view.js";

/** @param {string} file @param {(title: string) => void} onTitle */
export function replayTools(file, onTitle) {
  let isHidden = false;

  const rename = act(async (/** @type {SubmitEvent} */ event) => {
    const title = field(event, "title");
    await call("update_replay", { file_id: file, title });
    onTitle(title);
    say("The replay has a new title.");
  });

  const hide = act(async () => {
    await call("update_replay", { file_id: file, hidden: isHidden ? 0 : 1 });
    isHidden = !isHidden;
    say(isHidden ? "The replay is hidden. Only this page can show it again." : "The replay is in the list again.");
  });

  const remove = act(async () => {
    if (!confirm(t("Delete this replay and its files for ever?"))) return;
    await call("delete_replay", { file_id: file });
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
        <button @click=${hide}>${isHidden ? t("Show again") : t("Hide")}</button>
        <button class="danger" @click=${remove}>${t("Delete")}</button>
      </div>
    </section>`,
  };
}
