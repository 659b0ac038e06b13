//! Two ends over stores that are plain lists, and a carrier in the hands of each test.

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

#[test]
fn what_one_writes_the_other_holds_and_says_so() {
    let (now, mut a, mut b) = met();
    a.write(now, "a badge");
    b.write(now, "a name");
    carry(now, &mut a, &mut b, |_| true);
    assert_eq!(a.runs, b.runs);
    let of_marks = |marks: Vec<Mark>, who| marks.into_iter().filter(|m| m.origin == origin(who)).collect::<Vec<_>>();
    assert_eq!(
        (of_marks(a.peer.theirs(), BOX), of_marks(b.peer.theirs(), CLOUD)),
        (of_marks(a.marks(), BOX), of_marks(b.marks(), CLOUD))
    );
    assert!(a.peer.alerts().is_empty() && b.peer.alerts().is_empty());
}

#[test]
fn a_meeting_with_nothing_to_tell_is_two_messages() {
    let (now, mut a, mut b) = met();
    a.write(now, "a badge");
    carry(now, &mut a, &mut b, |_| true);
    a.tell(now, Input::Disconnected);
    a.tell(now, Input::Connected);
    // A box that wrote since it last heard what the other holds says all it holds, once.
    assert_eq!(carry(now, &mut a, &mut b, |_| true), 2);
    let spoken = |end: &End| {
        end.seen.iter().filter(|o| matches!(o, Output::Send(Message::Hello(h)) if h.knowledge.is_some())).count()
    };
    let before = (spoken(&a), spoken(&b));
    a.tell(now, Input::Connected);
    assert_eq!(carry(now, &mut a, &mut b, |_| true), 2);
    assert_eq!((spoken(&a), spoken(&b)), before, "a summary is enough");
}

fn doc(n: u8) -> DocId {
    DocId::new(Kind::Class, [n; 16])
}

#[test]
fn a_new_box_pulls_the_documents_and_then_hears_the_runs() {
    let (now, mut a, mut b) = (Elapsed(secs(100)), End::new(BOX), End::new(CLOUD));
    b.docs = (1..=5).map(|n| (doc(n), n)).collect();
    b.write(now, "long ago");
    b.write(now, "and since");
    b.tell(now, Input::Connected);
    b.said.clear();
    a.tell(now, Input::Connected);
    carry(now, &mut a, &mut b, |_| true);
    assert_eq!(a.docs, b.docs);
    assert_eq!(a.marks(), b.marks(), "held without its runs");
    assert!(a.runs.is_empty());
    b.write(now, "from now on");
    carry(now, &mut a, &mut b, |_| true);
    assert_eq!(a.marks(), b.marks());
    assert_eq!(a.runs[&(school(), origin(CLOUD))].len(), 1);
}

#[test]
fn a_snapshot_goes_on_after_lost_pages() {
    let (mut now, mut a, mut b) = (Elapsed(secs(100)), End::new(BOX), End::new(CLOUD));
    b.docs = (1..=9).map(|n| (doc(n), n)).collect();
    b.write(now, "long ago");
    b.tell(now, Input::Connected);
    a.tell(now, Input::Connected);
    let mut count = 0;
    for _ in 0..200 {
        let lost = std::cell::Cell::new(count);
        carry(now, &mut a, &mut b, |m| {
            lost.set(lost.get() + 1);
            !matches!(m, Message::Page(_) | Message::Pull(_)) || lost.get() % 3 != 0
        });
        count = lost.get();
        now = a.wake.min(b.wake);
        a.tell(now, Input::Tick);
        b.tell(now, Input::Tick);
    }
    assert_eq!((&a.docs, a.marks()), (&b.docs, b.marks()));
    assert!(!a.peer.is_pulling() && !b.peer.is_pulling());
}

#[test]
fn who_lacks_what_was_folded_away_takes_a_snapshot() {
    let (now, mut a, mut b) = met();
    b.write(now, "one");
    carry(now, &mut a, &mut b, |_| true);
    a.tell(now, Input::Disconnected);
    b.tell(now, Input::Disconnected);
    b.write(now, "two");
    b.docs.insert(doc(1), 2);
    b.forget(CLOUD);
    b.tell(now, Input::Connected);
    a.tell(now, Input::Connected);
    carry(now, &mut a, &mut b, |_| true);
    assert_eq!((&a.docs, a.marks()), (&b.docs, b.marks()));
    assert!(a.peer.alerts().is_empty() && b.peer.alerts().is_empty());
}

