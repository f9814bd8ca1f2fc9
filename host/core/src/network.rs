//! The networks that a site declares for its migrations, and which one a migration takes. Pure: the configuration, the
//! facts and the request go in, a network or a refusal comes out, with a sentence for each step back.
//!
//! What libvirt tells of a way is little: the state of a host's interface. Whether the source's packets reach the
//! destination no call of it tries. A host may be configured to try it otherwise (`tried`); else it is said to be unproven
//! instead of assumed.

mod choice;
mod detour;
mod glob;
mod held;
mod route;
mod tried;

use std::collections::BTreeMap;
use std::net::IpAddr;

use thiserror::Error;

pub use choice::{Chosen, Wanted, choose};
pub use detour::{Detour, Detours, all_ways, ways};
pub use glob::fits;
pub use held::{held, lacking};
pub use route::{disks_way, memory_uri, memory_way, route};
pub use tried::{Target, targets};

use crate::ids::HostName;
use crate::words;

words! {
    /// What a network may carry.
    pub enum Role {
        /// The memory.
        Migration = "migration",
        /// Disks that travel along.
        DiskCopy = "disk-copy",
    }
}

impl Role {
    /// What it carries, for a sentence.
    fn carried(self) -> &'static str {
        match self {
            Self::Migration => "memory",
            Self::DiskCopy => "disks",
        }
    }
}

/// The word for the network that libvirt's own connections take; no declared network may be called so. A request that names it
/// takes it on purpose.
pub const MANAGEMENT: &str = "management";

/// The XML namespace under which a domain's metadata name its network: an element `migration` with an attribute
/// `network`.
pub const NAMESPACE: &str = "urn:waypost:domain:1";

/// A host on a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its address there.
    pub address: IpAddr,
    /// The interface that has the address, where the configuration names it: then libvirt can be asked for its state.
    pub interface: Option<String>,
}

/// What is taken where a network is not up on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fallback {
    /// Another declared network.
    Network(String),
    /// The one that libvirt's own connections take.
    Management,
}

impl Fallback {
    /// Who is called so.
    pub fn of(name: &str) -> Self {
        if name == MANAGEMENT { Self::Management } else { Self::Network(name.to_owned()) }
    }

    /// What it is called among networks.
    pub fn name(&self) -> &str {
        match self {
            Self::Network(name) => name,
            Self::Management => MANAGEMENT,
        }
    }
}

/// A declared network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Name.
    pub name: String,
    /// What it may carry; never empty.
    pub roles: Vec<Role>,
    /// What is tried instead, in order; empty: the migration is refused.
    pub fallback: Vec<Fallback>,
    /// What it carries, MiB/s, at least 1: the limit of a migration that names none, and of its post-copy.
    pub bandwidth_mib_s: Option<u64>,
    /// Migrations that it may carry at once, at least 1.
    pub max_migrations: Option<u32>,
    /// The hosts on it.
    pub places: BTreeMap<HostName, Place>,
}

/// Hosts that share a default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Name.
    pub name: String,
    /// Its hosts.
    pub hosts: Vec<HostName>,
    /// The network of a migration between two of them.
    pub network: String,
}

/// Domains that take a network by their name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRule {
    /// Name of the domain, with `*` for any text and `?` for any one character.
    pub domains: String,
    /// Network.
    pub network: String,
}

/// Everything that a site declares. A program reads it when it starts, and a service anew with a reload, which is refused where
/// a task holds what it would take away ([`held()`]). Whoever takes a task over whose plan holds something else is told
/// ([`lacking`]).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks {
    /// The networks; their names differ.
    pub networks: Vec<Network>,
    /// The network where nothing else names one.
    pub default: Option<String>,
    /// The network of disk copies where the memory's has not that role.
    pub disk_copy: Option<String>,
    /// Clusters.
    pub clusters: Vec<Cluster>,
    /// Rules; the first that fits counts.
    pub rules: Vec<NetworkRule>,
    /// The hosts on the management network, as far as the configuration says; elsewhere libvirt chooses.
    pub management: BTreeMap<HostName, Place>,
}

