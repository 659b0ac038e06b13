// Questions asked before something is done, and answers worth reading aloud.

import { animal } from "../static/animals.js";
import { button, el, icon } from "../static/dom.js";
import { say } from "../static/words.js";

/**
 * A dialog that answers with what was chosen, or null.
 * @template T
 * @param {(close: (answer: T | null) => void) => (Node | false | null)[]} content
 * @returns {Promise<T | null>}
 */
function dialog(content) {
  return new Promise((done) => {
    const box = /** @type {HTMLDialogElement} */ (el("dialog"));
    /** @param {T | null} answer */
    const close = (answer) => {
      done(answer);
      box.close();
    };
    box.append(.../** @type {Node[]} */ (content(close).filter((n) => n)));
    box.addEventListener("close", () => {
      done(null);
      box.remove();
    });
    document.body.append(box);
    box.showModal();
  });
}

/**
 * Whether to go on.
 * @param {{ title: string, lines: string[], yes: string, animalOf?: string }} how
 * @returns {Promise<boolean>}
 */
export async function confirm({ title, lines, yes, animalOf }) {
  const answer = await dialog((close) => [
    el("header", {}, animalOf ? animal(animalOf) : icon("alert-triangle"), el("h2", {}, title)),
    ...lines.filter((l) => l !== "").map((line) => el("p", {}, line)),
    el("footer", {}, button("quiet", null, say("teacher-cancel"), () => close(null)), button("main", "check", yes, () => close(true))),
  ]);
  return answer === true;
}

/**
 * On which free tablet.
 * @param {import("./screens.js").Pupil} pupil
 * @param {import("./screens.js").Tablet[]} tablets
 * @returns {Promise<string | null>} its id
 */
export function chooseTablet(pupil, tablets) {
  const free = tablets.filter((t) => t.state === "free");
  return dialog((close) => [
    el("header", {}, animal(pupil.animal), el("h2", {}, say("teacher-let-in-title", { name: pupil.given_name }))),
    el("p", {}, free.length > 0 ? say("teacher-let-in-help") : say("teacher-let-in-none")),
    el("div", { class: "choices" }, ...free.map((t) => button("soft", "device-tablet", t.name, () => close(t.tablet_id)))),
    el("footer", {}, button("quiet", null, say("teacher-cancel"), () => close(null))),
  ]);
}

/**
 * What becomes of a child's badge.
 * @param {import("./screens.js").Pupil} pupil
 * @returns {Promise<"today" | "print" | "lost" | "void" | "off" | null>}
 */
export function chooseBadgeAct(pupil) {
  const known = pupil.badges.length > 0;
  return dialog((close) => [
    el("header", {}, animal(pupil.animal), el("h2", {}, say("teacher-badge-title", { name: pupil.given_name }))),
    choice("device-tablet", say("teacher-badge-today"), say("teacher-badge-today-help"), () => close("today")),
    choice("printer", say("teacher-badge-print"), known ? say("teacher-badge-print-help") : "", () => close("print")),
    known && choice("alert-triangle", say("teacher-badge-lost"), say("teacher-badge-lost-help"), () => close("lost")),
    known && choice("x", say("teacher-void"), say("teacher-void-help"), () => close("void")),
    pupil.provisional && choice("logout", say("teacher-off", { name: pupil.given_name }), say("teacher-off-help"), () => close("off")),
    el("footer", {}, button("quiet", null, say("teacher-cancel"), () => close(null))),
  ]);
}

/** A choice with what it means. @param {string} picture @param {string} word @param {string} help @param {() => void} onclick */
function choice(picture, word, help, onclick) {
  return el("button", { type: "button", class: "choice", onclick }, icon(picture), el("span", {}, el("b", {}, word), help && el("small", {}, help)));
}

/**
 * A badge for today: the child shows the teacher's screen to the tablet, or copies the letters.
 * @param {import("./screens.js").Pupil} pupil
 * @param {{ drawing: string, short_code: string }} drawn
 */
