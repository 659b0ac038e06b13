//! The sockets of the front: UDP and TCP on one address, TLS on another.
//!
//! Datagrams have threads of their own that wait in the kernel: what is answered from memory costs little more than to
//! receive and to send. What must be asked elsewhere goes to the runtime.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    Front, Judge, Next, Origin, Outcome,
    crowd::{Crowd, Place},
};
use crate::{
    dns::{Carrier, Found, question::MAX_QUERY_BYTES},
    ids::FilterId,
    rig::task::{Stop, Tasks},
};

/// Questions that wait for the upstream at once; beyond, the answer is "not now".
pub(super) const MAX_WAITING: usize = 512;
/// … of one address: behind a case's access point there may be thirty tablets.
pub(super) const MAX_WAITING_EACH: usize = 128;
/// Streams open at once; beyond, a new one is closed.
const MAX_STREAMS: usize = 128;
/// … of one address.
const MAX_STREAMS_EACH: usize = 32;
/// Streams of TLS open at once, for which a tablet keeps one while it looks at pages: a third of a territory's.
const MAX_ENCRYPTED: usize = 1_024;
/// … of one address.
const MAX_ENCRYPTED_EACH: usize = 64;
/// A thread that waits for datagrams looks so often whether the program stops.
const LOOK_UP: Duration = Duration::from_millis(200);
/// A stream without a question for so long is closed.
const STREAM_IDLE: Duration = Duration::from_secs(10);
/// What is spoken over TLS, for whoever says it (RFC 7858, IANA's *ALPN Protocol IDs*).
const PROTOCOL: &[u8] = b"dot";
/// Tries to find a port that is free for both protocols, when any port will do.
const PORT_TRIES: usize = 16;

/// Bound sockets of one address.
#[derive(Debug)]
pub struct Sockets {
    udp: UdpSocket,
    tcp: TcpListener,
    address: SocketAddr,
}

