//! A school, with the keys by which its boxes sign runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use super::{
    DocId, Edit, Fields, Kind, Scalar,
    rule::{Merge, Rule, Shape},
};
use crate::{
    ids::{BoxId, Uai},
    keys::{PublicKey, sha256},
    replica::{SealPublic, sealing::NOTICE_BYTES},
    second_factor::Factor,
};

const BOX_KEY: &str = "box_key:";
const BOX_GONE: &str = "box_gone:";
const BOX_LAN: &str = "box_lan:";
const BOX_SEAL: &str = "box_seal:";
const SEAL_KEY: &str = "seal_key:";
const FACTOR: &str = "factor:";
const ACCOUNTS: &str = "accounts";
const ACCOUNTS_TURN: &str = "accounts_turn";
const FRAMES: &str = "frames_on_box";

/// Longest address of a box: IPv6 with its zone and port.
const MAX_LAN_BYTES: usize = 64;

pub(crate) const RULES: &[Rule] = &[
    Rule::new("uai", Shape::Text(8)).merged(Merge::Once),
    Rule::new("name", Shape::Text(200)),
    Rule::new("slug", Shape::Text(100)),
    Rule::new("latitude", Shape::Text(40)),
    Rule::new("longitude", Shape::Text(40)),
    Rule::new("deleted", Shape::Flag).merged(Merge::TrueWins),
    Rule::new(BOX_KEY, Shape::Bytes(32)),
    // The key stays: what the box wrote before is still to be checked by whoever lacks it.
    Rule::new(BOX_GONE, Shape::Flag).merged(Merge::NeverUndone),
    // `ip:port`. A wrong one costs contact and nothing else: certificates decide who answers.
    Rule::new(BOX_LAN, Shape::Text(MAX_LAN_BYTES)).by_box(),
    // Signed by the box it names; a coordinator believes nothing else.
    Rule::new(BOX_SEAL, Shape::Bytes(NOTICE_BYTES)).by_box(),
    // Of the coordinator, by number; empty bytes are a key withdrawn.
    Rule::new(SEAL_KEY, Shape::Bytes(32)),
    // By level, what pupils are asked for besides a badge: the head's choice.
    Rule::new(FACTOR, Shape::Text(20)).by_box(),
    // `one` or `many` accounts per tablet, and how often the DSI switched: a tablet's owner is of one turn.
    Rule::new(ACCOUNTS, Shape::Text(20)),
    Rule::new(ACCOUNTS_TURN, Shape::Int),
    // The DSI's alone: it is a line of its impact assessment.
    Rule::new(FRAMES, Shape::Flag),
];

/// A school.
#[derive(Debug, Clone, PartialEq)]
pub struct School {
    /// Its national number.
    pub uai: Uai,
    /// Its name.
    pub name: String,
    /// Its name in addresses: lower-case letters, digits and dashes.
    pub slug: String,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// Closed.
    pub deleted: bool,
    /// Keys of its boxes.
    pub box_keys: BTreeMap<BoxId, PublicKey>,
}

