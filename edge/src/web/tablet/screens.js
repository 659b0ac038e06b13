// The tablet's screens: what a child or an adult sees. They show and report touches; `main.js` decides.

import { animal } from "../static/animals.js";
import { button, el, icon } from "../static/dom.js";
import { inWords } from "../static/steps.js";
import { say } from "../static/words.js";
import { isRecorded, listen, spoken } from "./voice.js";

/** A badge has 32 characters and begins so (its first byte is the format's version, which ends within the second letter);
 * the letters of a card are eight and never begin so. */
const BADGE_CHARS = 32;
const BADGE_BEGINS = /^A[E-H]/;
const CARD_CHARS = 8;
/** So long after a code of others was in view, the scanner still says that it is no badge. */
const FOREIGN_SHOWN_MS = 3_000;

/** Longer names are written smaller. */
const LONG_CHARS = 10;

/** @typedef {{ title: string, url: string, icon: string }} Shortcut */
/** @typedef {{ person_id: string, given_name: string, animal: string, level: string }} Person */
/** @typedef {{ class_id: string, name: string, picture: string, teacher?: Person }} ClassChoice */
/** @typedef {{ session_id: string, token?: string, person: Person, people: Person[], environment: { apps: Shortcut[], links: Shortcut[], documents: Shortcut[], choose_code?: string, classes?: ClassChoice[], class_id?: string, quiet?: boolean, charter?: { version: string, first: boolean }, idle_s?: number, settings?: import("./settings.js").Settings }, recorded: boolean, host?: string }} Session */

/** Who sits here. @param {Session} session */
export const peopleOf = (session) => (session.people.length > 0 ? session.people : [session.person]);

/** Their names. @param {Session} session */
export const namesOf = (session) => peopleOf(session).map((p) => p.given_name).join(" + ");

/** The ENT by its own name, as the catalogue has it. @param {Session} session */
export const entOf = (session) => session.environment.apps.find((app) => ["ent", "oze"].includes(app.icon))?.title ?? null;

/** The letters of a badge out of what fingers typed: base32 has no 0, 1 and 8, so they are the letters they look like. @param {string} text */
export function badgeLetters(text) {
  return text.toUpperCase().replace(/0/g, "O").replace(/1/g, "I").replace(/8/g, "B").replace(/[^A-Z2-7]/g, "").slice(0, BADGE_CHARS);
}

/** Whether nothing is missing: the letters are given without a further touch. @param {string} letters */
function isWhole(letters) {
  return letters.length === BADGE_CHARS || (letters.length === CARD_CHARS && !BADGE_BEGINS.test(letters));
}

/** Enrolment: an adult types the code once. @param {{ code: string, name: string, onEnrol: (code: string, name: string) => void }} how */
export function enrol({ code, name, onEnrol }) {
  const field = (/** @type {string} */ id, /** @type {string} */ label, /** @type {string} */ value, /** @type {Record<string, unknown>} */ more) =>
    el("label", { for: id }, label, el("input", { id, value, required: true, autocomplete: "off", spellcheck: "false", ...more }));
  const form = el(
    "form",
    { class: "sheet enrol" },
    el("div", { class: "emblem" }, icon("device-tablet")),
    el("h1", {}, say("tablet-enrol-title")),
    el("p", {}, say("tablet-enrol-help")),
    field("code", say("tablet-enrol-code"), code, { autocapitalize: "characters", class: "code", maxlength: 40 }),
    field("name", say("tablet-enrol-name"), name, { maxlength: 40, placeholder: say("tablet-enrol-example") }),
    el("button", { type: "submit", class: "main" }, el("span", {}, say("tablet-enrol-go"))),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const value = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (form.querySelector(`#${id}`)).value.trim();
    onEnrol(value("code"), value("name"));
  });
  return form;
}

/** @typedef {{ root: HTMLElement, video: HTMLVideoElement, trouble: (kind: import("../static/scan.js").Trouble | null) => void, foreign: () => void, pair: (count: number | null) => void, guests: (classes: { class_id: string, name: string }[]) => void, owner: (owner?: Person) => void }} Ready */

