//! A disk comes back as it was earlier.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Who says what the other end holds of my former life.
fn told_of(former: &Origin, cloud: &Site) -> Vec<Mark> {
    cloud.marks().into_iter().filter(|mark| mark.origin == *former).collect()
}
/// Begins another life; the program starts again under its name.
fn begin(site: &mut Site, theirs: &[Mark], at: i64) -> Origin {
    let next = site.act(|| anew::begin(&site.conn, &site.author, theirs, Stamp(at), &site.seen)).expect("another life");
    site.author.origin = next;
    next
}
fn note(site: &Site, at: i64, what: &str) {
    site.note(at, &Entry::Audit { what: what.into(), by: None });
}
fn word_of(row: &crate::rig::sql::Row) -> String {
    let entry = Entry::decode(row.bytes(0).expect("bytes")).expect("entry");
    if let Entry::Audit { what, .. } = entry { what } else { format!("{entry:?}") }
}
/// What the journals of all lives of everybody say, in order of the words.
fn words(site: &Site) -> Vec<String> {
    let rows = site.conn.query("SELECT body FROM replica_items WHERE kind = 1 AND gone IS NULL", &[]).expect("rows");
    let mut words: Vec<String> = rows.iter().map(word_of).collect();
    words.sort_unstable();
    words
}
fn waits(site: &Site) -> bool {
    anew::is_waiting(&site.conn).expect("read")
}

#[test]
fn a_disk_that_went_back_loses_and_doubles_nothing() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    cloud.edit(1, &new_badge().edit());
    school.hear(&cloud, 2);
    note(&school, 3, "a");
    school.edit(4, &named("V1"));
    cloud.hear(&school, 5);
    acknowledge(&school.conn, &cloud.marks(), Stamp(6)).expect("ack");
    note(&school, 7, "b, which had left when the disk was copied");
    school.edit(8, &named("V2"));
    school.close(9);
    let mut old = school.copy(77);
    // The disk goes on for a while, and is heard.
    note(&school, 10, "c, which the old disk does not know");
    school.edit(11, &Edit::of(the_case()).with("deleted", crate::documents::Scalar::Flag(true)));
    cloud.hear(&school, 12);
    // Then the old one is back, and does not know it; it acts.
    let former = old.author.origin;
    note(&old, 20, "d, which had not left");
    old.edit(21, &badge::void(new_badge().id, "lost"));
    old.close(22);
    note(&old, 23, "e, not even in a run");
    let before = old.exposure();
    assert!(matches!(
        old.act(|| commit_run(&old.conn, &school.runs(&former)[2], Writer::Box, &old.taking(24))),
        Err(ShelfError::Fork { .. })
    ));
    begin(&mut old, &told_of(&former, &cloud), 25);
    assert_ne!(former, old.author.origin);
    assert!(old.fields(&the_badge()).expect("badge").flag("void"), "a void holds in between");
    assert!(waits(&old));
    let exposure = old.exposure();
    assert_eq!((exposure.entries, exposure.oldest), (before.entries, before.oldest), "what is set aside counts");
    old.check_rows();
    // What of the former life had left comes back; what had not is written again.
    acknowledge(&old.conn, &cloud.marks(), Stamp(29)).expect("told");
    until_quiet(&[&cloud, &old], 30);
    assert!(!waits(&old));
    agree(&[&cloud, &old]);
    let all = [
        "a",
        "b, which had left when the disk was copied",
        "c, which the old disk does not know",
        "d, which had not left",
        "e, not even in a run",
    ];
    assert_eq!((words(&cloud), words(&old)), (all.map(str::to_owned).to_vec(), all.map(str::to_owned).to_vec()));
    let fields = cloud.fields(&the_case()).expect("case");
    assert_eq!((fields.text("name"), fields.flag("deleted")), (Some("V2"), true));
    assert!(cloud.fields(&the_badge()).expect("badge").flag("void"));
    acknowledge(&old.conn, &cloud.marks(), Stamp(40)).expect("ack");
    assert_eq!(old.exposure().entries, 0);
}

