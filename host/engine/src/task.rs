//! One task: one migration, driven by one owner, in one attempt or several, one after another.
//!
//! Each phase is a type that consumes the one before, so nothing can be prepared that was not planned and nothing be
//! finished that was not performed. [`Stage`] is what a journal can be resumed at.

mod aborting;
mod accepted;
mod by_hand;
mod ears;
mod ending;
mod finishing;
mod following;
pub(crate) mod helm;
mod notice;
mod outside;
mod performing;
mod prepared;
mod readings;
mod recovering;
mod refusals;
mod silence;
mod tell;
mod testimony;
mod volumes;
pub(crate) mod waiting;
mod watchdog;
mod watching;

pub use aborting::ABORT_TAKES;
pub(crate) use by_hand::act;
pub use by_hand::{Acted, Order};

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::Instrument as _;
use waypost_core::facts::DomainState;
use waypost_core::ids::TaskId;
use waypost_core::journal::{Course, Record};
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::phase::Phase;
use waypost_core::plan::Plan;
use waypost_core::ports::Later;
use waypost_core::situation::{Action, History, Side, Situation, Withheld, permitted};

use crate::engine::Ports;
use crate::error::EngineError;
use crate::recorder::Recorder;
use crate::view::View;

/// Drives one task. Dropping it leaves the task as it is: a peer-to-peer transfer goes on, and the task can be adopted.
pub struct Driver {
    id: TaskId,
    views: watch::Receiver<View>,
    cancel: CancelHandle,
    stage: Stage,
}

/// Cancels a task of this process.
#[derive(Clone)]
pub struct CancelHandle(Arc<watch::Sender<Option<String>>>);

impl CancelHandle {
    /// Asks for the cancellation. The outcome tells whether it came in time.
    pub fn cancel(&self, requester: &str) {
        self.0.send_if_modified(|wanted| {
            let first = wanted.is_none();
            if first {
                *wanted = Some(requester.to_owned());
            }
            first
        });
    }
}

impl Driver {
    /// From where the journal says that the task is.
    pub(crate) fn new(recorder: Recorder) -> Self {
        let task = Task::new(recorder);
        let driver = Self::about(&task);
        driver(Stage::resume(task))
    }

    /// A driver of this task, from the stage that it is given.
    fn about(task: &Task) -> impl FnOnce(Stage) -> Self + use<> {
        let (id, views, cancel) = (task.recorder.id, task.recorder.subscribe(), task.cancel.clone());
        move |stage| Self { id, views, cancel, stage }
    }

    /// The task.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// The task as it changes.
    pub fn views(&self) -> watch::Receiver<View> {
        self.views.clone()
    }

    /// A way to cancel it.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.cancel.clone()
    }

    /// Brings the task to its end. An error means that the *record* can't be kept any more (or a defect): the domain is
    /// then left alone, and the task can be adopted once the store works again.
    pub async fn drive(self) -> Result<Outcome, EngineError> {
        let span = span(self.id);
        self.stage.drive().instrument(span).await
    }

    /// The same, and tells of it while it goes on: each view that there is when the driving pauses, and the last one.
    pub async fn follow(self, mut tell: impl FnMut(&View)) -> Result<Outcome, EngineError> {
        let mut views = self.views();
        let mut driving = std::pin::pin!(self.drive());
        let mut told = None;
        loop {
            let ended = tokio::select! {
                biased;
                ended = &mut driving => Some(ended),
                Ok(()) = views.changed() => None,
            };
            // A copy: whoever is told may take as long as it likes, or ask for the view again.
            let view = views.borrow_and_update().clone();
            if told.replace(view.generation) != Some(view.generation) {
                tell(&view);
            }
            if let Some(ended) = ended {
                return ended;
            }
        }
    }
}

/// What every line of the log is about that is written while a task is driven, by whatever part of the program and on whatever
/// thread. It has a target of its own, and the level of an error, so that no filter of other lines takes it away.
pub(crate) fn span(id: TaskId) -> tracing::Span {
    tracing::error_span!(target: "waypost::task", "task", %id)
}

/// What every phase has: the record, and the wish to cancel.
pub(crate) struct Task {
    recorder: Recorder,
    cancel: CancelHandle,
    wanted: watch::Receiver<Option<String>>,
}

