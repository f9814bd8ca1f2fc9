//! Migration networks and limits as a person writes them. Everything that names something is looked up here, so that a
//! slip of the pen is an error of the configuration and not a migration over the wrong network.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Deserializer};
use waypost_core::admission::MAX_MIB_S;
use waypost_core::ids::HostName;
use waypost_core::network::{Cluster, Fallback, MANAGEMENT, Network, NetworkRule, Networks, Place, Role};
use waypost_core::queue::SlotLimits;

use super::ConfigError;
use super::file::within;

/// Stands alone in a fallback: nothing is taken instead.
const REFUSE: &str = "refuse";

/// What the file says of networks, gathered from its parts.
pub(super) struct Written {
    pub(super) networks: Vec<WrittenNetwork>,
    pub(super) defaults: Defaults,
    pub(super) clusters: Vec<WrittenCluster>,
    pub(super) rules: Vec<WrittenRule>,
    /// The hosts, each with its places.
    pub(super) hosts: Vec<(HostName, BTreeMap<String, WrittenPlace>)>,
}

/// One `[[network]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenNetwork {
    name: String,
    #[serde(deserialize_with = "roles")]
    roles: Vec<Role>,
    #[serde(default, deserialize_with = "one_or_more")]
    fallback: Vec<String>,
    bandwidth_mib_s: Option<u64>,
    max_migrations: Option<u32>,
}

/// `[networks]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Defaults {
    default: Option<String>,
    disk_copy: Option<String>,
}

/// One `[[cluster]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenCluster {
    name: String,
    hosts: Vec<String>,
    network: String,
}

/// One `[[network_rule]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenRule {
    domains: String,
    network: String,
}

/// A host's place on a network: `"10.0.0.1"`, or `{ address = "10.0.0.1", interface = "eth1" }`.
#[derive(Debug)]
pub(super) struct WrittenPlace {
    address: String,
    interface: Option<String>,
}

/// `[migrations]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Slots {
    outgoing_per_host: Option<u32>,
    incoming_per_host: Option<u32>,
}

impl Written {
    pub(super) fn resolve(self, wrong: &impl Fn(String, String) -> ConfigError) -> Result<Networks, ConfigError> {
        let mut networks: Vec<Network> = Vec::with_capacity(self.networks.len());
        let names: BTreeSet<String> = self.networks.iter().map(|network| network.name.clone()).collect();
        for written in self.networks {
            let network = written.resolve(&names, wrong)?;
            if networks.iter().any(|other| other.name == network.name) {
                let key = format!("network.{}.name", network.name);
                return Err(wrong(key, "this name is given to two networks: names must differ".into()));
            }
            networks.push(network);
        }
        for network in &networks {
            for fallback in &network.fallback {
                if let Fallback::Network(other) = fallback
                    && let Some(other) = networks.iter().find(|n| n.name == *other)
                    && !other.roles.iter().any(|role| network.roles.contains(role))
                {
                    let key = format!("network.{}.fallback", network.name);
                    return Err(wrong(
                        key,
                        format!("{} has none of its roles, so it can't stand in for it", other.name),
                    ));
                }
            }
        }
        let hosts: BTreeSet<HostName> = self.hosts.iter().map(|(host, _)| host.clone()).collect();
        let mut management = BTreeMap::new();
        for (host, places) in self.hosts {
            for (name, written) in places {
                let key = format!("host.{host}.networks.{name}");
                let place = written.resolve(&key, wrong)?;
                if name == MANAGEMENT {
                    management.insert(host.clone(), place);
                } else if let Some(network) = networks.iter_mut().find(|network| network.name == name) {
                    network.places.insert(host.clone(), place);
                } else {
                    return Err(wrong(key, format!("there is no such network; there are: {}", listed(&names))));
                }
            }
        }
        let declared = |key: String, name: String, role: Role| match networks.iter().find(|n| n.name == name) {
            Some(network) if network.roles.contains(&role) => Ok(name),
            Some(_) => Err(wrong(key, format!("network {name} has not the role {role}"))),
            None => Err(wrong(key, format!("there is no network {name:?}; there are: {}", listed(&names)))),
        };
        let mut clusters: Vec<Cluster> = Vec::new();
        for written in self.clusters {
            let key = |field: &str| format!("cluster.{}.{field}", written.name);
            if clusters.iter().any(|other| other.name == written.name) {
                return Err(wrong(key("name"), "this name is given to two clusters: names must differ".into()));
            }
            let members: Vec<HostName> = written.hosts.iter().map(HostName::new).collect();
            for host in &members {
                if !hosts.contains(host) {
                    return Err(wrong(key("hosts"), format!("there is no host {host}")));
                }
                if let Some(other) = clusters.iter().find(|other| other.hosts.contains(host)) {
                    return Err(wrong(key("hosts"), format!("host {host} is in cluster {} already", other.name)));
                }
            }
            let network = declared(key("network"), written.network.clone(), Role::Migration)?;
            clusters.push(Cluster { name: written.name, hosts: members, network });
        }
        let mut rules = Vec::new();
        for written in self.rules {
            let key = || format!("network_rule.{}", written.domains);
            if written.domains.is_empty() {
                return Err(wrong("network_rule.domains".into(), "no domain's name is empty".into()));
            }
            let network = declared(key(), written.network.clone(), Role::Migration)?;
            rules.push(NetworkRule { domains: written.domains, network });
        }
        let default = |key: &str, name: Option<String>, role| {
            name.map(|name| declared(format!("networks.{key}"), name, role)).transpose()
        };
        let Defaults { default: memory, disk_copy } = self.defaults;
        let (memory, disk_copy) =
            (default("default", memory, Role::Migration)?, default("disk_copy", disk_copy, Role::DiskCopy)?);
        Ok(Networks { networks, default: memory, disk_copy, clusters, rules, management })
    }
}

