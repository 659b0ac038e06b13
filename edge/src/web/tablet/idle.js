// Whether somebody is still there: a rule of seconds, without a clock of its own.
//
// A page cannot see that a screen goes off: it is hidden, and so it is when an application that it opened comes to the
// front. Whoever has opened nothing has nothing to come back to, so her session ends soon after; whoever has opened
// something is taken to be working in it, and the box ends the session of a tablet that falls silent.

/** Nobody touched the screen for so long: the session ends. */
export const IDLE_S = 600;
/** So long before, the tablet asks. */
export const ASKED_S = 60;
/** Hidden for so long with nothing opened: the screen was switched off. A bump of the button is shorter. */
export const DARK_S = 30;

/** @typedef {"here" | "asked" | "gone"} Presence */

export class Idle {
  #quiet_s = 0;
  #dark_s = 0;

  /** @param {number} [idle_s] nought is for ever: a lesson says so */
  constructor(idle_s = IDLE_S) {
    this.idle_s = idle_s;
  }

  touched() {
    this.#quiet_s = 0;
  }

  /**
   * A second went by.
   * @param {{ dark: boolean, active: boolean }} now `dark`: hidden, with nothing opened; `active`: something plays, or
   * an opened page is in front
   * @returns {Presence}
   */
  second({ dark, active }) {
    this.#quiet_s = active ? 0 : this.#quiet_s + 1;
    this.#dark_s = dark ? this.#dark_s + 1 : 0;
    return this.#presence();
  }

  /** The page was dark and slept, so that seconds went uncounted. @param {number} slept_s @returns {Presence} */
  woke(slept_s) {
    this.#dark_s = Math.max(this.#dark_s, slept_s);
    return this.#presence();
  }

  /** @returns {Presence} */
  #presence() {
    if (this.#dark_s >= DARK_S) return "gone";
    if (this.idle_s <= 0) return "here";
    if (this.#quiet_s >= this.idle_s) return "gone";
    return this.#quiet_s >= this.idle_s - Math.min(ASKED_S, this.idle_s / 2) ? "asked" : "here";
  }
}