/**
 * The scanner: camera, typed badge, two at a tablet, account.
 * @param {{ school: string, name: string, onBadge: (text: string) => void, onPair: (on: boolean) => void, onGo: () => void, onAccount: () => void, onGuest: (classId: string) => void, onTurn: () => void }} how
 * @returns {Ready}
 */
export function ready({ school, name, onBadge, onPair, onGo, onAccount, onGuest, onTurn }) {
  const video = /** @type {HTMLVideoElement} */ (el("video", { playsinline: true, muted: true, "aria-hidden": "true" }));
  video.muted = true;
  const noCamera = el("div", { class: "no-camera", hidden: true });
  const foreign = el("p", { class: "foreign", role: "status", hidden: true }, icon("hand-stop"), say("tablet-foreign-code"), listen("foreign"));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let gone;
  const turn = button("turn", "camera-rotate", say("tablet-camera-turn"), onTurn);
  const camera = el("div", { class: "camera" }, video, el("div", { class: "aim" }), foreign, noCamera, turn);
  const title = el("h1", {}, say("tablet-ready-title"));
  const typed = typedBadge(onBadge);
  const alone = el(
    "div",
    { class: "others" },
    button("quiet", "users", say("tablet-ready-pair"), () => onPair(true)),
    button("quiet", "keyboard", say("tablet-ready-account"), onAccount),
  );
  const guests = el("div", { class: "others guests", hidden: true });
  const whose = el("p", { class: "whose", hidden: true });
  const go = button("main", "check", say("tablet-pair-go"), onGo);
  const together = el("div", { class: "others", hidden: true }, button("quiet", "x", say("tablet-back"), () => onPair(false)), go);
  const root = el(
    "section",
    { class: "ready" },
    el("header", { class: "where" }, el("strong", {}, school), el("span", {}, icon("device-tablet"), name)),
    camera,
    el("div", { class: "invite" }, whose, spoken(title, "ready"), badgePicture(), typed, guests, alone, together),
  );
  return {
    root,
    video,
    trouble(kind) {
      noCamera.hidden = kind === null;
      turn.hidden = kind !== null;
      if (kind === null) return;
      const sentences = {
        insecure: say("tablet-camera-insecure"),
        none: say("tablet-camera-none"),
        refused: say("tablet-camera-refused"),
        busy: say("tablet-camera-busy"),
        broken: say("tablet-camera-broken"),
      };
      noCamera.replaceChildren(icon("camera"), el("p", {}, sentences[kind]), el("p", {}, say("tablet-camera-type")));
    },
    guests(classes) {
      guests.hidden = classes.length === 0;
      guests.replaceChildren(...classes.map((c) => button("soft", "door-exit", say("tablet-guest", { name: c.name }), () => onGuest(c.class_id), { "data-key": `guest ${c.class_id}` })));
    },
    owner(owner) {
      whose.hidden = owner === undefined;
      whose.replaceChildren(...(owner ? [animal(owner.animal), say("tablet-owner", { name: owner.given_name })] : []));
    },
    foreign() {
      foreign.hidden = false;
      clearTimeout(gone);
      gone = setTimeout(() => (foreign.hidden = true), FOREIGN_SHOWN_MS);
    },
    pair(count) {
      alone.hidden = count !== null;
      together.hidden = count === null;
      go.hidden = (count ?? 0) < 2;
      title.textContent = count === null ? say("tablet-ready-title") : say("tablet-pair-title", { count });
    },
  };
}

