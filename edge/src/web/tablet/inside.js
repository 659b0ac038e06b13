// The page of one session, on a host of its own inside the tablet's page: it says that it is there, is given a port by the
// page around, and draws what that page tells.

import { furnish } from "./content.js";

/** The tablet's page: the same name without the first label. */
const AROUND = `${location.protocol}//${location.host.slice(location.host.indexOf(".") + 1)}`;

/** @param {MessageEvent} event */
function heard({ origin, source, data, ports }) {
  if (origin !== AROUND || source !== window.parent || data !== "port" || ports[0] === undefined) return;
  window.removeEventListener("message", heard);
  furnish(/** @type {HTMLElement} */ (document.getElementById("content")), ports[0], document.documentElement);
}

window.addEventListener("message", heard);
window.parent.postMessage("ready", AROUND);
