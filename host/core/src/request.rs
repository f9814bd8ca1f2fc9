//! What a person or a program asks for.

use crate::ids::{DomainKey, HostName, Moment};
use crate::queue::Priority;
use crate::stream::{Disks, Stream, Transport};
use crate::words;

words! {
    /// How the domain is to travel.
    pub enum Mode {
        /// As its state allows: live if it is active, offline if it is shut off.
        Auto = "auto",
        /// It keeps its memory; refused for a shut-off domain.
        Live = "live",
        /// Only its definition travels; refused for an active domain, where libvirt would leave it running on the source.
        Offline = "offline",
        /// Saved on the source and started from that image elsewhere, as other managers do it. Always refused: see
        /// [`Refusal::Hibernation`](crate::admission::Refusal::Hibernation).
        Hibernation = "hibernation",
    }
    /// Whether it is defined on the destination.
    pub enum Persistence {
        /// As on the source.
        AsSource = "as-source",
        /// Defined.
        Persistent = "persistent",
        /// Only running: refused together with an undefined source, which would leave no definition anywhere.
        Transient = "transient",
    }
    /// What becomes of the definition on the source after a success.
    pub enum SourceDefinition {
        /// It goes: one definition is left.
        Undefine = "undefine",
        /// It stays, without autostart.
        Keep = "keep",
    }
    /// How it runs after the move.
    pub enum AfterMove {
        /// As before: running stays running, paused stays paused.
        AsBefore = "as-before",
        /// Left paused.
        Paused = "paused",
    }
    /// Whether libvirt's own storage check may be skipped.
    pub enum StorageSafety {
        /// libvirt checks that the disks are safe to migrate.
        Checked = "checked",
        /// libvirt's UNSAFE flag: only ever set because a person asked for it by name.
        Unsafe = "unsafe",
    }
}

/// Kimchi's and vdsm's migration_destination_timeout: six hours.
pub const DEFAULT_TIMEOUT_S: u64 = 21_600;

/// Choices of one migration. What is none is libvirt's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Mode.
    pub mode: Mode,
    /// New name on the destination.
    pub destination_name: Option<String>,
    /// Bandwidth limit, MiB/s, at least 1.
    pub bandwidth_mib_s: Option<u64>,
    /// Downtime allowed for the switch-over, ms, 1 to 2,000,000.
    pub max_downtime_ms: Option<u64>,
    /// Time for the whole transfer, s; at its end the transfer is aborted.
    pub timeout_s: u64,
    /// Definition on the destination.
    pub persistence: Persistence,
    /// Definition on the source.
    pub source_definition: SourceDefinition,
    /// Running or paused afterwards.
    pub after: AfterMove,
    /// libvirt's storage check.
    pub storage: StorageSafety,
    /// Where the source sends the memory: `tcp://address[:port]`; libvirt's default is the destination's hostname.
    pub migrate_uri: Option<String>,
    /// Address that the destination listens on.
    pub listen_address: Option<String>,
    /// Migration network by its configured name; none: as the domain, a rule or the cluster has it.
    pub network: Option<String>,
    /// How urgent it is beside others that wait for a slot.
    pub priority: Priority,
    /// Who drives it.
    pub transport: Transport,
    /// The stream.
    pub stream: Stream,
    /// Disks that travel along.
    pub disks: Disks,
    /// Most attempts, at least 1 and at most what the configuration has; none: as the configuration has it.
    pub attempts: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            destination_name: None,
            bandwidth_mib_s: None,
            max_downtime_ms: None,
            timeout_s: DEFAULT_TIMEOUT_S,
            persistence: Persistence::AsSource,
            source_definition: SourceDefinition::Undefine,
            after: AfterMove::AsBefore,
            storage: StorageSafety::Checked,
            migrate_uri: None,
            listen_address: None,
            network: None,
            priority: Priority::Normal,
            transport: Transport::PeerToPeer,
            stream: Stream::default(),
            disks: Disks::default(),
            attempts: None,
        }
    }
}

/// A migration that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationRequest {
    /// Which domain.
    pub domain: DomainKey,
    /// Where it is; none: look on every host.
    pub source: Option<HostName>,
    /// Where it shall be.
    pub destination: HostName,
    /// How.
    pub options: Options,
    /// Who asks, for the record and for policies.
    pub requester: String,
}

impl MigrationRequest {
    /// Wherever it is, as its state allows. Whoever wants something else changes the fields.
    pub fn new(domain: DomainKey, destination: impl Into<HostName>, requester: impl Into<String>) -> Self {
        let (destination, requester) = (destination.into(), requester.into());
        Self { domain, source: None, destination, options: Options::default(), requester }
    }
}

/// What a precheck is asked: the same for a check, a dry run and a real migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRequest {
    /// How it would travel.
    pub options: Options,
    /// Who asks.
    pub requester: String,
    /// The moment of the decision; a policy has no other clock.
    pub decided_at: Moment,
}
