use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use preau_shared::{
    dns::wire,
    ids::{PolicyId, SessionId, TabletId},
    rig::{clock::SystemClock, dice::SystemDice, task::Tasks},
    time::Elapsed,
};
use tokio::net::UdpSocket;

use super::*;
use crate::store::seats::Sitting;

fn source(dir: &Path) -> Source {
    Source { folder: dir.join("lists"), home: dir.join("compiled") }
}

fn lists(dir: &Path) -> Lists {
    for (category, names) in [("games", "jeux.example\n"), ("adult", "adult.example\n")] {
        write(dir, category, names);
    }
    source(dir).load(&SystemDice)
}

fn write(dir: &Path, category: &str, names: &str) {
    let folder = source(dir).folder.join(category);
    fs::create_dir_all(&folder).expect("folder");
    fs::write(folder.join("domains"), names).expect("file");
}

fn policy(n: u8, levels: &[&str], blocked: &[&str]) -> Policy {
    let set = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<BTreeSet<_>>();
    Policy {
        id: PolicyId::from_bytes([n; 16]),
        name: String::new(),
        levels: set(levels),
        blocked: set(blocked),
        allow: BTreeSet::new(),
        deny: BTreeSet::new(),
        deleted: false,
    }
}

/// A question for an address.
fn question(name: &str) -> Vec<u8> {
    wire::question(name, wire::kind::A).expect("a name")
}

/// Somebody on a tablet of her own.
fn sitting(n: u8, level: Option<&str>) -> Sitting {
    Sitting {
        session: SessionId::from_bytes([n; 16]),
        tablet: TabletId::from_bytes([n; 16]),
        levels: level.map(str::to_owned).into_iter().collect(),
        staff: level.is_none(),
        host: None,
    }
}

/// Asks for an address from `source`; the response code (RFC 1035 §4.1.1).
async fn ask(source: &str, box_address: SocketAddr, name: &str) -> u8 {
    answer(source, box_address, name).await[3] & 0x0f
}

async fn answer(source: &str, box_address: SocketAddr, name: &str) -> [u8; 512] {
    let socket = UdpSocket::bind(format!("{source}:0")).await.expect("a loopback address");
    let query = question(name);
    socket.send_to(&query, box_address).await.expect("sent");
    let mut answer = [0; 512];
    let answered = tokio::time::timeout(Duration::from_secs(5), socket.recv_from(&mut answer)).await;
    answered.expect("an answer in time").expect("an answer");
    answer
}

/// An upstream that knows every name.
async fn upstream() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("socket");
    let address = socket.local_addr().expect("address");
    tokio::spawn(async move {
        let mut packet = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut packet).await {
            let mut answer = packet[..length].to_vec();
            // The question ends after its name's root label, type and class; what follows it is left out.
            let end = 12 + answer[12..].iter().position(|b| *b == 0).expect("a name") + 5;
            answer.truncate(end);
            answer[2] |= 0x80;
            answer[7] = 1;
            answer[11] = 0;
            answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
            drop(socket.send_to(&answer, peer).await);
        }
    });
    address
}

const FOUND: u8 = 0;
const BLOCKED: u8 = 3;

