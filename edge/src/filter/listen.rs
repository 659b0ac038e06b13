//! Brings the filter to life on its addresses, and keeps its policies and the names of tablets those of the store.

use std::{io, net::SocketAddr, sync::Arc};

use preau_shared::rig::{
    dns_front::{Front, FrontError, Sockets, serve, serve_encrypted},
    reader::Reader,
    task::Tasks,
    tls::ServerConfig,
    writer::StoreError,
};
use tokio::{net::TcpListener, sync::watch};

use super::{Filter, PerPupil};
use crate::store::{offers, policies, tablets};

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

/// The filter at work.
pub(crate) struct Bound {
    /// Where it answers by UDP and TCP.
    pub(crate) address: SocketAddr,
    /// What answers, for other ways to ask.
    pub(crate) front: Arc<Front<PerPupil>>,
}

/// Answers on this address until the stop.
///
/// # Errors
/// [`FilterError`] when the address is taken or the upstream cannot be used.
pub(crate) async fn start(
    filter: &Arc<Filter>,
    listen: SocketAddr,
    upstream: &[SocketAddr],
    tasks: &Tasks,
) -> Result<Bound, FilterError> {
    let sockets = Sockets::bind(listen).await.map_err(|error| FilterError::Listen(listen, error))?;
    let address = sockets.address();
    let front = Arc::new(Front::new(PerPupil(filter.clone()), upstream, filter.clock.clone())?);
    serve(&front, sockets, READERS, tasks).map_err(|error| FilterError::Listen(listen, error))?;
    Ok(Bound { address, front })
}

impl Bound {
    /// Answers over TLS on another address, too. Returns where that is bound.
    ///
    /// # Errors
    /// [`FilterError::Listen`] when the address is taken.
    pub(crate) async fn encrypted(
        &self,
        listen: SocketAddr,
        tls: ServerConfig,
        tasks: &Tasks,
    ) -> Result<SocketAddr, FilterError> {
        let taken = |error| FilterError::Listen(listen, error);
        let listener = TcpListener::bind(listen).await.map_err(taken)?;
        let bound = listener.local_addr().map_err(taken)?;
        serve_encrypted(&self.front, listener, tls, tasks);
        Ok(bound)
    }
}

/// Reads policies and the names of tablets now, and again after each commit that changed them, until the stop.
///
/// # Errors
/// [`StoreError`] when they cannot be read at the start.
pub(crate) fn follow(
    filter: Arc<Filter>,
    reader: Reader,
    mut committed: watch::Receiver<u64>,
    tasks: &Tasks,
) -> Result<(), StoreError> {
    let mut read = offers::Stamps::default();
    renew(&filter, &reader, &mut read)?;
    let mut stop = tasks.stopping();
    tasks.spawn("filter rules", async move {
        loop {
            tokio::select! {
                () = stop.wait() => return,
                changed = committed.changed() => if changed.is_err() { return },
            }
            if let Err(error) = renew(&filter, &reader, &mut read) {
                tracing::warn!(%error, "policies cannot be read: the last ones stay in force");
            }
        }
    });
    Ok(())
}

/// Reads what is not as it was when it was `read`.
fn renew(filter: &Filter, reader: &Reader, read: &mut offers::Stamps) -> Result<(), StoreError> {
    let now = reader.read(offers::stamps)?;
    if now.settled != read.settled {
        filter.set_policies(reader.read(policies::every)?);
    }
    if now.tablets != read.tablets {
        filter.set_tablets(reader.read(tablets::by_filter_name)?);
    }
    *read = now;
    Ok(())
}
