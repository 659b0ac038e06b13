//! What the other end sends: lawful, in the order of its chain, acknowledged once durable.

use super::{Alert, End, Key, MAX_REMEMBERED, Output, Peer, end, marks};
use crate::{
    replica::{
        batch::{MAX_MARKS, Message},
        rights::{Reason, Side},
        run::Run,
        shelf::Mark,
    },
    time::Elapsed,
};

/// Most origins on the shelves of a link, so that a hello always fits: this end's own lives come beside them.
const MAX_ORIGINS: usize = MAX_MARKS / 8 * 7;
/// … and most of them that are lives of one box, so that no box uses up those of the others.
const MAX_LIVES: usize = MAX_MARKS / 2;

/// What becomes of a run.
enum Verdict {
    /// It is lawful and follows.
    Commit,
    /// Known already, or too early: the sender goes on from my mark.
    Pass,
    Refuse(Reason),
}

impl Peer {
    pub(super) fn take_all(&mut self, now: Elapsed, runs: Vec<Run>, out: &mut Vec<Output>) {
        for run in runs {
            let key = (run.shelf.clone(), run.origin);
            match self.judge(&key, &run) {
                Verdict::Commit => {
                    self.they_hold(&key, &run);
                    self.accepted.insert(key.clone(), End { number: run.last(), chain: run.hash() });
                    self.owed.insert(key);
                    out.push(Output::Commit(run));
                }
                Verdict::Pass => {
                    // Nobody looked at its signature: of a line that is not held here it is not remembered.
                    if self.held.contains_key(&key) {
                        self.they_hold(&key, &run);
                    }
                    self.owed.insert(key);
                }
                Verdict::Refuse(reason) => {
                    // What follows it cannot be taken either, and one message earns one refusal.
                    self.refuse(now, run, reason, out);
                    break;
                }
            }
        }
        self.tell_owed(now, out);
    }

    /// Whoever sends a run has it: it does not go back.
    fn they_hold(&mut self, key: &Key, run: &Run) {
        let told = End { number: run.last(), chain: run.hash() };
        if key.1 != self.config.own && told.number > end(&self.theirs, key).number {
            self.theirs.insert(key.clone(), told);
        }
    }

    fn judge(&self, key: &Key, run: &Run) -> Verdict {
        let rights = &self.config.rights;
        if let Err(reason) = rights.may_send(&key.0, &key.1) {
            return Verdict::Refuse(reason);
        }
        if self.superseded.contains(&key.1) {
            return Verdict::Refuse(Reason::Superseded);
        }
        let at = end(&self.accepted, key);
        let next = at.number.saturating_add(1);
        if key.1 == self.config.own || run.last() <= at.number || run.first > next {
            return Verdict::Pass;
        }
        match rights.judge(run) {
            // The school's document with the other box's key is still on its way.
            Err(Reason::UnknownKey) if rights.side != Side::Coordinator => Verdict::Pass,
            Err(reason) => Verdict::Refuse(reason),
            Ok(()) if run.first != next || run.prev != at.chain => Verdict::Refuse(Reason::Fork),
            Ok(()) if self.is_one_too_many(key) => Verdict::Refuse(Reason::TooManyOrigins),
            Ok(()) => Verdict::Commit,
        }
    }

    /// Whether there is no room for another origin, or for another life of its box.
    fn is_one_too_many(&self, key: &Key) -> bool {
        let lives = || self.accepted.keys().filter(|known| known.1.box_id == key.1.box_id).count();
        !self.accepted.contains_key(key) && (self.accepted.len() >= MAX_ORIGINS || lives() >= MAX_LIVES)
    }

    fn refuse(&mut self, now: Elapsed, run: Run, reason: Reason, out: &mut Vec<Output>) {
        let (shelf, origin, first) = (run.shelf.clone(), run.origin, run.first);
        self.alert(Alert::Quarantined { shelf: shelf.clone(), origin, first, reason }, out);
        if self.refused.len() < MAX_REMEMBERED && self.refused.insert(((shelf.clone(), origin), first)) {
            out.push(Output::Quarantine { run, reason });
        }
        self.send(now, Message::Nack { shelf, origin, first, reason }, out);
    }

