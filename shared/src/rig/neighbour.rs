//! The carrier between two boxes of one school: mutual TLS 1.3 over TCP, frames of a length and a batch.
//!
//! The box with the lower name visits, the other one is host, so that two boxes never hold two connections. It only
//! carries, like [`super::link`]: what cannot leave is sent again by the replication core, which also says something at
//! every keep-alive; whoever is silent for much longer is gone. Who may come in is asked of the school's document at the
//! [`door`], and whoever drops a [`Host`] or [`Guest`] ends its connection and its driver.

pub mod door;
mod frame;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{mpsc, watch},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, TlsStream};

use super::{
    link::pause,
    replicate::LinkEvent,
    task::{Stop, Tasks},
    tls,
};
use crate::{dice::Dice, ids::BoxId};

/// What both ends say they speak (ALPN).
pub const PROTOCOL: &[u8] = b"preau-lan/1";
/// Batches that may wait in each direction; the driver sends again what finds no room.
const MAX_WAITING: usize = 16;
/// Connections of one sister that may wait to take the place of the one that stands.
const MAX_NEWER: usize = 2;

/// An authenticated connection of another box.
pub struct Contact {
    stream: TlsStream<TcpStream>,
    /// Its place among the connections of the door.
    _place: door::Place,
}

impl Contact {
    /// Whether this is what its guest came to speak.
    pub fn speaks(&self, protocol: &[u8]) -> bool {
        self.stream.get_ref().1.alpn_protocol() == Some(protocol)
    }
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact")
    }
}

/// The driver's two ends of a carrier.
#[derive(Debug)]
pub struct Carried {
    /// What the driver hears.
    pub inbound: mpsc::Receiver<LinkEvent>,
    /// What the driver says.
    pub outbound: mpsc::Sender<Vec<u8>>,
}

/// Takes the connections of one sister that visits; dropped, it ends the carrier.
#[derive(Debug)]
pub struct Host(mpsc::Sender<Contact>);

impl Host {
    /// This connection takes the place of the one that stands. Of a sister that comes faster than she is heard, the
    /// connection is closed.
    pub fn welcome(&self, contact: Contact) {
        drop(self.0.try_send(contact));
    }
}

/// Tells where the sister is found that this box visits; dropped, it ends the carrier.
#[derive(Debug)]
pub struct Guest(watch::Sender<Option<SocketAddr>>);

impl Guest {
    /// The sister is found there. A visit that stands goes on.
    pub fn told(&self, address: Option<SocketAddr>) {
        self.0.send_if_modified(|known| std::mem::replace(known, address) != address);
    }
}

/// How a box visits.
#[derive(Clone)]
pub struct Visit {
    /// Trusts the territory's authority alone and shows the box's certificate.
    pub tls: Arc<ClientConfig>,
    /// The name that the boxes of the school share.
    pub host: ServerName<'static>,
    /// Connection and handshake together may take so long.
    pub connect_timeout: Duration,
    /// Longest wait before a return.
    pub retry_cap: Duration,
    /// Who says nothing for so long is gone.
    pub silence: Duration,
}

impl std::fmt::Debug for Visit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Visit({:?})", self.host)
    }
}

/// Starts the carrier of a sister that visits this box.
pub fn host(silence: Duration, tasks: &Tasks) -> (Host, Carried) {
    let (welcome, contacts) = mpsc::channel(MAX_NEWER);
    let (wire, carried) = Wire::new(silence, tasks.stopping());
    tasks.spawn("a sister that visits", wire.receive(contacts));
    (Host(welcome), carried)
}

/// Starts the carrier of a sister that this box visits.
pub fn visit(whom: BoxId, visit: Visit, dice: Arc<dyn Dice>, tasks: &Tasks) -> (Guest, Carried) {
    let (tell, address) = watch::channel(None);
    let (wire, carried) = Wire::new(visit.silence, tasks.stopping());
    tasks.spawn("a visit to a sister", wire.go(whom, visit, dice, address));
    (Guest(tell), carried)
}

/// How a connection ended.
enum End {
    Broken(String),
    /// Nobody hears any more, or nobody speaks.
    Over,
}

/// The carrier's two ends.
struct Wire {
    say: mpsc::Sender<LinkEvent>,
    said: mpsc::Receiver<Vec<u8>>,
    silence: Duration,
    stop: Stop,
    /// Something was heard on the connection that stands, or stood last.
    heard: bool,
}

impl Wire {
    fn new(silence: Duration, stop: Stop) -> (Self, Carried) {
        let (say, inbound) = mpsc::channel(MAX_WAITING);
        let (outbound, said) = mpsc::channel(MAX_WAITING);
        (Self { say, said, silence, stop, heard: false }, Carried { inbound, outbound })
    }

