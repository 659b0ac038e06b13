//! What is counted at one school while the pilot runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use preau_shared::time::Elapsed;
use serde::Serialize;

use crate::{
    admin::BoxState,
    tablets::news::{How, News, Verdict},
};

/// Latencies kept for the percentiles: an hour of storms.
const MAX_LATENCIES: usize = 200_000;
/// From the begin of a look-up until it is told, at most; a resolver may remember a failure a little longer.
const LOOK_UP_LASTS: Duration = Duration::from_secs(5);
/// Oddities kept in words; the others are counted.
const MAX_ODDITIES: usize = 20;

/// One cut of the line.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Cut {
    /// How long it lasted, in milliseconds; none while it lasts.
    pub(super) length_ms: Option<u64>,
    /// Entries on the box's disk only, when it began.
    pub(super) exposure_before: u64,
    /// The most of them while it lasted.
    pub(super) exposure_peak: u64,
    /// From its end until the coordinator had acknowledged all that was written before its end, in milliseconds.
    pub(super) synced_ms: Option<u64>,
}

/// Sign-ins, counted.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct SignIns {
    pub(super) total: u64,
    pub(super) failed: u64,
    pub(super) in_outage: u64,
    pub(super) failed_in_outage: u64,
    /// Requests sent again because the box's process had gone.
    pub(super) retries: u64,
    pub(super) pairs: u64,
    pub(super) let_ins: u64,
    /// Refused because somebody made the badge void: the promised answer, neither a sign-in nor a failure.
    pub(super) refused_void: u64,
}

/// Look-ups, counted.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct LookUps {
    pub(super) blocked: u64,
    pub(super) allowed: u64,
    /// Allowed names that nobody could be asked for, while the line was cut.
    pub(super) unanswered_in_outage: u64,
    /// Names for which no answer came all the same: the box's process had gone.
    pub(super) unanswered: u64,
    /// The filter said something else than the child's policy.
    pub(super) wrong: u64,
}

/// Everything counted at one school.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) tablets: u64,
    pub(super) sign_ins: SignIns,
    pub(super) look_ups: LookUps,
    pub(super) latencies_us: Vec<u64>,
    /// Codes of failed sign-ins.
    pub(super) failures: BTreeMap<String, u64>,
    /// Journal entries behind what the box acknowledged to tablets: none of them may be missing anywhere.
    pub(super) acknowledged: u64,
    /// Sessions that a tablet was told of.
    pub(super) sessions: BTreeSet<String>,
    pub(super) oddities: Vec<String>,
    pub(super) more_oddities: u64,
    pub(super) cuts: Vec<Cut>,
    pub(super) cut_since: Option<Elapsed>,
    pub(super) cut_until: Option<Elapsed>,
    /// The box's last own word.
    pub(super) state: Option<BoxState>,
    told: SignIns,
}

impl Record {
    /// Takes a piece of news in. `cut` says whether the line is cut.
    pub(super) fn hear(&mut self, news: &News, cut: bool, now: Elapsed) {
        match news {
            News::Enrolled { .. } => {
                self.tablets = self.tablets.saturating_add(1);
                // The enrolment and its first wipe.
                self.acknowledge(2);
            }
            // The sign-out and the wipe.
            News::Freed { .. } => self.acknowledge(2),
            News::SignIn { how, session, code, latency_us, retries, .. } => {
                self.sign_in(*how, code.as_deref(), cut);
                self.sign_ins.retries = self.sign_ins.retries.saturating_add(u64::from(*retries));
                self.acknowledge(u64::from(session.is_some()));
                self.sessions.extend(session.clone());
                // A session that a teacher opened waits for its tablet; that wait is not the box's.
                if code.is_none() && *retries == 0 && *how != How::LetIn && self.latencies_us.len() < MAX_LATENCIES {
                    self.latencies_us.push(*latency_us);
                }
            }
            News::LookUp { expected, found, .. } => {
                // A look-up that nobody answered began in the outage and is told after it.
                let lately = self.cut_until.is_some_and(|until| now.since(until) < LOOK_UP_LASTS);
                self.look_up(*expected, *found, cut || lately);
            }
            News::Oddity { what, .. } if self.oddities.len() < MAX_ODDITIES => self.oddities.push(what.clone()),
            News::Oddity { .. } => self.more_oddities = self.more_oddities.saturating_add(1),
        }
    }

