//! Invariant 4: a badge that was made void is refused from the next request on, whatever happens to the box.
//!
//! Random schedules of voids, reprints, lost badges, sign-ins, sudden deaths (the files as they lie on the disk in that
//! moment) and restores from a backup, offline. `PREAU_SCHEDULES=N` runs N of them instead of a few.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "schedules are printed, and how many is asked for"
)]

use std::{collections::BTreeMap, fs, path::Path};

use preau_shared::{
    dice::{Dice as _, Seeded},
    ids::PersonId,
};
use serde_json::{Value, json};
use tokio::runtime;

use super::school::{Device, School};
use crate::sign_in::badges::MAX_LASTING;

/// Schedules when nobody says otherwise.
const FEW: u64 = 12;
/// Acts of one schedule.
const ACTS: u64 = 14;

/// What a badge is: its name in the lists, whose it is, its series, whether it is void, and whether anybody can show it
/// (what was printed as lost stays on paper).
#[derive(Debug, Clone)]
struct Known {
    badge_id: String,
    person: PersonId,
    series: u32,
    void: bool,
    shown: bool,
}

/// Badges by what their codes hold.
type Badges = BTreeMap<String, Known>;

struct Story {
    school: School,
    tablet: Device,
    badges: Badges,
    /// A backup, and what was true then.
    backup: Option<(tempfile::TempDir, Badges)>,
}

impl Story {
    async fn open() -> Self {
        let school = School::open().await;
        let tablet = school.tablet("T01").await;
        let known = |(person, badge, payload): &(PersonId, _, String)| {
            let badge: &preau_shared::ids::BadgeId = badge;
            let known = Known { badge_id: badge.to_string(), person: *person, series: 0, void: false, shown: true };
            (payload.clone(), known)
        };
        let badges = [known(&school.lina), known(&school.noe)].into();
        Self { school, tablet, badges, backup: None }
    }

    /// One act; what it was, for whoever reads a failure.
    async fn act(mut self, dice: &Seeded) -> (Self, &'static str) {
        let mut shown: Vec<_> = self.badges.iter().filter(|(_, known)| known.shown).collect();
        let at = usize::try_from(dice.below(u64::try_from(shown.len()).expect("few"))).expect("few");
        let (payload, known) = shown.swap_remove(at);
        let (payload, known) = (payload.clone(), known.clone());
        match dice.below(10) {
            0 => {
                let teacher = self.school.staff().await.cookie;
                let path = format!("/api/v1/badges/{}/void", known.badge_id);
                assert_eq!(self.school.by_staff(&teacher, "POST", &path, Value::Null).await.status, 204);
                self.badges.get_mut(&payload).expect("known").void = true;
                (self, "void")
            }
            1 => {
                let teacher = self.school.staff().await.cookie;
                let path = format!("/api/v1/people/{}/badges", known.person);
                let drawn = self.school.by_staff(&teacher, "POST", &path, json!({})).await;
                assert_eq!(drawn.status, 201, "{}", drawn.body);
                // Prints that nobody came with make room for another; the one in use stays.
                let mut lasting: Vec<_> =
                    self.badges.values_mut().filter(|k| k.person == known.person && !k.void).collect();
                lasting.sort_by_key(|k| k.series);
                let too_many = (lasting.len() + 1).saturating_sub(MAX_LASTING);
                lasting.into_iter().skip(1).take(too_many).for_each(|k| k.void = true);
                self.gets(known.person, drawn.text("badge_id"), Some(drawn.text("payload")));
                (self, "reprint")
            }
            2 => {
                let teacher = self.school.staff().await.cookie;
                let ask = json!({"person_id": known.person, "lost": true});
                let printed = self.school.by_staff(&teacher, "POST", "/api/v1/badges", ask).await;
                assert_eq!(printed.status, 201, "{}", printed.body);
                let hers = self.badges.values_mut().filter(|k| k.person == known.person);
                hers.for_each(|k| k.void = true);
                self.gets(known.person, String::new(), None);
                (self, "lost")
            }
            3 | 4 => (self.dies().await, "kill -9"),
            5 => {
                let folder = tempfile::tempdir().expect("stick");
                copy(self.school.dir.path(), folder.path());
                self.backup = Some((folder, self.badges.clone()));
                (self, "backup")
            }
            6 => match self.backup.take() {
                Some((folder, badges)) => {
                    let mut restored = self.wakes_in(folder).await;
                    restored.badges = badges;
                    (restored, "restore")
                }
                None => (self, "nothing"),
            },
            _ => {
                self.tries(&payload).await;
                (self, "sign in")
            }
        }
    }