#[tokio::test]
async fn the_same_question_is_answered_for_one_pupil_and_blocked_for_another() {
    let dir = tempfile::tempdir().expect("dir");
    let seats = Arc::new(Seats::default());
    let own = Own::new(["moulin.box.example".to_owned()], &["127.0.0.1".parse().expect("ip")]);
    let filter = Arc::new(Filter::new(seats.clone(), lists(dir.path()), own, Arc::new(SystemClock::start())));
    let tasks = Tasks::default();
    let listen = "127.0.0.1:0".parse().expect("address");
    let at = start(&filter, listen, &[upstream().await], &tasks).await.expect("started").address;

    assert_eq!(ask("127.0.0.9", at, "example.org").await, BLOCKED, "without policies it is closed");
    filter.set_policies(vec![policy(1, &["CP"], &["adult", "games"]), policy(2, &["CM2"], &["adult"])]);
    for (n, level, source) in [(1, "CP", "127.1.0.1"), (2, "CM2", "127.1.0.2")] {
        seats.sit(sitting(n, Some(level)), source.parse().ok(), Elapsed::default());
    }
    for (source, name, code) in [
        ("127.1.0.1", "www.jeux.example", BLOCKED),
        ("127.1.0.2", "www.jeux.example", FOUND),
        ("127.1.0.2", "adult.example", BLOCKED),
        ("127.1.0.1", "example.org", FOUND),
        ("127.1.0.1", "moulin.box.example", FOUND),
        ("127.1.0.3", "www.jeux.example", BLOCKED),
    ] {
        assert_eq!(ask(source, at, name).await, code, "{source} {name}");
    }
    // A pupil's search is an alias of its safe side; a teacher's is what it is.
    seats.sit(sitting(9, None), "127.1.0.9".parse().ok(), Elapsed::default());
    filter.set_policies(vec![policy(1, &["CP"], &["games"]), policy(2, &["CM2"], &[]), policy(3, &[""], &[])]);
    for (source, name, records) in
        [("127.1.0.2", "www.google.fr", 2), ("127.1.0.2", "www.google.fr", 2), ("127.1.0.9", "www.google.fr", 1)]
    {
        assert_eq!(answer(source, at, name).await[7], records, "{source} {name}");
    }

    seats.leave(SessionId::from_bytes([2; 16]));
    assert_eq!(ask("127.1.0.2", at, "www.jeux.example").await, BLOCKED, "the next child is not the last one");

    let counted = filter.counted();
    let how_often = |what: &str| counted.iter().filter(|line| line.1 == what).map(|line| line.2).sum::<u64>();
    assert_eq!((how_often("answered"), how_often("local"), how_often("blocked:games")), (5, 1, 3));
    tasks.stop();
    tasks.ended().await;
}

#[tokio::test]
async fn a_box_that_listens_everywhere_is_found_where_it_is_asked() {
    let own = Own::new(["moulin.box.example".to_owned()], &["0.0.0.0".parse().expect("ip")]);
    let filter = Arc::new(Filter::new(Arc::default(), Lists::None, own, Arc::new(SystemClock::start())));
    let tasks = Tasks::default();
    let at = start(&filter, "127.0.0.1:0".parse().expect("address"), &[upstream().await], &tasks).await;
    let at = at.expect("started").address;
    for name in ["moulin.box.example", "000102030405060708090a0b0c0d0e0f.moulin.box.example"] {
        let (told, records) = (answer("127.0.0.7", at, name).await, question(name).len() + 12);
        assert_eq!((told[3] & 0x0f, told[7]), (FOUND, 1), "{name}");
        let address = &told[records..records + 4];
        assert!(address[0] == 127, "{name} is told to be at {address:?}");
    }
    tasks.stop();
    tasks.ended().await;
}

#[tokio::test]
async fn a_silent_upstream_is_said_at_once_and_lost_lists_close_the_filter() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.expect("socket");
    let seats = Arc::new(Seats::default());
    let home = tempfile::tempdir().expect("home");
    let lost = Source { folder: "/nowhere/at/all".into(), home: home.path().into() }.load(&SystemDice);
    let filter = Arc::new(Filter::new(seats.clone(), lost, Own::default(), Arc::new(SystemClock::start())));
    filter.set_policies(vec![policy(1, &["CP"], &["games"]), policy(2, &["CM2"], &[])]);
    assert!(matches!(filter.in_force().lists, Lists::Lost));
    let tasks = Tasks::default();
    let upstream = [silent.local_addr().expect("address")];
    let at = start(&filter, "127.0.0.1:0".parse().expect("address"), &upstream, &tasks).await.expect("started").address;
    for (n, level, source) in [(1, "CP", "127.2.0.1"), (2, "CM2", "127.2.0.2")] {
        seats.sit(sitting(n, Some(level)), source.parse().ok(), Elapsed::default());
    }
    assert_eq!(ask("127.2.0.1", at, "example.org").await, BLOCKED);
    assert_eq!(ask("127.2.0.2", at, "example.org").await, 2, "server failure, within the patience of a tablet");
    tasks.stop();
    tasks.ended().await;
}

