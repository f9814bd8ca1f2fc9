//! Breaks something in a lab, and mends it.

use std::process::Command;
use std::time::Duration;

use waypost_lab::Link;

use crate::site::Site;

/// What breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9` of a guest's hypervisor process.
    KillQemu(&'static str),
    /// `kill -9` of libvirtd, which comes back after a while.
    KillDaemon { hosts: &'static [&'static str], back_after_s: u64 },
    /// The hosts lose their management link with each other; the controller keeps its own.
    CutManagement { s: u64 },
    /// The way of the memory.
    CutMigration { s: u64 },
    /// Both.
    CutBoth { s: u64 },
    /// A host loses its power, and comes back after a while.
    PowerLoss { host: &'static str, s: u64 },
    /// `kill -9` of the controller; another one takes the task over.
    KillController,
    /// The controller is stopped for a while.
    StopController { s: u64 },
}

impl Fault {
    pub fn name(&self) -> String {
        match self {
            Self::KillQemu(host) => format!("hypervisor process on {host} killed"),
            Self::KillDaemon { hosts, back_after_s: 0 } => format!("libvirtd on {} killed", hosts.join(" and ")),
            Self::KillDaemon { hosts, back_after_s } => {
                format!("libvirtd on {} killed, back after {back_after_s} s", hosts.join(" and "))
            }
            Self::CutManagement { s } => format!("management link cut for {s} s"),
            Self::CutMigration { s } => format!("migration link cut for {s} s"),
            Self::CutBoth { s } => format!("both links cut for {s} s"),
            Self::PowerLoss { host, s } => format!("{host} without power for {s} s"),
            Self::KillController => "controller killed".to_owned(),
            Self::StopController { s } => format!("controller stopped for {s} s"),
        }
    }

    /// Breaks it, and mends it again where that belongs to the fault.
    pub fn strike(&self, site: &Site, controller: u32) {
        let host = |name: &str| site.lab.host(name).expect("a host of the lab");
        match self {
            Self::KillQemu(name) => host(name).kill_qemu("g1").expect("the process is killed"),
            Self::KillDaemon { hosts, back_after_s } => {
                hosts.iter().for_each(|name| host(name).kill_libvirtd().expect("the daemon is killed"));
                lasts(*back_after_s);
                hosts.iter().for_each(|name| host(name).start_libvirtd().expect("the daemon is back"));
            }
            Self::CutManagement { s } => cut(site, &[Link::Management], *s),
            Self::CutMigration { s } => cut(site, &[Link::Migration], *s),
            Self::CutBoth { s } => cut(site, &[Link::Management, Link::Migration], *s),
            Self::PowerLoss { host: name, s } => {
                host(name).crash().expect("it loses its power");
                lasts(*s);
                host(name).power_on().expect("it has power again");
            }
            Self::KillController => signal(controller, "KILL"),
            Self::StopController { s } => {
                signal(controller, "STOP");
                lasts(*s);
                signal(controller, "CONT");
            }
        }
    }
}

/// The controller reaches the hosts by their sockets, which no cable carries.
fn cut(site: &Site, links: &[Link], s: u64) {
    let kvm2 = site.lab.host("kvm2").expect("a host of the lab");
    links.iter().for_each(|link| kvm2.cut(*link).expect("the link is cut"));
    lasts(s);
    links.iter().for_each(|link| kvm2.restore(*link).expect("the link is back"));
}

/// How long a trouble lasts is the fault itself.
#[allow(clippy::disallowed_methods, reason = "there is no event to wait for")]
fn lasts(s: u64) {
    std::thread::sleep(Duration::from_secs(s));
}

fn signal(process: u32, signal: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status().expect("kill runs");
    assert!(sent.success());
}
