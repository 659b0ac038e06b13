// What she keeps (« Mes travaux »): a shelf with pictures by kind, a picker, and one work opened. Two truths stand apart:
// kept here, and waiting for the ENT.

import { tint } from "../static/animals.js";
import { button, el, icon } from "../static/dom.js";
import { Problem, Unreachable } from "../static/problem.js";
import { say } from "../static/words.js";
import { MAX_BYTES } from "./asked.js";

/** @typedef {{ name: string, kind: string, media_type: string, size_bytes: number, kept_age_s: number, delivery: string, arriving?: boolean }} Work */

/** Longest name, in characters. */
const MAX_NAME_CHARS = 80;
/** What comes from another building is looked for so often. */
const LOOK_MS = 10_000;
const TAKES = "image/*,application/pdf,text/plain,audio/*,video/*";
/** @type {Record<string, string>} */
const PICTURES = { image: "photo", pdf: "file-text", text: "pencil", audio: "music", video: "film", other: "puzzle" };

export class Works {
  /**
   * @param {{ around: import("./content.js").Around, root: HTMLElement, ent: string | null }} how `around` brings and keeps
   * works; an opened one lies in `root`; `ent` is the ENT's own name, where the catalogue has one
   */
  constructor({ around, root, ent }) {
    this.around = around;
    this.lies = root;
    this.ent = ent;
    this.root = el("section", { class: "shelf works", hidden: true });
    /** @type {Work[]} */
    this.works = [];
    /** The last one taken away, while it can be had back. @type {string | null} */
    this.gone = null;
    /** How much of a work is on its way, from 0 to 1. @type {number | null} */
    this.sent = null;
    /** @type {string | null} */
    this.trouble = null;
    /** @type {HTMLDialogElement | null} */
    this.opened = null;
    this.over = false;
    /** Until it looks again for what is on its way. @type {ReturnType<typeof setTimeout> | undefined} */
    this.looking = undefined;
  }

  /** A guest has no locker, and sees none. A look that finds nothing new leaves the page, and the focus, as they are. */
  async load(looks = false) {
    const before = looks && JSON.stringify(this.works.map(told));
    try {
      this.works = await this.around.ask("works");
      this.root.hidden = false;
    } catch (cause) {
      if (!looks) this.#told(cause);
    }
    clearTimeout(this.looking);
    if (!this.over && this.works.some((work) => work.arriving)) this.looking = setTimeout(() => void this.load(true), LOOK_MS);
    if (before !== JSON.stringify(this.works.map(told))) this.draw();
  }

  end() {
    clearTimeout(this.looking);
    this.over = true;
    this.opened?.close();
    this.works = [];
    this.root.replaceChildren();
  }

