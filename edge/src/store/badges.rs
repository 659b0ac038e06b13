//! Table `badges` (projected from `Badge` documents; a void badge stays, so that it is refused by name). The one read of a
//! sign-in, [`facts_for`], is here; it joins people, classes, credentials, sessions and the tablet's life.

use std::sync::Arc;

use preau_shared::{
    badge::{BadgeHash, ShortHash},
    documents::{badge::Badge, staff::Kept},
    ids::{BadgeId, ClassId, PersonId, TabletId},
    rig::writer::StoreError,
    second_factor::{Factor, SecretHash},
    time::Stamp,
    wire::TabletState,
};
use rusqlite::{Connection, Row, params};

use super::{
    all, change,
    classes::{self, ClassRow},
    credentials::{self, Credential},
    guest_hours,
    offers::Settled,
    one,
    people::{self, Human},
    school,
    sessions::{self, Session},
    staff_secrets, tablets,
};

pub(super) const CREATE: &str = "
    CREATE TABLE badges(badge BLOB PRIMARY KEY, person BLOB NOT NULL, hash BLOB NOT NULL, void INTEGER NOT NULL,
        expires INTEGER) STRICT, WITHOUT ROWID;
    CREATE INDEX badges_by_hash ON badges(hash, void DESC, badge);
    CREATE INDEX badges_by_person ON badges(person);";

pub(super) const ADD_SERIES: &str = "
    ALTER TABLE badges ADD COLUMN series INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE badges ADD COLUMN short BLOB;
    CREATE INDEX badges_by_short ON badges(short) WHERE short IS NOT NULL;";

/// A badge as sign-in needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadgeRow {
    pub(crate) id: BadgeId,
    pub(crate) person: PersonId,
    pub(crate) void: bool,
    pub(crate) expires: Option<Stamp>,
    pub(crate) series: i64,
}

/// What somebody shows of a badge: its QR code, the short code beside it, or another system's code in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Code(BadgeHash),
    Short(ShortHash),
    Foreign(ShortHash),
}

/// A badge with what is printed on it, as hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paper {
    pub(crate) row: BadgeRow,
    pub(crate) hash: BadgeHash,
    pub(crate) short: Option<ShortHash>,
}

/// By what somebody comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// One badge, or two or three on one tablet.
    Badges(Vec<Shown>),
    /// A floating account, by its identifier.
    Account(String),
    /// A guest of this class.
    Guest(ClassId),
    /// A pupil whom an adult lets in.
    LetIn(PersonId),
}

/// One of those who come in, as far as the store knows.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Holder {
    /// The badge that was shown, if that is the way.
    pub(crate) badge: Option<BadgeRow>,
    /// Her badges of a lower series, which this one ends when it is used.
    pub(crate) older: Vec<BadgeId>,
    /// Whose it is; nobody when she was erased or never came to this school.
    pub(crate) person: Option<Arc<Human>>,
    /// Whether she is a pupil of a class here, or staff.
    pub(crate) enrolled: bool,
    /// The classes that she is a pupil of.
    pub(crate) classes: Vec<ClassId>,
    /// The secrets that she knows, as staff or by the account that she comes with.
    pub(crate) secrets: Vec<Credential>,
    /// The activation code that waits for her, in place of every secret.
    pub(crate) activation: Option<Kept>,
    /// What pupils of her level are asked for, and what she chose; nothing for those who chose none yet.
    pub(crate) factor: Option<(Factor, SecretHash)>,
    /// Where she sits already.
    pub(crate) elsewhere: Vec<Session>,
}

/// All that a sign-in is decided on.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) tablet: TabletState,
    /// Those who come in, in the order of their badges; one empty line for an unknown badge or account.
    pub(crate) holders: Vec<Holder>,
    /// A guest's class.
    pub(crate) class: Option<ClassRow>,
    /// Whether an adult opened it to guests.
    pub(crate) guests: bool,
    /// Whose the tablet is, in a school of one account per tablet.
    pub(crate) owner: Option<PersonId>,
}

/// Gathers the facts of a sign-in at a tablet that stands so.
pub(crate) fn facts_for(
    conn: &Connection,
    settled: &Settled,
    (tablet, state): (TabletId, TabletState),
    way: &Way,
    now: Stamp,
) -> Result<Facts, StoreError> {
    let holders = holders_of(conn, settled, way)?;
    let (class, guests) = match way {
        Way::Guest(id) => (classes::find(conn, *id)?, guest_hours::closes(conn, *id, now)?.is_some()),
        Way::Badges(_) | Way::Account(_) | Way::LetIn(_) => (None, false),
    };
    let owner = match settled.one_account {
        Some(_) => tablets::owner(conn, tablet)?.map(|owner| owner.id),
        None => None,
    };
    Ok(Facts { tablet: state, holders, class, guests, owner })
}

