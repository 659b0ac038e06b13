// From the badge reader to a session: badge, card's letters, two at a tablet, account, second factor, and the call for
// an adult when the second factor does not come.

import { Scanner } from "../static/scan.js";
import * as screens from "./screens.js";

/** Badges at one tablet at most. */
const MOST_TOGETHER = 3;
/** The box is asked again about a code of others that was away for so long: an adult may have said whose it is … */
const FOREIGN_AWAY_MS = 3_000;
/** … and about one that lies in view all the time after so long. */
const FOREIGN_AGAIN_MS = 60_000;
/** The kinds of screens that somebody may be busy with: the box's "free" does not take them away. */
const ENTERING = ["ready", "problem", "secret", "call", "account"];

/** @typedef {Record<string, unknown>} How */
/** @typedef {import("../static/problem.js").Problem} Problem */

export class Entry {
  /**
   * @param {{ stage: import("./stage.js").Stage, busy: () => boolean, signIn: (how: How, takes: (problem: Problem) => boolean) => void, again: () => void, help: import("../static/scan.js").Help }} how
   * `signIn` asks the box; `again` asks it where the tablet stands; `help` has it read a frame
   */
  constructor({ stage, busy, signIn, again, help }) {
    this.stage = stage;
    this.busy = busy;
    this.signIn = signIn;
    this.again = again;
    this.help = help;
    /** Badges of those who sit down together. @type {string[] | null} */
    this.together = null;
    /** @type {Scanner | null} */
    this.scanner = null;
    /** @type {screens.Ready | null} */
    this.reader = null;
    /** Badges that lay before the camera when it was closed: whoever left does not come in again by one. @type {string[]} */
    this.leftInView = [];
    /** The code of others that was asked about last, when, and when it was in view. */
    this.asked = { text: "", at_ms: 0, seen_ms: 0 };
    /** The guests' buttons that are shown. */
    this.welcomed = "";
    /** Seconds since the last touch, while a form is shown. */
    this.waited_s = 0;
  }