    /// They no longer keep what I lack: what they hold after it is worth more than waiting. A box gives up what it wrote
    /// itself, what the coordinator once had and lost, and what a box wrote that is out of service; all of it is proved by
    /// the signature of the run at its end.
    pub(super) fn told_to_skip(&mut self, now: Elapsed, head: Run, out: &mut Vec<Output>) {
        let rights = &self.config.rights;
        let key = (head.shelf.clone(), head.origin);
        let held = end(&self.held, &key).number;
        let author = &key.1.box_id;
        let theirs_to_say = [rights.box_id, rights.coordinator].contains(author) || (rights.gone)(author);
        let over = key.1 == self.config.own || self.superseded.contains(&key.1) || head.last() <= held;
        if rights.side != Side::Coordinator || over || !theirs_to_say {
            return;
        }
        // Numbers follow one another everywhere but here, and no store counts further.
        let counts = i64::try_from(head.last()).map_err(|_| Reason::Size);
        let room = if self.is_one_too_many(&key) { Err(Reason::TooManyOrigins) } else { Ok(()) };
        if let Err(reason) = counts.and(rights.judge(&head)).and(room) {
            return self.refuse(now, head, reason, out);
        }
        // Another box may have been offline for days, and have it.
        let due = self.given_up.get(&key).copied().unwrap_or(now).after(self.config.timings.give_up);
        if now < due {
            if self.given_up.len() < MAX_REMEMBERED {
                self.given_up.entry(key).or_insert(now);
            }
            return self.session.hello_by(due);
        }
        self.given_up.remove(&key);
        // What it did to documents is to be looked for in theirs.
        self.session.hello_by(now.after(self.config.timings.greet_max));
        self.owed.insert(key.clone());
        let (shelf, origin) = key;
        self.alert(Alert::Lost { shelf, origin, first: held.saturating_add(1), last: head.last() }, out);
        out.push(Output::Skip(head));
    }

    /// The store did not take a run: what it holds is the truth, and later runs no longer follow.
    pub(super) fn not_committed(&mut self, now: Elapsed, key: Key, first: u64, reason: Reason, out: &mut Vec<Output>) {
        match self.held.get(&key) {
            Some(end) => self.accepted.insert(key.clone(), *end),
            None => self.accepted.remove(&key),
        };
        let (shelf, origin) = key;
        if reason != Reason::NotNow {
            self.alert(Alert::Quarantined { shelf: shelf.clone(), origin, first, reason }, out);
        }
        if self.session.is_up() {
            self.send(now, Message::Nack { shelf, origin, first, reason }, out);
        }
    }

    pub(super) fn stored(&mut self, now: Elapsed, held: Vec<Mark>, out: &mut Vec<Output>) {
        let held = self.known(held);
        let before = std::mem::replace(&mut self.held, held);
        // What a former life wrote has come back from where it was held all the while.
        let came_back = |(key, held): (&Key, &End)| {
            key.1.box_id == self.config.own.box_id && key.1 != self.config.own && held.number > end(&before, key).number
        };
        if self.config.rights.side == Side::Box && self.held.iter().any(came_back) {
            out.push(Output::Acknowledged(self.theirs()));
        }
        for (key, held) in &self.held {
            let accepted = self.accepted.entry(key.clone()).or_default();
            if held.number >= accepted.number {
                *accepted = *held;
            }
        }
        let held = &self.held;
        self.alerts.retain(|alert| match alert {
            // It came again and was taken.
            Alert::Quarantined { shelf, origin, first, reason } => {
                *reason == Reason::Fork || end(held, &(shelf.clone(), *origin)).number < *first
            }
            Alert::TooOld { .. }
            | Alert::CloneDetected { .. }
            | Alert::DigestMismatch { .. }
            | Alert::Refused { .. }
            | Alert::Superseded { .. }
            | Alert::Lost { .. }
            | Alert::Gap { .. } => true,
        });
        self.tell_owed(now, out);
    }

    /// Tells the marks of what came in and is durable; what is still being committed stays owed.
    fn tell_owed(&mut self, now: Elapsed, out: &mut Vec<Output>) {
        let (held, accepted) = (&self.held, &self.accepted);
        let (ready, waiting) = std::mem::take(&mut self.owed)
            .into_iter()
            .partition(|key| end(held, key).number >= end(accepted, key).number);
        self.owed = waiting;
        let ready: std::collections::BTreeSet<Key> = ready;
        if !ready.is_empty() && self.session.is_up() {
            let have = ready.into_iter().map(|key| (key.clone(), end(&self.held, &key))).filter(|(_, e)| e.number > 0);
            let have = marks(&have.collect());
            self.send(now, Message::Have(have), out);
        }
    }
}
