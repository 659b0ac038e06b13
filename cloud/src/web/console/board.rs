//! The DSI's page: where each school stands, the most troubled first; live by events, row by row.
//!
//! One renderer: the first page and every later change are the same templates, filled here. What ticks (ages) is counted
//! by the page from the receipt of an age, never from a clock of the server, and stands outside the rows' text, so that
//! a row travels only when something else changed.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use preau_shared::{
    ids::Uai,
    messages::{Catalogue, Lang},
    rig::reply::Problem,
    time::ClockQuality,
    wire::{SchoolStatus, SyncState, TabletCounts},
};
use serde::Serialize;

use super::html;
use crate::web::{
    Web,
    caller::{Administrator, Asked},
    problem,
};

/// A certificate's end is shown from so many days before.
const SHOW_CERTIFICATE_DAYS: i64 = 30;

/// A block list's version may be a hash: so much of it tells two apart.
const LIST_VERSION_CHARS: usize = 10;

/// Sentences in one language.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Words<'a> {
    pub(in crate::web) catalogue: &'a Catalogue,
    pub(in crate::web) lang: Lang,
}

impl Words<'_> {
    pub(in crate::web) fn say(&self, key: &str) -> String {
        self.catalogue.say(self.lang, key).into_owned()
    }
    pub(in crate::web) fn with(&self, key: &str, args: &[(&str, &str)]) -> String {
        self.catalogue.say_with(self.lang, key, args).into_owned()
    }
    pub(in crate::web) fn tag(&self) -> &'static str {
        self.lang.tag()
    }
    /// A sentence that counts.
    fn count(&self, key: &str, n: u64) -> String {
        let many = match n {
            0 => "none",
            1 => "one",
            _ => "other",
        };
        self.with(key, &[("n", &n.to_string()), ("many", many)])
    }
    /// `territoire-de-belfort` → `Territoire de belfort`.
    pub(in crate::web) fn territory(&self, slug: &str) -> String {
        let text = slug.replace('-', " ");
        let mut letters = text.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    }
    /// A duration as people say it.
    fn age(&self, seconds: u64) -> String {
        let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
        let part = |key: &str, n: u64| self.with(key, &[("n", &n.to_string())]);
        match (seconds, minutes % 60) {
            (0..60, _) => part("dsi-age-s", seconds),
            (60..3_600, _) => part("dsi-age-min", minutes),
            (3_600..86_400, 0) => part("dsi-age-h", hours),
            (3_600..86_400, rest) => self.with("dsi-age-h-min", &[("n", &hours.to_string()), ("m", &rest.to_string())]),
            _ => part("dsi-age-d", days),
        }
    }
    fn ago(&self, seconds: Option<u64>) -> String {
        match seconds {
            None => self.say("dsi-contact-never"),
            Some(0..3) => self.say("dsi-ago-now"),
            Some(seconds) => self.with("dsi-ago", &[("age", &self.age(seconds))]),
        }
    }
    /// Seconds with one decimal, by the language's comma; what is shorter is `< 0,1 s`.
    fn seconds(&self, seconds: f64) -> String {
        let text = if seconds < 0.1 { "< 0.1".to_owned() } else { format!("{seconds:.1}") };
        let text = match self.lang {
            Lang::Fr => text.replace('.', ","),
            Lang::En => text,
        };
        self.with("dsi-age-s", &[("n", &text)])
    }
}

/// Patterns that the page fills in by itself, second after second.
#[derive(Serialize)]
struct Patterns {
    never: String,
    now: String,
    ago: String,
    since: String,
    lost: String,
    live: String,
    s: String,
    min: String,
    h: String,
    h_min: String,
    d: String,
}

