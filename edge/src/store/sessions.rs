//! Tables `sessions` and `session_people` (native): who sat where. Ended sessions are kept for [`KEPT`];
//! `session_people` holds live ones only.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use preau_shared::{
    dice::Dice,
    ids::{ClassId, PersonId, SessionHostId, SessionId, TabletId},
    journal::{How, Why},
    keys::{same_secret, sha256},
    rig::writer::StoreError,
    time::Stamp,
};
use rusqlite::{Connection, Row, params};

#[cfg(doc)]
use super::tablet_life;
use super::{all, change, one};

/// Ended sessions are forgotten after so long; the journal has its own retention.
pub(crate) const KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);

pub(super) const CREATE: &str = "
    CREATE TABLE sessions(session BLOB PRIMARY KEY, tablet BLOB NOT NULL, how TEXT NOT NULL, people BLOB NOT NULL,
        class BLOB, opened INTEGER NOT NULL, taken INTEGER NOT NULL, token BLOB, token_again BLOB, ended INTEGER,
        why TEXT) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX sessions_live_on ON sessions(tablet) WHERE ended IS NULL;
    CREATE INDEX sessions_by_token ON sessions(token) WHERE ended IS NULL;
    CREATE INDEX sessions_by_token_again ON sessions(token_again) WHERE token_again IS NOT NULL;
    CREATE INDEX sessions_ended ON sessions(ended) WHERE ended IS NOT NULL;
    CREATE TABLE session_people(person BLOB NOT NULL, session BLOB NOT NULL, PRIMARY KEY(person, session))
        STRICT, WITHOUT ROWID;
    CREATE INDEX session_people_by_session ON session_people(session);";

pub(super) const ADD_CHOICE: &str = "ALTER TABLE sessions ADD COLUMN chooses INTEGER NOT NULL DEFAULT 0;";

pub(super) const ADD_CLASS: &str = "ALTER TABLE sessions ADD COLUMN works_with BLOB;";

pub(super) const ADD_HOST: &str = "
    ALTER TABLE sessions ADD COLUMN host BLOB;
    CREATE UNIQUE INDEX sessions_by_host ON sessions(host) WHERE host IS NOT NULL;";

/// A live session is found by its number, its tablet or somebody of its people; nothing else is kept sorted. Tokens drawn
/// before do not carry the number: their tablets may ask for new ones.
pub(super) const LEAN: &str = "
    UPDATE sessions SET taken = 0 WHERE ended IS NULL;
    DROP INDEX sessions_by_token; DROP INDEX sessions_by_token_again; DROP INDEX sessions_by_host;
    DROP INDEX session_people_by_session;";

/// What sits on a tablet stands in the tablet's own row, which a sign-in changes in any case.
pub(super) const BY_TABLET: &str = "
    ALTER TABLE tablet_life ADD COLUMN session BLOB;
    UPDATE tablet_life SET session = (SELECT s.session FROM sessions s
        WHERE s.tablet = tablet_life.tablet AND s.ended IS NULL);
    DROP INDEX sessions_live_on;";

const COLUMNS: &str =
    "s.session, s.tablet, s.how, s.people, s.class, s.opened, s.taken, s.chooses, s.works_with, s.host";

/// A stay on a tablet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) tablet: TabletId,
    pub(crate) how: How,
    /// In the order of their badges; nobody for a guest.
    pub(crate) people: Vec<PersonId>,
    /// A guest's class.
    pub(crate) class: Option<ClassId>,
    pub(crate) opened: Stamp,
    /// Whether its token was used: until then the tablet may ask for it again, its answer may have been lost.
    pub(crate) taken: bool,
    /// Whether an adult let the pupil choose a new second factor in it.
    pub(crate) chooses: bool,
    /// The class that a pupil of several said she works with.
    pub(crate) works_with: Option<ClassId>,
    /// The host name of its own; none of what memory alone knows, nor of what an older program opened.
    pub(crate) host: Option<SessionHostId>,
}

