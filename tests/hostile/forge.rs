//! What a box can make with its own keys: runs, pages and changes of any content, signed and sealed as they should be.

use automerge::{
    ActorId, Automerge, ObjType, ROOT, ReadDoc as _, ScalarValue,
    transaction::{CommitOptions, Transactable as _},
};
use preau_shared::{
    documents::{DocId, Kind},
    journal::{CredentialKind, Entry},
    keys::{SigningKey, sha256},
    replica::{Copy, Erasure, Item, Mark, Origin, Run, Shelf, Tombstone},
};

use crate::{
    harm::{Hand, bomb, wide_window},
    world::{COORDINATOR, FOREIGN, HOSTILE, SISTER, Site, key, other_school, school},
};

/// Bytes that Automerge writes before a change and its hash.
const FRONT: usize = 8;

/// What a box has to forge with: its documents, its last runs, its name.
pub(crate) struct Smith {
    pub(crate) origin: Origin,
    pub(crate) copies: Vec<Copy>,
    /// Who is erased, as the coordinator signed it.
    pub(crate) erased: Vec<Erasure>,
    /// The ends of all lines it holds, as each was signed.
    pub(crate) heads: Vec<Run>,
    /// Those that the coordinator lacks.
    pub(crate) next: Vec<Run>,
    pub(crate) key: SigningKey,
    pub(crate) others: Vec<Origin>,
    /// What the other end holds.
    pub(crate) theirs: Vec<Mark>,
}

impl Smith {
    /// The items of a run of its own that stands as `first`.
    pub(crate) fn signed(&self, like: &Run, items: &[Item]) -> Run {
        let mut run = Run { count: u32::try_from(items.len()).expect("few"), ..like.clone() };
        let plain = postcard::to_stdvec(items).expect("items");
        run.payload = zstd::bulk::compress(&plain, 3).expect("zstd");
        run.root = root(items);
        self.sign(&mut run);
        run
    }

    pub(crate) fn sign(&self, run: &mut Run) {
        run.signature = self.key.sign(&run.hash());
    }

    /// A run of which one thing is not as it should be.
    pub(crate) fn run(&self, hand: &Hand) -> Run {
        let mut run = self.next[0].clone();
        let mut items = run.items().expect("items");
        match hand.below(10) {
            0 | 1 => self.repacked(hand, &mut run),
            2 | 3 => {
                for _ in 0..=hand.below(2) {
                    let at = hand.below(items.len() + 1);
                    items.insert(at, self.item(hand));
                }
                run = self.signed(&run, &items);
            }
            4 => {
                let (one, other) = (hand.below(items.len()), hand.below(items.len()));
                items.swap(one, other);
                run = self.signed(&run, &items);
            }
            5 => {
                let again = hand.pick(&items).clone();
                items.extend(std::iter::repeat_n(again, 1 + hand.below(400)));
                run = self.signed(&run, &items);
            }
            6 => {
                for item in &mut items {
                    if hand.once_in(3) {
                        *item = item.gone();
                    }
                }
                run = self.signed(&run, &items);
            }
            7 => {
                run.shelf = hand.pick(&[Shelf::Territory, other_school(), school()]).clone();
                self.sign(&mut run);
            }
            8 => {
                run.origin = *hand.pick(&self.others);
                if hand.once_in(2) {
                    run.signature = key(run.origin.box_id).sign(&run.hash())
                } else {
                    self.sign(&mut run)
                }
                if run.origin.box_id != HOSTILE {
                    // It has no other key than its own.
                    self.sign(&mut run);
                }
            }
            _ => {
                run.first = hand.number(run.first);
                run.count = u32::try_from(hand.number(u64::from(run.count))).unwrap_or(u32::MAX);
                if hand.once_in(3) {
                    run.prev = hand.fill();
                }
                if hand.once_in(3) {
                    run.root = hand.fill();
                }
                self.sign(&mut run);
            }
        }
        run
    }

    /// The same run, what is in it overwritten, and all that stands above it made anew.
    fn repacked(&self, hand: &Hand, run: &mut Run) {
        let mut plain = zstd::decode_all(run.payload.as_slice()).expect("ours");
        match hand.below(12) {
            0 => run.payload = bomb(1 << (17 + hand.below(8))),
            1 => run.payload = wide_window(),
            2 => run.payload = hand.harmed(&run.payload),
            3 => run.payload.extend(bomb(1 << 20)),
            _ => {
                hand.harm(&mut plain);
                if let Ok(items) = postcard::from_bytes::<Vec<Item>>(&plain) {
                    run.root = root(&items);
                    run.count = u32::try_from(items.len()).unwrap_or(u32::MAX);
                }
                run.payload = zstd::bulk::compress(&plain, 3).expect("zstd");
            }
        }
        self.sign(run);
    }

