// The teacher silences the tablets of her class, and gives the sound back; heard as it happens, in the box's events.

import { listen } from "../static/live.js";
import { Problem, read } from "../static/problem.js";
import { hush } from "./voice.js";

const PATH = "/api/v1/events";
const PAGE = document.documentElement;
/** A proof is made again so often with a fresh nonce. */
const PROOFS_COUNT = 3;

export class Quiet {
  /**
   * @param {{ sign: HTMLElement, prove: (method: string, path: string) => Promise<Record<string, string>>, heard: (nonce: string | null) => void, now: boolean }} how
   * `sign` shows that it is so; `now` is what the session was opened with
   */
  constructor({ sign, prove, heard, now }) {
    this.sign = sign;
    this.prove = prove;
    this.heard = heard;
    this.stop = new AbortController();
    /** What plays without being heard, to be heard again. @type {Set<HTMLMediaElement>} */
    this.muted = new Set();
    document.addEventListener("play", (event) => PAGE.hasAttribute("data-quiet") && this.#mute(event.target), { capture: true, signal: this.stop.signal });
    this.set(now);
    void listen({
      stop: this.stop.signal,
      call: (signal) => this.#call(signal),
      onEvent: (_, data) => typeof data?.quiet === "boolean" && this.set(data.quiet),
      onFlow: () => {},
    });
  }

  /** @param {boolean} quiet */
  set(quiet) {
    PAGE.toggleAttribute("data-quiet", quiet);
    this.sign.hidden = !quiet;
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

  /** @param {AbortSignal} signal */
  async #call(signal) {
    for (let left = PROOFS_COUNT; ; left -= 1) {
      const response = await fetch(PATH, { headers: { Accept: "text/event-stream", ...(await this.prove("GET", PATH)) }, cache: "no-store", signal });
      this.heard(response.headers.get("DPoP-Nonce"));
      if (response.ok) return response;
      const problem = await read(response).catch((cause) => cause);
      if (!(problem instanceof Problem) || problem.code !== "use_dpop_nonce" || left <= 1) return response;
    }
  }
}