    fn acknowledge(&mut self, entries: u64) {
        self.acknowledged = self.acknowledged.saturating_add(entries);
    }

    fn sign_in(&mut self, how: How, code: Option<&str>, cut: bool) {
        let count = &mut self.sign_ins;
        if code == Some("badge_void") {
            count.refused_void = count.refused_void.saturating_add(1);
            return;
        }
        count.total = count.total.saturating_add(1);
        count.in_outage = count.in_outage.saturating_add(u64::from(cut));
        match how {
            How::Badge => {}
            How::Pair => count.pairs = count.pairs.saturating_add(1),
            How::LetIn => count.let_ins = count.let_ins.saturating_add(1),
        }
        if let Some(code) = code {
            count.failed = count.failed.saturating_add(1);
            count.failed_in_outage = count.failed_in_outage.saturating_add(u64::from(cut));
            *self.failures.entry(code.to_owned()).or_default() += 1;
        }
    }

    fn look_up(&mut self, expected: Verdict, found: Verdict, cut: bool) {
        let count = &mut self.look_ups;
        let place = match (expected, found) {
            (Verdict::Blocked, Verdict::Blocked) => &mut count.blocked,
            (Verdict::Allowed, Verdict::Allowed) => &mut count.allowed,
            (Verdict::Allowed, Verdict::Unanswered) if cut => &mut count.unanswered_in_outage,
            (_, Verdict::Unanswered) => &mut count.unanswered,
            (Verdict::Allowed | Verdict::Blocked | Verdict::Unanswered, _) => &mut count.wrong,
        };
        *place = place.saturating_add(1);
    }

    /// Sign-ins since this was asked last.
    pub(super) fn news(&mut self) -> SignIns {
        let (now, then) = (self.sign_ins, self.told);
        self.told = now;
        SignIns {
            total: now.total.saturating_sub(then.total),
            failed: now.failed.saturating_sub(then.failed),
            in_outage: now.in_outage.saturating_sub(then.in_outage),
            failed_in_outage: now.failed_in_outage.saturating_sub(then.failed_in_outage),
            retries: now.retries.saturating_sub(then.retries),
            pairs: now.pairs.saturating_sub(then.pairs),
            let_ins: now.let_ins.saturating_sub(then.let_ins),
            refused_void: now.refused_void.saturating_sub(then.refused_void),
        }
    }

    /// Takes the box's own word in.
    pub(super) fn observe(&mut self, state: BoxState) {
        if self.cut_since.is_some()
            && let Some(cut) = self.cuts.last_mut()
        {
            cut.exposure_peak = cut.exposure_peak.max(state.exposure.entries);
        }
        self.state = Some(state);
    }
}

/// The value that `percent` of the sorted `values` do not exceed.
pub(super) fn percentile(values: &mut [u64], percent: usize) -> Option<u64> {
    values.sort_unstable();
    let rank = values.len().saturating_mul(percent).div_ceil(100).max(1);
    values.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_in(code: Option<&str>) -> News {
        News::SignIn {
            uai: "0900991A".parse().expect("uai"),
            how: How::Badge,
            session: code.is_none().then(|| "s".to_owned()),
            code: code.map(str::to_owned),
            latency_us: 5,
            retries: 0,
        }
    }

    #[test]
    fn failures_in_an_outage_are_told_apart() {
        let mut record = Record::default();
        for (code, cut) in [(None, false), (None, true), (Some("late"), true), (Some("late"), false)] {
            record.hear(&sign_in(code), cut, Elapsed::default());
        }
        let s = record.sign_ins;
        assert_eq!((s.total, s.failed, s.in_outage, s.failed_in_outage), (4, 2, 2, 1));
        assert_eq!(record.news().total, 4);
        assert_eq!(record.news().total, 0);
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let mut values: Vec<u64> = (1..=100).rev().collect();
        assert_eq!((percentile(&mut values, 50), percentile(&mut values, 99)), (Some(50), Some(99)));
        assert_eq!(percentile(&mut [7], 99), Some(7));
        assert_eq!(percentile(&mut [], 50), None);
    }
}
