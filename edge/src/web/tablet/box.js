// Requests to the box, each proved with the tablet's key (DPoP, RFC 9449).

import { Problem, read, send } from "../static/problem.js";

const UTF8 = new TextEncoder();
/** A proof is made again so often with a fresh nonce before the refusal is shown. */
const PROOFS_COUNT = 3;

/** @param {Uint8Array} bytes */
function base64url(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** @param {unknown} value */
const part = (value) => base64url(UTF8.encode(JSON.stringify(value)));

/** @param {string} text */
async function hash(text) {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", UTF8.encode(text))));
}

/** The public half of a key, as the box reads it. @param {CryptoKeyPair} key */
export async function publicKey(key) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", key.publicKey);
  return { kty, crv, x, y };
}

/** The box, as this tablet speaks to it. */
export class Box {
  /** @param {CryptoKeyPair} key @param {() => void} answered called at each answer, whatever it says */
  constructor(key, answered) {
    this.key = key;
    this.answered = answered;
    this.jwk = publicKey(key);
    /** @type {string | null} */
    this.nonce = null;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {string | null} token
   * @param {unknown} [body]
   * @returns {Promise<any>}
   */
  async ask(method, path, token, body) {
    for (let left = PROOFS_COUNT; ; left -= 1) {
      const response = await send(method, path, await this.proved(method, path, token), body);
      this.heard(response.headers.get("DPoP-Nonce"));
      try {
        return await read(response);
      } catch (problem) {
        if (!(problem instanceof Problem) || problem.code !== "use_dpop_nonce" || left <= 1) throw problem;
      }
    }
  }

  /** The headers that prove a request. @param {string} method @param {string} path @param {string | null} token */
  async proved(method, path, token) {
    /** @type {Record<string, string>} */
    const headers = { DPoP: await this.#proof(method, path, token) };
    if (token) headers.Authorization = `DPoP ${token}`;
    return headers;
  }

  /** An answer came, and said which nonce the next proof carries. @param {string | null} nonce */
  heard(nonce) {
    this.answered();
    this.nonce = nonce ?? this.nonce;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {string | null} token
   */
  async #proof(method, path, token) {
    const url = new URL(path, location.origin);
    /** @type {Record<string, unknown>} */
    const claims = {
      htm: method,
      htu: url.origin + url.pathname,
      jti: base64url(crypto.getRandomValues(new Uint8Array(16))),
      iat: Math.floor(Date.now() / 1000),
    };
    if (this.nonce) claims.nonce = this.nonce;
    if (token) claims.ath = await hash(token);
    const signed = `${part({ typ: "dpop+jwt", alg: "ES256", jwk: await this.jwk })}.${part(claims)}`;
    const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, this.key.privateKey, UTF8.encode(signed));
    return `${signed}.${base64url(new Uint8Array(signature))}`;
  }
}
