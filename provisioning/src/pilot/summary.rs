//! The end of a run: what was counted, what the boxes and the coordinator hold by identifier, and which promises were
//! kept.

use std::{collections::BTreeMap, fs, sync::atomic::Ordering, time::Duration};

use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    record::{Cut, LookUps, SignIns, percentile},
    stage::{School, Stage},
};
use crate::admin;

/// Everything must have arrived so long after the last tablet stopped.
const SETTLE_PATIENCE: Duration = Duration::from_secs(20);
/// Pause between two looks.
const SETTLE_PAUSE: Duration = Duration::from_millis(200);
/// After the end of a cut, what was written before it is acknowledged within this time.
const SYNC_LIMIT_MS: u64 = 5_000;
/// A timed run of at least a minute shows so many sign-ins.
const SIGN_INS_WANTED: u64 = 500;
/// Anonymous memory of a box, in kB.
const EDGE_LIMIT_KB: u64 = 40 * 1024;
/// Anonymous memory of the coordinator, in kB.
const CLOUD_LIMIT_KB: u64 = 100 * 1024;

/// Entries at a school's box against those at the coordinator, by identifier.
#[derive(Debug, Clone, Default, Serialize)]
struct Entries {
    /// Behind what the box acknowledged to tablets; it writes more (staff, ends from elsewhere).
    acknowledged: u64,
    at_box: usize,
    at_coordinator: usize,
    /// At the box and not at the coordinator.
    lost: usize,
    /// Held twice by either.
    doubled: usize,
    /// Of those the box wrote: at the coordinator and not at the box.
    unknown_to_box: usize,
    /// Sessions that a tablet was told of, and whose sign-in the coordinator does not hold.
    missing_sign_ins: usize,
}

/// Memory of a process, in kB (Linux, `/proc/<pid>/status`).
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Memory {
    rss_anon_kb: u64,
    rss_file_kb: u64,
}

#[derive(Debug, Clone, Serialize)]
struct SchoolSum {
    uai: String,
    name: String,
    tablets: u64,
    sign_ins: SignIns,
    failures: BTreeMap<String, u64>,
    look_ups: LookUps,
    entries: Entries,
    outages: Vec<Cut>,
    exposure_now: Option<u64>,
    lag_s: Option<f64>,
    version: Option<String>,
    memory: Option<Memory>,
    restarts: u32,
    oddities: Vec<String>,
    more_oddities: u64,
}

/// What a run came to.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Summary {
    version: &'static str,
    ran_s: u64,
    sign_ins: SignIns,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    look_ups: LookUps,
    entries: Entries,
    kills: u32,
    cloud_memory: Option<Memory>,
    cloud_restarts: u32,
    schools: Vec<SchoolSum>,
    /// Promises that were not kept, in words; empty when all were.
    pub(super) broken: Vec<String>,
}

/// Waits until all has arrived, then counts. `timed` holds the run to the promises of a timed one.
pub(super) async fn sum_up(stage: &Stage, timed: bool) -> Summary {
    settle(stage).await;
    let fleet = stage.cloud.api.schools().await.unwrap_or_default();
    let mut latencies = Vec::new();
    let mut schools = Vec::new();
    let mut broken = Vec::new();
    for school in &stage.schools {
        let entries = compare(stage, school).await.unwrap_or_else(|error| {
            broken.push(format!("{}: entries cannot be compared: {error:#}", school.uai));
            Entries::default()
        });
        let status = fleet.iter().find(|s| s.uai == school.uai);
        let record = school.record();
        let entries = Entries { acknowledged: record.acknowledged, ..entries };
        latencies.extend(&record.latencies_us);
        schools.push(SchoolSum {
            uai: school.uai.to_string(),
            name: school.name.clone(),
            tablets: record.tablets,
            sign_ins: record.sign_ins,
            failures: record.failures.clone(),
            look_ups: record.look_ups,
            entries,
            outages: record.cuts.clone(),
            exposure_now: record.state.as_ref().map(|s| s.exposure.entries),
            lag_s: status.and_then(|s| s.lag_s),
            version: status.and_then(|s| s.version.clone()),
            memory: school.process.state().pid.and_then(memory),
            restarts: school.process.state().starts.saturating_sub(1),
            oddities: record.oddities.clone(),
            more_oddities: record.more_oddities,
        });
    }
    let ms = |us: u64| f64::from(u32::try_from(us).unwrap_or(u32::MAX)) / 1_000.0;
    let mut summary = Summary {
        version: env!("CARGO_PKG_VERSION"),
        ran_s: stage.clock.elapsed().0.as_secs(),
        sign_ins: total_sign_ins(&schools),
        p50_ms: percentile(&mut latencies, 50).map(ms),
        p99_ms: percentile(&mut latencies, 99).map(ms),
        look_ups: total_look_ups(&schools),
        entries: total_entries(&schools),
        kills: stage.kills.load(Ordering::Relaxed),
        cloud_memory: stage.cloud.process.state().pid.and_then(memory),
        cloud_restarts: stage.cloud.process.state().starts.saturating_sub(1),
        schools,
        broken,
    };
    summary.judge(timed);
    summary
}

