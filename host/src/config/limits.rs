//! `[service.limits]`: what one client may cost the others.

use serde::Deserialize;
use waypost_policy::FILE_BYTES;
use waypost_service::Limits;

use super::ConfigError;

/// The table as a person writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenLimits {
    requests_per_second: Option<u32>,
    request_burst: Option<u32>,
    requests: Option<u32>,
    body_kib: Option<u32>,
    listeners: Option<u32>,
    connections: Option<u32>,
    connections_of_one: Option<u32>,
    upload_mib: Option<u32>,
}

impl WrittenLimits {
    pub(super) fn resolve(self, wrong: &impl Fn(String, String) -> ConfigError) -> Result<Limits, ConfigError> {
        let within = |key: &str, value: Option<u32>, least: u32, most: u32| match value {
            Some(value) if !(least..=most).contains(&value) => {
                Err(wrong(format!("service.limits.{key}"), format!("{value} is outside {least} to {most}")))
            }
            value => Ok(value),
        };
        let size = |key, value, most, default: usize| {
            within(key, value, 1, most).map(|value| value.map_or(default, |value| value as usize))
        };
        let default = Limits::default();
        Ok(Limits {
            requests_per_second: within("requests_per_second", self.requests_per_second, 0, 1_000_000)?
                .unwrap_or(default.requests_per_second),
            request_burst: within("request_burst", self.request_burst, 1, 1_000_000)?.unwrap_or(default.request_burst),
            requests: size("requests", self.requests, 65_536, default.requests)?,
            body_bytes: size("body_kib", self.body_kib, 65_536, default.body_bytes >> 10)? << 10,
            watchers: size("listeners", self.listeners, 1_000_000, default.watchers)?,
            connections: size("connections", self.connections, 1_000_000, default.connections)?,
            connections_of_one: size(
                "connections_of_one",
                self.connections_of_one,
                1_000_000,
                default.connections_of_one,
            )?,
            upload_bytes: size("upload_mib", self.upload_mib, MOST_UPLOAD_MIB, default.upload_bytes >> 20)? << 20,
            ..default
        })
    }
}

/// A larger file is no policy, whoever brings it.
const MOST_UPLOAD_MIB: u32 = (FILE_BYTES >> 20) as u32;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;
    use super::*;

    fn read(text: &str) -> Result<Limits, String> {
        let text = format!("[service.limits]\n{text}");
        let read = Config::parse(&text, Path::new("/etc/waypost/waypost.toml"));
        read.map(|config| config.limits).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_said_is_as_it_is_without_a_word() {
        assert_eq!(read("").unwrap(), Limits::default());
        let written = read("requests_per_second = 0\nbody_kib = 2\nlisteners = 3\nconnections_of_one = 4\n").unwrap();
        let meant = Limits {
            requests_per_second: 0,
            body_bytes: 2048,
            watchers: 3,
            connections_of_one: 4,
            ..Limits::default()
        };
        assert_eq!(written, meant);
    }

    #[test]
    fn what_is_out_of_range_is_named_with_the_range() {
        for (line, said) in [
            ("requests_per_second = 1000001", "requests_per_second: 1000001 is outside 0 to 1000000"),
            ("request_burst = 0", "request_burst: 0 is outside 1 to 1000000"),
            ("requests = 0", "requests: 0 is outside 1 to 65536"),
            ("body_kib = 65537", "body_kib: 65537 is outside 1 to 65536"),
            ("listeners = 0", "listeners: 0 is outside 1 to 1000000"),
            ("connections = 0", "connections: 0 is outside 1 to 1000000"),
            ("connections_of_one = 0", "connections_of_one: 0 is outside 1 to 1000000"),
            ("upload_mib = 65", "upload_mib: 65 is outside 1 to 64"),
            ("connections_of_on = 1", "connections_of_on"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