    /// Somebody has one badge more; without a payload it is on paper only.
    fn gets(&mut self, person: PersonId, badge_id: String, payload: Option<String>) {
        let series = self.badges.values().filter(|k| k.person == person).map(|k| k.series).max().unwrap_or(0) + 1;
        let shown = payload.is_some();
        let payload = payload.unwrap_or_else(|| format!("paper {person} {series}"));
        self.badges.insert(payload, Known { badge_id, person, series, void: false, shown });
    }

    /// The process ends without a word: what it wrote lies on the disk, its log beside it.
    async fn dies(self) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        copy(self.school.dir.path(), folder.path());
        self.wakes_in(folder).await
    }

    async fn wakes_in(self, folder: tempfile::TempDir) -> Self {
        let Self { school, mut tablet, badges, backup } = self;
        let school = School { dir: folder, ..school }.restart().await;
        tablet.at = school.at;
        // It may wake in the middle of a stay, or of a wipe.
        let me = tablet.me().await;
        if let Some(session) = me.body["session"]["token"].as_str().map(str::to_owned) {
            tablet.sign_out(&session).await;
        }
        let me = tablet.me().await;
        if let Some(wipe) = me.body["wipe"]["wipe_id"].as_str() {
            assert_eq!(tablet.receipt(wipe, "done").await.status, 204);
        }
        Self { school, tablet, badges, backup }
    }

    async fn tries(&mut self, payload: &str) {
        let known = self.badges[payload].clone();
        let answer = self.tablet.scan(payload).await;
        if known.void {
            assert_eq!(answer.code(), (403, "badge_void"), "{}", answer.body);
            return;
        }
        assert_eq!(answer.status, 201, "{}", answer.body);
        let older = |k: &&mut Known| k.person == known.person && known.series > 0 && k.series < known.series;
        self.badges.values_mut().filter(older).for_each(|k| k.void = true);
        let order = self.tablet.sign_out(&answer.text("token")).await;
        assert_eq!(self.tablet.receipt(&order.text("wipe_id"), "done").await.status, 204);
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("folder").flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_file()) && !entry.file_name().to_string_lossy().ends_with("-shm")
        {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("copy");
        }
    }
}

#[test]
fn a_void_badge_stays_void_whatever_happens_to_the_box() {
    let schedules = std::env::var("PREAU_SCHEDULES").ok().and_then(|n| n.parse().ok()).unwrap_or(FEW);
    let mut counted = BTreeMap::<&str, u64>::new();
    for seed in 0..schedules {
        // A runtime of its own: what a box leaves running ends with its schedule.
        let machine = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
        let told = machine.block_on(schedule(seed));
        told.iter().for_each(|done| *counted.entry(done).or_default() += 1);
        println!("seed {seed}: {}", told.join(", "));
    }
    println!("{schedules} schedules, no void badge let in: {counted:?}");
}

async fn schedule(seed: u64) -> Vec<&'static str> {
    let dice = Seeded::new(seed);
    let (mut story, mut told) = (Story::open().await, vec![]);
    for _ in 0..ACTS {
        let done;
        (story, done) = story.act(&dice).await;
        told.push(done);
    }
    let every: Vec<String> = story.badges.iter().filter(|(_, k)| k.shown).map(|(payload, _)| payload.clone()).collect();
    for payload in every {
        story.tries(&payload).await;
    }
    told
}