/// Until no box has anything that the coordinator has not acknowledged, or patience ends.
async fn settle(stage: &Stage) {
    let began = stage.clock.elapsed();
    for school in &stage.schools {
        while stage.clock.elapsed().since(began) < SETTLE_PATIENCE {
            if let Ok(state) = admin::box_state(school.admin).await {
                let settled = state.exposure.entries == 0;
                school.record().observe(state);
                let timing = school.record().cuts.iter().any(|c| c.synced_ms.is_none());
                if settled && !timing {
                    break;
                }
            }
            sleep(SETTLE_PAUSE).await;
        }
    }
}

/// Names of entries with how often each occurs.
fn names(lines: &[u8]) -> anyhow::Result<BTreeMap<(String, u64), usize>> {
    #[derive(serde::Deserialize)]
    struct Name {
        origin: String,
        number: u64,
    }
    let mut names = BTreeMap::new();
    for name in serde_json::Deserializer::from_slice(lines).into_iter::<Name>() {
        let name = name.context("a list of entries is not readable")?;
        *names.entry((name.origin, name.number)).or_default() += 1;
    }
    Ok(names)
}

async fn compare(stage: &Stage, school: &School) -> anyhow::Result<Entries> {
    let at_box = names(&admin::get(school.admin, "/admin/v1/entries").await?)?;
    let at_coordinator = names(&stage.cloud.api.entries(&school.uai).await?)?;
    let held = stage.cloud.api.sign_ins(&school.uai).await?;
    let origin = admin::box_state(school.admin).await?.origin;
    let box_id = origin.split('.').next().unwrap_or_default();
    let missing_sign_ins = school.record().sessions.difference(&held).count();
    Ok(Entries { missing_sign_ins, ..reconcile(box_id, &at_box, &at_coordinator) })
}

/// What one side holds and the other does not. A box that began with a snapshot lacks what others wrote before; what it
/// wrote itself, in all its lives, it must know.
fn reconcile(
    box_id: &str,
    at_box: &BTreeMap<(String, u64), usize>,
    at_coordinator: &BTreeMap<(String, u64), usize>,
) -> Entries {
    let twice = |names: &BTreeMap<_, usize>| names.values().filter(|n| **n > 1).count();
    Entries {
        acknowledged: 0,
        at_box: at_box.len(),
        at_coordinator: at_coordinator.len(),
        lost: at_box.keys().filter(|name| !at_coordinator.contains_key(*name)).count(),
        doubled: twice(at_box).saturating_add(twice(at_coordinator)),
        unknown_to_box: at_coordinator
            .keys()
            .filter(|name| name.0.split('.').next() == Some(box_id) && !at_box.contains_key(*name))
            .count(),
        missing_sign_ins: 0,
    }
}

fn memory(pid: u32) -> Option<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kb = |name: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(name))?;
        line.trim_start_matches(':').trim().trim_end_matches("kB").trim().parse().ok()
    };
    Some(Memory { rss_anon_kb: kb("RssAnon")?, rss_file_kb: kb("RssFile")? })
}

fn total_sign_ins(schools: &[SchoolSum]) -> SignIns {
    schools.iter().fold(SignIns::default(), |sum, s| SignIns {
        total: sum.total.saturating_add(s.sign_ins.total),
        failed: sum.failed.saturating_add(s.sign_ins.failed),
        in_outage: sum.in_outage.saturating_add(s.sign_ins.in_outage),
        failed_in_outage: sum.failed_in_outage.saturating_add(s.sign_ins.failed_in_outage),
        retries: sum.retries.saturating_add(s.sign_ins.retries),
        pairs: sum.pairs.saturating_add(s.sign_ins.pairs),
        let_ins: sum.let_ins.saturating_add(s.sign_ins.let_ins),
        refused_void: sum.refused_void.saturating_add(s.sign_ins.refused_void),
    })
}

