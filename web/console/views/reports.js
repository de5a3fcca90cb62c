// @ts-check
// The reports of viewers about broadcasters.
import { banButton, html, pages, t, table, time, userLink } from "../view.js";

/** @returns {import("../view.js").View} */
export function reportsView() {
  const list = pages("list_reports");
  /** @param {any} report */
  const cells = (report) => [
    time(report.at), userLink(report.hostuserid), userLink(report.userid), banButton(report.hostuserid, false, list.load),
  ];
  const heads = () => ["At", "Broadcaster", "Reported by", "Action"].map((head) => t(head));
  return {
    title: () => t("Reports"),
    load: list.load,
    draw: () => html`${table(t("Reports"), heads(), list.state.rows.map(cells))}${list.draw()}`,
  };
}
