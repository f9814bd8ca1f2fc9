//! The port for readers of what happens: every record of every task in one order, pages of tasks, and the keys under which
//! programs repeat a request without repeating its effect.
//!
//! It is apart from [`Store`](crate::ports::Store), because who drives migrations needs none of it. The order is the store's
//! own: a change gets its number in the transaction that writes its record, so a reader who has seen number `n` has seen
//! everything before it, from whatever process it came.

use std::collections::BTreeMap;

use crate::ids::{HostName, Moment, TaskId};
use crate::journal::Record;
use crate::outcome::OutcomeKind;
use crate::phase::Phase;
use crate::ports::{DecisionRecord, DecisionVerdict, Reading, StoreFault, TaskBrief};
use crate::words;

/// A record that was written, with its place among all records of all tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its place, from 1; grows with time and never repeats. Numbers may be left out.
    pub sequence: u64,
    /// Task.
    pub task: TaskId,
    /// Its place in the task's journal, from 1.
    pub number: u32,
    /// Attempt that it belongs to, from 1.
    pub attempt: u32,
    /// When it was written.
    pub at: Moment,
    /// The phase that the task was in after it; none for a record from before this was kept.
    pub phase: Option<Phase>,
    /// The record.
    pub record: Record,
}

/// A reading of a transfer that was kept for plots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastReading {
    /// Attempt that it belongs to, from 1.
    pub attempt: u32,
    /// The reading.
    pub reading: Reading,
}

/// Which decision records are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DecisionQuery {
    /// Only those of this policy.
    pub plugin: Option<String>,
    /// Only those of this hook.
    pub hook: Option<String>,
    /// Only those that came to this.
    pub verdict: Option<DecisionVerdict>,
    /// Only those that were written before the one of this number.
    pub before: Option<u64>,
}

/// A decision record with its place among all decision records of all tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskDecision {
    /// Its place, from 1; grows with time and never repeats.
    pub sequence: u64,
    /// Task.
    pub task: TaskId,
    /// The task's domain as it was asked for, or its name once known.
    pub domain_name: String,
    /// The record.
    pub decision: DecisionRecord,
}

/// How many tasks are on record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standings {
    /// Those that are not over, by phase; a phase that is not named has none.
    pub unfinished: Vec<(Phase, u64)>,
    /// Those that are over, by outcome; an outcome that is not named has none.
    pub ended: Vec<(OutcomeKind, u64)>,
}

/// An unfinished task whose transfer was read at least once in this attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moving {
    /// The task, with the progress of the reading.
    pub brief: TaskBrief,
    /// Attempt, from 1.
    pub attempt: u32,
    /// The last reading.
    pub reading: Reading,
}

/// Which tasks are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskQuery {
    /// Only those in one of these states; empty: in any.
    pub states: Vec<TaskState>,
    /// Only those of the domain of this name or UUID.
    pub domain: Option<String>,
    /// Only those from or to this host.
    pub host: Option<HostName>,
    /// Only those of which a record was written at this moment or later.
    pub changed_since: Option<Moment>,
    /// Only those that come after this one in the list.
    pub after: Option<Place>,
}

/// Where a list of tasks goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// When the last task of the page before was made.
    pub created_at: Moment,
    /// That task.
    pub task: TaskId,
}

/// What a list of tasks may be narrowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Not over.
    Unfinished,
    /// Not over, and in this phase.
    In(Phase),
    /// Over, in this way.
    Ended(OutcomeKind),
}

/// A key under which a request may be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// Whose key: two who ask may choose the same words, and may go by the same name. A text that no two of them share.
    pub owner: String,
    /// The words.
    pub key: String,
    /// SHA-256 of the request, hexadecimal.
    pub digest: String,
}

/// What a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyClaim {
    /// It was free, and now stands for the task that was named.
    New,
    /// It stands for this task, and the request was the same.
    Same(TaskId),
    /// It stands for this task, and the request was another one.
    Other(TaskId),
}

words! {
    /// Who drives a task.
    pub enum DrivenBy {
        /// The service of the store.
        Service = "service",
        /// Another process of the store's machine.
        Process = "process",
        /// Nobody: whoever drove it is gone, and it waits for the next one.
        Nobody = "nobody",
    }
}

/// What readers need of a store. Safe to call from any thread; a call reads a local disk and takes milliseconds.
pub trait Feed: Send + Sync {
    /// Something that differs from what it was whenever anything was written by anybody, in whatever process. Cheap enough to
    /// be asked several times a second.
    fn version(&self) -> Result<u64, StoreFault>;
    /// The number of the last change; 0 if there is none.
    fn last_change(&self) -> Result<u64, StoreFault>;
    /// Changes after that number in their order, `most` of them at most: of all tasks, or of one.
    fn changes(&self, of: Option<TaskId>, after: u64, most: u32) -> Result<Vec<Change>, StoreFault>;
    /// The number of the last change of one task; 0 if there is no such task.
    fn last_change_of(&self, task: TaskId) -> Result<u64, StoreFault>;
    /// Readings of one task's transfers, oldest first: the last one, and before it as many at even distances as are kept.
    fn samples(&self, task: TaskId) -> Result<Vec<PastReading>, StoreFault>;
    /// Decision records of all tasks, newest first, `most` of them at most.
    fn decisions_of(&self, query: &DecisionQuery, most: u32) -> Result<Vec<TaskDecision>, StoreFault>;
    /// How many tasks are on record, and how they stand.
    fn standings(&self) -> Result<Standings, StoreFault>;
    /// Every unfinished task that has a reading.
    fn moving(&self) -> Result<Vec<Moving>, StoreFault>;
    /// Tasks, newest first, `most` of them at most.
    fn page(&self, query: &TaskQuery, most: u32) -> Result<Vec<TaskBrief>, StoreFault>;
    /// One task; none if there is no such task.
    fn brief(&self, task: TaskId) -> Result<Option<TaskBrief>, StoreFault>;
    /// The URIs by which the sources' daemons reach the destinations', of those of these tasks whose last attempt has a plan.
    fn targets(&self, tasks: &[TaskId]) -> Result<BTreeMap<TaskId, String>, StoreFault>;
    /// Keeps within what else a task was asked for, in the words of whoever follows requests through several programs.
    fn note_context(&self, task: TaskId, context: &str) -> Result<(), StoreFault>;
    /// Within what else a task was asked for; none: nobody said so.
    fn context_of(&self, task: TaskId) -> Result<Option<String>, StoreFault>;
    /// Who drives a task right now. Of one that is over nobody does.
    fn driver(&self, task: TaskId) -> Result<DrivenBy, StoreFault>;
    /// Lets a key stand for a task that is about to be made, if it stands for none. Keys older than `forget` are forgotten.
    fn claim_key(&self, key: &RequestKey, task: TaskId, at: Moment, forget: Moment) -> Result<KeyClaim, StoreFault>;
    /// Frees a key whose task was not made after all; one whose task exists stays.
    fn release_key(&self, key: &RequestKey) -> Result<(), StoreFault>;
}
