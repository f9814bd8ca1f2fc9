//! The file as a person writes it, and the way from there to [`Config`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use waypost_core::admission::MAX_DOWNTIME_MS;
use waypost_core::ids::{HostName, PluginName};
use waypost_core::stream::Encryption;
use waypost_core::verdict::PolicyMode;
use waypost_engine::Measuring;
use waypost_libvirt::{HostConfig, Limits as HostLimits, Unverified, WayProbe};
use waypost_policy::{Grant, Limits, PluginConfig, PolicyConfig, Presence, SLOT_MEMORY_BYTES};

use super::access::{WrittenAccess, WrittenClient, WrittenIssuer, WrittenTls};
use super::client::WrittenRemote;
use super::kimchi::WrittenKimchi;
use super::limits::WrittenLimits;
use super::networks::{Defaults, Slots, Written, WrittenCluster, WrittenNetwork, WrittenPlace, WrittenRule};
use super::traces::WrittenTraces;
use super::{Config, ConfigError, places};

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    state_dir: Option<PathBuf>,
    cache_dir: Option<PathBuf>,
    migration_ports: Option<(u16, u16)>,
    #[serde(rename = "host")]
    hosts: Vec<Host>,
    #[serde(rename = "network")]
    declared: Vec<WrittenNetwork>,
    networks: Defaults,
    #[serde(rename = "cluster")]
    clusters: Vec<WrittenCluster>,
    #[serde(rename = "network_rule")]
    network_rules: Vec<WrittenRule>,
    migrations: Slots,
    limits: Connections,
    plugins: Plugins,
    plugin: BTreeMap<String, Plugin>,
    engine: Engine,
    transfers: Transfers,
    service: Service,
    client: WrittenRemote,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Service {
    socket: Option<PathBuf>,
    kimchi: WrittenKimchi,
    limits: WrittenLimits,
    traces: Option<WrittenTraces>,
    listen: Option<String>,
    socket_role: Option<String>,
    names: Vec<String>,
    origins: Vec<String>,
    tls: WrittenTls,
    #[serde(rename = "client")]
    clients: Vec<WrittenClient>,
    #[serde(rename = "issuer")]
    issuers: Vec<WrittenIssuer>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Host {
    name: String,
    uri: String,
    peer_uri: Option<String>,
    #[serde(default)]
    addresses: Vec<String>,
    auth_file: Option<PathBuf>,
    #[serde(default)]
    accept_unverified: bool,
    migration_ports: Option<(u16, u16)>,
    #[serde(default)]
    networks: BTreeMap<String, WrittenPlace>,
    #[serde(default)]
    migration_tls: bool,
    way_probe: Option<WrittenProbe>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenProbe {
    ssh: String,
    key_file: Option<PathBuf>,
    known_hosts: Option<PathBuf>,
}

impl WrittenProbe {
    fn resolve(self, folder: &Path) -> Result<WayProbe, String> {
        let probe = WayProbe::new(&self.ssh)
            .map_err(|why| format!("{:?}: {why}; say it as ssh://waypost@{{host}}", self.ssh))?;
        Ok(probe
            .with_key(self.key_file.map(|file| folder.join(file)))
            .knowing(self.known_hosts.map(|file| folder.join(file))))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Transfers {
    #[serde(deserialize_with = "encryption")]
    encryption: Encryption,
}

impl Default for Transfers {
    fn default() -> Self {
        Self { encryption: waypost_engine::Settings::default().encryption }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Connections {
    open_s: Option<u32>,
    read_s: Option<u32>,
    order_s: Option<u32>,
    keepalive_interval_s: Option<u32>,
    keepalive_count: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Plugins {
    shipped: bool,
    folders: Vec<PathBuf>,
    recovery: Option<String>,
    convergence: Option<String>,
}

impl Default for Plugins {
    fn default() -> Self {
        Self { shipped: true, folders: Vec::new(), recovery: None, convergence: None }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Plugin {
    #[serde(deserialize_with = "presence")]
    presence: Presence,
    #[serde(deserialize_with = "mode")]
    mode: PolicyMode,
    #[serde(deserialize_with = "grants")]
    grants: BTreeSet<Grant>,
    limits: PluginLimits,
    settings: toml::Table,
}

impl Default for Plugin {
    fn default() -> Self {
        let default = PluginConfig::default();
        Self {
            presence: default.presence,
            mode: default.mode,
            grants: default.grants,
            limits: PluginLimits::default(),
            settings: toml::Table::new(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PluginLimits {
    fuel: Option<u64>,
    deadline_ms: Option<u64>,
    memory_mib: Option<usize>,
    host_calls: Option<u64>,
    lifted_kib: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Engine {
    sample_every_ms: Option<u64>,
    look_every_ms: Option<u64>,
    patience_s: Option<u64>,
    proof_holds_s: Option<u64>,
    cancel_poll_ms: Option<u64>,
    steer_every_ms: Option<u64>,
    stall_s: Option<u64>,
    sever: Option<bool>,
    set_throttle: Option<bool>,
    #[serde(deserialize_with = "measure")]
    measure: Option<Measuring>,
    most_downtime_ms: Option<u64>,
    suspend: Option<bool>,
    max_attempts: Option<u32>,
}

impl File {
    pub(super) fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError::syntax(path, text, &error))
    }

    pub(super) fn resolve(self, path: &Path) -> Result<Config, ConfigError> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let wrong = |key: String, message: String| ConfigError::Value { path: path.to_owned(), key, message };

        let ports = self.migration_ports.map(|ports| range("migration_ports".into(), ports, &wrong)).transpose()?;
        let limits = self.limits.resolve(&wrong)?;
        let mut hosts: Vec<HostConfig> = Vec::with_capacity(self.hosts.len());
        let mut places = Vec::new();
        for host in self.hosts {
            let key = |field: &str| format!("host.{}.{field}", host.name);
            if host.name.is_empty() || host.name.contains(char::is_whitespace) {
                return Err(wrong(
                    "host.name".into(),
                    format!("{:?} is no name: it must not be empty or hold a blank", host.name),
                ));
            }
            if hosts.iter().any(|other| other.name.as_str() == host.name) {
                return Err(wrong(key("name"), "this name is given to two hosts: names must differ".into()));
            }
            for address in &host.addresses {
                if address.parse::<IpAddr>().is_err() && !is_hostname(address) {
                    return Err(wrong(
                        key("addresses"),
                        format!("{address:?} is neither an IP address nor a host name"),
                    ));
                }
            }
            let own_ports =
                host.migration_ports.map(|ports| range(key("migration_ports"), ports, &wrong)).transpose()?;
            let way_probe = host.way_probe.map(|probe| probe.resolve(folder)).transpose();
            let way_probe = way_probe.map_err(|why| wrong(key("way_probe.ssh"), why))?;
            places.push((HostName::new(&host.name), host.networks));
            hosts.push(HostConfig {
                peer_uri: host.peer_uri,
                addresses: host.addresses,
                auth_file: host.auth_file.map(|file| folder.join(file)),
                unverified: if host.accept_unverified { Unverified::Accepted } else { Unverified::Refused },
                migration_ports: own_ports.or(ports),
                migration_tls: host.migration_tls,
                way_probe,
                limits,
                ..HostConfig::new(host.name, host.uri)
            });
        }

        let client = self.client.resolve(folder, &wrong)?;
        let kimchi = self.service.kimchi.resolve(&wrong)?;
        let service_limits = self.service.limits.resolve(&wrong)?;
        let traces = self.service.traces.map(|traces| traces.resolve(folder, &wrong)).transpose()?;
        let Service { socket, listen, socket_role, names, origins, tls, clients, issuers, .. } = self.service;
        let (listen, access) = WrittenAccess { listen, socket_role, names, origins, tls, clients, issuers }
            .resolve(folder, &hosts, &wrong)?;
        let written = Written {
            networks: self.declared,
            defaults: self.networks,
            clusters: self.clusters,
            rules: self.network_rules,
            hosts: places,
        };
        let networks = written.resolve(&wrong)?;
        let slots = self.migrations.resolve(&networks, &wrong)?;

        let mut plugins = BTreeMap::new();
        for (name, plugin) in self.plugin {
            let resolved = plugin.resolve(&name, &wrong)?;
            plugins.insert(PluginName::new(name), resolved);
        }
        let shipped = if self.plugins.shipped { places::shipped_plugins() } else { None };
        let default = Config::default();
        let state_dir = self.state_dir.map_or(default.state_dir, |dir| folder.join(dir));
        Ok(Config {
            file: Some(path.to_owned()),
            cache_dir: self.cache_dir.map_or(default.cache_dir, |dir| folder.join(dir)),
            hosts,
            plugin_folders: shipped
                .into_iter()
                .chain(self.plugins.folders.iter().map(|dir| folder.join(dir)))
                .collect(),
            policies: PolicyConfig {
                plugins,
                recovery: self.plugins.recovery.map(PluginName::new),
                convergence: self.plugins.convergence.map(PluginName::new),
            },
            overlay: None,
            engine: waypost_engine::Settings {
                networks: networks.into(),
                slots,
                encryption: self.transfers.encryption,
                controller: places::controller_name(&state_dir),
                ..self.engine.resolve(&wrong)?
            },
            socket: socket.map_or(default.socket, |path| folder.join(path)),
            listen,
            access,
            kimchi,
            limits: service_limits,
            traces,
            client,
            state_dir,
        })
    }
}

impl Connections {
    fn resolve(self, wrong: &impl Fn(String, String) -> ConfigError) -> Result<HostLimits, ConfigError> {
        let default = HostLimits::default();
        let at_least_one = |key: &str, value: Option<u32>| match value {
            Some(0) => Err(wrong(format!("limits.{key}"), "0 would never let an answer come: at least 1".into())),
            value => Ok(value),
        };
        let time = |key: &str, value: Option<u32>, default: Duration| {
            at_least_one(key, value).map(|s| s.map_or(default, |s| Duration::from_secs(s.into())))
        };
        Ok(HostLimits {
            open: time("open_s", self.open_s, default.open)?,
            read: time("read_s", self.read_s, default.read)?,
            order: time("order_s", self.order_s, default.order)?,
            keepalive_interval_s: at_least_one("keepalive_interval_s", self.keepalive_interval_s)?
                .unwrap_or(default.keepalive_interval_s),
            keepalive_count: at_least_one("keepalive_count", self.keepalive_count)?.unwrap_or(default.keepalive_count),
        })
    }
}

impl Plugin {
    fn resolve(self, name: &str, wrong: &impl Fn(String, String) -> ConfigError) -> Result<PluginConfig, ConfigError> {
        let key = format!("plugin.{name}.settings");
        let settings = serde_json::to_string(&self.settings)
            .map_err(|error| wrong(key, format!("can't be written as JSON: {error}")))?;
        let limits = self.limits.resolve(name, wrong)?;
        Ok(PluginConfig { presence: self.presence, mode: self.mode, settings, grants: self.grants, limits })
    }
}

impl PluginLimits {
    fn resolve(self, name: &str, wrong: &impl Fn(String, String) -> ConfigError) -> Result<Limits, ConfigError> {
        let key = |field: &str| format!("plugin.{name}.limits.{field}");
        let count = |field, value, most: u64| within(key(field), value, 1..=most, wrong);
        let size = |field, value, most: usize| within(key(field), value, 1..=most, wrong);
        let default = Limits::default();
        Ok(Limits {
            // A quarter of an hour of computing.
            fuel: count("fuel", self.fuel, 1_000_000_000_000)?.unwrap_or(default.fuel),
            deadline_ms: within(key("deadline_ms"), self.deadline_ms, 10..=600_000, wrong)?
                .unwrap_or(default.deadline_ms),
            memory_bytes: size("memory_mib", self.memory_mib, SLOT_MEMORY_BYTES >> 20)?
                .map_or(default.memory_bytes, |mib| mib << 20),
            host_calls: count("host_calls", self.host_calls, 1_000_000_000)?.unwrap_or(default.host_calls),
            // No more than a policy can have in its memory.
            lifted_bytes: size("lifted_kib", self.lifted_kib, SLOT_MEMORY_BYTES >> 10)?
                .map_or(default.lifted_bytes, |kib| kib << 10),
        })
    }
}

impl Engine {
    fn resolve(self, wrong: &impl Fn(String, String) -> ConfigError) -> Result<waypost_engine::Settings, ConfigError> {
        let default = waypost_engine::Settings::default();
        let number = |key: &str, value: Option<u64>, range: RangeInclusive<u64>| {
            within(format!("engine.{key}"), value, range, wrong)
        };
        let ms = |key, value, default| {
            number(key, value, 10..=3_600_000).map(|value| value.map_or(default, Duration::from_millis))
        };
        let s = |key, value, most, default| {
            number(key, value, 1..=most).map(|value| value.map_or(default, Duration::from_secs))
        };
        Ok(waypost_engine::Settings {
            steer_every: ms("steer_every_ms", self.steer_every_ms, default.steer_every)?,
            stall_after: s("stall_s", self.stall_s, 3600, default.stall_after)?,
            sever: self.sever.unwrap_or(default.sever),
            set_throttle: self.set_throttle.unwrap_or(default.set_throttle),
            measure: self.measure.unwrap_or(default.measure),
            most_downtime_ms: number("most_downtime_ms", self.most_downtime_ms, 1..=MAX_DOWNTIME_MS)?
                .unwrap_or(default.most_downtime_ms),
            suspend: self.suspend.unwrap_or(default.suspend),
            sample_every: ms("sample_every_ms", self.sample_every_ms, default.sample_every)?,
            look_every: ms("look_every_ms", self.look_every_ms, default.look_every)?,
            cancel_poll: ms("cancel_poll_ms", self.cancel_poll_ms, default.cancel_poll)?,
            patience: s("patience_s", self.patience_s, DAY_S, default.patience)?,
            max_attempts: match self.max_attempts {
                Some(0) => {
                    return Err(wrong("engine.max_attempts".into(), "0 would let nothing begin: at least 1".into()));
                }
                attempts => attempts.unwrap_or(default.max_attempts),
            },
            proof_holds: s("proof_holds_s", self.proof_holds_s, 7 * DAY_S, default.proof_holds)?,
            ..default
        })
    }
}

const DAY_S: u64 = 86_400;

/// A number in its range; one outside is refused with it, never altered.
pub(super) fn within<T: Copy + PartialOrd + fmt::Display>(
    key: String,
    value: Option<T>,
    range: RangeInclusive<T>,
    wrong: &impl Fn(String, String) -> ConfigError,
) -> Result<Option<T>, ConfigError> {
    match value {
        Some(value) if !range.contains(&value) => {
            Err(wrong(key, format!("{value} is outside {} to {}", range.start(), range.end())))
        }
        value => Ok(value),
    }
}

fn range(
    key: String,
    (first, last): (u16, u16),
    wrong: &impl Fn(String, String) -> ConfigError,
) -> Result<(u16, u16), ConfigError> {
    if first == 0 || first > last {
        return Err(wrong(
            key,
            format!("[{first}, {last}] is no range of ports: the first must be 1 or more and not above the last"),
        ));
    }
    Ok((first, last))
}

fn is_hostname(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

fn word<'de, D: Deserializer<'de>, T: Copy>(
    from: D,
    all: &'static [T],
    name: fn(T) -> &'static str,
) -> Result<T, D::Error> {
    let text = String::deserialize(from)?;
    all.iter().copied().find(|word| name(*word) == text).ok_or_else(|| {
        let allowed: Vec<_> = all.iter().map(|word| name(*word)).collect();
        serde::de::Error::custom(format!("unknown word {text:?}, allowed: {}", allowed.join(", ")))
    })
}

fn presence<'de, D: Deserializer<'de>>(from: D) -> Result<Presence, D::Error> {
    word(from, Presence::ALL, Presence::as_str)
}

fn mode<'de, D: Deserializer<'de>>(from: D) -> Result<PolicyMode, D::Error> {
    word(from, PolicyMode::ALL, PolicyMode::as_str)
}

fn encryption<'de, D: Deserializer<'de>>(from: D) -> Result<Encryption, D::Error> {
    word(from, Encryption::ALL, Encryption::as_str)
}

fn measure<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Measuring>, D::Error> {
    word(from, Measuring::ALL, Measuring::as_str).map(Some)
}

fn grants<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeSet<Grant>, D::Error> {
    struct One(Grant);
    impl<'de> Deserialize<'de> for One {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            word(from, Grant::ALL, Grant::as_str).map(One)
        }
    }
    Ok(Vec::<One>::deserialize(from)?.into_iter().map(|one| one.0).collect())
}
