//! Who is tied to whom, under which names and keys.

use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result};
use preau_shared::{
    dice::Seeded,
    ids::{BoxId, Uai},
    keys::{PublicKey, SigningKey},
    replica::{Hop, Keyring, SealPublic, SealSecret, Side},
};

use super::{Place, Plan};

/// Most boxes in a schedule.
pub(super) const MOST_BOXES: u8 = 3;
/// Links between two boxes of a school, after those of each box to the coordinator.
const PAIRS: [(u8, u8, u8); 3] = [(3, 0, 1), (4, 0, 2), (5, 1, 2)];

/// The name of a program; a copied machine has that of the first.
pub(super) fn id(place: Place) -> BoxId {
    BoxId::from_bytes([byte(place); 16])
}

const fn byte(place: Place) -> u8 {
    match place {
        Place::Cloud => 0xc0,
        Place::Box(n) | Place::Twin(n) => n.saturating_add(1),
    }
}

struct Secrets {
    keys: Vec<(u8, Arc<SigningKey>)>,
    rings: Vec<(u8, Arc<Keyring>, Arc<Keyring>)>,
}

fn secrets() -> Result<&'static Secrets> {
    static SECRETS: OnceLock<Option<Secrets>> = OnceLock::new();
    SECRETS.get_or_init(|| draw().ok()).as_ref().context("the keys of the simulator")
}

fn draw() -> Result<Secrets> {
    let places = [Place::Cloud, Place::Box(0), Place::Box(1), Place::Box(2)];
    let keys: Result<Vec<_>> =
        places.into_iter().map(|p| Ok((byte(p), Arc::new(SigningKey::from_seed(&[byte(p); 32])?)))).collect();
    let seal = |place: Place| -> Result<(SealSecret, SealPublic)> {
        let secret = SealSecret::draw(&Seeded::new(byte(place).into()));
        let public = secret.public()?;
        Ok((secret, public))
    };
    let mut rings = Vec::new();
    for link in 0..MOST_BOXES {
        let (cloud, school) = (seal(Place::Cloud)?, seal(Place::Box(link))?);
        let high = Hop::agree(&cloud.0, &school.1, Side::Coordinator, 1)?;
        let low = Hop::agree(&school.0, &cloud.1, Side::Box, 1)?;
        rings.push((link, Arc::new(Keyring::new(low)), Arc::new(Keyring::new(high))));
    }
    for (link, one, two) in PAIRS {
        let (a, b) = (Place::Box(one), Place::Box(two));
        let (one, two) = (seal(a)?, seal(b)?);
        let low = Hop::agree_siblings((&one.0, id(a)), (&two.1, id(b)), 1)?;
        let high = Hop::agree_siblings((&two.0, id(b)), (&one.1, id(a)), 1)?;
        rings.push((link, Arc::new(Keyring::new(low)), Arc::new(Keyring::new(high))));
    }
    Ok(Secrets { keys: keys?, rings })
}

/// Signs for a program.
pub(super) fn key(place: Place) -> Result<Arc<SigningKey>> {
    let found = secrets()?.keys.iter().find(|(of, _)| *of == byte(place));
    Ok(found.context("no such program")?.1.clone())
}

/// … by its name.
pub(super) fn key_of(name: BoxId) -> Option<Arc<SigningKey>> {
    let [first, ..] = name.as_bytes();
    secrets().ok()?.keys.iter().find(|(of, _)| of == first).map(|(_, key)| key.clone())
}

/// The public key of a program.
pub(super) fn public(place: Place) -> Result<PublicKey> {
    Ok(key(place)?.public())
}

/// One end of a link.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    pub(super) link: u8,
    pub(super) side: Side,
    /// Whose link it is.
    pub(super) box_id: BoxId,
    pub(super) ring: Arc<Keyring>,
    pub(super) says: String,
    pub(super) hears: String,
}

/// The school of a box.
pub(super) fn school(plan: &Plan, n: u8) -> Result<Uai> {
    let other = plan.two_schools && n.saturating_add(1) == plan.boxes && n > 0;
    Ok(if other { "0900002B" } else { "0900001A" }.parse()?)
}

/// The ends of links at a program.
pub(super) fn wires(plan: &Plan, place: Place) -> Result<Vec<Wire>> {
    let rings = |link: u8| secrets()?.rings.iter().find(|(l, ..)| *l == link).context("no such link");
    let up = |link: u8| format!("preau/1/sim/{link}/up");
    let down = |link: u8| format!("preau/1/sim/{link}/down");
    let mut wires = Vec::new();
    for link in 0..plan.boxes {
        let (_, low, high) = rings(link)?;
        let box_id = id(Place::Box(link));
        match place {
            Place::Cloud => {
                let (side, ring) = (Side::Coordinator, high.clone());
                wires.push(Wire { link, side, box_id, ring, says: down(link), hears: up(link) });
            }
            Place::Box(n) | Place::Twin(n) if n == link => {
                let (side, ring) = (Side::Box, low.clone());
                wires.push(Wire { link, side, box_id, ring, says: up(link), hears: down(link) });
            }
            Place::Box(_) | Place::Twin(_) => {}
        }
    }
    for link in lan(plan)? {
        let (_, low, high) = rings(link)?;
        let Some((_, one, two)) = PAIRS.into_iter().find(|(l, ..)| *l == link) else { continue };
        let side = Side::Sibling;
        if place == Place::Box(one) {
            let (box_id, ring) = (id(Place::Box(two)), low.clone());
            wires.push(Wire { link, side, box_id, ring, says: up(link), hears: down(link) });
        } else if place == Place::Box(two) {
            let (box_id, ring) = (id(Place::Box(one)), high.clone());
            wires.push(Wire { link, side, box_id, ring, says: down(link), hears: up(link) });
        }
    }
    Ok(wires)
}

/// Links between boxes of one school.
pub(super) fn lan(plan: &Plan) -> Result<Vec<u8>> {
    let mut links = Vec::new();
    for (link, one, two) in PAIRS {
        if plan.lan && two < plan.boxes && school(plan, one)? == school(plan, two)? {
            links.push(link);
        }
    }
    Ok(links)
}

/// The two boxes of a link between boxes.
pub(super) fn pair(link: u8) -> Option<(u8, u8)> {
    PAIRS.into_iter().find(|(l, ..)| *l == link).map(|(_, one, two)| (one, two))
}
