// The tablet's life on its screen: enrolment, scanner, environment, wipe. The box knows where the tablet stands; this
// page asks it often and follows.

import { el } from "../static/dom.js";
import { Problem, Unreachable } from "../static/problem.js";
import { keepShell } from "../static/shell.js";
import { SILENT_S, Silence } from "../static/silence.js";
import { say } from "../static/words.js";
import { Box, publicKey } from "./box.js";
import { Entry } from "./entry.js";
import * as keep from "./keep.js";
import * as screens from "./screens.js";
import { PLAIN, apply } from "./settings.js";
import { Stage } from "./stage.js";
import { Stay } from "./stay.js";
import { CAPABILITIES, wipe } from "./wipe.js";

/** How often the tablet asks where it stands, in seconds. */
const ASK_S = 5;
/** The same while something is being waited for. */
const ASK_SOON_S = 2;
/** Heartbeats, unless the box says otherwise. */
const BEAT_S = 20;
/** A refusal leaves the screen by itself, for the next child. */
const PROBLEM_SHOWN_MS = 12_000;
/** A form that somebody walked away from makes room for the next child. */
const FORM_S = 60;
/** Where the session token survives a reload; it ends with the page. */
const SESSION = "session";

const main = /** @type {HTMLElement} */ (document.getElementById("screen"));
const stage = new Stage(main, /** @type {HTMLElement} */ (document.getElementById("notice")));
/** Guests while there is no box. @type {import("./unplugged.js").Unplugged | null} */
let apart = null;
/** @type {Promise<void> | null} */
let comes = null;
/** So long after the start, when the first screen stands, what is for later is loaded, in seconds. */
const LATER_S = 3;
let sinceStart = 0;
const silence = new Silence(main, () => ({ title: say("tablet-silent-title"), help: say("tablet-silent-help"), next: say("tablet-silent-next"), more: apart?.door() }));

/** @type {keep.Kept | null} */
let kept = null;
/** @type {Box | null} */
let box = null;
/** @type {Stay | null} */
let stay = null;
/** @type {string | null} */
let token = sessionStorage.getItem(SESSION);
/** Somebody asked to leave and the box has not heard it yet. @type {import("./stay.js").Leaving | null} */
let leaving = null;
/** The last name seen, to say goodbye. @type {string | null} */
let farewell = null;
/** Something that a touch asked for is under way. */
let busy = false;
/** A question that nobody waits for is under way. @type {Promise<void> | null} */
let asking = null;
let beat_s = BEAT_S;
let sinceAsk = ASK_S;
let sinceBeat = 0;
let sinceAnswer = 0;
/** Hosts of sessions that an earlier page could not clear were tried again. */
let madeUp = false;
/** The DSI lets the box read frames. */
let framesOnBox = false;

const entry = new Entry({ stage, busy: () => busy, signIn, again: askNow, help });

/**
 * One thing at a time: a touch waits for the question under way, a second touch is dropped, and answers that are not a
 * yes are shown.
 * @param {() => Promise<void>} act
 * @param {(problem: Problem) => boolean} [takes] whether this refusal was dealt with
 */
async function doing(act, takes = () => false) {
  if (busy) return;
  busy = true;
  document.body.classList.add("busy");
  await asking;
  await attempt(act, takes);
  busy = false;
  document.body.classList.remove("busy");
}

/** The same for questions that nobody waits for: they give way to touches. @param {() => Promise<void>} act */
function quietly(act) {
  if (busy || asking) return;
  asking = attempt(act, () => false).then(() => {
    asking = null;
  });
}

/** @param {() => Promise<void>} act @param {(problem: Problem) => boolean} takes */
async function attempt(act, takes) {
  try {
    await act();
    stage.tell(null);
  } catch (cause) {
    if (cause instanceof Unreachable) unanswered();
    else if (!(cause instanceof Problem)) showProblem(say("tablet-page-failed"), say("tablet-page-failed-next"));
    else if (!takes(cause)) refused(cause);
  }
}