#[test]
fn a_disk_that_went_back_and_is_known_to_there_goes_on_at_once() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    note(&school, 1, "a");
    cloud.hear(&school, 2);
    let mut old = school.copy(77);
    let former = old.author.origin;
    note(&old, 3, "b");
    old.edit(4, &named("V1"));
    old.close(5);
    begin(&mut old, &told_of(&former, &cloud), 6);
    assert!(waits(&old), "other lives of it may be known there");
    acknowledge(&old.conn, &cloud.marks(), Stamp(6)).expect("told");
    until_quiet(&[&cloud, &old], 7);
    assert_eq!((words(&cloud), cloud.text(&the_case(), "name")), (vec!["a".into(), "b".into()], "V1".into()));
    agree(&[&cloud, &old]);
}

#[test]
fn a_restored_backup_asks_before_it_writes_again() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    note(&school, 1, "a");
    cloud.hear(&school, 2);
    note(&school, 3, "b, pending in the backup");
    school.edit(4, &named("V1"));
    let mut restored = school.copy(77);
    note(&school, 5, "c");
    cloud.hear(&school, 6);
    // Restoring draws a new life and nothing else; nobody is there to ask.
    let me = restored.author.origin.box_id;
    let next = new_incarnation(&restored.conn, me, &*restored.author.dice).expect("new");
    restored.author.origin = next;
    note(&restored, 10, "d");
    restored.close(11);
    assert_eq!(restored.text(&the_case(), "name"), "V1");
    assert!(waits(&restored));
    restored.check_rows();
    acknowledge(&restored.conn, &cloud.marks(), Stamp(12)).expect("told");
    until_quiet(&[&cloud, &restored], 13);
    assert!(!waits(&restored));
    assert_eq!(words(&cloud), ["a", "b, pending in the backup", "c", "d"]);
    agree(&[&cloud, &restored]);
    assert_eq!(words(&restored), words(&cloud));
    // A backup of which nothing had left is written again once that is known.
    let mut alone = Site::new(3);
    note(&alone, 1, "alone");
    let next = new_incarnation(&alone.conn, alone.author.origin.box_id, &*alone.author.dice).expect("new");
    alone.author.origin = next;
    alone.close(2);
    assert!(waits(&alone) && words(&alone).is_empty());
    acknowledge(&alone.conn, &cloud.marks(), Stamp(3)).expect("told");
    alone.close(4);
    assert_eq!((waits(&alone), words(&alone)), (false, vec!["alone".to_owned()]));
}

#[test]
fn what_somebody_else_stands_on_stays() {
    let (cloud, one, two) = (Site::new(1), Site::new(2), Site::new(3));
    one.edit(1, &named("V1"));
    cloud.hear(&one, 2);
    let former = one.author.origin;
    let mut old = one.copy(77);
    old.edit(3, &named("V2"));
    two.hear(&old, 4);
    two.edit(5, &named("V3"));
    old.hear(&two, 6);
    old.edit(7, &badge::void(new_badge().id, "lost"));
    old.edit(8, &named("V4"));
    // The other disk is heard first.
    one.journal(9);
    cloud.hear(&one, 10);
    begin(&mut old, &told_of(&former, &cloud), 11);
    assert_eq!(old.text(&the_case(), "name"), "V4");
    assert!(old.fields(&the_badge()).expect("badge").flag("void"));
    old.check_rows();
}

