//! Facts of one domain, as its source host reports them.

use super::storage::Disk;
use crate::ids::DomainId;
use crate::{facts, words};

words! {
    /// libvirt's domain states.
    pub enum DomainState {
        /// No state (a driver that doesn't tell).
        NoState = "no-state",
        /// Its vCPUs run.
        Running = "running",
        /// Blocked on a resource.
        Blocked = "blocked",
        /// Its vCPUs are stopped, its memory is kept.
        Paused = "paused",
        /// Being shut down.
        Shutdown = "shutdown",
        /// Defined and not running.
        ShutOff = "shut-off",
        /// Crashed.
        Crashed = "crashed",
        /// Suspended by guest power management.
        PmSuspended = "pm-suspended",
    }
}

impl DomainState {
    /// Whether a hypervisor process holds the domain: all states but shut off (a crashed one may be kept).
    pub fn is_active(self) -> bool {
        !matches!(self, Self::ShutOff | Self::NoState)
    }
}

facts! {
    /// One domain. Lists keep the order of the domain's XML.
    pub struct DomainFacts {
        /// UUID.
        pub id: DomainId,
        /// Name on the source.
        pub name: String,
        /// State.
        pub state: DomainState,
        /// libvirt's reason for the state, in its spelling without prefix: `booted`, `user`, `migrated`, `io-error`, ...
        pub reason: String,
        /// Defined, and not only running.
        pub persistent: bool,
        /// Started with the host.
        pub autostart: bool,
        /// A managed-save image exists: the next start restores it.
        pub managed_save: bool,
        /// Domain type: `kvm`, `qemu`, `xen`, `test`, ...
        pub virt_type: String,
        /// Architecture: `x86_64`, ...
        pub architecture: String,
        /// Machine type, canonical where libvirt expanded it (`pc-i440fx-7.2`, not `pc`).
        pub machine: Option<String>,
        /// Path of the emulator.
        pub emulator: Option<String>,
        /// Firmware.
        pub firmware: Firmware,
        /// vCPUs online.
        pub vcpus: u32,
        /// vCPUs at most.
        pub vcpus_max: u32,
        /// Memory now.
        pub memory_kib: u64,
        /// Memory at most.
        pub memory_max_kib: u64,
        /// Memory backing.
        pub memory_backing: MemoryBacking,
        /// Numbers of its I/O threads.
        pub iothreads: Vec<u32>,
        /// Which of its threads may run on which of the host's CPUs only.
        pub pins: Vec<Pin>,
        /// NUMA nodes of the host that hold its memory, as libvirt writes them (`0-1,3`); [`crate::edit::AUTO`] where libvirt
        /// chooses them at each start, none where nothing is said.
        pub memory_nodes: Option<String>,
        /// What becomes of it when its guest powers off: `destroy`, `restart`, ...
        pub on_poweroff: Option<String>,
        /// The same when its guest reboots.
        pub on_reboot: Option<String>,
        /// The same when its guest crashes.
        pub on_crash: Option<String>,
        /// CPU.
        pub cpu: GuestCpu,
        /// Frequency that the definition states for the TSC, Hz, at least 1.
        pub tsc_frequency_hz: Option<u64>,
        /// Disks, CD-ROMs and floppies.
        pub disks: Vec<Disk>,
        /// Network interfaces.
        pub interfaces: Vec<Interface>,
        /// Passed-through host devices.
        pub hostdevs: Vec<Hostdev>,
        /// TPM devices.
        pub tpms: Vec<Tpm>,
        /// Consoles for people.
        pub graphics: Vec<Graphics>,
        /// Serial ports, consoles, channels, parallel ports.
        pub character_devices: Vec<CharacterDevice>,
        /// Directories shared from the host.
        pub filesystems: Vec<Filesystem>,
        /// Other device kinds that the XML holds (`shmem`, `vsock`, `watchdog`, `rng`, ...), each once.
        pub other_devices: Vec<String>,
        /// Role of each `shmem` device: `master`, `peer`; `default` where the XML names none.
        pub shared_memory_roles: Vec<String>,
        /// `sev`, `sev-snp`, `s390-pv`, `tdx`; none for an ordinary domain.
        pub launch_security: Option<String>,
        /// Names of its snapshots.
        pub snapshots: Vec<String>,
        /// Names of its checkpoints.
        pub checkpoints: Vec<String>,
        /// The job that runs on it.
        pub job: Option<ActiveJob>,
        /// Block jobs that run on its disks.
        pub block_jobs: Vec<BlockJob>,
        /// Metadata elements, each with its namespace.
        pub metadata: Vec<Metadata>,
        /// Migration network that its metadata ask for: attribute `network` of the element `migration` in the namespace
        /// [`crate::network::NAMESPACE`].
        pub migration_network: Option<String>,
        /// Title.
        pub title: Option<String>,
        /// Description.
        pub description: Option<String>,
        /// Raw XML documents: `live` (as it runs), `inactive` (as it will start next), `migratable`.
        pub documents: Vec<Document>,
    }

    /// How the domain boots.
    pub struct Firmware {
        /// `bios`, `efi`, `direct` (kernel given) or another word of libvirt's.
        pub kind: String,
        /// Path of the loader image on the source.
        pub loader: Option<String>,
        /// Path of the NVRAM file on the source.
        pub nvram: Option<String>,
        /// Path of the kernel for a direct boot.
        pub kernel: Option<String>,
        /// Path of the initial RAM disk for a direct boot.
        pub initrd: Option<String>,
    }

    /// What holds the memory.
    pub struct MemoryBacking {
        /// Size of the huge pages asked for; none for ordinary pages.
        pub huge_page_kib: Option<u64>,
        /// Pages are locked in the host's memory.
        pub locked: bool,
        /// `anonymous`, `file`, `memfd`.
        pub source: Option<String>,
        /// `shared` or `private`.
        pub access: Option<String>,
    }

    /// Threads that are pinned.
    pub struct Pin {
        /// `vcpu 0`, `emulator`, `iothread 1`.
        pub threads: String,
        /// CPUs of the host, as libvirt writes them: `0-3,8`.
        pub cpus: String,
    }

    /// The CPU that the guest sees, with the features as libvirt expanded them for the running domain.
    pub struct GuestCpu {
        /// `custom`, `host-model`, `host-passthrough`, `maximum`; none where the XML names no CPU.
        pub mode: Option<String>,
        /// Model.
        pub model: Option<String>,
        /// Vendor.
        pub vendor: Option<String>,
        /// `none`, `partial`, `full`.
        pub check: Option<String>,
        /// `off` makes a host-passthrough CPU unmigratable.
        pub migratable: Option<bool>,
        /// Features.
        pub features: Vec<CpuFeature>,
        /// The `<cpu>` element as libvirt gave it, for comparison on the destination; none where there is none.
        pub xml: Option<String>,
    }

    /// One CPU feature.
    pub struct CpuFeature {
        /// Name.
        pub name: String,
        /// `force`, `require`, `optional`, `disable`, `forbid`.
        pub policy: String,
    }

    /// A network interface.
    pub struct Interface {
        /// `network`, `bridge`, `direct`, `user`, `ethernet`, `hostdev`, `vhostuser`, `vdpa`, `null`, ...
        pub kind: String,
        /// libvirt network.
        pub network: Option<String>,
        /// Bridge (of the XML, or the one that the network gave it).
        pub bridge: Option<String>,
        /// Host device of a direct (macvtap) interface, path of a vhost-user or vDPA one.
        pub device: Option<String>,
        /// Port group of the network.
        pub portgroup: Option<String>,
        /// Model.
        pub model: Option<String>,
        /// MAC address, lower case.
        pub mac: Option<String>,
        /// `persistent` or `transient` for a teamed interface.
        pub teaming: Option<String>,
    }

    /// A device of the host that the guest holds.
    pub struct Hostdev {
        /// `pci`, `usb`, `scsi`, `scsi_host`, `mdev`, `storage`, `misc`, `net`.
        pub kind: String,
        /// Address in libvirt's words: `0000:03:00.0`, a USB vendor:product, an mdev UUID.
        pub address: String,
        /// libvirt detaches and re-attaches the host driver.
        pub managed: bool,
        /// `transient` where a teamed interface lets it be unplugged for a migration.
        pub teaming: Option<String>,
    }

    /// A TPM.
    pub struct Tpm {
        /// `tpm-tis`, `tpm-crb`, ...
        pub model: Option<String>,
        /// `passthrough`, `emulator`, `external`.
        pub backend: String,
        /// `1.2`, `2.0`.
        pub version: Option<String>,
        /// Directory or file of the emulator's state where the XML names one.
        pub state_path: Option<String>,
        /// Device of a passed-through TPM.
        pub device_path: Option<String>,
    }

    /// A console for people.
    pub struct Graphics {
        /// `vnc`, `spice`, `rdp`, `sdl`, ...
        pub kind: String,
        /// Addresses that it listens on; none of them for a socket.
        pub listen: Vec<String>,
        /// Path of a UNIX socket.
        pub socket: Option<String>,
        /// The port is chosen by libvirt on each host.
        pub autoport: bool,
        /// Port that is asked for or in use.
        pub port: Option<i32>,
    }

    /// A character device and where its bytes go.
    pub struct CharacterDevice {
        /// `serial`, `console`, `channel`, `parallel`.
        pub device: String,
        /// `pty`, `file`, `tcp`, `udp`, `unix`, `dev`, `pipe`, `spicevmc`, `null`, ...
        pub kind: String,
        /// Path on the host.
        pub path: Option<String>,
        /// Address for a socket.
        pub address: Option<String>,
        /// Port or service for a socket.
        pub service: Option<String>,
        /// Log file.
        pub log: Option<String>,
    }

    /// A directory shared from the host.
    pub struct Filesystem {
        /// `path` (9p), `virtiofs`, ...
        pub driver: String,
        /// Directory on the host, or socket.
        pub source: Option<String>,
        /// Tag in the guest.
        pub target: Option<String>,
    }

    /// A job of libvirt's on the domain.
    pub struct ActiveJob {
        /// `migration-out`, `migration-in`, `save`, `dump`, `snapshot`, `backup`, ... ; `unknown` where libvirt doesn't tell.
        pub operation: String,
        /// Since when.
        pub elapsed_ms: Option<u64>,
    }

    /// A block job.
    pub struct BlockJob {
        /// Target name of the disk.
        pub disk: String,
        /// `pull`, `copy`, `commit`, `active-commit`, `backup`.
        pub kind: String,
    }

    /// One metadata element.
    pub struct Metadata {
        /// Namespace URI.
        pub namespace: String,
        /// The element.
        pub xml: String,
    }

    /// A raw XML document.
    pub struct Document {
        /// `live`, `inactive`, `migratable`.
        pub kind: String,
        /// The text.
        pub xml: String,
    }
}
