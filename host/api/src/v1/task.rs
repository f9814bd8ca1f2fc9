//! Tasks: how far, how they ended, and their journals.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waypost_core::feed::DrivenBy;
use waypost_core::ids::{Moment, TaskId};
use waypost_core::journal::{Course, Record};
use waypost_core::outcome::{self, OutcomeKind};
use waypost_core::phase::Phase;
use waypost_core::plan::TransferMode;
use waypost_core::ports::{self, DecisionRecord};
use waypost_core::queue::Turn;
use waypost_core::sample;
use waypost_core::situation;

use super::check::{Choice, Decision, Plan, Verdict};
use super::entry::Entry;
use super::percent::Percent;
use crate::time::rfc3339;

/// All tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tasks {
    /// Newest first.
    pub tasks: Vec<TaskBrief>,
}

/// A task in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskBrief {
    /// Task id.
    pub id: String,
    /// Made.
    pub created_at: String,
    /// Last change.
    pub updated_at: String,
    /// Domain's name, or what was asked for.
    pub domain: String,
    /// Domain's UUID, once known.
    pub domain_id: Option<String>,
    /// From, once known.
    pub source: Option<String>,
    /// To.
    pub destination: String,
    /// URI by which the source's daemon reaches the destination's, once planned.
    pub target_uri: Option<String>,
    /// `queued`, `running`, or how it ended: `completed`, `refused`, `rolled-back`, `cancelled`, `stuck`, `lost`.
    pub status: String,
    /// `accepted`, `planned`, ..., `ended`.
    pub phase: String,
    /// `completed`, `refused`, `rolled-back`, `cancelled`, `stuck`, `lost`; null while it isn't over.
    pub outcome: Option<String>,
    /// Its place in the queue, from 1, while it waits for a slot; null otherwise.
    pub place: Option<usize>,
    /// What is going on, or what happened and where the domain is, in one line.
    pub message: String,
    /// Progress of its last attempt in percent, 0 to 100, to the tenth.
    #[schema(value_type = f64, minimum = 0, maximum = 100)]
    pub progress: Percent,
    /// Who drives it: the `service`, another `process` of its machine, or `nobody`; null once it is over.
    pub driven_by: Option<String>,
}

impl TaskBrief {
    /// From the store's row, from where the tasks of the queue stand, from who drives it, and from where its plan leads.
    pub fn new(
        brief: &ports::TaskBrief,
        standings: &BTreeMap<TaskId, Turn>,
        driven_by: Option<DrivenBy>,
        target_uri: Option<String>,
    ) -> Self {
        let place = match standings.get(&brief.id) {
            Some(Turn::Waiting { place, .. }) if brief.outcome.is_none() => Some(*place),
            _ => None,
        };
        Self { place, driven_by: driven_by.map(|by| by.to_string()), target_uri, ..Self::from(brief) }
    }

    /// How it stands, in a word: its outcome, that it waits and at which place, or its phase.
    pub fn state(&self) -> String {
        match (&self.outcome, self.place) {
            (Some(outcome), _) => outcome.clone(),
            (None, Some(place)) => format!("waiting (place {place})"),
            (None, None) => self.phase.clone(),
        }
    }
}

/// What is going on in a phase, in one line, for whoever sees nothing nearer.
pub fn going_on(phase: Phase, domain: &str, destination: &str) -> String {
    match phase {
        Phase::Accepted => format!("the facts of {domain} are read and the rules are asked"),
        Phase::Planned | Phase::Preparing | Phase::Prepared => {
            format!("the migration of {domain} to {destination} is made ready")
        }
        Phase::Performing => format!("{domain} is moving to {destination}"),
        Phase::Finishing => format!("it is being verified that {domain} is on {destination}"),
        Phase::Locating => format!("{domain} is looked for on both hosts"),
        Phase::Recovering => format!("what to do about {domain} is being decided and done"),
        Phase::Ended => "it is over".to_owned(),
    }
}

/// How a task stands, in the words of `status`.
pub fn standing(outcome: Option<OutcomeKind>, queued: bool) -> String {
    match outcome {
        Some(kind) => kind.to_string(),
        None if queued => "queued".to_owned(),
        None => "running".to_owned(),
    }
}

/// The progress of a task. The reading that says that all is there is written after the record that does.
pub fn progress(permille: u16, outcome: Option<OutcomeKind>) -> Percent {
    Percent::of_permille(if outcome == Some(OutcomeKind::Completed) { 1000 } else { permille })
}