impl School {
    /// Names a school's document: the first 16 bytes of SHA-256 of `school:` and the UAI.
    pub fn doc(uai: &Uai) -> DocId {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = sha256(format!("school:{uai}").as_bytes());
        DocId::new(Kind::School, [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }

    /// Reads a school; none when the document is of another kind, or not of the UAI it names.
    pub fn from_fields(doc: &DocId, fields: &Fields) -> Option<Self> {
        let uai: Uai = fields.text("uai")?.parse().ok()?;
        if *doc != Self::doc(&uai) {
            return None;
        }
        let degrees = |key| fields.text(key).and_then(|text| text.parse().ok()).filter(|d: &f64| d.is_finite());
        Some(Self {
            uai,
            name: fields.word("name"),
            slug: fields.word("slug"),
            latitude: degrees("latitude"),
            longitude: degrees("longitude"),
            deleted: fields.flag("deleted"),
            box_keys: fields.prefixed(BOX_KEY).filter_map(|(id, key)| box_key(id, key)).collect(),
        })
    }

    /// The edit that makes the document say this; keys are added or changed here. [`revoke_box`] ends what one may do.
    pub fn edit(&self) -> Edit {
        let degrees = |d: Option<f64>| d.map(|d| d.to_string()).unwrap_or_default();
        let edit = Edit::of(Self::doc(&self.uai))
            .with_text("uai", self.uai.as_str())
            .with_text("name", &self.name)
            .with_text("slug", &self.slug)
            .with_text("latitude", &degrees(self.latitude))
            .with_text("longitude", &degrees(self.longitude))
            .with_flag("deleted", self.deleted);
        self.box_keys.iter().fold(edit, |edit, (id, key)| edit.with_bytes(&format!("{BOX_KEY}{id}"), &key.0))
    }
}

/// Tells that a box was revoked: no other box of the school talks to it any more.
pub fn revoke_box(uai: &Uai, id: BoxId) -> Edit {
    Edit::of(School::doc(uai)).with_flag(&format!("{BOX_GONE}{id}"), true)
}

/// Whether the document tells that this box was revoked.
pub fn is_revoked(fields: &Fields, id: BoxId) -> bool {
    fields.flag(&format!("{BOX_GONE}{id}"))
}

/// A box tells where the other boxes of its school find it.
pub fn tell_box_lan(uai: &Uai, id: BoxId, address: SocketAddr) -> Edit {
    Edit::of(School::doc(uai)).with_text(&format!("{BOX_LAN}{id}"), &address.to_string())
}

/// Where a box says that it is found.
pub fn box_lan(fields: &Fields, id: BoxId) -> Option<SocketAddr> {
    fields.text(&format!("{BOX_LAN}{id}"))?.parse().ok()
}

/// The boxes that may speak for this school, itself among them: those with a key that were not revoked.
pub fn members(uai: &Uai, fields: &Fields) -> BTreeSet<BoxId> {
    let school = School::from_fields(&School::doc(uai), fields);
    let boxes = school.into_iter().flat_map(|school| school.box_keys.into_keys());
    boxes.filter(|id| !is_revoked(fields, *id)).collect()
}

/// A box tells its sealing key: `notice` is what [`crate::replica::sealing::Notice::sign`] gives.
pub fn tell_box_seal(uai: &Uai, id: BoxId, notice: &[u8]) -> Edit {
    Edit::of(School::doc(uai)).with_bytes(&format!("{BOX_SEAL}{id}"), notice)
}

/// What boxes told of their sealing keys. Believe nothing that is not signed by the box it names.
pub fn box_seals(fields: &Fields) -> impl Iterator<Item = (BoxId, &[u8])> {
    fields.prefixed(BOX_SEAL).filter_map(|(id, notice)| {
        let Scalar::Bytes(bytes) = notice else { return None };
        Some((id.parse().ok()?, bytes.as_slice()))
    })
}

/// The coordinator tells its sealing keys by number: `None` withdraws one.
pub fn tell_seal_keys(uai: &Uai, keys: &BTreeMap<u32, Option<SealPublic>>) -> Edit {
    keys.iter().fold(Edit::of(School::doc(uai)), |edit, (number, key)| {
        edit.with_bytes(&format!("{SEAL_KEY}{number}"), key.as_ref().map_or(&[][..], |key| &key.0))
    })
}

/// The coordinator's sealing keys by number; `None` where one was withdrawn.
pub fn seal_keys(fields: &Fields) -> BTreeMap<u32, Option<SealPublic>> {
    let known = fields.prefixed(SEAL_KEY).filter_map(|(number, key)| {
        let Scalar::Bytes(bytes) = key else { return None };
        Some((number.parse().ok()?, bytes.as_slice().try_into().ok().map(SealPublic)))
    });
    known.collect()
}

/// How a school shares its tablets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Accounts {
    /// Any pupil on any tablet (*plusieurs comptes par tablette*).
    #[default]
    Many,
    /// Each tablet is one pupil's (*un compte par tablette*).
    One,
}

impl Accounts {
    /// The word of the contract and of the document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Many => "many",
            Self::One => "one",
        }
    }
    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Many, Self::One].into_iter().find(|accounts| accounts.as_str() == word)
    }
}

/// The DSI switches the school; from then on nobody owns a tablet that was owned before. None when it is so already.
pub fn switch_accounts(uai: &Uai, fields: &Fields, to: Accounts) -> Option<Edit> {
    let (now, turn) = accounts(fields);
    let edit = Edit::of(School::doc(uai)).with_text(ACCOUNTS, to.as_str());
    (now != to).then(|| edit.with(ACCOUNTS_TURN, Scalar::Int(turn.saturating_add(1))))
}

/// How the school shares its tablets, and the turn; a word that this version does not know is `many`.
pub fn accounts(fields: &Fields) -> (Accounts, i64) {
    let said = fields.text(ACCOUNTS).and_then(Accounts::from_word).unwrap_or_default();
    (said, fields.int(ACCOUNTS_TURN).unwrap_or_default())
}

/// The head chooses what pupils of a level are asked for besides their badge; nothing when there is no factor.
pub fn ask_factor(uai: &Uai, level: &str, factor: Option<Factor>) -> Edit {
    Edit::of(School::doc(uai)).with_text(&format!("{FACTOR}{level}"), factor.map_or("", Factor::as_str))
}

/// What pupils are asked for besides their badge, by level; levels without a line are asked for nothing.
pub fn factors(fields: &Fields) -> BTreeMap<String, Factor> {
    let chosen = fields.prefixed(FACTOR).filter_map(|(level, word)| {
        let Scalar::Text(word) = word else { return None };
        Some((level.to_owned(), Factor::from_word(word)?))
    });
    chosen.collect()
}

/// The DSI lets boxes of this school decode camera frames, or stops it.
pub fn let_frames(uai: &Uai, on: bool) -> Edit {
    Edit::of(School::doc(uai)).with_flag(FRAMES, on)
}

/// Whether tablets may send camera frames to the box, which decodes them in memory; never unless the DSI said so.
pub fn frames_on_box(fields: &Fields) -> bool {
    fields.flag(FRAMES)
}

fn box_key(id: &str, key: &Scalar) -> Option<(BoxId, PublicKey)> {
    let Scalar::Bytes(bytes) = key else { return None };
    Some((id.parse().ok()?, PublicKey(bytes.as_slice().try_into().ok()?)))
}
