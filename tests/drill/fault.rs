//! Breaks something in a lab, and mends it.

use std::fs;
use std::process::Command;
use std::time::Duration;

use waypost_lab::{LOCAL, Link};

use crate::scene::Scene;

/// What breaks while a domain travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9` of a guest's hypervisor process.
    KillQemu(&'static str),
    /// `kill -9` of libvirtd, which comes back after a while.
    KillDaemon { hosts: &'static [&'static str], back_after_s: u64 },
    /// A host loses these links, for a while or until the verdict: with the other host, and the management link with the
    /// controller, too, where that reaches the hosts by their cables.
    Cut { host: &'static str, links: &'static [Link], s: Option<u64> },
    /// Packets get lost on the way of the memory, by chance.
    Loss { percent: u8, s: u64 },
    /// What travels arrives that much later.
    Delay { ms: u64 },
    /// The way of the memory carries nothing any more, for a while or until the verdict, and no connection is closed.
    HalfOpen { s: Option<u64> },
    /// A host loses its power, and comes back after a while.
    PowerLoss { host: &'static str, s: u64 },
    /// The disk on which the copy is made has no more room.
    DiskFull,
    /// The pool of the copy is stopped, so that the copy can't be removed by it, and then the copying fails.
    PoolStopped,
    /// `kill -9` of the controller; another one takes the task over.
    KillController,
    /// The controller is stopped for a while.
    StopController { s: u64 },
    /// The disk of the controller's own store has no more room, until the verdict.
    StoreFull,
    /// The hypervisor process on the destination is killed, and the policy that is asked what to do never answers.
    HangingPolicy,
}

/// Sets of links.
pub struct Links {
    pub management: &'static [Link],
    pub migration: &'static [Link],
    pub both: &'static [Link],
}

pub const LINKS: Links = Links {
    management: &[Link::Management],
    migration: &[Link::Migration],
    both: &[Link::Management, Link::Migration],
};

/// What takes the room of a disk.
const FILLER: &str = "filler";

impl Fault {
    pub fn name(&self) -> String {
        match self {
            Self::KillQemu(host) => format!("hypervisor process on {host} killed"),
            Self::KillDaemon { hosts, back_after_s: 0 } => format!("libvirtd on {} killed", hosts.join(" and ")),
            Self::KillDaemon { hosts, back_after_s } => {
                format!("libvirtd on {} killed, back after {back_after_s} s", hosts.join(" and "))
            }
            Self::Cut { host, links, s } => {
                let links = match links {
                    [Link::Management] => "management link",
                    [Link::Migration] => "migration link",
                    _ => "both links",
                };
                // Between two hosts it is all the same; said is what also takes the source from the controller.
                let whose = if *host == "kvm1" { " of kvm1" } else { "" };
                match s {
                    Some(s) => format!("{links}{whose} cut for {s} s"),
                    None => format!("{links}{whose} cut for good"),
                }
            }
            Self::Loss { percent, s } => format!("{percent} % of packets lost for {s} s"),
            Self::Delay { ms } => format!("{ms} ms of delay"),
            Self::HalfOpen { s: Some(s) } => format!("connections half open for {s} s"),
            Self::HalfOpen { s: None } => "connections half open for good".to_owned(),
            Self::PowerLoss { host, s } => format!("{host} without power for {s} s"),
            Self::DiskFull => "disk of the copy full".to_owned(),
            Self::PoolStopped => "pool of the copy stopped".to_owned(),
            Self::KillController => "controller killed".to_owned(),
            Self::StopController { s } => format!("controller stopped for {s} s"),
            Self::StoreFull => "store of the controller full".to_owned(),
            Self::HangingPolicy => "recovery policy hangs".to_owned(),
        }
    }

