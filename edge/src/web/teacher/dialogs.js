// Questions asked before something is done, and answers worth reading aloud.

import { animal } from "../static/animals.js";
import { button, el, icon } from "../static/dom.js";
import { say } from "../static/words.js";

/**
 * A dialog that answers with what was chosen, or null.
 * @template T
 * @param {(close: (answer: T | null) => void) => (Node | false | null)[]} content
 * @returns {Promise<T | null>}
 */
function dialog(content) {
  return new Promise((done) => {
    const box = /** @type {HTMLDialogElement} */ (el("dialog"));
    /** @param {T | null} answer */
    const close = (answer) => {
      done(answer);
      box.close();
    };
    box.append(.../** @type {Node[]} */ (content(close).filter((n) => n)));
    box.addEventListener("close", () => {
      done(null);
      box.remove();
    });
    document.body.append(box);
    box.showModal();
  });
}

/**
 * Whether to go on.
 * @param {{ title: string, lines: string[], yes: string, animalOf?: string }} how
 * @returns {Promise<boolean>}
 */
export async function confirm({ title, lines, yes, animalOf }) {
  const answer = await dialog((close) => [
    el("header", {}, animalOf ? animal(animalOf) : icon("alert-triangle"), el("h2", {}, title)),
    ...lines.filter((l) => l !== "").map((line) => el("p", {}, line)),
    el("footer", {}, button("quiet", null, say("teacher-cancel"), () => close(null)), button("main", "check", yes, () => close(true))),
  ]);
  return answer === true;
}

/**
 * On which free tablet.
 * @param {import("./screens.js").Pupil} pupil
 * @param {import("./screens.js").Tablet[]} tablets
 * @returns {Promise<string | null>} its id
 */
export function chooseTablet(pupil, tablets) {
  const free = tablets.filter((t) => t.state === "free");
  return dialog((close) => [
    el("header", {}, animal(pupil.animal), el("h2", {}, say("teacher-let-in-title", { name: pupil.given_name }))),
    el("p", {}, free.length > 0 ? say("teacher-let-in-help") : say("teacher-let-in-none")),
    el("div", { class: "choices" }, ...free.map((t) => button("soft", "device-tablet", t.name, () => close(t.tablet_id)))),
    el("footer", {}, button("quiet", null, say("teacher-cancel"), () => close(null))),
  ]);
}

/** The code that tablets enrol with, large enough for the back of the room. @param {{ code: string, closes_in_s: number, tablets_left: number }} opened */
export function enrolmentCode({ code, closes_in_s, tablets_left }) {
  return dialog((close) => [
    el("header", {}, icon("device-tablet"), el("h2", {}, say("teacher-enrol-title"))),
    el("p", { class: "read-out" }, code),
    el("p", {}, say("teacher-enrol-help")),
    el("p", { class: "small" }, say("teacher-enrol-until", { minutes: Math.max(1, Math.round(closes_in_s / 60)), count: tablets_left })),
    el("footer", {}, button("main", "check", say("teacher-ok"), () => close(null))),
  ]);
}

/** The second factor, asked again before something weighty. @returns {Promise<string | null>} */
export function askPin() {
  return dialog((close) => {
    const input = /** @type {HTMLInputElement} */ (el("input", { id: "again", type: "password", autocomplete: "off", required: true, maxlength: 128 }));
    const form = el("form", {}, el("label", { for: "again" }, say("teacher-pin-again"), input), el("footer", {}, button("quiet", null, say("teacher-cancel"), () => close(null)), el("button", { type: "submit", class: "main" }, icon("check"), el("span", {}, say("teacher-go")))));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      close(input.value);
    });
    return [el("header", {}, icon("lock"), el("h2", {}, say("teacher-pin-title"))), form];
  });
}

/** A refusal, with its next step. @param {string} sentence @param {string} next @param {unknown} [number] */
export function tell(sentence, next, number) {
  return dialog((close) => [
    el("header", {}, icon("hand-stop"), el("h2", {}, sentence)),
    el("p", {}, next),
    number !== undefined && el("p", { class: "small" }, say("teacher-number", { number: String(number) })),
    el("footer", {}, button("main", "check", say("teacher-ok"), () => close(null))),
  ]);
}
