//! Names over real sockets: the verdict of the pupil who sits there, what a tablet hears when the Internet is silent,
//! and what hostile packets get.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use preau_shared::{
    blocklist::BlockList,
    documents::policy::Policy,
    ids::PolicyId,
    policy::{Asker, Book, Lists, Reason, judge},
    rig::{
        clock::SystemClock,
        dns_front::{Front, Judge, Origin, Outcome, Ruling, Sockets, serve},
        lists::compile,
        task::Tasks,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

const FOUND: u8 = 0;
const FORMAT_ERROR: u8 = 1;
const NOT_NOW: u8 = 2;
const NO_SUCH_NAME: u8 = 3;

/// A school where each address has a level.
struct School {
    levels: BTreeMap<IpAddr, String>,
    book: Book,
    lists: Lists,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
}

impl Judge for School {
    fn judge(&self, from: Origin, name: &str) -> Ruling {
        let asker =
            self.levels.get(&from.address).map_or(Asker::Unknown, |level| Asker::Seated([level.clone()].into()));
        Ruling::Judged(judge(&self.book, &asker, name, self.lists.categories(name)))
    }
    fn word(&self, reason: Reason, tell: impl FnOnce(&str)) {
        match (reason, &self.lists) {
            (Reason::Listed(category), Lists::Loaded(list)) => tell(list.name(category)),
            (Reason::Listed(_) | Reason::Denied | Reason::Closed, _) => tell("policy"),
        }
    }
    fn count(&self, outcome: Outcome) {
        self.outcomes.lock().expect("lock").push(outcome);
    }
}

/// An upstream that knows every name (`alias.*` leads to `www.jeux.example`), and falls silent when told.
async fn upstream(silent: Arc<AtomicBool>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("socket");
    let address = socket.local_addr().expect("address");
    tokio::spawn(async move {
        let mut packet = [0; 1_500];
        while let Ok((length, peer)) = socket.recv_from(&mut packet).await {
            if silent.load(Ordering::Relaxed) {
                continue;
            }
            let mut answer = packet[..length].to_vec();
            let end = 12 + answer[12..].iter().position(|byte| *byte == 0).expect("a name") + 5;
            answer.truncate(end);
            answer[2] |= 0x80;
            answer[7] = 1;
            answer[11] = 0;
            if answer[13..].starts_with(b"alias") {
                answer.extend_from_slice(&[0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 18]);
                answer.extend_from_slice(b"\x03www\x04jeux\x07example\0");
            } else {
                answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 1]);
            }
            drop(socket.send_to(&answer, peer).await);
        }
    });
    address
}

fn question(name: &str, options: bool) -> Vec<u8> {
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(options)];
    for label in name.split('.') {
        query.push(u8::try_from(label.len()).expect("short"));
        query.extend_from_slice(label.as_bytes());
    }
    query.extend_from_slice(&[0, 0, 1, 0, 1]);
    if options {
        query.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    }
    query
}

async fn send(source: &str, to: SocketAddr, bytes: &[u8]) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind(format!("{source}:0")).await.expect("a loopback address");
    socket.send_to(bytes, to).await.expect("sent");
    let mut answer = [0; 1_500];
    let (length, _) = timeout(Duration::from_secs(4), socket.recv_from(&mut answer)).await.ok()?.ok()?;
    Some(answer[..length].to_vec())
}

async fn code(source: &str, to: SocketAddr, name: &str) -> u8 {
    send(source, to, &question(name, false)).await.map_or(u8::MAX, |answer| answer[3] & 0x0f)
}

/// Asks again when nothing comes, as a tablet does: what a flood filled the socket with is dropped by the kernel.
async fn insist(source: &str, to: SocketAddr, bytes: &[u8]) -> u8 {
    for _ in 0..3 {
        if let Some(answer) = send(source, to, bytes).await {
            return answer[3] & 0x0f;
        }
    }
    u8::MAX
}

fn lists(dir: &Path) -> Lists {
    for (category, names) in [("games", "jeux.example\n"), ("adult", "adult.example\nBÜCHER.example\n")] {
        fs::create_dir_all(dir.join(category)).expect("folder");
        fs::write(dir.join(category).join("domains"), names).expect("file");
    }
    let bytes = compile(dir, [3; 16], None, |_, _| ()).expect("compiled");
    Lists::Loaded(Arc::new(BlockList::open(Arc::new(bytes)).expect("opened")))
}

fn policies() -> Vec<Policy> {
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let policy = |n: u8, level: &str, blocked: &[&str], allow: &[&str], deny: &[&str]| Policy {
        id: PolicyId::from_bytes([n; 16]),
        name: String::new(),
        levels: set(&[level]),
        blocked: set(blocked),
        allow: set(allow),
        deny: set(deny),
        deleted: false,
    };
    vec![
        policy(1, "CP", &["adult", "games"], &["good.jeux.example"], &[]),
        policy(2, "CM2", &["adult"], &[], &["news.example"]),
    ]
}

struct Morning {
    at: SocketAddr,
    silent: Arc<AtomicBool>,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    tasks: Tasks,
    _dir: tempfile::TempDir,
}

