//! What the peer asks of the store.

use super::{Carrier, Replication, ShelfError, Side, Store, drive::Driver, reason_of};
use crate::{
    ids::BoxId,
    replica::{Input, Item, Knowledge, Lacking, Mark, Output, Page, Pull, Reason, Run, Shelf},
    rig::shelves::{self, Following, Taking, compare, fold, lost, pages, quarantine},
};

impl<D: Store, C: Carrier> Driver<D, C> {
    pub(super) async fn perform(&mut self, output: Output) -> Vec<Input> {
        match output {
            Output::Fetch { shelf, origin, after, max_bytes } => {
                let of = shelf.clone();
                let read = self.with.store.read(move |conn| shelves::runs_after(conn, &of, &origin, after, max_bytes));
                match read.await {
                    Ok(Following::Runs(runs)) => vec![Input::Loaded { shelf, origin, after, runs, pruned: None }],
                    Ok(Following::Cut(head)) => {
                        vec![Input::Loaded { shelf, origin, after, runs: Vec::new(), pruned: Some(head) }]
                    }
                    Err(error) => {
                        self.failed("runs could not be read", &error);
                        vec![Input::Unread]
                    }
                }
            }
            Output::Survey => self.survey().await.into_iter().collect(),
            Output::Skip(head) => self.skip(head).await,
            Output::Serve(pull) => self.serve(pull).await.into_iter().collect(),
            Output::Take { page, adopt } => self.take(page, adopt).await,
            Output::Sum(shelf) => {
                let of = shelf.clone();
                match self.with.store.read(move |conn| shelves::sums(conn, &of)).await {
                    Ok(sums) => vec![Input::Summed(shelf, sums)],
                    Err(error) => {
                        self.failed("documents could not be compared", &error);
                        Vec::new()
                    }
                }
            }
            Output::Mend(shelf, lacking) => self.mend(shelf, lacking).await,
            Output::Quarantine { run, reason } => {
                self.quarantine(run, reason).await;
                Vec::new()
            }
            Output::Acknowledged(marks) => {
                self.acknowledge(marks).await;
                Vec::new()
            }
            Output::NewIncarnation => {
                self.begin_anew();
                Vec::new()
            }
            // The loop does these.
            Output::Send(_) | Output::Commit(_) | Output::Alert(_) | Output::WakeAt(_) => Vec::new(),
        }
    }

    /// Runs `act` in a commit, as whoever takes what comes.
    async fn taking<T: Send + 'static>(
        &self,
        act: impl FnOnce(&D::Tx, &Taking<'_, D::Tx>) -> Result<T, ShelfError> + Send + 'static,
    ) -> Result<T, ShelfError> {
        let Replication { author, project, bench, .. } = &self.with;
        let (author, project, bench) = (author.clone(), project.clone(), bench.clone());
        let now = self.with.clock.stamp();
        self.with
            .store
            .commit(move |conn| act(conn, &Taking { author: &author, project: &*project, bench: &bench, now }))
            .await
    }

    /// Commits runs together. One that fails is undone alone, kept aside, and what follows it on its chain is not tried.
    pub(super) async fn commit(&mut self, runs: Vec<Run>) -> Vec<Input> {
        let coordinator = self.with.rights.coordinator;
        let names: Vec<_> = runs.iter().map(|r| (r.shelf.clone(), r.origin, r.first)).collect();
        let erases = self.with.rights.side != Side::Coordinator && runs.iter().any(|run| erases(run, coordinator));
        let committed = self.taking(move |conn, with| shelves::commit_each(conn, runs, coordinator, with)).await;
        let refused = match committed {
            Ok(refused) => refused,
            Err(error) => {
                self.failed("runs could not be committed", &error);
                let not_now = |(shelf, origin, first)| Input::Refused { shelf, origin, first, reason: Reason::NotNow };
                return names.into_iter().map(not_now).collect();
            }
        };
        if erases {
            self.with.store.scrub();
        }
        let mut inputs = self.stored().await;
        names.iter().for_each(|(shelf, ..)| self.with.news.tell(shelf));
        for (run, error) in refused {
            self.failed("a run could not be applied", &error);
            inputs.push(Input::Refused {
                shelf: run.shelf.clone(),
                origin: run.origin,
                first: run.first,
                reason: reason_of(&error),
            });
            if reason_of(&error) != Reason::NotNow {
                self.quarantine(run, reason_of(&error)).await;
            }
        }
        inputs
    }

    /// What is durable now, told to the peer before anything that rests on it.
    async fn stored(&mut self) -> Vec<Input> {
        let Some(marks) = self.marks_now().await else { return Vec::new() };
        self.marks.clone_from(&marks);
        vec![Input::Stored(marks)]
    }

