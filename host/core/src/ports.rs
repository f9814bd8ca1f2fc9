//! The ways out of the core: what the engine needs of hypervisors, policies, a store and a clock. Who implements them
//! is chosen by the facade; libvirt and the simulator are of equal rank. The file is long because the list of what is
//! needed is: the engine's whole view of the world is in one place.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::convergence::{Activity, Opening, OpeningQuestion, Steering, SteeringAnswer, SteeringQuestion};
use crate::copies::CopiedDisk;
use crate::edit::Edits;
use crate::evidence::Evidence;
use crate::facts::{DiskView, DomainBrief, DomainFacts, HostFacts, PairFacts, Snapshot, Volume, WayTried};
use crate::ids::{DomainId, DomainKey, HostName, Moment, PluginName, TaskId};
use crate::journal::Record;
use crate::load::HostLoad;
use crate::login::{Admitted, Hold, Login, PeerWay};
use crate::network::Target;
use crate::notice::Notice;
use crate::outcome::OutcomeKind;
use crate::phase::Phase;
use crate::plan::Plan;
use crate::queue::{Entry, SlotLimits, SlotWish, Turn};
use crate::recovery::{FailureClass, RecoveryAnswer, RecoveryQuestion};
use crate::request::CheckRequest;
use crate::sample::Sample;
use crate::situation::{Side, Standing};
use crate::verdict::{Judged, Verdict};
use crate::words;

/// A future that any runtime can drive.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

words! {
    /// What kind of trouble a host has.
    pub enum FaultKind {
        /// No such domain on that host.
        NoDomain = "no-domain",
        /// No such host in the configuration.
        NoHost = "no-host",
        /// It can't be reached, or the connection broke.
        Unreachable = "unreachable",
        /// It did not answer in time. Whether the call had an effect is not known.
        Deadline = "deadline",
        /// Credentials, certificates or host keys.
        Authentication = "authentication",
        /// The job was aborted.
        Aborted = "aborted",
        /// Another job holds the domain.
        Busy = "busy",
        /// Another migration holds the domain: what was asked for was not begun.
        Migrating = "migrating",
        /// libvirt refuses it in this state.
        Refused = "refused",
        /// libvirt holds that the disks are not safe to migrate.
        UnsafeStorage = "unsafe-storage",
        /// CPU or configuration don't fit.
        Incompatible = "incompatible",
        /// Storage.
        Storage = "storage",
        /// The way between hosts.
        Network = "network",
        /// The hypervisor process ended.
        HypervisorDied = "hypervisor-died",
        /// The driver has no such call.
        Unsupported = "unsupported",
        /// Everything else.
        Other = "other",
    }
}

impl FaultKind {
    /// The class that a recovery policy is told.
    pub fn class(self) -> FailureClass {
        match self {
            Self::Aborted => FailureClass::Cancelled,
            Self::Unreachable | Self::Deadline | Self::NoHost | Self::Authentication => FailureClass::Unreachable,
            Self::Network => FailureClass::Network,
            Self::Storage | Self::UnsafeStorage => FailureClass::Storage,
            Self::Incompatible => FailureClass::Incompatible,
            Self::Refused | Self::Busy | Self::Unsupported => FailureClass::Refused,
            Self::Migrating => FailureClass::Migrating,
            Self::HypervisorDied => FailureClass::HypervisorDied,
            Self::NoDomain | Self::Other => FailureClass::Other,
        }
    }
}

/// A host's error: what was tried, where, and libvirt's own code, domain and words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{attempted} on {host}: {message}")]
pub struct Fault {
    /// Kind.
    pub kind: FaultKind,
    /// Host.
    pub host: HostName,
    /// What was attempted, as `open a connection`.
    pub attempted: String,
    /// The host's words.
    pub message: String,
    /// libvirt's error number.
    pub code: Option<u32>,
    /// libvirt's error domain.
    pub domain: Option<u32>,
}

