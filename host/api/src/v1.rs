//! Version 1 of what programs read and, of the service, ask for.
//!
//! A command with `--json` prints one [`Document`] on standard output: its result, or the error in its stead. Only
//! `check --watch` prints more, one per line, whenever the answer changes. Commands that follow a task (`migrate`,
//! `watch`, `cancel`, `recover`) tell how far it is on standard error, one document per line. Every document names its
//! version and its kind: `{"api":"v1","kind":"ended",...}`. Times are RFC 3339 in UTC, units are in the names (`progress`
//! is in percent), absent values are `null`.

mod access;
mod check;
mod entry;
mod fleet;
mod foretold;
mod past;
mod percent;
mod plugin;
mod problem;
mod request;
mod sentence;
mod service;
mod state;
mod task;
mod top;
mod words;

pub use access::{AuditEntry, AuditPage, Granted, NewToken, Token, Tokens, Whoami};
pub use check::{Check, Choice, Decision, DryRun, Edit, Evidence, Finding, Plan, PlanEnd, Verdict};
pub use entry::Entry;
pub use fleet::{Domain, Domains, Host, Hosts, Lab, LabCounter, LabGone, LabGuest, LabHost, LabRun, LabStay, Slots};
pub use foretold::{Prediction, Writing};
pub use past::{DecisionPage, PastSample, Samples, TaskDecision};
pub use percent::Percent;
pub use plugin::{AnyObject, Plugin, PluginFolder, PluginSettings, Plugins};
pub use problem::{PROBLEM_JSON, Problem};
pub use request::{Disks, NewAction, NewCheck, NewTask, Options, Steer, Stream};
pub use service::{
    Changes, Health, NetworkLimit, Queue, QueueEntry, Readiness, ReadinessRow, RecordEvent, Serving, Situation,
    TaskPage, TaskStatus, Unread, Version, Withheld,
};
pub use state::{AuditPruned, Backup, Pruned, Restored};
pub use task::{
    Ended, Look, Outcome, Progress, Sample, Side, Steered, Task, TaskBrief, Tasks, Wish, going_on, progress, standing,
};
pub use top::{Top, TopHost, TopTask};
pub use words::{
    Action, AfterMove, Compression, DiskCopy, Encryption, Mode, Persistence, Priority, SourceDefinition, StorageSafety,
    Transport,
};

use serde::{Deserialize, Serialize};

/// The version's name.
pub const VERSION: &str = "v1";

/// What a command prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Document {
    /// `hosts`.
    Hosts(Hosts),
    /// `domains`.
    Domains(Domains),
    /// `check`.
    Check(Box<Check>),
    /// `migrate --dry-run`.
    DryRun(Box<DryRun>),
    /// `migrate`, `watch`, `recover`, `cancel`, on standard error: how far it is.
    Progress(Box<Progress>),
    /// The same, on standard output: the end.
    Ended(Box<Ended>),
    /// `tasks`.
    Tasks(Tasks),
    /// `top`.
    Top(Top),
    /// `task`.
    Task(Box<Task>),
    /// `migrate --detach`; on standard error `migrate`: which task it is.
    Accepted {
        /// Task id.
        task: String,
    },
    /// `steer`.
    Steered(Steered),
    /// `recover` of a task that is over: what both sides say now.
    Look(Look),
    /// `plugin list`.
    Plugins(Plugins),
    /// `plugin inspect`.
    Plugin(Box<Plugin>),
    /// `plugin new`.
    PluginFolder(PluginFolder),
    /// `token list`.
    Tokens(Tokens),
    /// `token create`.
    TokenCreated(NewToken),
    /// `token revoke`.
    TokenRevoked(Token),
    /// `audit`.
    Audit(AuditPage),
    /// `audit prune`.
    AuditPruned(AuditPruned),
    /// `serve`, once it listens, and `serve --check`.
    Serving(Serving),
    /// `state backup`.
    Backup(Backup),
    /// `state restore`.
    Restored(Restored),
    /// `state prune`.
    Pruned(Pruned),
    /// `lab up` and `lab status`.
    Lab(Lab),
    /// `lab down`.
    LabGone(LabGone),
    /// `lab guest`.
    LabGuest(LabGuest),
    /// `lab counter`.
    LabCounter(LabCounter),
    /// `lab run`.
    LabRun(LabRun),
    /// Any command that could not do what it was asked.
    Error(Failure),
}

/// A document with its version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Versioned {
    /// `v1`.
    pub api: String,
    /// What it says.
    #[serde(flatten)]
    pub document: Document,
}

impl From<Document> for Versioned {
    fn from(document: Document) -> Self {
        Self { api: VERSION.to_owned(), document }
    }
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong.
    pub message: String,
    /// Why, outermost first.
    pub because: Vec<String>,
    /// What to do about it, in commands; null where there is nothing to be said.
    pub remedy: Option<String>,
    /// The command's exit code.
    pub exit_code: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_names_its_version_and_kind() {
        let document = Versioned::from(Document::Accepted { task: "t".into() });
        let text = serde_json::to_string(&document).unwrap();
        assert_eq!(text, r#"{"api":"v1","kind":"accepted","task":"t"}"#);
        assert_eq!(serde_json::from_str::<Versioned>(&text).unwrap(), document);
    }
}
