//! Steers a running transfer: what a convergence policy advises and what a person wishes, one order at a time, each
//! journalled before it is given; and the watch over a transfer that makes no progress at all.
//!
//! A policy thinks on a thread of its own and an order may take as long as its host's deadline, so neither is waited for in
//! place: the phase that watches the transfer polls [`Helm::turn`] beside everything else, and a transfer that ends takes
//! its helm with it.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use waypost_core::convergence::{Bounds, Steering, SteeringAnswer, SteeringQuestion, least_throttle_percent};
use waypost_core::journal::Record;
use waypost_core::plan::{Plan, RunState, TransferMode};
use waypost_core::ports::{Command, DecisionRecord, Later, Wish};
use waypost_core::sample::{Sample, Stage};
use waypost_core::stream::Transport;

use super::Task;
use super::aborting::{ABORT_TAKES, Aborts};
use super::ending::TOO_LATE;
use super::performing::OURSELVES;
use super::readings::{PASSES, keep, note_passes};
use super::refusals::Refusals;
use super::watchdog::{Pace, Watchdog};
use crate::check::blocking;
use crate::error::EngineError;
use crate::settings::Settings;
use crate::steered::{SWITCHES_SOON, TOO_EARLY};

/// Orders that Waypost gives by itself, and that may be of no use, are given again after [`ABORT_TAKES`], doubled with each try, up
/// to this.
const AGAIN_EVERY: Duration = Duration::from_secs(60);

/// Steers one transfer.
pub(super) struct Helm {
    samples: VecDeque<Sample>,
    passes: Vec<Sample>,
    /// Passes of which was told that they began, and of which nothing was read yet.
    begun: Vec<u64>,
    /// When the policy is asked next.
    due: Instant,
    asking: Option<Later<'static, Result<Advice, EngineError>>>,
    /// How much was done to the transfer when the policy was asked.
    asked_after: usize,
    doing: Option<(Order, Later<'static, Result<(), String>>)>,
    /// What is still to be done, oldest first.
    orders: VecDeque<Order>,
    watchdog: Watchdog,
    refusals: Refusals,
    /// What a policy that isn't obeyed, or fails, said last: said again, it is no news.
    last_said: Option<(String, Option<String>)>,
    /// When the connections of the copies are closed, of a transfer that is being ended, and how long after that again.
    severing: Option<(Instant, Duration)>,
    before_abort: BeforeAbort,
    /// When a post-copy may be interrupted once more, and how long after that again.
    interrupting: Option<(Instant, Duration)>,
    /// The orders to abort the transfer.
    pub(super) aborts: Aborts,
}

type Advice = (SteeringAnswer, Option<DecisionRecord>);

/// Something to be done to the transfer.
#[derive(Debug, Clone)]
struct Order {
    action: Steering,
    value: Option<u64>,
    by: String,
    reason: String,
    /// The wish that it fulfils, by its number.
    wish: Option<u64>,
}

/// What came of something that was under way.
pub(super) enum Turn {
    /// The policy answered.
    Advised(Box<Result<Advice, EngineError>>),
    /// A host carried the order out, or not.
    Done(Result<(), String>),
}

/// What the phase that watches the transfer has to do because of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Demand {
    /// The policy, or a person, gives the transfer up: end it.
    GiveUp(String),
    /// Nothing has moved for too long: end it.
    Stalled(String),
    /// Nothing has moved for too long, and the guest is on both hosts: interrupt the post-copy, so that it can be resumed.
    Interrupt(String),
}

impl Helm {
    pub(super) fn new(task: &Task) -> Self {
        let settings = task.ports().settings();
        Self {
            samples: VecDeque::new(),
            passes: Vec::new(),
            begun: Vec::new(),
            due: Instant::now() + settings.steer_every,
            asking: None,
            asked_after: 0,
            doing: None,
            orders: VecDeque::new(),
            watchdog: Watchdog::new(),
            refusals: Refusals::default(),
            last_said: None,
            severing: None,
            before_abort: BeforeAbort::Undecided,
            interrupting: None,
            aborts: Aborts::default(),
        }
    }

