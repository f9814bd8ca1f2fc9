//! What was seen and done earlier in this attempt. Two sides show the present only, and the table of what they permit
//! knows nothing else; this narrows its answer where the past makes a step wrong. All that it ever adds is a person: where a
//! job runs that is not this attempt's.

use super::{Action, Observed, Side, Situation};
use crate::convergence::Steering;
use crate::facts::DomainState;
use crate::journal::Record;
use crate::plan::{Before, DestinationFate, Plan, RunState, TransferMode};
use crate::recovery::{Deed, FailureClass};

/// An action that failed so often isn't offered again: a host that refuses it for good would be asked for ever.
const TRIES: usize = 3;

/// A post-copy may be resumed more often: each time costs nothing but a refusal, and giving up costs the guest.
const RESUMES: usize = 100;

/// The past of one attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct History {
    /// The destination's copy was seen running, so the source's is overtaken if it doesn't run.
    ran_there: bool,
    /// The transfer was watched from outside: nobody heard its call return, so its last step may be still to come.
    unheard: bool,
    /// What recovery did, and what came of it.
    done: Vec<Deed>,
    /// The transfer goes on after an interruption; the next word of it is what came of the resumption.
    resuming: bool,
    /// An order that was intended, and of which nothing more was heard yet.
    given: Option<Action>,
    /// An order may still come: nobody heard that it was carried out.
    astray: bool,
    /// The transfer was to be aborted, and is not on record as over since.
    aborting: bool,
    /// The order to migrate has arrived: its call was heard to return, or a job was seen.
    began: bool,
    /// After that the source was seen without a job, so nothing lets the destination's copy run any more.
    over: bool,
    /// A controller that heard nothing gave the transfer up, because no host had shown it for long enough: none begins any more.
    /// What became of it that one did not hear.
    given_up: bool,
    /// After the one or the other the source was seen without a job: one that it shows from then on is somebody else's.
    gone: bool,
    /// After it was over the destination's copy was seen, and had not run.
    stayed: bool,
    /// An order of this attempt may have paused the source's copy, and nothing has let it run since.
    paused_by_us: bool,
}

