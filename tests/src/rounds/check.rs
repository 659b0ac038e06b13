//! What must hold when all has settled: everything told is at its box and at the coordinator, once; void badges stay void;
//! both hold the same documents.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use preau::admin;
use preau_shared::{
    dice::Dice,
    journal::Entry,
    replica::Shelf,
    rig::{clock::SystemClock, shelves},
    time::Clock as _,
};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tokio::time::sleep;

use super::{
    ledger::{Card, Counts, Told},
    stage::{School, Stage},
};

/// All has settled within this time, on a busy machine; a round measures how long it took.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(30);
/// Void badges shown again in each round: the newest ones, and as many old ones.
const SHOWN: usize = 2;
/// Rows read from a store at a time.
const A_READ: u32 = 1_000;

/// How often each act stands in a journal, by identifier.
#[derive(Debug, Default, PartialEq, Eq)]
struct Journal {
    names: BTreeMap<(String, u64), u64>,
    sign_ins: BTreeMap<String, u64>,
    sign_outs: BTreeMap<String, u64>,
    wipes: BTreeMap<String, u64>,
    voids: BTreeMap<String, u64>,
}

/// Whose origin it is. Each start of a box is another life of it.
fn name_of(origin: &str) -> &str {
    origin.split('.').next().unwrap_or_default()
}

impl Journal {
    /// Reads what a store holds of a school's box. (The coordinator's own entries reach a new box inside a snapshot, not
    /// one by one.) The connection is closed before anybody is killed again.
    fn read(database: &Path, shelf: &Shelf, origin: &str) -> Result<Self> {
        let conn = open(database)?;
        let mut journal = Self::default();
        let lives: BTreeSet<_> = shelves::entry_ids(&conn, shelf)?.into_iter().map(|(life, _)| life).collect();
        for life in lives.into_iter().filter(|life| name_of(&life.to_string()) == name_of(origin)) {
            let mut after = 0;
            loop {
                let page = shelves::entries(&conn, shelf, &life, after, A_READ)?;
                let Some((last, ..)) = page.last() else { break };
                after = *last;
                for (number, _, entry) in page {
                    *journal.names.entry((life.to_string(), number)).or_default() += 1;
                    let (of, id) = match entry {
                        Entry::SignIn { session, .. } => (&mut journal.sign_ins, session.to_string()),
                        Entry::SignOut { session, .. } => (&mut journal.sign_outs, session.to_string()),
                        Entry::Wiped { wipe, .. } => (&mut journal.wipes, wipe.to_string()),
                        Entry::BadgeVoided { badge, .. } => (&mut journal.voids, badge.to_string()),
                        Entry::TabletEnrolled { .. }
                        | Entry::StaffSignIn { .. }
                        | Entry::Credential { .. }
                        | Entry::Audit { .. }
                        | Entry::Refused { .. }
                        | Entry::Unplugged { .. }
                        | Entry::TermsRead { .. } => continue,
                    };
                    *of.entry(id).or_default() += 1;
                }
            }
        }
        Ok(journal)
    }

    /// Everything told is here, and nothing twice.
    fn holds(&self, told: &Told, place: &str) -> Result<()> {
        let kinds = [
            ("sign-in", &told.sign_ins, &self.sign_ins),
            ("sign-out", &told.sign_outs, &self.sign_outs),
            ("wipe", &told.wipes, &self.wipes),
            ("void", &told.void_by_head, &self.voids),
        ];
        for (kind, told, held) in kinds {
            let lost: Vec<&String> = told.iter().filter(|id| !held.contains_key(*id)).collect();
            ensure!(lost.is_empty(), "LOST at {place}: {} {kind}s that a client was told of: {lost:?}", lost.len());
            let twice: Vec<&String> = held.iter().filter(|(_, n)| **n > 1).map(|(id, _)| id).collect();
            ensure!(twice.is_empty(), "DOUBLED at {place}: {} {kind}s: {twice:?}", twice.len());
        }
        let untold = self.sign_ins.len().saturating_sub(told.sign_ins.len());
        let may = usize::try_from(told.untold)?;
        ensure!(untold <= may, "{place}: {untold} sign-ins that nobody was told of, {may} answers were lost");
        Ok(())
    }
}

fn open(database: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(database, flags).with_context(|| database.display().to_string())?;
    conn.execute_batch("PRAGMA busy_timeout=5000; PRAGMA query_only=ON; BEGIN")?;
    Ok(conn)
}

/// Every document of a shelf that counts in its digest, with its epoch and sorted heads, in hexadecimal.
type Documents = BTreeSet<String>;

/// What [`Documents`] are in SQL; `hex` is the database's word for it.
fn documents_sql(shelf: &Shelf, hex: impl Fn(&str) -> String) -> String {
    format!(
        "SELECT kind || ':' || {} || ':' || epoch || ':' || {} FROM replica_documents
         WHERE shelf = '{}' AND state IN (0, 2) AND length(heads) > 0",
        hex("id"),
        hex("heads"),
        shelf.as_key()
    )
}

