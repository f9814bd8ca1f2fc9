//! What programs ask for. The names are those of the records (`accepted` in a journal), every word set is closed, and a key
//! that is not known is an error: a misspelt limit that is silently ignored protects nobody.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waypost_core::convergence::Steering;
use waypost_core::ids::{DomainKey, HostName};
use waypost_core::request::{self, MigrationRequest};
use waypost_core::stream;

use super::words::{
    Action, AfterMove, Compression, DiskCopy, Encryption, Mode, Persistence, Priority, SourceDefinition, StorageSafety,
    Transport,
};

/// A migration that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    /// The domain's name or UUID.
    pub domain: String,
    /// Host that has it; without it every host is asked.
    #[serde(default)]
    pub from: Option<String>,
    /// Destination.
    pub to: String,
    /// How.
    #[serde(default)]
    pub options: Options,
}

impl NewTask {
    /// The request, in the name of whoever asks.
    pub fn request(self, requester: &str) -> MigrationRequest {
        MigrationRequest {
            domain: DomainKey::parse(&self.domain),
            source: self.from.map(HostName::new),
            destination: HostName::new(self.to),
            options: self.options.into(),
            requester: requester.to_owned(),
        }
    }
}

/// A domain whose destinations are to be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCheck {
    /// The domain's name or UUID.
    pub domain: String,
    /// Host that has it; without it every host is asked.
    #[serde(default)]
    pub from: Option<String>,
    /// Destinations; without any, every other host.
    #[serde(default)]
    pub to: Vec<String>,
    /// How it would travel.
    #[serde(default)]
    pub options: Options,
}

/// What is wanted of a running transfer; at least one thing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Steer {
    /// Downtime allowed for the switch-over from now on, 1 to 2000000.
    #[schema(minimum = 1, maximum = 2000000)]
    pub max_downtime_ms: Option<u64>,
    /// Bandwidth limit from now on, at least 1.
    #[schema(minimum = 1, maximum = 4294967295_u64)]
    pub bandwidth_mib_s: Option<u64>,
    /// How far the guest is slowed down from the hypervisor's next step on, and no further, 20 to 99 and no less than the first
    /// step that the migration was begun with; it must have been begun with auto-converge, and run as pre-copy. The hypervisor's
    /// process is marked as one whose monitor was used.
    #[schema(minimum = 20, maximum = 99)]
    pub throttle_percent: Option<u64>,
    /// Go on as post-copy; the migration must have been begun with it.
    pub post_copy: bool,
    /// Pause the guest, so that the rest is copied while it stands still; it runs on the destination afterwards.
    pub suspend: bool,
}

impl Steer {
    /// What is to be done, in order, each with its value.
    pub fn wishes(&self) -> Vec<(Steering, Option<u64>)> {
        [
            self.max_downtime_ms.map(|ms| (Steering::SetDowntime, Some(ms))),
            self.bandwidth_mib_s.map(|mib_s| (Steering::SetBandwidth, Some(mib_s))),
            self.throttle_percent.map(|percent| (Steering::SetThrottle, Some(percent))),
            self.post_copy.then_some((Steering::PostCopy, None)),
            self.suspend.then_some((Steering::Suspend, None)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// One action that a person asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAction {
    /// Which; the situation says what is permitted.
    pub action: Action,
    /// The network that `resume-post-copy` takes, one of the situation's `networks`; absent: the next in turn. No other
    /// action takes one.
    #[serde(default)]
    pub network: Option<String>,
}

/// Choices of one migration. What is absent is the site's or libvirt's default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Live or offline.
    pub mode: Mode,
    /// Name on the destination.
    #[schema(min_length = 1, pattern = r"^[^\s/\x00]([^/\x00]*[^\s/\x00])?$")]
    pub destination_name: Option<String>,
    /// Bandwidth limit, at least 1.
    #[schema(minimum = 1, maximum = 4294967295_u64)]
    pub bandwidth_mib_s: Option<u64>,
    /// Downtime allowed for the switch-over, 1 to 2000000.
    #[schema(minimum = 1, maximum = 2000000)]
    pub max_downtime_ms: Option<u64>,
    /// Time for the whole transfer, at the end of which it is aborted.
    #[schema(minimum = 1, maximum = 31536000)]
    pub timeout_s: u64,
    /// Definition on the destination.
    pub persistence: Persistence,
    /// Definition on the source.
    pub source_definition: SourceDefinition,
    /// Running or paused afterwards.
    pub after: AfterMove,
    /// libvirt's own storage check.
    pub storage: StorageSafety,
    /// Where the source sends the memory: `tcp://address[:port]`.
    #[schema(pattern = "^(tcp|rdma|unix)://")]
    pub migrate_uri: Option<String>,
    /// Address that the destination listens on.
    pub listen_address: Option<String>,
    /// Migration network by its configured name, or `management`: the one that libvirt's own connections take.
    pub network: Option<String>,
    /// How urgent it is beside others that wait for a slot.
    pub priority: Priority,
    /// Who drives it.
    pub transport: Transport,
    /// Most attempts, at least 1 and at most what the configuration has.
    #[schema(minimum = 1)]
    pub attempts: Option<u32>,
    /// The stream.
    pub stream: Stream,
    /// Disks that travel along.
    pub disks: Disks,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            destination_name: None,
            bandwidth_mib_s: None,
            max_downtime_ms: None,
            timeout_s: request::DEFAULT_TIMEOUT_S,
            persistence: Persistence::AsSource,
            source_definition: SourceDefinition::Undefine,
            after: AfterMove::AsBefore,
            storage: StorageSafety::Checked,
            migrate_uri: None,
            listen_address: None,
            network: None,
            priority: Priority::Normal,
            transport: Transport::PeerToPeer,
            attempts: None,
            stream: Stream::default(),
            disks: Disks::default(),
        }
    }
}

