//! Table `leases` (native; PostgreSQL only): which coordinator holds which shelf, where several share one database.
//!
//! | column | meaning |
//! |---|---|
//! | `shelf` | the shelf's key; or `member/` and a holder: that coordinator lives, so that the others count it |
//! | `holder` | 16 bytes, drawn at each start of a coordinator |
//! | `fence` | one more with each holder; every commit to the shelf shows it |
//! | `ends` | ms since 1970 **by the database's clock**, the only one that all share |
//!
//! A commit to a shelf locks its lease's row weakly (`FOR KEY SHARE`) until it is durable: renewals pass, a take-over waits
//! for it. So no commit of an old holder ever lands behind the first reading of a new one. Retention: a row stays, with its
//! fence; a member's row goes a day after its end.

use std::{collections::BTreeMap, time::Duration};

use preau_shared::rig::{sql::values, writer::StoreError};

use super::Tx;

pub(super) const CREATE: &str = "
CREATE TABLE leases(
  shelf  TEXT PRIMARY KEY,
  holder BLOB NOT NULL,
  fence  INTEGER NOT NULL,
  ends   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_by_holder ON leases(holder);
";

/// A lease that is not renewed ends after so long.
pub(crate) const LIFE: Duration = Duration::from_secs(8);
/// A shelf that was let go rests so long: an act that read it before is over when another takes it.
const REST: Duration = Duration::from_secs(2);
/// Leases are renewed so often.
pub(crate) const RENEW_EVERY: Duration = Duration::from_secs(3);
/// Free shelves are looked for so often: another takes over within [`LIFE`] and this.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Shelves taken in one look: a newcomer's first minutes are not one long transaction.
const TAKE_AT_ONCE: u32 = 2_000;
/// The territory's shelf, beside the schools'.
const TERRITORY: &str = "territory";
/// What a member's own row is called.
const MEMBER: &str = "member/";
const NOW: &str = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";

/// Who holds: one life of one coordinator.
pub(crate) type Holder = [u8; 16];
/// Shelves held, by key, with their fences.
pub(crate) type Held = BTreeMap<String, i64>;

/// Holds what nobody holds.
const NOBODY: Holder = [0; 16];

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// The fence under which this holder holds a shelf, which stays so until the act ends.
pub(super) fn mine(conn: &Tx, shelf: &str, holder: &Holder) -> Result<Option<i64>, StoreError> {
    let sql = format!("SELECT fence FROM leases WHERE shelf = ?1 AND holder = ?2 AND ends > {NOW} FOR KEY SHARE");
    conn.first(&sql, values![shelf, holder])?.map(|row| row.int(0)).transpose()
}

/// Takes a shelf that nobody holds; gives its fence, or nothing when somebody does.
pub(super) fn take(conn: &Tx, shelf: &str, holder: &Holder) -> Result<Option<i64>, StoreError> {
    let sql = format!(
        "INSERT INTO leases(shelf, holder, fence, ends) VALUES (?1, ?2, 1, {NOW} + ?3)
         ON CONFLICT (shelf) DO NOTHING RETURNING fence"
    );
    if let Some(row) = conn.first(&sql, values![shelf, holder, ms(LIFE)])? {
        return row.int(0).map(Some);
    }
    // Who is just committing under an ended lease is not waited for: the next look finds it.
    let free = format!("SELECT fence FROM leases WHERE shelf = ?1 AND ends <= {NOW} FOR UPDATE SKIP LOCKED");
    let Some(row) = conn.first(&free, values![shelf])? else { return Ok(None) };
    let fence = row.int(0)?.saturating_add(1);
    let sql = format!("UPDATE leases SET holder = ?2, fence = ?3, ends = {NOW} + ?4 WHERE shelf = ?1");
    conn.execute(&sql, values![shelf, holder, fence, ms(LIFE)])?;
    Ok(Some(fence))
}

/// Renews all that this holder holds, its own membership included; gives what it holds.
pub(super) fn renew(conn: &Tx, holder: &Holder) -> Result<Held, StoreError> {
    let member = format!("{MEMBER}{}", data_encoding::HEXLOWER.encode(holder));
    let sql = format!(
        "INSERT INTO leases(shelf, holder, fence, ends) VALUES (?1, ?2, 1, {NOW} + ?3)
         ON CONFLICT (shelf) DO UPDATE SET ends = excluded.ends"
    );
    conn.execute(&sql, values![&member, holder, ms(LIFE)])?;
    // What has ended and was taken by nobody is still this holder's: nobody wrote there since.
    let sql = format!(
        "UPDATE leases SET ends = {NOW} + ?2 WHERE holder = ?1 AND shelf NOT LIKE 'member/%'
         RETURNING shelf, fence"
    );
    let rows = conn.query(&sql, values![holder, ms(LIFE)])?;
    rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?))).collect()
}

/// Takes free shelves up to this holder's share, and lets go of what is above it; gives what it then holds, of `held`.
pub(super) fn balance(conn: &Tx, holder: &Holder, mut held: Held) -> Result<Held, StoreError> {
    let members = format!("SELECT count(*) FROM leases WHERE shelf LIKE 'member/%' AND ends > {NOW}");
    let members = conn.one(&members, values![])?.int(0)?.max(1);
    let shelves = conn.one("SELECT count(*) FROM schools", values![])?.int(0)?.saturating_add(1);
    let share = shelves.saturating_add(members.saturating_sub(1)).checked_div(members).unwrap_or(shelves);
    let share = usize::try_from(share).unwrap_or(usize::MAX);
    while held.len() > share {
        let Some((shelf, _)) = held.pop_first() else { break };
        release(conn, holder, &shelf)?;
    }
    let room = u32::try_from(share.saturating_sub(held.len())).unwrap_or(u32::MAX).min(TAKE_AT_ONCE);
    if room > 0 {
        let sql = format!(
            "SELECT s.shelf FROM (SELECT uai AS shelf FROM schools UNION ALL SELECT '{TERRITORY}') s
             LEFT JOIN leases l ON l.shelf = s.shelf WHERE l.ends IS NULL OR l.ends <= {NOW} ORDER BY s.shelf LIMIT ?1"
        );
        for row in conn.query(&sql, values![room])? {
            let shelf = row.text(0)?;
            if let Some(fence) = take(conn, shelf, holder)? {
                held.insert(shelf.to_owned(), fence);
            }
        }
    }
    let old = format!("DELETE FROM leases WHERE shelf LIKE 'member/%' AND ends < {NOW} - 86400000");
    conn.execute(&old, values![])?;
    Ok(held)
}

/// Lets go of a shelf, behind whatever this holder is just committing to it.
fn release(conn: &Tx, holder: &Holder, shelf: &str) -> Result<(), StoreError> {
    conn.query("SELECT fence FROM leases WHERE shelf = ?1 AND holder = ?2 FOR UPDATE", values![shelf, holder])?;
    let sql = format!("UPDATE leases SET holder = ?3, ends = {NOW} + ?4 WHERE shelf = ?1 AND holder = ?2");
    conn.execute(&sql, values![shelf, holder, &NOBODY, ms(REST)])?;
    Ok(())
}

/// Lets go of everything: this coordinator stops.
pub(super) fn release_all(conn: &Tx, holder: &Holder) -> Result<(), StoreError> {
    conn.query("SELECT fence FROM leases WHERE holder = ?1 ORDER BY shelf FOR UPDATE", values![holder])?;
    let sql = format!("UPDATE leases SET holder = ?2, ends = {NOW} + ?3 WHERE holder = ?1");
    conn.execute(&sql, values![holder, &NOBODY, ms(REST)])?;
    Ok(())
}
