// What the page of a session may ask of the tablet's page around it: a closed list. A message is read whole, or it is none.

/** Shelves of the environment. @typedef {"apps" | "documents" | "links"} Shelf */
/**
 * @typedef {{ ask: "works", id: number } | { ask: "read" | "remove" | "restore", id: number, name: string }
 *   | { ask: "keep", id: number, name: string, file: Blob } | { ask: "open", shelf: Shelf, at: number }
 *   | { ask: "choosing" | "playing", on: boolean } | { ask: "here" }} Asked
 */

/** What the box takes, in bytes. */
export const MAX_BYTES = 10 * 1024 * 1024;
/** Longer names the box refuses in any case, in characters. */
const MAX_NAME_CHARS = 200;

/** @param {unknown} message whatever came @returns {Asked | null} */
export function asked(message) {
  if (typeof message !== "object" || message === null) return null;
  const { ask, id, name, file, shelf, at, on } = /** @type {Record<string, unknown>} */ (message);
  const numbered = isCount(id) ? id : null;
  const named = typeof name === "string" && name.length > 0 && name.length <= MAX_NAME_CHARS ? name : null;
  switch (ask) {
    case "works":
      return numbered === null ? null : { ask, id: numbered };
    case "read":
    case "remove":
    case "restore":
      return numbered === null || named === null ? null : { ask, id: numbered, name: named };
    case "keep":
      return numbered === null || named === null || !(file instanceof Blob) || file.size > MAX_BYTES ? null : { ask, id: numbered, name: named, file };
    case "open":
      return (shelf === "apps" || shelf === "documents" || shelf === "links") && isCount(at) ? { ask, shelf, at } : null;
    case "choosing":
    case "playing":
      return typeof on === "boolean" ? { ask, on } : null;
    case "here":
      return { ask };
    default:
      return null;
  }
}

/** @param {unknown} value @returns {value is number} */
function isCount(value) {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
