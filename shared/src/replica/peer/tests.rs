//! Two ends over stores that are plain lists, and a carrier in the hands of each test.

mod documents;
mod runs;

use std::time::Duration;

use super::*;
use crate::{
    dice::Seeded,
    documents::{DocId, Kind},
    ids::{BoxId, Uai},
    keys::SigningKey,
    replica::{
        batch::{Hello, SPEAKS},
        page::{BUCKETS, Copy, Loose, Sheet, Wanted, bucket},
        rights::{Keys, Side},
        run::Item,
    },
};

const BOX: u8 = 1;
const CLOUD: u8 = 9;

fn id(n: u8) -> BoxId {
    BoxId::from_bytes([n; 16])
}

fn uai() -> Uai {
    "0900001A".parse().expect("uai")
}

fn school() -> Shelf {
    Shelf::School(uai())
}

fn origin(n: u8) -> Origin {
    Origin { box_id: id(n), incarnation: 1 }
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32]).expect("key")
}

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

const _: () = assert!(SPEAKS.0 <= SPEAKS.1);

/// One end with its store.
struct End {
    peer: Peer,
    me: u8,
    runs: BTreeMap<Key, Vec<Run>>,
    /// Marks beyond what runs say: adopted, or skipped to.
    adopted: BTreeMap<Key, Mark>,
    /// Runs that are no longer kept with their items: the last of each line.
    cut: BTreeMap<Key, Run>,
    /// Documents, one number each.
    docs: BTreeMap<DocId, u8>,
    said: Vec<Message>,
    seen: Vec<Output>,
    digest: [u8; 32],
    wake: Elapsed,
}

impl End {
    fn new(me: u8) -> Self {
        Self::living(me, 1)
    }

    fn living(me: u8, incarnation: u64) -> Self {
        let keys: Keys = Arc::new(|origin| {
            let who = origin.box_id.as_bytes()[0];
            [BOX, CLOUD].contains(&who).then(|| key(who).public())
        });
        let side = if me == CLOUD { Side::Coordinator } else { Side::Box };
        let rights =
            Rights { side, uai: uai(), box_id: id(BOX), coordinator: id(CLOUD), keys, gone: Arc::new(|_| false) };
        let timings = Timings { give_up: secs(100), ..Timings::for_keep_alive(secs(4)) };
        let config = Config { own: Origin { box_id: id(me), incarnation }, rights, timings };
        Self {
            peer: Peer::new(config, Arc::new(Seeded::new(me.into())), Vec::new()),
            me,
            runs: BTreeMap::new(),
            adopted: BTreeMap::new(),
            cut: BTreeMap::new(),
            docs: BTreeMap::new(),
            said: Vec::new(),
            seen: Vec::new(),
            digest: [0; 32],
            wake: Elapsed::default(),
        }
    }

    fn marks(&self) -> Vec<Mark> {
        let mut marks = self.adopted.clone();
        for ((shelf, origin), runs) in self.runs.iter().filter(|(_, runs)| !runs.is_empty()) {
            let last = runs.last().expect("run");
            let mark = Mark { shelf: shelf.clone(), origin: *origin, number: last.last(), chain: last.hash() };
            let held = marks.entry((shelf.clone(), *origin)).or_insert_with(|| mark.clone());
            if held.number < mark.number {
                *held = mark;
            }
        }
        marks.into_values().collect()
    }

    fn sums(&self) -> Vec<u64> {
        let mut sums = vec![0; BUCKETS];
        for (doc, value) in &self.docs {
            sums[usize::from(bucket(doc))] ^= u64::from(*value) + 1;
        }
        sums
    }

    /// Writes one entry of `who`, signed by `signer`.
    fn write_as(&mut self, who: u8, signer: u8, word: &str) -> Run {
        let at = (school(), if who == self.me { self.peer.config.own } else { origin(who) });
        let before = self.marks().into_iter().find(|m| (&m.shelf, m.origin) == (&at.0, at.1));
        let (first, prev) = before.map_or((1, [0; 32]), |m| (m.number + 1, m.chain));
        let item = Item::Entry { salt: [0; 16], body: word.into() };
        let run = Run::close(at.0.clone(), at.1, first, prev, &[item], &key(signer)).expect("run");
        self.runs.entry(at).or_default().push(run.clone());
        run
    }

    fn write(&mut self, now: Elapsed, word: &str) {
        self.write_as(self.me, self.me, word);
        self.tell(now, Input::Stored(self.marks()));
    }

