// The teacher's page: sign in, then the class as it is now. The box is asked again at each event, and by the clock
// while events do not flow.

import { listen } from "../static/live.js";
import { Problem, Unreachable } from "../static/problem.js";
import { Scanner } from "../static/scan.js";
import { keepShell } from "../static/shell.js";
import { SILENT_S, Silence } from "../static/silence.js";
import { inWords } from "../static/steps.js";
import { say } from "../static/words.js";
import { ask, print, proved } from "./box.js";
import * as dialogs from "./dialogs.js";
import * as screens from "./screens.js";
import * as safe from "./safe.js";
import * as secrets from "./secrets.js";

/** Asked by the clock: while events flow, only for the minutes shown. */
const REFRESH_MS = 15_000;
/** The same while they do not. */
const POLL_MS = 4_000;
/** Events of one moment are answered by one refresh. */
const GATHER_MS = 250;
const CLASS = "teacher-class";

const main = /** @type {HTMLElement} */ (document.getElementById("screen"));
const notice = /** @type {HTMLElement} */ (document.getElementById("notice"));
const silence = new Silence(main, () => ({ title: say("teacher-silent-title"), help: say("teacher-silent-help"), next: say("teacher-silent-next") }));

/** @type {screens.ClassLine[]} */
let classes = [];
/** Who is at the page. @type {{ given_name: string, role: string } | null} */
let who = null;
/** @type {screens.ClassView | null} */
let view = null;
/** What she has not yet said that she saw. @type {safe.Used[]} */
let news = [];
/** @type {string | null} */
let current = sessionStorage.getItem(CLASS);
/** @type {screens.Filter} */
let filter = "all";
/** @type {AbortController | null} */
let live = null;
/** @type {Scanner | null} */
let scanner = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let next;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let nextOffer;
let flows = false;
/** Since when the box does not answer. @type {number | null} */
let silentSince_ms = null;
let wanDown = false;
let busy = false;

/** @param {boolean} silent whether the box just failed to answer */
function heard(silent) {
  silentSince_ms = silent ? (silentSince_ms ?? performance.now()) : null;
  banner();
}

function banner() {
  const silent = silentSince_ms !== null;
  silence.set(silentSince_ms !== null && performance.now() - silentSince_ms >= SILENT_S * 1_000);
  notice.hidden = silence.cover !== null || (!silent && !wanDown);
  notice.className = silent ? "silent" : "calm";
  notice.textContent = silent ? say("teacher-box-silent") : say("teacher-wan-down");
}

// --- Signing in and out ----------------------------------------------------------------------------------------------

function showSignIn() {
  stop();
  main.replaceChildren(
    screens.signIn({
      onBadge: (badge, pin) => enter({ badge, second_factor: pin }),
      onAccount: (account, password) => enter({ account, password }),
      onCamera: scanBadge,
      onSafe: () => void bySafe(),
    }),
  );
  void offerSafe();
}

/** Where a code waits in the safe, the page offers it; asked again as long as it stands there. */
async function offerSafe() {
  const offered = await safe.offered();
  const button = document.getElementById("by-safe");
  button?.toggleAttribute("hidden", !offered);
  clearTimeout(nextOffer);
  if (button) nextOffer = setTimeout(() => void offerSafe(), REFRESH_MS);
}

/** The head has the envelope of the safe. */
async function bySafe() {
  if (busy) return;
  busy = true;
  try {
    if (await safe.enter(forAdults)) await start();
  } finally {
    busy = false;
  }
}

/** @param {HTMLVideoElement} video @param {HTMLInputElement} field */
function scanBadge(video, field) {
  video.hidden = false;
  scanner?.stop();
  scanner = new Scanner(video, {
    onBadge: (text) => {
      refuse("", "");
      field.value = text;
      video.hidden = true;
      scanner?.stop();
      /** @type {HTMLElement | null} */ (document.getElementById("pin"))?.focus();
    },
    onForeign: () => refuse(say("teacher-foreign-code"), ""),
    onTrouble: () => {
      video.hidden = true;
      refuse(say("teacher-no-camera"), "");
    },
  });
  void scanner.start();
}

/** @param {string} sentence @param {string} step */
function refuse(sentence, step) {
  const place = document.getElementById("refusal");
  if (!place) return;
  place.textContent = `${sentence} ${step}`.trim();
  place.hidden = place.textContent === "";
}

/** Refusals of badges speak to children; these are said to an adult. @param {Problem} problem @returns {[string, string]} */
function forAdults(problem) {
  switch (problem.code) {
    case "second_factor_required":
      return [say("teacher-pin-missing"), ""];
    case "second_factor_wrong":
      return [say("teacher-pin-wrong"), ""];
    case "locked_out":
      return [say("teacher-locked-out"), ""];
    default:
      return [problem.sentence, problem.next];
  }
}

