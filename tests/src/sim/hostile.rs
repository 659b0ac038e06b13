//! What a stolen box tries: it has the real key, the real link and the disk, and a hacked program.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use preau_shared::{
    dice::Dice,
    documents::{Badge, Document, Edit, Person, Scalar, Writer},
    ids::{BadgeId, PersonId, SessionId, TabletId},
    journal::{CredentialKind, Entry, How},
    keys::SigningKey,
    replica::{
        Erasure, Hello, Item, Knowledge, Lacking, Loose, Mark, Message, Origin, Pull, Reason, Run, Shelf, Tombstone,
        Wanted, batch,
    },
    rig::shelves,
};

use super::{Fault, Place, World, truth, wires};

/// Stands in every value that a stranger writes and may not.
pub(super) const FORGED: &str = "FORGED";

impl World {
    /// One message of a stolen box. It knows all that the coordinator knows.
    pub(super) fn attack(&mut self, n: u8) -> Result<()> {
        let place = Place::Box(n);
        let dice = self.plan.dice(&format!("attack {}", self.report.steps));
        let message = self.forge(n, &dice)?;
        self.net.count(Fault::Hostile);
        self.trace(|| format!("{place:?} attacks: {message:?}"));
        let node = self.node(place)?;
        let wire = node.wires.iter().find(|wire| wire.link == n).context("no such link")?;
        let mut body = match message {
            Some(message) => batch::encode(&message, None).unwrap_or_default(),
            None => {
                let mut junk = vec![0; usize::try_from(dice.below(300))?];
                dice.fill(&mut junk);
                junk
            }
        };
        if dice.below(8) == 0 {
            body.truncate(usize::try_from(dice.below(u64::try_from(body.len())?))?);
        }
        let bytes = wire.ring.seal(&dice, &wire.says, &body)?;
        self.net.send(self.now, Place::Cloud, n, bytes);
        Ok(())
    }

    fn forge(&self, n: u8, dice: &dyn Dice) -> Result<Option<Message>> {
        let place = Place::Box(n);
        let key = wires::key(place)?;
        let shelf = Shelf::School(wires::school(&self.plan, n)?);
        let held = shelves::marks(&*self.node(Place::Cloud)?.disk.base())?;
        let mine = Origin { box_id: wires::id(place), incarnation: dice.below(3) };
        let any = |dice: &dyn Dice| -> Option<Mark> {
            held.get(usize::try_from(dice.below(u64::try_from(held.len()).unwrap_or(1))).unwrap_or(0)).cloned()
        };
        let run = |origin: Origin, shelf: &Shelf, items: &[Item]| close(&held, origin, shelf, items, &key);
        Ok(match dice.below(16) {
            // In another's name.
            0 | 1 => any(dice)
                .filter(|mark| mark.origin.box_id != mine.box_id)
                .and_then(|mark| run(mark.origin, &mark.shelf, &[forged_entry()]))
                .map(runs),
            // Not what a box may write, in its own name.
            2..=5 => {
                let (origin, former) = (Origin { incarnation: dice.u64(), ..mine }, Origin { incarnation: 9, ..mine });
                let again = dice.below(3) == 0;
                let item = self.over_rights(dice, if again { &former } else { &origin })?;
                let item = if again { item.former(former.incarnation, dice.below(20)).unwrap_or(item) } else { item };
                run(origin, &shelf, &[entry(dice), item]).map(runs)
            }
            // Elsewhere.
            6 => run(mine, &Shelf::Territory, &[entry(dice)]).map(runs),
            7 => run(mine, &Shelf::School("0900003C".parse()?), &[entry(dice)]).map(runs),
            // Ill-formed.
            8 => {
                let mut run = run(Origin { incarnation: dice.u64(), ..mine }, &shelf, &[entry(dice)]);
                if let Some(run) = &mut run {
                    match dice.below(4) {
                        0 => run.payload.iter_mut().for_each(|byte| *byte ^= 0x55),
                        1 => run.first = u64::MAX,
                        2 => run.count = u32::MAX,
                        _ => run.prev = [7; 32],
                    }
                    run.signature = key.sign(&run.hash());
                }
                run.map(runs)
            }
            9 => None,
            // Changes that are not its own, or not its to make.
            10 => {
                let origin = Origin { incarnation: dice.u64(), ..mine };
                let Item::First { doc, epoch, bytes, .. } = forged_name(&origin)? else { return Ok(None) };
                let who = truth::person(u8::try_from(dice.below(4))?);
                let tombstone = Tombstone { doc: who, pseudonym: None };
                let erased = vec![Erasure::sign(&shelf, tombstone, vec![[1; 16]], &key)];
                Some(Message::Mend(
                    shelf,
                    Lacking { lives: Vec::new(), changes: vec![Loose { doc, epoch, cut: Vec::new(), bytes }], erased },
                ))
            }
            11 => Some(Message::Buckets(shelf, (0..256).map(|_| dice.u64()).collect())),
            12 => {
                let wanted = if dice.below(2) == 0 { Wanted::Everything } else { Wanted::Buckets(vec![0, 1, 2, 255]) };
                let after = (dice.below(2) == 0).then(|| truth::person(u8::try_from(dice.below(256)).unwrap_or(0)));
                Some(Message::Pull(Pull {
                    shelf: if dice.below(2) == 0 { shelf } else { Shelf::Territory },
                    wanted,
                    after,
                }))
            }
            // To make others lose what they have not told yet, or believe that they are copies.
            13 => any(dice).and_then(|mark| {
                let first = mark.number.saturating_add(1_000);
                let head = Run::close(mark.shelf, mark.origin, first, mark.chain, &[entry(dice)], &key).ok()?;
                Some(Message::Skip(Run { payload: Vec::new(), ..head }))
            }),
            14 => {
                let marks: Vec<Mark> = any(dice)
                    .map(|m| Mark { number: m.number.saturating_add(dice.below(9)), chain: [3; 32], ..m })
                    .into_iter()
                    .collect();
                Some(if dice.below(2) == 0 {
                    Message::Have(marks)
                } else {
                    Message::Hello(Hello {
                        speaks: (1, 1),
                        incarnation: dice.below(9),
                        summary: [9; 16],
                        knowledge: Some(Knowledge { marks, digests: Vec::new() }),
                        answer_wanted: dice.below(2) == 0,
                    })
                })
            }
            _ => any(dice).map(|mark| {
                let reason = [Reason::Fork, Reason::Folded, Reason::Superseded, Reason::Items, Reason::NotNow]
                    .get(usize::try_from(dice.below(5)).unwrap_or(0))
                    .copied()
                    .unwrap_or(Reason::Items);
                Message::Nack { shelf: mark.shelf, origin: mark.origin, first: mark.number, reason }
            }),
        })
    }

