// Somebody's stay at this tablet, on the screen: a new code when one is to be chosen, then the environment.

import { Problem } from "../static/problem.js";
import { say } from "../static/words.js";
import * as screens from "./screens.js";
import { chooseCode } from "./secret.js";

/** @typedef {import("./screens.js").Session} Session */

export class Stay {
  /**
   * @param {{ stage: import("./stage.js").Stage, session: Session, ask: (method: string, path: string, body?: unknown) => Promise<any>, leave: () => void }} how
   * `ask` speaks to the box with the session's token
   */
  constructor({ stage, session, ask, leave }) {
    this.stage = stage;
    this.session = session;
    this.ask = ask;
    this.leave = leave;
    this.over = false;
  }

  start() {
    const kind = this.session.environment.choose_code;
    if (kind === "pictures" || kind === "digits") this.#choose(kind);
    else this.#showEnvironment();
  }

  end() {
    this.over = true;
  }

  /** @param {"pictures" | "digits"} kind */
  #choose(kind) {
    const how = {
      kind,
      people: screens.peopleOf(this.session),
      onChosen: (/** @type {string} */ code) => this.#keepCode(code),
      // Nobody is kept from her work by a code: it is chosen another day.
      onDone: () => this.#showEnvironment(),
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
    if (this.over) return;
    this.stage.show(`environment ${this.session.session_id}`, () => screens.environment(this.session, this.leave));
  }
}