impl Sockets {
    /// Binds both protocols to one address; with port 0, to a port that is free for both.
    ///
    /// # Errors
    /// The system's, when the address is taken or not ours.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..PORT_TRIES {
            let udp = UdpSocket::bind(address)?;
            udp.set_read_timeout(Some(LOOK_UP))?;
            let bound = udp.local_addr()?;
            match TcpListener::bind(bound).await {
                Ok(tcp) => return Ok(Self { udp, tcp, address: bound }),
                Err(error) if address.port() == 0 => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Where they are bound.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Answers on these sockets until the stop, with so many readers of datagrams.
///
/// # Errors
/// The system's, when it has no thread for a reader.
pub fn serve<J: Judge>(front: &Arc<Front<J>>, sockets: Sockets, readers: usize, tasks: &Tasks) -> io::Result<()> {
    let udp = Arc::new(sockets.udp);
    let crowd = Crowd::new(MAX_WAITING, MAX_WAITING_EACH);
    let (asking, asked) = mpsc::channel(MAX_WAITING);
    for _ in 0..readers.max(1) {
        let reader = Datagrams {
            front: Arc::clone(front),
            socket: Arc::clone(&udp),
            crowd: Arc::clone(&crowd),
            asking: asking.clone(),
        };
        let (stop, (gone, ended)) = (tasks.stopping(), oneshot::channel::<()>());
        thread::Builder::new().name("dns udp".to_owned()).spawn(move || {
            reader.read(&stop);
            drop(gone);
        })?;
        tasks.spawn("dns udp", async { drop(ended.await) });
    }
    tasks.spawn("dns upstream", ask(Arc::clone(front), udp, asked, tasks.stopping()));
    let door = Door { front: Arc::clone(front), crowd };
    let serve = |door: Door<J>, stream, address| door.serve(stream, Origin::of(address), Carrier::Tcp);
    tasks.spawn(
        "dns tcp",
        streams(door, (sockets.tcp, Crowd::new(MAX_STREAMS, MAX_STREAMS_EACH)), serve, tasks.stopping()),
    );
    Ok(())
}

/// A reader of datagrams.
struct Datagrams<J> {
    front: Arc<Front<J>>,
    socket: Arc<UdpSocket>,
    crowd: Arc<Crowd>,
    asking: mpsc::Sender<Waiting>,
}

/// A question that waits for the upstream.
struct Waiting {
    packet: Vec<u8>,
    peer: SocketAddr,
    stale: Option<Arc<Found>>,
    place: Place,
}

impl<J: Judge> Datagrams<J> {
    /// Reads until the stop.
    fn read(&self, stop: &Stop) {
        let (mut packet, mut out) = ([0; MAX_QUERY_BYTES], Vec::with_capacity(MAX_QUERY_BYTES));
        while !stop.is_told() {
            match self.socket.recv_from(&mut packet) {
                Ok((length, peer)) => {
                    let answer = || self.datagram(packet.get(..length).unwrap_or_default(), peer, &mut out);
                    // One question's panic, which is logged where it happens, must not end the thread.
                    if catch_unwind(AssertUnwindSafe(answer)).is_err() {
                        out.clear();
                    }
                }
                // Nothing came for a while.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                // What an earlier answer met: its asker is gone.
                Err(error) => tracing::debug!(%error, "a datagram could not be received"),
            }
        }
    }

    fn datagram(&self, packet: &[u8], peer: SocketAddr, out: &mut Vec<u8>) {
        let from = Origin::of(peer.ip());
        let outcome = match self.front.begin(from, packet, Carrier::Udp, out) {
            Next::Answered(outcome) => outcome,
            Next::Ask(stale) => {
                let waiting = |place| Waiting { packet: packet.to_vec(), peer, stale, place };
                let goes =
                    self.crowd.enter(from.address).map(waiting).is_some_and(|one| self.asking.try_send(one).is_ok());
                if goes {
                    return;
                }
                self.front.crowded(packet, Carrier::Udp, out)
            }
        };
        send(&self.front, &self.socket, peer, out, outcome);
    }
}

/// Asks the upstream what the readers could not answer.
async fn ask<J: Judge>(
    front: Arc<Front<J>>,
    socket: Arc<UdpSocket>,
    mut asked: mpsc::Receiver<Waiting>,
    mut stop: Stop,
) {
    let mut waiting = JoinSet::new();
    loop {
        let Waiting { packet, peer, stale, place } = tokio::select! {
            () = stop.wait() => return,
            one = asked.recv() => match one {
                Some(one) => one,
                None => return,
            },
        };
        while waiting.try_join_next().is_some() {}
        let (front, socket) = (Arc::clone(&front), Arc::clone(&socket));
        waiting.spawn(async move {
            let mut out = Vec::new();
            let outcome = front.ask(Origin::of(peer.ip()), &packet, stale, Carrier::Udp, &mut out).await;
            drop(place);
            send(&front, &socket, peer, &out, outcome);
        });
    }
}

/// Sends what is written. A datagram never waits longer than the network's card takes.
fn send<J: Judge>(front: &Front<J>, socket: &UdpSocket, peer: SocketAddr, out: &[u8], outcome: Outcome) {
    if !out.is_empty()
        && let Err(error) = socket.send_to(out, peer)
    {
        tracing::debug!(%error, "an answer could not be sent");
    }
    front.judge().count(outcome);
}

/// Answers over TLS on this listener until the stop (RFC 7858). A tablet asks for a server of its own name under one of
/// ours (RFC 8310 §8): the first label of the server that it asks for is the name under which it asks.
pub fn serve_encrypted<J: Judge>(
    front: &Arc<Front<J>>,
    listener: TcpListener,
    mut tls: rustls::ServerConfig,
    tasks: &Tasks,
) {
    tls.alpn_protocols = vec![PROTOCOL.to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let door = Door { front: Arc::clone(front), crowd: Crowd::new(MAX_WAITING, MAX_WAITING_EACH) };
    let who = |server: &str| server.split('.').next()?.parse::<FilterId>().ok();
    let serve = move |door: Door<J>, stream, address| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(Ok(stream)) = timeout(STREAM_IDLE, acceptor.accept(stream)).await else { return };
            let tablet = stream.get_ref().1.server_name().and_then(who);
            let from = Origin { tablet, ..Origin::of(address) };
            door.serve(stream, from, Carrier::Encrypted).await;
        }
    };
    let places = Crowd::new(MAX_ENCRYPTED, MAX_ENCRYPTED_EACH);
    tasks.spawn("dns tls", streams(door, (listener, places), serve, tasks.stopping()));
}

/// What each stream is served with.
struct Door<J> {
    front: Arc<Front<J>>,
    crowd: Arc<Crowd>,
}

impl<J> Clone for Door<J> {
    fn clone(&self) -> Self {
        Self { front: Arc::clone(&self.front), crowd: Arc::clone(&self.crowd) }
    }
}

/// Accepts streams, few of one address, and serves each as `serve` does.
async fn streams<J: Judge, S: Future<Output = ()> + Send + 'static>(
    door: Door<J>,
    (listener, places): (TcpListener, Arc<Crowd>),
    serve: impl Fn(Door<J>, TcpStream, IpAddr) -> S,
    mut stop: Stop,
) {
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.wait() => return,
            accepted = listener.accept() => accepted,
        };
        while open.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a stream could not be accepted");
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let Some(place) = places.enter(peer.ip().to_canonical()) else {
            door.front.judge().count(Outcome::Crowded);
            continue;
        };
        let served = serve(door.clone(), stream, peer.ip());
        open.spawn(async move {
            served.await;
            drop(place);
        });
    }
}

impl<J: Judge> Door<J> {
    /// Serves one stream to its end. An error is the asker's going away; there is nobody to tell.
    async fn serve(self, mut stream: impl AsyncRead + AsyncWrite + Unpin, from: Origin, carrier: Carrier) {
        while let Ok(Ok(message)) = timeout(STREAM_IDLE, receive(&mut stream)).await {
            let Some(_waiting) = self.crowd.enter(from.address) else { break };
            let answer = self.front.answer(from, &message, carrier).await;
            let Some(bytes) = answer.bytes else { break };
            let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
            let sent = timeout(STREAM_IDLE, stream.write_all(&[&length[..], &bytes].concat())).await;
            self.front.judge().count(answer.outcome);
            if !matches!(sent, Ok(Ok(()))) {
                break;
            }
        }
    }
}

/// One message behind its length (RFC 1035 §4.2.2).
async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = usize::from(stream.read_u16().await?);
    if length > MAX_QUERY_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(message)
}
