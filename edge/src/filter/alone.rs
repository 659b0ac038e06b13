//! The filter by itself, for measurements from outside: everybody is the same asker, for whom every category that is
//! meant to block is blocked; or pupils sit at tablets, each under a policy.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use preau_shared::{
    blocklist::BlockList,
    documents::policy::Policy,
    ids::{PolicyId, SessionId, TabletId},
    policy::{Lists, Reason, Verdict},
    rig::{
        clock::SystemClock,
        dice::SystemDice,
        dns_front::{Front, FrontError, Judge, Origin, Outcome, Own, Ruling, Sockets, serve},
        lists::{self, ListsError},
        task::Tasks,
    },
    time::Clock as _,
};

use super::{Filter, PerPupil};
use crate::{
    ServeDns,
    app::HEARTBEAT,
    store::seats::{Seats, Sitting},
};

/// File of the state folder that names the lists in use.
const VERSION: &str = "blocklist_version";
/// Folder of the state folder in which compiled lists lie.
const LISTS: &str = "blocklists";

/// The filter cannot serve alone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AloneError {
    /// The lists cannot be read.
    #[error(transparent)]
    Lists(#[from] ListsError),
    /// The address is taken, or not this machine's.
    #[error("DNS cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The upstream cannot be used.
    #[error(transparent)]
    Front(#[from] FrontError),
    /// The state folder cannot be written.
    #[error("{}: {}", .0.display(), .1)]
    State(PathBuf, #[source] io::Error),
}

/// Reads the lists, listens, and answers until the program is told to end.
///
/// # Errors
/// [`AloneError`] when it cannot start.
pub(crate) async fn serve_alone(options: &ServeDns) -> Result<(), AloneError> {
    let state = &options.state;
    let list = lists::compiled(&options.lists, &state.join(LISTS), &SystemDice)?;
    let version = state.join(VERSION);
    std::fs::create_dir_all(state)
        .and_then(|()| std::fs::write(&version, list.version()))
        .map_err(|error| AloneError::State(version, error))?;
    super::lists::told(&list);
    let (clock, tasks) = (Arc::new(SystemClock::start()), Tasks::default());
    match options.pupils {
        0 => answer(Everybody::new(list), clock, options, &tasks).await?,
        pupils => {
            let school = school(list, (pupils, options.policies), Arc::clone(&clock), &tasks);
            answer(PerPupil(Arc::new(school)), clock, options, &tasks).await?;
        }
    }
    ended().await;
    tasks.stop();
    tasks.ended().await;
    Ok(())
}

async fn answer<J: Judge>(
    judge: J,
    clock: Arc<SystemClock>,
    options: &ServeDns,
    tasks: &Tasks,
) -> Result<(), AloneError> {
    let taken = |error| AloneError::Listen(options.listen, error);
    let sockets = Sockets::bind(options.listen).await.map_err(taken)?;
    tracing::info!(address = %sockets.address(), "the filter answers");
    let front = Front::new(judge, &[options.upstream], clock)?;
    serve(&Arc::new(front), sockets, options.threads, tasks).map_err(taken)
}

/// A filter as a school has it: pupils at tablets, who are heard from as tablets are, and policies by level.
fn school(list: BlockList, (pupils, policies): (u16, u16), clock: Arc<SystemClock>, tasks: &Tasks) -> Filter {
    let seats = Arc::new(Seats::default());
    let address = |n: u16| match n.to_be_bytes() {
        [0, 0] => IpAddr::from([127, 0, 0, 1]),
        [high, low] => IpAddr::from([127, 1, high, low]),
    };
    let id = |n: u16| {
        let [high, low] = n.to_be_bytes();
        [high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    };
    let level = |n: u16| format!("level {n}");
    for n in 0..pupils {
        let sitting = Sitting {
            session: SessionId::from_bytes(id(n)),
            tablet: TabletId::from_bytes(id(n)),
            levels: [level(n.checked_rem(policies).unwrap_or(0))].into(),
            staff: false,
            host: None,
        };
        seats.sit(sitting, Some(address(n)), clock.elapsed());
    }
    let (beating, beats, mut stop) = (Arc::clone(&seats), Arc::clone(&clock), tasks.stopping());
    tasks.spawn("heartbeats", async move {
        loop {
            tokio::select! {
                () = stop.wait() => return,
                () = tokio::time::sleep(HEARTBEAT) => {}
            }
            for n in 0..pupils {
                beating.beat(SessionId::from_bytes(id(n)), Some(address(n)), beats.elapsed());
            }
        }
    });
    let black: Vec<String> = list.black().each().map(|category| list.name(category).to_owned()).collect();
    let spared = |n: u16| black.get(usize::from(n).checked_rem(black.len()).unwrap_or(0)).filter(|_| n > 0);
    let policy = |n: u16| Policy {
        id: PolicyId::from_bytes(id(n)),
        name: level(n),
        levels: [level(n)].into(),
        blocked: black.iter().filter(|category| spared(n) != Some(*category)).cloned().collect(),
        allow: [format!("allowed-{n}.example")].into(),
        deny: [format!("denied-{n}.example")].into(),
        deleted: false,
    };
    let policies = (0..policies).map(policy).collect();
    let filter = Filter::new(seats, Lists::Loaded(Arc::new(list)), Own::default(), clock);
    filter.set_policies(policies);
    filter
}

async fn ended() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(error) => {
            tracing::warn!(%error, "the end can only be told from the keyboard");
            return drop(tokio::signal::ctrl_c().await);
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

struct Everybody {
    list: BlockList,
    black: preau_shared::blocklist::Categories,
}

impl Everybody {
    fn new(list: BlockList) -> Self {
        Self { black: list.black(), list }
    }
}

impl Judge for Everybody {
    fn judge(&self, _from: Origin, name: &str) -> Ruling {
        let listed = self.list.categories(name).both(self.black).first();
        Ruling::Judged(listed.map_or(Verdict::Allow, |category| Verdict::Block(Reason::Listed(category))))
    }
    fn word(&self, reason: Reason, tell: impl FnOnce(&str)) {
        match reason {
            Reason::Listed(category) => tell(self.list.name(category)),
            Reason::Denied | Reason::Closed => tell(""),
        }
    }
    fn count(&self, _outcome: Outcome) {}
}