#[test]
fn a_coordinator_that_went_back_asks_each_school() {
    let mut cloud = Site::new(1);
    let (one, other) = (Site::new(2), Shelf::School("0900002B".parse().expect("uai")));
    let there = |site: &Site, at: i64, what: &str| {
        let entry = Entry::Audit { what: what.into(), by: None };
        journal(&site.conn, &site.author, &other, Stamp(at), &entry).expect("journal");
    };
    note(&cloud, 1, "here");
    there(&cloud, 1, "there");
    cloud.edit(2, &person(1).edit());
    edit(&cloud.conn, &cloud.author, &other, Stamp(3), &person(2).edit(), &cloud.seen).expect("edit");
    let mine = cloud.close(4);
    one.hear(&cloud, 5);
    // A box of the other school told what it holds before the copy was made.
    fold::note_holder(&cloud.conn, BoxId::from_bytes([9; 16]), &mine, Stamp(5)).expect("note");
    let mut old = cloud.copy(77);
    note(&cloud, 6, "here, lost from the old disk");
    cloud.edit(7, &Person { level: "CM1".into(), ..person(1) }.edit());
    one.hear(&cloud, 8);
    there(&cloud, 8, "there, lost from the old disk");
    cloud.close(8);
    let (former, gone) = (cloud.author.origin, cloud);
    cloud = Site::new(1);
    std::mem::swap(&mut cloud, &mut old);
    note(&cloud, 20, "here, new");
    there(&cloud, 20, "there, new");
    cloud.edit(21, &Person { animal: "loup".into(), ..person(1) }.edit());
    erase(
        &cloud.conn,
        &cloud.author,
        &shelf(),
        Stamp(22),
        Tombstone { doc: Person::doc(person(4).id), pseudonym: None },
        &cloud.seen,
    )
    .expect("erase");
    cloud.close(23);
    begin(&mut cloud, &told_of(&former, &one), 24);
    fold::note_holder(&cloud.conn, one.author.origin.box_id, &one.marks(), Stamp(24)).expect("told");
    until_quiet(&[&cloud, &one], 25);
    agree(&[&cloud, &one]);
    let of_shelf = |site: &Site, shelf: &Shelf| {
        let mut words: Vec<String> = Vec::new();
        for mark in site.marks().iter().filter(|mark| mark.shelf == *shelf) {
            for (_, _, entry) in entries(&site.conn, shelf, &mark.origin, 0, 100).expect("entries") {
                if let Entry::Audit { what, .. } = entry {
                    words.push(what);
                }
            }
        }
        words.sort_unstable();
        words
    };
    assert_eq!(of_shelf(&cloud, &shelf()), ["here", "here, lost from the old disk", "here, new"]);
    assert_eq!(of_shelf(&one, &shelf()), of_shelf(&cloud, &shelf()));
    assert!(is_erased(&one.conn, &shelf(), &Person::doc(person(4).id)).expect("read"));
    assert_eq!(one.text(&Person::doc(person(1).id), "animal"), "loup");
    // At the other school nobody has spoken yet: what is known to be there stays, the rest waits.
    assert!(waits(&cloud));
    assert_eq!(of_shelf(&cloud, &other), ["there"]);
    let held: Vec<Mark> = gone.marks().into_iter().filter(|mark| mark.shelf == other).collect();
    fold::note_holder(&cloud.conn, BoxId::from_bytes([9; 16]), &held, Stamp(30)).expect("note");
    cloud.close(31);
    assert!(waits(&cloud), "until its line is back");
    let Following::Runs(runs) = runs_after(&gone.conn, &other, &former, 2, usize::MAX).expect("runs") else { panic!() };
    for run in &runs {
        cloud.take(run, 32).expect("take");
    }
    cloud.close(33);
    assert!(!waits(&cloud));
    assert_eq!(of_shelf(&cloud, &other), ["there", "there, lost from the old disk", "there, new"]);
}

