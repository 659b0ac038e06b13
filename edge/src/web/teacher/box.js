// Requests of somebody of the staff: the session is a cookie that this page cannot read.

import { Problem, read, send } from "../static/problem.js";
import * as dialogs from "./dialogs.js";

/** A school's badges take a box so long to draw and to lay out. */
const PRINT_MS = 120_000;

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
export async function ask(method, path, body) {
  return read(await send(method, path, {}, body));
}

/**
 * Badges on paper. The browser keeps or prints the file; it is told this once.
 * @param {Record<string, unknown>} what
 */
export async function print(what) {
  const response = await paper("/api/v1/badges", what, "badges.pdf");
  return Number(response.headers.get("Preau-Badges"));
}

/**
 * A PDF, which the browser keeps or prints.
 * @param {string} path
 * @param {unknown} what
 * @param {string} name of the file
 * @returns {Promise<Response>}
 */
export async function paper(path, what, name) {
  const response = await send("POST", path, { Accept: "application/pdf" }, what, PRINT_MS);
  if (!response.ok) return read(response);
  const file = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = file;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(file), PRINT_MS);
  return response;
}

/**
 * Something weighty: the second factor is asked for again where the box wants it. Null when nobody gave it.
 * @template T
 * @param {(proof: { second_factor?: string }) => Promise<T>} act
 * @returns {Promise<T | null>}
 */
export async function proved(act) {
  /** @type {{ second_factor?: string }} */
  let proof = {};
  for (;;) {
    try {
      return await act(proof);
    } catch (cause) {
      if (!(cause instanceof Problem) || cause.code !== "second_factor_required") throw cause;
    }
    const pin = await dialogs.askPin();
    if (pin === null) return null;
    proof = { second_factor: pin };
  }
}
