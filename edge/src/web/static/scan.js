// The camera, read in the page: an image of a child never leaves the tablet, unless the DSI lets the school's box help.
// Then, and only when the page cannot read or has found nothing for a while, grey frames go to the box (`onFrame`).
//
// The browser's own reader is used where there is one; it may need a download that a school without Internet cannot
// make, so after some failures ours takes over.

const FRAME = { width: 640, height: 480 };
/** The pause after a reading, or as long as it took: a slow tablet keeps half of its time for the screen. */
const PAUSE_MS = 120;
/** A badge must have been out of sight for so long before it counts again. */
const AWAY_MS = 4_000;
/** What badges of ours say (`shared/src/badge.rs`). The text of any other code stays in the page. */
const BADGE = /^[A-Z2-7]{32}$/;
/** So many failures of the browser's reader, and ours takes over. */
const NATIVE_FAILURES_COUNT = 3;
/** So many frames with the browser's reader before ours takes turns with it. */
const NATIVE_ALONE_COUNT = 40;
/** The box is asked, where it may be, after so long without a code in view … */
const HELP_AFTER_MS = 5_000;
/** … twice a second at most … */
const HELP_EVERY_MS = 500;
/** … and, where the page can read itself, so often until a code is seen again: an empty room is not sent all day. */
const HELP_COUNT = 20;

/** The box reads a grey frame: badges, and codes of others as {@link foreignCode} says them. None when it may not be asked.
 * @typedef {(greys: Uint8Array, width: number, height: number) => Promise<{ badges: string[], others: string[] } | null>} Help */
/** @typedef {"insecure" | "none" | "refused" | "busy" | "broken"} Trouble */

/** What the box is told of a code of others (`shared/src/badge/foreign.rs`). @param {string} text */
export async function foreignCode(text) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  const base64 = btoa(String.fromCharCode(...hash));
  return `ext:${base64.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}`;
}

/** A camera that hands over the badges it reads. */
export class Scanner {
  /**
   * @param {HTMLVideoElement} video
   * @param {{ onBadge: (text: string) => void, onForeign: (codes: string[]) => void, onTrouble: (trouble: Trouble) => void, onFrame?: Help }} how `onForeign` is told each time that only codes of others are in view, as {@link foreignCode} says them; `onFrame` is the box's help, where it may
   * @param {string[]} [inView] badges that lay there before, such as that of whoever just left: they do not count
   */
  constructor(video, { onBadge, onForeign, onTrouble, onFrame }, inView = []) {
    this.video = video;
    this.onBadge = onBadge;
    this.onForeign = onForeign;
    this.onTrouble = onTrouble;
    this.onFrame = onFrame;
    /** When a code was in view last, and when the box was asked last. */
    this.found_ms = 0;
    this.helped_ms = 0;
    /** Frames that the box had since, and whether it looks at one. */
    this.helps = 0;
    this.helping = false;
    /** @type {MediaStream | null} */
    this.stream = null;
    /** @type {"user" | "environment"} */
    this.facing = "user";
    this.running = false;
    /** Badges in view, and when each was seen last. @type {Map<string, number>} */
    this.seen = new Map(inView.map((badge) => [badge, 0]));
    this.canvas = document.createElement("canvas");
    this.frames = 0;
  }

