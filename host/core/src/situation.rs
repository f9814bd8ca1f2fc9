//! Where the domain is, from what both sides say, and what may be done about it.
//!
//! [`permitted`] is the safety of the whole program: the engine does nothing to a domain after the commit point that is
//! not in its answer, and a recovery policy only chooses from it. `docs/recovery.md` has the tables, [`table`] is the one of a
//! domain that is on one side or the other, [`post_copy`] of one whose memory is on both. In which phase any of it may be done
//! is the phase table's to say: [`crate::phase::next`] lets an action be intended while recovering, and at no other time.

mod clues;
mod history;
mod post_copy;
mod standing;
mod table;
mod told;
mod view;

pub use clues::clue;
pub use history::{History, Withheld};
pub use standing::Standing;
pub use table::{arrived, permitted};
pub use told::why;

use uuid::Uuid;

use crate::facts::DomainState;
use crate::plan::{Plan, TransferMode};
use crate::words;
use view::{Ending, Ran, View, has_job, view};

/// What one host says of the domain's UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// It can't be asked, or can't tell all that decides, as where the hypervisor does not answer it; why.
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
    /// Its disks that an I/O error stopped it for.
    pub disk_errors: DiskErrors,
}

/// Disks with what is wrong with each: `vda: no space`. Evidence for a person; nothing is decided on it. Read only of a guest
/// that an I/O error stopped, because it is its hypervisor's process that is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DiskErrors(pub Vec<String>);

impl Observed {
    /// An incoming guest that has not executed one instruction: libvirt's reasons `migration` and `starting-up`.
    pub fn never_ran(&self) -> bool {
        self.state == DomainState::Paused && matches!(self.reason.as_str(), "migration" | "starting-up")
    }
}

impl Side {
    /// Whether the source still is where the domain lives: it is active there and nothing takes it away, or off in order, so that
    /// nobody has moved it on. Of a definition that was off from the start it is enough that it doesn't say that it was moved.
    pub fn is_at_home(&self, plan: &Plan) -> bool {
        if has_job(self) {
            return false;
        }
        match view(self, plan.source.uuid) {
            View::Runs | View::Paused(Ran::Maybe) | View::Odd | View::Inactive(Ending::InOrder) => true,
            View::Inactive(Ending::Broken | Ending::Untold) => plan.mode == TransferMode::Offline,
            View::Inactive(Ending::Migrated)
            | View::Paused(Ran::Never)
            | View::PostCopy(_)
            | View::Absent
            | View::Unknown => false,
        }
    }
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
    /// The domain's memory is on both sides, and nothing moves the rest by itself: both copies wait to be joined again, or
    /// one of them is gone for good.
    pub fn is_interrupted(&self, plan: &Plan) -> bool {
        let (source, destination) = self.views(plan);
        post_copy::is_interrupted(source, destination)
    }
    /// The source says that its post-copy broke, and the destination does not: it may go on by itself, which only the bytes
    /// that move can tell.
    pub fn is_left_alone(&self, plan: &Plan) -> bool {
        let (source, destination) = self.views(plan);
        post_copy::is_left_alone(source, destination)
    }
    /// The domain's memory is on both sides.
    pub fn is_post_copy(&self, plan: &Plan) -> bool {
        let (source, destination) = self.views(plan);
        matches!(source, View::PostCopy(_)) || matches!(destination, View::PostCopy(_))
    }
    /// Both sides in the terms of the tables.
    fn views(&self, plan: &Plan) -> (View, View) {
        (view(&self.source, plan.source.uuid), view(&self.destination, plan.destination.uuid))
    }
    /// The guest runs on the destination while its memory follows, or stopped to: both copies together are one guest.
    pub fn in_post_copy(&self) -> bool {
        let half = |side: &Side| matches!(side, Side::Present(seen) if seen.reason.starts_with("post-copy"));
        half(&self.source) || half(&self.destination)
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
        /// Join the two halves of an interrupted post-copy again, so that the rest of the memory follows.
        ResumePostCopy = "resume-post-copy",
        /// Interrupt a post-copy on the source, which has not noticed that nothing comes through: both copies stay.
        InterruptPostCopy = "interrupt-post-copy",
        /// Undo what this attempt made ready, and begin another one.
        TryAgain = "try-again",
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
    /// Whether it takes something away, or lets a copy run that may be a second one. Both sides are read again right before
    /// such an action: after its record, which takes the time that the disk takes.
    pub fn needs_fresh_look(self) -> bool {
        matches!(
            self,
            Self::ResumeSource
                | Self::ResumeDestination
                | Self::DestroyDestination
                | Self::UndefineDestination
                | Self::DestroySource
        )
    }
}

#[cfg(test)]
mod tests;