impl From<Options> for request::Options {
    fn from(options: Options) -> Self {
        Self {
            mode: options.mode.into(),
            destination_name: options.destination_name,
            bandwidth_mib_s: options.bandwidth_mib_s,
            max_downtime_ms: options.max_downtime_ms,
            timeout_s: options.timeout_s,
            persistence: options.persistence.into(),
            source_definition: options.source_definition.into(),
            after: options.after.into(),
            storage: options.storage.into(),
            migrate_uri: options.migrate_uri,
            listen_address: options.listen_address,
            network: options.network,
            priority: options.priority.into(),
            transport: options.transport.into(),
            stream: options.stream.into(),
            disks: options.disks.into(),
            attempts: options.attempts,
        }
    }
}

impl From<&request::Options> for Options {
    fn from(options: &request::Options) -> Self {
        let request::Options {
            mode,
            destination_name,
            bandwidth_mib_s,
            max_downtime_ms,
            timeout_s,
            persistence,
            source_definition,
            after,
            storage,
            migrate_uri,
            listen_address,
            network,
            priority,
            transport,
            stream,
            disks,
            attempts,
        } = options.clone();
        Self {
            mode: mode.into(),
            destination_name,
            bandwidth_mib_s,
            max_downtime_ms,
            timeout_s,
            persistence: persistence.into(),
            source_definition: source_definition.into(),
            after: after.into(),
            storage: storage.into(),
            migrate_uri,
            listen_address,
            network,
            priority: priority.into(),
            transport: transport.into(),
            attempts,
            stream: stream.into(),
            disks: disks.into(),
        }
    }
}

