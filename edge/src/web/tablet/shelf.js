// A shelf of applications, links or documents.

import { tint } from "../static/animals.js";
import { el, icon } from "../static/dom.js";

/** Icons that a catalogue may name; another name shows the first letter of the title. */
const SHORTCUT_ICONS = new Set(
  "abc apps book brush calculator camera file-text film home language library link map math music palette pencil photo puzzle school sparkles video world".split(" "),
);

/** @param {string} title @param {string} kind @param {import("./screens.js").Shortcut[]} shortcuts @param {(at: number) => void} onOpen */
export function shelf(title, kind, shortcuts, onOpen) {
  if (shortcuts.length === 0) return null;
  const entry = (/** @type {import("./screens.js").Shortcut} */ s, /** @type {number} */ at) =>
    el(
      "button",
      { type: "button", class: "shortcut", onclick: () => onOpen(at) },
      el("span", { class: `picture tint${tint(s.title)}` }, SHORTCUT_ICONS.has(s.icon) ? icon(s.icon) : (s.title[0] ?? "?").toUpperCase()),
      el("span", { class: "title" }, s.title),
    );
  return el("section", { class: "shelf" }, el("h2", {}, title), el("div", { class: kind }, ...shortcuts.map(entry)));
}