    fn item(&self, hand: &Hand) -> Item {
        let doc = hand.pick(&self.copies).doc;
        match hand.below(9) {
            0 => Item::Erased(self.erasure(hand)),
            1 => {
                let epoch = u32::try_from(hand.number(1)).unwrap_or(u32::MAX);
                let cut = vec![hand.fill(); hand.below(5) * hand.below(200)];
                let made = change(hand, &self.origin, &Automerge::new(), doc.mark(epoch));
                Item::First { doc, epoch, cut, bytes: made.unwrap_or_default() }
            }
            2 => Item::Entry { salt: hand.fill(), body: self.entry(hand) },
            3 => Item::Gone { hash: hand.fill(), entry: hand.once_in(2) },
            4 => self.former(hand),
            5 => {
                let Erasure { tombstone, changes, .. } = self.erasure(hand);
                Item::Traces { doc: tombstone.doc, changes }
            }
            _ => self.changed(hand).1,
        }
    }

    /// Somebody is erased, who is not; or somebody who is, and what is told of it is not true.
    pub(crate) fn erasure(&self, hand: &Hand) -> Erasure {
        let doc = hand.pick(&self.copies).doc;
        let tombstone = Tombstone { doc, pseudonym: hand.once_in(2).then(|| hand.fill()) };
        let names = vec![hand.fill(); hand.below(3) * hand.below(900)];
        let told = hand.pick(&self.erased).clone();
        match hand.below(6) {
            0 => Erasure::sign(&school(), tombstone, names, &self.key),
            // In another school it is true.
            1 => Erasure::sign(&other_school(), tombstone, names, &key(COORDINATOR)),
            2 => Erasure { tombstone, ..told },
            3 => Erasure { proof: hand.harmed(&told.proof), ..told },
            4 => Erasure { changes: names, ..told },
            _ => Erasure { tombstone: Tombstone { pseudonym: Some(hand.fill()), ..told.tombstone }, ..told },
        }
    }

    /// Something is said again that a former life said, or never did, or this one, or nobody; or it is none at all.
    pub(crate) fn former(&self, hand: &Hand) -> Item {
        if hand.once_in(3) {
            // What may be so: the same number again and again, and each time something else.
            let body = Entry::Audit { what: "x".repeat(hand.below(40)), by: None }.encode().expect("entry");
            let said = Item::Entry { salt: hand.fill(), body };
            let life = if hand.once_in(2) { hand.pick(&self.others).incarnation } else { hand.number(77) };
            return said.former(life, hand.number(3)).expect("said again");
        }
        let incarnation = match hand.below(5) {
            0 => self.origin.incarnation,
            1 => hand.number(77),
            _ => hand.pick(&self.others).incarnation,
        };
        let life = Origin { incarnation, ..self.origin };
        let said = match hand.below(10) {
            0 => Item::Erased(self.erasure(hand)),
            1 => Item::Gone { hash: hand.fill(), entry: hand.once_in(2) },
            2 => self.former(hand),
            3 | 4 => Item::Entry { salt: hand.fill(), body: self.entry(hand) },
            5 => self.changed(hand).1,
            _ => self.changed_by(hand, &life).1,
        };
        let mut item = postcard::to_stdvec(&said).expect("item");
        if hand.once_in(10) {
            hand.harm(&mut item);
        }
        if hand.once_in(20) {
            item.push(hand.byte());
        }
        Item::Former { incarnation, number: hand.number(3), item }
    }

    /// A run in which things are said again.
    pub(crate) fn again(&self, hand: &Hand) -> Run {
        let run = self.next[0].clone();
        let mut items = run.items().expect("items");
        for _ in 0..=hand.below(3) {
            let at = hand.below(items.len() + 1);
            items.insert(at, self.former(hand));
        }
        self.signed(&run, &items)
    }

