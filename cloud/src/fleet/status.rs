//! Facts and now → what the DSI sees of a school (ARCHITECTURE §5.3). Pure.
//!
//! A school shows its worst box. What cannot be known is `null`: out of contact, the exposure is unknown, and only what
//! it was at the last contact is told beside it.

use std::{collections::BTreeSet, time::Duration};

use preau_shared::{
    ids::{BoxId, Uai},
    messages::{Catalogue, Lang},
    replica::Vitals,
    time::{ClockQuality, Elapsed, Stamp},
    wire::{BoxStatus, SchoolStatus, SyncState, TabletCounts},
};

/// Age of the oldest unacknowledged entry from which a school is catching up.
pub(crate) const CATCHING_UP_AFTER: Duration = Duration::from_secs(10);
/// A certificate that ends so soon needs a person, in days.
pub(crate) const CERTIFICATE_WARNING_DAYS: i64 = 14;
const MS_PER_DAY: i64 = 24 * 3600 * 1000;

/// What needs a person, found by the coordinator or told by a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// Changes of this box were set aside unread.
    Quarantine,
    /// Both sides hold the same entries and different documents.
    DigestMismatch,
    /// What one side holds does not continue what the other holds.
    Gap,
    /// Two machines speak under this box's name.
    Clone,
    /// Restored from a backup so old that nobody keeps what is missing.
    Lost,
    /// The box speaks no version that the coordinator speaks.
    TooOld,
    /// More than a fifth of the school's badges were made void at this box within a day. It was obeyed.
    ManyVoids,
    /// The box's certificate ends within [`CERTIFICATE_WARNING_DAYS`] days.
    Certificate,
    /// The code of the school's safe was used, and no other was drawn since.
    SafeOpened,
}

impl Trouble {
    /// Key of the sentence, with its remedy, in the catalogue.
    const fn key(self) -> &'static str {
        match self {
            Self::Quarantine => "dsi-trouble-quarantine",
            Self::DigestMismatch => "dsi-trouble-digest",
            Self::Gap => "dsi-trouble-gap",
            Self::Clone => "dsi-trouble-clone",
            Self::Lost => "dsi-trouble-lost",
            Self::TooOld => "dsi-trouble-too-old",
            Self::ManyVoids => "dsi-trouble-voids",
            Self::Certificate => "dsi-trouble-certificate",
            Self::SafeOpened => "dsi-trouble-safe",
        }
    }
}

/// Whether so many of a school's badges void in a day, at one box, need a person: more than a fifth, and not the one badge
/// of a school that has five.
pub(crate) const fn is_many_voids(void: u64, badges: u64) -> bool {
    void > 1 && void.saturating_mul(5) > badges
}

/// When a box last sent a message that proved to be its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contact {
    /// Never.
    Never,
    /// Before this coordinator started: only the persisted wall stamp is left. It never counts as being in contact.
    BeforeStart(Stamp),
    /// Since then, at this moment of the coordinator's monotonic clock.
    At(Elapsed),
}

/// What the coordinator knows of one box.
#[derive(Debug, Clone)]
pub(crate) struct BoxFacts {
    /// Which box.
    pub(crate) box_id: BoxId,
    /// Its last verified message.
    pub(crate) contact: Contact,
    /// What rode on that message.
    pub(crate) vitals: Option<Vitals>,
    /// The last number of this box that the coordinator holds durably, when it knows the box's origin.
    pub(crate) held: Option<u64>,
    /// What needs a person.
    pub(crate) troubles: BTreeSet<Trouble>,
    /// A snapshot is being handed over.
    pub(crate) snapshot_running: bool,
    /// When its certificate ends.
    pub(crate) certificate_ends: Option<Stamp>,
}

/// What the coordinator knows of one school.
#[derive(Debug, Clone)]
pub(crate) struct SchoolFacts {
    /// National number.
    pub(crate) uai: Uai,
    /// Name.
    pub(crate) name: String,
    /// Its boxes, revoked ones left out.
    pub(crate) boxes: Vec<BoxFacts>,
    /// Journal entries of this school that the coordinator holds.
    pub(crate) entries: u64,
    /// What needs a person, of the school and of no box.
    pub(crate) troubles: BTreeSet<Trouble>,
}