/** @param {(text: string) => void} onBadge */
function typedBadge(onBadge) {
  const input = /** @type {HTMLInputElement} */ (
    el("input", { id: "badge", autocomplete: "off", autocapitalize: "characters", autocorrect: "off", spellcheck: "false", inputmode: "text", maxlength: 64, placeholder: "MNPQ RSTU" })
  );
  const give = () => {
    const text = input.value;
    if (badgeLetters(text) === "") return;
    input.value = "";
    input.blur();
    onBadge(badgeLetters(text));
  };
  input.addEventListener("input", () => {
    const letters = badgeLetters(input.value);
    input.value = letters.replace(/(.{4})(?=.)/g, "$1 ");
    if (isWhole(letters)) give();
  });
  const form = el(
    "form",
    { class: "typed" },
    el("label", { for: "badge" }, say("tablet-ready-type")),
    el("div", { class: "row" }, input, el("button", { type: "submit", class: "main", "aria-label": say("tablet-go") }, icon("check"))),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    give();
  });
  return form;
}

/** The squares of a drawn code, by rows: it looks like one and holds nothing. */
const SQUARES = ["11101011010111", "10100110010101", "11101001010111", "00010110101000", "10110101101011", "01001011010110", "11010010110101", "00101101001010", "11100101101101", "10101100110010", "11101011010110"];

/** A hand-sized badge, drawn: pre-readers know what to fetch. */
function badgePicture() {
  const dots = [...SQUARES.join("")].map((bit) => el("i", { class: bit === "1" ? "on" : "" }));
  return el("div", { class: "badge-picture", "aria-hidden": "true" }, animal("renard"), el("div", { class: "dots" }, ...dots));
}

/** An adult was called; she opens the tablet from her own page, or the child tries again. @param {{ onAgain: () => void, onLeave: () => void }} how */
export function call({ onAgain, onLeave }) {
  return el(
    "section",
    { class: "sheet call" },
    el("div", { class: "emblem" }, icon("chalkboard-teacher")),
    spoken(el("h1", {}, say("tablet-call-title")), "call"),
    el("p", {}, say("tablet-call-help")),
    el("div", { class: "others" }, button("quiet", "x", say("tablet-back"), onLeave), button("main", "refresh", say("tablet-call-again"), onAgain)),
  );
}

/** Identifier and password of a floating account. @param {{ onGiven: (account: string, password: string) => void, onLeave: () => void }} how */
export function account({ onGiven, onLeave }) {
  const who = /** @type {HTMLInputElement} */ (el("input", { id: "account", required: true, autocomplete: "off", autocapitalize: "none", spellcheck: "false", maxlength: 64 }));
  const word = /** @type {HTMLInputElement} */ (el("input", { id: "password", type: "password", required: true, autocomplete: "off", maxlength: 128 }));
  const form = el(
    "form",
    { class: "sheet" },
    el("h1", {}, say("tablet-account-title")),
    el("label", { for: "account" }, say("tablet-account-name"), who),
    el("label", { for: "password" }, say("tablet-account-password"), word),
    el("div", { class: "others" }, button("quiet", "x", say("tablet-back"), onLeave), el("button", { type: "submit", class: "main" }, icon("check"), el("span", {}, say("tablet-go")))),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onGiven(who.value.trim(), word.value);
  });
  return form;
}

/** The environment of whoever sits here, around what she may open and keep. @param {Session} session @param {{ content: HTMLElement, beside: HTMLElement, quiet: HTMLElement, onDone: () => void, onNotMe: () => void, onSettings: () => void, onTold: () => void, onClass: () => void }} how */
export function environment(session, { content, beside, quiet, onDone, onNotMe, onSettings, onTold, onClass }) {
  const [people, names] = [peopleOf(session), namesOf(session)];
  const [classes, chosen] = [session.environment.classes ?? [], session.environment.class_id];
  const withWhom = classes.find((c) => c.class_id === chosen) ?? { name: say("tablet-which-all"), picture: "users" };
  return el(
    "section",
    { class: "environment" },
    el(
      "header",
      { class: "hello" },
      el("div", { class: "faces" }, ...people.map((p) => animal(p.animal, "big"))),
      el("div", { class: "who" }, el("p", {}, say("tablet-hello")), el("h1", { id: "given-name", class: names.length > LONG_CHARS ? "long" : null }, names)),
      el(
        "div",
        { class: "tools" },
        quiet,
        classes.length > 0 && button("soft with-whom", withWhom.picture, withWhom.name, onClass),
        el("button", { type: "button", class: "round settings", "aria-label": say("tablet-settings"), onclick: onSettings }, icon("adjustments-horizontal")),
        el("button", { type: "button", class: "round about", "aria-label": say("tablet-told"), onclick: onTold }, icon("shield-heart")),
      ),
    ),
    !session.recorded && el("p", { class: "gentle" }, icon("alert-triangle"), say("tablet-not-recorded")),
    beside,
    content,
    el("footer", { class: "leave" }, button("quiet not-me", "user-off", say("tablet-not-me"), onNotMe), button("main sign-out", "door-exit", say("tablet-sign-out"), onDone)),
  );
}

