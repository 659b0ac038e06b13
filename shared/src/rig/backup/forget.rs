//! Letting old backups go. First the manifests, then the pieces that nothing names any more: a cut in between leaves only
//! pieces that the next `forget` sweeps.

use std::collections::BTreeSet;

use super::{BackupError, Store, manifest::Manifest, store::MANIFESTS};
use crate::time::Stamp;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What stays: of each period the newest backup, for so many periods that have one. By UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// The newest so many.
    pub last: usize,
    /// Days.
    pub daily: usize,
    /// Weeks, from Monday.
    pub weekly: usize,
    /// Months.
    pub monthly: usize,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Backups that are gone.
    pub gone: Vec<u64>,
    /// Backups that stay.
    pub kept: Vec<u64>,
    /// Bytes freed in the store.
    pub freed_bytes: u64,
}

/// Numbers a period of time.
type Period = fn(Stamp) -> i64;

/// Which backups stay. The newest always does, and so does the newest whose databases were sound.
pub fn kept(backups: &[Manifest], keep: Keep) -> BTreeSet<u64> {
    let newest_first: Vec<&Manifest> = backups.iter().rev().collect();
    let mut kept: BTreeSet<u64> = newest_first.iter().take(keep.last.max(1)).map(|m| m.number).collect();
    kept.extend(newest_first.iter().find(|m| m.unsound().is_empty()).map(|m| m.number));
    let periods: [(usize, Period); 3] = [
        (keep.daily, |at| at.0.div_euclid(DAY_MS)),
        // The first of January 1970 was a Thursday.
        (keep.weekly, |at| at.0.div_euclid(DAY_MS).saturating_add(3).div_euclid(7)),
        (keep.monthly, month),
    ];
    for (count, period) in periods {
        let mut seen = BTreeSet::new();
        for manifest in &newest_first {
            if seen.len() == count {
                break;
            }
            if seen.insert(period(manifest.made_at)) {
                kept.insert(manifest.number);
            }
        }
    }
    kept
}

/// Lets go of every backup that `keep` does not keep, and of pieces that none names. With `rehearse` it only tells.
///
/// # Errors
/// [`BackupError`]; a store with an unreadable manifest is left alone, since its pieces cannot be told from loose ones.
pub fn forget(store: &Store, keep: Keep, rehearse: bool) -> Result<Forgotten, BackupError> {
    let listed = store.list()?;
    if let Some(why) = listed.damaged.into_iter().next() {
        return Err(why);
    }
    let stay = kept(&listed.backups, keep);
    let (kept, gone): (Vec<&Manifest>, Vec<&Manifest>) =
        listed.backups.iter().partition(|manifest| stay.contains(&manifest.number));
    let mut needed = BTreeSet::new();
    for manifest in &kept {
        for (_, content) in manifest.contents() {
            for list in &content.lists {
                if needed.insert(*list) {
                    needed.extend(store.names(list)?);
                }
            }
        }
    }
    let numbers = |of: &[&Manifest]| of.iter().map(|manifest| manifest.number).collect();
    let mut done = Forgotten { gone: numbers(&gone), kept: numbers(&kept), freed_bytes: 0 };
    let (pieces, others) = store.piece_files()?;
    if !rehearse {
        for manifest in &gone {
            store.disk.remove(&store.manifest_path(manifest.number))?;
        }
        store.disk.sync_folder(&store.root.join(MANIFESTS))?;
        for unfinished in others.iter().filter(|p| p.extension().is_some_and(|e| e == super::disk::UNFINISHED)) {
            store.disk.remove(unfinished)?;
        }
    }
    for (name, size) in pieces.iter().filter(|(name, _)| !needed.contains(name)) {
        if !rehearse {
            store.disk.remove(&store.piece_path(name))?;
        }
        done.freed_bytes = done.freed_bytes.saturating_add(*size);
    }
    Ok(done)
}

fn month(at: Stamp) -> i64 {
    let (year, month, _) = date(at);
    year * 12 + month
}

/// Year, month (1 to 12) and day of a stamp, by UTC and the Gregorian calendar.
pub fn date(at: Stamp) -> (i64, i64, i64) {
    // Years are counted from March, so that the leap day is the last of a year; an era has 400 of them.
    let days = at.0.div_euclid(DAY_MS).saturating_add(719_468);
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * from_march + 2) / 5 + 1;
    let (month, carry) = if from_march < 10 { (from_march + 3, 0) } else { (from_march - 9, 1) };
    (era * 400 + year + carry, month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(number: u64, day: i64) -> Manifest {
        let made_at = Stamp(day * DAY_MS + 3_600_000);
        let (from, program) = (String::new(), String::new());
        Manifest {
            version: 1,
            number,
            id: number,
            made_at,
            from,
            owner: None,
            mode: 0o700,
            program,
            entries: Vec::new(),
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (day, said) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (19_782, (2024, 2, 29)),
            (20_453, (2025, 12, 31)),
            (20_454, (2026, 1, 1)),
            (-1, (1969, 12, 31)),
        ] {
            assert_eq!(date(Stamp(day * DAY_MS + 1)), said, "day {day}");
        }
    }

    #[test]
    fn of_a_year_of_days_a_week_a_month_and_a_year_stay() {
        let year: Vec<Manifest> = (1..=365).map(|n| made(n, 20_453 + i64::try_from(n).unwrap())).collect();
        let stay = kept(&year, Keep { last: 1, daily: 7, weekly: 5, monthly: 12 });
        assert!((359..=365).all(|day| stay.contains(&day)), "{stay:?}");
        assert!(stay.len() > 7 + 3 + 10 && stay.len() <= 7 + 5 + 12, "{}", stay.len());
        assert_eq!(kept(&year, Keep::default()).into_iter().collect::<Vec<_>>(), [365], "never none");
    }
}
