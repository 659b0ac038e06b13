//! Lives that nobody had: a box names thousands of them, of its own and of others, says things again in their name, and
//! gives up what they never wrote. Its sister and its coordinator go on.

use preau_shared::{
    documents::{DocId, Kind, Writer},
    ids::BoxId,
    journal::Entry,
    replica::{
        Item, Lacking, Loose, Mark, Message, Origin, Run, batch::MAX_RUNS, page::MAX_LOOSE, run::CLOSE_AT_ITEMS,
    },
    rig::shelves::{self, lost},
};

use crate::{
    MOST_TICKS,
    exchange::Link,
    forge::history,
    kinds::sealed,
    law,
    watch::{self, Watch},
    world::{COORDINATOR, HOSTILE, SISTER, Site, World, key, school},
};

/// More lives than any shelf has.
const MANY: u64 = 6_000;

const fn life(box_id: BoxId, incarnation: u64) -> Origin {
    Origin { box_id, incarnation }
}

fn entry(n: u64) -> Item {
    let body = Entry::Audit { what: format!("case {n}"), by: None }.encode().expect("entry");
    Item::Entry { salt: [7; 16], body }
}

fn first_run(of: Origin, items: &[Item]) -> Run {
    Run::close(school(), of, 1, [0; 32], items, &key(of.box_id)).expect("run")
}

/// The end of a line that has this number, and that somebody signed.
fn head(of: Origin, number: u64, by: BoxId) -> Run {
    let mut run = Run { payload: Vec::new(), first: number, ..first_run(of, &[entry(1)]) };
    run.signature = key(by).sign(&run.hash());
    run
}

fn held_of(site: &Site, of: Origin) -> Option<Mark> {
    site.marks().into_iter().find(|mark| mark.origin == of)
}

fn lost_of(site: &Site, of: Origin) -> usize {
    site.store.with(lost::list).expect("lost").iter().filter(|lost| lost.origin == of).count()
}

/// Runs in which a box says things again of one life after the other.
fn of_many_lives() -> Vec<Run> {
    let says = life(HOSTILE, 77);
    let again = |n: u64| entry(n).former(1_000 + n, 1).expect("an entry can be said again");
    let items: Vec<Item> = (0..MANY).map(again).collect();
    let mut runs: Vec<Run> = Vec::new();
    for items in items.chunks(CLOSE_AT_ITEMS) {
        let (first, prev) = runs.last().map_or((1, [0; 32]), |run| (run.last() + 1, run.hash()));
        runs.push(Run::close(school(), says, first, prev, items, &key(HOSTILE)).expect("run"));
    }
    runs
}

#[test]
fn of_many_lives_a_bounded_number_is_remembered() {
    let world = World::new();
    let watch = Watch::start();
    watch.now("many lives".into());
    let link = Link::new(&world.coordinator, preau_shared::replica::Side::Coordinator);
    let lines = law::count(&world.coordinator, "replica_lines");
    let mut slowest = 0;
    for run in of_many_lives() {
        let ticks = watch::processor();
        assert!(link.hears(sealed(&link, &[Message::Runs(vec![run])])).finished);
        slowest = slowest.max(watch::processor() - ticks);
    }
    let lines = law::count(&world.coordinator, "replica_lines") - lines;
    println!("{lines} lines of {MANY} lives; a run takes {} ms of the processor at most", slowest * 10);
    assert!((1..=4_096).contains(&lines) && slowest <= MOST_TICKS);
    // Whatever a box hands over, its lives are gone through once, not once for each change.
    let items = history(life(HOSTILE, 78), DocId::new(Kind::Case, [77; 16]), (0..MAX_LOOSE).map(|n| n.to_string()));
    let changes = items.into_iter().filter_map(loose).collect();
    let ticks = watch::processor();
    let mend = Message::Mend(school(), Lacking { changes, ..Lacking::default() });
    assert!(link.hears(sealed(&link, &[mend])).finished);
    let ticks = watch::processor() - ticks;
    println!("a mend of {MAX_LOOSE} changes takes {} ms of the processor", ticks * 10);
    assert!(ticks <= MOST_TICKS);
    law::bounded(&world.coordinator).expect("bounded");
}

fn loose(item: Item) -> Option<Loose> {
    let doc = DocId::new(Kind::Case, [77; 16]);
    match item {
        Item::First { doc, epoch, cut, bytes } => Some(Loose { doc, epoch, cut, bytes }),
        Item::Change { bytes } => Some(Loose { doc, epoch: 0, cut: Vec::new(), bytes }),
        Item::Entry { .. } | Item::Erased(_) | Item::Gone { .. } | Item::Former { .. } | Item::Traces { .. } => None,
    }
}

