//! Who guesses is made to wait: wrong tokens are counted per source and per token, and after a few of them nothing more of
//! either is verified for a while. What was proven before goes on, so that nobody is shut out by another's guesses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::caller::Origin;

/// Whose guesses are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Guesser {
    Source(Origin),
    Token(String),
}

/// Wrong tokens that are nobody's fault.
const FREE: u32 = 10;

/// Nothing wrong for so long, and all is forgotten.
const FORGET: Duration = Duration::from_secs(15 * 60);

/// The first wait. Each further wrong token doubles it, up to [`FORGET`].
const FIRST: Duration = Duration::from_secs(30);

/// So many are remembered; of more, the one that was quiet for longest is forgotten.
const MOST: usize = 4096;

#[derive(Default)]
pub(crate) struct Lockout {
    guessers: Mutex<HashMap<Guesser, Count>>,
}

struct Count {
    wrong: u32,
    last: Instant,
    until: Option<Instant>,
}

impl Guesser {
    /// A whole network of IPv6 is one source, because whoever has one address of it has them all.
    pub(crate) fn source(origin: Origin) -> Self {
        Self::Source(match origin {
            Origin::Address(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
                Some(address) => Origin::Address(IpAddr::V4(address)),
                None => Origin::Address(IpAddr::V6((u128::from(address) >> 64 << 64).into())),
            },
            other => other,
        })
    }
}

impl Lockout {
    /// How much longer somebody has to wait; none: not at all.
    pub(crate) fn wait_of(&self, guesser: &Guesser, now: Instant) -> Option<Duration> {
        let guessers = self.guessers.lock().unwrap_or_else(PoisonError::into_inner);
        let until = guessers.get(guesser)?.until?;
        Some(until.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    /// Counts a wrong token.
    pub(crate) fn wrong(&self, guesser: Guesser, now: Instant) {
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
        if let Some(beyond) = count.wrong.checked_sub(FREE) {
            let wait = FIRST.saturating_mul(1 << beyond.min(10)).min(FORGET);
            count.until = Some(now + wait);
        }
    }

    /// Forgets what was wrong, because something was right.
    pub(crate) fn right(&self, guesser: &Guesser) {
        self.guessers.lock().unwrap_or_else(PoisonError::into_inner).remove(guesser);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Guesser {
        Guesser::source(Origin::Address(text.parse().unwrap()))
    }

    #[test]
    fn after_a_few_wrong_ones_each_costs_twice_the_wait_and_a_right_one_ends_it() {
        let (lockout, start) = (Lockout::default(), Instant::now());
        let one = address("192.0.2.1");
        for _ in 0..9 {
            lockout.wrong(one.clone(), start);
        }
        assert_eq!(lockout.wait_of(&one, start), None);
        lockout.wrong(one.clone(), start);
        assert_eq!(lockout.wait_of(&one, start), Some(FIRST));
        assert_eq!(lockout.wait_of(&address("192.0.2.2"), start), None);
        assert_eq!(lockout.wait_of(&one, start + FIRST), None);
        lockout.wrong(one.clone(), start + FIRST);
        assert_eq!(lockout.wait_of(&one, start + FIRST), Some(2 * FIRST));
        for _ in 0..40 {
            lockout.wrong(one.clone(), start);
        }
        assert_eq!(lockout.wait_of(&one, start), Some(FORGET));
        lockout.wrong(one.clone(), start + 2 * FORGET);
        assert_eq!(lockout.wait_of(&one, start + 3 * FORGET), None);
        lockout.right(&one);
        assert_eq!(lockout.wait_of(&one, start), None);
    }

    #[test]
    fn a_network_of_ipv6_is_one_source_and_a_mapped_address_is_that_of_ipv4() {
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:2"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_quietest() {
        let (lockout, start) = (Lockout::default(), Instant::now());
        for n in 0..=MOST {
            let at = start + Duration::from_millis(n as u64);
            for _ in 0..FREE {
                lockout.wrong(Guesser::Token(n.to_string()), at);
            }
        }
        let end = start + Duration::from_millis(MOST as u64);
        assert_eq!(lockout.guessers.lock().unwrap().len(), MOST);
        assert_eq!(lockout.wait_of(&Guesser::Token("0".into()), end), None);
        assert!(lockout.wait_of(&Guesser::Token("1".into()), end).is_some());
    }
}
