//! Runs and lines.

use super::*;

#[test]
fn two_sites_that_heard_each_other_hold_the_same() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    for n in 1..=30 {
        assert!(cloud.edit(10, &person(n).edit()).is_some());
        assert_eq!(cloud.edit(11, &person(n).edit()), None, "the same again is nothing");
    }
    cloud.edit(12, &new_badge().edit());
    school.hear(&cloud, 20);
    // Both write of the same documents, unheard.
    school.edit(30, &badge::void(new_badge().id, "lost"));
    school.edit(31, &class::join(ClassId::from_bytes([8; 16]), person(1).id));
    for at in 0..250 {
        school.journal(32 + at);
    }
    cloud.edit(40, &Badge { expires: Some(Stamp(99)), ..new_badge() }.edit());
    cloud.hear(&school, 50);
    school.hear(&cloud, 51);
    assert_eq!(cloud.digest(), school.digest());
    assert_ne!(cloud.digest(), [0; 32]);
    for site in [&cloud, &school] {
        let fields = document(&site.conn, &shelf(), &Badge::doc(new_badge().id)).expect("read").expect("there");
        let badge = Badge::from_fields(&Badge::doc(new_badge().id), &fields).expect("badge");
        assert_eq!((badge.void, badge.expires), (true, Some(Stamp(99))));
        assert_eq!(documents(&site.conn, &shelf(), Kind::Person).expect("people").len(), 30);
        assert_eq!(entry_count(&site.conn, &shelf(), None).expect("count"), 250);
    }
    let ids = |site: &Site| entry_ids(&site.conn, &shelf()).expect("ids");
    assert_eq!(ids(&cloud), ids(&school));
    assert_eq!(marks(&cloud.conn).expect("marks"), marks(&school.conn).expect("marks"));
    assert_eq!(cloud.runs(&school.author.origin), school.runs(&school.author.origin), "runs are kept unchanged");
    let read = entries(&cloud.conn, &shelf(), &school.author.origin, 0, 10).expect("entries");
    assert_eq!((read.len(), &read[0].2), (10, &sign_in()));
    assert_eq!(cloud.seen.0.lock().expect("lock").entries.len(), 250);
}

#[test]
fn a_run_is_taken_once_and_in_its_order() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    for at in 1..=3 {
        school.journal(at);
        school.close(at);
    }
    let runs = school.runs(&school.author.origin);
    assert_eq!(runs.iter().map(|run| (run.first, run.count)).collect::<Vec<_>>(), [(1, 1), (2, 1), (3, 1)]);
    assert!(matches!(cloud.take(&runs[1], 5), Err(ShelfError::Gap { held: 0 })));
    let mark = cloud.take(&runs[0], 5).expect("first");
    assert_eq!((mark.number, mark.chain), (1, runs[0].hash()));
    cloud.take(&runs[0], 6).expect("again");
    assert_eq!(entry_count(&cloud.conn, &shelf(), None).expect("count"), 1);
    // The same number with something else, and a run that names another before it.
    let item = [Item::Entry { salt: [7; 16], body: sign_in().encode().expect("body") }];
    let close = |first, prev| Run::close(shelf(), school.author.origin, first, prev, &item, &school.author.key);
    let other = close(1, [0; 32]).expect("run");
    assert!(matches!(cloud.take(&other, 7), Err(ShelfError::Fork { held: 1 })));
    let other = close(2, [8; 32]).expect("run");
    assert!(matches!(cloud.take(&other, 7), Err(ShelfError::Fork { held: 1 })));
    assert_eq!(
        runs_after(&school.conn, &shelf(), &school.author.origin, 1, 1).expect("runs"),
        Following::Runs(vec![runs[1].clone()])
    );
}

