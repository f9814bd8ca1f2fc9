//! What a watcher sees of a task. Each view replaces the one before; a slow watcher misses some and never the last.

use waypost_core::ids::{HostName, TaskId};
use waypost_core::journal::Course;
use waypost_core::outcome::Outcome;
use waypost_core::phase::Phase;
use waypost_core::plan::Plan;
use waypost_core::sample::Sample;
use waypost_core::verdict::Verdict;

/// A task at one moment.
#[derive(Debug, Clone)]
pub struct View {
    /// Which.
    pub task: TaskId,
    /// Grows with every change.
    pub generation: u64,
    /// Phase.
    pub phase: Phase,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Domain as far as known: its name, else what was asked for.
    pub domain: String,
    /// Source, once known.
    pub source: Option<HostName>,
    /// Destination.
    pub destination: HostName,
    /// Progress, permille; never runs backwards within an attempt.
    pub permille: u16,
    /// The last reading; after the end the final figures.
    pub sample: Option<Sample>,
    /// The verdict, once known.
    pub verdict: Option<Verdict>,
    /// The plan, once made.
    pub plan: Option<Plan>,
    /// What is going on, one line.
    pub note: String,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Who asked for it.
    pub requester: String,
    /// Somebody asked to cancel it.
    pub cancel_requested: bool,
}

impl View {
    /// What a course alone shows: no progress, no reading, no note.
    pub(crate) fn of(task: TaskId, course: &Course) -> Self {
        let plan = course.plan.as_ref();
        Self {
            task,
            generation: 0,
            phase: course.phase,
            attempt: course.attempt,
            domain: plan.map_or_else(|| course.request.domain.to_string(), |plan| plan.name.clone()),
            source: plan.map(|plan| plan.source.host.clone()).or_else(|| course.request.source.clone()),
            destination: course.current.destination.clone(),
            permille: 0,
            sample: None,
            verdict: course.verdict.clone(),
            plan: course.plan.clone(),
            note: String::new(),
            outcome: course.outcome.clone(),
            requester: course.request.requester.clone(),
            cancel_requested: course.cancel_requested,
        }
    }
}
