//! Another box of the school, played by the test: what it may say, and what of it is believed.

use std::{fs, time::Duration};

use preau_shared::{
    ids::{BoxId, PersonId, WorkId},
    keys::sha256,
    rig::{neighbour::Carried, replicate::LinkEvent, task::Tasks, writer::StoreError},
    wire::locker::{About, Line, MAX_PIECE_BYTES, Page, Said, State},
};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};

use super::school::School;
use crate::{store::work::disk, work::exchange};

const OTHER: BoxId = BoxId::from_bytes([42; 16]);
const PATIENCE: Duration = Duration::from_secs(20);

/// The other end of a carrier.
struct Sister {
    say: mpsc::Sender<LinkEvent>,
    said: mpsc::Receiver<Vec<u8>>,
    _tasks: Tasks,
}

impl Sister {
    async fn meets(school: &School) -> Self {
        let (say, inbound) = mpsc::channel(16);
        let (outbound, said) = mpsc::channel(16);
        let tasks = Tasks::default();
        exchange::start(school.app.clone(), OTHER, Carried { inbound, outbound }, Duration::from_secs(3_600), &tasks);
        let mut sister = Self { say, said, _tasks: tasks };
        sister.meet().await;
        sister
    }

    async fn meet(&mut self) {
        self.say.send(LinkEvent::Connected).await.expect("heard");
        assert_eq!(self.hears().await, Said::Since(0));
    }

    async fn says(&self, said: &Said) {
        self.say.send(LinkEvent::Message(said.encode().expect("within the limits"))).await.expect("heard");
    }

    async fn hears(&mut self) -> Said {
        let bytes = timeout(PATIENCE, self.said.recv()).await.expect("in time").expect("it goes on");
        Said::decode(&bytes).expect("a word")
    }

    /// Answers what was asked; hears the next question.
    async fn tells(&mut self, lines: Vec<Line>, last: u64) {
        self.says(&Said::Page(Page { lines, last, ..Page::default() })).await;
        assert_eq!(self.hears().await, Said::Since(last));
    }
}

fn line(person: PersonId, name: &str, bytes: &[u8]) -> Line {
    let sha256 = sha256(bytes);
    let [first, ..] = sha256;
    let about = About {
        name: name.into(),
        media: "text/plain".into(),
        size_bytes: u64::try_from(bytes.len()).expect("size"),
        sha256,
        age_ms: 60_000,
        here: true,
    };
    Line { person, file: WorkId::from_bytes([first; 16]), turn: 1, author: OTHER, state: State::Now(about) }
}

fn about(line: &mut Line) -> &mut About {
    match &mut line.state {
        State::Now(about) | State::Former(about, _) => about,
        State::Gone => panic!("gone"),
    }
}