/// Both clocks at the moment of the answer, and what counts as contact.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Monotonic.
    pub(crate) elapsed: Elapsed,
    /// Wall, for stamps from before the start and for certificates only.
    pub(crate) stamp: Stamp,
    /// MQTT keep-alive; out of contact after 1.5 times as long without a verified message.
    pub(crate) keep_alive: Duration,
}

impl Now {
    /// Silence longer than this is being out of contact.
    pub(crate) fn patience(&self) -> Duration {
        self.keep_alive.saturating_add(self.keep_alive / 2)
    }

    fn age(&self, contact: Contact) -> Option<Duration> {
        match contact {
            Contact::Never => None,
            Contact::BeforeStart(stamp) => Some(self.stamp.since(stamp)),
            Contact::At(at) => Some(self.elapsed.since(at)),
        }
    }

    fn in_contact(&self, contact: Contact) -> bool {
        match contact {
            Contact::Never | Contact::BeforeStart(_) => false,
            Contact::At(at) => self.elapsed.since(at) <= self.patience(),
        }
    }
}

impl BoxFacts {
    /// Entries that the coordinator lacks, by the last message: what the box had numbered less what is held here.
    fn unsynced(&self) -> Option<u64> {
        let vitals = self.vitals.as_ref()?;
        Some(self.held.map_or(vitals.unsynced, |held| vitals.written.saturating_sub(held)))
    }

    /// Age of the oldest of them: as the box told it, plus the time since while in contact.
    fn oldest(&self, now: Now) -> Option<Duration> {
        let told = Duration::from_millis(self.vitals.as_ref()?.oldest_unsynced_age_ms?);
        if self.unsynced()? == 0 {
            return None;
        }
        let since =
            if now.in_contact(self.contact) { now.age(self.contact).unwrap_or_default() } else { Duration::ZERO };
        Some(told.saturating_add(since))
    }

    fn certificate_days_left(&self, now: Now) -> Option<i64> {
        self.certificate_ends.map(|ends| ends.0.saturating_sub(now.stamp.0).div_euclid(MS_PER_DAY))
    }

    fn troubles(&self, now: Now) -> BTreeSet<Trouble> {
        let mut troubles = self.troubles.clone();
        if self.certificate_days_left(now).is_some_and(|days| days < CERTIFICATE_WARNING_DAYS) {
            troubles.insert(Trouble::Certificate);
        }
        troubles
    }

    fn state(&self, now: Now) -> SyncState {
        if self.contact == Contact::Never {
            SyncState::NeverSeen
        } else if !now.in_contact(self.contact) {
            SyncState::Offline
        } else if !self.troubles(now).is_empty() {
            SyncState::Attention
        } else if self.snapshot_running || self.oldest(now).is_some_and(|age| age > CATCHING_UP_AFTER) {
            SyncState::CatchingUp
        } else {
            SyncState::InSync
        }
    }

    fn status(&self, now: Now) -> BoxStatus {
        BoxStatus {
            box_id: self.box_id,
            state: self.state(now),
            last_contact_age_s: now.age(self.contact).map(|age| age.as_secs()),
            certificate_days_left: self.certificate_days_left(now),
            version: self.vitals.as_ref().map(|v| v.version.clone()),
        }
    }
}

/// The school's line. Counts of tablets in use are summed over boxes; the inventory is replicated, so its largest counts.
pub(crate) fn school_status(facts: &SchoolFacts, now: Now, words: (&Catalogue, Lang)) -> SchoolStatus {
    let boxes: Vec<BoxStatus> = facts.boxes.iter().map(|b| b.status(now)).collect();
    let worst = boxes.iter().map(|b| b.state).min().unwrap_or(SyncState::NeverSeen);
    let state = if facts.troubles.is_empty() { worst } else { worst.min(SyncState::Attention) };
    let told = || facts.boxes.iter().filter_map(|b| b.vitals.as_ref());
    let everybody_in_contact = !facts.boxes.is_empty() && facts.boxes.iter().all(|b| now.in_contact(b.contact));
    let known = facts.boxes.iter().filter_map(BoxFacts::unsynced).reduce(u64::saturating_add);
    SchoolStatus {
        uai: facts.uai.clone(),
        name: facts.name.clone(),
        training: facts.uai.is_training(),
        state,
        last_contact_age_s: boxes.iter().filter_map(|b| b.last_contact_age_s).min(),
        unsynced_entries: if everybody_in_contact { known } else { None },
        unsynced_at_last_contact: known,
        unsynced_files: told().map(|v| v.unsynced_files).fold(0, u64::saturating_add),
        oldest_unsynced_age_s: facts.boxes.iter().filter_map(|b| b.oldest(now)).max().map(|age| age.as_secs()),
        lag_s: told().filter_map(|v| v.lag_ms).max().map(|ms| Duration::from_millis(ms).as_secs_f64()),
        last_error: last_error(facts, now, words),
        clock: told().map(|v| v.clock).max_by_key(|clock| doubt(*clock)),
        version: told().map(|v| v.version.clone()).min(),
        tablets: told().fold(TabletCounts::default(), |sum, v| TabletCounts {
            total: sum.total.max(v.tablets.total),
            in_use: sum.in_use.saturating_add(v.tablets.in_use),
            wiping: sum.wiping.saturating_add(v.tablets.wiping),
            lost: sum.lost.max(v.tablets.lost),
        }),
        signed_in: told().map(|v| v.signed_in).fold(0, u32::saturating_add),
        blocklist_version: told().find_map(|v| v.blocklist_version.clone()),
        entries: facts.entries,
        boxes,
    }
}

