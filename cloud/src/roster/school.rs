//! A school joins the territory; the first one brings the territory's policies and catalogue, so that a tablet becomes
//! somebody's from the first minute. The DSI changes them later; nothing here ever overwrites what is there.

use std::collections::{BTreeMap, BTreeSet};

use preau_shared::{
    documents::{
        Catalogue, CatalogueItem, ItemKind, Kind, Policy, School,
        school::{self, Accounts},
    },
    ids::{CatalogueId, PolicyId, Uai},
    journal::Entry,
    replica::Shelf,
    rig::shelves,
    roster::plain,
    wire::is_slug,
};
use serde::{Deserialize, Serialize};

use super::{
    desk::{Desk, DeskError, views},
    training::nobody_real,
};
use crate::store::{Tx, boxes, schools};

/// Longest name of a school, in bytes.
const MAX_NAME_BYTES: usize = 200;
/// Longest slug, in bytes: it must be one label of a host name.
const MAX_SLUG_BYTES: usize = 40;

/// Lines of the impact assessment (*AIPD*): the journal adds when, and the coordinator's administrator is who.
const FRAMES_ON: &str = "the coordinator's administrator: images of children's badges are decoded on the box, in memory, \
                         never stored";
const FRAMES_OFF: &str =
    "the coordinator's administrator: images of children's badges are no longer decoded on the box";

/// `POST /api/v1/schools`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NewSchool {
    /// National number; its check letter must be right.
    pub(crate) uai: Uai,
    /// Name.
    pub(crate) name: String,
    /// Name in addresses; made from the name when absent.
    #[serde(default)]
    pub(crate) slug: Option<String>,
    /// Degrees north.
    #[serde(default)]
    pub(crate) latitude: Option<f64>,
    /// Degrees east.
    #[serde(default)]
    pub(crate) longitude: Option<f64>,
}

impl NewSchool {
    /// Says which member is wrong, but for the number.
    pub(super) fn check(&self) -> Result<(), DeskError> {
        let wrong = |what| Err(DeskError::Entry { entry: 1, what });
        if self.name.trim().is_empty() || self.name.len() > MAX_NAME_BYTES {
            return wrong("name: 1 to 200 bytes");
        }
        if self.slug.as_deref().is_some_and(|slug| !is_slug(slug)) {
            return wrong("slug: 1 to 40 of a-z, 0-9 and -");
        }
        let degrees = |value: Option<f64>, limit: f64| value.is_none_or(|v| v.is_finite() && v.abs() <= limit);
        if !degrees(self.latitude, 90.0) || !degrees(self.longitude, 180.0) {
            return wrong("latitude, longitude: degrees");
        }
        Ok(())
    }
}

/// Answer to [`NewSchool`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SchoolMade {
    /// National number.
    pub(crate) uai: Uai,
    /// Name.
    pub(crate) name: String,
    /// Name in addresses.
    pub(crate) slug: String,
    /// False when the school was there already: only its name and place were brought up to date.
    pub(crate) created: bool,
}

impl Desk {
    /// Adds a school, or brings its name and place up to date. Its slug never changes: certificates name it.
    ///
    /// # Errors
    /// [`DeskError::Entry`] says which member is wrong; [`DeskError::Training`] for the number of a training room.
    pub(crate) async fn add_school(&self, new: NewSchool) -> Result<SchoolMade, DeskError> {
        nobody_real(&new.uai)?;
        if !new.uai.is_sound() {
            return Err(DeskError::Entry { entry: 1, what: "uai: the check letter does not fit the digits" });
        }
        new.check()?;
        let desk = self.clone();
        self.store.commit(move |connection| desk.add_school_in(connection, new)).await
    }

    /// Closes a school: it leaves the DSI's page, and nothing that it holds is touched. Adding it again opens it again.
    /// Gives how many boxes still serve it; they go on until they are revoked.
    ///
    /// # Errors
    /// [`DeskError::NoSchool`].
    pub(crate) async fn retire_school(&self, uai: Uai) -> Result<usize, DeskError> {
        let desk = self.clone();
        let retire = move |connection: &Tx| {
            let (shelf, doc) = (Shelf::School(uai.clone()), School::doc(&uai));
            let fields = shelves::document(connection, &shelf, &doc)?.ok_or(DeskError::NoSchool)?;
            let school = School::from_fields(&doc, &fields).ok_or(DeskError::NoSchool)?;
            desk.edit(connection, &shelf, desk.clock.stamp(), &School { deleted: true, ..school }.edit())?;
            let boxes = boxes::all(connection)?;
            Ok(boxes.iter().filter(|row| row.uai == uai && row.revoked_at.is_none()).count())
        };
        self.store.commit(retire).await
    }

