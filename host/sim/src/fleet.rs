//! The hosts and domains of a world, as a TOML file or as values: the same types for both. The file is long because
//! the list of what a fleet can say is: one file format, one file.
//!
//! Everything has a default, so that a small fleet is a few lines:
//!
//! ```toml
//! [[host]]
//! name = "kvm1"
//! [[host]]
//! name = "kvm2"
//! [[domain]]
//! name = "web"
//! host = "kvm1"
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use uuid::Uuid;

use crate::cpu;
use crate::generate::{self, Generate};

/// A fleet.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// Hosts.
    #[serde(default, rename = "host")]
    pub hosts: Vec<HostSpec>,
    /// Domains.
    #[serde(default, rename = "domain")]
    pub domains: Vec<DomainSpec>,
    /// Links that differ from what their hosts' own bandwidth gives.
    #[serde(default, rename = "link")]
    pub links: Vec<LinkSpec>,
    /// More hosts and domains, made from a seed.
    pub generate: Option<Generate>,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostSpec {
    /// Name in the configuration; also its hostname.
    pub name: String,
    /// Host UUID; made from the name if none is given.
    pub uuid: Option<Uuid>,
    /// URI by which the other hosts' daemons reach it, of which a plan takes what it tells of encryption; made from the name if
    /// none is given.
    pub peer_uri: Option<String>,
    /// Architecture.
    pub architecture: String,
    /// Hypervisor type.
    pub hypervisor: String,
    /// Whether it can be asked how a guest's CPU compares with its own.
    pub compares_cpus: bool,
    /// Domain type that it runs.
    pub virt_type: String,
    /// Hypervisor version, `major.minor.release`.
    pub hypervisor_version: String,
    /// libvirt version.
    pub libvirt_version: String,
    /// Memory.
    pub memory_mib: u64,
    /// Logical CPUs.
    pub cpus: u32,
    /// CPU model; models are ordered by age, and a host runs guests of its own and of older ones.
    pub cpu: String,
    /// Machine types.
    pub machines: Vec<String>,
    /// Storage pools.
    pub pools: Vec<PoolSpec>,
    /// libvirt networks.
    pub networks: Vec<NetworkSpec>,
    /// Bridges of the kernel.
    pub bridges: Vec<String>,
    /// Network interfaces of the kernel, each with the state of its link in the kernel's words: `up`, `down`, ...;
    /// without any, the host doesn't tell.
    pub interface_states: BTreeMap<String, String>,
    /// What becomes of a connection from this host to an address (`refused`, `silent`, ...; where it isn't named, what a host answers that is well), for
    /// who has it tried; none: nobody can.
    pub ways: Option<BTreeMap<String, String>>,
    /// What the host can send and receive.
    pub bandwidth_mib_s: u64,
    /// Whether its hypervisor has certificates for encrypted transfers.
    pub migration_tls: bool,
    /// Whether the controller can reach it at the beginning.
    pub reachable: bool,
    /// By what it lets somebody in; none: by what is configured for it.
    pub login: Option<LoginSpec>,
}

impl Default for HostSpec {
    fn default() -> Self {
        Self {
            name: String::new(),
            uuid: None,
            peer_uri: None,
            architecture: "x86_64".into(),
            hypervisor: "Simulated".into(),
            compares_cpus: true,
            virt_type: "kvm".into(),
            hypervisor_version: "7.2.22".into(),
            libvirt_version: "9.0.0".into(),
            memory_mib: 65_536,
            cpus: 16,
            cpu: "Haswell".into(),
            machines: vec!["pc-i440fx-7.2".into(), "pc-q35-7.2".into()],
            pools: vec![PoolSpec::default()],
            networks: vec![NetworkSpec::default()],
            bridges: vec!["br0".into()],
            interface_states: BTreeMap::new(),
            ways: None,
            bandwidth_mib_s: 1000,
            migration_tls: false,
            reachable: true,
            login: None,
        }
    }
}

impl HostSpec {
    /// A host with everything at its default.
    pub fn named(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
    /// Its UUID.
    pub fn host_uuid(&self) -> Uuid {
        self.uuid.unwrap_or_else(|| generate::uuid_of("host", &self.name))
    }
}

/// The only login that a host takes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginSpec {
    /// Name.
    pub user: String,
    /// Password.
    pub password: String,
    /// Whether the other hosts' daemons get in without it.
    #[serde(default)]
    pub peers: bool,
}