#[test]
fn a_bad_item_refuses_the_whole_run_and_leaves_nothing() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    let persons = Site::new(1);
    persons.edit(1, &person(1).edit());
    persons.close(1);
    let Some(foreign) = persons.runs(&persons.author.origin)[0].items().expect("items").pop() else { panic!() };
    let good = Item::Entry { salt: [7; 16], body: sign_in().encode().expect("body") };
    let credential = Entry::Credential {
        person: person(1).id,
        kind: crate::journal::CredentialKind::Pin,
        phc: "$argon2id$".into(),
        login: String::new(),
    };
    let before = cloud.digest();
    for bad in [
        foreign,
        Item::Change { bytes: vec![0; 40] },
        Item::Erased(Erasure::sign(
            &shelf(),
            Tombstone { doc: the_case(), pseudonym: None },
            Vec::new(),
            &school.author.key,
        )),
        Item::Entry { salt: [0; 16], body: vec![9, 9] },
        Item::Entry { salt: [0; 16], body: credential.encode().expect("body") },
    ] {
        let items = [good.clone(), bad];
        let run = Run::close(shelf(), school.author.origin, 1, [0; 32], &items, &school.author.key).expect("run");
        let Err(ShelfError::Refused { reason }) = cloud.take(&run, 1) else { panic!("taken") };
        quarantine::run(&cloud.conn, &run, &reason, Stamp(1)).expect("quarantine");
        quarantine::run(&cloud.conn, &run, &reason, Stamp(2)).expect("once");
    }
    assert_eq!(quarantine::count(&cloud.conn).expect("count"), 5);
    assert_eq!((cloud.digest(), entry_count(&cloud.conn, &shelf(), None).expect("count")), (before, 0));
    assert!(marks(&cloud.conn).expect("marks").is_empty());
    // And what a box may not write, it does not sign.
    let refused = edit(&school.conn, &school.author, &shelf(), Stamp(1), &person(1).edit(), &school.seen);
    assert!(matches!(refused, Err(ShelfError::Refused { .. })));
    let refused = edit(&school.conn, &school.author, &Shelf::Territory, Stamp(1), &named("V1"), &school.seen);
    assert!(matches!(refused, Err(ShelfError::Refused { .. })));
}

#[test]
fn a_change_of_another_origin_is_not_taken_as_ones_own() {
    let (cloud, school, thief) = (Site::new(1), Site::new(2), Site::new(3));
    school.edit(1, &named("V1"));
    school.close(1);
    let items = school.runs(&school.author.origin)[0].items().expect("items");
    let run = Run::close(shelf(), thief.author.origin, 1, [0; 32], &items, &thief.author.key).expect("run");
    assert!(matches!(cloud.take(&run, 1), Err(ShelfError::Refused { .. })));
}

#[test]
fn a_change_waits_for_another_origins_and_comes_in_then() {
    let (cloud, one, two) = (Site::new(1), Site::new(2), Site::new(3));
    one.edit(1, &named("V1"));
    two.hear(&one, 2);
    two.edit(3, &named("V2"));
    cloud.hear_own(&two, 4);
    assert_eq!(document(&cloud.conn, &shelf(), &named("").doc).expect("read"), None);
    assert_ne!(cloud.digest(), two.digest());
    cloud.hear_own(&one, 5);
    let fields = document(&cloud.conn, &shelf(), &named("").doc).expect("read").expect("there");
    assert_eq!(fields.text("name"), Some("V2"));
    assert_eq!(cloud.digest(), two.digest());
    let waiting: i64 = cloud.conn.query_row("SELECT count(*) FROM replica_waiting", [], |r| r.get(0)).expect("count");
    assert_eq!(waiting, 0);
}

