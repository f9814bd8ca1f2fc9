//! What either phase that watches a transfer keeps of it, beside its call or from outside: the helm, whether the transfer is
//! being ended, and whether the source tells of it at all. How it begins to be ended, by whomever, is here.

use tokio::time::Instant;
use waypost_core::convergence::Steering;
use waypost_core::journal::Record;
use waypost_core::plan::{Plan, TransferMode};
use waypost_core::ports::Fault;
use waypost_core::sample::Sample;

use super::Task;
use super::ending::{Ending, TOO_LATE};
use super::helm::{Demand, Helm};
use super::performing::OURSELVES;
use super::silence::Silence;
use crate::error::EngineError;

/// The watch over one transfer. The task and its plan stay with the phase: a reading that is under way borrows from the plan.
pub(super) struct Watch {
    pub(super) helm: Helm,
    pub(super) ending: Ending,
    /// From the switch on nothing can be taken back, and libvirt refuses to abort: it is not even asked.
    pub(super) switched: bool,
    /// When the time for the whole transfer is over.
    pub(super) deadline: Instant,
    /// It was, and that is said once.
    overdue: bool,
    silence: Silence,
}

impl Watch {
    pub(super) fn new(task: &Task, plan: &Plan) -> Self {
        Self {
            helm: Helm::new(task),
            ending: Ending::No,
            switched: task.recorder.history.is_resuming(),
            deadline: task.deadline(plan),
            overdue: false,
            silence: Silence::new(Instant::now()),
        }
    }

    /// Takes in whether the source told anything of the transfer when it was asked.
    pub(super) fn hear(&mut self, task: &Task, plan: &Plan, told: &Result<Option<Sample>, Fault>) {
        match told {
            Ok(Some(_)) if self.silence.ends(Instant::now()) => {
                task.recorder.note(format!("{} tells of the transfer again", plan.source.host));
            }
            Ok(Some(_)) => {}
            Ok(None) => self.silence.goes_on("it shows no migration".to_owned()),
            Err(fault) => self.silence.goes_on(fault.to_string()),
        }
    }

    /// Says, once for each time, that the source has told nothing of the transfer for as long as one may stand still. Of a
    /// definition no host tells anything, and of a transfer that is being ended is said what becomes of that.
    pub(super) fn mind_silence(&mut self, task: &Task, plan: &Plan) {
        if plan.mode != TransferMode::Live || self.ending.is_wanted() {
            return;
        }
        let source = &plan.source.host;
        if let Some((s, why)) = self.silence.news(task.ports().settings().stall_after, Instant::now()) {
            tracing::warn!(%source, %why, "nothing is told of the transfer");
            task.recorder.note(format!(
                "{source} tells nothing of the transfer for {s} s ({why}): nobody knows whether it moves"
            ));
        }
    }

    /// Whether the end of its time still ends the transfer.
    pub(super) fn is_timed(&self) -> bool {
        !self.ending.is_wanted() && !self.overdue
    }

    /// Begins to end the transfer because its time is over.
    pub(super) fn time_is_over(&mut self, task: &mut Task, plan: &Plan) -> Result<(), EngineError> {
        self.overdue = true;
        self.end(task, plan, Ending::Clock(plan.timeout_s))
    }

    /// Notes a wish to cancel, and begins to end the transfer because of it.
    pub(super) fn end_if_wanted(&mut self, task: &mut Task, plan: &Plan) -> Result<(), EngineError> {
        let known = task.recorder.course.cancel_requested;
        // What came too late is said once.
        if task.note_cancel()? && !(known && self.switched) {
            self.end(task, plan, Ending::Wish)?;
        }
        Ok(())
    }

    /// Does what the helm demands.
    pub(super) fn obey(&mut self, task: &mut Task, plan: &Plan, demand: Option<Demand>) -> Result<(), EngineError> {
        match demand {
            None => {}
            Some(Demand::GiveUp(_) | Demand::Stalled(_)) if self.ending.is_wanted() => {}
            Some(Demand::GiveUp(why)) => self.end(task, plan, Ending::GivenUp(why))?,
            Some(Demand::Stalled(why)) => self.end(task, plan, Ending::Stalled(why))?,
            // The guest is on both hosts: nothing may be ended, and the call returns once both know of it.
            Some(Demand::Interrupt(why)) => self.helm.interrupt(task, plan, &why)?,
        }
        Ok(())
    }

    /// An ending that had begun when the transfer turned out to be switched came too late: libvirt refuses the abort, and what
    /// goes on has to be steered and watched.
    pub(super) fn go_on_if_switched(&mut self, task: &Task) {
        if self.switched && self.ending.is_wanted() {
            self.ending = Ending::No;
            task.recorder.note(TOO_LATE);
        }
    }

    /// Begins to end the transfer. One that was switched to post-copy goes on, and is steered and watched as before: it is only
    /// said what can't be had any more.
    fn end(&mut self, task: &mut Task, plan: &Plan, why: Ending) -> Result<(), EngineError> {
        if self.switched {
            task.recorder.note(TOO_LATE);
            return Ok(());
        }
        task.recorder.note(match &why {
            Ending::Clock(s) => format!("the time limit of {s} s is over; aborting"),
            Ending::Stalled(why) | Ending::GivenUp(why) => format!("{why} Aborting"),
            Ending::Wish | Ending::No => "cancelling".to_owned(),
        });
        // A wish and a policy's order are on record already.
        let reason = match &why {
            Ending::Clock(s) => Some(format!("the time limit of {s} s is over")),
            Ending::Stalled(why) => Some(why.clone()),
            Ending::Wish | Ending::GivenUp(_) | Ending::No => None,
        };
        if let Some(reason) = reason {
            let (action, by) = (Steering::Abort, OURSELVES.to_owned());
            task.record(Record::SteerIntended { action, value: None, by, reason })?;
            task.record(Record::SteerSettled { action, result: Ok(()) })?;
        }
        self.helm.abort(task, plan);
        self.ending = why;
        Ok(())
    }
}
