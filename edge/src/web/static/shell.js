// The page, kept by the browser so that it opens without a box (`sw.js` keeps it).

/** How the caches of the shell are named; a wipe leaves them alone, for they hold what every tablet holds. */
export const SHELL = "preau-shell-";
/** What keeps it. */
export const SHELL_WORKER = "/sw.js";

/** Asks the browser to keep it. One that cannot goes on without. */
export function keepShell() {
  navigator.serviceWorker?.register(SHELL_WORKER, { scope: "/", updateViaCache: "none" }).catch(() => undefined);
}
