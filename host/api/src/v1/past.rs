//! What was: readings of a transfer, and what policies answered, over all tasks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waypost_core::feed;

use super::check::Decision;
use super::percent::Percent;
use super::task::Sample;
use crate::time::rfc3339;

/// Past readings of the transfers of one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Samples {
    /// Task id.
    pub task: String,
    /// Oldest first: the last one, and before it at most 256 at even distances. Empty where no memory was moved, and for a task
    /// that a thousand others came after.
    pub samples: Vec<PastSample>,
}

/// A past reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PastSample {
    /// When.
    pub at: String,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Progress of the attempt then in percent, 0 to 100, to the tenth.
    #[schema(value_type = f64, minimum = 0, maximum = 100)]
    pub progress: Percent,
    /// The reading.
    pub sample: Sample,
}

impl From<&feed::PastReading> for PastSample {
    fn from(past: &feed::PastReading) -> Self {
        let reading = &past.reading;
        Self {
            at: rfc3339(reading.at),
            attempt: past.attempt,
            progress: Percent::of_permille(reading.permille),
            sample: Sample::from(&reading.sample),
        }
    }
}

/// Some of the decision records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecisionPage {
    /// Newest first.
    pub decisions: Vec<TaskDecision>,
    /// What to give as `cursor` for those that come after; null: there are no more.
    pub next: Option<String>,
}

/// What one policy was asked and answered in a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskDecision {
    /// Its place among the decision records of all tasks.
    pub sequence: u64,
    /// Task id.
    pub task: String,
    /// The task's domain: its name, or what was asked for.
    pub domain: String,
    /// `answered`; `blocked`: with a blocker about at least one destination; `failed`: there was no usable answer, or it was
    /// not obeyed, and `fault` says why.
    pub verdict: String,
    /// The record.
    pub decision: Decision,
}

impl From<&feed::TaskDecision> for TaskDecision {
    fn from(decided: &feed::TaskDecision) -> Self {
        Self {
            sequence: decided.sequence,
            task: decided.task.to_string(),
            domain: decided.domain_name.clone(),
            verdict: decided.decision.verdict().to_string(),
            decision: Decision::from(&decided.decision),
        }
    }
}