#[test]
fn an_erased_person_does_not_come_back_with_an_old_disk() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    cloud.edit(1, &person(1).edit());
    school.hear(&cloud, 2);
    school.note(3, &seen_person(1));
    let mut old = school.copy(77);
    let former = old.author.origin;
    school.note(4, &seen_person(1));
    cloud.hear(&school, 5);
    old.note(6, &seen_person(1));
    begin(&mut old, &told_of(&former, &cloud), 7);
    assert!(waits(&old));
    let stone = Tombstone { doc: Person::doc(person(1).id), pseudonym: Some([1; 16]) };
    erase(&cloud.conn, &cloud.author, &shelf(), Stamp(8), stone, &cloud.seen).expect("erase");
    acknowledge(&old.conn, &cloud.marks(), Stamp(8)).expect("told");
    until_quiet(&[&cloud, &old], 9);
    assert!(!waits(&old));
    agree(&[&cloud, &old]);
    assert!(words(&old).is_empty() && words(&cloud).is_empty());
}

#[test]
fn a_backup_of_a_disk_that_had_gone_back_unnoticed_is_found_out() {
    let (cloud, mut school) = (Site::new(1), Site::new(2));
    let mut old = school.copy(77);
    note(&school, 1, "a");
    cloud.hear(&school, 2);
    old.edit(3, &badge::void(new_badge().id, "lost"));
    note(&old, 3, "b");
    old.close(4);
    school = old.copy(78);
    let next = new_incarnation(&school.conn, school.author.origin.box_id, &*school.author.dice).expect("new");
    school.author.origin = next;
    for round in 0..3 {
        meet(&cloud, &mut school, 10 + round);
    }
    agree(&[&cloud, &school]);
    assert_eq!((words(&cloud), words(&school)), (vec!["a".into(), "b".into()], vec!["a".into(), "b".into()]));
    assert!(cloud.fields(&the_badge()).expect("badge").flag("void"));
    // The same when the other life has more to say: the line gives way to it.
    let (cloud, mut school) = (Site::new(1), Site::new(2));
    old = school.copy(77);
    for word in ["a", "b"] {
        note(&school, 1, word);
        school.close(1);
    }
    cloud.hear(&school, 2);
    old.edit(3, &badge::void(new_badge().id, "lost"));
    old.close(4);
    school = old.copy(78);
    let next = new_incarnation(&school.conn, school.author.origin.box_id, &*school.author.dice).expect("new");
    school.author.origin = next;
    for round in 0..3 {
        meet(&cloud, &mut school, 10 + round);
    }
    agree(&[&cloud, &school]);
    assert_eq!((words(&cloud), words(&school)), (vec!["a".into(), "b".into()], vec!["a".into(), "b".into()]));
    assert!(cloud.fields(&the_badge()).expect("badge").flag("void"));
}

