// What a child is told of what is kept of her: by whom it is seen, for how long, and what is never kept.

import { el, icon } from "../static/dom.js";
import { say } from "../static/words.js";
import { listen } from "./voice.js";

/** @param {boolean} framesOnBox the DSI lets the box read frames @returns {HTMLElement} */
export function lines(framesOnBox) {
  const line = (/** @type {string} */ picture, /** @type {string} */ voice, /** @type {string} */ what, /** @type {string} */ who) =>
    el("li", {}, el("span", { class: "picture", "aria-hidden": "true" }, icon(picture)), el("div", {}, el("h3", {}, what), el("p", {}, who)), listen(voice));
  return el(
    "ul",
    {},
    line("user", "told-name", say("tablet-told-name"), say("tablet-told-name-who")),
    line("lock", "told-code", say("tablet-told-code"), say("tablet-told-code-who")),
    line("clock", "told-stay", say("tablet-told-stay"), say("tablet-told-stay-who")),
    line("adjustments-horizontal", "told-settings", say("tablet-told-settings"), say("tablet-told-settings-who")),
    line("photo", "told-work", say("tablet-told-work"), say("tablet-told-work-who")),
    line("camera-off", "told-never", say("tablet-told-never"), say("tablet-told-never-who")),
    ...(framesOnBox ? [line("camera", "told-frames", say("tablet-told-frames"), say("tablet-told-frames-who"))] : []),
    line("heart-handshake", "told-ask", say("tablet-told-ask"), say("tablet-told-ask-who")),
  );
}