/// A storage pool; by default a directory of an NFS server that every host mounts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolSpec {
    /// Name.
    pub name: String,
    /// Type: `dir`, `netfs`, `rbd`, ...
    pub kind: String,
    /// Servers of the store; a store without any is the host's own.
    pub servers: Vec<String>,
    /// Exported directory.
    pub dir: Option<String>,
    /// Name of the store on its servers (an RBD pool, a gluster volume).
    pub source_name: Option<String>,
    /// Which store this really is; none: what the definition says. Two pools may look alike and be two stores.
    pub store: Option<String>,
    /// Where the volumes appear.
    pub target: String,
    /// Size.
    pub capacity_gib: u64,
    /// Started.
    pub active: bool,
}

impl Default for PoolSpec {
    fn default() -> Self {
        Self {
            name: "shared".into(),
            kind: "netfs".into(),
            servers: vec!["nas".into()],
            dir: Some("/export/images".into()),
            source_name: None,
            store: None,
            target: "/var/lib/libvirt/shared".into(),
            capacity_gib: 4096,
            active: true,
        }
    }
}

impl PoolSpec {
    /// A directory of the host's own disk.
    pub fn local(name: &str, target: &str) -> Self {
        let (name, target) = (name.into(), target.into());
        Self { name, kind: "dir".into(), servers: vec![], dir: None, target, capacity_gib: 500, ..Self::default() }
    }
}

/// A libvirt network.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSpec {
    /// Name.
    pub name: String,
    /// Bridge.
    pub bridge: String,
    /// Forward mode.
    pub forward: String,
    /// Started.
    pub active: bool,
}

impl Default for NetworkSpec {
    fn default() -> Self {
        Self { name: "default".into(), bridge: "virbr0".into(), forward: "nat".into(), active: true }
    }
}

/// What a domain does at the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// It runs.
    #[default]
    Running,
    /// It is paused by a person.
    Paused,
    /// It is paused for as long as somebody makes a snapshot of it, which here never ends.
    InSnapshot,
    /// It is defined and off.
    ShutOff,
}

/// A domain.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DomainSpec {
    /// Name.
    pub name: String,
    /// Host on which it is.
    pub host: String,
    /// UUID; made from the name if none is given.
    pub uuid: Option<Uuid>,
    /// What it does.
    pub state: Power,
    /// Memory; all of it is sent once.
    pub memory_mib: u64,
    /// vCPUs.
    pub vcpus: u32,
    /// Pages of 4 KiB that it dirties in a second while it runs.
    pub dirty_pages_s: u64,
    /// The part of its memory in which it does so.
    pub working_set_mib: u64,
    /// CPU model; none: that of its host.
    pub cpu: Option<String>,
    /// Machine type; none: the first of its host.
    pub machine: Option<String>,
    /// Disks.
    pub disks: Vec<DiskSpec>,
    /// Interfaces.
    pub interfaces: Vec<InterfaceSpec>,
    /// Addresses of passed-through PCI devices.
    pub hostdevs: Vec<String>,
    /// Names of snapshots.
    pub snapshots: Vec<String>,
    /// Has a TPM whose state is on its host.
    pub tpm: bool,
    /// Has a managed-save image.
    pub managed_save: bool,
    /// Defined.
    pub persistent: bool,
    /// Starts with its host.
    pub autostart: bool,
    /// Metadata elements by namespace.
    pub metadata: BTreeMap<String, String>,
    /// Migration network that its metadata ask for.
    pub migration_network: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Address on which its VNC console listens.
    pub graphics_listen: String,
    /// Port of its VNC console; none: chosen by its host.
    pub graphics_port: Option<u16>,
    /// Path of the emulator; none: where its host has it.
    pub emulator: Option<String>,
    /// CPUs by the threads that are pinned to them: `vcpu 0`, `emulator`.
    pub pins: BTreeMap<String, String>,
    /// NUMA nodes of its memory; none: nothing is said.
    pub memory_nodes: Option<String>,
    /// What becomes of it when its guest powers off.
    pub on_poweroff: String,
    /// The same when its guest reboots.
    pub on_reboot: String,
    /// The same when its guest crashes.
    pub on_crash: String,
}

