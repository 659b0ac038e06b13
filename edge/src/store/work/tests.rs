//! Boxes that keep, replace, take away and have back while they are apart, and hear of each other in any order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use preau_shared::{
    dice::Seeded,
    documents::{Person, Writer},
    ids::{BoxId, PersonId, WorkId},
    keys::{SigningKey, sha256},
    replica::{Origin, Shelf, Tombstone},
    rig::shelves::{self, Author},
    time::Stamp,
    wire::locker::{MAX_TURN, State},
};
use proptest::prelude::*;
use rusqlite::Connection;

use super::{copies, disk, gone, lines, merge, numbers, wanted};
use crate::{
    replica::project::Rows,
    store::{all, journal::Book, schema, work, work::Work},
    work::{MAX_PERSON_BYTES, name},
};

const BOXES: usize = 3;
const NAMES: [&str; 2] = ["fleur.png", "chat.png"];

/// Person, file, turn, author; name and whether it is former, unless it is gone.
type Says = (Vec<u8>, Vec<u8>, i64, Vec<u8>, Option<(String, bool)>);

/// A box with an empty locker.
struct Boxed {
    conn: Connection,
    book: Book,
    round: i64,
}

fn person(n: u8) -> PersonId {
    PersonId::from_bytes([n; 16])
}

impl Boxed {
    fn new(n: u8) -> Self {
        let mut conn = Connection::open_in_memory().expect("memory");
        schema::migrate(&mut conn).expect("migrated");
        let dice = Arc::new(Seeded::new(n.into()));
        let author = Author {
            origin: Origin { box_id: BoxId::from_bytes([n; 16]), incarnation: 1 },
            key: Arc::new(SigningKey::from_seed(&[n; 32]).expect("key")),
            dice: dice.clone(),
            writer: Writer::Box,
        };
        let shelf = Shelf::School("0900001A".parse().expect("uai"));
        let book = Book { author: Arc::new(author), shelf, dice, now: Stamp(1_790_000_000_000) };
        Self { conn, book, round: 0 }
    }

    fn id(&self) -> BoxId {
        self.book.author.origin.box_id
    }

    /// As `keep.rs` does: what had the name stands aside.
    fn keep(&self, who: u8, name: &str) -> WorkId {
        let file = WorkId::draw(self.book.dice.as_ref());
        work::retire(&self.conn, &self.book, person(who), name).expect("retired");
        let work = Work {
            file,
            name: name.into(),
            media: "image/png".into(),
            size_bytes: 16,
            kept: self.book.now,
            sha256: Some(sha256(file.as_bytes())),
            here: true,
            copied: false,
        };
        work::add(&self.conn, &self.book, person(who), &work).expect("added");
        file
    }

    /// Hears all that another box has to tell.
    fn hears(&mut self, from: &Self) {
        self.round += 1;
        let (of, mut after) = ((from.id(), self.round), 0);
        loop {
            let page = lines::since(&from.conn, after, from.book.now).expect("a page");
            merge::take(&self.conn, &self.book, of, &page.lines).expect("taken");
            after = page.last;
            if !page.more {
                break;
            }
        }
        merge::tell_apart(&self.conn, &self.book, name::numbered).expect("told apart");
        copies::told_all(&self.conn, of).expect("told all");
    }

    /// Fetches all that the other one has.
    fn fetches(&self, from: &Self) {
        let next = || wanted::next(&self.conn, from.id(), &BTreeSet::new(), MAX_PERSON_BYTES).expect("looked");
        while let Some(next) = next() {
            assert!(disk::is_here(&from.conn, next.file).expect("looked"), "it said so");
            disk::came(&self.conn, next.file).expect("came");
        }
    }

    fn now(&self, who: u8) -> BTreeMap<WorkId, String> {
        let sql = "SELECT file, name FROM work WHERE person = ?1 AND former IS NULL";
        let found = all(&self.conn, sql, [&person(who).as_bytes()[..]], |row| {
            Ok((WorkId::from_bytes(row.get(0)?), row.get(1)?))
        });
        found.expect("read").into_iter().collect()
    }

    fn named(&self, who: u8, name: &str) -> Vec<WorkId> {
        self.now(who).into_iter().filter(|(_, of)| of == name).map(|(file, _)| file).collect()
    }

    /// All that is to be alike at every box.
    fn says(&self) -> Vec<Says> {
        let sql = "SELECT person, file, turn, author, name, former IS NOT NULL FROM work";
        let row = |row: &rusqlite::Row<'_>| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, Some((row.get(4)?, row.get(5)?))))
        };
        let mut says = all(&self.conn, sql, [], row).expect("read");
        let sql = "SELECT person, file, turn, author FROM work_gone";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, None));
        says.extend(all(&self.conn, sql, [], row).expect("read"));
        says.sort();
        says
    }
}

