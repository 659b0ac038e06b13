// The teacher's screens: sign-in, and the class as it is now. They show and report touches; `main.js` decides.

import { animal } from "../static/animals.js";
import { button, el, icon } from "../static/dom.js";
import { say } from "../static/words.js";

/** @typedef {{ person_id: string, given_name: string, animal: string, level: string, badges: string[], session: null | { session_id: string, tablet_id: string, tablet_name: string, for_s: number }, calling?: { tablet_id: string, tablet_name: string, for_s: number }, provisional: boolean }} Pupil */
/** @typedef {{ tablet_id: string, name: string, state: string, unconfirmed: string[], agent?: string, owner?: { person_id: string, given_name: string, animal: string } }} Tablet */
/** @typedef {{ kind: "badge_twice", given_name: string, from: string, to: string, ago_s: number } | { kind: "many_refusals", tablet: string, count: number } | { kind: "unknown_code", tablet_id: string, tablet: string }} Alert */
/** @typedef {{ class_id: string, name: string, pupils: Pupil[], tablets: Tablet[], guests_for_s?: number, quiet?: boolean, alerts: Alert[], own_tablets?: boolean }} ClassView */
/** @typedef {{ class_id: string, name: string, pupils: number, signed_in: number }} ClassLine */
/** @typedef {"all" | "seated" | "waiting"} Filter */

/**
 * @param {{ onBadge: (badge: string, pin: string) => void, onAccount: (account: string, password: string) => void, onCamera: (video: HTMLVideoElement, field: HTMLInputElement) => void, onSafe: () => void }} how
 */
export function signIn({ onBadge, onAccount, onCamera, onSafe }) {
  const field = (/** @type {string} */ id, /** @type {string} */ label, /** @type {Record<string, unknown>} */ more) => {
    const input = /** @type {HTMLInputElement} */ (el("input", { id, required: true, autocomplete: "off", spellcheck: "false", autocapitalize: "none", ...more }));
    return { input, label: el("label", { for: id }, label, input) };
  };
  const badge = field("badge", say("teacher-badge"), { autocapitalize: "characters", class: "code", maxlength: 64, placeholder: "ABCD EFGH …" });
  const pin = field("pin", say("teacher-pin"), { type: "password", inputmode: "numeric", maxlength: 32 });
  const account = field("account", say("teacher-account"), { autocomplete: "username", maxlength: 64 });
  const password = field("password", say("teacher-password"), { type: "password", autocomplete: "current-password", maxlength: 128 });
  const video = /** @type {HTMLVideoElement} */ (el("video", { playsinline: true, hidden: true }));
  video.muted = true;
  const go = () => el("button", { type: "submit", class: "main" }, icon("check"), el("span", {}, say("teacher-go")));
  const byBadge = el("form", { id: "by-badge" }, video, badge.label, button("quiet", "camera", say("teacher-scan"), () => onCamera(video, badge.input)), pin.label, go());
  const byAccount = el("form", { id: "by-account", hidden: true }, account.label, password.label, go());
  byBadge.addEventListener("submit", (event) => {
    event.preventDefault();
    onBadge(badge.input.value.trim(), pin.input.value);
  });
  byAccount.addEventListener("submit", (event) => {
    event.preventDefault();
    onAccount(account.input.value.trim(), password.input.value);
  });
  const tabs = [byBadge, byAccount].map((form, at) =>
    el("button", { type: "button", role: "tab", "aria-selected": at === 0 ? "true" : "false", onclick: () => choose(at) }, at === 0 ? say("teacher-by-badge") : say("teacher-by-account")),
  );
  const choose = (/** @type {number} */ chosen) => {
    [byBadge, byAccount].forEach((form, at) => (form.hidden = at !== chosen));
    tabs.forEach((tab, at) => tab.setAttribute("aria-selected", String(at === chosen)));
  };
  return el(
    "section",
    { class: "sheet sign-in" },
    el("div", { class: "emblem" }, icon("school")),
    el("h1", {}, say("teacher-sign-in")),
    el("div", { class: "tabs", role: "tablist" }, ...tabs),
    el("p", { class: "gentle", id: "refusal", role: "alert", hidden: true }),
    byBadge,
    byAccount,
    // Shown where a code waits in the safe.
    button("link", "lock", say("teacher-safe"), onSafe, { id: "by-safe", hidden: true }),
  );
}

