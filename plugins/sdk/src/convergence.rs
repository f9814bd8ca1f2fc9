//! How a convergence policy reads its question and says its answer.

use crate::{Bounds, Opening, Sample, SteeringAnswer, SteeringQuestion};

impl SteeringAnswer {
    /// Nothing.
    pub fn hold(reason: impl Into<String>) -> Self {
        Self::of("hold", reason)
    }

    /// An action that takes no value: `post-copy`, `suspend`, `abort`.
    pub fn of(action: &str, reason: impl Into<String>) -> Self {
        Self { action: action.to_owned(), value: None, reason: reason.into() }
    }

    /// Set the downtime limit, ms.
    pub fn set_downtime(ms: u64, reason: impl Into<String>) -> Self {
        Self { value: Some(ms), ..Self::of("set-downtime", reason) }
    }

    /// Limit the bandwidth, MiB/s.
    pub fn set_bandwidth(mib_s: u64, reason: impl Into<String>) -> Self {
        Self { value: Some(mib_s), ..Self::of("set-bandwidth", reason) }
    }

    /// Slow the guest down so far from the hypervisor's next step on, and no further, percent: 20 to 99. Permitted only where the
    /// transfer was begun with auto-converge.
    pub fn set_throttle(percent: u64, reason: impl Into<String>) -> Self {
        Self { value: Some(percent), ..Self::of("set-throttle", reason) }
    }
}

impl Opening {
    /// An opening that changes nothing.
    pub fn unchanged(reason: impl Into<String>) -> Self {
        Self {
            max_downtime_ms: None,
            auto_converge: None,
            auto_converge_initial: None,
            auto_converge_increment: None,
            reason: reason.into(),
        }
    }
}

impl Bounds {
    /// Whether an action may be answered.
    pub fn permits(&self, action: &str) -> bool {
        self.permitted.iter().any(|permitted| permitted == action)
    }
}

impl Sample {
    /// The guest runs on the destination already: nothing is left to be decided.
    pub fn is_post_copy(&self) -> bool {
        self.stage == "post-copy"
    }
}

impl SteeringQuestion {
    /// The newest reading.
    pub fn newest(&self) -> Option<&Sample> {
        self.samples.last()
    }

    /// Whether an action was done already.
    pub fn was_done(&self, action: &str) -> bool {
        self.steered.iter().any(|done| done.action == action)
    }
}
