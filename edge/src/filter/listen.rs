//! Brings the filter to life on its address, and keeps its policies those of the store.

use std::{io, net::SocketAddr, sync::Arc};

use preau_shared::rig::{
    dns_front::{Front, FrontError, Sockets, serve},
    reader::Reader,
    task::Tasks,
    writer::StoreError,
};
use tokio::sync::watch;

use super::{Filter, PerPupil};
use crate::store::policies;

/// Readers of datagrams: one for each core of an appliance.
const READERS: usize = 2;

/// The filter cannot be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterError {
    /// The address is taken, or not this machine's.
    #[error("DNS cannot listen on {0}: {1} (another resolver may hold the port)")]
    Listen(SocketAddr, #[source] io::Error),
    /// The upstream cannot be used.
    #[error(transparent)]
    Front(#[from] FrontError),
}

/// Answers on this address until the stop. Returns where it is bound.
///
/// # Errors
/// [`FilterError`] when the address is taken or the upstream cannot be used.
pub(crate) async fn start(
    filter: &Arc<Filter>,
    listen: SocketAddr,
    upstream: &[SocketAddr],
    tasks: &Tasks,
) -> Result<SocketAddr, FilterError> {
    let sockets = Sockets::bind(listen).await.map_err(|error| FilterError::Listen(listen, error))?;
    let bound = sockets.address();
    let front = Arc::new(Front::new(PerPupil(filter.clone()), upstream, filter.clock.clone())?);
    serve(&front, sockets, READERS, tasks).map_err(|error| FilterError::Listen(listen, error))?;
    Ok(bound)
}

/// Reads the policies now, and again after each commit that follows, until the stop.
///
/// # Errors
/// [`StoreError`] when they cannot be read at the start.
pub(crate) fn follow_policies(
    filter: Arc<Filter>,
    reader: Reader,
    mut committed: watch::Receiver<u64>,
    tasks: &Tasks,
) -> Result<(), StoreError> {
    filter.set_policies(reader.read(policies::every)?);
    let mut stop = tasks.stopping();
    tasks.spawn("filter policies", async move {
        loop {
            tokio::select! {
                () = stop.wait() => return,
                changed = committed.changed() => if changed.is_err() { return },
            }
            match reader.read(policies::every) {
                Ok(policies) => filter.set_policies(policies),
                Err(error) => tracing::warn!(%error, "policies cannot be read: the last ones stay in force"),
            }
        }
    });
    Ok(())
}