impl From<&ports::TaskBrief> for TaskBrief {
    fn from(brief: &ports::TaskBrief) -> Self {
        let queued = brief.waits && brief.phase == Phase::Accepted;
        let message = match &brief.summary {
            Some(summary) => summary.clone(),
            None if queued => format!("the migration of {} waits for its turn", brief.domain_name),
            None => going_on(brief.phase, &brief.domain_name, brief.destination.as_str()),
        };
        Self {
            message,
            id: brief.id.to_string(),
            created_at: rfc3339(brief.created_at),
            updated_at: rfc3339(brief.updated_at),
            domain: brief.domain_name.clone(),
            domain_id: brief.domain.map(|id| id.to_string()),
            source: brief.source.as_ref().map(ToString::to_string),
            destination: brief.destination.to_string(),
            target_uri: None,
            status: standing(brief.outcome, queued),
            phase: brief.phase.to_string(),
            outcome: brief.outcome.map(|kind| kind.to_string()),
            place: None,
            progress: progress(brief.permille, brief.outcome),
            driven_by: None,
        }
    }
}

/// A task with everything that is on record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Task {
    /// Task id.
    pub id: String,
    /// Where it is.
    pub phase: String,
    /// Attempt, from 1.
    pub attempt: u32,
    /// How it ended; null while it isn't over.
    pub outcome: Option<Outcome>,
    /// Its journal, in order.
    pub journal: Vec<Entry>,
    /// What each policy was asked and answered, in order.
    pub decisions: Vec<Decision>,
    /// What was asked for: the domain's name or UUID.
    #[serde(default)]
    pub domain: String,
    /// What was asked for: to which host.
    #[serde(default)]
    pub destination: String,
    /// Who asked for it.
    #[serde(default)]
    pub requested_by: String,
    /// What the rules said last, once they were asked.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// The plan of this attempt, once it is made.
    #[serde(default)]
    pub plan: Option<Plan>,
    /// The plan's choices in words; empty without a plan.
    #[serde(default)]
    pub choices: Vec<Choice>,
    /// Final figures of the transfer of a completed live migration; null otherwise.
    #[serde(default)]
    pub figures: Option<Sample>,
    /// From the request to the end; null while it isn't over.
    #[serde(default)]
    pub total_ms: Option<u64>,
}

impl Task {
    /// From the store's records and what they come to; `choices` are the plan's, `reading` is the last one.
    pub fn new(
        id: TaskId,
        course: &Course,
        journal: &[(Moment, Record)],
        decisions: &[DecisionRecord],
        choices: Vec<Choice>,
        reading: Option<&sample::Sample>,
    ) -> Self {
        let live = course.plan.as_ref().is_some_and(|plan| plan.mode == TransferMode::Live);
        let completed = course.outcome.as_ref().is_some_and(|outcome| outcome.kind == OutcomeKind::Completed);
        let ended = journal.iter().rev().find(|(_, record)| matches!(record, Record::Ended { .. }));
        let began = journal.first().map_or(0, |(at, _)| at.0);
        Self {
            id: id.to_string(),
            phase: course.phase.to_string(),
            attempt: course.attempt,
            outcome: course.outcome.as_ref().map(Outcome::from),
            journal: journal.iter().map(|(at, record)| Entry::new(*at, record)).collect(),
            decisions: decisions.iter().map(Decision::from).collect(),
            domain: course.request.domain.to_string(),
            destination: course.request.destination.to_string(),
            requested_by: course.request.requester.clone(),
            verdict: course.verdict.as_ref().map(Verdict::from),
            plan: course.plan.as_ref().map(Plan::from),
            choices,
            figures: reading.filter(|_| live && completed).map(Sample::from),
            total_ms: ended.filter(|_| course.outcome.is_some()).map(|(at, _)| at.0.saturating_sub(began)),
        }
    }

    /// Its end, as whoever followed it is told; none while it isn't over.
    pub fn ended(self) -> Option<Ended> {
        let outcome = self.outcome?;
        let total_ms = self.total_ms.unwrap_or_default();
        Some(Ended { task: self.id, outcome, verdict: self.verdict, plan: self.plan, figures: self.figures, total_ms })
    }
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outcome {
    /// `completed`, `refused`, `rolled-back`, `cancelled`, `stuck`, `lost`.
    pub kind: String,
    /// What happened, and where the domain is now.
    pub summary: String,
    /// What went wrong, in the order seen.
    pub causes: Vec<String>,
    /// What a person should do.
    pub remedy: Option<String>,
}

impl From<&outcome::Outcome> for Outcome {
    fn from(outcome: &outcome::Outcome) -> Self {
        Self {
            kind: outcome.kind.to_string(),
            summary: outcome.summary.clone(),
            causes: outcome.causes.clone(),
            remedy: outcome.remedy.clone(),
        }
    }
}

/// A task that is over, as the command that followed it saw it end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ended {
    /// Task id.
    pub task: String,
    /// How.
    pub outcome: Outcome,
    /// What the rules said, if they were asked.
    pub verdict: Option<Verdict>,
    /// What was planned, if it came to that.
    pub plan: Option<Plan>,
    /// Final figures of the transfer, where there are any.
    pub figures: Option<Sample>,
    /// From the request to the end.
    pub total_ms: u64,
}