    /// Takes a reading in. Answers if nothing has moved for too long.
    pub(super) fn reading(&mut self, task: &Task, plan: &Plan, sample: &Sample) -> Option<Demand> {
        // A policy is told of the memory's transfer: of disks a reading counts other things.
        if sample.stage != Stage::Disks {
            if self.samples.back().is_some_and(|last| last.stage == Stage::Disks) {
                self.samples.clear();
            }
            note_passes(&mut self.passes, &mut self.begun, sample);
        }
        keep(&mut self.samples, sample);
        self.watchdog.look(&task.ports().settings(), plan, sample, Instant::now())
    }

    /// A host tells that a pass over the memory began. Answers whether that is more than the readings tell, so that one is worth
    /// taking: what is left is only ever known from a reading.
    pub(super) fn pass_began(&mut self, number: u64) -> bool {
        let read = self.samples.back().and_then(|sample| sample.iteration);
        let last = self.begun.last().copied().max(read).unwrap_or(0);
        let news = number > last && self.begun.len() < PASSES;
        if news {
            self.begun.push(number);
        }
        news
    }

    /// Takes in what persons wish, and asks the policy if that is due.
    pub(super) fn look_around(&mut self, task: &Task, plan: &Plan) -> Result<(), EngineError> {
        for (number, wish) in task.ports().store.wishes(task.recorder.id)? {
            let known = |order: &Order| order.wish == Some(number);
            if self.orders.iter().any(known) || self.doing.as_ref().is_some_and(|(order, _)| known(order)) {
                continue;
            }
            let Wish { action, value, requester } = wish;
            // Whether it may be ordered says a reading. What was wished after it comes after it.
            if action == Steering::SetThrottle && self.samples.is_empty() {
                break;
            }
            let reason = "asked for while it runs".to_owned();
            self.orders.push_back(Order { action, value, by: requester, reason, wish: Some(number) });
        }
        if self.asking.is_none() && self.doing.is_none() && self.orders.is_empty() && Instant::now() >= self.due {
            self.ask(task, plan);
        }
        Ok(())
    }

    /// What came of something that was under way; pending while nothing is. May be dropped and called again.
    pub(super) async fn turn(&mut self) -> Turn {
        let Self { asking, doing, .. } = self;
        let turn = tokio::select! {
            advice = async { match asking.as_mut() { Some(f) => f.await, None => std::future::pending().await } } => {
                Turn::Advised(Box::new(advice))
            }
            result = async { match doing.as_mut() { Some((_, f)) => f.await, None => std::future::pending().await } } => {
                Turn::Done(result)
            }
        };
        if let Turn::Advised(_) = turn {
            self.asking = None;
        }
        turn
    }

    /// Takes in what [`Helm::turn`] said.
    pub(super) fn take(&mut self, task: &mut Task, turn: Turn) -> Result<(), EngineError> {
        match turn {
            Turn::Advised(advice) => {
                self.due = Instant::now() + task.ports().settings().steer_every;
                let (answer, decision) = (*advice)?;
                // Thought out before somebody else did something: it would undo that without knowing of it.
                if self.asked_after != task.recorder.steered.done().len()
                    || self.doing.is_some()
                    || !self.orders.is_empty()
                {
                    self.due = Instant::now();
                    return Ok(());
                }
                // A decision to hold says nothing that the readings don't; thousands of them would bury the others.
                // What is in force already is nothing to do: a policy that repeats itself must not flood the journal.
                let held = answer.action == Steering::Hold || self.in_force(task, &answer);
                let said = decision.as_ref().map(|decision| (decision.answer.clone(), decision.fault.clone()));
                let news = said != self.last_said && said.as_ref().is_some_and(|(_, fault)| fault.is_some());
                if held && news {
                    self.last_said = said;
                }
                if let Some(decision) = decision.filter(|_| !held || news) {
                    let by = decision.plugin.to_string();
                    task.recorder.put_decisions(&[decision])?;
                    let SteeringAnswer { action, value, reason } = answer;
                    if !held {
                        self.orders.push_back(Order { action, value, by, reason, wish: None });
                    }
                }
            }
            Turn::Done(result) => {
                if let Some((order, _)) = self.doing.take() {
                    self.settle(task, &order, result)?;
                }
            }
        }
        Ok(())
    }

