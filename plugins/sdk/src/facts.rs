//! The facts as an author sees them: one type for a domain, one for a host, the same methods in a sandbox and in a test.
//!
//! In a `.wasm` they stand over handles of the host's snapshot; a getter asks the host on its first use and keeps the
//! answer, so that a rule may ask as often as it reads well. Natively they are plain structs whose public fields a test
//! fills in. Both are made from one table, so that they can't come to differ.

use crate::types::{
    ActiveJob, BlockJob, CharacterDevice, CpuComparison, Disk, DiskView, DomainBrief, DomainState, Filesystem,
    Firmware, Graphics, GuestCpu, HostCpu, Hostdev, HugePages, Machine, MemoryBacking, MigrationPorts, Network,
    NetworkInterface, NumaCell, Pin, Pool, Presence, Tpm,
};

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(target_family = "wasm")]
mod sandbox;

#[cfg(not(target_family = "wasm"))]
pub use native::{DomainFacts, GuestKind, HostFacts, StorageProof};
#[cfg(target_family = "wasm")]
pub use sandbox::{DomainFacts, HostFacts};

/// How a getter hands out what it keeps: `copy`, `text`, `maybe` (text), `list` or `record`.
macro_rules! handed_out {
    (copy $ty:ty) => { $ty };
    (text $ty:ty) => { &str };
    (maybe $ty:ty) => { Option<&str> };
    (option $ty:ty) => { Option<&<$ty as IntoIterator>::Item> };
    (list $ty:ty) => { &[<$ty as IntoIterator>::Item] };
    (record $ty:ty) => { &$ty };
}
/// The expression that goes with [`handed_out`].
macro_rules! hand_out {
    (copy $kept:expr) => {
        *$kept
    };
    (text $kept:expr) => {
        $kept.as_str()
    };
    (maybe $kept:expr) => {
        $kept.as_deref()
    };
    (option $kept:expr) => {
        $kept.as_ref()
    };
    (list $kept:expr) => {
        $kept.as_slice()
    };
    (record $kept:expr) => {
        $kept
    };
}
use {hand_out, handed_out};

/// The table of a domain's getters, given to whoever makes the type.
macro_rules! domain_getters {
    ($make:ident) => {
        $make! {
            /// One domain, as its source host reports it.
            DomainFacts {
                /// UUID, lower case with hyphens.
                text id: String,
                /// Name on the source.
                text name: String,
                /// State.
                copy state: DomainState,
                /// libvirt's reason for the state, without prefix: `booted`, `user`, `migrated`, `io-error`, ...
                text state_reason: String,
                /// Defined, and not only running.
                copy persistent: bool,
                /// Started with its host.
                copy autostart: bool,
                /// A managed-save image exists: the next start would restore it.
                copy managed_save: bool,
                /// Domain type: `kvm`, `qemu`, `xen`, `test`, ...
                text virt_type: String,
                /// Architecture: `x86_64`, `aarch64`, ...
                text architecture: String,
                /// Machine type, expanded for a running domain; none: the XML names none.
                maybe machine: Option<String>,
                /// Path of the emulator; none: libvirt's default.
                maybe emulator: Option<String>,
                /// How it boots.
                record firmware: Firmware,
                /// vCPUs online.
                copy vcpus: u32,
                /// vCPUs at most.
                copy vcpus_max: u32,
                /// Memory now.
                copy memory_kib: u64,
                /// Memory at most.
                copy memory_max_kib: u64,
                /// What holds its memory.
                record memory_backing: MemoryBacking,
                /// Numbers of its I/O threads.
                list iothreads: Vec<u32>,
                /// Which of its threads may run on which of the host's CPUs only.
                list pins: Vec<Pin>,
                /// NUMA nodes of the host that hold its memory (`0-1,3`); `auto`: libvirt chooses them; none: nothing is said.
                maybe memory_nodes: Option<String>,
                /// What becomes of it when its guest powers off: `destroy`, `restart`, ...
                maybe on_poweroff: Option<String>,
                /// The same when its guest reboots.
                maybe on_reboot: Option<String>,
                /// The same when its guest crashes.
                maybe on_crash: Option<String>,
                /// CPU.
                record cpu: GuestCpu,
                /// Frequency that the definition states for the TSC, Hz; none: it states none.
                copy tsc_frequency_hz: Option<u64>,
                /// Disks, CD-ROMs and floppies, in the order of the XML.
                list disks: Vec<Disk>,
                /// Network interfaces.
                list network_interfaces: Vec<NetworkInterface>,
                /// Passed-through devices.
                list hostdevs: Vec<Hostdev>,
                /// TPMs.
                list tpms: Vec<Tpm>,
                /// Consoles for people.
                list graphics: Vec<Graphics>,
                /// Serial ports, consoles, channels, parallel ports.
                list character_devices: Vec<CharacterDevice>,
                /// Shared directories.
                list filesystems: Vec<Filesystem>,
                /// Other kinds of devices in the XML (`shmem`, `vsock`, `rng`, ...), each once.
                list other_devices: Vec<String>,
                /// Role of each `shmem` device: `master`, `peer`; `default` where the XML names none.
                list shared_memory_roles: Vec<String>,
                /// `sev`, `sev-snp`, `tdx`, `s390-pv`; none: an ordinary domain.
                maybe launch_security: Option<String>,
                /// Title.
                maybe title: Option<String>,
                /// Description.
                maybe description: Option<String>,
                /// Names of its snapshots.
                list snapshots: Vec<String>,
                /// Names of its checkpoints.
                list checkpoints: Vec<String>,
                /// The job that runs on it; none: no job.
                option job: Option<ActiveJob>,
                /// Block jobs that run on its disks.
                list block_jobs: Vec<BlockJob>,
            }
        }
    };
}
use domain_getters;

