//! "The WAN": a relay of TCP bytes between one school's box and the coordinator. It sees only TLS.
//!
//! Cut as a *black hole* it accepts connections and moves nothing, as a dead line does; the bytes in it wait, as TCP's
//! own repetition would make them. *Refused* closes everything. *Delay* and *stall* slow it down.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use preau_shared::dice::Dice;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

/// Bytes read at once.
const CHUNK_BYTES: usize = 16 * 1024;
/// Chunks under way in one direction: with the sockets' own buffers all that a dead line may hold.
const MAX_CHUNKS: usize = 64;
/// On a bad line one chunk in so many waits …
const STALL_ONE_IN: u64 = 6;
/// … at most so long,
const LONGEST_STALL_MS: u64 = 1_500;
/// and one in so many breaks the connection.
const RESET_ONE_IN: u64 = 60;

/// State of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "line", content = "ms")]
pub(super) enum Line {
    /// Bytes flow.
    Up,
    /// Nothing moves and nobody is told.
    BlackHole,
    /// Connections are closed and refused.
    Refused,
    /// Each byte arrives so many milliseconds later.
    Delay(u64),
    /// Stalls and resets.
    Stall,
}

impl Line {
    /// Whether nothing gets through.
    pub(super) const fn is_cut(self) -> bool {
        match self {
            Self::BlackHole | Self::Refused => true,
            Self::Up | Self::Delay(_) | Self::Stall => false,
        }
    }
}

/// One school's line to the outside.
#[derive(Debug)]
pub(super) struct Wan {
    line: watch::Sender<Line>,
    /// Where the box finds the relay.
    pub(super) address: SocketAddr,
}

impl Wan {
    /// Opens the relay on `address`, towards `to`.
    pub(super) async fn open(address: SocketAddr, to: SocketAddr, dice: Arc<dyn Dice>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let (line, state) = watch::channel(Line::Up);
        tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        tokio::spawn(carry(stream, to, state.clone(), Arc::clone(&dice)));
                    }
                    // Out of file descriptors: wait until connections end.
                    Err(_) => sleep(Duration::from_millis(100)).await,
                }
            }
        });
        Ok(Self { line, address })
    }

    /// The line's state.
    pub(super) fn line(&self) -> Line {
        *self.line.borrow()
    }

    /// Hears every change.
    pub(super) fn watch(&self) -> watch::Receiver<Line> {
        self.line.subscribe()
    }

    /// Changes it, for running connections too.
    pub(super) fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

async fn carry(near: TcpStream, to: SocketAddr, mut state: watch::Receiver<Line>, dice: Arc<dyn Dice>) {
    if *state.borrow_and_update() == Line::Refused {
        drop(near.set_zero_linger());
        return;
    }
    if state.wait_for(|line| !line.is_cut() || *line == Line::Refused).await.is_err() {
        return;
    }
    let Ok(far) = TcpStream::connect(to).await else { return };
    drop((near.set_nodelay(true), far.set_nodelay(true), near.set_zero_linger(), far.set_zero_linger()));
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    tokio::select! {
        () = both(pump(near_in, far_out, &state, &dice), pump(far_in, near_out, &state, &dice)) => {}
        // Refusing also breaks what stands.
        _ = async { drop(state.clone().wait_for(|line| *line == Line::Refused).await) } => {}
    }
}

async fn both(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    // When one direction breaks, so does the other: the relay never half-closes a TLS stream for long.
    tokio::select! { () = one => {}, () = other => {} }
}

/// Carries one direction until it ends or breaks.
async fn pump(from: OwnedReadHalf, to: OwnedWriteHalf, state: &watch::Receiver<Line>, dice: &Arc<dyn Dice>) {
    let (send, receive) = mpsc::channel(MAX_CHUNKS);
    tokio::join!(take_in(from, send, state.clone()), give_out(to, receive, state.clone(), dice));
}

