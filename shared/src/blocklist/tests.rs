use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::keys::SigningKey;

/// A list of so many names of three categories, some of them in two.
fn builder(seed: u8, names: impl IntoIterator<Item = u32>) -> Builder {
    let mut builder = Builder::new([seed; 16]);
    let categories = ["adult", "games", "social"].map(|name| builder.category(name, Usage::Black).expect("room"));
    for n in names {
        for (at, category) in (0..).zip(categories) {
            if n % 3 == at || n % 7 == at {
                builder.line(category, format!("site{n}.example").as_bytes());
            }
        }
    }
    builder
}

fn compiled(builder: Builder) -> Vec<u8> {
    builder.finish(None).expect("compiled")
}

fn opened(bytes: Vec<u8>) -> BlockList {
    BlockList::open(Arc::new(bytes)).expect("opened")
}

/// What a list says of each of these names.
fn answers(list: &BlockList, names: impl IntoIterator<Item = u32>) -> Vec<Categories> {
    names.into_iter().map(|n| list.categories(&format!("www.site{n}.example"))).collect()
}

#[test]
fn every_name_has_its_categories_and_no_other_has_any() {
    let list = opened(compiled(builder(1, 0..5_000)));
    assert_eq!((list.counts(), list.check()), ((5_000, 0), Ok(())));
    let sets = ["adult", "games", "social"].map(|name| list.named([name]));
    for n in 0..5_000_u32 {
        let hers = (0..).zip(sets).filter(|(at, _)| n % 3 == *at || n % 7 == *at);
        let expected = hers.fold(Categories::default(), |all, (_, set)| all.either(set));
        assert_eq!(list.categories(&format!("a.b.site{n}.example")), expected, "{n}");
    }
    assert!(answers(&list, 5_000..105_000).iter().all(|found| *found == Categories::default()));
    // Seven bytes a name, and the rest.
    assert!(list.bytes() < 5_000 * 8, "{}", list.bytes());
}

#[test]
fn an_empty_list_answers_too() {
    let list = opened(compiled(builder(1, [])));
    assert!(list.is_empty() && list.check().is_ok());
    assert_eq!(list.categories("site1.example"), Categories::default());
}

#[test]
fn changes_make_the_old_list_answer_like_the_new_one() {
    let (old, new) = (0..3_000_u32, (100..3_000).chain(3_000..3_050));
    let listed = |names: Vec<u32>| builder(9, names).listed().expect("listed");
    // Two names come into another category, too.
    let mut changed = builder(9, new.clone());
    for n in [200, 201] {
        changed.line(Category::new(2), format!("site{n}.example").as_bytes());
    }
    let (before, after) = (listed(old.clone().collect()), changed.listed().expect("listed"));
    let changes = after.changes_since(&before).expect("of one seed");
    let whole = opened(after.clone().compile(None, |_| ()).expect("compiled"));
    let base = opened(before.compile(None, |_| ()).expect("compiled"));
    let bytes = changes.compile(None, |_| ()).expect("compiled");
    assert!(bytes.len() < 152 * 8 + 600, "{}", bytes.len());
    let list = base.clone().with_changes(Arc::new(bytes.clone())).expect("its changes");
    assert_eq!((list.version(), list.check()), (whole.version(), Ok(())));
    assert_eq!(answers(&list, 0..4_000), answers(&whole, 0..4_000));
    assert_ne!(answers(&base, 0..4_000), answers(&whole, 0..4_000));
    // They are no list, and not of another one.
    assert!(matches!(BlockList::open(Arc::new(bytes.clone())), Err(TableError::Nonsense(_))));
    let other = opened(compiled(builder(9, 0..10)));
    assert!(matches!(other.with_changes(Arc::new(bytes)), Err(TableError::Nonsense(_))));
}

#[test]
fn what_is_signed_is_known_by_its_key() {
    let key = SigningKey::from_seed(&[1; 32]).expect("key");
    let bytes = builder(1, 0..100).finish(Some(&key)).expect("compiled");
    let list = opened(bytes);
    let other = SigningKey::from_seed(&[2; 32]).expect("key");
    assert!(list.signed_by(&key.public()).is_ok() && list.signed_by(&other.public()).is_err());
    assert!(opened(compiled(builder(1, 0..100))).signed_by(&key.public()).is_err());
}

#[test]
fn a_bit_that_flips_is_found_in_every_block() {
    let bytes = compiled(builder(3, 0..60_000));
    assert!(bytes.len() > 5 * BLOCK_BYTES);
    for at in (0..bytes.len()).step_by(BLOCK_BYTES / 3).chain([0, 7, 8, 30, 60, 95, 159, 160, 200, bytes.len() - 1]) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let found = BlockList::open(Arc::new(damaged)).and_then(|list| list.check());
        // The signature's bytes are for the key to judge.
        assert_eq!(found.is_err(), !(96..160).contains(&at), "{at}: {found:?}");
    }
    for end in [0, 1, 95, 96, 160, 1_000, bytes.len() - 1] {
        assert!(BlockList::open(Arc::new(bytes[..end].to_vec())).is_err(), "{end}");
    }
    let newer = [b"preaubl2", &bytes[8..]].concat();
    assert!(matches!(BlockList::open(Arc::new(newer)), Err(TableError::Newer)));
}

proptest! {
    #[test]
    fn any_bytes_are_a_list_or_an_error(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), name in ".{0,80}") {
        if let Ok(list) = BlockList::open(Arc::new(bytes.clone())) {
            list.categories(&name);
        }
        let whole = compiled(builder(4, 0..20));
        bytes.truncate(whole.len());
        let mixed = [&bytes, &whole[bytes.len()..]].concat();
        if let Ok(list) = BlockList::open(Arc::new(mixed)) {
            list.categories(&name);
        }
    }

    #[test]
    fn any_damage_behind_the_header_is_answered(at in 160_usize..2_000, byte in any::<u8>()) {
        let mut bytes = compiled(builder(5, 0..200));
        let at = at.min(bytes.len() - 1);
        bytes[at] = byte;
        if let Ok(list) = BlockList::open(Arc::new(bytes)) {
            answers(&list, 0..400);
        }
    }
}
