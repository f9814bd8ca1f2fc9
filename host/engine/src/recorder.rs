//! The one place where a task changes: a record is checked against the phase table, written, and only then believed.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;
use waypost_core::ids::{HostName, Moment, TaskId};
use waypost_core::journal::{Course, Record};
use waypost_core::login::Hold;
use waypost_core::ports::{DecisionRecord, Reading, TaskLock};
use waypost_core::sample::{Progress, Sample, Stage};
use waypost_core::situation::History;

use crate::engine::Ports;
use crate::error::EngineError;
use crate::steered::{NOT_NEEDED, SteeringLog};
use crate::view::View;

/// A task's course, its journal, and the view that others have of it. Owns the task's lock: who holds a recorder drives.
pub(crate) struct Recorder {
    pub(crate) ports: Arc<Ports>,
    pub(crate) id: TaskId,
    pub(crate) course: Course,
    /// How long the transfer of this attempt has been going on; the time limit counts from its begin, also for a later
    /// controller.
    pub(crate) performing: Option<Spent>,
    /// What was done to the running transfer of this attempt.
    pub(crate) steered: SteeringLog,
    /// What was seen and done in this attempt.
    pub(crate) history: History,
    progress: Progress,
    last_reading: Option<Moment>,
    view: watch::Sender<View>,
    /// The task's hosts: a connection that a login opened must last for as long as the task is driven.
    held: BTreeMap<HostName, Hold>,
    _lock: Box<dyn TaskLock>,
}

/// Time that goes on whatever anybody sets the clock to. Only what passed under an earlier controller is a difference of two
/// of the clock's moments, and may be more than passed: [`Recorder::performing_at_most`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    before_ms: u64,
    since: Instant,
}

impl Spent {
    /// From now on, with so many ms before.
    pub(crate) fn already(before_ms: u64) -> Self {
        Self { before_ms, since: Instant::now() }
    }

    fn ms(self) -> u64 {
        self.before_ms.saturating_add(self.here_ms())
    }