impl Networks {
    /// The network of that name.
    pub fn get(&self, name: &str) -> Option<&Network> {
        self.networks.iter().find(|network| network.name == name)
    }

    /// How many migrations each network with a limit may carry at once.
    pub fn limits(&self) -> BTreeMap<String, u32> {
        self.networks.iter().filter_map(|n| n.max_migrations.map(|max| (n.name.clone(), max))).collect()
    }

    fn names(&self) -> String {
        match self.networks.is_empty() {
            true => "none".to_owned(),
            false => self.networks.iter().map(|network| network.name.as_str()).collect::<Vec<_>>().join(", "),
        }
    }
}

#[cfg(test)]
mod tests;

/// Why no network can be taken. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// No such network.
    #[error(
        "{by} names the migration network {name:?}, which the configuration does not declare; it declares: {known}"
    )]
    Unknown {
        /// Named.
        name: String,
        /// By whom.
        by: Wanted,
        /// There are.
        known: String,
    },
    /// It must not carry this.
    #[error("{by} names the network {name}, which has not the role {role}: give it that role, or name another")]
    NoRole {
        /// Named.
        name: String,
        /// By whom.
        by: Wanted,
        /// Role that it lacks.
        role: Role,
    },
    /// It is not up on both sides, and what may be taken instead isn't either.
    #[error("no network can carry the {what}: {}; bring one up, or change the `fallback` of network {name}", why.join("; "))]
    Down {
        /// `memory` or `disks`.
        what: &'static str,
        /// The one that was wanted.
        name: String,
        /// What is wrong with each that was tried.
        why: Vec<String>,
    },
    /// It was tried, and the way that was asked for, or the daemons' own, does not lead there.
    #[error("{from} does not reach {to} where the {what} would go: {why}")]
    Cut {
        /// `memory` or `disks`.
        what: &'static str,
        /// Source.
        from: HostName,
        /// Destination.
        to: HostName,
        /// What was found.
        why: String,
    },
    /// The memory takes the daemons' own connection.
    #[error("a tunnelled migration takes the daemons' own connection: drop the network {0}, or the tunnel")]
    Tunnelled(String),
    /// The same, and it is not the request that names another network, whose fallback does not have the management network.
    #[error(
        "a tunnelled migration takes the daemons' own connection, and {by} names the network {name}, for which the management network may not stand in: drop the tunnel, or name management as the network of the request"
    )]
    TunnelAround {
        /// Named.
        name: String,
        /// By whom.
        by: Wanted,
    },
    /// The disks may not go with the memory, and nothing says where else.
    #[error(
        "network {0} has not the role disk-copy, and no other is set for disks: give it that role, or set `disk_copy` under [networks]"
    )]
    NoDiskNetwork(String),
    /// The disks shall step back to the management network, whose address nobody knows.
    #[error(
        "the disks shall take the management network, and the address of {0} on it is not configured: set `networks.management` for that host"
    )]
    NoManagementAddress(HostName),
}

impl NetworkError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unknown { name, known, .. } => {
                format!("declare network {name} in the configuration, or name one of: {known}")
            }
            Self::NoRole { name, role, .. } => format!("give network {name} the role {role}, or name another"),
            Self::Down { name, .. } => {
                format!("bring one of these networks up on both hosts, or change the `fallback` of network {name}")
            }
            Self::Cut { from, to, .. } => {
                format!("see what stands between {from} and {to} (route, firewall), or name another way")
            }
            Self::Tunnelled(name) => format!("drop network {name}, or the tunnel"),
            Self::TunnelAround { .. } => {
                format!("drop the tunnel, or name {MANAGEMENT} in the request (`--network {MANAGEMENT}`)")
            }
            Self::NoDiskNetwork(name) => {
                format!("give network {name} the role disk-copy, or set `disk_copy` under [networks]")
            }
            Self::NoManagementAddress(host) => format!("set `networks.management` for host {host}"),
        }
    }
}
