//! How long, and how often, something is tried again that may go well a little later. One rule for all that a client tries: the
//! service says when, or else each wait is twice as long as the one before, and none is begun that would last too long.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use tokio::time::Instant;

/// The first wait where nobody says how long, the longest of such, and the shortest of any.
const FIRST: Duration = Duration::from_millis(250);
pub(super) const MOST: Duration = Duration::from_secs(5);
const LEAST: Duration = Duration::from_millis(100);

/// The time since something went wrong, and what is left of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    since: Instant,
    wait: Duration,
}

impl Patience {
    /// From that moment on.
    pub(super) fn begun(now: Instant) -> Self {
        Self { since: now, wait: FIRST }
    }

    /// When to try again, for whoever is patient for so long in all; none: it is over. What takes longer than that is not waited for
    /// in part.
    pub(super) fn next(&mut self, now: Instant, lasts: Duration, said: Option<Duration>) -> Option<Instant> {
        let then = now + said.unwrap_or(self.wait).max(LEAST);
        if then > self.since + lasts {
            return None;
        }
        self.wait = (self.wait * 2).min(MOST);
        Some(then)
    }
}

/// How long to wait, as far as an answer says. A moment that is told as a date is not read.
pub(super) fn said(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse::<u32>().ok()?;
    Some(Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_twice_the_one_before_until_it_would_last_too_long() {
        let mut now = Instant::now();
        let mut patience = Patience::begun(now);
        let mut waits = Vec::new();
        while let Some(then) = patience.next(now, Duration::from_secs(20), None) {
            waits.push((then - now).as_millis());
            now = then;
        }
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 5000, 5000]);
    }

    #[test]
    fn who_is_asked_says_how_long_and_never_at_once() {
        let now = Instant::now();
        let wait = |said: u64, lasts: u64| {
            let said = Some(Duration::from_secs(said));
            let then = Patience::begun(now).next(now, Duration::from_secs(lasts), said);
            then.map(|then| (then - now).as_millis())
        };
        assert_eq!((wait(0, 30), wait(7, 30), wait(30, 30), wait(31, 30)), (Some(100), Some(7000), Some(30000), None));
    }
}
