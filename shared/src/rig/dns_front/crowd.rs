//! How many may be inside at once, in all and from one address: one tablet gone wild leaves room for the others.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// A bounded crowd.
#[derive(Debug)]
pub(super) struct Crowd {
    most: usize,
    most_each: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    each: HashMap<IpAddr, usize>,
}

/// A place inside, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Arc<Crowd>,
    address: IpAddr,
}

impl Crowd {
    pub(super) fn new(most: usize, most_each: usize) -> Arc<Self> {
        Arc::new(Self { most, most_each, inside: Mutex::default() })
    }

    /// A place for somebody from this address, if there is one.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let each = inside.each.get(&address).copied().unwrap_or(0);
        if inside.all >= self.most || each >= self.most_each {
            return None;
        }
        inside.all = inside.all.saturating_add(1);
        inside.each.insert(address, each.saturating_add(1));
        Some(Place { crowd: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.crowd.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.all = inside.all.saturating_sub(1);
        let each = inside.each.remove(&self.address).unwrap_or(0).saturating_sub(1);
        if each > 0 {
            inside.each.insert(self.address, each);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_takes_much_leaves_room_for_others() {
        let crowd = Crowd::new(5, 3);
        let from = |n: u8| IpAddr::from([10, 0, 0, n]);
        let mut wild: Vec<Place> = std::iter::from_fn(|| crowd.enter(from(1))).take(9).collect();
        assert_eq!(wild.len(), 3);
        let others = [crowd.enter(from(2)), crowd.enter(from(3)), crowd.enter(from(4))];
        assert_eq!(others.iter().filter(|place| place.is_some()).count(), 2);
        wild.pop();
        assert!(crowd.enter(from(1)).is_some());
        drop((wild, others));
        let inside = crowd.inside.lock().expect("lock");
        assert_eq!((inside.all, inside.each.len()), (0, 0));
    }
}
