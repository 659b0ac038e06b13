//! A document is begun anew, and edits that did not know of it are not lost.

use proptest::prelude::*;

use super::*;
use crate::documents::{Document, Scalar, Tablet};

/// Begins anew every document of the shelf that has more than one change.
fn roll(cloud: &Site, at: i64) -> usize {
    roll_over(&cloud.conn, &cloud.author, &shelf(), (Stamp(at), Stamp(at + 1)), &cloud.seen).expect("roll over")
}
fn overridden(site: &Site) -> i64 {
    site.count("SELECT count(*) FROM replica_overridden")
}
fn epoch_of(site: &Site, doc: &DocId) -> u32 {
    library::current(&site.conn, &shelf(), doc).expect("read").expect("there").epoch
}
/// A school whose case was named twice and whose badge has a date.
fn school_year() -> (Site, Site, Site) {
    let (cloud, one, two) = (Site::new(1), Site::new(2), Site::new(3));
    cloud.edit(1, &named("V1"));
    cloud.edit(2, &new_badge().edit());
    cloud.edit(3, &Badge { expires: Some(Stamp(5)), ..new_badge() }.edit());
    cloud.edit(4, &named("V2"));
    until_quiet(&[&cloud, &one, &two], 5);
    (cloud, one, two)
}

#[test]
fn a_new_epoch_reads_as_the_old_one_and_has_no_history() {
    let (cloud, one, two) = school_year();
    cloud.edit(9, &person(1).edit());
    assert_eq!(roll(&cloud, 10), 2, "a single change is no reason");
    until_quiet(&[&cloud, &one, &two], 11);
    agree(&[&cloud, &one, &two]);
    for site in [&cloud, &one, &two] {
        assert_eq!((epoch_of(site, &the_case()), epoch_of(site, &the_badge())), (1, 1));
        assert_eq!(site.text(&the_case(), "name"), "V2");
        let place = library::current(&site.conn, &shelf(), &the_case()).expect("read").expect("there");
        assert_eq!(library::take(&site.conn, place).expect("take").document.hashes().len(), 1);
        assert_eq!((overridden(site), site.held(&site.author.origin) > 0), (0, site.author.writer != Writer::Box));
    }
    let refused = roll_over(&one.conn, &one.author, &shelf(), (Stamp(1), Stamp(2)), &one.seen);
    assert!(matches!(refused, Err(ShelfError::Refused { .. })));
    // What was begun today is not begun again tomorrow; what grew is.
    assert_eq!(roll_over(&cloud.conn, &cloud.author, &shelf(), (Stamp(20), Stamp(5)), &cloud.seen).expect("roll"), 0);
}

#[test]
fn a_document_of_many_changes_is_begun_anew_at_once() {
    let cloud = Site::new(1);
    for at in 0..1_001_i64 {
        cloud.edit(at + 1, &named(if at % 2 == 0 { "V1" } else { "V2" }));
    }
    assert_eq!(
        roll_over(&cloud.conn, &cloud.author, &shelf(), (Stamp(9_000), Stamp(0)), &cloud.seen).expect("roll"),
        1
    );
    assert_eq!(epoch_of(&cloud, &the_case()), 1);
}

#[test]
fn a_document_of_long_fields_is_not_begun_anew_for_ever() {
    let cloud = Site::new(1);
    let doc = DocId::new(Kind::Catalogue, [8; 16]);
    let long = |n: usize, text: &str| Edit::of(doc).with(format!("item:{n}"), Scalar::Text(text.repeat(8_000)));
    for n in 0..12 {
        cloud.edit(1, &long(n, "a"));
    }
    let grown = |at| roll_over(&cloud.conn, &cloud.author, &shelf(), (Stamp(at), Stamp(0)), &cloud.seen).expect("roll");
    assert_eq!(grown(2), 0, "it is as long as what it says");
    for text in ["b", "c"] {
        for n in 0..6 {
            cloud.edit(3, &long(n, text));
        }
    }
    assert_eq!((grown(4), grown(5)), (0, 0), "little would be saved");
    for n in 0..4 {
        cloud.edit(6, &long(n, "d"));
    }
    assert_eq!((grown(7), grown(8)), (1, 0));
}

