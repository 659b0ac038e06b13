// The service worker: keeps the pages and their files of one version, so that a tablet that starts without a box says so
// in its own words. The box writes VERSION, FILES and PAGES before this text (`web/shell.rs`).
//
// It keeps the same on every tablet, whoever sat there: nothing is added by what somebody does. It never sees to an
// answer of the API.

const SHELL = "preau-shell-";
const SHELF = SHELL + VERSION;
/** A box that does not bring the page within this time is not waited for: the kept page asks on. */
const PATIENCE_MS = 3_000;

self.addEventListener("install", (event) => event.waitUntil(fill().then(() => self.skipWaiting())));
self.addEventListener("activate", (event) => event.waitUntil(clear().then(() => self.clients.claim())));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate" && Object.hasOwn(PAGES, pathname)) event.respondWith(page(event, PAGES[pathname]));
  else if (pathname.startsWith(`/static/${VERSION}/`)) event.respondWith(file(request));
});

/** A shelf is filled whole or not at all. */
async function fill() {
  const shelf = await caches.open(SHELF);
  await shelf.addAll(FILES.map((name) => `/static/${VERSION}/${name}`));
  for (const path of new Set(Object.values(PAGES))) {
    const answer = await fetch(path, { cache: "no-store", credentials: "omit" });
    if (!isOurs(answer)) throw new Error(`${path} is of another version`);
    await shelf.put(path, answer);
  }
}

/** Older versions go. */
async function clear() {
  for (const name of await caches.keys()) if (name.startsWith(SHELL) && name !== SHELF) await caches.delete(name);
}

/** @param {Response} answer */
function isOurs(answer) {
  return answer.ok && answer.headers.get("Preau-Page") === VERSION;
}

/** The box's page, or the kept one. */
async function page(event, path) {
  const shelf = await caches.open(SHELF);
  const fresh = fetch(event.request).then(async (answer) => {
    if (isOurs(answer)) await shelf.put(path, answer.clone());
    return answer;
  });
  event.waitUntil(fresh.catch(() => undefined));
  const late = new Promise((go) => setTimeout(go, PATIENCE_MS));
  const answer = await Promise.race([fresh, late]).catch(() => undefined);
  return answer ?? (await shelf.match(path)) ?? fresh;
}

async function file(request) {
  const shelf = await caches.open(SHELF);
  return (await shelf.match(request)) ?? fetch(request);
}
