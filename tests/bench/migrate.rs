//! `waypost migrate`, the whole command with its prechecks, against `virsh migrate` with the same flags on the same
//! guest, in alternating pairs. The guest goes to and fro, so each pair begins on the host where the last one ended and
//! the two commands take turns in going first.

use std::time::Instant;

use waypost_lab::{GuestSpec, Program};

use crate::Figure;
use crate::site::Site;
use crate::statistics::{median, paired_difference, spread};

const LARGE_PAIRS: usize = 7;
const SMALL_PAIRS: usize = 20;

pub fn measure() -> Vec<Figure> {
    let site = Site::new(2);
    let mut figures = Vec::new();
    figures.push(large(&site));
    figures.extend(small(&site));
    figures
}

/// One whole command, in seconds, and the downtime that libvirt measured, in milliseconds.
struct Run {
    seconds: f64,
    downtime_ms: f64,
}

/// Where the guest is: it is moved to the other host.
struct Shuttle<'a> {
    site: &'a Site,
    guest: &'a str,
    at: usize,
    bandwidth: Option<&'static str>,
}

const HOSTS: [&str; 2] = ["kvm1", "kvm2"];

impl Shuttle<'_> {
    fn virsh(&mut self) -> Run {
        let (from, to) = (HOSTS[self.at], HOSTS[1 - self.at]);
        let uri = self.site.lab.host(from).expect("a host").uri_unix();
        let peer = self.site.lab.host(to).expect("a host").uri_peer();
        let mut command = std::process::Command::new("virsh");
        command.args(["-q", "-c", &uri, "migrate", "--live", "--p2p", "--persistent", "--undefinesource"]);
        if let Some(limit) = self.bandwidth {
            command.args(["--bandwidth", limit]);
        }
        command.args([self.guest, &peer]);
        self.run(command)
    }

    fn waypost(&mut self) -> Run {
        let to = HOSTS[1 - self.at];
        let mut arguments = vec!["migrate", self.guest, "--to", to];
        if let Some(limit) = self.bandwidth {
            arguments.extend(["--bandwidth", limit]);
        }
        let command = self.site.command(&arguments);
        self.run(command)
    }

    fn run(&mut self, mut command: std::process::Command) -> Run {
        let began = Instant::now();
        let output = command.output().expect("the command runs");
        let seconds = began.elapsed().as_secs_f64();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        self.at = 1 - self.at;
        // libvirt's own figure, read where both commands leave it: on the destination.
        let info = self.site.virsh(HOSTS[self.at], &["domjobinfo", self.guest, "--completed", "--keep-completed"]);
        let line = info.lines().find_map(|l| l.strip_prefix("Total downtime:")).expect("libvirt tells the downtime");
        let downtime_ms = line.split_whitespace().next().and_then(|n| n.parse().ok()).expect("a number");
        Run { seconds, downtime_ms }
    }

    /// virsh's run and ours, the two taking turns in going first.
    fn pair(&mut self, number: usize) -> (Run, Run) {
        if number.is_multiple_of(2) {
            let virsh = self.virsh();
            (virsh, self.waypost())
        } else {
            let waypost = self.waypost();
            (self.virsh(), waypost)
        }
    }
}

fn guest(site: &Site, name: &str, memory_mib: u32, working_set: u32, dirty: u16) {
    let mut spec = GuestSpec::tick(name);
    spec.memory_mib = memory_mib;
    if let Program::Tick { working_set_mib, dirty_pages_per_tick, .. } = &mut spec.program {
        *working_set_mib = working_set;
        *dirty_pages_per_tick = dirty;
    }
    site.start_guest(&spec);
}

/// A guest whose copy takes virsh five seconds or more. The limit makes the time the network's, as it is in a real site.
fn large(site: &Site) -> Figure {
    guest(site, "large", 1024, 620, 1);
    let mut shuttle = Shuttle { site, guest: "large", at: 0, bandwidth: Some("110") };
    shuttle.pair(0);
    let (mut virsh, mut ratios) = (Vec::new(), Vec::new());
    for number in 0..LARGE_PAIRS {
        let (peer, ours) = shuttle.pair(number);
        println!("large guest, pair {}: virsh {:.3} s, waypost {:.3} s", number + 1, peer.seconds, ours.seconds);
        ratios.push(ours.seconds / peer.seconds);
        virsh.push(peer.seconds);
    }
    site.virsh(HOSTS[shuttle.at], &["destroy", "large"]);
    let ratio = median(&ratios);
    assert!(median(&virsh) >= 5.0, "the large guest is too small for this machine: virsh took {:.2} s", median(&virsh));
    Figure {
        what: format!("wall time of `waypost migrate` / `virsh migrate`, large guest, {LARGE_PAIRS} pairs"),
        measured: format!("median ratio {}, virsh {}", spread(&ratios, ""), spread(&virsh, "s")),
        promise: "at most 1.05",
        kept: ratio <= 1.05,
    }
}

fn small(site: &Site) -> [Figure; 2] {
    guest(site, "small", 64, 8, 1);
    let mut shuttle = Shuttle { site, guest: "small", at: 0, bandwidth: None };
    shuttle.pair(0);
    let (mut extra, mut virsh, mut downtimes) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..SMALL_PAIRS {
        let (peer, ours) = shuttle.pair(number);
        extra.push((ours.seconds - peer.seconds) * 1000.0);
        virsh.push(peer.seconds);
        downtimes.push((ours.downtime_ms, peer.downtime_ms));
    }
    let (mean, half) = paired_difference(&downtimes);
    let own: Vec<f64> = downtimes.iter().map(|(ours, _)| *ours).collect();
    let peer: Vec<f64> = downtimes.iter().map(|(_, peer)| *peer).collect();
    [
        Figure {
            what: format!("what `waypost migrate` takes more than `virsh migrate`, small guest, {SMALL_PAIRS} pairs"),
            measured: format!("median {}, virsh {}", spread(&extra, "ms"), spread(&virsh, "s")),
            promise: "at most 150 ms",
            kept: median(&extra) <= 150.0,
        },
        Figure {
            what: format!("libvirt's own downtime, waypost minus virsh, {SMALL_PAIRS} pairs"),
            measured: format!(
                "{mean:+.1} ms ± {half:.1} ms (95 %), waypost {}, virsh {}",
                spread(&own, "ms"),
                spread(&peer, "ms")
            ),
            promise: "at most 10 ms, the upper end of the interval included",
            kept: mean + half <= 10.0,
        },
    ]
}
