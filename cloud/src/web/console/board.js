// @ts-check
// Keeps the board true: rows arrive by events, ages tick from the moment they were received. When nothing was heard for
// a while the page says so, with the age of what it shows, and tries again; after a sleep it tries at once.

/** Nothing heard for so long is a lost connection: the server speaks every five seconds. */
const SILENCE_MS = 12_000;
/** Pauses between tries, drawn at random up to the last. */
const RETRY_MS = [1_000, 2_000, 4_000, 8_000];

/**
 * @typedef {{summary?: string, order?: string[], rows: Record<string, string>, ages: Record<string, number | null>}} Told
 */

/** @param {string} id @returns {HTMLElement} */
function part(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`#${id} is missing`);
  return found;
}

const board = part("schools");
const summary = part("summary");
const live = part("live");
const liveText = part("live-text");
const empty = part("empty");
/** @type {Record<string, string>} */
const say = JSON.parse(part("patterns").textContent ?? "{}");

/** Ages as received: seconds, and the moment of receipt. @type {Map<string, {age: number | null, at: number}>} */
const ages = new Map();
let heardAt = Date.now();
let tries = 0;
/** @type {EventSource | null} */
let source = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let retry;

/** @param {string} pattern @param {Record<string, string | number>} values @returns {string} */
function fill(pattern, values) {
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** @param {number} seconds @returns {string} */
function duration(seconds) {
  const n = Math.max(0, Math.floor(seconds));
  if (n < 60) return fill(say.s, { n });
  if (n < 3600) return fill(say.min, { n: Math.floor(n / 60) });
  if (n < 86400) {
    const m = Math.floor(n / 60) % 60;
    return fill(m ? say.h_min : say.h, { n: Math.floor(n / 3600), m });
  }
  return fill(say.d, { n: Math.floor(n / 86400) });
}

/** @param {number} seconds @returns {string} */
function ago(seconds) {
  return seconds < 3 ? say.now : fill(say.ago, { age: duration(seconds) });
}

/** @param {Element | null} element @param {string} text */
function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

function tick() {
  const now = Date.now();
  for (const row of board.querySelectorAll("tbody")) {
    const known = ages.get(row.dataset.uai ?? "");
    if (!known) continue;
    const age = known.age === null ? null : known.age + Math.max(0, now - known.at) / 1000;
    write(row.querySelector("[data-ago]"), age === null ? say.never : ago(age));
    write(row.querySelector("[data-since]"), age === null ? "" : fill(say.since, { age: duration(age) }));
  }
  const silence = now - heardAt;
  if (live.dataset.state === "lost") write(liveText, fill(say.lost, { ago: ago(silence / 1000) }));
  else if (silence > SILENCE_MS) lose();
}

/** @param {string} html @returns {HTMLTableSectionElement | null} */
function parsed(html) {
  const holder = document.createElement("table");
  holder.innerHTML = html;
  return holder.tBodies[0] ?? null;
}

/** @param {Told} told */
function show(told) {
  const now = Date.now();
  for (const [uai, age] of Object.entries(told.ages)) ages.set(uai, { age, at: now });
  if (told.summary !== undefined) summary.innerHTML = told.summary;
  for (const [uai, html] of Object.entries(told.rows)) {
    const fresh = parsed(html);
    if (!fresh) continue;
    const old = document.getElementById(`school-${uai}`);
    if (old) {
      // A state that changes is seen for a moment; other figures change quietly.
      const before = [...old.classList].join(" ");
      if (before !== [...fresh.classList].join(" ")) fresh.classList.add("changed");
      old.replaceWith(fresh);
    } else {
      board.append(fresh);
    }
  }
  if (told.order) {
    arrange(told.order);
    for (const uai of ages.keys()) if (!told.order.includes(uai)) ages.delete(uai);
    board.hidden = told.order.length === 0;
    empty.hidden = told.order.length !== 0;
  }
  tick();
}

/** Moves as few rows as the new order asks for. @param {string[]} order */
function arrange(order) {
  for (const row of board.querySelectorAll("tbody")) {
    if (!order.includes(row.dataset.uai ?? "")) row.remove();
  }
  let place = board.querySelector("tbody");
  for (const uai of order) {
    const row = document.getElementById(`school-${uai}`);
    if (!row) continue;
    if (row === place) place = nextRow(place);
    else board.insertBefore(row, place);
  }
}

/** @param {Element} row @returns {HTMLTableSectionElement | null} */
function nextRow(row) {
  const next = row.nextElementSibling;
  return next instanceof HTMLTableSectionElement ? next : null;
}

function lose() {
  source?.close();
  source = null;
  live.dataset.state = "lost";
  board.classList.add("old");
  write(liveText, fill(say.lost, { ago: ago((Date.now() - heardAt) / 1000) }));
  const most = RETRY_MS[Math.min(tries, RETRY_MS.length - 1)];
  tries += 1;
  clearTimeout(retry);
  retry = setTimeout(connect, most * (0.5 + Math.random() / 2));
}

async function connect() {
  clearTimeout(retry);
  source?.close();
  const opened = new EventSource("/events");
  source = opened;
  opened.addEventListener("status", (event) => {
    if (source !== opened) return;
    heardAt = Date.now();
    tries = 0;
    live.dataset.state = "live";
    board.classList.remove("old");
    write(liveText, say.live);
    show(JSON.parse(event.data));
  });
  opened.addEventListener("error", () => {
    if (source !== opened) return;
    lose();
    void stillSignedIn();
  });
}

/** A session that has ended leads to the sign-in; a server that does not answer does not. */
async function stillSignedIn() {
  try {
    const answer = await fetch("/api/v1/schools", { method: "HEAD" });
    if (answer.status === 401) location.assign("/login");
  } catch {
    // The server is away: the next try will tell.
  }
}

function wake() {
  if (document.visibilityState === "visible" && Date.now() - heardAt > SILENCE_MS / 2) void connect();
}

document.addEventListener("visibilitychange", wake);
addEventListener("online", () => void connect());
addEventListener("pageshow", wake);
addEventListener("pagehide", () => source?.close());
setInterval(tick, 1000);
void connect();