export function showBadge(pupil, { drawing, short_code }) {
  return dialog((close) => [
    el("header", {}, animal(pupil.animal), el("h2", {}, say("teacher-badge-today-title", { name: pupil.given_name }))),
    qr(drawing, say("teacher-badge-today")),
    el("p", { class: "read-out" }, short_code),
    el("p", {}, say("teacher-badge-today-next")),
    el("footer", {}, button("main", "check", say("teacher-ok"), () => close(null))),
  ]);
}

/** The code for a time without the box; true when another one is wished for. @param {string} code @returns {Promise<true | null>} */
export function showUnplugged(code) {
  return dialog((close) => [
    el("header", {}, icon("plug"), el("h2", {}, say("teacher-unplugged-title"))),
    el("p", { class: "read-out" }, code.replace(/(.{3})(?=.)/g, "$1 ")),
    el("p", {}, say("teacher-unplugged-help")),
    choice("refresh", say("teacher-unplugged-new"), say("teacher-unplugged-new-help"), () => close(true)),
    el("footer", {}, button("main", "check", say("teacher-ok"), () => close(null))),
  ]);
}

/** For how long guests may sit down, in minutes. @param {string} className @returns {Promise<number | null>} */
export function guestTime(className) {
  return dialog((close) => [
    el("header", {}, icon("users"), el("h2", {}, say("teacher-guests-title", { name: className }))),
    el("p", {}, say("teacher-guests-help")),
    el("div", { class: "choices" }, ...[30, 60, 120, 240].map((minutes) => button("soft", "clock", minutes < 60 ? say("teacher-guests-minutes", { minutes }) : say("teacher-guests-hours", { count: minutes / 60 }), () => close(minutes)))),
    el("footer", {}, button("quiet", null, say("teacher-cancel"), () => close(null))),
  ]);
}

/** One child of the class. @param {import("./screens.js").Pupil[]} pupils @param {string} [title] @returns {Promise<string | null>} */
export function choosePupil(pupils, title = say("teacher-learn-title")) {
  return dialog((close) => [
    el("header", {}, icon("users"), el("h2", {}, title)),
    el("div", { class: "choices" }, ...pupils.map((p) => el("button", { type: "button", class: "soft face", onclick: () => close(p.person_id) }, animal(p.animal), el("span", {}, p.given_name)))),
    el("footer", {}, button("quiet", null, say("teacher-cancel"), () => close(null))),
  ]);
}

/** A given name. @param {string} title @param {string} help @returns {Promise<string | null>} */
export function askName(title, help) {
  return dialog((close) => {
    const input = /** @type {HTMLInputElement} */ (el("input", { id: "given-name", required: true, maxlength: 80, autocomplete: "off" }));
    const form = el("form", {}, el("label", { for: "given-name" }, say("teacher-given-name"), input), el("p", { class: "small" }, help), el("footer", {}, button("quiet", null, say("teacher-cancel"), () => close(null)), el("button", { type: "submit", class: "main" }, icon("check"), el("span", {}, say("teacher-add")))));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      close(input.value);
    });
    return [el("header", {}, icon("users"), el("h2", {}, title)), form];
  });
}

/**
 * Who teaches in another's place, which classes and until when; or whose time here ends.
 * @param {import("./screens.js").ClassLine[]} classes
 * @param {{ person_id: string, given_name: string, classes: string[] }[]} present
 * @param {boolean} head
 * @returns {Promise<{ given_name: string, class_ids: string[], until: string } | { ends: string } | null>}
 */
