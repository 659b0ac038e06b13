// Silence in a page: nothing speaks, and whatever plays is not heard until the sound is given back.

import { hush } from "./voice.js";

const PAGE = document.documentElement;

export class Mute {
  constructor() {
    this.stop = new AbortController();
    /** What plays without being heard, to be heard again. @type {Set<HTMLMediaElement>} */
    this.muted = new Set();
    document.addEventListener("play", (event) => PAGE.hasAttribute("data-quiet") && this.#mute(event.target), { capture: true, signal: this.stop.signal });
  }

  /** @param {boolean} quiet */
  set(quiet) {
    PAGE.toggleAttribute("data-quiet", quiet);
    if (quiet) {
      hush();
      document.querySelectorAll("audio, video").forEach((media) => this.#mute(media));
    } else {
      this.muted.forEach((media) => (media.muted = false));
      this.muted.clear();
    }
  }

  end() {
    this.stop.abort();
    this.set(false);
  }

  /** @param {EventTarget | null} media */
  #mute(media) {
    if (!(media instanceof HTMLMediaElement) || media.muted) return;
    media.muted = true;
    this.muted.add(media);
  }
}
