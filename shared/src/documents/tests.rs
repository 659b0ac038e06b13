mod epochs;
mod history;
mod hostile;
mod laws;

use proptest::prelude::*;

use super::{rule::Writer, *};
use crate::{
    badge::BadgeHash,
    ids::{BadgeId, ClassId, PersonId, TabletId},
    keys::sha256,
    wire::Role,
};

const COORDINATOR: [u8; 16] = [1; 16];
const BOX: [u8; 16] = [2; 16];

fn person() -> Person {
    Person {
        id: PersonId::from_bytes([3; 16]),
        pseudonym: [4; 16],
        given_name: "Lou".into(),
        family_name: "Exemple".into(),
        role: Role::Teacher,
        level: String::new(),
        animal: "renard".into(),
        deleted: false,
    }
}

fn badge() -> Badge {
    Badge {
        id: BadgeId::from_bytes([5; 16]),
        person: PersonId::from_bytes([3; 16]),
        hash: BadgeHash([6; 32]),
        void: false,
        void_reason: String::new(),
        expires: None,
        series: 0,
        short: None,
    }
}

fn write(document: &mut Document, actor: [u8; 16], edit: &Edit) -> Vec<u8> {
    let writer = if actor == COORDINATOR { Writer::Coordinator } else { Writer::Box };
    document.edit(actor, writer, edit).expect("edit").expect("a change")
}

/// Two documents with a common beginning.
fn twins(edit: &Edit) -> (Document, Document) {
    let mut here = Document::new(edit.doc.kind);
    let first = write(&mut here, COORDINATOR, edit);
    let mut there = Document::new(edit.doc.kind);
    there.apply(Writer::Coordinator, &first).expect("apply");
    (here, there)
}

fn exchange(here: &mut Document, there: &mut Document, from_here: &[u8], from_there: &[u8]) {
    here.apply(Writer::Box, from_there).expect("from there");
    there.apply(Writer::Coordinator, from_here).expect("from here");
    assert_eq!((here.heads(), here.fields()), (there.heads(), there.fields()));
}

#[test]
fn what_is_written_is_read_and_writing_it_again_is_nothing() {
    let (one, mut document) = (person(), Document::new(Kind::Person));
    write(&mut document, COORDINATOR, &one.edit());
    assert_eq!(Person::from_fields(&one.edit().doc, &document.fields()), Some(one.clone()));
    let heads = document.heads();
    assert_eq!(document.edit(COORDINATOR, Writer::Coordinator, &one.edit()), Ok(None));
    assert_eq!(document.heads(), heads);
    let loaded = Document::load::<Vec<u8>>(Kind::Person, Some(&document.save()), &[]).expect("load");
    assert_eq!((loaded.heads(), loaded.fields()), (heads, document.fields()));
}

#[test]
fn every_type_reads_what_it_wrote() {
    let policy = Policy {
        id: crate::ids::PolicyId::from_bytes([7; 16]),
        name: "Élémentaire".into(),
        levels: ["", "CP"].map(str::to_owned).into(),
        blocked: ["games".to_owned()].into(),
        allow: ["example.org".to_owned()].into(),
        deny: ["example.net".to_owned()].into(),
        deleted: false,
    };
    let catalogue = Catalogue {
        id: crate::ids::CatalogueId::from_bytes([8; 16]),
        levels: [String::new()].into(),
        class: Some(ClassId::from_bytes([9; 16])),
        items: vec![CatalogueItem {
            key: "calcul".into(),
            kind: ItemKind::Link,
            title: "Calcul \"mental\"".into(),
            url: "https://example.org/".into(),
            icon: "plus".into(),
        }],
        deleted: false,
    };
    let uai = "0900001A".parse().expect("uai");
    let school = School {
        name: "École".into(),
        slug: "ecole".into(),
        latitude: Some(47.64),
        longitude: None,
        deleted: false,
        box_keys: [(crate::ids::BoxId::from_bytes([1; 16]), crate::keys::PublicKey([2; 32]))].into(),
        uai,
    };
    let fields = |edit: &Edit| {
        let mut document = Document::new(edit.doc.kind);
        write(&mut document, COORDINATOR, edit);
        document.fields()
    };
    assert_eq!(Policy::from_fields(&policy.edit().doc, &fields(&policy.edit())), Some(policy));
    assert_eq!(Catalogue::from_fields(&catalogue.edit().doc, &fields(&catalogue.edit())), Some(catalogue));
    assert_eq!(School::from_fields(&school.edit().doc, &fields(&school.edit())), Some(school));
    assert_eq!(Badge::from_fields(&badge().edit().doc, &fields(&badge().edit())), Some(badge()));
}