  /** Opens the camera and reads until {@link stop}. */
  async start() {
    if (this.running) return;
    if (!window.isSecureContext || !navigator.mediaDevices) return this.onTrouble("insecure");
    this.running = true;
    this.found_ms = performance.now();
    this.helps = 0;
    for (const badge of this.seen.keys()) this.seen.set(badge, performance.now());
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: this.facing, width: { ideal: FRAME.width }, height: { ideal: FRAME.height }, frameRate: { ideal: 10 } },
      });
      if (!this.running) return stream.getTracks().forEach((t) => t.stop());
      this.stream = stream;
      this.video.srcObject = stream;
      this.video.classList.toggle("mirror", this.facing === "user");
      await this.video.play();
      void this.#loop(stream);
    } catch (cause) {
      this.stop();
      this.onTrouble(troubleOf(cause));
    }
  }

  /** Closes the camera. */
  stop() {
    this.running = false;
    this.stream?.getTracks().forEach((t) => t.stop());
    this.stream = null;
    this.video.srcObject = null;
  }

  /** The other camera of the tablet. */
  async turn() {
    this.stop();
    this.facing = this.facing === "user" ? "environment" : "user";
    await this.start();
  }

  /** Badges that lie before the camera. */
  get inView() {
    return [...this.seen.keys()];
  }

  /** Reads as long as this picture lasts. @param {MediaStream} stream */
  async #loop(stream) {
    while (this.stream === stream) {
      const began = performance.now();
      const texts = await this.#read();
      const badges = texts.filter((text) => BADGE.test(text));
      const others = await Promise.all(texts.filter((text) => !BADGE.test(text)).map(foreignCode));
      if (texts.length > 0) {
        this.found_ms = performance.now();
        this.helps = 0;
      } else {
        // The page reads on meanwhile.
        void this.#help(stream);
      }
      if (this.stream === stream) this.#saw(badges, others);
      const pause_ms = Math.max(PAUSE_MS, performance.now() - began);
      await new Promise((go) => setTimeout(go, pause_ms));
    }
  }

  /** @param {string[]} badges @param {string[]} others */
  #saw(badges, others) {
    const now = performance.now();
    for (const [badge, at] of this.seen) if (now - at >= AWAY_MS) this.seen.delete(badge);
    const fresh = badges.filter((badge) => !this.seen.has(badge));
    for (const badge of badges) this.seen.set(badge, now);
    for (const badge of fresh) this.onBadge(badge);
    if (others.length > 0 && badges.length === 0) this.onForeign(others);
  }

  /** @returns {Promise<string[]>} */
  async #read() {
    if (this.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || this.video.videoWidth === 0) return [];
    this.frames += 1;
    const native = await nativeReader();
    if (native && (this.frames < NATIVE_ALONE_COUNT || this.frames % 2 === 0)) {
      try {
        return (await native.detect(this.video)).map((found) => found.rawValue);
      } catch {
        nativeFailed();
      }
    }
    const image = this.#frame();
    const texts = image ? await decode(image) : [];
    if (workerBroken && !reader && !this.onFrame) {
      this.stop();
      this.onTrouble("broken");
    }
    return texts;
  }

  /** The box's help, where the page cannot read or found nothing for a while. @param {MediaStream} stream */
  async #help(stream) {
    const now = performance.now();
    const cannot = workerBroken && !reader;
    if (!this.onFrame || this.helping || now - this.helped_ms < HELP_EVERY_MS || (!cannot && (now - this.found_ms < HELP_AFTER_MS || this.helps >= HELP_COUNT))) return;
    if (this.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || this.video.videoWidth === 0) return;
    this.helped_ms = now;
    this.helps += 1;
    const image = this.#frame();
    if (!image) return;
    const greys = new Uint8Array(image.width * image.height);
    for (let at = 0; at < greys.length; at += 1) {
      const [red, green, blue] = [image.data[4 * at] ?? 0, image.data[4 * at + 1] ?? 0, image.data[4 * at + 2] ?? 0];
      greys[at] = (red + 2 * green + blue) / 4;
    }
    this.helping = true;
    const help = await this.onFrame(greys, image.width, image.height).catch(() => null);
    this.helping = false;
    if (help && this.stream === stream) this.#saw(help.badges, help.others);
  }

  /** @returns {ImageData | null} */
  #frame() {
    const scale = Math.min(1, FRAME.width / this.video.videoWidth);
    this.canvas.width = Math.round(this.video.videoWidth * scale);
    this.canvas.height = Math.round(this.video.videoHeight * scale);
    const brush = this.canvas.getContext("2d", { willReadFrequently: true });
    if (!brush) return null;
    brush.drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    return brush.getImageData(0, 0, this.canvas.width, this.canvas.height);
  }
}

/** @param {unknown} cause @returns {Trouble} */
function troubleOf(cause) {
  const name = cause instanceof Error || cause instanceof DOMException ? cause.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "refused";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "none";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  return "broken";
}

/** @type {{ detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]> } | null | undefined} */
let reader;
let failures = 0;

async function nativeReader() {
  if (reader !== undefined) return reader;
  reader = null;
  const Detector = /** @type {any} */ (window).BarcodeDetector;
  try {
    if (Detector && (await Detector.getSupportedFormats()).includes("qr_code")) reader = new Detector({ formats: ["qr_code"] });
  } catch {
    reader = null;
  }
  return reader;
}

function nativeFailed() {
  failures += 1;
  if (failures >= NATIVE_FAILURES_COUNT) reader = null;
}

/** @type {Worker | null} */
let worker = null;
/** Our reader did not start; the browser's, if any, is all there is. */
let workerBroken = false;
/** Who waits for the worker, which answers in turn. @type {((texts: string[]) => void)[]} */
const waiting = [];

function giveUp() {
  workerBroken = true;
  for (const go of waiting.splice(0)) go([]);
}

/** @param {ImageData} image @returns {Promise<string[]>} */
function decode(image) {
  if (workerBroken) return Promise.resolve([]);
  if (!worker) {
    worker = new Worker(new URL("./decode.js", import.meta.url), { type: "module" });
    worker.onmessage = (message) => {
      if ("texts" in message.data) waiting.shift()?.(message.data.texts);
      if ("broken" in message.data) giveUp();
    };
    worker.onerror = giveUp;
  }
  const busy = worker;
  return new Promise((done) => {
    waiting.push(done);
    busy.postMessage({ pixels: image.data.buffer, width: image.width, height: image.height }, [image.data.buffer]);
  });
}
