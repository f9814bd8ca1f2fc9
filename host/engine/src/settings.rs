//! What a site may tune. Times that protect the guest have a default that needs no tuning.

use std::sync::Arc;
use std::time::Duration;

use waypost_core::network::Networks;
use waypost_core::queue::SlotLimits;
use waypost_core::stream::Encryption;
use waypost_core::words;

words! {
    /// Whether it is measured what a guest writes, before it is moved.
    pub enum Measuring {
        /// Where the transfer takes so long that the measurement is a small part of it.
        WorthIt = "worth-it",
        /// However short the transfer is.
        Always = "always",
        /// However long.
        Never = "never",
    }
}

/// Settings of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Between two readings of a running transfer.
    pub sample_every: Duration,
    /// Between two looks at both hosts where nothing tells of a change.
    pub look_every: Duration,
    /// How long a host may be out of reach, while a transfer is watched or verified, before the task goes to recovery.
    pub patience: Duration,
    /// How long a proof of the shared-storage probe holds.
    pub proof_holds: Duration,
    /// Between two questions to the convergence policy while a transfer runs.
    pub steer_every: Duration,
    /// How long a transfer may stand still, while the source answers, before it is ended (pre-copy) or interrupted
    /// (post-copy).
    pub stall_after: Duration,
    /// Whether the connections of a disk's copy are closed where the host's own abort doesn't end it.
    pub sever: bool,
    /// Whether it may be changed on the way how far auto-converge slows a guest down, which goes past what libvirt's own calls can do.
    pub set_throttle: bool,
    /// Whether it is measured before a migration what the guest writes. A dry run measures it in any case.
    pub measure: Measuring,
    /// Most downtime that a policy may set where the request names no limit, ms.
    pub most_downtime_ms: u64,
    /// Whether a policy may pause a guest to bring its transfer to an end.
    pub suspend: bool,
    /// Attempts of one task, at least 1: of one whose request names no number, and the most that a request may name.
    pub max_attempts: u32,
    /// Between two questions to the store whether another process asked to cancel.
    pub cancel_poll: Duration,
    /// The networks that migrations may take. A plan that was made has what it needs of them: nothing reads them a second time.
    /// Whoever gives others sees to it that no task holds what is gone.
    pub networks: Arc<Networks>,
    /// How many migrations may run at once.
    pub slots: SlotLimits,
    /// This controller, for the notice on a domain that it moves: machine and state folder.
    pub controller: String,
    /// What the site says of encryption: the default of requests, and where it is required no request gets less.
    pub encryption: Encryption,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sample_every: Duration::from_millis(250),
            look_every: Duration::from_millis(500),
            patience: Duration::from_secs(60),
            proof_holds: Duration::from_secs(3600),
            steer_every: Duration::from_secs(1),
            stall_after: Duration::from_secs(20),
            sever: true,
            // Nothing happens by itself: a person asks for it by name, or a policy of the site's own does. None that is shipped does.
            set_throttle: true,
            // The whole command is to take hardly longer than the transfer.
            measure: Measuring::WorthIt,
            // oVirt's highest step.
            most_downtime_ms: 5000,
            suspend: true,
            max_attempts: 3,
            cancel_poll: Duration::from_millis(500),
            networks: Arc::default(),
            slots: SlotLimits::default(),
            controller: "waypost".to_owned(),
            encryption: Encryption::Auto,
        }
    }
}