/** @param {Record<string, string>} how */
async function enter(how) {
  if (busy) return;
  busy = true;
  try {
    const entered = await secrets.chosen((own) => ask("POST", "/api/v1/staff/session", { ...how, ...own }));
    if (!entered) return;
    scanner?.stop();
    await start();
  } catch (cause) {
    if (cause instanceof Problem) refuse(...forAdults(cause));
    else if (cause instanceof Unreachable) refuse(say("teacher-box-silent"), "");
    else throw cause;
  } finally {
    busy = false;
  }
}

function leave() {
  void doing(async () => {
    await ask("DELETE", "/api/v1/staff/session");
    sessionStorage.clear();
    showSignIn();
  });
}

// --- The class, live -------------------------------------------------------------------------------------------------

async function start() {
  who = await ask("GET", "/api/v1/staff/session");
  await refresh();
  // The form before was perhaps longer.
  scrollTo(0, 0);
  live?.abort();
  live = new AbortController();
  void listen({
    stop: live.signal,
    onFlow: (flowing) => {
      flows = flowing;
      soon(flowing ? REFRESH_MS : POLL_MS);
    },
    onEvent: (name, data) => {
      if (name === "signed-out") return showSignIn();
      if (typeof data?.wan === "boolean") wanDown = !data.wan;
      banner();
      soon(GATHER_MS);
    },
  });
}

function stop() {
  live?.abort();
  live = null;
  view = null;
  clearTimeout(next);
}

/** @param {number} in_ms */
function soon(in_ms) {
  clearTimeout(next);
  next = setTimeout(() => void follow(), in_ms);
}

async function follow() {
  try {
    await refresh();
  } catch (cause) {
    if (cause instanceof Problem && cause.status === 401) return showSignIn();
    heard(cause instanceof Unreachable);
  }
  if (live) soon(flows && silentSince_ms === null ? REFRESH_MS : POLL_MS);
}

async function refresh() {
  classes = await ask("GET", "/api/v1/classes");
  if (!classes.some((c) => c.class_id === current)) current = classes[0]?.class_id ?? null;
  view = current === null ? null : await ask("GET", `/api/v1/classes/${current}`);
  news = await safe.unseen();
  heard(false);
  draw();
}

/** Draws all again and gives the focus back to where it was. */
function draw() {
  const held = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset?.key;
  const open = main.querySelector("details.tablets")?.hasAttribute("open") ?? false;
  const isHead = who?.role === "head";
  const head = screens.frame({ name: who?.given_name ?? null, classes, current, onClass: choose, onEnrol: openEnrolment, onPrint: printMany, onCodes: isHead ? chooseCodes : null, onStaff: isHead ? () => void doing(secrets.reset) : null, onSubstitute: addSubstitute, onUnplugged: unplugged, onAgain: document.body.dataset.training === undefined ? null : beginAgain, onSecret: () => void doing(secrets.change), onLeave: leave });
  const room = view === null ? [] : screens.classroom(view, { filter, onFilter: setFilter, onLetIn: letIn, onAnswer: answer, onEnd: endSession, onBadgeActs: badgeActs, onNewPupil: addPupil, onGuests: guests, onQuiet: quiet, onLearn: learn, onChecked: checked, onGive: giveTablet, onFree: freeTablet, onRelease: releaseAgent });
  main.replaceChildren(.../** @type {Node[]} */ ([...head, screens.news(news, saw), ...room].filter((n) => n)));
  main.querySelector("details.tablets")?.toggleAttribute("open", open);
  if (held) /** @type {HTMLElement | null} */ (main.querySelector(`[data-key="${CSS.escape(held)}"]`))?.focus({ preventScroll: true });
}

/** @param {string} id */
function choose(id) {
  current = id;
  sessionStorage.setItem(CLASS, id);
  soon(0);
}

/** @param {screens.Filter} chosen */
function setFilter(chosen) {
  filter = chosen;
  draw();
}

// --- Acts ------------------------------------------------------------------------------------------------------------

/** @param {safe.Used} used */
function saw(used) {
  void doing(() => safe.saw(used));
}

/** @param {() => Promise<void>} act */
async function doing(act) {
  if (busy) return;
  busy = true;
  try {
    await act();
  } catch (cause) {
    if (cause instanceof Unreachable) heard(true);
    else if (!(cause instanceof Problem)) await dialogs.tell(say("teacher-page-failed"), say("teacher-page-failed-next"));
    else if (cause.code === "staff_required") showSignIn();
    else await dialogs.tell(...forAdults(cause), cause.body.number);
  } finally {
    busy = false;
    if (live) soon(0);
  }
}