impl Default for DomainSpec {
    fn default() -> Self {
        Self {
            name: String::new(),
            host: String::new(),
            uuid: None,
            state: Power::Running,
            memory_mib: 1024,
            vcpus: 1,
            dirty_pages_s: 1000,
            working_set_mib: 64,
            cpu: None,
            machine: None,
            disks: vec![DiskSpec::default()],
            interfaces: vec![InterfaceSpec::default()],
            hostdevs: vec![],
            snapshots: vec![],
            tpm: false,
            managed_save: false,
            persistent: true,
            autostart: false,
            metadata: BTreeMap::new(),
            migration_network: None,
            title: None,
            description: None,
            graphics_listen: "127.0.0.1".into(),
            graphics_port: None,
            emulator: None,
            pins: BTreeMap::new(),
            memory_nodes: None,
            on_poweroff: "destroy".into(),
            on_reboot: "restart".into(),
            on_crash: "destroy".into(),
        }
    }
}

impl DomainSpec {
    /// A domain on a host with everything at its default.
    pub fn named(name: &str, host: &str) -> Self {
        Self { name: name.into(), host: host.into(), ..Self::default() }
    }
    /// Its UUID.
    pub fn domain_uuid(&self) -> Uuid {
        self.uuid.unwrap_or_else(|| generate::uuid_of("domain", &self.name))
    }
}

/// A disk; by default one in the default pool.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiskSpec {
    /// Target; none: `vda` and so on.
    pub target: Option<String>,
    /// Pool of the host; none: the path is a file or device outside every pool, which only that host has.
    pub pool: Option<String>,
    /// Volume, or path where there is no pool; none: a name made from the domain's and the target.
    pub volume: Option<String>,
    /// Format.
    pub format: String,
    /// Cache mode.
    pub cache: Option<String>,
    /// Virtual size.
    pub size_gib: u64,
    /// Read-only.
    pub read_only: bool,
    /// Shareable.
    pub shareable: bool,
}

impl Default for DiskSpec {
    fn default() -> Self {
        Self {
            target: None,
            pool: Some("shared".into()),
            volume: None,
            format: "qcow2".into(),
            cache: Some("none".into()),
            size_gib: 20,
            read_only: false,
            shareable: false,
        }
    }
}

/// An interface; by default one in the default network.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InterfaceSpec {
    /// Network.
    pub network: Option<String>,
    /// Bridge, where there is no network.
    pub bridge: Option<String>,
    /// MAC address; none: one made from the domain's name.
    pub mac: Option<String>,
}

impl Default for InterfaceSpec {
    fn default() -> Self {
        Self { network: Some("default".into()), bridge: None, mac: None }
    }
}

impl InterfaceSpec {
    /// An interface on a bridge of the host.
    pub fn bridged(bridge: &str) -> Self {
        Self { network: None, bridge: Some(bridge.into()), mac: None }
    }
}

/// The way between two hosts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSpec {
    /// The two.
    pub between: [String; 2],
    /// What it carries.
    pub bandwidth_mib_s: u64,
}

/// A fleet that can't be.
#[derive(Debug, Error)]
pub enum FleetError {
    /// The file can't be read.
    #[error("read the fleet {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It isn't TOML of this shape.
    #[error("the fleet is not of the right shape")]
    Shape(#[source] Box<toml::de::Error>),
    /// What it says can't be.
    #[error("the fleet: {0}")]
    Impossible(String),
}

impl Fleet {
    /// A fleet of hosts and domains.
    pub fn new(hosts: impl IntoIterator<Item = HostSpec>, domains: impl IntoIterator<Item = DomainSpec>) -> Self {
        let (hosts, domains) = (hosts.into_iter().collect(), domains.into_iter().collect());
        Self { hosts, domains, ..Self::default() }
    }

    /// Reads a TOML text; an unknown key is an error.
    pub fn parse(text: &str) -> Result<Self, FleetError> {
        toml::from_str(text).map_err(|error| FleetError::Shape(Box::new(error)))
    }

