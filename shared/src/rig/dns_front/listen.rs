//! The sockets of the front: UDP and TCP on one address.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::timeout,
};

use super::{Answer, Front, Judge, Next, Outcome};
use crate::{
    dns::{Carrier, question::MAX_QUERY_BYTES},
    rig::task::{Stop, Tasks},
};

/// Questions that wait for the upstream at once; beyond, the answer is "not now".
const MAX_WAITING: usize = 512;
/// Streams open at once; beyond, a new one is closed.
const MAX_STREAMS: usize = 64;
/// A stream without a question for so long is closed.
const STREAM_IDLE: Duration = Duration::from_secs(10);
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
            let udp = UdpSocket::bind(address).await?;
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
pub fn serve<J: Judge>(front: &Arc<Front<J>>, sockets: Sockets, readers: usize, tasks: &Tasks) {
    let udp = Arc::new(sockets.udp);
    let crowd = Arc::new(Semaphore::new(MAX_WAITING));
    for _ in 0..readers.max(1) {
        tasks.spawn("dns udp", datagrams(front.clone(), udp.clone(), crowd.clone(), tasks.stopping()));
    }
    tasks.spawn("dns tcp", streams(front.clone(), sockets.tcp, crowd, tasks.stopping()));
}

async fn datagrams<J: Judge>(front: Arc<Front<J>>, socket: Arc<UdpSocket>, crowd: Arc<Semaphore>, mut stop: Stop) {
    let mut waiting = JoinSet::new();
    let mut packet = vec![0; MAX_QUERY_BYTES];
    loop {
        let received = tokio::select! {
            () = stop.wait() => return,
            received = socket.recv_from(&mut packet) => received,
        };
        match received {
            Ok((length, peer)) => {
                let bytes = packet.get(..length).unwrap_or_default();
                datagram(&front, &socket, &crowd, &mut waiting, (bytes, peer)).await;
            }
            Err(error) => {
                tracing::debug!(%error, "a datagram could not be received");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        while waiting.try_join_next().is_some() {}
    }
}

async fn datagram<J: Judge>(
    front: &Arc<Front<J>>,
    socket: &Arc<UdpSocket>,
    crowd: &Arc<Semaphore>,
    waiting: &mut JoinSet<()>,
    (bytes, peer): (&[u8], SocketAddr),
) {
    let asker = peer.ip().to_canonical();
    match front.begin(asker, bytes, Carrier::Udp) {
        Next::Answer(answer) => send(front, socket, peer, answer).await,
        Next::Ask(question, stale) => match crowd.clone().try_acquire_owned() {
            Err(_) => send(front, socket, peer, front.crowded(&question, Carrier::Udp)).await,
            Ok(place) => {
                let (front, socket) = (front.clone(), socket.clone());
                waiting.spawn(async move {
                    let answer = front.ask(asker, &question, stale, Carrier::Udp).await;
                    drop(place);
                    send(&front, &socket, peer, answer).await;
                });
            }
        },
    }
}

async fn send<J: Judge>(front: &Front<J>, socket: &UdpSocket, peer: SocketAddr, answer: Answer) {
    if let Some(bytes) = &answer.bytes
        && let Err(error) = socket.send_to(bytes, peer).await
    {
        tracing::debug!(%error, "an answer could not be sent");
    }
    front.judge().count(answer.outcome);
}

async fn streams<J: Judge>(front: Arc<Front<J>>, listener: TcpListener, crowd: Arc<Semaphore>, mut stop: Stop) {
    let mut open = JoinSet::new();
    let places = Arc::new(Semaphore::new(MAX_STREAMS));
    loop {
        let accepted = tokio::select! {
            () = stop.wait() => return,
            accepted = listener.accept() => accepted,
        };
        while open.try_join_next().is_some() {}
        match (accepted, places.clone().try_acquire_owned()) {
            (Ok((stream, peer)), Ok(place)) => {
                open.spawn(stream_of(front.clone(), stream, peer.ip().to_canonical(), crowd.clone(), place));
            }
            (Ok(_), Err(_)) => front.judge().count(Outcome::Crowded),
            (Err(error), _) => {
                tracing::debug!(%error, "a stream could not be accepted");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// Serves one stream to its end. An error is the asker's going away; there is nobody to tell.
async fn stream_of<J: Judge>(
    front: Arc<Front<J>>,
    mut stream: TcpStream,
    asker: IpAddr,
    crowd: Arc<Semaphore>,
    place: OwnedSemaphorePermit,
) {
    while let Ok(Ok(message)) = timeout(STREAM_IDLE, receive(&mut stream)).await {
        let Ok(_waiting) = crowd.try_acquire() else { break };
        let answer = front.answer(asker, &message, Carrier::Tcp).await;
        let Some(bytes) = answer.bytes else { break };
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
        let sent = timeout(STREAM_IDLE, stream.write_all(&[&length[..], &bytes].concat())).await;
        front.judge().count(answer.outcome);
        if !matches!(sent, Ok(Ok(()))) {
            break;
        }
    }
    drop(place);
}

/// One message behind its length (RFC 1035 §4.2.2).
async fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = usize::from(stream.read_u16().await?);
    if length > MAX_QUERY_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(message)
}
