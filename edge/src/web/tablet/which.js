// « Avec qui travailles-tu ? »: a pupil of several classes says so by a picture.

import { animal, tint } from "../static/animals.js";
import { button, el, icon } from "../static/dom.js";
import { say } from "../static/words.js";

/** @typedef {import("./screens.js").ClassChoice} ClassChoice */

/**
 * @param {{ classes: ClassChoice[], chosen?: string, onChosen: (classId: string) => void, onLater: () => void }} how
 * @returns {HTMLElement}
 */
export function whichClass({ classes, chosen, onChosen, onLater }) {
  const tile = (/** @type {ClassChoice} */ c) =>
    el(
      "button",
      { type: "button", class: "shortcut", "data-key": c.class_id, "aria-pressed": String(c.class_id === chosen), onclick: () => onChosen(c.class_id) },
      el("span", { class: `picture tint${tint(c.picture)}` }, icon(c.picture)),
      el("span", { class: "title" }, c.name),
      c.teacher && el("span", { class: "teacher" }, c.teacher.animal !== "" && animal(c.teacher.animal, "small"), c.teacher.given_name),
    );
  return el(
    "section",
    { class: "sheet which" },
    el("h1", {}, say("tablet-which-title")),
    el("div", { class: "tiles" }, ...classes.map(tile)),
    el("div", { class: "others" }, button("quiet later", "x", say("tablet-choose-later"), onLater)),
  );
}
