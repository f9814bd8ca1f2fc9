//! The queue as the tasks of this process see it. Each of those that wait wants to know where it stands whenever a slot is
//! freed and every moment besides; if each read the queue for itself, five hundred would read five hundred entries five
//! hundred times. So it is read once and shared, for as long as nothing here changed it, and for a moment at most, because
//! other processes change it without a word. What is read may be old; who believes that it is its turn claims its slot in
//! the store, which alone decides.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;
use waypost_core::ids::TaskId;
use waypost_core::ports::{Clock, Store, StoreFault};
use waypost_core::queue::{SlotLimits, Turn, standings};

/// What is read serves for so long, and so often the first in line looks for what other processes did.
pub(crate) const SERVES_FOR: Duration = Duration::from_millis(100);

/// Where everybody stands.
pub(crate) type Standings = Arc<BTreeMap<TaskId, Turn>>;

/// What all tasks of this process know of the queue.
#[derive(Default)]
pub(crate) struct Line {
    freed: Notify,
    changes: AtomicU64,
    read: Mutex<Option<Read>>,
}

struct Read {
    at: Instant,
    /// The changes that it has seen.
    changes: u64,
    standings: Standings,
}

impl Line {
    /// A task of this process ended: others may have waited for its slot.
    pub(crate) fn freed(&self) {
        self.changed();
        self.freed.notify_waiters();
    }

    /// A task of this process asked for a slot, or took one.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// The next time that a slot may have been freed here, also if that is before it is waited for.
    pub(crate) fn next_freed(&self) -> Notified<'_> {
        self.freed.notified()
    }

    /// Where everybody stands.
    pub(crate) fn standings(
        &self,
        store: &dyn Store,
        limits: &SlotLimits,
        clock: &dyn Clock,
    ) -> Result<Standings, StoreFault> {
        // Whoever comes while it is being read waits for that reading instead of making another.
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the reading: a change in the middle of it makes it old.
        let changes = self.changes.load(Ordering::Acquire);
        if let Some(read) = read.as_ref()
            && read.changes == changes
            && read.at.elapsed() < SERVES_FOR
        {
            return Ok(Arc::clone(&read.standings));
        }
        let at = Instant::now();
        let standings = Arc::new(standings(&store.queue()?, limits, clock.now()));
        *read = Some(Read { at, changes, standings: Arc::clone(&standings) });
        Ok(standings)
    }
}