/// One of them hears of another, and may fetch what it has.
fn meet(boxes: &mut Vec<Boxed>, (to, from): (usize, usize), fetches: bool) {
    let other = boxes.remove(from);
    let own = &mut boxes[if to > from { to - 1 } else { to }];
    own.hears(&other);
    if fetches {
        own.fetches(&other);
    }
    boxes.insert(from, other);
}

/// All hear of all and fetch all until nothing moves.
fn settle(boxes: &mut Vec<Boxed>) {
    let numbers =
        |boxes: &[Boxed]| -> Vec<u64> { boxes.iter().map(|b| numbers::last(&b.conn).expect("number")).collect() };
    for _ in 0..30 {
        let before = numbers(boxes);
        for to in 0..boxes.len() {
            for from in (0..boxes.len()).filter(|from| *from != to) {
                meet(boxes, (to, from), true);
            }
        }
        if before == numbers(boxes) {
            return;
        }
    }
    panic!("it never settles");
}

#[test]
fn two_boxes_that_change_one_name_apart_keep_both() {
    let mut boxes = vec![Boxed::new(1), Boxed::new(2)];
    let first = boxes[0].keep(1, "fleur.png");
    settle(&mut boxes);
    let apart = [boxes[0].keep(1, "fleur.png"), boxes[1].keep(1, "fleur.png")];
    settle(&mut boxes);
    for b in &boxes {
        let names: BTreeSet<String> = b.now(1).into_values().collect();
        assert_eq!(names, BTreeSet::from(["fleur.png".into(), "fleur (2).png".into()]));
        assert_eq!(b.now(1).into_keys().collect::<BTreeSet<_>>(), BTreeSet::from(apart));
        let former = work::find_former(&b.conn, person(1), "fleur.png").expect("read").expect("the first one");
        assert_eq!((former.file, former.here), (first, true), "it can be had back at both");
        assert_eq!(disk::standing(&b.conn).expect("counted").files, 0, "nothing stands on one disk");
    }
    // She has the first one back at one of them.
    assert!(work::restore(&boxes[1].conn, &boxes[1].book, person(1), "fleur.png").expect("restored"));
    settle(&mut boxes);
    assert!(boxes.iter().all(|b| b.named(1, "fleur.png") == [first]));
}

#[test]
fn what_is_gone_does_not_come_back_and_is_let_go_of_once_heard() {
    let mut boxes = vec![Boxed::new(1), Boxed::new(2)];
    let file = boxes[0].keep(1, "fleur.png");
    settle(&mut boxes);
    work::retire(&boxes[0].conn, &boxes[0].book, person(1), "fleur.png").expect("retired");
    boxes[0].book.now = boxes[0].book.now.after(std::time::Duration::from_secs(3_600));
    let now = boxes[0].book.now;
    work::forget(&boxes[0].conn, &boxes[0].book, now).expect("forgotten");
    // The other one still has it, and tells of it first.
    let (a, b) = boxes.split_at_mut(1);
    a[0].hears(&b[0]);
    assert!(!disk::is_named(&a[0].conn, file).expect("read"), "it came back");
    settle(&mut boxes);
    for b in &boxes {
        assert!(!disk::is_named(&b.conn, file).expect("read"));
        assert_eq!(b.says().len(), 1);
        gone::forget(&b.conn, numbers::last(&b.conn).expect("number"), now).expect("let go");
        assert_eq!(b.says().len(), 0);
    }
}

#[test]
fn a_pairs_work_gets_one_number_for_both() {
    let mut boxes = vec![Boxed::new(1), Boxed::new(2)];
    let both = boxes[0].keep(1, "fleur.png");
    let work = work::find(&boxes[0].conn, person(1), "fleur.png").expect("read").expect("hers");
    work::add(&boxes[0].conn, &boxes[0].book, person(2), &work).expect("his");
    let other = boxes[1].keep(1, "fleur.png");
    settle(&mut boxes);
    for b in &boxes {
        assert_eq!(b.now(1)[&both], b.now(2)[&both], "one name for a pair");
        assert_ne!(b.now(1)[&both], b.now(1)[&other]);
    }
}

