//! What concurrent writings of one field come to (ARCHITECTURE §2.1): the laws, as one pure function.
//!
//! Automerge keeps every writing that no other knew of. It lists them in the same order everywhere; a law chooses among
//! them, and looks at nothing else, so that replicas with the same changes read the same. Of a writing that knew of the
//! others nothing is left to settle: it is the only one.
//!
//! - **revocation wins**: [`Merge::NeverUndone`] for what is void, [`Merge::TrueWins`] for what is deleted or lost;
//! - **deny wins** at equal scope: [`Merge::TrueWins`] for what is blocked, [`Merge::FalseWins`] for what is allowed;
//! - **an addition beats a concurrent removal**: [`Merge::TrueWins`] for members of a list;
//! - **the loss of a role beats its concurrent grant**: [`Merge::LeastRole`];
//! - everything else is the last writer's by Automerge's order, never by a clock.
//!
//! **Erasure wins** stands above fields: a tombstone of the shelf takes the whole document away.

use super::{Scalar, person};

/// How a field behaves when written twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    /// The last writer by Automerge's order.
    Latest,
    /// Concurrently true and false is true: an addition to a list, a refusal, a deletion.
    TrueWins,
    /// Concurrently true and false is false: a permission.
    FalseWins,
    /// Once true, true for ever; false is never written.
    NeverUndone,
    /// Written when the document is made and never again.
    Once,
    /// Concurrent roles settle on the one with fewer rights.
    LeastRole,
}

/// Settles the writings of a field that knew nothing of each other: `latest` is Automerge's choice, `others` are the
/// rest, in any order.
pub(crate) fn settle(merge: Merge, latest: Scalar, others: &[Scalar]) -> Scalar {
    let among = |value: Scalar| if others.contains(&value) { value } else { latest.clone() };
    match merge {
        Merge::Latest | Merge::Once => latest,
        Merge::TrueWins | Merge::NeverUndone => among(Scalar::Flag(true)),
        Merge::FalseWins => among(Scalar::Flag(false)),
        Merge::LeastRole => {
            // The word breaks ties, so that every replica settles alike.
            let key = |value: &Scalar| (rights(value), format!("{value:?}"));
            others.iter().chain([&latest]).min_by_key(|value| key(value)).cloned().unwrap_or(latest)
        }
    }
}

/// How many rights a role's word gives; none for what is no role.
pub(super) fn rights(value: &Scalar) -> usize {
    if let Scalar::Text(role) = value { person::rank(role) } else { 0 }
}
