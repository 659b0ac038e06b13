//! Documents as they are: snapshot and repair.

use super::*;
use crate::{
    documents::{Scalar, Tablet, strip},
    journal::CredentialKind,
    keys::sha256,
    replica::{Loose, page::PAGE_BYTES},
};

fn credential(n: u8, phc: &str) -> Entry {
    Entry::Credential { person: person(n).id, kind: CredentialKind::Pin, phc: phc.into(), login: String::new() }
}
fn roll(cloud: &Site, at: i64) {
    roll_over(&cloud.conn, &cloud.author, &shelf(), (Stamp(at), Stamp(at + 1)), &cloud.seen).expect("roll");
}
fn serve(cloud: &Site, wanted: Wanted, after: Option<DocId>) -> crate::replica::Page {
    pages::serve(&cloud.conn, Pull { shelf: shelf(), wanted, after }).expect("page")
}
/// The box compares its buckets with the coordinator's, takes what differs, and hands over what lacks there.
fn repair(school: &Site, cloud: &Site, at: i64) {
    let (here, there) = (sums(&school.conn, &shelf()).expect("sums"), sums(&cloud.conn, &shelf()).expect("sums"));
    let differ = (0_u8..=255).filter(|n| here[usize::from(*n)] != there[usize::from(*n)]).collect::<Vec<_>>();
    assert!(!differ.is_empty());
    let mut after = None;
    loop {
        let page = serve(cloud, Wanted::Buckets(differ.clone()), after);
        let mend = school.act(|| pages::take(&school.conn, &page, None, &school.taking(at))).expect("take");
        let from = school.author.origin.box_id;
        cloud.act(|| compare::mend(&cloud.conn, &shelf(), from, &mend, &cloud.taking(at))).expect("mend");
        after = page.next;
        if after.is_none() {
            return;
        }
    }
}

#[test]
fn a_snapshot_is_what_all_runs_come_to() {
    let (cloud, one) = (Site::new(1), Site::new(2));
    for n in 1..=40 {
        cloud.edit(n.into(), &person(n).edit());
        cloud.edit(50, &Person { level: "CM2".into(), ..person(n) }.edit());
    }
    cloud.note(51, &credential(1, "old"));
    cloud.note(52, &credential(1, "new"));
    cloud.note(53, &credential(2, "other"));
    cloud.note(54, &seen_person(1));
    one.edit(55, &named("V1"));
    cloud.hear(&one, 56);
    roll(&cloud, 57);
    erase(
        &cloud.conn,
        &cloud.author,
        &shelf(),
        Stamp(58),
        Tombstone { doc: Person::doc(person(3).id), pseudonym: None },
        &cloud.seen,
    )
    .expect("erase");
    let (by_runs, by_pages) = (Site::new(3), Site::new(4));
    by_runs.hear(&cloud, 60);
    by_pages.pull(&cloud, 60);
    agree(&[&cloud, &by_runs, &by_pages]);
    assert_eq!((by_runs.marks(), by_pages.marks()), (cloud.marks(), cloud.marks()));
    let phcs: Vec<String> = by_pages
        .seen
        .0
        .lock()
        .expect("lock")
        .entries
        .iter()
        .filter_map(|(_, _, entry)| if let Entry::Credential { phc, .. } = entry { Some(phc.clone()) } else { None })
        .collect();
    assert_eq!(phcs, ["new", "other"]);
    // Both go on with runs.
    cloud.edit(61, &Person { level: "6e".into(), ..person(1) }.edit());
    for site in [&by_runs, &by_pages] {
        site.hear(&cloud, 62);
    }
    agree(&[&cloud, &by_runs, &by_pages]);
    assert_eq!(by_pages.exposure(), Exposure::default());
}

#[test]
fn tombstones_stand_on_as_many_pages_as_they_need() {
    let cloud = Site::new(1);
    let names: Vec<[u8; 16]> =
        (0..2_000_u32).map(|n| *sha256(&n.to_le_bytes()).first_chunk().expect("a hash is longer")).collect();
    let stone = |n: u8| Tombstone { doc: Person::doc(person(n).id), pseudonym: None };
    for n in 0..60 {
        let own = names.iter().map(|name| name.map(|byte| byte ^ n)).collect();
        let erasure = Erasure::sign(&shelf(), stone(n), own, &cloud.author.key);
        erase::hear(&cloud.conn, &shelf(), &erasure, &cloud.taking(1)).expect("hear");
    }
    cloud.edit(2, &person(30).edit());
    cloud.edit(2, &person(99).edit());
    cloud.edit(2, &named("V1"));
    let school = Site::new(2);
    assert!(school.pull(&cloud, 3) > 3);
    agree(&[&cloud, &school]);
    assert_eq!((school.digest(), school.text(&the_case(), "name")), (cloud.digest(), "V1".into()));
    // A coordinator that lost them all hears of each again.
    let restored = Site::new(1);
    restored.edit(4, &named("V1"));
    repair(&school, &restored, 5);
    assert!((0..60).all(|n| is_erased(&restored.conn, &shelf(), &stone(n).doc).expect("read")));
}

