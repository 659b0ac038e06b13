// A sentence read aloud from a recording, for whoever cannot read yet. Only at a touch: thirty tablets of a class do not
// speak by themselves.

import { el, icon } from "../static/dom.js";
import { say } from "../static/words.js";

const PAGE = document.documentElement;
/** Refusals that a child may meet and that are recorded. */
const REFUSALS = new Set("badge_malformed badge_unknown badge_void badge_expired locked_out not_enrolled_here outside_hours account_wrong account_full".split(" "));
/** What is being said; one sentence at a time. @type {HTMLAudioElement | null} */
let voice = null;

/**
 * The button that says a sentence; hidden by the page's style where sounds are not wished for.
 * @param {string} name of the recording
 * @returns {HTMLElement}
 */
export function listen(name) {
  const button = el("button", { type: "button", class: "round listen", "aria-label": say("tablet-listen"), onclick: (/** @type {Event} */ event) => {
    // What lies below a voice is not touched with it.
    event.stopPropagation();
    void play(name, button);
  } }, icon("volume"));
  return button;
}

/** Whether a refusal is recorded. @param {string | undefined} code @returns {code is string} */
export function isRecorded(code) {
  return code !== undefined && REFUSALS.has(code);
}

/** A heading with its voice beside it. @param {HTMLElement} heading @param {string} name */
export function spoken(heading, name) {
  return el("div", { class: "spoken" }, heading, listen(name));
}

/** @param {string} name @param {HTMLElement} button */
async function play(name, button) {
  hush();
  const audio = new Audio(new URL(`/sounds/${PAGE.lang}/${name}`, import.meta.url).href);
  voice = audio;
  audio.addEventListener("ended", () => button.classList.remove("speaking"));
  audio.addEventListener("pause", () => button.classList.remove("speaking"));
  button.classList.add("speaking");
  try {
    await audio.play();
  } catch {
    // Interrupted by the next sentence, or no sound comes here: the words stand on the screen.
    button.classList.remove("speaking");
  }
}

/** Says nothing more. */
export function hush() {
  voice?.pause();
  voice = null;
}