impl Patterns {
    fn of(words: Words<'_>) -> Self {
        let n = [("n", "{n}"), ("m", "{m}")];
        Self {
            never: words.say("dsi-contact-never"),
            now: words.say("dsi-ago-now"),
            ago: words.with("dsi-ago", &[("age", "{age}")]),
            since: words.with("dsi-unsynced-unknown", &[("age", "{age}")]),
            lost: words.with("dsi-lost", &[("ago", "{ago}")]),
            live: words.say("dsi-live"),
            s: words.with("dsi-age-s", &n),
            min: words.with("dsi-age-min", &n),
            h: words.with("dsi-age-h", &n),
            h_min: words.with("dsi-age-h-min", &n),
            d: words.with("dsi-age-d", &n),
        }
    }
}

#[derive(Template)]
#[template(path = "console/board.html")]
struct Page<'a> {
    words: Words<'a>,
    assets: &'a str,
    territory: &'a str,
    summary: String,
    rows: Vec<String>,
    patterns: String,
}

#[derive(Template)]
#[template(path = "console/board_summary.html")]
struct Summary<'a> {
    words: Words<'a>,
    state: &'static str,
    headline: String,
    note: bool,
    in_use: u64,
    signed_in: u64,
    unsynced: u64,
    unknown: u64,
    any: bool,
}

#[derive(Template)]
#[template(path = "console/board_row.html")]
struct Row<'a> {
    words: Words<'a>,
    school: &'a SchoolStatus,
    state: &'static str,
    /// Texts that tick, for a page without scripts; empty in events.
    ago: String,
    since: String,
    /// Out of contact: what is shown is what was last told.
    stale: bool,
    unsynced: String,
    oldest: String,
    files: String,
    lag: String,
    bar: Bar,
    details: Vec<String>,
    in_use: String,
    /// Tablets being wiped, lost ones: in words, those that are.
    others: Vec<String>,
    state_word: String,
    clock: String,
    /// The clock may be anything.
    doubtful: bool,
}

/// Shares of the tablets, in percent of the bar's width.
#[derive(Debug, PartialEq, Eq)]
struct Bar {
    in_use: u32,
    wiping: u32,
    lost: u32,
    /// Where the lost ones begin, at the bar's end.
    lost_from: u32,
}

impl Bar {
    fn of(tablets: TabletCounts) -> Self {
        let share = |part: u32| part.min(tablets.total).saturating_mul(100).checked_div(tablets.total).unwrap_or(0);
        let (in_use, wiping, lost) = (share(tablets.in_use), share(tablets.wiping), share(tablets.lost));
        Self { in_use, wiping, lost, lost_from: 100_u32.saturating_sub(lost) }
    }
}

/// `GET /`: the page; who is not signed in is led to the sign-in.
pub(in crate::web) async fn page(
    signed_in: Option<Administrator>,
    Asked(lang): Asked,
    State(web): State<Web>,
) -> Result<Response, Problem> {
    if signed_in.is_none() {
        return Ok(Redirect::to("/login").into_response());
    }
    let schools = web.fleet.schools(lang).await.map_err(problem::shelf)?;
    let words = Words { catalogue: &web.app.catalogue, lang };
    Ok(html(&whole(words, schools, (&web.assets, &web.app.config.territory)))?.into_response())
}

fn whole<'a>(words: Words<'a>, schools: Vec<SchoolStatus>, (assets, territory): (&'a str, &'a str)) -> Page<'a> {
    let schools = by_trouble(schools);
    let patterns = serde_json::to_string(&Patterns::of(words)).unwrap_or_default();
    Page {
        words,
        assets,
        territory,
        summary: summary(words, &schools),
        rows: schools.iter().map(|school| row(words, school, true)).collect(),
        // A closing tag inside the data would end its element.
        patterns: patterns.replace('<', "\\u003c"),
    }
}

/// What one open page was told, so that it is told changes only.
#[derive(Debug, Default)]
pub(in crate::web) struct Changes {
    summary: String,
    order: Vec<Uai>,
    rows: BTreeMap<Uai, String>,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<&'a [Uai]>,
    rows: BTreeMap<Uai, String>,
    ages: BTreeMap<Uai, Option<u64>>,
}