#[test]
fn a_whole_set_loses_whom_it_does_not_name() {
    let id = |n| PersonId::from_bytes([n; 16]);
    let mut class = Class {
        id: ClassId::from_bytes([9; 16]),
        name: "CP A".into(),
        level: "CP".into(),
        school_year: "2026-2027".into(),
        members: [id(1), id(2)].into(),
        teachers: [id(3)].into(),
        deleted: false,
    };
    let mut document = Document::new(Kind::Class);
    write(&mut document, COORDINATOR, &class.edit());
    class.members = [id(2), id(4)].into();
    write(&mut document, BOX, &class.edit());
    assert_eq!(Class::from_fields(&class.edit().doc, &document.fields()), Some(class));
}

#[test]
fn a_void_badge_stays_void() {
    let (mut here, mut there) = twins(&badge().edit());
    // Concurrently with anything.
    let void = write(&mut there, BOX, &badge::void(badge().id, "lost"));
    let later = Badge { expires: Some(crate::time::Stamp(5)), ..badge() };
    let renew = write(&mut here, COORDINATOR, &later.edit());
    exchange(&mut here, &mut there, &renew, &void);
    assert!(here.fields().flag("void"));
    // And afterwards: an edit of all fields leaves it, and no change that says false is made or taken.
    assert_eq!(here.edit(COORDINATOR, Writer::Coordinator, &later.edit()).map(|c| c.is_some()), Ok(true));
    assert!(here.fields().flag("void"));
    let bare = Edit::of(badge().edit().doc).with("void", Scalar::Flag(false));
    assert_eq!(here.edit(COORDINATOR, Writer::Coordinator, &bare), Ok(None));
    assert_eq!(there.apply(Writer::Coordinator, &forged("void", false)), Err(DocumentError::Field("void".into())));
}

#[test]
fn an_addition_beats_a_concurrent_removal_and_less_rights_beat_more() {
    let (class, pupil) = (ClassId::from_bytes([9; 16]), PersonId::from_bytes([3; 16]));
    let (mut here, mut there) = twins(&class::join(class, pupil));
    let away = write(&mut here, COORDINATOR, &class::leave(class, pupil));
    let gone = write(&mut there, BOX, &class::leave(class, pupil));
    let back = write(&mut there, BOX, &class::join(class, pupil));
    here.apply(Writer::Box, &gone).expect("gone");
    exchange(&mut here, &mut there, &away, &back);
    assert_eq!(here.fields().members("member:").count(), 1);
    write(&mut here, COORDINATOR, &class::leave(class, pupil));
    assert_eq!(here.fields().members("member:").count(), 0, "a removal that knew of the addition holds");

    let head = Person { role: Role::Head, ..person() };
    let pupil = Person { role: Role::Pupil, ..person() };
    for (first, second) in [(&head, &pupil), (&pupil, &head)] {
        let (mut here, mut there) = twins(&person().edit());
        let one = write(&mut here, COORDINATOR, &first.edit());
        let two = there.edit([9; 16], Writer::Coordinator, &second.edit()).expect("edit").expect("change");
        here.apply(Writer::Coordinator, &two).expect("two");
        there.apply(Writer::Coordinator, &one).expect("one");
        assert_eq!((here.fields().text("role"), there.fields().text("role")), (Some("pupil"), Some("pupil")));
    }
}

