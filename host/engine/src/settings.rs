//! What a site may tune. Times that protect the guest have a default that needs no tuning.

use std::time::Duration;

/// Settings of the engine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Between two readings of a running transfer.
    pub sample_every: Duration,
    /// Between two looks at both hosts where nothing tells of a change.
    pub look_every: Duration,
    /// How long a host may be out of reach, while a transfer is watched or verified, before the task goes to recovery.
    pub patience: Duration,
    /// How long a proof of the shared-storage probe holds.
    pub proof_holds: Duration,
    /// Between two questions to the store whether another process asked to cancel.
    pub cancel_poll: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sample_every: Duration::from_millis(250),
            look_every: Duration::from_millis(500),
            patience: Duration::from_secs(60),
            proof_holds: Duration::from_secs(3600),
            cancel_poll: Duration::from_millis(500),
        }
    }
}