/** @param {screens.Pupil} pupil */
function letIn(pupil) {
  void doing(async () => {
    if (!view) return;
    const tablet = await dialogs.chooseTablet(pupil, view.tablets);
    if (tablet) await ask("POST", `/api/v1/classes/${view.class_id}/let-in`, { person_id: pupil.person_id, tablet_id: tablet });
  });
}

/** A child waits at a tablet: one tap lets her in there. @param {screens.Pupil} pupil @param {boolean} newCode she chooses a new code, too */
function answer(pupil, newCode) {
  void doing(async () => {
    if (!view || !pupil.calling) return;
    await ask("POST", `/api/v1/classes/${view.class_id}/let-in`, { person_id: pupil.person_id, tablet_id: pupil.calling.tablet_id, new_code: newCode });
  });
}

/** @param {screens.Pupil} pupil */
function endSession(pupil) {
  void doing(async () => {
    if (!pupil.session) return;
    const title = say("teacher-end-title", { name: pupil.given_name, tablet: pupil.session.tablet_name });
    const yes = await dialogs.confirm({ title, lines: [say("teacher-end-help")], yes: say("teacher-end"), animalOf: pupil.animal });
    if (yes) await ask("POST", `/api/v1/sessions/${pupil.session.session_id}/end`);
  });
}

/** @param {screens.Pupil} pupil */
function badgeActs(pupil) {
  void doing(async () => {
    const person = { person_id: pupil.person_id };
    switch (await dialogs.chooseBadgeAct(pupil)) {
      case "today":
        return showToday(pupil);
      case "print":
        return void (await proved((proof) => print({ ...person, ...proof })));
      case "lost":
        return void (await proved((proof) => print({ ...person, lost: true, ...proof })));
      case "void":
        for (const badge of pupil.badges) await ask("POST", `/api/v1/badges/${badge}/void`);
        return;
      case "off": {
        const title = say("teacher-off-title", { name: pupil.given_name });
        const yes = await dialogs.confirm({ title, lines: [say("teacher-off-help")], yes: say("teacher-off-yes"), animalOf: pupil.animal });
        if (yes) await ask("DELETE", `/api/v1/people/${pupil.person_id}`);
      }
    }
  });
}

/** @param {screens.Pupil} pupil */
async function showToday(pupil) {
  const drawn = await proved((proof) => ask("POST", `/api/v1/people/${pupil.person_id}/badges`, { temporary: true, ...proof }));
  if (drawn) await dialogs.showBadge(pupil, drawn);
}

/** Badges of the class, or of the school for the head. */
function printMany() {
  void doing(async () => {
    if (!view) return;
    const chosen = await dialogs.choosePrint(view.name, who?.role === "head");
    if (!chosen) return;
    const { school, lost, labels } = chosen;
    const whose = school ? {} : { class_id: view.class_id };
    const done = await proved((proof) => dialogs.during(say("teacher-badges-printing"), print({ ...whose, lost, labels, ...proof })));
    if (done !== null) await dialogs.tell(say("teacher-badges-printed", { count: done }), lost ? say("teacher-badges-printed-lost") : say("teacher-badges-printed-help"));
  });
}

/** Whoever has no badge here may sit down for a while, or no longer. */
function guests() {
  void doing(async () => {
    if (!view) return;
    const path = `/api/v1/classes/${view.class_id}/guests`;
    if (view.guests_for_s === undefined) {
      const minutes = await dialogs.guestTime(view.name);
      if (minutes) await ask("POST", path, { minutes });
    } else if (await dialogs.confirm({ title: say("teacher-guests-close-title"), lines: [say("teacher-guests-close-help")], yes: say("teacher-guests-close") })) {
      await ask("DELETE", path);
    }
  });
}

/** The tablets of the class are silent, or sound again. */
function quiet() {
  void doing(async () => {
    if (view) await ask(view.quiet ? "DELETE" : "POST", `/api/v1/classes/${view.class_id}/quiet`);
  });
}

/** A tablet read a code of another system: whose is it? @param {string} tabletId */
function learn(tabletId) {
  void doing(async () => {
    if (!view) return;
    const pupil = await dialogs.choosePupil(view.pupils);
    if (pupil) await proved((proof) => ask("POST", `/api/v1/people/${pupil}/codes`, { tablet_id: tabletId, ...proof }));
  });
}

