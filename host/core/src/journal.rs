//! What is written down, in order, before each effect. The journal of a task is enough to know where it was.

use crate::convergence::Steering;
use crate::copies::CopiedDisk;
use crate::ids::{HostName, PluginName};
use crate::outcome::{Outcome, OutcomeKind};
use crate::phase::{Event, Illegal, Phase, next};
use crate::plan::Plan;
use crate::recovery::{AttemptChange, FailureClass};
use crate::request::MigrationRequest;
use crate::situation::{Action, Situation};
use crate::verdict::Verdict;

/// Something that is made ready on a host, with what undoes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The downtime limit is set on the source. It stays with the hypervisor's process, so a guest that stays there gets
    /// the limit back that it had.
    MaxDowntime {
        /// Host.
        host: HostName,
        /// Limit.
        ms: u64,
        /// The limit before, for the undo; none where the driver doesn't tell.
        before_ms: Option<u64>,
    },
    /// A definition that is to be kept on the source loses its autostart, before there can be a second copy that a reboot
    /// would start; undone by giving it back.
    SourceAutostart {
        /// Host.
        host: HostName,
    },
    /// A volume is made for a disk that is copied; undone by removing it, as long as nothing else can be in it.
    Volume {
        /// Host.
        host: HostName,
        /// The volume, and the disk that it is for.
        disk: CopiedDisk,
    },
    /// A running transfer was ordered to slow its guest down so far and no further. That maximum stays with the hypervisor's
    /// process, and libvirt, which doesn't know it, doesn't put it back; undone by taking it away. No record of its own says that
    /// it is about to be done: the order's does.
    Throttle {
        /// Host.
        host: HostName,
    },
}

/// What is tidied up after a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishStep {
    /// The destination's autostart is set as the source had it.
    SetAutostart,
    /// The kept definition on the source loses its autostart.
    ClearSourceAutostart,
    /// The source's definition goes, if libvirt left it.
    UndefineSource,
}

impl FinishStep {
    /// Its name in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SetAutostart => "set-autostart",
            Self::ClearSourceAutostart => "clear-source-autostart",
            Self::UndefineSource => "undefine-source",
        }
    }
    /// The step of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::SetAutostart, Self::ClearSourceAutostart, Self::UndefineSource].into_iter().find(|s| s.as_str() == text)
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a task has one plan an attempt, and a few dozen records")]
pub enum Record {
    /// Taken on. Always the first.
    Accepted {
        /// What was asked.
        request: MigrationRequest,
    },
    /// All rules were asked.
    Judged {
        /// What they said.
        verdict: Verdict,
        /// Digest of the facts.
        facts_digest: String,
    },
    /// Every choice is made.
    Planned {
        /// The plan.
        plan: Plan,
    },
    /// About to make something ready.
    StepIntended {
        /// What.
        step: Step,
    },
    /// Done, or undone.
    StepSettled {
        /// What.
        step: Step,
        /// What came of it.
        result: Result<StepEnd, String>,
    },
    /// Everything is ready.
    Prepared,
    /// About to call libvirt. The commit point.
    PerformIntended,
    /// Another process took over.
    Adopted,
    /// An order to the running transfer came before it can be carried out: it is kept, and given as soon as it can be.
    SteerKept {
        /// What was ordered.
        action: Steering,
        /// Who wants it.
        by: String,
        /// Why not now.
        reason: String,
    },
    /// The running transfer is about to be steered.
    SteerIntended {
        /// How.
        action: Steering,
        /// With which value.
        value: Option<u64>,
        /// Which policy, or who, wants it.
        by: String,
        /// Why.
        reason: String,
    },
    /// It was, or not.
    SteerSettled {
        /// How.
        action: Steering,
        /// What came of it.
        result: Result<(), String>,
    },
    /// The transfer was to be aborted, and it isn't known to be over.
    AbortUnconfirmed {
        /// Why not: what the source answered last, if anything.
        why: String,
        /// Nobody heard what became of an order to abort: it may still come, and hit another attempt.
        may_come: bool,
    },
    /// The call is over, or what it would have said was seen from outside.
    PerformReturned {
        /// Moved, or why not.
        result: Result<(), (FailureClass, String)>,
    },
    /// About to tidy up.
    FinishIntended {
        /// What.
        step: FinishStep,
    },
    /// Tidied up, or not.
    FinishSettled {
        /// What.
        step: FinishStep,
        /// What came of it.
        result: Result<(), String>,
    },
    /// The verification found something else than expected.
    Doubted {
        /// What.
        why: String,
    },
    /// Both sides were looked at.
    Located {
        /// What they said.
        situation: Situation,
        /// What that permits.
        permitted: Vec<Action>,
    },
    /// A recovery action was chosen and is about to be done.
    ActionIntended {
        /// Which.
        action: Action,
        /// Who chose it.
        by: PluginName,
        /// Why.
        reason: String,
    },
    /// It was done.
    ActionDone {
        /// Which.
        action: Action,
        /// What came of it.
        result: Result<(), String>,
    },
    /// Another attempt begins.
    NextAttempt {
        /// Its number.
        attempt: u32,
        /// What it does otherwise.
        change: AttemptChange,
    },
    /// The two halves of an interrupted post-copy are being joined again. Written before the call.
    Resumed {
        /// Over which of the plan's ways; none: the one that the migration began on.
        way: Option<String>,
    },
    /// A person goes on with a task that had ended stuck.
    Reopened {
        /// Who.
        by: String,
    },
    /// Somebody asked to cancel.
    CancelRequested {
        /// Who.
        requester: String,
    },
    /// Over.
    Ended {
        /// How.
        outcome: Outcome,
    },
}

