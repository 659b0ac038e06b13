//! The door for the other boxes of the school: a certificate of the territory, a name that the school's document knows.

use std::{net::TcpListener, sync::Arc, time::Duration};

use rustls::ServerConfig;
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::Contact;
use crate::{
    ids::BoxId,
    rig::{serve::HANDSHAKE_TIMEOUT, task::Tasks, tls},
};

/// Connections at once, handshakes among them: a school has a handful of boxes, the rest are strangers.
pub const MAX_CONNECTIONS: usize = 32;
/// The system has no connection to give: wait so long before the next try.
const PAUSE: Duration = Duration::from_millis(100);

/// Says whether a box is another one of this school, now.
pub type Knows = Arc<dyn Fn(&BoxId) -> bool + Send + Sync>;

/// Somebody who was let in.
pub type Visitor = (BoxId, Contact);

/// Opens the door until the program stops. Whoever is let in comes out of `visitors`.
pub fn open(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    knows: Knows,
    visitors: mpsc::Sender<Visitor>,
    tasks: &Tasks,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (mut stop, places) = (tasks.stopping(), Arc::new(Semaphore::new(MAX_CONNECTIONS)));
    let threshold = Threshold { acceptor: TlsAcceptor::from(tls), knows, visitors };
    let all = tasks.clone();
    tasks.spawn("door for other boxes", async move {
        loop {
            let came = tokio::select! {
                came = listener.accept() => came,
                () = stop.wait() => return,
            };
            match (came, places.clone().try_acquire_owned()) {
                (Ok((tcp, _)), Ok(place)) => {
                    let (threshold, mut stop) = (threshold.clone(), all.stopping());
                    all.spawn("another box at the door", async move {
                        tokio::select! {
                            () = threshold.crossed(tcp, place) => {}
                            () = stop.wait() => {}
                        }
                    });
                }
                // Too many: closed at once.
                (Ok(_), Err(_)) => {}
                (Err(_), _) => sleep(PAUSE).await,
            }
        }
    });
    Ok(())
}

#[derive(Clone)]
struct Threshold {
    acceptor: TlsAcceptor,
    knows: Knows,
    visitors: mpsc::Sender<Visitor>,
}

impl Threshold {
    async fn crossed(&self, tcp: TcpStream, place: OwnedSemaphorePermit) {
        match timeout(HANDSHAKE_TIMEOUT, self.judge(tcp)).await {
            Ok(Ok((box_id, stream))) => {
                let contact = Contact { stream: stream.into(), _place: Some(place) };
                // Nobody hears it when the program stops.
                drop(self.visitors.send((box_id, contact)).await);
            }
            Ok(Err(why)) => tracing::debug!(%why, "somebody was not let in"),
            Err(_) => tracing::debug!("somebody was not let in: no handshake in time"),
        }
    }

    async fn judge(&self, tcp: TcpStream) -> Result<(BoxId, tokio_rustls::server::TlsStream<TcpStream>), String> {
        tcp.set_nodelay(true).map_err(|why| why.to_string())?;
        let stream = self.acceptor.accept(tcp).await.map_err(|why| why.to_string())?;
        let box_id = tls::box_of(stream.get_ref().1.peer_certificates()).ok_or("its certificate names no box")?;
        if (self.knows)(&box_id) { Ok((box_id, stream)) } else { Err(format!("box {box_id} is not of this school")) }
    }
}
