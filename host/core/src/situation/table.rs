//! What may be done about a domain that is on one side or the other. The table, row by row as the code below has it, is in
//! `docs/recovery.md` (*Live*, *Offline* and *Any*), and a test holds the two together.
//!
//! Three rows need words. *Paused, never ran there*: libvirt's reasons `migration` and `starting-up` mean that the
//! incoming guest has not executed one instruction, so the source's copy is complete and newer than nothing.
//! *Runs / runs* is never mended by a program: which copy is the good one is knowledge that no libvirt call has.
//! *Try-again* is the same situation as accept-source, with one thing more: the domain does what it did before the
//! attempt, so that the next one begins as the first did.

use super::post_copy;
use super::view::{Ending, Ran, View, began_anew, ended_by, handed_over, made_by_us};
use super::{Action, Situation};
use crate::plan::{Before, Plan, RunState, SourceFate, TransferMode};

/// The actions that this situation permits, in the order in which a careful person would consider them.
pub fn permitted(plan: &Plan, situation: &Situation) -> Vec<Action> {
    use Action as A;
    let (source, destination) = situation.views(plan);
    if let Some(permitted) = post_copy::permitted(plan, &situation.destination, source, destination) {
        return permitted;
    }
    if situation.has_job() {
        return vec![A::Wait, A::AbortJob];
    }
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
    // Another attempt begins where this one began, or not at all.
    let as_before = || match undefine_first {
        true => vec![A::UndefineDestination, A::HandOver],
        false => vec![A::AcceptSource, A::TryAgain, A::HandOver],
    };
    match (source, destination) {
        // Answered by the table of post-copy.
        (View::PostCopy(_), _) | (_, View::PostCopy(_)) => vec![A::Wait, A::HandOver],
        (View::Odd, _) | (_, View::Odd) => vec![A::Wait, A::HandOver],
        (View::Runs, View::Runs) => vec![A::HandOver],
        (View::Runs, View::Absent | View::Inactive(_)) if plan.initially == RunState::Running => as_before(),
        (View::Runs, View::Absent | View::Inactive(_)) => back_to_source(A::AcceptSource),
        (View::Runs | View::Paused(_), View::Paused(Ran::Never)) => vec![A::DestroyDestination, A::HandOver],
        (View::Runs, View::Paused(Ran::Maybe)) => vec![A::HandOver],
        (View::Paused(_), View::Absent | View::Inactive(_)) if plan.initially == RunState::Running => {
            back_to_source(A::ResumeSource)
        }
        (View::Paused(_), View::Absent | View::Inactive(_)) if plan.initially == RunState::Paused => as_before(),
        (View::Paused(_), View::Absent | View::Inactive(_)) => back_to_source(A::AcceptSource),
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
        // A definition goes with libvirt's last step, a crash leaves it.
        (View::Absent, View::Inactive(Ending::InOrder))
            if undefine_first || plan.source_fate == SourceFate::Undefine =>
        {
            vec![A::AcceptDestination, A::HandOver]
        }
        (View::Inactive(Ending::Untold), View::Absent | View::Inactive(_))
        | (View::Inactive(_) | View::Absent, View::Inactive(Ending::Untold)) => vec![A::HandOver],
        (View::Inactive(Ending::Broken | Ending::Migrated) | View::Absent, View::Inactive(Ending::Migrated)) => {
            vec![A::HandOver]
        }
        // Only what ran can shut down. A definition that was there before may say so of long ago, and in a post-copy half
        // of a guest that somebody ended says the same.
        (View::Inactive(Ending::Broken), View::Inactive(Ending::InOrder))
            if undefine_first && !plan.stream.post_copy && ended_by(&situation.destination, "shutdown") =>
        {
            vec![A::AcceptDestination, A::HandOver]
        }
        // It may be saved, and go on.
        (View::Inactive(Ending::Broken), View::Inactive(Ending::InOrder))
            if !ended_by(&situation.destination, "destroyed") =>
        {
            vec![A::HandOver]
        }
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
        (View::Inactive(_), View::Absent) => vec![A::AcceptSource, A::TryAgain, A::HandOver],
        (View::Inactive(_), View::Inactive(_)) if made_by_us(plan, &situation.destination) => {
            vec![A::UndefineDestination, A::HandOver]
        }
        (View::Inactive(_), View::Inactive(_)) => vec![A::AcceptSource, A::TryAgain, A::HandOver],
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
    let (source, destination) = situation.views(plan);
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