/** What all of the staff are to hear of. @param {import("./safe.js").Used[]} uses @param {(used: import("./safe.js").Used) => void} onSeen */
export function news(uses, onSeen) {
  if (uses.length === 0) return null;
  const moment = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
  return el(
    "section",
    { class: "attention" },
    ...uses.map((used) =>
      el("div", {}, icon("alert-triangle"), el("p", {}, say("teacher-safe-used", { name: used.given_name, since: used.at_ms === null ? "—" : moment.format(used.at_ms) })), button("soft", "check", say("teacher-safe-seen"), () => onSeen(used), { "data-key": `seen ${used.number}` })),
    ),
  );
}

/**
 * The page's frame once signed in.
 * @param {{ name: string | null, classes: ClassLine[], current: string | null, onClass: (id: string) => void, onEnrol: () => void, onPrint: () => void, onCodes: (() => void) | null, onStaff: (() => void) | null, onSubstitute: () => void, onUnplugged: () => void, onAgain: (() => void) | null, onSecret: () => void, onLeave: () => void }} how
 */
export function frame({ name, classes, current, onClass, onEnrol, onPrint, onCodes, onStaff, onSubstitute, onUnplugged, onAgain, onSecret, onLeave }) {
  const tab = (/** @type {ClassLine} */ c) =>
    el(
      "button",
      { type: "button", role: "tab", "aria-selected": String(c.class_id === current), "data-key": `class ${c.class_id}`, onclick: () => onClass(c.class_id) },
      el("span", {}, c.name),
      el("small", {}, say("teacher-count", { count: c.signed_in, total: c.pupils })),
    );
  return [
    el(
      "header",
      { class: "top" },
      el("div", { class: "brand" }, icon("school"), el("strong", {}, name ? say("teacher-hello", { name }) : say("teacher-brand"))),
      el(
        "div",
        { class: "acts" },
        classes.length > 0 && button("quiet", "printer", say("teacher-badges"), onPrint, { "data-key": "badges" }),
        button("quiet", "users", say("teacher-substitute"), onSubstitute, { "data-key": "substitute" }),
        button("quiet", "plug", say("teacher-unplugged"), onUnplugged, { "data-key": "unplugged" }),
        onCodes && button("quiet", "lock", say("teacher-codes"), onCodes, { "data-key": "codes" }),
        onStaff && button("quiet", "id-badge-2", say("teacher-staff"), onStaff, { "data-key": "staff" }),
        button("quiet", "device-tablet", say("teacher-enrol"), onEnrol, { "data-key": "enrol" }),
        onAgain && button("quiet", "refresh", say("teacher-again"), onAgain, { "data-key": "again" }),
        button("quiet", "pencil", say("teacher-secret"), onSecret, { "data-key": "secret" }),
        button("quiet", "logout", say("teacher-leave"), onLeave, { "data-key": "leave" }),
      ),
    ),
    el("nav", { class: "classes", role: "tablist", "aria-label": say("teacher-classes") }, ...classes.map(tab)),
    classes.length === 0 && el("p", { class: "nothing" }, say("teacher-no-class")),
  ];
}

/**
 * One class, now.
 * @param {ClassView} view
 * @param {{ filter: Filter, onFilter: (filter: Filter) => void, onLetIn: (pupil: Pupil) => void, onAnswer: (pupil: Pupil, newCode: boolean) => void, onEnd: (pupil: Pupil) => void, onBadgeActs: (pupil: Pupil) => void, onNewPupil: () => void, onGuests: () => void, onQuiet: () => void, onLearn: (tabletId: string) => void, onChecked: (tablet: Tablet) => void }} how
 */