impl Changes {
    /// The event's data: what changed, and every age; `None` when only ages moved and no beat is due.
    pub(in crate::web) fn of(&mut self, words: Words<'_>, schools: Vec<SchoolStatus>, beat: bool) -> Option<String> {
        let schools = by_trouble(schools);
        let now: BTreeMap<Uai, String> = schools.iter().map(|s| (s.uai.clone(), row(words, s, false))).collect();
        let (summary, order) = (summary(words, &schools), schools.iter().map(|s| s.uai.clone()).collect::<Vec<_>>());
        let changed = |(uai, row): &(&Uai, &String)| self.rows.get(*uai) != Some(*row);
        let rows: BTreeMap<Uai, String> =
            now.iter().filter(changed).map(|(uai, row)| (uai.clone(), row.clone())).collect();
        let (summary_changed, order_changed) = (summary != self.summary, order != self.order);
        let ages = schools.iter().map(|s| (s.uai.clone(), s.last_contact_age_s)).collect();
        *self = Self { summary, order, rows: now };
        if rows.is_empty() && !summary_changed && !order_changed && !beat {
            return None;
        }
        let told = Told {
            summary: summary_changed.then_some(self.summary.as_str()),
            order: order_changed.then_some(self.order.as_slice()),
            rows,
            ages,
        };
        serde_json::to_string(&told).ok()
    }
}

/// What needs a person comes first, then what is out of reach; what is well comes last.
fn by_trouble(mut schools: Vec<SchoolStatus>) -> Vec<SchoolStatus> {
    schools.sort_by(|a, b| (urgency(a.state), &a.name, &a.uai).cmp(&(urgency(b.state), &b.name, &b.uai)));
    schools
}

const fn urgency(state: SyncState) -> u8 {
    match state {
        SyncState::Attention => 0,
        SyncState::Offline => 1,
        SyncState::CatchingUp => 2,
        SyncState::NeverSeen => 3,
        SyncState::InSync => 4,
    }
}

const fn word(state: SyncState) -> &'static str {
    match state {
        SyncState::NeverSeen => "never_seen",
        SyncState::Offline => "offline",
        SyncState::Attention => "attention",
        SyncState::CatchingUp => "catching_up",
        SyncState::InSync => "in_sync",
    }
}

fn summary(words: Words<'_>, schools: &[SchoolStatus]) -> String {
    let count =
        |state: SyncState| u64::try_from(schools.iter().filter(|s| s.state == state).count()).unwrap_or(u64::MAX);
    let troubles = [
        (SyncState::Attention, "dsi-summary-attention"),
        (SyncState::Offline, "dsi-summary-offline"),
        (SyncState::CatchingUp, "dsi-summary-catching-up"),
        (SyncState::NeverSeen, "dsi-summary-never-seen"),
    ];
    let mut said: Vec<String> =
        troubles.iter().filter(|(s, _)| count(*s) > 0).map(|(s, key)| words.count(key, count(*s))).collect();
    let (all, well) = (u64::try_from(schools.len()).unwrap_or(u64::MAX), count(SyncState::InSync));
    let headline = if all == 0 {
        words.say("dsi-summary-none")
    } else if said.is_empty() {
        words.count("dsi-summary-well", all)
    } else {
        if well > 0 {
            said.push(words.count("dsi-summary-rest", well));
        }
        let (parts, many) = (said.join(", "), if all == 1 { "one" } else { "other" });
        words.with("dsi-summary-all", &[("n", &all.to_string()), ("many", many), ("parts", &parts)])
    };
    let sum = |of: &dyn Fn(&SchoolStatus) -> u64| schools.iter().map(of).fold(0, u64::saturating_add);
    // What was last told by a school out of contact is no figure of now.
    let told = |s: &SchoolStatus| s.unsynced_entries.is_some();
    // Nobody of a training room is real.
    let counts = |s: &SchoolStatus| told(s) && !s.training;
    let known = |s: &SchoolStatus| s.unsynced_entries.unwrap_or(0);
    let unknown = |s: &SchoolStatus| u64::from(s.unsynced_entries.is_none() && s.state != SyncState::NeverSeen);
    let summary = Summary {
        words,
        state: schools.first().map_or("never_seen", |school| word(school.state)),
        headline,
        note: count(SyncState::Offline) > 0,
        in_use: sum(&|s| if counts(s) { s.tablets.in_use.into() } else { 0 }),
        signed_in: sum(&|s| if counts(s) { s.signed_in.into() } else { 0 }),
        unsynced: sum(&known),
        unknown: sum(&unknown),
        any: all > 0,
    };
    // The template writes into a string: it cannot fail.
    summary.render().unwrap_or_default()
}

