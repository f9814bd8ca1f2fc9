//! Drives tasks in the background: those that are taken on here, and those that nobody drives any more.
//!
//! Each driven task is a tokio task that owns its `Driver`, and with it the lock. Ending one of them never ends a migration: a
//! transfer goes on in the hosts, and whoever comes next adopts the task. So stopping the service is leaving the tasks, each
//! where that costs least: one that waits for its turn or watches a transfer at once, one that is making something ready or
//! tidying up when it is through with it, as long as there is time.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use waypost_core::feed::{Feed, TaskQuery, TaskState};
use waypost_core::ids::TaskId;
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::phase::Phase;
use waypost_core::stream::Transport;
use waypost_engine::{Adopted, CancelHandle, Driver, Engine, View};

use crate::hub::Hub;

/// Unfinished tasks that are looked at in one round; of more, the rest comes with a later one.
const ROUND: u32 = 10_000;

pub(crate) struct Desk {
    engine: Engine,
    feed: Arc<dyn Feed>,
    hub: Arc<Hub>,
    held: Mutex<BTreeMap<TaskId, Held>>,
    /// How many are held, for whoever waits for the last.
    count: watch::Sender<usize>,
    draining: watch::Sender<bool>,
    /// Counts the questions whether the driving goes on, and the answers to them.
    beats: watch::Sender<u64>,
    heard: watch::Sender<u64>,
    /// Counts the looks for tasks that nobody drives, and asks for one more.
    rounds: watch::Sender<u64>,
    round_wanted: Notify,
    /// Tasks that can't be adopted, each said once.
    troubled: Mutex<BTreeSet<TaskId>>,
}

/// A task that is driven here.
struct Held {
    cancel: CancelHandle,
    leave: watch::Sender<Leave>,
    /// The last beat that the task's loop answered.
    heard: Arc<AtomicU64>,
}

/// The task's own end of that.
struct Told {
    leave: watch::Receiver<Leave>,
    beats: watch::Receiver<u64>,
    heard: Arc<AtomicU64>,
}

/// Whether a task is to be left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    Stay,
    WhereItCostsNothing,
    Now,
}

impl Desk {
    pub(crate) fn new(engine: Engine, feed: Arc<dyn Feed>, hub: Arc<Hub>) -> Arc<Self> {
        Arc::new(Self {
            engine,
            feed,
            hub,
            held: Mutex::default(),
            count: watch::Sender::new(0),
            draining: watch::Sender::new(false),
            beats: watch::Sender::new(0),
            heard: watch::Sender::new(0),
            rounds: watch::Sender::new(0),
            round_wanted: Notify::new(),
            troubled: Mutex::default(),
        })
    }

    /// Drives a task to its end, or until it is to be left. Must be called inside the runtime.
    pub(crate) fn take(self: &Arc<Self>, driver: Driver) {
        let id = driver.id();
        let (leave, left) = watch::channel(if self.is_draining() { Leave::WhereItCostsNothing } else { Leave::Stay });
        // Of a beat that comes after this the task hears; one that came before does not ask it.
        let beats = self.beats.subscribe();
        let heard = Arc::new(AtomicU64::new(*beats.borrow()));
        let told = Told { leave: left, beats, heard: Arc::clone(&heard) };
        let held = Held { cancel: driver.cancel_handle(), leave, heard };
        self.held().insert(id, held);
        self.count.send_modify(|count| *count += 1);
        self.hub.nudge();
        let desk = Arc::clone(self);
        tokio::spawn(async move {
            // Also where the driving panics: the lock has gone with it, and the task can be adopted.
            let gone = Gone { desk: &desk, id };
            desk.drive(driver, told).await;
            drop(gone);
        });
    }

    async fn drive(&self, driver: Driver, mut told: Told) {
        let id = driver.id();
        let mut views = driver.views();
        let mut driving = pin!(driver.drive());
        loop {
            tokio::select! {
                biased;
                ended = &mut driving => {
                    match ended {
                        Ok(outcome) => tell_end(id, &outcome),
                        Err(error) => tracing::error!(task = %id, %error, "a task can't be driven any further; it is taken up again"),
                    }
                    return;
                }
                Ok(()) = views.changed() => self.hub.nudge(),
                Ok(()) = told.leave.changed() => {}
                Ok(()) = told.beats.changed() => {
                    told.heard.store(*told.beats.borrow_and_update(), Ordering::Release);
                    self.heard.send_modify(|count| *count += 1);
                    continue;
                }
            }
            let leave = *told.leave.borrow();
            let costs_nothing = || may_be_left(&views.borrow());
            if leave == Leave::Now || (leave == Leave::WhereItCostsNothing && costs_nothing()) {
                tracing::info!(task = %id, "a task is left; it goes on where it is adopted");
                return;
            }
        }
    }

    /// Takes over every unfinished task that nobody drives.
    pub(crate) fn adopt_orphans(self: &Arc<Self>) {
        let unfinished = TaskQuery { states: vec![TaskState::Unfinished], ..TaskQuery::default() };
        match self.feed.page(&unfinished, ROUND) {
            Ok(tasks) => tasks.iter().rev().for_each(|brief| self.adopt(brief.id)),
            Err(fault) => tracing::warn!(%fault, "unfinished tasks can't be listed; they are listed again"),
        }
    }

