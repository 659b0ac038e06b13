// What somebody may open and what she keeps, drawn in a page that holds neither key nor token: it asks the tablet's page
// over a port (`asked.js`) for what it needs. It stands on the session's own host, or inside the tablet's page where the
// box has no such hosts.

import { el } from "../static/dom.js";
import { Problem, Unreachable } from "../static/problem.js";
import { say } from "../static/words.js";
import { Mute } from "./mute.js";
import { apply } from "./settings.js";
import { shelf } from "./shelf.js";
import { listen } from "./voice.js";
import { Works } from "./work.js";

/** A page that is touched says so not more often than this. */
const HERE_MS = 1_000;

/** @typedef {{ ask: (ask: string, more?: Record<string, unknown>, onPart?: (part: number) => void) => Promise<any>, tell: (ask: string, more?: Record<string, unknown>) => void }} Around */

/**
 * Draws it, as the page around tells; what comes back ends it.
 * @param {HTMLElement} root
 * @param {MessagePort} port
 * @param {HTMLElement} [page] where a touch says that somebody is there
 */
export function furnish(root, port, page = root) {
  const around = new Line(port);
  const shelves = el("div", { class: "shelves" });
  root.replaceChildren(shelves);
  /** @type {Works | null} */
  let works = null;
  /** What is shown. @type {any} */
  let shown = null;
  const draw = () => {
    const { apps, documents, links } = shown.shelves;
    const open = (/** @type {string} */ name) => (/** @type {number} */ at) => around.tell("open", { shelf: name, at });
    const parts = [
      shelf(say("tablet-apps"), "tiles", apps, open("apps")),
      shelf(say("tablet-documents"), "rows", documents, open("documents")),
      shelf(say("tablet-links"), "rows", links, open("links")),
      apps.length + documents.length + links.length === 0 && el("p", { class: "nothing" }, say("tablet-nothing-yet"), listen("nothing-yet")),
      works?.root,
    ];
    shelves.replaceChildren(...parts.filter((part) => part instanceof Node));
    works?.draw();
  };
  const mute = new Mute();
  around.told = (told) => {
    if (told.tell === "quiet") return mute.set(told.on === true);
    apply(told.settings);
    if (told.tell === "show") {
      shown = told;
      works?.end();
      works = new Works({ around, root, ent: told.ent });
      void works.load();
    }
    if (shown) draw();
  };
  attend(around, page);
  return () => {
    mute.end();
    works?.end();
  };
}

/** Tells whether somebody is there: touches, and what plays. @param {Around} around @param {HTMLElement} page */
function attend(around, page) {
  let at_ms = -Infinity;
  const here = () => {
    if (performance.now() - at_ms < HERE_MS) return;
    at_ms = performance.now();
    around.tell("here");
  };
  for (const touch of ["pointerdown", "keydown", "wheel"]) page.addEventListener(touch, here, { capture: true, passive: true });
  let plays = false;
  const look = () => {
    const now = [.../** @type {NodeListOf<HTMLMediaElement>} */ (page.querySelectorAll("audio, video"))].some((media) => !media.paused && !media.ended);
    if (now !== plays) around.tell("playing", { on: (plays = now) });
  };
  page.addEventListener("play", look, { capture: true });
  // What is taken off the page falls silent without a word.
  const pulse = setInterval(() => (page.isConnected ? look() : clearInterval(pulse)), HERE_MS);
}

/** The page around, by its port. @implements {Around} */
class Line {
  #port;
  #last = 0;
  /** @type {Map<number, { done: (value: any) => void, failed: (cause: unknown) => void, onPart?: (part: number) => void }>} */
  #waiting = new Map();
  /** What the page around tells by itself. @type {(told: any) => void} */
  told = () => undefined;

  /** @param {MessagePort} port */
  constructor(port) {
    this.#port = port;
    port.onmessage = ({ data }) => this.#heard(data);
  }

  /** @param {string} ask @param {Record<string, unknown>} [more] */
  tell(ask, more) {
    this.#port.postMessage({ ask, ...more });
  }

  /** @param {string} ask @param {Record<string, unknown>} [more] @param {(part: number) => void} [onPart] @returns {Promise<any>} */
  ask(ask, more, onPart) {
    const id = (this.#last += 1);
    return new Promise((done, failed) => {
      this.#waiting.set(id, { done, failed, onPart });
      this.tell(ask, { id, ...more });
    });
  }

  /** @param {any} told */
  #heard(told) {
    const waits = this.#waiting.get(told.id);
    if (told.tell === "part") return waits?.onPart?.(told.part);
    if (told.tell !== "answer" && told.tell !== "refused") return this.told(told);
    this.#waiting.delete(told.id);
    if (told.tell === "answer") waits?.done(told.value);
    else waits?.failed(told.problem ? new Problem(0, told.problem) : new Unreachable("around"));
  }
}