export function classroom(view, how) {
  const seated = view.pupils.filter((p) => p.session !== null);
  const filters = /** @type {[Filter, string, number][]} */ ([
    ["all", say("teacher-filter-all"), view.pupils.length],
    ["seated", say("teacher-filter-seated"), seated.length],
    ["waiting", say("teacher-filter-waiting"), view.pupils.length - seated.length],
  ]);
  const fits = (/** @type {Pupil} */ p) => how.filter === "all" || (p.session !== null) === (how.filter === "seated");
  // Whoever waits for an adult is seen first, whatever is being looked at.
  const shown = [...view.pupils.filter((p) => p.calling), ...view.pupils.filter((p) => !p.calling && fits(p))];
  return [
    el(
      "div",
      { class: "filters", role: "group" },
      ...filters.map(([filter, word, count]) =>
        el("button", { type: "button", "aria-pressed": String(filter === how.filter), "data-key": `filter ${filter}`, onclick: () => how.onFilter(filter) }, word, " ", el("b", {}, String(count))),
      ),
    ),
    el(
      "div",
      { class: "rooms" },
      button("quiet", "users", say("teacher-pupil"), how.onNewPupil, { "data-key": "new pupil" }),
      button("quiet", "door-exit", view.guests_for_s === undefined ? say("teacher-guests") : say("teacher-guests-open", { minutes: Math.ceil(view.guests_for_s / 60) }), how.onGuests, { "data-key": "guests", "aria-pressed": String(view.guests_for_s !== undefined) }),
      button("quiet", view.quiet ? "volume-off" : "volume", view.quiet ? say("teacher-sound-back") : say("teacher-silence"), how.onQuiet, { "data-key": "silence", "aria-pressed": String(view.quiet === true), title: say("teacher-silence-help") }),
    ),
    attention(view.tablets, view.alerts, how),
    shown.length > 0 ? el("ul", { class: "pupils" }, ...shown.map((p) => card(p, how))) : el("p", { class: "nothing" }, say("teacher-nobody")),
    tablets(view, how),
  ];
}

/** @param {Pupil} pupil @param {{ onLetIn: (p: Pupil) => void, onAnswer: (p: Pupil, newCode: boolean) => void, onEnd: (p: Pupil) => void, onBadgeActs: (p: Pupil) => void }} how */
function card(pupil, { onLetIn, onAnswer, onEnd, onBadgeActs }) {
  const { session, calling, person_id: id } = pupil;
  const seat = session
    ? el("p", { class: "seat" }, icon("device-tablet"), el("span", {}, el("b", {}, session.tablet_name), el("span", {}, since(session.for_s))))
    : calling
      ? el("p", { class: "seat" }, icon("hand-stop"), el("span", {}, el("b", {}, say("teacher-calling", { tablet: calling.tablet_name })), el("span", {}, since(calling.for_s))))
      : el("p", { class: "seat none" }, say("teacher-not-seated"));
  return el(
    "li",
    { class: session ? "pupil seated" : calling ? "pupil calling" : "pupil" },
    animal(pupil.animal),
    el("div", { class: "who" }, el("h3", {}, pupil.given_name, " ", el("small", {}, pupil.level)), seat),
    el(
      "div",
      { class: "acts" },
      session
        ? button("quiet", "door-exit", say("teacher-end"), () => onEnd(pupil), { "data-key": `end ${id}` })
        : calling
          ? button("main", "check", say("teacher-let-in"), () => onAnswer(pupil, false), { "data-key": `in ${id}` })
          : button("soft", "hand-stop", say("teacher-let-in"), () => onLetIn(pupil), { "data-key": `in ${id}` }),
      calling && button("soft", "refresh", say("teacher-new-code"), () => onAnswer(pupil, true), { "data-key": `code ${id}` }),
      button("link", null, pupil.badges.length > 0 ? say("teacher-badge-acts") : say("teacher-no-badge"), () => onBadgeActs(pupil), { "data-key": `badge ${id}` }),
    ),
  );
}

