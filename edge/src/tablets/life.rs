//! The tablet's life as a pure state machine (ARCHITECTURE §3.2), and the few acts that move a tablet in the store.
//!
//! `unknown → wiping → free → in_use → wiping → free`, plus `lost`, `outing` and `retired`. Only a clean receipt or an
//! adult's word leads to `free`, and only `free` leads to `in_use`: that is invariant 2.

use preau_shared::{
    documents::Tablet,
    ids::{TabletId, WipeId},
    journal::Why,
    refusal::Refusal,
    rig::writer::StoreError,
    time::Stamp,
    wire::TabletState,
};
use rusqlite::Connection;

use crate::store::{Trouble, sessions, tablet_life, wipes};

/// What can happen to a tablet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// Enrolled here, for the first time or again.
    Enrolled,
    /// Somebody signed in, or an adult let somebody in.
    SignedIn,
    /// The session on it ended, by whomever.
    SessionEnded,
    /// It tells that somebody sat there while it had no box.
    Unplugged,
    /// Its receipt shows every step of its wipe done.
    WipedClean,
    /// An adult says: I checked this tablet.
    Checked,
    /// Reported lost.
    Lost,
    /// No longer lost.
    Found,
    /// Out of service for good.
    Retired,
}

/// The state after an event, or why it cannot happen now.
pub(crate) fn next(state: TabletState, event: Event) -> Result<TabletState, Refusal> {
    use TabletState as S;
    match (event, state) {
        (Event::Retired, _) => Ok(S::Retired),
        (Event::Enrolled, S::Retired) => Err(Refusal::EnrolmentClosed),
        // Whatever stood on it before: the first receipt frees it, enrolment never does.
        (Event::Enrolled, S::Unknown | S::Wiping | S::Free | S::InUse | S::Lost | S::Outing) => Ok(S::Wiping),
        (Event::SignedIn, S::Free) => Ok(S::InUse),
        (Event::SignedIn, S::Unknown | S::Wiping | S::InUse | S::Lost | S::Outing | S::Retired) => {
            Err(Refusal::TabletNotFree)
        }
        (Event::SessionEnded, S::InUse) => Ok(S::Wiping),
        (Event::SessionEnded, S::Unknown | S::Wiping | S::Free | S::Lost | S::Outing | S::Retired) => Ok(state),
        // The box knew nothing of it: whatever it took the tablet for, it is cleared first.
        (Event::Unplugged, S::Free | S::InUse | S::Wiping) => Ok(S::Wiping),
        (Event::Unplugged, S::Unknown | S::Lost | S::Outing | S::Retired) => Ok(state),
        (Event::WipedClean | Event::Checked, S::Wiping | S::Free) => Ok(S::Free),
        (Event::WipedClean, S::Unknown | S::InUse | S::Lost | S::Outing | S::Retired) => Err(Refusal::WipeUnknown),
        (Event::Checked, S::Unknown | S::InUse | S::Lost | S::Outing | S::Retired) => Err(Refusal::TabletNotFree),
        (Event::Lost, S::Retired) => Ok(S::Retired),
        (Event::Lost, S::Unknown | S::Wiping | S::Free | S::InUse | S::Lost | S::Outing) => Ok(S::Lost),
        (Event::Found, S::Lost) => Ok(S::Wiping),
        (Event::Found, S::Unknown | S::Wiping | S::Free | S::InUse | S::Outing | S::Retired) => Ok(state),
    }
}

/// The tablet of a session that ended is to be cleared: its state and its wipe, in the commit that ends the session.
pub(crate) fn to_wiping(conn: &Connection, tablet: TabletId, wipe: WipeId, now: Stamp) -> Result<(), Trouble> {
    let Some(life) = tablet_life::find(conn, tablet)? else { return Ok(()) };
    let state = next(life.state, Event::SessionEnded)?;
    if state == TabletState::Wiping && life.wipe.is_none() {
        wipes::order(conn, wipe, tablet, now)?;
        tablet_life::set(conn, tablet, state, Some(wipe))?;
    }
    Ok(())
}

/// Follows the document: a tablet reported lost (here, at another box or by the DSI) ends its session and is no longer
/// free; one that is found, or whose document is gone, is cleared or retired. Its wipe is drawn when it next speaks.
pub(crate) fn follow(conn: &Connection, tablet: &Tablet) -> Result<(), StoreError> {
    let Some(life) = tablet_life::find(conn, tablet.id)? else { return Ok(()) };
    let event = match (tablet.deleted, tablet.lost) {
        (true, _) => Event::Retired,
        (false, true) => Event::Lost,
        (false, false) => Event::Found,
    };
    let Ok(state) = next(life.state, event) else { return Ok(()) };
    if state != life.state {
        tablet_life::set(conn, tablet.id, state, None)?;
        if let Some(session) = sessions::live_on(conn, tablet.id)? {
            sessions::end(conn, &session, session.opened, Why::Staff)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENTS: [Event; 9] = [
        Event::Enrolled,
        Event::SignedIn,
        Event::SessionEnded,
        Event::Unplugged,
        Event::WipedClean,
        Event::Checked,
        Event::Lost,
        Event::Found,
        Event::Retired,
    ];
    const STATES: [TabletState; 7] = [
        TabletState::Unknown,
        TabletState::Wiping,
        TabletState::Free,
        TabletState::InUse,
        TabletState::Lost,
        TabletState::Outing,
        TabletState::Retired,
    ];

    /// Every transition there is: one line a state, one word an event, in the order of [`EVENTS`].
    #[test]
    fn every_transition_is_the_one_of_the_plan() {
        let table = "
            unknown: wiping  -      unknown unknown -    -    lost    unknown retired
            wiping:  wiping  -      wiping  wiping  free free lost    wiping  retired
            free:    wiping  in_use free    wiping  free free lost    free    retired
            in_use:  wiping  -      wiping  wiping  -    -    lost    in_use  retired
            lost:    wiping  -      lost    lost    -    -    lost    wiping  retired
            outing:  wiping  -      outing  outing  -    -    lost    outing  retired
            retired: -       -      retired retired -    -    retired retired retired";
        for (line, state) in table.lines().filter(|l| !l.trim().is_empty()).zip(STATES) {
            let (from, words) = line.trim().split_once(':').expect("a line");
            assert_eq!(from, state.as_str());
            for (word, event) in words.split_whitespace().zip(EVENTS) {
                let to = next(state, event).map_or("-", TabletState::as_str);
                assert_eq!(to, word, "{from} on {event:?}");
            }
        }
    }

    proptest! {
        /// Invariant 2: between two uses of a tablet stands a clean receipt or an adult's word.
        #[test]
        fn no_path_leads_to_a_child_without_a_wipe(path in prop::collection::vec(0..EVENTS.len(), 0..60)) {
            let (mut state, mut clean) = (TabletState::Unknown, false);
            for event in path.into_iter().map(|at| EVENTS[at]) {
                let Ok(to) = next(state, event) else { continue };
                clean = matches!(event, Event::WipedClean | Event::Checked) || (clean && ![Event::Enrolled, Event::Unplugged].contains(&event));
                if to == TabletState::InUse && state != TabletState::InUse {
                    prop_assert!(clean, "in use without a wipe");
                    clean = false;
                }
                state = to;
            }
        }
    }
}