/** Whoever sits here goes on in what she opened; without anybody, the page says what to look at. */
function unanswered() {
  silence.set(!stay && !apart?.stay && sinceAnswer >= SILENT_S);
  stage.tell(silence.cover || apart?.stay ? null : say("tablet-box-silent"));
}

function answered() {
  sinceAnswer = 0;
  silence.set(false);
}

/** @param {Problem} problem */
function refused(problem) {
  if (problem.code === "tablet_unknown" && kept) return void forgetTablet();
  if (problem.code === "session_unknown") return dropSession();
  // Whoever sits here keeps her screen.
  if (problem.code === "overloaded" || stay) return stage.tell(problem.sentence);
  showProblem(problem.sentence, problem.next, problem.body.number, problem.code);
}

/** @param {string} sentence @param {string} next @param {unknown} [number] @param {string} [code] */
function showProblem(sentence, next, number, code) {
  const back = () => {
    if (!stage.shows("problem")) return;
    stage.release();
    if (!kept) showEnrolment();
    else askNow();
  };
  const shown = { sentence, next, code, number: number === undefined ? undefined : String(number), onDone: back };
  stage.show("problem", () => screens.problem(shown), { fresh: true });
  setTimeout(back, PROBLEM_SHOWN_MS);
}

// --- Enrolment -------------------------------------------------------------------------------------------------------

function showEnrolment() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const how = { code: asked.get("code") ?? "", name: asked.get("name") ?? "", onEnrol: enrol };
  stage.show("enrol", () => screens.enrol(how));
}

/** @param {string} code @param {string} name */
function enrol(code, name) {
  void doing(async () => {
    const key = kept?.key ?? (await keep.drawKey());
    const newBox = new Box(key, answered);
    const asked = { code, name, model: model(), key: await publicKey(key), capabilities: CAPABILITIES };
    const answer = await newBox.ask("POST", "/api/v1/tablets", null, asked);
    kept = { key, token: answer.token, tabletId: answer.tablet_id, name };
    await keep.save(kept);
    history.replaceState(null, "", location.pathname);
    box = newBox;
    await clear(answer.wipe_id, answer.steps);
  });
}

/** What the browser says about the machine, if it does. */
function model() {
  return /Android [\d.]+; ([^;)]+)/.exec(navigator.userAgent)?.[1]?.trim().slice(0, 40);
}

async function forgetTablet() {
  await keep.forget();
  kept = null;
  box = null;
  dropSession();
  showEnrolment();
}

// --- Where the tablet stands -----------------------------------------------------------------------------------------

function askNow() {
  sinceAsk = ASK_S;
}

async function ask() {
  if (!box || !kept) return;
  if (leaving) return leave(leaving);
  const me = await box.ask("GET", "/api/v1/tablets/me", kept.token);
  beat_s = me.heartbeat_s || BEAT_S;
  framesOnBox = me.frames_on_box === true;
  // Whoever works without the box goes on; it hears of her when she has left.
  if (!apart && (await keep.loadNotes()).length > 0) await loadApart();
  if (apart?.stay) return;
  apart?.shut();
  if (await apart?.tell(asTablet)) return askNow();
  await apart?.refresh(me.unplugged, asTablet);
  if (me.wipe) {
    dropSession();
    return clear(me.wipe.wipe_id, me.wipe.steps);
  }
  if (me.unconfirmed) {
    dropSession();
    return stage.show("unclean agent", () => screens.wipeIncomplete({ steps: me.unconfirmed, onAgain: () => entry.back() }));
  }
  if (me.session?.token) return open(me.session);
  if (me.state === "in_use") return resume(me);
  dropSession();
  if (me.state === "free") {
    makeUp();
    entry.open(me);
  } else showResting(me.state);
}

/** What an earlier page could not clear, while nobody sits here. */
function makeUp() {
  if (madeUp) return;
  madeUp = true;
  import("./hosts.js").then(({ clearHosts }) => clearHosts()).catch(() => undefined);
}

