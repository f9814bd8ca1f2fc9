//! Who guesses is made to wait: wrong tokens are counted per source, and after a few of them nothing more from there is verified for a
//! while. What was proven before goes on. Of a token nothing is counted: its secret can't be guessed, and whoever tried would
//! shut out whose it is. Passwords of hosts that come with requests are counted in the same way, for each caller and host.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::caller::Origin;

/// Wrong ones that are nobody's fault.
const FREE: u32 = 10;

/// Nothing wrong for so long, and all is forgotten.
const FORGET: Duration = Duration::from_secs(15 * 60);

/// The first wait. Each further wrong one doubles it, up to [`FORGET`].
const FIRST: Duration = Duration::from_secs(30);

/// So many are remembered; of more, the one that was quiet for longest is forgotten.
const MOST: usize = 4096;

/// Wrong ones by whoever gave them: tokens by where they came from, as [`Origin::network`] counts it.
pub(crate) struct Lockout<K = Origin> {
    guessers: Mutex<HashMap<K, Count>>,
}

impl<K> Default for Lockout<K> {
    fn default() -> Self {
        Self { guessers: Mutex::default() }
    }
}

struct Count {
    wrong: u32,
    last: Instant,
    until: Option<Instant>,
}

impl Lockout {
    /// How much longer whoever is there has to wait; none: not at all.
    pub(crate) fn wait_of(&self, origin: Origin, now: Instant) -> Option<Duration> {
        self.left(&origin.network(), now)
    }

    /// Counts a wrong token.
    pub(crate) fn wrong(&self, origin: Origin, now: Instant) {
        if let Some((wrong, wait)) = self.count(origin.network(), now) {
            let seconds = wait.as_secs();
            tracing::warn!(from = %origin, wrong, seconds, "wrong tokens: none from there is looked at for a while");
        }
    }
}

impl<K: Clone + Eq + Hash> Lockout<K> {
    /// How much longer that one has to wait; none: not at all.
    pub(crate) fn left(&self, guesser: &K, now: Instant) -> Option<Duration> {
        let guessers = self.guessers.lock().unwrap_or_else(PoisonError::into_inner);
        let until = guessers.get(guesser)?.until?;
        Some(until.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    /// Counts a wrong one. Where a wait begins with it: how many were wrong, and how long it is.
    pub(crate) fn count(&self, guesser: K, now: Instant) -> Option<(u32, Duration)> {
        let mut guessers = self.guessers.lock().unwrap_or_else(PoisonError::into_inner);
        if guessers.len() >= MOST && !guessers.contains_key(&guesser) {
            let quiet = guessers.iter().min_by_key(|(_, count)| count.last).map(|(guesser, _)| guesser.clone());
            if let Some(quiet) = quiet {
                guessers.remove(&quiet);
            }
        }
        let count = guessers.entry(guesser).or_insert(Count { wrong: 0, last: now, until: None });
        if now.saturating_duration_since(count.last) >= FORGET {
            count.wrong = 0;
        }
        (count.wrong, count.last) = (count.wrong.saturating_add(1), now);
        let beyond = count.wrong.checked_sub(FREE)?;
        let wait = FIRST.saturating_mul(1 << beyond.min(10)).min(FORGET);
        // Of several that were looked at together only the first begins it.
        let begins = count.until.is_none_or(|until| until <= now);
        count.until = Some(now + wait);
        begins.then_some((count.wrong, wait))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn address(text: &str) -> Origin {
        Origin::Address(text.parse().unwrap())
    }

    #[test]
    fn after_a_few_wrong_ones_each_costs_twice_the_wait() {
        let (lockout, start) = (Lockout::default(), Instant::now());
        let one = address("192.0.2.1");
        for _ in 0..9 {
            lockout.wrong(one, start);
        }
        assert_eq!(lockout.wait_of(one, start), None);
        lockout.wrong(one, start);
        assert_eq!(lockout.wait_of(one, start), Some(FIRST));
        assert_eq!(lockout.wait_of(address("192.0.2.2"), start), None);
        assert_eq!(lockout.wait_of(one, start + FIRST), None);
        lockout.wrong(one, start + FIRST);
        assert_eq!(lockout.wait_of(one, start + FIRST), Some(2 * FIRST));
        for _ in 0..40 {
            lockout.wrong(one, start);
        }
        assert_eq!(lockout.wait_of(one, start), Some(FORGET));
        lockout.wrong(one, start + 2 * FORGET);
        assert_eq!(lockout.wait_of(one, start + 3 * FORGET), None);
    }

    #[test]
    fn a_network_of_ipv6_is_one_source_and_a_mapped_address_is_that_of_ipv4() {
        let (lockout, start) = (Lockout::default(), Instant::now());
        for (one, same, other) in
            [("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"), ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.2")]
        {
            for _ in 0..FREE {
                lockout.wrong(address(one), start);
            }
            assert_eq!(lockout.wait_of(address(same), start), Some(FIRST), "{same}");
            assert_eq!(lockout.wait_of(address(other), start), None, "{other}");
        }
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_quietest() {
        let (lockout, start) = (Lockout::default(), Instant::now());
        let nth = |n: usize| Origin::Address(IpAddr::from((n as u32).to_be_bytes()));
        for n in 0..=MOST {
            let at = start + Duration::from_millis(n as u64);
            for _ in 0..FREE {
                lockout.wrong(nth(n), at);
            }
        }
        let end = start + Duration::from_millis(MOST as u64);
        assert_eq!(lockout.guessers.lock().unwrap().len(), MOST);
        assert_eq!(lockout.wait_of(nth(0), end), None);
        assert!(lockout.wait_of(nth(1), end).is_some());
    }
}