/// What was asked of a running transfer. Whether it was done is in the task's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Steered {
    /// Task id.
    pub task: String,
    /// What, in order.
    pub asked: Vec<Wish>,
}

/// One thing that was asked of a running transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Wish {
    /// `set-downtime`, `set-bandwidth`, `set-throttle`, `post-copy`, `suspend`.
    pub action: String,
    /// Of a limit: ms, MiB/s, or percent.
    pub value: Option<u64>,
}

/// A running task at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Task id.
    pub task: String,
    /// Domain.
    pub domain: String,
    /// From, once known.
    pub source: Option<String>,
    /// To.
    pub destination: String,
    /// Where it is.
    pub phase: String,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Progress of the attempt in percent, 0 to 100, to the tenth. Never runs backwards within an attempt.
    #[schema(value_type = f64, minimum = 0, maximum = 100)]
    pub progress: Percent,
    /// What is going on.
    pub note: String,
    /// The last reading.
    pub sample: Option<Sample>,
}

/// One reading of a transfer. What the hypervisor doesn't report is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sample {
    /// `disks` (nothing of the memory yet), `pre-copy`, `post-copy`, `final`.
    pub stage: String,
    /// Since the job began.
    pub elapsed_ms: u64,
    /// In all.
    pub total_bytes: u64,
    /// Moved; grows beyond the total when pages are sent again.
    pub processed_bytes: u64,
    /// Still to move.
    pub remaining_bytes: u64,
    /// Throughput.
    pub bytes_per_s: Option<u64>,
    /// What the guest dirties.
    pub dirty_bytes_per_s: Option<u64>,
    /// Pass over the memory, from 1.
    pub iteration: Option<u64>,
    /// Expected downtime; in a final reading the real one.
    pub downtime_ms: Option<u64>,
    /// Estimated remaining time; null also where the guest dirties as fast as the link carries.
    pub remaining_ms: Option<u64>,
    /// Throttling of the guest's CPUs.
    pub throttle_percent: Option<u32>,
}

impl From<&sample::Sample> for Sample {
    fn from(sample: &sample::Sample) -> Self {
        Self {
            stage: sample.stage.as_str().to_owned(),
            elapsed_ms: sample.elapsed_ms,
            total_bytes: sample.total_bytes,
            processed_bytes: sample.processed_bytes,
            remaining_bytes: sample.remaining_bytes,
            bytes_per_s: sample.bytes_per_s,
            dirty_bytes_per_s: sample.dirty_bytes_per_s(),
            iteration: sample.iteration,
            downtime_ms: sample.downtime_ms,
            remaining_ms: sample.remaining_ms.or_else(|| sample.estimated_remaining_ms()),
            throttle_percent: sample.throttle_percent,
        }
    }
}

/// What both sides of a task say now, and what that permits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Look {
    /// Task id.
    pub task: String,
    /// Source.
    pub source: Side,
    /// Destination.
    pub destination: Side,
    /// Actions, in the order in which a careful person would consider them.
    pub permitted: Vec<String>,
    /// Networks over which a permitted `resume-post-copy` may go, the next in turn first; empty where there is no choice.
    pub networks: Vec<String>,
}

/// What one host says of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "domain", rename_all = "kebab-case")]
pub enum Side {
    /// The host can't be asked.
    Unknown {
        /// Why.
        why: String,
    },
    /// It has no such domain.
    Absent,
    /// It has it.
    Present {
        /// Name there.
        name: String,
        /// State.
        state: String,
        /// libvirt's reason.
        reason: String,
        /// Defined.
        persistent: bool,
        /// Starts with the host.
        autostart: bool,
        /// A job runs on it.
        job: bool,
        /// Disks for which an I/O error stopped it, each with what is wrong: `vda: no space`.
        #[serde(default)]
        disk_errors: Vec<String>,
    },
}

impl From<&situation::Side> for Side {
    fn from(side: &situation::Side) -> Self {
        match side {
            situation::Side::Unknown(why) => Self::Unknown { why: why.clone() },
            situation::Side::Absent { .. } => Self::Absent,
            situation::Side::Present(seen) => Self::Present {
                name: seen.name.clone(),
                state: seen.state.to_string(),
                reason: seen.reason.clone(),
                persistent: seen.persistent,
                autostart: seen.autostart,
                job: seen.job,
                disk_errors: seen.disk_errors.0.clone(),
            },
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { why } => write!(f, "unknown ({why})"),
            Self::Absent => f.write_str("absent"),
            Self::Present { state, reason, persistent, job, disk_errors, .. } => {
                let defined = if *persistent { ", defined" } else { "" };
                let job = if *job { ", a job runs" } else { "" };
                write!(f, "{state} ({reason}){defined}{job}")?;
                disk_errors.iter().try_for_each(|error| write!(f, ", disk {error}"))
            }
        }
    }
}
