//! The code in the school's safe (*code du coffre*): by it a head who forgot her secret chooses another, with her hands on
//! the box and without any network. Fields of her document; `shared/decisions/0022` says why.
//!
//! The coordinator draws the code, with a number of its own; a box notes under that number that it was used, and what is
//! noted is never undone. So a code opens once, and a new one voids the old.

use super::{
    DocId, Edit, Fields, Scalar,
    rule::{Merge, Rule, Shape},
    staff::{self, Kept, Number},
};
use crate::time::Stamp;

const CODE: &str = "safe_code";
const USED: &str = "safe_used:";
const USED_AT: &str = "safe_used_at:";

pub(crate) const RULES: &[Rule] = &[
    // Number, time and PHC string, of the coordinator alone: a box that could draw one could open itself with it.
    Rule::new(CODE, Shape::Text(300)),
    Rule::new(USED, Shape::Flag).merged(Merge::NeverUndone).by_box(),
    // For people to read; where one code was used at two boxes apart, one of the two.
    Rule::new(USED_AT, Shape::Int).by_box(),
];

/// The code that was drawn last, and whether it was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeCode {
    /// Its number, when it was drawn, and its slow hash.
    pub code: Kept,
    /// Whether it was used.
    pub used: bool,
}

/// What is in the safe for her whose document this is; none when nothing was drawn, or it cannot be read.
pub fn safe_code(fields: &Fields) -> Option<SafeCode> {
    let code = staff::read(fields.text(CODE)?)?;
    let used = fields.flag(&format!("{USED}{}", staff::hex(code.number)));
    Some(SafeCode { code, used })
}

/// The codes that were ever used, and when; what stands there when no clock was to be trusted is not plausible.
pub fn uses(fields: &Fields) -> impl Iterator<Item = (Number, Stamp)> {
    fields.members(USED).filter_map(|hex| {
        let number = Number(u128::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 32)?.to_be_bytes());
        Some((number, Stamp(fields.int(&format!("{USED_AT}{hex}")).unwrap_or_default())))
    })
}

/// The coordinator draws a code: the one before opens nothing any more.
pub fn put_in_safe(doc: DocId, code: &Kept) -> Edit {
    Edit::of(doc).with_text(CODE, &staff::written(code))
}

/// The code of this number is used: her secret is this from now on, under a number of its own, and what she knew before
/// opens nothing. Her secret also waits as an activation code of that number: where a sister's change, made at the same
/// time, is what Automerge's order puts last, she gives it and chooses again, and does not stand before a closed door.
pub fn use_safe_code(doc: DocId, code: Number, secret: &Kept) -> Edit {
    let activated = staff::activate(doc, secret);
    let chosen = staff::choose(doc, secret);
    let code = staff::hex(code);
    let used = Edit::of(doc)
        .with_flag(&format!("{USED}{code}"), true)
        .with(format!("{USED_AT}{code}"), Scalar::Int(secret.since.0));
    Edit { doc, set: [activated.set, chosen.set, used.set].concat(), whole: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        documents::{
            Document, Kind, Person, Writer,
            staff::{Standing, standing},
        },
        ids::PersonId,
    };

    fn doc() -> DocId {
        Person::doc(PersonId::from_bytes([7; 16]))
    }

    fn kept(number: u8, since: i64, phc: &str) -> Kept {
        Kept { number: Number([number; 16]), since: Stamp(since), phc: phc.into() }
    }

    fn drawn(number: u8) -> (Document, Vec<u8>) {
        let mut document = Document::new(Kind::Person);
        let edit = put_in_safe(doc(), &kept(number, 1, "$code"));
        let change = document.edit([9; 16], Writer::Coordinator, &edit).expect("may write").expect("a change");
        (document, change)
    }

    #[test]
    fn a_code_opens_once_and_a_new_one_is_another() {
        let (mut document, _) = drawn(1);
        assert_eq!(safe_code(&document.fields()).map(|safe| safe.used), Some(false));
        let edit = use_safe_code(doc(), Number([1; 16]), &kept(5, 77, "$own"));
        document.edit([1; 16], Writer::Box, &edit).expect("may write");
        assert_eq!(safe_code(&document.fields()).map(|safe| safe.used), Some(true));
        assert_eq!(standing(&document.fields()), Standing::Own(kept(5, 77, "$own")));
        document.edit([9; 16], Writer::Coordinator, &put_in_safe(doc(), &kept(2, 99, "$next"))).expect("may write");
        assert_eq!(safe_code(&document.fields()), Some(SafeCode { code: kept(2, 99, "$next"), used: false }));
        assert_eq!(uses(&document.fields()).collect::<Vec<_>>(), [(Number([1; 16]), Stamp(77))]);
    }

    #[test]
    fn no_box_draws_a_code() {
        let mut document = Document::new(Kind::Person);
        assert!(document.edit([1; 16], Writer::Box, &put_in_safe(doc(), &kept(1, 1, "$code"))).is_err());
    }

    #[test]
    fn a_use_holds_against_what_was_written_elsewhere_at_the_same_time_in_any_order() {
        for used_first in [true, false] {
            let (mut here, before) = drawn(1);
            let mut there = Document::new(Kind::Person);
            there.apply(Writer::Coordinator, &before).expect("applies");
            let used = use_safe_code(doc(), Number([1; 16]), &kept(5, 77, "$own"));
            let used = here.edit([1; 16], Writer::Box, &used).expect("may write").expect("a change");
            let changed = staff::choose(doc(), &kept(0, 78, "$thief"));
            let changed = there.edit([2; 16], Writer::Box, &changed).expect("may write").expect("a change");
            let mut third = Document::new(Kind::Person);
            third.apply(Writer::Coordinator, &before).expect("applies");
            for change in if used_first { [&used, &changed] } else { [&changed, &used] } {
                third.apply(Writer::Box, change).expect("applies");
            }
            // Whichever Automerge puts last: hers holds, or waits; the other's never opens.
            let opens = standing(&third.fields());
            let hers = [Standing::Own(kept(5, 77, "$own")), Standing::Waiting(kept(5, 77, "$own"))];
            assert!(hers.contains(&opens), "{opens:?}");
            assert!(safe_code(&third.fields()).is_some_and(|safe| safe.used));
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_code() {
        for text in ["", "x", "00 5 $a"] {
            let mut document = Document::new(Kind::Person);
            let edit = Edit::of(doc()).with_text(CODE, text).with_text("given_name", "B");
            document.edit([9; 16], Writer::Coordinator, &edit).expect("may write");
            assert_eq!(safe_code(&document.fields()), None, "{text}");
        }
    }
}