/// The table of a host's getters.
macro_rules! host_getters {
    ($make:ident) => {
        $make! {
            /// One host: the source, or a candidate destination.
            HostFacts {
                /// What the configuration calls it.
                text name: String,
                /// Hostname as libvirt reports it; part of the default migration URI.
                text hostname: String,
                /// Host UUID; none: libvirt has none.
                maybe uuid: Option<String>,
                /// URI by which the controller reaches it, without secrets.
                text uri: String,
                /// URI by which other hosts' daemons reach it; none: not configured.
                maybe peer_uri: Option<String>,
                /// Addresses that the configuration gives it.
                list addresses: Vec<String>,
                /// Hypervisor type: `QEMU`, `Xen`, `TEST`, ...
                text hypervisor: String,
                /// Version, major * 1,000,000 + minor * 1,000 + release; none: not known.
                copy hypervisor_version: Option<u64>,
                /// Version of the libvirt daemon, encoded likewise; none: not known.
                copy libvirt_version: Option<u64>,
                /// Architecture.
                text architecture: String,
                /// Logical CPUs.
                copy cpus: u32,
                /// Memory in all.
                copy memory_kib: u64,
                /// Memory free at the time of the snapshot.
                copy free_memory_kib: u64,
                /// Huge pages, one entry per size.
                list huge_pages: Vec<HugePages>,
                /// NUMA cells.
                list numa: Vec<NumaCell>,
                /// CPU.
                record cpu: HostCpu,
                /// It can migrate live.
                copy live_migration: bool,
                /// Its hypervisor drops what the host has cached of an image when a guest arrives; none: not known.
                copy drops_cache: Option<bool>,
                /// A guest that arrived paused may leave again before it has run; none: not known.
                copy arrived_paused_may_leave: Option<bool>,
                /// Migration transports: `tcp`, `rdma`, `unix`.
                list migration_transports: Vec<String>,
                /// Ports for incoming migrations.
                copy migration_ports: MigrationPorts,
                /// Names of all its storage pools.
                list pool_names: Vec<String>,
                /// Names of all its libvirt networks.
                list network_names: Vec<String>,
                /// How many domains it has, running or not.
                copy domain_count: u32,
                /// Whether the request has the source's daemon connect to this destination, over its `peer_uri`.
                copy needs_peer_uri: bool,
                /// What this destination says of the guest's CPU; `unknown` when asked of the source.
                record cpu_comparison: CpuComparison,
            }
        }
    };
}
use host_getters;

#[cfg(test)]
mod tests {
    use crate::testing;

    #[test]
    fn look_ups_answer_from_what_the_test_filled_in() {
        let host = testing::host("kvm2");
        assert_eq!(host.pool_of_path("/srv/shared/web.qcow2").map(|pool| pool.name.as_str()), Some("shared"));
        assert_eq!(host.pool_of_path("/srv/sharedish/web.qcow2"), None);
        assert!(host.runs("x86_64", "kvm") && !host.runs("aarch64", "kvm"));
        assert_eq!(
            host.machine("x86_64", "kvm", "pc").and_then(|machine| machine.canonical.as_deref()),
            Some("pc-i440fx-7.2")
        );
        assert!(host.domain_by_name("web").is_none());
    }
}