    /// The end of a line that nobody wrote so: whoever believes it, gives up what is before it.
    pub(crate) fn head(&self, hand: &Hand) -> Run {
        let mut run = Run { payload: Vec::new(), ..hand.pick(&self.heads).clone() };
        if hand.once_in(2) {
            run.origin = *hand.pick(&self.others);
        }
        if hand.once_in(4) {
            run.shelf = hand.pick(&[Shelf::Territory, other_school(), school()]).clone();
        }
        if hand.once_in(2) {
            run.first = hand.number(run.first);
        }
        if hand.once_in(4) {
            run.count = u32::try_from(hand.number(u64::from(run.count))).unwrap_or(u32::MAX);
        }
        if hand.once_in(3) {
            run.prev = hand.fill();
        }
        match hand.below(6) {
            0 => {}
            1 => run.signature = hand.fill::<64>().to_vec(),
            2 => hand.harm(&mut run.signature),
            _ => self.sign(&mut run),
        }
        if hand.once_in(20) {
            run.payload = bomb(1 << 17);
        }
        run
    }

    fn entry(&self, hand: &Hand) -> Vec<u8> {
        let doc = hand.pick(&self.copies).doc;
        let person = preau_shared::ids::PersonId::from_bytes(doc.id);
        let entry = if hand.once_in(2) {
            Entry::Credential { person, kind: CredentialKind::Pin, phc: "$argon2id$".into(), login: String::new() }
        } else {
            Entry::Audit { what: "x".repeat(hand.below(4_000)), by: None }
        };
        let body = entry.encode().expect("entry");
        if hand.once_in(2) { hand.harmed(&body) } else { body }
    }

    /// A change of this box to some document, as Automerge alone would let it pass.
    pub(crate) fn changed(&self, hand: &Hand) -> (DocId, Item) {
        self.changed_by(hand, &self.origin)
    }

    fn changed_by(&self, hand: &Hand, life: &Origin) -> (DocId, Item) {
        let copy = hand.pick(&self.copies);
        let first = hand.once_in(4);
        let doc = if hand.once_in(8) { DocId::new(*hand.pick(&Kind::ALL), hand.fill()) } else { copy.doc };
        let epoch = if hand.once_in(6) { copy.epoch.wrapping_add(1) } else { copy.epoch };
        let base = if first { Automerge::new() } else { Automerge::load(&copy.saved).expect("saved") };
        let mark = if first || hand.once_in(8) { doc.mark(epoch) } else { 0 };
        let mut bytes = change(hand, life, &base, mark).unwrap_or_default();
        if hand.once_in(3) {
            bytes = relengthed(hand, &bytes);
        }
        let item = if first { Item::First { doc, epoch, cut: Vec::new(), bytes } } else { Item::Change { bytes } };
        (doc, item)
    }
}

/// A change of some fields of a document, by this life.
fn change(hand: &Hand, life: &Origin, base: &Automerge, mark: i64) -> Option<Vec<u8>> {
    let mut copy = base.clone();
    copy.set_actor(ActorId::from(life.actor().as_slice()));
    let mut options = CommitOptions::default().with_time(mark);
    if hand.once_in(20) {
        options = options.with_message("m".repeat(hand.below(300)));
    }
    let done = copy.transact_with::<_, _, automerge::AutomergeError, _>(
        |_| options,
        |tx| {
            for _ in 0..=hand.below(2) {
                let (field, value) = hand.pick(FIELDS);
                let field: String = if hand.once_in(12) { "k".repeat(hand.below(400)) } else { (*field).into() };
                match hand.below(24) {
                    0 => drop(tx.delete(ROOT, field.as_str())),
                    1 => drop(tx.put_object(ROOT, field.as_str(), ObjType::Map)),
                    2 => {
                        let list = tx.put_object(ROOT, field.as_str(), ObjType::List)?;
                        for at in 0..hand.below(3_000) {
                            tx.insert(&list, at, ScalarValue::Null)?;
                        }
                    }
                    3 => drop(tx.increment(ROOT, field.as_str(), 7)),
                    4 => {
                        for n in 0..hand.below(2_500) {
                            tx.put(ROOT, format!("member:{n}"), true)?;
                        }
                    }
                    5 => tx.put(ROOT, field.as_str(), ScalarValue::Str("é".repeat(hand.below(40_000)).into()))?,
                    6 => tx.put(ROOT, field.as_str(), ScalarValue::F64(f64::NAN))?,
                    7 => tx.put(ROOT, field.as_str(), ScalarValue::counter(3))?,
                    8 => tx.put(ROOT, field.as_str(), ScalarValue::Null)?,
                    9 => tx.put(ROOT, field.as_str(), ScalarValue::Bytes(vec![7; hand.below(100)]))?,
                    _ => tx.put(ROOT, field.as_str(), value())?,
                }
            }
            Ok(())
        },
    );
    let hash = done.ok()?.hash?;
    let change = copy.get_change_by_hash(&hash)?;
    change.raw_bytes().get(FRONT..).map(<[u8]>::to_vec)
}

