//! Source address → who asks.

use std::{collections::BTreeSet, net::IpAddr};

use preau_shared::{policy::Asker, time::Elapsed};

use crate::store::seats::{Seats, Sitting};

/// Who sits at this address. A pupil without a level is as strict a case as nobody.
pub(super) fn who_asks(seats: &Seats, address: IpAddr, now: Elapsed) -> Asker {
    let sittings = seats.who(address, now);
    if sittings.is_empty() || sittings.iter().any(|sitting| !sitting.staff && sitting.levels.is_empty()) {
        return Asker::Unknown;
    }
    let shared = sittings.len() > 1;
    let levels = sittings.into_iter().flat_map(levels).collect();
    if shared { Asker::Shared(levels) } else { Asker::Seated(levels) }
}

/// Staff falls under "everybody else", whose level is the empty word.
fn levels(sitting: Sitting) -> BTreeSet<String> {
    if sitting.staff { [String::new()].into() } else { sitting.levels }
}

#[cfg(test)]
mod tests {
    use preau_shared::ids::SessionId;

    use super::*;

    #[test]
    fn the_address_tells_who_asks() {
        let set = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<BTreeSet<_>>();
        let seats = Seats::default();
        let sit = |n: u8, levels: &[&str], staff: bool, host: u8| {
            let sitting = Sitting { session: SessionId::from_bytes([n; 16]), levels: set(levels), staff, host: None };
            seats.sit(sitting, Some(IpAddr::from([10, 0, 0, host])), Elapsed::default());
        };
        sit(1, &["CP"], false, 1);
        sit(2, &["CM2"], false, 2);
        sit(3, &["CP", "CE1"], false, 2);
        sit(4, &[], true, 3);
        sit(5, &[], false, 4);
        sit(6, &["CP"], false, 5);
        sit(7, &[], true, 5);
        for (host, asker) in [
            (1, Asker::Seated(set(&["CP"]))),
            (2, Asker::Shared(set(&["CE1", "CM2", "CP"]))),
            (3, Asker::Seated(set(&[""]))),
            (4, Asker::Unknown),
            (5, Asker::Shared(set(&["", "CP"]))),
            (6, Asker::Unknown),
        ] {
            assert_eq!(who_asks(&seats, IpAddr::from([10, 0, 0, host]), Elapsed::default()), asker, "{host}");
        }
    }
}
