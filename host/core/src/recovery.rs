//! The question to a recovery policy, and its answer.

use crate::ids::Moment;
use crate::plan::Plan;
use crate::situation::{Action, Situation};
use crate::words;

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
    /// Now.
    pub decided_at: Moment,
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
}

impl RecoveryAnswer {
    /// The safe answer of the hook, where no policy gives one: a person must look. While a job runs there is nothing to
    /// hand over, so the safe answer then is to wait.
    pub fn safe(permitted: &[Action], reason: String) -> Self {
        let action = if permitted.contains(&Action::HandOver) { Action::HandOver } else { Action::Wait };
        Self { action, delay_ms: if action == Action::Wait { 1000 } else { 0 }, reason }
    }
}