#[test]
fn a_coordinator_restored_too_late_says_what_is_lost_and_goes_on() {
    let (now, mut a, mut b) = met();
    a.write(now, "acknowledged long ago");
    carry(now, &mut a, &mut b, |_| true);
    a.forget(BOX);
    a.write(now, "since");
    b = End::living(CLOUD, 2);
    b.tell(now, Input::Connected);
    a.tell(now, Input::Connected);
    carry(now, &mut a, &mut b, |_| true);
    assert!(b.peer.alerts().is_empty(), "another box may have it");
    pass(now, secs(200), &mut a, &mut b);
    assert_eq!(a.marks(), b.marks());
    let lost = Alert::Lost { shelf: school(), origin: origin(BOX), first: 1, last: 1 };
    assert!(b.peer.alerts().contains(&lost));
    assert_eq!(b.runs[&(school(), origin(BOX))].len(), 1);
    assert_eq!(b.runs[&(school(), origin(CLOUD))].len(), 1, "its own last life came back from the box");
}

#[test]
fn a_copy_of_a_box_that_still_runs_is_named_and_refused() {
    let (now, mut a, mut b) = met();
    a.write(now, "the first life");
    carry(now, &mut a, &mut b, |_| true);
    a.tell(now, Input::Disconnected);
    // The same disk in another machine, that found out and began another life.
    let mut copy = End::living(BOX, 2);
    copy.runs = a.runs.clone();
    copy.peer = Peer::new(copy.peer.config.clone(), copy.peer.dice.clone(), copy.marks());
    copy.tell(now, Input::Connected);
    carry(now, &mut copy, &mut b, |_| true);
    assert!(b.peer.alerts().is_empty(), "a restored disk alone is no copy");
    let later = now.after(secs(60));
    copy.tell(later, Input::Disconnected);
    a.tell(later, Input::Connected);
    carry(later, &mut a, &mut b, |_| true);
    assert!(b.peer.alerts().is_empty(), "its first words may have been on their way for long");
    let later = later.after(secs(60));
    a.tell(later, Input::Disconnected);
    copy.tell(later, Input::Connected);
    carry(later, &mut copy, &mut b, |_| true);
    let alert = Alert::Superseded { origin: Origin { incarnation: 2, ..origin(BOX) } };
    assert!(copy.peer.alerts().contains(&alert) && b.peer.alerts().contains(&alert));
    let before = b.marks();
    copy.write(later, "kept on its own disk");
    carry(later, &mut copy, &mut b, |_| true);
    assert_eq!(b.marks(), before);
    assert!(!copy.seen.iter().any(|o| matches!(o, Output::NewIncarnation)), "or each would chase the other");
}

#[test]
fn nothing_is_acknowledged_before_it_is_stored() {
    let (now, mut a, mut b) = met();
    a.write(now, "a badge");
    let runs = a.said.pop().expect("runs");
    let out = b.peer.handle(now, Input::Received(runs));
    assert!(out.iter().any(|o| matches!(o, Output::Commit(_))));
    assert!(!out.iter().any(|o| matches!(o, Output::Send(_))), "{out:?}");
    let out = b.peer.handle(now, Input::Stored(a.marks()));
    let mine = a.marks().into_iter().filter(|m| m.origin == origin(BOX)).collect();
    assert!(out.contains(&Output::Send(Message::Have(mine))), "{out:?}");
    assert!(!out.iter().any(|o| matches!(o, Output::Fetch { .. })), "what came from there does not go back: {out:?}");
}

#[test]
fn what_is_lost_is_sent_again() {
    let (mut now, mut a, mut b) = met();
    a.write(now, "a badge");
    a.said.clear();
    for _ in 0..20 {
        now = a.wake.min(b.wake);
        a.tell(now, Input::Tick);
        b.tell(now, Input::Tick);
        carry(now, &mut a, &mut b, |_| true);
    }
    assert_eq!(a.runs, b.runs);
    assert!(now.since(Elapsed(secs(100))) < secs(90), "and contact is kept by heartbeats");
    assert!(a.peer.is_open() && b.peer.is_open());
}

#[test]
fn what_my_former_life_wrote_is_held_there_before_anything_that_may_rest_on_it() {
    let (now, a, mut b) = met();
    let mut next = End::living(BOX, 2);
    next.runs = a.runs.clone();
    let never_sent = End::new(BOX).write_as(BOX, BOX, "of the life before");
    next.runs.insert((school(), origin(BOX)), vec![never_sent]);
    next.write_as(BOX, BOX, "new");
    next.peer = Peer::new(next.peer.config.clone(), next.peer.dice.clone(), next.marks());
    b.tell(now, Input::Connected);
    b.said.clear();
    next.tell(now, Input::Connected);
    let told = std::cell::RefCell::new(Vec::new());
    let first_is_lost = |m: &Message| {
        let Message::Runs(runs) = m else { return true };
        told.borrow_mut().extend(runs.iter().map(|run| run.origin.incarnation));
        told.borrow().len() > 1
    };
    let mut at = now;
    for _ in 0..20 {
        carry(at, &mut next, &mut b, first_is_lost);
        at = next.wake.min(b.wake);
        next.tell(at, Input::Tick);
        b.tell(at, Input::Tick);
    }
    assert_eq!(told.into_inner(), [1, 1, 2], "first, again, and only then what came after it");
    assert_eq!(next.marks(), b.marks());
}

