// The box does not answer: a drawing of it, its plug and its light, in place of the screen, which comes back as it was.

import { el, icon } from "./dom.js";

const BOX = new URL("./box.svg", import.meta.url).pathname;
/** So long without an answer, and the box is taken to be off, in seconds. */
export const SILENT_S = 10;

/** What covers the screen while the box is off. */
export class Silence {
  /**
   * @param {HTMLElement} screen
   * @param {() => { title: string, help: string, next: string, more?: HTMLElement | null }} words `more`: what can be done meanwhile
   */
  constructor(screen, words) {
    this.screen = screen;
    this.words = words;
    /** @type {HTMLElement | null} */
    this.cover = null;
  }

  /** @param {boolean} silent */
  set(silent) {
    if (silent === (this.cover !== null)) return;
    this.cover?.remove();
    this.cover = silent ? this.#drawn() : null;
    if (this.cover) this.screen.after(this.cover);
    this.screen.hidden = silent;
  }

  #drawn() {
    const { title, help, next, more } = this.words();
    return el(
      "main",
      { class: "silent-box", role: "alert" },
      el("section", { class: "sheet" }, el("img", { src: BOX, alt: "" }), el("h1", {}, title), el("p", {}, help), el("p", { class: "small" }, icon("refresh"), next), more),
    );
  }
}