    /// Gives the next order, if none is being carried out: written down first.
    pub(super) fn go_on(&mut self, task: &mut Task, plan: &Plan) -> Result<Option<Demand>, EngineError> {
        if self.doing.is_some() {
            return Ok(None);
        }
        let early = self.is_early();
        if early {
            self.keep(task)?;
        }
        // What is kept holds nothing up.
        let next = self.orders.iter().position(|order| !(early && order.action == Steering::PostCopy));
        let Some(order) = next.and_then(|next| self.orders.remove(next)) else { return Ok(None) };
        let (hypervisor, source, domain) = (task.ports().hypervisor.clone(), plan.source.host.clone(), plan.domain);
        // The switch is on its way from the order on, and the readings tell it later.
        let ordered = task.recorder.steered.done().iter().any(|done| done.action == Steering::PostCopy);
        let post_copy_runs = self.samples.back().is_some_and(|now| now.stage == Stage::PostCopy);
        let post_copy = ordered || post_copy_runs;
        let Order { action, value, by, reason, .. } = order.clone();
        let said = match value {
            Some(value) => format!("{by}: {action} {value}: {reason}"),
            None => format!("{by}: {action}: {reason}"),
        };
        task.recorder.note(said);
        let (who, why) = (by.clone(), reason.clone());
        task.record(Record::SteerIntended { action, value, by: who, reason: why })?;
        if action == Steering::SetThrottle
            && let Some(why) = self.no_throttle_now(task, plan, post_copy)
        {
            self.settle(task, &order, Err(why.to_owned()))?;
            return Ok(None);
        }
        let command = match (action, value) {
            (Steering::Abort | Steering::Sever, _) if post_copy_runs => {
                self.settle(task, &order, Err(TOO_LATE.to_owned()))?;
                return Ok(None);
            }
            (Steering::Abort, _) => {
                self.settle(task, &order, Ok(()))?;
                return Ok(Some(Demand::GiveUp(format!("{by} gave the transfer up: {reason}"))));
            }
            (Steering::SetDowntime, Some(ms)) => Command::SetMaxDowntime { ms },
            (Steering::SetBandwidth, Some(mib_s)) if post_copy => Command::SetPostCopyBandwidth { mib_s },
            (Steering::SetBandwidth, Some(mib_s)) => Command::SetBandwidth { mib_s },
            (Steering::SetThrottle, Some(percent)) => Command::SetThrottle { percent },
            (Steering::PostCopy, _) => Command::StartPostCopy,
            (Steering::Suspend, _) => Command::Suspend,
            (Steering::Sever, _) => Command::SeverCopies,
            (Steering::Interrupt, _) => Command::InterruptPostCopy,
            (Steering::Hold | Steering::SetDowntime | Steering::SetBandwidth | Steering::SetThrottle, _) => {
                self.settle(task, &order, Err(format!("{action} without a value")))?;
                return Ok(None);
            }
        };
        let carried_out =
            Box::pin(
                async move { hypervisor.command(&source, domain, command).await.map_err(|fault| fault.to_string()) },
            );
        self.doing = Some((order, carried_out));
        Ok(None)
    }

    /// Whether it is too early for the switch to post-copy: the hypervisor takes it only once its own migration, which carries the
    /// memory, has begun. One that gets through before that may be forgotten when it does.
    fn is_early(&self) -> bool {
        self.samples.back().is_none_or(|now| match now.stage {
            Stage::Disks => true,
            Stage::PreCopy => now.processed_bytes == 0,
            Stage::PostCopy | Stage::Final => false,
        })
    }

    /// Puts on record, once, that the switch is ordered and can't be given yet. A person's stays among the wishes until it is settled, so
    /// that a later controller gives it.
    fn keep(&self, task: &mut Task) -> Result<(), EngineError> {
        let Some(order) = self.orders.iter().find(|order| order.action == Steering::PostCopy) else { return Ok(()) };
        if task.recorder.course.kept.contains(&order.action) {
            return Ok(());
        }
        task.recorder.note(SWITCHES_SOON);
        let (action, by) = (order.action, order.by.clone());
        task.record(Record::SteerKept { action, by, reason: TOO_EARLY.to_owned() })
    }