#[test]
fn repeated_and_reordered_runs_change_nothing() {
    let (now, mut a, mut b) = met();
    let runs: Vec<Run> = (0..4).map(|n| a.write_as(BOX, BOX, &format!("entry {n}"))).collect();
    for n in [3, 1, 0, 0, 2, 1, 1, 3] {
        b.tell(now, Input::Received(Message::Runs(vec![runs[n].clone()])));
    }
    assert_eq!(b.runs[&(school(), origin(BOX))], runs[..2], "what came too early was not kept");
    a.tell(now, Input::Stored(a.marks()));
    carry(now, &mut a, &mut b, |_| true);
    assert_eq!(a.runs, b.runs);
}

#[test]
fn the_coordinators_runs_come_down_before_anything_goes_up() {
    let (now, mut a, mut b) = met();
    a.tell(now, Input::Disconnected);
    a.write(now, "a sign-in");
    b.write(now, "a void");
    b.said.clear();
    a.tell(now, Input::Connected);
    let hold = |m: &Message| !matches!(m, Message::Runs(_));
    carry(now, &mut a, &mut b, hold);
    let soon = now.after(secs(1));
    a.tell(soon, Input::Tick);
    assert!(!a.said.iter().any(|m| matches!(m, Message::Runs(_))) && !a.peer.is_settled(soon));
    let later = now.after(secs(2));
    a.tell(later, Input::Tick);
    assert!(a.said.iter().any(|m| matches!(m, Message::Runs(_))), "but not for ever");
    assert!(a.peer.is_settled(later));
}

#[test]
fn silence_ends_contact_and_a_hello_renews_it() {
    let (mut now, mut a, mut b) = met();
    for _ in 0..40 {
        now = a.wake;
        a.tell(now, Input::Tick);
        a.said.clear();
    }
    assert!(!a.peer.is_open());
    b.write(now, "a void");
    b.said.clear();
    for _ in 0..10 {
        now = a.wake;
        a.tell(now, Input::Tick);
        b.tell(now, Input::Tick);
        carry(now, &mut a, &mut b, |_| true);
    }
    assert!(a.peer.is_open());
    assert_eq!(a.runs, b.runs);
}

#[test]
fn a_run_signed_by_another_box_is_refused_and_nothing_is_lost() {
    let (now, mut a, mut b) = met();
    let forged = End::new(BOX).write_as(BOX, 2, "a forged entry");
    let foreign = End::new(2).write_as(2, 2, "another box's entry");
    let mut elsewhere = End::new(BOX).write_as(BOX, BOX, "another school's entry");
    elsewhere.shelf = Shelf::School("0900002B".parse().expect("uai"));
    let cases = [(forged, Reason::Signature), (foreign, Reason::UnknownKey), (elsewhere, Reason::ForeignShelf)];
    for (run, reason) in cases {
        let (shelf, origin, first) = (run.shelf.clone(), run.origin, run.first);
        b.tell(now, Input::Received(Message::Runs(vec![run.clone()])));
        assert!(b.said.contains(&Message::Nack { shelf, origin, first, reason }), "{reason}");
        assert!(b.saw(&Output::Quarantine { run, reason }), "{reason}");
    }
    b.said.clear();
    assert!(!b.runs.contains_key(&(school(), origin(BOX))));
    a.write(now, "a true entry");
    carry(now, &mut a, &mut b, |_| true);
    assert_eq!(a.runs, b.runs, "the true line goes on");
}

#[test]
fn a_nack_stops_that_line_until_the_next_hello() {
    let (now, mut a, mut b) = met();
    a.write(now, "an entry of a newer program");
    a.said.clear();
    let (shelf, origin) = (school(), origin(BOX));
    let nack = Message::Nack { shelf: shelf.clone(), origin, first: 1, reason: Reason::Items };
    a.tell(now, Input::Received(nack));
    assert!(a.peer.alerts().contains(&Alert::Refused { shelf, origin, reason: Reason::Items }));
    a.tell(now, Input::Tick);
    assert!(a.said.is_empty());
    a.tell(now, Input::Connected);
    carry(now, &mut a, &mut b, |_| true);
    assert_eq!(a.runs, b.runs, "nothing was dropped");
    assert!(a.peer.alerts().is_empty());
}

