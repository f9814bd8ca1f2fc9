//! What a lab needs of the machine, checked before anything is touched, so that a new user gets one list and not one
//! surprise after the other.

use std::{env, fmt, path::PathBuf, process::Command};

use nix::unistd::{AccessFlags, access};

use crate::privilege::Privilege;

/// Something that the machine lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The program, device or capability.
    pub what: String,
    /// How to get it: for a program, the Debian package.
    pub remedy: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is missing ({})", self.what, self.remedy)
    }
}

/// Everything that is missing for a lab of libvirt hosts with tick guests; empty if it can start.
pub fn requirements() -> Vec<Missing> {
    let mut missing: Vec<Missing> = PROGRAMS.iter().filter_map(|(name, package)| absent(name, package)).collect();
    for (device, module) in [("/dev/fuse", "fuse"), ("/dev/net/tun", "tun")] {
        if access(device, AccessFlags::R_OK | AccessFlags::W_OK).is_err() {
            let remedy = format!("modprobe {module}, and chmod 666 {device} for a plain user");
            missing.push(Missing { what: format!("access to {device}"), remedy });
        }
    }
    if find("unshare").is_some() {
        missing.extend(Privilege::of_this_process().missing());
    }
    missing
}

/// What a Linux guest needs on top.
pub fn linux_guest_requirements() -> Vec<Missing> {
    LINUX_GUEST_PROGRAMS.iter().filter_map(|(name, package)| absent(name, package)).collect()
}

/// What [`TcpAuth::DigestMd5`](crate::TcpAuth::DigestMd5) needs on top.
pub fn sasl_requirements() -> Vec<Missing> {
    absent("saslpasswd2", "sasl2-bin libsasl2-modules libsasl2-modules-db").into_iter().collect()
}

/// What [`SshAccess::ControllerKey`](crate::SshAccess::ControllerKey) needs on top.
pub fn ssh_requirements() -> Vec<Missing> {
    SSH_PROGRAMS.iter().filter_map(|(name, package)| absent(name, package)).collect()
}

/// A command for a program of the machine; if it is missing, running it says so.
pub(crate) fn program(name: &str) -> Command {
    Command::new(find(name).unwrap_or_else(|| PathBuf::from(name)))
}

/// Where a program is, looked up the way a shell run by root does: a plain user's PATH lacks the sbin folders.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
    env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|file| file.is_file())
}

const PROGRAMS: &[(&str, &str)] = &[
    ("libvirtd", "libvirt-daemon"),
    ("virsh", "libvirt-clients"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("qemu-img", "qemu-utils"),
    ("certtool", "gnutls-bin"),
    ("nasm", "nasm"),
    ("bindfs", "bindfs"),
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("mount", "mount"),
    ("hostname", "hostname"),
];

const LINUX_GUEST_PROGRAMS: &[(&str, &str)] =
    &[("busybox", "busybox-static"), ("cpio", "cpio"), ("apt-get", "apt"), ("apt-cache", "apt"), ("dpkg-deb", "dpkg")];

/// The last one is what libvirt's client looks for at the other end, with `nc -U` in its place on older hosts.
const SSH_PROGRAMS: &[(&str, &str)] = &[
    ("sshd", "openssh-server"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("virt-ssh-helper", "libvirt-daemon"),
];

fn absent(program: &str, package: &str) -> Option<Missing> {
    let remedy = || format!("apt-get install {package}");
    find(program).is_none().then(|| Missing { what: program.to_owned(), remedy: remedy() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_reported_with_the_package_that_has_it() {
        let missing = absent("no-such-program", "some-package").unwrap();
        assert_eq!(missing.to_string(), "no-such-program is missing (apt-get install some-package)");
    }

    #[test]
    fn a_program_that_is_there_is_not_reported() {
        assert_eq!(absent("sh", "dash"), None);
    }
}
