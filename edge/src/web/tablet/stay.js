// Somebody's stay at this tablet, on the screen: a new code when one is to be chosen, then the environment, and the
// question whether she is still there.

import { Problem } from "../static/problem.js";
import { say } from "../static/words.js";
import { Idle } from "./idle.js";
import * as pages from "./pages.js";
import * as screens from "./screens.js";
import { chooseCode } from "./secret.js";

/** @typedef {import("./screens.js").Session} Session */
/** @typedef {"done" | "not_me"} Leaving */

export class Stay {
  /**
   * @param {{ stage: import("./stage.js").Stage, session: Session, ask: (method: string, path: string, body?: unknown) => Promise<any>, leave: (why: Leaving) => void }} how
   * `ask` speaks to the box with the session's token
   */
  constructor({ stage, session, ask, leave }) {
    this.stage = stage;
    this.session = session;
    this.ask = ask;
    this.leave = leave;
    this.over = false;
    this.idle = new Idle(session.environment.idle_s);
    /** The question whether she is there, while it is asked. @type {HTMLDialogElement | null} */
    this.question = null;
    /** What was opened came to the front. */
    this.outside = false;
    this.hiddenAt_ms = Date.now();
  }

  show() {
    const kind = this.session.environment.choose_code;
    if (kind === "pictures" || kind === "digits") this.#choose(kind);
    else this.#showEnvironment();
  }

  end() {
    this.over = true;
    this.question?.close();
  }

  touched() {
    // A question is answered by its button: whoever only passes by does not answer it.
    if (!this.question) this.idle.touched();
  }

  /** The page comes to the front, or goes. @param {boolean} visible */
  seen(visible) {
    if (visible) {
      const slept_s = this.#isDark() ? (Date.now() - this.hiddenAt_ms) / 1000 : 0;
      this.outside = false;
      if (this.idle.woke(slept_s) === "gone") this.leave("done");
    } else {
      this.outside = pages.cover();
      this.hiddenAt_ms = Date.now();
    }
  }

  second() {
    const dark = document.hidden && this.#isDark();
    const active = isPlaying() || (document.hidden && (this.outside || pages.cover()));
    const presence = this.idle.second({ dark, active });
    if (presence === "gone") this.leave("done");
    else if (presence === "asked") this.#askWhether();
    else this.question?.close();
  }

  #isDark() {
    return !this.outside && !pages.any();
  }

  #askWhether() {
    if (this.question) return;
    this.question = screens.stillThere(this.session, {
      onHere: () => {
        this.question = null;
        this.idle.touched();
      },
      onNotMe: () => this.leave("not_me"),
    });
  }

  /** @param {"pictures" | "digits"} kind */
  #choose(kind) {
    const how = {
      kind,
      people: screens.peopleOf(this.session),
      onChosen: (/** @type {string} */ code) => this.#keepCode(code),
      // Nobody is kept from her work by a code: it is chosen another day.
      onDone: () => {
        this.session.environment.choose_code = undefined;
        if (!this.over) this.#showEnvironment();
      },
    };
    this.stage.show(`choose ${this.session.session_id}`, () => chooseCode(how));
  }

  /**
   * @param {string} code
   * @returns {Promise<{ kept: boolean, again?: string }>} when it is not kept, why another one is to be chosen, if that helps
   */
  async #keepCode(code) {
    try {
      await this.ask("PUT", "/api/v1/sessions/current/code", { code });
      return { kept: true };
    } catch (cause) {
      if (!(cause instanceof Problem) || cause.code !== "code_too_simple") return { kept: false };
      return { kept: false, again: say("tablet-choose-simple") };
    }
  }

  #showEnvironment() {
    const screen = () => screens.environment(this.session, { onDone: () => this.leave("done"), onNotMe: () => this.leave("not_me") });
    this.stage.show(`environment ${this.session.session_id}`, screen);
  }
}

/** A film or a song is being followed, hands in the lap. */
function isPlaying() {
  return [.../** @type {NodeListOf<HTMLMediaElement>} */ (document.querySelectorAll("audio, video"))].some((media) => !media.paused && !media.ended);
}
