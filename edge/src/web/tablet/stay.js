// Somebody's stay at this tablet, on the screen: a new code when one is to be chosen, then the environment as it suits
// her, and the question whether she is still there.

import { el, icon } from "../static/dom.js";
import { Problem } from "../static/problem.js";
import { say } from "../static/words.js";
import { Idle } from "./idle.js";
import * as pages from "./pages.js";
import * as screens from "./screens.js";
import { PLAIN, apply, chime } from "./settings.js";

/** @typedef {import("./screens.js").Session} Session */
/** @typedef {"done" | "not_me"} Leaving */

export class Stay {
  /**
   * @param {{ stage: import("./stage.js").Stage, session: Session, ask: (method: string, path: string, body?: unknown) => Promise<any>, prove: (method: string, path: string) => Promise<Record<string, string>>, heard: (nonce: string | null) => void, leave: (why: Leaving) => void, framesOnBox: () => boolean }} how
   * `ask` speaks to the box with the session's token; `prove` makes the headers for what is no JSON
   */
  constructor({ stage, session, ask, prove, heard, leave, framesOnBox }) {
    this.stage = stage;
    this.session = session;
    this.ask = ask;
    this.prove = prove;
    this.heard = heard;
    this.leave = leave;
    /** What she may open and what she keeps, once its module is here. @type {import("./lodging.js").Lodging | null} */
    this.lodging = null;
    /** Where it stands on the screen. */
    this.content = el("div", { class: "lodging" });
    /** Her screen, around it. @type {HTMLElement | null} */
    this.around = null;
    /** What she is told beside it: the charter. */
    this.beside = el("aside", { class: "beside", hidden: true });
    /** Draws that again. @type {(() => void) | null} */
    this.drawBeside = null;
    /** The teacher silenced her class. */
    this.quietSign = el("span", { class: "round quiet-sign", role: "img", "aria-label": say("tablet-quiet"), hidden: true }, icon("volume-off"));
    /** @type {import("./quiet.js").Quiet | null} */
    this.quiet = null;
    this.framesOnBox = framesOnBox;
    this.over = false;
    this.idle = new Idle(session.environment.idle_s);
    /** The question whether she is there, while it is asked. @type {HTMLDialogElement | null} */
    this.question = null;
    /** @type {import("./settings.js").Settings} */
    this.settings = { ...PLAIN, ...session.environment.settings };
    /** What the box has not yet heard of them. @type {import("./settings.js").Settings | null} */
    this.untold = null;
    /** What is open over the environment: settings, or what is kept of her. @type {HTMLDialogElement | null} */
    this.sheet = null;
    this.telling = false;
    /** She left it open with whom she works. */
    this.leftOpen = false;
    /** What was opened came to the front. */
    this.outside = false;
    this.hiddenAt_ms = Date.now();
  }

  show() {
    apply(this.settings);
    const kind = this.session.environment.choose_code;
    if (kind === "pictures" || kind === "digits") void this.#choose(kind);
    else this.#begin();
  }

