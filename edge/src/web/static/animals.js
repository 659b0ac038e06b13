// The animal of a person: a drawing by its French word; an animal that is not drawn shows the first letter.

import { el } from "./dom.js";

const FOLDER = new URL("./animals/", import.meta.url).pathname;
const DRAWN = "abeille aigle ane baleine belier blaireau buffle calamar canard caniche castor cerf chameau chat chauve-souris chenille cheval chevre chien coccinelle cochon coq crabe crevette crocodile cygne dauphin dindon dinosaure dragon ecureuil elan elephant escargot flamant fourmi girafe gorille grenouille grillon hamster herisson hibou hippopotame homard kangourou koala lama lapin leopard lezard licorne lion loup loutre mouton oie oiseau ours ours-polaire panda paon papillon paresseux perroquet phoque pingouin poisson poule poulpe poussin raton-laveur renard requin rhinoceros sanglier serpent singe souris tigre tortue vache zebre";
const KNOWN = new Set(DRAWN.split(" "));
/** Words for animals that share a drawing. */
const ALSO = new Map(
  Object.entries({
    biche: "cerf", brebis: "mouton", agneau: "mouton", chaton: "chat", chiot: "chien", chouette: "hibou",
    coquelet: "coq", crapaud: "grenouille", faon: "cerf", girafon: "girafe", goeland: "oiseau", lievre: "lapin",
    louve: "loup", manchot: "pingouin", marmotte: "ecureuil", mesange: "oiseau", moineau: "oiseau", mule: "ane",
    otarie: "phoque", ourson: "ours", panthere: "leopard", pieuvre: "poulpe", poney: "cheval", rossignol: "oiseau",
    "rouge-gorge": "oiseau", suricate: "loutre", tamia: "ecureuil", tourterelle: "oiseau", truite: "poisson",
  }),
);

/**
 * The word as drawings are named: without accents, in lower case, with hyphens.
 * @param {string} word
 */
function folded(word) {
  return word.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replace(/œ/g, "oe").trim()
    .replace(/[\s_]+/g, "-");
}

/**
 * The drawing of an animal, with its word for screen readers.
 * @param {string} word
 * @param {string} [kind] a class more
 * @returns {HTMLElement}
 */
export function animal(word, kind = "") {
  const name = folded(word);
  const drawn = KNOWN.has(name) ? name : ALSO.get(name);
  const inside = drawn ? el("img", { class: "drawing", src: `${FOLDER}${drawn}.svg`, alt: "" }) : el("span", { class: "letter" }, (word.trim()[0] ?? "?").toUpperCase());
  return el("span", { class: `animal tint${tint(name)} ${kind}`, role: "img", "aria-label": word }, inside);
}

/** One of six quiet colours, always the same for a word. @param {string} name @returns {number} */
export function tint(name) {
  let sum = 0;
  for (const letter of name) sum += letter.charCodeAt(0);
  return sum % 6;
}