/// A new live session; its tablet is to be [taken](tablet_life::take). `token` is the SHA-256 of the session token, absent
/// when an adult opened it.
pub(crate) fn open(conn: &Connection, session: &Session, token: Option<&[u8; 32]>) -> Result<(), StoreError> {
    let people: Vec<u8> = session.people.iter().flat_map(|p| *p.as_bytes()).collect();
    change(
        conn,
        "INSERT INTO sessions(session, tablet, how, people, class, opened, taken, token, chooses, host)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            &session.id.as_bytes()[..],
            &session.tablet.as_bytes()[..],
            how_word(session.how),
            people,
            session.class.map(|c| *c.as_bytes()),
            session.opened.0,
            session.taken,
            token.map(|t| &t[..]),
            session.chooses,
            session.host.map(|h| *h.as_bytes()),
        ],
    )?;
    for person in &session.people {
        change(
            conn,
            "INSERT INTO session_people(person, session) VALUES (?1, ?2)",
            params![&person.as_bytes()[..], &session.id.as_bytes()[..]],
        )?;
    }
    Ok(())
}

/// A token of a session: its number, by which its row is found, and 32 random bytes, in base64url.
pub(crate) fn draw_token(session: SessionId, dice: &dyn Dice) -> String {
    let mut bytes = [0; 48];
    let (number, secret) = bytes.split_at_mut(16);
    number.copy_from_slice(session.as_bytes());
    dice.fill(secret);
    BASE64URL_NOPAD.encode(&bytes)
}

/// A second token for a session whose first never reached the tablet; a third one replaces the second.
pub(crate) fn mint_again(conn: &Connection, session: SessionId, token: &[u8; 32]) -> Result<(), StoreError> {
    change(
        conn,
        "UPDATE sessions SET token_again = ?2 WHERE session = ?1 AND ended IS NULL",
        params![&session.as_bytes()[..], &token[..]],
    )?;
    Ok(())
}

/// The token was used: it is not handed out again.
pub(crate) fn take(conn: &Connection, session: SessionId) -> Result<(), StoreError> {
    change(conn, "UPDATE sessions SET taken = 1 WHERE session = ?1", [&session.as_bytes()[..]])?;
    Ok(())
}

/// The pupil chose: not again in this session.
pub(crate) fn chosen(conn: &Connection, session: SessionId) -> Result<(), StoreError> {
    change(conn, "UPDATE sessions SET chooses = 0 WHERE session = ?1", [&session.as_bytes()[..]])?;
    Ok(())
}

/// She said with which of her classes she works.
pub(crate) fn work_with(conn: &Connection, session: SessionId, class: ClassId) -> Result<(), StoreError> {
    let sql = "UPDATE sessions SET works_with = ?2 WHERE session = ?1 AND ended IS NULL";
    change(conn, sql, params![&session.as_bytes()[..], &class.as_bytes()[..]])?;
    Ok(())
}

/// Ends a session; false when it was over. Its host is forgotten with it: nobody is served there again.
pub(crate) fn end(conn: &Connection, session: &Session, now: Stamp, why: Why) -> Result<bool, StoreError> {
    let id = &session.id.as_bytes()[..];
    for person in &session.people {
        let sql = "DELETE FROM session_people WHERE person = ?1 AND session = ?2";
        change(conn, sql, params![&person.as_bytes()[..], id])?;
    }
    let ended = change(
        conn,
        "UPDATE sessions SET ended = ?2, why = ?3, token = NULL, token_again = NULL, host = NULL
         WHERE session = ?1 AND ended IS NULL",
        params![id, now.0, why_word(why)],
    )?;
    Ok(ended > 0)
}

/// The live session of this token.
pub(crate) fn by_token(conn: &Connection, token: &str) -> Result<Option<Session>, StoreError> {
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).ok();
    let Some((id, secret)) = bytes.as_deref().and_then(|bytes| bytes.split_first_chunk::<16>()) else {
        return Ok(None);
    };
    if secret.len() != 32 {
        return Ok(None);
    }
    let sql =
        format!("SELECT {COLUMNS}, s.token, s.token_again FROM sessions s WHERE s.session = ?1 AND s.ended IS NULL");
    let found = one(conn, &sql, [&id[..]], |row| {
        let known: [Option<[u8; 32]>; 2] = [row.get(10)?, row.get(11)?];
        Ok((read(row)?, known))
    })?;
    let hash = sha256(token.as_bytes());
    Ok(found.filter(|(_, known)| known.iter().flatten().any(|one| same_secret(one, &hash))).map(|(session, _)| session))
}

