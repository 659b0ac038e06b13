//! The DNS front: sockets, a bounded crowd, an upstream with a cache. Who may ask for what is somebody else's business:
//! a [`Judge`] says it for each question, and hears afterwards what became of it.

mod cache;
mod counters;
mod crowd;
pub mod https;
mod listen;
mod local;
mod upstream;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use self::{
    cache::{Cache, Held},
    upstream::Upstream,
};
use crate::{
    dns::{
        Carrier, Found, Question, Unread, answer,
        wire::{self, kind},
    },
    ids::FilterId,
    policy::{Asker, Reason, Verdict, safe_search},
    time::Clock,
};

pub use counters::Counters;
pub use listen::{Sockets, serve, serve_encrypted};
pub use local::Own;

/// Where a question comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The address that sent it: of a tablet, or of what stands before several.
    pub address: IpAddr,
    /// The name under which a tablet asks, where the way that the question came tells one.
    pub tablet: Option<FilterId>,
}

impl Origin {
    /// An address, and no name.
    pub const fn of(address: IpAddr) -> Self {
        Self { address: address.to_canonical(), tablet: None }
    }
}

/// What is done with a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It is looked up, or not, with the reason.
    Judged(Verdict),
    /// A name of our own.
    Own(Vec<IpAddr>),
    /// It is an alias of this name, which is looked up.
    Instead(&'static str),
    /// A name that is never asked for outside.
    Absent,
    /// Whoever asks is a stranger, who is answered nothing.
    Refused,
}

impl Ruling {
    /// A verdict; what is allowed may be an alias for whoever is led to the safe side of searches.
    pub fn of(verdict: Verdict, asker: &Asker, name: &str) -> Self {
        match verdict {
            Verdict::Allow if asker.searches_safely() => {
                safe_search::instead(name).map_or(Self::Judged(Verdict::Allow), Self::Instead)
            }
            Verdict::Allow | Verdict::Block(_) => Self::Judged(verdict),
        }
    }
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
    /// A stranger's.
    Refused,
    /// The upstream was silent.
    Unreachable,
    /// Too many questions at once.
    Crowded,
    /// Not a question.
    Malformed,
}