fn total_look_ups(schools: &[SchoolSum]) -> LookUps {
    schools.iter().fold(LookUps::default(), |sum, s| LookUps {
        blocked: sum.blocked.saturating_add(s.look_ups.blocked),
        allowed: sum.allowed.saturating_add(s.look_ups.allowed),
        unanswered_in_outage: sum.unanswered_in_outage.saturating_add(s.look_ups.unanswered_in_outage),
        unanswered: sum.unanswered.saturating_add(s.look_ups.unanswered),
        wrong: sum.wrong.saturating_add(s.look_ups.wrong),
    })
}

fn total_entries(schools: &[SchoolSum]) -> Entries {
    schools.iter().fold(Entries::default(), |sum, s| Entries {
        acknowledged: sum.acknowledged.saturating_add(s.entries.acknowledged),
        at_box: sum.at_box.saturating_add(s.entries.at_box),
        at_coordinator: sum.at_coordinator.saturating_add(s.entries.at_coordinator),
        lost: sum.lost.saturating_add(s.entries.lost),
        doubled: sum.doubled.saturating_add(s.entries.doubled),
        unknown_to_box: sum.unknown_to_box.saturating_add(s.entries.unknown_to_box),
        missing_sign_ins: sum.missing_sign_ins.saturating_add(s.entries.missing_sign_ins),
    })
}

impl Summary {
    /// Holds the run to the promises; what was not kept is named.
    fn judge(&mut self, timed: bool) {
        let mut broken = std::mem::take(&mut self.broken);
        let mut promise = |kept: bool, otherwise: String| {
            if !kept {
                broken.push(otherwise);
            }
        };
        let e = &self.entries;
        promise(e.lost == 0, format!("{} entries of the boxes did not reach the coordinator", e.lost));
        promise(e.doubled == 0, format!("{} entries are held twice", e.doubled));
        promise(e.unknown_to_box == 0, format!("{} entries are unknown to the box that wrote them", e.unknown_to_box));
        let missing = e.missing_sign_ins;
        promise(missing == 0, format!("{missing} sessions that a tablet was told of are not at the coordinator"));
        let held = u64::try_from(e.at_coordinator.min(e.at_box)).unwrap_or(u64::MAX);
        promise(e.acknowledged <= held, format!("{} entries were acknowledged, {held} are held", e.acknowledged));
        promise(
            self.sign_ins.failed_in_outage == 0,
            format!("{} sign-ins failed in an outage", self.sign_ins.failed_in_outage),
        );
        promise(self.sign_ins.failed == 0, format!("{} sign-ins failed", self.sign_ins.failed));
        promise(self.look_ups.wrong == 0, format!("{} look-ups had the wrong verdict", self.look_ups.wrong));
        promise(
            self.look_ups.unanswered == 0 || self.kills > 0,
            format!("{} look-ups were not answered though no box was killed", self.look_ups.unanswered),
        );
        promise(
            self.sign_ins.retries == 0 || self.kills > 0,
            format!("{} requests lost their box though none was killed", self.sign_ins.retries),
        );
        for s in &self.schools {
            for (number, cut) in (1..).zip(&s.outages) {
                let on_time = cut.synced_ms.is_some_and(|ms| ms <= SYNC_LIMIT_MS);
                let took = cut.synced_ms.map_or_else(|| "never".to_owned(), |ms| format!("{ms} ms"));
                promise(on_time, format!("{}: outage {number} was caught up after {took}, not within 5 s", s.uai));
                let rose = cut.exposure_peak > cut.exposure_before || s.sign_ins.in_outage == 0;
                promise(rose, format!("{}: the box's exposure did not rise in outage {number}", s.uai));
            }
            promise(
                s.memory.is_none_or(|m| m.rss_anon_kb <= EDGE_LIMIT_KB),
                format!("{}: the box uses more than {} MB of memory", s.uai, EDGE_LIMIT_KB / 1024),
            );
        }
        promise(
            self.cloud_memory.is_none_or(|m| m.rss_anon_kb <= CLOUD_LIMIT_KB),
            format!("the coordinator uses more than {} MB of memory", CLOUD_LIMIT_KB / 1024),
        );
        if timed {
            promise(self.schools.iter().all(|s| !s.outages.is_empty()), "there was no outage".to_owned());
            let wanted = if self.ran_s >= 60 { SIGN_INS_WANTED } else { 1 };
            promise(self.sign_ins.total >= wanted, format!("only {} sign-ins, {wanted} wanted", self.sign_ins.total));
        }
        self.broken = broken;
    }

