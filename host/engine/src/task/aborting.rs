//! The order to abort a transfer, given until its call returns: one at a time, and none that outlives the attempt which it is
//! for. A host may take its time with an order, and then hits whatever job the domain has by that time: the next attempt's, or
//! another person's.

use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tracing::Instrument as _;
use waypost_core::ids::HostName;
use waypost_core::journal::Record;
use waypost_core::plan::Plan;
use waypost_core::ports::{Command, Fault, FaultKind};
use waypost_core::recovery::FailureClass;

use super::Task;
use crate::error::EngineError;

/// How long an abort has before it is said that nothing confirms it, and before the connections of a disk's copy are closed. Over
/// a way that carries something it takes no second.
pub const ABORT_TAKES: Duration = Duration::from_secs(10);

/// What changes of it is said after [`ABORT_TAKES`] at the soonest, doubled with each time, up to this.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The orders to abort one transfer.
#[derive(Default)]
pub(super) struct Aborts {
    /// The one that is under way. It is dropped with this, and one whose turn has not come by then is never given.
    under_way: JoinSet<Result<(), Fault>>,
    /// When that was sent.
    sent: Option<Instant>,
    /// When the end of the transfer was wanted.
    since: Option<Instant>,
    /// The last answer.
    answer: Option<Result<(), Fault>>,
    /// Nobody heard what became of one of them.
    unheard: bool,
    told: Option<Told>,
}

/// What was said last of an abort that nothing confirms.
struct Told {
    standing: Standing,
    may_come: bool,
    /// When something else may be said, and how long after that again.
    next: Instant,
    wait: Duration,
}

/// How the source takes the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Accepts,
    Silent,
    Refuses,
}

impl Aborts {
    /// The transfer is to be ended: from now on what doesn't confirm it is waited for.
    pub(super) fn want(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// Asks the source to abort its job, unless it still owes the answer to the order before. The answer is not waited for: what
    /// counts is that the migration call returns.
    pub(super) fn ask(&mut self, task: &Task, plan: &Plan) {
        self.hear();
        let now = Instant::now();
        if !self.under_way.is_empty() {
            return;
        }
        self.sent = Some(now);
        let (hypervisor, host, domain) = (task.ports().hypervisor.clone(), plan.source.host.clone(), plan.domain);
        let order = async move { hypervisor.command(&host, domain, Command::AbortJob).await };
        self.under_way.spawn(order.in_current_span());
    }

    /// Takes in that an order which was not given here may still come.
    pub(super) fn also(&mut self, unheard: bool) {
        self.unheard |= unheard;
    }

    /// Says that nothing confirms the abort, and why, once it had its time; and again when that is something else.
    pub(super) fn tell(&mut self, task: &mut Task, plan: &Plan) -> Result<(), EngineError> {
        self.hear();
        if self.since.is_none_or(|since| since.elapsed() < ABORT_TAKES) {
            return Ok(());
        }
        let (standing, why) = self.standing(&plan.source.host);
        let now = Instant::now();
        let wait = match &self.told {
            Some(told) if told.standing == standing || now < told.next => return Ok(()),
            Some(told) => (told.wait * 2).min(TELL_EVERY),
            None => ABORT_TAKES,
        };
        let may_come = self.unheard;
        self.told = Some(Told { standing, may_come, next: now + wait, wait });
        task.recorder.note(format!("the abort is not confirmed: {why}; it is asked for again and watched"));
        task.record(Record::AbortUnconfirmed { why, may_come })
    }

    /// Waits for the answer to the order that is under way, which its host's deadline bounds, before anything follows the
    /// transfer that it was for. What nobody heard the end of goes on record: it keeps the next attempt from beginning.
    pub(super) async fn settle(&mut self, task: &mut Task, plan: &Plan) -> Result<(), EngineError> {
        self.hear();
        if !self.under_way.is_empty() {
            task.recorder.note(format!("waiting for what {} answers to the order to abort", plan.source.host));
        }
        while let Some(joined) = self.under_way.join_next().await {
            // The connection broke under it: it may have been taken on.
            self.unheard |= matches!(&joined, Ok(Err(fault)) if fault.kind == FaultKind::Unreachable);
            self.take(joined);
        }
        if self.unheard && !self.told.as_ref().is_some_and(|told| told.may_come) {
            let why = format!("{} did not say what became of an order to abort", plan.source.host);
            task.record(Record::AbortUnconfirmed { why, may_come: true })?;
        }
        Ok(())
    }

    /// Takes in what was answered since.
    fn hear(&mut self) {
        while let Some(joined) = self.under_way.try_join_next() {
            self.take(joined);
        }
    }

    fn take(&mut self, joined: Result<Result<(), Fault>, JoinError>) {
        match joined {
            Ok(answer) => {
                if let Err(fault) = &answer {
                    tracing::debug!(%fault, "an order to abort a running transfer");
                    self.unheard |= fault.kind == FaultKind::Deadline;
                }
                self.answer = Some(answer);
            }
            // A defect of whoever gives the order: it may have been given.
            Err(_) => self.unheard = true,
        }
    }

    /// How the source takes the order, and that in words.
    fn standing(&self, host: &HostName) -> (Standing, String) {
        let owes = !self.under_way.is_empty() && self.sent.is_some_and(|sent| sent.elapsed() >= ABORT_TAKES);
        match self.answer.as_ref().filter(|_| !owes) {
            Some(Ok(())) => (Standing::Accepts, format!("{host} accepts the order, and the transfer goes on")),
            Some(Err(fault)) if fault.class() != FailureClass::Unreachable => {
                (Standing::Refuses, format!("{host} refuses the order ({fault})"))
            }
            Some(Err(fault)) => (Standing::Silent, format!("{host} does not answer ({fault})")),
            None => (Standing::Silent, format!("{host} does not answer")),
        }
    }
}
