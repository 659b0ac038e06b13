//! What a member of staff knows, as far as a box settles it: an activation code that is good once (*code d'activation*),
//! and the secret she chose. Both are fields of her document, as slow hashes; `shared/decisions/0018` says why.
//!
//! Every activation draws a number, and a secret names the one under which it was chosen. A secret of another number opens
//! nothing, so that a reset holds against whatever was chosen elsewhere at the same time, in whatever order the two meet.

use super::{
    DocId, Edit, Fields,
    rule::{Rule, Shape},
};
use crate::time::Stamp;

const ACTIVATION: &str = "activation";
const SECRET: &str = "secret";

/// A number, a time and a PHC string.
pub(crate) const RULES: &[Rule] =
    &[Rule::new(ACTIVATION, Shape::Text(300)).by_box(), Rule::new(SECRET, Shape::Text(300)).by_box()];

/// One activation; all zeros where there never was any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Number(pub [u8; 16]);

/// A slow hash, since when it stands, and under which activation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which activation.
    pub number: Number,
    /// For people to read, and for how long an activation code is good.
    pub since: Stamp,
    /// PHC string.
    pub phc: String,
}

/// What opens for her.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// What the coordinator gave.
    Given,
    /// Nothing but this activation code, once.
    Waiting(Kept),
    /// The secret that she chose.
    Own(Kept),
}

/// What opens for her whose document this is.
pub fn standing(fields: &Fields) -> Standing {
    let (activation, chosen) = (kept(fields, ACTIVATION), kept(fields, SECRET));
    let number = activation.as_ref().map_or(Number::default(), |activation| activation.number);
    match (chosen, activation) {
        (Some(chosen), _) if chosen.number == number => Standing::Own(chosen),
        (_, Some(activation)) if !activation.phc.is_empty() => Standing::Waiting(activation),
        (_, _) => Standing::Given,
    }
}

/// Her secrets are void, and this code is good once.
pub fn activate(doc: DocId, code: &Kept) -> Edit {
    Edit::of(doc).with_text(ACTIVATION, &written(code))
}

/// What the coordinator gave holds again, whatever was chosen before.
pub fn give(doc: DocId, number: Number, now: Stamp) -> Edit {
    activate(doc, &Kept { number, since: now, phc: String::new() })
}

/// She chose her secret; the activation of its number is spent.
pub fn choose(doc: DocId, secret: &Kept) -> Edit {
    Edit::of(doc).with_text(SECRET, &written(secret))
}

/// Under which number a secret is to be chosen now, so that it holds.
pub fn number(fields: &Fields) -> Number {
    kept(fields, ACTIVATION).map_or(Number::default(), |activation| activation.number)
}

pub(super) fn written(Kept { number, since, phc }: &Kept) -> String {
    format!("{} {} {phc}", hex(*number), since.0)
}

pub(super) fn hex(number: Number) -> String {
    format!("{:032x}", u128::from_be_bytes(number.0))
}

/// What cannot be read, of a later version perhaps, is there and fits nothing: it must not bring back an older secret.
fn kept(fields: &Fields, key: &str) -> Option<Kept> {
    let text = fields.text(key).filter(|text| !text.is_empty())?;
    Some(read(text).unwrap_or(Kept { number: Number([0xff; 16]), since: Stamp(0), phc: "unreadable".into() }))
}

pub(super) fn read(text: &str) -> Option<Kept> {
    let mut parts = text.splitn(3, ' ');
    let (number, since, phc) = (parts.next()?, parts.next()?, parts.next()?);
    let number = u128::from_str_radix(number, 16).ok().filter(|_| number.len() == 32)?;
    Some(Kept { number: Number(number.to_be_bytes()), since: Stamp(since.parse().ok()?), phc: phc.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        documents::{Document, Kind, Writer},
        ids::PersonId,
    };

    const BOXES: [[u8; 16]; 2] = [[1; 16], [2; 16]];

    fn doc() -> DocId {
        DocId::new(Kind::Person, *PersonId::from_bytes([7; 16]).as_bytes())
    }

    fn kept(number: u8, phc: &str) -> Kept {
        Kept { number: Number([number; 16]), since: Stamp(5), phc: phc.into() }
    }

    fn write(document: &mut Document, at: usize, edit: &Edit) -> Vec<u8> {
        document.edit(BOXES[at], Writer::Box, edit).expect("may write").expect("changes")
    }

    #[test]
    fn a_code_waits_then_is_spent_and_a_new_one_voids_what_was_chosen() {
        let mut document = Document::new(Kind::Person);
        assert_eq!(standing(&document.fields()), Standing::Given);
        write(&mut document, 0, &choose(doc(), &kept(0, "$own")));
        assert_eq!(standing(&document.fields()), Standing::Own(kept(0, "$own")), "she changed what she was given");
        write(&mut document, 0, &activate(doc(), &kept(3, "$code")));
        assert_eq!(standing(&document.fields()), Standing::Waiting(kept(3, "$code")));
        write(&mut document, 0, &choose(doc(), &kept(3, "$new")));
        assert_eq!(standing(&document.fields()), Standing::Own(kept(3, "$new")));
        write(&mut document, 0, &give(doc(), Number([4; 16]), Stamp(9)));
        assert_eq!(standing(&document.fields()), Standing::Given);
    }

    #[test]
    fn a_reset_holds_against_a_change_at_a_sister_box_in_any_order() {
        for reset_first in [true, false] {
            let (mut one, mut other) = (Document::new(Kind::Person), Document::new(Kind::Person));
            let before = write(&mut one, 0, &activate(doc(), &kept(3, "$code")));
            other.apply(Writer::Box, &before).expect("applies");
            let reset = write(&mut one, 0, &activate(doc(), &kept(4, "$again")));
            let spent = write(&mut other, 1, &choose(doc(), &kept(3, "$new")));
            let changed = write(&mut other, 1, &choose(doc(), &kept(3, "$newer")));
            let mut third = Document::new(Kind::Person);
            let order = if reset_first { [&reset, &spent, &changed] } else { [&spent, &changed, &reset] };
            for change in [&before].into_iter().chain(order) {
                third.apply(Writer::Box, change).expect("applies");
            }
            assert_eq!(standing(&third.fields()), Standing::Waiting(kept(4, "$again")));
        }
    }

    #[test]
    fn what_cannot_be_read_opens_nothing() {
        for text in ["x", "00 5 $a", "g0000000000000000000000000000000 5 $a", "00000000000000000000000000000000 x $a"] {
            let mut document = Document::new(Kind::Person);
            write(&mut document, 0, &Edit::of(doc()).with_text(ACTIVATION, text));
            let Standing::Waiting(code) = standing(&document.fields()) else { panic!("{text}") };
            assert_eq!(code.phc, "unreadable");
        }
    }
}
