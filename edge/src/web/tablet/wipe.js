// What this page can clear between two pupils, told step by step and truthfully: a step that a web page cannot do is
// `unsupported`, and the box decides what that means for this tablet.

import { SHELL, SHELL_WORKER } from "../static/shell.js";
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
  // What ran on hosts of their own no later page can read; here it is cleared as well, as soon as the box answers.
  await import("./hosts.js").then(({ clearHosts }) => clearHosts()).catch(() => undefined);
  sessionStorage.clear();
  localStorage.clear();
  for (const cookie of document.cookie.split(";")) {
    const name = cookie.split("=")[0]?.trim();
    if (name) document.cookie = `${name}=; Max-Age=0; Path=/; Secure; SameSite=Strict`;
  }
  if ("caches" in window) for (const name of await caches.keys()) if (!name.startsWith(SHELL)) await caches.delete(name);
  for (const name of await otherDatabases()) await erased(name);
  for (const worker of await workers()) await worker.unregister();
  const folder = await ownFolder();
  for (const name of await files(folder)) await folder?.removeEntry(name, { recursive: true });
  const left = [localStorage, sessionStorage, document.cookie, await otherDatabases(), await workers(), await files(folder)];
  return left.every((kept) => kept.length === 0) ? "done" : "failed";
}

async function otherDatabases() {
  const names = ((await indexedDB.databases?.()) ?? []).map((database) => database.name ?? "");
  return names.filter((name) => name !== KEPT_DATABASE);
}

/** Service workers but the shell's own. Where a browser has none, or refuses them, there are none to end. */
async function workers() {
  const all = (await navigator.serviceWorker?.getRegistrations().catch(() => [])) ?? [];
  return all.filter(({ installing, waiting, active }) => new URL((active ?? waiting ?? installing)?.scriptURL ?? location.href).pathname !== SHELL_WORKER);
}

/** The page's folder of files, under the same rule. @returns {Promise<any>} */
async function ownFolder() {
  return navigator.storage?.getDirectory?.().catch(() => undefined);
}

/** @param {any} folder */
async function files(folder) {
  /** @type {string[]} */
  const names = [];
  if (folder) for await (const name of folder.keys()) names.push(name);
  return names;
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
