//! What everybody has is cut, and who counts as everybody.

use super::*;

fn box_id(seed: u8) -> BoxId {
    BoxId::from_bytes([seed; 16])
}
fn told(cloud: &Site, school: &Site, at: i64) {
    let [seed, ..] = *school.author.origin.box_id.as_bytes();
    fold::note_holder(&cloud.conn, box_id(seed), &school.marks(), Stamp(at)).expect("note");
}
fn fold_for(cloud: &Site, boxes: &[u8], at: i64) -> usize {
    let boxes: Vec<BoxId> = boxes.iter().map(|seed| box_id(*seed)).collect();
    fold::fold(&cloud.conn, &shelf(), &boxes, Stamp(at)).expect("fold")
}
fn write_runs(site: &Site, at: i64, count: i64) {
    for n in 0..count {
        site.journal(at + n);
        site.close(at + n);
    }
}

#[test]
fn acknowledged_runs_leave_a_fortnight_after_their_acknowledgement() {
    let school = Site::new(2);
    school.journal(0);
    let held = school.close(0);
    let prune = |at| fold::prune(&school.conn, Stamp(at)).expect("prune");
    assert_eq!(prune(100 * DAY), 0, "the peer does not have it");
    // A month without contact: what it learns now it may lose next week.
    acknowledge(&school.conn, &school.author.origin, &held, Stamp(30 * DAY)).expect("ack");
    assert_eq!(prune(31 * DAY), 0);
    assert_eq!(prune(45 * DAY), 1);
    assert_eq!(prune(46 * DAY), 0, "nothing is left to cut");
    let gone = runs_after(&school.conn, &shelf(), &school.author.origin, 0, usize::MAX).expect("runs");
    let Following::Cut(head) = gone else { panic!("kept") };
    assert_eq!((head.last(), head.hash()), (held[0].number, held[0].chain));
    head.verify(&school.author.key.public()).expect("it shows who signed it");
    assert_eq!(chain_at(&school.conn, &shelf(), &school.author.origin, 1).expect("chain"), Some(held[0].chain));
    // The chain goes on, here and there.
    school.journal(46 * DAY);
    school.close(46 * DAY);
    assert_eq!(school.runs_after(&school.author.origin, 1).len(), 1);
    assert_eq!(entry_count(&school.conn, &shelf(), None).expect("count"), 2, "entries stay");
}

#[test]
fn the_coordinator_cuts_what_every_box_has() {
    let (cloud, one, two) = (Site::new(1), Site::new(2), Site::new(3));
    write_runs(&cloud, 1, 3);
    assert_eq!(fold_for(&cloud, &[], 5), 0, "nobody");
    assert_eq!(fold_for(&cloud, &[2, 3], 5), 0, "nobody was heard");
    one.hear(&cloud, 6);
    told(&cloud, &one, 6);
    let two_runs = cloud.runs(&cloud.author.origin);
    two.take(&two_runs[0], 6).expect("take");
    told(&cloud, &two, 6);
    assert_eq!(fold_for(&cloud, &[2, 3], 7), 1, "as far as both are");
    let mine = cloud.author.origin;
    let Following::Cut(mark) = runs_after(&cloud.conn, &shelf(), &mine, 0, usize::MAX).expect("runs") else { panic!() };
    assert_eq!((mark.last(), mark.hash()), (1, two_runs[0].hash()));
    assert_eq!(cloud.runs_after(&mine, 1), two_runs[1..]);
    two.hear(&cloud, 8);
    // A mark that is no run's end cuts at the one before.
    told(&cloud, &two, 8);
    assert_eq!(fold_for(&cloud, &[2, 3], 9), 2);
    assert_eq!(fold_for(&cloud, &[2, 3], 9), 0);
    // Who is new learns all from a snapshot, and goes on with runs.
    write_runs(&cloud, 10, 1);
    let late = Site::new(4);
    late.pull(&cloud, 11);
    assert_eq!(late.marks(), cloud.marks());
    write_runs(&cloud, 12, 1);
    late.hear(&cloud, 13);
    assert_eq!(late.marks(), cloud.marks());
}