#[test]
fn exposure_is_what_the_peer_has_not_acknowledged() {
    let school = Site::new(2);
    assert_eq!(school.exposure(), Exposure::default());
    school.journal(100);
    school.edit(200, &named("V1"));
    school.close(250);
    school.journal(300);
    let exposure = school.exposure();
    assert_eq!((exposure.entries, exposure.written, exposure.oldest), (3, 3, Some(Stamp(100))));
    let first = Mark { number: 2, chain: school.runs(&school.author.origin)[0].hash(), ..school.close(400)[0].clone() };
    let ack =
        acknowledge(&school.conn, &school.author.origin, std::slice::from_ref(&first), Stamp(1_200)).expect("ack");
    assert_eq!((ack.moved, ack.lag, ack.unknown.len()), (true, Some(Duration::from_millis(1_000)), 0));
    let exposure = school.exposure();
    assert_eq!((exposure.entries, exposure.oldest, exposure.lag), (1, Some(Stamp(300)), ack.lag));
    let last = marks(&school.conn).expect("marks");
    assert!(acknowledge(&school.conn, &school.author.origin, &last, Stamp(1_300)).expect("ack").moved);
    assert!(!acknowledge(&school.conn, &school.author.origin, &[first], Stamp(1_400)).expect("an older one").moved);
    let exposure = school.exposure();
    assert_eq!((exposure.entries, exposure.oldest, exposure.written), (0, None, 3));
    // What the peer holds and I do not: this disk was restored.
    let ahead = Mark { number: 9, ..last[0].clone() };
    let other = Mark { chain: [9; 32], ..last[0].clone() };
    let ack =
        acknowledge(&school.conn, &school.author.origin, &[ahead.clone(), other.clone()], Stamp(1_500)).expect("ack");
    assert_eq!((ack.moved, ack.unknown), (false, vec![ahead, other]));
}

#[test]
fn runs_are_closed_by_count_and_by_size() {
    let school = Site::new(2);
    for at in 0..450 {
        school.journal(at);
    }
    assert_eq!(school.close(1)[0].number, 450);
    assert!(school.close(2).is_empty());
    let counts = |site: &Site| site.runs(&site.author.origin).iter().map(|run| run.count).collect::<Vec<_>>();
    assert_eq!(counts(&school), [200, 200, 50]);
    let wordy = Site::new(3);
    let entry = Entry::Audit { what: "é".repeat(2_000), by: None };
    for at in 0..40 {
        journal(&wordy.conn, &wordy.author, &shelf(), Stamp(at), &entry).expect("journal");
    }
    wordy.close(1);
    assert!(counts(&wordy).iter().all(|count| *count <= 16), "{:?}", counts(&wordy));
    assert_eq!(counts(&wordy).iter().sum::<u32>(), 40);
}

#[test]
fn a_crash_leaves_the_state_before() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    school.edit(1, &named("V1"));
    school.journal(2);
    school.close(3);
    let run = school.runs(&school.author.origin)[0].clone();
    cloud.conn.execute_batch("BEGIN").expect("begin");
    commit_run(&cloud.conn, &run, Writer::Box, &cloud.taking(4)).expect("take");
    cloud.conn.execute_batch("ROLLBACK").expect("crash");
    assert_eq!((cloud.digest(), marks(&cloud.conn).expect("marks")), ([0; 32], Vec::new()));
    cloud.take(&run, 5).expect("again");
    assert_eq!(cloud.digest(), school.digest());
}

#[test]
fn long_histories_are_folded_and_still_merge() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    for at in 0..150_i64 {
        school.edit(at, &named(&format!("V{at}")));
        if at % 40 == 0 {
            cloud.hear(&school, at);
            cloud.edit(at, &Case { deleted: false, ..case(&format!("C{at}")) }.edit());
            school.hear(&cloud, at);
        }
    }
    cloud.hear(&school, 200);
    school.hear(&cloud, 200);
    assert_eq!(cloud.digest(), school.digest());
    let tail: i64 = school.conn.query_row("SELECT count(*) FROM replica_changes", [], |r| r.get(0)).expect("count");
    assert!(tail < 64, "{tail}");
}

#[test]
fn each_start_is_another_life_of_the_same_box() {
    let site = Site::new(2);
    let me = site.author.origin;
    let next = begin(&site.conn, me.box_id, &*site.author.dice).expect("life");
    assert_eq!((next.box_id, next.incarnation == me.incarnation), (me.box_id, false));
    assert!(begin(&site.conn, BoxId::from_bytes([7; 16]), &*site.author.dice).is_err());
}