#[test]
fn a_late_edit_is_carried_by_value_and_one_that_came_too_late_is_noted() {
    let (cloud, one, two) = school_year();
    // Both schools are away and write; the cut knows nothing of it.
    one.edit(20, &named("late"));
    one.edit(21, &badge::void(new_badge().id, "lost"));
    two.edit(22, &Badge { expires: Some(Stamp(44)), ..new_badge() }.edit());
    roll(&cloud, 30);
    cloud.edit(30, &Badge { expires: Some(Stamp(55)), ..new_badge() }.edit());
    one.hear(&cloud, 31);
    assert_eq!((one.text(&the_case(), "name"), epoch_of(&one, &the_case())), ("late".into(), 1), "at once");
    assert!(one.fields(&the_badge()).expect("badge").flag("void"), "a void holds while it travels");
    cloud.hear(&one, 32);
    assert_eq!(cloud.text(&the_case(), "name"), "late");
    assert!(cloud.fields(&the_badge()).expect("badge").flag("void"));
    assert_eq!(overridden(&cloud), 0);
    // The second box finds that somebody else set it since.
    two.hear(&cloud, 33);
    until_quiet(&[&cloud, &one, &two], 34);
    agree(&[&cloud, &one, &two]);
    assert_eq!((overridden(&cloud), overridden(&two)), (1, 1));
    for site in [&cloud, &one, &two] {
        assert_eq!(site.text(&the_case(), "name"), "late");
        let badge = site.fields(&the_badge()).expect("badge");
        assert_eq!((badge.flag("void"), badge.int("expires")), (true, Some(55)));
    }
}

#[test]
fn a_void_holds_even_while_the_cut_is_not_here_whole() {
    let (cloud, one, two) = school_year();
    two.edit(20, &Badge { expires: Some(Stamp(99)), ..new_badge() }.edit());
    cloud.hear_own(&two, 21);
    one.edit(22, &badge::void(new_badge().id, "lost"));
    roll(&cloud, 23);
    // What the other box wrote before the cut comes later than the cut.
    one.hear_own(&cloud, 24);
    let fields = one.fields(&the_badge()).expect("badge");
    assert!(fields.flag("void"));
    assert_eq!((fields.int("expires"), epoch_of(&one, &the_badge())), (Some(99), 1));
    one.hear_own(&two, 25);
    assert_eq!(one.text(&the_badge(), "void_reason"), "lost", "the rest of the edit, once it can be judged");
    until_quiet(&[&cloud, &one, &two], 26);
    agree(&[&cloud, &one, &two]);
    assert_eq!(cloud.text(&the_badge(), "void_reason"), "lost");
}

#[test]
fn an_old_epoch_that_comes_after_the_new_one_brings_nothing_back() {
    let (cloud, one) = (Site::new(1), Site::new(2));
    let (a, b) = (person(1).id, person(2).id);
    let class = ClassId::from_bytes([8; 16]);
    // The box makes the class; it is emptied before the year ends.
    one.edit(1, &class::join(class, a));
    one.edit(2, &class::join(class, b));
    cloud.hear(&one, 3);
    cloud.edit(4, &class::leave(class, a));
    roll(&cloud, 5);
    let late = Site::new(3);
    late.hear_own(&cloud, 6);
    late.hear_own(&one, 7);
    let doc = class::join(class, a).doc;
    assert_eq!(late.fields(&doc), cloud.fields(&doc));
    assert_eq!((late.exposure().entries, overridden(&late)), (0, 0), "there was nothing to carry");
    agree(&[&late, &cloud]);
}

#[test]
fn two_epochs_later_an_edit_still_finds_its_way() {
    let (cloud, one, two) = school_year();
    one.edit(20, &named("from the first"));
    roll(&cloud, 21);
    cloud.edit(22, &Badge { expires: Some(Stamp(7)), ..new_badge() }.edit());
    cloud.edit(23, &named("V3"));
    cloud.edit(24, &named("V2"));
    roll(&cloud, 30);
    assert_eq!(epoch_of(&cloud, &the_case()), 2);
    cloud.hear(&one, 31);
    assert_eq!(cloud.text(&the_case(), "name"), "from the first");
    until_quiet(&[&cloud, &one, &two], 32);
    agree(&[&cloud, &one, &two]);
}

#[test]
fn a_late_edit_and_its_own_carrying_come_in_one_run() {
    let (cloud, one, two) = school_year();
    one.edit(20, &named("late"));
    roll(&cloud, 21);
    cloud.close(22);
    for run in cloud.runs_after(&cloud.author.origin, one.held(&cloud.author.origin)) {
        // Nothing was closed meanwhile: all that the box wrote stands in one run.
        one.take(&run, 22).expect("take");
    }
    one.edit(23, &named("and later"));
    two.hear(&cloud, 24);
    two.hear_own(&one, 25);
    cloud.hear_own(&one, 25);
    until_quiet(&[&cloud, &one, &two], 26);
    agree(&[&cloud, &one, &two]);
    assert_eq!(cloud.text(&the_case(), "name"), "and later");
}

