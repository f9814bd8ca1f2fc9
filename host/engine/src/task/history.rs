//! What was seen and done earlier in this attempt. Two sides show the present only, and the table of what they permit
//! knows nothing else; this narrows its answer where the past makes a step wrong. It never widens it.

use std::sync::atomic::{AtomicBool, Ordering};

use waypost_core::facts::DomainState;
use waypost_core::journal::Record;
use waypost_core::plan::{Before, Plan, RunState, TransferMode};
use waypost_core::recovery::Deed;
use waypost_core::situation::{Action, Side, Situation};

/// An action that failed so often isn't offered again: a host that refuses it for good would be asked for ever.
const TRIES: usize = 3;

/// A post-copy may be resumed more often: each time costs nothing but a refusal, and giving up costs the guest.
const RESUMES: usize = 100;

/// The past of one attempt.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The destination's copy was seen running, so the source's is overtaken if it doesn't run.
    ran_there: AtomicBool,
    /// The transfer was watched from outside: nobody heard its call return, so its last step may be still to come.
    unheard: bool,
    /// What recovery did, and what came of it.
    done: Vec<Deed>,
    /// The transfer goes on after an interruption; the next word of it is what came of the resumption.
    resuming: bool,
}

/// Why an action that both sides permit is withheld.
pub(crate) type Withheld = (Action, &'static str);

impl History {
    /// What a journal tells of it.
    pub(crate) fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut history = Self::default();
        for record in records {
            history.note(record);
        }
        history
    }

    /// Takes one record in.
    pub(crate) fn note(&mut self, record: &Record) {
        match record {
            Record::PerformIntended => *self = Self::default(),
            Record::Resumed => self.resuming = true,
            Record::PerformReturned { result } if self.resuming => {
                self.resuming = false;
                let error = result.as_ref().err().map(|(_, message)| message.clone());
                self.done.push(Deed { action: Action::ResumePostCopy, error });
            }
            // A person may have mended what made an action fail.
            Record::Reopened { .. } => self.done.clear(),
            Record::Adopted => self.unheard = true,
            Record::Located { situation, .. } => self.seen(situation),
            Record::ActionDone { action, result } => {
                self.done.push(Deed { action: *action, error: result.as_ref().err().cloned() });
            }
            _ => {}
        }
    }

    /// Nobody heard the call return, so its last step may be still to come.
    pub(crate) fn is_unheard(&self) -> bool {
        self.unheard
    }

    /// Takes a look in, recorded or not.
    pub(crate) fn seen(&self, situation: &Situation) {
        if runs(&situation.destination) {
            self.ran_there.store(true, Ordering::Relaxed);
        }
    }

    /// What was done about the failure so far.
    pub(crate) fn done(&self) -> &[Deed] {
        &self.done
    }

    /// What is left of what both sides permit, and what is withheld, with the reason.
    pub(crate) fn judge(
        &self,
        plan: &Plan,
        now: &Situation,
        mut permitted: Vec<Action>,
    ) -> (Vec<Action>, Vec<Withheld>) {
        let mut withheld = Vec::new();
        // Without a person to hand over to, a job runs; then there is nothing to narrow.
        if !permitted.contains(&Action::HandOver) {
            return (permitted, withheld);
        }
        let mut withhold = |permitted: &mut Vec<Action>, which: &dyn Fn(&Action) -> bool, why: &'static str| {
            withheld.extend(permitted.extract_if(.., |action| which(action)).map(|action| (action, why)));
        };
        if plan.mode == TransferMode::Live && !runs(&now.source) && self.overtaken(plan, &now.destination) {
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
    fn overtaken(&self, plan: &Plan, destination: &Side) -> bool {
        let ended_there = match destination {
            // The migration defines it there in its last step, and an incoming guest that never ran leaves no crash of
            // which it could be told that it never ran.
            Side::Present(seen) => {
                !seen.state.is_active()
                    && plan.finally == RunState::Running
                    && (seen.reason == "crashed" || (seen.persistent && plan.destination_before == Before::Absent))
            }
            Side::Absent { .. } | Side::Unknown(_) => false,
        };
        let active = matches!(destination, Side::Present(seen) if seen.state.is_active());
        !active && (ended_there || self.ran_there.load(Ordering::Relaxed))
    }
}

fn runs(side: &Side) -> bool {
    matches!(side, Side::Present(seen) if matches!(seen.state, DomainState::Running | DomainState::Blocked))
}