/// Who comes in, in the order of their badges; nobody for a guest.
pub(crate) fn holders_of(conn: &Connection, settled: &Settled, way: &Way) -> Result<Vec<Holder>, StoreError> {
    match way {
        Way::Badges(shown) => shown.iter().map(|one| of_badge(conn, settled, one)).collect(),
        Way::Account(login) => Ok(vec![of_account(conn, settled, login)?]),
        Way::LetIn(person) => Ok(vec![seated(conn, holder(conn, settled, *person)?)?]),
        Way::Guest(_) => Ok(Vec::new()),
    }
}

fn of_badge(conn: &Connection, settled: &Settled, shown: &Shown) -> Result<Holder, StoreError> {
    let holder = match shown {
        Shown::Code(hash) => {
            let read = || with_badge(conn, settled, by_hash(conn, hash)?);
            // An unknown badge is not remembered, and nothing of staff is.
            settled.pupils.of(*hash, read, |holder| holder.person.as_ref().is_some_and(|who| !who.is_staff()))?
        }
        Shown::Short(hash) | Shown::Foreign(hash) => with_badge(conn, settled, by_short(conn, hash)?)?,
    };
    seated(conn, holder)
}

fn with_badge(conn: &Connection, settled: &Settled, found: Option<BadgeRow>) -> Result<Holder, StoreError> {
    let Some(badge) = found else { return Ok(Holder::default()) };
    let older = older_than(conn, &badge)?;
    Ok(Holder { badge: Some(badge), older, ..holder(conn, settled, badge.person)? })
}

/// With where she sits already.
fn seated(conn: &Connection, holder: Holder) -> Result<Holder, StoreError> {
    let elsewhere = match &holder.person {
        Some(person) => sessions::live_of(conn, person.id)?,
        None => Vec::new(),
    };
    Ok(Holder { elsewhere, ..holder })
}

fn of_account(conn: &Connection, settled: &Settled, login: &str) -> Result<Holder, StoreError> {
    match credentials::account(conn, login)? {
        Some(account) => {
            let held = seated(conn, holder(conn, settled, account.person)?)?;
            let secrets = match &held.person {
                Some(human) => staff_secrets::known(conn, human)?,
                None => Vec::new(),
            };
            Ok(Holder { secrets, ..held })
        }
        None => Ok(Holder::default()),
    }
}

/// Somebody, but where she sits.
fn holder(conn: &Connection, settled: &Settled, person: PersonId) -> Result<Holder, StoreError> {
    let Some(human) = people::find(conn, person)? else { return Ok(Holder::default()) };
    let classes = classes::of_pupil(conn, person)?;
    let enrolled = human.is_staff() || !classes.is_empty();
    let staff = human.is_staff();
    let factor = if staff { None } else { factor_of(conn, settled, &human)? };
    let secrets = if staff { staff_secrets::known(conn, &human)? } else { Vec::new() };
    let activation = if staff { staff_secrets::waiting(conn, person)? } else { None };
    Ok(Holder {
        badge: None,
        older: Vec::new(),
        person: Some(Arc::new(human)),
        enrolled,
        classes,
        factor,
        secrets,
        activation,
        elsewhere: Vec::new(),
    })
}

fn factor_of(conn: &Connection, settled: &Settled, pupil: &Human) -> Result<Option<(Factor, SecretHash)>, StoreError> {
    let Some(factor) = settled.factors.get(&pupil.level).copied() else { return Ok(None) };
    Ok(people::secret(conn, pupil.id, factor)?.map(|secret| (factor, secret)))
}

/// Writes what a document says.
pub(crate) fn project(conn: &Connection, badge: &Badge) -> Result<(), StoreError> {
    change(
        conn,
        "INSERT OR REPLACE INTO badges(badge, person, hash, void, expires, series, short)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            &badge.id.as_bytes()[..],
            &badge.person.as_bytes()[..],
            &badge.hash.0[..],
            badge.void,
            badge.expires.map(|s| s.0),
            badge.series,
            badge.short.map(|hash| hash.0)
        ],
    )?;
    Ok(())
}

/// The badge of this hash. Should two documents carry one hash, a void one is found first: revocation wins. In a training
/// room, where a paper is opened again by another document, the one that is not void is found first.
pub(crate) fn by_hash(conn: &Connection, hash: &BadgeHash) -> Result<Option<BadgeRow>, StoreError> {
    // In the order of the index: nothing is sorted on a badge's way.
    let sql = "SELECT badge, person, void, expires, series FROM badges WHERE hash = ?1 ORDER BY void DESC, badge";
    let found = all(conn, sql, [&hash.0[..]], read)?;
    let open = found.iter().find(|badge| !badge.void).filter(|_| found.len() > 1);
    match open {
        Some(open) if school::is_training(conn)? => Ok(Some(*open)),
        Some(_) | None => Ok(found.first().copied()),
    }
}

/// The badge of this short code. Of two, which forty bits make rare, neither opens: a void one is found first, and then
/// the other is found by its QR code.
fn by_short(conn: &Connection, hash: &ShortHash) -> Result<Option<BadgeRow>, StoreError> {
    let sql = "SELECT badge, person, void, expires, series FROM badges WHERE short = ?1
               ORDER BY void DESC, badge LIMIT 2";
    let found = all(conn, sql, [&hash.0[..]], read)?;
    Ok(match found.as_slice() {
        [one] => Some(*one),
        [one, _] if one.void => Some(*one),
        _ => None,
    })
}

