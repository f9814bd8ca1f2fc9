//! What a lab shall look like.

use std::{env, path::PathBuf};

use serde::{Deserialize, Serialize};

/// A lab to be brought up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LabSpec {
    /// How many hosts, 1 to 16: kvm1, kvm2, ...
    pub hosts: u32,
    /// Where the lab keeps all its files. It must not exist or be empty, and it is removed with the lab.
    pub dir: PathBuf,
    /// Where what is slow to make is kept from one lab to the next.
    pub cache: PathBuf,
    /// How the libvirt daemons notice a dead peer.
    pub keepalive: Keepalive,
    /// What the lab's life is tied to.
    pub owner: Owner,
    /// How libvirt authenticates on its unencrypted TCP port.
    pub tcp_auth: TcpAuth,
    /// Whether the controller can log in to the hosts.
    pub ssh: SshAccess,
}

impl LabSpec {
    /// So many hosts in that directory, owned by this process, with libvirt's defaults.
    pub fn new(hosts: u32, dir: impl Into<PathBuf>) -> Self {
        Self {
            hosts,
            dir: dir.into(),
            cache: default_cache(),
            keepalive: Keepalive::default(),
            owner: Owner::ThisProcess,
            tcp_auth: TcpAuth::None,
            ssh: SshAccess::Closed,
        }
    }
}

/// When a libvirt daemon gives up on a silent peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keepalive {
    /// Seconds between two probes; -1 switches them off.
    pub interval: i32,
    /// Unanswered probes after which the peer counts as dead.
    pub count: u32,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { interval: 5, count: 5 }
    }
}

/// What a lab's life is tied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// It stays until it is taken down.
    Detached,
    /// It vanishes with this process, however that ends.
    ThisProcess,
}

/// Authentication on libvirt's TCP port, from clients and from other hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TcpAuth {
    /// None: whoever reaches the port is root.
    None,
    /// SASL with DIGEST-MD5; the hosts know the credentials for each other.
    DigestMd5 {
        /// The user name.
        user: String,
        /// The password.
        password: String,
    },
}

/// Logins to the hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SshAccess {
    /// No host runs an sshd.
    Closed,
    /// Every host runs one with a key of its own; it lets the controller's key in and nobody else.
    ControllerKey,
}

/// `$XDG_CACHE_HOME/waypost`, else `~/.cache/waypost`, else a folder of the system's cache.
pub fn default_cache() -> PathBuf {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    base.unwrap_or_else(|| PathBuf::from("/var/cache")).join("waypost")
}
