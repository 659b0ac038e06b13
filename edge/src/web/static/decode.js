// A worker that reads QR codes out of frames. Frames live in memory only, for one reading.

import { prepareZXingModule, readBarcodes } from "./vendor/zxing-wasm/reader/index.js";

const WASM = new URL("./vendor/zxing-wasm/reader/zxing_reader.wasm", import.meta.url).href;
const OPTIONS = /** @type {any} */ ({ formats: ["QRCode"], tryHarder: true, tryInvert: false, maxNumberOfSymbols: 1, textMode: "Plain" });

const ready = prepareZXingModule({
  overrides: { locateFile: (/** @type {string} */ name, /** @type {string} */ prefix) => (name.endsWith(".wasm") ? WASM : prefix + name) },
  fireImmediately: true,
});

ready.then(
  () => postMessage({ ready: true }),
  (/** @type {unknown} */ cause) => postMessage({ broken: String(cause) }),
);

onmessage = async (message) => {
  const { pixels, width, height } = message.data;
  try {
    const found = await readBarcodes(new ImageData(new Uint8ClampedArray(pixels), width, height), OPTIONS);
    postMessage({ text: found.find((f) => f.isValid)?.text ?? null });
  } catch {
    postMessage({ text: null });
  }
};
