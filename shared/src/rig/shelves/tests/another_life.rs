//! A disk comes back as it was earlier, or twice: each start is another life.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn note(site: &Site, at: i64, what: &str) {
    site.note(at, &audit(what));
}
fn audit(what: &str) -> Entry {
    Entry::Audit { what: what.into(), by: None }
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
/// What a program heard of others' entries, in order of the words.
fn heard(site: &Site) -> Vec<String> {
    let rows = site.seen.0.lock().expect("lock");
    let word = |entry: &Entry| if let Entry::Audit { what, .. } = entry { what.clone() } else { format!("{entry:?}") };
    let mut words: Vec<String> = rows.entries.iter().map(|(_, _, entry)| word(entry)).collect();
    words.sort_unstable();
    words
}
fn acknowledged(site: &Site, cloud: &Site, at: i64) {
    let told = acknowledge(&site.conn, &site.author.origin, &cloud.marks(), Stamp(at)).expect("told");
    assert!(told.unknown.is_empty(), "{told:?}");
}

#[test]
fn a_disk_that_went_back_loses_and_doubles_nothing() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    cloud.edit(1, &new_badge().edit());
    school.hear(&cloud, 2);
    note(&school, 3, "a");
    school.edit(4, &named("V1"));
    cloud.hear(&school, 5);
    acknowledged(&school, &cloud, 6);
    note(&school, 7, "b, which will have left when the disk comes back");
    school.edit(8, &named("V2"));
    let old = school.copy(77);
    // The disk goes on for a while, and is heard.
    note(&school, 10, "c, which the old disk does not know");
    school.edit(11, &Edit::of(the_case()).with("deleted", crate::documents::Scalar::Flag(true)));
    cloud.hear(&school, 12);
    // Then the old one is back, and does not know what it is; it acts.
    note(&old, 20, "d");
    old.edit(21, &badge::void(new_badge().id, "lost"));
    assert_eq!(old.exposure().entries, 4, "b and V2 may stand on this disk alone");
    note(&old, 23, "e");
    until_quiet(&[&cloud, &old], 30);
    agree(&[&cloud, &old]);
    let all =
        ["a", "b, which will have left when the disk comes back", "c, which the old disk does not know", "d", "e"];
    assert_eq!((words(&cloud), words(&old)), (all.map(str::to_owned).to_vec(), all.map(str::to_owned).to_vec()));
    assert_eq!(heard(&cloud), all, "each once");
    let fields = cloud.fields(&the_case()).expect("case");
    assert_eq!((fields.text("name"), fields.flag("deleted")), (Some("V2"), true));
    assert!(cloud.fields(&the_badge()).expect("badge").flag("void"));
    acknowledged(&old, &cloud, 40);
    assert_eq!(old.exposure().entries, 0);
}

#[test]
fn what_stood_in_no_run_is_said_again_before_what_stands_on_it() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    school.edit(1, &named("V1"));
    note(&school, 2, "a");
    let next = school.copy(77);
    let restored = school.copy(78);
    next.edit(3, &named("V2"));
    // Two disks say it, and neither what the first never closed: it is one item.
    restored.edit(4, &badge::void(new_badge().id, "lost"));
    cloud.hear(&next, 5);
    cloud.hear(&restored, 6);
    assert_eq!((heard(&cloud), cloud.text(&the_case(), "name")), (vec!["a".into()], "V2".into()));
    // Nor when the first comes after all.
    cloud.hear(&school, 7);
    assert_eq!((heard(&cloud), words(&cloud)), (vec!["a".into()], vec!["a".into()]));
    let again = next.copy(79);
    assert_eq!(again.close(8).len(), 0, "what stands in a run is not said again");
    until_quiet(&[&cloud, &again], 9);
    agree(&[&cloud, &again]);
}

#[test]
fn a_life_that_died_twice_says_it_once() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    note(&school, 1, "a");
    let second = school.copy(77);
    // It says it again, and dies before it closes a run.
    second.edit(2, &named("V1"));
    let third = second.copy(78);
    let fourth = third.copy(79);
    until_quiet(&[&cloud, &fourth], 3);
    agree(&[&cloud, &fourth]);
    assert_eq!((words(&cloud), cloud.text(&the_case(), "name")), (vec!["a".into()], "V1".into()));
    assert!(third.author.origin != fourth.author.origin && second.author.origin != third.author.origin);
}