#[test]
fn a_document_that_was_begun_anew_too_often_is_told_as_it_is_now() {
    let cloud = Site::new(1);
    let doc = DocId::new(Kind::Catalogue, [8; 16]);
    let text = |at: i64| format!("{at}").repeat(7_000);
    for at in 1..160 {
        cloud.edit(at, &Edit::of(doc).with("item:a", Scalar::Text(text(at % 10))));
        cloud.edit(at, &named(if at % 2 == 0 { "V1" } else { "V2" }));
        if at % 20 == 0 || at < 70 {
            roll(&cloud, at);
        }
    }
    let school = Site::new(2);
    school.pull(&cloud, 200);
    agree(&[&cloud, &school]);
    let past = |site: &Site| site.count("SELECT count(*) FROM replica_documents WHERE state = 1");
    assert!(past(&school) > 1 && past(&school) < past(&cloud), "{} of {}", past(&school), past(&cloud));
}

#[test]
fn a_snapshot_goes_on_where_it_was_cut_off() {
    let cloud = Site::new(1);
    for n in 0..=255 {
        for size in 0..2 {
            let long = format!("{size}").repeat(180);
            cloud.edit(1, &Person { family_name: long.clone(), given_name: long, ..person(n) }.edit());
        }
        // Three kilobytes each.
        for at in 0..10 {
            cloud.edit(2, &Person { family_name: format!("{at}").repeat(150), ..person(n) }.edit());
        }
    }
    cloud.close(5);
    let school = Site::new(2);
    let first = serve(&cloud, Wanted::Everything, None);
    assert!(first.next.is_some(), "more than one page");
    let held =
        |page: &crate::replica::Page| page.sheet().expect("sheet").copies.iter().map(|c| c.saved.len()).sum::<usize>();
    assert!((PAGE_BYTES..2 * PAGE_BYTES).contains(&held(&first)), "{}", held(&first));
    school.act(|| pages::take(&school.conn, &first, None, &school.taking(6))).expect("take");
    // The link breaks; meanwhile something is written, and the same page comes once more.
    cloud.edit(7, &Person { level: "CE2".into(), ..person(0) }.edit());
    assert!(school.marks().is_empty(), "half a snapshot is no knowledge");
    school.act(|| pages::take(&school.conn, &first, None, &school.taking(8))).expect("take");
    let mut after = first.next;
    while after.is_some() {
        let page = serve(&cloud, Wanted::Everything, after);
        let adopt = page.next.is_none().then_some(first.marks.as_slice());
        school.act(|| pages::take(&school.conn, &page, adopt, &school.taking(9))).expect("take");
        after = page.next;
    }
    school.hear(&cloud, 10);
    agree(&[&cloud, &school]);
}

#[test]
fn a_snapshot_over_what_was_edited_here_keeps_it() {
    for rolls in 0..3 {
        let (cloud, one) = (Site::new(1), Site::new(2));
        cloud.edit(1, &named("V1"));
        cloud.edit(2, &new_badge().edit());
        cloud.edit(3, &Badge { expires: Some(Stamp(5)), ..new_badge() }.edit());
        one.hear(&cloud, 4);
        one.edit(5, &named("acknowledged"));
        one.close(5);
        cloud.hear_own(&one, 5);
        acknowledge(&one.conn, &one.author.origin, &cloud.marks(), Stamp(6)).expect("ack");
        one.edit(7, &named("not yet"));
        one.edit(8, &badge::void(new_badge().id, "lost"));
        one.journal(9);
        for n in 0..rolls {
            roll(&cloud, 20 + 10 * n);
            cloud.edit(21 + 10 * n, &Badge { expires: Some(Stamp(70 + n)), ..new_badge() }.edit());
            cloud.edit(22 + 10 * n, &class::join(ClassId::from_bytes([8; 16]), person(1).id));
        }
        // In the last round the past is not kept any more, and the box has to guess what was known of it.
        if rolls == 2 {
            fold::drop_past(&cloud.conn, &shelf(), Stamp(900 * DAY)).expect("drop");
        }
        one.pull(&cloud, 50);
        assert_eq!(one.text(&the_case(), "name"), "not yet", "after {rolls}");
        assert!(one.fields(&the_badge()).expect("badge").flag("void"));
        assert_eq!(one.count("SELECT count(*) FROM replica_overridden"), 0);
        until_quiet(&[&cloud, &one], 60);
        agree(&[&cloud, &one]);
        assert_eq!(cloud.text(&the_case(), "name"), "not yet", "after {rolls}");
        assert!(cloud.fields(&the_badge()).expect("badge").flag("void"));
    }
}

