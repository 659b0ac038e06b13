//! Applies changes from outside on a thread of their own, for no longer than a limit.
//!
//! Our own reader ([`crate::documents`]) bounds what Automerge is given, and a panic inside it is caught. What is left is
//! a change that it would chew on for ever: a thread cannot be killed, so a stuck one is left behind with its copy of the
//! document and another takes its place, [`MOST_STUCK`] times in the life of the program. After that nothing from outside
//! is applied until it is started again. Whoever has all the time there is ([`Bench::unhurried`]: the simulator) applies on
//! its own thread.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use crate::documents::{Document, DocumentError, Received};

/// How long one change may take.
pub const LIMIT: Duration = Duration::from_secs(1);
/// Threads that may be left behind.
pub const MOST_STUCK: usize = 4;

/// The thread that applies. One for a program; who hands over waits for its turn.
#[derive(Debug)]
pub struct Bench {
    limit: Option<Duration>,
    most_stuck: usize,
    worker: Mutex<Worker>,
}

/// Why nothing was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// As many threads as may be are stuck, or none could be started: not now.
    #[error("changes from outside are not applied now: restart the program, and look at what is in quarantine")]
    NotNow,
}

#[derive(Debug, Default)]
struct Worker {
    jobs: Option<SyncSender<Job>>,
    stuck: usize,
}

/// A document and what is to be applied to it.
struct Job {
    document: Document,
    changes: Arc<[Received]>,
    from: usize,
    to: usize,
    /// The place of the change in hand.
    at: Arc<AtomicUsize>,
    act: Act,
    done: SyncSender<Done>,
}

type Done = (Document, Vec<Result<(), DocumentError>>);
/// What the thread does with a document; the tests' own gets stuck.
type Act = fn(&mut Document, &[Received], &mut dyn FnMut(usize)) -> Vec<Result<(), DocumentError>>;

impl Bench {
    /// A bench whose changes take no longer than `limit` each; [`LIMIT`] is the usual one.
    pub fn new(limit: Duration) -> Self {
        Self { limit: Some(limit), most_stuck: MOST_STUCK, worker: Mutex::default() }
    }

    /// A bench that waits for as long as it takes, and needs no thread for it.
    pub fn unhurried() -> Self {
        Self { limit: None, most_stuck: 0, worker: Mutex::default() }
    }

    /// How many threads are stuck: for the metrics page.
    pub fn stuck(&self) -> usize {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner).stuck
    }

    /// Applies changes that were read and permitted, in this order; says of each what became of it. A change that takes
    /// too long is refused with [`DocumentError::TooSlow`], the others are applied.
    ///
    /// # Errors
    /// [`ApplyError::NotNow`]; the document is as before.
    pub(crate) fn apply(
        &self,
        document: &mut Document,
        changes: Vec<Received>,
    ) -> Result<Vec<Result<(), DocumentError>>, ApplyError> {
        self.apply_by(document, changes, Document::apply_all)
    }

    fn apply_by(
        &self,
        document: &mut Document,
        changes: Vec<Received>,
        act: Act,
    ) -> Result<Vec<Result<(), DocumentError>>, ApplyError> {
        let Some(limit) = self.limit else { return Ok(act(document, &changes, &mut |_| {})) };
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        let changes: Arc<[Received]> = changes.into();
        let (mut now, mut said) = (document.clone(), Vec::with_capacity(changes.len()));
        // Where the next hand-over ends, and what is known of the change there.
        let mut end = (changes.len(), None);
        while said.len() < changes.len() {
            let from = said.len();
            if from < end.0 {
                if worker.stuck >= self.most_stuck {
                    return Err(ApplyError::NotNow);
                }
                match worker.hand_over(limit, &now, (&changes, from, end.0), act)? {
                    Ok((document, these)) => {
                        now = document;
                        said.extend(these);
                    }
                    Err((place, why)) => {
                        worker.jobs = None;
                        worker.stuck = worker.stuck.saturating_add(usize::from(why == DocumentError::TooSlow));
                        end = if place < end.0 {
                            // Those before it were fine, and go once more without it.
                            (place, Some(why))
                        } else if from.saturating_add(1) == end.0 {
                            (from, Some(why))
                        } else {
                            // Together they cannot be read back: fewer.
                            (from.midpoint(end.0), None)
                        };
                        continue;
                    }
                }
            }
            said.extend(end.1.take().map(Err));
            end.0 = changes.len();
        }
        *document = now;
        Ok(said)
    }
}

impl Worker {
    /// Has the thread apply some of these changes. When it does not answer: the place of the change it had in hand, and
    /// what is wrong with that.
    fn hand_over(
        &mut self,
        limit: Duration,
        document: &Document,
        (changes, from, to): (&Arc<[Received]>, usize, usize),
        act: Act,
    ) -> Result<Result<Done, (usize, DocumentError)>, ApplyError> {
        let at = Arc::new(AtomicUsize::new(from));
        let (done, hear) = sync_channel(1);
        let (document, changes) = (document.clone(), changes.clone());
        self.give(Job { document, changes, from, to, at: at.clone(), act, done })?;
        let mut before = from;
        loop {
            let heard = hear.recv_timeout(limit);
            let now = at.load(Ordering::Relaxed);
            match heard {
                Ok(done) => return Ok(Ok(done)),
                Err(RecvTimeoutError::Disconnected) => return Ok(Err((now, DocumentError::Misfit))),
                // The thread keeps its copy, and finds nobody to tell should it ever come back.
                Err(RecvTimeoutError::Timeout) if now == before => return Ok(Err((now, DocumentError::TooSlow))),
                Err(RecvTimeoutError::Timeout) => before = now,
            }
        }
    }

    fn give(&mut self, job: Job) -> Result<(), ApplyError> {
        let jobs = match self.jobs.take() {
            Some(jobs) => jobs,
            None => start().map_err(|_| ApplyError::NotNow)?,
        };
        jobs.send(job).map_err(|_| ApplyError::NotNow)?;
        self.jobs = Some(jobs);
        Ok(())
    }
}

fn start() -> io::Result<SyncSender<Job>> {
    let (jobs, next) = sync_channel::<Job>(1);
    thread::Builder::new().name("apply".into()).spawn(move || {
        for mut job in next {
            let these = job.changes.get(job.from..job.to).unwrap_or_default();
            let mut at = |place: usize| job.at.store(job.from.saturating_add(place), Ordering::Relaxed);
            let said = (job.act)(&mut job.document, these, &mut at);
            drop(job.done.send((job.document, said)));
        }
    })?;
    Ok(jobs)
}

#[cfg(test)]
mod tests;
