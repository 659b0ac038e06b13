//! Eyes on the pilot: hears the tablets, reads each box's own exposure once a second, times how long a box takes to
//! catch up after a cut.

use std::{sync::Arc, time::Duration};

use preau_shared::time::Elapsed;
use serde_json::json;
use tokio::{
    io::{BufReader, Lines},
    process::ChildStdout,
    time::{MissedTickBehavior, interval, sleep},
};

use super::{
    record::{Cut, SignIns},
    stage::{School, Stage},
    view::View,
};
use crate::{admin, tablets::news::News};

/// How often exposure is read and sign-ins are summed up.
const TICK: Duration = Duration::from_secs(1);
/// How often the box is asked while it catches up.
const CATCH_UP_PAUSE: Duration = Duration::from_millis(50);
/// After so long a box that has not caught up is given up.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(60);

/// Takes in what the tablets tell, until they end.
pub(super) async fn hear(stage: Arc<Stage>, mut lines: Lines<BufReader<ChildStdout>>) {
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(news) = serde_json::from_str::<News>(&line) else {
            tracing::warn!("the tablets said something unknown");
            continue;
        };
        let uai = match &news {
            News::Enrolled { uai }
            | News::SignIn { uai, .. }
            | News::Freed { uai }
            | News::LookUp { uai, .. }
            | News::Oddity { uai, .. } => uai,
        };
        if let Some(school) = stage.schools.iter().find(|s| s.uai == *uai) {
            let cut = school.wan.line().is_cut();
            school.record().hear(&news, cut, stage.clock.elapsed());
        }
    }
}

/// Once a second: exposure and sign-ins of every school, told and shown.
pub(super) async fn tick(stage: Arc<Stage>, view: Arc<View>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for school in &stage.schools {
            let seen = admin::box_state(school.admin).await;
            let sign_ins = {
                let mut record = school.record();
                if let Ok(state) = &seen {
                    record.observe(state.clone());
                }
                record.news()
            };
            tell(&stage, school, sign_ins, seen.is_ok());
            view.show(school);
        }
    }
}

fn tell(stage: &Stage, school: &School, sign_ins: SignIns, reachable: bool) {
    let t_s = stage.clock.elapsed().0.as_secs();
    if sign_ins.total > 0 {
        let ok = sign_ins.total.saturating_sub(sign_ins.failed);
        stage.reader.tell(&json!({
            "event": "sign_in", "t_s": t_s, "uai": school.uai, "ok": ok, "failed": sign_ins.failed,
            "retries": sign_ins.retries, "wan": school.wan.line(),
        }));
    }
    let record = school.record();
    let Some(state) = record.state.as_ref().filter(|_| reachable) else {
        stage.reader.tell(&json!({ "event": "exposure", "t_s": t_s, "uai": school.uai, "entries": null }));
        return;
    };
    stage.reader.tell(&json!({
        "event": "exposure", "t_s": t_s, "uai": school.uai, "entries": state.exposure.entries,
        "oldest_age_ms": state.exposure.oldest_age_ms, "written": state.written,
        "acknowledged": state.acknowledged, "connected": state.wan.connected,
    }));
}

/// Follows one school's line: notes each cut, and how the box catches up after it.
pub(super) async fn follow(stage: Arc<Stage>, at: usize, view: Arc<View>) {
    let Some(school) = stage.schools.get(at) else { return };
    let mut line = school.wan.watch();
    let mut was_cut = false;
    while line.changed().await.is_ok() {
        let now = *line.borrow_and_update();
        let t_s = stage.clock.elapsed().0.as_secs();
        stage.reader.tell(&json!({ "event": "wan", "t_s": t_s, "uai": school.uai, "wan": now }));
        match (was_cut, now.is_cut()) {
            (false, true) => {
                view.announce(&format!("{}: the Internet is cut", school.name));
                begin(&stage, school);
            }
            (true, false) => {
                view.announce(&format!("{}: the Internet is back", school.name));
                end(&stage, school);
                let (stage, view) = (Arc::clone(&stage), Arc::clone(&view));
                tokio::spawn(async move { catch_up(&stage, at, &view).await });
            }
            (false, false) | (true, true) => {}
        }
        was_cut = now.is_cut();
    }
}

fn begin(stage: &Stage, school: &School) {
    let mut record = school.record();
    let before = record.state.as_ref().map_or(0, |s| s.exposure.entries);
    record.cuts.push(Cut { exposure_before: before, exposure_peak: before, ..Cut::default() });
    record.cut_since = Some(stage.clock.elapsed());
}

fn end(stage: &Stage, school: &School) {
    let mut record = school.record();
    let began = record.cut_since.take().unwrap_or_default();
    let now = stage.clock.elapsed();
    let length = now.since(began);
    record.cut_until = Some(now);
    if let Some(cut) = record.cuts.last_mut() {
        cut.length_ms = u64::try_from(length.as_millis()).ok();
    }
}

/// Times how long it takes until everything written before the end of the cut is acknowledged.
async fn catch_up(stage: &Stage, at: usize, view: &View) {
    let Some(school) = stage.schools.get(at) else { return };
    let began: Elapsed = stage.clock.elapsed();
    let which = school.record().cuts.len().saturating_sub(1);
    let mut written = None;
    loop {
        if let Ok(state) = admin::box_state(school.admin).await {
            let written = *written.get_or_insert(state.written);
            if state.acknowledged >= written {
                break;
            }
        }
        if stage.clock.elapsed().since(began) > CATCH_UP_PATIENCE {
            return;
        }
        sleep(CATCH_UP_PAUSE).await;
    }
    let took_ms = u64::try_from(stage.clock.elapsed().since(began).as_millis()).unwrap_or(u64::MAX);
    if let Some(cut) = school.record().cuts.get_mut(which) {
        cut.synced_ms = Some(took_ms);
    }
    let t_s = stage.clock.elapsed().0.as_secs();
    stage.reader.tell(&json!({
        "event": "synced", "t_s": t_s, "uai": school.uai, "after_ms": took_ms, "number": written,
    }));
    view.announce(&format!("{}: everything from the outage has arrived, after {took_ms} ms", school.name));
}