impl Fault {
    /// The class that a recovery policy is told.
    pub fn class(&self) -> FailureClass {
        self.kind.class()
    }
}

/// How much of a host is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Also the volumes of every pool.
    pub volumes: Wanted,
    /// Also the node devices.
    pub node_devices: Wanted,
}

/// Whether a heavy part is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wanted {
    /// No.
    #[default]
    No,
    /// Yes.
    Yes,
}

/// An order to one host about one domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Limit the downtime of the running or next migration.
    SetMaxDowntime {
        /// Limit.
        ms: u64,
    },
    /// Limit the bandwidth.
    SetBandwidth {
        /// Limit.
        mib_s: u64,
    },
    /// Abort the migration. Refused where the host says that the job is something else: it is somebody else's then.
    AbortJob,
    /// Close the connections over which the disks of a running migration are copied: what ends a copy whose packets don't come
    /// through, where the host's abort waits for them. An error where none is open.
    SeverCopies,
    /// Limit the bandwidth of post-copy.
    SetPostCopyBandwidth {
        /// Limit.
        mib_s: u64,
    },
    /// Slow the guest of a running migration with auto-converge down so far: from the hypervisor's next step on, and no further. Past
    /// what the host's own calls can do. The maximum outlives the migration.
    SetThrottle {
        /// How far, percent.
        percent: u64,
    },
    /// Take that maximum away: auto-converge goes as far as it can again.
    FreeThrottle,
    /// Switch to post-copy.
    StartPostCopy,
    /// Interrupt a post-copy, so that it can be resumed: both copies stay.
    InterruptPostCopy,
    /// Pause the vCPUs.
    Suspend,
    /// Let the vCPUs run.
    Resume,
    /// End the active copy at once.
    Destroy,
    /// Remove the definition; NVRAM and TPM state are kept, no storage is touched.
    Undefine,
    /// Start with the host.
    SetAutostart(crate::plan::Autostart),
}

/// What a host tells unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostEvent {
    /// The domain's state changed; libvirt's words for event and detail.
    Lifecycle {
        /// Domain.
        domain: DomainId,
        /// `started`, `suspended`, `resumed`, `stopped`, `defined`, `undefined`, ...
        event: String,
        /// `migrated`, `failed`, `post-copy`, ...
        detail: String,
    },
    /// A pass over the memory began.
    Iteration {
        /// Domain.
        domain: DomainId,
        /// Number.
        iteration: u64,
    },
    /// A migration completed; the final figures, which can't be read a second time.
    JobCompleted {
        /// Domain.
        domain: DomainId,
        /// Figures.
        sample: Sample,
    },
    /// The connection is gone.
    Disconnected {
        /// Why.
        why: String,
    },
}

/// Events of one host, until dropped.
pub trait Events: Send {
    /// The next one; none when there will be no more.
    fn next(&mut self) -> Later<'_, Option<HostEvent>>;
}

/// A migration call that is under way. Dropping it does not end the migration.
pub trait Transfer: Send {
    /// Waits for the call to return. Must be cancel-safe: it may be polled in a `select!` and called again.
    fn finished(&mut self) -> Later<'_, Result<(), Fault>>;
    /// Whether, once the call has returned, an order to abort the job that was given for it by itself may still come: nobody
    /// heard the end of that.
    fn may_abort_yet(&self) -> bool {
        false
    }
}

/// A volume as it is right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundVolume {
    /// The volume.
    pub volume: Volume,
    /// Path of the image right behind it.
    pub backing: Option<String>,
}

/// What came of the order to make a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// It was made.
    Made,
    /// Something of that name is there already; it was left alone.
    Taken,
}

/// How the connection to a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// It is open.
    Up,
    /// It is open by a login that somebody gave, and stays so only while somebody holds the host.
    Lent(PeerWay),
    /// It is not, or broke, or is being opened again.
    Down,
    /// Nobody needed it yet, or the driver doesn't tell.
    Unknown,
}

