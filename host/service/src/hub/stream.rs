//! One client's stream: where it stands in the order of all records, and what it is handed next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use waypost_core::access::Scopes;
use waypost_core::ids::TaskId;

use super::{Ear, Hub, PAGE, Rendered, Unserved};

/// How long a stream that can't be served waits at first; each wait is twice as long as the one before, and none longer than this.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A client's stream of events, of all tasks or of one, and of none that it may not see.
pub(crate) struct Stream {
    ear: Ear,
    of: Option<TaskId>,
    sight: Sight,
    /// Everything up to this number was sent.
    after: u64,
    /// Progress that was published up to this count was sent.
    shown: u64,
    ready: VecDeque<Bytes>,
    /// Not before then is it tried again, after it could not be served.
    again: Instant,
    /// How long it waits if it can't be served now.
    pause: Duration,
}

impl Stream {
    /// A stream of everything after that number.
    pub(crate) fn new(hub: &Arc<Hub>, of: Option<TaskId>, scopes: Scopes, after: u64) -> Self {
        // At once, so that a client and whoever is between know that the stream is there; with the place, so that a client that
        // loses the stream before it heard anything comes back to where it began, too.
        let hello = Bytes::from(format!(": waypost\nid: {after}\n\n"));
        hub.streams.fetch_add(1, Ordering::Relaxed);
        Self {
            ear: hub.listen(),
            of,
            sight: Sight { scopes, seen: BTreeMap::new() },
            after,
            shown: 0,
            ready: VecDeque::from([hello]),
            again: Instant::now(),
            pause: FIRST_PAUSE,
        }
    }

    /// The next piece; where there is none by then, a comment, also when there is much for others all the while, or nothing can be
    /// read. None at the end, which is when the service stops.
    pub(crate) async fn next(&mut self, by: Instant) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            let now = Instant::now();
            let left = by.saturating_duration_since(now);
            if left.is_zero() {
                return Some(Bytes::from_static(b": still here\n\n"));
            }
            let pause = self.again.saturating_duration_since(now);
            if !pause.is_zero() {
                // News end no pause: a store in trouble is not asked more often because much happens.
                self.ear.rest(pause.min(left)).await?;
                continue;
            }
            self.ear.attend();
            match self.pull().await {
                Ok(moved) => {
                    self.pause = FIRST_PAUSE;
                    if !moved {
                        self.ear.wait(left).await?;
                    }
                }
                Err(Unserved) => {
                    self.again = Instant::now() + self.pause;
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Makes ready what there is. Answers whether it may have moved; if not, there is nothing more right now. Where it fails, the
    /// stream stands where it stood: a place that is moved on past what was not shown would lose that for good, because the client
    /// comes back to the last number it heard.
    async fn pull(&mut self) -> Result<bool, Unserved> {
        let piece = match self.look() {
            Look::Unread => return Ok(false),
            Look::Found(piece) => piece,
            Look::Forgotten { reached } => self.read_on(reached).await?,
        };
        let Piece { events, after, shown, moved } = piece;
        let events = self.seen_of(events).await?;
        self.ready.extend(events);
        (self.after, self.shown) = (after, shown);
        Ok(moved)
    }

    /// What the ring has for it.
    fn look(&self) -> Look {
        let ring = self.ear.hub.ring();
        if ring.version.is_none() {
            return Look::Unread;
        }
        if self.after < ring.base {
            return Look::Forgotten { reached: ring.last };
        }
        let of = self.of;
        let from = ring.events.partition_point(|event| event.sequence <= self.after);
        let wanted = ring.events.range(from..).filter(|event| of.is_none_or(|of| of == event.task));
        // A few at a time: what is handed out is held until the client has taken it.
        let some: Vec<&Rendered> = wanted.take(PAGE as usize).collect();
        let all = some.len() < PAGE as usize;
        let after = match some.last() {
            Some(last) if !all => last.sequence,
            _ => self.after.max(ring.last),
        };
        let mut events: Vec<_> = some.into_iter().map(|event| (event.task, event.bytes.clone())).collect();
        let mut shown = self.shown;
        if all {
            // Progress only to who has seen every record: it belongs to what came before it.
            let newer = ring
                .progress
                .iter()
                .filter(|(task, shown)| shown.published > self.shown && of.is_none_or(|of| of == **task));
            events.extend(newer.map(|(task, shown)| (*task, shown.bytes.clone())));
            shown = ring.published;
        }
        let moved = !events.is_empty();
        Look::Found(Piece { events, after, shown, moved })
    }

    /// What the store has for it, which is too far behind for the ring.
    async fn read_on(&self, reached: u64) -> Result<Piece, Unserved> {
        let (of, after) = (self.of, self.after);
        let page = self.ear.hub.read(move |feed| feed.changes(of, after, PAGE)).await?;
        let all = page.len() < PAGE as usize;
        let last = page.last().map_or(after, |change| change.sequence);
        Ok(Piece {
            events: page.iter().map(|change| (change.task, Rendered::of(change).bytes)).collect(),
            // There is nothing of its kind between the last of a page that is not full and where the ring was before.
            after: if all { last.max(reached) } else { last },
            shown: self.shown,
            moved: true,
        })
    }

    /// What of it the client may see.
    async fn seen_of(&mut self, events: Vec<(TaskId, Bytes)>) -> Result<Vec<Bytes>, Unserved> {
        if self.sight.scopes.is_everything() {
            return Ok(events.into_iter().map(|(_, bytes)| bytes).collect());
        }
        // One that may not be seen is looked up again: its source may not be known yet.
        let unknown: BTreeSet<TaskId> =
            events.iter().map(|(task, _)| *task).filter(|task| self.sight.seen.get(task) != Some(&true)).collect();
        let scopes = self.sight.scopes.clone();
        let look_up = self.ear.hub.read(move |feed| {
            let mut looked_up = Vec::new();
            for task in unknown {
                looked_up.push((task, feed.brief(task)?.is_some_and(|brief| scopes.sees(&brief))));
            }
            Ok(looked_up)
        });
        let looked_up = look_up.await?;
        self.sight.seen.extend(looked_up);
        let seen = &self.sight.seen;
        let shown = events.into_iter().filter(|(task, _)| seen.get(task) == Some(&true));
        Ok(shown.map(|(_, bytes)| bytes).collect())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.ear.hub.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the ring says to a listener.
enum Look {
    /// Nothing was read yet, so it is not known where the ring begins.
    Unread,
    /// This comes next.
    Found(Piece),
    /// The listener is further behind than the ring reaches, which ends with this number.
    Forgotten { reached: u64 },
}

/// What comes next for a listener, and where it stands with that.
struct Piece {
    events: Vec<(TaskId, Bytes)>,
    after: u64,
    shown: u64,
    /// There may be more.
    moved: bool,
}

/// Which tasks a client may see.
struct Sight {
    scopes: Scopes,
    /// What was looked up.
    seen: BTreeMap<TaskId, bool>,
}
