// @ts-check
// The first page: how much there is of everything, and where to look.
import { call } from "../api.js";
import { address, html, redraw, t } from "../view.js";

/** How many rows of a list that is not counted are looked at. */
const MAX = 100;

/** @returns {import("../view.js").View} */
export function overviewView() {
  /** @type {Record<string, string | number>} */
  const numbers = {};
  /** @param {string} name @param {string} command @param {(row: any) => boolean} [matches] */
  const read = async (name, command, matches) => {
    const answer = await call(command, { count: MAX });
    const found = matches ? answer.list.filter(matches).length : answer.list.length;
    numbers[name] = answer.totalcount ?? (answer.more ? `${found}+` : found);
    redraw();
  };
  const dayAgo = () => Date.now() / 1000 - 24 * 3600;
  /** @param {string} name @param {string} text @param {string} hint */
  const card = (name, text, hint) => html`<li><a class="figure" href=${address(name)}>
    <strong>${numbers[name] ?? "…"}</strong><span>${t(text)}</span><small>${t(hint)}</small></a></li>`;
  return {
    title: () => t("Overview"),
    every: 10,
    load: async () => {
      await Promise.all([
        read("lives", "list_rooms"),
        read("queue", "list_verdicts", (row) => row.forbidden === 1),
        read("reports", "list_reports", (row) => row.at >= dayAgo()),
        read("bans", "list_bans"),
        read("ledger", "list_notices"),
      ]);
    },
    draw: () => html`<ul class="figures">
        ${card("lives", "live rooms", "also those that moderation hides")}
        ${card("queue", "forbidden pictures", "of the last 30 days")}
        ${card("reports", "reports", "of the last 24 hours")}
        ${card("bans", "bans", "that hold now")}
        ${card("ledger", "unsettled notices", "which the server will try again")}
      </ul>
      <p class="hint">${t("Refused signatures, the age of the sweep and errors of the table are in the server's log and alarms: docs/operating.md. The server tells nobody its settings; mini-lvb settings lists them.")}</p>`,
  };
}
