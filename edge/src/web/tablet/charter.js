// The school's charter: beside the environment at the first sign-in with its words, never over it, and at any time from
// the pictogram. Whoever does not look at it works on; it comes again at her next sign-in.

import { button, el, icon } from "../static/dom.js";
import { say } from "../static/words.js";
import { lines } from "./told.js";
import { hush, listen } from "./voice.js";

/** @typedef {{ version: string, paragraphs: string[], recording?: string, understood: boolean }} Charter */
/** @typedef {(method: string, path: string, body?: unknown) => Promise<any>} Ask */

const PATH = "/api/v1/sessions/current/charter";
const PAGE = document.documentElement;

/** Its style comes with it. */
function dress() {
  const style = new URL("./charter.css", import.meta.url).pathname;
  if (!document.querySelector(`link[href="${style}"]`)) document.head.append(el("link", { rel: "stylesheet", href: style }));
}

/** The charter of whoever sits here; none when it does not come. @param {Ask} ask @returns {Promise<Charter | null>} */
function fetched(ask) {
  return ask("GET", `${PATH}?lang=${PAGE.lang}`).catch(() => null);
}

/** What she said is kept; not heard, she is asked again another day. @param {Ask} ask @param {string} version */
function tellUnderstood(ask, version) {
  ask("PUT", PATH, { version }).catch(() => null);
}

/** @param {string} id @param {string} picture @param {string} title @param {HTMLElement | null} [voice] */
function heading(id, picture, title, voice = null) {
  return el("div", { class: "told-heading" }, el("h2", { id }, icon(picture), title), voice);
}

/** @param {Charter} charter @param {string} id */
function words({ paragraphs, recording }, id) {
  return [heading(id, "heart-handshake", say("tablet-charter"), recording ? listen(recording) : null), el("ol", { class: "charter" }, ...paragraphs.map((words) => el("li", {}, words)))];
}

/**
 * What is kept of her (the first time), then the charter, in `root`, which stands in the environment.
 * @param {HTMLElement} root
 * @param {{ ask: Ask, first: boolean, framesOnBox: boolean, onDone: () => void }} how
 * @returns {() => void} draws it again, in the language of the page
 */
export function beside(root, { ask, first, framesOnBox, onDone }) {
  dress();
  let [step, over] = [first ? "told" : "charter", false];
  const close = () => {
    hush();
    over = true;
    root.hidden = true;
    lay();
    onDone();
  };
  const lay = () => root.parentElement?.classList.toggle("telling", !root.hidden);
  const later = () => el("button", { type: "button", class: "round later", "aria-label": say("tablet-choose-later"), onclick: close }, icon("x"));
  /** @param {(Node | null)[]} content @param {HTMLElement} next */
  const show = ([heading, ...content], next) => {
    if (over) return;
    hush();
    root.replaceChildren(el("div", { class: "top" }, heading, later()), el("div", { class: "told", tabindex: "0", role: "group", "aria-labelledby": "beside" }, ...content), next);
    root.hidden = false;
    lay();
  };
  const onward = () => {
    step = "charter";
    draw();
  };
  const draw = () => {
    lay();
    if (over) return;
    if (step === "told") return show([heading("beside", "shield-heart", say("tablet-told")), lines(framesOnBox)], button("main", null, say("tablet-choose-go-on"), onward));
    void fetched(ask).then((charter) => {
      if (!charter) return close();
      const understood = () => {
        tellUnderstood(ask, charter.version);
        close();
      };
      show(words(charter, "beside"), button("main understood", "check", say("tablet-charter-understood"), understood));
    });
  };
  draw();
  return draw;
}

/**
 * The page behind the pictogram: what is kept, and the charter.
 * @param {{ ask: Ask, framesOnBox: boolean, onUnderstood: () => void }} how
 * @returns {HTMLDialogElement}
 */
export function page({ ask, framesOnBox, onUnderstood }) {
  dress();
  const charter = el("section", { class: "of-school" });
  const end = el("div", { class: "end" }, button("main", "check", say("tablet-ok"), () => sheet.close()));
  const sheet = /** @type {HTMLDialogElement} */ (
    el(
      "dialog",
      { class: "told", "aria-labelledby": "told", onclose: () => (sheet.remove(), hush()) },
      heading("told", "shield-heart", say("tablet-told")),
      lines(framesOnBox),
      charter,
      end,
    )
  );
  void fetched(ask).then((found) => {
    if (!found) return charter.replaceChildren(heading("charter", "heart-handshake", say("tablet-charter")), el("p", {}, say("tablet-charter-missing")));
    charter.replaceChildren(...words(found, "charter"));
    if (found.understood) return;
    const understood = () => {
      tellUnderstood(ask, found.version);
      onUnderstood();
      sheet.close();
    };
    end.replaceChildren(button("main understood", "check", say("tablet-charter-understood"), understood));
  });
  document.body.append(sheet);
  sheet.showModal();
  return sheet;
}
