// How the screen suits somebody: size of letters, contrast, movement, sound, language. Shown by pictures first, applied at
// once.

import { el, icon } from "../static/dom.js";
import { say, speak } from "../static/words.js";

/** @typedef {{ lang?: string, text: "normal" | "large" | "largest", contrast: boolean, motion: boolean, sound: boolean }} Settings */

/** Of a guest, and of those who chose nothing. @type {Settings} */
export const PLAIN = { text: "normal", contrast: false, motion: true, sound: true };

/** Makes the page so; what the tablet itself asks for (its system's settings) holds as well. @param {Settings} settings */
export function apply(settings) {
  const wished = (/** @type {string} */ query) => window.matchMedia(query).matches;
  const page = document.documentElement;
  page.dataset.text = settings.text;
  page.toggleAttribute("data-contrast", settings.contrast || wished("(prefers-contrast: more)"));
  page.toggleAttribute("data-mute", !settings.sound);
  page.toggleAttribute("data-still", !settings.motion || wished("(prefers-reduced-motion: reduce)"));
  speak(settings.lang);
}

/**
 * The drawer of settings.
 * @param {Settings} settings
 * @param {{ onChange: (settings: Settings) => void }} how
 * @returns {HTMLDialogElement}
 */
export function drawer(settings, { onChange }) {
  const sheet = /** @type {HTMLDialogElement} */ (el("dialog", { class: "drawer", "aria-labelledby": "settings", onclose: () => sheet.remove() }));
  let now = settings;
  const draw = () => {
    /** @param {Partial<Settings>} change @param {string} key */
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

/** @param {Settings} now @param {(change: Partial<Settings>, key: string) => void} choose */
function rows(now, choose) {
  /** @param {string} picture @param {string} word @param {[string, Node | string, string, boolean, Partial<Settings>][]} choices key, face, word, chosen, change */
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

/** Two soft notes call somebody back to the screen, where sounds are wished for. @param {Settings} settings */
export function chime(settings) {
  if (!settings.sound || !("AudioContext" in window)) return;
  const audio = new AudioContext();
  [523.25, 659.25].forEach((pitch_hz, at) => {
    const [note, loudness, start] = [audio.createOscillator(), audio.createGain(), audio.currentTime + at * 0.25];
    note.frequency.value = pitch_hz;
    loudness.gain.setValueAtTime(0, start);
    loudness.gain.linearRampToValueAtTime(0.12, start + 0.03);
    loudness.gain.exponentialRampToValueAtTime(0.001, start + 0.6);
    note.connect(loudness).connect(audio.destination);
    note.start(start);
    note.stop(start + 0.6);
    if (at > 0) note.onended = () => void audio.close();
  });
}