/// The live session of this name.
pub(crate) fn find_live(conn: &Connection, session: SessionId) -> Result<Option<Session>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM sessions s WHERE s.session = ?1 AND s.ended IS NULL");
    one(conn, &sql, [&session.as_bytes()[..]], read)
}

/// The live session on a tablet.
pub(crate) fn live_on(conn: &Connection, tablet: TabletId) -> Result<Option<Session>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM tablet_life l JOIN sessions s ON s.session = l.session
         WHERE l.tablet = ?1 AND s.ended IS NULL"
    );
    one(conn, &sql, [&tablet.as_bytes()[..]], read)
}

/// The live sessions of a person, oldest name first.
pub(crate) fn live_of(conn: &Connection, person: PersonId) -> Result<Vec<Session>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM session_people w JOIN sessions s ON s.session = w.session
         WHERE w.person = ?1 AND s.ended IS NULL ORDER BY w.session"
    );
    all(conn, &sql, [&person.as_bytes()[..]], read)
}

/// Every live session, by tablet.
pub(crate) fn live(conn: &Connection) -> Result<Vec<Session>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM tablet_life l JOIN sessions s ON s.session = l.session
         WHERE s.ended IS NULL ORDER BY l.tablet"
    );
    all(conn, &sql, [], read)
}

/// People signed in; a guest counts as one.
pub(crate) fn signed_in(conn: &Connection) -> Result<u32, StoreError> {
    let sql = "SELECT coalesce(sum(max(1, length(s.people) / 16)), 0)
               FROM tablet_life l JOIN sessions s ON s.session = l.session WHERE s.ended IS NULL";
    Ok(one(conn, sql, [], |row| row.get(0))?.unwrap_or(0))
}

/// Forgets what ended before `before`.
pub(crate) fn forget(conn: &Connection, before: Stamp) -> Result<usize, StoreError> {
    change(conn, "DELETE FROM sessions WHERE ended < ?1", [before.0])
}

fn read(row: &Row<'_>) -> rusqlite::Result<Session> {
    let people: Vec<u8> = row.get(3)?;
    let (people, _) = people.as_chunks::<16>();
    Ok(Session {
        id: SessionId::from_bytes(row.get(0)?),
        tablet: TabletId::from_bytes(row.get(1)?),
        how: how_from(&row.get::<_, String>(2)?),
        people: people.iter().copied().map(PersonId::from_bytes).collect(),
        class: row.get::<_, Option<[u8; 16]>>(4)?.map(ClassId::from_bytes),
        opened: Stamp(row.get(5)?),
        taken: row.get(6)?,
        chooses: row.get(7)?,
        works_with: row.get::<_, Option<[u8; 16]>>(8)?.map(ClassId::from_bytes),
        host: row.get::<_, Option<[u8; 16]>>(9)?.map(SessionHostId::from_bytes),
    })
}

fn how_word(how: How) -> &'static str {
    match how {
        How::Badge => "badge",
        How::Pair => "pair",
        How::Account => "account",
        How::Guest => "guest",
        How::LetIn => "let_in",
    }
}

fn how_from(word: &str) -> How {
    [How::Badge, How::Pair, How::Account, How::Guest, How::LetIn]
        .into_iter()
        .find(|how| how_word(*how) == word)
        .unwrap_or(How::Badge)
}

/// The word that the tablet and the teacher's page read.
pub(crate) fn why_word(why: Why) -> &'static str {
    match why {
        Why::Person => "person",
        Why::Staff => "staff",
        Why::Elsewhere => "elsewhere",
        Why::Silent => "silent",
        Why::Restart => "restart",
    }
}
