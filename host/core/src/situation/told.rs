//! The tables in words: why just this is permitted, for a person who has to choose.

use super::view::{Ending, Half, Ran, View};
use super::{Action, Situation};
use crate::plan::Plan;

/// Why the answer of [`super::permitted`] is what it is.
pub fn why(plan: &Plan, situation: &Situation) -> &'static str {
    use Half::{Broken, Flowing};
    let (source, destination) = situation.views(plan);
    match (source, destination) {
        (View::PostCopy(Flowing), View::PostCopy(Flowing)) => {
            "the guest runs on the destination and its memory follows; the two copies are one guest"
        }
        (View::PostCopy(Broken), View::PostCopy(Broken)) => {
            "the stream of a post-copy broke; both halves of the guest are there and can be joined again"
        }
        (View::PostCopy(Broken), View::PostCopy(Flowing)) => {
            "the source knows that the post-copy broke, the destination does not yet: it refuses to be joined until it does"
        }
        (View::PostCopy(Flowing), View::PostCopy(Broken)) => {
            "the destination knows that the post-copy broke, the source does not yet"
        }
        (View::PostCopy(Broken), View::Absent | View::Inactive(_)) => {
            "the source holds half of a guest, and the destination's process with the other half is gone"
        }
        (View::Absent | View::Inactive(_), View::PostCopy(Broken)) => {
            "the destination holds half of a guest, and the source's process with the other half is gone"
        }
        (View::PostCopy(_), _) | (_, View::PostCopy(_)) => {
            "one side holds half of a guest, and nothing proves yet what became of the other half"
        }
        _ if situation.has_job() => "a job runs on the domain: its end is what shows where the domain is",
        (View::Unknown, _) | (_, View::Unknown) => {
            "a side can't be asked, or doesn't tell enough, or another host answers for it: the domain may run there"
        }
        (View::Runs, View::Runs) => "the domain runs on both sides: which copy is the good one no program knows",
        (View::Runs, View::Absent | View::Inactive(_)) => "the domain runs on the source, and nowhere else",
        (View::Runs | View::Paused(_), View::Paused(Ran::Never)) => {
            "the destination's copy never ran; the source's is complete"
        }
        (View::Runs | View::Paused(_), View::Paused(Ran::Maybe)) => {
            "the destination's copy may have run: which one is newer no call tells"
        }
        (View::Paused(_), View::Absent | View::Inactive(_)) => "the source's copy is the only one",
        (View::Paused(_), View::Runs) => "the destination's copy runs, and has overtaken the source's",
        (View::Absent | View::Inactive(_), View::Runs) => "the domain runs on the destination, and nowhere else",
        (View::Absent | View::Inactive(_), View::Paused(_)) => {
            "the source's copy is gone; what the destination's holds depends on whether the source handed it over"
        }
        (View::Inactive(Ending::Untold), _) | (_, View::Inactive(Ending::Untold)) => {
            "a daemon was restarted and can't say how its domain ended"
        }
        (View::Inactive(_) | View::Absent, View::Absent | View::Inactive(_)) => "no process of the domain is left",
        (View::Odd, _) | (_, View::Odd) => "a side is in a state that is not one to reason about; it will pass",
    }
}

impl Action {
    /// What it does, in one sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Wait => "look again later",
            Self::AbortJob => "ask libvirt to abort the job",
            Self::ResumeSource => "let the source's copy run again",
            Self::ResumeDestination => "let the destination's copy run",
            Self::DestroyDestination => "end the destination's copy, which never ran",
            Self::UndefineDestination => "remove the definition that this migration left on the destination",
            Self::DestroySource => "end the source's paused copy, which is overtaken",
            Self::ResumePostCopy => "join the two halves of the guest again, so that the rest of its memory follows",
            Self::InterruptPostCopy => "interrupt the post-copy on the source, so that it can be resumed",
            Self::TryAgain => "undo what this attempt made ready, and begin another one",
            Self::AcceptSource => "end the task: the domain is on the source",
            Self::AcceptDestination => "end the task: the domain is on the destination",
            Self::HandOver => "end the task as stuck, for a person",
            Self::DeclareLost => "end the task as lost: no copy can be continued",
        }
    }
}