    /// The last line of `--json`.
    pub(super) fn as_event(&self) -> Value {
        let mut event = json!(self);
        if let Some(members) = event.as_object_mut() {
            members.insert("event".into(), json!("summary"));
            members.insert("kept".into(), json!(self.broken.is_empty()));
        }
        event
    }

    /// For a person.
    pub(super) fn in_words(&self) -> String {
        let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.1} ms"));
        let mut text = format!(
            "\nSign-ins        {} ({} pairs, {} let in), {} failed; {} in an outage, {} of them failed; {} repeated for a killed box\n\
             Answered in     {} (half), {} (99 of 100)\n\
             Names           {} blocked, {} allowed, {} not asked for lack of Internet, {} unanswered, {} wrong\n\
             Entries         {} acknowledged, {} at the boxes, {} at the coordinator; {} lost, {} doubled\n",
            self.sign_ins.total,
            self.sign_ins.pairs,
            self.sign_ins.let_ins,
            self.sign_ins.failed,
            self.sign_ins.in_outage,
            self.sign_ins.failed_in_outage,
            self.sign_ins.retries,
            ms(self.p50_ms),
            ms(self.p99_ms),
            self.look_ups.blocked,
            self.look_ups.allowed,
            self.look_ups.unanswered_in_outage,
            self.look_ups.unanswered,
            self.look_ups.wrong,
            self.entries.acknowledged,
            self.entries.at_box,
            self.entries.at_coordinator,
            self.entries.lost,
            self.entries.doubled,
        );
        let mega = |m: Option<Memory>| {
            m.map_or_else(
                || "-".to_owned(),
                |m| format!("{:.1} MB, mapped {:.1} MB", mb(m.rss_anon_kb), mb(m.rss_file_kb)),
            )
        };
        text +=
            &format!("Coordinator     memory {}; restarted {} times\n", mega(self.cloud_memory), self.cloud_restarts);
        for s in &self.schools {
            text += &format!(
                "{}: {} sign-ins, memory {}, restarted {} times\n",
                s.name,
                s.sign_ins.total,
                mega(s.memory),
                s.restarts
            );
            for cut in &s.outages {
                let length = cut.length_ms.unwrap_or(0) / 1_000;
                let caught_up = cut.synced_ms.map_or_else(|| "never".to_owned(), |t| format!("{t} ms after"));
                text += &format!(
                    "  outage of {length} s: {} entries on the box only before, {} at most; all arrived {caught_up}\n",
                    cut.exposure_before, cut.exposure_peak,
                );
            }
            for oddity in &s.oddities {
                text += &format!("  odd: {oddity}\n");
            }
        }
        if self.broken.is_empty() {
            text += "\nAll promises kept.";
        } else {
            text += "\nPromises not kept:";
            for promise in &self.broken {
                text += &format!("\n  - {promise}");
            }
        }
        text
    }
}

fn mb(kb: u64) -> f64 {
    f64::from(u32::try_from(kb).unwrap_or(u32::MAX)) / 1_024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_or_doubled_is_found_by_name() {
        let at_box = names(b"{\"origin\":\"a.1\",\"number\":1}\n{\"origin\":\"a.1\",\"number\":2}\n").expect("lines");
        let text = br#"{"origin":"a.1","number":2}{"origin":"a.1","number":2}{"origin":"a.1","number":3}{"origin":"c.1","number":1}"#;
        let entries = reconcile("a", &at_box, &names(text).expect("list"));
        assert_eq!((entries.at_box, entries.at_coordinator), (2, 3));
        assert_eq!((entries.lost, entries.doubled, entries.unknown_to_box), (1, 1, 1));
        assert!(names(b"{\"origin\":1}").is_err());
    }

    #[test]
    fn our_own_memory_is_read() {
        let memory = memory(std::process::id()).expect("Linux");
        assert!(memory.rss_anon_kb > 0);
    }
}