fn documents(database: &Path, shelf: &Shelf) -> Result<Documents> {
    let conn = open(database)?;
    let mut statement = conn.prepare(&documents_sql(shelf, |column| format!("lower(hex({column}))")))?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

async fn documents_of_coordinator(stage: &Stage, shelf: &Shelf) -> Result<Documents> {
    let Some(postgres) = stage.postgres() else { return documents(&stage.cloud_home.join("cloud.db"), shelf) };
    let rows = postgres.ask(&documents_sql(shelf, |column| format!("encode({column}, 'hex')"))).await?;
    Ok(rows.lines().map(str::to_owned).collect())
}

async fn status(school: &School) -> Result<Value> {
    let body = admin::get(school.admin, "/admin/v1/status").await?;
    serde_json::from_slice(&body).context("a box's status cannot be read")
}

/// Waits until every box is in contact, all its entries are acknowledged, and both ends hold the same documents.
pub(super) async fn settled(stage: &mut Stage) -> Result<()> {
    let clock = SystemClock::start();
    loop {
        stage.check_programs()?;
        let why = unsettled(stage).await?;
        if why.is_empty() {
            return Ok(());
        }
        ensure!(clock.elapsed().0 < PATIENCE, "not settled after {} s: {}", PATIENCE.as_secs(), why.join("; "));
        sleep(LOOK_EVERY).await;
    }
}

async fn unsettled(stage: &Stage) -> Result<Vec<String>> {
    let mut why = Vec::new();
    for school in &stage.schools {
        let status = status(school).await?;
        if status["wan"]["connected"] != true {
            why.push(format!("{} is out of contact: {}", school.uai, status["last_error"]));
            continue;
        }
        let left = status["exposure"]["entries"].as_u64().unwrap_or(u64::MAX);
        if left > 0 {
            why.push(format!("{}: {left} entries are not acknowledged", school.uai));
            continue;
        }
        for shelf in [Shelf::School(school.uai.clone()), Shelf::Territory] {
            let ours = documents(&school.home.join("box.db"), &shelf)?;
            let theirs = documents_of_coordinator(stage, &shelf).await?;
            let differ = ours.symmetric_difference(&theirs).count();
            if differ > 0 {
                why.push(format!(
                    "{differ} documents of {shelf} differ at {}; alerts: {}",
                    school.uai, status["alerts"]
                ));
            }
        }
    }
    Ok(why)
}

/// Looks at everything. Gives what was told in all, the sign-ins whose answers were lost, and the entries held.
pub(super) async fn everything(stage: &mut Stage, dice: &dyn Dice) -> Result<(Counts, u64, u64)> {
    for school in &mut stage.schools {
        let shown = void_to_show(school, dice);
        witness(school, &shown).await.with_context(|| format!("the witness of {}", school.uai))?;
    }
    settled(stage).await?;
    let (mut counts, mut untold, mut entries) = (Counts::default(), 0, 0);
    for school in &stage.schools {
        let odd = school.ledger.told().odd.clone();
        ensure!(odd.is_empty(), "{}: {odd:?}", school.uai);
        let status = status(school).await?;
        let now = status["origin"].as_str().map(name_of);
        ensure!(now == Some(name_of(&school.origin)), "{} is another box: {}", school.uai, status["origin"]);
        ensure!(status["alerts"].as_array().is_some_and(Vec::is_empty), "{}: {}", school.uai, status["alerts"]);
        let shelf = Shelf::School(school.uai.clone());
        let at_box = Journal::read(&school.home.join("box.db"), &shelf, &school.origin)?;
        at_box.holds(&school.ledger.told(), "the box")?;
        if stage.postgres().is_none() {
            let at_coordinator = Journal::read(&stage.cloud_home.join("cloud.db"), &shelf, &school.origin)?;
            at_coordinator.holds(&school.ledger.told(), "the coordinator")?;
            same(&at_box, &at_coordinator)?;
        }
        outside(stage, school, &at_box).await?;
        counts = counts + school.ledger.counts();
        untold += school.ledger.told().untold;
        entries += u64::try_from(at_box.names.len())?;
    }
    Ok((counts, untold, entries))
}

/// Once more from disk: every badge ever made void is refused.
pub(super) async fn to_the_last(stage: &mut Stage) -> Result<()> {
    for school in &mut stage.schools {
        let all = school.ledger.told().void.clone();
        witness(school, &all).await.with_context(|| format!("the witness of {}", school.uai))?;
    }
    Ok(())
}

fn void_to_show(school: &School, dice: &dyn Dice) -> Vec<Card> {
    let told = school.ledger.told();
    let count = told.void.len();
    let mut shown: Vec<Card> = told.void.iter().rev().take(SHOWN).cloned().collect();
    for _ in 0..SHOWN.min(count) {
        let place = usize::try_from(dice.below(u64::try_from(count).unwrap_or(1))).unwrap_or(0);
        shown.push(told.void[place].clone());
    }
    shown
}

/// Void badges are refused by that word, and the newest one in force lets its bearer in.
async fn witness(school: &mut School, void: &[Card]) -> Result<()> {
    let desk = &mut school.witness;
    desk.put_in_order().await?;
    for card in void {
        let shown = desk.tablet.show(&card.payload).await?;
        match shown {
            Err(code) => ensure!(code == "badge_void", "badge {} is void, and refused as {code}", card.badge_id),
            Ok(_) => bail!("badge {} is void and was LET IN", card.badge_id),
        }
    }
    let newest = school.ledger.told().drawn.last().cloned();
    if let Some(card) = newest {
        ensure!(desk.come_in(&card.payload).await?.is_some(), "badge {} is in force and was refused", card.badge_id);
        desk.leave().await?;
    }
    Ok(())
}

fn same(at_box: &Journal, at_coordinator: &Journal) -> Result<()> {
    let missing: Vec<_> = at_box.names.keys().filter(|n| !at_coordinator.names.contains_key(*n)).collect();
    ensure!(missing.is_empty(), "LOST: {} entries of the box are not at the coordinator: {missing:?}", missing.len());
    let strange: Vec<_> = at_coordinator.names.keys().filter(|n| !at_box.names.contains_key(*n)).collect();
    ensure!(strange.is_empty(), "{} entries are unknown to their box: {strange:?}", strange.len());
    ensure!(at_box == at_coordinator, "entries differ under the same numbers");
    Ok(())
}

/// What the coordinator tells a client is what the box holds: the same entries, the same sign-ins, each once.
async fn outside(stage: &Stage, school: &School, held: &Journal) -> Result<()> {
    let mut names: BTreeMap<(String, u64), u64> = BTreeMap::new();
    for line in lines(&stage.api.entries(&school.uai).await?)? {
        let origin = line["origin"].as_str().context("an entry without an origin")?.to_owned();
        let number = line["number"].as_u64().context("an entry without a number")?;
        if name_of(&origin) == name_of(&school.origin) {
            *names.entry((origin, number)).or_default() += 1;
        }
    }
    ensure!(
        names == held.names,
        "the coordinator tells of {} entries, the box holds {}",
        names.len(),
        held.names.len()
    );
    let path = format!("/api/v1/schools/{}/sign-ins", school.uai);
    let answer = stage.api.call("GET".parse()?, &path, "application/json", None).await?;
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    for line in lines(&answer.body)? {
        *told.entry(line["session"].as_str().context("a sign-in without a session")?.to_owned()).or_default() += 1;
    }
    ensure!(told == held.sign_ins, "the coordinator tells of other sign-ins than the box holds");
    Ok(())
}

fn lines(body: &[u8]) -> Result<Vec<Value>> {
    Ok(serde_json::Deserializer::from_slice(body).into_iter::<Value>().collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(sign_ins: &[(&str, u64)]) -> Journal {
        let sign_ins = sign_ins.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect();
        Journal { sign_ins, ..Journal::default() }
    }

    fn found(journal: &Journal, told: &Told) -> String {
        journal.holds(told, "here").map_or_else(|e| e.to_string(), |()| "sound".into())
    }

    #[test]
    fn what_is_lost_doubled_or_invented_is_seen() {
        let told = Told { sign_ins: ["a".to_owned(), "b".to_owned()].into(), ..Told::default() };
        assert_eq!(found(&held(&[("a", 1), ("b", 1)]), &told), "sound");
        assert!(found(&held(&[("a", 1)]), &told).starts_with("LOST"));
        assert!(found(&held(&[("a", 1), ("b", 2)]), &told).starts_with("DOUBLED"));
        assert!(found(&held(&[("a", 1), ("b", 1), ("c", 1)]), &told).contains("nobody was told of"));
        let told = Told { untold: 1, ..told };
        assert_eq!(found(&held(&[("a", 1), ("b", 1), ("c", 1)]), &told), "sound", "its answer died on the way");
    }

    #[test]
    fn both_ends_hold_the_same_entries() {
        let name = |n: u64| (("box.1".to_owned(), n), 1);
        let journal =
            |numbers: &[u64]| Journal { names: numbers.iter().map(|n| name(*n)).collect(), ..Journal::default() };
        assert!(same(&journal(&[1, 2]), &journal(&[1, 2])).is_ok());
        assert!(same(&journal(&[1, 2]), &journal(&[1])).is_err());
        assert!(same(&journal(&[1]), &journal(&[1, 2])).is_err());
    }
}
