//! Two ends over stores that are plain lists, and a carrier in the hands of each test.

use std::time::Duration;

use super::*;
use crate::{
    dice::Seeded,
    ids::{BoxId, Uai},
    keys::SigningKey,
    replica::{
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

/// One end with its store.
struct End {
    peer: Peer,
    me: u8,
    runs: BTreeMap<Key, Vec<Run>>,
    said: Vec<Message>,
    seen: Vec<Output>,
    digest: [u8; 32],
    wake: Elapsed,
}

impl End {
    fn new(me: u8) -> Self {
        let keys: Keys = Arc::new(|origin| Some(key(origin.box_id.as_bytes()[0]).public()));
        let side = if me == CLOUD { Side::Coordinator } else { Side::Box };
        let rights = Rights { side, uai: uai(), box_id: id(BOX), coordinator: id(CLOUD), keys };
        let config = Config { own: origin(me), rights, timings: Timings::for_keep_alive(secs(4)) };
        Self {
            peer: Peer::new(config, Arc::new(Seeded::new(me.into())), Vec::new()),
            me,
            runs: BTreeMap::new(),
            said: Vec::new(),
            seen: Vec::new(),
            digest: [0; 32],
            wake: Elapsed::default(),
        }
    }

    fn marks(&self) -> Vec<Mark> {
        let mark = |((shelf, origin), runs): (&Key, &Vec<Run>)| {
            let last = runs.last().expect("run");
            Mark { shelf: shelf.clone(), origin: *origin, number: last.last(), chain: last.hash() }
        };
        self.runs.iter().map(mark).collect()
    }

    /// Writes one entry of `who`, signed by `signer`.
    fn write_as(&mut self, who: u8, signer: u8, word: &str) -> Run {
        let at = (school(), origin(who));
        let before = self.runs.get(&at).and_then(|r| r.last());
        let (first, prev) = before.map_or((1, [0; 32]), |r| (r.last() + 1, r.hash()));
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
                    let runs = runs.into_iter().filter(|r| r.first > after).take(2).collect();
                    self.tell(now, Input::Loaded { shelf, origin, after, runs });
                }
                Output::Survey => {
                    let digests = vec![(school(), self.digest)];
                    self.tell(now, Input::Surveyed { marks: self.marks(), digests });
                }
                Output::Commit(run) => {
                    self.runs.entry((run.shelf.clone(), run.origin)).or_default().push(run);
                    self.tell(now, Input::Stored(self.marks()));
                }
                Output::WakeAt(at) => self.wake = at,
                Output::Quarantine { .. } | Output::Acknowledged(_) | Output::Alert(_) | Output::NewIncarnation => {}
            }
        }
    }

    fn saw(&self, wanted: &Output) -> bool {
        self.seen.contains(wanted)
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
    assert_eq!(carry(now, &mut a, &mut b, |_| true), 2);
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
    assert!(out.contains(&Output::Send(Message::Have(a.marks()))), "{out:?}");
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
    assert!(now.since(Elapsed(secs(100))) < secs(60), "and contact is kept by heartbeats");
    assert!(a.peer.is_open() && b.peer.is_open());
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
    let cases = [(forged, Reason::Signature), (foreign, Reason::ForeignOrigin), (elsewhere, Reason::ForeignShelf)];
    for (run, reason) in cases {
        let (shelf, origin, first) = (run.shelf.clone(), run.origin, run.first);
        b.tell(now, Input::Received(Message::Runs(vec![run.clone()])));
        assert!(b.said.contains(&Message::Nack { shelf, origin, first, reason }), "{reason}");
        assert!(b.saw(&Output::Quarantine { run, reason }), "{reason}");
    }
    b.said.clear();
    assert!(b.runs.is_empty());
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
    b.runs.get_mut(&(school(), origin(BOX))).expect("line").clear();
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
fn equal_marks_with_unequal_digests_raise_an_alert_until_they_agree() {
    let (now, mut a, mut b) = met();
    a.write(now, "a name");
    carry(now, &mut a, &mut b, |_| true);
    a.digest = [1; 32];
    a.tell(now, Input::Connected);
    carry(now, &mut a, &mut b, |_| true);
    let alert = Alert::DigestMismatch { shelf: school() };
    assert!(a.peer.alerts().contains(&alert) && b.peer.alerts().contains(&alert));
    b.digest = [1; 32];
    a.tell(now, Input::Connected);
    carry(now, &mut a, &mut b, |_| true);
    assert!(a.peer.alerts().is_empty() && b.peer.alerts().is_empty());
}

#[test]
fn without_a_common_version_nothing_is_exchanged_and_nothing_dropped() {
    let (now, mut a, mut b) = met();
    let hello = Message::Hello { speaks: (7, 9), marks: Vec::new(), digests: Vec::new(), answer_wanted: true };
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
