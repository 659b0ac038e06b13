//! A person in several schools stands on several shelves: the coordinator carries her document between them
//! (ARCHITECTURE §2.2).
//!
//! By value: what a school's document says now of who she is is written to the others, as the coordinator's own edit.
//! Equal values are no edit, so that carrying ends. What she may do, and whether she is there, each school says for
//! itself.

use std::{sync::Arc, time::Duration};

use preau_shared::{
    documents::{Edit, Person},
    rig::{
        shelves::{self, Author, ShelfError},
        store::Store as _,
        task::Tasks,
    },
    time::{Clock, Stamp},
};
use tokio::time::sleep;

use super::project::Projection;
use crate::store::{
    Database, Tx,
    carries::{self, Carry},
};

/// What is the same in every school.
const CARRIED: [&str; 3] = ["given_name", "family_name", "animal"];

/// With several coordinators, what another one noted is looked for so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Starts the task that carries; it ends with the program.
pub(crate) fn start(store: Database, author: Arc<Author>, clock: Arc<dyn Clock>, tasks: &Tasks) {
    let (mut committed, mut stop) = (store.committed(), tasks.stopping());
    let shared = store.held().is_some();
    tasks.spawn("people of several schools", async move {
        loop {
            while store.read(carries::any).await.unwrap_or(false) {
                let (by, now) = (author.clone(), clock.stamp());
                let carried = store.commit::<_, ShelfError>(move |conn| {
                    let due = carries::take(conn)?;
                    due.iter().try_for_each(|one| carry(conn, &by, one, now))?;
                    Ok(due.len())
                });
                match carried.await {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(%error, "a person could not be carried to her other schools; tried again");
                        break;
                    }
                }
            }
            tokio::select! {
                news = committed.changed() => if news.is_err() { return },
                () = sleep(LOOK_EVERY), if shared => {}
                () = stop.wait() => return,
            }
        }
    });
}

/// Writes what a person's document says on one shelf to another where she stands.
fn carry(conn: &Tx, author: &Author, one: &Carry, now: Stamp) -> Result<(), ShelfError> {
    // Nobody of a training room is anybody elsewhere, whatever a document there is named.
    if one.from.is_training() || one.to.is_training() {
        return Ok(());
    }
    let doc = Person::doc(one.person);
    let Some(fields) = shelves::document(conn, &one.from, &doc)? else { return Ok(()) };
    let mut edit = Edit::of(doc);
    for key in CARRIED {
        if let Some((_, value)) = fields.prefixed(key).find(|(rest, _)| rest.is_empty()) {
            edit = edit.with(key, value.clone());
        }
    }
    // Nothing is written where nothing differs.
    shelves::edit(conn, author, &one.to, now, &edit, &Projection).map(drop)
}