fn row(words: Words<'_>, school: &SchoolStatus, ticking: bool) -> String {
    let (age, stale) = (school.last_contact_age_s, school.unsynced_entries.is_none());
    let since = age.map(|age| words.with("dsi-unsynced-unknown", &[("age", &words.age(age))])).unwrap_or_default();
    let unsynced = match (school.unsynced_entries, school.unsynced_at_last_contact) {
        (Some(0), _) => words.say("dsi-unsynced-none"),
        (Some(n), _) => words.count("dsi-unsynced", n),
        (None, Some(0)) => words.say("dsi-unsynced-last-none"),
        (None, Some(n)) => words.count("dsi-unsynced-last", n),
        (None, None) => words.say("dsi-unsynced-never"),
    };
    let oldest = school.oldest_unsynced_age_s.filter(|age| !stale && *age > 0);
    let row = Row {
        words,
        school,
        state: word(school.state),
        ago: if ticking { words.ago(age) } else { String::new() },
        since: if ticking { since } else { String::new() },
        stale,
        unsynced,
        oldest: oldest.map(|age| words.with("dsi-unsynced-oldest", &[("age", &words.age(age))])).unwrap_or_default(),
        files: if school.unsynced_files == 0 {
            String::new()
        } else {
            words.count("dsi-unsynced-files", school.unsynced_files)
        },
        lag: school.lag_s.map_or_else(|| "–".to_owned(), |lag| words.seconds(lag)),
        bar: Bar::of(school.tablets),
        details: details(words, school),
        in_use: words.count("dsi-tablets-in-use", school.tablets.in_use.into()),
        others: [("dsi-tablets-wiping", school.tablets.wiping), ("dsi-tablets-lost", school.tablets.lost)]
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .map(|(key, n)| words.count(key, n.into()))
            .collect(),
        state_word: words.say(&format!("dsi-state-{}", word(school.state))),
        clock: school.clock.map(|clock| words.say(&format!("dsi-clock-{clock}"))).unwrap_or_default(),
        doubtful: school.clock == Some(ClockQuality::Unknown),
    };
    // The template writes into a string: it cannot fail.
    row.render().unwrap_or_default()
}

fn details(words: Words<'_>, school: &SchoolStatus) -> Vec<String> {
    let mut details = Vec::new();
    if let Some(version) = &school.version {
        details.push(words.with("dsi-version", &[("version", version)]));
    }
    if let Some(version) = &school.blocklist_version {
        let short: String = version.chars().take(LIST_VERSION_CHARS).collect();
        details.push(words.with("dsi-blocklist", &[("version", &short)]));
    }
    if school.boxes.len() != 1 {
        details.push(words.count("dsi-boxes", u64::try_from(school.boxes.len()).unwrap_or(u64::MAX)));
    }
    let ends = school.boxes.iter().filter_map(|b| b.certificate_days_left).min();
    if let Some(days) = ends.filter(|days| *days < SHOW_CERTIFICATE_DAYS) {
        details.push(words.with("dsi-certificate", &[("days", &days.to_string())]));
    }
    details
}

#[cfg(test)]
mod tests;
