//! Events for everybody who listens, each rendered once.
//!
//! ```text
//! store ─version moved, or nudged─▶ refresh ─▶ ring of rendered events ◀─pulls from its own place─ listener ─▶ client
//!                                                    │ (bounded by bytes)          │
//! store ◀──────────── whoever is further behind than the ring reaches ─────────────┘
//! ```
//! Listeners pull: each has a place in the one order of all records and takes what comes after it when its client has taken
//! what came before. So a slow client costs one number, not a queue, and loses nothing: once the ring has forgotten its
//! place it is served from the store until it has caught up. Pushing into a channel per client was rejected, because there a
//! slow client either makes memory grow or has to be told to come back.
//!
//! The store is looked at only while somebody listens; a task of this process nudges, what another process wrote is noticed
//! by the store's version.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use waypost_api::v1::{Progress, RecordEvent};
use waypost_core::feed::{Change, Feed, Moving};
use waypost_core::ids::TaskId;
use waypost_core::ports::{Reading, StoreFault};

mod stream;
#[cfg(test)]
mod tests;

pub(crate) use stream::Stream;

/// Changes that are read at once.
const PAGE: u32 = 256;

/// Between two looks at the store, however often somebody nudges.
const LEAST: Duration = Duration::from_millis(10);

pub(crate) struct Hub {
    feed: Arc<dyn Feed>,
    ring: Mutex<Ring>,
    /// Counts what was published, so that a listener can wait for more.
    published: watch::Sender<u64>,
    listeners: watch::Sender<usize>,
    /// Those of them that are streams.
    streams: AtomicUsize,
    nudged: Notify,
    stopped: watch::Sender<bool>,
    kept_bytes: usize,
}

#[derive(Default)]
struct Ring {
    /// Everything after this number, up to `last`, is in `events`.
    base: u64,
    last: u64,
    events: VecDeque<Rendered>,
    bytes: usize,
    /// `base` and `last` mean something.
    begun: bool,
    /// Version of the store that this is of; none: it has to be read again.
    version: Option<u64>,
    /// The progress of each running transfer, with the count of publication that brought it.
    progress: BTreeMap<TaskId, Shown>,
    published: u64,
}

#[derive(Clone)]
struct Rendered {
    sequence: u64,
    task: TaskId,
    bytes: Bytes,
}

struct Shown {
    attempt: u32,
    reading: Reading,
    published: u64,
    bytes: Bytes,
}

