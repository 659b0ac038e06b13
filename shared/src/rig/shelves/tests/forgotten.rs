//! Somebody is erased: nothing said of them is left anywhere, and nothing that comes later stays.

use super::*;
use crate::documents::Scalar;

/// Stands in every field and entry that is of the person.
const PLANTED: &str = "Zébulon-Planté";

fn planted(n: u8) -> Person {
    Person { given_name: PLANTED.into(), pseudonym: pseudonym(n), ..person(n) }
}
fn pseudonym(n: u8) -> [u8; 16] {
    let mut bytes = *b"planted-pseudo-0";
    bytes[15] = n;
    bytes
}
fn tombstone(n: u8) -> Tombstone {
    Tombstone { doc: Person::doc(person(n).id), pseudonym: Some(pseudonym(n)) }
}
fn signed_in(n: u8) -> Entry {
    Entry::SignIn {
        session: SessionId::from_bytes([1; 16]),
        tablet: TabletId::from_bytes([2; 16]),
        people: vec![Pseudonym(pseudonym(n))],
        how: How::Badge,
    }
}
fn erase_one(cloud: &Site, at: i64, n: u8) -> Option<u64> {
    erase(&cloud.conn, &cloud.author, &shelf(), Stamp(at), tombstone(n), &cloud.seen).expect("erase")
}
/// Everything the database says or keeps, with what it compressed laid open.
fn all_bytes(site: &Site) -> Vec<u8> {
    let mut bytes = Vec::new();
    for table in ["items", "documents", "changes", "waiting", "quarantine", "overridden", "runs"] {
        let rows = site.conn.query(&format!("SELECT * FROM replica_{table}"), &[]).expect("rows");
        bytes.extend(format!("{rows:?}").into_bytes());
    }
    for row in site.conn.query("SELECT bytes FROM replica_quarantine", &[]).expect("rows") {
        bytes.extend(row.bytes(0).expect("bytes"));
    }
    // The tombstone knows the pseudonym, so that late entries are known for what they are.
    let is_stone = |item: &Item| matches!(item, Item::Erased(_));
    for row in site.conn.query("SELECT kind, body FROM replica_items", &[]).expect("rows") {
        let body = row.bytes(1).expect("bytes");
        let other = row.int(0).expect("kind") == 0;
        if !other || !postcard::from_bytes(body).is_ok_and(|item: Item| is_stone(&item)) {
            bytes.extend(body);
        }
    }
    let blobs = "SELECT bytes FROM replica_changes UNION ALL SELECT bytes FROM replica_waiting
        UNION ALL SELECT fields FROM replica_documents";
    for row in site.conn.query(blobs, &[]).expect("rows") {
        bytes.extend(row.bytes(0).expect("bytes"));
    }
    for mark in site.marks() {
        for run in site.kept(&mark.origin) {
            let items: Vec<Item> = run.items().expect("items").into_iter().filter(|item| !is_stone(item)).collect();
            bytes.extend(postcard::to_stdvec(&items).expect("items"));
        }
    }
    bytes
}
fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|part| part == what)
}
fn says(site: &Site, n: u8) -> bool {
    let bytes = all_bytes(site);
    holds(&bytes, PLANTED.as_bytes()) || holds(&bytes, &pseudonym(n))
}
/// Every run that is kept proves itself, from first to last.
fn check_chains(site: &Site) {
    for mark in site.marks() {
        let [seed, ..] = *mark.origin.box_id.as_bytes();
        let (key, mut prev) = (SigningKey::from_seed(&[seed; 32]).expect("key"), [0; 32]);
        for run in site.runs(&mark.origin) {
            run.verify(&key.public()).expect("signed");
            run.items().expect("items");
            assert_eq!(run.prev, prev);
            prev = run.hash();
        }
        assert_eq!(prev, mark.chain);
    }
}

