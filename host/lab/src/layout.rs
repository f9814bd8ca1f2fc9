//! Where everything of a lab lies, as seen from outside the hosts. The one list of paths and addresses.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where every host sees the shared store, also the target of its pool `shared`.
pub const SHARED: &str = "/srv/shared";
/// Where every host has images of its own, also the target of its pool `default`: the same path, a different store.
pub const LOCAL: &str = "/var/lib/libvirt/images";

/// The directory of a lab.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) dir: PathBuf,
}

impl Layout {
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.join("lab.json")
    }

    /// The pipe whose readers' end belongs to the lab's process 1.
    pub(crate) fn control(&self) -> PathBuf {
        self.dir.join("control")
    }

    /// What lies under the shared store.
    pub(crate) fn store(&self) -> PathBuf {
        self.dir.join("store")
    }

    pub(crate) fn pki(&self) -> PathBuf {
        self.dir.join("pki")
    }

    /// The controller's key and what it knows of the hosts.
    pub(crate) fn ssh(&self) -> PathBuf {
        self.dir.join("ssh")
    }

    pub(crate) fn ssh_key(&self) -> PathBuf {
        self.ssh().join("key")
    }

    pub(crate) fn ssh_known_hosts(&self) -> PathBuf {
        self.ssh().join("known_hosts")
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.dir.join("log").join(name)
    }

    pub(crate) fn guest(&self, name: &str, extension: &str) -> PathBuf {
        self.dir.join("guests").join(format!("{name}.{extension}"))
    }

    pub(crate) fn host(&self, name: &str) -> HostLayout {
        HostLayout { dir: self.dir.join("hosts").join(name) }
    }
}

/// The directory of one host.
#[derive(Clone, Debug)]
pub(crate) struct HostLayout {
    pub(crate) dir: PathBuf,
}

impl HostLayout {
    pub(crate) fn etc_libvirt(&self) -> PathBuf {
        self.dir.join("etc-libvirt")
    }

    pub(crate) fn etc_pki(&self) -> PathBuf {
        self.dir.join("etc-pki")
    }

    pub(crate) fn etc_sasl2(&self) -> PathBuf {
        self.dir.join("etc-sasl2")
    }

    /// There only if the host runs an sshd, as are the two after it.
    pub(crate) fn etc_ssh(&self) -> PathBuf {
        self.dir.join("etc-ssh")
    }

    pub(crate) fn etc_passwd(&self) -> PathBuf {
        self.dir.join("etc-passwd")
    }

    pub(crate) fn etc_shadow(&self) -> PathBuf {
        self.dir.join("etc-shadow")
    }

    pub(crate) fn etc_hosts(&self) -> PathBuf {
        self.dir.join("etc-hosts")
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.dir.join("run")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.run().join("libvirt/libvirt-sock")
    }

    /// The pipe on which process 1 says that the host has its files.
    pub(crate) fn ready(&self) -> PathBuf {
        self.dir.join("ready")
    }

    pub(crate) fn images(&self) -> PathBuf {
        self.dir.join("var-lib/images")
    }

    /// Where QEMU writes what guests print.
    pub(crate) fn serials(&self) -> PathBuf {
        self.dir.join("var-log/qemu")
    }

    pub(crate) fn serial(&self, domain: &str) -> PathBuf {
        self.serials().join(format!("{domain}.serial"))
    }

    /// Every directory that is bound over one of the machine's, or needed inside such a one.
    pub(crate) fn directories(&self) -> [PathBuf; 11] {
        [
            self.etc_libvirt().join("storage/autostart"),
            self.etc_libvirt().join("qemu"),
            self.etc_pki().join("CA"),
            self.etc_pki().join("libvirt/private"),
            self.etc_pki().join("qemu"),
            self.images(),
            self.dir.join("var-cache"),
            self.dir.join("var-log/qemu"),
            self.dir.join("overlay"),
            self.run().join("libvirt"),
            self.run().join("lock"),
        ]
    }
}

/// One of the two cables of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Link {
    /// eth0, 10.77.0.I: libvirt's own connections.
    Management,
    /// eth1, 10.88.0.I: a network for migration data, used when the migration URI names it.
    Migration,
}

impl Link {
    pub(crate) const BOTH: [Link; 2] = [Link::Management, Link::Migration];

    pub(crate) fn switch(self) -> &'static str {
        match self {
            Link::Management => "br-mgmt",
            Link::Migration => "br-mig",
        }
    }

    /// The host's end.
    pub fn interface(self) -> &'static str {
        match self {
            Link::Management => "eth0",
            Link::Migration => "eth1",
        }
    }

    /// The switch's end.
    pub(crate) fn port(self, host: u32) -> String {
        match self {
            Link::Management => format!("v{host}-mgmt"),
            Link::Migration => format!("v{host}-mig"),
        }
    }

    /// The same after every boot: what neighbours remember of a host stays true, as it does of a real one.
    pub(crate) fn hardware_address(self, host: u32) -> String {
        match self {
            Link::Management => format!("02:00:0a:4d:00:{host:02x}"),
            Link::Migration => format!("02:00:0a:58:00:{host:02x}"),
        }
    }

    pub(crate) fn address(self, host: u32) -> String {
        match self {
            Link::Management => format!("10.77.0.{host}"),
            Link::Migration => format!("10.88.0.{host}"),
        }
    }

    /// The address of IPv6, where a lab has them; hosts have numbers below 17, and the controller 254.
    pub(crate) fn address6(self, host: u32) -> String {
        match self {
            Link::Management => format!("fd00:77::{host}"),
            Link::Migration => format!("fd00:88::{host}"),
        }
    }
}

/// kvm1, kvm2, ...
pub(crate) fn host_name(index: u32) -> String {
    format!("kvm{index}")
}

/// Unix sockets have short names: sun_path holds 108 bytes with the final zero.
pub(crate) fn fits_a_socket(dir: &Path) -> bool {
    Layout { dir: dir.to_owned() }.host(&host_name(16)).socket().as_os_str().len() < 108
}
