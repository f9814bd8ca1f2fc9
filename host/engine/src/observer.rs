//! Watches a task that another process drives: reads what that process writes, and never touches a host.

use std::sync::Arc;

use tokio::sync::watch;
use waypost_core::convergence::Steering;
use waypost_core::ids::{Moment, TaskId};
use waypost_core::journal::Record;
use waypost_core::phase::Phase;

use crate::courses::Read;
use crate::engine::Ports;
use crate::error::EngineError;
use crate::steered::SWITCHES_SOON;
use crate::task::waiting;
use crate::view::View;

/// A watcher.
pub struct Observer {
    ports: Arc<Ports>,
    id: TaskId,
}

/// What the watcher should do next.
pub enum Seen {
    /// It goes on.
    Going(Box<View>),
    /// It is over.
    Over(Box<View>),
    /// Whoever drove it is gone: the task may be adopted.
    Orphaned(Box<View>),
}

/// When what happened to a task was written down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Its first transfer was begun.
    pub started: Option<Moment>,
    /// It ended; none while it isn't over.
    pub ended: Option<Moment>,
}

impl Times {
    /// Takes one record in, as a course does.
    pub(crate) fn note(&mut self, at: Moment, record: &Record) {
        match record {
            Record::PerformIntended => self.started = self.started.or(Some(at)),
            Record::Ended { .. } => self.ended = Some(at),
            // One that a person went on with has an end that is none.
            Record::Reopened { .. } => self.ended = None,
            _ => {}
        }
    }
}

impl Observer {
    pub(crate) fn new(ports: Arc<Ports>, id: TaskId) -> Self {
        Self { ports, id }
    }

    /// The task.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// What is on record of the task right now. Unlike [`Observer::look`] it doesn't ask who drives it, so it may be called as
    /// often as anybody wants to know.
    pub fn view(&self) -> Result<View, EngineError> {
        self.view_with_times().map(|(view, _)| view)
    }

    /// The same, with when it happened.
    pub fn view_with_times(&self) -> Result<(View, Times), EngineError> {
        let Read { course, records, times } = self.ports.courses.read(self.ports.store.as_ref(), self.id)?;
        let reading = self.ports.store.reading(self.id)?;
        // What its driver tells watchers of its own process.
        let note = match course.phase {
            Phase::Accepted => waiting::standing(&self.ports, self.id)?.map(|turn| turn.to_string()),
            Phase::Performing if course.kept.contains(&Steering::PostCopy) => Some(SWITCHES_SOON.to_owned()),
            _ => None,
        }
        .unwrap_or_default();
        let view = View {
            note,
            generation: u64::from(records),
            permille: reading.as_ref().map_or(0, |r| r.permille),
            sample: reading.map(|r| r.sample),
            ..View::of(self.id, &course)
        };
        Ok((view, times))
    }

    /// Looks once, also at who drives it.
    pub fn look(&self) -> Result<Seen, EngineError> {
        let view = Box::new(self.view()?);
        if view.outcome.is_some() {
            return Ok(Seen::Over(view));
        }
        // Taking the lock for a moment is the one way to know that nobody has it; it is given back at once.
        Ok(if self.ports.store.lock(self.id)?.is_some() { Seen::Orphaned(view) } else { Seen::Going(view) })
    }

    /// Follows the task to its end or until it is orphaned, telling each change.
    pub async fn follow(&self, views: &watch::Sender<Option<View>>) -> Result<Seen, EngineError> {
        loop {
            let seen = self.look()?;
            let (Seen::Going(view) | Seen::Over(view) | Seen::Orphaned(view)) = &seen;
            views.send_if_modified(|last| {
                let changed = last.as_ref().is_none_or(|l| {
                    (l.generation, l.permille) != (view.generation, view.permille)
                        || l.sample != view.sample
                        || l.note != view.note
                });
                if changed {
                    *last = Some((**view).clone());
                }
                changed
            });
            if !matches!(seen, Seen::Going(_)) {
                return Ok(seen);
            }
            // Another process writes the journal; SQLite has no event for that, so it is polled, slowly.
            tokio::time::sleep(self.ports.settings().look_every).await;
        }
    }
}
