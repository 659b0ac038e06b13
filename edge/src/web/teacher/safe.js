// The envelope of the safe: a head who forgot her code chooses another, standing at the box.

import { Problem, Unreachable } from "../static/problem.js";
import { say } from "../static/words.js";
import { ask } from "./box.js";
import * as dialogs from "./dialogs.js";
import * as secrets from "./secrets.js";

/** The box is asked so often whether its plug was put in. */
const LOOK_MS = 3_000;

/** @typedef {{ there: boolean, opens_for_s: number | null }} Safe */

/** Whether a code waits in the safe; where the box cannot say, it is not offered. @returns {Promise<boolean>} */
export async function offered() {
  try {
    return (await ask("GET", "/api/v1/safe-code")).there;
  } catch (cause) {
    if (cause instanceof Problem || cause instanceof Unreachable) return false;
    throw cause;
  }
}

/**
 * Asks for the code until it opens, or she gives up; true when she is in.
 * @param {(problem: Problem) => [string, string]} inWords
 * @returns {Promise<boolean>}
 */
export async function enter(inWords) {
  let refused = "";
  for (;;) {
    const code = await dialogs.askSafeCode(refused, (told) => follow(told));
    if (code === null) return false;
    try {
      return (await secrets.chosen((own) => ask("POST", "/api/v1/safe-code", { code, ...own }))) !== null;
    } catch (cause) {
      if (cause instanceof Unreachable) refused = say("teacher-safe-silent");
      else if (cause instanceof Problem) refused = cause.code === "locked_out" ? say("teacher-safe-wait") : inWords(cause).join(" ").trim();
      else throw cause;
    }
  }
}

/**
 * Tells how the box stands, now and again; gives what ends it.
 * @param {(sentence: string, open: boolean) => void} told
 * @returns {() => void}
 */
function follow(told) {
  let over = false;
  const look = async () => {
    try {
      /** @type {Safe} */
      const { opens_for_s: left } = await ask("GET", "/api/v1/safe-code");
      if (!over) told(left ? say("teacher-safe-open", { minutes: Math.max(1, Math.floor(left / 60)) }) : say("teacher-safe-closed"), Boolean(left));
    } catch (cause) {
      if (!over) told(say("teacher-safe-silent"), false);
    }
    if (!over) setTimeout(() => void look(), LOOK_MS);
  };
  void look();
  return () => (over = true);
}

/** @typedef {{ number: string, given_name: string, at_ms: number | null }} Used */

/** The uses that she was not told of yet. @returns {Promise<Used[]>} */
export function unseen() {
  return ask("GET", "/api/v1/safe-code/uses");
}

/** She says that she saw it. @param {Used} used */
export function saw({ number }) {
  return ask("POST", `/api/v1/safe-code/uses/${number}/seen`);
}