    /// Lets the school's boxes decode camera frames, or stops it; the journal has it as a line of the impact assessment.
    ///
    /// # Errors
    /// [`DeskError::NoSchool`].
    pub(crate) async fn let_frames(&self, uai: Uai, on: bool) -> Result<(), DeskError> {
        let desk = self.clone();
        let switch = move |connection: &Tx| {
            let (shelf, doc) = (Shelf::School(uai.clone()), School::doc(&uai));
            let fields = shelves::document(connection, &shelf, &doc)?.ok_or(DeskError::NoSchool)?;
            if school::frames_on_box(&fields) == on {
                return Ok(());
            }
            let now = desk.clock.stamp();
            desk.edit(connection, &shelf, now, &school::let_frames(&uai, on))?;
            let what = if on { FRAMES_ON } else { FRAMES_OFF }.to_owned();
            shelves::journal(connection, &desk.author, &shelf, now, &Entry::Audit { what, by: None })?;
            Ok(())
        };
        self.store.commit(switch).await
    }

    /// Switches a school between one and many accounts per tablet; its boxes apply it when they hear of it, and go on with
    /// it offline. What is so already stays as it is.
    ///
    /// # Errors
    /// [`DeskError::NoSchool`].
    pub(crate) async fn switch_accounts(&self, uai: Uai, to: Accounts) -> Result<(), DeskError> {
        let desk = self.clone();
        let switch = move |connection: &Tx| {
            let (shelf, doc) = (Shelf::School(uai.clone()), School::doc(&uai));
            let fields = shelves::document(connection, &shelf, &doc)?.ok_or(DeskError::NoSchool)?;
            School::from_fields(&doc, &fields).filter(|school| !school.deleted).ok_or(DeskError::NoSchool)?;
            if let Some(edit) = school::switch_accounts(&uai, &fields, to) {
                let now = desk.clock.stamp();
                desk.edit(connection, &shelf, now, &edit)?;
                let what = format!("accounts per tablet: {}", to.as_str());
                shelves::journal(connection, &desk.author, &shelf, now, &Entry::Audit { what, by: None })?;
            }
            Ok::<_, DeskError>(())
        };
        self.store.commit(switch).await
    }

    pub(super) fn add_school_in(&self, connection: &Tx, new: NewSchool) -> Result<SchoolMade, DeskError> {
        let now = self.clock.stamp();
        let (shelf, doc) = (Shelf::School(new.uai.clone()), School::doc(&new.uai));
        let known = shelves::document(connection, &shelf, &doc)?.and_then(|fields| School::from_fields(&doc, &fields));
        let created = known.is_none();
        let slug = match (&known, new.slug) {
            (Some(school), _) => school.slug.clone(),
            (None, asked) => free_slug(connection, &asked.unwrap_or_else(|| slug_of(&new.name)))?,
        };
        let school = School {
            uai: new.uai.clone(),
            name: new.name.trim().to_owned(),
            slug: slug.clone(),
            latitude: new.latitude.or(known.as_ref().and_then(|s| s.latitude)),
            longitude: new.longitude.or(known.as_ref().and_then(|s| s.longitude)),
            deleted: false,
            box_keys: known.map(|s| s.box_keys).unwrap_or_default(),
        };
        self.edit(connection, &shelf, now, &school.edit())?;
        self.furnish(connection)?;
        Ok(SchoolMade { uai: school.uai, name: school.name, slug, created })
    }

    /// Gives an empty territory its first policies and catalogues.
    fn furnish(&self, connection: &Tx) -> Result<(), DeskError> {
        let (territory, now) = (Shelf::Territory, self.clock.stamp());
        if views(connection, &territory, Kind::Policy, Policy::from_fields)?.is_empty() {
            for (name, levels, blocked) in POLICIES {
                let policy = Policy {
                    id: PolicyId::draw(self.dice.as_ref()),
                    name: (*name).to_owned(),
                    levels: words(levels),
                    blocked: blocked.iter().flat_map(|group| group.iter()).map(|word| (*word).to_owned()).collect(),
                    allow: words(SCHOOL_SITES),
                    deny: BTreeSet::new(),
                    deleted: false,
                };
                self.edit(connection, &territory, now, &policy.edit())?;
            }
        }
        if views(connection, &territory, Kind::Catalogue, Catalogue::from_fields)?.is_empty() {
            for (levels, items) in CATALOGUES {
                let item = |(at, item): (usize, &Item)| CatalogueItem {
                    key: format!("{:02}", at.saturating_add(1)),
                    kind: item.0,
                    title: item.1.to_owned(),
                    url: item.2.to_owned(),
                    icon: item.3.to_owned(),
                };
                let catalogue = Catalogue {
                    id: CatalogueId::draw(self.dice.as_ref()),
                    levels: words(levels),
                    class: None,
                    items: items.iter().enumerate().map(item).collect(),
                    deleted: false,
                };
                self.edit(connection, &territory, now, &catalogue.edit())?;
            }
        }
        Ok(())
    }
}