/**
 * Asks whether she is still there, over whatever is shown.
 * @param {Session} session
 * @param {{ onHere: () => void, onNotMe: () => void }} how `onHere` also when the question goes by itself
 * @returns {HTMLDialogElement}
 */
export function stillThere(session, { onHere, onNotMe }) {
  const alone = peopleOf(session).length === 1;
  const question = /** @type {HTMLDialogElement} */ (
    el(
      "dialog",
      { class: "still-there", "aria-labelledby": "still-there", onclick: () => question.close(), onclose: () => (question.remove(), onHere()) },
      el("div", { class: "faces" }, ...peopleOf(session).map((p) => animal(p.animal, "big"))),
      el("p", { class: "name" }, namesOf(session)),
      spoken(el("h2", { id: "still-there" }, alone ? say("tablet-still-there") : say("tablet-still-there-all")), alone ? "still-there" : "still-there-all"),
      button("main", "check", alone ? say("tablet-still-here") : say("tablet-still-here-all"), () => question.close()),
      el("div", { class: "sand", "aria-hidden": "true" }, el("i")),
      button("link", "user-off", say("tablet-not-me"), onNotMe),
    )
  );
  document.body.append(question);
  question.showModal();
  return question;
}

/** @param {{ farewell: string | null }} how */
export function wiping({ farewell }) {
  return el(
    "section",
    { class: "sheet wiping" },
    el("div", { class: "sweep", "aria-hidden": "true" }, icon("sparkles")),
    el("h1", {}, farewell === null ? say("tablet-wiping-title") : say("tablet-goodbye", { name: farewell })),
    spoken(el("p", {}, say("tablet-wiping-help")), "wiping"),
  );
}

/** A wipe that the box does not accept: an adult looks at the tablet. @param {{ steps: string[], onAgain: () => void }} how */
export function wipeIncomplete({ steps, onAgain }) {
  return el(
    "section",
    { class: "sheet" },
    el("div", { class: "emblem" }, icon("hand-stop")),
    spoken(el("h1", {}, say("tablet-unclean-title")), "unclean"),
    el("p", {}, say("tablet-unclean-help")),
    steps.length > 0 && el("p", { class: "small" }, say("tablet-unclean-steps", { steps: inWords(steps) })),
    button("main", "refresh", say("tablet-again"), onAgain),
  );
}

/** A tablet that serves nobody now. @param {{ picture: string, title: string, help: string, voice?: string }} how */
export function resting({ picture, title, help, voice }) {
  const heading = el("h1", {}, title);
  return el("section", { class: "sheet" }, el("div", { class: "emblem" }, icon(picture)), voice ? spoken(heading, voice) : heading, el("p", {}, help));
}

/** What went otherwise, in large type, with the next thing to do. @param {{ sentence: string, next: string, code?: string, number?: string, onDone: () => void }} how */
export function problem({ sentence, next, code, number, onDone }) {
  const heading = el("h1", {}, sentence);
  return el(
    "section",
    { class: "sheet problem", role: "alert" },
    el("div", { class: "emblem" }, icon("hand-stop")),
    isRecorded(code) ? spoken(heading, code) : heading,
    el("p", {}, next),
    number && el("p", { class: "small" }, say("tablet-number", { number })),
    button("main", "check", say("tablet-ok"), onDone),
  );
}
