// Requests of somebody of the staff: the session is a cookie that this page cannot read.

import { read, send } from "../static/problem.js";

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
export async function ask(method, path, body) {
  return read(await send(method, path, {}, body));
}