    async fn receive(mut self, mut contacts: mpsc::Receiver<Contact>) {
        let mut stop = self.stop.clone();
        let mut next = None;
        loop {
            let contact = match next.take() {
                Some(contact) => Some(contact),
                None => tokio::select! {
                    contact = contacts.recv() => contact,
                    () = self.say.closed() => None,
                    () = stop.wait() => None,
                },
            };
            let Some(Contact { stream, _place }) = contact else { return };
            let newer = tokio::select! {
                end = self.converse(stream) => match end {
                    End::Broken(why) => {
                        tracing::debug!(%why, "a sister is out of reach");
                        None
                    }
                    End::Over => return,
                },
                // The one that stands may be of a machine that has forgotten it.
                newer = contacts.recv() => match newer {
                    Some(newer) => Some(newer),
                    None => return,
                },
                () = stop.wait() => return,
            };
            next = newer;
            if self.say.send(LinkEvent::Disconnected).await.is_err() {
                return;
            }
        }
    }

    async fn go(
        mut self,
        whom: BoxId,
        visit: Visit,
        dice: Arc<dyn Dice>,
        mut address: watch::Receiver<Option<SocketAddr>>,
    ) {
        let mut stop = self.stop.clone();
        let mut failures = 0_u32;
        loop {
            let found = tokio::select! {
                found = address.wait_for(Option::is_some) => found.ok().and_then(|found| *found),
                () = self.say.closed() => None,
                () = stop.wait() => None,
            };
            let Some(at) = found else { return };
            let why = tokio::select! {
                end = self.visited(whom, &visit, at) => match end {
                    End::Broken(why) => why,
                    End::Over => return,
                },
                () = gone(address.clone()) => return,
                () = stop.wait() => return,
            };
            tracing::debug!(%whom, %why, "a sister is out of reach");
            if self.say.send(LinkEvent::Disconnected).await.is_err() {
                return;
            }
            // A sister that lets nobody in closes at once: that is a failure too.
            failures = if std::mem::take(&mut self.heard) { 0 } else { failures.saturating_add(1) };
            tokio::select! {
                () = sleep(pause(&*dice, failures, visit.retry_cap)) => {}
                moved = address.changed() => if moved.is_ok() { failures = 0 } else { return },
                () = stop.wait() => return,
            }
        }
    }

    async fn visited(&mut self, whom: BoxId, visit: &Visit, at: SocketAddr) -> End {
        match timeout(visit.connect_timeout, reach(whom, visit, at)).await {
            Ok(Ok(stream)) => self.converse(stream).await,
            Ok(Err(why)) => End::Broken(why),
            Err(_) => End::Broken("no connection in time".into()),
        }
    }

    /// One life of a connection.
    async fn converse(&mut self, stream: impl AsyncRead + AsyncWrite) -> End {
        self.heard = false;
        // What was on its way belongs to the old connection; the cores will say again what matters.
        while self.said.try_recv().is_ok() {}
        if self.say.send(LinkEvent::Connected).await.is_err() {
            return End::Over;
        }
        let (mut from, mut to) = tokio::io::split(stream);
        let (say, said, heard, silence) = (&self.say, &mut self.said, &mut self.heard, self.silence);
        let hear = async {
            loop {
                let batch = match timeout(silence, frame::read(&mut from)).await {
                    Ok(Ok(batch)) => batch,
                    Ok(Err(why)) => return End::Broken(why.to_string()),
                    Err(_) => return End::Broken("silent for too long".into()),
                };
                *heard = true;
                // Whoever is slow here slows down whoever speaks; nothing is lost by that.
                if say.send(LinkEvent::Message(batch)).await.is_err() {
                    return End::Over;
                }
            }
        };
        let speak = async {
            while let Some(batch) = said.recv().await {
                if let Err(why) = frame::write(&mut to, &batch).await {
                    return End::Broken(why.to_string());
                }
            }
            End::Over
        };
        tokio::select! {
            end = hear => end,
            end = speak => end,
        }
    }
}

/// Returns when nobody tells addresses any more.
async fn gone(mut address: watch::Receiver<Option<SocketAddr>>) {
    while address.changed().await.is_ok() {}
}

/// Connects, and looks who answers: a box of the territory, and this one.
async fn reach(whom: BoxId, visit: &Visit, at: SocketAddr) -> Result<TlsStream<TcpStream>, String> {
    let tcp = TcpStream::connect(at).await.map_err(|why| why.to_string())?;
    tcp.set_nodelay(true).map_err(|why| why.to_string())?;
    let connector = TlsConnector::from(visit.tls.clone());
    let stream = connector.connect(visit.host.clone(), tcp).await.map_err(|why| why.to_string())?;
    let (_, tls) = stream.get_ref();
    match tls::box_of(tls.peer_certificates()) {
        Some(box_id) if box_id == whom => Ok(stream.into()),
        Some(_) | None => Err("another machine answers there".into()),
    }
}
