// The camera, read in the page: an image of a child never leaves the tablet.
//
// The browser's own reader is used where there is one; it may need a download that a school without Internet cannot
// make, so after some failures ours takes over.

const FRAME = { width: 640, height: 480 };
/** A pause between two readings: a slow tablet keeps half of its time for the screen. */
const PAUSE_MS = 120;
/** A badge must have been out of sight for so long before it counts again. */
const SAME_BADGE_MS = 4_000;
/** So many failures of the browser's reader, and ours takes over. */
const NATIVE_FAILURES_COUNT = 3;
/** So many frames with the browser's reader before ours takes turns with it. */
const NATIVE_ALONE_COUNT = 40;

/** @typedef {"insecure" | "none" | "refused" | "busy" | "broken"} Trouble */

/** A camera that hands over what it reads. */
export class Scanner {
  /**
   * @param {HTMLVideoElement} video
   * @param {(text: string) => void} onRead
   * @param {(trouble: Trouble) => void} onTrouble
   * @param {string} [seen] the badge of whoever just left: lying in view, it does not count
   */
  constructor(video, onRead, onTrouble, seen = "") {
    this.video = video;
    this.onRead = onRead;
    this.onTrouble = onTrouble;
    /** @type {MediaStream | null} */
    this.stream = null;
    /** @type {"user" | "environment"} */
    this.facing = "user";
    this.running = false;
    this.last = { text: seen, at: performance.now() };
    this.canvas = document.createElement("canvas");
    this.frames = 0;
  }

  /** Opens the camera and reads until {@link stop}. */
  async start() {
    if (this.running) return;
    if (!window.isSecureContext || !navigator.mediaDevices) return this.onTrouble("insecure");
    this.running = true;
    this.last.at = performance.now();
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
    } catch (cause) {
      this.stop();
      return this.onTrouble(troubleOf(cause));
    }
    this.#loop();
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

  async #loop() {
    while (this.running) {
      const text = await this.#read();
      if (text && this.running) this.#found(text);
      else if (performance.now() - this.last.at >= SAME_BADGE_MS) this.last.text = "";
      await new Promise((go) => setTimeout(go, PAUSE_MS));
    }
  }

  /** @param {string} text */
  #found(text) {
    const again = text === this.last.text;
    this.last = { text, at: performance.now() };
    if (!again) this.onRead(text);
  }

  /** @returns {Promise<string | null>} */
  async #read() {
    if (this.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || this.video.videoWidth === 0) return null;
    this.frames += 1;
    const native = await nativeReader();
    if (native && (this.frames < NATIVE_ALONE_COUNT || this.frames % 2 === 0)) {
      try {
        const found = await native.detect(this.video);
        return found[0]?.rawValue ?? null;
      } catch {
        nativeFailed();
      }
    }
    const image = this.#frame();
    const text = image && (await decode(image));
    if (workerBroken && !reader) {
      this.stop();
      this.onTrouble("broken");
    }
    return text;
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
/** @type {((text: string | null) => void) | null} */
let waiting = null;

/** @param {string | null} text */
function answer(text) {
  waiting?.(text);
  waiting = null;
}

/** @param {ImageData} image @returns {Promise<string | null>} */
function decode(image) {
  if (workerBroken) return Promise.resolve(null);
  if (!worker) {
    worker = new Worker(new URL("./decode.js", import.meta.url), { type: "module" });
    worker.onmessage = (message) => {
      if ("broken" in message.data) workerBroken = true;
      if ("broken" in message.data || "text" in message.data) answer(message.data.text ?? null);
    };
    worker.onerror = () => {
      workerBroken = true;
      answer(null);
    };
  }
  const busy = worker;
  return new Promise((done) => {
    waiting = done;
    busy.postMessage({ pixels: image.data.buffer, width: image.width, height: image.height }, [image.data.buffer]);
  });
}
