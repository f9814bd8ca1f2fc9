//! The controller's course around its decisions: it reads one side and then the other, with anything happening between;
//! writes each record before its effect; acts on what it read last; dies and comes back with what it had written. A policy
//! takes each permitted action in turn, so the search takes all. One file, because each of its steps reads on from the one before.

use waypost_core::convergence::Steering;
use waypost_core::journal::Record;
use waypost_core::outcome::OutcomeKind;
use waypost_core::phase::{Phase, next};
use waypost_core::plan::{Before, RunState, SourceFate, TransferMode};
use waypost_core::recovery::AttemptChange;
use waypost_core::situation::{Action, Side, Situation};

use crate::case::Case;
use crate::explore::{State, Steps};
use crate::judge::{Judge, Judged, Neglect, Seen, actions, bit, see};
use crate::records::{ended, failed, intended, settled};
use crate::world::{End, Late, Order, Reason, Said, Stage, Violation};

/// What was read of a look so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Look {
    Nothing,
    Source(Seen),
    Destination(Seen),
}

/// Where the controller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// Everything is ready; the last look before the commit point.
    Ready(Look),
    /// The migration call is in this process.
    Watching,
    Outside(Look),
    Finishing(Look),
    /// Both sides once more before the source's definition goes.
    Tidying(Look),
    /// And once more afterwards.
    Tidied(Look),
    Locating(Look),
    /// A policy chose, and time passed.
    Chosen(Action, Look),
    /// Both sides once more, right before.
    Intended(Action, Look),
    /// What was made ready is taken back first.
    Undoing(Action, Look),
    /// The order is about to reach its host.
    Ordered(Order, Action),
    Dead,
    Ended(OutcomeKind),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Controller {
    pub at: At,
    pub phase: Phase,
    /// The past of the attempt, by its number.
    pub history: u32,
    pub attempt: u8,
    /// Something broke since the last look began: what is said then may be a moment old.
    pub disturbed: bool,
}

/// Attempts of a task.
const ATTEMPTS: u8 = 2;
/// Deeds of one attempt after which it isn't followed any further.
const DEEDS: usize = 3;

impl Controller {
    pub fn begin() -> Self {
        let at = At::Ready(Look::Nothing);
        Self { at, phase: Phase::Prepared, history: 0, attempt: 1, disturbed: false }
    }
}

/// Writes a record: the phases must allow it, and the past takes it in.
fn write(judge: &mut Judge<'_>, state: &mut State, record: &Record) -> Result<(), Violation> {
    let controller = &mut state.controller;
    if let Some(event) = record.event() {
        controller.phase =
            next(controller.phase, event).map_err(|illegal| Violation::IllegalRecord(illegal.to_string()))?;
    }
    controller.history = judge.note(controller.history, record);
    Ok(())
}

struct Course<'a, 'b, 'c, 'd> {
    case: &'a Case,
    judge: &'a mut Judge<'b>,
    from: State,
    out: &'c mut Steps<'d>,
}

/// Everything that the controller may do now.
pub fn steps(case: &Case, judge: &mut Judge<'_>, from: State, out: &mut Steps<'_>) {
    let mut course = Course { case, judge, from, out };
    if !matches!(from.controller.at, At::Ready(_) | At::Dead) && from.world.faults > 0 {
        course.dies();
    }
    match from.controller.at {
        At::Ready(look)
        | At::Outside(look)
        | At::Finishing(look)
        | At::Tidying(look)
        | At::Tidied(look)
        | At::Locating(look)
        | At::Chosen(_, look)
        | At::Intended(_, look)
        | At::Undoing(_, look) => course.look(look),
        At::Watching => course.watch(),
        At::Ordered(order, action) => course.order(order, action),
        At::Dead => course.comes_back(),
        At::Ended(_) => {}
    }
}

