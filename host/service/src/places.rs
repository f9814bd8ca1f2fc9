//! How many connections each client has, so that one can't take all of those that there may be. A client is a user of this machine
//! or a network's address, as [`Origin::network`] counts them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::caller::Origin;

/// The connections of each client.
#[derive(Clone, Default)]
pub(crate) struct Places(Arc<Mutex<HashMap<Origin, usize>>>);

impl Places {
    /// A place for one more from there, for as long as it is held; none where there are `most` already.
    pub(crate) fn place(&self, origin: Origin, most: usize) -> Option<Place> {
        let origin = origin.network();
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.get(&origin).is_some_and(|count| *count >= most) {
            return None;
        }
        *counts.entry(origin).or_default() += 1;
        Some(Place { places: self.clone(), origin })
    }
}

/// A connection's place.
pub(crate) struct Place {
    places: Places,
    origin: Origin,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.origin) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_so_many_places_and_gives_them_back() {
        let places = Places::default();
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
        assert!(places.0.lock().unwrap().is_empty());
    }
}
