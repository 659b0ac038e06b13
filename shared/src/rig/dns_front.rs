//! The DNS front: sockets, a bounded crowd, an upstream with a cache. Who may ask for what is somebody else's business:
//! a [`Judge`] says it for each question, and hears afterwards what became of it.

mod cache;
mod listen;
mod upstream;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use hickory_proto::{op::Message, rr::RData};

use self::{
    cache::{Cache, Held},
    upstream::Upstream,
};
use crate::{
    dns::{Carrier, Found, Question, Unread, answer},
    policy::{Reason, Verdict},
    time::Clock,
};

pub use listen::{Sockets, serve};

/// What is done with a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It is looked up, or not, with the reason.
    Judged(Verdict),
    /// A name of our own.
    Own(Vec<IpAddr>),
    /// A name that is never asked for outside.
    Absent,
}

/// What became of a question; told after the answer has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Found, or found not to exist.
    Answered,
    /// Answered from what was known before, because the upstream was silent.
    Stale,
    /// Blocked by policy.
    Blocked(Reason),
    /// One of our own names.
    Local,
    /// The upstream was silent.
    Unreachable,
    /// Too many questions at once.
    Crowded,
    /// Not a question.
    Malformed,
}

/// Decides about names; it must not wait.
pub trait Judge: Send + Sync + 'static {
    /// The ruling on a folded name for whoever is at this address.
    fn judge(&self, asker: IpAddr, name: &str) -> Ruling;
    /// A word for a reason, sent along with a refusal to those who can read it (RFC 8914).
    fn word(&self, reason: Reason) -> String;
    /// Hears what became of a question, after its answer has left. The name is not told.
    fn count(&self, outcome: Outcome);
}

/// The front cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("the upstream resolvers cannot be used: {0}")]
pub struct FrontError(String);

/// Answers questions.
pub struct Front<J> {
    judge: J,
    upstream: Upstream,
    cache: Cache,
    clock: Arc<dyn Clock>,
}

impl<J> fmt::Debug for Front<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Front")
    }
}

/// An answer, and what it is counted as once it has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// To send; nothing when silence is the answer.
    pub bytes: Option<Vec<u8>>,
    /// To [`Judge::count`].
    pub outcome: Outcome,
}

/// Either an answer now, or a question for the upstream.
enum Next {
    Answer(Answer),
    Ask(Box<Question>, Option<Arc<Found>>),
}

impl<J: Judge> Front<J> {
    /// A front that asks these resolvers. Must be called within a runtime.
    ///
    /// # Errors
    /// [`FrontError`] when the resolver cannot be built.
    pub fn new(judge: J, upstream: &[SocketAddr], clock: Arc<dyn Clock>) -> Result<Self, FrontError> {
        let upstream = Upstream::new(upstream).map_err(|error| FrontError(error.to_string()))?;
        Ok(Self { judge, upstream, cache: Cache::default(), clock })
    }

    /// Who decides.
    pub fn judge(&self) -> &J {
        &self.judge
    }

    /// Answers one message, waiting for the upstream when it must.
    pub async fn answer(&self, asker: IpAddr, bytes: &[u8], carrier: Carrier) -> Answer {
        match self.begin(asker, bytes, carrier) {
            Next::Answer(answer) => answer,
            Next::Ask(question, stale) => self.ask(asker, &question, stale, carrier).await,
        }
    }

    /// All that can be done without waiting.
    fn begin(&self, asker: IpAddr, bytes: &[u8], carrier: Carrier) -> Next {
        let question = match Question::parse(bytes) {
            Ok(question) => question,
            Err(Unread::Silence) => return Next::Answer(Answer { bytes: None, outcome: Outcome::Malformed }),
            Err(Unread::Reply(bytes)) => {
                return Next::Answer(Answer { bytes: Some(bytes), outcome: Outcome::Malformed });
            }
        };
        let (message, outcome) = match self.judge.judge(asker, &question.name) {
            Ruling::Judged(Verdict::Block(reason)) => self.blocked(&question, reason),
            Ruling::Own(addresses) => (answer::local(&question, &addresses), Outcome::Local),
            Ruling::Absent => (answer::absent(&question), Outcome::Local),
            Ruling::Judged(Verdict::Allow) => {
                match self.cache.get(&question.name, question.kind, self.clock.elapsed()) {
                    Some(Held::Fresh(found, age_s)) => {
                        self.found(asker, &question, &found, answer::found(&question, &found, age_s))
                    }
                    Some(Held::Stale(found)) => return Next::Ask(Box::new(question), Some(found)),
                    None => return Next::Ask(Box::new(question), None),
                }
            }
        };
        Next::Answer(Answer { bytes: Some(answer::encode(&question, &message, carrier)), outcome })
    }

    async fn ask(&self, asker: IpAddr, question: &Question, stale: Option<Arc<Found>>, carrier: Carrier) -> Answer {
        let now = self.clock.elapsed();
        let (message, outcome) = match self.upstream.ask(question, stale.is_some(), now).await {
            Ok(found) => {
                let found = Arc::new(found);
                self.cache.put(&question.name, question.kind, &found, self.clock.elapsed());
                self.found(asker, question, &found, answer::found(question, &found, 0))
            }
            Err(upstream::Unreachable) => match stale {
                Some(found) => match self.found(asker, question, &found, answer::stale(question, &found)) {
                    (message, Outcome::Answered) => (message, Outcome::Stale),
                    blocked => blocked,
                },
                None => (answer::unreachable(question), Outcome::Unreachable),
            },
        };
        Answer { bytes: Some(answer::encode(question, &message, carrier)), outcome }
    }

    /// An allowed name whose answer leads through a blocked one is blocked too: aliases are not a way around.
    fn found(&self, asker: IpAddr, question: &Question, found: &Found, message: Message) -> (Message, Outcome) {
        for record in &found.answers {
            if let RData::CNAME(target) = &record.data {
                let name = target.to_ascii().trim_end_matches('.').to_ascii_lowercase();
                if let Ruling::Judged(Verdict::Block(reason @ (Reason::Denied | Reason::Listed(_)))) =
                    self.judge.judge(asker, &name)
                {
                    return self.blocked(question, reason);
                }
            }
        }
        (message, Outcome::Answered)
    }

    fn blocked(&self, question: &Question, reason: Reason) -> (Message, Outcome) {
        (answer::blocked(question, &self.judge.word(reason)), Outcome::Blocked(reason))
    }

    /// What is said when too many wait already.
    fn crowded(&self, question: &Question, carrier: Carrier) -> Answer {
        let message = answer::unreachable(question);
        Answer { bytes: Some(answer::encode(question, &message, carrier)), outcome: Outcome::Crowded }
    }
}
