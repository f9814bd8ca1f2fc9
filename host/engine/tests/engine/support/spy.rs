//! Spies on both ports of a task: what was written and what was done, in one order. They hold the rule that every effect
//! stands in the journal before it happens, and let a test kill the controller or break the store at any record. One file,
//! because the two ports have so many calls and each is spied on in the same way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use waypost_core::convergence::{Activity, Steering};
use waypost_core::copies::CopiedDisk;
use waypost_core::evidence::Evidence;
use waypost_core::facts::{DiskView, DomainBrief, DomainFacts, HostFacts, PairFacts, Volume};
use waypost_core::ids::{DomainId, DomainKey, HostName, Moment, TaskId};
use waypost_core::journal::{FinishStep, Record, Step};
use waypost_core::load::HostLoad;
use waypost_core::login::{Admitted, Hold, Login};
use waypost_core::notice::Notice;
use waypost_core::plan::Plan;
use waypost_core::ports::{
    ClaimError, Command, Creation, DecisionRecord, Depth, Events, Fault, FoundVolume, Hypervisor, KeptProof, Later,
    ProbeVolume, Reading, Store, StoreFault, TaskBrief, TaskLock, Transfer, Wish,
};
use waypost_core::queue::{Entry, SlotLimits, SlotWish, Turn};
use waypost_core::sample::Sample;
use waypost_core::situation::{Action, Side, Standing};
use waypost_engine::CancelHandle;
use waypost_sim::World;

use super::meanwhile::{Meanwhile, Sight};

/// What was written and done.
#[derive(Default)]
pub struct Ledger {
    told: Mutex<Told>,
    /// What a test lets happen at the moment in which a spy sees something.
    pub meanwhile: Meanwhile,
}

#[derive(Default)]
pub struct Told {
    /// The journal, as far as this ledger saw it written.
    pub records: Vec<Record>,
    /// Hosts that were observed since the last record.
    pub observed: Vec<HostName>,
    /// Records that were read back.
    pub read_back: usize,
    /// How many changes the world had seen when each host was last looked at.
    pub looked_at_change: BTreeMap<HostName, usize>,
    /// The store has failed: nothing may be done to a domain any more.
    pub broken: bool,
    /// Orders that were given.
    pub orders: Vec<Command>,
    /// Migrations that were started.
    pub starts: usize,
    /// Each of them gives an order to abort of which nobody hears the end.
    pub unsettled: bool,
    /// Every breach of the rule.
    pub breaches: Vec<String>,
}

impl Ledger {
    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    fn breach(&mut self, what: String) {
        let last = self.records.last();
        self.breaches.push(format!("{what} after {last:?}"));
    }

    /// Holds an order against the journal.
    fn ordered(&mut self, host: &HostName, command: Command, expected: Option<&Standing>) {
        let last = self.records.last();
        let intended = |action: Action| matches!(last, Some(Record::ActionIntended { action: a, .. }) if *a == action);
        let finishing = |step: FinishStep| matches!(last, Some(Record::FinishIntended { step: s }) if *s == step);
        // Not of necessity the last: what is said of an abort may come between an order's record and the order.
        let steered = |by: Steering| {
            let mut ends = self.records.iter().rev().filter_map(|record| match record {
                Record::SteerIntended { action, .. } if *action == by => Some(true),
                Record::SteerSettled { action, .. } if *action == by => Some(false),
                _ => None,
            });
            ends.next() == Some(true)
        };
        let written = match command {
            Command::SetMaxDowntime { .. } if steered(Steering::SetDowntime) => true,
            Command::SetMaxDowntime { .. } => self.records.iter().any(|record| {
                matches!(record, Record::StepIntended { step: Step::MaxDowntime { host: on, .. } } if on == host)
            }),
            // An abort takes nothing away, but it needs a wish: a person's, the clock's, or a policy's.
            Command::AbortJob => self.records.contains(&Record::PerformIntended),
            Command::Resume => intended(Action::ResumeSource) || intended(Action::ResumeDestination),
            Command::Destroy => intended(Action::DestroyDestination) || intended(Action::DestroySource),
            Command::Undefine => intended(Action::UndefineDestination) || finishing(FinishStep::UndefineSource),
            Command::SetAutostart(_) => {
                finishing(FinishStep::SetAutostart)
                    || finishing(FinishStep::ClearSourceAutostart)
                    || self.records.iter().any(|record| {
                        matches!(record, Record::StepIntended { step: Step::SourceAutostart { host: on } } if on == host)
                    })
            }
            Command::SetBandwidth { .. } => steered(Steering::SetBandwidth),
            Command::SetThrottle { .. } => steered(Steering::SetThrottle),
            Command::FreeThrottle => self.records.iter().any(|record| {
                matches!(record, Record::SteerIntended { action: Steering::SetThrottle, .. })
            }),
            Command::StartPostCopy => steered(Steering::PostCopy),
            Command::Suspend => steered(Steering::Suspend),
            // A watchdog's, or a recovery policy's.
            Command::InterruptPostCopy => steered(Steering::Interrupt) || intended(Action::InterruptPostCopy),
            Command::SetPostCopyBandwidth { .. } => steered(Steering::SetBandwidth),
            Command::SeverCopies => steered(Steering::Sever),
        };
        self.orders.push(command);
        if !written {
            self.breach(format!("{command:?} on {host} was not intended"));
        }
        let decides = matches!(command, Command::Destroy | Command::Undefine | Command::Resume);
        if decides && self.observed.iter().collect::<BTreeSet<_>>().len() < 2 {
            self.breach(format!("{command:?} on {host} without a look at both sides right before it"));
        }
        if decides && expected.is_none_or(|expected| expected.host.is_none()) {
            self.breach(format!("{command:?} on {host} without what it was decided on"));
        }
        if self.broken && command != Command::AbortJob {
            self.breach(format!("{command:?} on {host} after the store failed"));
        }
    }
}