async fn morning() -> Morning {
    let dir = tempfile::tempdir().expect("dir");
    let lists = lists(dir.path());
    let outcomes = Arc::new(Mutex::default());
    let levels = [("127.9.0.1", "CP"), ("127.9.0.2", "CM2")]
        .map(|(address, level)| (address.parse().expect("address"), level.to_owned()));
    let book = Book::new(&policies(), &lists);
    let school = School { levels: levels.into(), book, lists, outcomes: outcomes.clone() };
    let silent = Arc::new(AtomicBool::new(false));
    let upstream = upstream(silent.clone()).await;
    let front = Front::new(school, &[upstream], Arc::new(SystemClock::start())).expect("front");
    let tasks = Tasks::default();
    let sockets = Sockets::bind("127.0.0.1:0".parse().expect("address")).await.expect("sockets");
    let at = sockets.address();
    serve(&Arc::new(front), sockets, 2, &tasks).expect("a thread");
    Morning { at, silent, outcomes, tasks, _dir: dir }
}

impl Morning {
    async fn end(self) -> Vec<Outcome> {
        self.tasks.stop();
        self.tasks.ended().await;
        self.outcomes.lock().expect("lock").clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lea_and_noe_ask_for_the_same_names() {
    let morning = morning().await;
    let (lea, noe, stranger) = ("127.9.0.1", "127.9.0.2", "127.9.0.3");
    for (who, name, expected) in [
        (lea, "www.jeux.example", NO_SUCH_NAME),
        (noe, "www.jeux.example", FOUND),
        (lea, "good.jeux.example", FOUND),
        (lea, "GOOD.jeux.EXAMPLE", FOUND),
        (noe, "Adult.Example", NO_SUCH_NAME),
        (noe, "xn--bcher-kva.example", NO_SUCH_NAME),
        (lea, "news.example", FOUND),
        (noe, "news.example", NO_SUCH_NAME),
        (lea, "alias.example", NO_SUCH_NAME),
        (noe, "alias.example", FOUND),
        (stranger, "www.jeux.example", NO_SUCH_NAME),
        (stranger, "news.example", NO_SUCH_NAME),
        (stranger, "fr.vikidia.org", FOUND),
    ] {
        assert_eq!(code(who, morning.at, name).await, expected, "{who} {name}");
    }
    let told = send(lea, morning.at, &question("jeux.example", true)).await.expect("an answer");
    assert!(told.windows(7).any(|bytes| bytes == b"\0\x0fgames"), "the extended error names the category");
    let outcomes = morning.end().await;
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Blocked(_))).count(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_answered_like_a_datagram() {
    let morning = morning().await;
    let mut stream = TcpStream::connect(morning.at).await.expect("connected");
    for name in ["fr.vikidia.org", "jeux.example"] {
        let query = question(name, true);
        stream.write_u16(u16::try_from(query.len()).expect("short")).await.expect("sent");
        stream.write_all(&query).await.expect("sent");
        let length = stream.read_u16().await.expect("an answer");
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(answer[..2], [0x12, 0x34]);
        assert_eq!(answer[3] & 0x0f, if name.starts_with("jeux") { NO_SUCH_NAME } else { FOUND });
    }
    morning.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_internet_is_silent_known_names_live_on_and_others_are_refused_soon() {
    let morning = morning().await;
    assert_eq!(code("127.9.0.1", morning.at, "known.example").await, FOUND);
    morning.silent.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(code("127.9.0.1", morning.at, "known.example").await, FOUND, "past its time, but better than nothing");
    let names: Vec<String> = (0..20).map(|n| format!("new{n}.example")).collect();
    let at = morning.at;
    let page = names.into_iter().map(move |name| async move { code("127.9.0.1", at, &name).await });
    let codes = timeout(Duration::from_secs(4), all_at_once(page)).await.expect("a page is refused in time");
    assert!(codes.iter().all(|code| *code == NOT_NOW), "{codes:?}");
    assert_eq!(code("127.9.0.1", morning.at, "jeux.example").await, NO_SUCH_NAME, "the verdict needs no Internet");
    morning.silent.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(4_000)).await;
    assert_eq!(code("127.9.0.1", morning.at, "new0.example").await, FOUND, "and it comes back by itself");
    let outcomes = morning.end().await;
    assert!(outcomes.contains(&Outcome::Stale) && outcomes.contains(&Outcome::Unreachable));
}

/// All at once, as a browser asks.
async fn all_at_once(asks: impl Iterator<Item = impl Future<Output = u8> + Send + 'static>) -> Vec<u8> {
    let mut running = tokio::task::JoinSet::new();
    asks.for_each(|ask| {
        running.spawn(ask);
    });
    running.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_packets_get_a_code_or_silence_and_the_next_child_an_answer() {
    let morning = morning().await;
    let sound = question("example.org", true);
    let mut seed = 1_u32;
    let mut dice = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        usize::try_from(seed >> 16).unwrap_or(0)
    };
    let socket = UdpSocket::bind("127.9.0.1:0").await.expect("socket");
    for _ in 0..2_000 {
        let mut bytes = sound.clone();
        let at = dice() % bytes.len();
        bytes[at] = u8::try_from(dice() % 256).unwrap_or(0);
        bytes.truncate(dice() % 60);
        drop(socket.send_to(&bytes, morning.at).await);
    }
    drop(socket.send_to(&vec![0xff; 60_000], morning.at).await);
    let mut two = sound.clone();
    two[5] = 2;
    assert_eq!(insist("127.9.0.2", morning.at, &two).await, FORMAT_ERROR);
    assert_eq!(insist("127.9.0.1", morning.at, &question("example.org", false)).await, FOUND);
    morning.end().await;
}
