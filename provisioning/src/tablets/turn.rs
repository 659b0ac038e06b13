//! One turn on one tablet: in, a look around, out, wiped.

use std::time::Duration;

use hyper::Method;
use preau_shared::{
    ids::Uai,
    wire::{Beat, Environment, SessionOpened, SignIn, TabletState, WipeOrder},
};

use super::{
    Rig,
    device::{Device, Trouble},
    lookup,
    news::{How, News, Verdict},
};
use crate::{coordinator::BadgeLine, invent::lists};

/// Shortest stay on a tablet.
const SHORTEST_STAY: Duration = Duration::from_millis(1_000);
/// A stay is longer than the shortest by less than this.
const STAY_SPREAD_MS: u64 = 2_000;
/// A tablet looks for the session that a teacher opened for it this often …
const PICK_UP_PAUSE: Duration = Duration::from_millis(100);
/// … and so many times.
const PICK_UP_TRIES: u32 = 50;

/// A sign-in is repeated so many times at most.
const MAX_RETRIES: u32 = 1_000;

/// Signs `children` in on `device` and tells how it went. The session is there when it did.
pub(super) async fn come_in(rig: &Rig, uai: &Uai, device: &Device, children: &[BadgeLine]) -> Option<SessionOpened> {
    let request = match children {
        [one] => SignIn { badge: Some(one.payload.clone()), ..SignIn::default() },
        several => SignIn { badges: Some(several.iter().map(|c| c.payload.clone()).collect()), ..SignIn::default() },
    };
    let how = if children.len() > 1 { How::Pair } else { How::Badge };
    let began = rig.clock.elapsed();
    let mut retries = 0_u32;
    let opened = loop {
        let asked = device.ask(Method::POST, "/api/v1/sessions", Some(device.token()), Some(&request)).await;
        let asked = match asked {
            Ok(asked) => asked,
            Err(trouble) => break Err(trouble),
        };
        let lost_before = retries > 0 || asked.retries > 0;
        retries = retries.saturating_add(asked.retries);
        match asked.json::<SessionOpened>(201) {
            // The answer to an earlier try was lost with the box, after its commit: the box still hands the session out.
            Err(Trouble::Refused(code)) if code == "tablet_not_free" && lost_before && retries < MAX_RETRIES => {
                retries = retries.saturating_add(1);
                match resume(device).await {
                    Ok(Some(session)) => break Ok(session),
                    Ok(None) => {}
                    Err(trouble) => break Err(trouble),
                }
            }
            other => break other,
        }
    };
    tell(rig, uai, how, &opened, began, retries);
    opened.ok()
}

/// Picks up the session that a teacher opened on this tablet.
pub(super) async fn pick_up(rig: &Rig, uai: &Uai, device: &Device) -> Option<SessionOpened> {
    let began = rig.clock.elapsed();
    let mut tries = 0_u32;
    let opened = loop {
        match device.myself().await {
            Ok(me) => match me.session.filter(|s| s.token.is_some()) {
                Some(session) => break Ok(session),
                None if tries >= PICK_UP_TRIES => break Err(Trouble::Late),
                None => tokio::time::sleep(PICK_UP_PAUSE).await,
            },
            Err(trouble) => break Err(trouble),
        }
        tries = tries.saturating_add(1);
    };
    tell(rig, uai, How::LetIn, &opened, began, 0);
    opened.ok()
}

fn tell(
    rig: &Rig,
    uai: &Uai,
    how: How,
    opened: &Result<SessionOpened, Trouble>,
    began: preau_shared::time::Elapsed,
    retries: u32,
) {
    let latency = rig.clock.elapsed().since(began);
    News::SignIn {
        uai: uai.clone(),
        how,
        session: opened.as_ref().ok().map(|s| s.session_id.to_string()),
        code: opened.as_ref().err().map(Trouble::code),
        latency_us: u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
        retries,
    }
    .tell();
}