impl Told {
    /// Holds the removal of a volume against the journal.
    fn removes(&mut self, host: &HostName, pool: &str, volume: &str) {
        let ours = |step: &Step| matches!(step, Step::Volume { host: on, disk } if on == host && disk.pool == pool && disk.volume == volume);
        let made = self.records.iter().any(|record| matches!(record, Record::StepIntended { step } if ours(step)));
        if !made {
            self.breach(format!("{volume} on {host} was removed, and never made"));
        }
        if self.observed.iter().collect::<BTreeSet<_>>().len() < 2 {
            self.breach(format!("{volume} on {host} was removed without a look at both sides right before it"));
        }
        let arrived = |record: &Record| {
            matches!(record, Record::PerformReturned { result: Ok(()) } | Record::FinishIntended { .. })
        };
        let doubted = self.records.iter().any(|record| matches!(record, Record::Doubted { .. }));
        if self.records.iter().any(arrived) && !doubted {
            self.breach(format!("{volume} on {host} was removed after the arrival"));
        }
        if self.broken {
            self.breach(format!("{volume} on {host} was removed after the store failed"));
        }
    }
}

/// A transfer whose own order to abort may still come when it is over.
struct Unsettled(Box<dyn Transfer>);

impl Transfer for Unsettled {
    fn finished(&mut self) -> Later<'_, Result<(), Fault>> {
        self.0.finished()
    }
    fn may_abort_yet(&self) -> bool {
        true
    }
}

/// The hosts, spied on.
pub struct SpiedHosts {
    pub world: World,
    pub ledger: Arc<Ledger>,
}

