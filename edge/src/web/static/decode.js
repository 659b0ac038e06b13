// A worker that reads QR codes out of frames. Frames live in memory only, for one reading.

import { relieve } from "./relief.js";
import { prepareZXingModule, readBarcodes } from "./vendor/zxing-wasm/reader/index.js";

const WASM = new URL("./vendor/zxing-wasm/reader/zxing_reader.wasm", import.meta.url).href;
/** A badge is found among so many other codes on a table. */
const MAX_CODES = 16;
/** Model 2 alone: in a glare, one corner of a badge can be taken for a whole Micro QR code that says something else. */
const OPTIONS = /** @type {any} */ ({ formats: ["QRCodeModel2"], tryHarder: true, tryInvert: false, maxNumberOfSymbols: MAX_CODES, textMode: "Plain" });

const ready = prepareZXingModule({
  overrides: { locateFile: (/** @type {string} */ name, /** @type {string} */ prefix) => (name.endsWith(".wasm") ? WASM : prefix + name) },
  fireImmediately: true,
});

ready.then(
  () => postMessage({ ready: true }),
  (/** @type {unknown} */ cause) => postMessage({ broken: String(cause) }),
);

/** Every other frame is read as a relief: glare and noise need it, and codes very near or far are read without. */
let asRelief = false;

onmessage = async (message) => {
  const { pixels, width, height } = message.data;
  try {
    const image = new ImageData(new Uint8ClampedArray(pixels), width, height);
    if (asRelief) relieve(image);
    asRelief = !asRelief;
    const found = await readBarcodes(image, OPTIONS);
    postMessage({ texts: found.filter((f) => f.isValid).map((f) => f.text) });
  } catch {
    postMessage({ texts: [] });
  }
};
