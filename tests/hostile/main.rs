//! A box turns on its coordinator, with the keys it has: whatever it says, nothing panics, hangs or grows, and nothing
//! changes but what that box may write. And a box reads what pretends to come from its coordinator without harm.
//!
//! `PREAU_HOSTILE` says how many cases of each kind, `PREAU_HOSTILE_SEED` which, `PREAU_HOSTILE_KIND` of which kind alone;
//! every failure names kind and case.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::as_conversions,
    reason = "this is test code"
)]

mod amplifiers;
mod exchange;
mod forge;
mod harm;
mod kinds;
mod law;
mod lives;
mod readers;
mod watch;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use preau_shared::{
    replica::{Message, Side, batch},
    rig::clock::SystemClock,
    time::Clock as _,
};

use self::{
    exchange::{Link, Said},
    harm::Hand,
    kinds::{Make, Speaker, sealed},
    watch::Watch,
    world::World,
};

/// Cases of each kind when nobody says otherwise.
const FEW: u64 = 100;
/// What all cases may add to the memory of the test program.
const MOST_MEMORY_KB: u64 = 256 * 1024;
/// A case that works for so long hangs, in hundredths of a second of processor time.
const MOST_TICKS: u64 = 100;
/// Failures that are told of one kind.
const TOLD: usize = 5;

#[expect(clippy::disallowed_methods, reason = "a test's count of cases, and its seed")]
fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[expect(clippy::disallowed_methods, reason = "which kind a test is asked for, and where it leaves what it found")]
fn setting_text(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Makes the sealed batches of a case.
type Maker<'a> = dyn Fn(&Hand) -> Vec<Vec<u8>> + 'a;

/// One kind of case.
struct Kind<'a> {
    name: String,
    make: Box<Maker<'a>>,
    /// Nothing at all may come of it.
    refused: bool,
}

/// What came of a kind.
#[derive(Default)]
struct Tally {
    taken: u64,
    refused: u64,
    broken: Vec<String>,
    slowest_ms: u128,
    most_ticks: u64,
}

struct Ground<'a> {
    link: Link,
    side: Side,
    speaker: &'a Speaker,
    watch: Watch,
    before: law::Rows,
    /// After a hello alone.
    greeted: law::Rows,
    guarded: law::Guarded,
    void: Vec<[u8; 16]>,
}

impl<'a> Ground<'a> {
    fn new(site: &world::Site, side: Side, speaker: &'a Speaker, watch: &Watch) -> Self {
        let link = Link::new(site, side);
        let (before, guarded, void) = (law::everything(site), law::guarded(site), law::void(site));
        let hello = sealed(&link, std::slice::from_ref(&speaker.hello));
        let greeted = link.taken_back(|| {
            assert!(link.hears(hello).finished);
            law::everything(site)
        });
        Self { link, side, speaker, watch: watch.clone(), before, greeted, guarded, void }
    }

