//! May this request become a task at all? Pure, before any host is asked.

mod exclusions;
pub mod offline;

use thiserror::Error;

use crate::ids::{DomainId, TaskId};
use crate::request::{MigrationRequest, Mode, Options, Persistence, SourceDefinition};
use crate::stream::Encryption;

/// Upper bound of the downtime limit, ms: more than half an hour is no limit any more, and hypervisors refuse it.
pub const MAX_DOWNTIME_MS: u64 = 2_000_000;

/// Upper bound of a bandwidth limit, MiB/s.
pub const MAX_MIB_S: u64 = u32::MAX as u64;

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
    /// An option without what it is for.
    #[error("{option} needs {needs}: {remedy}")]
    Needs {
        /// Option.
        option: &'static str,
        /// What is missing.
        needs: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The guest is to be saved on the source and started from the image elsewhere.
    #[error("{}: {}; {}", Self::NO_HIBERNATION, Self::TWO_GUESTS, Self::SAVE_IT)]
    Hibernation,
    /// The site demands encryption, and the request refuses it.
    #[error(
        "no-tls is not allowed here: the configuration demands encrypted transfers ([transfers] encryption = \"required\")"
    )]
    Unencrypted,
    /// More attempts than the site allows.
    #[error(
        "attempts is {asked}, and {most} is the most that the configuration allows ([engine] max_attempts): ask for fewer"
    )]
    TooManyAttempts {
        /// Asked for.
        asked: u32,
        /// Allowed.
        most: u32,
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

impl Refusal {
    /// What is refused as [`Self::Hibernation`].
    pub const NO_HIBERNATION: &str =
        "mode hibernation, a save on the source and a start from that image elsewhere, is not made";
    /// Why.
    pub const TWO_GUESTS: &str = "libvirt keeps the saved image on the source and has no call that moves it, and once \
                                  there were two of it both hosts could start the guest";
    /// What to do instead.
    pub const SAVE_IT: &str = "move it live, or save it where it is with `virsh managedsave DOMAIN`: `virsh start DOMAIN` \
                               on that host goes on from the image, and then it can move";
}

/// Checks a request by itself.
pub fn admit(request: &MigrationRequest) -> Result<(), Refusal> {
    if request.source.as_ref() == Some(&request.destination) {
        return Err(Refusal::SameHost(request.destination.to_string()));
    }
    admit_options(&request.options)
}

/// Checks the choices alone: what a check is asked about is refused in the same words as a migration.
pub fn admit_options(options: &Options) -> Result<(), Refusal> {
    if options.mode == Mode::Hibernation {
        return Err(Refusal::Hibernation);
    }
    in_range("bandwidth (MiB/s)", options.bandwidth_mib_s, 1, MAX_MIB_S, "1 to 4294967295")?;
    in_range("max-downtime (ms)", options.max_downtime_ms, 1, MAX_DOWNTIME_MS, "1 to 2000000")?;
    in_range("timeout (s)", Some(options.timeout_s), 1, 31_536_000, "1 to 31536000 (a year)")?;
    in_range("attempts", options.attempts.map(u64::from), 1, u64::from(u32::MAX), "1 or more")?;
    if options.persistence == Persistence::Transient && options.source_definition == SourceDefinition::Undefine {
        return Err(Refusal::Conflict {
            first: "transient",
            second: "undefining the source",
            why: "no definition would be left on either host; add keep-source, or drop transient",
        });
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
    exclusions::check(options)
}

/// The options under what the site says of encryption: a request that leaves it open takes the site's word, and none can
/// have less than a site that requires it.
pub fn under_site(options: &Options, site: Encryption) -> Result<Options, Refusal> {
    // A definition goes over the daemons' own connection, which is as safe as its URI.
    if options.mode == Mode::Offline {
        return Ok(options.clone());
    }
    let encryption = match (options.stream.encryption, site) {
        (Encryption::Off, Encryption::Required) => return Err(Refusal::Unencrypted),
        (Encryption::Auto, site) => site,
        (asked, _) => asked,
    };
    let mut options = options.clone();
    options.stream.encryption = encryption;
    exclusions::check(&options)?;
    Ok(options)
}

/// Whether the site allows so many attempts.
pub fn within_attempts(options: &Options, most: u32) -> Result<(), Refusal> {
    match options.attempts {
        Some(asked) if asked > most => Err(Refusal::TooManyAttempts { asked, most }),
        _ => Ok(()),
    }
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
    fn a_hibernation_is_refused_whatever_else_is_wanted_and_says_what_to_do() {
        for options in [Options::default(), Options { bandwidth_mib_s: Some(0), ..Options::default() }] {
            let refused = admit(&request(Options { mode: Mode::Hibernation, ..options })).unwrap_err();
            assert_eq!(refused, Refusal::Hibernation);
            let words = refused.to_string();
            for part in [Refusal::NO_HIBERNATION, Refusal::TWO_GUESTS, Refusal::SAVE_IT] {
                assert!(words.contains(part) && !part.contains("  "), "{words}");
            }
        }
    }

    #[test]
    fn numbers_have_bounds() {
        for (options, ok) in [
            (Options { bandwidth_mib_s: Some(0), ..Options::default() }, false),
            (Options { bandwidth_mib_s: Some(1), ..Options::default() }, true),
            (Options { max_downtime_ms: Some(2_000_001), ..Options::default() }, false),
            (Options { max_downtime_ms: Some(2_000_000), ..Options::default() }, true),
            (Options { timeout_s: 0, ..Options::default() }, false),
            (Options { attempts: Some(0), ..Options::default() }, false),
            (Options { attempts: Some(1), ..Options::default() }, true),
        ] {
            assert_eq!(admit(&request(options.clone())).is_ok(), ok, "{options:?}");
        }
    }

    #[test]
    fn a_request_has_no_more_attempts_than_its_site() {
        let asked = |attempts| within_attempts(&Options { attempts, ..Options::default() }, 3);
        assert_eq!((asked(None), asked(Some(3))), (Ok(()), Ok(())));
        assert_eq!(asked(Some(4)), Err(Refusal::TooManyAttempts { asked: 4, most: 3 }));
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

    #[test]
    fn a_site_that_requires_encryption_is_never_given_less() {
        let with = |asked, change: fn(&mut Options)| {
            let mut options = Options::default();
            change(&mut options);
            options.stream.encryption = asked;
            options
        };
        let settled = |asked, site| under_site(&with(asked, |_| {}), site).map(|options| options.stream.encryption);
        use Encryption::{Auto, Off, Required};
        for (asked, site, comes_to) in [
            (Auto, Auto, Ok(Auto)),
            (Auto, Off, Ok(Off)),
            (Auto, Required, Ok(Required)),
            (Required, Off, Ok(Required)),
            (Required, Auto, Ok(Required)),
            (Required, Required, Ok(Required)),
            (Off, Auto, Ok(Off)),
            (Off, Off, Ok(Off)),
            (Off, Required, Err(Refusal::Unencrypted)),
        ] {
            assert_eq!(settled(asked, site), comes_to, "{asked} under {site}");
        }
        // What can't be encrypted can't be had there either.
        let tunnelled = with(Auto, |o| o.transport = crate::stream::Transport::Tunnelled);
        assert!(under_site(&tunnelled, Auto).is_ok());
        assert!(matches!(under_site(&tunnelled, Required), Err(Refusal::Conflict { second: "tls", .. })));
        // A definition alone has no stream.
        let offline = with(Auto, |o| o.mode = Mode::Offline);
        assert_eq!(under_site(&offline, Required), Ok(offline));
    }
}
