// Kept works on their way between the tablet and its box: proved requests whose bodies and answers are bytes.

import { Problem, Unreachable, read } from "../static/problem.js";

const ADDRESS = "/api/v1/work";
/** A proof is made again so often with a fresh nonce. */
const PROOFS_COUNT = 3;
/** A case of fifteen tablets sends slowly. */
const WAIT_MS = 300_000;

/** @typedef {(part: number) => void} OnPart how much is gone, from 0 to 1 */

export class Courier {
  /** @param {{ prove: (method: string, path: string) => Promise<Record<string, string>>, heard: (nonce: string | null) => void }} how */
  constructor({ prove, heard }) {
    this.prove = prove;
    this.heard = heard;
    /** @type {Set<XMLHttpRequest>} */
    this.under = new Set();
  }

  /** Nothing more is carried. */
  end() {
    for (const asking of this.under) asking.abort();
  }

  /** All works of whoever sits here. */
  async works() {
    return JSON.parse(await (await this.#send("GET", ADDRESS)).text()).works;
  }

  /** @param {string} name */
  read(name) {
    return this.#send("GET", address(name));
  }

  /** @param {string} name @param {Blob} file @param {OnPart} onPart */
  keep(name, file, onPart) {
    return this.#send("PUT", address(name), file, onPart);
  }

  /** @param {string} name */
  remove(name) {
    return this.#send("DELETE", address(name));
  }

  /** @param {string} name */
  restore(name) {
    return this.#send("POST", `${address(name)}/restore`);
  }

  /**
   * @param {string} method @param {string} path @param {Blob} [file] @param {OnPart} [onPart]
   * @returns {Promise<Blob>}
   */
  async #send(method, path, file, onPart) {
    for (let left = PROOFS_COUNT; ; left -= 1) {
      const answer = await this.#once(method, path, await this.prove(method, path), file, onPart);
      try {
        if (!answer.ok) await read(answer);
        return await answer.blob();
      } catch (problem) {
        if (!(problem instanceof Problem) || problem.code !== "use_dpop_nonce" || left <= 1) throw problem;
      }
    }
  }

  /** @param {string} method @param {string} path @param {Record<string, string>} headers @param {Blob} [file] @param {OnPart} [onPart] @returns {Promise<Response>} */
  #once(method, path, headers, file, onPart) {
    return new Promise((answered, failed) => {
      const asking = new XMLHttpRequest();
      this.under.add(asking);
      asking.open(method, path);
      asking.responseType = "blob";
      asking.timeout = WAIT_MS;
      for (const [name, value] of Object.entries({ "Accept-Language": document.documentElement.lang, ...headers })) asking.setRequestHeader(name, value);
      if (file) asking.setRequestHeader("Content-Type", file.type || "application/octet-stream");
      asking.upload.onprogress = ({ loaded, total }) => total > 0 && onPart?.(loaded / total);
      asking.onload = () => {
        this.heard(asking.getResponseHeader("DPoP-Nonce"));
        answered(new Response(asking.status === 204 ? null : asking.response, { status: asking.status }));
      };
      asking.onerror = asking.onabort = asking.ontimeout = () => failed(new Unreachable("work"));
      asking.onloadend = () => this.under.delete(asking);
      asking.send(file ?? null);
    });
  }
}

/** @param {string} name */
function address(name) {
  return `${ADDRESS}/${encodeURIComponent(name)}`;
}