/// The phases that a task can be in, each with what it acquired.
pub(crate) enum Stage {
    Accepted(accepted::Accepted),
    Planned(prepared::Planned),
    Abandoned(prepared::Abandoned),
    Prepared(prepared::Prepared),
    Performing(performing::Performing),
    Outside(outside::Outside),
    Finishing(finishing::Finishing),
    Locating(recovering::Locating),
    Recovering(recovering::Recovering),
    Ended(Outcome),
}

impl Stage {
    /// Through one phase after the other. Each is boxed: together they are more than a thread's stack may have room for, and whoever
    /// embeds the engine drives several from one place.
    async fn drive(self) -> Result<Outcome, EngineError> {
        let mut stage = self;
        loop {
            let phase: Later<'static, Result<Self, EngineError>> = match stage {
                Self::Accepted(phase) => Box::pin(phase.judge()),
                Self::Planned(phase) => Box::pin(phase.prepare()),
                Self::Abandoned(phase) => Box::pin(phase.roll_back()),
                Self::Prepared(phase) => Box::pin(phase.perform()),
                Self::Performing(phase) => Box::pin(phase.watch()),
                Self::Outside(mut phase) => Box::pin(async move {
                    phase.task.count_by_the_job(&phase.plan).await;
                    phase.watch().await
                }),
                Self::Finishing(phase) => Box::pin(phase.finish()),
                Self::Locating(phase) => Box::pin(phase.locate()),
                Self::Recovering(phase) => Box::pin(phase.act()),
                Self::Ended(outcome) => return Ok(outcome),
            };
            stage = phase.await?;
        }
    }

    /// Where a task goes on, from the journal alone.
    fn resume(task: Task) -> Self {
        let course = &task.recorder.course;
        if let Some(outcome) = &course.outcome {
            return Self::Ended(outcome.clone());
        }
        let Some(plan) = course.plan.clone() else { return Self::Accepted(accepted::Accepted(task)) };
        match course.phase {
            Phase::Accepted => Self::Accepted(accepted::Accepted(task)),
            // The facts of this plan are as old as the process that made it, and nothing was moved yet.
            Phase::Planned | Phase::Preparing | Phase::Prepared => Self::Abandoned(prepared::Abandoned::new(
                task,
                plan,
                "the controller was restarted before the transfer began",
            )),
            // An intent without its result: it may have run.
            Phase::Performing => {
                Self::Outside(outside::Outside { task, plan, aborts: aborting::Aborts::default(), lost: None })
            }
            Phase::Finishing => Self::Finishing(finishing::Finishing { task, plan, figures: None, events: None }),
            Phase::Locating | Phase::Recovering | Phase::Ended => Self::Locating(recovering::Locating { task, plan }),
        }
    }
}

impl Task {
    pub(crate) fn new(recorder: Recorder) -> Self {
        let (sender, wanted) = watch::channel(None);
        Self { recorder, cancel: CancelHandle(Arc::new(sender)), wanted }
    }

    fn ports(&self) -> &Arc<Ports> {
        &self.recorder.ports
    }

    fn record(&mut self, record: Record) -> Result<(), EngineError> {
        self.recorder.record(record)
    }

    /// The wish to cancel, if there is one by now - of this process or, through the store, of another.
    fn cancel_wanted(&self) -> Result<Option<String>, EngineError> {
        let here = self.wanted.borrow().clone();
        match here {
            Some(requester) => Ok(Some(requester)),
            None => Ok(self.ports().store.cancel_requested(self.recorder.id)?),
        }
    }

    /// Notes the wish once. Answers whether the task is being cancelled.
    fn note_cancel(&mut self) -> Result<bool, EngineError> {
        if !self.recorder.course.cancel_requested
            && let Some(requester) = self.cancel_wanted()?
        {
            self.record(Record::CancelRequested { requester })?;
        }
        Ok(self.recorder.course.cancel_requested)
    }

    /// Waits until the wish to cancel may have changed.
    async fn cancel_changed(&mut self) {
        let poll = self.ports().settings().cancel_poll;
        tokio::select! {
            changed = self.wanted.changed() => if changed.is_err() { std::future::pending::<()>().await },
            () = tokio::time::sleep(poll) => {}
        }
    }

    /// Both sides, asked at the same time.
    async fn look(&mut self, plan: &Plan) -> Situation {
        let situation = look(self.ports(), plan).await;
        self.recorder.history.seen(&situation);
        situation
    }

    /// What may be done: what both sides permit, less what the past of this attempt forbids.
    fn permitted(&self, plan: &Plan, situation: &Situation) -> Vec<Action> {
        judged(self.ports(), &self.recorder.course, &self.recorder.history, plan, situation).0
    }