/// The stream. What is absent is libvirt's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stream {
    /// The guest is paused for the whole transfer.
    pub stands_still: bool,
    /// Parallel connections, 1 to 255.
    #[schema(minimum = 1, maximum = 255)]
    pub parallel_connections: Option<u32>,
    /// Ways to compress.
    pub compression: Vec<Compression>,
    /// Level of `mt`, 0 to 9.
    #[schema(minimum = 0, maximum = 9)]
    pub mt_level: Option<u32>,
    /// Compressing threads of `mt`, 1 to 255.
    #[schema(minimum = 1, maximum = 255)]
    pub mt_threads: Option<u32>,
    /// Decompressing threads of `mt`, 1 to 255.
    #[schema(minimum = 1, maximum = 255)]
    pub mt_dthreads: Option<u32>,
    /// Page cache of `xbzrle`; a power of two.
    #[schema(minimum = 4096, maximum = 1099511627776_u64)]
    pub xbzrle_cache_bytes: Option<u64>,
    /// Level of `zlib`, 0 to 9.
    #[schema(minimum = 0, maximum = 9)]
    pub zlib_level: Option<u32>,
    /// Level of `zstd`, 0 to 20.
    #[schema(minimum = 0, maximum = 20)]
    pub zstd_level: Option<u32>,
    /// Slow the guest down while the transfer does not converge.
    pub auto_converge: bool,
    /// First slow-down, percent, 1 to 99.
    #[schema(minimum = 1, maximum = 99)]
    pub auto_converge_initial: Option<u32>,
    /// Each further slow-down, percent, 1 to 99.
    #[schema(minimum = 1, maximum = 99)]
    pub auto_converge_increment: Option<u32>,
    /// Allow the switch to post-copy.
    pub post_copy: bool,
    /// Bandwidth limit of post-copy.
    #[schema(minimum = 1, maximum = 4294967295_u64)]
    pub post_copy_bandwidth_mib_s: Option<u64>,
    /// Native TLS.
    pub encryption: Encryption,
    /// Name in the destination's certificate, where it is not the one of the migration URI.
    pub tls_destination: Option<String>,
    /// Send without copying to the kernel; needs parallel connections.
    pub zero_copy: bool,
    /// Pin all memory at the start of an RDMA migration.
    pub rdma_pin_all: bool,
    /// End the migration when a disk of the guest has an I/O error.
    pub abort_on_error: bool,
    /// Where clients of the graphical console are sent: `spice://address:port`.
    #[schema(pattern = "^(spice|vnc)://")]
    pub graphics_uri: Option<String>,
    /// Bandwidth to reckon with at the switch-over (libvirt 11.1).
    #[schema(minimum = 1, maximum = 4294967295_u64)]
    pub switchover_bandwidth_mib_s: Option<u64>,
}

impl From<stream::Stream> for Stream {
    fn from(stream: stream::Stream) -> Self {
        Self {
            stands_still: stream.stands_still,
            parallel_connections: stream.parallel_connections,
            compression: stream.compression.into_iter().map(Into::into).collect(),
            mt_level: stream.mt_level,
            mt_threads: stream.mt_threads,
            mt_dthreads: stream.mt_dthreads,
            xbzrle_cache_bytes: stream.xbzrle_cache_bytes,
            zlib_level: stream.zlib_level,
            zstd_level: stream.zstd_level,
            auto_converge: stream.auto_converge,
            auto_converge_initial: stream.auto_converge_initial,
            auto_converge_increment: stream.auto_converge_increment,
            post_copy: stream.post_copy,
            post_copy_bandwidth_mib_s: stream.post_copy_bandwidth_mib_s,
            encryption: stream.encryption.into(),
            tls_destination: stream.tls_destination,
            zero_copy: stream.zero_copy,
            rdma_pin_all: stream.rdma_pin_all,
            abort_on_error: stream.abort_on_error,
            graphics_uri: stream.graphics_uri,
            switchover_bandwidth_mib_s: stream.switchover_bandwidth_mib_s,
        }
    }
}

impl From<Stream> for stream::Stream {
    fn from(stream: Stream) -> Self {
        Self {
            stands_still: stream.stands_still,
            parallel_connections: stream.parallel_connections,
            compression: stream.compression.into_iter().map(Into::into).collect(),
            mt_level: stream.mt_level,
            mt_threads: stream.mt_threads,
            mt_dthreads: stream.mt_dthreads,
            xbzrle_cache_bytes: stream.xbzrle_cache_bytes,
            zlib_level: stream.zlib_level,
            zstd_level: stream.zstd_level,
            auto_converge: stream.auto_converge,
            auto_converge_initial: stream.auto_converge_initial,
            auto_converge_increment: stream.auto_converge_increment,
            post_copy: stream.post_copy,
            post_copy_bandwidth_mib_s: stream.post_copy_bandwidth_mib_s,
            encryption: stream.encryption.into(),
            tls_destination: stream.tls_destination,
            zero_copy: stream.zero_copy,
            rdma_pin_all: stream.rdma_pin_all,
            abort_on_error: stream.abort_on_error,
            graphics_uri: stream.graphics_uri,
            switchover_bandwidth_mib_s: stream.switchover_bandwidth_mib_s,
        }
    }
}

/// The disks that travel along.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Disks {
    /// Whether, and how.
    pub copy: DiskCopy,
    /// Their targets in the guest (`vda`); empty: all that are writable, not shareable and not empty.
    pub targets: Vec<String>,
    /// Writes of the guest wait for the copy.
    pub synchronous_writes: bool,
    /// Targets whose zeroes are found and left out (libvirt 10.9).
    pub detect_zeroes: Vec<String>,
    /// Targets whose image on the destination reads as zeroes already, so that none are written there (libvirt 12.2).
    pub target_zero: Vec<String>,
    /// Where the source sends them: `tcp://address:port` or `unix:///path`.
    #[schema(pattern = "^(tcp|unix)://")]
    pub uri: Option<String>,
    /// Port on which the destination takes them.
    #[schema(minimum = 1, maximum = 65535)]
    pub port: Option<u16>,
}