impl Hypervisor for SpiedHosts {
    fn hosts(&self) -> Vec<HostName> {
        self.world.hosts()
    }
    fn free_throttle_by_hand(&self, domain: &str) -> String {
        self.world.free_throttle_by_hand(domain)
    }
    fn hold(&self, host: &HostName) -> Hold {
        self.world.hold(host)
    }
    fn admit<'a>(&'a self, host: &'a HostName, login: Login) -> Later<'a, Result<Admitted, Fault>> {
        self.world.admit(host, login)
    }
    fn host_facts<'a>(&'a self, host: &'a HostName, depth: Depth) -> Later<'a, Result<HostFacts, Fault>> {
        self.world.host_facts(host, depth)
    }
    fn load<'a>(&'a self, host: &'a HostName) -> Later<'a, Result<HostLoad, Fault>> {
        self.world.load(host)
    }
    fn domains<'a>(&'a self, host: &'a HostName) -> Later<'a, Result<Vec<DomainBrief>, Fault>> {
        self.world.domains(host)
    }
    fn domain_facts<'a>(&'a self, host: &'a HostName, domain: &'a DomainKey) -> Later<'a, Result<DomainFacts, Fault>> {
        self.world.domain_facts(host, domain)
    }
    fn disk_views<'a>(
        &'a self,
        host: &'a HostName,
        domain: &'a DomainFacts,
    ) -> Later<'a, Result<Vec<DiskView>, Fault>> {
        self.world.disk_views(host, domain)
    }
    fn pair_facts<'a>(
        &'a self,
        destination: &'a HostName,
        domain: &'a DomainFacts,
    ) -> Later<'a, Result<PairFacts, Fault>> {
        self.world.pair_facts(destination, domain)
    }
    fn observe<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Side> {
        Box::pin(async move {
            let side = self.world.observe(host, domain).await;
            let changes = self.world.changes().len();
            let mut told = self.ledger.told();
            told.observed.push(host.clone());
            told.looked_at_change.insert(host.clone(), changes);
            side
        })
    }
    fn sample<'a>(&'a self, source: &'a HostName, domain: DomainId) -> Later<'a, Result<Option<Sample>, Fault>> {
        self.world.sample(source, domain)
    }
    fn final_sample<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Result<Option<Sample>, Fault>> {
        self.world.final_sample(host, domain)
    }
    fn evidence<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Result<Evidence, Fault>> {
        self.world.evidence(host, domain)
    }
    fn rehearse<'a>(&'a self, plan: &'a Plan) -> Later<'a, Result<(), Fault>> {
        self.world.rehearse(plan)
    }
    fn activity<'a>(
        &'a self,
        host: &'a HostName,
        domain: DomainId,
        time: Duration,
        least: u64,
    ) -> Later<'a, Result<Option<Activity>, Fault>> {
        self.world.activity(host, domain, time, least)
    }
    fn max_downtime<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Result<Option<u64>, Fault>> {
        self.world.max_downtime(host, domain)
    }
    fn command_if<'a>(
        &'a self,
        host: &'a HostName,
        domain: DomainId,
        command: Command,
        expected: Option<&'a Standing>,
    ) -> Later<'a, Result<(), Fault>> {
        self.ledger.told().ordered(host, command, expected);
        self.ledger.meanwhile.comes(&Sight::Ordered(host, command));
        self.world.command_if(host, domain, command, expected)
    }
    fn notice<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Result<Option<Notice>, Fault>> {
        self.world.notice(host, domain)
    }
    fn put_notice<'a>(
        &'a self,
        host: &'a HostName,
        domain: DomainId,
        notice: Option<&'a Notice>,
    ) -> Later<'a, Result<(), Fault>> {
        if !self.ledger.told().records.contains(&Record::PerformIntended) {
            self.ledger.told().breach(format!("a notice was put on {host}"));
        }
        self.world.put_notice(host, domain, notice)
    }
    fn start<'a>(&'a self, plan: &'a Plan) -> Later<'a, Result<Box<dyn Transfer>, Fault>> {
        {
            let mut told = self.ledger.told();
            if told.broken || told.records.last() != Some(&Record::PerformIntended) {
                told.breach("a migration was started".into());
            }
            told.starts += 1;
            let attempts = 1 + told.records.iter().filter(|r| matches!(r, Record::NextAttempt { .. })).count();
            if told.starts > attempts {
                told.breach("a second migration was started within one attempt".into());
            }
        }
        let unsettled = self.ledger.told().unsettled;
        Box::pin(async move {
            let transfer = self.world.start(plan).await?;
            Ok(if unsettled { Box::new(Unsettled(transfer)) as Box<dyn Transfer> } else { transfer })
        })
    }
    fn resume_post_copy<'a>(&'a self, plan: &'a Plan) -> Later<'a, Result<Box<dyn Transfer>, Fault>> {
        {
            let mut told = self.ledger.told();
            if told.broken || !matches!(told.records.last(), Some(Record::Resumed { .. })) {
                told.breach("a post-copy was resumed".into());
            }
        }
        self.world.resume_post_copy(plan)
    }
    fn events<'a>(&'a self, host: &'a HostName) -> Later<'a, Result<Box<dyn Events>, Fault>> {
        self.world.events(host)
    }
    fn volume<'a>(
        &'a self,
        host: &'a HostName,
        pool: &'a str,
        volume: &'a str,
    ) -> Later<'a, Result<Option<FoundVolume>, Fault>> {
        self.world.volume(host, pool, volume)
    }
    fn volume_at<'a>(&'a self, host: &'a HostName, path: &'a str) -> Later<'a, Result<Option<Volume>, Fault>> {
        self.ledger.meanwhile.comes(&Sight::Sought(path));
        self.world.volume_at(host, path)
    }
    fn create_volume<'a>(&'a self, host: &'a HostName, disk: &'a CopiedDisk) -> Later<'a, Result<Creation, Fault>> {
        let step = Step::Volume { host: host.clone(), disk: disk.clone() };
        if self.ledger.told().records.last() != Some(&Record::StepIntended { step }) {
            self.ledger.told().breach(format!("{} was made on {host}", disk.volume));
        }
        self.world.create_volume(host, disk)
    }
    fn remove_volume<'a>(&'a self, host: &'a HostName, pool: &'a str, volume: &'a str) -> Later<'a, Result<(), Fault>> {
        self.ledger.told().removes(host, pool, volume);
        self.world.remove_volume(host, pool, volume)
    }
    fn users_of<'a>(&'a self, host: &'a HostName, disk: &'a CopiedDisk) -> Later<'a, Result<Vec<DomainBrief>, Fault>> {
        self.world.users_of(host, disk)
    }
    fn create_probe<'a>(&'a self, host: &'a HostName, pool: &'a str, volume: &'a str) -> Later<'a, Result<(), Fault>> {
        self.world.create_probe(host, pool, volume)
    }
    fn sees_probe<'a>(&'a self, host: &'a HostName, pool: &'a str, volume: &'a str) -> Later<'a, Result<bool, Fault>> {
        self.world.sees_probe(host, pool, volume)
    }
    fn remove_probe<'a>(&'a self, host: &'a HostName, pool: &'a str, volume: &'a str) -> Later<'a, Result<(), Fault>> {
        self.world.remove_probe(host, pool, volume)
    }
}

