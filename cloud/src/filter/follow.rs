//! Keeps the index that of the store: what changed on a shelf is read again, the rest is not.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use preau_shared::{
    dice::Dice,
    documents::{
        Kind, Person, Policy, Provisional, School as SchoolDocument,
        school::{self, Accounts},
    },
    ids::{PersonId, Uai},
    policy::{Asker, Lists},
    replica::Shelf,
    rig::{
        shelves::{self, ShelfError},
        store::Store as _,
        task::Tasks,
    },
    wire::Role,
};
use tokio::time::sleep;

use super::{
    Filter,
    index::{Index, School},
    lists,
};
use crate::{
    coordinator::project::project_tablet,
    store::{Database, Tx, filter_names},
};

/// Between two looks at the store so much time passes at least.
const REST: Duration = Duration::from_secs(2);
/// With several coordinators, what another one wrote is looked for so often; and so is what could not be read.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Schools read into `filter_names` in one act.
const AT_ONCE: u32 = 20;

/// A folder of lists, and where they lie once they are compiled.
type Source = Option<(PathBuf, PathBuf)>;

/// What was read, and when.
#[derive(Debug, Default)]
pub(super) struct Read {
    index: Index,
    /// The stamp that each shelf had.
    stamps: BTreeMap<Shelf, i64>,
    all: Option<i64>,
}

/// Reads the lists, then the store now and after each change, until the stop.
pub(super) fn start(filter: Arc<Filter>, store: Database, (source, dice): (Source, Arc<dyn Dice>), tasks: &Tasks) {
    let (mut committed, mut stop) = (store.committed(), tasks.stopping());
    tasks.spawn("filter", async move {
        let load = move || source.map_or(Lists::None, |(folder, home)| lists::load(&folder, &home, dice.as_ref()));
        // A reader of lists that fell is as good as lost lists.
        filter.set_lists(tokio::task::spawn_blocking(load).await.unwrap_or(Lists::Lost));
        let (mut read, shared) = (Read::default(), store.held().is_some());
        loop {
            let looked = renew(&filter, &store, &mut read).await;
            if let Err(error) = &looked {
                tracing::warn!(%error, "what the filter goes by cannot be read: what was read last stays in force");
            }
            let again = shared || looked.is_err();
            tokio::select! {
                () = stop.wait() => return,
                () = sleep(REST) => {}
            }
            tokio::select! {
                () = stop.wait() => return,
                () = sleep(LOOK_EVERY), if again => {}
                news = committed.changed() => if news.is_err() { return },
            }
        }
    });
}

/// Reads what is not as it was when it was `read`.
pub(super) async fn renew(filter: &Filter, store: &Database, read: &mut Read) -> Result<(), ShelfError> {
    begin(store).await?;
    let all = store.read(filter_names::all_stamps).await?;
    if read.all == Some(all) {
        return Ok(());
    }
    // The stamps first: what changes meanwhile is read once more.
    let stamps = store.read(filter_names::stamps).await?;
    for (shelf, stamp) in &stamps {
        if read.stamps.get(shelf) == Some(stamp) {
            continue;
        }
        match shelf {
            Shelf::Territory => {
                read.index.territory = store.read(|conn| policies(conn, &Shelf::Territory)).await?;
            }
            Shelf::School(uai) => {
                let of = uai.clone();
                let school = store.read(move |conn| school_of(conn, of)).await?;
                read.index.schools.insert(uai.clone(), school);
            }
        }
        read.stamps.insert(shelf.clone(), *stamp);
    }
    filter.set_names(read.index.names(&filter.lists()));
    read.all = Some(all);
    Ok(())
}

/// Schools whose tablets do not stand in `filter_names` yet are read whole, those that this coordinator may write.
async fn begin(store: &Database) -> Result<(), ShelfError> {
    let mut after = None;
    loop {
        let from = after.take();
        let unread = store.read(move |conn| filter_names::unread(conn, from.as_ref(), AT_ONCE)).await?;
        let Some(last) = unread.last() else { return Ok(()) };
        after = Some(last.clone());
        store.commit(move |conn| unread.iter().try_for_each(|uai| begin_school(conn, uai))).await?;
    }
}

fn begin_school(conn: &Tx, uai: &Uai) -> Result<(), ShelfError> {
    let shelf = Shelf::School(uai.clone());
    if !conn.may_write(shelf.as_key())? {
        // Another coordinator's, which does it.
        return Ok(());
    }
    for (doc, fields) in shelves::documents(conn, &shelf, Kind::Tablet)? {
        project_tablet(conn, uai, &doc, Some(&fields))?;
    }
    Ok(filter_names::begin(conn, uai)?)
}

fn policies(conn: &Tx, shelf: &Shelf) -> Result<Vec<Policy>, ShelfError> {
    let documents = shelves::documents(conn, shelf, Kind::Policy)?;
    let policies = documents.iter().filter_map(|(doc, fields)| Policy::from_fields(doc, fields));
    Ok(policies.filter(|policy| !policy.deleted).collect())
}

fn school_of(conn: &Tx, uai: Uai) -> Result<School, ShelfError> {
    let named = filter_names::of_school(conn, &uai)?;
    let (doc, shelf) = (SchoolDocument::doc(&uai), Shelf::School(uai));
    let turn = match shelves::document(conn, &shelf, &doc)?.map(|fields| school::accounts(&fields)) {
        Some((Accounts::One, turn)) => Some(turn),
        Some((Accounts::Many, _)) | None => None,
    };
    let mut tablets = Vec::new();
    for tablet in named.into_iter().filter(|tablet| !tablet.lost) {
        let asker = match tablet.owner.filter(|(_, given)| Some(*given) == turn) {
            Some((person, _)) => asker(conn, &shelf, person)?,
            None => Asker::Unknown,
        };
        tablets.push((tablet.filter, asker));
    }
    Ok(School { tablets, policies: policies(conn, &shelf)? })
}

/// The pupil whose tablet it is, as she asks at the box when she sits there: by her level. Without one, or where she is no
/// pupil of the school any more, nobody is known.
fn asker(conn: &Tx, shelf: &Shelf, person: PersonId) -> Result<Asker, ShelfError> {
    let doc = Person::doc(person);
    let on_roster = shelves::document(conn, shelf, &doc)?.and_then(|fields| Person::from_fields(&doc, &fields));
    let level = match on_roster.filter(|person| !person.deleted) {
        Some(person) => (person.role == Role::Pupil).then_some(person.level),
        None => {
            let doc = Provisional::doc(person);
            let made = shelves::document(conn, shelf, &doc)?.and_then(|fields| Provisional::from_fields(&doc, &fields));
            made.filter(|made| !made.deleted && made.role == Role::Pupil).map(|made| made.level)
        }
    };
    Ok(level.filter(|level| !level.is_empty()).map_or(Asker::Unknown, |level| Asker::Seated([level].into())))
}