#[test]
fn a_box_writes_its_own_fields_only() {
    let mut document = Document::new(Kind::Person);
    let refused = document.edit(BOX, Writer::Box, &person().edit());
    assert_eq!(refused, Err(DocumentError::Forbidden("animal".into())));
    let change = write(&mut document, COORDINATOR, &person().edit());
    assert_eq!(Document::new(Kind::Person).apply(Writer::Box, &change), refused.map(|_| ()));
    for (kind, key, may) in [
        (Kind::Badge, "void", true),
        (Kind::Badge, "hash", true),
        (Kind::Tablet, "lost", true),
        (Kind::Class, "member:00", true),
        (Kind::Class, "member:", false),
        (Kind::Case, "name", true),
        (Kind::Policy, "deny:example.org", false),
        (Kind::School, "box_key:00", false),
        (Kind::Catalogue, "deleted", false),
        (Kind::Terms, "text:cycle2", false),
        (Kind::Person, "pictures", true),
        (Kind::Person, "text_size", true),
        (Kind::Person, "activation", true),
        (Kind::Person, "secret", true),
        (Kind::Person, "safe_code", false),
        (Kind::Person, "safe_used:00", true),
        (Kind::Provisional, "secret", false),
        (Kind::Person, "mute", true),
        (Kind::Person, "given_name", false),
        (Kind::Person, "role", false),
        (Kind::School, "factor:CE1", true),
        (Kind::School, "name", false),
        (Kind::Provisional, "given_name", true),
        (Kind::Provisional, "person", false),
        (Kind::Badge, "of a later version", false),
    ] {
        assert_eq!(may_write(Writer::Box, kind, key), may, "{kind:?} {key}");
        assert!(may_write(Writer::Coordinator, kind, key));
    }
}

#[test]
fn a_box_tells_its_address_and_the_coordinator_alone_says_who_is_revoked() {
    let id = |n| crate::ids::BoxId::from_bytes([n; 16]);
    let uai: crate::ids::Uai = "0900001A".parse().expect("uai");
    let school = School {
        name: "École".into(),
        slug: "ecole".into(),
        latitude: None,
        longitude: None,
        deleted: false,
        box_keys: [1, 2].map(|n| (id(n), crate::keys::PublicKey([n; 32]))).into(),
        uai: uai.clone(),
    };
    let mut document = Document::new(Kind::School);
    write(&mut document, COORDINATOR, &school.edit());
    let at = "[2001:db8::1]:8444".parse().expect("address");
    write(&mut document, BOX, &school::tell_box_lan(&uai, id(1), at));
    let told = document.fields();
    assert_eq!((school::box_lan(&told, id(1)), school::box_lan(&told, id(2))), (Some(at), None));
    assert_eq!(school::members(&uai, &told), [id(1), id(2)].into());

    let key = format!("box_lan:{}", id(1));
    let long = document.edit(BOX, Writer::Box, &Edit::of(School::doc(&uai)).with_text(&key, &"1".repeat(65)));
    assert!(matches!(long, Err(DocumentError::Field(_))), "{long:?}");
    write(&mut document, BOX, &Edit::of(School::doc(&uai)).with_text(&key, "nowhere"));
    assert_eq!(school::box_lan(&document.fields(), id(1)), None, "what is no address is none");

    let (revoke, gone) = (school::revoke_box(&uai, id(2)), format!("box_gone:{}", id(2)));
    let by_box = document.edit(BOX, Writer::Box, &revoke);
    assert!(matches!(by_box, Err(DocumentError::Forbidden(_))), "{by_box:?}");
    write(&mut document, COORDINATOR, &revoke);
    let takes_back = Edit::of(School::doc(&uai)).with_flag(&gone, false);
    assert_eq!(document.edit(COORDINATOR, Writer::Coordinator, &takes_back), Ok(None), "for good");
    let fields = document.fields();
    assert_eq!(school::members(&uai, &fields), [id(1)].into());
    let read = School::from_fields(&School::doc(&uai), &fields).expect("a school");
    assert_eq!(read.box_keys.len(), 2, "what it wrote before can still be checked");
}