impl WrittenNetwork {
    fn resolve(
        self,
        names: &BTreeSet<String>,
        wrong: &impl Fn(String, String) -> ConfigError,
    ) -> Result<Network, ConfigError> {
        let Self { name, roles, fallback, bandwidth_mib_s, max_migrations } = self;
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        if name.is_empty() || !name.bytes().all(fits) || [MANAGEMENT, REFUSE].contains(&name.as_str()) {
            let message = format!(
                "{name:?} is no name of a network: letters, digits, `-`, `.` and `_`, and neither {MANAGEMENT} nor {REFUSE}"
            );
            return Err(wrong("network.name".into(), message));
        }
        let key = |field: &str| format!("network.{name}.{field}");
        if roles.is_empty() {
            let all: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
            return Err(wrong(
                key("roles"),
                format!("it may carry nothing: give it a role; there are: {}", all.join(", ")),
            ));
        }
        let bandwidth_mib_s = within(key("bandwidth_mib_s"), bandwidth_mib_s, 1..=MAX_MIB_S, wrong)?;
        if max_migrations == Some(0) {
            return Err(wrong(key("max_migrations"), "0 would let nothing through: at least 1".into()));
        }
        // libvirt has one limit for all that a migration sends, and a slot is one on the network of the memory: on a network for
        // disks alone neither would bind anything.
        let of_memory = [("bandwidth_mib_s", bandwidth_mib_s.is_some()), ("max_migrations", max_migrations.is_some())];
        if let Some((field, _)) = of_memory.into_iter().find(|(_, said)| *said && !roles.contains(&Role::Migration)) {
            let message = "it holds for what carries the memory: leave it out, or give this network the role migration";
            return Err(wrong(key(field), message.into()));
        }
        let mut steps = Vec::new();
        for step in &fallback {
            steps.push(match step.as_str() {
                REFUSE if fallback.len() == 1 => continue,
                REFUSE => return Err(wrong(key("fallback"), format!("{REFUSE:?} stands alone, or is left out"))),
                MANAGEMENT => Fallback::Management,
                other if other == name => return Err(wrong(key("fallback"), "it can't stand in for itself".into())),
                other if names.contains(other) => Fallback::Network(other.to_owned()),
                other => {
                    let message = format!(
                        "there is no network {other:?}; there are: {}, and the words {MANAGEMENT} and {REFUSE}",
                        listed(names)
                    );
                    return Err(wrong(key("fallback"), message));
                }
            });
        }
        Ok(Network { name, roles, fallback: steps, bandwidth_mib_s, max_migrations, places: BTreeMap::new() })
    }
}

impl WrittenPlace {
    fn resolve(self, key: &str, wrong: &impl Fn(String, String) -> ConfigError) -> Result<Place, ConfigError> {
        let address: IpAddr = self.address.parse().map_err(|_| {
            wrong(key.to_owned(), format!("{:?} is no IP address: a name could lead to another network", self.address))
        })?;
        if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
            return Err(wrong(key.to_owned(), format!("no other host reaches this one at {address}")));
        }
        Ok(Place { address, interface: self.interface })
    }
}

impl Slots {
    pub(super) fn resolve(
        &self,
        networks: &Networks,
        wrong: &impl Fn(String, String) -> ConfigError,
    ) -> Result<SlotLimits, ConfigError> {
        let default = SlotLimits::default();
        let limit = |key: &str, value: Option<u32>, default: u32| match value {
            Some(0) => {
                Err(wrong(format!("migrations.{key}"), "0 would never let a migration begin: at least 1".into()))
            }
            value => Ok(value.unwrap_or(default)),
        };
        Ok(SlotLimits {
            outgoing_per_host: limit("outgoing_per_host", self.outgoing_per_host, default.outgoing_per_host)?,
            incoming_per_host: limit("incoming_per_host", self.incoming_per_host, default.incoming_per_host)?,
            networks: networks.limits(),
        })
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    if names.is_empty() { "none".to_owned() } else { names.iter().cloned().collect::<Vec<_>>().join(", ") }
}

impl<'de> Deserialize<'de> for WrittenPlace {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            address: String,
            interface: Option<String>,
        }
        match toml::Value::deserialize(from)? {
            toml::Value::String(address) => Ok(Self { address, interface: None }),
            value => {
                let Full { address, interface } = value.try_into().map_err(serde::de::Error::custom)?;
                Ok(Self { address, interface })
            }
        }
    }
}

fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    match toml::Value::deserialize(from)? {
        toml::Value::String(one) => Ok(vec![one]),
        value => value.try_into().map_err(serde::de::Error::custom),
    }
}

fn roles<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Role>, D::Error> {
    let word = |text: String| {
        let all: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
        let unknown = || serde::de::Error::custom(format!("unknown word {text:?}, allowed: {}", all.join(", ")));
        Role::parse(&text).ok_or_else(unknown)
    };
    Vec::<String>::deserialize(from)?.into_iter().map(word).collect()
}