#[test]
fn a_snapshot_lets_in_what_waited_for_it() {
    let (cloud, one, two) = (Site::new(1), Site::new(2), Site::new(3));
    one.edit(1, &named("V1"));
    cloud.hear_own(&one, 2);
    two.hear(&cloud, 3);
    two.edit(4, &named("V2"));
    let fresh = Site::new(4);
    fresh.hear_own(&two, 5);
    assert_eq!(fresh.count("SELECT count(*) FROM replica_waiting"), 1);
    fresh.pull(&cloud, 6);
    assert_eq!(
        (fresh.count("SELECT count(*) FROM replica_waiting"), fresh.text(&the_case(), "name")),
        (0, "V2".into())
    );
    fresh.check_rows();
}

/// Something was edited, at both ends, and the last of it is lost from the disk of one of them.
fn damaged(who: usize, whose: u8) -> [Site; 3] {
    let sites = [Site::new(1), Site::new(2), Site::new(3)];
    let all: Vec<&Site> = sites.iter().collect();
    for at in 0..6 {
        sites[usize::try_from(at % 3).expect("index")].edit(10 + at, &named(&format!("V{at}")));
        until_quiet(&all, 20 + at);
    }
    agree(&all);
    let site = &sites[who];
    let place = library::current(&site.conn, &shelf(), &the_case()).expect("read").expect("there");
    let rows =
        site.conn.query("SELECT place, bytes FROM replica_changes WHERE doc = ?1", values![place.row]).expect("rows");
    let actor =
        sites.iter().find(|s| *s.author.origin.box_id.as_bytes() == [whose; 16]).expect("whose").author.origin.actor();
    let lost = rows
        .iter()
        .rev()
        .find(|row| crate::documents::Chunk::read(row.bytes(1).expect("bytes")).expect("chunk").actor == actor)
        .expect("a change")
        .int(0)
        .expect("place");
    site.conn.execute("DELETE FROM replica_changes WHERE doc = ?1 AND place = ?2", [place.row, lost]).expect("lost");
    let taken = library::take(&site.conn, place).expect("take");
    let fields = library::read_anew(&site.conn, &taken).expect("read anew");
    site.seen.document(&site.conn, &shelf(), &the_case(), &fields).expect("rows");
    sites
}
use crate::rig::sql::values;

#[test]
fn what_a_disk_has_lost_is_repaired_from_the_other() {
    for who in [0, 1] {
        for whose in [1, 2, 3] {
            let sites = damaged(who, whose);
            let [cloud, one, two] = &sites;
            assert_ne!(cloud.digest(), one.digest());
            repair(one, cloud, 50);
            assert_eq!(cloud.digest(), one.digest(), "lost at {who}, by {whose}");
            agree(&[cloud, one, two]);
            assert_eq!(quarantine::count(&cloud.conn).expect("count"), 0);
            one.edit(60, &named("after"));
            until_quiet(&[cloud, one, two], 61);
            agree(&[cloud, one, two]);
        }
    }
}

#[test]
fn a_document_that_one_end_has_lost_whole_comes_back() {
    for who in [0_usize, 1] {
        let sites = [Site::new(1), Site::new(2)];
        let [cloud, one] = &sites;
        one.edit(1, &named("V1"));
        one.edit(2, &named("V2"));
        cloud.edit(3, &person(1).edit());
        until_quiet(&[cloud, one], 4);
        let conn = &sites[who].conn;
        conn.execute_batch(
            "DELETE FROM replica_changes WHERE doc = (SELECT doc FROM replica_documents WHERE kind = 4);
            DELETE FROM replica_hashes WHERE doc = (SELECT doc FROM replica_documents WHERE kind = 4);
            DELETE FROM replica_documents WHERE kind = 4",
        )
        .expect("lost");
        sites[who].seen.0.lock().expect("lock").documents.remove(&the_case());
        repair(one, cloud, 5);
        agree(&[cloud, one]);
        assert_eq!(cloud.text(&the_case(), "name"), "V2");
    }
}