#[test]
fn an_erased_person_is_found_nowhere_in_the_file() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("replica.db");
    let (cloud, school) = (Site::at(&path, 1), Site::new(2));
    cloud.edit(1, &planted(1).edit());
    cloud.edit(2, &person(2).edit());
    cloud.edit(3, &Person { level: PLANTED.into(), ..planted(1) }.edit());
    // A long history, saved in one piece, in two epochs.
    for at in 0..70 {
        cloud.edit(4 + at, &Person { animal: format!("{PLANTED} {at}"), ..planted(1) }.edit());
    }
    assert_eq!(roll_over(&cloud.conn, &cloud.author, &shelf(), (Stamp(80), Stamp(81)), &cloud.seen).expect("roll"), 1);
    cloud.edit(82, &Person { animal: format!("{PLANTED} now"), ..planted(1) }.edit());
    cloud.note(83, &signed_in(1));
    school.hear(&cloud, 90);
    school.note(91, &signed_in(1));
    school.note(92, &Entry::Audit { what: "door".into(), by: Some(Pseudonym(pseudonym(1))) });
    school.note(93, &signed_in(2));
    cloud.hear(&school, 94);
    // In quarantine, and not yet in a run.
    let run = cloud.runs(&cloud.author.origin)[0].clone();
    quarantine::run(&cloud.conn, &run, "items", Stamp(95)).expect("quarantine");
    quarantine::bytes(&cloud.conn, "somebody", PLANTED.as_bytes(), "garbage", Stamp(95)).expect("quarantine");
    cloud.edit(96, &Person { animal: format!("{PLANTED} pending"), ..planted(1) }.edit());
    cloud.note(97, &signed_in(1));
    assert!(says(&cloud, 1) && says(&school, 1));
    let entries = entry_count(&cloud.conn, &shelf(), None).expect("count");

    assert!(erase_one(&cloud, 100, 1).is_some());
    assert_eq!(erase_one(&cloud, 101, 1), None, "once");
    assert!(!says(&cloud, 1));
    cloud.close(102);
    cloud.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("checkpoint");
    for file in std::fs::read_dir(folder.path()).expect("folder") {
        let bytes = std::fs::read(file.expect("file").path()).expect("file");
        assert!(!holds(&bytes, PLANTED.as_bytes()) && !holds(&bytes, b"lanted-pseudo-\0"));
        // The tombstone alone knows the pseudonym, and the index that finds it, so that late entries are known.
        let rows = bytes.windows(16).filter(|part| *part == pseudonym(1)).count();
        assert!(rows <= 5, "{rows}");
    }
    check_chains(&cloud);
    assert_eq!(entry_count(&cloud.conn, &shelf(), None).expect("count"), entries, "a hole is counted");
    school.hear(&cloud, 110);
    assert!(!says(&school, 1));
    check_chains(&school);
    until_quiet(&[&cloud, &school], 120);
    agree(&[&cloud, &school]);
    assert_eq!(cloud.entries(), school.entries());
    assert_eq!(school.seen.0.lock().expect("lock").erased, [tombstone(1)]);
    assert!(is_erased(&school.conn, &shelf(), &tombstone(1).doc).expect("read"));
    assert_eq!(cloud.text(&Person::doc(person(2).id), "given_name"), "Lou", "nobody else");
    // A third learns of it from runs, or from a snapshot; either way nothing of the person.
    let (late, fresh) = (Site::new(3), Site::new(4));
    late.hear(&cloud, 130);
    fresh.pull(&cloud, 130);
    assert!(!says(&late, 1) && !says(&fresh, 1));
    agree(&[&cloud, &late, &fresh]);
}

#[test]
fn what_waited_in_vain_is_known_for_what_it_is() {
    let (cloud, one, two) = (Site::new(1), Site::new(2), Site::new(3));
    let class = ClassId::from_bytes([8; 16]);
    let stone = Tombstone { doc: class::join(class, person(1).id).doc, pseudonym: Some(pseudonym(1)) };
    let word = |at: i64| Edit::of(stone.doc).with("name", Scalar::Text(format!("{PLANTED} {at}")));
    one.edit(1, &word(1));
    two.hear_own(&one, 2);
    two.edit(3, &word(3));
    cloud.hear_own(&two, 4);
    fold::drop_past(&cloud.conn, &shelf(), Stamp(200 * DAY)).expect("in vain");
    // What stands on it waits in turn.
    two.edit(201 * DAY, &word(201));
    cloud.hear_own(&two, 201 * DAY);
    let counted = |table: &str| cloud.count(&format!("SELECT count(*) FROM replica_{table}"));
    assert_eq!((counted("waiting"), counted("given_up")), (1, 1));
    erase(&cloud.conn, &cloud.author, &shelf(), Stamp(202 * DAY), stone, &cloud.seen).expect("erase");
    assert!(says(&cloud, 1), "nobody can know yet");
    cloud.hear_own(&one, 203 * DAY);
    assert!(!says(&cloud, 1), "neither what waits nor the runs say anything");
    assert_eq!((counted("waiting"), counted("given_up")), (0, 0));
    check_chains(&cloud);
}

