//! Voiding a badge, and telling which boxes know.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Json,
    extract::{Path, State},
};
use preau_shared::{
    ids::{BadgeId, BoxId, Uai},
    refusal::Refusal,
    replica::Shelf,
    rig::reply::Problem,
    time::Elapsed,
    wire::{VoidApplied, VoidAtBox},
};

use crate::{
    store::boxes,
    web::{
        Web,
        caller::{Administrator, Asked},
        problem,
    },
};

/// Boxes in contact acknowledge within a moment: the answer waits so long for them, no longer.
const WAIT: Duration = Duration::from_millis(1_500);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Acknowledgements remembered for their age.
const MAX_SEEN: usize = 10_000;

/// When each acknowledgement of a void was first seen.
#[derive(Debug, Default)]
pub(in crate::web) struct Seen(Mutex<BTreeMap<(BadgeId, BoxId), Elapsed>>);

impl Seen {
    /// The age of an acknowledgement, counted from when it was first seen here.
    fn age(&self, badge: BadgeId, box_id: BoxId, now: Elapsed) -> Duration {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_SEEN {
            seen.clear();
        }
        now.since(*seen.entry((badge, box_id)).or_insert(now))
    }
}

/// `POST /api/v1/badges/{badge_id}/void`: voids it; asked again, says where it is applied.
pub(in crate::web) async fn void(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    Path(id): Path<String>,
) -> Result<Json<VoidApplied>, Problem> {
    let badge: BadgeId = id.parse().map_err(|_| Problem::new(Refusal::NotFound))?;
    let voided = web.app.desk.void(badge).await.map_err(|error| problem::desk(error, &web.app.catalogue, lang))?;
    let rows = web.app.store.read(boxes::all).await.map_err(|error| problem::store(&error))?;
    let of_school = |uai: &Uai| voided.iter().find(|(known, _)| known == uai).map(|(_, number)| *number);
    let wanted: Vec<(BoxId, Uai, Option<u64>)> = rows
        .into_iter()
        .filter(|row| row.revoked_at.is_none())
        .filter_map(|row| of_school(&row.uai).map(|number| (row.box_id, row.uai, number)))
        .collect();
    let begun = web.app.clock.elapsed();
    loop {
        let missing = wanted.iter().any(|(id, uai, number)| is_heard(&web, *id) && !holds(&web, *id, uai, *number));
        if !missing || web.app.clock.elapsed().since(begun) >= WAIT {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let now = web.app.clock.elapsed();
    let line = |(box_id, uai, number): (BoxId, Uai, Option<u64>)| VoidAtBox {
        box_id,
        applied_at_age_s: holds(&web, box_id, &uai, number).then(|| web.voids.age(badge, box_id, now).as_secs()),
    };
    Ok(Json(VoidApplied { boxes: wanted.into_iter().map(line).collect() }))
}

fn is_heard(web: &Web, box_id: BoxId) -> bool {
    let (now, keep_alive) = (web.app.clock.elapsed(), web.app.config.keep_alive());
    web.app.links.status(&box_id).is_some_and(|link| link.is_contact(now, keep_alive))
}

/// Whether the box acknowledged the coordinator's number; a void that a box made itself is held there by nature.
fn holds(web: &Web, box_id: BoxId, uai: &Uai, number: Option<u64>) -> bool {
    let Some(number) = number else { return true };
    let shelf = Shelf::School(uai.clone());
    let Some(link) = web.app.links.status(&box_id) else { return false };
    link.theirs.iter().any(|m| m.origin == web.app.author.origin && m.shelf == shelf && m.number >= number)
}
