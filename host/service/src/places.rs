//! How many connections a listener has, and of them each client, so that one can't take all of those that there may be. A client
//! is a user of this machine or a network's address, as [`Origin::network`] counts them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::caller::Origin;

/// The connections of a listener.
pub(crate) struct Places {
    /// As many as there may be.
    all: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    of: HashMap<Origin, usize>,
}

impl Places {
    pub(crate) fn new(all: usize) -> Self {
        Self { all, taken: Arc::default() }
    }

    /// A place for one more from there, for as long as it is held; none where there are `most` from there already, or as many as
    /// there may be at all, which the log then says.
    pub(crate) fn place(&self, from: Origin, most: usize) -> Option<Place> {
        let origin = from.network();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.all {
            tracing::warn!(most = self.all, "a connection is refused: there are as many as may be");
            return None;
        }
        let own = taken.of.get(&origin).copied().unwrap_or(0);
        if own >= most {
            tracing::warn!(%from, most, "a connection is refused: whoever it comes from has many");
            return None;
        }
        taken.of.insert(origin, own + 1);
        taken.all += 1;
        Some(Place { taken: Arc::clone(&self.taken), origin })
    }
}

/// A connection's place.
pub(crate) struct Place {
    taken: Arc<Mutex<Taken>>,
    origin: Origin,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(own) = taken.of.get_mut(&self.origin) {
            *own -= 1;
            if *own == 0 {
                taken.of.remove(&self.origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_so_many_places_and_gives_them_back() {
        let places = Places::new(100);
        let address = |text: &str| Origin::Address(text.parse().unwrap());
        for (one, same, other) in [
            (address("192.0.2.1"), address("::ffff:192.0.2.1"), address("192.0.2.2")),
            (address("2001:db8::1"), address("2001:db8::ffff:2"), address("2001:db8:0:1::1")),
            (Origin::User(7), Origin::User(7), Origin::User(8)),
        ] {
            let held = places.place(one, 1).unwrap();
            assert!(places.place(same, 1).is_none() && places.place(other, 1).is_some(), "{one}");
            drop(held);
            assert!(places.place(same, 1).is_some(), "{one}");
        }
        let taken = places.taken.lock().unwrap();
        assert!(taken.of.is_empty() && taken.all == 0);
    }

    #[test]
    fn there_are_so_many_whoever_they_come_from() {
        let places = Places::new(2);
        let held = [1, 2].map(|uid| places.place(Origin::User(uid), 2).unwrap());
        assert!(places.place(Origin::User(3), 2).is_none());
        drop(held);
        assert!(places.place(Origin::User(3), 2).is_some());
    }
}