/** A request of the tablet itself. @param {string} method @param {string} path @param {unknown} [body] */
function asTablet(method, path, body) {
  if (!box || !kept) throw new Unreachable("no key");
  return box.ask(method, path, kept.token, body);
}

/** What a tablet needs when there is no box is loaded while there is one; a browser keeps it with the page. */
function loadApart() {
  comes ??= import("./unplugged.js").then(async ({ Unplugged }) => {
    const loaded = new Unplugged({ stage, opened: withoutBox, left: askNow });
    await loaded.load();
    apart = loaded;
    if (!silence.cover) return;
    silence.set(false);
    silence.set(true);
  });
  return comes;
}

/** A guest sits down without the box: whoever sat here before is gone. */
function withoutBox() {
  dropSession();
  silence.set(false);
  stage.tell(null);
}

/** The box reads a frame that this page cannot, where the DSI lets it. @type {import("../static/scan.js").Help} */
async function help(greys, width, height) {
  if (!box || !kept) return null;
  return box.ask("POST", `/api/v1/frames?width=${width}&height=${height}`, kept.token, greys);
}

/** @param {any} me */
async function resume(me) {
  if (stay && stay.session.session_id === me.session?.session_id) {
    if (stage.shows("")) stay.show();
    return;
  }
  if (!token || !box) return showResting("in_use");
  try {
    open({ ...(await box.ask("GET", "/api/v1/sessions/current", token)), token });
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    dropSession();
    showResting("in_use");
  }
}

/** @param {string} state */
function showResting(state) {
  /** @type {Record<string, { picture: string, title: string, help: string, voice?: string }>} */
  const known = {
    in_use: { picture: "lock", title: say("tablet-stuck-title"), help: say("tablet-stuck-help"), voice: "stuck" },
    lost: { picture: "home", title: say("tablet-lost-title"), help: say("tablet-lost-help") },
    outing: { picture: "map", title: say("tablet-outing-title"), help: say("tablet-outing-help") },
    retired: { picture: "plug", title: say("tablet-retired-title"), help: say("tablet-retired-help") },
  };
  const how = known[state];
  if (how) stage.show(`resting ${state}`, () => screens.resting(how));
  else stage.show("wiping", () => screens.wiping({ farewell: null }));
}

// --- Session ---------------------------------------------------------------------------------------------------------

/** @param {Record<string, unknown>} how @param {(problem: Problem) => boolean} takes */
function signIn(how, takes) {
  void doing(async () => {
    if (box && kept) open(await box.ask("POST", "/api/v1/sessions", kept.token, how));
  }, takes);
}

/** @param {import("./screens.js").Session} opened */
function open(opened) {
  token = opened.token ?? token;
  if (token) sessionStorage.setItem(SESSION, token);
  // The box hands a token out again until it was used: whoever sits here keeps her screen.
  if (stay?.session.session_id === opened.session_id) return;
  farewell = screens.namesOf(opened);
  sinceBeat = 0;
  endStay();
  stay = new Stay({ stage, session: opened, ask: inSession, prove: proved, heard: (nonce) => box?.heard(nonce), leave: (why) => void doing(() => leave(why)), framesOnBox: () => framesOnBox });
  stay.show();
}

/** A request of whoever sits here. @param {string} method @param {string} path @param {unknown} [body] */
function inSession(method, path, body) {
  if (!box) throw new Unreachable("no key");
  return box.ask(method, path, token, body);
}

/** The headers that prove one. @param {string} method @param {string} path */
function proved(method, path) {
  if (!box) throw new Unreachable("no key");
  return box.proved(method, path, token);
}

function endStay() {
  stay?.end();
  stay = null;
}

function dropSession() {
  endStay();
  token = null;
  leaving = null;
  sessionStorage.removeItem(SESSION);
  if (stage.shows("environment", "choose")) stage.show("wiping", () => screens.wiping({ farewell }));
}

