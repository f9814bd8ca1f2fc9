//! What tasks came to, counted from the one order of all records: whatever process wrote a record, and whoever took a task
//! over, each counts once.
//!
//! It holds a place in that order and reads on from there when somebody asks. What is known of a task besides - when it began,
//! what its last attempt failed of - is worked out from its journal as it was at that record, so that it makes no difference
//! how late it is read.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use waypost_core::feed::{Change, Feed, TaskQuery, TaskState};
use waypost_core::ids::TaskId;
use waypost_core::journal::{Course, Record};
use waypost_core::outcome::OutcomeKind;
use waypost_core::ports::{Store, StoreFault};
use waypost_core::recovery::FailureClass;
use waypost_core::sample::Stage;

use super::{Counts, Labels, labels};

/// Changes that are read at once.
const PAGE: u32 = 256;
/// Where nothing failed.
const NONE: &str = "none";
/// Bounds of the durations of tasks, s: a second to a day.
const DURATIONS: [f64; 14] =
    [1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 43_200.0, 86_400.0];
/// Bounds of real downtimes, s: what a guest's network doesn't notice to what its users do.
const DOWNTIMES: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0];
/// The final figures of a completed task are written right after its end; how often they are looked for.
const LOOKS: u8 = 30;

/// The counters.
pub(super) struct Tally {
    place: Mutex<Place>,
    accepted: Counter,
    adopted: Counter,
    records: Counter,
    ended: Counts,
    attempts_failed: Counts,
    durations: Family<Labels, Histogram, fn() -> Histogram>,
    downtime: Histogram,
    bytes: Counter<u64, AtomicU64>,
}

/// How far it was read.
#[derive(Default)]
struct Place {
    /// The last record that was counted; none: the store could not be read yet.
    after: Option<u64>,
    /// Bytes of each attempt that were counted already, of tasks that were not over.
    counted: BTreeMap<TaskId, BTreeMap<u32, u64>>,
    /// Completed tasks whose final figures are not there yet, and how often they were looked for.
    unsettled: BTreeMap<TaskId, u8>,
}

impl Tally {
    /// Counts from now on.
    pub(super) fn begin(feed: &dyn Feed) -> Self {
        let ended = Counts::default();
        for kind in OutcomeKind::ALL {
            drop(ended.get_or_create(&labels([("outcome", kind.as_str()), ("failure", NONE)])));
        }
        let attempts_failed = Counts::default();
        for class in FailureClass::ALL {
            drop(attempts_failed.get_or_create(&labels([("failure", class.as_str())])));
        }
        let tally = Self {
            place: Mutex::default(),
            accepted: Counter::default(),
            adopted: Counter::default(),
            records: Counter::default(),
            ended,
            attempts_failed,
            durations: Family::new_with_constructor((|| Histogram::new(DURATIONS)) as fn() -> Histogram),
            downtime: Histogram::new(DOWNTIMES),
            bytes: Counter::default(),
        };
        if let Err(fault) = tally.begin_at(feed, &mut tally.place()) {
            tracing::warn!(%fault, "what happens is counted once the store can be read");
        }
        tally
    }

    /// What transfers have moved before doesn't count, in whatever attempt: of tasks that are not over, and of those that
    /// are stuck, which may be gone on with.
    fn begin_at(&self, feed: &dyn Feed, place: &mut Place) -> Result<u64, StoreFault> {
        let newest = feed.last_change()?;
        let mut moved_before = |task: TaskId, attempt: u32, moved: u64| {
            let counted = place.counted.entry(task).or_default().entry(attempt).or_default();
            *counted = moved.max(*counted);
        };
        let states = vec![TaskState::Unfinished, TaskState::Ended(OutcomeKind::Stuck)];
        for brief in feed.page(&TaskQuery { states, ..TaskQuery::default() }, u32::MAX)? {
            for past in feed.samples(brief.id)? {
                moved_before(brief.id, past.attempt, past.reading.sample.processed_bytes);
            }
        }
        for moving in feed.moving()? {
            moved_before(moving.brief.id, moving.attempt, moving.reading.sample.processed_bytes);
        }
        place.after = Some(newest);
        Ok(newest)
    }

    /// Takes in what was written since.
    pub(super) fn refresh(&self, feed: &dyn Feed, store: &dyn Store) -> Result<(), StoreFault> {
        let mut place = self.place();
        let mut after = match place.after {
            Some(after) => after,
            None => self.begin_at(feed, &mut place)?,
        };
        loop {
            let page = feed.changes(None, after, PAGE)?;
            for change in &page {
                self.count(&mut place, feed, store, change)?;
                after = change.sequence;
                place.after = Some(after);
            }
            if page.len() < PAGE as usize {
                break;
            }
        }
        for moving in feed.moving()? {
            self.move_on(&mut place, moving.brief.id, moving.attempt, moving.reading.sample.processed_bytes);
        }
        settle_all(&mut place, |place, task| self.settle(place, feed, store, task))
    }

