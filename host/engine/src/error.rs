//! What can go wrong before a task exists, or with its journal. What goes wrong *in* a migration is an outcome instead.

use thiserror::Error;
use waypost_core::admission::Refusal;
use waypost_core::ids::{DomainKey, HostName, TaskId};
use waypost_core::journal::ReplayError;
use waypost_core::phase::Illegal;
use waypost_core::ports::{ClaimError, Fault, StoreFault};
use waypost_core::situation::Action;

/// An engine's error.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The request can't be taken.
    #[error("the request can't be taken: {0}")]
    Refused(Refusal),
    /// No such host.
    #[error("there is no host {name} in the configuration; it has: {known}")]
    NoHost {
        /// Asked for.
        name: HostName,
        /// There are.
        known: String,
    },
    /// No such domain.
    #[error("no host has a domain {domain}; asked: {asked}{silent}")]
    NoDomain {
        /// Asked for.
        domain: DomainKey,
        /// Hosts.
        asked: String,
        /// Hosts that did not answer, as the end of the sentence; empty if all did.
        silent: String,
    },
    /// Not active where it was found, and not every host answered.
    #[error(
        "domain {domain} is shut off on {defined}, and may be running on {silent}, which did not answer: name the source if you know that it is not"
    )]
    MayRunElsewhere {
        /// Asked for.
        domain: DomainKey,
        /// Where a definition is.
        defined: String,
        /// Hosts that did not answer.
        silent: String,
    },
    /// On several hosts.
    #[error("domain {domain} is on several hosts ({hosts}): name the source, or give its UUID")]
    Ambiguous {
        /// Asked for.
        domain: DomainKey,
        /// Hosts.
        hosts: String,
    },
    /// A host failed.
    #[error(transparent)]
    Host(Fault),
    /// The store failed.
    #[error(transparent)]
    Store(StoreFault),
    /// Another task has the domain.
    #[error(transparent)]
    Claim(ClaimError),
    /// The journal of a task makes no sense.
    #[error("the journal of task {task} can't be read back")]
    Journal {
        /// Task.
        task: TaskId,
        /// Why.
        source: ReplayError,
    },
    /// The engine was about to break its own rules.
    #[error("a defect in the engine: the next record is illegal")]
    Illegal(#[source] Illegal),
    /// Its two sides don't permit that now.
    #[error("{action} is not permitted for task {task} now: {why}; permitted: {permitted}")]
    NotPermitted {
        /// Task.
        task: TaskId,
        /// Asked for.
        action: Action,
        /// Why not.
        why: String,
        /// What is.
        permitted: String,
    },
    /// A person named a network that an action can't take.
    #[error("{action} of task {task} can't take network {network}: {why}")]
    NoWay {
        /// Task.
        task: TaskId,
        /// Asked for.
        action: Action,
        /// Named.
        network: String,
        /// Why not, and what is possible.
        why: String,
    },
    /// There is nothing to decide in it.
    #[error(
        "task {task} is {is}: an action can be asked for only while it looks for its domain, or after it ended stuck"
    )]
    NotOpen {
        /// Task.
        task: TaskId,
        /// Its phase or outcome.
        is: String,
    },
    /// Another process drives it.
    #[error("another process drives task {0}: `waypost watch {0}` follows it")]
    Driven(TaskId),
    /// A wish that a task can't meet.
    #[error("task {task} can't be steered: {why}")]
    NotSteerable {
        /// Task.
        task: TaskId,
        /// Why, and what to do.
        why: String,
    },
    /// No such task.
    #[error("there is no task {0}: `waypost tasks` lists them")]
    NoTask(TaskId),
    /// A worker thread panicked.
    #[error("a defect: {0} panicked")]
    Panicked(&'static str),
}

impl From<StoreFault> for EngineError {
    fn from(fault: StoreFault) -> Self {
        Self::Store(fault)
    }
}

impl From<Fault> for EngineError {
    fn from(fault: Fault) -> Self {
        Self::Host(fault)
    }
}
