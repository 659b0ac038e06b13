//! What the coordinator does to shelves by itself, now and then: cuts what every box has, begins long documents anew,
//! lets go of epochs left behind long ago.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use preau_shared::{
    ids::{BoxId, Uai},
    replica::Shelf,
    rig::{
        replicate::News,
        shelves::{self, Author, ShelfError, fold},
        task::Tasks,
    },
    time::{Clock, Stamp},
};
use tokio::time::{MissedTickBehavior, interval};

use super::project::Projection;
use crate::{
    broker::rights::Admitted,
    store::{Database, Tx},
};

/// How often shelves are looked at, one after the other.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// A document whose epoch is older is begun anew: a school year, and the summer that follows it.
const SCHOOL_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What upkeep works with.
pub(crate) struct Upkeep {
    pub(crate) store: Database,
    pub(crate) author: Arc<Author>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) admitted: Admitted,
    pub(crate) news: News,
}

impl Upkeep {
    /// Starts the task; it ends with the program.
    pub(crate) fn start(self, tasks: &Tasks) {
        let mut stop = tasks.stopping();
        tasks.spawn("upkeep of shelves", async move {
            let mut every = interval(EVERY);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // The first tick is at once: at a start, boxes come first.
            every.tick().await;
            loop {
                tokio::select! {
                    _ = every.tick() => self.tend_all().await,
                    () = stop.wait() => return,
                }
            }
        });
    }

    async fn tend_all(&self) {
        let mut schools: BTreeMap<Uai, Vec<BoxId>> = BTreeMap::new();
        for (box_id, member) in self.admitted.all() {
            schools.entry(member.uai).or_default().push(box_id);
        }
        let everybody = schools.values().flatten().copied().collect();
        self.tend(Shelf::Territory, everybody).await;
        for (uai, boxes) in schools {
            self.tend(Shelf::School(uai), boxes).await;
        }
    }

    async fn tend(&self, shelf: Shelf, boxes: Vec<BoxId>) {
        let (author, now) = (self.author.clone(), self.clock.stamp());
        let year = i64::try_from(SCHOOL_YEAR.as_millis()).unwrap_or(i64::MAX);
        let of = shelf.clone();
        let tended = self.store.commit::<_, ShelfError>(move |conn: &Tx| {
            if !conn.may_write(of.as_key())? {
                // Another coordinator's: it tends it.
                return Ok((0, 0, 0));
            }
            let cut = fold::fold(conn, &of, &boxes, now)?;
            let begun = shelves::roll_over(conn, &author, &of, (now, Stamp(now.0.saturating_sub(year))), &Projection)?;
            let dropped = fold::drop_past(conn, &of, now)?;
            Ok((cut, begun, dropped))
        });
        match tended.await {
            Ok((0, 0, 0)) => {}
            Ok((cut, begun, dropped)) => {
                tracing::info!(%shelf, cut, begun, dropped, "runs cut, documents begun anew, old epochs let go");
                self.news.tell(&shelf);
            }
            Err(error) => tracing::warn!(%shelf, %error, "a shelf could not be tended; it is tried again in an hour"),
        }
    }
}