export function chooseSubstitute(classes, present, head) {
  return dialog((close) => {
    const tick = (/** @type {string} */ type, /** @type {string} */ name, /** @type {string} */ value, /** @type {string} */ word, /** @type {boolean} */ checked) =>
      el("label", { class: "tick" }, el("input", { type, name, value, checked }), el("span", {}, word));
    const form = /** @type {HTMLFormElement} */ (
      el(
        "form",
        {},
        el("label", { for: "given-name" }, say("teacher-given-name"), el("input", { id: "given-name", name: "name", required: true, maxlength: 80, autocomplete: "off" })),
        el("fieldset", { class: "several" }, el("legend", {}, say("teacher-substitute-classes")), ...classes.map((c) => tick("checkbox", "class", c.class_id, c.name, classes.length === 1))),
        el("fieldset", {}, el("legend", {}, say("teacher-substitute-until")), tick("radio", "until", "tonight", say("teacher-substitute-tonight"), true), head && tick("radio", "until", "friday", say("teacher-substitute-friday"), false)),
        el("p", { class: "small" }, head ? "" : say("teacher-substitute-vouch")),
        el("footer", {}, button("quiet", null, say("teacher-cancel"), () => close(null)), el("button", { type: "submit", class: "main" }, icon("check"), el("span", {}, say("teacher-add")))),
      )
    );
    const ticked = () => {
      const first = /** @type {HTMLInputElement | null} */ (form.querySelector("input[name=class]"));
      first?.setCustomValidity(form.querySelector("input[name=class]:checked") ? "" : say("teacher-substitute-no-class"));
    };
    form.addEventListener("change", ticked);
    ticked();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const said = new FormData(form);
      close({ given_name: String(said.get("name")), class_ids: said.getAll("class").map(String), until: String(said.get("until")) });
    });
    const line = (/** @type {{ person_id: string, given_name: string, classes: string[] }} */ one) =>
      el("p", { class: "level" }, el("b", {}, one.given_name), el("small", {}, one.classes.join(", ")), button("quiet", "logout", say("teacher-substitute-end"), () => close({ ends: one.person_id })));
    return [el("header", {}, icon("users"), el("h2", {}, say("teacher-substitute-title"))), ...present.map(line), form];
  });
}

/** What a substitute needs, told this once. @param {string} name @param {{ drawing: string, pin: string }} made */
export function showSubstitute(name, { drawing, pin }) {
  return dialog((close) => [
    el("header", {}, icon("users"), el("h2", {}, say("teacher-substitute-ready", { name }))),
    qr(drawing, name),
    el("p", { class: "read-out" }, pin),
    el("p", {}, say("teacher-substitute-next")),
    el("footer", {}, button("main", "check", say("teacher-ok"), () => close(null))),
  ]);
}

/** A code to show to a camera. @param {string} drawing @param {string} label */
function qr(drawing, label) {
  const code = document.importNode(new DOMParser().parseFromString(drawing, "image/svg+xml").documentElement, true);
  code.setAttribute("class", "code-drawing");
  code.setAttribute("role", "img");
  code.setAttribute("aria-label", label);
  return code;
}

/**
 * Badges for many.
 * @param {string} className
 * @param {boolean} head whether the school may be chosen
 * @returns {Promise<{ school: boolean, lost: boolean, labels: boolean } | null>}
 */
