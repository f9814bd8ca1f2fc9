//! The orders to a running transfer that hosts refused lately, so that none is given for ever.

use std::time::Duration;

use tokio::time::Instant;
use waypost_core::convergence::Steering;

/// What hosts refused so often is out of a policy's choice for [`COUNTS_FOR`]: it would be refused with every question.
const TRIES: usize = 3;
/// What a host refuses now it may carry out in another part of the transfer.
const COUNTS_FOR: Duration = Duration::from_secs(60);

/// What was refused of one transfer, and when; oldest first.
#[derive(Default)]
pub(super) struct Refusals(Vec<(Steering, Instant)>);

impl Refusals {
    /// Takes one more in. What counts no longer goes: a transfer may run for days.
    pub(super) fn remember(&mut self, action: Steering, now: Instant) {
        self.0.retain(|(_, at)| counts(*at, now));
        self.0.push((action, now));
    }

    /// Whether hosts refused it so often lately, whatever its value, that it isn't worth another try.
    pub(super) fn too_often(&self, action: Steering, now: Instant) -> bool {
        self.0.iter().filter(|(refused, at)| *refused == action && counts(*at, now)).count() >= TRIES
    }
}

fn counts(at: Instant, now: Instant) -> bool {
    now.duration_since(at) < COUNTS_FOR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_too_often_may_be_tried_again_once_that_is_past() {
        let began = Instant::now();
        let mut refusals = Refusals::default();
        for _ in 0..TRIES {
            assert!(!refusals.too_often(Steering::Suspend, began));
            refusals.remember(Steering::Suspend, began);
        }
        let last = began + COUNTS_FOR - Duration::from_millis(1);
        assert!(refusals.too_often(Steering::Suspend, last));
        assert!(!refusals.too_often(Steering::PostCopy, last), "nobody refused that");
        assert!(!refusals.too_often(Steering::Suspend, began + COUNTS_FOR));
    }

    #[test]
    fn what_counts_no_longer_is_not_kept() {
        let (began, every, count) = (Instant::now(), COUNTS_FOR / 10, 100_u32);
        let mut refusals = Refusals::default();
        for nth in 0..count {
            refusals.remember(Steering::SetDowntime, began + every * nth);
        }
        let kept: Vec<Instant> = refusals.0.iter().map(|(_, at)| *at).collect();
        let lately: Vec<Instant> = (count - 10..count).map(|nth| began + every * nth).collect();
        assert_eq!(kept, lately);
    }
}
