//! `[service.kimchi]`: whether the service also speaks to Kimchi's clients, and what those can't say themselves.

use serde::Deserialize;
use waypost_core::admission::MAX_DOWNTIME_MS;
use waypost_libvirt::HostConfig;
use waypost_service::{Kimchi, KnownHost};

use super::ConfigError;

/// A year: the most that a request may ask for.
const MAX_TIMEOUT_S: u64 = 31_536_000;

/// The table as a person writes it. Its settings have the names that vdsm gave them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenKimchi {
    enabled: bool,
    migration_destination_timeout: Option<u64>,
    migration_max_bandwidth: Option<u64>,
    migration_downtime: Option<u64>,
    rdma: bool,
}

impl WrittenKimchi {
    /// None where the routes are not wanted; what is written is checked in any case.
    pub(super) fn resolve(self, wrong: &impl Fn(String, String) -> ConfigError) -> Result<Option<Kimchi>, ConfigError> {
        let default = Kimchi::default();
        let within = |key: &str, value: Option<u64>, default: u64, least: u64, most: u64| match value {
            Some(value) if !(least..=most).contains(&value) => {
                Err(wrong(format!("service.kimchi.{key}"), format!("{value} is outside {least} to {most}")))
            }
            value => Ok(value.unwrap_or(default)),
        };
        let kimchi = Kimchi {
            migration_destination_timeout: within(
                "migration_destination_timeout",
                self.migration_destination_timeout,
                default.migration_destination_timeout,
                1,
                MAX_TIMEOUT_S,
            )?,
            migration_max_bandwidth: within(
                "migration_max_bandwidth",
                self.migration_max_bandwidth,
                default.migration_max_bandwidth,
                0,
                u64::from(u32::MAX),
            )?,
            migration_downtime: within(
                "migration_downtime",
                self.migration_downtime,
                default.migration_downtime,
                1,
                MAX_DOWNTIME_MS,
            )?,
            rdma: self.rdma,
        };
        Ok(self.enabled.then_some(kimchi))
    }
}

/// A host, as a client of Kimchi may name it.
pub(crate) fn known(host: &HostConfig) -> KnownHost {
    let uris = host.peer_uri.as_deref().into_iter().chain([host.uri.as_str()]);
    KnownHost::new(host.name.clone(), &host.addresses, uris)
}
