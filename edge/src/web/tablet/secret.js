// A pupil's second factor: four digits, or three pictures of twelve. Asked at sign-in, or chosen anew.

import { animal } from "../static/animals.js";
import { button, el, icon } from "../static/dom.js";
import { say } from "../static/words.js";
import { listen, spoken } from "./voice.js";

const DIGITS_COUNT = 4;
const PICTURES_COUNT = 3;
/** The twelve pictures, by the names that travel. */
const PICTURES = ["chat", "chien", "lapin", "cheval", "vache", "poisson", "oiseau", "papillon", "tortue", "souris", "abeille", "elephant"];

/** @typedef {"digits" | "pictures"} Kind */

/**
 * Asks for it. When the box does not say which kind, the pupil may turn from digits to pictures.
 * @param {{ kind: Kind | null, pictures?: string[], wrong: boolean, onGiven: (secret: string) => void, onLeave: () => void }} how
 * @returns {HTMLElement}
 */
export function askSecret({ kind, pictures, wrong, onGiven, onLeave }) {
  const sheet = el("section", { class: "sheet secret" });
  const draw = (/** @type {Kind} */ shown) => {
    const digits = shown === "digits";
    const { parts, erase } = pad(shown, pictures, onGiven);
    const other = digits ? say("tablet-secret-have-pictures") : say("tablet-secret-have-digits");
    fill(sheet, [
      spoken(el("h1", {}, digits ? say("tablet-secret-digits") : say("tablet-secret-pictures")), digits ? "secret-digits" : "secret-pictures"),
      wrong && el("p", { class: "gentle" }, icon("refresh"), say("tablet-secret-wrong"), listen("secret-wrong")),
      ...parts,
      el("div", { class: "others" }, button("quiet", "x", say("tablet-back"), onLeave), erase, kind === null && button("quiet", digits ? "photo" : "keyboard", other, () => draw(digits ? "pictures" : "digits"))),
    ]);
  };
  draw(kind ?? "digits");
  return sheet;
}

/**
 * Has a new one chosen: twice, so that it is known. `onChosen` says whether it is kept; the pupil goes on in any case.
 * @param {{ kind: Kind, people: import("./screens.js").Person[], onChosen: (code: string) => Promise<{ kept: boolean, again?: string }>, onDone: () => void }} how
 * @returns {HTMLElement}
 */
export function chooseCode({ kind, people, onChosen, onDone }) {
  const sheet = el("section", { class: "sheet secret choose" });
  const later = button("quiet", "clock", say("tablet-choose-later"), onDone);
  /** @param {[string, string]} title and its voice @param {[string, string] | null} word and its voice @param {(code: string) => void} onGiven */
  const ask = ([title, voice], word, onGiven) => {
    const { parts, erase } = pad(kind, undefined, onGiven);
    const faces = el("div", { class: "faces" }, ...people.map((p) => animal(p.animal)));
    fill(sheet, [faces, spoken(el("h1", {}, title), voice), word !== null && el("p", { class: "gentle", role: "status" }, icon("sparkles"), word[0], listen(word[1])), ...parts, el("div", { class: "others" }, later, erase)]);
  };
  /** @param {[string, string] | null} word */
  const first = (word) => ask(kind === "digits" ? [say("tablet-choose-digits"), "choose-digits"] : [say("tablet-choose-pictures"), "choose-pictures"], word, again);
  /** @param {string} chosen */
  const again = (chosen) =>
    ask([say("tablet-choose-again"), "choose-again"], null, (code) => {
      if (code !== chosen) first([say("tablet-choose-other"), "choose-other"]);
      else void give(code);
    });
  /** @param {string} code */
  const give = async (code) => {
    fill(sheet, [el("div", { class: "emblem" }, icon("lock")), el("h1", {}, say("tablet-choose-keeping"))]);
    const { kept, again: why } = await onChosen(code);
    if (kept) onDone();
    else if (why) first([why, "choose-simple"]);
    else fill(sheet, [el("div", { class: "emblem" }, icon("sparkles")), spoken(el("h1", {}, say("tablet-choose-not-kept")), "choose-not-kept"), button("main", "check", say("tablet-choose-go-on"), onDone)]);
  };
  first(null);
  return sheet;
}

/** @param {HTMLElement} sheet @param {(Node | false | null)[]} parts */
function fill(sheet, parts) {
  sheet.replaceChildren(.../** @type {Node[]} */ (parts.filter((p) => p)));
}

/** Places and keys for one secret, and a button to erase where keys have none. @param {Kind} kind @param {string[] | undefined} pictures @param {(secret: string) => void} onGiven */
function pad(kind, pictures, onGiven) {
  const digits = kind === "digits";
  const { slots, add, back } = collect(digits, onGiven);
  return {
    parts: [slots, digits ? digitKeys(add, back) : pictureKeys(pictures ?? PICTURES, add)],
    erase: digits ? null : button("quiet", "backspace", say("tablet-secret-erase"), back),
  };
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
export function digitKeys(add, back) {
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