    fn tell(&mut self, now: Elapsed, input: Input) {
        for output in self.peer.handle(now, input) {
            self.seen.push(output.clone());
            match output {
                Output::Send(message) => self.said.push(message),
                Output::Fetch { shelf, origin, after, .. } => {
                    let runs = self.runs.get(&(shelf.clone(), origin)).cloned().unwrap_or_default();
                    let runs: Vec<Run> = runs.into_iter().filter(|r| r.first > after).take(2).collect();
                    let pruned = self.cut.get(&(shelf.clone(), origin)).filter(|head| head.last() > after).cloned();
                    self.tell(now, Input::Loaded { shelf, origin, after, runs, pruned });
                }
                Output::Survey => {
                    let digests = vec![(school(), self.digest)];
                    let knowledge = Knowledge { marks: self.marks(), digests };
                    self.tell(now, Input::Surveyed(knowledge));
                }
                Output::Commit(run) => {
                    self.runs.entry((run.shelf.clone(), run.origin)).or_default().push(run);
                    self.tell(now, Input::Stored(self.marks()));
                }
                Output::Skip(head) => {
                    let (shelf, origin) = (head.shelf.clone(), head.origin);
                    let mark = Mark { shelf, origin, number: head.last(), chain: head.hash() };
                    self.adopted.insert((mark.shelf.clone(), mark.origin), mark);
                    self.tell(now, Input::Stored(self.marks()));
                }
                Output::Serve(pull) => {
                    let wanted = |doc: &DocId| match &pull.wanted {
                        Wanted::Everything => true,
                        Wanted::Buckets(buckets) => buckets.contains(&bucket(doc)),
                    };
                    let rest: Vec<_> = self.docs.iter().filter(|(d, _)| Some(**d) > pull.after && wanted(d)).collect();
                    let copy =
                        |(doc, value): &(&DocId, &u8)| Copy { doc: **doc, epoch: 0, cut: None, saved: vec![**value] };
                    let copies: Vec<Copy> = rest.iter().take(1).map(copy).collect();
                    let next = if rest.len() > 1 { copies.last().map(|c| c.doc) } else { None };
                    let sheet = Sheet { copies, ..Sheet::default() };
                    let page = Page::new(pull, &sheet, next, self.marks()).expect("page");
                    self.tell(now, Input::Served(page));
                }
                Output::Take { page, adopt } => {
                    let sheet = page.sheet().expect("sheet");
                    self.docs.extend(sheet.copies.iter().map(|c| (c.doc, c.saved[0])));
                    let adopted = adopt.is_some();
                    let adopt = adopt.into_iter().flatten();
                    self.adopted.extend(adopt.map(|m| ((m.shelf.clone(), m.origin), m)));
                    if adopted {
                        self.tell(now, Input::Stored(self.marks()));
                    }
                    self.digest = [0; 32];
                    let mend = vec![Loose {
                        doc: DocId::new(Kind::Class, [7; 16]),
                        epoch: 0,
                        cut: Vec::new(),
                        bytes: vec![1],
                    }];
                    let mend = if page.pull.wanted == Wanted::Everything { Vec::new() } else { mend };
                    let mend = Lacking { changes: mend, ..Lacking::default() };
                    self.tell(now, Input::Taken { pull: page.pull, mend });
                }
                Output::Sum(shelf) => self.tell(now, Input::Summed(shelf, self.sums())),
                Output::Mend(_, lacking) => self.docs.extend(lacking.changes.iter().map(|c| (c.doc, c.bytes[0]))),
                Output::WakeAt(at) => self.wake = at,
                Output::Quarantine { .. } | Output::Acknowledged(_) | Output::Alert(_) | Output::NewIncarnation => {}
            }
        }
    }

    /// The runs of a line are no longer kept.
    fn forget(&mut self, who: u8) {
        let key = (school(), origin(who));
        let mark = self.marks().into_iter().find(|mark| mark.origin == key.1).expect("mark");
        let last = self.runs.remove(&key).and_then(|mut runs| runs.pop()).expect("run");
        self.cut.insert(key.clone(), Run { payload: Vec::new(), ..last });
        self.adopted.insert(key, mark);
    }

    fn saw(&self, wanted: &Output) -> bool {
        self.seen.contains(wanted)
    }
}

/// Time passes, and nothing is lost.
fn pass(mut now: Elapsed, by: Duration, a: &mut End, b: &mut End) {
    let end = now.after(by);
    while now < end {
        now = a.wake.min(b.wake);
        a.tell(now, Input::Tick);
        b.tell(now, Input::Tick);
        carry(now, a, b, |_| true);
    }
}

/// Carries everything that `passes`, until nobody says anything more at this moment; counts the messages.
fn carry(now: Elapsed, a: &mut End, b: &mut End, passes: impl Fn(&Message) -> bool) -> usize {
    let mut count = 0;
    while !(a.said.is_empty() && b.said.is_empty()) {
        let (from_a, from_b) = (std::mem::take(&mut a.said), std::mem::take(&mut b.said));
        count += from_a.len() + from_b.len();
        from_b.into_iter().filter(|m| passes(m)).for_each(|m| a.tell(now, Input::Received(m)));
        from_a.into_iter().filter(|m| passes(m)).for_each(|m| b.tell(now, Input::Received(m)));
    }
    count
}

fn met() -> (Elapsed, End, End) {
    let (now, mut school_box, mut cloud) = (Elapsed(secs(100)), End::new(BOX), End::new(CLOUD));
    cloud.tell(now, Input::Connected);
    cloud.said.clear();
    school_box.tell(now, Input::Connected);
    carry(now, &mut school_box, &mut cloud, |_| true);
    cloud.write(now, "the school's foundation");
    carry(now, &mut school_box, &mut cloud, |_| true);
    (now, school_box, cloud)
}