type Field = (&'static str, fn() -> ScalarValue);
/// What a box would like to write: roles, names, badges that are good again, keys.
const FIELDS: &[Field] = &[
    ("void", || false.into()),
    ("void", || true.into()),
    ("role", || "head".into()),
    ("given_name", || "Mallory".into()),
    ("person", || ScalarValue::Bytes(vec![1; 16])),
    ("hash", || ScalarValue::Bytes(vec![1; 32])),
    ("expires", || i64::MAX.into()),
    ("deleted", || true.into()),
    ("name", || "renamed".into()),
    ("uai", || "0900002B".into()),
    ("box_key:01010101010101010101010101010101", || ScalarValue::Bytes(vec![5; 32])),
    ("box_seal:02020202020202020202020202020202", || ScalarValue::Bytes(vec![5; 100])),
    ("seal_key:9", || ScalarValue::Bytes(vec![5; 32])),
    ("level:CP", || true.into()),
    ("allow:example.org", || true.into()),
    ("member:01010101010101010101010101010101", || true.into()),
    ("case", || ScalarValue::Bytes(vec![9; 16])),
    ("pseudonym", || ScalarValue::Bytes(vec![9; 16])),
];

fn root(items: &[Item]) -> [u8; 32] {
    sha256(&items.iter().flat_map(|item| item.hash()).collect::<Vec<u8>>())
}

/// A stripped chunk, harmed behind its type and length, with the length made right again.
pub(crate) fn relengthed(hand: &Hand, chunk: &[u8]) -> Vec<u8> {
    let Some((kind, mut body)) = chunk.split_first() else { return Vec::new() };
    while let Some((byte, rest)) = body.split_first() {
        body = rest;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let body = hand.harmed(body);
    let mut made = vec![if hand.once_in(30) { hand.byte() } else { *kind }];
    let mut length = body.len();
    while length >= 0x80 {
        made.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    made.push(u8::try_from(length).expect("seven bits"));
    made.extend(body);
    made
}

/// A document of nothing but one field written over and over, as its items: what a box may do.
pub(crate) fn history(origin: Origin, doc: DocId, texts: impl Iterator<Item = String>) -> Vec<Item> {
    let mut copy = Automerge::new();
    copy.set_actor(ActorId::from(origin.actor().as_slice()));
    let write = |(n, text): (usize, String)| {
        let mark = if n == 0 { doc.mark(0) } else { 0 };
        let options = |_: &()| CommitOptions::default().with_time(mark);
        let done = copy.transact_with::<_, _, automerge::AutomergeError, _>(options, |tx| tx.put(ROOT, "name", text));
        let change = copy.get_change_by_hash(&done.expect("put").hash.expect("hash")).expect("change");
        let bytes = change.raw_bytes()[FRONT..].to_vec();
        if n == 0 { Item::First { doc, epoch: 0, cut: Vec::new(), bytes } } else { Item::Change { bytes } }
    };
    texts.enumerate().map(write).collect()
}

/// A change of a saved document's name.
pub(crate) fn renamed(origin: Origin, saved: &[u8], name: &str) -> Item {
    let mut copy = Automerge::load(saved).expect("saved");
    copy.set_actor(ActorId::from(origin.actor().as_slice()));
    let options = |_: &()| CommitOptions::default().with_time(0);
    let done = copy.transact_with::<_, _, automerge::AutomergeError, _>(options, |tx| tx.put(ROOT, "name", name));
    let change = copy.get_change_by_hash(&done.expect("put").hash.expect("hash")).expect("change");
    Item::Change { bytes: change.raw_bytes()[FRONT..].to_vec() }
}

/// Every origin that the coordinator may have heard of, and some that nobody has.
pub(crate) fn origins(coordinator: &Site, hostile: &Site) -> Vec<Origin> {
    let (c, h) = (coordinator.author.origin, hostile.author.origin);
    let mut all: Vec<Origin> = coordinator.marks().iter().map(|mark| mark.origin).collect();
    all.extend([c, h]);
    for box_id in [COORDINATOR, HOSTILE, SISTER, FOREIGN] {
        all.push(Origin { box_id, incarnation: 77 });
    }
    all
}
