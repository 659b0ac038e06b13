//! What is said: every kind of message, real ones first, then harmed on three levels: as sealed, as opened, and inside,
//! where the harm is signed and sealed as it should be.

use preau_shared::{
    documents::DocId,
    ids::{BoxId, PersonId, WorkId},
    replica::{
        Hello, Item, Kept, Knowledge, Lacking, Loose, Mark, Message, Page, Pull, Reason, Run, Sheet, Shelf, Side,
        Wanted, batch,
    },
    rig::shelves::{self, pages},
    wire::locker::{About, Line, Page as LockerPage, Said, State},
};

use crate::{
    exchange::Link,
    forge::{Smith, origins, relengthed},
    harm::{Hand, bomb, wide_window},
    world::{Site, World, key, other_school, school},
};

/// What one end has to say, and how it is opened.
pub(crate) struct Speaker {
    /// A true hello of this end.
    pub(crate) hello: Message,
    /// One real message of each kind.
    pub(crate) real: Vec<(&'static str, Message)>,
    smith: Smith,
    marks: Vec<Mark>,
}

pub(crate) type Make = fn(&Speaker, &Hand) -> Vec<Message>;

/// Kinds of harm inside a message; what is real is said before.
pub(crate) const UP: &[(&str, Make)] = &[
    ("hello inside", |all, hand| vec![all.hello_inside(hand)]),
    ("run inside", |all, hand| vec![all.hello.clone(), Message::Runs(vec![all.smith.run(hand)])]),
    ("change inside", |all, hand| vec![all.hello.clone(), Message::Runs(vec![all.change_inside(hand)])]),
    ("former inside", |all, hand| vec![all.hello.clone(), Message::Runs(vec![all.smith.again(hand)])]),
    ("mend inside", |all, hand| vec![all.hello.clone(), all.mend_inside(hand)]),
    ("erased inside", |all, hand| vec![all.hello.clone(), all.erased_inside(hand)]),
    ("skip inside", |all, hand| vec![all.hello.clone(), Message::Skip(all.smith.head(hand))]),
    ("marks inside", |all, hand| vec![all.hello.clone(), all.words_inside(hand), all.words_inside(hand)]),
    ("page upwards", |all, hand| all.page_upwards(hand)),
];
pub(crate) const DOWN: &[(&str, Make)] = &[
    ("hello inside", |all, hand| vec![all.hello_inside(hand)]),
    ("run inside", |all, hand| vec![all.hello.clone(), Message::Runs(vec![all.smith.run(hand)])]),
    ("former inside", |all, hand| vec![all.hello.clone(), Message::Runs(vec![all.smith.again(hand)])]),
    ("skip inside", |all, hand| vec![all.hello.clone(), Message::Skip(all.smith.head(hand))]),
    ("marks inside", |all, hand| vec![all.hello.clone(), all.words_inside(hand), all.words_inside(hand)]),
];
pub(crate) const SNAPSHOT: &[(&str, Make)] =
    &[("snapshot inside", |all, hand| vec![all.hello.clone(), all.page_inside(hand)])];

fn knowledge(site: &Site) -> Knowledge {
    let digest = |shelf: Shelf| (shelf.clone(), site.store.with(|conn| shelves::digest(conn, &shelf)).expect("digest"));
    Knowledge { marks: site.marks(), digests: vec![digest(Shelf::Territory), digest(school())] }
}

fn hello(site: &Site, knowledge: Knowledge) -> Message {
    let summary = knowledge.summary();
    let incarnation = site.author.origin.incarnation;
    Message::Hello(Hello {
        speaks: batch::SPEAKS,
        incarnation,
        summary,
        knowledge: Some(knowledge),
        answer_wanted: true,
    })
}

fn pull(shelf: Shelf) -> Pull {
    Pull { shelf, wanted: Wanted::Everything, after: None }
}

fn served(site: &Site, shelf: Shelf) -> Page {
    site.store.with(|conn| pages::serve(conn, pull(shelf))).expect("page")
}

fn sums(site: &Site) -> Vec<u64> {
    site.store.with(|conn| shelves::sums(conn, &school())).expect("sums")
}

impl Speaker {
    /// What `speaker` has to say to `hearer`.
    pub(crate) fn new(world: &World, side: Side) -> Self {
        let (speaker, hearer) = match side {
            Side::Coordinator => (&world.hostile, &world.coordinator),
            Side::Sibling => (&world.hostile, &world.sister),
            Side::Box => (&world.coordinator, &world.hostile),
        };
        let origin = speaker.author.origin;
        let held = hearer.marks().into_iter().find(|mark| mark.origin == origin && mark.shelf == school());
        let next = speaker.runs(&school(), &origin, held.map_or(0, |mark| mark.number));
        assert!(next.len() > usize::from(side != Side::Box), "there is something to say");
        let page = served(speaker, school());
        let Sheet { copies, erased, .. } = page.sheet().expect("sheet");
        let heads = page.heads.clone();
        assert!(!erased.is_empty() && !heads.is_empty(), "there is something to forge from");
        let key = key(origin.box_id);
        let others = origins(&world.coordinator, &world.hostile);
        let theirs = hearer.marks();
        let smith = Smith { origin, copies, erased, heads, next: next.clone(), key, others, theirs };
        let mend = Lacking { lives: Vec::new(), changes: smith.loose(), erased: smith.erased.clone() };
        let nack = Message::Nack { shelf: school(), origin: hearer.author.origin, first: 1, reason: Reason::Items };
        let marks = speaker.marks();
        let own = smith.heads.iter().find(|head| head.origin == origin).expect("own").clone();
        let said = hello(speaker, knowledge(speaker));
        let Message::Hello(whole) = said.clone() else { unreachable!() };
        let mut real = vec![
            ("hello", Message::Hello(Hello { knowledge: None, ..whole })),
            ("long hello", said.clone()),
            ("runs", Message::Runs(next)),
            ("have", Message::Have(marks.clone())),
            ("nack", nack),
            ("skip", Message::Skip(own)),
            ("pull", Message::Pull(pull(school()))),
            ("page", Message::Page(page)),
            ("buckets", Message::Buckets(school(), sums(speaker))),
            ("differ", Message::Differ(school(), (0..=255).collect())),
        ];
        if side != Side::Box {
            real.push(("mend", Message::Mend(school(), mend)));
        }
        Self { hello: said, real, smith, marks }
    }

