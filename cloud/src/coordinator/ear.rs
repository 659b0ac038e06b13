//! Whom this coordinator hears, where several share one database: the boxes of the schools whose lease it holds.

use std::{collections::BTreeSet, sync::Arc};

use preau_shared::{ids::Uai, replica::Mark};
use tokio::sync::watch;

use crate::store::{boxes::Newest, leases::Held};

/// The schools heard, and what is known of all boxes.
pub(super) struct Ear {
    held: watch::Receiver<Arc<Held>>,
    heard: Arc<Held>,
    territory: String,
    known: Newest,
    territory_at: Vec<Mark>,
}

/// What a change of leases asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Turned {
    /// Topics to hear.
    pub(super) came: Vec<String>,
    /// Topics to leave.
    pub(super) went: Vec<String>,
    /// Schools that are held no more, or again after another held them.
    pub(super) touched: BTreeSet<String>,
}

/// Waits until the leases change; for ever where there are none.
pub(super) async fn moved(ear: &mut Option<Ear>) {
    let moved = match ear {
        Some(ear) => ear.held.changed().await.is_ok(),
        None => false,
    };
    if !moved {
        std::future::pending::<()>().await;
    }
}

impl Ear {
    pub(super) fn new(held: watch::Receiver<Arc<Held>>, territory: String) -> Self {
        Self { held, heard: Arc::default(), territory, known: Newest::default(), territory_at: Vec::new() }
    }

    pub(super) fn hears(&self, uai: &Uai) -> bool {
        self.heard.contains_key(uai.as_str())
    }

    pub(super) fn count(&self) -> usize {
        self.heard.len()
    }

    /// Topics of all that is heard: for a new connection.
    pub(super) fn all(&self) -> Vec<String> {
        self.heard.keys().filter_map(|shelf| self.topic(shelf)).collect()
    }

    /// Hears from now on what is held now.
    pub(super) fn turn(&mut self) -> Turned {
        let (now, before) = (self.held.borrow_and_update().clone(), self.heard.clone());
        let mut turned = Turned::default();
        for (shelf, _) in before.iter().filter(|(shelf, fence)| now.get(*shelf) != Some(fence)) {
            turned.touched.insert(shelf.clone());
            if !now.contains_key(shelf) {
                turned.went.extend(self.topic(shelf));
            }
        }
        turned.came = now.keys().filter(|shelf| !before.contains_key(*shelf)).filter_map(|s| self.topic(s)).collect();
        self.heard = now;
        turned
    }

    pub(super) const fn known(&self) -> Newest {
        self.known
    }

    pub(super) const fn met(&mut self, newest: Newest) {
        self.known = newest;
    }

    /// Whether the territory's shelf has come further than it was.
    pub(super) fn is_news(&mut self, marks: Vec<Mark>) -> bool {
        let news = self.territory_at != marks;
        self.territory_at = marks;
        news
    }

    /// The topics of a school's boxes; the territory's shelf has none of its own.
    fn topic(&self, shelf: &str) -> Option<String> {
        let uai: Uai = shelf.parse().ok()?;
        Some(format!("preau/1/{}/{uai}/+/up", self.territory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_school_that_comes_back_under_another_fence_begins_anew() {
        let (say, held) = watch::channel(Arc::new(Held::new()));
        let mut ear = Ear::new(held, "belfort".into());
        let hold = |shelves: &[(&str, i64)]| {
            say.send_replace(Arc::new(shelves.iter().map(|(shelf, fence)| ((*shelf).to_owned(), *fence)).collect()))
        };
        hold(&[("0900001A", 1), ("0900002B", 1), ("territory", 4)]);
        let turned = ear.turn();
        assert_eq!(turned.came, ["preau/1/belfort/0900001A/+/up", "preau/1/belfort/0900002B/+/up"]);
        assert!(turned.went.is_empty() && turned.touched.is_empty());
        assert!(ear.hears(&"0900001A".parse().expect("uai")));
        hold(&[("0900002B", 3)]);
        let turned = ear.turn();
        assert_eq!(turned.went, ["preau/1/belfort/0900001A/+/up"]);
        assert!(turned.came.is_empty() && turned.touched.contains("0900002B"));
        assert_eq!(ear.all(), ["preau/1/belfort/0900002B/+/up"]);
    }
}
