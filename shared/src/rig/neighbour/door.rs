//! The door for the other boxes of the school: a certificate of the territory, a name that the school's document knows.

use std::{
    collections::BTreeMap,
    net::{IpAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    net::TcpStream,
    sync::mpsc,
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
/// … of one address, so that one tablet in the wrong hands does not take the places of all.
pub const MAX_OF_ONE_ADDRESS: usize = 6;
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
    let (mut stop, places) = (tasks.stopping(), Places::default());
    let threshold = Threshold { acceptor: TlsAcceptor::from(tls), knows, visitors };
    let all = tasks.clone();
    tasks.spawn("door for other boxes", async move {
        loop {
            let came = tokio::select! {
                came = listener.accept() => came,
                () = stop.wait() => return,
            };
            let (tcp, from) = match came {
                Ok((tcp, from)) => (tcp, from.ip()),
                Err(_) => {
                    sleep(PAUSE).await;
                    continue;
                }
            };
            // One too many is closed at once.
            if let Some(place) = places.take(from) {
                let (threshold, mut stop) = (threshold.clone(), all.stopping());
                all.spawn("another box at the door", async move {
                    tokio::select! {
                        () = threshold.crossed(tcp, place) => {}
                        () = stop.wait() => {}
                    }
                });
            }
        }
    });
    Ok(())
}

/// Who is at the door or behind it, by address.
#[derive(Debug, Clone, Default)]
struct Places(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

/// A connection's place, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    from: IpAddr,
}

impl Places {
    fn take(&self, from: IpAddr) -> Option<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let of_one = taken.get(&from).copied().unwrap_or_default();
        if all >= MAX_CONNECTIONS || of_one >= MAX_OF_ONE_ADDRESS {
            return None;
        }
        taken.insert(from, of_one.saturating_add(1));
        Some(Place { places: self.clone(), from })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.from) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            Some(_) | None => drop(taken.remove(&self.from)),
        }
    }
}

#[derive(Clone)]
struct Threshold {
    acceptor: TlsAcceptor,
    knows: Knows,
    visitors: mpsc::Sender<Visitor>,
}

impl Threshold {
    async fn crossed(&self, tcp: TcpStream, place: Place) {
        match timeout(HANDSHAKE_TIMEOUT, self.judge(tcp)).await {
            Ok(Ok((box_id, stream))) => {
                let contact = Contact { stream: stream.into(), _place: place };
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