    /// Why nobody can change now how far the guest is slowed down, if so.
    fn no_throttle_now(&self, task: &Task, plan: &Plan, post_copy: bool) -> Option<&'static str> {
        no_throttle(plan, &task.ports().settings()).or(match self.samples.back().map(|now| now.stage) {
            _ if post_copy => Some(TOO_LATE),
            Some(Stage::PreCopy) => None,
            Some(Stage::PostCopy | Stage::Final) => Some(TOO_LATE),
            // Whoever orders it before libvirt has set the transfer up may have it overwritten.
            Some(Stage::Disks) | None => Some(NOT_YET),
        })
    }

    /// Has a post-copy interrupted, in which nothing moves, as soon as no other order is under way. One that a host refuses is
    /// not asked for with every reading.
    pub(super) fn interrupt(&mut self, task: &mut Task, plan: &Plan, why: &str) -> Result<(), EngineError> {
        let now = Instant::now();
        let doing = self.doing.as_ref().map(|(order, _)| order);
        let given = self.orders.iter().chain(doing).any(|order| order.action == Steering::Interrupt);
        if given || self.interrupting.is_some_and(|(due, _)| now < due) {
            return Ok(());
        }
        let wait = self.interrupting.map_or(ABORT_TAKES, |(_, wait)| (wait * 2).min(AGAIN_EVERY));
        self.interrupting = Some((now + wait, wait));
        let reason = format!("{why} It is resumed once the destination has noticed, too");
        let (action, by) = (Steering::Interrupt, OURSELVES.to_owned());
        self.orders.push_front(Order { action, value: None, by, reason, wish: None });
        // The next order is this one, and makes no demand.
        self.go_on(task, plan).map(drop)
    }

    /// Of a transfer that is being ended and goes on: says that nothing confirms the abort, and has what no abort ends closed.
    pub(super) fn pursue(&mut self, task: &mut Task, plan: &Plan) -> Result<Option<Demand>, EngineError> {
        if self.before_abort == BeforeAbort::Undecided {
            self.abort(task, plan);
        }
        self.aborts.tell(task, plan)?;
        self.sever(task, plan)
    }

    /// Asks for the transfer to be aborted, unless something comes before that: where nothing of a disk's copy moves its
    /// connections are closed first. Over a cut network the abort was seen to have the hypervisor wait so that it took no order any
    /// more. A copy of which the last readings tell nothing new may be such a one: the abort waits until it moves or stands still.
    pub(super) fn abort(&mut self, task: &Task, plan: &Plan) {
        let now = Instant::now();
        self.aborts.want(now);
        self.before_abort = match self.before_abort {
            // A reload may have taken the permission to.
            _ if !severs(task, plan) => BeforeAbort::Nothing,
            BeforeAbort::Undecided => match self.watchdog.pace(now, task.ports().settings().sample_every) {
                Pace::Moves => BeforeAbort::Nothing,
                Pace::Rests => BeforeAbort::Undecided,
                Pace::StandsStill => {
                    self.severing = Some((now, ABORT_TAKES));
                    BeforeAbort::Severing
                }
            },
            decided => decided,
        };
        if self.before_abort == BeforeAbort::Nothing {
            self.aborts.ask(task, plan);
        }
    }

    /// Of a transfer that is being ended: has the connections closed over which its disks are copied, once the host's abort had
    /// its time. A copy waits for the answers to what it sent, and nothing but the kernel's patience of many minutes ends that
    /// where no packet comes through, not even a destination that lost its power and is back. It is thrown away in any case.
    fn sever(&mut self, task: &mut Task, plan: &Plan) -> Result<Option<Demand>, EngineError> {
        let now = Instant::now();
        let (due, wait) = *self.severing.get_or_insert((now + ABORT_TAKES, ABORT_TAKES));
        if now < due || self.doing.is_some() || !severs(task, plan) {
            return Ok(None);
        }
        let wait = (wait * 2).min(AGAIN_EVERY);
        self.severing = Some((now + wait, wait));
        let (action, by) = (Steering::Sever, OURSELVES.to_owned());
        let there = &plan.destination.host;
        let reason = match self.before_abort == BeforeAbort::Severing {
            true => format!("nothing of what is copied to {there} comes through"),
            false => format!("the abort does not end what is copied to {there}"),
        };
        self.orders.push_front(Order { action, value: None, by, reason, wish: None });
        self.go_on(task, plan)
    }

    /// Whether the transfer is as the answer wants it, or was proven not to become so. A question leaves out what is refused too
    /// often, and what a person ordered since it was asked may have been refused as well.
    fn in_force(&self, task: &Task, answer: &SteeringAnswer) -> bool {
        let last = task.recorder.steered.done().iter().rev().find(|done| done.action == answer.action);
        // A transfer that was given up and goes on all the same may be given up again.
        (answer.action != Steering::Abort && last.is_some_and(|done| done.value == answer.value))
            || self.refusals.too_often(answer.action, Instant::now())
    }

    fn settle(&mut self, task: &mut Task, order: &Order, result: Result<(), String>) -> Result<(), EngineError> {
        if order.action == Steering::Sever {
            self.before_abort = BeforeAbort::Nothing;
        }
        if let Err(why) = &result {
            task.recorder.note(format!("{} failed: {why}", order.action));
            self.refusals.remember(order.action, Instant::now());
        }
        task.record(Record::SteerSettled { action: order.action, result })?;
        if let Some(number) = order.wish {
            task.ports().store.settle_wish(task.recorder.id, number)?;
        }
        Ok(())
    }

    fn ask(&mut self, task: &Task, plan: &Plan) {
        let settings = task.ports().settings();
        let Some(now) = self.samples.back() else { return };
        // Before something was moved there is nothing to judge, and after the switch nothing to choose.
        if now.processed_bytes == 0 || now.stage != Stage::PreCopy {
            return;
        }
        self.due = Instant::now() + settings.steer_every;
        self.asked_after = task.recorder.steered.done().len();
        let mut bounds = bounds(plan, task.recorder.course.current.options.max_downtime_ms, &settings);
        // Else a policy would choose it again and again, and its next choice never have its turn.
        bounds.permitted.retain(|action| !self.refusals.too_often(*action, Instant::now()));
        let question = SteeringQuestion {
            plan: plan.clone(),
            memory_bytes: plan.memory_bytes.unwrap_or(now.total_bytes),
            bounds,
            elapsed_ms: task.recorder.performing_ms(),
            samples: self.samples.iter().cloned().collect(),
            passes: self.passes.clone(),
            steered: task.recorder.steered.done().to_vec(),
            decided_at: task.ports().clock.now(),
        };
        let ports = task.ports().clone();
        self.asking = Some(Box::pin(blocking(move || {
            let (answer, decision) = ports.policies.steer(&question);
            // The port promises it; what bounds a guest's downtime must not rest on a promise.
            Ok((answer.within(&question.bounds), decision))
        })));
    }
}