    /// Counts one record. What is read for it is read first, so that a store that fails leaves it to be counted again.
    fn count(&self, place: &mut Place, feed: &dyn Feed, store: &dyn Store, change: &Change) -> Result<(), StoreFault> {
        match &change.record {
            Record::Accepted { .. } => {
                self.accepted.inc();
            }
            Record::Adopted => {
                self.adopted.inc();
            }
            Record::PerformReturned { result: Err((class, _)) } => {
                self.attempts_failed.get_or_create(&labels([("failure", class.as_str())])).inc();
            }
            // The readings of the attempt before it go with it.
            Record::NextAttempt { .. } => self.settle_bytes(place, feed, change.task)?,
            Record::Ended { outcome } => {
                let journal = store.journal(change.task)?;
                let until = (change.number as usize).min(journal.len());
                let course = Course::replay(journal[..until].iter().map(|(_, record)| record));
                let failure = course.ok().and_then(|course| course.failure).map_or(NONE, |(class, _)| class.as_str());
                self.settle_bytes(place, feed, change.task)?;
                let began = journal.first().map_or(change.at, |(at, _)| *at);
                let seconds = change.at.0.saturating_sub(began.0) as f64 / 1000.0;
                let kind = outcome.kind.as_str();
                self.ended.get_or_create(&labels([("outcome", kind), ("failure", failure)])).inc();
                self.durations.get_or_create(&labels([("outcome", kind)])).observe(seconds);
                if outcome.kind == OutcomeKind::Completed {
                    place.unsettled.insert(change.task, 0);
                } else if outcome.kind != OutcomeKind::Stuck {
                    // One that is stuck may be gone on with.
                    place.counted.remove(&change.task);
                }
            }
            _ => {}
        }
        self.records.inc();
        Ok(())
    }

    /// The final figures of a completed task. Answers whether they are there.
    fn settle(&self, place: &mut Place, feed: &dyn Feed, store: &dyn Store, task: TaskId) -> Result<bool, StoreFault> {
        let reading = store.reading(task)?;
        let Some(reading) = reading.filter(|reading| reading.permille == 1000) else { return Ok(false) };
        self.settle_bytes(place, feed, task)?;
        place.counted.remove(&task);
        if reading.sample.stage == Stage::Final
            && let Some(ms) = reading.sample.downtime_ms
        {
            self.downtime.observe(ms as f64 / 1000.0);
        }
        Ok(true)
    }

    /// What the readings on record say that each attempt has moved.
    fn settle_bytes(&self, place: &mut Place, feed: &dyn Feed, task: TaskId) -> Result<(), StoreFault> {
        for past in feed.samples(task)? {
            self.move_on(place, task, past.attempt, past.reading.sample.processed_bytes);
        }
        Ok(())
    }

    fn move_on(&self, place: &mut Place, task: TaskId, attempt: u32, moved: u64) {
        let counted = place.counted.entry(task).or_default().entry(attempt).or_default();
        self.bytes.inc_by(moved.saturating_sub(*counted));
        *counted = moved.max(*counted);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("tasks_accepted", "Tasks that were taken on", self.accepted.clone());
        let help = "How often a running transfer was taken over, or watched from outside";
        registry.register("tasks_adopted", help, self.adopted.clone());
        registry.register("records", "Records that were written into journals", self.records.clone());
        let help =
            "Tasks that ended, by outcome and by what their last attempt failed of; one that was stuck may end again";
        registry.register("migrations_ended", help, self.ended.clone());
        let help = "Attempts whose migration failed, by failure class";
        registry.register("migration_attempts_failed", help, self.attempts_failed.clone());
        let help = "From the request to the end";
        registry.register_with_unit("migration_duration", help, Unit::Seconds, self.durations.clone());
        let help = "Real downtime of completed live migrations, as the hypervisor measured it";
        registry.register_with_unit("migration_downtime", help, Unit::Seconds, self.downtime.clone());
        let help = "Bytes that transfers moved, as far as readings tell";
        registry.register_with_unit("transferred", help, Unit::Bytes, self.bytes.clone());
    }

    fn place(&self) -> std::sync::MutexGuard<'_, Place> {
        // A panic leaves a place at which every record before it was counted.
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks for the final figures of all completed tasks that miss theirs, and forgets those that were looked for often enough. One
/// whose figures can't be read keeps nobody else from theirs, and is looked for again.
fn settle_all(
    place: &mut Place,
    mut settle: impl FnMut(&mut Place, TaskId) -> Result<bool, StoreFault>,
) -> Result<(), StoreFault> {
    let mut unsettled = std::mem::take(&mut place.unsettled);
    let mut all = Ok(());
    for (task, looks) in &mut unsettled {
        let settled = settle(place, *task);
        *looks = if matches!(settled, Ok(true)) { LOOKS } else { *looks + 1 };
        all = all.and(settled.map(|_| ()));
    }
    for (task, _) in unsettled.extract_if(.., |_, looks| *looks >= LOOKS) {
        place.counted.remove(&task);
    }
    place.unsettled = unsettled;
    all
}

#[cfg(test)]
mod tests;