/// Every start is another life: a box that invents them must not use up those of its sister.
#[test]
fn a_box_of_many_lives_leaves_room_for_its_sister() {
    let sister = first_run(life(SISTER, 21), &[entry(1)]);
    let runs: Vec<Run> = (0..1_500).map(|n| first_run(life(HOSTILE, 1_000 + n), &[entry(n)])).collect();
    let said: Vec<Message> = runs.chunks(MAX_RUNS).map(|runs| Message::Runs(runs.to_vec())).collect();
    let skipped = (0..1_500).map(|n| Message::Skip(head(life(HOSTILE, 1_000 + n), 9, HOSTILE))).collect();
    // What is refused ends a message: the runs come one by one as well.
    let singly = runs.iter().map(|run| Message::Runs(vec![run.clone()])).collect();
    for (how, said) in [("runs", said), ("single runs", singly), ("skips", skipped)] {
        let world = World::new();
        let link = Link::new(&world.coordinator, preau_shared::replica::Side::Coordinator);
        let hello = crate::kinds::Speaker::new(&world, preau_shared::replica::Side::Coordinator).hello;
        assert!(link.hears(sealed(&link, &said)).finished);
        let told = link.hears(sealed(&link, &[hello, Message::Runs(vec![sister.clone()])]));
        println!("{} lines after {how}", world.coordinator.marks().len());
        assert!(told.sent.iter().any(|message| matches!(message, Message::Hello(_))), "{how}: a hello fits");
        assert_eq!(held_of(&world.coordinator, sister.origin).map(|mark| mark.number), Some(1), "{how}");
    }
}

/// Whoever has a box's key may say in its name what he wants, but not under the numbers that it is about to give.
#[test]
fn nothing_is_said_again_of_the_life_that_is_lived() {
    let world = World::new();
    let site = &world.hostile;
    let own = site.author.origin;
    let next = held_of(site, own).expect("own").number + 1;
    let again = [entry(1).former(own.incarnation, next).expect("said again")];
    let taken = site.take(&first_run(life(HOSTILE, 77), &again), Writer::Box);
    println!("{taken:?}");
    let before = site.store.with(|conn| shelves::entry_count(conn, &school(), Some(&own))).expect("count");
    site.journal(&Entry::Audit { what: "mine".into(), by: None });
    site.close();
    let after = site.store.with(|conn| shelves::entry_count(conn, &school(), Some(&own))).expect("count");
    assert_eq!(after, before + 1);
    assert!(taken.is_err());
}

/// Of the coordinator's lines, only what it signed is given up; of its own a box gives up what it likes, once.
#[test]
fn only_a_proved_end_is_given_up() {
    let world = World::new();
    let site = &world.coordinator;
    let link = Link::new(site, preau_shared::replica::Side::Coordinator);
    let skip = |run: Run| assert!(link.hears(sealed(&link, &[Message::Skip(run)])).finished);
    let (theirs, before) = (life(COORDINATOR, 89), site.marks());
    skip(head(theirs, 5, HOSTILE));
    skip(Run { signature: vec![1; 64], ..head(theirs, 5, COORDINATOR) });
    skip(Run { first: 6, ..head(theirs, 5, COORDINATOR) });
    skip(head(life(SISTER, 21), 5, SISTER));
    skip(head(site.author.origin, u64::from(u32::MAX), COORDINATOR));
    for number in [u64::MAX, u64::MAX - 1, u64::MAX - 200, 1 << 63, 0] {
        skip(head(life(HOSTILE, 77), number, HOSTILE));
        skip(head(life(HOSTILE, 77), number, HOSTILE));
    }
    assert_eq!((site.marks(), law::count(site, "replica_lost")), (before, 0));
    skip(head(theirs, 5, COORDINATOR));
    assert_eq!((held_of(site, theirs).map(|mark| mark.number), lost_of(site, theirs)), (Some(5), 1));
}

/// However much a box gives up of its own, what the coordinator lost is known for lost, and taken from whoever has it.
#[test]
fn what_was_lost_is_not_buried_under_what_a_box_gives_up() {
    let world = World::new();
    let site = &world.coordinator;
    let link = Link::new(site, preau_shared::replica::Side::Coordinator);
    let skips: Vec<Message> = (1..1_100).map(|n| Message::Skip(head(life(HOSTILE, 77), 2 * n, HOSTILE))).collect();
    assert!(link.hears(sealed(&link, &skips)).finished);
    let theirs = life(COORDINATOR, 89);
    assert!(link.hears(sealed(&link, &[Message::Skip(head(theirs, 5, COORDINATOR))])).finished);
    let doc = DocId::new(Kind::Case, [77; 16]);
    let changes = history(theirs, doc, ["lost".to_owned()].into_iter()).into_iter().filter_map(loose).collect();
    let mend = Message::Mend(school(), Lacking { changes, ..Lacking::default() });
    assert!(link.hears(sealed(&link, &[mend])).finished);
    let there = site.store.with(|conn| shelves::document(conn, &school(), &doc)).expect("document");
    assert_eq!(there.and_then(|fields| fields.text("name").map(str::to_owned)).as_deref(), Some("lost"));
    println!("{} losses are noted", law::count(site, "replica_lost"));
}
