//! How far a migration is: what its statistics tell.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use waypost_core::ids::HostName;
use waypost_core::ports::FaultKind;
use waypost_core::sample::{Sample, Stage};
use waypost_core::stream::Stream;

use super::PAGE;
use crate::script::Step;

/// A migration that is under way.
pub(crate) struct Job {
    pub(crate) source: HostName,
    pub(crate) destination: HostName,
    /// Where the memory goes, as the migration URI says.
    pub(crate) way: Option<String>,
    /// The source shows a job: a live migration does, an offline one doesn't.
    pub(crate) shows: bool,
    pub(crate) stage: Step,
    pub(crate) woken: Arc<Notify>,
    pub(crate) abort: bool,
    /// Disks are copied: an abort waits for what of them is on its way.
    pub(crate) copies: bool,
    /// What they have in all. They are sent first.
    pub(super) disk_bytes: u64,
    /// The connections of the copies were closed.
    pub(crate) severed: bool,
    /// The migration was begun with post-copy allowed.
    pub(crate) may_post_copy: bool,
    /// The limit that the request named, until somebody sets another.
    pub(crate) bandwidth_mib_s: Option<u64>,
    /// Somebody asked for the switch to post-copy.
    pub(crate) post_copy: bool,
    /// Somebody interrupted the post-copy.
    pub(crate) interrupted: bool,
    /// The end whose daemon died meanwhile.
    pub(crate) orphaned: Option<HostName>,
    /// What the caller is told instead of how it ended.
    pub(super) lie: Option<FaultKind>,
    /// The destination is to forget its process.
    pub(super) leave: bool,
    /// Nothing moves until somebody aborts.
    pub(super) hung: bool,
    /// The post-copy is interrupted; the job stays.
    pub(crate) broken: bool,
    /// Since when.
    pub(crate) broken_since: Option<Instant>,
    /// The incoming process was made.
    pub(super) prepared: bool,
    pub(super) cut_since: Option<Instant>,
    pub(super) began: Instant,
    pub(super) copy: Copy,
}

/// How far the copying is.
#[derive(Debug, Clone, Default)]
pub(super) struct Copy {
    pub(super) total: u64,
    /// Sent before the current span, and what the current pass still had to send at its start.
    pub(super) sent: u64,
    pub(super) left: u64,
    /// The current span: since when, and how fast.
    pub(super) since: Option<Instant>,
    pub(super) rate: u64,
    pub(super) pass: u64,
    pub(super) dirty_pages_s: u64,
    pub(super) setup_ms: u64,
    pub(super) downtime_ms: Option<u64>,
    /// How far auto-converge slows the guest down, percent.
    pub(super) throttle_percent: Option<u32>,
    /// The guest runs on the destination.
    pub(super) switched: bool,
}

impl Copy {
    /// Sent in the current span.
    fn moved(&self) -> u64 {
        let time = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        bytes_in(self.rate, time).min(self.left)
    }
    /// How much of the first pass was sent.
    pub(super) fn permille(&self) -> u16 {
        if self.total == 0 || self.pass > 1 {
            return 1000;
        }
        u16::try_from(u128::from(self.sent) * 1000 / u128::from(self.total)).unwrap_or(1000)
    }
    /// Closes the current span and begins one at another rate.
    pub(super) fn settle(&mut self, rate: u64) {
        let moved = self.moved();
        self.sent += moved;
        self.left -= moved;
        (self.since, self.rate) = (Some(Instant::now()), rate);
    }
    /// What auto-converge does when a pass begins: the guest is slowed down once two have brought little, and then further with each
    /// that does no better, or as far as somebody ordered.
    pub(super) fn slow_down(&mut self, stream: &Stream, ordered: Option<u32>) {
        if !stream.auto_converge || self.pass <= 2 {
            return;
        }
        let first = stream.auto_converge_initial.unwrap_or(20);
        let more = stream.auto_converge_increment.unwrap_or(10);
        let next = |now: u32| ordered.unwrap_or((now + more).min(99));
        self.throttle_percent = Some(self.throttle_percent.map_or(first, next));
    }
}

pub(super) fn bytes_in(rate: u64, time: Duration) -> u64 {
    u64::try_from(u128::from(rate) * time.as_nanos() / 1_000_000_000).unwrap_or(u64::MAX)
}

/// The time for so many bytes; a nanosecond more than exact, so that they are really over then.
pub(super) fn time_for(bytes: u64, rate: u64) -> Duration {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1)) + 1;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX / 2))
}

impl Job {
    /// One that begins now.
    pub(super) fn new(source: &HostName, destination: &HostName, shows: bool) -> Self {
        Self {
            way: None,
            source: source.clone(),
            destination: destination.clone(),
            shows,
            stage: Step::Begin,
            woken: Arc::new(Notify::new()),
            abort: false,
            copies: false,
            disk_bytes: 0,
            severed: false,
            may_post_copy: false,
            bandwidth_mib_s: None,
            post_copy: false,
            interrupted: false,
            orphaned: None,
            lie: None,
            leave: false,
            hung: false,
            broken: false,
            broken_since: None,
            prepared: false,
            cut_since: None,
            began: Instant::now(),
            copy: Copy::default(),
        }
    }

    /// The guest runs on the destination already, and its memory follows.
    pub(crate) fn switched(&self) -> bool {
        self.copy.switched
    }

    /// Something of the memory was sent.
    pub(crate) fn sends_memory(&self) -> bool {
        let now = self.sample();
        now.stage != Stage::Disks && now.processed_bytes > 0
    }

    pub(crate) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// What the job statistics say now.
    pub(crate) fn sample(&self) -> Sample {
        let copy = &self.copy;
        let moved = copy.moved();
        let (sent, left) = (copy.sent + moved, copy.left - moved);
        let (total_bytes, remaining_bytes, stage) = match copy.switched {
            true => (copy.total, left, Stage::PostCopy),
            false if sent < self.disk_bytes => (self.disk_bytes, self.disk_bytes - sent, Stage::Disks),
            false => (copy.total, left, Stage::PreCopy),
        };
        // At a standstill nobody can tell.
        let downtime_ms = copy.downtime_ms.or((copy.rate > 0).then(|| 1000 * left / copy.rate));
        let memory = stage != Stage::Disks;
        Sample {
            elapsed_ms: self.elapsed_ms(),
            total_bytes,
            processed_bytes: sent,
            remaining_bytes,
            bytes_per_s: memory.then_some(copy.rate),
            dirty_pages_per_s: memory.then_some(copy.dirty_pages_s),
            page_bytes: Some(PAGE),
            iteration: memory.then_some(copy.pass),
            downtime_ms: downtime_ms.filter(|_| memory),
            downtime_net_ms: None,
            setup_ms: Some(copy.setup_ms),
            remaining_ms: None,
            throttle_percent: copy.throttle_percent,
            stage,
        }
    }
}
