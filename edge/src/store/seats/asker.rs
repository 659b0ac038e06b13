//! Who sits at an address → who asks.

use std::collections::BTreeSet;

use preau_shared::policy::Asker;

use super::Sitting;

/// Who asks, where these sit. A pupil without a level is as strict a case as nobody.
pub(super) fn asker(sittings: &[&Sitting]) -> Asker {
    if sittings.is_empty() || sittings.iter().any(|sitting| !sitting.staff && sitting.levels.is_empty()) {
        return Asker::Unknown;
    }
    let levels = sittings.iter().flat_map(|sitting| levels(sitting)).collect();
    if sittings.len() > 1 { Asker::Shared(levels) } else { Asker::Seated(levels) }
}

/// Staff falls under "everybody else", whose level is the empty word.
fn levels(sitting: &Sitting) -> BTreeSet<String> {
    if sitting.staff { [String::new()].into() } else { sitting.levels.clone() }
}
