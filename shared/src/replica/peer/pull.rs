//! Snapshot and repair: documents pulled page by page.
//!
//! A box that holds nothing of a shelf, or lacks runs that were folded away, pulls all documents; until its marks are
//! told, the coordinator sends it no runs of that shelf. When both hold the same and read differently, the box tells the
//! sums of its buckets, pulls the documents of those that differ, and hands over what the coordinator's copies lack.
//! Only the coordinator is pulled from: a saved document is taken from it alone. Of the territory's shelf all runs are
//! kept everywhere, and none is pulled: any box can give its coordinator back what it wrote there, and prove it.

use super::{Alert, Key, Known, MAX_REMEMBERED, Output, Peer, end, marks, session::doubled};
use crate::{
    documents::DocId,
    replica::{
        batch::Message,
        page::{BUCKETS, Lacking, Page, Pull, Wanted},
        rights::Side,
        run::Run,
        shelf::{Mark, Shelf},
    },
    time::Elapsed,
};

/// A shelf whose documents I pull.
#[derive(Debug)]
pub(super) struct Pulling {
    wanted: Wanted,
    after: Option<DocId>,
    /// What the server held when it read the first page.
    marks: Option<Vec<Mark>>,
    /// The same, with what shows who signed it.
    heads: Vec<Run>,
    /// A page is handed out to be merged; the cursor goes there once it is durable.
    taking: Option<Option<DocId>>,
}

impl Pulling {
    fn of(wanted: Wanted) -> Self {
        Self { wanted, after: None, marks: None, heads: Vec::new(), taking: None }
    }
    fn ask(&self, shelf: &Shelf) -> Pull {
        Pull { shelf: shelf.clone(), wanted: self.wanted.clone(), after: self.after }
    }
}

impl Peer {
    /// At the coordinator: whoever holds nothing of a shelf that I told of will pull it.
    pub(super) fn await_pulls(&mut self, now: Elapsed, mine: &Known, theirs: &Known) {
        self.pulled.clear();
        let told = mine.keys().map(|(shelf, _)| shelf).filter(|shelf| **shelf != Shelf::Territory);
        if self.config.rights.side == Side::Coordinator {
            let lacking: Vec<Shelf> = told.filter(|shelf| !self.holds_some(theirs, shelf)).cloned().collect();
            lacking.into_iter().for_each(|shelf| self.hold_back(now, shelf));
        }
    }

    /// No runs of this shelf until its marks are told. A question may have come late, after its answer was taken: whoever
    /// tells nothing soon is asked.
    pub(super) fn hold_back(&mut self, now: Elapsed, shelf: Shelf) {
        self.pulled.insert(shelf);
        self.session.hello_by(now.after(self.config.timings.resend_max));
    }

    /// At a box: what I hold nothing of.
    pub(super) fn pull_what_is_new(&mut self, now: Elapsed, out: &mut Vec<Output>) {
        if self.config.rights.side != Side::Box {
            return;
        }
        let told = self.announced.keys().map(|(shelf, _)| shelf);
        let told = told.filter(|shelf| **shelf != Shelf::Territory);
        let news: Vec<Shelf> = told.filter(|shelf| !self.holds_some(&self.held, shelf)).cloned().collect();
        for shelf in news {
            self.pulling.entry(shelf).or_insert_with(|| Pulling::of(Wanted::Everything));
        }
        self.ask_for_pages(now, out);
    }

    /// What a box wrote itself does not make it know its shelf.
    fn holds_some(&self, known: &Known, shelf: &Shelf) -> bool {
        known.keys().any(|(s, origin)| s == shelf && origin.box_id != self.config.rights.box_id)
    }

    /// Asks, or asks again after a meeting ended or an answer was lost.
    pub(super) fn ask_for_pages(&mut self, now: Elapsed, out: &mut Vec<Output>) {
        let asks: Vec<Pull> =
            self.pulling.iter().filter(|(_, p)| p.taking.is_none()).map(|(shelf, p)| p.ask(shelf)).collect();
        for pull in asks {
            self.session.expect_answer(self.resend_after(now));
            self.send(now, Message::Pull(pull), out);
        }
    }

    /// What was on its way, or could not be merged, is asked for again.
    pub(super) fn forget_pages(&mut self) {
        self.pulling.values_mut().for_each(|pulling| pulling.taking = None);
    }

    /// The coordinator folded away what I lack.
    pub(super) fn pull_what_was_folded(&mut self, now: Elapsed, shelf: Shelf, out: &mut Vec<Output>) {
        if self.config.rights.side != Side::Box || !self.config.rights.carries(&shelf) {
            return;
        }
        let pulling = self.pulling.entry(shelf).or_insert_with(|| Pulling::of(Wanted::Everything));
        if pulling.wanted != Wanted::Everything {
            *pulling = Pulling::of(Wanted::Everything);
        }
        self.ask_for_pages(now, out);
    }

    pub(super) fn asked_for_page(&mut self, now: Elapsed, pull: Pull, out: &mut Vec<Output>) {
        if self.config.rights.side != Side::Coordinator || !self.config.rights.carries(&pull.shelf) {
            return;
        }
        if pull.wanted == Wanted::Everything {
            self.hold_back(now, pull.shelf.clone());
        }
        out.push(Output::Serve(pull));
    }

