//! Reads on in the one order of all records and sends the trace of each task that ended, one after the other. What the collector
//! does not take now is tried again, later and later; only what it refuses for good is passed over, and what it does not answer
//! however often it is sent.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::watch;
use waypost_core::feed::{Change, Feed};
use waypost_core::journal::Record;
use waypost_core::ports::{Store, StoreFault};

use super::sender::{Heard, Last};
use super::{TIME, context, tree};
use crate::metrics::{Counts, labels};
use crate::service::Parts;

/// Changes that are read at once.
const PAGE: u32 = 256;

/// A trace that is not answered so often, although somebody was reached, is never going to be.
const TRIES: u32 = 5;

/// Between two looks for what has ended.
const LOOK: Duration = Duration::from_secs(1);

/// The longest pause after a try that failed; each is twice as long as the one before.
const LONGEST: Duration = Duration::from_secs(60);

/// What a trace can come to at the collector.
pub(crate) const RESULTS: [&str; 3] = [SENT, REFUSED, FAILED];
const SENT: &str = "sent";
const REFUSED: &str = "refused";
const FAILED: &str = "failed";

/// What follows.
pub(super) struct Follower {
    exporter: SpanExporter,
    heard: Heard,
    feed: Arc<dyn Feed>,
    store: Arc<dyn Store>,
    counts: Counts,
    /// The last record that is done with; none: the store could not be read yet.
    after: Option<u64>,
    /// The store's version when there was nothing more.
    version: Option<u64>,
    /// How often the next trace was tried in vain while somebody was reached.
    tries: u32,
    /// Whether the log says already that the collector is away.
    is_said: bool,
}

/// Where the next look begins, and the trace that ends there, if one does.
type Next = (u64, Option<Vec<SpanData>>);

impl Follower {
    pub(super) fn new(exporter: SpanExporter, heard: Heard, parts: &Parts, counts: Counts) -> Self {
        let (feed, store) = (Arc::clone(&parts.feed), Arc::clone(&parts.store));
        let after = feed.last_change();
        if let Err(fault) = &after {
            tracing::warn!(%fault, "traces are sent of what ends once the store can be read");
        }
        Self { exporter, heard, feed, store, counts, after: after.ok(), version: None, tries: 0, is_said: false }
    }

    /// Until it is told to stop; then once more, without a pause.
    pub(super) async fn follow(mut self, mut stop: watch::Receiver<bool>) {
        let mut pause = LOOK;
        loop {
            let is_last = *stop.borrow_and_update();
            pause = if self.send_all().await { LOOK } else { (2 * pause).min(LONGEST) };
            if is_last {
                return;
            }
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Sends whatever ended since. Answers whether all of it is done with.
    async fn send_all(&mut self) -> bool {
        loop {
            let (feed, store, after, known) =
                (Arc::clone(&self.feed), Arc::clone(&self.store), self.after, self.version);
            let read = tokio::task::spawn_blocking(move || {
                // Read first: what is written after it makes another version.
                let version = feed.version()?;
                let Some(after) = after else { return Ok((version, Some((feed.last_change()?, None)))) };
                let next = if known == Some(version) { None } else { Some(next(&*feed, &*store, after)?) };
                Ok::<_, StoreFault>((version, next))
            });
            let (version, next) = match read.await {
                Ok(Ok((version, Some(next)))) => (version, next),
                Ok(Ok((_, None))) => return true,
                Ok(Err(fault)) => {
                    tracing::warn!(%fault, "what ended can't be read for its trace; it is read again");
                    return false;
                }
                Err(_) => {
                    tracing::error!("a defect: working out a trace panicked");
                    return false;
                }
            };
            let (reached, trace) = next;
            let Some(trace) = trace else {
                (self.after, self.version) = (Some(reached), Some(version));
                return true;
            };
            if !self.send(trace).await {
                return false;
            }
            self.after = Some(reached);
        }
    }

    /// Sends a trace. Answers whether it is done with.
    async fn send(&mut self, trace: Vec<SpanData>) -> bool {
        let sent = tokio::time::timeout(TIME, self.exporter.export(trace)).await;
        let heard = self.heard.take();
        // One that says itself that it is away, or is said to be by what stands before it, is waited for.
        let in_vain = match &heard {
            Last::Reached | Last::Broken(_) | Last::Status(408 | 504) => true,
            Last::Nothing | Last::Failed(_) | Last::Status(_) => false,
        };
        let (mut result, mut why) = match (sent, heard) {
            (Ok(Ok(())), _) | (_, Last::Status(200..=299)) => (SENT, String::new()),
            // Those that the protocol says are worth another try.
            (_, Last::Status(status @ (408 | 429 | 502 | 503 | 504))) => (FAILED, format!("it answers {status}")),
            (_, Last::Status(status)) => (REFUSED, format!("it answers {status}")),
            (_, Last::Failed(why) | Last::Broken(why)) => (FAILED, why),
            (Err(_), Last::Nothing | Last::Reached) => {
                (FAILED, format!("there is no answer within {} s", TIME.as_secs()))
            }
            (Ok(Err(error)), Last::Nothing | Last::Reached) => (REFUSED, error.to_string()),
        };
        self.tries += u32::from(in_vain && result == FAILED);
        if result == FAILED && self.tries >= TRIES {
            tracing::warn!(why, "a trace is passed over, which was tried {TRIES} times and not answered");
            (result, why) = (REFUSED, format!("it was tried {TRIES} times: {why}"));
        }
        if result != FAILED {
            self.tries = 0;
        }
        self.counts.get_or_create(&labels([("result", result)])).inc();
        match (result, self.is_said) {
            (SENT, true) => tracing::info!("the collector takes traces again"),
            (REFUSED, false) => tracing::warn!(why, "the collector refuses a trace, which is passed over"),
            (FAILED, false) => tracing::warn!(why, "the collector does not take traces; they are sent once it does"),
            _ => {}
        }
        self.is_said = result != SENT;
        result != FAILED
    }
}

/// The next task that ended after that place, or the end of what there is.
fn next(feed: &dyn Feed, store: &dyn Store, mut after: u64) -> Result<Next, StoreFault> {
    loop {
        let page = feed.changes(None, after, PAGE)?;
        for change in &page {
            if matches!(change.record, Record::Ended { .. })
                && let Some(trace) = trace(feed, store, change)?
            {
                return Ok((change.sequence, Some(trace)));
            }
            after = change.sequence;
        }
        if page.len() < PAGE as usize {
            return Ok((after, None));
        }
    }
}

/// The trace of a task that ended with that record. None of one that was pruned meanwhile, or whose journal can't be.
fn trace(feed: &dyn Feed, store: &dyn Store, ended: &Change) -> Result<Option<Vec<SpanData>>, StoreFault> {
    let Some(brief) = feed.brief(ended.task)? else { return Ok(None) };
    let journal = store.journal(ended.task)?;
    let decisions = store.decisions(ended.task)?;
    let reading = store.reading(ended.task)?;
    let within = feed.context_of(ended.task)?.and_then(|kept| context::read(&kept));
    // What came after this end is of another trace.
    let until = journal.len().min(ended.number as usize);
    let spans = tree::spans(&brief, &journal[..until], &decisions, reading.as_ref(), within);
    if spans.is_none() {
        tracing::warn!(task = %ended.task, "a journal that makes no trace is passed over");
    }
    Ok(spans)
}