export function choosePrint(className, head) {
  return dialog((close) => {
    const tick = (/** @type {string} */ name, /** @type {string} */ value, /** @type {string} */ word, /** @type {string} */ help, /** @type {boolean} */ checked) =>
      el("label", { class: "tick" }, el("input", { type: "radio", name, value, checked }), el("span", {}, el("b", {}, word), help && el("small", {}, help)));
    const form = /** @type {HTMLFormElement} */ (
      el(
        "form",
        {},
        head && el("fieldset", {}, el("legend", {}, say("teacher-badges-whose")), tick("whose", "class", className, "", true), tick("whose", "school", say("teacher-badges-school"), "", false)),
        el("fieldset", {}, el("legend", {}, say("teacher-badges-why")), tick("why", "new", say("teacher-badges-new"), say("teacher-badge-print-help"), true), tick("why", "lost", say("teacher-badges-lost"), say("teacher-badges-lost-help"), false)),
        el("fieldset", {}, el("legend", {}, say("teacher-badges-paper")), tick("paper", "cards", say("teacher-badges-cards"), "", true), tick("paper", "labels", say("teacher-badges-labels"), "", false)),
        el("footer", {}, button("quiet", null, say("teacher-cancel"), () => close(null)), el("button", { type: "submit", class: "main" }, icon("printer"), el("span", {}, say("teacher-badges-go")))),
      )
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const chosen = new FormData(form);
      close({ school: chosen.get("whose") === "school", lost: chosen.get("why") === "lost", labels: chosen.get("paper") === "labels" });
    });
    return [el("header", {}, icon("printer"), el("h2", {}, say("teacher-badges-title"))), form];
  });
}

/**
 * Says what is going on until it is over.
 * @template T
 * @param {string} sentence
 * @param {Promise<T>} work
 * @returns {Promise<T>}
 */
export async function during(sentence, work) {
  const box = /** @type {HTMLDialogElement} */ (el("dialog", {}, el("header", {}, icon("clock"), el("h2", {}, sentence)), el("progress")));
  box.addEventListener("cancel", (event) => event.preventDefault());
  document.body.append(box);
  box.showModal();
  return work.finally(() => {
    box.close();
    box.remove();
  });
}

/**
 * What each level is asked for besides a badge; each choice is kept as it is made.
 * @param {{ level: string, factor: string, pupils: number }[]} levels
 * @param {(level: string, factor: string) => Promise<unknown>} onChoose
 */
export function codesByLevel(levels, onChoose) {
  const words = /** @type {[string, string][]} */ ([["none", say("teacher-codes-none")], ["pictures", say("teacher-codes-pictures")], ["digits", say("teacher-codes-digits")]]);
  return new Promise((done, fail) => {
    void dialog((close) => {
      const line = (/** @type {{ level: string, factor: string, pupils: number }} */ { level, factor, pupils }) => {
        const choose = /** @type {HTMLSelectElement} */ (el("select", { "aria-label": level }, ...words.map(([value, word]) => el("option", { value, selected: value === factor }, word))));
        choose.addEventListener("change", () => {
          onChoose(level, choose.value).catch((cause) => {
            close(null);
            fail(cause);
          });
        });
        return el("label", { class: "level" }, el("b", {}, level || "—"), el("small", {}, say("teacher-codes-pupils", { count: pupils })), choose);
      };
      return [
        el("header", {}, icon("lock"), el("h2", {}, say("teacher-codes-title"))),
        el("p", {}, levels.length > 0 ? say("teacher-codes-help") : say("teacher-nobody")),
        ...levels.map(line),
        el("footer", {}, button("main", "check", say("teacher-ok"), () => close(null))),
      ];
    }).then(() => done(undefined));
  });
}

/** The code that tablets enrol with, large enough for the back of the room. @param {{ code: string, closes_in_s: number, tablets_left: number }} opened */
export function enrolmentCode({ code, closes_in_s, tablets_left }) {
  return dialog((close) => [
    el("header", {}, icon("device-tablet"), el("h2", {}, say("teacher-enrol-title"))),
    el("p", { class: "read-out" }, code),
    el("p", {}, say("teacher-enrol-help")),
    el("p", { class: "small" }, say("teacher-enrol-until", { minutes: Math.max(1, Math.round(closes_in_s / 60)), count: tablets_left })),
    el("footer", {}, button("main", "check", say("teacher-ok"), () => close(null))),
  ]);
}

