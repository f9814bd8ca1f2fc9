//! Which facts an answer depends on: noted while a policy asks, written out afterwards.
//!
//! A getter costs one bit, a look-up one short entry; the text of the decision record (`domain.machine`,
//! `kvm2.pool(default)`) is made once per call, when the policy has answered.

use crate::view::View;

/// Declares a set of facts with the names by which records know them: those of the WIT functions.
macro_rules! named {
    ($(#[$doc:meta])* enum $type:ident { $($variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $type { $($variant,)* }
        impl $type {
            const NAMES: &'static [&'static str] = &[$($name,)*];
        }
    };
}

named! {
    /// Getters of the domain.
    enum DomainFact {
        Id = "id", Name = "name", State = "state", StateReason = "state-reason", Persistent = "persistent",
        Autostart = "autostart", ManagedSave = "managed-save", VirtType = "virt-type", Architecture = "architecture",
        Machine = "machine", Emulator = "emulator", Firmware = "firmware", Vcpus = "vcpus", VcpusMax = "vcpus-max",
        MemoryKib = "memory-kib", MemoryMaxKib = "memory-max-kib", MemoryBacking = "memory-backing", Iothreads = "iothreads",
        Pins = "pins", MemoryNodes = "memory-nodes", OnPoweroff = "on-poweroff", OnReboot = "on-reboot",
        OnCrash = "on-crash", Cpu = "cpu", TscFrequencyHz = "tsc-frequency-hz",
        Disks = "disks", NetworkInterfaces = "network-interfaces", Hostdevs = "hostdevs", Tpms = "tpms",
        Graphics = "graphics", CharacterDevices = "character-devices", Filesystems = "filesystems",
        OtherDevices = "other-devices", SharedMemoryRoles = "shared-memory-roles", LaunchSecurity = "launch-security", Title = "title", Description = "description", Snapshots = "snapshots",
        Checkpoints = "checkpoints", Job = "job", BlockJobs = "block-jobs",
    }
}

named! {
    /// Getters of a host.
    enum HostFact {
        Name = "name", Hostname = "hostname", Uuid = "uuid", Uri = "uri", PeerUri = "peer-uri", Addresses = "addresses",
        Hypervisor = "hypervisor", HypervisorVersion = "hypervisor-version", LibvirtVersion = "libvirt-version",
        Architecture = "architecture", Cpus = "cpus", MemoryKib = "memory-kib", FreeMemoryKib = "free-memory-kib",
        HugePages = "huge-pages", Numa = "numa", Cpu = "cpu", LiveMigration = "live-migration",
        DropsCache = "drops-cache", ArrivedPausedMayLeave = "arrived-paused-may-leave",
        MigrationTransports = "migration-transports", MigrationPorts = "migration-ports", PoolNames = "pool-names",
        NetworkNames = "network-names", DomainCount = "domain-count", NeedsPeerUri = "needs-peer-uri", CpuComparison = "cpu-comparison",
        NodeDevices = "node-devices",
    }
}

named! {
    /// Look-ups, of the domain or of a host.
    enum LookUp {
        Metadata = "metadata", Document = "domain-xml", Runs = "runs", Emulator = "emulator", Machine = "machine",
        Pool = "pool", PoolOfPath = "pool-of-path", Network = "network", Bridge = "bridge",
        DomainByName = "domain-by-name", DomainById = "domain-by-id", DiskView = "disk-view",
        DiskViewAgain = "disk-view-again", StorageProof = "storage-proof", DiskCopy = "disk-copy", Volumes = "volumes", SharedStorage = "shared",
    }
}

/// What was looked up.
struct Keyed {
    /// Handle of the host; none: of the domain.
    host: Option<u32>,
    what: LookUp,
    key: String,
}

/// What one call has read.
#[derive(Default)]
pub(crate) struct Reads {
    domain: u64,
    hosts: Vec<u64>,
    keyed: Vec<Keyed>,
}

impl Reads {
    pub fn new(hosts: usize) -> Self {
        Self { domain: 0, hosts: vec![0; hosts], keyed: Vec::new() }
    }
    pub fn domain(&mut self, fact: DomainFact) {
        self.domain |= 1 << fact as u32;
    }
    pub fn host(&mut self, handle: u32, fact: HostFact) {
        if let Some(bits) = self.hosts.get_mut(handle as usize) {
            *bits |= 1 << fact as u32;
        }
    }
    pub fn look_up(&mut self, host: Option<u32>, what: LookUp, key: String) {
        self.keyed.push(Keyed { host, what, key });
    }

    /// The facts in alphabetical order, each once.
    pub fn render(&self, view: &View) -> Vec<String> {
        let mut facts = Vec::with_capacity(self.keyed.len() + 8 * (self.hosts.len() + 1));
        names(self.domain, DomainFact::NAMES, "domain", &mut facts);
        for (handle, bits) in self.hosts.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            names(*bits, HostFact::NAMES, host_name(view, handle as u32), &mut facts);
        }
        for Keyed { host, what, key } in &self.keyed {
            let owner = host.map_or("domain", |handle| host_name(view, handle));
            facts.push([owner, ".", LookUp::NAMES[*what as usize], "(", key, ")"].concat());
        }
        facts.sort_unstable();
        facts.dedup();
        facts
    }
}

fn host_name(view: &View, handle: u32) -> &str {
    view.host(handle).map_or("?", |host| host.facts.name.as_str())
}

fn names(bits: u64, all: &[&str], owner: &str, facts: &mut Vec<String>) {
    let read = all.iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0);
    facts.extend(read.map(|(_, name)| [owner, ".", name].concat()));
}

// A set must fit its bits.
const _: () = assert!(DomainFact::NAMES.len() <= 64 && HostFact::NAMES.len() <= 64);
