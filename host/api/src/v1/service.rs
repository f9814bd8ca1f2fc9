//! What only the service tells: itself, a task as it stands, pages, the queue, events.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waypost_core::feed::Change;
use waypost_core::ids::{Moment, TaskId};
use waypost_core::journal::Record;
use waypost_core::plan::Plan;
use waypost_core::ports::{self, Fault};
use waypost_core::queue::{self, SlotLimits, Turn, standings};
use waypost_core::situation;

use super::check::Verdict;
use super::entry::Entry;
use super::fleet::Domain;
use super::percent::Percent;
use super::task::{Look, Outcome, Progress, Sample, Side, TaskBrief};
use crate::time::rfc3339;

/// Which program answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// `waypost`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Version of these documents.
    pub api: String,
}

/// Whether the service can do its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Whether it can.
    pub ok: bool,
    /// What is in the way.
    pub problems: Vec<String>,
    /// Tasks that it drives.
    pub driven: usize,
}

/// A task as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskStatus {
    /// Task id.
    pub id: String,
    /// `queued`, `running`, or how it ended: `completed`, `refused`, `rolled-back`, `cancelled`, `stuck`, `lost`.
    pub status: String,
    /// What is going on, or what happened and where the domain is, in one line.
    pub message: String,
    /// Progress of the attempt in percent, 0 to 100, to the tenth. Never runs backwards within an attempt, and reaches 100 only
    /// after the domain was seen to run where it should.
    #[schema(value_type = f64, minimum = 0, maximum = 100)]
    pub progress: Percent,
    /// `accepted`, `planned`, ..., `ended`.
    pub phase: String,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Domain's name, or what was asked for.
    pub domain: String,
    /// Domain's UUID, once known.
    pub domain_id: Option<String>,
    /// From, once known.
    pub source: Option<String>,
    /// To.
    pub destination: String,
    /// URI by which the source's daemon reaches the destination's, once planned.
    pub target_uri: Option<String>,
    /// Who asked for it.
    pub requested_by: String,
    /// Whether somebody asked to cancel it.
    pub cancel_requested: bool,
    /// Whether it may be switched to post-copy now: it was asked for with that, its transfer has begun, and the guest does not run on
    /// the destination yet. An order that comes before memory travels is kept until some does.
    #[serde(default)]
    pub may_post_copy: bool,
    /// The least that `throttle_percent` of a steer may be right now, percent (the most is 99); null where the guest can't be slowed
    /// down by order: the transfer was begun without auto-converge, the site does without, or no memory is being copied from a guest
    /// that runs on the source.
    #[serde(default)]
    pub least_throttle_percent: Option<u64>,
    /// Made.
    pub created_at: String,
    /// Last record or reading.
    pub updated_at: String,
    /// Its first transfer was begun; null until then.
    #[serde(default)]
    pub started_at: Option<String>,
    /// It ended; null while it isn't over.
    #[serde(default)]
    pub ended_at: Option<String>,
    /// How it ended; null while it isn't over.
    pub outcome: Option<Outcome>,
    /// The last reading of the transfer.
    pub sample: Option<Sample>,
    /// Number of its last event: what to wait from.
    pub sequence: u64,
}

/// Some of the tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskPage {
    /// Newest first.
    pub tasks: Vec<TaskBrief>,
    /// What to give as `cursor` for those that come after; null: there are no more.
    pub next: Option<String>,
}

/// What may be done about a task, from what both hosts say right now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Situation {
    /// Task id.
    pub task: String,
    /// Source.
    pub source: Side,
    /// Destination.
    pub destination: Side,
    /// Actions, in the order in which a careful person would consider them.
    pub permitted: Vec<String>,
    /// Networks over which a permitted `resume-post-copy` may go, the next in turn first; empty where there is no choice.
    pub networks: Vec<String>,
    /// Actions that both sides would permit, and the task's past does not.
    pub withheld: Vec<Withheld>,
    /// Why just these.
    pub why: String,
    /// The source's configured name.
    #[serde(default)]
    pub source_host: String,
    /// The destination's configured name.
    #[serde(default)]
    pub destination_host: String,
}

/// An action that is not permitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Withheld {
    /// Which.
    pub action: String,
    /// Why not.
    pub why: String,
}

impl Situation {
    /// From what was seen of the domain of a plan.
    pub fn new(
        task: TaskId,
        plan: &Plan,
        situation: &situation::Situation,
        permitted: &[situation::Action],
        networks: &[String],
        withheld: &[(situation::Action, &'static str)],
    ) -> Self {
        Self {
            task: task.to_string(),
            source_host: plan.source.host.to_string(),
            destination_host: plan.destination.host.to_string(),
            source: Side::from(&situation.source),
            destination: Side::from(&situation.destination),
            permitted: permitted.iter().map(ToString::to_string).collect(),
            networks: networks.to_vec(),
            withheld: withheld
                .iter()
                .map(|(action, why)| Withheld { action: action.to_string(), why: (*why).to_owned() })
                .collect(),
            why: situation::why(plan, situation).to_owned(),
        }
    }
}

impl From<&Situation> for Look {
    fn from(situation: &Situation) -> Self {
        Self {
            task: situation.task.clone(),
            source: situation.source.clone(),
            destination: situation.destination.clone(),
            permitted: situation.permitted.clone(),
            networks: situation.networks.clone(),
        }
    }
}

/// How many migrations may run at once, and who waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// Out of one host.
    pub outgoing_per_host: u32,
    /// Into one host.
    pub incoming_per_host: u32,
    /// Over a network; one that is not listed has no limit.
    pub networks: Vec<NetworkLimit>,
    /// Tasks that hold a slot or wait for one, those that hold one first, then in the order of their coming.
    pub entries: Vec<QueueEntry>,
}

/// How many may share a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkLimit {
    /// Its configured name.
    pub network: String,
    /// How many.
    pub most: u32,
}

