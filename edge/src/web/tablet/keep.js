// What stays on the tablet across pupils: its key, which cannot leave it, its own token, and what it needs in a time without
// the box. Nothing about anybody.

const NAME = "preau-tablet";
const SHELF = "kept";

/**
 * @typedef {{ key: CryptoKeyPair, token: string, tabletId: string, name: string }} Kept
 */

/** Name of the only database that a wipe leaves alone. */
export const KEPT_DATABASE = NAME;

/** @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((done, fail) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(SHELF);
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => fail(asked.error);
    asked.onblocked = () => fail(new Error("blocked"));
  });
}

/**
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(shelf: IDBObjectStore) => IDBRequest<T>} act
 * @returns {Promise<T>}
 */
async function within(mode, act) {
  const database = await open();
  try {
    return await new Promise((done, fail) => {
      const transaction = database.transaction(SHELF, mode);
      const asked = act(transaction.objectStore(SHELF));
      transaction.oncomplete = () => done(asked.result);
      transaction.onerror = transaction.onabort = () => fail(transaction.error);
    });
  } finally {
    database.close();
  }
}

/** @returns {Promise<Kept | null>} */
export async function load() {
  return (await within("readonly", (shelf) => shelf.get("tablet"))) ?? null;
}

/** @param {Kept} kept */
export async function save(kept) {
  await within("readwrite", (shelf) => shelf.put(kept, "tablet"));
  // Asks the browser not to clear us when the disk runs short; a refusal changes nothing today.
  await navigator.storage?.persist?.().catch(() => false);
}

/** The box does not know this tablet any more: the next enrolment draws a new key. */
export async function forget() {
  await within("readwrite", (shelf) => shelf.clear());
}

/** What opens a guest's screen without the box: a verifier of the school's code, and documents of the tablet's last class. @typedef {{ number: number, salt: string, rounds: number, verifier: string, documents: import("./screens.js").Shortcut[] }} Kit */
/** A stay of nobody known that the box has not heard of. @typedef {{ stay_id: string, lasted_s: number }} Note */

/** @returns {Promise<Kit | null>} */
export async function loadKit() {
  return (await within("readonly", (shelf) => shelf.get("unplugged"))) ?? null;
}

/** @param {Kit} kit */
export async function saveKit(kit) {
  await within("readwrite", (shelf) => shelf.put(kit, "unplugged"));
}

/** @returns {Promise<Note[]>} */
export async function loadNotes() {
  return (await within("readonly", (shelf) => shelf.get("stays"))) ?? [];
}

/** @param {Note[]} notes */
export async function saveNotes(notes) {
  await within("readwrite", (shelf) => shelf.put(notes, "stays"));
}

/** Origins on which pages of sessions ran and that are still to be cleared (`hosts.js`). @returns {Promise<string[]>} */
export async function loadHosts() {
  return (await within("readonly", (shelf) => shelf.get("hosts"))) ?? [];
}

/** @param {string[]} origins */
export async function saveHosts(origins) {
  await within("readwrite", (shelf) => shelf.put(origins, "hosts"));
}

/** A new key. Its private half can sign and cannot be read, by this page either. */
export function drawKey() {
  const pair = crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
  return /** @type {Promise<CryptoKeyPair>} */ (pair);
}
