// What a child is told of what is kept of her: by whom it is seen, for how long, and what is never kept.

import { button, el, icon } from "../static/dom.js";
import { say } from "../static/words.js";

/** @param {boolean} framesOnBox the DSI lets the box read frames @returns {HTMLDialogElement} */
export function told(framesOnBox) {
  const line = (/** @type {string} */ picture, /** @type {string} */ what, /** @type {string} */ who) =>
    el("li", {}, el("span", { class: "picture", "aria-hidden": "true" }, icon(picture)), el("div", {}, el("h3", {}, what), el("p", {}, who)));
  const page = /** @type {HTMLDialogElement} */ (
    el(
      "dialog",
      { class: "told", "aria-labelledby": "told", onclose: () => page.remove() },
      el("h2", { id: "told" }, icon("shield-heart"), say("tablet-told")),
      el(
        "ul",
        {},
        line("user", say("tablet-told-name"), say("tablet-told-name-who")),
        line("lock", say("tablet-told-code"), say("tablet-told-code-who")),
        line("clock", say("tablet-told-stay"), say("tablet-told-stay-who")),
        line("adjustments-horizontal", say("tablet-told-settings"), say("tablet-told-settings-who")),
        line("camera-off", say("tablet-told-never"), say("tablet-told-never-who")),
        ...(framesOnBox ? [line("camera", say("tablet-told-frames"), say("tablet-told-frames-who"))] : []),
        line("heart-handshake", say("tablet-told-ask"), say("tablet-told-ask-who")),
      ),
      button("main", "check", say("tablet-ok"), () => page.close()),
    )
  );
  document.body.append(page);
  page.showModal();
  return page;
}
