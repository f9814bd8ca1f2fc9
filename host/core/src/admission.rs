//! May this request become a task at all? Pure, before any host is asked.

use thiserror::Error;

use crate::ids::{DomainId, TaskId};
use crate::request::{MigrationRequest, Mode, Persistence, SourceDefinition};

/// QEMU's own upper bound of the downtime limit, ms.
pub const MAX_DOWNTIME_MS: u64 = 2_000_000;

/// Why a request is refused. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Source and destination are one configured host.
    #[error("source and destination are the same host, {0}: name another destination")]
    SameHost(String),
    /// A number out of its range.
    #[error("{option} is {value}, which is outside {range}")]
    OutOfRange {
        /// Option.
        option: &'static str,
        /// Given.
        value: u64,
        /// Allowed.
        range: &'static str,
    },
    /// Two options that exclude each other.
    #[error("{first} and {second} exclude each other: {why}")]
    Conflict {
        /// One.
        first: &'static str,
        /// Other.
        second: &'static str,
        /// Reason.
        why: &'static str,
    },
    /// A text that can't be what it should be.
    #[error("{option} {text:?} {why}")]
    Malformed {
        /// Option.
        option: &'static str,
        /// Given.
        text: String,
        /// Reason and remedy.
        why: &'static str,
    },
}

/// Checks a request by itself.
pub fn admit(request: &MigrationRequest) -> Result<(), Refusal> {
    let options = &request.options;
    if request.source.as_ref() == Some(&request.destination) {
        return Err(Refusal::SameHost(request.destination.to_string()));
    }
    in_range("bandwidth (MiB/s)", options.bandwidth_mib_s, 1, u64::from(u32::MAX), "1 to 4294967295")?;
    in_range("max-downtime (ms)", options.max_downtime_ms, 1, MAX_DOWNTIME_MS, "1 to 2000000")?;
    in_range("timeout (s)", Some(options.timeout_s), 1, 31_536_000, "1 to 31536000 (a year)")?;
    if options.persistence == Persistence::Transient && options.source_definition == SourceDefinition::Undefine {
        return Err(Refusal::Conflict {
            first: "transient",
            second: "undefining the source",
            why: "no definition would be left on either host; add keep-source, or drop transient",
        });
    }
    if options.mode == Mode::Offline {
        let why = "an offline migration moves a definition, no memory";
        for (given, second) in [
            (options.bandwidth_mib_s.is_some(), "bandwidth"),
            (options.max_downtime_ms.is_some(), "max-downtime"),
            (options.persistence == Persistence::Transient, "transient"),
            (options.network.is_some(), "network"),
        ] {
            if given {
                return Err(Refusal::Conflict { first: "offline", second, why });
            }
        }
    }
    if options.network.is_some() && options.migrate_uri.is_some() {
        return Err(Refusal::Conflict {
            first: "network",
            second: "migrate-uri",
            why: "the URI says where the memory goes already; drop one of them",
        });
    }
    if let Some(name) = &options.destination_name
        && (name.is_empty() || name.contains('/') || name.contains('\0') || name.trim() != name)
    {
        return Err(Refusal::Malformed {
            option: "name",
            text: name.clone(),
            why: "is no domain name: it must not be empty, hold a slash, or begin or end with a space",
        });
    }
    if let Some(uri) = &options.migrate_uri
        && !["tcp://", "rdma://", "unix://"].iter().any(|scheme| uri.starts_with(scheme))
    {
        return Err(Refusal::Malformed {
            option: "migrate-uri",
            text: uri.clone(),
            why: "is no migration URI: it begins with tcp://, rdma:// or unix://",
        });
    }
    Ok(())
}

fn in_range(option: &'static str, value: Option<u64>, low: u64, high: u64, range: &'static str) -> Result<(), Refusal> {
    match value {
        Some(value) if value < low || value > high => Err(Refusal::OutOfRange { option, value, range }),
        _ => Ok(()),
    }
}

/// A domain has at most one unfinished task.
pub fn exclusive(domain: DomainId, unfinished: &[(TaskId, DomainId)]) -> Result<(), TaskId> {
    unfinished.iter().find(|(_, d)| *d == domain).map_or(Ok(()), |(task, _)| Err(*task))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{DomainKey, HostName};
    use crate::request::Options;

    fn request(options: Options) -> MigrationRequest {
        MigrationRequest {
            domain: DomainKey::Name("g1".into()),
            source: None,
            destination: HostName::new("b"),
            options,
            requester: "test".into(),
        }
    }

    #[test]
    fn defaults_are_admitted() {
        assert_eq!(admit(&request(Options::default())), Ok(()));
    }

    #[test]
    fn a_transient_destination_needs_a_kept_source() {
        let options = Options { persistence: Persistence::Transient, ..Options::default() };
        assert!(matches!(admit(&request(options.clone())), Err(Refusal::Conflict { .. })));
        let kept = Options { source_definition: SourceDefinition::Keep, ..options };
        assert_eq!(admit(&request(kept)), Ok(()));
    }

    #[test]
    fn numbers_have_bounds() {
        for (options, ok) in [
            (Options { bandwidth_mib_s: Some(0), ..Options::default() }, false),
            (Options { bandwidth_mib_s: Some(1), ..Options::default() }, true),
            (Options { max_downtime_ms: Some(2_000_001), ..Options::default() }, false),
            (Options { max_downtime_ms: Some(2_000_000), ..Options::default() }, true),
            (Options { timeout_s: 0, ..Options::default() }, false),
        ] {
            assert_eq!(admit(&request(options.clone())).is_ok(), ok, "{options:?}");
        }
    }

    #[test]
    fn offline_takes_no_option_of_a_transfer() {
        let options = Options { mode: Mode::Offline, bandwidth_mib_s: Some(5), ..Options::default() };
        assert!(admit(&request(options)).unwrap_err().to_string().starts_with("offline and bandwidth"));
    }

    #[test]
    fn a_network_needs_a_transfer_and_no_other_address() {
        let on = Options { network: Some("mig".into()), ..Options::default() };
        assert_eq!(admit(&request(on.clone())), Ok(()));
        let offline = Options { mode: Mode::Offline, ..on.clone() };
        assert!(admit(&request(offline)).unwrap_err().to_string().starts_with("offline and network"));
        let both = Options { migrate_uri: Some("tcp://192.0.2.1".into()), ..on };
        assert!(admit(&request(both)).unwrap_err().to_string().starts_with("network and migrate-uri"));
    }

    #[test]
    fn names_and_uris_are_looked_at() {
        for name in ["", "a/b", " a"] {
            let options = Options { destination_name: Some(name.into()), ..Options::default() };
            assert!(admit(&request(options)).is_err(), "{name:?}");
        }
        let options = Options { migrate_uri: Some("http://x".into()), ..Options::default() };
        assert!(admit(&request(options)).is_err());
    }
}