#[test]
fn a_restored_disk_is_found() {
    let (now, mut a, mut b) = met();
    a.write(now, "before the backup");
    carry(now, &mut a, &mut b, |_| true);
    b.runs.clear();
    b.write_as(BOX, BOX, "before the backup");
    b.write_as(BOX, BOX, "after the backup");
    b.tell(now, Input::Stored(b.marks()));
    a.tell(now, Input::Connected);
    carry(now, &mut a, &mut b, |_| true);
    assert!(a.saw(&Output::NewIncarnation));
    a.write(now, "must not go out under the old name");
    assert!(!a.said.iter().any(|m| matches!(m, Message::Runs(_))));
}

#[test]
fn a_second_history_is_not_taken() {
    let (now, mut a, mut b) = met();
    a.write(now, "one history");
    carry(now, &mut a, &mut b, |_| true);
    let held = b.runs.clone();
    let mut clone = End::new(BOX);
    clone.write_as(BOX, BOX, "another history");
    let run = clone.write_as(BOX, BOX, "that goes on");
    b.tell(now, Input::Received(Message::Runs(vec![run.clone()])));
    assert!(b.saw(&Output::Quarantine { run, reason: Reason::Fork }));
    assert_eq!(b.runs, held);
}

#[test]
fn equal_marks_with_unequal_digests_are_repaired() {
    let (now, mut a, mut b) = met();
    a.write(now, "a name");
    carry(now, &mut a, &mut b, |_| true);
    a.docs = (1..=5).map(|n| (doc(n), n)).collect();
    b.docs = (1..=5).map(|n| (doc(n), n)).collect();
    a.docs.insert(doc(3), 9);
    a.docs.remove(&doc(4));
    a.digest = [1; 32];
    a.tell(now, Input::Connected);
    carry(now, &mut a, &mut b, |_| true);
    assert!(a.peer.alerts().is_empty() && b.peer.alerts().is_empty(), "once is no proof");
    pass(now, secs(60), &mut a, &mut b);
    let alert = Alert::DigestMismatch { shelf: school() };
    assert!(a.saw(&Output::Alert(alert.clone())) && b.saw(&Output::Alert(alert)));
    assert_eq!(b.docs.remove(&doc(7)), Some(1), "what the coordinator lacked was handed over");
    assert_eq!(a.docs, b.docs);
    let pages = b.seen.iter().filter(|o| matches!(o, Output::Send(Message::Page(_)))).count();
    assert_eq!(pages, 2, "only what differs is told");
    assert!(a.peer.alerts().is_empty() && b.peer.alerts().is_empty());
}

#[test]
fn a_page_that_outran_its_runs_is_asked_for_again() {
    let (mut now, mut a, mut b) = met();
    a.docs = (1..=2).map(|n| (doc(n), n)).collect();
    b.docs = (1..=2).map(|n| (doc(n), n + 1)).collect();
    a.digest = [1; 32];
    let before = a.docs.clone();
    while !a.peer.is_pulling() {
        now = a.wake.min(b.wake);
        a.tell(now, Input::Tick);
        b.tell(now, Input::Tick);
        carry(now, &mut a, &mut b, |m| !matches!(m, Message::Pull(_)));
    }
    // Meanwhile the coordinator writes: its page tells of it, and its runs are lost.
    b.write(now, "what only the page tells");
    while a.peer.is_pulling() {
        carry(now, &mut a, &mut b, |m| !matches!(m, Message::Runs(_)));
        now = a.wake.min(b.wake);
        a.tell(now, Input::Tick);
        b.tell(now, Input::Tick);
    }
    assert!(b.seen.iter().any(|o| matches!(o, Output::Send(Message::Page(_)))));
    assert_eq!(a.docs, before, "nobody could give it back to a coordinator that lost it");
    pass(now, secs(600), &mut a, &mut b);
    b.docs.remove(&doc(7));
    assert_eq!((&a.docs, a.marks()), (&b.docs, b.marks()));
    assert!(a.peer.alerts().is_empty() && b.peer.alerts().is_empty());
}

#[test]
fn without_a_common_version_nothing_is_exchanged_and_nothing_dropped() {
    let (now, mut a, mut b) = met();
    let hello = Message::Hello(Hello {
        speaks: (7, 9),
        incarnation: 1,
        summary: [0; 16],
        knowledge: None,
        answer_wanted: true,
    });
    a.tell(now, Input::Connected);
    a.said.clear();
    a.tell(now, Input::Received(hello));
    a.write(now, "kept");
    assert!(!a.said.iter().any(|m| matches!(m, Message::Runs(_))));
    assert!(a.peer.alerts().contains(&Alert::TooOld { theirs: (7, 9) }));
    a.tell(now, Input::Connected);
    carry(now, &mut a, &mut b, |_| true);
    assert_eq!(a.runs, b.runs);
    assert!(a.peer.alerts().is_empty());
}
