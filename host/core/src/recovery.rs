//! The question to a recovery policy, and its answer.

use crate::admission::{MAX_DOWNTIME_MS, admit_options};
use crate::ids::{HostName, Moment};
use crate::plan::Plan;
use crate::request::{MigrationRequest, Mode};
use crate::sample::{Sample, Stage};
use crate::situation::{Action, Situation};
use crate::stream::Encryption;
use crate::{facts, words};

words! {
    /// Why an attempt failed, as far as libvirt's code, domain and message tell. A stable list.
    pub enum FailureClass {
        /// A person or the time limit ended it.
        Cancelled = "cancelled",
        /// The time limit for the whole transfer.
        TimedOut = "timed-out",
        /// Nothing moved for too long although the hosts answered.
        Stalled = "stalled",
        /// The convergence policy, or a person, gave it up.
        NotConverging = "not-converging",
        /// A host or its daemon can't be reached.
        Unreachable = "unreachable",
        /// The way between the two hosts.
        Network = "network",
        /// A disk, pool or volume.
        Storage = "storage",
        /// The destination can't run this CPU or configuration.
        Incompatible = "incompatible",
        /// libvirt refused the operation in this state.
        Refused = "refused",
        /// Another migration of the domain is under way, so this one was not begun.
        Migrating = "migrating",
        /// The hypervisor process of one side ended.
        HypervisorDied = "hypervisor-died",
        /// The controller was restarted and can't know how the call ended.
        ControllerRestarted = "controller-restarted",
        /// Everything else.
        Other = "other",
    }
}

/// What a recovery policy is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryQuestion {
    /// The plan that failed.
    pub plan: Plan,
    /// What both sides say.
    pub situation: Situation,
    /// Why it failed.
    pub class: FailureClass,
    /// libvirt's own words.
    pub message: String,
    /// Attempt, from 1.
    pub attempt: u32,
    /// How often the situation was looked at in this attempt, from 1: a policy that waits can count.
    pub look: u32,
    /// What it may choose from.
    pub permitted: Vec<Action>,
    /// Whether the guest already ran on the destination while its memory followed.
    pub stage: Stage,
    /// The last reading of the transfer.
    pub sample: Option<Sample>,
    /// What was done about it in this attempt, oldest first: a policy that tries a number of times can count.
    pub done: Vec<Deed>,
    /// Attempts that may follow this one.
    pub attempts_left: u32,
    /// Destinations of this task so far, the present one last.
    pub tried: Vec<HostName>,
    /// Other hosts that a further attempt may name; whether they fit is for the prechecks to say.
    pub others: Vec<HostName>,
    /// The ways that a resumed post-copy may take, by the names of their networks, the next in turn first; empty where there
    /// is only the one that it began on.
    pub ways: Vec<String>,
    /// Now.
    pub decided_at: Moment,
}

/// Something that was done about a failure.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Deed {
    /// What.
    pub action: Action,
    /// Why it came to nothing; none if it was done.
    pub error: Option<String>,
}

/// What it chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryAnswer {
    /// One of the permitted actions.
    pub action: Action,
    /// Do it after this time, ms.
    pub delay_ms: u64,
    /// Why, for the record.
    pub reason: String,
    /// What a further attempt does otherwise; with another action it says nothing.
    pub change: AttemptChange,
    /// The way that a resumed post-copy takes; none, or one that isn't offered: the next in turn. With another action it says
    /// nothing.
    pub way: Option<String>,
}

facts! {
    /// What the next attempt does otherwise. What is none stays as it was; encryption is no part of it, because it can
    /// never become weaker.
    pub struct AttemptChange {
        /// Another destination.
        pub destination: Option<HostName>,
        /// Downtime limit, ms.
        pub max_downtime_ms: Option<u64>,
        /// The switch to post-copy is allowed, or not.
        pub post_copy: Option<bool>,
    }
}

impl AttemptChange {
    /// Nothing.
    pub const NONE: Self = Self { destination: None, max_downtime_ms: None, post_copy: None };

    /// The change without what is not offered: a destination that isn't among those, a downtime beyond the hypervisor's
    /// bound or without a guest that runs, and post-copy where the request rules it out.
    pub fn within(self, others: &[HostName], request: &MigrationRequest) -> Self {
        let options = &request.options;
        let offline = options.mode == Mode::Offline;
        // What excludes post-copy for a person's request excludes it for a policy's.
        let mut switching = options.clone();
        switching.stream.post_copy = true;
        let no_post_copy = admit_options(&switching).is_err();
        Self {
            destination: self.destination.filter(|host| others.contains(host)),
            max_downtime_ms: self.max_downtime_ms.filter(|ms| !offline && (1..=MAX_DOWNTIME_MS).contains(ms)),
            post_copy: self.post_copy.filter(|wanted| !wanted || !no_post_copy),
        }
    }

    /// The request of the next attempt. The source is the one that was found, and what was encrypted stays encrypted,
    /// whatever the configuration says by then. Of a tunnel no request tells that: [`Plan::exposes_more_than`] does.
    pub fn applied(&self, request: &MigrationRequest, failed: &Plan) -> MigrationRequest {
        let mut next = request.clone();
        next.source = Some(failed.source.host.clone());
        if let Some(host) = &self.destination
            && *host != request.destination
        {
            next.destination = host.clone();
            // An address of the other host is of no use here, nor is what only goes with it.
            next.options.migrate_uri = None;
            next.options.stream.rdma_pin_all = false;
            next.options.listen_address = None;
            next.options.disks.uri = None;
            next.options.stream.tls_destination = None;
            next.options.stream.graphics_uri = None;
        }
        if self.max_downtime_ms.is_some() {
            next.options.max_downtime_ms = self.max_downtime_ms;
        }
        if let Some(post_copy) = self.post_copy {
            next.options.stream.post_copy = post_copy;
            if !post_copy {
                next.options.stream.post_copy_bandwidth_mib_s = None;
            }
        }
        if failed.stream.encryption == Encryption::Required {
            next.options.stream.encryption = Encryption::Required;
        }
        next
    }
}

impl RecoveryAnswer {
    /// The safe answer of the hook, where no policy gives one: a person must look. While a job runs there is nothing to
    /// hand over, so the safe answer then is to wait.
    pub fn safe(permitted: &[Action], reason: String) -> Self {
        let action = if permitted.contains(&Action::HandOver) { Action::HandOver } else { Action::Wait };
        Self {
            action,
            delay_ms: if action == Action::Wait { 1000 } else { 0 },
            reason,
            change: AttemptChange::NONE,
            way: None,
        }
    }
}

#[cfg(test)]
mod tests;