    fn number(&self, hand: &Hand) -> Mark {
        let near = hand.pick(&self.marks).clone();
        let mut mark = Mark { number: hand.number(near.number), ..near };
        if hand.once_in(2) {
            mark.origin = *hand.pick(&self.smith.others);
        }
        if hand.once_in(4) {
            mark.shelf = hand.pick(&[Shelf::Territory, school(), other_school()]).clone();
        }
        if hand.once_in(2) {
            mark.chain = hand.fill();
        }
        mark
    }

    fn hello_inside(&self, hand: &Hand) -> Message {
        let Message::Hello(mut hello) = self.hello.clone() else { unreachable!() };
        let mut told = hello.knowledge.clone().unwrap_or_default();
        for _ in 0..=hand.below(4) {
            match hand.below(7) {
                0 => hello.speaks = (hand.byte(), hand.byte()),
                1 => hello.incarnation = if hand.once_in(2) { hand.number(5) } else { 77 },
                2 => told.marks.push(self.number(hand)),
                3 => {
                    let at = hand.below(told.marks.len());
                    told.marks[at] = self.number(hand);
                }
                4 => drop(told.marks.pop()),
                5 => told.digests.iter_mut().for_each(|(_, digest)| *digest = hand.fill()),
                _ => told.digests.push((other_school(), hand.fill())),
            }
        }
        hello.summary = if hand.once_in(5) { hand.fill() } else { told.summary() };
        hello.knowledge = (!hand.once_in(6)).then_some(told);
        Message::Hello(hello)
    }

    fn words_inside(&self, hand: &Hand) -> Message {
        let reasons =
            [Reason::Fork, Reason::Folded, Reason::Superseded, Reason::Items, Reason::NotNow, Reason::UnknownKey];
        let mark = self.number(hand);
        let buckets = vec![hand.byte(); hand.below(257)];
        match hand.below(9) {
            0 | 1 => Message::Have((0..hand.below(20)).map(|_| self.number(hand)).collect()),
            2 | 3 => Message::Nack {
                shelf: mark.shelf,
                origin: mark.origin,
                first: mark.number,
                reason: *hand.pick(&reasons),
            },
            4 | 5 => Message::Skip(self.smith.head(hand)),
            6 => {
                let wanted = if hand.once_in(2) { Wanted::Everything } else { Wanted::Buckets(buckets) };
                let after = hand.once_in(2).then(|| hand.pick(&self.smith.copies).doc);
                Message::Pull(Pull { shelf: mark.shelf, wanted, after })
            }
            7 => Message::Buckets(mark.shelf, vec![hand.number(0); hand.below(257)]),
            _ => Message::Differ(mark.shelf, buckets),
        }
    }