#[test]
fn nobody_hands_over_what_somebody_else_made() {
    let (cloud, one, two) = (Site::new(1), Site::new(2), Site::new(3));
    one.edit(1, &named("V1"));
    cloud.hear_own(&one, 2);
    two.hear(&cloud, 3);
    two.journal(3);
    cloud.hear_own(&two, 3);
    one.edit(4, &named("V2"));
    one.edit(5, &badge::void(new_badge().id, "lost"));
    let items: Vec<Item> = {
        one.close(6);
        one.runs(&one.author.origin).iter().flat_map(|run| run.items().expect("items")).collect()
    };
    let loose = |item: &Item, doc: DocId| {
        let bytes = item.change().expect("a change");
        Loose { doc, epoch: 0, cut: Vec::new(), bytes }
    };
    let mend = |from: &Site, changes: &[Loose]| {
        let from = from.author.origin.box_id;
        let lacking = Lacking { changes: changes.to_vec(), ..Lacking::default() };
        cloud.act(|| compare::mend(&cloud.conn, &shelf(), from, &lacking, &cloud.taking(7)))
    };
    let all = [loose(&items[0], the_case()), loose(&items[1], the_case()), loose(&items[2], the_badge())];
    mend(&two, &all).expect("aside");
    assert_eq!(cloud.text(&the_case(), "name"), "V1");
    assert_eq!((cloud.fields(&the_badge()), quarantine::count(&cloud.conn).expect("count")), (None, 2));
    // The same from its author is taken, and is nothing new when its run comes.
    mend(&one, &all).expect("mend");
    assert_eq!(cloud.text(&the_case(), "name"), "V2");
    cloud.hear_own(&one, 8);
    one.hear(&cloud, 9);
    agree(&[&cloud, &one]);
    // What is not the author's to write is refused with all the rest.
    let mut bad = crate::documents::Document::new(Kind::Person);
    let edit = person(1).edit();
    let change =
        bad.edit_marked(one.author.origin.actor(), Writer::Coordinator, edit.doc.mark(0), &edit).expect("edit");
    let bytes = strip(&change.expect("change")).expect("strip").to_vec();
    assert!(matches!(
        mend(&one, &[Loose { doc: edit.doc, epoch: 0, cut: Vec::new(), bytes }]),
        Err(ShelfError::Refused { .. })
    ));
    let garbage =
        Loose { doc: Tablet::doc(TabletId::from_bytes([1; 16])), epoch: 0, cut: Vec::new(), bytes: vec![7; 50] };
    assert!(matches!(mend(&one, &[garbage]), Err(ShelfError::Refused { .. })));
}

#[test]
fn what_nobody_keeps_any_more_is_noted_as_lost() {
    let (cloud, school) = (Site::new(1), Site::new(2));
    for at in 0..4 {
        school.journal(at);
        school.close(at);
    }
    cloud.take(&school.runs(&school.author.origin)[0], 5).expect("take");
    acknowledge(&school.conn, &school.author.origin, &school.marks(), Stamp(6)).expect("ack");
    fold::prune(&school.conn, Stamp(60 * DAY)).expect("prune");
    let cut = runs_after(&school.conn, &shelf(), &school.author.origin, 1, usize::MAX).expect("runs");
    let Following::Cut(mark) = cut else { panic!("kept") };
    cloud.act(|| lost::skip(&cloud.conn, &mark, &cloud.taking(70 * DAY))).expect("skip");
    cloud.act(|| lost::skip(&cloud.conn, &mark, &cloud.taking(71 * DAY))).expect("once");
    let lost = lost::Lost { shelf: shelf(), origin: school.author.origin, first: 2, last: 4 };
    assert_eq!(lost::list(&cloud.conn).expect("lost"), [lost]);
    // And it goes on.
    school.journal(72 * DAY);
    cloud.hear(&school, 72 * DAY);
    assert_eq!(cloud.held(&school.author.origin), 5);
    let own = Run { origin: cloud.author.origin, ..mark };
    assert!(matches!(lost::skip(&cloud.conn, &own, &cloud.taking(73 * DAY)), Err(ShelfError::Fork { .. })));
}