/// What a step left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepEnd {
    /// It is in place.
    Done,
    /// It was undone: nothing of it is left.
    Undone,
}

impl Record {
    /// What it means to the phase; none for a record that only tells.
    pub fn event(&self) -> Option<Event> {
        Some(match self {
            Self::Accepted { .. } | Self::Judged { .. } => return None,
            Self::Planned { .. } => Event::Planned,
            Self::StepIntended { .. } => Event::StepIntended,
            Self::StepSettled { .. } => Event::StepSettled,
            Self::Prepared => Event::Prepared,
            Self::PerformIntended => Event::PerformIntended,
            Self::Adopted => Event::Adopted,
            Self::SteerKept { .. }
            | Self::SteerIntended { .. }
            | Self::SteerSettled { .. }
            | Self::AbortUnconfirmed { .. } => Event::Steered,
            Self::PerformReturned { result: Ok(()) } => Event::ReturnedMoved,
            Self::PerformReturned { result: Err(_) } => Event::ReturnedFailed,
            Self::FinishIntended { .. } | Self::FinishSettled { .. } => Event::FinishStep,
            Self::Doubted { .. } => Event::Doubted,
            Self::Located { .. } => Event::Located,
            Self::ActionIntended { .. } => Event::ActionIntended,
            Self::ActionDone { .. } => Event::ActionDone,
            Self::NextAttempt { .. } => Event::NextAttempt,
            Self::Resumed { .. } => Event::Resumed,
            Self::Reopened { .. } => Event::Reopened,
            Self::CancelRequested { .. } => Event::CancelRequested,
            Self::Ended { outcome } => Event::Ended(outcome.kind),
        })
    }
}

/// What a journal comes to: the state of a task, built by the same function live and on replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Phase.
    pub phase: Phase,
    /// What was asked.
    pub request: MigrationRequest,
    /// What this attempt is to do: the request with the changes of every attempt so far.
    pub current: MigrationRequest,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Destinations so far, the present one last.
    pub tried: Vec<HostName>,
    /// What went wrong in the attempts before, and in this one before its transfer went on to a good end.
    pub earlier: Vec<String>,
    /// The plan of this attempt.
    pub plan: Option<Plan>,
    /// The plan of the attempt before: what a host may have kept of the guest, for an attempt that ends before it has a plan.
    pub plan_before: Option<Plan>,
    /// The last verdict.
    pub verdict: Option<Verdict>,
    /// Steps that were intended and not undone, of this attempt.
    pub open_steps: Vec<Step>,
    /// Those of them that are known to be in place; of the others an effect is possible.
    pub done_steps: Vec<Step>,
    /// What was ordered of the running transfer and can't be done yet.
    pub kept: Vec<Steering>,
    /// The way that the last resumption of this attempt took, if there was one and the plan has several.
    pub way: Option<String>,
    /// Why the attempt failed, if it did.
    pub failure: Option<(FailureClass, String)>,
    /// Causes so far, for the outcome.
    pub causes: Vec<String>,
    /// The situation that was seen last.
    pub situation: Option<Situation>,
    /// How often this attempt's situation was looked at.
    pub looks: u32,
    /// Somebody asked to cancel.
    pub cancel_requested: bool,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

impl Course {
    /// This attempt's call was refused because another migration has the domain: it began nothing, and whatever runs on
    /// either side is not its own.
    pub fn is_not_begun(&self) -> bool {
        matches!(self.failure, Some((FailureClass::Migrating, _)))
    }

    /// A task that was just taken on.
    pub fn begin(request: MigrationRequest) -> Self {
        Self {
            phase: Phase::Accepted,
            current: request.clone(),
            tried: vec![request.destination.clone()],
            earlier: Vec::new(),
            request,
            attempt: 1,
            plan: None,
            plan_before: None,
            verdict: None,
            open_steps: Vec::new(),
            done_steps: Vec::new(),
            kept: Vec::new(),
            way: None,
            failure: None,
            causes: Vec::new(),
            situation: None,
            looks: 0,
            cancel_requested: false,
            outcome: None,
        }
    }

