//! What an upstream said about a name, as it will be sent to those who ask.

use super::wire::{CLASS_IN, Code, HEADER_BYTES, folded, kind, past_name, u16_at, u32_at};

/// More records than any answer has that can be sent.
const MAX_RECORDS: u16 = 4_096;

/// The answer to one question: records as bytes that follow that question, and what must be known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// [`Code::NoError`] or [`Code::NxDomain`].
    pub code: Code,
    pub(super) answers: u16,
    pub(super) authorities: u16,
    /// They point into the question before them, and to each other.
    pub(super) records: Box<[u8]>,
    /// Where in them a lifetime stands.
    pub(super) lifetimes: Box<[u16]>,
    /// Names that it leads to: aliases, and where a service is. Each must be allowed, too.
    pub leads_to: Box<[String]>,
    /// How long it lasts, in seconds: the shortest lifetime of its answers, or else of what says "no".
    pub lasts_s: u32,
}

impl Found {
    /// Takes the answers and authorities out of a whole message whose question is these bytes (in any case), each lifetime
    /// included. Total: none when the bytes are not such a message.
    pub fn read(asked: &[u8], message: &[u8]) -> Option<Self> {
        let start = HEADER_BYTES.checked_add(asked.len())?;
        let counts = [4, 6, 8].map(|at| u16_at(message, at));
        let [Some(1), Some(answers), Some(authorities)] = counts else { return None };
        let same = message.get(HEADER_BYTES..start)?.eq_ignore_ascii_case(asked);
        let all = answers.checked_add(authorities).filter(|all| same && *all <= MAX_RECORDS)?;
        let code = match message.get(3)? & 0x0f {
            0 => Code::NoError,
            3 => Code::NxDomain,
            _ => return None,
        };
        let (mut at, mut lifetimes, mut leads_to, mut lasts_s) = (start, Vec::new(), Vec::new(), None);
        for n in 0..all {
            let record = past_name(message, at)?;
            let ttl_at = record.checked_add(4)?;
            let ttl = u32_at(message, ttl_at)?;
            let data = record.checked_add(10)?;
            at = data
                .checked_add(usize::from(u16_at(message, record.checked_add(8)?)?))
                .filter(|to| *to <= message.len())?;
            lifetimes.push(u16::try_from(ttl_at.checked_sub(start)?).ok()?);
            if u16_at(message, record.checked_add(2)?)? == CLASS_IN && n < answers {
                leads_to.extend(target(message, u16_at(message, record)?, data));
            }
            if n < answers || answers == 0 {
                lasts_s = Some(lasts_s.map_or(ttl, |so_far: u32| so_far.min(ttl)));
            }
        }
        Some(Self {
            code,
            answers,
            authorities,
            records: message.get(start..at)?.into(),
            lifetimes: lifetimes.into(),
            leads_to: leads_to.into(),
            lasts_s: lasts_s.unwrap_or(0),
        })
    }

    /// Its answers of one type: lifetime and data.
    pub(super) fn of_type(&self, kind: u16) -> impl Iterator<Item = (u32, &[u8])> {
        let (mut at, mut left) = (0, self.answers);
        let all = std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let record = past_name(&self.records, at)?;
            let data = record.checked_add(10)?;
            at = data.checked_add(usize::from(u16_at(&self.records, record.checked_add(8)?)?))?;
            let lasts = u32_at(&self.records, record.checked_add(4)?)?;
            Some((u16_at(&self.records, record)?, lasts, self.records.get(data..at)?))
        });
        all.filter(move |(of, ..)| *of == kind).map(|(_, lasts, data)| (lasts, data))
    }

    /// Whether it has an answer; if not, it is a "no".
    pub fn is_answer(&self) -> bool {
        self.answers > 0
    }

    /// How many bytes it keeps.
    pub fn bytes(&self) -> usize {
        let names: usize = self.leads_to.iter().map(String::len).sum();
        self.records.len().saturating_add(self.lifetimes.len().saturating_mul(2)).saturating_add(names)
    }
}

/// The name that a record leads to: of an alias, of a service that is elsewhere.
fn target(message: &[u8], of: u16, data: usize) -> Option<String> {
    let at = match of {
        kind::CNAME | kind::DNAME => data,
        // Behind the priority.
        kind::SVCB | kind::HTTPS => data.checked_add(2)?,
        _ => return None,
    };
    // The root is the name itself (RFC 9460 §2.5).
    folded(message, at).filter(|name| !name.is_empty())
}
