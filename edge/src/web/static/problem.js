// What the box answers when it does not say yes, and what it means when it says nothing.

/** The box could not be reached. */
export class Unreachable extends Error {}

/** A refusal or a failure, as the box words it (RFC 9457). */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {Record<string, any>} body
   */
  constructor(status, body) {
    super(String(body.title ?? ""));
    this.status = status;
    /** @type {string} */
    this.code = String(body.code ?? "");
    /** @type {string} */
    this.sentence = String(body.title ?? "");
    /** @type {string} */
    this.next = String(body.next ?? "");
    /** @type {Record<string, any>} */
    this.body = body;
  }
}

const WAIT_MS = 10_000;

/**
 * One request. Answers with the response whatever its status.
 * @param {string} method
 * @param {string} path
 * @param {Record<string, string>} headers
 * @param {unknown} [body] bytes go as they are, anything else as JSON
 * @param {number} [wait_ms] how long an answer may take
 * @returns {Promise<Response>}
 */
export async function send(method, path, headers, body, wait_ms = WAIT_MS) {
  const patience = new AbortController();
  const bell = setTimeout(() => patience.abort(), wait_ms);
  /** @type {Record<string, string>} */
  const all = { Accept: "application/json", "Accept-Language": document.documentElement.lang, ...headers };
  const bytes = body instanceof Uint8Array;
  if (body !== undefined) all["Content-Type"] = bytes ? "application/octet-stream" : "application/json";
  try {
    return await fetch(path, {
      method,
      headers: all,
      body: body === undefined ? undefined : bytes ? /** @type {BodyInit} */ (body) : JSON.stringify(body),
      cache: "no-store",
      credentials: "same-origin",
      signal: patience.signal,
    });
  } catch (cause) {
    throw new Unreachable(String(cause));
  } finally {
    clearTimeout(bell);
  }
}

/**
 * The body of an answer, or its problem.
 * @param {Response} response
 * @returns {Promise<any>} null for an empty answer
 */
export async function read(response) {
  let body = null;
  try {
    const text = await response.text();
    body = text === "" ? null : JSON.parse(text);
  } catch (cause) {
    if (response.ok) throw new Unreachable(String(cause));
  }
  if (response.ok) return body;
  throw new Problem(response.status, body ?? {});
}