/// What happens at an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// The controller ends before the record is written.
    KillBefore,
    /// It ends right after the record is written.
    KillAfter,
    /// The store fails, and goes on failing; the record is not written.
    Fail,
    /// The store says that it failed, and goes on failing, but this record was written.
    FailWritten,
    /// Somebody asks to cancel right after the record is written: by the handle if the store has one, else in the store.
    Cancel,
}

/// A stroke at the n-th append from now on, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meddle {
    pub append: usize,
    pub stroke: Stroke,
}

/// The store, spied on.
pub struct SpiedStore {
    inner: Arc<dyn Store>,
    pub ledger: Arc<Ledger>,
    meddle: Option<Meddle>,
    appends: Mutex<usize>,
    handle: OnceLock<CancelHandle>,
}

impl SpiedStore {
    pub fn new(inner: Arc<dyn Store>, ledger: Arc<Ledger>, meddle: Option<Meddle>) -> Self {
        Self { inner, ledger, meddle, appends: Mutex::new(0), handle: OnceLock::new() }
    }
    /// The handle that [`Stroke::Cancel`] uses.
    pub fn cancel_by(&self, handle: CancelHandle) {
        assert!(self.handle.set(handle).is_ok());
    }
    /// Appends that were asked for.
    pub fn appends(&self) -> usize {
        *self.appends.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn written(&self, record: &Record) {
        {
            let mut told = self.ledger.told();
            told.records.push(record.clone());
            told.observed.clear();
        }
        self.ledger.meanwhile.comes(&Sight::Written(record));
    }
}

/// Ends the task that is being driven, as a kill does: whatever it held is dropped on the spot.
fn kill() -> ! {
    std::panic::resume_unwind(Box::new("the controller was killed"))
}

fn down() -> StoreFault {
    StoreFault { attempted: "append".into(), message: "the disk is full".into() }
}

impl Store for SpiedStore {
    fn create(&self, id: TaskId, at: Moment, first: &Record) -> Result<Box<dyn TaskLock>, StoreFault> {
        let lock = self.inner.create(id, at, first)?;
        self.written(first);
        Ok(lock)
    }
    fn append(&self, id: TaskId, at: Moment, record: &Record) -> Result<(), StoreFault> {
        let nth = {
            let mut appends = self.appends.lock().unwrap_or_else(PoisonError::into_inner);
            *appends += 1;
            *appends
        };
        let stroke = self.meddle.filter(|meddle| meddle.append == nth).map(|meddle| meddle.stroke);
        if self.ledger.told().broken {
            return Err(down());
        }
        match stroke {
            Some(Stroke::KillBefore) => kill(),
            Some(Stroke::Fail) => {
                self.ledger.told().broken = true;
                return Err(down());
            }
            _ => {}
        }
        self.inner.append(id, at, record)?;
        self.written(record);
        match stroke {
            Some(Stroke::KillAfter) => kill(),
            Some(Stroke::Cancel) => {
                match self.handle.get() {
                    Some(handle) => handle.cancel("somebody"),
                    // A task that is over can't be cancelled any more.
                    None => assert_eq!(
                        self.inner.request_cancel(id, "somebody").is_err(),
                        matches!(record, Record::Ended { .. })
                    ),
                }
                Ok(())
            }
            Some(Stroke::FailWritten) => {
                self.ledger.told().broken = true;
                Err(down())
            }
            _ => Ok(()),
        }
    }
    fn claim(&self, id: TaskId, domain: DomainId, name: &str, source: &HostName) -> Result<(), ClaimError> {
        self.inner.claim(id, domain, name, source)
    }
    fn journal_after(&self, id: TaskId, after: u32) -> Result<Vec<(Moment, Record)>, StoreFault> {
        let read = self.inner.journal_after(id, after)?;
        self.ledger.told().read_back += read.len();
        Ok(read)
    }
    fn tasks(&self) -> Result<Vec<TaskBrief>, StoreFault> {
        self.inner.tasks()
    }
    fn moved_between(&self, one: &HostName, other: &HostName, most: u32) -> Result<Vec<TaskId>, StoreFault> {
        self.inner.moved_between(one, other, most)
    }
    fn lock(&self, id: TaskId) -> Result<Option<Box<dyn TaskLock>>, StoreFault> {
        self.inner.lock(id)
    }
    fn claim_slot(&self, id: TaskId, at: Moment, wish: &SlotWish, limits: &SlotLimits) -> Result<Turn, StoreFault> {
        self.inner.claim_slot(id, at, wish, limits)
    }
    fn hold_slot(&self, id: TaskId, at: Moment, wish: &SlotWish) -> Result<(), StoreFault> {
        self.inner.hold_slot(id, at, wish)
    }
    fn queue(&self) -> Result<Vec<Entry>, StoreFault> {
        self.inner.queue()
    }
    fn request_cancel(&self, id: TaskId, requester: &str) -> Result<(), StoreFault> {
        self.inner.request_cancel(id, requester)
    }
    fn request_steering(&self, id: TaskId, wishes: &[Wish]) -> Result<(), StoreFault> {
        self.inner.request_steering(id, wishes)
    }
    fn wishes(&self, id: TaskId) -> Result<Vec<(u64, Wish)>, StoreFault> {
        self.inner.wishes(id)
    }
    fn settle_wish(&self, id: TaskId, number: u64) -> Result<(), StoreFault> {
        self.inner.settle_wish(id, number)
    }
    fn cancel_requested(&self, id: TaskId) -> Result<Option<String>, StoreFault> {
        self.inner.cancel_requested(id)
    }
    fn put_reading(&self, id: TaskId, reading: &Reading) -> Result<(), StoreFault> {
        self.inner.put_reading(id, reading)
    }
    fn reading(&self, id: TaskId) -> Result<Option<Reading>, StoreFault> {
        self.inner.reading(id)
    }
    fn put_decisions(&self, id: TaskId, decisions: &[DecisionRecord]) -> Result<(), StoreFault> {
        self.inner.put_decisions(id, decisions)
    }
    fn decisions(&self, id: TaskId) -> Result<Vec<DecisionRecord>, StoreFault> {
        self.inner.decisions(id)
    }
    fn put_facts(&self, digest: &str, canonical: &str) -> Result<(), StoreFault> {
        self.inner.put_facts(digest, canonical)
    }
    fn facts(&self, digest: &str) -> Result<Option<String>, StoreFault> {
        self.inner.facts(digest)
    }
    fn intend_probe(&self, probe: &ProbeVolume) -> Result<(), StoreFault> {
        self.inner.intend_probe(probe)
    }
    fn settle_probe(&self, probe: &ProbeVolume) -> Result<(), StoreFault> {
        self.inner.settle_probe(probe)
    }
    fn open_probes(&self) -> Result<Vec<ProbeVolume>, StoreFault> {
        self.inner.open_probes()
    }
    fn put_proof(&self, proof: &KeptProof) -> Result<(), StoreFault> {
        self.inner.put_proof(proof)
    }
    fn proofs(&self, source: &HostName, destination: &HostName) -> Result<Vec<KeptProof>, StoreFault> {
        self.inner.proofs(source, destination)
    }
}