/** A pupil whom no list names yet: she is in class with a badge for today. */
function addPupil() {
  void doing(async () => {
    if (!view) return;
    const { class_id } = view;
    const given_name = await dialogs.askName(say("teacher-pupil-title", { name: view.name }), say("teacher-pupil-help"));
    if (given_name === null) return;
    const made = await ask("POST", `/api/v1/classes/${class_id}/pupils`, { given_name });
    await refresh();
    const pupil = view?.pupils.find((p) => p.person_id === made.person_id);
    if (pupil) await showToday(pupil);
  });
}

/** Somebody teaches in another's place. The head sees who does, and may end it. */
function addSubstitute() {
  void doing(async () => {
    const isHead = who?.role === "head";
    const present = isHead ? await ask("GET", "/api/v1/substitutes") : [];
    const chosen = await dialogs.chooseSubstitute(await ask("GET", "/api/v1/classes?of=school"), present, isHead);
    if (!chosen) return;
    if ("ends" in chosen) return void (await ask("POST", `/api/v1/substitutes/${chosen.ends}/end`));
    const made = await proved((proof) => ask("POST", "/api/v1/substitutes", { ...chosen, ...proof }));
    if (made) await dialogs.showSubstitute(chosen.given_name, made);
  });
}

/** The code that opens tablets while the box is away. */
function unplugged() {
  void doing(async () => {
    let { code } = await ask("GET", "/api/v1/unplugged-code");
    while (await dialogs.showUnplugged(code)) {
      const drawn = await proved((proof) => ask("POST", "/api/v1/unplugged-code", proof));
      if (!drawn) return;
      code = drawn.code;
    }
  });
}

/** What each level is asked for besides a badge. */
/** Where each tablet is one pupil's, this one becomes another one's. @param {screens.Tablet} tablet */
function giveTablet(tablet) {
  void doing(async () => {
    if (!view) return;
    const pupil = await dialogs.choosePupil(view.pupils, say("teacher-tablet-give", { tablet: tablet.name }));
    if (pupil) await ask("PUT", `/api/v1/tablets/${tablet.tablet_id}/owner`, { person_id: pupil });
  });
}

/** @param {screens.Tablet} tablet */
function freeTablet(tablet) {
  void doing(() => ask("DELETE", `/api/v1/tablets/${tablet.tablet_id}/owner`));
}

/** Nothing but the page clears this tablet any more. @param {screens.Tablet} tablet */
function releaseAgent(tablet) {
  void doing(async () => {
    const title = say("teacher-agent-release-title", { tablet: tablet.name, name: tablet.agent ?? "" });
    const yes = await dialogs.confirm({ title, lines: [say("teacher-agent-release-help")], yes: say("teacher-agent-release") });
    if (yes) await ask("DELETE", `/api/v1/tablets/${tablet.tablet_id}/agent`);
  });
}

function chooseCodes() {
  void doing(async () => {
    const levels = await ask("GET", "/api/v1/factors");
    await dialogs.codesByLevel(levels, (level, factor) => ask("PUT", `/api/v1/factors/${encodeURIComponent(level)}`, { factor }));
  });
}

/** @param {screens.Tablet} tablet */
function checked(tablet) {
  void doing(async () => {
    const steps = tablet.unconfirmed.length > 0 ? say("teacher-checked-steps", { steps: inWords(tablet.unconfirmed) }) : "";
    const title = say("teacher-checked-title", { tablet: tablet.name });
    const yes = await dialogs.confirm({ title, lines: [steps, say("teacher-checked-help")], yes: say("teacher-checked") });
    if (yes) await ask("POST", `/api/v1/tablets/${tablet.tablet_id}/checked`);
  });
}

/** A training room, as at its beginning: everybody leaves, whoever asks too. */
function beginAgain() {
  void doing(async () => {
    const yes = await dialogs.confirm({ title: say("teacher-again-title"), lines: [say("teacher-again-help"), say("teacher-again-help-badges")], yes: say("teacher-again-yes") });
    if (!yes) return;
    await ask("POST", "/api/v1/training/begin-again");
    sessionStorage.clear();
    showSignIn();
  });
}

function openEnrolment() {
  void doing(async () => {
    const opened = await proved((proof) => ask("POST", "/api/v1/enrolment-window", proof));
    if (opened) await dialogs.enrolmentCode(opened);
  });
}

/** The page opens without a box, too: it tries until one answers. */
async function open() {
  try {
    await start();
  } catch (cause) {
    heard(!(cause instanceof Problem));
    if (cause instanceof Problem) showSignIn();
    else setTimeout(() => void open(), POLL_MS);
  }
}

keepShell();
void open();
