//! What is lawful, small on the wire, and meant to grow: bombs, crowds and histories. One message each, at most a batch
//! large, and what it costs the coordinator is bounded.

use std::{sync::Arc, time::Duration};

use preau_shared::{
    dice::Seeded,
    documents::{DocId, Kind, Writer},
    ids::BoxId,
    replica::{
        Input, Item, Keys, Mark, Message, Origin, Peer, Pull, Rights, Run, Side, Timings, Wanted,
        batch::{MAX_MARKS, MAX_RUNS},
        page::bucket,
        peer::Config,
        run::CLOSE_AT_ITEMS,
    },
    rig::shelves::{self, pages},
    time::Elapsed,
};

use crate::{
    exchange::Link,
    forge::{history, renamed},
    harm::Hand,
    kinds::{Speaker, UP, sealed},
    law,
    watch::{self, Watch},
    world::{COORDINATOR, HOSTILE, Site, World, key, roll_over, school, tablet, uai},
};

/// Runs of these items that follow each other and what the coordinator holds.
fn chain<'a>(last: &Run, runs: impl Iterator<Item = &'a [Item]>) -> Vec<Run> {
    let mut chain: Vec<Run> = Vec::new();
    for items in runs {
        let before = chain.last().unwrap_or(last);
        let (first, prev) = (before.last() + 1, before.hash());
        let next = Run::close(school(), last.origin, first, prev, items, &key(last.origin.box_id)).expect("run");
        chain.push(next);
    }
    chain
}

/// The last run of the hostile box that the coordinator holds.
fn held(world: &World) -> Run {
    world.coordinator.runs(&school(), &world.hostile.author.origin, 0).pop().expect("a run")
}

/// A batch of holes, which compress to nothing, becomes so many rows and no more.
#[test]
fn a_batch_of_holes_is_a_bounded_number_of_rows() {
    let world = World::new();
    let link = Link::new(&world.coordinator, Side::Coordinator);
    let holes = vec![Item::Gone { hash: [7; 32], entry: true }; CLOSE_AT_ITEMS];
    let batches = sealed(&link, &[Message::Runs(chain(&held(&world), std::iter::repeat_n(&holes[..], MAX_RUNS)))]);
    let (rows, size) = (law::count(&world.coordinator, "replica_items"), batches[0].len());
    assert!(link.hears(batches).finished);
    let rows = law::count(&world.coordinator, "replica_items") - rows;
    println!("{size} bytes are {rows} rows");
    assert_eq!(rows, MAX_RUNS * CLOSE_AT_ITEMS);
    // More in one run is no run.
    let mut fat = held(&world);
    fat.count = u32::try_from(CLOSE_AT_ITEMS + 1).expect("small");
    fat.signature = key(HOSTILE).sign(&fat.hash());
    assert!(fat.verify(&key(HOSTILE).public()).is_err());
}

/// What compresses well on the disk of the coordinator is large for everybody else: it must still be handed on.
#[test]
fn a_document_that_a_box_may_write_can_be_handed_on() {
    let world = World::new();
    let watch = Watch::start();
    watch.now("a long history".into());
    let link = Link::new(&world.coordinator, Side::Coordinator);
    let doc = DocId::new(Kind::Case, [77; 16]);
    let texts = (0..4_000).map(|n| format!("{n}{}", "x".repeat(190)));
    let items = history(world.hostile.author.origin, doc, texts);
    let runs = chain(&held(&world), items.chunks(CLOSE_AT_ITEMS));
    let ticks = watch::processor();
    for part in runs.chunks(4) {
        assert!(link.hears(sealed(&link, &[Message::Runs(part.to_vec())])).finished);
    }
    let taken = world.coordinator.marks().into_iter().find(|mark| mark.origin == world.hostile.author.origin);
    let spent = (watch::processor() - ticks) * 10;
    println!(
        "{} items of {} are taken in {spent} ms",
        taken.map_or(0, |mark| mark.number),
        runs.len() * CLOSE_AT_ITEMS
    );
    law::whole(&world.coordinator, Side::Coordinator).expect("handed on");
}

/// A run for each edit makes the coordinator read the whole document for each.
#[test]
fn a_batch_of_small_runs_on_a_long_history_takes_bounded_time() {
    let world = World::new();
    let watch = Watch::start();
    watch.now("small runs".into());
    let link = Link::new(&world.coordinator, Side::Coordinator);
    let doc = DocId::new(Kind::Case, [77; 16]);
    let (past, small) = (usize::try_from(crate::setting("PREAU_HOSTILE_PAST", 400)).expect("small"), 64);
    let items = history(world.hostile.author.origin, doc, (0..past + small).map(|n| format!("{n}")));
    let (long, last) = items.split_at(past);
    let runs = chain(&held(&world), long.chunks(CLOSE_AT_ITEMS).chain(last.chunks(1)));
    let (long, last) = runs.split_at(past / CLOSE_AT_ITEMS);
    assert!(link.hears(sealed(&link, &[Message::Runs(long.to_vec())])).finished);
    let (ticks, batches) = (watch::processor(), sealed(&link, &[Message::Runs(last.to_vec())]));
    let size = batches[0].len();
    assert!(link.hears(batches).finished);
    println!("{size} bytes take {} ms of the processor", (watch::processor() - ticks) * 10);
    law::whole(&world.coordinator, Side::Coordinator).expect("handed on");
}