async fn take_in(mut from: OwnedReadHalf, send: mpsc::Sender<(Instant, Vec<u8>)>, state: watch::Receiver<Line>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        let delay = match *state.borrow() {
            Line::Delay(ms) => Duration::from_millis(ms),
            Line::Up | Line::BlackHole | Line::Refused | Line::Stall => Duration::ZERO,
        };
        let chunk = buffer.get(..length).unwrap_or_default().to_vec();
        let Some(due) = Instant::now().checked_add(delay) else { return };
        if send.send((due, chunk)).await.is_err() {
            return;
        }
    }
}

async fn give_out(
    mut to: OwnedWriteHalf,
    mut receive: mpsc::Receiver<(Instant, Vec<u8>)>,
    mut state: watch::Receiver<Line>,
    dice: &Arc<dyn Dice>,
) {
    while let Some((due, chunk)) = receive.recv().await {
        sleep_until(due).await;
        if *state.borrow() == Line::Stall {
            if dice.below(RESET_ONE_IN) == 0 {
                return;
            }
            if dice.below(STALL_ONE_IN) == 0 {
                sleep(Duration::from_millis(dice.below(LONGEST_STALL_MS))).await;
            }
        }
        if state.wait_for(|line| !line.is_cut()).await.is_err() || to.write_all(&chunk).await.is_err() {
            return;
        }
    }
    // The end of a stream is news too: a dead line does not carry it.
    drop(state.wait_for(|line| !line.is_cut()).await);
}

#[cfg(test)]
mod tests {
    use preau_shared::dice::Seeded;
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);
    const A_WHILE: Duration = Duration::from_millis(200);

    /// A relay towards a server that echoes.
    async fn echo_behind_a_relay() -> Wan {
        let server = TcpListener::bind("127.0.0.1:0").await.expect("server");
        let to = server.local_addr().expect("address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = server.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    drop(tokio::io::copy(&mut from, &mut to).await);
                });
            }
        });
        let free = TcpListener::bind("127.0.0.1:0").await.expect("free").local_addr().expect("address");
        Wan::open(free, to, Arc::new(Seeded::new(1))).await.expect("relay")
    }

    async fn says(stream: &mut TcpStream, text: &[u8], within: Duration) -> bool {
        let mut heard = vec![0; text.len()];
        let exchange = async {
            stream.write_all(text).await.ok()?;
            stream.read_exact(&mut heard).await.ok()
        };
        timeout(within, exchange).await.ok().flatten().is_some() && heard == text
    }

    #[tokio::test]
    async fn a_black_hole_keeps_the_bytes_and_gives_them_back() {
        let wan = echo_behind_a_relay().await;
        let mut old = TcpStream::connect(wan.address).await.expect("connect");
        assert!(says(&mut old, b"before", SOON).await);
        wan.set(Line::BlackHole);
        assert!(!says(&mut old, b"during", A_WHILE).await, "nothing moves");
        let mut new = TcpStream::connect(wan.address).await.expect("accepted all the same");
        assert!(!says(&mut new, b"new", A_WHILE).await, "nor on a new connection");
        wan.set(Line::Up);
        let mut heard = [0; 6];
        timeout(SOON, old.read_exact(&mut heard)).await.expect("soon").expect("alive");
        assert_eq!(&heard, b"during");
    }

    #[tokio::test]
    async fn refusing_breaks_what_stands_and_what_comes() {
        let wan = echo_behind_a_relay().await;
        let mut old = TcpStream::connect(wan.address).await.expect("connect");
        assert!(says(&mut old, b"before", SOON).await);
        wan.set(Line::Refused);
        assert!(!says(&mut old, b"during", SOON).await);
        wan.set(Line::Delay(50));
        let mut new = TcpStream::connect(wan.address).await.expect("connect");
        let began = Instant::now();
        assert!(says(&mut new, b"slow", SOON).await);
        assert!(began.elapsed() >= Duration::from_millis(100), "50 ms each way");
    }
}