/** For how long, in words. @param {number} seconds */
export function since(seconds) {
  return seconds < 60 ? say("teacher-since-now") : say("teacher-since", { minutes: Math.floor(seconds / 60) });
}

/** Tablets whose wipe waits for somebody, and what is odd. @param {Tablet[]} all @param {Alert[]} alerts @param {{ onChecked: (tablet: Tablet) => void, onLearn: (tabletId: string) => void }} how */
function attention(all, alerts, { onChecked, onLearn }) {
  const stuck = all.filter((t) => t.state === "wiping");
  if (stuck.length + alerts.length === 0) return null;
  return el(
    "section",
    { class: "attention" },
    ...alerts.map((alert) =>
      el(
        "div",
        {},
        icon("alert-triangle"),
        el("p", {}, inWords(alert)),
        alert.kind === "unknown_code" && button("soft", "check", say("teacher-learn"), () => onLearn(alert.tablet_id), { "data-key": `learn ${alert.tablet_id}` }),
      ),
    ),
    ...stuck.map((t) =>
      el(
        "div",
        {},
        icon("sparkles"),
        el("p", {}, el("b", {}, t.name), " ", t.unconfirmed.length > 0 ? say("teacher-wiping-stuck") : say("teacher-wiping")),
        button("soft", "check", say("teacher-checked"), () => onChecked(t), { "data-key": `checked ${t.tablet_id}` }),
      ),
    ),
  );
}

/** @param {Alert} alert */
function inWords(alert) {
  if (alert.kind === "badge_twice") return say("teacher-alert-twice", { name: alert.given_name, tablet: alert.from, other: alert.to, since: since(alert.ago_s) });
  if (alert.kind === "unknown_code") return say("teacher-alert-unknown", { tablet: alert.tablet });
  return say("teacher-alert-refusals", { tablet: alert.tablet, count: alert.count });
}

/** @param {ClassView} view @param {{ onGive: (t: Tablet) => void, onFree: (t: Tablet) => void, onRelease: (t: Tablet) => void }} how */
function tablets({ tablets: all, own_tablets }, { onGive, onFree, onRelease }) {
  const words = /** @type {Record<string, string>} */ ({
    free: say("teacher-state-free"),
    in_use: say("teacher-state-in-use"),
    wiping: say("teacher-state-wiping"),
    lost: say("teacher-state-lost"),
    outing: say("teacher-state-outing"),
    retired: say("teacher-state-retired"),
    unknown: say("teacher-state-unknown"),
  });
  return el(
    "details",
    { class: "tablets" },
    el("summary", {}, icon("device-tablet"), say("teacher-tablets", { count: all.filter((t) => t.state === "free").length, total: all.length })),
    el("ul", {}, ...all.map((t) => el("li", { class: t.state }, el("b", {}, t.name), " ", el("span", {}, words[t.state] ?? t.state), own_tablets && owned(t, onGive, onFree), cleared(t, onRelease)))),
  );
}

/** Another program clears it together with its page: a touch has the page do it alone. @param {Tablet} tablet @param {(t: Tablet) => void} onRelease */
function cleared(tablet, onRelease) {
  const { agent: name } = tablet;
  if (name === undefined) return null;
  return el("span", { class: "owned" }, say("teacher-agent", { name }), " ", button("link", "x", say("teacher-agent-release"), () => onRelease(tablet), { "data-key": `release ${tablet.tablet_id}` }));
}

/** Whose a tablet is: a touch gives it to somebody else, another frees it. @param {Tablet} tablet @param {(t: Tablet) => void} onGive @param {(t: Tablet) => void} onFree */
function owned(tablet, onGive, onFree) {
  const { owner } = tablet;
  return el(
    "span",
    { class: "owned" },
    button("link", "user", owner ? owner.given_name : say("teacher-tablet-nobody"), () => onGive(tablet), { "data-key": `give ${tablet.tablet_id}` }),
    owner && button("link", "x", say("teacher-tablet-free"), () => onFree(tablet), { "data-key": `free ${tablet.tablet_id}` }),
  );
}
