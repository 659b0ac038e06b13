//! The seam for agents: a program on a tablet, or the service that manages it (Headwind, FreeKiosk), clears what a web page
//! cannot reach. It is bound to one tablet by a key of its own, is told of each wipe, and says how each step ended.
//!
//! Page and agent report apart, in either order and as often as they like ([`super::wipe`] puts the halves together). An
//! agent that is on the tablet asks for its order itself (`GET /api/v1/agents/me`); one that must be called is a [`Port`]
//! by the name of its kind.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use preau_shared::{
    ids::{TabletId, WipeId},
    journal::{Entry, Pseudonym},
    keys::{dpop::Thumbprint, draw_token, sha256},
    refusal::Refusal,
    time::Elapsed,
    wire::{AgentBound, BindAgent, TabletState, WipeOrder, WipeStep},
};

use crate::{
    app::App,
    classroom::live::Change,
    store::{
        Trouble,
        agents::{self, Bound, Part},
        tablet_life, tablets, wipes,
    },
};

/// Steps that agents may take over.
pub(crate) const STEPS: [&str; 4] = ["downloads", "camera", "apps", "clipboard"];
/// An agent that has not answered for so long is no longer waited for: an adult looks at the tablet.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// An order is told again so often.
pub(crate) const AGAIN_EVERY: Duration = Duration::from_secs(20);
/// Longest name of a kind, in characters.
const MAX_KIND_CHARS: usize = 40;

/// Tells agents of one kind what to clear.
pub(crate) trait Port: Send + Sync + Debug {
    /// Clear these steps of that tablet. It answers at once, and what comes of it later is reported ([`super::wipe`]); an
    /// order that got lost is told again.
    fn clear(&self, tablet: TabletId, order: &WipeOrder);
}

/// How agents are told: by the name of their kind. Kinds without a port ask for their orders themselves.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    by_kind: BTreeMap<String, Arc<dyn Port>>,
    /// When which wipe was told.
    told: Mutex<BTreeMap<TabletId, (WipeId, Elapsed)>>,
}

impl Ports {
    /// … and agents of this kind through this port.
    #[cfg(test)]
    pub(crate) fn with(mut self, kind: &str, port: Arc<dyn Port>) -> Self {
        self.by_kind.insert(kind.to_owned(), port);
        self
    }

    fn tell(&self, agent: &Bound, wipe: WipeId, now: Elapsed) {
        let Some(port) = self.by_kind.get(&agent.kind) else { return };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.get(&agent.tablet).filter(|(which, _)| *which == wipe);
        if before.is_some_and(|(_, at)| now.since(*at) < AGAIN_EVERY) {
            return;
        }
        told.insert(agent.tablet, (wipe, now));
        drop(told);
        port.clear(agent.tablet, &order(agent, wipe));
    }

    /// What is told of tablets that wait for nobody is forgotten.
    fn keep(&self, waiting: &[TabletId]) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).retain(|tablet, _| waiting.contains(tablet));
    }
}

/// Binds an agent to the tablet that it runs on, which is enrolled already and has that name written on it, or that serial
/// number. From then on each wipe waits for it, too; it takes the place of the one before.
///
/// # Errors
/// `enrolment_closed` and `locked_out` for the code; `malformed` for no step; `not_found` for no such tablet, or two.
pub(crate) async fn bind(app: &App, ask: BindAgent, key: Thumbprint) -> Result<AgentBound, Trouble> {
    let steps: Vec<String> =
        STEPS.iter().filter(|step| ask.steps.iter().any(|own| own == *step)).map(|step| (*step).to_owned()).collect();
    if steps.is_empty() {
        return Err(Trouble::because(Refusal::Malformed, format!("`steps`: one or more of {}", STEPS.join(", "))));
    }
    let kind: String = ask.kind.chars().filter(|c| !c.is_control()).take(MAX_KIND_CHARS).collect();
    let token = draw_token(app.dice.as_ref());
    let hash = sha256(token.as_bytes());
    let tablet = app
        .commit(move |conn, book| {
            let serial = ask.serial.as_deref().map(str::trim).filter(|serial| !serial.is_empty());
            let tablet = match serial {
                Some(serial) => tablets::by_serial(conn, serial)?,
                None => tablets::by_name(conn, ask.tablet.trim())?,
            };
            let tablet = tablet.ok_or(Refusal::NotFound)?;
            tablet_life::find(conn, tablet)?.ok_or(Refusal::NotFound)?;
            let what = format!("agent {kind} bound to tablet {tablet}: {}", steps.join(" "));
            agents::bind(conn, &Bound { tablet, kind, key, steps }, &hash)?;
            book.note(conn, &Entry::Audit { what, by: None })?;
            Ok(tablet)
        })
        .await?;
    Ok(AgentBound { tablet_id: tablet, token })
}

