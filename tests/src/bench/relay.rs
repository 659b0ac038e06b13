//! A relay of TCP bytes that counts them and, where they are TLS 1.3, what the records carry.
//!
//! It sees ciphertext only. A record of application data is its header (5 bytes), the plain bytes, their type (1) and a
//! tag (16): what is left is what MQTT wrote. Counted after the handshake, that is exact; before it, certificates and
//! tickets are counted too, so that steady traffic is measured between two looks.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use preau_shared::{
    rig::clock::SystemClock,
    time::{Clock as _, Elapsed},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// Bytes read at once.
const CHUNK_BYTES: usize = 16 * 1024;
const HEADER_BYTES: usize = 5;
const APPLICATION_DATA: u8 = 23;
/// What TLS 1.3 adds to the plain bytes of a record, its header left aside: their type and the tag.
const RECORD_EXTRA: u64 = 17;
/// IP and TCP headers of a segment with time stamps.
pub const SEGMENT_HEADERS: u64 = 52;

/// What passed in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passed {
    /// Bytes of TCP payload.
    pub bytes: u64,
    /// Plain bytes in records of application data.
    pub plain: u64,
    /// Chunks as they were read: about the segments.
    pub chunks: u64,
}

impl Passed {
    /// What passed since an earlier look.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            bytes: self.bytes - earlier.bytes,
            plain: self.plain - earlier.plain,
            chunks: self.chunks - earlier.chunks,
        }
    }
}

/// One look at the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// From those who connect.
    pub up: Passed,
    /// To those who connect.
    pub down: Passed,
}

impl Counts {
    /// What passed since an earlier look.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self { up: self.up.since(earlier.up), down: self.down.since(earlier.down) }
    }

    /// Both directions' TCP payload.
    pub fn bytes(&self) -> u64 {
        self.up.bytes + self.down.bytes
    }
}

#[derive(Debug, Default)]
struct Direction {
    bytes: AtomicU64,
    plain: AtomicU64,
    chunks: AtomicU64,
}

impl Direction {
    fn look(&self) -> Passed {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Passed { bytes: of(&self.bytes), plain: of(&self.plain), chunks: of(&self.chunks) }
    }
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    up: Direction,
    down: Direction,
    refuses: AtomicBool,
    /// Nothing passes, nothing is refused.
    holds: watch::Sender<bool>,
    cut: watch::Sender<u64>,
    knocks: Mutex<Vec<Knock>>,
    clock: SystemClock,
}

/// Somebody connected.
#[derive(Debug, Clone, Copy)]
pub struct Knock {
    /// When.
    pub at: Elapsed,
    /// Let through to the other side.
    pub let_in: bool,
}

/// A relay.
#[derive(Debug, Clone)]
pub struct Relay {
    /// Where to connect.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Relay {
    /// Opens a relay towards `to` on a free port of loopback.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn open(to: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            to,
            up: Direction::default(),
            down: Direction::default(),
            refuses: AtomicBool::new(false),
            holds: watch::Sender::new(false),
            cut: watch::Sender::new(0),
            knocks: Mutex::default(),
            clock: SystemClock::start(),
        });
        let serving = shared.clone();
        tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((near, _)) => serve(near, &serving),
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        });
        Ok(Self { address, shared })
    }

    /// What passed until now.
    pub fn look(&self) -> Counts {
        Counts { up: self.shared.up.look(), down: self.shared.down.look() }
    }

    /// Breaks what stands and refuses what comes, until [`Self::mend`].
    pub fn cut(&self) {
        self.shared.refuses.store(true, Ordering::SeqCst);
        self.shared.cut.send_modify(|times| *times += 1);
    }

    /// Becomes a black hole: connections stand and nothing passes, until [`Self::mend`].
    pub fn swallow(&self) {
        self.shared.holds.send_replace(true);
    }

    /// Breaks what stands; whoever comes again is let in.
    pub fn reset(&self) {
        self.shared.cut.send_modify(|times| *times += 1);
    }

    /// Lets everybody in again; gives the moment.
    pub fn mend(&self) -> Elapsed {
        self.shared.refuses.store(false, Ordering::SeqCst);
        self.shared.holds.send_replace(false);
        self.shared.clock.elapsed()
    }

    /// Everybody who connected, in order.
    pub fn knocks(&self) -> Vec<Knock> {
        self.shared.knocks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(near: TcpStream, shared: &Arc<Shared>) {
    let let_in = !shared.refuses.load(Ordering::SeqCst);
    let at = shared.clock.elapsed();
    shared.knocks.lock().unwrap_or_else(PoisonError::into_inner).push(Knock { at, let_in });
    if !let_in {
        drop(near.set_zero_linger());
        return;
    }
    let (shared, mut cut) = (shared.clone(), shared.cut.subscribe());
    tokio::spawn(async move {
        let Ok(far) = TcpStream::connect(shared.to).await else { return };
        drop((near.set_nodelay(true), far.set_nodelay(true)));
        let (near_in, near_out) = near.into_split();
        let (far_in, far_out) = far.into_split();
        tokio::select! {
            () = pump(near_in, far_out, (&shared.up, shared.holds.subscribe())) => {}
            () = pump(far_in, near_out, (&shared.down, shared.holds.subscribe())) => {}
            _ = cut.changed() => {}
        }
    });
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    (passed, mut holds): (&Direction, watch::Receiver<bool>),
) {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut records = Records::default();
    while let Ok(count) = from.read(&mut chunk).await {
        let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else { return };
        passed.bytes.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
        passed.plain.fetch_add(records.read(bytes), Ordering::Relaxed);
        passed.chunks.fetch_add(1, Ordering::Relaxed);
        // Whoever holds it lives as long as what passes.
        let passes = holds.wait_for(|holds| !holds).await.is_ok();
        if !passes || to.write_all(bytes).await.is_err() {
            return;
        }
    }
}

/// Where a stream stands among its records.
#[derive(Debug, Default)]
struct Records {
    header: Vec<u8>,
    left: usize,
}

impl Records {
    /// Reads on; gives the plain bytes of the records that began.
    fn read(&mut self, mut bytes: &[u8]) -> u64 {
        let mut plain = 0;
        while !bytes.is_empty() {
            if self.left > 0 {
                let taken = self.left.min(bytes.len());
                self.left -= taken;
                bytes = bytes.get(taken..).unwrap_or_default();
                continue;
            }
            let (wanted, rest) = bytes.split_at((HEADER_BYTES - self.header.len()).min(bytes.len()));
            self.header.extend(wanted);
            bytes = rest;
            if let [kind, _, _, high, low] = self.header[..] {
                let length = u16::from_be_bytes([high, low]);
                self.left = length.into();
                self.header.clear();
                if kind == APPLICATION_DATA {
                    plain += u64::from(length).saturating_sub(RECORD_EXTRA);
                }
            }
        }
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_told_apart_however_they_arrive() {
        let mut stream = Vec::new();
        for (kind, length) in [(22_u8, 300_u16), (23, 17 + 40), (20, 1), (23, 17 + 2)] {
            stream.extend([kind, 3, 3]);
            stream.extend(length.to_be_bytes());
            stream.extend(vec![0; length.into()]);
        }
        for step in [1, 3, 7, 1_000] {
            let mut records = Records::default();
            let plain: u64 = stream.chunks(step).map(|chunk| records.read(chunk)).sum();
            assert_eq!(plain, 42, "{step}");
        }
    }
}
