// What she keeps (« Mes travaux »): a shelf with pictures by kind, a picker, and one work opened. Two truths stand apart:
// kept here, and waiting for the ENT. Fetched when somebody sits down, not before.

import { tint } from "../static/animals.js";
import { button, el, icon } from "../static/dom.js";
import { Problem, Unreachable, read } from "../static/problem.js";
import { say } from "../static/words.js";
import * as pages from "./pages.js";

/** @typedef {{ name: string, kind: string, media_type: string, size_bytes: number, kept_age_s: number, delivery: string, arriving?: boolean }} Work */

const ADDRESS = "/api/v1/work";
/** What the box takes, in bytes. */
const MAX_BYTES = 10 * 1024 * 1024;
/** Longest name, in characters. */
const MAX_NAME_CHARS = 80;
/** A proof is made again so often with a fresh nonce. */
const PROOFS_COUNT = 3;
/** A case of fifteen tablets sends slowly. */
const WAIT_MS = 300_000;
/** What comes from another building is looked for so often. */
const LOOK_MS = 10_000;
const TAKES = "image/*,application/pdf,text/plain,audio/*,video/*";
/** @type {Record<string, string>} */
const PICTURES = { image: "photo", pdf: "file-text", text: "pencil", audio: "music", video: "film", other: "puzzle" };

export class Works {
  /**
   * @param {{ prove: (method: string, path: string) => Promise<Record<string, string>>, heard: (nonce: string | null) => void, ent: string | null }} how
   * `ent` is the ENT's own name, where the catalogue has one
   */
  constructor({ prove, heard, ent }) {
    this.prove = prove;
    this.heard = heard;
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
    /** @type {XMLHttpRequest | null} */
    this.asking = null;
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
      // One request at a time can be broken off.
      if (!looks || this.sent === null) this.works = JSON.parse(await (await this.#send("GET", ADDRESS)).text()).works;
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
    this.asking?.abort();
    this.opened?.close();
    pages.away(false);
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
    input.addEventListener("click", () => pages.away(true));
    input.addEventListener("cancel", () => pages.away(false));
    input.addEventListener("change", () => {
      pages.away(false);
      const file = input.files?.[0];
      if (file) void this.#keep(file);
    });
    return el("label", { class: "shortcut keep", for: "keep-work" }, el("span", { class: "picture tint1" }, icon("camera")), el("span", { class: "title" }, say("tablet-work-keep")), input);
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
        await this.#send("PUT", address(this.#freeName(file.name)), file);
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
    document.body.append(sheet);
    sheet.showModal();
    try {
      const blob = await this.#send("GET", address(work.name));
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
      await this.#send("DELETE", address(work.name));
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
      await this.#send("POST", `${address(name)}/restore`);
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

  /**
   * One proved request whose body and answer are bytes; how much of it is gone is shown.
   * @param {string} method @param {string} path @param {File} [file]
   * @returns {Promise<Blob>}
   */
  async #send(method, path, file) {
    for (let left = PROOFS_COUNT; ; left -= 1) {
      const answer = await this.#once(method, path, await this.prove(method, path), file);
      try {
        if (!answer.ok) await read(answer);
        return await answer.blob();
      } catch (problem) {
        if (!(problem instanceof Problem) || problem.code !== "use_dpop_nonce" || left <= 1) throw problem;
      }
    }
  }

  /** @param {string} method @param {string} path @param {Record<string, string>} headers @param {File} [file] @returns {Promise<Response>} */
  #once(method, path, headers, file) {
    return new Promise((answered, failed) => {
      const asking = new XMLHttpRequest();
      this.asking = asking;
      asking.open(method, path);
      asking.responseType = "blob";
      asking.timeout = WAIT_MS;
      for (const [name, value] of Object.entries({ "Accept-Language": document.documentElement.lang, ...headers })) asking.setRequestHeader(name, value);
      if (file) asking.setRequestHeader("Content-Type", file.type || "application/octet-stream");
      asking.upload.onprogress = ({ loaded, total }) => {
        this.sent = total > 0 ? loaded / total : this.sent;
        /** @type {HTMLProgressElement | null} */
        const bar = this.root.querySelector("progress");
        if (bar) bar.value = (this.sent ?? 0) * 100;
      };
      asking.onload = () => {
        this.heard(asking.getResponseHeader("DPoP-Nonce"));
        answered(new Response(asking.status === 204 ? null : asking.response, { status: asking.status }));
      };
      asking.onerror = asking.onabort = asking.ontimeout = () => failed(new Unreachable("work"));
      asking.send(file ?? null);
    });
  }
}

/** @param {string} name */
function address(name) {
  return `${ADDRESS}/${encodeURIComponent(name)}`;
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
