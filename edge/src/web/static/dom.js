// Small makers of elements: text is always text, never markup.

const SVG = "http://www.w3.org/2000/svg";
/** The page of a session has the icons inside: a browser draws none out of another host's file. */
const ICONS = document.getElementById("icons") ? "" : new URL("./vendor/tabler-icons/icons.svg", import.meta.url).pathname;

/**
 * @typedef {Node | string | null | undefined | false} Child
 */

/**
 * Makes an element. `onclick` and its like take functions; `true` sets an empty attribute, `false` and null none.
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

/**
 * A drawing out of a file of drawings.
 * @param {string} file
 * @param {string} name
 * @param {string} kind its class
 */
export function drawing(file, name, kind) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", kind);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${file}#${name}`);
  svg.append(use);
  return svg;
}

/**
 * An icon beside a word; screen readers skip it.
 * @param {string} name
 */
export function icon(name) {
  return drawing(ICONS, name, "icon");
}

/**
 * A button with an icon and a word.
 * @param {string} kind classes
 * @param {string | null} picture
 * @param {string} word
 * @param {(event: Event) => void} onclick
 * @param {Record<string, unknown>} [more]
 */
export function button(kind, picture, word, onclick, more = {}) {
  return el("button", { type: "button", class: kind, onclick, ...more }, picture && icon(picture), el("span", {}, word));
}
