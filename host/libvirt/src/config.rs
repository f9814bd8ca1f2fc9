//! What the configuration says of a host.

use std::path::PathBuf;
use std::time::Duration;

use waypost_core::facts::MigrationPorts;
use waypost_core::ids::HostName;

use crate::forwarding::WayProbe;
use crate::uri::without_secrets;

/// A host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostConfig {
    /// What it is called here.
    pub name: HostName,
    /// libvirt URI by which this program reaches it.
    pub uri: String,
    /// libvirt URI by which other hosts' daemons reach it; none: it can't be a destination of a peer-to-peer migration.
    pub peer_uri: Option<String>,
    /// Its addresses, as far as the configuration tells.
    pub addresses: Vec<String>,
    /// SASL credentials in the format of libvirt's `auth.conf`. Nobody but its owner may be able to read it.
    pub auth_file: Option<PathBuf>,
    /// Whether a URI may switch off the check of host keys and certificates.
    pub unverified: Unverified,
    /// The range of `migration_port_min` and `_max` in its `qemu.conf`, where that was changed: libvirt tells nobody.
    pub migration_ports: Option<(u16, u16)>,
    /// Whether its hypervisor has certificates for encrypted transfers: libvirt tells nobody.
    pub migration_tls: bool,
    /// How its machine is asked to try a way to another one; none: it isn't.
    pub way_probe: Option<WayProbe>,
    /// Time limits.
    pub limits: Limits,
}

impl HostConfig {
    /// What is attempted where a connection is opened, for an error.
    pub(crate) fn opening(&self) -> String {
        format!("open a connection to {}", without_secrets(&self.uri))
    }

    /// Whether the other one is the same host, reached by the same way and with the same credentials: a connection to the one
    /// is a connection to the other. What else is said of it may differ.
    pub fn is_reached_as(&self, other: &Self) -> bool {
        let same_uris = self.uri == other.uri && self.peer_uri == other.peer_uri;
        self.name == other.name && same_uris && self.auth_file == other.auth_file && self.unverified == other.unverified
    }

    /// A host with everything else at its default.
    pub fn new(name: impl Into<String>, uri: impl Into<String>) -> Self {
        Self {
            name: HostName::new(name),
            uri: uri.into(),
            peer_uri: None,
            addresses: Vec::new(),
            auth_file: None,
            unverified: Unverified::Refused,
            migration_ports: None,
            migration_tls: false,
            way_probe: None,
            limits: Limits::default(),
        }
    }

    /// Migration ports, of which `in_use` are taken.
    pub(crate) fn ports(&self, in_use: u32) -> MigrationPorts {
        // libvirt's own defaults.
        let (first, last) = self.migration_ports.unwrap_or((49152, 49215));
        MigrationPorts { first, last, in_use }
    }
}

/// What becomes of a URI that says `no_verify=1` or the like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unverified {
    /// It is an error: no host key or certificate is accepted unseen.
    #[default]
    Refused,
    /// It is taken, because a person wrote so for this host.
    Accepted,
}

/// Time limits of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For opening a connection.
    pub open: Duration,
    /// For a call that reads. The first one on a host whose libvirt was just installed takes seconds: it tries out every
    /// emulator.
    pub read: Duration,
    /// For a call that changes something. libvirt itself waits 30 s for another job to let go of a domain, and what it
    /// says then is worth more than a deadline.
    pub order: Duration,
    /// Seconds of silence after which a connection is probed.
    pub keepalive_interval_s: u32,
    /// Unanswered probes after which it is given up.
    pub keepalive_count: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            open: Duration::from_secs(10),
            read: Duration::from_secs(15),
            order: Duration::from_secs(40),
            keepalive_interval_s: 5,
            keepalive_count: 5,
        }
    }
}