/// Refused to everybody: the law and plain safety (categories of the UT1 lists).
const ALWAYS: &[&str] =
    &["adult", "agressif", "cryptojacking", "dangerous_material", "ddos", "malware", "phishing", "sect", "stalkerware"];
/// Refused to whoever has no level of her own: staff, and a pupil whose level nobody wrote down.
const OTHERS: &[&str] = &[
    "dating",
    "doh",
    "drogue",
    "gambling",
    "hacking",
    "mixed_adult",
    "redirector",
    "strict_redirector",
    "strong_redirector",
    "vpn",
    "warez",
];
/// Refused to pupils besides.
const PUPILS: &[&str] = &["chat", "filehosting", "publicite", "remote-control", "social_networks", "tricheur"];
/// Refused to the youngest besides.
const YOUNGEST: &[&str] =
    &["audio-video", "blog", "celebrity", "forums", "games", "manga", "press", "shopping", "webmail"];

/// Name, levels, groups of categories. The empty level is everybody else.
const POLICIES: &[(&str, Words, &[Words])] = &[
    ("Cycles 1 et 2", YOUNG, &[ALWAYS, OTHERS, PUPILS, YOUNGEST]),
    ("Cycle 3", &["CM1", "CM2"], &[ALWAYS, OTHERS, PUPILS]),
    ("Adultes", &[""], &[ALWAYS, OTHERS]),
];
const YOUNG: &[&str] = &["TPS", "PS", "MS", "GS", "CP", "CE1", "CE2", "ULIS"];

/// Names that schools need whatever a list says.
const SCHOOL_SITES: &[&str] =
    &["education.fr", "education.gouv.fr", "enteduc.fr", "lumni.fr", "reseau-canope.fr", "vikidia.org"];

type Words = &'static [&'static str];
type Item = (ItemKind, &'static str, &'static str, &'static str);

const OZE: Item = (ItemKind::App, "Oze", "https://www.enteduc.fr/", "oze");
const LUMNI: Item = (ItemKind::Link, "Lumni", "https://www.lumni.fr/primaire", "film");
const VIKIDIA: Item = (ItemKind::Link, "Vikidia", "https://fr.vikidia.org/", "book");
const GALLICA: Item = (ItemKind::Link, "Gallica", "https://gallica.bnf.fr/", "library");
const EDUGEO: Item = (ItemKind::Link, "Édugéo", "https://www.edugeo.fr/", "map");
const EDUSCOL: Item = (ItemKind::Link, "Éduscol", "https://eduscol.education.gouv.fr/", "school");

/// Levels and what they find besides what everybody finds (the empty level).
const CATALOGUES: &[(&[&str], &[Item])] =
    &[(&[""], &[OZE, LUMNI, VIKIDIA]), (&["CM1", "CM2"], &[EDUGEO, GALLICA, EDUSCOL])];

fn words(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

/// `École Jean-Moulin` → `jean-moulin`.
fn slug_of(name: &str) -> String {
    let mut slug = String::new();
    for word in plain(name).split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        if matches!(word, "ecole" | "elementaire" | "primaire" | "maternelle" | "publique") {
            continue;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(word);
    }
    slug.truncate(MAX_SLUG_BYTES);
    if slug.is_empty() { "ecole".to_owned() } else { slug.trim_end_matches('-').to_owned() }
}

/// The slug itself, or the first free one of `slug-2`, `slug-3`, …
fn free_slug(connection: &Tx, asked: &str) -> Result<String, DeskError> {
    let taken: BTreeMap<String, Uai> = schools::open(connection)?.into_iter().map(|s| (s.slug, s.uai)).collect();
    if !taken.contains_key(asked) {
        return Ok(asked.to_owned());
    }
    let room = asked.get(..MAX_SLUG_BYTES.saturating_sub(4)).unwrap_or(asked);
    let free = (2..1_000).map(|n| format!("{room}-{n}")).find(|slug| !taken.contains_key(slug));
    free.ok_or(DeskError::Entry { entry: 1, what: "slug: taken" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_a_short_name_for_addresses() {
        for (name, slug) in [
            ("École élémentaire Jean Moulin", "jean-moulin"),
            ("Les Sources", "les-sources"),
            ("L’Œuvre d’Évette", "l-oeuvre-d-evette"),
            ("École", "ecole"),
            ("日本", "ecole"),
        ] {
            assert_eq!(slug_of(name), slug);
            assert!(is_slug(slug));
        }
    }
}