#[test]
fn what_is_written_once_is_not_written_again() {
    let (mut here, mut there) = twins(&badge().edit());
    let stolen = Badge { person: PersonId::from_bytes([9; 16]), ..badge() };
    let refusal = Err(DocumentError::Field("person".into()));
    assert_eq!(here.edit(COORDINATOR, Writer::Coordinator, &stolen.edit()), refusal.clone().map(|()| None));
    // The same by somebody who does not ask our `edit`.
    let mut copy = automerge::Automerge::load(&there.save()).expect("load");
    copy.set_actor(automerge::ActorId::from(BOX.as_slice()));
    let change = raw(&mut copy, "person", automerge::ScalarValue::Bytes(vec![9; 16]));
    assert_eq!(there.apply(Writer::Box, &change), refusal);
}

#[test]
fn unknown_fields_of_the_coordinator_are_kept_unshown() {
    let mut document = Document::new(Kind::Case);
    let mut later = automerge::Automerge::new().with_actor(automerge::ActorId::from(COORDINATOR.as_slice()));
    let change = raw(&mut later, "colour", "blue".into());
    assert_eq!(document.apply(Writer::Box, &change), Err(DocumentError::Forbidden("colour".into())));
    assert_eq!(document.apply(Writer::Coordinator, &change), Ok(()));
    assert!(document.fields().is_empty());
    assert_eq!(document.heads().len(), 1);
}

#[test]
fn a_change_waits_for_what_it_stands_on() {
    let id = TabletId::from_bytes([7; 16]);
    let name = |name: &str| Edit::of(Tablet::doc(id)).with("name", Scalar::Text(name.into()));
    let mut here = Document::new(Kind::Tablet);
    let (one, two) = (write(&mut here, BOX, &name("T1")), write(&mut here, BOX, &name("T2")));
    let mut there = Document::new(Kind::Tablet);
    assert_eq!(there.apply(Writer::Box, &two), Err(DocumentError::MissingDependency));
    assert!(there.heads().is_empty());
    there.apply(Writer::Box, &one).expect("one");
    there.apply(Writer::Box, &two).expect("two");
    there.apply(Writer::Box, &one).expect("one again");
    assert_eq!((here.heads(), here.fields()), (there.heads(), there.fields()));
}

#[test]
fn only_flat_plain_bounded_changes_are_read() {
    use automerge::{ObjType, ROOT, ScalarValue, transaction::Transactable as _};
    let mut document = Document::new(Kind::Case);
    let mut refuse = |act: &dyn Fn(&mut automerge::transaction::Transaction<'_>), why: DocumentError| {
        let mut inner = automerge::Automerge::new().with_actor(automerge::ActorId::from(BOX.as_slice()));
        let mut tx = inner.transaction();
        act(&mut tx);
        let hash = tx.commit().0.expect("commit");
        let bytes = automerge::ReadDoc::get_change_by_hash(&inner, &hash).expect("change").raw_bytes().to_vec();
        assert_eq!(document.apply(Writer::Coordinator, &bytes), Err(why));
    };
    refuse(&|tx| drop(tx.put_object(ROOT, "name", ObjType::Map).expect("map")), DocumentError::NotFlat);
    refuse(&|tx| tx.put(ROOT, "name", ScalarValue::counter(4)).expect("counter"), DocumentError::NotFlat);
    refuse(&|tx| tx.put(ROOT, "name", ScalarValue::F64(0.5)).expect("float"), DocumentError::NotFlat);
    refuse(&|tx| tx.put(ROOT, "name", 5).expect("int"), DocumentError::Field("name".into()));
    refuse(&|tx| tx.put(ROOT, "name", "x".repeat(201)).expect("long"), DocumentError::Field("name".into()));
    refuse(&|tx| tx.put(ROOT, "name", "x".repeat(70_000)).expect("huge"), DocumentError::TooLarge);
    refuse(
        &|tx| {
            for at in 0..=2_000 {
                tx.put(ROOT, format!("k{at}"), true).expect("put");
            }
        },
        DocumentError::TooLarge,
    );
    // A hundred bytes that would take Automerge seconds and half a gigabyte.
    refuse(
        &|tx| {
            let list = tx.put_object(ROOT, "list", ObjType::List).expect("list");
            for at in 0..3_000 {
                tx.insert(&list, at, ()).expect("insert");
            }
        },
        DocumentError::NotFlat,
    );
    assert!(document.heads().is_empty());
    let saved = document.save();
    for bytes in [&[][..], &saved, b"\x85\x6f\x4a\x83"] {
        assert_eq!(document.apply(Writer::Coordinator, bytes), Err(DocumentError::Malformed));
    }
}