    pub(super) fn serve(&mut self, now: Elapsed, page: Page, out: &mut Vec<Output>) {
        if self.session.is_up() {
            self.send(now, Message::Page(page), out);
        }
    }

    pub(super) fn take_page(&mut self, now: Elapsed, mut page: Page, out: &mut Vec<Output>) {
        let Some(pulling) = self.pulling.get_mut(&page.pull.shelf) else { return };
        if pulling.taking.is_some() || pulling.ask(&page.pull.shelf) != page.pull {
            return;
        }
        // A cursor that does not move would never end.
        page.next = page.next.filter(|next| page.pull.after.is_none_or(|after| *next > after));
        let shelf = page.pull.shelf.clone();
        // What the coordinator wrote is believed by its runs: a change that came on a page alone nobody could give back to
        // one that lost it. They come; then documents are compared again.
        let untold = |mark: &Mark| {
            let key = (mark.shelf.clone(), mark.origin);
            mark.origin.box_id == self.config.rights.coordinator && mark.number > end(&self.held, &key).number
        };
        if pulling.wanted != Wanted::Everything && page.marks.iter().any(untold) {
            self.pulling.remove(&shelf);
            self.session.answered();
            self.session.hello_by(now.after(self.config.timings.greet_max));
            return;
        }
        if pulling.marks.is_none() {
            pulling.heads = std::mem::take(&mut page.heads);
        }
        let own = self.config.own;
        let first = pulling.marks.get_or_insert_with(|| std::mem::take(&mut page.marks));
        first.retain(|mark| mark.shelf == shelf && mark.origin != own);
        let last = page.next.is_none() && pulling.wanted == Wanted::Everything;
        let adopt = last.then(|| first.clone());
        page.heads.clone_from(&pulling.heads);
        pulling.taking = Some(page.next);
        out.push(Output::Take { page, adopt });
    }

    /// A page is durable.
    pub(super) fn taken(&mut self, now: Elapsed, pull: &Pull, mend: Lacking, out: &mut Vec<Output>) {
        let Some(pulling) = self.pulling.get_mut(&pull.shelf) else { return };
        let Some(next) = pulling.taking.take() else { return };
        pulling.after = next;
        let ended = next.is_none();
        let repair = matches!(pulling.wanted, Wanted::Buckets(_));
        if ended {
            self.pulling.remove(&pull.shelf);
        }
        self.session.answered();
        if !self.session.is_up() {
            return;
        }
        for lacking in mend.in_pieces() {
            self.send(now, Message::Mend(pull.shelf.clone(), lacking), out);
        }
        if ended && repair {
            // Whether that was all is for a hello to say: soon, and ever later as long as it was not.
            let tries = self.repaired.entry(pull.shelf.clone()).or_default();
            *tries = tries.saturating_add(1);
            let wait = doubled(self.config.timings.greet, *tries, self.config.timings.hello_every);
            self.session.hello_by(now.after(wait));
        } else if ended {
            let of_shelf = |(key, _): &(&Key, &super::End)| key.0 == pull.shelf;
            let have = marks(&self.held.iter().filter(of_shelf).map(|(k, e)| (k.clone(), *e)).collect());
            self.send(now, Message::Have(have), out);
        }
        self.ask_for_pages(now, out);
    }

    pub(super) fn summed(&mut self, now: Elapsed, shelf: Shelf, sums: Vec<u64>, out: &mut Vec<Output>) {
        match self.config.rights.side {
            Side::Box => self.send(now, Message::Buckets(shelf, sums), out),
            Side::Coordinator => {
                let Some(theirs) = self.session.sums.take().filter(|(s, _)| *s == shelf).map(|(_, sums)| sums) else {
                    return;
                };
                let differ = sums.iter().zip(&theirs).enumerate().filter(|(_, (mine, theirs))| mine != theirs);
                let differ: Vec<u8> = differ.filter_map(|(n, _)| u8::try_from(n).ok()).collect();
                self.send(now, Message::Differ(shelf, differ), out);
            }
            Side::Sibling => {}
        }
    }

    pub(super) fn asked_to_compare(&mut self, shelf: Shelf, sums: Vec<u64>, out: &mut Vec<Output>) {
        let rights = &self.config.rights;
        if rights.side == Side::Coordinator && rights.carries(&shelf) && sums.len() == BUCKETS {
            self.session.sums = Some((shelf.clone(), sums));
            out.push(Output::Sum(shelf));
        }
    }

    pub(super) fn told_what_differs(&mut self, now: Elapsed, shelf: Shelf, buckets: Vec<u8>, out: &mut Vec<Output>) {
        let mismatch = self.alerts.contains(&Alert::DigestMismatch { shelf: shelf.clone() });
        // A saved document is taken from the coordinator alone: whoever else says so wants to be asked for one.
        let asks = self.config.rights.side == Side::Box && mismatch && !buckets.is_empty();
        if !asks || self.pulling.contains_key(&shelf) || self.pulling.len() >= MAX_REMEMBERED {
            return;
        }
        self.pulling.insert(shelf, Pulling::of(Wanted::Buckets(buckets)));
        self.ask_for_pages(now, out);
    }

    pub(super) fn told_to_mend(&mut self, shelf: Shelf, lacking: Lacking, out: &mut Vec<Output>) {
        if self.config.rights.side == Side::Coordinator && shelf == Shelf::School(self.config.rights.uai.clone()) {
            out.push(Output::Mend(shelf, lacking));
        }
    }
}