/// A task in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueEntry {
    /// Task id.
    pub task: String,
    /// When it came.
    pub asked_at: String,
    /// `low`, `normal`, `high`.
    pub priority: String,
    /// From.
    pub source: String,
    /// To.
    pub destination: String,
    /// Migration network, as far as it is known.
    pub network: Option<String>,
    /// Whether it has its slot.
    pub holds: bool,
    /// What it waits for, in words.
    pub waits: Option<String>,
}

impl Queue {
    /// From the limits and the entries, judged now.
    pub fn new(limits: &SlotLimits, entries: &[queue::Entry], now: Moment) -> Self {
        let standings = standings(entries, limits, now);
        let mut sorted: Vec<&queue::Entry> = entries.iter().collect();
        sorted.sort_by_key(|entry| (!entry.holds, entry.asked_at, entry.task));
        Self {
            outgoing_per_host: limits.outgoing_per_host,
            incoming_per_host: limits.incoming_per_host,
            networks: limits
                .networks
                .iter()
                .map(|(network, most)| NetworkLimit { network: network.clone(), most: *most })
                .collect(),
            entries: sorted
                .into_iter()
                .map(|entry| QueueEntry {
                    task: entry.task.to_string(),
                    asked_at: rfc3339(entry.asked_at),
                    priority: entry.wish.priority.to_string(),
                    source: entry.wish.source.to_string(),
                    destination: entry.wish.destination.to_string(),
                    network: entry.wish.network.clone(),
                    holds: entry.holds,
                    waits: standings.get(&entry.task).filter(|turn| **turn != Turn::Granted).map(ToString::to_string),
                })
                .collect(),
        }
    }
}

/// May every domain go to every other host?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// One row per domain.
    pub rows: Vec<ReadinessRow>,
    /// Hosts and domains that could not be read, in the hosts' words.
    pub unread: Vec<Unread>,
}

/// One domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadinessRow {
    /// The domain, and the host that it is on.
    pub domain: Domain,
    /// One verdict per other host.
    pub verdicts: Vec<Verdict>,
}

/// What could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unread {
    /// Host.
    pub host: String,
    /// Why.
    pub error: String,
    /// The domain that it is about, by its name; null where it is a whole host.
    pub domain: Option<String>,
}

impl Unread {
    /// The document of a fault with a host, or with a domain.
    pub fn new(fault: &Fault, domain: Option<&str>) -> Self {
        Self { host: fault.host.to_string(), error: fault.to_string(), domain: domain.map(str::to_owned) }
    }
}

/// An event `record`: something was written into the journal of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordEvent {
    /// Its place among all records of all tasks; the event's id.
    pub sequence: u64,
    /// Task id.
    pub task: String,
    /// Its place in the task's journal, from 1.
    pub number: u32,
    /// Attempt, from 1.
    pub attempt: u32,
    /// The phase that the task is in after it: `accepted`, `planned`, ..., `ended`; null for a record from before this was
    /// kept.
    pub phase: Option<String>,
    /// How the task ended, where this record says so.
    pub outcome: Option<String>,
    /// What was written.
    pub entry: Entry,
}

impl From<&Change> for RecordEvent {
    fn from(change: &Change) -> Self {
        Self {
            sequence: change.sequence,
            task: change.task.to_string(),
            number: change.number,
            attempt: change.attempt,
            phase: change.phase.map(|phase| phase.to_string()),
            outcome: match &change.record {
                Record::Ended { outcome } => Some(outcome.kind.to_string()),
                _ => None,
            },
            entry: Entry::new(change.at, &change.record),
        }
    }
}

impl From<&waypost_core::feed::Moving> for Progress {
    fn from(moving: &waypost_core::feed::Moving) -> Self {
        let ports::TaskBrief { id, domain_name, source, destination, phase, permille, .. } = &moving.brief;
        Self {
            task: id.to_string(),
            domain: domain_name.clone(),
            source: source.as_ref().map(ToString::to_string),
            destination: destination.to_string(),
            phase: phase.to_string(),
            attempt: moving.attempt,
            progress: Percent::of_permille(*permille),
            note: String::new(),
            sample: Some(Sample::from(&moving.reading.sample)),
        }
    }
}

/// What happened, for clients that can't listen to events: what a stream tells in pages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Changes {
    /// What `record` events hold, in the one order of all records; empty where nothing came in the time that was waited.
    pub records: Vec<RecordEvent>,
    /// How far each transfer is that runs now.
    pub progress: Vec<Progress>,
    /// `after` of the next request: all up to here was told, or is about tasks that the caller may not see.
    pub last: u64,
    /// Whether there may be more already.
    pub more: bool,
}

/// What `waypost serve` says once it listens, and what `serve --check` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Serving {
    /// Address and port for the network; null: there is none.
    pub address: Option<String>,
    /// Path of the socket.
    pub socket: String,
    /// What is in the way.
    pub problems: Vec<String>,
    /// What is worth knowing, and in nobody's way.
    pub notes: Vec<String>,
}