fn raw(inner: &mut automerge::Automerge, key: &str, value: automerge::ScalarValue) -> Vec<u8> {
    use automerge::{ROOT, ReadDoc as _, transaction::Transactable as _};
    let done = inner.transact(|tx| tx.put(ROOT, key, value)).expect("put");
    inner.get_change_by_hash(&done.hash.expect("hash")).expect("change").raw_bytes().to_vec()
}

fn forged(key: &str, flag: bool) -> Vec<u8> {
    raw(&mut automerge::Automerge::new().with_actor(automerge::ActorId::from(BOX.as_slice())), key, flag.into())
}

/// Makes the checksum of a changed chunk right again.
fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = sha256(&bytes[8..]);
    bytes[4..8].copy_from_slice(&sum[..4]);
    bytes
}

fn small_edit() -> impl Strategy<Value = Edit> {
    let id = Badge::doc(badge().id);
    prop_oneof![
        Just(badge::void(badge().id, "lost")),
        "[a-z]{0,6}".prop_map(move |word| Edit::of(id).with("void_reason", Scalar::Text(word))),
        any::<i64>().prop_map(move |at| Edit::of(id).with("expires", Scalar::Int(at))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Invariant 6: same changes, any order, any repetition, same heads and same fields.
    #[test]
    fn order_and_repetition_do_not_matter(
        acts in prop::collection::vec((0..3_usize, small_edit(), any::<bool>()), 1..12),
        order in prop::collection::vec(any::<prop::sample::Index>(), 60),
    ) {
        let mut replicas = vec![Document::new(Kind::Badge); 3];
        let mut changes: Vec<Vec<u8>> = Vec::new();
        for (at, edit, hear) in acts {
            if hear {
                for change in &changes {
                    drop(replicas[at].apply(Writer::Box, change));
                }
            }
            let actor = [u8::try_from(at).expect("small") + 10; 16];
            changes.extend(replicas[at].edit(actor, Writer::Box, &edit).expect("edit"));
        }
        let mut last = Document::new(Kind::Badge);
        for at in order {
            if !changes.is_empty() {
                drop(last.apply(Writer::Box, at.get(changes.as_slice()).as_slice()));
            }
        }
        // Whatever waited comes in some round.
        for _ in 0..=changes.len() {
            for change in &changes {
                drop(last.apply(Writer::Box, change));
            }
        }
        for replica in &mut replicas {
            for change in &changes {
                replica.apply(Writer::Box, change).expect("in order");
            }
            prop_assert_eq!((replica.heads(), replica.fields()), (last.heads(), last.fields()));
        }
        let loaded = Document::load(Kind::Badge, None, &changes).expect("load");
        prop_assert_eq!((loaded.heads(), loaded.fields()), (last.heads(), last.fields()));
    }
}
