//! Blank values for tests, of this crate and of those that stand on it. A test takes one and says by `..` what it is about, so a
//! new field is given here and not in every one of them. The feature `testing` is for dev-dependencies alone: `tests/tidy.rs`
//! sees to it.

use uuid::Uuid;

use crate::copies::Copies;
use crate::edit::Edits;
use crate::facts::{CpuComparison, HostCpu, HostFacts, MigrationPorts, PairFacts};
use crate::ids::{DomainId, HostName};
use crate::network::Detours;
use crate::plan::{Autostart, Before, DestinationFate, End, Notes, Plan, RunState, SourceFate, TransferMode};
use crate::request::StorageSafety;
use crate::stream::{Disks, Stream, Transport};

/// A host that has nothing and tells nothing but its name; it can migrate live.
pub fn host(name: &str) -> HostFacts {
    HostFacts {
        name: HostName::new(name),
        hostname: name.to_owned(),
        uuid: None,
        uri: String::new(),
        peer_uri: None,
        addresses: vec![],
        hypervisor: String::new(),
        hypervisor_version: None,
        libvirt_version: None,
        architecture: String::new(),
        cpus: 1,
        memory_kib: 1,
        free_memory_kib: 1,
        huge_pages: vec![],
        numa: vec![],
        cpu: HostCpu { model: None, vendor: None, features: vec![] },
        guests: vec![],
        live_migration: true,
        migration_transports: vec![],
        drops_cache: None,
        arrived_paused_may_leave: None,
        migration_ports: MigrationPorts { first: 49152, last: 49215, in_use: 0 },
        migration_tls: false,
        pools: vec![],
        networks: vec![],
        bridges: None,
        links: None,
        domains: vec![],
        node_devices: None,
    }
}

/// What a destination makes of a domain of which it was told nothing.
pub fn pair() -> PairFacts {
    PairFacts {
        cpu: CpuComparison::Identical,
        cpu_message: None,
        destination_disks: vec![],
        storage_proofs: vec![],
        ways_tried: vec![],
    }
}

/// The running `g1` goes from `a` to `b` peer to peer, where it is not known yet, and asks for nothing besides.
pub fn plan() -> Plan {
    let end = |name: &str| End { host: HostName::new(name), uuid: None };
    Plan {
        attempt: 1,
        domain: DomainId(Uuid::nil()),
        name: "g1".to_owned(),
        destination_name: "g1".to_owned(),
        source: end("a"),
        destination: end("b"),
        peer_uri: "test://b".to_owned(),
        mode: TransferMode::Live,
        initially: RunState::Running,
        finally: RunState::Running,
        source_fate: SourceFate::Undefine,
        destination_fate: DestinationFate::Define,
        autostart: Autostart::Off,
        destination_before: Before::Absent,
        storage: StorageSafety::Checked,
        migrate_uri: None,
        listen_address: None,
        bandwidth_mib_s: None,
        max_downtime_ms: None,
        timeout_s: 60,
        transport: Transport::PeerToPeer,
        stream: Stream::default(),
        disks: Disks::default(),
        copies: Copies::default(),
        network: None,
        detours: Detours::default(),
        memory_bytes: None,
        firmware_variables: None,
        tpm_state: None,
        edits: Edits::default(),
        notes: Notes::default(),
    }
}