    /// Takes a task over if nobody drives it.
    pub(crate) fn adopt(self: &Arc<Self>, id: TaskId) {
        if self.is_draining() || self.held().contains_key(&id) {
            return;
        }
        match self.engine.adopt(id) {
            Ok(Adopted::Driver(driver)) => {
                tracing::info!(task = %id, "nobody drove this task; it is driven here");
                self.take(*driver);
            }
            Ok(Adopted::Observer(_)) => {}
            Err(error) => {
                if self.troubled.lock().unwrap_or_else(PoisonError::into_inner).insert(id) {
                    tracing::error!(task = %id, %error, "an unfinished task can't be taken over");
                }
            }
        }
    }

    /// Looks for such tasks now and then, and whenever somebody wants to know whether it is still done; until draining begins.
    pub(crate) async fn keep_adopting(desk: Weak<Self>, every: Duration) {
        loop {
            let Some(desk) = desk.upgrade() else { return };
            let working = Arc::clone(&desk);
            if tokio::task::spawn_blocking(move || working.adopt_orphans()).await.is_err() {
                tracing::error!("a defect: looking for tasks that nobody drives panicked");
            }
            desk.rounds.send_modify(|count| *count += 1);
            // Nothing tells that another process died.
            tokio::select! {
                () = desk.until_draining() => return,
                () = desk.round_wanted.notified() => {}
                () = tokio::time::sleep(every) => {}
            }
        }
    }

    /// Ends when a look for tasks that nobody drives came to its end, and when the loop of every driven task has turned. Never
    /// ends where one of them hangs. A task that waits for a host does not hang: its loop turns.
    pub(crate) async fn pulse(&self) {
        let mut rounds = self.rounds.subscribe();
        self.round_wanted.notify_one();
        tokio::select! {
            _ = rounds.changed() => {}
            () = self.until_draining() => {}
        }
        let mut heard = self.heard.subscribe();
        self.beats.send_modify(|beat| *beat += 1);
        let beat = *self.beats.borrow();
        loop {
            heard.borrow_and_update();
            if self.held().values().all(|held| held.heard.load(Ordering::Acquire) >= beat) {
                return;
            }
            // The sender is ours, so it can't go before.
            let _ = heard.changed().await;
        }
    }

    /// Cancels a task that is driven here at once, without the way through the store. Answers whether it is one.
    pub(crate) fn cancel(&self, id: TaskId, requester: &str) -> bool {
        let handle = self.held().get(&id).map(|held| held.cancel.clone());
        handle.inspect(|cancel| cancel.cancel(requester)).is_some()
    }

    /// Lets go of a task, so that a person's action can be done to it; it is adopted again afterwards.
    pub(crate) async fn let_go(&self, id: TaskId) {
        let mut count = self.count.subscribe();
        loop {
            count.borrow_and_update();
            match self.held().get(&id) {
                Some(held) => {
                    held.leave.send_replace(Leave::Now);
                }
                None => return,
            }
            if count.changed().await.is_err() {
                return;
            }
        }
    }

    /// Takes on nothing more from here on.
    pub(crate) fn begin_draining(&self) {
        self.draining.send_replace(true);
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Ends when draining begins.
    pub(crate) async fn until_draining(&self) {
        let mut draining = self.draining.subscribe();
        // The sender is ours, so it can't go before.
        let _ = draining.wait_for(|draining| *draining).await;
    }

    /// Leaves every task, for so long at most where it costs nothing, and then wherever it is.
    pub(crate) async fn drain(&self, most: Duration) {
        self.begin_draining();
        self.tell(Leave::WhereItCostsNothing);
        let mut count = self.count.subscribe();
        if tokio::time::timeout(most, count.wait_for(|count| *count == 0)).await.is_err() {
            tracing::warn!(
                tasks = self.driven(),
                "tasks are left in the middle of something; what became of it is looked up when they are adopted"
            );
            self.tell(Leave::Now);
            let _ = count.wait_for(|count| *count == 0).await;
        }
    }

    /// How many tasks are driven here.
    pub(crate) fn driven(&self) -> usize {
        *self.count.borrow()
    }

    fn tell(&self, leave: Leave) {
        for held in self.held().values() {
            held.leave.send_replace(leave);
        }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<TaskId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a task off the desk when its driving is over, however it ended.
struct Gone<'a> {
    desk: &'a Desk,
    id: TaskId,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.desk.held().remove(&self.id);
        self.desk.count.send_modify(|count| *count -= 1);
        self.desk.heard.send_modify(|count| *count += 1);
        self.desk.hub.nudge();
    }
}

/// A line for the end of a task: a warning where a person has to look at it.
fn tell_end(id: TaskId, outcome: &Outcome) {
    let summary = outcome.summary.as_str();
    match outcome.kind {
        OutcomeKind::Stuck | OutcomeKind::Lost => {
            tracing::warn!(task = %id, outcome = %outcome.kind, summary, "a task ended");
        }
        OutcomeKind::Completed | OutcomeKind::Refused | OutcomeKind::RolledBack | OutcomeKind::Cancelled => {
            tracing::info!(task = %id, outcome = %outcome.kind, summary, "a task ended");
        }
    }
}

/// Whether nothing is lost by leaving the task where it is: nothing was begun, or the hosts go on by themselves.
fn may_be_left(view: &View) -> bool {
    match view.phase {
        Phase::Accepted | Phase::Locating | Phase::Ended => true,
        Phase::Performing => view.plan.as_ref().is_some_and(|plan| plan.transport != Transport::Direct),
        Phase::Planned | Phase::Preparing | Phase::Prepared | Phase::Finishing | Phase::Recovering => false,
    }
}
