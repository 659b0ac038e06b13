//! Epochs: begun anew by the coordinator, stale edits carried over by value.

use super::*;
use crate::documents::epoch::{Rebased, Stale, rebase};

fn doc() -> DocId {
    Badge::doc(badge().id)
}

fn fields(of: &[(&str, Scalar)]) -> Fields {
    let mut fields = Fields::default();
    for (key, value) in of {
        fields.insert((*key).to_owned(), value.clone());
    }
    fields
}

/// The fields after an edit of them.
fn after(fields: &Fields, edit: Option<&Edit>) -> Fields {
    let mut after = fields.clone();
    for (key, value) in edit.iter().flat_map(|edit| &edit.set) {
        after.insert(key.clone(), value.clone());
    }
    after
}

fn text(word: &str) -> Scalar {
    Scalar::Text(word.into())
}

#[test]
fn a_new_epoch_says_what_the_old_one_said_and_shares_nothing_with_it() {
    let mut old = Document::new(Kind::Class);
    let class = Class {
        id: ClassId::from_bytes([9; 16]),
        name: "CP A".into(),
        level: "CP".into(),
        school_year: "2026-2027".into(),
        members: [PersonId::from_bytes([1; 16]), PersonId::from_bytes([2; 16])].into(),
        teachers: [PersonId::from_bytes([3; 16])].into(),
        deleted: false,
    };
    write(&mut old, COORDINATOR, &class.edit());
    for at in 0..400 {
        let edit = Edit::of(class.edit().doc).with_text("name", &format!("CP {at} of {}", at * 7_919 % 1_000));
        write(&mut old, if at % 2 == 0 { BOX } else { COORDINATOR }, &edit);
    }
    // A field of a later version.
    let mut later = automerge::Automerge::load(&old.save()).expect("load");
    later.set_actor(automerge::ActorId::from([8_u8; 16].as_slice()));
    old.apply(Writer::Coordinator, &raw(&mut later, "colour", "blue".into())).expect("later");

    let rebuilt = Document::rebuilt(&class.edit().doc, 1, &old.settled(), COORDINATOR).expect("rebuilt");
    assert_eq!(rebuilt.document.settled(), old.settled());
    assert_eq!(rebuilt.document.settled().text("colour"), Some("blue"));
    assert_eq!(rebuilt.document.fields(), old.fields());
    assert!(rebuilt.more.is_empty());
    assert!(rebuilt.document.save().len() * 4 < old.save().len());
    let again = Document::rebuilt(&class.edit().doc, 1, &old.settled(), COORDINATOR).expect("rebuilt");
    assert_eq!(rebuilt.first, again.first, "the same by whoever makes it");
    // Not even of a document that nobody ever edited.
    let third = Document::rebuilt(&class.edit().doc, 2, &old.settled(), COORDINATOR).expect("rebuilt");
    assert_ne!(third.document.heads(), rebuilt.document.heads());
    let twin = DocId::new(Kind::Class, [10; 16]);
    let twin = Document::rebuilt(&twin, 1, &old.settled(), COORDINATOR).expect("rebuilt");
    assert_ne!(twin.document.heads(), rebuilt.document.heads(), "nor is it another's with the same fields");
    let mut there = Document::new(Kind::Class);
    assert_eq!(there.apply(Writer::Coordinator, &rebuilt.first), Ok(()));
    assert_eq!(there.heads(), rebuilt.document.heads());
    // And it is written on.
    write(&mut there, BOX, &Edit::of(class.edit().doc).with_text("name", "CM2"));
    assert_eq!(there.fields().text("name"), Some("CM2"));

    assert!(matches!(
        Document::rebuilt(&class.edit().doc, 1, &Fields::default(), COORDINATOR),
        Err(DocumentError::Misfit)
    ));
}

#[test]
fn a_document_larger_than_a_change_is_begun_anew_in_several() {
    let mut all = Fields::default();
    for at in 0..12 {
        all.insert(format!("item:{at}"), Scalar::Text("x".repeat(8_000)));
    }
    for at in 0..2_500 {
        all.insert(format!("level:{at}"), Scalar::Flag(true));
    }
    let rebuilt = Document::rebuilt(&DocId::new(Kind::Catalogue, [8; 16]), 3, &all, COORDINATOR).expect("rebuilt");
    assert!(rebuilt.more.len() > 1);
    let mut there = Document::new(Kind::Catalogue);
    for change in std::iter::once(&rebuilt.first).chain(&rebuilt.more) {
        there.apply(Writer::Coordinator, change).expect("in order");
    }
    assert_eq!((there.settled(), there.heads()), (all, rebuilt.document.heads()));
}

#[test]
fn a_stale_edit_sets_what_nobody_touched_since() {
    let before = fields(&[("void_reason", text("")), ("expires", Scalar::Int(5))]);
    let edited = fields(&[("void_reason", text("lost")), ("expires", Scalar::Int(9)), ("void", Scalar::Flag(true))]);
    let stale = Stale { before: &before, after: &edited };
    // The cut kept everything; a field that reads empty may have gone.
    let kept = rebase(doc(), Writer::Box, stale, &fields(&[("expires", Scalar::Int(5))]));
    assert_eq!(kept.overridden, Vec::<String>::new());
    assert_eq!(after(&before, kept.edit.as_ref()), edited);
    // Somebody gave another reason and another end since; the void is carried all the same.
    let since = fields(&[("void_reason", text("stolen")), ("expires", Scalar::Int(7))]);
    let Rebased { edit, overridden } = rebase(doc(), Writer::Box, stale, &since);
    assert_eq!(edit.map(|edit| edit.set), Some(vec![("void".to_owned(), Scalar::Flag(true))]));
    assert_eq!(overridden, ["expires", "void_reason"]);
}