/// Hosts and what can be asked of them. Every call has a deadline of its own and answers [`FaultKind::Deadline`] after it.
pub trait Hypervisor: Send + Sync {
    /// The configured hosts, in the order of the configuration.
    fn hosts(&self) -> Vec<HostName>;
    /// What a person types instead of [`Command::FreeThrottle`].
    fn free_throttle_by_hand(&self, domain: &str) -> String;
    /// How the connection to a host stands, as far as it is known without asking it.
    fn connection(&self, _: &HostName) -> Connection {
        Connection::Unknown
    }
    /// Keeps the connection to a host, if it is lent or will be, for as long as the answer lives. Costs nothing otherwise.
    fn hold(&self, host: &HostName) -> Hold;
    /// Sees to it that a host can be asked: in the configured way if that works, and only where that is refused for want of a
    /// login with this one. It is used once and gone when this returns, or when nobody waits for it any more. What it opens is
    /// lent to whoever holds the host: hold it before. [`FaultKind::Authentication`] where the login is not the right one.
    fn admit<'a>(&'a self, host: &'a HostName, login: Login) -> Later<'a, Result<Admitted, Fault>>;
    /// Facts of a host.
    fn host_facts<'a>(&'a self, host: &'a HostName, depth: Depth) -> Later<'a, Result<HostFacts, Fault>>;
    /// How busy a host is, for whoever looks.
    fn load<'a>(&'a self, host: &'a HostName) -> Later<'a, Result<HostLoad, Fault>>;
    /// Domains of a host.
    fn domains<'a>(&'a self, host: &'a HostName) -> Later<'a, Result<Vec<DomainBrief>, Fault>>;
    /// Facts of a domain.
    fn domain_facts<'a>(&'a self, host: &'a HostName, domain: &'a DomainKey) -> Later<'a, Result<DomainFacts, Fault>>;
    /// What a host sees at the path of each of the domain's disks.
    fn disk_views<'a>(&'a self, host: &'a HostName, domain: &'a DomainFacts)
    -> Later<'a, Result<Vec<DiskView>, Fault>>;
    /// What a destination makes of the domain: its CPU, its disks.
    fn pair_facts<'a>(
        &'a self,
        destination: &'a HostName,
        domain: &'a DomainFacts,
    ) -> Later<'a, Result<PairFacts, Fault>>;
    /// Has the source's machine open connections to these, if it is configured how to ask it, and says what became of each:
    /// trouble is an answer here, [`Untried`](crate::facts::Answer::Untried). Empty where nobody is configured to try.
    fn try_ways<'a>(&'a self, source: &'a HostName, targets: &'a [Target]) -> Later<'a, Vec<WayTried>> {
        let _ = (source, targets);
        Box::pin(async { Vec::new() })
    }
    /// What a host says of the domain right now. Trouble is an answer here: [`Side::Unknown`].
    fn observe<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Side>;
    /// A reading of the job on the source; none where no migration job runs.
    fn sample<'a>(&'a self, source: &'a HostName, domain: DomainId) -> Later<'a, Result<Option<Sample>, Fault>>;
    /// The figures of the last completed migration, if they can still be read; reading keeps them.
    fn final_sample<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Result<Option<Sample>, Fault>>;
    /// What a host still tells of a domain whose migration failed, beside its state; nothing where it has no such domain.
    fn evidence<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Result<Evidence, Fault>>;
    /// The downtime limit that is set for the next migration, ms; none where the driver doesn't tell.
    fn max_downtime<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Result<Option<u64>, Fault>>;
    /// Measures what the guest does, for so long; none where the driver can't, and at once where the guest is known to hold
    /// fewer bytes of memory than `least`: then it isn't worth the time.
    fn activity<'a>(
        &'a self,
        host: &'a HostName,
        domain: DomainId,
        time: Duration,
        least: u64,
    ) -> Later<'a, Result<Option<Activity>, Fault>>;
    /// Gives an order, however the domain stands.
    fn command<'a>(&'a self, host: &'a HostName, domain: DomainId, command: Command) -> Later<'a, Result<(), Fault>> {
        self.command_if(host, domain, command, None)
    }
    /// Gives an order if whoever answers is the host that is meant, and the domain stands there as expected: looked at on the
    /// connection that carries the order, right before it. [`FaultKind::Refused`] if not, and nothing was done.
    fn command_if<'a>(
        &'a self,
        host: &'a HostName,
        domain: DomainId,
        command: Command,
        expected: Option<&'a Standing>,
    ) -> Later<'a, Result<(), Fault>>;
    /// Whether the edits of a plan can be made in the definitions as they are now; a plan without edits costs nothing.
    /// Touches nothing. What only the migration itself can tell - whether the guest would notice - is not asked here.
    fn rehearse<'a>(&'a self, plan: &'a Plan) -> Later<'a, Result<(), Fault>>;
    /// The notice that a domain carries; none where there is none, or the driver keeps none.
    fn notice<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Result<Option<Notice>, Fault>>;
    /// Puts a notice on an active domain in place of what it carried, or takes it away. It goes with the domain when that
    /// moves, and ends with its process.
    fn put_notice<'a>(
        &'a self,
        host: &'a HostName,
        domain: DomainId,
        notice: Option<&'a Notice>,
    ) -> Later<'a, Result<(), Fault>>;
    /// Starts the planned migration on a connection of its own.
    fn start<'a>(&'a self, plan: &'a Plan) -> Later<'a, Result<Box<dyn Transfer>, Fault>>;
    /// Joins the two halves of an interrupted post-copy of this plan again, on a connection of its own, so that the rest
    /// of the memory follows. What comes of it is what would have come of the migration.
    fn resume_post_copy<'a>(&'a self, plan: &'a Plan) -> Later<'a, Result<Box<dyn Transfer>, Fault>>;
    /// Events of a host from now on.
    fn events<'a>(&'a self, host: &'a HostName) -> Later<'a, Result<Box<dyn Events>, Fault>>;
    /// The volume of that name in a pool, which is refreshed first; none if nothing of that name is there.
    fn volume<'a>(
        &'a self,
        host: &'a HostName,
        pool: &'a str,
        volume: &'a str,
    ) -> Later<'a, Result<Option<FoundVolume>, Fault>>;
    /// The volume at a path of the host, in whichever active pool it is; none where no pool shows one.
    fn volume_at<'a>(&'a self, host: &'a HostName, path: &'a str) -> Later<'a, Result<Option<Volume>, Fault>>;
    /// Makes an empty volume of the size and format of a disk that is to be copied; never over something that is there.
    fn create_volume<'a>(&'a self, host: &'a HostName, disk: &'a CopiedDisk) -> Later<'a, Result<Creation, Fault>>;
    /// Deletes the named volume, and nothing else; a volume that isn't there is no fault.
    fn remove_volume<'a>(&'a self, host: &'a HostName, pool: &'a str, volume: &'a str) -> Later<'a, Result<(), Fault>>;
    /// The domains of a host whose definition, or whose configuration as they run, names the volume: by its path, or by
    /// pool and name.
    fn users_of<'a>(&'a self, host: &'a HostName, disk: &'a CopiedDisk) -> Later<'a, Result<Vec<DomainBrief>, Fault>>;
    /// Creates the named volume (1 MiB at most) in a pool; refuses a name that is taken.
    fn create_probe<'a>(&'a self, host: &'a HostName, pool: &'a str, volume: &'a str) -> Later<'a, Result<(), Fault>>;
    /// Whether a pool, refreshed, holds the named volume.
    fn sees_probe<'a>(&'a self, host: &'a HostName, pool: &'a str, volume: &'a str) -> Later<'a, Result<bool, Fault>>;
    /// Deletes the named volume, and nothing else; a volume that isn't there is no fault.
    fn remove_probe<'a>(&'a self, host: &'a HostName, pool: &'a str, volume: &'a str) -> Later<'a, Result<(), Fault>>;
}