#[test]
fn a_box_that_is_silent_for_a_hundred_and_twenty_days_does_not_count() {
    let (cloud, one, two) = (Site::new(1), Site::new(2), Site::new(3));
    write_runs(&cloud, 1, 1);
    for school in [&one, &two] {
        school.hear(&cloud, 2);
        told(&cloud, school, 2);
    }
    write_runs(&cloud, 10, 2);
    one.hear(&cloud, 119 * DAY);
    told(&cloud, &one, 119 * DAY);
    assert_eq!(fold_for(&cloud, &[2, 3], 119 * DAY), 1, "the other one counts still");
    told(&cloud, &two, 100 * DAY);
    assert_eq!(fold_for(&cloud, &[2, 3], 121 * DAY), 0, "it was heard");
    assert_eq!(fold_for(&cloud, &[2, 3], 221 * DAY), 2);
    // At its return it takes a snapshot.
    two.journal(222 * DAY);
    two.pull(&cloud, 222 * DAY);
    assert_eq!(two.held(&cloud.author.origin), 3);
    cloud.hear_own(&two, 223 * DAY);
    assert_eq!(cloud.held(&two.author.origin), 1);
}

#[test]
fn a_box_that_holds_back_too_much_does_not_count() {
    let (cloud, one, two) = (Site::new(1), Site::new(2), Site::new(3));
    write_runs(&cloud, 1, 1);
    two.hear(&cloud, 2);
    told(&cloud, &two, 2);
    write_runs(&cloud, 3, 1);
    one.hear(&cloud, 4);
    told(&cloud, &one, 4);
    assert_eq!(fold_for(&cloud, &[2, 3], 5), 1);
    let huge = vec![0_u8; usize::try_from(fold::HELD_BACK_BYTES).expect("size") + 1];
    cloud.conn.execute("UPDATE replica_runs SET payload = ?1 WHERE last = 2", [&huge]).expect("grown");
    assert_eq!(fold_for(&cloud, &[2, 3], 5), 1);
}

#[test]
fn that_a_box_is_still_heard_is_written_once_a_day() {
    let (cloud, one) = (Site::new(1), Site::new(2));
    write_runs(&cloud, 1, 1);
    one.hear(&cloud, 2);
    let written = |at| {
        let before = cloud.conn.total_changes();
        told(&cloud, &one, at);
        cloud.conn.total_changes() - before
    };
    assert_eq!((written(2), written(3), written(2 * DAY), written(2 * DAY + 1)), (1, 0, 1, 0));
}

#[test]
fn an_epoch_left_behind_is_let_go_after_a_hundred_and_twenty_days() {
    let (cloud, one) = (Site::new(1), Site::new(2));
    cloud.edit(1, &named("V1"));
    cloud.edit(2, &named("V2"));
    one.hear(&cloud, 3);
    roll_over(&cloud.conn, &cloud.author, &shelf(), (Stamp(DAY), Stamp(DAY + 1)), &cloud.seen).expect("roll");
    one.hear(&cloud, DAY);
    let digest = cloud.digest();
    for site in [&cloud, &one] {
        let drop_past = |at| fold::drop_past(&site.conn, &shelf(), Stamp(at)).expect("drop");
        assert_eq!((drop_past(120 * DAY), drop_past(122 * DAY), drop_past(122 * DAY)), (0, 1, 0));
        assert_eq!(site.count("SELECT count(*) FROM replica_documents WHERE state < 3"), 1);
        assert_eq!(site.count("SELECT count(*) FROM replica_documents WHERE snapshot IS NOT NULL"), 0);
        assert_eq!(site.count("SELECT count(*) FROM replica_hashes"), 3, "what comes late is known for what it is");
        assert_eq!(site.digest(), digest);
    }
}