    /// The changes of the last run, each with a mistake in one of them.
    fn mend_inside(&self, hand: &Hand) -> Message {
        let mut changes = self.smith.loose();
        let at = hand.below(changes.len());
        match hand.below(4) {
            0 => changes[at].bytes = relengthed(hand, &changes[at].bytes),
            1 => {
                changes[at].doc = hand.pick(&self.smith.copies).doc;
                changes[at].epoch = u32::try_from(hand.number(0)).unwrap_or(u32::MAX);
            }
            2 => hand.harm(&mut changes[at].bytes),
            _ => {
                let (doc, item) = self.smith.changed(hand);
                if let Item::First { epoch, bytes, .. } = item {
                    changes.push(Loose { doc, epoch, cut: Vec::new(), bytes });
                } else if let Item::Change { bytes } = item {
                    changes.push(Loose { doc, epoch: 0, cut: Vec::new(), bytes });
                }
            }
        }
        let shelf = if hand.once_in(10) { hand.pick(&[Shelf::Territory, other_school()]).clone() } else { school() };
        Message::Mend(shelf, Lacking { changes, ..Lacking::default() })
    }

    /// True changes beside tombstones of which none is what it says.
    fn erased_inside(&self, hand: &Hand) -> Message {
        let many = if hand.once_in(20) { 2_000 } else { 1 + hand.below(4) };
        let erased = std::iter::repeat_with(|| self.smith.erasure(hand)).take(many).collect();
        let changes = if hand.once_in(2) { self.smith.loose() } else { Vec::new() };
        let shelf = if hand.once_in(10) { hand.pick(&[Shelf::Territory, other_school()]).clone() } else { school() };
        Message::Mend(shelf, Lacking { lives: Vec::new(), changes, erased })
    }

    fn change_inside(&self, hand: &Hand) -> Run {
        let run = self.smith.next[0].clone();
        let mut items = run.items().expect("items");
        if hand.once_in(2) {
            let at = hand.below(items.len());
            if let Item::First { bytes, .. } | Item::Change { bytes } = &mut items[at] {
                *bytes = relengthed(hand, bytes);
            } else {
                items.push(self.smith.changed(hand).1);
            }
        } else {
            items.push(self.smith.changed(hand).1);
        }
        self.smith.signed(&run, &items)
    }

    /// A box is never pulled from, whatever it says: here it says that the two differ, and where, and serves the page.
    fn page_upwards(&self, hand: &Hand) -> Vec<Message> {
        let Message::Hello(mut hello) = self.hello.clone() else { unreachable!() };
        let shelf = hand.pick(&[Shelf::Territory, school()]).clone();
        let mut told = hello.knowledge.take().unwrap_or_default();
        // What the coordinator holds of the shelf, it knows from its hello.
        told.marks.retain(|mark| mark.shelf != shelf);
        told.marks.extend(self.smith.theirs.iter().filter(|mark| mark.shelf == shelf).cloned());
        told.marks.sort();
        told.digests = vec![(Shelf::Territory, hand.fill()), (school(), hand.fill())];
        hello.summary = told.summary();
        hello.knowledge = Some(told);
        let wanted = if hand.once_in(4) { Wanted::Everything } else { Wanted::Buckets((0..=255).collect()) };
        let Wanted::Buckets(buckets) = wanted.clone() else {
            return vec![Message::Hello(hello), self.page(hand, Pull { shelf, wanted, after: None })];
        };
        let page = self.page(hand, Pull { shelf: shelf.clone(), wanted, after: None });
        vec![Message::Hello(hello), Message::Differ(shelf, buckets), page]
    }

    fn page_inside(&self, hand: &Hand) -> Message {
        self.page(hand, pull(school()))
    }