    fn inside(&self, kinds: &'static [(&'static str, Make)]) -> Vec<Kind<'_>> {
        let kind = |(name, make): &'static (&'static str, Make)| {
            let make = Box::new(|hand: &Hand| sealed(&self.link, &make(self.speaker, hand)));
            Kind { name: (*name).into(), make, refused: false }
        };
        kinds.iter().map(kind).collect()
    }

    /// Every real message, or those of these names, harmed as sealed and as opened.
    fn outside(&self, only: &[&str]) -> Vec<Kind<'_>> {
        let sealed_bytes = |hand: &Hand| {
            let (_, message) = hand.pick(&self.speaker.real);
            sealed(&self.link, std::slice::from_ref(message)).iter().map(|bytes| hand.damaged(bytes)).collect()
        };
        let mut kinds = vec![Kind { name: "as sealed".into(), make: Box::new(sealed_bytes), refused: true }];
        for (name, message) in self.speaker.real.iter().filter(|(name, _)| only.is_empty() || only.contains(name)) {
            let make = |hand: &Hand| {
                let mut batches = sealed(&self.link, std::slice::from_ref(&self.speaker.hello));
                let body = hand.harmed(&batch::encode(message, None).expect("real"));
                batches.extend(self.link.sealed(9, &body));
                batches
            };
            kinds.push(Kind { name: (*name).into(), make: Box::new(make), refused: false });
        }
        kinds
    }

    fn case(&self, kind: &Kind<'_>, hand: &Hand, tally: &mut Tally) -> Result<(), String> {
        let batches = (kind.make)(hand);
        let clock = SystemClock::start();
        let ticks = watch::processor();
        self.link.taken_back(|| {
            let said = self.link.hears(batches);
            let ticks = watch::processor().saturating_sub(ticks);
            tally.most_ticks = tally.most_ticks.max(ticks);
            tally.slowest_ms = tally.slowest_ms.max(clock.elapsed().0.as_millis());
            let after = law::everything(&self.link.site);
            let changed = after != self.before && after != self.greeted;
            if changed {
                tally.taken += 1;
            } else {
                tally.refused += 1;
            }
            if ticks > MOST_TICKS {
                return Err(format!("it took {} ms of the processor", ticks * 10));
            }
            if kind.refused && changed {
                return Err("damaged bytes changed something".into());
            }
            self.judge(&said, &after)?;
            if changed { law::whole(&self.link.site, self.side) } else { Ok(()) }
        })
    }

    fn judge(&self, said: &Said, after: &law::Rows) -> Result<(), String> {
        let site = &self.link.site;
        if !said.finished {
            return Err("the link's task panicked".into());
        }
        law::bounded(site)?;
        if self.side != Side::Box {
            if said.began_anew {
                return Err("a box made another begin another life".into());
            }
            if said.sent.iter().any(|message| matches!(message, Message::Pull(_))) {
                return Err("a box is pulled from".into());
            }
            if *after == self.before || *after == self.greeted {
                return Ok(());
            }
            let guarded = law::guarded(site);
            if let Some(what) = guarded.differs(&self.guarded) {
                return Err(what);
            }
            let void = law::void(site);
            if !self.void.iter().all(|id| void.contains(id)) {
                return Err("a void badge is good again".into());
            }
        }
        // What documents, entries and runs a box wrote is in with its mark, or not at all.
        let of_runs = |what: &Message| matches!(what, Message::Hello(_) | Message::Runs(_));
        let runs_only =
            said.asked.iter().all(of_runs) && said.asked.iter().any(|what| matches!(what, Message::Runs(_)));
        if runs_only
            && !said.began_anew
            && law::marks(after) == law::marks(&self.greeted)
            && !law::same_items(after, &self.greeted)
        {
            return Err("something of a refused run stayed".into());
        }
        Ok(())
    }

    fn run(&self, kind: &Kind<'_>, count: u64, seed: u64) -> Tally {
        let mut tally = Tally::default();
        for n in 0..count {
            self.watch.now(format!("{:?} {} seed {seed} case {n}", self.side, kind.name));
            let hand =
                Hand::new(seed.wrapping_mul(1_000_003).wrapping_add(n) ^ u64::from(kind.name.len() as u32) << 40);
            let done = catch_unwind(AssertUnwindSafe(|| self.case(kind, &hand, &mut tally)));
            let why = match done {
                Ok(Ok(())) => continue,
                Ok(Err(why)) => why,
                Err(_) => "it panicked".into(),
            };
            tally.broken.push(format!("case {n}: {why}"));
        }
        tally
    }
}

fn table(side: &str, seed: u64, count: u64, rows: &[(String, Tally)]) -> usize {
    println!("{side}: {count} cases of each kind, seed {seed}");
    println!("{:<18} {:>8} {:>8} {:>8} {:>12} {:>8}", "kind", "taken", "refused", "broken", "slowest, ms", "cpu, ms");
    let mut broken = 0;
    for (name, tally) in rows {
        broken += tally.broken.len();
        let Tally { taken, refused, slowest_ms, most_ticks, .. } = tally;
        let cpu = most_ticks * 10;
        let bad = tally.broken.len();
        println!("{name:<18} {taken:>8} {refused:>8} {bad:>8} {slowest_ms:>12} {cpu:>8}");
        let mut told: Vec<&str> = Vec::new();
        for why in &tally.broken {
            let (_, what) = why.split_once(": ").unwrap_or(("", why));
            if told.len() < TOLD && !told.contains(&what) {
                told.push(what);
                println!("    {why}");
            }
        }
    }
    broken
}

