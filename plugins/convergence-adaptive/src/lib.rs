//! Waits while a transfer converges, and brings one that doesn't to an end within the bounds of its plan.
//!
//! Before the start: the guest may be slowed down (auto-converge) where it is predicted that the transfer can't converge,
//! or where nothing is predicted.
//!
//! While it runs, in this order:
//!
//! 1. Nothing before something was moved, nothing where nothing has moved for `window_s`, nothing in post-copy, nothing while an
//!    order has yet to take effect.
//! 2. Wait while it gets smaller. Only where a pass over the memory begins that shows. It is taken to be stalled when for
//!    `window_s` no pass has begun with clearly less than the least before: by `margin_percent` of that, or of what was carried
//!    since, where that is less. A pass that began with clearly less is waited for, however long it takes. What is left and
//!    stays the same for `window_s` while bytes are moved is a stall, too.
//! 3. Stalled, and what a pass leaves fits into a downtime within the bound, at the bandwidth of now or of the window,
//!    whichever is more: set that downtime.
//! 4. Stalled, and the hypervisor still slows the guest down further: wait.
//! 5. Stalled, and the transfer had `own_time_s`, or half of its time limit where that is shorter: post-copy, where it is
//!    the first permitted of `last_resort`, at a local minimum of what is left, so that little has to follow. In a pass that
//!    is longer than `window_s` that is at once.
//! 6. Shortly before the time limit, so early that the rest can still be carried: the first permitted of `last_resort`.
//! 7. Nothing of all that is possible: wait. The host's time limit ends it; or `abort_after_s` of stalling does.
//!
//! | setting | default | unit, range | meaning |
//! |---|---|---|---|
//! | `window_s` | 20 | s, 2 to 60 | how long without progress is a stall; at most a quarter of the time limit |
//! | `margin_percent` | 4 | %, 0 to 50 | how much less counts as progress: of the least before, or of what was carried since |
//! | `newest_percent` | 40 | %, 1 to 100 | weight of the newest reading in the estimate of the bandwidth |
//! | `switchover_s` | 20 | s, 0 to 60 | how long to look for a local minimum |
//! | `own_time_s` | 60 | s | time that is the transfer's own before post-copy |
//! | `reserve_s` | 5 | s, 1 to 600 | kept before the time limit, beside the time for the rest and half of that again |
//! | `last_resort` | `["post-copy", "suspend"]` | words, each once | what may force the end, in this order |
//! | `abort_after_s` | 0 | s | give up after stalling so long where nothing else is possible; 0: never |
//! | `throttle` | true | | whether to open with auto-converge |
//! | `throttle_initial_percent` | none | %, 1 to 99 | first slow-down; none: the hypervisor's own |
//! | `throttle_increment_percent` | none | %, 1 to 99 | each further one |

mod decide;
mod history;
mod settings;

use waypost_plugin::text::bytes;
use waypost_plugin::{
    Convergence, Opening, OpeningQuestion, SteeringAnswer, SteeringQuestion, export_convergence, settings as site,
};

use settings::Settings;

/// The policy.
pub struct Adaptive;

impl Convergence for Adaptive {
    fn open(question: &OpeningQuestion) -> Opening {
        let settings = Settings::read(&site()).unwrap_or_default();
        let (slow, why) = match &question.prediction {
            Some(expected) if expected.converges => (false, "it is predicted to converge".to_owned()),
            Some(expected) if expected.bandwidth_bytes_per_s == 0 => {
                let dirty = bytes(expected.dirty_bytes_per_s);
                (true, format!("the guest dirties {dirty}/s, and what the network carries is not known"))
            }
            Some(expected) => {
                let (dirty, carried) = (bytes(expected.dirty_bytes_per_s), bytes(expected.bandwidth_bytes_per_s));
                (true, format!("the guest dirties {dirty}/s and {carried}/s are carried: it can't converge"))
            }
            None => (true, "what the guest dirties is not known".to_owned()),
        };
        let slow = slow && settings.throttle;
        Opening {
            auto_converge: slow.then_some(true),
            auto_converge_initial: settings.throttle_initial_percent.filter(|_| slow),
            auto_converge_increment: settings.throttle_increment_percent.filter(|_| slow),
            ..Opening::unchanged(format!("{why}{}", if slow { "; it is slowed down if need be" } else { "" }))
        }
    }

    fn decide(question: &SteeringQuestion) -> SteeringAnswer {
        decide::decide(question, &Settings::read(&site()).unwrap_or_default())
    }

    fn validate_settings(settings: &str) -> Result<(), String> {
        Settings::read(settings).map(|_| ())
    }
}

export_convergence!(Adaptive);

#[cfg(test)]
mod tests;