#[test]
fn a_box_begins_no_epoch() {
    let (cloud, one) = (Site::new(1), Site::new(2));
    for epoch in [1, 2] {
        let actor = one.author.origin.actor();
        let fields = Document::rebuilt(
            &the_case(),
            epoch,
            &{
                let mut fields = Fields::default();
                fields.insert("name".into(), Scalar::Text("mine".into()));
                fields
            },
            actor,
        )
        .expect("rebuilt");
        let item = library::item(&the_case(), epoch, &fields.first, Some(Vec::new())).expect("item");
        let run = Run::close(shelf(), one.author.origin, 1, [0; 32], &[item], &one.author.key).expect("run");
        assert!(matches!(cloud.take(&run, 1), Err(ShelfError::Refused { .. })));
        // Not even where that epoch stands already.
        cloud.edit(1, &named("V1"));
        cloud.edit(2, &named(&format!("V{}", epoch + 1)));
        roll(&cloud, 3);
        assert!(matches!(cloud.take(&run, 4), Err(ShelfError::Refused { .. })));
    }
}

/// What somebody does.
#[derive(Debug, Clone, Copy)]
enum Act {
    Name(u8, u8),
    Void(u8),
    Expire(u8, u8),
    Join(u8, u8),
    Leave(u8, u8),
    Lose(u8),
    Roll,
    /// One hears some of what another wrote itself.
    Hear(u8, u8),
    /// One hears all that another holds.
    HearAll(u8, u8),
    /// A box takes a snapshot, whatever it holds.
    Pull(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let (who, what) = (0_u8..3, 0_u8..4);
    prop_oneof![
        3 => (who.clone(), what.clone()).prop_map(|(who, what)| Act::Name(who, what)),
        1 => who.clone().prop_map(Act::Void),
        2 => (who.clone(), what.clone()).prop_map(|(who, what)| Act::Expire(who, what)),
        2 => (who.clone(), what.clone()).prop_map(|(who, what)| Act::Join(who, what)),
        2 => (who.clone(), what.clone()).prop_map(|(who, what)| Act::Leave(who, what)),
        1 => who.clone().prop_map(Act::Lose),
        2 => Just(Act::Roll),
        6 => (who.clone(), who.clone()).prop_map(|(one, other)| Act::Hear(one, other)),
        2 => (who.clone(), who).prop_map(|(one, other)| Act::HearAll(one, other)),
        1 => (1_u8..3).prop_map(Act::Pull),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_order_all_end_with_the_same(acts in prop::collection::vec(act(), 5..40)) {
        let sites = [Site::new(1), Site::new(2), Site::new(3)];
        let class = ClassId::from_bytes([8; 16]);
        let (mut voided, mut at) = (false, 100);
        for act in acts {
            at += 10;
            match act {
                Act::Name(who, what) => {
                    sites[usize::from(who)].edit(at, &named(&format!("V{what}")));
                }
                Act::Void(who) => {
                    voided = true;
                    sites[usize::from(who)].edit(at, &badge::void(new_badge().id, "lost"));
                }
                Act::Expire(who, what) => {
                    let site = &sites[usize::from(who)];
                    let expires = Scalar::Int(what.into());
                    site.edit(at, &Edit::of(the_badge()).with("expires", expires));
                }
                Act::Join(who, what) => {
                    sites[usize::from(who)].edit(at, &class::join(class, person(what).id));
                }
                Act::Leave(who, what) => {
                    sites[usize::from(who)].edit(at, &class::leave(class, person(what).id));
                }
                Act::Lose(who) => {
                    let lost = Edit::of(Tablet::doc(TabletId::from_bytes([4; 16])));
                    let lost = lost.with("lost", Scalar::Flag(true));
                    sites[usize::from(who)].edit(at, &lost);
                }
                Act::Roll => assert!(roll(&sites[0], at) < 9),
                Act::Hear(one, other) if one != other => {
                    let (one, other) = (&sites[usize::from(one)], &sites[usize::from(other)]);
                    other.close(at);
                    let next = other.runs_after(&other.author.origin, one.held(&other.author.origin));
                    for run in next.iter().take(1) {
                        one.take(run, at).expect("take");
                    }
                }
                Act::HearAll(one, other) if one != other => {
                    sites[usize::from(one)].hear(&sites[usize::from(other)], at);
                }
                Act::Pull(one) => assert!(sites[usize::from(one)].pull(&sites[0], at) > 0),
                Act::Hear(..) | Act::HearAll(..) => {}
            }
            for site in &sites {
                site.check_rows();
            }
        }
        let all: Vec<&Site> = sites.iter().collect();
        until_quiet(&all, at);
        agree(&all);
        let waiting: i64 = sites.iter().map(|site| site.count("SELECT count(*) FROM replica_waiting")).sum();
        prop_assert_eq!(waiting, 0);
        for site in sites.iter().filter(|_| voided) {
            prop_assert!(site.fields(&the_badge()).expect("badge").flag("void"), "a void is never lost");
        }
        // Whoever begins with a snapshot holds the same.
        let fresh = Site::new(4);
        fresh.pull(&sites[0], at);
        agree(&[&sites[0], &fresh]);
        assert_eq!(fresh.exposure().entries, 0);
    }
}
