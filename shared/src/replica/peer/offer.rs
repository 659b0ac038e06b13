//! What the other end lacks, a bounded amount ahead of its `have`.

use super::{Alert, End, Key, MESSAGE_BYTES, Output, Peer, WINDOW_BYTES, WINDOW_MESSAGES, end};
use crate::{
    replica::{
        batch::{MAX_RUNS, Message},
        rights::{Reason, Side},
        run::Run,
        shelf::{Mark, Shelf},
    },
    time::Elapsed,
};

/// Room for what surrounds a payload on the wire.
const RUN_OVERHEAD_BYTES: usize = 256;

/// A message of runs on its way.
#[derive(Debug)]
pub(super) struct Flight {
    key: Key,
    end: End,
    bytes: usize,
}

impl Peer {
    /// Asks the store for the next runs to send: those of my former lives first, because others' may rest on them.
    pub(super) fn offer(&mut self, now: Elapsed, out: &mut Vec<Output>) {
        let bytes: usize = self.in_flight.iter().map(|f| f.bytes).sum();
        let full = bytes >= WINDOW_BYTES || self.in_flight.len() >= WINDOW_MESSAGES;
        if !self.is_open() || self.fetching.is_some() || full || self.lets_in_first(now) {
            return;
        }
        let own = self.config.own;
        let sends = |key: &Key| {
            let told = key.1 != own || !self.silenced && !self.awaits_former_lives(&key.0);
            told && !self.blocked.contains(key)
                && !self.pulled.contains(&key.0)
                && self.config.rights.may_send(&key.0, &key.1).is_ok()
        };
        let lacks = |(key, held): &(&Key, &End)| held.number > self.sent_up_to(key).number && sends(key);
        let rank = |key: &Key| (key.1.box_id != own.box_id, key.1 == own);
        let next = self.held.iter().filter(lacks).map(|(key, _)| key).min_by_key(|key| (rank(key), *key)).cloned();
        let Some(key) = next else { return };
        let after = self.sent_up_to(&key).number;
        let (shelf, origin) = key.clone();
        self.fetching = Some((key, after));
        out.push(Output::Fetch { shelf, origin, after, max_bytes: MESSAGE_BYTES });
    }

    /// Whether what my former lives wrote there is not held by the other end yet. What I write now may rest on it: were it
    /// acknowledged before, and this disk lost then, it would wait for ever for what nobody has.
    fn awaits_former_lives(&self, shelf: &Shelf) -> bool {
        let own = self.config.own;
        self.held.iter().any(|(key, held)| {
            let former = key.0 == *shelf && key.1.box_id == own.box_id && key.1 != own;
            former
                && !self.blocked.contains(key)
                && held.number > end(&self.theirs, key).number
                && self.config.rights.may_send(&key.0, &key.1).is_ok()
        })
    }

    /// Sends what was read, as far as it continues what they hold and is known to be durable.
    pub(super) fn loaded(&mut self, now: Elapsed, key: Key, after: u64, runs: Vec<Run>, out: &mut Vec<Output>) {
        if self.fetching != Some((key.clone(), after)) {
            return;
        }
        self.fetching = None;
        let start = self.sent_up_to(&key);
        if start.number != after {
            return;
        }
        let durable = end(&self.held, &key).number;
        let (mut at, mut good) = (start, Vec::new());
        for run in runs.into_iter().take(MAX_RUNS).take_while(|r| r.last() <= durable) {
            if run.first != at.number.saturating_add(1) || run.prev != at.chain {
                break;
            }
            at = End { number: run.last(), chain: run.hash() };
            good.push(run);
        }
        if good.is_empty() {
            self.blocked.insert(key.clone());
            if key.1 == self.config.own {
                self.copied(out);
            }
            self.alert(Alert::Gap { shelf: key.0, origin: key.1 }, out);
            return;
        }
        let bytes = good.iter().map(|r| r.payload.len().saturating_add(RUN_OVERHEAD_BYTES)).sum();
        self.in_flight.push(Flight { key, end: at, bytes });
        if self.session.resend_at.is_none() {
            self.session.resend_at = Some(self.resend_after(now));
        }
        self.send(now, Message::Runs(good), out);
    }

    /// Nothing was read; it is tried again when what is on its way would be.
    pub(super) fn not_loaded(&mut self, now: Elapsed) {
        if self.fetching.is_some() {
            self.session.expect_answer(self.resend_after(now));
        }
    }

    /// What they lack was let go here. A box takes a snapshot; the coordinator notes what is lost.
    pub(super) fn no_longer_kept(&mut self, now: Elapsed, key: Key, after: u64, pruned: Run, out: &mut Vec<Output>) {
        if self.fetching.take_if(|fetching| *fetching == (key.clone(), after)).is_none() {
            return;
        }
        self.blocked.insert(key.clone());
        let (shelf, origin) = key;
        match self.config.rights.side {
            Side::Coordinator => {
                let first = after.saturating_add(1);
                self.hold_back(now, shelf.clone());
                self.send(now, Message::Nack { shelf, origin, first, reason: Reason::Folded }, out);
            }
            Side::Box => self.send(now, Message::Skip(pruned), out),
            // The coordinator will give it.
            Side::Sibling => {}
        }
    }

    /// They hold this now. Marks only rise within a meeting; a hello starts anew.
    pub(super) fn acknowledged(&mut self, now: Elapsed, marks: Vec<Mark>, out: &mut Vec<Output>) {
        let told = self.known(marks);
        self.check_own(&told, out);
        // A skip, or a snapshot, ends what kept me from sending.
        self.blocked.retain(|key| !told.contains_key(key));
        self.pulled.retain(|shelf| !told.keys().any(|key| key.0 == *shelf));
        let mut news = false;
        for (key, told) in told {
            let mine = self.held.get(&key).is_some_and(|held| told.number <= held.number);
            if mine && told.number > end(&self.theirs, &key).number {
                self.theirs.insert(key, told);
                news = true;
            }
        }
        if !news {
            return;
        }
        self.in_flight.retain(|f| f.end.number > end(&self.theirs, &f.key).number);
        self.session.resend_tries = 0;
        self.session.resend_at = if self.in_flight.is_empty() { None } else { Some(self.resend_after(now)) };
        out.push(Output::Acknowledged(self.theirs()));
    }

    /// They do not take a run. Nothing of it is dropped here.
    pub(super) fn turned_down(&mut self, now: Elapsed, key: Key, reason: Reason, out: &mut Vec<Output>) {
        let (shelf, origin) = key.clone();
        if reason == Reason::Folded {
            return self.pull_what_was_folded(now, shelf, out);
        }
        if reason == Reason::Superseded && origin == self.config.own {
            // Drawing yet another life would only make the other one the copy.
            self.silenced = true;
            return self.alert(Alert::Superseded { origin }, out);
        }
        if reason == Reason::NotNow || !self.held.contains_key(&key) {
            return;
        }
        self.in_flight.retain(|f| f.key != key);
        self.blocked.insert(key.clone());
        if reason == Reason::Fork && origin == self.config.own {
            self.copied(out);
        }
        self.alert(Alert::Refused { shelf, origin, reason }, out);
    }

    /// Forgets what is on its way; all of it is sent again from their marks.
    pub(super) fn start_over(&mut self) {
        self.in_flight.clear();
        self.forget_pages();
        self.fetching = None;
        self.session.resend_at = None;
        self.session.resend_tries = 0;
    }

    fn sent_up_to(&self, key: &Key) -> End {
        let last = self.in_flight.iter().rev().find(|f| f.key == *key).map(|f| f.end);
        last.unwrap_or_else(|| end(&self.theirs, key))
    }
}