impl Course<'_, '_, '_, '_> {
    /// Writes records and goes on from there.
    fn go(&mut self, name: &'static str, records: &[Record], at: At, change: impl FnOnce(&mut State)) {
        let mut next = self.from;
        let mut violation = None;
        for record in records {
            violation = violation.or(write(self.judge, &mut next, record).err());
        }
        next.controller.at = at;
        change(&mut next);
        // A look is kept only until it is decided on.
        if self.judge.deeds(next.controller.history) <= DEEDS {
            self.out.step(name, next, violation);
        }
    }

    fn dies(&mut self) {
        let mut die = |name, change: &dyn Fn(&mut State)| {
            let mut next = self.from;
            next.controller.at = At::Dead;
            next.world.faults -= 1;
            change(&mut next);
            self.out.step(name, next, None);
        };
        die("the controller dies, or its store fails", &|_| {});
        let disturbed = self.from.controller.disturbed;
        if let At::Ordered(order, _) = self.from.controller.at {
            die("the controller dies, its order is on the way", &|next| {
                next.world.late = Some(Late { order, disturbed })
            });
        }
        if self.from.world.stage == Stage::Called {
            die("the controller dies before the order to migrate", &|next| next.world.stage = Stage::Idle);
        }
    }

    fn comes_back(&mut self) {
        let at = match self.from.controller.phase {
            Phase::Performing => At::Outside(Look::Nothing),
            Phase::Finishing => At::Finishing(Look::Nothing),
            _ => At::Locating(Look::Nothing),
        };
        let records = if self.from.controller.phase == Phase::Performing { vec![Record::Adopted] } else { vec![] };
        self.go("a controller takes the task over", &records, at, |_| {});
    }

    /// Reads one side, or the other one and decides.
    fn look(&mut self, look: Look) {
        let with = |at: At, look: Look| match at {
            At::Ready(_) => At::Ready(look),
            At::Outside(_) => At::Outside(look),
            At::Finishing(_) => At::Finishing(look),
            At::Tidying(_) => At::Tidying(look),
            At::Tidied(_) => At::Tidied(look),
            At::Locating(_) => At::Locating(look),
            At::Chosen(action, _) => At::Chosen(action, look),
            At::Intended(action, _) => At::Intended(action, look),
            At::Undoing(action, _) => At::Undoing(action, look),
            other => other,
        };
        let (at, world) = (self.from.controller.at, self.from.world);
        let (source, destination) = (see(&world, End::Source), see(&world, End::Destination));
        match look {
            Look::Nothing => {
                let begun = |next: &mut State| next.controller.disturbed = false;
                self.go("the source is read", &[], with(at, Look::Source(source)), begun);
                self.go("the destination is read", &[], with(at, Look::Destination(destination)), begun);
            }
            Look::Source(source) => self.decide(source, destination),
            Look::Destination(destination) => self.decide(source, destination),
        }
    }

    fn decide(&mut self, source: Seen, destination: Seen) {
        let mut from = self.from;
        from.controller.history = self.judge.seen(from.controller.history, source, destination);
        self.from = from;
        let judged = self.judge.judge(source, destination);
        match from.controller.at {
            At::Ready(_) => self.begin(source, destination),
            At::Outside(_) => self.outside(judged),
            At::Finishing(_) => self.finish(source, judged),
            At::Tidying(_) => match judged.arrived && destination.is_defined() {
                true => self.ordered(Order::UndefineSource, Action::AcceptDestination),
                false => self.go("the source's definition stays", &[], At::Tidied(Look::Nothing), |_| {}),
            },
            At::Tidied(_) => self.tidied(judged),
            At::Locating(_) => self.located(source, destination, judged),
            At::Chosen(action, _) => self.chosen(action, source, destination, judged),
            At::Intended(action, _) => match self.left(source, destination) & bit(action) {
                0 => self.go(
                    "it isn't permitted any more",
                    &[settled(action, true)],
                    At::Locating(Look::Nothing),
                    |_| {},
                ),
                _ => self.ordered(Order::Do(action), action),
            },
            At::Undoing(action, _) => self.undo(action, source, destination),
            _ => {}
        }
    }