  draw() {
    if (this.over) return;
    const [ent, face] = this.ent === null ? [say("tablet-work-ent"), icon("school")] : [this.ent, (this.ent[0] ?? "?").toUpperCase()];
    const waits = this.works.some((work) => work.delivery === "waiting");
    const { gone, sent } = this;
    const shown = [
      el("div", { class: "works-head" }, el("h2", {}, say("tablet-work")), waits && el("p", { class: "ent" }, el("span", { class: `picture tint${tint(ent)}`, "aria-hidden": "true" }, face), el("strong", {}, ent), icon("clock"), say("tablet-work-waiting"))),
      el(
        "div",
        { class: "tiles" },
        this.#picker(),
        ...this.works.map((work) => this.#tile(work)),
      ),
      this.works.length === 0 && sent === null && el("p", { class: "nothing" }, say("tablet-work-none")),
      this.trouble !== null && el("p", { class: "gentle", role: "status" }, icon("hand-stop"), this.trouble),
      gone !== null && el("p", { class: "gentle", role: "status" }, say("tablet-work-gone", { name: gone }), button("soft undo", "refresh", say("tablet-work-back"), () => this.#bringBack(gone))),
    ];
    this.root.replaceChildren(...shown.filter((part) => part instanceof Node));
  }

  #picker() {
    if (this.sent !== null) {
      const per = Math.round(this.sent * 100);
      return el("div", { class: "shortcut keeping", role: "status" }, el("progress", { max: 100, value: per, "aria-label": say("tablet-work-keeping") }), el("span", { class: "title" }, say("tablet-work-keeping")));
    }
    const input = /** @type {HTMLInputElement} */ (el("input", { type: "file", accept: TAKES, id: "keep-work", class: "unseen" }));
    // A camera or a gallery covers the page: she has not gone.
    input.addEventListener("click", () => this.#choosing(true));
    input.addEventListener("cancel", () => this.#choosing(false));
    input.addEventListener("change", () => {
      this.#choosing(false);
      const file = input.files?.[0];
      if (file) void this.#keep(file);
    });
    return el("label", { class: "shortcut keep", for: "keep-work" }, el("span", { class: "picture tint1" }, icon("camera")), el("span", { class: "title" }, say("tablet-work-keep")), input);
  }

  /** A camera or a gallery covers the page from now on, or no more. @param {boolean} on */
  #choosing(on) {
    this.around.tell("choosing", { on });
  }

  /** How much of a work is gone. @param {number} part */
  #part(part) {
    this.sent = part;
    /** @type {HTMLProgressElement | null} */
    const bar = this.root.querySelector("progress");
    if (bar) bar.value = part * 100;
  }

  /** @param {Work} work */
  #tile(work) {
    return el(
      "button",
      { type: "button", class: "shortcut work", disabled: work.arriving, onclick: () => void this.#open(work) },
      el("span", { class: "picture tint3" }, icon(PICTURES[work.kind] ?? "puzzle")),
      el("span", { class: "title" }, work.name),
      work.arriving && el("span", { class: "arriving" }, icon("clock"), say("tablet-work-arriving")),
    );
  }

  /** @param {File} file */
  async #keep(file) {
    this.trouble = null;
    if (file.size > MAX_BYTES) this.trouble = say("tablet-work-large");
    else {
      this.sent = 0;
      this.draw();
      try {
        await this.around.ask("keep", { name: this.#freeName(file.name), file }, (part) => this.#part(part));
        this.gone = null;
      } catch (cause) {
        this.#told(cause);
      }
      this.sent = null;
      if (!this.over && this.trouble === null) return this.load();
    }
    this.draw();
  }

  /** A camera calls every picture the same: none of hers is replaced by the next. @param {string} given */
  #freeName(given) {
    const name = (given.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff/\\]/g, " ").trim() || say("tablet-work-unnamed")).slice(-MAX_NAME_CHARS + 6).trim();
    const dot = name.lastIndexOf(".");
    const [stem, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
    const taken = new Set(this.works.map((work) => work.name));
    for (let number = 2, free = name; ; number += 1) {
      if (!taken.has(free)) return free;
      free = `${stem} (${number})${ending}`;
    }
  }

  /** @param {Work} work */
  async #open(work) {
    if (this.opened) return;
    const held = el("div", { class: "held" }, el("span", { class: "picture tint3" }, icon(PICTURES[work.kind] ?? "puzzle")));
    /** @type {string | null} */
    let url = null;
    const closed = () => {
      if (url) URL.revokeObjectURL(url);
      sheet.remove();
      this.opened = null;
    };
    const sheet = /** @type {HTMLDialogElement} */ (
      el(
        "dialog",
        { class: "still-there work-sheet", "aria-labelledby": "work-name", onclose: closed },
        el("h2", { id: "work-name" }, work.name),
        held,
        el("div", { class: "others" }, button("quiet", "x", say("tablet-work-remove"), () => void this.#takeAway(work)), button("main", "check", say("tablet-ok"), () => sheet.close())),
      )
    );
    this.opened = sheet;
    this.lies.append(sheet);
    sheet.showModal();
    try {
      const blob = await this.around.ask("read", { name: work.name });
      if (this.over || this.opened !== sheet) return;
      if (work.kind === "image") held.replaceChildren(await drawn(blob, work.name));
      else if (work.kind === "text") held.replaceChildren(el("pre", {}, await blob.text()));
      else if (work.kind === "audio" || work.kind === "video") {
        url = URL.createObjectURL(blob);
        held.replaceChildren(el(work.kind, { src: url, controls: true }));
      } else held.append(el("p", {}, say("tablet-work-elsewhere")));
    } catch {
      held.append(el("p", {}, say("tablet-work-elsewhere")));
    }
  }

  /** @param {Work} work */
  async #takeAway(work) {
    this.opened?.close();
    this.trouble = null;
    try {
      await this.around.ask("remove", { name: work.name });
      this.gone = work.name;
    } catch (cause) {
      this.#told(cause);
    }
    if (!this.over) await this.load();
  }

  /** @param {string} name */
  async #bringBack(name) {
    this.gone = null;
    try {
      await this.around.ask("restore", { name });
    } catch (cause) {
      this.#told(cause);
    }
    if (!this.over) await this.load();
  }

  /** @param {unknown} cause */
  #told(cause) {
    if (cause instanceof Problem && cause.code !== "guest_keeps_nothing") this.trouble = `${cause.sentence} ${cause.next}`;
    else if (cause instanceof Unreachable) this.trouble = say("tablet-work-later");
  }
}

/** What the shelf shows of a work. @param {Work} work */
function told({ name, kind, arriving }) {
  return [name, kind, arriving];
}

/** A picture, drawn: nothing of it gets an address. @param {Blob} blob @param {string} name */
async function drawn(blob, name) {
  const picture = await createImageBitmap(blob);
  const canvas = /** @type {HTMLCanvasElement} */ (el("canvas", { width: picture.width, height: picture.height, role: "img", "aria-label": name }));
  canvas.getContext("2d")?.drawImage(picture, 0, 0);
  picture.close();
  return canvas;
}
