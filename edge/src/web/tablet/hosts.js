// The hosts on which pages of sessions ran: each is noted before it is used, and forgotten when the browser has cleared it
// at the box's order. A power cut in between leaves the note, and the clearing is made up for; nobody waits for it, because
// no later child's page runs on that host.

import * as keep from "./keep.js";

/** How long the order may take; the box is in the same room. */
const WAIT_MS = 2_000;
/** Notes beyond are the oldest: their hosts are out of reach. */
const MAX_NOTES = 32;

/** The origin of a session's own page; null where the box has none, or was reached by another name. @param {{ host?: string }} session */
export function originOf({ host }) {
  const above = document.getElementById("screen")?.dataset.hosts;
  return above === location.hostname && /^[0-9a-f]{32}$/.test(host ?? "") ? `${location.protocol}//s-${host}.${location.host}` : null;
}

/** @param {string} origin */
export async function note(origin) {
  const noted = await keep.loadHosts();
  if (!noted.includes(origin)) await keep.saveHosts([...noted, origin].slice(-MAX_NOTES));
}

/** Has the browser clear all that are noted. Cookies of other names go too: nobody may be signed in. */
export async function clearHosts() {
  const noted = await keep.loadHosts();
  if (noted.length === 0) return;
  const cleared = await Promise.all(noted.map(isCleared));
  await keep.saveHosts((await keep.loadHosts()).filter((origin) => !noted.some((past, at) => past === origin && cleared[at])));
}

/** @param {string} origin */
async function isCleared(origin) {
  const patience = new AbortController();
  const bell = setTimeout(() => patience.abort(), WAIT_MS);
  const answer = await fetch(`${origin}/clear`, { credentials: "include", cache: "no-store", signal: patience.signal }).catch(() => null);
  clearTimeout(bell);
  return answer?.ok === true;
}