/// Decides about names; it must not wait.
pub trait Judge: Send + Sync + 'static {
    /// The ruling on a folded name for whoever is there.
    fn judge(&self, from: Origin, name: &str) -> Ruling;
    /// Tells a word for a reason, sent along with a refusal to those who can read it (RFC 8914).
    fn word(&self, reason: Reason, tell: impl FnOnce(&str));
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
    /// What is to be sent is written; nothing is, when silence is the answer.
    Answered(Outcome),
    /// With what is known from before, past its time.
    Ask(Option<Arc<Found>>),
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
    pub async fn answer(&self, from: Origin, packet: &[u8], carrier: Carrier) -> Answer {
        let mut out = Vec::new();
        let outcome = match self.begin(from, packet, carrier, &mut out) {
            Next::Answered(outcome) => outcome,
            Next::Ask(stale) => self.ask(from, packet, stale, carrier, &mut out).await,
        };
        Answer { bytes: Some(out).filter(|out| !out.is_empty()), outcome }
    }

    /// All that can be done without waiting; what is to be sent is written in place of what `out` held.
    fn begin(&self, from: Origin, packet: &[u8], carrier: Carrier, out: &mut Vec<u8>) -> Next {
        out.clear();
        let question = match Question::parse(packet) {
            Ok(question) => question,
            Err(Unread::Silence) => return Next::Answered(Outcome::Malformed),
            Err(Unread::Reply(reply)) => {
                out.extend_from_slice(&reply);
                return Next::Answered(Outcome::Malformed);
            }
        };
        let outcome = match self.judge.judge(from, question.name()) {
            Ruling::Judged(Verdict::Block(reason)) => self.blocked(&question, reason, carrier, out),
            Ruling::Own(addresses) => {
                answer::local(&question, carrier, &addresses, out);
                Outcome::Local
            }
            Ruling::Absent => {
                answer::absent(&question, carrier, out);
                Outcome::Local
            }
            Ruling::Refused => {
                answer::refused(&question, carrier, out);
                Outcome::Refused
            }
            Ruling::Judged(Verdict::Allow) | Ruling::Instead(_) if question.kind == kind::ANY => {
                answer::anything(&question, carrier, out);
                Outcome::Answered
            }
            Ruling::Instead(name) if [kind::A, kind::AAAA].contains(&question.kind) => {
                match self.held_of(name, question.kind) {
                    Some(Held::Fresh(found, age_s)) => {
                        answer::alias(&question, carrier, (name, &found, age_s), out);
                        Outcome::Answered
                    }
                    Some(Held::Stale(found)) => return Next::Ask(Some(found)),
                    None => return Next::Ask(None),
                }
            }
            // Nothing else is said of it that might lead elsewhere.
            Ruling::Instead(_) => {
                answer::local(&question, carrier, &[], out);
                Outcome::Answered
            }
            Ruling::Judged(Verdict::Allow) => match self.cache.get(question.key(), self.clock.elapsed()) {
                Some(Held::Fresh(found, age_s)) => match self.leads_astray(from, &found) {
                    Some(reason) => self.blocked(&question, reason, carrier, out),
                    None => {
                        answer::found(&question, carrier, &found, age_s, out);
                        Outcome::Answered
                    }
                },
                Some(Held::Stale(found)) => return Next::Ask(Some(found)),
                None => return Next::Ask(None),
            },
        };
        Next::Answered(outcome)
    }

    /// What is known of another name than the one asked for.
    fn held_of(&self, name: &str, kind: u16) -> Option<Held> {
        let packet = wire::question(name, kind)?;
        self.cache.get(Question::parse(&packet).ok()?.key(), self.clock.elapsed())
    }

    /// Asks the upstream what [`Self::begin`] could not answer of the same message.
    async fn ask(
        &self,
        from: Origin,
        packet: &[u8],
        stale: Option<Arc<Found>>,
        carrier: Carrier,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let Ok(question) = Question::parse(packet) else { return Outcome::Malformed };
        let instead = match self.judge.judge(from, question.name()) {
            Ruling::Instead(name) => wire::question(name, question.kind).map(|packet| (name, packet)),
            Ruling::Judged(_) | Ruling::Own(_) | Ruling::Absent | Ruling::Refused => None,
        };
        let other = instead.as_ref().and_then(|(_, packet)| Question::parse(packet).ok());
        let about = other.as_ref().unwrap_or(&question);
        let heard = self.upstream.ask(about, stale.is_some(), self.clock.elapsed()).await;
        let is_stale = heard.is_err();
        let found = match heard {
            Ok(found) => {
                let found = Arc::new(found);
                self.cache.put(about.key(), &found, self.clock.elapsed());
                found
            }
            Err(upstream::Unreachable) => match stale {
                Some(found) => found,
                None => {
                    answer::unreachable(&question, carrier, out);
                    return Outcome::Unreachable;
                }
            },
        };
        // Whoever asked may have left meanwhile.
        if let Ruling::Judged(Verdict::Block(reason)) = self.judge.judge(from, question.name()) {
            return self.blocked(&question, reason, carrier, out);
        }
        if let Some((name, _)) = &instead {
            answer::alias(&question, carrier, (name, &found, 0), out);
            return if is_stale { Outcome::Stale } else { Outcome::Answered };
        }
        if let Some(reason) = self.leads_astray(from, &found) {
            return self.blocked(&question, reason, carrier, out);
        }
        if is_stale {
            answer::stale(&question, carrier, &found, out);
            return Outcome::Stale;
        }
        answer::found(&question, carrier, &found, 0, out);
        Outcome::Answered
    }

    /// An allowed name whose answer leads to a blocked one is blocked too: neither an alias nor where a service says that
    /// it is are a way around.
    fn leads_astray(&self, from: Origin, found: &Found) -> Option<Reason> {
        found.leads_to.iter().find_map(|name| match self.judge.judge(from, name) {
            Ruling::Judged(Verdict::Block(reason @ (Reason::Denied | Reason::Listed(_)))) => Some(reason),
            // She became a stranger while the upstream was asked.
            Ruling::Refused => Some(Reason::Closed),
            Ruling::Judged(Verdict::Block(Reason::Closed) | Verdict::Allow)
            | Ruling::Own(_)
            | Ruling::Instead(_)
            | Ruling::Absent => None,
        })
    }

    fn blocked(&self, question: &Question<'_>, reason: Reason, carrier: Carrier, out: &mut Vec<u8>) -> Outcome {
        self.judge.word(reason, |word| answer::blocked(question, carrier, word, out));
        Outcome::Blocked(reason)
    }

    /// [`Self::crowded`] as an answer.
    fn too_many(&self, packet: &[u8], carrier: Carrier) -> Answer {
        let mut out = Vec::new();
        let outcome = self.crowded(packet, carrier, &mut out);
        Answer { bytes: Some(out).filter(|out| !out.is_empty()), outcome }
    }

    /// What is said when too many wait already.
    fn crowded(&self, packet: &[u8], carrier: Carrier, out: &mut Vec<u8>) -> Outcome {
        if let Ok(question) = Question::parse(packet) {
            answer::unreachable(&question, carrier, out);
        }
        Outcome::Crowded
    }
}
