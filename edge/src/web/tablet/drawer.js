// The drawer where somebody chooses how her screen suits her: by pictures first.

import { el, icon } from "../static/dom.js";
import { say } from "../static/words.js";

/**
 * The drawer of settings.
 * @param {import("./settings.js").Settings} settings
 * @param {{ onChange: (settings: import("./settings.js").Settings) => void }} how
 * @returns {HTMLDialogElement}
 */
export function drawer(settings, { onChange }) {
  const sheet = /** @type {HTMLDialogElement} */ (el("dialog", { class: "drawer", "aria-labelledby": "settings", onclose: () => sheet.remove() }));
  let now = settings;
  const draw = () => {
    /** @param {Partial<import("./settings.js").Settings>} change @param {string} key */
    const choose = (change, key) => {
      now = { ...now, ...change };
      onChange(now);
      draw();
      /** @type {HTMLElement | null} */ (sheet.querySelector(`[data-key="${key}"]`))?.focus();
    };
    sheet.replaceChildren(...rows(now, choose), el("button", { type: "button", class: "main", onclick: () => sheet.close() }, icon("check"), el("span", {}, say("tablet-ok"))));
  };
  draw();
  // Beside the drawer, a touch closes it.
  sheet.addEventListener("click", (event) => {
    if (event.target === sheet) sheet.close();
  });
  document.body.append(sheet);
  sheet.showModal();
  return sheet;
}

/** @param {import("./settings.js").Settings} now @param {(change: Partial<import("./settings.js").Settings>, key: string) => void} choose */
function rows(now, choose) {
  /** @param {string} picture @param {string} word @param {[string, Node | string, string, boolean, Partial<import("./settings.js").Settings>][]} choices key, face, word, chosen, change */
  const row = (picture, word, choices) =>
    el(
      "div",
      { class: "setting", role: "group", "aria-label": word },
      el("p", {}, icon(picture), word),
      el("div", { class: "choices" }, ...choices.map(([key, face, says, chosen, change]) => el("button", { type: "button", class: "choice", "data-key": key, "aria-pressed": String(chosen), "aria-label": says, onclick: () => choose(change, key) }, face))),
    );
  const letter = (/** @type {string} */ kind) => el("span", { class: `letter ${kind}`, "aria-hidden": "true" }, "A");
  return [
    el("h2", { id: "settings" }, icon("adjustments-horizontal"), say("tablet-settings")),
    row("text-size", say("tablet-settings-text"), [
      ["normal", letter("normal"), say("tablet-settings-normal"), now.text === "normal", { text: "normal" }],
      ["large", letter("large"), say("tablet-settings-large"), now.text === "large", { text: "large" }],
      ["largest", letter("largest"), say("tablet-settings-largest"), now.text === "largest", { text: "largest" }],
    ]),
    row("contrast-2", say("tablet-settings-contrast"), [
      ["soft", letter("soft"), say("tablet-settings-soft"), !now.contrast, { contrast: false }],
      ["strong", letter("strong"), say("tablet-settings-strong"), now.contrast, { contrast: true }],
    ]),
    row("run", say("tablet-settings-motion"), [
      ["moving", icon("run"), say("tablet-settings-moving"), now.motion, { motion: true }],
      ["still", icon("player-pause"), say("tablet-settings-still"), !now.motion, { motion: false }],
    ]),
    row("volume", say("tablet-settings-sound"), [
      ["sound", icon("volume"), say("tablet-settings-loud"), now.sound, { sound: true }],
      ["mute", icon("volume-off"), say("tablet-settings-mute"), !now.sound, { sound: false }],
    ]),
    row("language", say("tablet-settings-lang"), [
      ["fr", "Français", "Français", document.documentElement.lang === "fr", { lang: "fr" }],
      ["en", "English", "English", document.documentElement.lang === "en", { lang: "en" }],
    ]),
  ];
}