/// What happens to two boxes (1 and 2) and the coordinator (0).
#[derive(Debug, Clone, Copy)]
enum Act {
    Note(usize),
    Name(usize),
    Void(usize),
    /// A box and the coordinator meet; the box hears what is held of it.
    Meet(usize),
    /// The box's runs reach the coordinator, and the acknowledgement is lost.
    Up(usize),
    Close(usize),
    Copy(usize),
    /// The disk is as it was when it was copied, and acts before it meets anybody.
    Back(usize),
    /// … after a restore, which says so.
    Restored(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let (who, school) = (0_usize..3, 1_usize..3);
    let act = prop_oneof![
        4 => who.clone().prop_map(Act::Note),
        2 => who.prop_map(Act::Name),
        1 => school.clone().prop_map(Act::Void),
        3 => school.clone().prop_map(Act::Meet),
        2 => school.clone().prop_map(Act::Up),
        2 => school.clone().prop_map(Act::Close),
        2 => school.clone().prop_map(Act::Copy),
        2 => school.clone().prop_map(Act::Back),
        1 => school.prop_map(Act::Restored),
    ];
    prop::collection::vec(act, 5..40)
}

/// Both say what they hold, as peers do, and hear what they lack.
fn meet(cloud: &Site, school: &mut Site, at: i64) {
    school.close(at);
    let (me, theirs) = (school.author.origin, cloud.marks());
    let held = school.held(&me);
    let chain = chain_at(&school.conn, &shelf(), &me, held).expect("chain");
    let foreign =
        |mark: &&Mark| mark.origin == me && (mark.number > held || mark.number == held && Some(mark.chain) != chain);
    let unknown = acknowledge(&school.conn, &theirs, Stamp(at)).expect("ack").unknown;
    if !unknown.is_empty() {
        begin(school, &unknown, at);
    } else if theirs.iter().any(|mark| foreign(&mark)) {
        begin(school, &told_of(&me, cloud), at);
    }
    acknowledge(&school.conn, &theirs, Stamp(at)).expect("told");
    // Once more, for a line that gave way.
    school.hear(cloud, at);
    school.hear(cloud, at);
    cloud.hear(school, at);
    acknowledge(&school.conn, &cloud.marks(), Stamp(at)).expect("ack");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_disks_come_back_nothing_known_is_lost_or_doubled(acts in acts()) {
        let mut sites = [Site::new(1), Site::new(2), Site::new(3)];
        let mut copies: [Option<Site>; 3] = [None, None, None];
        let (mut at, mut voided) = (100, false);
        for act in acts {
            at += 10;
            let (cloud, schools) = sites.split_first_mut().expect("three");
            match act {
                Act::Note(0) => note(cloud, at, &format!("word {at}")),
                Act::Note(who) => note(&schools[who - 1], at, &format!("word {at}")),
                Act::Name(0) => drop(cloud.edit(at, &named(&format!("V{at}"))).is_some()),
                Act::Name(who) => drop(schools[who - 1].edit(at, &named(&format!("V{at}"))).is_some()),
                Act::Void(who) => voided |= schools[who - 1].edit(at, &badge::void(new_badge().id, "lost")).is_some(),
                Act::Meet(who) => meet(cloud, &mut schools[who - 1], at),
                Act::Up(who) => {
                    let school = &schools[who - 1];
                    school.close(at);
                    let Following::Runs(runs) = runs_after(&school.conn, &shelf(), &school.author.origin,
                        cloud.held(&school.author.origin), usize::MAX).expect("runs") else { panic!() };
                    // A disk that came back may be caught here.
                    for run in &runs {
                        if cloud.take(run, at).is_err() {
                            break;
                        }
                    }
                }
                Act::Close(who) => drop(schools[who - 1].close(at)),
                Act::Copy(who) => copies[who] = Some(schools[who - 1].copy(u64::try_from(at).expect("dice"))),
                Act::Back(who) | Act::Restored(who) => {
                    if let Some(copy) = copies[who].take() {
                        // What stood on the lost disk only is lost with it.
                        schools[who - 1] = copy;
                        if matches!(act, Act::Restored(_)) {
                            let Author { origin, dice, .. } = &schools[who - 1].author;
                            let next = new_incarnation(&schools[who - 1].conn, origin.box_id, &**dice).expect("new");
                            schools[who - 1].author.origin = next;
                        }
                    }
                }
            }
        }
        let known: BTreeSet<String> = sites.iter().flat_map(|site| {
            let aside = site.conn.query("SELECT body FROM replica_aside", &[]).expect("rows");
            let aside: Vec<String> = aside.iter().map(word_of).collect();
            words(site).into_iter().chain(aside)
        }).collect();
        let void_known = voided && sites.iter().any(|site| site.fields(&the_badge()).is_some_and(|badge| badge.flag("void")));
        for round in 0..6 {
            let (cloud, schools) = sites.split_first_mut().expect("three");
            schools.iter_mut().for_each(|school| meet(cloud, school, at + 10 + round));
        }
        let [cloud, one, two] = &sites;
        agree(&[cloud, one, two]);
        for site in &sites {
            prop_assert_eq!(words(site), known.iter().cloned().collect::<Vec<_>>());
            prop_assert!(!waits(site));
            prop_assert!(!void_known || site.fields(&the_badge()).expect("badge").flag("void"));
        }
        prop_assert_eq!(one.exposure().entries + two.exposure().entries, 0);
    }
}
