//! Hello: who holds what, and who is a copy of whom.
//!
//! A hello carries a summary of what its sender holds; what it sums up only when the two are likely to differ, or did.
//! Two ends in step thus say two short messages, however many origins ever wrote.

use super::{Alert, End, Known, Output, Peer, Survey, end, marks};
use crate::{
    replica::{
        batch::{Hello, Knowledge, Message, SPEAKS},
        rights::{Reason, Side},
        shelf::{Origin, Shelf},
    },
    time::Elapsed,
};

impl Peer {
    /// It is answered when the store has been surveyed: what is told must be durable, and of one state.
    pub(super) fn heard_hello(&mut self, now: Elapsed, hello: Hello, out: &mut Vec<Output>) {
        if hello.speaks.1 < SPEAKS.0 || SPEAKS.1 < hello.speaks.0 {
            self.alert(Alert::TooOld { theirs: hello.speaks }, out);
            // Mine tells them why nothing is exchanged.
            if !hello.answer_wanted {
                return;
            }
        }
        self.look_for_copies(now, hello.incarnation, out);
        self.session.heard_hello(hello);
        out.push(Output::Survey);
    }

    pub(super) fn surveyed(&mut self, now: Elapsed, knowledge: Knowledge, out: &mut Vec<Output>) {
        self.stored(now, knowledge.marks, out);
        let mine = Knowledge { marks: marks(&self.held), digests: knowledge.digests };
        let summary = mine.summary();
        let asks = self.session.hello_wanted();
        let (mut say, mut ask, mut whole) = (asks, asks, asks && self.is_ahead());
        if let Some(theirs) = self.session.hello_to_answer() {
            let spoken = theirs.speaks.1 >= SPEAKS.0 && SPEAKS.1 >= theirs.speaks.0;
            let same = theirs.summary == summary;
            // Theirs in short is not enough when it differs: I say mine in whole, and ask for theirs.
            let unknown = !same && theirs.knowledge.is_none();
            if spoken && same {
                let same = self.survey(&mine);
                self.greeted(now, &same, &same, out);
            } else if let Some(theirs) = theirs.knowledge.filter(|_| spoken) {
                let survey = Survey { known: self.known(theirs.marks), digests: theirs.digests.into_iter().collect() };
                self.greeted(now, &self.survey(&mine), &survey, out);
            }
            say |= theirs.answer_wanted || spoken && unknown;
            ask |= spoken && unknown;
            whole |= !same;
        }
        if say && !self.silenced {
            let hello = Hello {
                speaks: SPEAKS,
                incarnation: self.config.own.incarnation,
                summary,
                knowledge: whole.then_some(mine),
                answer_wanted: ask,
            };
            self.send(now, Message::Hello(hello), out);
        }
    }

    /// I wrote something that they did not have when we last spoke: a summary alone would only cost a question.
    fn is_ahead(&self) -> bool {
        let ahead = |(key, held): (&super::Key, &End)| held.number > end(&self.theirs_before, key).number;
        !self.theirs_before.is_empty() && self.held.iter().any(ahead)
    }

    fn survey(&self, knowledge: &Knowledge) -> Survey {
        Survey { known: self.held.clone(), digests: knowledge.digests.iter().cloned().collect() }
    }

    fn greeted(&mut self, now: Elapsed, mine: &Survey, theirs: &Survey, out: &mut Vec<Output>) {
        self.alerts.retain(|a| !matches!(a, Alert::TooOld { .. } | Alert::Refused { .. } | Alert::Gap { .. }));
        // Hellos cross. What is on its way is not sent twice because they say what is known.
        let again = self.session.is_open() && self.theirs == theirs.known;
        self.session.greeted(now, &self.config.timings);
        self.check_own(&theirs.known, out);
        self.blocked.clear();
        if !again {
            self.start_over();
            self.theirs.clone_from(&theirs.known);
        }
        self.await_pulls(now, &mine.known, &theirs.known);
        if self.config.rights.side == Side::Box {
            self.announced.clone_from(&theirs.known);
        }
        out.push(Output::Acknowledged(self.theirs()));
        self.compare(now, (mine, theirs), out);
        self.pull_what_is_new(now, out);
    }

