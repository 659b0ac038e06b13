//! What is left of an erased document in the box's own tables, and of her works on its disk: nothing.

use preau_shared::{
    documents::{DocId, Kind},
    ids::PersonId,
    rig::writer::StoreError,
};
use rusqlite::Connection;

use super::{change, work};

/// Statements that clear what is kept of a document, by its kind; each names it as `?1`.
const fn of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Person | Kind::Provisional => &[
            "DELETE FROM people WHERE person = ?1",
            "DELETE FROM credentials WHERE person = ?1",
            "DELETE FROM badges WHERE person = ?1",
            "DELETE FROM class_members WHERE person = ?1",
            "DELETE FROM staff_secrets WHERE person = ?1",
            "DELETE FROM safe_seen WHERE person = ?1
                 OR number IN (SELECT number FROM safe_uses WHERE person = ?1)",
            "DELETE FROM safe_uses WHERE person = ?1",
            "DELETE FROM safe_codes WHERE person = ?1",
            "DELETE FROM staff_sessions WHERE person = ?1",
            "DELETE FROM prints WHERE person = ?1",
            "UPDATE tablets SET owner = NULL, owner_turn = NULL WHERE owner = ?1",
            // A stay that goes on ends by its heartbeat; it names nobody but by this meaningless number.
            "DELETE FROM sessions WHERE ended IS NOT NULL AND session IN
                 (SELECT session FROM sessions WHERE instr(people, ?1) > 0)",
            "DELETE FROM session_people WHERE person = ?1",
        ],
        Kind::Badge => &["DELETE FROM badges WHERE badge = ?1"],
        Kind::Class => &[
            "DELETE FROM classes WHERE class = ?1",
            "DELETE FROM class_members WHERE class = ?1",
            "DELETE FROM guest_hours WHERE class = ?1",
            "DELETE FROM quiet WHERE class = ?1",
        ],
        Kind::Tablet => &["DELETE FROM tablets WHERE tablet = ?1", "DELETE FROM agents WHERE tablet = ?1"],
        Kind::Policy => &["DELETE FROM policies WHERE policy = ?1"],
        Kind::Catalogue => {
            &["DELETE FROM catalogues WHERE catalogue = ?1", "DELETE FROM catalogue_items WHERE catalogue = ?1"]
        }
        Kind::Terms => &["DELETE FROM terms WHERE ?1 = ?1"],
        Kind::School | Kind::Case => &[],
    }
}

/// Clears every row made of a document, and what is kept because of it.
pub(crate) fn forget(conn: &Connection, doc: &DocId) -> Result<(), StoreError> {
    if matches!(doc.kind, Kind::Person | Kind::Provisional) {
        work::erase(conn, PersonId::from_bytes(doc.id))?;
    }
    of(doc.kind).iter().try_for_each(|sql| change(conn, sql, [&doc.id[..]]).map(drop))
}