    /// The phase after a record, if it may follow.
    pub fn check(&self, record: &Record) -> Result<Phase, Illegal> {
        let Some(event) = record.event() else { return Ok(self.phase) };
        let stuck = self.outcome.as_ref().is_some_and(|outcome| outcome.kind == OutcomeKind::Stuck);
        // A task that never had a plan has nothing to look at.
        if event == Event::Reopened && !(stuck && self.plan.is_some()) {
            return Err(Illegal { phase: self.phase, event });
        }
        next(self.phase, event)
    }

    /// Takes one record in. The only function that changes a course.
    pub fn apply(&mut self, record: &Record) -> Result<(), Illegal> {
        self.phase = self.check(record)?;
        match record {
            Record::Judged { verdict, .. } => self.verdict = Some(verdict.clone()),
            Record::Planned { plan } => self.plan = Some(plan.clone()),
            Record::StepIntended { step } => self.open_steps.push(step.clone()),
            Record::SteerKept { action, .. } if !self.kept.contains(action) => self.kept.push(*action),
            Record::SteerIntended { action, .. } => {
                self.kept.retain(|kept| kept != action);
                // Whatever is said of its end: an order that failed may have been carried out, and its answer lost.
                if *action == Steering::SetThrottle {
                    let step = self.plan.as_ref().map(|plan| Step::Throttle { host: plan.source.host.clone() });
                    let new = step.filter(|step| !self.open_steps.contains(step));
                    self.open_steps.extend(new);
                }
            }
            // Of one that is kept: it was never given.
            Record::SteerSettled { action, .. } => self.kept.retain(|kept| kept != action),
            Record::StepSettled { step, result } => match result {
                Ok(StepEnd::Undone) => {
                    self.open_steps.retain(|open| open != step);
                    self.done_steps.retain(|done| done != step);
                }
                Ok(StepEnd::Done) => self.done_steps.push(step.clone()),
                Err(why) => self.causes.push(why.clone()),
            },
            // What a transfer failed of that went on all the same is over.
            Record::PerformReturned { result: Ok(()) } => self.close_causes(),
            Record::PerformReturned { result: Err((class, message)) } => {
                self.failure = Some((*class, message.clone()));
                self.causes.push(message.clone());
                self.looks = 0;
            }
            Record::FinishSettled { result: Err(why), .. } | Record::Doubted { why } => self.causes.push(why.clone()),
            Record::Located { situation, .. } => {
                self.situation = Some(situation.clone());
                self.looks += 1;
            }
            Record::ActionDone { action, result: Err(why) } => self.causes.push(format!("{action}: {why}")),
            Record::NextAttempt { attempt, change } => {
                if let Some(failed) = &self.plan {
                    self.current = change.applied(&self.current, failed);
                }
                self.close_causes();
                self.attempt = *attempt;
                self.tried.push(self.current.destination.clone());
                self.plan_before = self.plan.take();
                self.way = None;
                self.failure = None;
                self.situation = None;
                self.looks = 0;
            }
            Record::Resumed { way } => self.way.clone_from(way),
            Record::Reopened { .. } => {
                self.outcome = None;
                self.looks = 0;
            }
            Record::CancelRequested { .. } => self.cancel_requested = true,
            Record::Ended { outcome } => self.outcome = Some(outcome.clone()),
            _ => {}
        }
        Ok(())
    }

    /// What went wrong so far is nothing that is wrong now.
    fn close_causes(&mut self) {
        let number = self.attempt;
        self.earlier.extend(self.causes.drain(..).map(|cause| format!("attempt {number}: {cause}")));
    }

    /// Reads a journal back. The first record must be `Accepted`.
    pub fn replay<'a>(records: impl IntoIterator<Item = &'a Record>) -> Result<Self, ReplayError> {
        let mut records = records.into_iter();
        let Some(Record::Accepted { request }) = records.next() else { return Err(ReplayError::NotAJournal) };
        let mut course = Self::begin(request.clone());
        for (index, record) in records.enumerate() {
            course.apply(record).map_err(|source| ReplayError::Illegal { number: index + 2, source })?;
        }
        Ok(course)
    }
}

/// A journal that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It doesn't begin as one.
    #[error("the journal doesn't begin with an accepted request")]
    NotAJournal,
    /// A record that can't follow.
    #[error("record {number} of the journal can't follow the ones before it")]
    Illegal {
        /// Which, from 1.
        number: usize,
        /// Why.
        source: Illegal,
    },
}
