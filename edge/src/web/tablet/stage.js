// The one screen and its banner: what is shown now, and what must happen when it goes.

import { hush } from "./voice.js";

/** What somebody sees. */
export class Stage {
  /** @param {HTMLElement} main @param {HTMLElement} notice */
  constructor(main, notice) {
    this.main = main;
    this.notice = notice;
    /** The name of what is on the screen; empty when the next answer of the box says what to show. */
    this.shown = "";
    /** @type {(() => void) | null} */
    this.left = null;
  }

  /** @param {string[]} names */
  shows(...names) {
    return names.includes(this.shown.split(" ")[0] ?? "");
  }

  /**
   * Shows a screen, unless it is there already.
   * @param {string} name its first word is its kind
   * @param {() => HTMLElement} build
   * @param {{ fresh?: boolean, left?: () => void }} [how] `fresh` builds it again; `left` is called when it goes
   */
  show(name, build, { fresh = false, left } = {}) {
    if (this.shown === name && !fresh) return;
    this.left?.();
    hush();
    this.left = left ?? null;
    this.shown = name;
    this.main.replaceChildren(build());
    document.body.dataset.screen = name.split(" ")[0];
  }

  /** What is there stays until something else is known. */
  release() {
    this.shown = "";
  }

  /** The banner. @param {string | null} sentence */
  tell(sentence) {
    this.notice.hidden = sentence === null;
    this.notice.textContent = sentence ?? "";
  }
}
