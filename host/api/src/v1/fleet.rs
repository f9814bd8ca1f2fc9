//! Hosts and domains as they are, and the hosts of a lab.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waypost_core::facts::{DomainBrief, HostFacts};
use waypost_core::ids::HostName;
use waypost_core::load::HostLoad;
use waypost_core::ports::Fault;
use waypost_core::queue::{Entry, SlotLimits, SlotWish};

/// All configured hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hosts {
    /// In the order of the configuration.
    pub hosts: Vec<Host>,
}

/// One host. Everything but the name and its places in the queue is null where it could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Host {
    /// Configured name.
    pub name: String,
    /// Why it could not be read.
    pub error: Option<String>,
    /// Hostname as libvirt reports it.
    pub hostname: Option<String>,
    /// Host UUID.
    pub uuid: Option<String>,
    /// URI by which it was reached, without secrets.
    pub uri: Option<String>,
    /// URI for other hosts' daemons.
    pub peer_uri: Option<String>,
    /// `QEMU`, ...
    pub hypervisor: Option<String>,
    /// `7.2.0`.
    pub hypervisor_version: Option<String>,
    /// `9.0.0`.
    pub libvirt_version: Option<String>,
    /// `x86_64`, ...
    pub architecture: Option<String>,
    /// Logical CPUs.
    pub cpus: Option<u32>,
    /// Memory in all.
    pub memory_kib: Option<u64>,
    /// Memory free.
    pub free_memory_kib: Option<u64>,
    /// vCPUs of its active domains together: what is promised of its CPUs; null where they could not be read.
    #[serde(default)]
    pub vcpus: Option<u32>,
    /// Share of its CPUs' time that was not idle lately, permille; null where libvirt doesn't tell, and at the first look: it takes
    /// two, half a second to two minutes apart, by whoever looks.
    #[serde(default)]
    pub cpu_busy_permille: Option<u16>,
    /// Migrations that leave it, of those that may at once; null where nobody asks a service.
    #[serde(default)]
    pub outgoing: Option<Slots>,
    /// Migrations that come to it, of those that may at once; null where nobody asks a service.
    #[serde(default)]
    pub incoming: Option<Slots>,
    /// Domains that are active.
    pub active_domains: Option<u32>,
    /// Domains in all.
    pub domains: Option<u32>,
    /// What to do where it could not be read; null where nobody can say.
    #[serde(default)]
    pub remedy: Option<String>,
}

/// How many places there are, and how many are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Slots {
    /// Taken.
    pub used: u32,
    /// Most that may be taken at once; after that was lowered more may be.
    pub limit: u32,
}

impl Host {
    /// The same with its load.
    #[must_use]
    pub fn with_load(self, load: &HostLoad) -> Self {
        Self { vcpus: Some(load.vcpus), cpu_busy_permille: load.cpu_busy_permille, ..self }
    }

    /// The same with how many of its places for migrations are taken, by the limits and the queue.
    #[must_use]
    pub fn with_slots(self, limits: &SlotLimits, queue: &[Entry]) -> Self {
        let taken = |host: fn(&SlotWish) -> &HostName| {
            let taken = queue.iter().filter(|entry| entry.holds && host(&entry.wish).as_str() == self.name).count();
            u32::try_from(taken).unwrap_or(u32::MAX)
        };
        let (leaving, coming) = (taken(|wish| &wish.source), taken(|wish| &wish.destination));
        Self {
            outgoing: Some(Slots { used: leaving, limit: limits.outgoing_per_host }),
            incoming: Some(Slots { used: coming, limit: limits.incoming_per_host }),
            ..self
        }
    }

    /// The same without its places in the queue, which are a service's to tell.
    #[must_use]
    pub fn without_slots(self) -> Self {
        Self { outgoing: None, incoming: None, ..self }
    }

    /// From what the host answered.
    pub fn new(name: &str, answer: &Result<HostFacts, Fault>) -> Self {
        let name = name.to_owned();
        let facts = match answer {
            Ok(facts) => facts,
            Err(fault) => return Self { name, error: Some(fault.to_string()), ..Self::default() },
        };
        let count = |n: usize| u32::try_from(n).ok();
        Self {
            name,
            error: None,
            hostname: Some(facts.hostname.clone()),
            uuid: facts.uuid.map(|uuid| uuid.to_string()),
            uri: Some(facts.uri.clone()),
            peer_uri: facts.peer_uri.clone(),
            hypervisor: Some(facts.hypervisor.clone()),
            hypervisor_version: facts.hypervisor_version.map(version),
            libvirt_version: facts.libvirt_version.map(version),
            architecture: Some(facts.architecture.clone()),
            cpus: Some(facts.cpus),
            memory_kib: Some(facts.memory_kib),
            free_memory_kib: Some(facts.free_memory_kib),
            vcpus: None,
            cpu_busy_permille: None,
            outgoing: None,
            incoming: None,
            active_domains: count(facts.domains.iter().filter(|d| d.state.is_active()).count()),
            domains: count(facts.domains.len()),
            remedy: None,
        }
    }
}

/// libvirt's encoded version, readable.
fn version(encoded: u64) -> String {
    format!("{}.{}.{}", encoded / 1_000_000, encoded / 1000 % 1000, encoded % 1000)
}

/// Domains of all hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Domains {
    /// By host, then by name.
    pub domains: Vec<Domain>,
    /// Hosts that could not be read.
    pub unread: Vec<Host>,
}

/// One domain on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Domain {
    /// Host.
    pub host: String,
    /// Name.
    pub name: String,
    /// UUID.
    pub id: String,
    /// `running`, `shut-off`, ...
    pub state: String,
    /// Defined, and not only running.
    pub persistent: bool,
}

impl Domain {
    /// From a host's list.
    pub fn new(host: &str, brief: &DomainBrief) -> Self {
        Self {
            host: host.to_owned(),
            name: brief.name.clone(),
            id: brief.id.to_string(),
            state: brief.state.to_string(),
            persistent: brief.persistent,
        }
    }
}

/// A lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lab {
    /// Where it lies.
    pub dir: String,
    /// A configuration for it.
    pub config: String,
    /// Its hosts.
    pub hosts: Vec<LabHost>,
}

/// A host of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LabHost {
    /// `kvm1`, ...
    pub name: String,
    /// Whether it has power.
    pub powered: bool,
    /// URI from this machine.
    pub uri: String,
    /// URI from another lab host.
    pub peer_uri: String,
    /// Its domains with their states; null where they can't be told.
    pub domains: Option<Vec<String>>,
    /// Why they can't be told.
    pub error: Option<String>,
}

/// A lab that was to be taken down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LabGone {
    /// Where it lay.
    pub dir: String,
    /// Whether there was one.
    pub was_there: bool,
}

/// A guest that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LabGuest {
    /// Its name.
    pub name: String,
    /// Host.
    pub host: String,
    /// `running`, or `defined`.
    pub state: String,
}

/// What a guest counted: each number once, without a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LabCounter {
    /// Its name.
    pub name: String,
    /// Where it ran, in order.
    pub stays: Vec<LabStay>,
}

/// An uninterrupted stay on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LabStay {
    /// Host.
    pub host: String,
    /// The first number that it printed there.
    pub first: u32,
    /// The last.
    pub last: u32,
}

/// A command that was run inside a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LabRun {
    /// Host.
    pub host: String,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Its exit status; null if a signal ended it.
    pub status: Option<i32>,
    /// What it printed; bytes that are no text are replaced.
    pub output: String,
    /// What it printed on standard error.
    pub errors: String,
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_readable() {
        assert_eq!(super::version(7_002_022), "7.2.22");
    }
}