    fn here_ms(self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A reading is put into the store this often: for watchers of other processes, who look about once a second.
const READING_EVERY_MS: u64 = 1000;

impl Recorder {
    pub(crate) fn new(ports: Arc<Ports>, id: TaskId, course: Course, lock: Box<dyn TaskLock>) -> Self {
        let view = watch::Sender::new(View::of(id, &course));
        let mut recorder = Self {
            ports,
            id,
            course,
            performing: None,
            steered: SteeringLog::default(),
            history: History::default(),
            progress: Progress::default(),
            last_reading: None,
            view,
            held: BTreeMap::new(),
            _lock: lock,
        };
        recorder.hold();
        recorder
    }

    /// Holds the hosts that the task is known to need.
    fn hold(&mut self) {
        let Course { current, plan, .. } = &self.course;
        let planned = plan.iter().flat_map(|plan| [&plan.source.host, &plan.destination.host]);
        for host in current.source.iter().chain([&current.destination]).chain(planned) {
            self.held.entry(host.clone()).or_insert_with(|| self.ports.hypervisor.hold(host));
        }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<View> {
        self.view.subscribe()
    }

    /// Checks, writes, believes - in this order.
    pub(crate) fn record(&mut self, record: Record) -> Result<(), EngineError> {
        self.course.check(&record).map_err(EngineError::Illegal)?;
        if matches!(record, Record::PerformReturned { .. }) {
            // Said before the end, after which nothing is steered.
            for action in self.course.kept.clone() {
                self.record(Record::SteerSettled { action, result: Err(NOT_NEEDED.to_owned()) })?;
            }
        }
        let now = self.ports.clock.now();
        self.ports.store.append(self.id, now, &record)?;
        self.course.apply(&record).map_err(EngineError::Illegal)?;
        self.history.note(&record);
        self.steered.note(self.performing_ms(), &record);
        match record {
            // A wish was for the transfer that is over.
            Record::PerformReturned { .. } => {
                for (number, _) in self.ports.store.wishes(self.id)? {
                    self.ports.store.settle_wish(self.id, number)?;
                }
            }
            Record::PerformIntended => self.performing = Some(Spent::already(0)),
            Record::NextAttempt { .. } => self.progress = Progress::default(),
            Record::Planned { .. } => self.hold(),
            Record::Ended { ref outcome } if outcome.kind == waypost_core::outcome::OutcomeKind::Completed => {
                self.progress.complete();
                self.put_reading(now);
            }
            _ => {}
        }
        if self.course.outcome.is_some() {
            self.ports.line.freed();
        }
        let permille = self.progress.permille();
        let course = &self.course;
        self.view.send_modify(|view| {
            view.generation += 1;
            view.phase = course.phase;
            view.attempt = course.attempt;
            view.verdict.clone_from(&course.verdict);
            view.plan.clone_from(&course.plan);
            view.destination.clone_from(&course.current.destination);
            if let Some(plan) = &course.plan {
                view.domain.clone_from(&plan.name);
                view.source = Some(plan.source.host.clone());
            }
            view.outcome.clone_from(&course.outcome);
            view.cancel_requested = course.cancel_requested;
            view.permille = permille;
        });
        Ok(())
    }

    /// Time since the transfer of this attempt began, ms, also if another controller began it.
    pub(crate) fn performing_ms(&self) -> u64 {
        self.performing.map_or(0, Spent::ms)
    }

    /// Whether some of that time passed under an earlier controller.
    pub(crate) fn began_earlier(&self) -> bool {
        self.performing.is_some_and(|spent| spent.before_ms > 0)
    }

    /// The transfer can't have been going on for longer: the clock was set since an earlier controller began it. What was
    /// done to it was done in that time.
    pub(crate) fn performing_at_most(&mut self, ms: u64) {
        let Some(spent) = &mut self.performing else { return };
        spent.before_ms = spent.before_ms.min(ms.saturating_sub(spent.here_ms()));
        self.steered.at_most(spent.ms());
    }

    /// What went wrong in all attempts.
    pub(crate) fn all_causes(&self) -> Vec<String> {
        self.course.earlier.iter().chain(&self.course.causes).cloned().collect()
    }

    /// Tells watchers what is going on. Not journalled: it says nothing that a restart needs.
    pub(crate) fn note(&self, note: impl Into<String>) {
        self.view.send_modify(|view| {
            view.generation += 1;
            view.note = note.into();
        });
    }

    /// A reading of the running transfer.
    pub(crate) fn reading(&mut self, sample: Sample) {
        let memory_bytes = self.course.plan.as_ref().and_then(|plan| plan.memory_bytes);
        let permille = self.progress.advance(&sample, memory_bytes);
        let is_final = sample.stage == Stage::Final;
        self.view.send_modify(|view| {
            view.generation += 1;
            view.permille = permille;
            view.sample = Some(sample);
        });
        let now = self.ports.clock.now();
        // Final figures at once: whoever then reads that the task is over must find them.
        let due = self.last_reading.is_none_or(|last| now.0.saturating_sub(last.0) >= READING_EVERY_MS);
        if due || is_final {
            self.put_reading(now);
        }
    }

    /// The last reading that was shown.
    pub(crate) fn last_sample(&self) -> Option<Sample> {
        self.view.borrow().sample.clone()
    }

    /// Progress that an earlier controller had shown already.
    pub(crate) fn restore_progress(&mut self) -> Result<(), EngineError> {
        if let Some(reading) = self.ports.store.reading(self.id)? {
            // Not the sample's own progress: a later pass over the memory has more left than the one before it had.
            let shown = u64::from(reading.permille.min(999));
            let restored = Sample { total_bytes: 1000, remaining_bytes: 1000 - shown, ..Sample::default() };
            let permille = self.progress.advance(&restored, None);
            self.view.send_modify(|view| {
                view.permille = permille;
                view.sample = Some(reading.sample);
            });
        }
        Ok(())
    }

    fn put_reading(&mut self, now: Moment) {
        self.last_reading = Some(now);
        // An offline migration has no figures, and still comes to its end.
        let sample = self.view.borrow().sample.clone().unwrap_or_default();
        let reading = Reading { at: now, permille: self.progress.permille(), sample };
        // A reading is for display only; a store in trouble will be met by the next record, which is for safety.
        if let Err(fault) = self.ports.store.put_reading(self.id, &reading) {
            tracing::warn!(%fault, "a reading could not be kept");
        }
    }

    pub(crate) fn put_decisions(&self, decisions: &[DecisionRecord]) -> Result<(), EngineError> {
        Ok(self.ports.store.put_decisions(self.id, decisions)?)
    }
}