  /** With whom she works is asked before her screen is shown, where nothing decides; she may leave it open. */
  #begin() {
    const { classes, class_id } = this.session.environment;
    if (!classes?.length || class_id || this.leftOpen) return this.#showEnvironment();
    this.#askClass().catch(() => this.#showEnvironment());
  }

  async #askClass() {
    const { whichClass } = await import("./which.js");
    if (this.over) return;
    const { classes, class_id } = this.session.environment;
    const how = {
      classes: classes ?? [],
      chosen: class_id,
      onChosen: (/** @type {string} */ id) => void this.#chooseClass(id),
      onLater: () => {
        this.leftOpen = true;
        this.#showEnvironment();
      },
    };
    this.stage.show(`choose class ${this.session.session_id}`, () => whichClass(how));
  }

  /** Whatever the box answers, she gets to her work. @param {string} id */
  async #chooseClass(id) {
    this.leftOpen = true;
    try {
      const { environment } = await this.ask("PUT", "/api/v1/sessions/current/class", { class_id: id });
      this.session.environment = environment;
    } catch {
      this.stage.tell(say("tablet-which-later"));
    }
    if (!this.over) this.#showEnvironment();
  }

  end() {
    this.over = true;
    this.question?.close();
    this.sheet?.close();
    this.lodging?.end();
    this.quiet?.end();
    apply(PLAIN);
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
    const active = isPlaying() || this.lodging?.playing || (document.hidden && (this.outside || pages.cover()));
    const presence = this.idle.second({ dark, active });
    if (presence === "gone") this.leave("done");
    else if (presence === "asked") this.#askWhether();
    else this.question?.close();
    if (this.around && !this.lodging) this.#lodge().catch(() => null);
    if (this.untold && !this.telling) void this.#tellSettings();
  }

  #isDark() {
    return !this.outside && !pages.any();
  }

  #askWhether() {
    if (this.question) return;
    chime(this.settings);
    this.question = screens.stillThere(this.session, {
      onHere: () => {
        this.question = null;
        this.idle.touched();
      },
      onNotMe: () => this.leave("not_me"),
    });
  }

  /** @param {"pictures" | "digits"} kind */
  async #choose(kind) {
    const pad = await import("./secret.js").catch(() => null);
    if (this.over) return;
    if (!pad) return this.#begin();
    const how = {
      kind,
      people: screens.peopleOf(this.session),
      onChosen: (/** @type {string} */ code) => this.#keepCode(code),
      // Nobody is kept from her work by a code: it is chosen another day.
      onDone: () => {
        this.session.environment.choose_code = undefined;
        if (!this.over) this.#begin();
      },
    };
    this.stage.show(`choose ${this.session.session_id}`, () => pad.chooseCode(how));
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

  /** What she may open comes once she is there; without it the rest of her screen stands all the same. */
  async #lodge() {
    const { Lodging } = await import("./lodging.js");
    if (this.over || this.lodging) return;
    this.lodging = new Lodging({ root: this.content, session: this.session, settings: () => this.settings, prove: this.prove, heard: this.heard, touched: () => this.touched() });
    this.lodging.hush(this.quiet?.on ?? this.session.environment.quiet === true);
    await this.lodging.open();
  }

  #showEnvironment() {
    if (this.lodging) this.lodging.show(this.session);
    else this.#lodge().catch(() => null);
    this.stage.show(`environment ${this.session.session_id}`, () => (this.around = this.#environment(this.content, this.beside)));
    void this.#tellCharter().catch(() => null);
    void this.#listen().catch(() => null);
  }

  /** @param {HTMLElement} content @param {HTMLElement} beside */
  #environment(content, beside) {
    return screens.environment(this.session, { content, beside, quiet: this.quietSign, onDone: () => this.leave("done"), onNotMe: () => this.leave("not_me"), onSettings: () => void this.#openSettings(), onTold: () => void this.#openTold(), onClass: () => void this.#askClass().catch(() => null) });
  }

  /** Says everything anew around the content, which stays where it is: a frame that is moved loads again. */
  #sayAnew() {
    this.quietSign.setAttribute("aria-label", say("tablet-quiet"));
    const stays = [this.content, this.beside];
    const anew = [...this.#environment(el("div"), el("aside")).children];
    [...(this.around?.children ?? [])].forEach((part, at) => stays.some((kept) => kept === part) || part.replaceWith(anew[at] ?? ""));
    this.drawBeside?.();
  }

  /** Whether the class is to be silent is heard from when she is there. */
  async #listen() {
    if (this.quiet) return;
    const { Quiet } = await import("./quiet.js");
    if (this.over || this.quiet) return;
    this.quiet = new Quiet({ sign: this.quietSign, prove: this.prove, heard: this.heard, now: this.session.environment.quiet === true, onChange: (quiet) => this.lodging?.hush(quiet) });
  }

  /** Fetched when it is asked for. */
  async #openTold() {
    const { page } = await import("./charter.js");
    if (!this.over) this.sheet = page({ ask: this.ask, framesOnBox: this.framesOnBox(), onUnderstood: () => this.#charterDone() });
  }

  /** Where she has not understood it, the charter stands beside her screen; it waits for nothing and holds up nothing. */
  async #tellCharter() {
    const { charter } = this.session.environment;
    if (this.drawBeside) return this.drawBeside();
    if (!charter) return;
    const { beside } = await import("./charter.js");
    if (this.over || this.drawBeside) return;
    this.drawBeside = beside(this.beside, { ask: this.ask, first: charter.first, framesOnBox: this.framesOnBox(), onDone: () => this.#charterDone() });
  }

  #charterDone() {
    this.session.environment.charter = undefined;
    this.beside.hidden = true;
    this.beside.parentElement?.classList.remove("telling");
    this.drawBeside = null;
  }

  async #openSettings() {
    const { drawer } = await import("./drawer.js");
    if (this.over) return;
    this.sheet = drawer(this.settings, {
      onChange: (settings) => {
        this.settings = this.untold = settings;
        apply(settings);
        this.#sayAnew();
        this.lodging?.suit();
        if (!this.telling) void this.#tellSettings();
      },
    });
  }

  /** Tells the box, one wish after the other; while it does not answer, the last one waits. */
  async #tellSettings() {
    this.telling = true;
    try {
      while (this.untold) {
        const settings = this.untold;
        await this.ask("PUT", "/api/v1/sessions/current/settings", settings);
        if (this.untold === settings) this.untold = null;
      }
    } catch (cause) {
      // Refused for good: it holds here, until she leaves.
      if (cause instanceof Problem && cause.code !== "overloaded") this.untold = null;
    } finally {
      this.telling = false;
    }
  }
}

/** A film or a song is being followed, hands in the lap. */
function isPlaying() {
  return [.../** @type {NodeListOf<HTMLMediaElement>} */ (document.querySelectorAll("audio, video"))].some((media) => !media.paused && !media.ended);
}