/// The shared-storage probe as a policy reaches it: runs to its end before it answers.
pub trait StorageProbe: Send + Sync {
    /// Whether the two pools are one store, proven; or why it could not be proven.
    fn shared(&self, destination: &HostName, source_pool: &str, destination_pool: &str) -> Result<bool, String>;
}

/// One answer of one policy, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRecord {
    /// Which policy.
    pub plugin: PluginName,
    /// SHA-256 of its file, hexadecimal.
    pub digest: String,
    /// `precheck`, `transform`, `recovery`, `convergence`.
    pub hook: String,
    /// Its mode.
    pub mode: crate::verdict::PolicyMode,
    /// Its settings, JSON.
    pub settings: String,
    /// SHA-256 of the canonical facts, hexadecimal; empty where the caller keeps no record.
    pub facts_digest: String,
    /// Which facts it read: `domain.machine`, `kvm2.pool(default)`, in alphabetical order.
    pub facts_read: Vec<String>,
    /// Its answer, or the safe answer that stands for it, as readable text.
    pub answer: String,
    /// Why there was no usable answer.
    pub fault: Option<String>,
    /// Fuel used.
    pub fuel: u64,
    /// Time used, µs.
    pub micros: u64,
    /// When.
    pub decided_at: Moment,
}

words! {
    /// What a decision record comes to, for whoever looks through many of them.
    pub enum DecisionVerdict {
        /// The policy answered, and nothing in its answer stands in the way.
        Answered = "answered",
        /// It answered with a blocker about at least one destination.
        Blocked = "blocked",
        /// There was no usable answer, or it was not obeyed; the record's fault says why.
        Failed = "failed",
    }
}