#[test]
fn a_box_says_of_whom_its_changes_were_when_nobody_else_can() {
    let (cloud, one, two, three) = (Site::new(1), Site::new(2), Site::new(3), Site::new(4));
    let class = ClassId::from_bytes([8; 16]);
    let stone = Tombstone { doc: class::join(class, person(1).id).doc, pseudonym: Some(pseudonym(1)) };
    let word = |at: i64| Edit::of(stone.doc).with("name", Scalar::Text(format!("{PLANTED} {at}")));
    one.edit(1, &word(1));
    two.hear_own(&one, 2);
    two.edit(3, &word(3));
    // One waits in vain, what stands on it waits in turn; and so at another box.
    for site in [&cloud, &three] {
        site.hear_own(&two, 4);
        fold::drop_past(&site.conn, &shelf(), Stamp(200 * DAY)).expect("in vain");
    }
    two.edit(201 * DAY, &word(201));
    cloud.hear_own(&two, 201 * DAY);
    three.hear_own(&two, 201 * DAY);
    erase(&cloud.conn, &cloud.author, &shelf(), Stamp(202 * DAY), stone, &cloud.seen).expect("erase");
    // It is told of the end before it tells of the beginning.
    one.hear_own(&cloud, 203 * DAY);
    three.hear_own(&cloud, 203 * DAY);
    cloud.hear_own(&one, 203 * DAY);
    assert!(!says(&one, 1) && says(&cloud, 1) && says(&three, 1), "nobody can know yet");
    until_quiet(&[&cloud, &one, &two, &three], 204 * DAY);
    for site in [&cloud, &one, &two, &three] {
        assert!(!says(site, 1), "{:?}", site.author);
        assert_eq!(site.count("SELECT (SELECT count(*) FROM replica_waiting) + count(*) FROM replica_given_up"), 0);
        check_chains(site);
    }
    agree(&[&cloud, &one, &two, &three]);
}

#[test]
fn what_was_handed_on_as_a_hash_is_known_for_what_it_is() {
    let (cloud, one, two) = (Site::new(1), Site::new(2), Site::new(3));
    let class = ClassId::from_bytes([8; 16]);
    let stone = Tombstone { doc: class::join(class, person(1).id).doc, pseudonym: Some(pseudonym(1)) };
    let word = |at: i64| Edit::of(stone.doc).with("name", Scalar::Text(format!("{PLANTED} {at}")));
    one.edit(1, &word(1));
    until_quiet(&[&cloud, &one, &two], 2);
    erase(&cloud.conn, &cloud.author, &shelf(), Stamp(3), stone, &cloud.seen).expect("erase");
    two.hear_own(&cloud, 4);
    // One goes on writing, unknowing; its sister gets this from the coordinator, and what follows from it.
    one.edit(5, &word(5));
    cloud.hear_own(&one, 6);
    for run in cloud.runs_after(&one.author.origin, two.held(&one.author.origin)) {
        two.take(&run, 7).expect("take");
    }
    one.edit(8, &word(8));
    two.hear_own(&one, 9);
    assert!(says(&two, 1), "of a hash alone nobody can tell");
    two.hear_own(&cloud, 10);
    assert!(!says(&two, 1));
    // And at one that is told of it before it comes, and not what it stands on.
    let three = Site::new(4);
    three.hear_own(&cloud, 10);
    cloud.hear_own(&one, 10);
    three.hear_own(&cloud, 10);
    for run in cloud.runs_after(&one.author.origin, 0).iter().take(2) {
        three.take(run, 10).expect("take");
    }
    three.hear_own(&one, 10);
    assert!(!says(&three, 1));
    until_quiet(&[&cloud, &one, &two, &three], 11);
    for site in [&cloud, &one, &two, &three] {
        assert!(!says(site, 1), "{:?}", site.author);
        check_chains(site);
    }
    agree(&[&cloud, &one, &two, &three]);
}

#[test]
fn a_box_cannot_say_whose_the_changes_of_another_were() {
    let (cloud, one, two) = (Site::new(1), Site::new(2), Site::new(3));
    one.edit(1, &named("V1"));
    two.hear_own(&one, 2);
    two.edit(3, &named("V2"));
    cloud.hear_own(&two, 4);
    erase_one(&cloud, 5, 1);
    // A thief says that what waits was of somebody erased.
    let mine = hashes::names_of(&two.conn, &shelf(), &the_case()).expect("names");
    let thief = Site::new(5);
    let lie = Item::Traces { doc: tombstone(1).doc, changes: mine.clone() };
    line::append(&thief.conn, &shelf(), &thief.author.origin, Stamp(6), &lie).expect("append");
    cloud.hear_own(&thief, 7);
    assert_eq!(cloud.count("SELECT count(*) FROM replica_waiting"), 1);
    cloud.hear_own(&one, 8);
    assert_eq!(cloud.text(&the_case(), "name"), "V2");
    // Of an own change, of nobody erased, and once it is known: all the same.
    for (at, doc) in [(9, tombstone(1).doc), (10, the_case()), (11, Person::doc(person(9).id))] {
        let lie = Item::Traces { doc, changes: mine.clone() };
        line::append(&two.conn, &shelf(), &two.author.origin, Stamp(at), &lie).expect("append");
    }
    until_quiet(&[&cloud, &one, &two], 12);
    assert_eq!(cloud.text(&the_case(), "name"), "V2");
    agree(&[&cloud, &one, &two]);
}