    /// What is permitted of what both sides show, with this past.
    fn left(&mut self, source: Seen, destination: Seen) -> u16 {
        let mut left = self.judge.left(self.from.controller.history, source, destination);
        if self.from.controller.attempt == ATTEMPTS {
            left &= !bit(Action::TryAgain);
        }
        left
    }

    /// The commit point, if both sides look as the plan assumes.
    fn begin(&mut self, source: Seen, destination: Seen) {
        let plan = &self.case.plan;
        let as_before = matches!(
            (plan.initially, source),
            (RunState::Running, Seen::Active { runs: true, job: false, .. })
                | (RunState::Paused, Seen::Active { runs: false, job: false, .. })
                | (RunState::ShutOff, Seen::Defined(_))
        );
        let room = match destination {
            Seen::Absent => true,
            Seen::Defined(_) => plan.destination_before == Before::Defined,
            _ => false,
        };
        if as_before && room {
            let copies = self.case.copies;
            self.go("the migration is ordered", &[Record::PerformIntended], At::Watching, |next| {
                (next.world.stage, next.world.said) = (Stage::Called, Said::Nothing);
                next.world.volume = copies;
            });
        } else {
            self.go("it isn't as it was planned", &[], At::Ended(OutcomeKind::Stuck), |_| {});
        }
    }

    fn watch(&mut self) {
        let world = self.from.world;
        if !world.source.answers() {
            self.go("the call is lost", &[Record::Adopted], At::Outside(Look::Nothing), |_| {});
            return;
        }
        match world.said {
            Said::Moved => {
                let moved = Record::PerformReturned { result: Ok(()) };
                self.go("the call says that it moved", &[moved], At::Finishing(Look::Nothing), |_| {});
            }
            Said::Failed if self.judge.neglects(Neglect::Look) => {
                let kind = OutcomeKind::RolledBack;
                let records = [failed(), ended(kind)];
                self.go("the call says that it failed, and that is believed", &records, At::Ended(kind), |_| {});
            }
            Said::Failed => self.go("the call says that it failed", &[failed()], At::Locating(Look::Nothing), |_| {}),
            Said::Nothing => self.steer(),
        }
    }

    /// What a person, a policy or the clock may do to a transfer that runs.
    fn steer(&mut self) {
        let (at, world) = (self.from.controller.at, self.from.world);
        if !world.source.answers() {
            return;
        }
        if matches!(world.stage, Stage::Begun | Stage::Prepared | Stage::Switched) {
            let mut next = self.from;
            let violation = next.world.abort().err();
            self.out.step("the transfer is aborted", next, violation);
        }
        // The order is on its way when whoever gave it is gone.
        let begun = matches!(world.stage, Stage::Begun | Stage::Prepared | Stage::Switched);
        if begun && world.faults > 0 && world.late.is_none() {
            let order =
                Record::SteerIntended { action: Steering::Abort, value: None, by: "any".into(), reason: String::new() };
            self.go("the transfer is to be aborted, and the controller dies", &[order], At::Dead, |next| {
                let late = Late { order: Order::Do(Action::AbortJob), disturbed: next.controller.disturbed };
                (next.world.faults, next.world.late) = (next.world.faults - 1, Some(late));
            });
        }
        if world.stage == Stage::Flowing {
            self.go("the post-copy is interrupted", &[], at, |next| next.world.interrupt());
        }
        let runs = world.source.process.is_some_and(|process| process.runs);
        if self.case.suspends && world.stage == Stage::Prepared && runs {
            let order = Record::SteerIntended {
                action: Steering::Suspend,
                value: None,
                by: "any".into(),
                reason: String::new(),
            };
            self.go("a policy suspends the guest", &[order], at, |next| next.world.pause(End::Source, Reason::User));
        }
    }

