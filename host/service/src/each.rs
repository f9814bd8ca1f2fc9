//! One of something for each key, for as long as anybody has it: what those share who ask for the same at the same time. Nothing is left
//! of it when they are gone.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// One `T` for each key.
pub(crate) struct Each<K, T>(Mutex<HashMap<K, Weak<T>>>);

impl<K, T> Default for Each<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, T: Default> Each<K, T> {
    /// That of a key: the one that somebody has, else a fresh one.
    pub(crate) fn of(&self, key: K) -> Arc<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = all.get(&key).and_then(Weak::upgrade) {
            return there;
        }
        all.retain(|_, one| one.strong_count() > 0);
        let fresh = Arc::new(T::default());
        all.insert(key, Arc::downgrade(&fresh));
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_one_shares_it_and_nothing_is_left_of_what_nobody_has() {
        let each: Each<&str, Mutex<u32>> = Each::default();
        let (one, same, other) = (each.of("a"), each.of("a"), each.of("b"));
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
        *one.lock().unwrap() = 7;
        drop((one, other));
        assert_eq!(*each.of("a").lock().unwrap(), 7, "somebody has it still");
        drop(same);
        let fresh = each.of("a");
        assert_eq!(*fresh.lock().unwrap(), 0);
        assert_eq!(each.0.lock().unwrap().len(), 1);
    }
}
