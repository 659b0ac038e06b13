// The sentences of this page, in each language, as the box wrote them into it.

/** @type {Record<string, Record<string, string>>} */
const WORDS = JSON.parse(document.getElementById("words")?.textContent ?? "{}");
const PAGE = document.documentElement;
/** The language that the page came in. */
const FIRST = PAGE.lang;

/**
 * The sentence of a key, with its arguments filled in.
 * @param {string} key
 * @param {Record<string, string | number>} [args]
 * @returns {string}
 */
export function say(key, args = {}) {
  const sentence = WORDS[PAGE.lang]?.[key] ?? key;
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in args ? String(args[name]) : whole));
}

/** Goes on in another language, if there is one of that name; in the page's own without a name. @param {string} [lang] */
export function speak(lang) {
  PAGE.lang = lang !== undefined && lang in WORDS ? lang : FIRST;
}