#[test]
fn a_coordinator_believes_its_boxes_about_all_its_lives_when_it_lost_one() {
    let (cloud, one) = (Site::new(1), Site::new(2));
    cloud.edit(1, &named("V1"));
    one.hear(&cloud, 2);
    let old = cloud.copy(77);
    // What a life could not close into a run, the next one says again. The old disk knows neither.
    let between = cloud.copy(79);
    between.edit(3, &named("V2"));
    let next = between.copy(78);
    next.edit(4, &person(1).edit());
    one.hear(&next, 5);
    assert_eq!(one.text(&the_case(), "name"), "V2");
    // The old disk is back, and no box keeps the runs of the life that it never heard of.
    let head = next.runs(&next.author.origin).pop().expect("a run");
    let head = Run { payload: Vec::new(), ..head };
    old.act(|| lost::skip(&old.conn, &head, &old.taking(6))).expect("skip");
    repair(&one, &old, 7);
    assert_eq!(quarantine::count(&old.conn).expect("count"), 0);
    assert_eq!(old.text(&the_case(), "name"), "V2");
    agree(&[&old, &one]);
}

#[test]
fn an_epoch_that_the_coordinator_lost_comes_back_from_a_box_that_let_the_last_one_go() {
    let (cloud, one) = (Site::new(1), Site::new(2));
    cloud.edit(1, &named("V1"));
    cloud.edit(2, &named("V2"));
    one.hear(&cloud, 3);
    let old = cloud.copy(77);
    roll(&cloud, 10);
    cloud.edit(20, &named("V3"));
    one.hear(&cloud, 21);
    assert_eq!(fold::drop_past(&one.conn, &shelf(), Stamp(200 * DAY)).expect("drop"), 1);
    // The box keeps documents, and no runs of it any more.
    let head = Run { payload: Vec::new(), ..cloud.runs(&cloud.author.origin).pop().expect("a run") };
    old.act(|| lost::skip(&old.conn, &head, &old.taking(201 * DAY))).expect("skip");
    repair(&one, &old, 202 * DAY);
    agree(&[&old, &one]);
    assert_eq!((old.text(&the_case(), "name"), quarantine::count(&old.conn).expect("count")), ("V3".into(), 0));
}

#[test]
fn when_too_many_changes_wait_the_oldest_gives_way_and_is_found_again() {
    let (cloud, one, two) = (Site::new(1), Site::new(2), Site::new(3));
    one.edit(1, &named("V"));
    two.hear_own(&one, 2);
    for at in 0..1_001_i64 {
        two.edit(3 + at, &named(if at % 2 == 0 { "V1" } else { "V2" }));
    }
    cloud.hear_own(&two, 2_000);
    assert_eq!(cloud.count("SELECT count(*) FROM replica_waiting"), 1_000);
    assert_eq!(quarantine::count(&cloud.conn).expect("count"), 1);
    cloud.hear_own(&one, 2_001);
    assert_eq!(cloud.text(&the_case(), "name"), "V");
    // Both hold the same runs and read otherwise.
    repair(&two, &cloud, 2_002);
    agree(&[&cloud, &two]);
    assert_eq!(
        (cloud.text(&the_case(), "name"), cloud.count("SELECT count(*) FROM replica_waiting")),
        ("V1".into(), 0)
    );
}

#[test]
fn what_waited_in_vain_is_believed_from_whoever_has_it() {
    let (cloud, one, two) = (Site::new(1), Site::new(2), Site::new(3));
    one.edit(1, &named("V"));
    two.hear_own(&one, 2);
    two.edit(3, &named("V1"));
    one.hear_own(&two, 4);
    // The second box's edit stands on one that the coordinator does not have for a third of a year.
    cloud.hear_own(&two, 5);
    fold::drop_past(&cloud.conn, &shelf(), Stamp(200 * DAY)).expect("in vain");
    assert_eq!(cloud.count("SELECT count(*) FROM replica_waiting"), 0);
    assert_eq!(cloud.count("SELECT sum(length(bytes)) FROM replica_quarantine"), 0, "noted, not kept");
    cloud.hear_own(&one, 201 * DAY);
    assert_eq!(cloud.text(&the_case(), "name"), "V");
    // The box that made it is gone; its sister has it.
    repair(&one, &cloud, 202 * DAY);
    agree(&[&cloud, &one]);
    assert_eq!(cloud.text(&the_case(), "name"), "V1");
}