/// Her badges that the use of this one ends. A temporary badge ends none, and none ends it.
fn older_than(conn: &Connection, badge: &BadgeRow) -> Result<Vec<BadgeId>, StoreError> {
    if badge.void || badge.expires.is_some() || badge.series <= 0 {
        return Ok(Vec::new());
    }
    let sql =
        "SELECT badge FROM badges WHERE person = ?1 AND void = 0 AND expires IS NULL AND series >= 0 AND series < ?2";
    let mut older: Vec<_> = all(conn, sql, params![&badge.person.as_bytes()[..], badge.series], |row| {
        Ok(BadgeId::from_bytes(row.get(0)?))
    })?;
    older.sort_unstable();
    Ok(older)
}

/// Our badges of a person that are neither void nor temporary, with their series, lowest first: the first is in use.
pub(crate) fn lasting_of(conn: &Connection, person: PersonId) -> Result<Vec<(BadgeId, i64)>, StoreError> {
    let sql = "SELECT badge, series FROM badges WHERE person = ?1 AND void = 0 AND expires IS NULL AND series >= 0
               ORDER BY series, badge";
    all(conn, sql, [&person.as_bytes()[..]], |row| Ok((BadgeId::from_bytes(row.get(0)?), row.get(1)?)))
}

/// Our badges of a person that are not void: what is lost when she lost her badge. Another system's code is not.
pub(crate) fn ours_of(conn: &Connection, person: PersonId) -> Result<Vec<BadgeId>, StoreError> {
    let sql = "SELECT badge FROM badges WHERE person = ?1 AND void = 0 AND series >= 0 ORDER BY badge";
    all(conn, sql, [&person.as_bytes()[..]], |row| Ok(BadgeId::from_bytes(row.get(0)?)))
}

/// Badges of a person for one day, whether it is over or not, that are not void.
pub(crate) fn temporary_of(conn: &Connection, person: PersonId) -> Result<Vec<BadgeId>, StoreError> {
    let sql = "SELECT badge FROM badges WHERE person = ?1 AND void = 0 AND expires IS NOT NULL ORDER BY badge";
    all(conn, sql, [&person.as_bytes()[..]], |row| Ok(BadgeId::from_bytes(row.get(0)?)))
}

/// Temporary badges that are not void, and until when they are good.
pub(crate) fn with_an_end(conn: &Connection) -> Result<Vec<(BadgeId, Stamp)>, StoreError> {
    let sql = "SELECT badge, expires FROM badges WHERE void = 0 AND expires IS NOT NULL ORDER BY badge";
    all(conn, sql, [], |row| Ok((BadgeId::from_bytes(row.get(0)?), Stamp(row.get(1)?))))
}

/// Every badge, void ones too.
pub(crate) fn papers(conn: &Connection) -> Result<Vec<Paper>, StoreError> {
    all(conn, "SELECT badge, person, void, expires, series, hash, short FROM badges ORDER BY badge", [], |row| {
        let short = row.get::<_, Option<[u8; 32]>>(6)?.map(ShortHash);
        Ok(Paper { row: read(row)?, hash: BadgeHash(row.get(5)?), short })
    })
}

/// Whether some badge, void or not, carries this slow hash.
pub(crate) fn is_known(conn: &Connection, short: &ShortHash) -> Result<bool, StoreError> {
    let found = one(conn, "SELECT 1 FROM badges WHERE short = ?1 LIMIT 1", [&short.0[..]], |_| Ok(()))?;
    Ok(found.is_some())
}

/// The highest series that a person had, void ones included.
pub(crate) fn last_series(conn: &Connection, person: PersonId) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(max(series), 0) FROM badges WHERE person = ?1";
    Ok(one(conn, sql, [&person.as_bytes()[..]], |row| row.get(0))?.unwrap_or(0))
}

/// One badge.
pub(crate) fn find(conn: &Connection, badge: BadgeId) -> Result<Option<BadgeRow>, StoreError> {
    one(conn, "SELECT badge, person, void, expires, series FROM badges WHERE badge = ?1", [&badge.as_bytes()[..]], read)
}

/// The badges of a person that are not void.
pub(crate) fn valid_of(conn: &Connection, person: PersonId) -> Result<Vec<BadgeId>, StoreError> {
    all(
        conn,
        "SELECT badge FROM badges WHERE person = ?1 AND void = 0 ORDER BY badge",
        [&person.as_bytes()[..]],
        |row| Ok(BadgeId::from_bytes(row.get(0)?)),
    )
}

fn read(row: &Row<'_>) -> rusqlite::Result<BadgeRow> {
    Ok(BadgeRow {
        id: BadgeId::from_bytes(row.get(0)?),
        person: PersonId::from_bytes(row.get(1)?),
        void: row.get(2)?,
        expires: row.get::<_, Option<i64>>(3)?.map(Stamp),
        series: row.get(4)?,
    })
}
