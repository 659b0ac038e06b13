//! What is asked of a document's past.

use super::*;
use crate::documents::{
    allow::check,
    chunk::{Chunk, dress, strip},
    document::Received,
};

fn reason(word: &str) -> Edit {
    Edit::of(Badge::doc(badge().id)).with_text("void_reason", word)
}

/// A badge, and then so many reasons given by a box; and the changes.
fn badge_with(edits: usize) -> (Document, Vec<Vec<u8>>) {
    let mut document = Document::new(Kind::Badge);
    let mut changes = vec![write(&mut document, COORDINATOR, &badge().edit())];
    for at in 0..edits {
        changes.push(write(&mut document, BOX, &reason(&format!("reason {at}"))));
    }
    (document, changes)
}

#[test]
fn a_stripped_change_is_dressed_again() {
    let (_, changes) = badge_with(1);
    for change in &changes {
        let stripped = strip(change).expect("a change");
        assert_eq!((stripped.len() + 8, dress(stripped)), (change.len(), change.clone()));
        assert_eq!(sha256(stripped), Chunk::read(change).expect("a change").hash);
    }
    for no_change in [&b""[..], b"\x85\x6f\x4a", b"\x85\x6f\x4a\x83\0\0\0\0", b"not a change"] {
        assert_eq!(strip(no_change), None);
    }
    assert!(Chunk::read(&dress(b"nothing")).is_err());
}

#[test]
fn somebody_behind_is_told_what_lacks() {
    let (document, changes) = badge_with(3);
    let behind = Document::load::<Vec<u8>>(Kind::Badge, None, &changes[..2]).expect("load");
    assert_eq!(document.changes_since(&behind.heads()), changes[2..]);
    assert_eq!(document.changes_since(&[]), changes);
    assert_eq!(document.changes_since(&document.heads()), Vec::<Vec<u8>>::new());
    // Heads of somebody who is ahead are passed over, and named.
    assert_eq!(behind.changes_since(&document.heads()), changes[..2]);
    assert_eq!(behind.missing_from(&document.heads()), document.heads());
    assert_eq!(document.missing_from(&behind.heads()), Vec::<[u8; 32]>::new());
    let hashes: Vec<_> = changes.iter().map(|change| Chunk::read(change).expect("ours").hash).collect();
    assert_eq!(document.hashes(), hashes);
    assert_eq!(document.settled_at(&hashes[1..2]).text("void_reason"), Some("reason 0"));
    assert_eq!(document.settled_at(&hashes[..1]), behind.settled_at(&hashes[..1]));
}

#[test]
fn a_saved_document_is_merged_into_whatever_is_held() {
    let (mut theirs, changes) = badge_with(4);
    let plain = theirs.save();
    for held in 0..=changes.len() {
        let mut here = Document::load::<Vec<u8>>(Kind::Badge, None, &changes[..held]).expect("load");
        assert_eq!(here.merge_saved(&plain), Ok(changes[held..].to_vec()));
        assert_eq!((here.heads(), here.fields()), (theirs.heads(), theirs.fields()));
        assert_eq!(here.merge_saved(&plain), Ok(Vec::new()), "again is nothing");
    }
    // What only this side has, stays.
    let mut here = Document::load::<Vec<u8>>(Kind::Badge, None, &changes[..2]).expect("load");
    let own = write(&mut here, [9; 16], &badge::void(badge().id, "lost"));
    assert_eq!(here.merge_saved(&plain).map(|fresh| fresh.len()), Ok(3));
    theirs.apply(Writer::Box, &own).expect("own");
    assert_eq!((here.heads(), here.fields()), (theirs.heads(), theirs.fields()));
}

#[test]
fn a_document_of_one_change_is_handed_on_as_that_change() {
    let (one, first) = badge_with(0);
    assert_eq!(one.save(), first[0]);
    let again = Document::load::<Vec<u8>>(Kind::Badge, Some(&one.save()), &[]).expect("load");
    assert_eq!((again.heads(), again.fields()), (one.heads(), one.fields()));
    let mut here = Document::new(Kind::Badge);
    assert_eq!(here.merge_saved(&first[0]), Ok(first.clone()));
    assert_eq!((here.heads(), here.fields()), (one.heads(), one.fields()));
    assert_eq!(here.merge_saved(&first[0]), Ok(Vec::new()), "again is nothing");
    // Into more than it, and none that stands on another.
    let (mut more, changes) = badge_with(2);
    assert_eq!(more.merge_saved(&first[0]), Ok(Vec::new()));
    let mut empty = Document::new(Kind::Badge);
    assert_eq!(empty.merge_saved(&changes[1]), Err(DocumentError::MissingDependency));
    let mut damaged = first[0].clone();
    *damaged.last_mut().expect("bytes") ^= 1;
    assert_eq!(empty.merge_saved(&damaged), Err(DocumentError::Checksum));
    assert!(empty.heads().is_empty());
}

