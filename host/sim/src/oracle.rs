//! What is true, whatever any host says, and what must never be: invariant 1, checked at every change.

use std::fmt;

use tokio::time::Instant;
use waypost_core::ids::{DomainId, HostName};

/// Where a domain really is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Truth {
    /// Its vCPUs run here.
    pub running_on: Vec<HostName>,
    /// A process holds it here, with its vCPUs stopped.
    pub paused_on: Vec<HostName>,
    /// It is defined here.
    pub defined_on: Vec<HostName>,
    /// A process here holds all of its memory, no older than any other copy's.
    pub memory_complete_on: Vec<HostName>,
    /// It was active, was not shut down, and no copy is left that runs or could; or it was only defined, and no
    /// definition is left.
    pub lost: bool,
}

/// Something that must never be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// Two copies run at one instant.
    TwoRun {
        /// Domain.
        domain: DomainId,
        /// Where.
        on: Vec<HostName>,
        /// What made it so.
        by: String,
    },
    /// A command ended the only copy that could run, or removed the last definition of a domain that is nowhere else.
    OnlyCopyDestroyed {
        /// Domain.
        domain: DomainId,
        /// Where.
        on: HostName,
        /// Which command.
        by: String,
    },
    /// A copy was let run whose memory another copy had overtaken: the guest went back in time over newer disks.
    OvertakenRuns {
        /// Domain.
        domain: DomainId,
        /// Where.
        on: HostName,
        /// What made it so.
        by: String,
    },
    /// A copy was let run whose memory never arrived in full.
    IncompleteRuns {
        /// Domain.
        domain: DomainId,
        /// Where.
        on: HostName,
        /// What made it so.
        by: String,
    },
}

/// One thing that happened in a world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Milliseconds since the world was made.
    pub at_ms: u64,
    /// Where.
    pub host: HostName,
    /// What, in a few words.
    pub what: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8} ms {}: {}", self.at_ms, self.host, self.what)
    }
}

/// The record of everything that happened.
#[derive(Debug)]
pub(crate) struct Log {
    began: Instant,
    pub(crate) changes: Vec<Change>,
    pub(crate) violations: Vec<Violation>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), changes: Vec::new(), violations: Vec::new() }
    }
    pub(crate) fn note(&mut self, host: &HostName, what: impl Into<String>) {
        let at_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.changes.push(Change { at_ms, host: host.clone(), what: what.into() });
    }
}
