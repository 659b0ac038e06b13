//! What the same edits cost elsewhere: raw changes under zstd, `automerge::sync`, plain JSON.

use anyhow::{Context as _, Result};
use automerge::{
    Automerge,
    sync::{State, SyncDoc as _},
};
use serde_json::Value;

/// The level that our runs use too.
const LEVEL: i32 = 3;

/// Bytes of these raw changes, one after the other, under zstd.
///
/// # Errors
/// When zstd fails.
pub fn zstd_of(changes: &[Vec<u8>]) -> Result<usize> {
    Ok(zstd::encode_all(changes.concat().as_slice(), LEVEL)?.len())
}

/// Bytes of documents as one JSON array.
///
/// # Errors
/// Never, for what is JSON already.
pub fn json_of(documents: &[Value]) -> Result<usize> {
    Ok(serde_json::to_vec(documents)?.len())
}

/// What a conversation cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Talk {
    /// Messages, both ways.
    pub messages: usize,
    /// Bytes, both ways.
    pub bytes: usize,
}

/// Brings each of `before` up to its neighbour in `after` by `automerge::sync`, as two peers do that have kept nothing
/// of their last conversation.
///
/// # Errors
/// When a document cannot be read or does not converge.
pub fn automerge_sync(before: &[Vec<u8>], after: &[Vec<u8>]) -> Result<Talk> {
    let mut talk = Talk::default();
    for (before, after) in before.iter().zip(after) {
        let (mut mine, mut theirs) = (Automerge::load(before)?, Automerge::load(after)?);
        let (mut my_state, mut their_state) = (State::new(), State::new());
        loop {
            let said = mine.generate_sync_message(&mut my_state);
            let answered = theirs.generate_sync_message(&mut their_state);
            if said.is_none() && answered.is_none() {
                break;
            }
            for message in [&said, &answered].into_iter().flatten() {
                talk.messages += 1;
                talk.bytes += message.clone().encode().len();
            }
            if let Some(said) = said {
                theirs.receive_sync_message(&mut their_state, said)?;
            }
            if let Some(answered) = answered {
                mine.receive_sync_message(&mut my_state, answered)?;
            }
        }
        (mine.get_heads() == theirs.get_heads()).then_some(()).context("automerge::sync did not converge")?;
    }
    Ok(talk)
}
