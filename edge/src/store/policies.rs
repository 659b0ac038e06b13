//! Table `policies` (projected from `Policy` documents of both shelves).

use std::collections::BTreeSet;

use preau_shared::{documents::policy::Policy, ids::PolicyId, rig::writer::StoreError};
use rusqlite::{Connection, Row, params};

use super::{all, change};

pub(super) const CREATE: &str = "CREATE TABLE policies(
    policy BLOB PRIMARY KEY, name TEXT NOT NULL, levels TEXT NOT NULL, blocked TEXT NOT NULL, allow TEXT NOT NULL,
    deny TEXT NOT NULL) STRICT, WITHOUT ROWID;";

/// Writes what a document says; a deleted policy leaves.
pub(crate) fn project(conn: &Connection, policy: &Policy) -> Result<(), StoreError> {
    let id = &policy.id.as_bytes()[..];
    if policy.deleted {
        change(conn, "DELETE FROM policies WHERE policy = ?1", [id])?;
        return Ok(());
    }
    change(
        conn,
        "INSERT OR REPLACE INTO policies(policy, name, levels, blocked, allow, deny) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![id, policy.name, join(&policy.levels), join(&policy.blocked), join(&policy.allow), join(&policy.deny)],
    )?;
    Ok(())
}

/// Every policy, by identifier.
pub(crate) fn every(conn: &Connection) -> Result<Vec<Policy>, StoreError> {
    all(conn, "SELECT policy, name, levels, blocked, allow, deny FROM policies ORDER BY policy", [], read)
}

/// A policy as a tablet shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) blocked: BTreeSet<String>,
}

/// The policy of each level; else the one for everybody else (its levels hold `""`).
pub(crate) fn for_levels(conn: &Connection, levels: &BTreeSet<String>) -> Result<Vec<Named>, StoreError> {
    let sql = "SELECT name, levels, blocked FROM policies ORDER BY policy";
    let policies: Vec<[String; 3]> = all(conn, sql, [], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?;
    let of = |level: &str| policies.iter().find(|[_, levels, _]| levels.lines().any(|l| l == level));
    let theirs = levels.iter().filter_map(|level| of(level).or_else(|| of("")));
    Ok(theirs.map(|[name, _, blocked]| Named { name: name.clone(), blocked: split(blocked) }).collect())
}

/// A set as lines: the empty set is no text, the empty word an empty line.
pub(super) fn join(words: &BTreeSet<String>) -> String {
    words.iter().map(|w| format!("{w}\n")).collect()
}

/// Reads [`join`] back.
pub(super) fn split(text: &str) -> BTreeSet<String> {
    text.lines().map(str::to_owned).collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Policy> {
    let set = |at: usize| row.get::<_, String>(at).map(|text| split(&text));
    Ok(Policy {
        id: PolicyId::from_bytes(row.get(0)?),
        name: row.get(1)?,
        levels: set(2)?,
        blocked: set(3)?,
        allow: set(4)?,
        deny: set(5)?,
        deleted: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_word_is_not_the_empty_set() {
        for words in [vec![], vec![""], vec!["CP", "CE1"]] {
            let set: BTreeSet<String> = words.into_iter().map(str::to_owned).collect();
            assert_eq!(split(&join(&set)), set);
        }
    }
}