#[test]
fn nothing_of_somebody_erased_is_taken_and_other_bytes_under_a_name_neither() {
    let (from, mut to) = (Boxed::new(1), Boxed::new(2));
    let file = from.keep(1, "fleur.png");
    to.hears(&from);
    let mut page = lines::since(&from.conn, 0, from.book.now).expect("page");
    for line in &mut page.lines {
        line.turn = MAX_TURN;
        if let State::Now(about) = &mut line.state {
            about.sha256 = [0; 32];
        }
    }
    merge::take(&to.conn, &to.book, (from.id(), 9), &page.lines).expect("taken");
    let kept = work::of(&to.conn, person(1)).expect("read");
    assert_eq!((kept.len(), kept[0].file, kept[0].sha256), (1, file, Some(sha256(file.as_bytes()))));

    bury(&to, person(1));
    assert_eq!(to.says(), []);
    to.hears(&from);
    assert_eq!(to.says(), [], "her works came back");
    let left: i64 = to.conn.query_row("SELECT count(*) FROM work_copies", [], |row| row.get(0)).expect("count");
    assert_eq!(left, 0, "not even the numbers of her files");
}

/// The coordinator's tombstone came.
fn bury(at: &Boxed, who: PersonId) {
    let coordinator = Author {
        origin: Origin { box_id: BoxId::from_bytes([99; 16]), incarnation: 1 },
        writer: Writer::Coordinator,
        ..at.book.author.as_ref().clone()
    };
    let tombstone = Tombstone { doc: Person::doc(who), pseudonym: None };
    shelves::erase(&at.conn, &coordinator, &at.book.shelf, at.book.now, tombstone, &Rows).expect("erased");
}

/// What happens somewhere.
#[derive(Debug, Clone)]
enum Act {
    Keep(usize, u8, usize),
    TakeAway(usize, u8, usize),
    HaveBack(usize, u8, usize),
    Forget(usize),
    Hear(usize, usize),
    Fetch(usize, usize),
}

fn act() -> impl Strategy<Value = Act> {
    let at = || (0..BOXES, 1..3_u8, 0..NAMES.len());
    let pair = || (0..BOXES, 1..BOXES).prop_map(|(to, by)| (to, (to + by) % BOXES));
    prop_oneof![
        4 => at().prop_map(|(b, p, n)| Act::Keep(b, p, n)),
        2 => at().prop_map(|(b, p, n)| Act::TakeAway(b, p, n)),
        2 => at().prop_map(|(b, p, n)| Act::HaveBack(b, p, n)),
        1 => (0..BOXES).prop_map(Act::Forget),
        4 => pair().prop_map(|(to, from)| Act::Hear(to, from)),
        3 => pair().prop_map(|(to, from)| Act::Fetch(to, from)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever they did apart: at the end all say the same, no two works of a child have one name, and what nobody
    /// replaced or took away stands everywhere, with its bytes.
    #[test]
    fn boxes_come_to_say_the_same_and_lose_nothing(acts in prop::collection::vec(act(), 1..40)) {
        let mut boxes: Vec<Boxed> = (1..).take(BOXES).map(Boxed::new).collect();
        let (mut kept, mut set_aside) = (BTreeSet::new(), BTreeSet::new());
        for act in acts {
            match act {
                Act::Keep(b, p, n) => {
                    set_aside.extend(boxes[b].named(p, NAMES[n]));
                    kept.insert((p, boxes[b].keep(p, NAMES[n])));
                }
                Act::TakeAway(b, p, n) => {
                    set_aside.extend(boxes[b].named(p, NAMES[n]));
                    work::retire(&boxes[b].conn, &boxes[b].book, person(p), NAMES[n]).expect("taken away");
                }
                Act::HaveBack(b, p, n) => {
                    set_aside.extend(boxes[b].named(p, NAMES[n]));
                    work::restore(&boxes[b].conn, &boxes[b].book, person(p), NAMES[n]).expect("had back");
                }
                Act::Forget(b) => {
                    let now = boxes[b].book.now.after(std::time::Duration::from_secs(1));
                    work::forget(&boxes[b].conn, &boxes[b].book, now).expect("forgotten");
                }
                Act::Hear(to, from) => meet(&mut boxes, (to, from), false),
                Act::Fetch(to, from) => meet(&mut boxes, (to, from), true),
            }
        }
        settle(&mut boxes);
        for b in &boxes {
            prop_assert_eq!(b.says(), boxes[0].says());
            for who in 1..3 {
                let now = b.now(who);
                let names: BTreeSet<&String> = now.values().collect();
                prop_assert_eq!(names.len(), now.len());
            }
            prop_assert_eq!(disk::standing(&b.conn).expect("counted").files, 0);
            prop_assert_eq!(disk::standing(&b.conn).expect("counted").arriving, 0);
            for (who, file) in kept.iter().filter(|(_, file)| !set_aside.contains(file)) {
                prop_assert!(b.now(*who).contains_key(file), "{} is lost", file);
            }
        }
    }
}
