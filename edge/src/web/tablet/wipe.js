// What this page can clear between two pupils, told step by step and truthfully: a step that a web page cannot do is
// `unsupported`, and the box decides what that means for this tablet.

import { SHELL } from "../static/shell.js";
import { KEPT_DATABASE } from "./keep.js";
import { closeAll } from "./pages.js";

/** @typedef {"done" | "failed" | "unsupported"} Outcome */

/** A browser needs a moment to close a page. */
const CLOSING_MS = 2_000;

/** @param {() => boolean} holds @param {number} within_ms */
async function until(holds, within_ms) {
  const end = performance.now() + within_ms;
  while (!holds() && performance.now() < end) await new Promise((go) => setTimeout(go, 50));
  return holds();
}

/** @returns {Promise<Outcome>} */
async function pages() {
  return (await closeAll((holds) => until(holds, CLOSING_MS))) ? "done" : "failed";
}

/** @returns {Promise<Outcome>} */
async function storage() {
  sessionStorage.clear();
  localStorage.clear();
  for (const cookie of document.cookie.split(";")) {
    const name = cookie.split("=")[0]?.trim();
    if (name) document.cookie = `${name}=; Max-Age=0; Path=/; Secure; SameSite=Strict`;
  }
  if ("caches" in window) for (const name of await caches.keys()) if (!name.startsWith(SHELL)) await caches.delete(name);
  const databases = (await indexedDB.databases?.()) ?? [];
  for (const { name } of databases) if (name && name !== KEPT_DATABASE) await erased(name);
  const left = ((await indexedDB.databases?.()) ?? []).filter((d) => d.name !== KEPT_DATABASE);
  const clean = localStorage.length === 0 && sessionStorage.length === 0 && document.cookie === "" && left.length === 0;
  return clean ? "done" : "failed";
}

/** @param {string} name @returns {Promise<void>} */
function erased(name) {
  return new Promise((done) => {
    const asked = indexedDB.deleteDatabase(name);
    asked.onsuccess = asked.onerror = asked.onblocked = () => done();
  });
}

/**
 * Browsers let only the page in front write there, and some only while it is touched: after a session that was ended from
 * elsewhere it may be out of reach.
 * @returns {Promise<Outcome>}
 */
async function clipboard() {
  if (!navigator.clipboard) return "unsupported";
  await until(() => document.hasFocus(), CLOSING_MS);
  return navigator.clipboard.writeText("").then(
    () => "done",
    () => "unsupported",
  );
}

/** @type {Record<string, () => Promise<Outcome>>} */
const STEPS = { pages, storage, clipboard };

/**
 * What this tablet can always clear, told at its enrolment. The clipboard is cleared when the browser allows it; a web
 * page reaches no downloads, an agent of the tablet does.
 */
export const CAPABILITIES = ["pages", "storage"];

/**
 * Does the steps of an order, in its order.
 * @param {{ name: string }[]} steps
 * @returns {Promise<{ name: string, outcome: Outcome }[]>}
 */
export async function wipe(steps) {
  const report = [];
  for (const { name } of steps) {
    const act = STEPS[name];
    /** @type {Outcome} */
    let outcome = "unsupported";
    if (act) outcome = await act().catch(() => /** @type {Outcome} */ ("failed"));
    report.push({ name, outcome });
  }
  return report;
}