/// Of a throttle before memory is seen to move.
const NOT_YET: &str = "no memory is on its way yet; it can be ordered once some is";

/// What comes before the abort of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BeforeAbort {
    Undecided,
    /// The connections of its copies are closed.
    Severing,
    Nothing,
}

/// Whether there is something that may be closed.
fn severs(task: &Task, plan: &Plan) -> bool {
    !plan.copies.0.is_empty() && task.ports().settings().sever
}

/// Why nobody can change on the way how far the guest of this transfer is slowed down, if so: the hypervisor begins to only where
/// it was told so before.
pub(crate) fn no_throttle(plan: &Plan, settings: &Settings) -> Option<&'static str> {
    match (plan.stream.auto_converge, settings.set_throttle) {
        (false, _) => Some("it was begun without auto-converge: cancel it and begin it with --auto-converge"),
        (true, false) => Some("the site does without the hypervisor's own monitor for it (engine.set_throttle)"),
        (true, true) => None,
    }
}

/// Within what a policy may choose. The bound of the downtime is what the request names: the plan's limit may be the one
/// with which the policy itself opened.
pub(crate) fn bounds(plan: &Plan, requested_downtime_ms: Option<u64>, settings: &Settings) -> Bounds {
    let mut permitted = vec![Steering::Hold, Steering::SetBandwidth];
    // A guest that doesn't run writes nothing, so there is nothing to converge.
    if plan.mode == TransferMode::Live && plan.initially == RunState::Running && !plan.stream.stands_still {
        permitted.push(Steering::SetDowntime);
        if no_throttle(plan, settings).is_none() {
            permitted.push(Steering::SetThrottle);
        }
        if plan.stream.post_copy && plan.transport != Transport::Tunnelled {
            permitted.push(Steering::PostCopy);
        }
        if settings.suspend {
            permitted.push(Steering::Suspend);
        }
    }
    permitted.push(Steering::Abort);
    Bounds {
        max_downtime_ms: requested_downtime_ms.unwrap_or(settings.most_downtime_ms),
        max_bandwidth_mib_s: plan.bandwidth_mib_s,
        least_throttle_percent: least_throttle_percent(plan),
        permitted,
        timeout_s: plan.timeout_s,
    }
}