impl DecisionRecord {
    /// What it comes to. A finding stands in an answer as `destination: severity code: message`, one per line.
    pub fn verdict(&self) -> DecisionVerdict {
        let blocks = |line: &str| line.split_once(": ").is_some_and(|(_, finding)| finding.starts_with("blocker "));
        if self.fault.is_some() {
            DecisionVerdict::Failed
        } else if matches!(self.hook.as_str(), "precheck" | "transform") && self.answer.lines().any(blocks) {
            DecisionVerdict::Blocked
        } else {
            DecisionVerdict::Answered
        }
    }
}

/// What all prechecks say of all candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// One verdict per candidate, in their order.
    pub verdicts: Vec<Verdict>,
    /// One record per policy.
    pub decisions: Vec<DecisionRecord>,
}

/// What the transform policies want of one destination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transformed {
    /// The edits; none where a finding blocks.
    pub edits: Edits,
    /// What stands against them, and what merely advising policies would edit.
    pub findings: Vec<Judged>,
}

/// What all transform policies want of all candidates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transformation {
    /// One per candidate, in their order; none at all where there is no such policy.
    pub each: Vec<Transformed>,
    /// One record per policy.
    pub decisions: Vec<DecisionRecord>,
}

/// The policies. Calls block for as long as the policies think (bounded); call them off the async threads.
pub trait Policies: Send + Sync {
    /// Asks every precheck. A policy that fails, or none being there at all, makes a blocker, never a pass.
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, probe: Option<&dyn StorageProbe>) -> Judgement;
    /// Whether there is a transform policy at all: without one nothing is asked and nothing is read again.
    fn transforms(&self) -> bool {
        false
    }
    /// Asks every transform policy. One that fails makes a blocker, never an unedited definition.
    fn transform(&self, _: &CheckRequest, _: &Arc<Snapshot>) -> Transformation {
        Transformation::default()
    }
    /// Asks the recovery policy. An answer that isn't permitted is replaced by [`RecoveryAnswer::safe`].
    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord);
    /// Asks the convergence policy how to open. A policy that fails, or none, changes nothing.
    fn open(&self, _: &OpeningQuestion) -> (Opening, Option<DecisionRecord>) {
        (Opening::unchanged("no convergence policy"), None)
    }
    /// Asks the convergence policy what to do now; the answer is within its bounds. A policy that fails, or none, holds.
    fn steer(&self, _: &SteeringQuestion) -> (SteeringAnswer, Option<DecisionRecord>) {
        (SteeringAnswer::hold("no convergence policy"), None)
    }
}

