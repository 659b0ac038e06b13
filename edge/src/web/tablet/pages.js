// Pages that this session opened beside this one.
//
// Only an opener can close a page of another site, so they keep theirs: a page of the last child left open is worse than
// an application of the catalogue that could send this page elsewhere.

/** @type {Set<Window>} */
const opened = new Set();
/** Marks, across a reload, that something was opened; it goes with the session. */
const MARK = "opened";
/** A page that covers this one so soon after a touch is the one that was asked for. */
const COVERS_MS = 5_000;
let openedAt = -Infinity;
/** The tablet's own camera or gallery is in front, because this page asked for a picture. */
let choosing = false;

/**
 * Opens an application or a link.
 * @param {string} url
 */
export function open(url) {
  const page = window.open(url, "_blank");
  if (!page) return;
  opened.add(page);
  openedAt = performance.now();
  sessionStorage.setItem(MARK, "yes");
}

/** The tablet's camera or gallery covers this page from now on, or no more. @param {boolean} covers */
export function away(covers) {
  choosing = covers;
}

/** Whether anything was opened in this session. */
export function any() {
  return opened.size > 0 || sessionStorage.getItem(MARK) !== null;
}

/**
 * Whether what covers this page now is a page that it opened. A site that isolates itself (Cross-Origin-Opener-Policy)
 * reads as closed to its opener although somebody works in it: coming right after the touch gives it away.
 */
export function cover() {
  return choosing || performance.now() - openedAt < COVERS_MS || [...opened].some((page) => !page.closed);
}

/** Closes them all. @param {(holds: () => boolean) => Promise<boolean>} wait @returns {Promise<boolean>} whether all are closed */
export async function closeAll(wait) {
  for (const page of opened) page.close();
  const closed = await wait(() => [...opened].every((page) => page.closed));
  if (closed) opened.clear();
  // What the next child's screen does has nothing to do with it.
  openedAt = -Infinity;
  choosing = false;
  return closed;
}