    fn page(&self, hand: &Hand, pull: Pull) -> Message {
        let mut sheet = Sheet { copies: self.smith.copies.clone(), ..Sheet::default() };
        let at = hand.below(sheet.copies.len());
        let mut packed = None;
        match hand.below(10) {
            0 => sheet.erased.push(self.smith.erasure(hand)),
            1..5 => {
                let saved = &mut sheet.copies[at].saved;
                *saved = resealed(hand, saved);
            }
            5 => {
                let copy = &mut sheet.copies[at];
                copy.epoch = u32::try_from(hand.number(u64::from(copy.epoch))).unwrap_or(u32::MAX);
                copy.doc = DocId::new(copy.doc.kind, if hand.once_in(2) { hand.fill() } else { copy.doc.id });
                copy.cut = hand.once_in(2).then(|| vec![hand.fill(); hand.below(9)]);
            }
            6 => {
                let origin = *hand.pick(&self.smith.others);
                let body = hand.harmed(&[1, 3, 9, 9, 9]);
                sheet.entries.push(Kept { origin, number: hand.number(4), salt: hand.fill(), body });
            }
            7 => packed = Some(if hand.once_in(3) { wide_window() } else { bomb(1 << (17 + hand.below(8))) }),
            _ => {
                let mut plain = postcard::to_stdvec(&sheet).expect("sheet");
                hand.harm(&mut plain);
                packed = Some(zstd::bulk::compress(&plain, 3).expect("zstd"));
            }
        }
        let next = hand.once_in(6).then(|| sheet.copies[at].doc);
        let marks = if hand.once_in(3) { vec![self.number(hand), self.number(hand)] } else { self.marks.clone() };
        let mut page = Page::new(pull, &sheet, next, marks).expect("page");
        if let Some(packed) = packed {
            page.payload = packed;
        }
        Message::Page(page)
    }
}

/// A saved document, harmed, with its length and checksum made right again.
fn resealed(hand: &Hand, saved: &[u8]) -> Vec<u8> {
    let stripped = relengthed(hand, &saved[8..]);
    let hash = preau_shared::keys::sha256(&stripped);
    [&saved[..4], &hash[..4], &stripped].concat()
}

impl Smith {
    /// The changes of the first run that the other end lacks, one by one.
    fn loose(&self) -> Vec<Loose> {
        let of = |item: Item| match item {
            Item::First { doc, epoch, cut, bytes } => Some(Loose { doc, epoch, cut, bytes }),
            Item::Change { bytes } => Some(Loose { doc: self.copies[0].doc, epoch: 0, cut: Vec::new(), bytes }),
            Item::Entry { .. } | Item::Erased(_) | Item::Gone { .. } | Item::Former { .. } | Item::Traces { .. } => {
                None
            }
        };
        self.next[0].items().expect("items").into_iter().filter_map(of).collect()
    }
}

/// Real bytes for each reader.
pub(crate) fn corpus(world: &World) -> Vec<(&'static str, Vec<u8>)> {
    let link = Link::new(&world.coordinator, Side::Coordinator);
    let mut corpus: Vec<(&str, Vec<u8>)> = lockers().map(|bytes| ("locker", bytes)).collect();
    for side in [Side::Coordinator, Side::Sibling, Side::Box] {
        let speaker = Speaker::new(world, side);
        for (_, message) in &speaker.real {
            let body = batch::encode(message, None).expect("real");
            corpus.push(("seal", link.sealed(1, &body).expect("sealed")));
            corpus.push(("hello", body.clone()));
            corpus.push(("batch", body));
        }
        for run in &speaker.smith.next {
            let items = run.items().expect("items");
            corpus.push(("run", run.payload.clone()));
            corpus.push(("run", postcard::to_stdvec(&items).expect("items")));
            for item in items {
                if let Item::First { doc, bytes, .. } = item {
                    corpus.push(("change", [vec![doc.kind.code() - 1], bytes].concat()));
                }
            }
        }
        let (copies, erased) = (speaker.smith.copies.clone(), speaker.smith.erased.clone());
        let sheet = Sheet { copies, erased, ..Sheet::default() };
        corpus.push(("page", postcard::to_stdvec(&sheet).expect("sheet")));
        for copy in sheet.copies {
            corpus.push(("page", [&[copy.doc.kind.code() - 1], &copy.saved[8..]].concat()));
        }
    }
    corpus
}

/// What boxes say of kept works.
fn lockers() -> impl Iterator<Item = Vec<u8>> {
    let file = WorkId::from_bytes([7; 16]);
    let about = About {
        name: "mon chat.png".into(),
        media: "image/png".into(),
        size_bytes: 70_000,
        sha256: [8; 32],
        age_ms: 3_600_000,
        here: true,
    };
    let line = |state| Line {
        person: PersonId::from_bytes([5; 16]),
        file,
        turn: 3,
        author: BoxId::from_bytes([6; 16]),
        state,
    };
    let lines = vec![line(State::Now(about.clone())), line(State::Former(about, 60_000)), line(State::Gone)];
    let page = Said::Page(LockerPage { lines, last: 40, more: true, full: false });
    let said =
        [Said::Since(37), page, Said::From { file, at: 1_000 }, Said::Piece { file, at: 9, bytes: vec![1; 300] }];
    said.into_iter().map(|said| said.encode().expect("real"))
}

/// Leaves them in a folder, for a fuzzer to begin with.
pub(crate) fn keep(corpus: &[(&str, Vec<u8>)], folder: Option<String>) {
    let Some(folder) = folder else { return };
    for (n, (reader, bytes)) in corpus.iter().enumerate() {
        let of = std::path::Path::new(&folder).join(reader);
        std::fs::create_dir_all(&of).expect("folder");
        std::fs::write(of.join(n.to_string()), bytes).expect("file");
    }
}

/// Seals messages as they are.
pub(crate) fn sealed(link: &Link, messages: &[Message]) -> Vec<Vec<u8>> {
    let bodies = messages.iter().filter_map(|message| batch::encode(message, None).ok());
    bodies.enumerate().filter_map(|(n, body)| link.sealed(n as u64, &body)).collect()
}