  /** The tablet is free. @param {{ school: string, name: string, owner?: import("./screens.js").Person, guests?: { class_id: string, name: string }[], frames_on_box?: boolean }} me */
  open({ school, name, owner, guests = [], frames_on_box: framesOnBox = false }) {
    const onFrame = framesOnBox ? this.help : undefined;
    if (this.scanner) this.scanner.onFrame = onFrame;
    if (this.stage.shows("ready")) this.#welcome(guests, owner);
    if (this.stage.shows(...ENTERING)) return;
    this.together = null;
    const reader = screens.ready({
      school,
      name,
      onBadge: (text) => this.badge(text),
      onPair: (on) => this.#sitTogether(on ? [] : null),
      onGo: () => this.together && this.#enter({ badges: this.together }),
      onAccount: () => this.#form("account", () => screens.account({ onGiven: (account, password) => this.#enter({ account, password }), onLeave: () => this.back() })),
      onGuest: (classId) => this.#enter({ guest: classId }),
      onTurn: () => void this.scanner?.turn(),
    });
    this.welcomed = "";
    this.stage.show("ready", () => reader.root, { fresh: true, left: () => this.#close() });
    this.reader = reader;
    this.scanner = new Scanner(reader.video, { onBadge: (text) => this.badge(text), onForeign: (texts) => this.#foreign(texts), onTrouble: (trouble) => reader.trouble(trouble), onFrame }, this.leftInView);
    this.#welcome(guests, owner);
    this.seen(!document.hidden);
  }

  /** Classes that an adult opened to guests, and whose tablet this is. @param {{ class_id: string, name: string }[]} guests @param {import("./screens.js").Person} [owner] */
  #welcome(guests, owner) {
    const now = JSON.stringify([guests, owner]);
    if (now === this.welcomed) return;
    this.welcomed = now;
    this.reader?.guests(guests);
    this.reader?.owner(owner);
  }

  /** The camera looks only while somebody can see the page. @param {boolean} visible */
  seen(visible) {
    if (visible) void this.scanner?.start();
    else this.scanner?.stop();
  }

  /** A form that somebody walked away from makes room for the next child. @param {number} most_s */
  second(most_s) {
    if (!this.stage.shows("secret", "call", "account")) return;
    this.waited_s += 1;
    if (this.waited_s >= most_s) this.back();
  }

  touched() {
    this.waited_s = 0;
  }

  back() {
    this.stage.release();
    this.again();
  }

  /** @param {string} text */
  badge(text) {
    if (!this.stage.shows("ready") || this.busy()) return;
    if (this.together === null) return this.#enter({ badge: text });
    if (!this.together.includes(text)) this.#sitTogether([...this.together, text]);
    if (this.together.length === MOST_TOGETHER) this.#enter({ badges: this.together });
  }

  #close() {
    this.leftInView = this.scanner?.inView ?? [];
    this.scanner?.stop();
    this.scanner = null;
    this.reader = null;
  }

  /**
   * A code of others: it is told kindly that it is no badge, unless the box knows whose it is. What is asked is its hash;
   * the text may be a password of another system.
   * @param {string[]} texts as `foreignCode` says them
   */
  #foreign(texts) {
    const [text] = texts;
    const now_ms = performance.now();
    const { at_ms, seen_ms } = this.asked;
    const known = text === this.asked.text && now_ms - seen_ms < FOREIGN_AWAY_MS && now_ms - at_ms < FOREIGN_AGAIN_MS;
    if (text === this.asked.text) this.asked.seen_ms = now_ms;
    if (known) return void this.reader?.foreign();
    if (texts.length !== 1 || text === undefined || this.together !== null || this.busy() || !this.stage.shows("ready")) return;
    this.asked = { text, at_ms: now_ms, seen_ms: now_ms };
    const how = { badge: text };
    this.signIn(how, (problem) => {
      if (problem.code !== "badge_unknown" && problem.code !== "locked_out") return this.#takes(how, problem);
      this.reader?.foreign();
      return true;
    });
  }

  /** @param {string[] | null} badges */
  #sitTogether(badges) {
    this.together = badges;
    this.reader?.pair(badges === null ? null : badges.length);
  }

  /** @param {How} how */
  #enter(how) {
    this.signIn(how, (problem) => this.#takes(how, problem));
  }

  /** What a refusal asks of the child. @param {How} how @param {Problem} problem @returns {boolean} whether it was dealt with */
  #takes(how, problem) {
    switch (problem.code) {
      case "second_factor_required":
        // Of two who sit down together, each who has a secret gives hers, in the order of their badges.
        void this.#askSecret(how, problem, false);
        return true;
      case "second_factor_wrong":
        void this.#askSecret({ ...how, second_factor: undefined }, problem, true);
        return true;
      case "adult_called":
        this.#call({ ...how, second_factor: undefined }, problem);
        return true;
      default:
        return false;
    }
  }

  /** @param {How} how @param {Problem} problem @param {boolean} wrong */
  async #askSecret(how, problem, wrong) {
    const pad = await import("./secret.js").catch(() => null);
    if (!pad) return this.back();
    const { factor, pictures } = problem.body;
    const asked = {
      kind: factor === "digits" || factor === "pictures" ? factor : null,
      pictures: Array.isArray(pictures) ? pictures : undefined,
      wrong,
      onGiven: (/** @type {string} */ secret) => this.#enter({ ...how, second_factor: how.badges && how.second_factor ? `${how.second_factor} ${secret}` : secret }),
      onLeave: () => this.back(),
    };
    this.#form("secret", () => pad.askSecret(asked));
  }

  /** An adult comes; the badge is remembered meanwhile. @param {How} how @param {Problem} problem */
  #call(how, problem) {
    this.#form("call", () => screens.call({ onAgain: () => void this.#askSecret(how, problem, false), onLeave: () => this.back() }));
  }

  /** @param {string} name @param {() => HTMLElement} build */
  #form(name, build) {
    this.waited_s = 0;
    this.stage.show(name, build, { fresh: true });
  }
}