#[test]
fn a_stale_loss_of_a_role_beats_a_grant_and_a_box_writes_its_own_fields_only() {
    let person = Person::doc(PersonId::from_bytes([3; 16]));
    let role = |word: &str| fields(&[("role", text(word))]);
    let carry = |writer, before: &str, edited: &str, now: &str| {
        let (before, edited) = (role(before), role(edited));
        rebase(person, writer, Stale { before: &before, after: &edited }, &role(now))
    };
    let set = |rebased: &Rebased| rebased.edit.as_ref().map(|edit| edit.set.clone());
    let pupil = Some(vec![("role".to_owned(), text("pupil"))]);
    assert_eq!(set(&carry(Writer::Coordinator, "teacher", "pupil", "head")), pupil);
    assert_eq!(carry(Writer::Coordinator, "teacher", "head", "pupil").overridden, ["role"]);
    let foreign = carry(Writer::Box, "teacher", "pupil", "teacher");
    assert_eq!((foreign.edit, foreign.overridden), (None, vec!["role".to_owned()]));
}

/// Values of a few fields of a badge; `void` is true or absent.
fn states() -> impl Strategy<Value = Fields> {
    let word = prop::option::of(prop::sample::select(vec!["", "a", "b", "c"]));
    let end = prop::option::of(0..4_i64);
    (any::<bool>(), word.clone(), end, word).prop_map(|(void, reason, end, unknown)| {
        let mut fields = Fields::default();
        if void {
            fields.insert("void".into(), Scalar::Flag(true));
        }
        fields.0.extend(reason.map(|word| ("void_reason".to_owned(), text(word))));
        fields.0.extend(end.map(|end| ("expires".to_owned(), Scalar::Int(end))));
        fields.0.extend(unknown.map(|word| ("colour".to_owned(), text(word))));
        fields
    })
}

/// A later state of the same document: what is void stays so.
fn later(before: &Fields, mut after: Fields) -> Fields {
    if before.flag("void") {
        after.insert("void".into(), Scalar::Flag(true));
    }
    after
}

/// Without what reads as an absent field does.
fn shown(fields: &Fields) -> Vec<(&str, &Scalar)> {
    fields.iter().filter(|(_, value)| !value.is_default()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rebasing_is_idempotent_and_invents_nothing(
        before in states(), edited in states(), now in states(),
        writer in prop::sample::select(vec![Writer::Coordinator, Writer::Box]),
    ) {
        let edited = later(&before, edited);
        let stale = Stale { before: &before, after: &edited };
        let once = rebase(doc(), writer, stale, &now);
        let then = after(&now, once.edit.as_ref());
        let twice = rebase(doc(), writer, stale, &then);
        prop_assert_eq!(&twice.edit, &None, "again is nothing");
        prop_assert_eq!(&twice.overridden, &once.overridden);
        for (key, value) in then.iter() {
            let empty = value.emptied();
            let written = [now.get(key), edited.get(key).or(before.get(key).map(|_| &empty))];
            prop_assert!(written.contains(&Some(value)), "{}: nobody wrote {:?}", key, value);
        }
        // A void is never lost, neither the edit's nor that of the new epoch.
        prop_assert_eq!(then.flag("void"), now.flag("void") || (edited.flag("void") && !before.flag("void")));
        for (key, _) in once.edit.iter().flat_map(|edit| &edit.set) {
            prop_assert!(may_write(writer, Kind::Badge, key) && !once.overridden.contains(key));
        }
    }

    /// Edits of one author, carried in their order, end where the last ended, where nobody else wrote.
    #[test]
    fn the_last_of_one_authors_edits_stays(first in states(), others in prop::collection::vec(states(), 1..5)) {
        let (mut before, mut now) = (first.clone(), first);
        for next in others {
            let edited = later(&before, next);
            let rebased = rebase(doc(), Writer::Coordinator, Stale { before: &before, after: &edited }, &now);
            prop_assert_eq!(&rebased.overridden, &Vec::<String>::new());
            now = after(&now, rebased.edit.as_ref());
            before = edited;
            prop_assert_eq!(shown(&now), shown(&before));
        }
    }

    /// The same through documents: what a box wrote in the old epoch after the cut is there in the new one, once.
    #[test]
    fn stale_edits_of_a_box_arrive_in_the_new_epoch(
        known in prop::collection::vec(small_edit(), 0..4), stale in prop::collection::vec(small_edit(), 1..5),
    ) {
        let mut old = Document::new(Kind::Badge);
        write(&mut old, COORDINATOR, &badge().edit());
        for edit in &known {
            drop(old.edit(BOX, Writer::Box, edit));
        }
        let mut new = Document::rebuilt(&doc(), 1, &old.settled(), COORDINATOR).expect("rebuilt").document;
        let mut edits = Vec::new();
        for edit in &stale {
            let before = old.heads();
            if old.edit(BOX, Writer::Box, edit).expect("edit").is_some() {
                edits.push((before, old.heads()));
            }
        }
        for _ in 0..2 {
            for (before, edited) in &edits {
                let (before, edited) = (old.settled_at(before), old.settled_at(edited));
                let stale = Stale { before: &before, after: &edited };
                let rebased = rebase(doc(), Writer::Box, stale, &new.settled());
                if let Some(edit) = rebased.edit {
                    new.edit(BOX, Writer::Box, &edit).expect("permitted");
                }
            }
            // Carried again from the start they may go round, and end at the same.
            let (new, old) = (new.settled(), old.settled());
            prop_assert_eq!(shown(&new), shown(&old));
        }
    }
}
