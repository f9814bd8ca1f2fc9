//! Where the domain is, from what both sides say, and what may be done about it.
//!
//! [`permitted`] is the safety of the whole program: the engine does nothing to a domain after the commit point that is
//! not in its answer, and a recovery policy only chooses from it. The table, for a live migration; the first row that
//! fits counts:
//!
//! | source | destination | permitted |
//! |---|---|---|
//! | either has a job | | wait, abort-job (hand over while it runs: never) |
//! | unknown, or another host answered | any | wait, hand-over |
//! | any | unknown, or another host answered | wait, hand-over |
//! | runs | runs | hand-over |
//! | runs | absent, or shut off | accept-source; before it undefine-destination if this migration defined it |
//! | runs | paused, never ran there | destroy-destination |
//! | paused | absent, or shut off | resume-source if it ran before, else accept-source |
//! | paused | runs | destroy-source (the copy that the destination has overtaken); hand-over if somebody booted that one |
//! | paused | paused, never ran there | destroy-destination |
//! | paused | paused, may have run there | hand-over |
//! | not active | runs | accept-destination |
//! | migrated away | paused | resume-destination, or accept-destination if paused is what was asked for |
//! | not active otherwise | paused | hand-over |
//! | migrated away, or gone after this migration defined the other | shut off in order | accept-destination: it arrived, and was stopped there |
//! | crashed or failed | not active | declare-lost |
//! | shut off, nobody knows why | not active | hand-over |
//! | shut off in order | not active | accept-source |
//! | absent | absent, or shut off | declare-lost |
//!
//! Two rows need words. *Paused, never ran there*: libvirt's reasons `migration` and `starting-up` mean that the
//! incoming guest has not executed one instruction, so the source's copy is complete and newer than nothing.
//! *Runs / runs* is never mended by a program: which copy is the good one is knowledge that no libvirt call has.

use uuid::Uuid;

use crate::facts::DomainState;
use crate::plan::{Before, Plan, RunState, SourceFate, TransferMode};
use crate::words;

/// What one host says of the domain's UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// It can't be asked; why.
    Unknown(String),
    /// It answered: no such domain.
    Absent {
        /// Host UUID of who answered.
        host: Option<Uuid>,
    },
    /// It answered.
    Present(Observed),
}

/// A domain as one host sees it right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Host UUID of who answered.
    pub host: Option<Uuid>,
    /// Name there.
    pub name: String,
    /// State.
    pub state: DomainState,
    /// libvirt's reason, its spelling without prefix.
    pub reason: String,
    /// Defined.
    pub persistent: bool,
    /// Starts with the host.
    pub autostart: bool,
    /// A job runs on it.
    pub job: bool,
}

/// Both sides, read one right after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// Source.
    pub source: Side,
    /// Destination.
    pub destination: Side,
}

impl Situation {
    /// A job runs on either side.
    pub fn has_job(&self) -> bool {
        has_job(&self.source) || has_job(&self.destination)
    }
    /// Either side can't be asked.
    pub fn is_dark(&self) -> bool {
        [&self.source, &self.destination].iter().any(|side| matches!(side, Side::Unknown(_)))
    }
}

words! {
    /// What may be done. A stable list: new actions may come, none changes its meaning.
    pub enum Action {
        /// Look again later.
        Wait = "wait",
        /// Ask libvirt to abort the job.
        AbortJob = "abort-job",
        /// Let the vCPUs of the source's copy run again.
        ResumeSource = "resume-source",
        /// Let the vCPUs of the destination's copy run.
        ResumeDestination = "resume-destination",
        /// End the destination's copy, which never ran.
        DestroyDestination = "destroy-destination",
        /// Remove the definition that this migration left on the destination.
        UndefineDestination = "undefine-destination",
        /// End the source's paused copy, which the running destination has overtaken.
        DestroySource = "destroy-source",
        /// Finish the task: the domain is on the source.
        AcceptSource = "accept-source",
        /// Finish the task: the domain is on the destination.
        AcceptDestination = "accept-destination",
        /// Finish the task as stuck, with the evidence, for a person.
        HandOver = "hand-over",
        /// Finish the task as lost: no copy runs and none can be continued.
        DeclareLost = "declare-lost",
    }
}

impl Action {
    /// Whether it takes something away. Both sides are read again right before such an action.
    pub fn is_destructive(self) -> bool {
        matches!(self, Self::DestroyDestination | Self::UndefineDestination | Self::DestroySource)
    }
}

