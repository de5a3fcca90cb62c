// @ts-check
// The users who are banned.
import { banButton, html, pages, t, table, time, userLink, words } from "../view.js";

/** @returns {import("../view.js").View} */
export function bansView() {
  const list = pages("list_bans");
  /** @param {any} ban */
  const cells = (ban) => [
    userLink(ban.userid), words(ban.reason || "–"), words(ban.actor || "–"), time(ban.at),
    ban.until ? time(ban.until) : t("no end"), ban.hide_replays ? t("hidden") : t("shown"),
    banButton(ban.userid, true, list.load),
  ];
  const heads = () => ["User", "Reason", "By", "At", "Until", "Replays", "Action"].map((head) => t(head));
  return {
    title: () => t("Bans"),
    load: list.load,
    draw: () => html`${table(t("Bans"), heads(), list.state.rows.map(cells))}${list.draw()}`,
  };
}