/** The second factor, asked again before something weighty. @returns {Promise<string | null>} */
export function askPin() {
  return dialog((close) => {
    const input = /** @type {HTMLInputElement} */ (el("input", { id: "again", type: "password", autocomplete: "off", required: true, maxlength: 128 }));
    const form = el("form", {}, el("label", { for: "again" }, say("teacher-pin-again"), input), el("footer", {}, button("quiet", null, say("teacher-cancel"), () => close(null)), el("button", { type: "submit", class: "main" }, icon("check"), el("span", {}, say("teacher-go")))));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      close(input.value);
    });
    return [el("header", {}, icon("lock"), el("h2", {}, say("teacher-pin-title"))), form];
  });
}

/**
 * A secret of her own, twice; with `asksOld`, after the one that she has.
 * @param {boolean} asksOld
 * @param {string} refused why the last one would not do
 * @returns {Promise<{ old: string, secret: string } | null>}
 */
export function chooseSecret(asksOld, refused) {
  return dialog((close) => {
    const field = (/** @type {string} */ id, /** @type {string} */ word, /** @type {string} */ remembers) => {
      const input = /** @type {HTMLInputElement} */ (el("input", { id, type: "password", autocomplete: remembers, required: true, maxlength: 128 }));
      return { input, label: el("label", { for: id }, word, input) };
    };
    const old = field("secret-old", say("teacher-secret-old"), "current-password");
    const one = field("secret-new", say("teacher-secret-new"), "new-password");
    const two = field("secret-again", say("teacher-secret-twice"), "new-password");
    const different = el("p", { class: "gentle", role: "alert", hidden: refused === "" }, refused);
    const form = el("form", {}, different, asksOld && old.label, one.label, two.label, el("footer", {}, button("quiet", null, say("teacher-cancel"), () => close(null)), el("button", { type: "submit", class: "main" }, icon("check"), el("span", {}, say("teacher-go")))));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (one.input.value.trim() === two.input.value.trim()) return close({ old: old.input.value, secret: one.input.value });
      different.textContent = say("teacher-secret-different");
      different.hidden = false;
    });
    if (!asksOld) old.input.required = false;
    return [el("header", {}, icon("lock"), el("h2", {}, say("teacher-secret-title"))), el("p", {}, say("teacher-secret-help")), form];
  });
}

/**
 * The code of the envelope in the safe. It can be given as soon as the box's plug was put in.
 * @param {string} refused why the last one would not do
 * @param {(told: (sentence: string, open: boolean) => void) => () => void} follow tells how the box stands; gives what ends it
 * @returns {Promise<string | null>}
 */
export function askSafeCode(refused, follow) {
  let end = () => {};
  return dialog((close) => {
    const input = /** @type {HTMLInputElement} */ (el("input", { id: "safe-code", class: "code", autocomplete: "off", spellcheck: "false", autocapitalize: "characters", required: true, maxlength: 64, placeholder: "ABCD EFGH IJKL" }));
    const go = /** @type {HTMLButtonElement} */ (el("button", { type: "submit", class: "main", disabled: true }, icon("check"), el("span", {}, say("teacher-go"))));
    const state = el("p", { class: "gentle", role: "status" });
    const form = el(
      "form",
      {},
      el("p", { class: "gentle", role: "alert", hidden: refused === "" }, refused),
      state,
      el("label", { for: "safe-code" }, say("teacher-safe-code"), input),
      el("footer", {}, button("quiet", null, say("teacher-cancel"), () => close(null)), go),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      close(input.value);
    });
    end = follow((sentence, open) => {
      if (state.textContent !== sentence) state.textContent = sentence;
      go.disabled = !open;
    });
    return [
      el("header", {}, icon("lock"), el("h2", {}, say("teacher-safe-title"))),
      el("p", {}, say("teacher-safe-help")),
      el("ol", {}, el("li", {}, say("teacher-safe-first")), el("li", {}, say("teacher-safe-second")), el("li", {}, say("teacher-safe-third"))),
      form,
    ];
  }).finally(() => end());
}

/** @typedef {{ person_id: string, given_name: string, role: string, secret: string, since_ms?: number | null }} StaffLine */