/// The worst trouble in words with its remedy; else what a box told of itself.
fn last_error(facts: &SchoolFacts, now: Now, (catalogue, lang): (&Catalogue, Lang)) -> Option<String> {
    let found = facts.boxes.iter().flat_map(|b| b.troubles(now)).chain(facts.troubles.iter().copied()).min();
    found
        .map(|trouble| catalogue.say(lang, trouble.key()).into_owned())
        .or_else(|| facts.boxes.iter().filter_map(|b| b.vitals.as_ref()).find_map(|v| v.last_error.clone()))
}

const fn doubt(clock: ClockQuality) -> u8 {
    match clock {
        ClockQuality::Synchronised => 0,
        ClockQuality::Carried => 1,
        ClockQuality::Unknown => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP_ALIVE: Duration = Duration::from_secs(4);

    fn at(seconds: u64) -> Now {
        Now { elapsed: Elapsed(Duration::from_secs(seconds)), stamp: Stamp(1_000_000_000), keep_alive: KEEP_ALIVE }
    }

    fn vitals(written: u64, unsynced: u64, oldest_ms: Option<u64>) -> Vitals {
        Vitals {
            tablets: TabletCounts { total: 30, in_use: 12, wiping: 1, lost: 0 },
            signed_in: 13,
            written,
            unsynced,
            oldest_unsynced_age_ms: oldest_ms,
            lag_ms: Some(250),
            clock: ClockQuality::Synchronised,
            version: "0.1.0".into(),
            blocklist_version: None,
            last_error: None,
            unsynced_files: 0,
        }
    }

    fn heard(seconds: u64, held: u64, vitals: Vitals) -> BoxFacts {
        BoxFacts {
            box_id: BoxId::from_bytes([1; 16]),
            contact: Contact::At(Elapsed(Duration::from_secs(seconds))),
            vitals: Some(vitals),
            held: Some(held),
            troubles: BTreeSet::new(),
            snapshot_running: false,
            certificate_ends: None,
        }
    }

    fn check(boxes: Vec<BoxFacts>, now: Now) -> SchoolStatus {
        check_with(boxes, BTreeSet::new(), now)
    }

    fn check_with(boxes: Vec<BoxFacts>, troubles: BTreeSet<Trouble>, now: Now) -> SchoolStatus {
        let (uai, name) = ("0900001A".parse().expect("uai"), "Jean Moulin".into());
        let facts = SchoolFacts { uai, name, boxes, entries: 7, troubles };
        school_status(&facts, now, (&Catalogue::load(), Lang::En))
    }

    #[test]
    fn a_school_whose_box_never_spoke_is_never_seen() {
        let mut silent = heard(0, 0, vitals(0, 0, None));
        silent.contact = Contact::Never;
        silent.vitals = None;
        for boxes in [vec![], vec![silent]] {
            let status = check(boxes, at(100));
            assert_eq!(status.state, SyncState::NeverSeen);
            assert_eq!((status.last_contact_age_s, status.unsynced_entries), (None, None));
        }
    }

    #[test]
    fn out_of_contact_the_exposure_is_unknown_and_the_last_one_is_told() {
        let status = check(vec![heard(10, 40, vitals(47, 7, Some(900)))], at(17));
        assert_eq!(status.state, SyncState::Offline);
        assert_eq!(status.last_contact_age_s, Some(7));
        assert_eq!((status.unsynced_entries, status.unsynced_at_last_contact), (None, Some(7)));
        let still = check(vec![heard(10, 40, vitals(47, 7, Some(900)))], at(16));
        assert_eq!(still.state, SyncState::InSync, "six seconds are one and a half keep-alives");
        assert_eq!(still.unsynced_entries, Some(7));
    }

    #[test]
    fn after_a_restart_the_persisted_contact_is_an_age_and_not_a_contact() {
        let mut before = heard(0, 0, vitals(0, 0, None));
        before.contact = Contact::BeforeStart(Stamp(1_000_000_000 - 90_000));
        let status = check(vec![before], at(1));
        assert_eq!((status.state, status.last_contact_age_s), (SyncState::Offline, Some(90)));
    }

    #[test]
    fn an_old_entry_or_a_snapshot_is_catching_up() {
        let old = heard(10, 40, vitals(47, 7, Some(9_500)));
        assert_eq!(check(vec![old.clone()], at(10)).state, SyncState::InSync);
        assert_eq!(check(vec![old.clone()], at(11)).state, SyncState::CatchingUp);
        let caught_up = BoxFacts { held: Some(47), ..old };
        assert_eq!(check(vec![caught_up.clone()], at(11)).state, SyncState::InSync);
        let snapshot = BoxFacts { snapshot_running: true, ..caught_up };
        assert_eq!(check(vec![snapshot], at(11)).state, SyncState::CatchingUp);
    }

    #[test]
    fn what_needs_a_person_is_said_with_its_remedy() {
        for trouble in [
            Trouble::Quarantine,
            Trouble::DigestMismatch,
            Trouble::Gap,
            Trouble::Clone,
            Trouble::TooOld,
            Trouble::Certificate,
        ] {
            let mut facts = heard(10, 0, vitals(0, 0, None));
            facts.troubles.insert(trouble);
            let status = check(vec![facts], at(11));
            assert_eq!(status.state, SyncState::Attention);
            assert!(status.last_error.is_some_and(|e| !e.starts_with("dsi-")), "{trouble:?}");
        }
        let mut facts = heard(10, 0, vitals(0, 0, None));
        facts.certificate_ends = Some(Stamp(1_000_000_000 + 13 * MS_PER_DAY));
        assert_eq!(check(vec![facts], at(11)).state, SyncState::Attention);
    }

    #[test]
    fn a_safe_that_was_opened_needs_a_person_until_another_envelope_is_printed() {
        let well = || vec![heard(10, 0, vitals(0, 0, None))];
        let status = check_with(well(), [Trouble::SafeOpened].into(), at(11));
        assert_eq!(status.state, SyncState::Attention);
        assert!(status.last_error.is_some_and(|words| words.contains("safe-code")));
        let away = check_with(well(), [Trouble::SafeOpened].into(), at(100));
        assert_eq!(away.state, SyncState::Offline, "and hides nothing worse");
        assert_eq!(check(well(), at(11)).state, SyncState::InSync);
    }

    #[test]
    fn the_worst_box_counts() {
        let well = heard(10, 0, vitals(0, 0, None));
        let gone = heard(1, 0, vitals(3, 3, Some(10)));
        let status = check(vec![well, gone], at(11));
        assert_eq!((status.state, status.unsynced_entries), (SyncState::Offline, None));
        assert_eq!((status.last_contact_age_s, status.unsynced_at_last_contact), (Some(1), Some(3)));
        assert_eq!((status.tablets.total, status.tablets.in_use), (30, 24));
    }

    #[test]
    fn more_than_a_fifth_of_the_badges_in_a_day_needs_a_person() {
        let many = |void, badges, expected| assert_eq!(is_many_voids(void, badges), expected, "{void} of {badges}");
        many(1, 1, false);
        many(24, 120, false);
        many(25, 120, true);
        many(2, 0, true);
        let mut hasty = heard(10, 5, vitals(5, 0, None));
        hasty.troubles.insert(Trouble::ManyVoids);
        let status = check(vec![hasty], at(11));
        assert_eq!(status.state, SyncState::Attention);
        assert!(status.last_error.is_some_and(|words| words.contains("badges")));
    }
}
