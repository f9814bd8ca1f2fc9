//! Drives tasks in the background: those that are taken on here, and those that nobody drives any more.
//!
//! Each driven task is a tokio task that owns its `Driver`, and with it the lock. Ending one of them never ends a migration: a
//! transfer goes on in the hosts, and whoever comes next adopts the task. So stopping the service is leaving the tasks, each
//! where that costs least: one that waits for its turn or watches a transfer at once, one that is making something ready or
//! tidying up when it is through with it, as long as there is time.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use waypost_core::feed::{Feed, TaskQuery, TaskState};
use waypost_core::ids::TaskId;
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
    /// Tasks that can't be adopted, each said once.
    troubled: Mutex<BTreeSet<TaskId>>,
}

/// A task that is driven here.
struct Held {
    cancel: CancelHandle,
    leave: watch::Sender<Leave>,
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
            troubled: Mutex::default(),
        })
    }

    /// Drives a task to its end, or until it is to be left. Must be called inside the runtime.
    pub(crate) fn take(self: &Arc<Self>, driver: Driver) {
        let id = driver.id();
        let (leave, told) = watch::channel(if self.is_draining() { Leave::WhereItCostsNothing } else { Leave::Stay });
        let held = Held { cancel: driver.cancel_handle(), leave };
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

    async fn drive(&self, driver: Driver, mut told: watch::Receiver<Leave>) {
        let id = driver.id();
        let mut views = driver.views();
        let mut driving = pin!(driver.drive());
        loop {
            tokio::select! {
                biased;
                ended = &mut driving => {
                    match ended {
                        Ok(outcome) => tracing::info!(task = %id, outcome = %outcome.kind, "a task ended"),
                        Err(error) => tracing::error!(task = %id, %error, "a task can't be driven any further; it is taken up again"),
                    }
                    return;
                }
                Ok(()) = views.changed() => self.hub.nudge(),
                Ok(()) = told.changed() => {}
            }
            let leave = *told.borrow();
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
        self.desk.hub.nudge();
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