    fn outside(&mut self, judged: Judged) {
        let again = At::Outside(Look::Nothing);
        if judged.arrived {
            let moved = Record::PerformReturned { result: Ok(()) };
            self.go("it is seen to have arrived", &[moved], At::Finishing(Look::Nothing), |_| {});
        } else if judged.interrupted {
            self.go("the post-copy is seen to be interrupted", &[failed()], At::Locating(Look::Nothing), |_| {});
        } else if judged.job && !(judged.dark && judged.post_copy) {
            self.from.controller.at = again;
            self.go("it goes on", &[], again, |_| {});
            self.steer();
        } else {
            self.go("it is watched on", &[], again, |_| {});
            let stage = self.from.world.stage;
            let on_its_way =
                stage == Stage::Called || self.case.plan.mode == TransferMode::Offline && stage != Stage::Idle;
            if !on_its_way {
                self.go("it is given up", &[failed()], At::Locating(Look::Nothing), |_| {});
            }
        }
    }

    fn finish(&mut self, source: Seen, judged: Judged) {
        if judged.arrived {
            self.arrived(source);
        } else {
            let doubted = Record::Doubted { why: String::new() };
            self.go("it is verified on", &[], At::Finishing(Look::Nothing), |_| {});
            self.go("it is doubted", &[doubted], At::Locating(Look::Nothing), |_| {});
        }
    }

    fn arrived(&mut self, source: Seen) {
        if source.is_defined() && self.case.plan.source_fate == SourceFate::Undefine {
            self.go("the source's definition is to go", &[], At::Tidying(Look::Nothing), |_| {});
        } else {
            self.complete();
        }
    }

    /// What is reported is what was seen last; a side that can't be asked any more takes nothing from it.
    fn tidied(&mut self, judged: Judged) {
        if judged.arrived || judged.permits(Action::AcceptDestination) {
            self.complete();
        } else if judged.dark {
            self.from.controller.disturbed = true;
            self.complete();
        } else if self.from.controller.phase == Phase::Finishing {
            let doubted = Record::Doubted { why: String::new() };
            self.go("it is doubted", &[doubted], At::Locating(Look::Nothing), |_| {});
        } else {
            self.go("it isn't there any more", &[], At::Locating(Look::Nothing), |_| {});
        }
    }

    fn complete(&mut self) {
        let kind = OutcomeKind::Completed;
        self.go("completed", &[ended(kind)], At::Ended(kind), |_| {});
    }

    fn located(&mut self, source: Seen, destination: Seen, judged: Judged) {
        let side = || Side::Unknown(String::new());
        // What the look showed is in the past already.
        let record =
            Record::Located { situation: Situation { source: side(), destination: side() }, permitted: vec![] };
        if judged.job && !judged.dark && !judged.interrupted {
            let records = [record, Record::Adopted];
            self.go("a transfer runs: it is watched", &records, At::Outside(Look::Nothing), |_| {});
            return;
        }
        for action in actions(self.left(source, destination)) {
            let at = match action {
                Action::Wait => At::Locating(Look::Nothing),
                action => At::Chosen(action, Look::Nothing),
            };
            self.go(action.as_str(), std::slice::from_ref(&record), at, |_| {});
        }
    }

    fn chosen(&mut self, action: Action, source: Seen, destination: Seen, judged: Judged) {
        if self.left(source, destination) & bit(action) == 0 {
            self.go("it isn't permitted any more", &[], At::Locating(Look::Nothing), |_| {});
            return;
        }
        self.carry_out(action, source, judged);
    }

    fn carry_out(&mut self, action: Action, source: Seen, judged: Judged) {
        let record = intended(action);
        let kind = match action {
            Action::HandOver => OutcomeKind::Stuck,
            Action::DeclareLost => OutcomeKind::Lost,
            Action::AcceptDestination => {
                let mut next = self.from;
                let violation = write(self.judge, &mut next, &record).err();
                if violation.is_some() {
                    self.out.step("accepted", next, violation);
                }
                self.from = next;
                if judged.arrived {
                    self.arrived(source);
                } else {
                    self.complete();
                }
                return;
            }
            Action::AcceptSource | Action::TryAgain => {
                self.go("what was made ready is taken back", &[record], At::Undoing(action, Look::Nothing), |_| {});
                return;
            }
            action if action.needs_fresh_look() => {
                self.go("both sides once more", &[record], At::Intended(action, Look::Nothing), |_| {});
                return;
            }
            action => {
                self.go(action.as_str(), &[record], At::Ordered(Order::Do(action), action), |_| {});
                return;
            }
        };
        self.go(kind.as_str(), &[record, ended(kind)], At::Ended(kind), |_| {});
    }