/** The screen is cleared at once; the box is told as soon as it answers. @param {import("./stay.js").Leaving} why */
async function leave(why) {
  leaving = why;
  endStay();
  stage.show("wiping", () => screens.wiping({ farewell }));
  const ended = token;
  if (!box || !ended) return dropSession();
  try {
    const order = await box.ask("DELETE", why === "not_me" ? "/api/v1/sessions/current?not_me=true" : "/api/v1/sessions/current", ended);
    dropSession();
    await clear(order.wipe_id, order.steps);
  } catch (cause) {
    if (cause instanceof Unreachable) throw cause;
    dropSession();
    askNow();
  }
}

async function beat() {
  if (!box || !token || leaving) return;
  sinceBeat = 0;
  await box.ask("POST", "/api/v1/sessions/current/heartbeat", token);
}

// --- Wipe ------------------------------------------------------------------------------------------------------------

/** @param {string} wipeId @param {{ name: string }[]} steps */
async function clear(wipeId, steps) {
  if (!box || !kept || stage.shown === `unclean ${wipeId}`) return;
  stage.show("wiping", () => screens.wiping({ farewell }));
  const report = await wipe(steps);
  try {
    await box.ask("POST", `/api/v1/wipes/${wipeId}/receipt`, kept.token, { steps: report });
  } catch (cause) {
    if (!(cause instanceof Problem) || cause.code !== "wipe_incomplete") throw cause;
    const missing = Array.isArray(cause.body.steps) ? cause.body.steps : report.filter((s) => s.outcome !== "done").map((s) => s.name);
    stage.show(`unclean ${wipeId}`, () => screens.wipeIncomplete({ steps: missing, onAgain: () => entry.back() }));
    return;
  }
  if (apart) apart.stale = true;
  await renewPage();
  askNow();
}

/** Between two pupils, a page of an older version gives way to the new one. */
async function renewPage() {
  const answer = await fetch(location.pathname, { method: "HEAD", cache: "no-store" }).catch(() => null);
  const version = answer?.ok ? answer.headers.get("Preau-Page") : null;
  if (version && !import.meta.url.includes(`/${version}/`)) location.reload();
}

// --- Life ------------------------------------------------------------------------------------------------------------

/** A second goes by. Exported, so that a story moves the page's clock by hand. */
export function second() {
  sinceAsk += 1;
  sinceBeat += 1;
  sinceAnswer += 1;
  if (!kept) return;
  entry.second(FORM_S);
  stay?.second();
  apart?.second();
  sinceStart += 1;
  if (sinceStart >= LATER_S && !comes) loadApart().catch(() => (comes = null));
  // What a sign-in shows first is at hand then.
  if (sinceStart === LATER_S) Promise.all([import("./secret.js"), import("./lodging.js"), import("./content.js")]).catch(() => undefined);
  const every = silence.cover || stage.shows("wiping", "call", "") ? ASK_SOON_S : ASK_S;
  if (stay && sinceBeat >= beat_s) quietly(beat);
  else if (sinceAsk >= every) {
    sinceAsk = 0;
    quietly(ask);
  }
}

function touched() {
  entry.touched();
  stay?.touched();
  apart?.touched();
}

async function live() {
  apply(PLAIN);
  keepShell();
  if (!window.isSecureContext || !crypto.subtle) {
    main.replaceChildren(screens.resting({ picture: "lock", title: say("tablet-insecure-title"), help: say("tablet-camera-insecure") }));
    return;
  }
  try {
    kept = await keep.load();
  } catch {
    main.replaceChildren(el("p", { class: "alone" }, say("tablet-page-failed")));
    return;
  }
  if (kept) box = new Box(kept.key, answered);
  else showEnrolment();
  const pulse = new Worker(new URL("../static/pulse.js", import.meta.url));
  pulse.onmessage = second;
  document.addEventListener("visibilitychange", () => {
    entry.seen(!document.hidden);
    stay?.seen(!document.hidden);
    if (!document.hidden) askNow();
    // A mobile browser freezes hidden pages after a minute or five: the box counts from now.
    else if (stay) quietly(beat);
  });
  for (const touch of ["pointerdown", "keydown", "wheel"]) document.addEventListener(touch, touched, { capture: true, passive: true });
  second();
}

void live();