/// Why an action that both sides permit is withheld.
pub type Withheld = (Action, &'static str);

impl History {
    /// What a journal tells of it.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut history = Self::default();
        for record in records {
            history.note(record);
        }
        history
    }

    /// Takes one record in.
    pub fn note(&mut self, record: &Record) {
        match record {
            Record::PerformIntended => *self = Self::default(),
            Record::Resumed { .. } => self.resuming = true,
            // What a controller says that watched from outside is its opinion, and no answer of the call.
            Record::PerformReturned { result } if !self.resuming => {
                self.aborting = false;
                self.began |= !self.unheard;
                self.given_up |= matches!(result, Err((FailureClass::ControllerRestarted, _)));
            }
            Record::PerformReturned { result } => {
                (self.resuming, self.aborting) = (false, false);
                let error = result.as_ref().err().map(|(_, message)| message.clone());
                self.done.push(Deed { action: Action::ResumePostCopy, error });
            }
            // A person may have mended what made an action fail; and paused the guest since, for reasons of their own.
            Record::Reopened { .. } => {
                self.done.clear();
                self.paused_by_us = false;
            }
            Record::Adopted => {
                self.unheard = true;
                // Who gave the order, or the connection that it went over, is gone: nobody hears what becomes of it.
                self.astray |= std::mem::take(&mut self.aborting);
            }
            // Also where its end says that it failed: the answer may be what got lost.
            Record::SteerIntended { action: Steering::Suspend, .. } => self.paused_by_us = true,
            // Settled well means decided on: the order is given after that, and again, until the call returns.
            Record::SteerIntended { action: Steering::Abort, .. } => self.aborting = true,
            Record::SteerSettled { action: Steering::Abort, result: Err(_) } => self.aborting = false,
            Record::AbortUnconfirmed { may_come, .. } => self.astray |= may_come,
            Record::Located { situation, .. } => {
                self.astray |= self.given.take().is_some_and(outlasts);
                self.seen(situation);
            }
            Record::ActionIntended { action, .. } => self.given = Some(*action),
            Record::ActionDone { action, result } => {
                self.given = None;
                self.astray |= result.is_err() && outlasts(*action);
                self.paused_by_us &= !(*action == Action::ResumeSource && result.is_ok());
                self.done.push(Deed { action: *action, error: result.as_ref().err().cloned() });
            }
            _ => {}
        }
    }

    /// Nobody heard the call return, so its last step may be still to come.
    pub fn is_unheard(&self) -> bool {
        self.unheard
    }

    /// A post-copy that broke was ordered to go on, and nobody has heard yet what came of it.
    pub fn is_resuming(&self) -> bool {
        self.resuming
    }

    /// Takes a look in, recorded or not.
    pub fn seen(&mut self, situation: &Situation) {
        if runs(&situation.destination) {
            self.ran_there = true;
        }
        let never_ran = |side: &Side| matches!(side, Side::Present(seen) if seen.never_ran());
        self.stayed |= self.over && never_ran(&situation.destination);
        // Half of a guest waits for the rest, whether its host shows a job for that or not.
        let whole = |seen: &Observed| !seen.reason.starts_with("post-copy");
        let free = matches!(&situation.source, Side::Present(seen) if !seen.job && whole(seen));
        self.over |= self.began && free;
        self.gone |= (self.began || self.given_up) && free;
        // For the next look: the sides are asked one after the other, and a job may begin in between.
        self.began |= situation.has_job();
        // The hypervisor let it run again when the transfer ended; who pauses it from now on is somebody else.
        self.paused_by_us &= !runs(&situation.source) || situation.has_job();
    }

    /// Whether the guest stands still on its source because an order of this attempt paused it, and would go on standing
    /// there: it ran when the attempt began, and no transfer is left that would take it along. One that an error of its disk
    /// stopped is not meant: it would only stop again.
    pub fn is_owed_a_resume(&self, plan: &Plan, now: &Situation) -> bool {
        let stands =
            |seen: &Observed| seen.state == DomainState::Paused && matches!(seen.reason.as_str(), "user" | "migration");
        self.paused_by_us
            && plan.initially == RunState::Running
            && !now.has_job()
            && matches!(&now.source, Side::Present(seen) if stands(seen))
    }

    /// Whether the job that the source shows is somebody else's: this attempt's own was seen to be gone. One whose call ended only
    /// because the connection did is not gone before its job was seen.
    pub fn shows_anothers_job(&self, now: &Situation) -> bool {
        self.is_gone() && matches!(&now.source, Side::Present(seen) if seen.job)
    }

    /// No job of this attempt is left on the source, and none comes.
    fn is_gone(&self) -> bool {
        self.gone && !self.resuming
    }

    /// What was done about the failure so far.
    pub fn done(&self) -> &[Deed] {
        &self.done
    }

    /// What is left of what both sides permit, and what is withheld, with the reason.
    pub fn judge(&self, plan: &Plan, now: &Situation, mut permitted: Vec<Action>) -> (Vec<Action>, Vec<Withheld>) {
        let mut withheld = Vec::new();
        // The order to abort goes to the source, and one that can't be asked may have another's job by now.
        let dark = matches!(now.source, Side::Unknown(_)) && now.has_job();
        if self.shows_anothers_job(now) || (dark && self.is_gone()) {
            let why = "this attempt's own job is over: one that runs now on the source is somebody else's";
            let orders = |action: &mut Action| !matches!(action, Action::Wait | Action::HandOver);
            withheld.extend(permitted.extract_if(.., orders).map(|action| (action, why)));
            // It may take as long as it likes, and nothing of this task is in it.
            if !permitted.contains(&Action::HandOver) {
                permitted.push(Action::HandOver);
            }
            return (permitted, withheld);
        }
        // Without a person to hand over to, a job runs; then there is nothing to narrow.
        if !permitted.contains(&Action::HandOver) {
            return (permitted, withheld);
        }
        let mut withhold = |permitted: &mut Vec<Action>, which: &dyn Fn(&Action) -> bool, why: &'static str| {
            withheld.extend(permitted.extract_if(.., |action| which(action)).map(|action| (action, why)));
        };
        if plan.mode == TransferMode::Live && !runs(&now.source) && self.overtaken(plan, now) {
            // Whatever the source holds is older than what the destination's copy has written to the disks.
            let back = |a: &Action| {
                matches!(
                    a,
                    Action::ResumeSource | Action::AcceptSource | Action::UndefineDestination | Action::TryAgain
                )
            };
            let why = "the destination's copy ran, or may have: what the source holds is older than its disks";
            withhold(&mut permitted, &back, why);
        }
        if plan.mode == TransferMode::Offline && self.unheard {
            // The source's definition may go at any moment, as the last step of a migration that no host shows.
            let why = "nobody heard how the migration ended: the source's definition may go as its last step";
            withhold(&mut permitted, &|action| *action == Action::UndefineDestination, why);
        }
        if self.astray {
            let why =
                "nobody heard that an order of this attempt was carried out: it may still come, and hit the next one";
            withhold(&mut permitted, &|action| *action == Action::TryAgain, why);
        }
        let failures = |of: &Action| self.done.iter().filter(|deed| deed.action == *of && deed.error.is_some()).count();
        let worn_out = |action: &Action| match action {
            Action::HandOver => false,
            Action::ResumePostCopy => failures(action) >= RESUMES,
            _ => failures(action) >= TRIES,
        };
        withhold(&mut permitted, &worn_out, "it failed as often as it is worth trying");
        (permitted, withheld)
    }

    /// Whether the destination's copy, which is active no more, ran or may have.
    fn overtaken(&self, plan: &Plan, Situation { source, destination }: &Situation) -> bool {
        let left_paused = matches!(source, Side::Present(seen) if seen.state == DomainState::Paused);
        let ended_there = match destination {
            // The migration defines it there in its last step, and an incoming guest that never ran leaves no crash of
            // which it could be told that it never ran.
            Side::Present(seen) => {
                !seen.state.is_active()
                    && plan.finally == RunState::Running
                    && (seen.reason == "crashed"
                        || (seen.persistent && plan.destination_before == Before::Absent)
                        // A definition that was there before tells by its reason: an incoming guest that never ran ends
                        // as failed.
                        || (left_paused && seen.reason != "failed" && !self.stayed))
            }
            // A copy without a definition leaves no trace, whether it ran or not.
            Side::Absent { .. } => {
                plan.destination_fate == DestinationFate::TransientOnly
                    && plan.finally == RunState::Running
                    && left_paused
                    && !self.stayed
            }
            Side::Unknown(_) => false,
        };
        let active = matches!(destination, Side::Present(seen) if seen.state.is_active());
        !active && (ended_there || self.ran_there)
    }
}

/// An order that a host may still carry out after its controller has given it up, and that would hit another attempt.
fn outlasts(action: Action) -> bool {
    matches!(
        action,
        Action::ResumeSource
            | Action::ResumeDestination
            | Action::DestroySource
            | Action::DestroyDestination
            | Action::UndefineDestination
            // It ends whatever job there is by then.
            | Action::AbortJob
            // What was made ready is taken back with them.
            | Action::AcceptSource
            | Action::TryAgain
    )
}

fn runs(side: &Side) -> bool {
    matches!(side, Side::Present(seen) if matches!(seen.state, DomainState::Running | DomainState::Blocked))
}