/// Why somebody whom nobody knows does not see a name.
fn judged(filter: &Filter, name: &str) -> Option<Reason> {
    let now = filter.in_force();
    match judge(&now.book, &Asker::Unknown, name, now.lists.categories(name)) {
        preau_shared::policy::Verdict::Block(reason) => Some(reason),
        preau_shared::policy::Verdict::Allow => None,
    }
}

#[test]
fn lists_are_renewed_unless_half_of_them_is_gone_and_outlast_their_folder() {
    let dir = tempfile::tempdir().expect("dir");
    let (dir, from) = (dir.path(), source(dir.path()));
    let clock = || Arc::new(SystemClock::start());
    let filter = Filter::new(Arc::default(), lists(dir), Own::default(), clock());
    filter.set_policies(vec![policy(1, &[""], &["games"])]);
    let verdict = |filter: &Filter, name: &str| judged(filter, name).is_some();
    let look = |filter: &Filter| lists::look(filter, &from, &SystemDice);
    assert_eq!(look(&filter).expect("looked"), lists::Look::Same);
    assert!(!verdict(&filter, "dames.example"));
    // A category that comes before the others: what was counted keeps its word.
    filter.counters.add(filter.clock.stamp(), Outcome::Blocked(judged(&filter, "jeux.example").expect("blocked")));
    write(dir, "aaa", "dames.example\nechecs.example\n");
    write(dir, "games", "jeux.example\ndames.example\n");
    assert_eq!(look(&filter).expect("looked"), lists::Look::Renewed);
    assert!(verdict(&filter, "dames.example"));
    assert!(filter.counted().iter().any(|(_, word, n)| word == "blocked:games" && *n == 1));
    // Most of it is gone: nobody meant that.
    fs::remove_dir_all(from.folder.join("aaa")).expect("gone");
    fs::remove_dir_all(from.folder.join("games")).expect("gone");
    assert_eq!(look(&filter).expect("looked"), lists::Look::Shrunk { from: 4, to: 1 });
    assert!(verdict(&filter, "dames.example"));
    // A box that starts has what was in use last, with its folder or without.
    let again = |dir: &Path| {
        let filter = Filter::new(Arc::default(), source(dir).load(&SystemDice), Own::default(), clock());
        filter.set_policies(vec![policy(1, &[""], &["games"])]);
        verdict(&filter, "dames.example")
    };
    assert!(again(dir));
    fs::remove_dir_all(&from.folder).expect("gone");
    assert!(look(&filter).is_err() && verdict(&filter, "dames.example") && again(dir));
}

#[test]
fn a_damaged_list_is_found_and_compiled_anew() {
    let dir = tempfile::tempdir().expect("dir");
    let from = source(dir.path());
    drop(lists(dir.path()));
    let (name, _) = preau_shared::rig::lists::in_use(&from.home).expect("read").expect("in use");
    let path = from.home.join(format!("{name}.preaubl"));
    let mut bytes = fs::read(&path).expect("compiled");
    *bytes.last_mut().expect("bytes") ^= 1;
    fs::write(&path, bytes).expect("damaged");
    let filter = Filter::new(Arc::default(), from.load(&SystemDice), Own::default(), Arc::new(SystemClock::start()));
    let sound = |filter: &Filter| matches!(&filter.in_force().lists, Lists::Loaded(list) if list.check().is_ok());
    assert!(!sound(&filter));
    lists::check(&filter, &from, &SystemDice);
    assert!(sound(&filter));
}

