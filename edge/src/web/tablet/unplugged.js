// A time without the box: an adult's six digits, which this page checks by itself, open a guest's screen with the documents
// of the tablet's last class. Each stay is noted here until the box has heard of it.

import { button, el, icon } from "../static/dom.js";
import { Problem } from "../static/problem.js";
import { say } from "../static/words.js";
import { Idle } from "./idle.js";
import * as keep from "./keep.js";
import * as pages from "./pages.js";
import { shelf } from "./shelf.js";
import { digitKeys } from "./secret.js";
import { CAPABILITIES, wipe } from "./wipe.js";

const CODE_DIGITS = 6;
/** So many wrong codes, and the pad rests for so long. */
const WRONG = 5;
const REST_S = 60;
/** A power cut loses so much of a stay's length. */
const NOTED_S = 15;
/** The box takes so many stays at once. */
const TOLD_AT_ONCE = 256;

/** @typedef {(method: string, path: string, body?: unknown) => Promise<any>} Ask */

export class Unplugged {
  /**
   * @param {{ stage: import("./stage.js").Stage, opened: () => void, left: () => void }} how
   * `opened` before a guest's screen is shown; `left` when it was cleared
   */
  constructor({ stage, opened, left }) {
    this.stage = stage;
    this.opened = opened;
    this.left = left;
    /** @type {keep.Kit | null} */
    this.kit = null;
    /** Whoever sits here now. @type {{ note: keep.Note, idle: Idle } | null} */
    this.stay = null;
    /** When stays of this page began, by its own clock. @type {Map<string, number>} */
    this.began_ms = new Map();
    /** The documents may be of another class than those kept. */
    this.stale = true;
    this.wrong = 0;
    this.rests_s = 0;
    /** @type {HTMLDialogElement | null} */
    this.pad = null;
  }

  /** What an earlier page left is cleared: a stay does not survive it. */
  async load() {
    this.kit = await keep.loadKit();
    if ((await keep.loadNotes()).length > 0) await clear();
  }

  /** The box answers: it tells what to keep. @param {number | undefined} number of the code that holds now @param {Ask} ask */
  async refresh(number, ask) {
    if (!this.stale && number === this.kit?.number) return;
    try {
      this.kit = await ask("GET", "/api/v1/tablets/me/unplugged");
      if (this.kit) await keep.saveKit(this.kit);
      this.stale = false;
    } catch (cause) {
      // Nobody waits for it; what was kept before still opens.
      if (!(cause instanceof Problem)) throw cause;
    }
  }

  /** The box answers: it hears of the stays. @param {Ask} ask @returns {Promise<boolean>} whether there was one */
  async tell(ask) {
    const notes = await keep.loadNotes();
    if (notes.length === 0) return false;
    const now_ms = performance.now();
    const told = notes.slice(0, TOLD_AT_ONCE).map(({ stay_id, lasted_s }) => {
      const began_ms = this.began_ms.get(stay_id);
      return { stay_id, lasted_s, ...(began_ms === undefined ? {} : { began_ago_s: Math.round((now_ms - began_ms) / 1000) }) };
    });
    await ask("POST", "/api/v1/tablets/me/stays", { stays: told });
    const heard = new Set(told.map((stay) => stay.stay_id));
    await keep.saveNotes((await keep.loadNotes()).filter((note) => !heard.has(note.stay_id)));
    return true;
  }

  /** The way in, for an adult; none where nothing is kept. */
  door() {
    return this.kit === null ? null : button("quiet", "lock", say("tablet-unplugged"), () => this.#ask(), { "data-key": "unplugged" });
  }

  #ask() {
    const word = el("p", { class: "small", role: "status" }, say("tablet-unplugged-help"));
    const slots = el("div", { class: "slots" });
    let code = "";
    let busy = false;
    const draw = () => slots.replaceChildren(...Array.from({ length: CODE_DIGITS }, (_, at) => el("span", { class: at < code.length ? "slot full" : "slot" }, at < code.length ? "●" : "")));
    const add = async (/** @type {string} */ digit) => {
      if (busy || code.length >= CODE_DIGITS) return;
      code += digit;
      draw();
      if (code.length < CODE_DIGITS) return;
      busy = true;
      const refused = (await this.#refuses(code)) ?? (await this.#open());
      code = "";
      draw();
      busy = false;
      if (refused !== null) word.textContent = refused;
    };
    const erase = () => {
      code = code.slice(0, -1);
      draw();
    };
    const pad = /** @type {HTMLDialogElement} */ (
      el("dialog", { class: "sheet secret unplugged", "aria-labelledby": "unplugged", onclose: () => pad.remove() }, el("h2", { id: "unplugged" }, say("tablet-unplugged-title")), word, slots, digitKeys((digit) => void add(digit), erase), button("quiet", "x", say("tablet-back"), () => pad.close()))
    );
    draw();
    this.pad = pad;
    document.body.append(pad);
    pad.showModal();
  }

  /** @param {string} code @returns {Promise<string | null>} why not; null when it is the one */
  async #refuses(code) {
    if (this.rests_s > 0) return say("tablet-unplugged-rest");
    if (this.kit !== null && (await fits(code, this.kit))) {
      this.wrong = 0;
      return null;
    }
    this.wrong += 1;
    if (this.wrong < WRONG) return say("tablet-unplugged-wrong");
    this.wrong = 0;
    this.rests_s = REST_S;
    return say("tablet-unplugged-rest");
  }