#[test]
fn a_coordinator_that_went_back_learns_from_its_boxes() {
    let (cloud, one) = (Site::new(1), Site::new(2));
    note(&cloud, 1, "before");
    cloud.edit(2, &person(1).edit());
    one.hear(&cloud, 5);
    let old = cloud.copy(77);
    note(&cloud, 6, "lost from the old disk");
    cloud.edit(7, &Person { level: "CM1".into(), ..person(1) }.edit());
    one.hear(&cloud, 8);
    note(&old, 20, "new");
    old.edit(21, &Person { animal: "loup".into(), ..person(1) }.edit());
    until_quiet(&[&old, &one], 25);
    agree(&[&old, &one]);
    assert_eq!(words(&old), ["before", "lost from the old disk", "new"]);
    assert_eq!((words(&one), one.text(&Person::doc(person(1).id), "animal")), (words(&old), "loup".into()));
    assert_eq!(one.text(&Person::doc(person(1).id), "level"), "CM1");
}

#[test]
fn an_erased_person_does_not_come_back_with_an_old_disk() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    cloud.edit(1, &person(1).edit());
    school.hear(&cloud, 2);
    school.note(3, &seen_person(1));
    school.edit(3, &badge::void(new_badge().id, "lost"));
    let old = school.copy(77);
    old.close(4);
    cloud.hear(&old, 5);
    let pending = school.copy(78);
    pending.edit(6, &named("V1"));
    let stone = Tombstone { doc: Person::doc(person(1).id), pseudonym: Some([1; 16]) };
    erase(&cloud.conn, &cloud.author, &shelf(), Stamp(8), stone, &cloud.seen).expect("erase");
    until_quiet(&[&cloud, &old, &pending], 9);
    agree(&[&cloud, &old]);
    agree(&[&cloud, &pending]);
    for site in [&cloud, &old, &pending] {
        says_nothing(site);
    }
}

#[test]
fn a_sister_keeps_nothing_that_is_said_again_of_an_erased_person() {
    let (cloud, school, sister) = (Site::new(1), Site::new(2), Site::new(3));
    cloud.edit(1, &person(1).edit());
    until_quiet(&[&cloud, &school, &sister], 2);
    school.note(3, &seen_person(1));
    let old = school.copy(77);
    sister.hear(&school, 4);
    let stone = Tombstone { doc: Person::doc(person(1).id), pseudonym: Some([1; 16]) };
    erase(&cloud.conn, &cloud.author, &shelf(), Stamp(5), stone, &cloud.seen).expect("erase");
    sister.hear(&cloud, 6);
    // The old disk does not know that this was heard, nor that the person is gone.
    sister.hear_own(&old, 7);
    says_nothing(&sister);
    until_quiet(&[&cloud, &old, &sister], 8);
    agree(&[&cloud, &old, &sister]);
}

/// No journal and no run says anything.
fn says_nothing(site: &Site) {
    assert!(words(site).is_empty(), "{:?}: {:?}", site.author, words(site));
    for mark in site.marks() {
        for run in site.kept(&mark.origin) {
            for item in run.items().expect("items") {
                let said = item.said_before().map_or(item, |(_, _, said)| said);
                assert!(!matches!(said, Item::Entry { .. }), "{said:?}");
            }
        }
    }
}