    /// Takes the volume back if nothing can need it, and then ends the attempt.
    fn undo(&mut self, action: Action, source: Seen, destination: Seen) {
        let left = self.left(source, destination);
        let off = matches!(destination, Seen::Absent | Seen::Defined(_)) || self.judge.neglects(Neglect::Use);
        let safe = off && source != Seen::Unknown && left & bit(Action::AcceptSource) != 0;
        if self.from.world.volume && safe {
            self.ordered(Order::RemoveVolume, action);
            return;
        }
        let permitted = left & bit(action) != 0;
        match action {
            Action::TryAgain if permitted && !self.from.world.volume => {
                if self.from.world.late.is_some_and(|late| late.order == Order::Do(Action::AbortJob)) {
                    self.out.step("another attempt", self.from, Some(Violation::AbortOutlivesItsAttempt));
                    return;
                }
                let change = AttemptChange::NONE;
                let record = Record::NextAttempt { attempt: 2, change };
                self.go("another attempt", &[record], At::Ready(Look::Nothing), |next| {
                    (next.controller.attempt, next.controller.phase) = (ATTEMPTS, Phase::Prepared);
                });
            }
            Action::AcceptSource if permitted => {
                let kind = OutcomeKind::RolledBack;
                self.go("rolled back", &[ended(kind)], At::Ended(kind), |_| {});
            }
            Action::AcceptSource => self.go("it changed meanwhile", &[], At::Locating(Look::Nothing), |_| {}),
            _ => self.go("it changed meanwhile", &[settled(action, true)], At::Locating(Look::Nothing), |_| {}),
        }
    }

    fn ordered(&mut self, order: Order, action: Action) {
        self.go("the order is given", &[], At::Ordered(order, action), |_| {});
    }

    /// An order reaches its host, or doesn't, or nobody hears of it.
    fn order(&mut self, order: Order, action: Action) {
        if order == Order::Do(Action::ResumePostCopy) {
            let resumed = [Record::Resumed { way: None }];
            self.go("the post-copy is resumed", &resumed, At::Watching, |next| next.world.resume_post_copy());
            return;
        }
        let world = self.from.world;
        let host = world.host(order.end());
        let answers = host.answers() && !(order.waits_for_jobs() && host.job(order.end(), world.stage));
        let tell = |course: &mut Self, name, failed: bool, change: &dyn Fn(&mut State) -> Result<(), Violation>| {
            let (records, at) = match order {
                Order::Do(action) => (vec![settled(action, failed)], At::Locating(Look::Nothing)),
                Order::UndefineSource => (vec![], At::Tidied(Look::Nothing)),
                Order::RemoveVolume if failed && action == Action::TryAgain => {
                    (vec![settled(action, true)], At::Locating(Look::Nothing))
                }
                Order::RemoveVolume => (vec![], At::Undoing(action, Look::Nothing)),
            };
            let mut next = course.from;
            // What breaks between the last look and the order, no one can know.
            if let Err(violation) = change(&mut next)
                && !next.controller.disturbed
            {
                course.out.step(name, next, Some(violation));
                return;
            }
            course.go(name, &records, at, |state| state.world = next.world);
        };
        let case = self.case;
        if !answers {
            tell(self, "the host doesn't take the order", true, &|_| Ok(()));
            return;
        }
        tell(self, "the host obeys", false, &|next| next.world.obey(order, case));
        if world.faults > 0 {
            tell(self, "the host obeys, and its answer is lost", true, &|next| {
                next.world.faults -= 1;
                next.world.obey(order, case)
            });
            if world.late.is_none() {
                tell(self, "the order is given up, and may still come", true, &|next| {
                    let late = Late { order, disturbed: next.controller.disturbed };
                    (next.world.faults, next.world.late) = (next.world.faults - 1, Some(late));
                    Ok(())
                });
            }
        }
    }
}
