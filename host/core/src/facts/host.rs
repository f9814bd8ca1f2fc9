//! Facts of one host.

use uuid::Uuid;

use super::storage::Pool;
use crate::facts;
use crate::facts::DomainState;
use crate::ids::{DomainId, HostName};

facts! {
    /// One host.
    pub struct HostFacts {
        /// What the configuration calls it.
        pub name: HostName,
        /// Hostname as libvirt reports it: part of the default migration URI.
        pub hostname: String,
        /// Host UUID of libvirt's capabilities.
        pub uuid: Option<Uuid>,
        /// URI by which the controller reaches it, without secrets.
        pub uri: String,
        /// URI by which other hosts' daemons reach it for peer-to-peer migration.
        pub peer_uri: Option<String>,
        /// Addresses that the configuration gives it.
        pub addresses: Vec<String>,
        /// Hypervisor type: `QEMU`, `Xen`, `TEST`, ...
        pub hypervisor: String,
        /// Hypervisor version, major * 1,000,000 + minor * 1,000 + release; none where it isn't known.
        pub hypervisor_version: Option<u64>,
        /// Version of the libvirt daemon, encoded likewise.
        pub libvirt_version: Option<u64>,
        /// Architecture of the host.
        pub architecture: String,
        /// Logical CPUs.
        pub cpus: u32,
        /// Memory in all.
        pub memory_kib: u64,
        /// Memory free, with what the host's page cache would give back.
        pub free_memory_kib: u64,
        /// Huge pages of each size.
        pub huge_pages: Vec<HugePages>,
        /// NUMA cells.
        pub numa: Vec<NumaCell>,
        /// CPU of the host.
        pub cpu: HostCpu,
        /// What it can run, per architecture and domain type.
        pub guests: Vec<GuestSupport>,
        /// Can migrate live.
        pub live_migration: bool,
        /// Migration transports: `tcp`, `rdma`, `unix`.
        pub migration_transports: Vec<String>,
        /// Its hypervisor lets go of what it keeps of an image's pages in the cache when a guest arrives, and libvirt relies
        /// on it; none where the driver doesn't know.
        pub drops_cache: Option<bool>,
        /// A guest that arrived paused may leave again before it has run; none where the driver doesn't know.
        pub arrived_paused_may_leave: Option<bool>,
        /// Migration ports.
        pub migration_ports: MigrationPorts,
        /// The configuration says that its hypervisor has certificates for encrypted transfers: libvirt can't tell.
        pub migration_tls: bool,
        /// Storage pools.
        pub pools: Vec<Pool>,
        /// libvirt networks.
        pub networks: Vec<Network>,
        /// Bridges of the host's kernel; none where libvirt can't tell on this host.
        pub bridges: Option<Vec<String>>,
        /// Network interfaces of the host's kernel; none where libvirt can't tell on this host.
        pub links: Option<Vec<HostLink>>,
        /// Its domains, running or not.
        pub domains: Vec<DomainBrief>,
        /// Node devices, where they were asked for.
        pub node_devices: Option<Vec<NodeDevice>>,
    }

    /// A pool of huge pages.
    pub struct HugePages {
        /// Size of one page.
        pub size_kib: u64,
        /// Pages in all.
        pub total: u64,
        /// Pages free.
        pub free: u64,
    }

    /// A NUMA cell.
    pub struct NumaCell {
        /// Id.
        pub id: u32,
        /// Memory.
        pub memory_kib: u64,
        /// Free memory.
        pub free_memory_kib: Option<u64>,
        /// CPU ids.
        pub cpus: Vec<u32>,
        /// Huge pages of this cell.
        pub huge_pages: Vec<HugePages>,
    }

    /// The host's own CPU.
    pub struct HostCpu {
        /// Model.
        pub model: Option<String>,
        /// Vendor.
        pub vendor: Option<String>,
        /// Features beyond the model.
        pub features: Vec<String>,
    }

    /// One kind of guest that the host can run.
    pub struct GuestSupport {
        /// Architecture.
        pub architecture: String,
        /// Domain type: `kvm`, `qemu`, ...
        pub virt_type: String,
        /// Emulator.
        pub emulator: Option<String>,
        /// Machine types.
        pub machines: Vec<Machine>,
    }

    /// A machine type.
    pub struct Machine {
        /// Name.
        pub name: String,
        /// What an alias (`pc`) stands for.
        pub canonical: Option<String>,
        /// vCPUs at most.
        pub vcpus_max: Option<u32>,
    }

    /// Ports for incoming migrations.
    pub struct MigrationPorts {
        /// First of the range (libvirt's default is 49152 unless the configuration says otherwise).
        pub first: u16,
        /// Last of the range (49215).
        pub last: u16,
        /// Ports held by incoming migrations that are visible now.
        pub in_use: u32,
    }

    /// A libvirt network.
    pub struct Network {
        /// Name.
        pub name: String,
        /// UUID.
        pub uuid: Uuid,
        /// Started.
        pub active: bool,
        /// Bridge.
        pub bridge: Option<String>,
        /// `nat`, `route`, `bridge`, `open`, ...; none for an isolated one.
        pub forward: Option<String>,
        /// Port groups.
        pub portgroups: Vec<String>,
    }

    /// A network interface of the host's kernel.
    pub struct HostLink {
        /// Its name: `eth0`.
        pub name: String,
        /// State as the kernel has it: `up`, `down`, `lowerlayerdown`, `dormant`, `unknown`, ...; none where libvirt doesn't
        /// tell.
        pub state: Option<String>,
        /// MAC address, lower case.
        pub mac: Option<String>,
    }

    /// A domain in a host's list.
    pub struct DomainBrief {
        /// Name.
        pub name: String,
        /// UUID.
        pub id: DomainId,
        /// State.
        pub state: DomainState,
        /// Defined.
        pub persistent: bool,
    }

    /// A node device.
    pub struct NodeDevice {
        /// Name in libvirt.
        pub name: String,
        /// Capability kinds: `pci`, `usb_device`, `net`, `mdev`, ...
        pub capabilities: Vec<String>,
        /// Parent.
        pub parent: Option<String>,
    }
}

impl MigrationPorts {
    /// Ports that no visible migration holds. Other programs may hold some: libvirt can't tell.
    pub fn free(&self) -> u32 {
        (u32::from(self.last) + 1).saturating_sub(u32::from(self.first)).saturating_sub(self.in_use)
    }
}

impl HostFacts {
    /// The pool of that name.
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == name)
    }
    /// The pool whose target directory holds the path; the deepest where pools nest.
    pub fn pool_of_path(&self, path: &str) -> Option<&Pool> {
        self.pools
            .iter()
            .filter(|pool| {
                pool.target.as_deref().is_some_and(|target| {
                    path.strip_prefix(target.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
                })
            })
            .max_by_key(|pool| pool.target.as_ref().map_or(0, String::len))
    }
    /// The network of that name.
    pub fn network(&self, name: &str) -> Option<&Network> {
        self.networks.iter().find(|network| network.name == name)
    }
    /// What it can run of one kind.
    pub fn guest_support(&self, architecture: &str, virt_type: &str) -> Option<&GuestSupport> {
        self.guests.iter().find(|guest| guest.architecture == architecture && guest.virt_type == virt_type)
    }
}