/** What somebody of the staff opens with, in words. @param {StaffLine} one */
function state({ secret, since_ms }) {
  const since = since_ms ? new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long" }).format(since_ms) : "—";
  if (secret === "waiting") return say("teacher-staff-waiting", { since });
  return secret === "own" ? say("teacher-staff-own", { since }) : say("teacher-staff-given");
}

/**
 * Whose secret is to be replaced, or that it is several people's. A head's is not another's to take.
 * @param {StaffLine[]} staff
 * @returns {Promise<StaffLine | "several" | null>}
 */
export function chooseStaff(staff) {
  return dialog((close) => [
    el("header", {}, icon("id-badge-2"), el("h2", {}, say("teacher-staff-title"))),
    el("p", {}, say("teacher-staff-help")),
    ...staff.map((one) => el("p", { class: "level" }, el("b", {}, one.given_name), el("small", {}, state(one)), one.role === "teacher" && button("soft", "refresh", say("teacher-staff-reset"), () => close(one), { "data-person": one.person_id }))),
    el("footer", {}, staff.some((one) => one.role === "teacher") && button("quiet", "printer", say("teacher-staff-several"), () => close("several"), { "data-key": "several" }), button("main", "check", say("teacher-ok"), () => close(null))),
  ]);
}

/** Whose codes are printed: at first those who have chosen none yet. @param {StaffLine[]} teachers @returns {Promise<string[] | null>} */
export function chooseSeveral(teachers) {
  return dialog((close) => {
    const tick = (/** @type {StaffLine} */ one) =>
      el("label", { class: "tick" }, el("input", { type: "checkbox", name: "person", value: one.person_id, checked: one.secret !== "own" }), el("span", {}, el("b", {}, one.given_name), el("small", {}, state(one))));
    const form = /** @type {HTMLFormElement} */ (
      el("form", {}, el("fieldset", { class: "several" }, el("legend", {}, say("teacher-staff-several-help")), ...teachers.map(tick)), el("footer", {}, button("quiet", null, say("teacher-cancel"), () => close(null)), el("button", { type: "submit", class: "main" }, icon("printer"), el("span", {}, say("teacher-activation-print")))))
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const chosen = new FormData(form).getAll("person").map(String);
      close(chosen.length > 0 ? chosen : null);
    });
    return [el("header", {}, icon("printer"), el("h2", {}, say("teacher-staff-several"))), form];
  });
}

/**
 * A code that is good once, told this once.
 * @param {{ given_name: string, code: string, good_for_s: number }} made
 * @param {() => Promise<unknown>} onPrint
 */
export function showActivation({ given_name, code, good_for_s }, onPrint) {
  return dialog((close) => [
    el("header", {}, icon("id-badge-2"), el("h2", {}, say("teacher-activation-title", { name: given_name }))),
    el("p", { class: "read-out" }, `${code.slice(0, 4)} ${code.slice(4)}`),
    el("ol", {}, el("li", {}, say("teacher-activation-first")), el("li", {}, say("teacher-activation-second")), el("li", {}, say("teacher-activation-third"))),
    el("p", { class: "small" }, say("teacher-activation-once", { days: Math.round(good_for_s / 86_400) })),
    el("footer", {}, button("quiet", "printer", say("teacher-activation-print"), () => void onPrint().catch(() => window.print())), button("main", "check", say("teacher-ok"), () => close(null))),
  ]);
}

/** A refusal, with its next step. @param {string} sentence @param {string} next @param {unknown} [number] */
export function tell(sentence, next, number) {
  return dialog((close) => [
    el("header", {}, icon("hand-stop"), el("h2", {}, sentence)),
    el("p", {}, next),
    number !== undefined && el("p", { class: "small" }, say("teacher-number", { number: String(number) })),
    el("footer", {}, button("main", "check", say("teacher-ok"), () => close(null))),
  ]);
}