/// A task in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskBrief {
    /// Id.
    pub id: TaskId,
    /// Made.
    pub created_at: Moment,
    /// Last record or reading.
    pub updated_at: Moment,
    /// Domain's UUID, once known.
    pub domain: Option<DomainId>,
    /// Domain as it was asked for, or its name once known.
    pub domain_name: String,
    /// From, once known.
    pub source: Option<HostName>,
    /// To.
    pub destination: HostName,
    /// Phase.
    pub phase: Phase,
    /// Outcome, if over.
    pub outcome: Option<OutcomeKind>,
    /// What happened and where the domain is, if over.
    pub summary: Option<String>,
    /// Whether it waits for its turn.
    pub waits: bool,
    /// Progress, permille.
    pub permille: u16,
}

/// A store's trouble.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{attempted}: {message}")]
pub struct StoreFault {
    /// What was attempted, with what.
    pub attempted: String,
    /// Why it failed, and what to do.
    pub message: String,
}

/// The right to drive one task. It ends when dropped, and with the process however that ends.
pub trait TaskLock: Send + Sync {}

/// The last reading of a running task, for whoever only watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// When.
    pub at: Moment,
    /// Progress, permille.
    pub permille: u16,
    /// The sample.
    pub sample: Sample,
}

/// What a person wants of a running transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// What.
    pub action: Steering,
    /// With which value: ms for a downtime, MiB/s for a bandwidth, percent for a throttle.
    pub value: Option<u64>,
    /// Who.
    pub requester: String,
}