#[test]
fn what_is_said_again_badly_is_refused() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    let me = school.author.origin;
    let former = Origin { incarnation: 9, ..me };
    let entry = |what: &str| Item::Entry { salt: [1; 16], body: audit(what).encode().expect("entry") };
    let again = |life: u64, item: &Item| item.former(life, 1).expect("former");
    let nested =
        Item::Former { incarnation: 9, number: 1, item: postcard::to_stdvec(&again(9, &entry("a"))).expect("item") };
    let first = |origin: &Origin| {
        let mut document = crate::documents::Document::new(the_badge().kind);
        let edit = badge::void(new_badge().id, "lost");
        let change = document.edit_marked(origin.actor(), Writer::Box, the_badge().mark(0), &edit).expect("edit");
        let bytes = crate::documents::strip(&change.expect("change")).expect("chunk").to_vec();
        Item::First { doc: the_badge(), epoch: 0, cut: Vec::new(), bytes }
    };
    let bad = [
        again(me.incarnation, &entry("a")),
        nested,
        Item::Former { incarnation: 9, number: 1, item: vec![7; 9] },
        // In the name of a life that did not make it.
        again(8, &first(&former)),
    ];
    for item in bad {
        let run = Run::close(shelf(), me, 1, [0; 32], std::slice::from_ref(&item), &school.author.key).expect("run");
        assert!(matches!(cloud.take(&run, 1), Err(ShelfError::Refused { .. })), "{item:?}");
    }
    let good = [again(9, &entry("a")), again(9, &first(&former)), again(9, &entry("under the same name"))];
    let run = Run::close(shelf(), me, 1, [0; 32], &good, &school.author.key).expect("run");
    cloud.take(&run, 2).expect("taken");
    assert_eq!(heard(&cloud), ["a"]);
    assert!(cloud.fields(&the_badge()).expect("badge").flag("void"));
    assert_eq!(cloud.entries(), [(former, 1)]);
}

/// What happens to two boxes (1 and 2) and the coordinator (0).
#[derive(Debug, Clone, Copy)]
enum Act {
    Note(usize),
    Name(usize),
    Void(usize),
    /// A box and the coordinator meet.
    Meet(usize),
    /// The box's runs reach the coordinator, and the acknowledgement is lost.
    Up(usize),
    Close(usize),
    /// The program dies and starts again.
    Restart(usize),
    Copy(usize),
    /// The disk is as it was when it was copied.
    Back(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let (who, school) = (0_usize..3, 1_usize..3);
    let act = prop_oneof![
        4 => who.clone().prop_map(Act::Note),
        2 => who.clone().prop_map(Act::Name),
        1 => school.clone().prop_map(Act::Void),
        3 => school.clone().prop_map(Act::Meet),
        2 => school.prop_map(Act::Up),
        2 => who.clone().prop_map(Act::Close),
        1 => who.clone().prop_map(Act::Restart),
        2 => who.clone().prop_map(Act::Copy),
        2 => who.prop_map(Act::Back),
    ];
    prop::collection::vec(act, 5..40)
}

fn meet(cloud: &Site, school: &Site, at: i64) {
    school.hear(cloud, at);
    cloud.hear(school, at);
    acknowledged(school, cloud, at);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_disks_come_back_nothing_known_is_lost_or_doubled(acts in acts()) {
        let mut sites = [Site::new(1), Site::new(2), Site::new(3)];
        let mut copies: [Option<Site>; 3] = [None, None, None];
        let mut at = 100;
        for act in acts {
            at += 10;
            let dice = u64::try_from(at).expect("dice");
            let [cloud, ..] = &sites;
            match act {
                Act::Note(who) => note(&sites[who], at, &format!("word {at}")),
                Act::Name(who) => drop(sites[who].edit(at, &named(&format!("V{at}")))),
                Act::Void(who) => drop(sites[who].edit(at, &badge::void(new_badge().id, "lost"))),
                Act::Meet(who) => meet(cloud, &sites[who], at),
                Act::Up(who) => cloud.hear_own(&sites[who], at),
                Act::Close(who) => drop(sites[who].close(at)),
                Act::Restart(who) => sites[who] = sites[who].copy(dice),
                Act::Copy(who) => copies[who] = Some(sites[who].copy(dice)),
                // What stood on the lost disk only is lost with it.
                Act::Back(who) => {
                    if let Some(copy) = copies[who].take() {
                        sites[who] = copy;
                    }
                }
            }
        }
        let known: BTreeSet<String> = sites.iter().flat_map(words).collect();
        let void_known = sites.iter().any(|site| site.fields(&the_badge()).is_some_and(|badge| badge.flag("void")));
        let [cloud, one, two] = &sites;
        for round in 0..3 {
            meet(cloud, one, at + 10 + round);
            meet(cloud, two, at + 10 + round);
        }
        agree(&[cloud, one, two]);
        for site in &sites {
            prop_assert_eq!(words(site), known.iter().cloned().collect::<Vec<_>>());
            prop_assert!(!void_known || site.fields(&the_badge()).expect("badge").flag("void"));
        }
        prop_assert_eq!(one.exposure().entries + two.exposure().entries, 0);
    }
}