    /// Reads a TOML file.
    pub fn read(path: &Path) -> Result<Self, FleetError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| FleetError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// The whole fleet: with what is to be generated, and checked.
    pub fn expand(&self) -> Result<Self, FleetError> {
        let mut whole = self.clone();
        if let Some(generate) = whole.generate.take() {
            generate.add_to(&mut whole);
        }
        whole.check().map_err(FleetError::Impossible)?;
        Ok(whole)
    }

    fn check(&self) -> Result<(), String> {
        if self.hosts.is_empty() {
            return Err("there is no host".into());
        }
        let mut hosts = BTreeMap::new();
        for host in &self.hosts {
            if host.name.is_empty() || hosts.insert(host.name.as_str(), host).is_some() {
                return Err(format!("host {:?} has no name, or one that another host has", host.name));
            }
            if cpu::level(&host.cpu).is_none() {
                return Err(format!("host {}: unknown CPU model {}; known are: {}", host.name, host.cpu, cpu::known()));
            }
            for version in [&host.hypervisor_version, &host.libvirt_version] {
                if crate::report::version(version).is_none() {
                    return Err(format!("host {}: version {version:?} is not major.minor.release", host.name));
                }
            }
            if host.bandwidth_mib_s == 0 || host.machines.is_empty() {
                return Err(format!("host {} needs a bandwidth and a machine type", host.name));
            }
        }
        let mut seen = BTreeSet::new();
        for domain in &self.domains {
            let name = &domain.name;
            let Some(host) = hosts.get(domain.host.as_str()) else {
                return Err(format!("domain {name}: there is no host {:?}", domain.host));
            };
            if name.is_empty() || !seen.insert((&domain.host, name)) {
                return Err(format!("domain {name:?} of {} has no name, or one that another domain has", host.name));
            }
            if domain.memory_mib == 0 || (domain.state == Power::ShutOff && !domain.persistent) {
                return Err(format!("domain {name} needs memory, and a definition if it is shut off"));
            }
            if let Some(model) = &domain.cpu
                && cpu::level(model).is_none()
            {
                return Err(format!("domain {name}: unknown CPU model {model}; known are: {}", cpu::known()));
            }
            for pool in domain.disks.iter().filter_map(|disk| disk.pool.as_ref()) {
                if !host.pools.iter().any(|there| there.name == *pool) {
                    return Err(format!("domain {name}: {} has no pool {pool}", host.name));
                }
            }
        }
        for link in &self.links {
            if link.bandwidth_mib_s == 0 || link.between.iter().any(|end| !hosts.contains_key(end.as_str())) {
                return Err(format!("the link between {} needs two hosts and a bandwidth", link.between.join(" and ")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_fleet_is_a_few_lines() {
        let text = "[[host]]\nname = 'a'\n[[host]]\nname = 'b'\n[[domain]]\nname = 'g1'\nhost = 'a'\n";
        let fleet = Fleet::parse(text).unwrap().expand().unwrap();
        assert_eq!(fleet, Fleet::new([HostSpec::named("a"), HostSpec::named("b")], [DomainSpec::named("g1", "a")]));
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_reason() {
        let says = |text: &str| match Fleet::parse(text).and_then(|fleet| fleet.expand()).unwrap_err() {
            FleetError::Shape(error) => error.to_string(),
            other => other.to_string(),
        };
        for (text, reason) in [
            ("", "no host"),
            ("[[host]]\nname = 'a'\ncolour = 'red'", "unknown field `colour`"),
            ("[[host]]\nname = 'a'\n[[host]]\nname = 'a'", "another host has"),
            ("[[host]]\nname = 'a'\ncpu = '8086'", "unknown CPU model 8086"),
            ("[[host]]\nname = 'a'\n[[domain]]\nname = 'g'\nhost = 'z'", "there is no host \"z\""),
            ("[[host]]\nname = 'a'\npools = []\n[[domain]]\nname = 'g'\nhost = 'a'", "a has no pool shared"),
            ("[[host]]\nname = 'a'\n[[link]]\nbetween = ['a', 'z']\nbandwidth_mib_s = 1", "needs two hosts"),
        ] {
            assert!(says(text).contains(reason), "{text}: {}", says(text));
        }
    }
}