impl From<stream::Disks> for Disks {
    fn from(disks: stream::Disks) -> Self {
        let stream::Disks { copy, targets, synchronous_writes, detect_zeroes, target_zero, uri, port } = disks;
        Self { copy: copy.into(), targets, synchronous_writes, detect_zeroes, target_zero, uri, port }
    }
}

impl From<Disks> for stream::Disks {
    fn from(disks: Disks) -> Self {
        Self {
            copy: disks.copy.into(),
            targets: disks.targets,
            synchronous_writes: disks.synchronous_writes,
            detect_zeroes: disks.detect_zeroes,
            target_zero: disks.target_zero,
            uri: disks.uri,
            port: disks.port,
        }
    }
}

#[cfg(test)]
mod tests {
    use waypost_core::tree::Shape as _;

    use super::*;
    use crate::json;

    #[test]
    fn nothing_said_is_the_default() {
        let new: NewTask = serde_json::from_str(r#"{"domain": "web1", "to": "kvm2"}"#).unwrap();
        let request = new.request("anna");
        assert_eq!(request.options, request::Options::default());
        assert_eq!((request.source, request.requester.as_str()), (None, "anna"));
    }

    #[test]
    fn a_key_or_a_word_that_is_not_known_is_an_error_that_names_it() {
        let wrong = |text: &str| serde_json::from_str::<NewTask>(text).unwrap_err().to_string();
        assert!(wrong(r#"{"domain": "d", "to": "b", "option": {}}"#).contains("unknown field `option`"));
        let misspelt = wrong(r#"{"domain": "d", "to": "b", "options": {"bandwith_mib_s": 5}}"#);
        assert!(misspelt.contains("unknown field `bandwith_mib_s`"), "{misspelt}");
        let mode = wrong(r#"{"domain": "d", "to": "b", "options": {"mode": "warm"}}"#);
        assert!(mode.contains("unknown variant `warm`, expected one of `auto`, `live`, `offline`"), "{mode}");
        assert!(wrong(r#"{"domain": "d"}"#).contains("missing field `to`"));
    }

    /// The core tells these two by their own shape; the request has the same names, so that a plan can be asked for again.
    #[test]
    fn stream_and_disks_have_the_names_of_the_records() {
        let stream = stream::Stream {
            compression: vec![stream::Compression::Zstd],
            encryption: stream::Encryption::Required,
            post_copy: true,
            ..stream::Stream::default()
        };
        let read: Stream = serde_json::from_value(json::value(&stream.to_tree())).unwrap();
        assert_eq!(stream::Stream::from(read.clone()), stream);
        let back = serde_json::to_value(&read).unwrap();
        assert_eq!(back, json::value(&stream.to_tree()));
        let disks = stream::Disks { copy: stream::DiskCopy::Full, port: Some(49300), ..stream::Disks::default() };
        let read: Disks = serde_json::from_value(json::value(&disks.to_tree())).unwrap();
        assert_eq!(stream::Disks::from(read), disks);
    }

    /// A client writes what the service reads.
    #[test]
    fn options_survive_the_way_there() {
        let options = request::Options {
            mode: request::Mode::Offline,
            destination_name: Some("n".into()),
            attempts: Some(2),
            stream: stream::Stream { parallel_connections: Some(4), ..stream::Stream::default() },
            disks: stream::Disks { targets: vec!["vda".into()], ..stream::Disks::default() },
            ..request::Options::default()
        };
        let text = serde_json::to_string(&Options::from(&options)).unwrap();
        assert_eq!(request::Options::from(serde_json::from_str::<Options>(&text).unwrap()), options);
    }

    #[test]
    fn what_is_wanted_of_a_transfer_comes_in_one_order() {
        let steer = Steer { max_downtime_ms: Some(9), throttle_percent: Some(40), post_copy: true, ..Steer::default() };
        let wishes = [(Steering::SetDowntime, Some(9)), (Steering::SetThrottle, Some(40)), (Steering::PostCopy, None)];
        assert_eq!(steer.wishes(), wishes);
        assert_eq!(Steer::default().wishes(), []);
    }
}
