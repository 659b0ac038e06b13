//! What is lawful, small on the wire, and meant to grow: bombs, crowds and histories. One message each, at most a batch
//! large, and what it costs the coordinator is bounded.

use std::{sync::Arc, time::Duration};

use preau_shared::{
    dice::Seeded,
    ids::BoxId,
    replica::{
        Input, Item, Keys, Mark, Message, Origin, Peer, Rights, Run, Side, Timings,
        batch::{MAX_MARKS, MAX_RUNS},
        peer::Config,
        run::CLOSE_AT_ITEMS,
    },
    time::Elapsed,
};

use crate::{
    exchange::Link,
    harm::Hand,
    kinds::{Speaker, UP, sealed},
    law,
    watch::{self, Watch},
    world::{COORDINATOR, HOSTILE, World, key, school, uai},
};

/// Runs of `items` items that follow each other and what the coordinator holds.
fn chain(last: &Run, runs: usize, items: &[Item]) -> Vec<Run> {
    let mut chain: Vec<Run> = Vec::new();
    for _ in 0..runs {
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
    let batches = sealed(&link, &[Message::Runs(chain(&held(&world), MAX_RUNS, &holes))]);
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

/// Runs that nobody signed, of lives that nobody had, a thousand messages long.
#[test]
fn unsigned_runs_are_not_remembered() {
    let keys: Keys = Arc::new(|_| None);
    let rights = Rights { side: Side::Coordinator, uai: uai(), box_id: HOSTILE, coordinator: COORDINATOR, keys };
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