impl Hub {
    pub(crate) fn new(feed: Arc<dyn Feed>, kept_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            feed,
            ring: Mutex::default(),
            published: watch::Sender::new(0),
            listeners: watch::Sender::new(0),
            streams: AtomicUsize::new(0),
            nudged: Notify::new(),
            stopped: watch::Sender::new(false),
            kept_bytes,
        })
    }

    /// Something was written by this process.
    pub(crate) fn nudge(&self) {
        self.nudged.notify_one();
    }

    /// Streams that are open, and all who wait, streams included.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.streams.load(Ordering::Relaxed), *self.listeners.borrow())
    }

    /// Ends every stream. Clients come back to the service that comes after this one.
    pub(crate) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// Counts somebody who waits, and hears of everything that is published from here on.
    pub(crate) fn listen(self: &Arc<Self>) -> Ear {
        let published = self.published.subscribe();
        self.listeners.send_modify(|count| {
            if *count == 0 {
                // Nobody kept it fresh: what it says of running transfers is of long ago.
                self.ring().version = None;
            }
            *count += 1;
        });
        Ear { hub: Arc::clone(self), published, stopped: self.stopped.subscribe() }
    }

    /// Keeps the ring fresh while somebody listens, for as long as the hub is there.
    pub(crate) async fn feed_listeners(hub: Weak<Self>, look_every: Duration) {
        let Some(mut listeners) = hub.upgrade().map(|hub| hub.listeners.subscribe()) else { return };
        loop {
            // Fails when the hub is gone.
            if listeners.wait_for(|count| *count > 0).await.is_err() {
                return;
            }
            let Some(hub) = hub.upgrade() else { return };
            let refreshed = {
                let hub = Arc::clone(&hub);
                tokio::task::spawn_blocking(move || hub.refresh()).await
            };
            match refreshed {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => tracing::warn!(%fault, "events can't be read; they are read again"),
                Err(_) => tracing::error!("a defect: rendering an event panicked"),
            }
            // Many tasks nudge often; what they wrote meanwhile is read at once.
            tokio::time::sleep(LEAST).await;
            tokio::select! {
                () = hub.nudged.notified() => {}
                () = tokio::time::sleep(look_every) => {}
            }
        }
    }

    /// Takes what is new into the ring and tells the listeners.
    fn refresh(&self) -> Result<(), StoreFault> {
        // Read first: what is written after it makes another version.
        let version = self.feed.version()?;
        let (mut last, begun) = {
            let ring = self.ring();
            if ring.version == Some(version) {
                return Ok(());
            }
            (ring.last, ring.begun)
        };
        let newest = self.feed.last_change()?;
        if !begun || newest.saturating_sub(last) > 4 * u64::from(PAGE) || newest < last {
            // Nobody listened for long. Whoever wants what was between reads it from the store.
            self.ring().begin_at(newest);
            last = newest;
        }
        let mut moving;
        let mut rounds = 0;
        loop {
            last = self.take_changes(last)?;
            moving = self.feed.moving()?;
            rounds += 1;
            // A record comes before the progress that follows it. Where records come faster than they are read, progress
            // must not wait for ever.
            if self.feed.last_change()? == last || rounds == 4 {
                break;
            }
        }
        let published = {
            let mut ring = self.ring();
            ring.published += 1;
            ring.show(moving);
            ring.version = Some(version);
            ring.published
        };
        self.published.send_replace(published);
        Ok(())
    }

    /// Takes everything after a number into the ring; answers the last number.
    fn take_changes(&self, mut last: u64) -> Result<u64, StoreFault> {
        loop {
            let page = self.feed.changes(None, last, PAGE)?;
            last = page.last().map_or(last, |change| change.sequence);
            let rendered: Vec<_> = page.iter().map(Rendered::of).collect();
            let full = rendered.len() >= PAGE as usize;
            self.ring().take(rendered, self.kept_bytes);
            if !full {
                return Ok(last);
            }
        }
    }

    /// Reads the store for a listener.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Feed) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, Unserved> {
        let feed = Arc::clone(&self.feed);
        match tokio::task::spawn_blocking(move || work(feed.as_ref())).await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(fault)) => {
                tracing::warn!(%fault, "a listener can't be served; it is tried again");
                Err(Unserved)
            }
            Err(_) => {
                tracing::error!("a defect: reading events panicked; it is tried again");
                Err(Unserved)
            }
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Nothing is half done between two statements that could panic.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn begin_at(&mut self, place: u64) {
        self.events.clear();
        (self.base, self.last, self.bytes, self.begun) = (place, place, 0, true);
    }

    fn take(&mut self, rendered: Vec<Rendered>, most_bytes: usize) {
        for event in rendered {
            self.last = event.sequence;
            self.bytes += event.bytes.len();
            self.events.push_back(event);
        }
        while self.bytes > most_bytes
            && let Some(oldest) = self.events.pop_front()
        {
            self.base = oldest.sequence;
            self.bytes -= oldest.bytes.len();
        }
    }

    fn show(&mut self, moving: Vec<Moving>) {
        let published = self.published;
        let mut before = std::mem::take(&mut self.progress);
        for moving in moving {
            let task = moving.brief.id;
            let shown = match before.remove(&task) {
                Some(shown) if (shown.attempt, &shown.reading) == (moving.attempt, &moving.reading) => shown,
                _ => Shown {
                    bytes: event("progress", None, &Progress::from(&moving)),
                    attempt: moving.attempt,
                    reading: moving.reading,
                    published,
                },
            };
            self.progress.insert(task, shown);
        }
    }
}

impl Rendered {
    fn of(change: &Change) -> Self {
        let bytes = event("record", Some(change.sequence), &RecordEvent::from(change));
        Self { sequence: change.sequence, task: change.task, bytes }
    }
}

/// One event as it goes over the wire. JSON holds no line break outside of escapes, so one `data` line holds all of it.
fn event(kind: &str, id: Option<u64>, data: &impl serde::Serialize) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    match serde_json::to_string(data) {
        Ok(json) => Bytes::from(format!("{id}event: {kind}\ndata: {json}\n\n")),
        Err(error) => {
            tracing::error!(%error, "a defect: an event can't be written as JSON");
            Bytes::from(format!("{id}event: {kind}\ndata: {{}}\n\n"))
        }
    }
}

/// Somebody who waits for something to be published.
pub(crate) struct Ear {
    hub: Arc<Hub>,
    published: watch::Receiver<u64>,
    stopped: watch::Receiver<bool>,
}

impl Ear {
    /// From here on [`Ear::wait`] ends when something more is published.
    pub(crate) fn attend(&mut self) {
        self.published.borrow_and_update();
    }

    /// Waits until something is published, for so long at most. None: the service is being stopped.
    pub(crate) async fn wait(&mut self, most: Duration) -> Option<Waited> {
        tokio::select! {
            biased;
            _ = self.stopped.wait_for(|stopped| *stopped) => None,
            changed = self.published.changed() => changed.ok().map(|()| Waited::Published),
            () = tokio::time::sleep(most) => Some(Waited::InVain),
        }
    }

    /// Waits for so long, whatever is published. None: the service is being stopped.
    async fn rest(&mut self, time: Duration) -> Option<()> {
        tokio::select! {
            biased;
            _ = self.stopped.wait_for(|stopped| *stopped) => None,
            () = tokio::time::sleep(time) => Some(()),
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.hub.listeners.send_modify(|count| *count -= 1);
    }
}

/// What a wait came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// There may be more.
    Published,
    /// Nothing came in that time.
    InVain,
}

/// The store could not be read for a listener, and the log has why.
#[derive(Debug)]
struct Unserved;
