//! A school's own charter, for those to whom it wrote one; the others read the one that comes with the program.

use std::collections::BTreeMap;

use super::{
    DocId, Edit, Fields, Kind, Scalar,
    rule::{Merge, Rule, Shape},
};
use crate::{
    ids::Uai,
    keys::sha256,
    terms::{Audience, Charter, MAX_PARAGRAPH_CHARS, MAX_PARAGRAPHS},
};

const TEXT: &str = "text:";

/// A text of the longest paragraphs, in letters of four bytes.
const MAX_TEXT_BYTES: usize = MAX_PARAGRAPHS * (MAX_PARAGRAPH_CHARS * 4 + 2);

pub(crate) const RULES: &[Rule] = &[
    Rule::new("uai", Shape::Text(8)).merged(Merge::Once),
    // By audience; the empty text is a charter taken back.
    Rule::new(TEXT, Shape::Text(MAX_TEXT_BYTES)),
];

/// What a school wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Which school.
    pub uai: Uai,
    /// Its charters, by audience.
    pub charters: BTreeMap<Audience, Charter>,
}

impl Terms {
    /// Names the document: the first 16 bytes of SHA-256 of `terms:` and the UAI.
    pub fn doc(uai: &Uai) -> DocId {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = sha256(format!("terms:{uai}").as_bytes());
        DocId::new(Kind::Terms, [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }

    /// Reads it; none when the document is of another kind, or not of the UAI it names. An audience that this version does
    /// not know, and a text that is no charter, is left out.
    pub fn from_fields(doc: &DocId, fields: &Fields) -> Option<Self> {
        let uai: Uai = fields.text("uai")?.parse().ok()?;
        if *doc != Self::doc(&uai) {
            return None;
        }
        let charters = fields.prefixed(TEXT).filter_map(|(word, text)| {
            let Scalar::Text(text) = text else { return None };
            Some((Audience::from_word(word)?, Charter::parse(text.as_bytes()).ok()?))
        });
        Some(Self { charters: charters.collect(), uai })
    }
}

/// The school's charter for an audience is this one from now on, or again the one that comes with the program.
pub fn write_charter(uai: &Uai, audience: Audience, charter: Option<&Charter>) -> Edit {
    Edit::of(Terms::doc(uai))
        .with_text("uai", uai.as_str())
        .with_text(&format!("{TEXT}{}", audience.as_str()), &charter.map(Charter::text).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::{Document, Writer};

    #[test]
    fn a_school_writes_its_charters_and_takes_one_back() {
        let uai: Uai = "0900001A".parse().expect("uai");
        let longest = format!("{}\n\n", "😀".repeat(MAX_PARAGRAPH_CHARS)).repeat(MAX_PARAGRAPHS);
        let longest = Charter::parse(longest.as_bytes()).expect("a charter");
        let short = Charter::parse(b"Je prends soin.").expect("a charter");
        let mut document = Document::new(Kind::Terms);
        let mut write = |audience, charter: Option<&Charter>| {
            let edit = write_charter(&uai, audience, charter);
            document.edit([9; 16], Writer::Coordinator, &edit).expect("written");
            Terms::from_fields(&Terms::doc(&uai), &document.fields()).expect("read").charters
        };
        assert_eq!(write(Audience::Cycle2, Some(&longest)), [(Audience::Cycle2, longest.clone())].into());
        assert_eq!(write(Audience::Adults, Some(&short)).len(), 2);
        assert_eq!(write(Audience::Cycle2, None), [(Audience::Adults, short)].into());
        let refused = document.edit([1; 16], Writer::Box, &write_charter(&uai, Audience::Adults, None));
        assert!(refused.is_err(), "a charter is not a box's to write");
        let other: Uai = "0900002B".parse().expect("uai");
        assert_eq!(Terms::from_fields(&Terms::doc(&other), &document.fields()), None);
    }
}
