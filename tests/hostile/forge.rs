//! What a box can make with its own keys: runs, pages and changes of any content, signed and sealed as they should be.

use automerge::{
    ActorId, Automerge, ObjType, ROOT, ReadDoc as _, ScalarValue,
    transaction::{CommitOptions, Transactable as _},
};
use preau_shared::{
    documents::{DocId, Kind},
    journal::{CredentialKind, Entry},
    keys::{SigningKey, sha256},
    replica::{Copy, Item, Mark, Origin, Run, Shelf, Tombstone},
};

use crate::{
    harm::{Hand, bomb, wide_window},
    world::{COORDINATOR, FOREIGN, HOSTILE, SISTER, Site, key, other_school, school},
};

/// Bytes that Automerge writes before a change and its hash.
const FRONT: usize = 8;

/// What a box has to forge with: its documents, its last runs, its name.
pub struct Smith {
    pub origin: Origin,
    pub copies: Vec<Copy>,
    /// Those that the coordinator lacks.
    pub next: Vec<Run>,
    pub key: SigningKey,
    pub others: Vec<Origin>,
    /// What the other end holds.
    pub theirs: Vec<Mark>,
}

impl Smith {
    /// The items of a run of its own that stands as `first`.
    pub fn signed(&self, like: &Run, items: &[Item]) -> Run {
        let mut run = Run { count: u32::try_from(items.len()).expect("few"), ..like.clone() };
        let plain = postcard::to_stdvec(items).expect("items");
        run.payload = zstd::bulk::compress(&plain, 3).expect("zstd");
        run.root = root(items);
        self.sign(&mut run);
        run
    }

    pub fn sign(&self, run: &mut Run) {
        run.signature = self.key.sign(&run.hash());
    }

    /// A run of which one thing is not as it should be.
    pub fn run(&self, hand: &Hand) -> Run {
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
                if hand.once_in(2) { run.signature = key(run.origin.box_id).sign(&run.hash()) } else { self.sign(&mut run) }
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
        match hand.below(8) {
            0 => Item::Erased(Tombstone { doc, pseudonym: hand.once_in(2).then(|| hand.fill()) }),
            1 => {
                let epoch = u32::try_from(hand.number(1)).unwrap_or(u32::MAX);
                let cut = vec![hand.fill(); hand.below(5) * hand.below(200)];
                let made = self.change(hand, &Automerge::new(), doc.mark(epoch));
                Item::First { doc, epoch, cut, bytes: made.unwrap_or_default() }
            }
            2 => Item::Entry { salt: hand.fill(), body: self.entry(hand) },
            3 => Item::Gone { hash: hand.fill(), entry: hand.once_in(2) },
            _ => self.changed(hand).1,
        }
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
    pub fn changed(&self, hand: &Hand) -> (DocId, Item) {
        let copy = hand.pick(&self.copies);
        let first = hand.once_in(4);
        let doc = if hand.once_in(8) { DocId::new(*hand.pick(&Kind::ALL), hand.fill()) } else { copy.doc };
        let epoch = if hand.once_in(6) { copy.epoch.wrapping_add(1) } else { copy.epoch };
        let base = if first { Automerge::new() } else { Automerge::load(&copy.saved).expect("saved") };
        let mark = if first || hand.once_in(8) { doc.mark(epoch) } else { 0 };
        let mut bytes = self.change(hand, &base, mark).unwrap_or_default();
        if hand.once_in(3) {
            bytes = relengthed(hand, &bytes);
        }
        let item = if first { Item::First { doc, epoch, cut: Vec::new(), bytes } } else { Item::Change { bytes } };
        (doc, item)
    }

    fn change(&self, hand: &Hand, base: &Automerge, mark: i64) -> Option<Vec<u8>> {
        let mut copy = base.clone();
        copy.set_actor(ActorId::from(self.origin.actor().as_slice()));
        let mut options = CommitOptions::default().with_time(mark);
        if hand.once_in(20) {
            options = options.with_message("m".repeat(hand.below(300)));
        }
        let done = copy.transact_with::<_, _, automerge::AutomergeError, _>(|_| options, |tx| {
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
        });
        let hash = done.ok()?.hash?;
        let change = copy.get_change_by_hash(&hash)?;
        change.raw_bytes().get(FRONT..).map(<[u8]>::to_vec)
    }
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
pub fn relengthed(hand: &Hand, chunk: &[u8]) -> Vec<u8> {
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

/// Every origin that the coordinator may have heard of, and some that nobody has.
pub fn origins(coordinator: &Site, hostile: &Site) -> Vec<Origin> {
    let (c, h) = (coordinator.author.origin, hostile.author.origin);
    let mut all: Vec<Origin> = coordinator.marks().iter().map(|mark| mark.origin).collect();
    all.extend([c, h]);
    for box_id in [COORDINATOR, HOSTILE, SISTER, FOREIGN] {
        all.push(Origin { box_id, incarnation: 77 });
    }
    all
}