#[test]
fn what_comes_late_leaves_only_its_hash() {
    let (cloud, one, two) = (Site::new(1), Site::new(2), Site::new(3));
    // Of a class one may write at a box; it stands for a person here.
    let class = ClassId::from_bytes([8; 16]);
    let stone = Tombstone { doc: class::join(class, person(1).id).doc, pseudonym: Some(pseudonym(1)) };
    let word = |at: i64| Edit::of(stone.doc).with("name", Scalar::Text(format!("{PLANTED} {at}")));
    one.edit(1, &word(1));
    two.hear_own(&one, 2);
    two.edit(3, &word(3));
    one.hear_own(&two, 4);
    one.edit(5, &word(5));
    one.note(6, &signed_in(1));
    // The coordinator has heard the second box only: its edit waits for the first's.
    cloud.hear_own(&two, 7);
    assert_eq!(cloud.count("SELECT count(*) FROM replica_waiting"), 1);
    erase(&cloud.conn, &cloud.author, &shelf(), Stamp(8), stone, &cloud.seen).expect("erase");
    cloud.hear_own(&one, 9);
    assert!(!says(&cloud, 1), "not what waited either, nor the runs that it stands in");
    assert_eq!(cloud.count("SELECT count(*) FROM replica_waiting"), 0);
    assert!(cloud.seen.0.lock().expect("lock").entries.is_empty());
    check_chains(&cloud);
    assert_eq!(cloud.held(&one.author.origin), one.held(&one.author.origin), "numbers stay");
    // It goes on writing, unknowing.
    one.edit(10, &word(10));
    until_quiet(&[&cloud, &one, &two], 11);
    one.edit(20, &word(20));
    one.note(21, &signed_in(1));
    until_quiet(&[&cloud, &one, &two], 22);
    for site in [&cloud, &one, &two] {
        assert!(!says(site, 1), "{:?}", site.author);
        check_chains(site);
        assert_eq!(site.fields(&stone.doc), None);
    }
    agree(&[&cloud, &one, &two]);
    assert_eq!(cloud.entries(), one.entries());
}

#[test]
fn what_waits_for_an_erased_document_goes_with_it() {
    let (cloud, one, two) = (Site::new(1), Site::new(2), Site::new(3));
    one.edit(1, &named("V1"));
    cloud.hear_own(&one, 2);
    two.hear(&cloud, 3);
    one.edit(4, &named(PLANTED));
    two.hear_own(&one, 5);
    two.edit(6, &named(&format!("{PLANTED} too")));
    // Stands on what the coordinator has, and on what it has not.
    cloud.hear_own(&two, 7);
    assert!(says(&cloud, 1));
    let stone = Tombstone { doc: the_case(), pseudonym: None };
    erase(&cloud.conn, &cloud.author, &shelf(), Stamp(8), stone, &cloud.seen).expect("erase");
    cloud.hear_own(&one, 9);
    assert!(!says(&cloud, 1));
    until_quiet(&[&cloud, &one, &two], 10);
    agree(&[&cloud, &one, &two]);
    assert!(!says(&one, 1) && !says(&two, 1));
}

#[test]
fn a_box_erases_nobody() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    cloud.edit(1, &planted(1).edit());
    school.hear(&cloud, 2);
    let refused = erase(&school.conn, &school.author, &shelf(), Stamp(3), tombstone(1), &school.seen);
    assert!(matches!(refused, Err(ShelfError::Refused { .. })));
    assert!(!is_erased(&school.conn, &shelf(), &tombstone(1).doc).expect("read"));
}

#[test]
fn a_tombstone_wins_before_and_after() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    // Erased before anything of it is here.
    assert!(erase_one(&cloud, 1, 1).is_some());
    school.hear(&cloud, 2);
    assert_eq!(cloud.edit(3, &planted(1).edit()), None);
    assert_eq!((cloud.fields(&tombstone(1).doc), school.digest()), (None, cloud.digest()));
    // A credential of hers that was on its way.
    let pin = Entry::Credential {
        person: person(1).id,
        kind: crate::journal::CredentialKind::Pin,
        phc: PLANTED.into(),
        login: String::new(),
    };
    cloud.note(4, &pin);
    school.hear(&cloud, 5);
    assert!(!says(&cloud, 1) && !says(&school, 1));
    assert_eq!(cloud.entries(), school.entries());
}
