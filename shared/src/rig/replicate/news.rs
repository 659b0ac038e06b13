//! Who is told what became durable: the links of a shelf, and no others.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

use crate::replica::{Mark, Shelf};

/// A board of news, one for a program; clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct News(Arc<Mutex<BTreeMap<Shelf, watch::Sender<u64>>>>);

impl News {
    /// Something of this shelf is durable.
    pub fn tell(&self, shelf: &Shelf) {
        if let Some(told) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(shelf) {
            told.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    /// … of the shelves of these marks.
    pub fn tell_of(&self, marks: &[Mark]) {
        marks.iter().for_each(|mark| self.tell(&mark.shelf));
    }

    /// Hears of a shelf.
    pub(super) fn of(&self, shelf: &Shelf) -> watch::Receiver<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known, told| known == shelf || told.receiver_count() > 0);
        all.entry(shelf.clone()).or_insert_with(|| watch::channel(0).0).subscribe()
    }
}
