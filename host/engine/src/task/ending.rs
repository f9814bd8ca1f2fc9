//! Why a transfer is being ended by us, and what that makes of libvirt's own words for it.

use waypost_core::recovery::FailureClass;

use super::Task;

/// Whether the transfer is being ended, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// It isn't.
    No,
    /// Somebody asked to cancel.
    Wish,
    /// The time for the whole transfer, so many seconds, is over.
    Clock(u64),
    /// Nothing moved for too long.
    Stalled(String),
    /// The convergence policy, or a person, gave it up.
    GivenUp(String),
}

impl Ending {
    /// Whether it is being ended at all.
    pub(super) fn is_wanted(&self) -> bool {
        *self != Self::No
    }

    /// The class and the words that count: a wish, the clock, the watchdog or a policy explains a failure better than
    /// libvirt's "canceled by client".
    pub(super) fn explain(&self, task: &Task, own: FailureClass, message: String) -> (FailureClass, String) {
        match self {
            _ if task.recorder.course.cancel_requested => (FailureClass::Cancelled, message),
            Self::No | Self::Wish => (own, message),
            Self::Clock(s) => (FailureClass::TimedOut, format!("the time limit of {s} s was over ({message})")),
            Self::Stalled(why) => (FailureClass::Stalled, format!("{why} ({message})")),
            Self::GivenUp(why) => (FailureClass::NotConverging, format!("{why} ({message})")),
        }
    }
}

/// What is said of an ending that comes after the switch to post-copy.
pub(super) const TOO_LATE: &str =
    "the guest runs on the destination already: its memory follows, nothing is taken back";
