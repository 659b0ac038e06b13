// Where the content of somebody's stay is shown: a frame on the session's own host, served over a port; or, where the box
// has no such hosts or the frame does not come, this page itself. Key and token stay here; what the frame asks is one of a
// closed list (`asked.js`).

import { el } from "../static/dom.js";
import { Problem } from "../static/problem.js";
import { say } from "../static/words.js";
import { asked } from "./asked.js";
import { Courier } from "./courier.js";
import { note, originOf } from "./hosts.js";
import * as pages from "./pages.js";
import * as screens from "./screens.js";

/** A frame that does not speak so long after it was asked for does not come: a tablet that resolves names elsewhere. */
const COMES_MS = 5_000;
/** … and so long after it loaded, something else was loaded. */
const SPEAKS_MS = 1_500;
/** A tablet on which it did not come is not kept waiting again for so long. */
const AGAIN_MS = 3_600_000;
/** When it did not come last, on this page. */
let failedAt_ms = -Infinity;

export class Lodging {
  /**
   * @param {{ root: HTMLElement, session: screens.Session, settings: () => import("./settings.js").Settings, prove: (method: string, path: string) => Promise<Record<string, string>>, heard: (nonce: string | null) => void, touched: () => void }} how
   * `root` is where it stands on the screen
   */
  constructor({ root, session, settings, prove, heard, touched }) {
    this.session = session;
    this.settings = settings;
    this.touched = touched;
    this.courier = new Courier({ prove, heard });
    this.root = root;
    /** Something is being listened to or looked at in it. */
    this.playing = false;
    /** The teacher silenced her class. */
    this.quiet = false;
    this.over = false;
    this.origin = originOf(session);
    /** @type {HTMLIFrameElement | null} */
    this.frame = null;
    /** @type {MessagePort | null} */
    this.port = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.bell = undefined;
    /** Ends what stands in this page; a frame ends by being taken away. @type {() => void} */
    this.clear = () => undefined;
    /** @type {Promise<void>} */
    this.noted = Promise.resolve();
    /** The frame spoke before it was loaded whole. */
    this.spoke = false;
    this.onMessage = (/** @type {MessageEvent} */ event) => this.#greet(event);
  }

  open() {
    const { origin } = this;
    if (origin === null || performance.now() - failedAt_ms < AGAIN_MS) return this.#here();
    window.addEventListener("message", this.onMessage);
    // It is told nothing before its host is noted: what is used and not noted would not be cleared after a power cut.
    this.noted = note(origin).catch(() => undefined);
    const how = { class: "within", title: say("tablet-content"), sandbox: "allow-scripts allow-same-origin", referrerpolicy: "no-referrer", src: `${origin}/`, onload: () => this.#loaded() };
    this.frame = /** @type {HTMLIFrameElement} */ (el("iframe", how));
    this.#await(COMES_MS);
    this.root.replaceChildren(this.frame);
    return Promise.resolve();
  }

  /** Other shelves, of another class. @param {screens.Session} session */
  show(session) {
    this.session = session;
    this.#tell({ tell: "show", ...this.#shown() });
  }

  /** How the screen suits her now. */
  suit() {
    if (this.frame) this.frame.title = say("tablet-content");
    this.#tell({ tell: "settings", settings: this.settings() });
  }

  /** What plays in it is heard, or not. @param {boolean} quiet */
  hush(quiet) {
    this.quiet = quiet;
    this.#tell({ tell: "quiet", on: quiet });
  }

  end() {
    this.over = true;
    clearTimeout(this.bell);
    window.removeEventListener("message", this.onMessage);
    this.courier.end();
    this.clear();
    this.#close();
    this.root.replaceChildren();
  }

  /** Without a frame: the same content, in this page. */
  async #here() {
    clearTimeout(this.bell);
    window.removeEventListener("message", this.onMessage);
    const { furnish } = await import("./content.js");
    if (this.over) return;
    wear(new URL("./work.css", import.meta.url).pathname);
    this.frame = null;
    const { port1, port2 } = new MessageChannel();
    this.clear = furnish(this.root, port2);
    this.#serve(port1);
  }

  #loaded() {
    if (this.spoke) this.spoke = false;
    else this.#await(SPEAKS_MS);
  }

  /** It speaks within this time, or the content comes without it. @param {number} most_ms */
  #await(most_ms) {
    clearTimeout(this.bell);
    this.bell = setTimeout(() => void this.#missed(), most_ms);
  }

  #missed() {
    failedAt_ms = performance.now();
    return this.#here();
  }

  /** The frame is there; also anew, when it was taken off the screen and put back. @param {MessageEvent} event */
  #greet({ origin, source, data }) {
    const page = this.frame?.contentWindow;
    if (!page || source !== page || origin !== this.origin || data !== "ready") return;
    clearTimeout(this.bell);
    this.spoke = true;
    void this.noted.then(() => this.#welcome(page, origin));
  }

  /** @param {Window} page @param {string} origin */
  #welcome(page, origin) {
    if (this.over || page !== this.frame?.contentWindow) return;
    const { port1, port2 } = new MessageChannel();
    page.postMessage("port", origin, [port2]);
    this.#serve(port1);
    // Keyboard and screen reader go on in it, unless they are elsewhere.
    if (document.activeElement === document.body) this.frame?.focus();
  }

  /** @param {MessagePort} port */
  #serve(port) {
    this.#close();
    this.port = port;
    port.onmessage = ({ data }) => {
      const message = asked(data);
      if (message && !this.over) this.#heard(port, message);
    };
    this.hush(this.quiet);
    this.#tell({ tell: "show", ...this.#shown() });
  }

  #shown() {
    const { apps, documents, links } = this.session.environment;
    return { shelves: { apps, documents, links }, ent: screens.entOf(this.session), settings: this.settings() };
  }

  /** @param {MessagePort} port @param {import("./asked.js").Asked} message */
  #heard(port, message) {
    switch (message.ask) {
      case "here":
        return this.touched();
      case "playing":
        this.playing = message.on;
        return;
      case "choosing":
        return pages.away(message.on);
      case "open": {
        const shortcut = this.session.environment[message.shelf][message.at];
        return shortcut && pages.open(shortcut.url);
      }
      case "works":
        return void answer(port, message.id, this.courier.works());
      case "read":
        return void answer(port, message.id, this.courier.read(message.name));
      case "keep":
        return void answer(port, message.id, this.courier.keep(message.name, message.file, (part) => port.postMessage({ tell: "part", id: message.id, part })));
      case "remove":
        return void answer(port, message.id, this.courier.remove(message.name));
      case "restore":
        return void answer(port, message.id, this.courier.restore(message.name));
    }
  }

  /** @param {Record<string, unknown>} told */
  #tell(told) {
    this.port?.postMessage(told);
  }

  #close() {
    this.port?.close();
    this.port = null;
    this.playing = false;
    pages.away(false);
  }
}

/** What the box said, whatever it was. @param {MessagePort} port @param {number} id @param {Promise<unknown>} said */
async function answer(port, id, said) {
  try {
    port.postMessage({ tell: "answer", id, value: await said });
  } catch (cause) {
    const problem = cause instanceof Problem ? { code: cause.code, title: cause.sentence, next: cause.next } : null;
    port.postMessage({ tell: "refused", id, problem });
  }
}

/** @param {string} style */
function wear(style) {
  if (!document.querySelector(`link[href="${style}"]`)) document.head.append(el("link", { rel: "stylesheet", href: style }));
}