fn names(school: &School) -> Vec<String> {
    let entries = fs::read_dir(school.dir.path().join("work")).expect("folder");
    entries.map(|entry| entry.expect("entry").file_name().into_string().expect("text")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_work_of_another_building_is_shown_as_arriving_and_opens_once_it_is_whole() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let opened = tablet.sign_in(json!({"badge": school.lina.2})).await.text("token");
    let mut sister = Sister::meets(&school).await;
    let bytes: Vec<u8> = (0..=255_u8).cycle().take(MAX_PIECE_BYTES + 1_000).collect();
    let film = line(school.lina.0, "film.txt", &bytes);
    sister.tells(vec![film.clone()], 7).await;
    assert_eq!(sister.hears().await, Said::From { file: film.file, at: 0 });

    let list = tablet.ask(Some(&opened), "GET", "/api/v1/work", Value::Null).await;
    let shown = &list.body["works"][0];
    assert_eq!(
        (&shown["arriving"], &shown["on_one_disk"], &shown["kept_age_s"]),
        (&json!(true), &json!(false), &json!(60))
    );
    let early = tablet.ask(Some(&opened), "GET", "/api/v1/work/film.txt", Value::Null).await;
    assert_eq!(early.code(), (409, "work_arriving"));
    assert_eq!(school.app.vitals().expect("vitals").unsynced_files, 0, "the other box counts it");

    // The connection breaks after the first piece, and what came is kept.
    let piece = |at: usize, bytes: &[u8]| Said::Piece {
        file: film.file,
        at: u64::try_from(at).expect("place"),
        bytes: bytes.to_vec(),
    };
    sister.says(&piece(0, &bytes[..MAX_PIECE_BYTES])).await;
    let next = Said::From { file: film.file, at: u64::try_from(MAX_PIECE_BYTES).expect("place") };
    assert_eq!(sister.hears().await, next);
    sister.say.send(LinkEvent::Disconnected).await.expect("heard");
    sister.meet().await;
    sister.tells(vec![film.clone()], 7).await;
    assert_eq!(sister.hears().await, next, "it goes on where it broke");
    sister.says(&piece(MAX_PIECE_BYTES, &bytes[MAX_PIECE_BYTES..])).await;
    // Once it is durable here, the other box is told so.
    sister.says(&Said::Since(0)).await;
    loop {
        let Said::Page(page) = sister.hears().await else { panic!("a page was asked for") };
        if page.lines.iter().any(|line| line.state.about().is_some_and(|about| about.here)) {
            break;
        }
        sister.says(&Said::Since(page.last)).await;
    }
    let given = tablet.ask(Some(&opened), "GET", "/api/v1/work/film.txt", Value::Null).await;
    assert_eq!((given.status, given.bytes == bytes), (200, true));
    let list = tablet.ask(Some(&opened), "GET", "/api/v1/work", Value::Null).await;
    let shown = &list.body["works"][0];
    assert_eq!((&shown["arriving"], &shown["on_one_disk"]), (&json!(false), &json!(false)));
    assert_eq!(names(&school), [film.file.to_string()]);

    // The other box has lost its disk: nothing is named any more.
    sister.say.send(LinkEvent::Disconnected).await.expect("heard");
    sister.meet().await;
    sister.tells(vec![], 1).await;
    let list = tablet.ask(Some(&opened), "GET", "/api/v1/work", Value::Null).await;
    assert_eq!(list.body["works"][0]["on_one_disk"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_box_that_talks_nonsense_leaves_nothing_behind() {
    let school = School::open().await;
    let mut sister = Sister::meets(&school).await;
    let lina = school.lina.0;
    let stray = WorkId::from_bytes([9; 16]);
    sister.say.send(LinkEvent::Message(vec![0xff; 40])).await.expect("heard");
    sister.says(&Said::Piece { file: stray, at: 0, bytes: b"nobody asked".to_vec() }).await;
    sister.says(&Said::From { file: stray, at: 3 }).await;
    assert_eq!(sister.hears().await, Said::Piece { file: stray, at: 3, bytes: vec![] });

    // Works that no box keeps.
    let (mut path, mut page, mut large) =
        (line(lina, "../box.db", b"1"), line(lina, "page", b"2"), line(lina, "large", b"3"));
    "text/html".clone_into(&mut about(&mut page).media);
    about(&mut large).size_bytes = u64::MAX;
    about(&mut path).here = true;
    sister.tells(vec![path, page, large], 3).await;
    // A work whose bytes are not what was told, one that comes in wrong pieces, and a good one.
    let (damaged, wrong, good) =
        (line(lina, "damaged", b"one"), line(lina, "wrong", b"two"), line(lina, "good", b"three"));
    let mut asked = Vec::new();
    sister.tells(vec![damaged.clone(), wrong.clone(), good.clone()], 6).await;
    for _ in 0..3 {
        let Said::From { file, at: 0 } = sister.hears().await else { panic!("bytes are asked for") };
        asked.push(file);
        let bytes: &[u8] = if file == damaged.file {
            b"uno"
        } else if file == wrong.file {
            b"two and more"
        } else {
            b"three"
        };
        sister.says(&Said::Piece { file, at: 0, bytes: bytes.to_vec() }).await;
    }
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), 3, "what was refused is not asked for again at once");
    // What is not taken is cleared away soon after it was said.
    let settled = async {
        while names(&school) != [good.file.to_string()] {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, settled).await.expect("only the good one is left");
    let left = school.app.reader.read(|conn| Ok::<_, StoreError>(disk::standing(conn)?.arriving));
    assert_eq!(left.expect("read"), 2, "the others are still waited for");
}