/// Where tasks are kept. A call returns when the data is safe on disk; only a reading may be lost with the power.
pub trait Store: Send + Sync {
    /// Makes a task with its first record and takes its lock. Refuses a domain that has an unfinished task.
    fn create(&self, id: TaskId, at: Moment, first: &Record) -> Result<Box<dyn TaskLock>, StoreFault>;
    /// Appends a record.
    fn append(&self, id: TaskId, at: Moment, record: &Record) -> Result<(), StoreFault>;
    /// Says which domain and source a task is about, once that is known; refuses if another unfinished task has the domain.
    fn claim(&self, id: TaskId, domain: DomainId, name: &str, source: &HostName) -> Result<(), ClaimError>;
    /// All records of a task.
    fn journal(&self, id: TaskId) -> Result<Vec<(Moment, Record)>, StoreFault> {
        self.journal_after(id, 0)
    }
    /// The records of a task but the first so many.
    fn journal_after(&self, id: TaskId, after: u32) -> Result<Vec<(Moment, Record)>, StoreFault>;
    /// Tasks, newest first.
    fn tasks(&self) -> Result<Vec<TaskBrief>, StoreFault>;
    /// The newest tasks, at most so many, that moved a domain between these two hosts, in either direction: newest first. A
    /// store may look through its newest tasks only, so that this costs no more where it holds very many.
    fn moved_between(&self, one: &HostName, other: &HostName, most: u32) -> Result<Vec<TaskId>, StoreFault>;
    /// The lock of a task; none if another process has it.
    fn lock(&self, id: TaskId) -> Result<Option<Box<dyn TaskLock>>, StoreFault>;
    /// Puts a task into the queue for what it wishes, in place of what it wished or held before (it keeps its time of
    /// arrival, and a new one comes after all who wait: [`crate::queue::arrival`]), and gives it the slot if it is its turn:
    /// one step for all processes. Entries of tasks that nobody drives don't count, and an entry goes with the end of its
    /// task.
    fn claim_slot(&self, id: TaskId, at: Moment, wish: &SlotWish, limits: &SlotLimits) -> Result<Turn, StoreFault>;
    /// Notes that a task has its slot, whatever the limits: its transfer runs already.
    fn hold_slot(&self, id: TaskId, at: Moment, wish: &SlotWish) -> Result<(), StoreFault>;
    /// The queue: the entries of all tasks that somebody drives.
    fn queue(&self) -> Result<Vec<Entry>, StoreFault>;
    /// Asks whoever drives the task to cancel.
    fn request_cancel(&self, id: TaskId, requester: &str) -> Result<(), StoreFault>;
    /// Whether somebody asked to cancel, and who.
    fn cancel_requested(&self, id: TaskId) -> Result<Option<String>, StoreFault>;
    /// Keeps wishes for a running transfer, in that order, until they are settled: all of them, or none where it fails.
    fn request_steering(&self, id: TaskId, wishes: &[Wish]) -> Result<(), StoreFault>;
    /// Wishes that aren't settled, each with its number, oldest first.
    fn wishes(&self, id: TaskId) -> Result<Vec<(u64, Wish)>, StoreFault>;
    /// A wish was met, or refused.
    fn settle_wish(&self, id: TaskId, number: u64) -> Result<(), StoreFault>;
    /// Keeps a reading as the last one.
    fn put_reading(&self, id: TaskId, reading: &Reading) -> Result<(), StoreFault>;
    /// The last reading.
    fn reading(&self, id: TaskId) -> Result<Option<Reading>, StoreFault>;
    /// Keeps decision records.
    fn put_decisions(&self, id: TaskId, decisions: &[DecisionRecord]) -> Result<(), StoreFault>;
    /// The decision records of a task, in order.
    fn decisions(&self, id: TaskId) -> Result<Vec<DecisionRecord>, StoreFault>;
    /// Keeps the canonical text of a snapshot under its digest.
    fn put_facts(&self, digest: &str, canonical: &str) -> Result<(), StoreFault>;
    /// The text kept under a digest.
    fn facts(&self, digest: &str) -> Result<Option<String>, StoreFault>;
    /// Written before a probe volume is created: from now on it may exist.
    fn intend_probe(&self, probe: &ProbeVolume) -> Result<(), StoreFault>;
    /// Written after it was proven gone.
    fn settle_probe(&self, probe: &ProbeVolume) -> Result<(), StoreFault>;
    /// Probe volumes that may still exist, oldest first.
    fn open_probes(&self) -> Result<Vec<ProbeVolume>, StoreFault>;
    /// Keeps what a probe proved, in place of an older proof of the same pair.
    fn put_proof(&self, proof: &KeptProof) -> Result<(), StoreFault>;
    /// All kept proofs of that pair of hosts.
    fn proofs(&self, source: &HostName, destination: &HostName) -> Result<Vec<KeptProof>, StoreFault>;
}

/// A volume of the shared-storage probe, and so the undo of its creation. Probes belong to no task: a mere check may
/// make one too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeVolume {
    /// Host that creates it.
    pub host: HostName,
    /// Pool.
    pub pool: String,
    /// Its unique name.
    pub volume: String,
    /// When it was intended.
    pub at: Moment,
}

/// What a probe proved of a pair of pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptProof {
    /// Source.
    pub source: HostName,
    /// Destination.
    pub destination: HostName,
    /// The pools, and whether they are one store.
    pub proof: crate::facts::StorageProof,
    /// When it was proven.
    pub at: Moment,
}

/// Why a domain can't be claimed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClaimError {
    /// Another task has it.
    #[error("task {0} is migrating this domain already: watch it with `waypost watch {0}`, or cancel it")]
    Taken(TaskId),
    /// The store failed.
    #[error(transparent)]
    Store(StoreFault),
}

/// Wall-clock time, for records only: waiting is the runtime's business.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Moment;
}
