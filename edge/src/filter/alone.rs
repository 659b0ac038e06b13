//! The filter by itself, for measurements from outside: everybody is the same asker, for whom every category that is
//! meant to block is blocked.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use preau_shared::{
    blocklist::BlockList,
    policy::{Reason, Verdict},
    rig::{
        clock::SystemClock,
        dice::SystemDice,
        dns_front::{Front, FrontError, Judge, Origin, Outcome, Ruling, Sockets, serve},
        lists::{self, ListsError},
        task::Tasks,
    },
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
pub(crate) async fn serve_alone(
    listen: SocketAddr,
    upstream: SocketAddr,
    lists_dir: &Path,
    state: &Path,
    threads: usize,
) -> Result<(), AloneError> {
    let list = lists::compiled(lists_dir, &state.join(LISTS), &SystemDice)?;
    let version = state.join(VERSION);
    std::fs::create_dir_all(state)
        .and_then(|()| std::fs::write(&version, list.version()))
        .map_err(|error| AloneError::State(version, error))?;
    super::lists::told(&list);
    let tasks = Tasks::default();
    let sockets = Sockets::bind(listen).await.map_err(|error| AloneError::Listen(listen, error))?;
    tracing::info!(address = %sockets.address(), "the filter answers");
    let front = Front::new(Everybody::new(list), &[upstream], Arc::new(SystemClock::start()))?;
    serve(&Arc::new(front), sockets, threads, &tasks).map_err(|error| AloneError::Listen(listen, error))?;
    ended().await;
    tasks.stop();
    tasks.ended().await;
    Ok(())
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
