// A pupil's second factor: four digits, or three pictures of twelve.

import { animal } from "../static/animals.js";
import { button, el, icon } from "../static/dom.js";
import { say } from "../static/words.js";

const DIGITS_COUNT = 4;
const PICTURES_COUNT = 3;
/** The twelve pictures, by the names that travel. */
const PICTURES = ["chat", "chien", "lapin", "cheval", "vache", "poisson", "oiseau", "papillon", "tortue", "souris", "abeille", "elephant"];

/**
 * Asks for it. When the box does not say which kind, the pupil may turn from digits to pictures.
 * @param {{ kind: "digits" | "pictures" | null, pictures?: string[], wrong: boolean, onGiven: (secret: string) => void, onLeave: () => void }} how
 * @returns {HTMLElement}
 */
export function askSecret({ kind, pictures, wrong, onGiven, onLeave }) {
  const sheet = el("section", { class: "sheet secret" });
  const draw = (/** @type {boolean} */ digits) => {
    const { slots, add, back } = collect(digits, onGiven);
    const other = digits ? say("tablet-secret-have-pictures") : say("tablet-secret-have-digits");
    const parts = [
      el("h1", {}, digits ? say("tablet-secret-digits") : say("tablet-secret-pictures")),
      wrong && el("p", { class: "gentle" }, icon("hand-stop"), say("tablet-secret-wrong")),
      slots,
      digits ? digitKeys(add, back) : pictureKeys(pictures ?? PICTURES, add),
      el("div", { class: "others" }, button("quiet", "x", say("tablet-back"), onLeave), !digits && button("quiet", "backspace", say("tablet-secret-erase"), back), kind === null && button("quiet", digits ? "photo" : "keyboard", other, () => draw(!digits))),
    ];
    sheet.replaceChildren(.../** @type {Node[]} */ (parts.filter((p) => p)));
  };
  draw(kind !== "pictures");
  return sheet;
}

/** Gathers keys until there are enough. @param {boolean} digits @param {(secret: string) => void} onGiven */
function collect(digits, onGiven) {
  const count = digits ? DIGITS_COUNT : PICTURES_COUNT;
  /** @type {string[]} */
  const given = [];
  const slots = el("div", { class: "slots", role: "status" });
  const draw = () => {
    slots.replaceChildren(
      ...Array.from({ length: count }, (_, at) => {
        const value = given[at];
        return el("span", { class: value ? "slot full" : "slot" }, value && (digits ? "●" : animal(value)));
      }),
    );
  };
  draw();
  return {
    slots,
    /** @param {string} value */
    add(value) {
      if (given.length >= count) return;
      given.push(value);
      draw();
      if (given.length === count) onGiven(given.join(digits ? "" : "-"));
    },
    back() {
      given.pop();
      draw();
    },
  };
}

/** @param {(value: string) => void} add @param {() => void} back */
function digitKeys(add, back) {
  const key = (/** @type {string} */ digit) => el("button", { type: "button", class: "key", onclick: () => add(digit) }, digit);
  return el(
    "div",
    { class: "pad" },
    ..."123456789".split("").map(key),
    el("span"),
    key("0"),
    el("button", { type: "button", class: "key", "aria-label": say("tablet-secret-erase"), onclick: back }, icon("backspace")),
  );
}

/** @param {string[]} pictures @param {(value: string) => void} add */
function pictureKeys(pictures, add) {
  return el(
    "div",
    { class: "pictures" },
    ...pictures.map((p) => el("button", { type: "button", class: "key", onclick: () => add(p) }, animal(p))),
  );
}