    /// Whether both sides, read right now, and the past still permit an action.
    async fn still_permits(&mut self, plan: &Plan, action: Action) -> bool {
        let now = self.look(plan).await;
        self.permitted(plan, &now).contains(&action)
    }

    /// Attempts that may follow this one.
    fn attempts_left(&self) -> u32 {
        attempts_left(self.ports(), &self.recorder.course)
    }

    /// Counts the time of a transfer that an earlier controller began by the source's job, where that says less than the
    /// clock: somebody may have set it since, and a transfer that goes well would be ended for a time limit that is not over.
    /// Where no job runs there is nothing that the limit could end, and of what begins yet it counts from now on. A source
    /// that can't be asked leaves it at what the clock says.
    async fn count_by_the_job(&mut self, plan: &Plan) {
        if !self.recorder.began_earlier() {
            return;
        }
        if let Ok(job) = self.ports().hypervisor.sample(&plan.source.host, plan.domain).await {
            self.recorder.performing_at_most(job.map_or(0, |sample| sample.elapsed_ms));
        }
    }

    /// When the time for the whole transfer is over, also if another process began it.
    fn deadline(&self, plan: &Plan) -> Instant {
        let left = plan.timeout_s.saturating_mul(1000).saturating_sub(self.recorder.performing_ms());
        Instant::now() + std::time::Duration::from_millis(left)
    }

    fn end(mut self, outcome: Outcome) -> Result<Stage, EngineError> {
        self.record(Record::Ended { outcome: outcome.clone() })?;
        Ok(Stage::Ended(outcome))
    }

    /// Ends a task of which nothing was moved.
    fn end_untouched(self, kind: OutcomeKind, summary: String, remedy: Option<String>) -> Result<Stage, EngineError> {
        let causes = self.recorder.all_causes();
        self.end(Outcome { kind, summary, causes, remedy })
    }
}

fn attempts_left(ports: &Ports, course: &Course) -> u32 {
    course.request.options.attempts.unwrap_or(ports.settings().max_attempts).saturating_sub(course.attempt)
}

/// What both sides permit, less what is withheld, and that with its reasons.
pub(crate) fn judged(
    ports: &Ports,
    course: &Course,
    history: &History,
    plan: &Plan,
    situation: &Situation,
) -> (Vec<Action>, Vec<Withheld>) {
    // The migration that runs is another's, and so is every job, copy and definition: this task ends where the domain still
    // runs on its source, or another's job has it there, whatever goes on with it. One that stands still there without a job
    // is what the table is for. Where nobody heard a call refused, a job's end has to show whose it was.
    if course.is_not_begun()
        && let Side::Present(here) = &situation.source
        && here.state.is_active()
        && (here.job || here.state != DomainState::Paused)
        && !(here.job && history.is_unheard())
    {
        return (vec![Action::AcceptSource, Action::HandOver], Vec::new());
    }
    let (mut left, mut withheld) = history.judge(plan, situation, permitted(plan, situation));
    if course.is_not_begun() {
        let ours = |action: &Action| {
            matches!(action, Action::Wait | Action::AcceptSource | Action::AcceptDestination | Action::HandOver)
        };
        let why = "another migration had the domain: this task began nothing, and ends nothing";
        withheld.extend(left.extract_if(.., |action| !ours(action)).map(|action| (action, why)));
        if !left.contains(&Action::HandOver) {
            left.push(Action::HandOver);
        }
    }
    let why = if course.cancel_requested {
        Some("somebody asked to cancel")
    } else if attempts_left(ports, course) == 0 {
        Some("no further attempt is allowed")
    } else {
        None
    };
    if let Some(why) = why {
        withheld.extend(left.extract_if(.., |action| *action == Action::TryAgain).map(|action| (action, why)));
    }
    (left, withheld)
}

/// Both sides, asked at the same time.
pub(crate) async fn look(ports: &Ports, plan: &Plan) -> Situation {
    let (source, destination) = tokio::join!(
        ports.hypervisor.observe(&plan.source.host, plan.domain),
        ports.hypervisor.observe(&plan.destination.host, plan.domain)
    );
    Situation { source, destination }
}

/// A ticker that skips what it missed: after a stall one reading is enough.
fn ticker(every: std::time::Duration) -> tokio::time::Interval {
    let mut ticker = interval_at(Instant::now() + every, every);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticker
}
