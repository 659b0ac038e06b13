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

/** @param {ImageData} image */
async function textsIn(image) {
  const found = await readBarcodes(image, OPTIONS);
  return found.filter((f) => f.isValid).map((f) => f.text);
}

onmessage = async (message) => {
  const { pixels, width, height } = message.data;
  try {
    const image = new ImageData(new Uint8ClampedArray(pixels), width, height);
    let texts = await textsIn(image);
    if (texts.length === 0) {
      relieve(image);
      texts = await textsIn(image);
    }
    postMessage({ texts });
  } catch {
    postMessage({ texts: [] });
  }
};
