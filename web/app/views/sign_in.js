// @ts-check
// Sign up and sign in.
import { t } from "../i18n.js";
import { isKnown, signIn, signUp } from "../session.js";
import { act, field, html, nothing, showAddress, submitButton, redraw } from "../view.js";

/** @returns {import("../view.js").View} */
export function signInView() {
  let isNew = !isKnown();

  const enter = act(async (/** @type {SubmitEvent} */ event) => {
    const [user, password] = [field(event, "user"), field(event, "password")];
    await (isNew ? signUp(user, password) : signIn(user, password));
    await showAddress();
  });

  const exchange = () => {
    isNew = !isNew;
    redraw();
  };

  return {
    title: () => (isNew ? t("Sign up") : t("Sign in")),
    draw: () => html`
      <form class="narrow" @submit=${enter}>
        <h1 tabindex="-1">${isNew ? t("Sign up") : t("Sign in")}</h1>
        <label>${t("Name")}
          <input name="user" required minlength="4" maxlength="24" pattern="[A-Za-z][A-Za-z0-9_]*"
            autocomplete="username" autocapitalize="none" spellcheck="false"
            aria-describedby=${isNew ? "name-rule" : nothing}></label>
        ${isNew ? html`<p class="hint" id="name-rule">${t("4 to 24 characters: a letter, then letters, digits or underscores.")}</p>` : nothing}
        <label>${t("Password")}
          <input name="password" type="password" required autocomplete=${isNew ? "new-password" : "current-password"}></label>
        ${submitButton(isNew ? t("Sign up") : t("Sign in"))}
        <button type="button" class="quiet" @click=${exchange}>
          ${isNew ? t("I have an account: sign in") : t("I am new here: sign up")}</button>
      </form>`,
  };
}
