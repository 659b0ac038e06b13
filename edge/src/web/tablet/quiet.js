// The teacher silences the tablets of her class, and gives the sound back; heard as it happens, in the box's events.

import { listen } from "../static/live.js";
import { Problem, read } from "../static/problem.js";
import { Mute } from "./mute.js";

const PATH = "/api/v1/events";
/** A proof is made again so often with a fresh nonce. */
const PROOFS_COUNT = 3;

export class Quiet {
  /**
   * @param {{ sign: HTMLElement, prove: (method: string, path: string) => Promise<Record<string, string>>, heard: (nonce: string | null) => void, now: boolean, onChange: (quiet: boolean) => void }} how
   * `sign` shows that it is so; `now` is what the session was opened with; `onChange` tells what stands in a frame
   */
  constructor({ sign, prove, heard, now, onChange }) {
    this.sign = sign;
    this.prove = prove;
    this.heard = heard;
    this.onChange = onChange;
    this.on = now;
    this.mute = new Mute();
    this.stop = new AbortController();
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
    this.on = quiet;
    this.sign.hidden = !quiet;
    this.mute.set(quiet);
    this.onChange(quiet);
  }

  end() {
    this.stop.abort();
    this.mute.end();
    this.sign.hidden = true;
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