    /// Breaks it, and mends it again where that belongs to the fault.
    pub fn strike(&self, scene: &Scene, controller: u32) {
        let host = |name: &str| scene.site.lab.host(name).expect("a host of the lab");
        match self {
            Self::KillQemu(name) => host(name).kill_qemu("g1").expect("the process is killed"),
            Self::KillDaemon { hosts, back_after_s } => {
                hosts.iter().for_each(|name| host(name).kill_libvirtd().expect("the daemon is killed"));
                lasts(*back_after_s);
                hosts.iter().for_each(|name| host(name).start_libvirtd().expect("the daemon is back"));
            }
            Self::Cut { host: name, links, s } => {
                links.iter().for_each(|link| host(name).cut(*link).expect("the link is cut"));
                if let Some(s) = s {
                    lasts(*s);
                    restore(scene, name, links);
                }
            }
            Self::Loss { percent, s } => {
                host("kvm2").lose(Link::Migration, *percent).expect("packets get lost");
                lasts(*s);
                host("kvm2").lose(Link::Migration, 0).expect("packets arrive again");
            }
            Self::Delay { ms } => scene.relay().delay(Duration::from_millis(*ms)),
            Self::HalfOpen { s } => {
                scene.relay().hold();
                if let Some(s) = s {
                    lasts(*s);
                    scene.relay().release();
                }
            }
            Self::PowerLoss { host: name, s } => {
                host(name).crash().expect("it loses its power");
                lasts(*s);
                host(name).power_on().expect("it has power again");
            }
            Self::DiskFull => fill(&host("kvm2").inside(LOCAL).expect("its images")),
            Self::PoolStopped => {
                scene.site.virsh("kvm2", &["pool-destroy", "default"]);
                host("kvm2").kill_qemu("g1").expect("the process is killed");
            }
            Self::KillController => signal(controller, "KILL"),
            Self::StopController { s } => {
                signal(controller, "STOP");
                lasts(*s);
                signal(controller, "CONT");
            }
            Self::StoreFull => fill(&scene.store()),
            Self::HangingPolicy => host("kvm2").kill_qemu("g1").expect("the process is killed"),
        }
    }

    /// Mends what lasts until the verdict.
    pub fn mend(&self, scene: &Scene) {
        let host = |name: &str| scene.site.lab.host(name).expect("a host of the lab");
        match self {
            Self::Cut { host, links, s: None } => restore(scene, host, links),
            Self::Delay { .. } => scene.relay().delay(Duration::ZERO),
            Self::HalfOpen { s: None } => scene.relay().release(),
            Self::DiskFull => empty(&host("kvm2").inside(LOCAL).expect("its images")),
            Self::StoreFull => empty(&scene.store()),
            Self::PoolStopped => drop(host("kvm2").virsh(&["pool-start", "default"])),
            _ => {}
        }
    }

    /// The host to whose daemon the way is cut.
    pub fn cuts_off(&self) -> Option<&'static str> {
        match self {
            Self::Cut { host, links, .. } if links.contains(&Link::Management) => Some(*host),
            _ => None,
        }
    }

    /// Whether the trouble is the controller's alone.
    pub fn is_our_own(&self) -> bool {
        matches!(self, Self::StoreFull | Self::HangingPolicy)
    }

    /// Whether a controller may end without having brought the task to its end.
    pub fn ends_controller(&self) -> bool {
        matches!(self, Self::KillController | Self::StoreFull)
    }
}

fn restore(scene: &Scene, host: &str, links: &[Link]) {
    let host = scene.site.lab.host(host).expect("a host of the lab");
    links.iter().for_each(|link| host.restore(*link).expect("the link is back"));
}

/// Takes all the room there is.
fn fill(folder: &std::path::Path) {
    let path = folder.join(FILLER);
    let mut room: u64 = 1 << 20;
    let mut filler = fs::File::create(&path).expect("a file that takes the room");
    // Smaller and smaller pieces, until not even a page fits.
    while room >= 4096 {
        use std::io::Write as _;
        let piece = vec![0xff; usize::try_from(room).expect("a small number")];
        match filler.write_all(&piece).and_then(|()| filler.sync_all()) {
            Ok(()) => {}
            Err(_) => room /= 4,
        }
    }
    assert!(fs::metadata(&path).is_ok_and(|file| file.len() > 0), "{} was full before", folder.display());
}

fn empty(folder: &std::path::Path) {
    fs::remove_file(folder.join(FILLER)).expect("the room is given back");
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