/// Asks again and again, a few at a time, until told to end: how many answers came, and those that were wrong or lost.
fn flood(at: SocketAddr, names: &[(&str, u8)], ended: &AtomicBool) -> (u32, u32) {
    const AT_ONCE: u16 = 16;
    let socket = std::net::UdpSocket::bind("127.3.0.1:0").expect("a loopback address");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("patience");
    let questions: Vec<(Vec<u8>, u8)> = names.iter().map(|(name, code)| (question(name), *code)).collect();
    let (mut asked, mut right, mut wrong) = (0_u32, 0, 0);
    while !ended.load(Ordering::Relaxed) {
        let mut expected = HashMap::new();
        for n in 0..AT_ONCE {
            let (question, code) = &questions[usize::try_from(asked).expect("few") % questions.len()];
            let mut question = question.clone();
            question[..2].copy_from_slice(&n.to_be_bytes());
            socket.send_to(&question, at).expect("sent");
            expected.insert(n, *code);
            asked += 1;
        }
        let mut answer = [0; 512];
        while !expected.is_empty() && socket.recv_from(&mut answer).is_ok() {
            let code = expected.remove(&u16::from_be_bytes([answer[0], answer[1]]));
            if code == Some(answer[3] & 0x0f) { right += 1 } else { wrong += 1 }
        }
        wrong += u32::try_from(expected.len()).expect("few");
    }
    (right, wrong)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_change_places_under_a_flood_and_no_answer_is_lost_or_wrong() {
    let dir = tempfile::tempdir().expect("dir");
    let (from, seats) = (source(dir.path()), Arc::new(Seats::default()));
    // As many names as make compiling, mapping and changing places take a while.
    let many = |round: u32| (0..50_000).map(|n| format!("jeu{n}-{round}.example\n")).collect::<String>();
    write(dir.path(), "games", &format!("jeux.example\n{}", many(0)));
    let filter = Arc::new(Filter::new(seats, from.load(&SystemDice), Own::default(), Arc::new(SystemClock::start())));
    filter.set_policies(vec![policy(1, &[""], &["games"])]);
    let tasks = Tasks::default();
    let listen = "127.0.0.1:0".parse().expect("address");
    let at = start(&filter, listen, &[upstream().await], &tasks).await.expect("started").address;
    let ended = Arc::new(AtomicBool::new(false));
    let flooding = std::thread::spawn({
        let ended = Arc::clone(&ended);
        move || flood(at, &[("www.jeux.example", BLOCKED), ("atlas.example", FOUND), ("jeux.example", BLOCKED)], &ended)
    });
    let clock = SystemClock::start();
    for round in 1..=4 {
        // Another order of categories, too: what a place means changes with the list.
        write(dir.path(), if round % 2 == 0 { "aaa" } else { "zzz" }, &format!("other{round}.example\n"));
        write(dir.path(), "games", &format!("jeux.example\n{}", many(round)));
        let (filter, from) = (Arc::clone(&filter), from.clone());
        let looked = tokio::task::spawn_blocking(move || lists::look(&filter, &from, &SystemDice)).await;
        assert_eq!(looked.expect("looked").expect("read"), lists::Look::Renewed);
    }
    ended.store(true, Ordering::Relaxed);
    let (right, wrong) = flooding.join().expect("flooded");
    let rate = f64::from(right) / clock.elapsed().0.as_secs_f64();
    let said =
        format!("{right} answers while lists changed places four times, {rate:.0} a second, {wrong} lost or wrong");
    drop(writeln!(std::io::stderr(), "{said}"));
    assert!(wrong == 0 && right > 0, "{said}");
    assert_eq!(ask("127.0.0.9", at, "jeu7-4.example").await, BLOCKED);
    tasks.stop();
    tasks.ended().await;
}