#[test]
fn whatever_is_said_nothing_breaks() {
    let (count, seed) = (setting("PREAU_HOSTILE", FEW), setting("PREAU_HOSTILE_SEED", 1));
    let world = World::new();
    let watch = Watch::start();
    let of = |side| Speaker::new(&world, side);
    let (up, across, down) = (of(Side::Coordinator), of(Side::Sibling), of(Side::Box));
    let memory = watch::peak_kb();
    let at_coordinator = Ground::new(&world.coordinator, Side::Coordinator, &up, &watch);
    let at_sister = Ground::new(&world.sister, Side::Sibling, &across, &watch);
    let at_box = Ground::new(&world.hostile, Side::Box, &down, &watch);
    let at_fresh = Ground::new(&world.fresh, Side::Box, &down, &watch);
    let (only, mut broken) = (setting_text("PREAU_HOSTILE_KIND"), 0);
    let grounds = [
        (
            "at the coordinator",
            &at_coordinator,
            [at_coordinator.outside(&[]), at_coordinator.inside(kinds::UP)].concat_all(),
        ),
        ("at the sister", &at_sister, [at_sister.outside(&[]), at_sister.inside(kinds::UP)].concat_all()),
        ("at the box", &at_box, [at_box.outside(&[]), at_box.inside(kinds::DOWN)].concat_all()),
        (
            "at a new box",
            &at_fresh,
            [at_fresh.outside(&["long hello", "page"]), at_fresh.inside(kinds::SNAPSHOT)].concat_all(),
        ),
    ];
    for (name, ground, kinds) in grounds {
        let asked = kinds.iter().filter(|kind| only.as_ref().is_none_or(|only| *only == kind.name));
        let rows: Vec<_> = asked.map(|kind| (kind.name.clone(), ground.run(kind, count, seed))).collect();
        broken += table(name, seed, count, &rows);
    }
    let grown = watch::peak_kb().saturating_sub(memory);
    println!("memory grew by {} MB", grown / 1024);
    assert_eq!(broken, 0, "seed {seed}: see the table");
    assert!(grown < MOST_MEMORY_KB, "memory grew by {grown} KB");
}

/// The readers that libFuzzer is given, here with a bounded number of harmed real ones.
#[test]
fn readers_read_whatever_it_is() {
    let (count, seed) = (setting("PREAU_HOSTILE", FEW), setting("PREAU_HOSTILE_SEED", 1));
    let world = World::new();
    let watch = Watch::start();
    let corpus = kinds::corpus(&world);
    kinds::keep(&corpus, setting_text("PREAU_HOSTILE_CORPUS"));
    for (name, reader) in readers::READERS {
        let seeds: Vec<&Vec<u8>> = corpus.iter().filter(|(of, _)| of == name).map(|(_, bytes)| bytes).collect();
        seeds.iter().for_each(|bytes| reader(bytes));
        for n in 0..count {
            watch.now(format!("reader {name} seed {seed} case {n}"));
            let hand = Hand::new(seed.wrapping_mul(7_000_003).wrapping_add(n));
            let bytes =
                if hand.once_in(20) { hand.fill::<64>().to_vec() } else { hand.harmed(hand.pick::<&Vec<u8>>(&seeds)) };
            let ticks = watch::processor();
            reader(&bytes);
            assert!(watch::processor().saturating_sub(ticks) <= MOST_TICKS, "reader {name} seed {seed} case {n} hangs");
        }
    }
}

/// Two lists in one.
trait ConcatAll<T> {
    fn concat_all(self) -> Vec<T>;
}

impl<T> ConcatAll<T> for [Vec<T>; 2] {
    fn concat_all(self) -> Vec<T> {
        self.into_iter().flatten().collect()
    }
}