#[test]
fn a_saved_document_is_flat_bounded_and_of_its_kind() {
    let (theirs, _) = badge_with(60);
    let mut here = Document::new(Kind::Badge);
    assert_eq!(here.merge_saved(&theirs.inner.save()), Err(DocumentError::NotFlat), "deflated");
    assert_eq!(here.merge_saved(&vec![0; MAX_DOCUMENT_BYTES + 1]), Err(DocumentError::TooLarge));
    let doubled = [theirs.save(), theirs.save()].concat();
    assert_eq!(here.merge_saved(&doubled), Err(DocumentError::Malformed));
    let mut damaged = theirs.save();
    *damaged.last_mut().expect("bytes") ^= 1;
    assert_eq!(here.merge_saved(&damaged), Err(DocumentError::Checksum));
    let as_person = Document::new(Kind::Case).merge_saved(&theirs.save());
    assert!(matches!(as_person, Ok(_) | Err(DocumentError::Field(_))), "{as_person:?}");
    assert!(Document::new(Kind::Class).merge_saved(&tablet_named_by_number()).is_err());
    assert!(here.heads().is_empty());

    use automerge::{ObjType, ROOT, transaction::Transactable as _};
    let mut refuse = |act: &dyn Fn(&mut automerge::transaction::Transaction<'_>)| {
        let mut inner = automerge::Automerge::new().with_actor(automerge::ActorId::from(BOX.as_slice()));
        let mut tx = inner.transaction();
        act(&mut tx);
        tx.commit();
        assert_eq!(here.merge_saved(&inner.save_nocompress()), Err(DocumentError::NotFlat));
    };
    refuse(&|tx| drop(tx.put_object(ROOT, "name", ObjType::Map).expect("map")));
    refuse(&|tx| tx.put(ROOT, "name", automerge::ScalarValue::counter(4)).expect("counter"));
    refuse(&|tx| {
        let list = tx.put_object(ROOT, "list", ObjType::List).expect("list");
        for at in 0..3_000 {
            tx.insert(&list, at, ()).expect("insert");
        }
    });
}

/// A document whose name is a number, as no class or tablet has it.
fn tablet_named_by_number() -> Vec<u8> {
    let mut inner = automerge::Automerge::new().with_actor(automerge::ActorId::from(BOX.as_slice()));
    raw(&mut inner, "name", automerge::ScalarValue::Int(5));
    inner.save_nocompress()
}

#[test]
fn a_tail_is_taken_out_again() {
    let (document, changes) = badge_with(5);
    let hashes = document.hashes();
    let without = document.without(&hashes[3..]).expect("a tail");
    let expected = Document::load::<Vec<u8>>(Kind::Badge, None, &changes[..3]).expect("load");
    assert_eq!((without.heads(), without.fields()), (expected.heads(), expected.fields()));
    assert_eq!(document.without(&[[9; 32]]).map(|same| same.heads()), Ok(document.heads()));
    assert_eq!(document.without(&hashes[2..3]).map(|_| ()), Err(DocumentError::StoodOn));
    assert!(document.without(&hashes).is_ok_and(|empty| empty.heads().is_empty()));
    // A disk that was rolled back: its actor writes the same number again, and that is taken.
    let mut again = without;
    write(&mut again, BOX, &reason("another"));
    assert_eq!(again.fields().text("void_reason"), Some("another"));
}

/// The figures behind the limits. `cargo test -p preau-shared how_large -- --ignored --nocapture`
#[test]
#[ignore = "measures"]
#[expect(clippy::print_stderr, reason = "prints what it measured")]
fn how_large_a_document_is() {
    for edits in [0, 50, 200, 1_000, 4_000] {
        let mut document = Document::new(Kind::Person);
        write(&mut document, COORDINATOR, &person().edit());
        for at in 0..edits {
            let one = Person {
                given_name: format!("{:x}", at * 7_919 % 1_000),
                animal: format!("animal {}", at % 40),
                ..person()
            };
            let edit = if at % 2 == 0 {
                Edit::of(Person::doc(one.id)).with_text("animal", &one.animal)
            } else {
                Edit::of(Person::doc(one.id)).with_text("given_name", &one.given_name)
            };
            drop(document.edit(COORDINATOR, Writer::Coordinator, &edit));
        }
        eprintln!("{edits} edits: {} saved, {} deflated", document.save().len(), document.inner.save().len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Together is the same as one by one, whatever is missing, doubled or bad among them.
    #[test]
    fn together_is_as_one_by_one(
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
        bad in prop::collection::vec((any::<prop::sample::Index>(), 8..60_usize, any::<u8>()), 0..3),
    ) {
        let (mut author, mut changes) = badge_with(4);
        changes.push(write(&mut author, [9; 16], &badge::void(badge().id, "lost")));
        for (at, place, byte) in bad {
            let mut change = at.get(&changes).clone();
            if place < change.len() {
                change[place] = byte;
                changes.push(resealed(change));
            }
        }
        let received: Vec<Received> = order.iter().map(|at| at.get(&changes)).filter_map(|bytes| {
            let chunk = check(Kind::Badge, Writer::Coordinator, bytes).ok()?;
            Some(Received { chunk, bytes: bytes.clone() })
        }).collect();
        let (mut one, mut all) = (Document::new(Kind::Badge), Document::new(Kind::Badge));
        let expected: Vec<_> = received.iter().map(|change| one.apply_chunk(&change.chunk, &change.bytes)).collect();
        let mut places = Vec::new();
        prop_assert_eq!(all.apply_all(&received, &mut |at| places.push(at)), expected);
        prop_assert_eq!((one.heads(), one.fields()), (all.heads(), all.fields()));
        prop_assert!(places.len() >= received.len());
    }
}
