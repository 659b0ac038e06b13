// What staff know: chosen with an activation code, replaced by the head, changed by oneself.

import { Problem } from "../static/problem.js";
import { say } from "../static/words.js";
import { ask, paper, proved } from "./box.js";
import * as dialogs from "./dialogs.js";

/**
 * With an activation code she chooses her own secret, and again while what she chose is too simple. Null when she chose none.
 * @template T
 * @param {(own: { new_secret?: string }) => Promise<T>} act
 * @returns {Promise<T | null>}
 */
export async function chosen(act) {
  /** @type {{ new_secret?: string }} */
  let own = {};
  let simple = "";
  for (;;) {
    try {
      return await act(own);
    } catch (cause) {
      if (!(cause instanceof Problem) || !["secret_to_choose", "secret_too_simple"].includes(cause.code)) throw cause;
      simple = cause.code === "secret_too_simple" ? `${cause.sentence} ${cause.next}` : "";
    }
    const said = await dialogs.chooseSecret(false, simple);
    if (said === null) return null;
    own = { new_secret: said.secret };
  }
}

/** A teacher forgot her code: the head gives her one that is good once. */
export async function reset() {
  const staff = await ask("GET", "/api/v1/staff");
  const person = await dialogs.chooseStaff(staff);
  if (person === "several") return resetMany(staff);
  if (!person) return;
  const title = say("teacher-staff-reset-title", { name: person.given_name });
  if (!(await dialogs.confirm({ title, lines: [say("teacher-staff-reset-help")], yes: say("teacher-staff-reset") }))) return;
  const made = await proved((proof) => ask("POST", `/api/v1/staff/${person.person_id}/activation`, proof));
  if (made) await dialogs.showActivation(made, () => paper(`/api/v1/staff/${made.person_id}/activation/slip`, { code: made.code }, "code.pdf"));
}

/** A new school year: several codes at once, each on a slip to hand out. @param {dialogs.StaffLine[]} staff */
async function resetMany(staff) {
  const person_ids = await dialogs.chooseSeveral(staff.filter((one) => one.role === "teacher"));
  if (!person_ids) return;
  const printed = await proved((proof) => dialogs.during(say("teacher-badges-printing"), paper("/api/v1/staff/activations", { person_ids, ...proof }, "codes.pdf")));
  if (printed) await dialogs.tell(say("teacher-staff-printed", { count: printed.headers.get("Preau-Codes") ?? "" }), say("teacher-staff-printed-help"));
}

/** Anybody's own secret: the old one and the new one. */
export async function change() {
  const said = await dialogs.chooseSecret(true, "");
  if (said === null) return;
  await ask("PUT", "/api/v1/staff/secret", { old: said.old, new: said.secret });
  await dialogs.tell(say("teacher-secret-changed"), say("teacher-secret-changed-help"));
}