/// What a child does between in and out: the right environment is there, names are looked up, the session is kept.
pub(super) async fn stay(rig: &Rig, uai: &Uai, device: &Device, session: &SessionOpened, children: &[BadgeLine]) {
    if !children.iter().all(|c| session.people.iter().any(|p| p.person_id.to_string() == c.person_id)) {
        odd(uai, "the session is somebody else's");
    }
    if session.environment.policy.name.is_empty() {
        odd(uai, "the environment has no policy");
    }
    if session.environment.documents.is_empty() {
        odd(uai, "the environment has no document of the class");
    }
    let pause = SHORTEST_STAY.saturating_add(Duration::from_millis(rig.dice.below(STAY_SPREAD_MS)));
    let busy = async {
        look_up(rig, uai, device, &session.environment).await;
        if let Err(trouble) = keep(device, session).await {
            odd(uai, &format!("heartbeat: {trouble}"));
        }
    };
    tokio::join!(tokio::time::sleep(pause), busy);
}

async fn keep(device: &Device, session: &SessionOpened) -> Result<(), Trouble> {
    let token = session.token.as_deref();
    let resumed = device.ask(Method::GET, "/api/v1/sessions/current", token, None::<&()>).await?;
    let resumed: SessionOpened = resumed.json(200)?;
    if resumed.session_id != session.session_id {
        return Err(Trouble::Contract("another session was resumed".into()));
    }
    let beat = device.ask(Method::POST, "/api/v1/sessions/current/heartbeat", token, None::<&()>).await?;
    beat.json::<Beat>(200).map(|_| ())
}

/// One name that the child's policy blocks, if it blocks any, and one that it does not.
async fn look_up(rig: &Rig, uai: &Uai, device: &Device, environment: &Environment) {
    let blocked: Vec<&str> = lists::CATEGORIES
        .iter()
        .filter(|(category, _)| environment.policy.blocked.iter().any(|b| b == category))
        .map(|(_, word)| *word)
        .collect();
    let number = u32::try_from(rig.dice.below(1_000)).unwrap_or(0);
    if !blocked.is_empty() {
        let name = lists::blocked_name(crate::invent::pick(&blocked, &*rig.dice), number);
        tell_look_up(uai, Verdict::Blocked, lookup::ask(device.dns, device.from, &name).await);
    }
    let name = crate::invent::pick(&lists::ALLOWED, &*rig.dice);
    tell_look_up(uai, Verdict::Allowed, lookup::ask(device.dns, device.from, name).await);
}

fn tell_look_up(uai: &Uai, expected: Verdict, found: Verdict) {
    News::LookUp { uai: uai.clone(), expected, found }.tell();
}

/// Signs out, wipes, hands the receipt in.
pub(super) async fn leave(uai: &Uai, device: &Device, session: &SessionOpened) {
    let ended = async {
        let token = session.token.as_deref();
        let left = device.ask(Method::DELETE, "/api/v1/sessions/current", token, None::<&()>).await?;
        match left.json::<WipeOrder>(202) {
            Ok(order) => device.wipe(&order).await,
            // Ended from elsewhere, or by an answer that was lost: the tablet asks what it owes.
            Err(Trouble::Refused(code)) if code == "session_unknown" => settle(device).await,
            Err(trouble) => Err(trouble),
        }
    };
    match ended.await {
        Ok(()) => News::Freed { uai: uai.clone() }.tell(),
        Err(trouble) => odd(uai, &format!("sign-out: {trouble}")),
    }
}

/// The session that waits for this tablet, if there is one; else the tablet is put in order.
async fn resume(device: &Device) -> Result<Option<SessionOpened>, Trouble> {
    let me = device.myself().await?;
    match me.session.filter(|s| s.token.is_some()) {
        Some(session) => Ok(Some(session)),
        None => settle(device).await.map(|()| None),
    }
}

/// Puts the tablet in order: asks the box where it stands, ends a session that nobody came for, does the wipe it owes.
pub(super) async fn settle(device: &Device) -> Result<(), Trouble> {
    let me = device.myself().await?;
    if let Some(order) = &me.wipe {
        return device.wipe(order).await;
    }
    if let Some(token) = me.session.and_then(|s| s.token) {
        let left = device.ask(Method::DELETE, "/api/v1/sessions/current", Some(&token), None::<&()>).await?;
        return device.wipe(&left.json::<WipeOrder>(202)?).await;
    }
    match me.state {
        TabletState::Free => Ok(()),
        TabletState::Unknown
        | TabletState::Wiping
        | TabletState::InUse
        | TabletState::Lost
        | TabletState::Outing
        | TabletState::Retired => Err(Trouble::Contract(format!("stuck in state {}", me.state.as_str()))),
    }
}

pub(super) fn odd(uai: &Uai, what: &str) {
    News::Oddity { uai: uai.clone(), what: what.to_owned() }.tell();
}