/// Sealed twice, a batch of real ones does no more than once; and nothing grows over many cases that are not taken back.
#[test]
fn a_box_that_goes_on_and_on_fills_nothing() {
    let world = World::new();
    let watch = Watch::start();
    let up = Speaker::new(&world, Side::Coordinator);
    let link = Link::new(&world.coordinator, Side::Coordinator);
    let before = watch::peak_kb();
    for n in 0..crate::setting("PREAU_HOSTILE", 200) {
        watch.now(format!("soak case {n}"));
        let hand = Hand::new(0xf00d + n);
        // What ends its own line would end the story.
        let (_, make) = UP[1 + hand.below(3)];
        assert!(link.hears(sealed(&link, &make(&up, &hand))).finished, "case {n}");
        law::bounded(&world.coordinator).unwrap_or_else(|why| panic!("case {n}: {why}"));
    }
    law::whole(&world.coordinator, Side::Coordinator).expect("whole");
    let grown = watch::peak_kb().saturating_sub(before);
    println!("memory grew by {grown} KB, {} are in quarantine", law::count(&world.coordinator, "replica_quarantine"));
    assert!(grown < crate::MOST_MEMORY_KB);
}

/// A box says two things under one number: one stands on what the coordinator does not have yet, so that each of the
/// others takes another of the two. It keeps nobody from anything else, and ends when the document is begun anew.
#[test]
fn a_box_that_says_two_things_parts_nobody_for_good() {
    let world = World::new();
    let (coordinator, sister) = (&world.coordinator, &world.sister);
    let life = Origin { box_id: HOSTILE, incarnation: 77 };
    let doc = tablet(7, "").doc;
    let saved = |site: &Site| {
        let pull = Pull { shelf: school(), wanted: Wanted::Everything, after: None };
        let page = site.store.with(|conn| pages::serve(conn, pull)).expect("page");
        let copies = page.sheet().expect("sheet").copies;
        copies.into_iter().find(|copy| copy.doc == doc).expect("there").saved
    };
    let without = saved(coordinator);
    sister.edit(&school(), &tablet(7, "by the sister"));
    sister.close();
    let one = [renamed(life, &saved(sister), "one")];
    let other = [renamed(life, &without, "other")];
    let first = Run::close(school(), life, 1, [0; 32], &one, &key(HOSTILE)).expect("run");
    let second = Run::close(school(), life, 2, first.hash(), &other, &key(HOSTILE)).expect("run");
    coordinator.take(&first, Writer::Box).expect("it waits");
    coordinator.take(&second, Writer::Box).expect("it stands on what is here");
    coordinator.hear(sister, &school(), &sister.author.origin);
    sister.take(&first, Writer::Box).expect("it stands on what is here");
    println!("the sister, of the second: {:?}", sister.take(&second, Writer::Box).map(|mark| mark.number));
    // Beside it there is something that the sister does not have.
    coordinator.edit(&school(), &tablet(8, "T8"));
    let wanted = Wanted::Buckets(vec![bucket(&doc), bucket(&tablet(8, "").doc)]);
    let pull = Pull { shelf: school(), wanted, after: None };
    let page = coordinator.store.with(|conn| pages::serve(conn, pull)).expect("page");
    sister.take_page(&page).expect("the page is taken");
    let reads = |site: &Site, n| {
        let fields = site.store.with(|conn| shelves::document(conn, &school(), &tablet(n, "").doc)).expect("document");
        fields.and_then(|fields| fields.text("name").map(str::to_owned))
    };
    assert_eq!(reads(sister, 8).as_deref(), Some("T8"));
    assert_ne!(reads(sister, 7), reads(coordinator, 7));
    roll_over(coordinator);
    coordinator.close();
    sister.hear(coordinator, &school(), &coordinator.author.origin);
    assert_eq!(reads(sister, 7), reads(coordinator, 7));
    law::whole(sister, Side::Sibling).expect("whole");
}

/// Runs that nobody signed, of lives that nobody had, a thousand messages long.
#[test]
fn unsigned_runs_are_not_remembered() {
    let keys: Keys = Arc::new(|_| None);
    let rights = Rights {
        side: Side::Coordinator,
        uai: uai(),
        box_id: HOSTILE,
        coordinator: COORDINATOR,
        keys,
        gone: Arc::new(|_| false),
    };
    let own = Origin { box_id: COORDINATOR, incarnation: 1 };
    let config = Config { own, rights, timings: Timings::for_keep_alive(Duration::from_secs(30)) };
    let mut peer = Peer::new(config, Arc::new(Seeded::new(1)), Vec::<Mark>::new());
    let origin = |n| Origin { box_id: BoxId::from_bytes([1; 16]), incarnation: n };
    let run = |n| Run {
        shelf: school(),
        origin: origin(n),
        first: 2,
        count: 1,
        prev: [0; 32],
        root: [0; 32],
        payload: Vec::new(),
        signature: Vec::new(),
    };
    for message in 0..100 {
        let runs = (0..MAX_RUNS as u64).map(|n| run(message * MAX_RUNS as u64 + n)).collect();
        peer.handle(Elapsed::default(), Input::Received(Message::Runs(runs)));
    }
    let remembered = peer.theirs().len();
    println!("{remembered} lines are remembered");
    assert!(remembered <= MAX_MARKS, "{remembered} lines are remembered");
}