/// One side in the terms of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Unknown,
    Absent,
    Inactive(Ending),
    Runs,
    Paused(Ran),
    /// Shutting down, suspended by the guest, ...: neither runs nor can be reasoned about.
    Odd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Migrated,
    Broken,
    InOrder,
    Untold,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ran {
    Never,
    Maybe,
}

fn view(side: &Side, planned: Option<Uuid>) -> View {
    let foreign = |host: Option<Uuid>| matches!((planned, host), (Some(p), Some(h)) if p != h);
    match side {
        Side::Unknown(_) => View::Unknown,
        Side::Absent { host } if foreign(*host) => View::Unknown,
        Side::Absent { .. } => View::Absent,
        Side::Present(seen) if foreign(seen.host) => View::Unknown,
        Side::Present(seen) => match (seen.state, seen.reason.as_str()) {
            (DomainState::Running | DomainState::Blocked, _) => View::Runs,
            (DomainState::Paused, "migration" | "starting-up") => View::Paused(Ran::Never),
            (DomainState::Paused, _) => View::Paused(Ran::Maybe),
            (DomainState::ShutOff, "migrated") => View::Inactive(Ending::Migrated),
            (DomainState::ShutOff, "crashed" | "failed") => View::Inactive(Ending::Broken),
            // What a daemon says after its own restart: it proves nothing.
            (DomainState::ShutOff, "unknown") => View::Inactive(Ending::Untold),
            (DomainState::ShutOff, _) => View::Inactive(Ending::InOrder),
            (DomainState::Crashed, _) => View::Inactive(Ending::Broken),
            _ => View::Odd,
        },
    }
}

fn has_job(side: &Side) -> bool {
    matches!(side, Side::Present(seen) if seen.job)
}

/// Whether the source gave the whole memory away: it says so, or it is gone although nothing was to be kept there (a
/// transient domain leaves its source without a word).
fn handed_over(plan: &Plan, source: View) -> bool {
    source == View::Inactive(Ending::Migrated)
        || (source == View::Absent && plan.source_fate != SourceFate::KeepWithoutAutostart)
}

/// Whether a running copy began by itself and not as the other end of a migration.
fn began_anew(side: &Side) -> bool {
    matches!(side, Side::Present(seen) if matches!(seen.reason.as_str(), "booted" | "restored" | "from-snapshot"))
}

/// Whether the destination's definition is this migration's own: nothing was there before.
fn made_by_us(plan: &Plan, destination: &Side) -> bool {
    plan.destination_before == Before::Absent && matches!(destination, Side::Present(seen) if seen.persistent)
}

/// The actions that this situation permits, in the order in which a careful person would consider them.
pub fn permitted(plan: &Plan, situation: &Situation) -> Vec<Action> {
    use Action as A;
    if situation.has_job() {
        return vec![A::Wait, A::AbortJob];
    }
    let source = view(&situation.source, plan.source.uuid);
    let destination = view(&situation.destination, plan.destination.uuid);
    if source == View::Unknown || destination == View::Unknown {
        return vec![A::Wait, A::HandOver];
    }
    match plan.mode {
        TransferMode::Live => live(plan, situation, source, destination),
        TransferMode::Offline => offline(plan, situation, source, destination),
    }
}

