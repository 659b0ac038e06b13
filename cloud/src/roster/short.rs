//! Short codes of badges (*code de secours*), eight letters for where no camera reads, as a box draws them: same form, same
//! slow hash. They are made before the commit that keeps them, since each takes tens of milliseconds.

use preau_shared::{
    badge::{ShortCode, ShortHash, StandIn},
    rig::slow::stand_in_hash,
};
use tokio::task::JoinSet;

use super::desk::{Desk, DeskError};

/// Hashes made at once: each takes 9 MB.
const AT_ONCE: usize = 4;

/// Codes that wait for badges.
#[derive(Debug, Default)]
pub(super) struct Shorts(Vec<(ShortCode, ShortHash)>);

impl Shorts {
    /// Makes so many.
    pub(super) async fn make(desk: &Desk, count: usize) -> Result<Self, DeskError> {
        let codes: Vec<ShortCode> = (0..count).map(|_| ShortCode::draw(desk.dice.as_ref())).collect();
        let hashes = stand_ins(desk, codes.iter().cloned().map(StandIn::Short).collect()).await?;
        Ok(Self(codes.into_iter().zip(hashes).collect()))
    }

    /// One of them; none when there is none left, or none was wished for.
    pub(super) fn take(&mut self) -> Option<(ShortCode, ShortHash)> {
        self.0.pop()
    }
}

/// The slow hashes of codes, in their order, made off the runtime's threads.
pub(super) async fn stand_ins(desk: &Desk, codes: Vec<StandIn>) -> Result<Vec<ShortHash>, DeskError> {
    let mut parts = JoinSet::new();
    let share = codes.len().div_ceil(AT_ONCE).max(1);
    for (place, part) in codes.chunks(share).enumerate() {
        let (part, key) = (part.to_vec(), desk.badge_key);
        let hash = move || part.iter().map(|code| stand_in_hash(code, &key)).collect::<Result<Vec<_>, _>>();
        parts.spawn_blocking(move || (place, hash()));
    }
    let mut made = Vec::new();
    while let Some(part) = parts.join_next().await {
        let (place, hashes) = part.map_err(|_| DeskError::Stored)?;
        made.push((place, hashes.map_err(|_| DeskError::Stored)?));
    }
    made.sort_by_key(|(place, _)| *place);
    Ok(made.into_iter().flat_map(|(_, hashes)| hashes).collect())
}