  /** @returns {Promise<string | null>} why not; null when a guest sits here */
  async #open() {
    const note = { stay_id: drawId(), lasted_s: 0 };
    // From now on a box that comes back waits, and a power cut is one of this stay.
    this.stay = { note, idle: new Idle() };
    this.began_ms.set(note.stay_id, performance.now());
    await keep.saveNotes([...(await keep.loadNotes()), note]);
    // Whoever sat here before the box went may have left something: what cannot be cleared is shown to nobody.
    if (!(await clear())) {
      this.stay = null;
      return say("tablet-unplugged-unclean");
    }
    this.shut();
    this.opened();
    this.stage.show("unplugged", () => this.#screen(), { fresh: true });
    return null;
  }

  /** Nobody needs a code any more. */
  shut() {
    this.pad?.close();
    this.pad = null;
  }

  #screen() {
    const documents = this.kit?.documents ?? [];
    return el(
      "section",
      { class: "environment" },
      el("header", { class: "hello" }, el("div", { class: "emblem" }, icon("plug")), el("div", { class: "who" }, el("p", {}, say("tablet-hello")), el("h1", { id: "given-name" }, say("tablet-unplugged-guest")))),
      el("p", { class: "gentle" }, icon("alert-triangle"), say("tablet-unplugged-kept")),
      el("div", { class: "shelves" }, documents.length > 0 ? shelf(say("tablet-documents"), "rows", documents, (at) => pages.open(documents[at].url)) : el("p", { class: "nothing" }, say("tablet-nothing-yet"))),
      el("footer", { class: "leave" }, button("main sign-out", "door-exit", say("tablet-sign-out"), () => void this.leave())),
    );
  }

  /** The stay is over; what was left here goes, and the box will hear of it. */
  async leave() {
    if (!this.stay) return;
    const { note } = this.stay;
    this.stay = null;
    this.stage.show("wiping", () => el("section", { class: "sheet" }, el("div", { class: "emblem" }, icon("sparkles")), el("h1", {}, say("tablet-wiping-title")), el("p", {}, say("tablet-wiping-help"))));
    await this.#write(note);
    await clear();
    this.stale = true;
    this.left();
  }

  /** A second went by. */
  second() {
    this.rests_s = Math.max(0, this.rests_s - 1);
    if (!this.stay) return;
    const { note, idle } = this.stay;
    note.lasted_s += 1;
    if (note.lasted_s % NOTED_S === 0) void this.#write(note);
    const covered = document.hidden && pages.cover();
    if (idle.second({ dark: document.hidden && !pages.any(), active: covered }) === "gone") void this.leave();
  }

  touched() {
    this.stay?.idle.touched();
  }

  /** @param {keep.Note} note */
  async #write(note) {
    const notes = await keep.loadNotes();
    await keep.saveNotes(notes.map((known) => (known.stay_id === note.stay_id ? note : known)));
  }
}

/** @returns {Promise<boolean>} whether nothing stayed behind */
async function clear() {
  const report = await wipe(CAPABILITIES.map((name) => ({ name })));
  return report.every((step) => step.outcome === "done");
}

function drawId() {
  return hex(crypto.getRandomValues(new Uint8Array(16)));
}

/** Whether the code becomes the verifier (PBKDF2 with HMAC-SHA256). @param {string} code @param {keep.Kit} kit */
async function fits(code, { salt, rounds, verifier }) {
  const secret = await crypto.subtle.importKey("raw", new TextEncoder().encode(code), "PBKDF2", false, ["deriveBits"]);
  const bits = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: bytes(salt), iterations: rounds }, secret, 256);
  return hex(new Uint8Array(bits)) === verifier;
}

/** @param {Uint8Array} bytes */
function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {string} hex */
function bytes(hex) {
  return new Uint8Array((hex.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)));
}