fn live(plan: &Plan, situation: &Situation, source: View, destination: View) -> Vec<Action> {
    use Action as A;
    let undefine_first = made_by_us(plan, &situation.destination);
    let back_to_source =
        |then: A| if undefine_first { vec![A::UndefineDestination, A::HandOver] } else { vec![then, A::HandOver] };
    match (source, destination) {
        (View::Odd, _) | (_, View::Odd) => vec![A::Wait, A::HandOver],
        (View::Runs, View::Runs) => vec![A::HandOver],
        (View::Runs, View::Absent | View::Inactive(_)) => back_to_source(A::AcceptSource),
        (View::Runs | View::Paused(_), View::Paused(Ran::Never)) => vec![A::DestroyDestination, A::HandOver],
        (View::Runs, View::Paused(Ran::Maybe)) => vec![A::HandOver],
        (View::Paused(_), View::Absent | View::Inactive(_)) => {
            let then = if plan.initially == RunState::Running { A::ResumeSource } else { A::AcceptSource };
            back_to_source(then)
        }
        // One that was booted or restored there holds another past than the source's memory.
        (View::Paused(_), View::Runs) if began_anew(&situation.destination) => vec![A::HandOver],
        (View::Paused(_), View::Runs) => vec![A::DestroySource, A::HandOver],
        (View::Paused(_), View::Paused(Ran::Maybe)) => vec![A::HandOver],
        (View::Absent | View::Inactive(_), View::Runs) => vec![A::AcceptDestination, A::HandOver],
        (View::Absent | View::Inactive(Ending::Migrated), View::Paused(ran)) => {
            if plan.finally == RunState::Paused && handed_over(plan, source) {
                vec![A::AcceptDestination, A::HandOver]
            } else if source == View::Inactive(Ending::Migrated) && ran == Ran::Never {
                vec![A::ResumeDestination, A::HandOver]
            } else {
                vec![A::HandOver]
            }
        }
        (View::Inactive(_), View::Paused(_)) => vec![A::HandOver],
        (View::Inactive(Ending::Migrated), View::Inactive(Ending::InOrder)) => vec![A::AcceptDestination, A::HandOver],
        (View::Absent, View::Inactive(Ending::InOrder)) if undefine_first => vec![A::AcceptDestination, A::HandOver],
        (View::Inactive(Ending::Untold), View::Absent | View::Inactive(_))
        | (View::Inactive(_) | View::Absent, View::Inactive(Ending::Untold)) => vec![A::HandOver],
        (View::Inactive(Ending::Broken | Ending::Migrated), View::Absent | View::Inactive(_)) => {
            vec![A::DeclareLost, A::HandOver]
        }
        (View::Inactive(Ending::InOrder), View::Absent | View::Inactive(_)) => back_to_source(A::AcceptSource),
        (View::Absent, View::Absent | View::Inactive(_)) => vec![A::DeclareLost, A::HandOver],
        // Unknown was answered by the caller.
        (View::Unknown, _) | (_, View::Unknown) => vec![A::Wait, A::HandOver],
    }
}

/// An offline migration moves a definition; there is no memory to lose, but a definition must be left, and one only.
fn offline(plan: &Plan, situation: &Situation, source: View, destination: View) -> Vec<Action> {
    use Action as A;
    match (source, destination) {
        (View::Inactive(_), View::Absent) => vec![A::AcceptSource, A::HandOver],
        (View::Inactive(_), View::Inactive(_)) if made_by_us(plan, &situation.destination) => {
            vec![A::UndefineDestination, A::HandOver]
        }
        (View::Inactive(_), View::Inactive(_)) => vec![A::AcceptSource, A::HandOver],
        (View::Absent, View::Inactive(_)) => vec![A::AcceptDestination, A::HandOver],
        (View::Absent, View::Absent) => vec![A::DeclareLost, A::HandOver],
        // Somebody started it meanwhile, on one side or the other: what they did stands, a leftover of ours may go.
        (View::Runs | View::Paused(_), View::Absent) => vec![A::AcceptSource, A::HandOver],
        (View::Runs | View::Paused(_), View::Inactive(_)) if made_by_us(plan, &situation.destination) => {
            vec![A::UndefineDestination, A::HandOver]
        }
        (View::Runs | View::Paused(_), View::Inactive(_)) => vec![A::AcceptSource, A::HandOver],
        (View::Absent | View::Inactive(_), View::Runs | View::Paused(_)) => vec![A::AcceptDestination, A::HandOver],
        _ => vec![A::HandOver],
    }
}

/// Whether this is what a finished migration must look like: asked after libvirt said that it worked, and, after a
/// restart of the controller, instead of what libvirt would have said.
pub fn arrived(plan: &Plan, situation: &Situation) -> bool {
    if situation.has_job() {
        return false;
    }
    let source = view(&situation.source, plan.source.uuid);
    let destination = view(&situation.destination, plan.destination.uuid);
    match plan.mode {
        TransferMode::Live => {
            match destination {
                View::Runs => plan.finally == RunState::Running && matches!(source, View::Absent | View::Inactive(_)),
                // A paused copy may be half a memory: only a source that says that it moved, or is gone, completes it.
                View::Paused(_) => plan.finally == RunState::Paused && handed_over(plan, source),
                _ => false,
            }
        }
        // Two shut-off definitions look the same before and after: only a source that is gone, or a destination that
        // was not there before, is proof.
        TransferMode::Offline => {
            let proof = source == View::Absent
                || (matches!(source, View::Inactive(_))
                    && plan.source_fate == SourceFate::KeepWithoutAutostart
                    && plan.destination_before == Before::Absent);
            matches!(destination, View::Inactive(_)) && proof
        }
    }
}

#[cfg(test)]
mod tests;