    /// Marks and digests of one state. What is pending is closed in the same act: it is in the documents already, so that
    /// marks without it and digests with it would look like a mismatch.
    async fn survey(&mut self) -> Option<Input> {
        let (author, stamp) = (self.with.author.clone(), self.with.clock.stamp());
        let shelves = self.with.shelves();
        let surveyed = self.with.store.commit(move |conn| {
            let closed = shelves::close_runs(conn, &author, stamp)?;
            let marks = shelves::marks_of(conn, &shelves)?;
            let digests: Result<Vec<_>, ShelfError> =
                shelves.into_iter().map(|s| shelves::digest(conn, &s).map(|d| (s, d))).collect();
            Ok::<_, ShelfError>((closed, Knowledge { marks, digests: digests? }))
        });
        match surveyed.await {
            Ok((closed, knowledge)) => {
                self.with.news.tell_of(&closed);
                self.marks.clone_from(&knowledge.marks);
                Some(Input::Surveyed(knowledge))
            }
            Err(error) => {
                self.failed("marks and digests could not be read", &error);
                None
            }
        }
    }

    async fn skip(&mut self, head: Run) -> Vec<Input> {
        let (shelf, origin, first) = (head.shelf.clone(), head.origin, head.last());
        tracing::error!(link = ?self.with.rights, %shelf, %origin, up_to = first, "items are lost: nobody keeps them any more");
        match self.taking(move |conn, with| lost::skip(conn, &head, with)).await {
            Ok(()) => self.stored().await,
            Err(error) => {
                self.failed("what is lost could not be noted", &error);
                vec![Input::Refused { shelf, origin, first, reason: reason_of(&error) }]
            }
        }
    }

    /// What is pending is closed in the same act: a change that a page told, and no run, nobody could give back to a
    /// coordinator that lost it.
    async fn serve(&mut self, pull: Pull) -> Option<Input> {
        let (author, stamp) = (self.with.author.clone(), self.with.clock.stamp());
        let served = self.with.store.commit(move |conn| {
            let closed = shelves::close_runs(conn, &author, stamp)?;
            Ok::<_, ShelfError>((closed, pages::serve(conn, pull)?))
        });
        match served.await {
            Ok((closed, page)) => {
                self.with.news.tell_of(&closed);
                Some(Input::Served(page))
            }
            Err(error) => {
                self.failed("a page of documents could not be read", &error);
                None
            }
        }
    }

    /// A page that cannot be taken is asked for again by the peer's own timer.
    async fn take(&mut self, page: Page, adopt: Option<Vec<Mark>>) -> Vec<Input> {
        let (pull, shelf) = (page.pull.clone(), page.pull.shelf.clone());
        match self.taking(move |conn, with| pages::take(conn, &page, adopt.as_deref(), with)).await {
            Ok(mend) => {
                self.with.store.scrub();
                self.with.news.tell(&shelf);
                let mut inputs = self.stored().await;
                inputs.push(Input::Taken { pull, mend });
                inputs
            }
            Err(error) => {
                self.failed("a page of documents could not be taken", &error);
                Vec::new()
            }
        }
    }

    async fn mend(&mut self, shelf: Shelf, lacking: Lacking) -> Vec<Input> {
        let (of, from, erases) = (shelf.clone(), self.with.rights.box_id, !lacking.erased.is_empty());
        match self.taking(move |conn, with| compare::mend(conn, &of, from, &lacking, with)).await {
            Ok(()) => {
                if erases {
                    self.with.store.scrub();
                }
                self.with.news.tell(&shelf);
                self.stored().await
            }
            Err(error) => {
                self.failed("changes handed over could not be taken", &error);
                Vec::new()
            }
        }
    }

    async fn quarantine(&mut self, run: Run, reason: Reason) {
        let stamp = self.with.clock.stamp();
        let reason = reason.to_string();
        let kept = self.with.store.commit(move |conn| quarantine::run(conn, &run, &reason, stamp)).await;
        if let Err(error) = kept {
            self.failed("a run could not be kept aside", &error);
        }
    }

    /// The box's exposure ends with the coordinator's word. The coordinator notes who holds what, so that it knows what
    /// may be cut.
    async fn acknowledge(&mut self, marks: Vec<Mark>) {
        let noted = (marks, self.marks.clone());
        if noted == self.acknowledged {
            return;
        }
        let (told, stamp, holder) = (noted.0.clone(), self.with.clock.stamp(), self.with.rights.box_id);
        match self.with.rights.side {
            Side::Sibling => {}
            Side::Coordinator => {
                match self.with.store.commit(move |conn| fold::note_holder(conn, holder, &told, stamp)).await {
                    Ok(()) => self.acknowledged = noted,
                    Err(error) => self.failed("what a box holds could not be noted", &error),
                }
            }
            Side::Box => {
                let me = self.with.author.origin;
                match self.with.store.commit(move |conn| shelves::acknowledge(conn, &me, &told, stamp)).await {
                    Ok(told) => {
                        self.acknowledged = noted;
                        if !told.unknown.is_empty() {
                            self.begin_anew();
                        }
                    }
                    Err(error) => self.failed("an acknowledgement could not be kept", &error),
                }
            }
        }
    }

    /// Nothing more is told in the name of this life; the next start is another.
    fn begin_anew(&mut self) {
        if !std::mem::replace(&mut self.anew, true) {
            (self.with.on_clone)(self.with.author.origin);
        }
    }
}

/// Whether a run of the coordinator erases somebody.
fn erases(run: &Run, coordinator: BoxId) -> bool {
    let is_tombstone = |item: &Item| matches!(item, Item::Erased(_));
    run.origin.box_id == coordinator && run.items().is_ok_and(|items| items.iter().any(is_tombstone))
}