/// An adult says that nothing but the page clears this tablet any more.
///
/// # Errors
/// `not_found` when no agent is bound to it.
pub(crate) async fn release(app: &App, tablet: TabletId, by: Pseudonym) -> Result<(), Trouble> {
    app.commit(move |conn, book| {
        if !agents::release(conn, tablet)? {
            return Err(Refusal::NotFound.into());
        }
        book.note(conn, &Entry::Audit { what: format!("agent of tablet {tablet} released"), by: Some(by) })
    })
    .await?;
    app.live.tell(Change::Badges);
    Ok(())
}

/// What an agent is to clear now, if anything.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn owed(app: &App, agent: &Bound) -> Result<Option<WipeOrder>, Trouble> {
    let waiting = app.reader.read(agents::waited_for)?;
    let wipe = waiting.into_iter().find(|(other, ..)| other.tablet == agent.tablet).map(|(_, wipe, _)| wipe);
    let Some(wipe) = wipe else { return Ok(None) };
    let said = app.reader.read(|conn| agents::said(conn, wipe, Part::Agent))?;
    let is_done = agent.steps.iter().all(|step| said.get(step) == Some(&true));
    Ok((!is_done).then(|| order(agent, wipe)))
}

fn order(agent: &Bound, wipe: WipeId) -> WipeOrder {
    WipeOrder { wipe_id: wipe, steps: agent.steps.iter().map(|name| WipeStep { name: name.clone() }).collect() }
}

/// Tells agents what they owe, again where they have not answered, and has an adult look where one was waited for too
/// long. Called every few seconds.
///
/// # Errors
/// When the store cannot be read or written.
pub(crate) async fn tend(app: &App) -> Result<(), Trouble> {
    let (now, elapsed) = (app.clock.stamp(), app.clock.elapsed());
    let waiting = app.reader.read(agents::waited_for)?;
    let tablets: Vec<TabletId> = waiting.iter().map(|(agent, ..)| agent.tablet).collect();
    app.agents.keep(&tablets);
    for (agent, wipe, ordered) in waiting {
        let (said, unconfirmed) = app
            .reader
            .read(|conn| Ok::<_, Trouble>((agents::said(conn, wipe, Part::Agent)?, wipes::unconfirmed(conn, wipe)?)))?;
        let silent: Vec<String> = agent.steps.iter().filter(|step| !said.contains_key(*step)).cloned().collect();
        if silent.is_empty() {
            continue;
        }
        app.agents.tell(&agent, wipe, elapsed);
        let news: Vec<String> = silent.into_iter().filter(|step| !unconfirmed.contains(step)).collect();
        if now.since(ordered) >= PATIENCE && !news.is_empty() {
            let steps = [unconfirmed, news].concat();
            app.commit(move |conn, _| Ok(wipes::lacks(conn, wipe, &steps)?)).await?;
            app.live.tell(Change::Tablet { tablet: agent.tablet, state: TabletState::Wiping });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Told(Mutex<Vec<(TabletId, WipeOrder)>>);

    impl Port for Told {
        fn clear(&self, tablet: TabletId, order: &WipeOrder) {
            self.0.lock().expect("lock").push((tablet, order.clone()));
        }
    }

    #[test]
    fn an_order_is_told_through_the_port_of_its_kind_and_again_while_nobody_answers() {
        let told = Arc::new(Told::default());
        let ports = Ports::default().with("headwind", told.clone());
        let tablet = TabletId::from_bytes([1; 16]);
        let agent = |kind: &str| Bound {
            tablet,
            kind: kind.into(),
            key: Thumbprint([0; 32]),
            steps: vec!["downloads".into(), "apps".into()],
        };
        let (wipe, next) = (WipeId::from_bytes([1; 16]), WipeId::from_bytes([2; 16]));
        let at = |seconds| Elapsed(Duration::from_secs(seconds));
        let count = || told.0.lock().expect("lock").len();
        ports.tell(&agent("freekiosk"), wipe, at(0));
        assert_eq!(count(), 0, "it asks by itself");
        ports.tell(&agent("headwind"), wipe, at(0));
        ports.tell(&agent("headwind"), wipe, at(5));
        assert_eq!(count(), 1);
        assert_eq!(told.0.lock().expect("lock")[0], (tablet, order(&agent("headwind"), wipe)));
        ports.tell(&agent("headwind"), wipe, at(20));
        ports.tell(&agent("headwind"), next, at(21));
        assert_eq!(count(), 3, "again, and at once for the next child's");
        ports.keep(&[]);
        ports.tell(&agent("headwind"), next, at(22));
        assert_eq!(count(), 4);
    }
}
