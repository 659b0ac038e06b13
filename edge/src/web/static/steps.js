// The steps of a wipe, in words.

import { say } from "./words.js";

/** @param {string[]} names @returns {string} */
export function inWords(names) {
  /** @type {Record<string, string>} */
  const words = {
    pages: say("step-pages"),
    storage: say("step-storage"),
    downloads: say("step-downloads"),
    clipboard: say("step-clipboard"),
    camera: say("step-camera"),
    apps: say("step-apps"),
  };
  return names.map((name) => words[name] ?? name).join(", ");
}