    /// An item that no box may sign.
    fn over_rights(&self, dice: &dyn Dice, origin: &Origin) -> Result<Item> {
        let who = self.truth.people.first().copied().unwrap_or(0);
        Ok(match dice.below(7) {
            0 => {
                let tombstone = Tombstone { doc: truth::person(who), pseudonym: Some([who; 16]) };
                Item::Erased(Erasure { tombstone, changes: Vec::new(), proof: vec![7; 64] })
            }
            1 => forged_name(origin)?,
            2 => {
                let credential = Entry::Credential {
                    person: PersonId::from_bytes([who; 16]),
                    kind: CredentialKind::Pin,
                    phc: FORGED.into(),
                    login: String::new(),
                };
                Item::Entry { salt: [1; 16], body: credential.encode()? }
            }
            3 => Item::Change { bytes: vec![7; usize::try_from(dice.below(80))?] },
            4 => {
                let Item::First { doc, bytes, cut, .. } = forged_reason(origin, who)? else {
                    return forged_name(origin);
                };
                Item::First { doc, epoch: 3, cut, bytes }
            }
            // Made by another life than the one that signs.
            5 => forged_reason(&Origin { incarnation: origin.incarnation.wrapping_add(1), ..*origin }, who)?,
            _ => Item::Entry { salt: [1; 16], body: vec![9, 9, 9] },
        })
    }
}

fn runs(run: Run) -> Message {
    Message::Runs(vec![run])
}

/// A run that follows what is held.
fn close(held: &[Mark], origin: Origin, shelf: &Shelf, items: &[Item], key: &Arc<SigningKey>) -> Option<Run> {
    let at = held.iter().find(|mark| mark.origin == origin && mark.shelf == *shelf);
    let (number, prev) = at.map_or((0, [0; 32]), |mark| (mark.number, mark.chain));
    Run::close(shelf.clone(), origin, number.saturating_add(1), prev, items, key).ok()
}

fn entry(dice: &dyn Dice) -> Item {
    let entry = Entry::SignIn {
        session: SessionId::draw(dice),
        tablet: TabletId::from_bytes([0xbb; 16]),
        people: Vec::new(),
        how: How::Guest,
    };
    Item::Entry { salt: [2; 16], body: entry.encode().unwrap_or_default() }
}

fn forged_entry() -> Item {
    let entry = Entry::Audit { what: FORGED.into(), by: None };
    Item::Entry { salt: [2; 16], body: entry.encode().unwrap_or_default() }
}

/// A child's name, by a box.
fn forged_name(origin: &Origin) -> Result<Item> {
    let doc = Person::doc(PersonId::from_bytes([0; 16]));
    first(&Edit::of(doc).with("given_name", Scalar::Text(FORGED.into())), origin)
}

/// Something that a box may write, but not like this.
fn forged_reason(origin: &Origin, who: u8) -> Result<Item> {
    let doc = Badge::doc(BadgeId::from_bytes([who; 16]));
    first(&Edit::of(doc).with("void_reason", Scalar::Text(FORGED.into())), origin)
}

fn first(edit: &Edit, origin: &Origin) -> Result<Item> {
    let mut document = Document::new(edit.doc.kind);
    let change = document.edit_marked(origin.actor(), Writer::Coordinator, edit.doc.mark(0), edit)?;
    let bytes = change.context("a change")?.get(8..).context("a chunk")?.to_vec();
    Ok(Item::First { doc: edit.doc, epoch: 0, cut: Vec::new(), bytes })
}
