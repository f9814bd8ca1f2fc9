//! Who drives a task: the lock that is taken and given back, and how the others know of it.

use std::collections::HashSet;
use std::sync::{Arc, MutexGuard, PoisonError};

use waypost_core::feed::DrivenBy;
use waypost_core::ids::TaskId;
use waypost_core::phase::Phase;
use waypost_core::ports::{StoreFault, TaskLock};

use super::rows::phase_of;
use super::{Inner, Trying};
use crate::lock::{self, FileLock};
use crate::{fault, upkeep};

/// A held lock; the file goes with the last lock of a task that is over.
struct HeldTask {
    inner: Arc<Inner>,
    id: TaskId,
    file: FileLock,
}

impl TaskLock for HeldTask {}

impl Drop for HeldTask {
    fn drop(&mut self) {
        // Before the lock itself goes: who looks in between sees a lock that is held, which errs on the safe side.
        self.inner.driven().remove(&self.id);
        let trying = self.inner.trying(format!("tidy up the lock of task {}", self.id));
        let over = trying.visibly(|db| phase_of(db, self.id).map_err(trying.sql()));
        match over {
            // No row: the task was refused when it was about to be made.
            Ok(None | Some(Phase::Ended)) => {
                if let Err(error) = self.file.remove() {
                    tracing::warn!(task = %self.id, %error, "a lock file can't be removed");
                }
            }
            Ok(Some(_)) => {}
            Err(fault) => tracing::warn!(task = %self.id, %fault, "a lock file may be left"),
        }
    }
}

impl Inner {
    pub(super) fn acquire(
        self: &Arc<Self>,
        trying: &Trying<'_>,
        id: TaskId,
    ) -> Result<Option<Box<dyn TaskLock>>, StoreFault> {
        let path = self.locks.join(id.to_string());
        let file = lock::acquire(&path).map_err(|e| fault::file(&trying.what, &path, &e))?;
        Ok(file.map(|file| {
            file.note_process();
            self.driven().insert(id);
            Box::new(HeldTask { inner: Arc::clone(self), id, file }) as Box<dyn TaskLock>
        }))
    }

    fn driven(&self) -> MutexGuard<'_, HashSet<TaskId>> {
        self.driven.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who drives a task.
    pub(super) fn driver(&self, trying: &Trying<'_>, id: TaskId) -> Result<DrivenBy, StoreFault> {
        if !self.is_driven(trying, id)? {
            return Ok(DrivenBy::Nobody);
        }
        let process = match self.driven().contains(&id) {
            true => Some(std::process::id()),
            false => lock::noted_process(&self.locks.join(id.to_string())),
        };
        let folder = self.locks.parent().unwrap_or(&self.locks);
        match process {
            Some(process) if upkeep::is_service(folder, process)? => Ok(DrivenBy::Service),
            Some(_) | None => Ok(DrivenBy::Process),
        }
    }

    /// Whether somebody drives a task. Taking its lock for a moment is the one way to know of another process.
    pub(super) fn is_driven(&self, trying: &Trying<'_>, id: TaskId) -> Result<bool, StoreFault> {
        if self.driven().contains(&id) {
            return Ok(true);
        }
        let path = self.locks.join(id.to_string());
        lock::is_held(&path).map_err(|e| fault::file(&trying.what, &path, &e))
    }
}