    /// Same items, same documents: else an alert until they are, and the box sets about the repair. Once is no proof: a page
    /// of documents may be a moment ahead of its marks.
    fn compare(&mut self, now: Elapsed, (mine, theirs): (&Survey, &Survey), out: &mut Vec<Output>) {
        let of = |known: &Known, shelf: &Shelf| -> Vec<(Origin, End)> {
            known.iter().filter(|(k, _)| k.0 == *shelf).map(|(k, end)| (k.1, *end)).collect()
        };
        let both = mine
            .digests
            .iter()
            .filter_map(|(shelf, mine)| theirs.digests.get(shelf).map(|t| (shelf.clone(), mine == t)));
        let (same, other): (Vec<_>, Vec<_>) = both.partition(|(_, same)| *same);
        let other: Vec<Shelf> = other
            .into_iter()
            .map(|(shelf, _)| shelf)
            .filter(|shelf| of(&mine.known, shelf) == of(&theirs.known, shelf))
            .collect();
        for (shelf, _) in same {
            self.repaired.remove(&shelf);
            self.suspected.remove(&shelf);
            self.alerts.remove(&Alert::DigestMismatch { shelf });
        }
        for shelf in other {
            if self.suspected.insert(shelf.clone()) {
                self.session.hello_by(now.after(self.config.timings.greet_max));
                continue;
            }
            if self.config.rights.side == Side::Box && !self.pulling.contains_key(&shelf) {
                out.push(Output::Sum(shelf.clone()));
            }
            self.alert(Alert::DigestMismatch { shelf }, out);
        }
    }

    /// Items of this life that it never wrote, or wrote otherwise, are another machine's. A box believes its coordinator; a
    /// stolen box would have its coordinator begin life after life.
    pub(super) fn check_own(&mut self, theirs: &Known, out: &mut Vec<Output>) {
        let own = self.config.own;
        let foreign = |(key, theirs): (&super::Key, &End)| {
            let mine = end(&self.held, key);
            key.1 == own && (theirs.number > mine.number || theirs.number == mine.number && theirs.chain != mine.chain)
        };
        if theirs.iter().any(foreign) {
            self.copied(out);
        }
    }

    /// Whatever speaks under this name, it is not this life alone.
    pub(super) fn copied(&mut self, out: &mut Vec<Output>) {
        self.alert(Alert::CloneDetected { origin: self.config.own }, out);
        if self.config.rights.side == Side::Box && !std::mem::replace(&mut self.silenced, true) {
            out.push(Output::NewIncarnation);
        }
    }

    /// Every start is another life, and the one before is over. Lives that speak in turn are two
    /// machines with one disk.
    fn look_for_copies(&mut self, now: Elapsed, incarnation: u64, out: &mut Vec<Output>) {
        if self.config.rights.side != Side::Coordinator {
            return;
        }
        let Some((last, since)) = self.lives.last().copied() else { return self.lives.push((incarnation, now)) };
        if last == incarnation {
            return;
        }
        if !self.lives.iter().any(|(life, _)| *life == incarnation) {
            if self.lives.len() >= super::MAX_REMEMBERED {
                self.lives.remove(0);
            }
            return self.lives.push((incarnation, now));
        }
        if now.since(since) <= self.config.timings.silence.saturating_mul(2) {
            return;
        }
        // It may be the later one after all, if its first words came late.
        self.lives.retain(|(life, _)| *life != incarnation);
        self.lives.push((incarnation, now));
        self.returns = self.returns.saturating_add(1);
        let speaks = Origin { box_id: self.config.rights.box_id, incarnation };
        if self.returns > 1 && (self.superseded.contains(&speaks) || self.superseded.len() < super::MAX_REMEMBERED) {
            self.superseded.insert(speaks);
            self.alert(Alert::Superseded { origin: speaks }, out);
            let shelf = Shelf::School(self.config.rights.uai.clone());
            self.send(now, Message::Nack { shelf, origin: speaks, first: 0, reason: Reason::Superseded }, out);
        }
    }
}
