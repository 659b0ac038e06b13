//! The animal beside a name: who gets which, and its drawing on screens and on paper.

mod herd;

pub use herd::{ANIMALS, Herd};

/// All drawings: an SVG with one `symbol` each, named by a French word without accents.
pub const DRAWINGS: &str = include_str!("animals/animals.svg");

/// Words for animals that share a drawing. The screens know them too (`animals.js`).
pub const SHARED: &[(&str, &str)] = &[
    ("agneau", "mouton"),
    ("biche", "cerf"),
    ("brebis", "mouton"),
    ("chaton", "chat"),
    ("chiot", "chien"),
    ("chouette", "hibou"),
    ("coquelet", "coq"),
    ("crapaud", "grenouille"),
    ("faon", "cerf"),
    ("girafon", "girafe"),
    ("goeland", "oiseau"),
    ("lievre", "lapin"),
    ("louve", "loup"),
    ("manchot", "pingouin"),
    ("marmotte", "ecureuil"),
    ("mesange", "oiseau"),
    ("moineau", "oiseau"),
    ("mule", "ane"),
    ("otarie", "phoque"),
    ("ourson", "ours"),
    ("panthere", "leopard"),
    ("pieuvre", "poulpe"),
    ("poney", "cheval"),
    ("rossignol", "oiseau"),
    ("rouge-gorge", "oiseau"),
    ("suricate", "loutre"),
    ("tamia", "ecureuil"),
    ("tourterelle", "oiseau"),
    ("truite", "poisson"),
];

/// The `symbol` that shows this animal, as SVG; none when it is not drawn.
pub fn drawing(word: &str) -> Option<&'static str> {
    let word = folded(word);
    let name = SHARED.iter().find(|(said, _)| *said == word).map_or(word.as_str(), |(_, drawn)| drawn);
    let symbol = DRAWINGS.get(DRAWINGS.find(&format!("<symbol id=\"{name}\" "))?..)?;
    symbol.get(..symbol.find("</symbol>")?.checked_add("</symbol>".len())?)
}

/// A word as drawings are named: without accents, in lower case, with hyphens.
fn folded(word: &str) -> String {
    let mut folded = String::new();
    for letter in word.trim().chars().flat_map(char::to_lowercase) {
        match letter {
            'à' | 'â' | 'ä' => folded.push('a'),
            'ç' => folded.push('c'),
            'é' | 'è' | 'ê' | 'ë' => folded.push('e'),
            'î' | 'ï' => folded.push('i'),
            'ô' | 'ö' => folded.push('o'),
            'ù' | 'û' | 'ü' => folded.push('u'),
            'œ' => folded.push_str("oe"),
            // Accents that stand alone (NFD).
            '\u{300}'..='\u{36f}' => {}
            ' ' | '_' => folded.push('-'),
            other => folded.push(other),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_animal_is_found_by_its_word() {
        for (word, name) in [("écureuil", "ecureuil"), ("Goéland ", "oiseau"), ("chauve souris", "chauve-souris")] {
            let drawn = drawing(word).expect(word);
            assert!(drawn.starts_with(&format!("<symbol id=\"{name}\" ")) && drawn.ends_with("</symbol>"), "{drawn}");
        }
        for unknown in ["", "zorille", "\"", "<symbol"] {
            assert_eq!(drawing(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn shared_drawings_are_drawn() {
        for (word, name) in SHARED {
            assert!(drawing(word).is_some_and(|drawn| drawn.contains(&format!("id=\"{name}\""))), "{word}");
        }
    }
}
