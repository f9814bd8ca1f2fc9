//! `waypost migrate`, the whole command with its prechecks, against `virsh migrate` with the same flags on the same guest,
//! in every mode. Each mode is measured twice: with a guest whose transfer takes five seconds or more, for wall time and
//! bytes; and with a small one and many more pairs, for downtime and for what the command costs beside the transfer.

use std::fs;
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt as _;
use std::time::Instant;

use serde_json::Value;
use waypost_lab::{DiskPlace, GuestSpec};

use crate::Figure;
use crate::shuttle::{HOSTS, Listener, Run, Shuttle, writer};
use crate::site::Site;
use crate::statistics::{Interval, median, spread};

/// Pairs are measured until the interval of their differences, or ratios, is narrow enough to say something, but no more than
/// the most. Because it is looked at after every pair and ends them, it covers a little less than the 95 % of an interval of
/// so many pairs that were chosen before; `docs/figures.md` says so.
type Pairs = RangeInclusive<usize>;
const SMALL_PAIRS: Pairs = 10..=120;
const NARROW_MS: f64 = 4.0;
const NARROW_RATIO: f64 = 0.02;

/// What has to be done for it beside calling the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Direct,
    /// The guest's own processors stand still.
    Paused,
    Offline,
    PostCopy,
    FullCopy,
    IncrementalCopy,
    Tls,
}

/// One way to move a guest, in both languages.
#[derive(Debug)]
pub struct Mode {
    pub name: &'static str,
    pub kind: Kind,
    pub waypost: &'static [&'static str],
    pub virsh: &'static [&'static str],
    /// MiB/s for the large guest.
    bandwidth: &'static str,
    /// Memory of the large guest, and how much of it was ever written, MiB.
    memory: (u32, u32),
    /// Pairs with the large guest.
    pairs: Pairs,
}

const fn mode(
    name: &'static str,
    kind: Kind,
    waypost: &'static [&'static str],
    virsh: &'static [&'static str],
) -> Mode {
    Mode { name, kind, waypost, virsh, bandwidth: "110", memory: (1024, 640), pairs: 6..=16 }
}

const MODES: &[Mode] = &[
    mode("peer-to-peer, live", Kind::Plain, &[], &["--live"]),
    // Long enough to be worth a measurement of what the guest writes, and one that only looks so.
    Mode {
        bandwidth: "10",
        memory: (640, 560),
        pairs: 3..=6,
        ..mode("slow network, a minute", Kind::Plain, &[], &["--live"])
    },
    Mode {
        bandwidth: "20",
        memory: (1024, 160),
        ..mode("slow network, most memory unused", Kind::Plain, &[], &["--live"])
    },
    mode("direct", Kind::Direct, &["--direct"], &["--live"]),
    mode("tunnelled", Kind::Plain, &["--tunnelled"], &["--live", "--tunnelled"]),
    mode("non-live", Kind::Plain, &["--non-live"], &[]),
    mode("a paused guest", Kind::Paused, &[], &["--live"]),
    mode("offline", Kind::Offline, &["--offline"], &["--offline"]),
    mode(
        "2 parallel connections",
        Kind::Plain,
        &["--parallel", "2"],
        &["--live", "--parallel", "--parallel-connections", "2"],
    ),
    mode(
        "compressed, xbzrle",
        Kind::Plain,
        &["--compress", "xbzrle", "--compress-xbzrle-cache", "67108864"],
        &["--live", "--compressed", "--comp-methods", "xbzrle", "--comp-xbzrle-cache", "67108864"],
    ),
    // It hands over each page to its threads, which share two cores with the guest and the hypervisor: left to them, one run differs
    // from the next by a third, whoever starts it. Pages of counters shrink to some bytes, so that only a limit of this size makes
    // the time the network's.
    Mode {
        bandwidth: "1",
        pairs: 6..=24,
        ..mode(
            "compressed, mt",
            Kind::Plain,
            &[
                "--compress",
                "mt",
                "--compress-mt-level",
                "1",
                "--compress-mt-threads",
                "1",
                "--compress-mt-dthreads",
                "1",
            ],
            &[
                "--live",
                "--compressed",
                "--comp-methods",
                "mt",
                "--comp-mt-level",
                "1",
                "--comp-mt-threads",
                "1",
                "--comp-mt-dthreads",
                "1",
            ],
        )
    },
    mode("auto-converge", Kind::Plain, &["--auto-converge"], &["--live", "--auto-converge"]),
    mode("TLS", Kind::Tls, &["--tls"], &["--live", "--tls"]),
    mode("post-copy", Kind::PostCopy, &["--postcopy"], &["--live", "--postcopy"]),
    mode("full disk copy", Kind::FullCopy, &["--copy-storage", "full"], &["--live", "--copy-storage-all"]),
    mode(
        "incremental disk copy",
        Kind::IncrementalCopy,
        &["--copy-storage", "incremental"],
        &["--live", "--copy-storage-inc", "--migrate-disks", "vdb"],
    ),
];

/// Fewer pairs, for a quick look: nobody should take a promise as kept because of it.
fn at_most() -> usize {
    std::env::var("WAYPOST_BENCH_PAIRS").ok().and_then(|pairs| pairs.parse().ok()).unwrap_or(usize::MAX)
}

pub fn measure(only: &[String]) -> Vec<Figure> {
    let asked = |mode: &&Mode| only.is_empty() || only.iter().any(|part| mode.name.contains(part.as_str()));
    MODES.iter().filter(asked).flat_map(|mode| crate::unbroken(mode.name, || one(mode))).collect()
}

/// On two hosts of its own, so that a mode that breaks off leaves nothing to the next one.
fn one(mode: &Mode) -> Vec<Figure> {
    let site = Site::new(2);
    let listeners = HOSTS.map(|host| Listener::on(&site, host));
    if mode.kind == Kind::Tls {
        let plain = fs::read_to_string(site.config()).expect("the configuration");
        let encrypted = plain.replace("\npeer_uri", "\nmigration_tls = true\npeer_uri");
        fs::write(site.config(), encrypted).expect("the configuration is written");
    }
    let began = Instant::now();
    let mut figures = small(&site, &listeners, mode, "small");
    if mode.kind != Kind::Offline {
        figures.push(large(&site, &listeners, mode, "large"));
    }
    println!("{}: {:.0} s", mode.name, began.elapsed().as_secs_f64());
    figures
}

impl Mode {
    /// A guest of that mode on kvm1; the disks that travel along hold so many MiB.
    fn guest(&self, site: &Site, name: &str, memory: (u32, u32), disk_mib: u32) {
        let mut spec = writer(name, memory.0, memory.1, 1);
        match self.kind {
            Kind::FullCopy => {
                spec = GuestSpec { disk: DiskPlace::Local, disk_mib, ..writer(name, 64, 8, 1) };
                site.lab.define_guest(&spec).expect("the guest is defined");
                let image = site.lab.host("kvm1").expect("a host").images().join(format!("{name}.img"));
                let file = fs::OpenOptions::new().write(true).open(image).expect("its image");
                for mib in 1..u64::from(disk_mib) {
                    file.write_all_at(&[0x5a; 1 << 20], mib << 20).expect("it is filled");
                }
                site.virsh("kvm1", &["start", name]);
            }
            Kind::IncrementalCopy => {
                let image = overlay(name);
                spec = GuestSpec { devices_xml: second_disk(&image), ..writer(name, 64, 8, 1) };
                for host in HOSTS {
                    layered(site, host, name, disk_mib);
                }
                inside(
                    site,
                    "kvm1",
                    &["qemu-io", "-f", "qcow2", "-c", &format!("write -P 0xab 0 {disk_mib}M"), &image],
                );
                site.start_guest(&spec);
            }
            Kind::Offline => {
                site.lab.define_guest(&spec).expect("the guest is defined");
            }
            _ => site.start_guest(&spec),
        }
        if self.kind == Kind::Paused {
            site.virsh("kvm1", &["suspend", name]);
        }
    }

    /// What has to be as it was before the next run, for either command.
    pub fn make_ready(&self, site: &Site, guest: &str, from: &str, to: &str) {
        match self.kind {
            Kind::FullCopy => {
                // Both commands leave the images behind, and neither writes over what is there.
                let images = site.lab.host(to).expect("a host").images();
                let _ = fs::remove_file(images.join(format!("{guest}.img")));
                HOSTS.iter().for_each(|host| drop(site.virsh(host, &["pool-refresh", "default"])));
            }
            Kind::IncrementalCopy => {
                let size = inside(site, from, &["qemu-img", "info", "-U", "--output", "json", &overlay(guest)]);
                let size: Value = serde_json::from_str(&size).expect("JSON");
                let mib = size["virtual-size"].as_u64().expect("a size") >> 20;
                layered(site, to, guest, u32::try_from(mib).expect("a small disk"));
                site.virsh(to, &["pool-refresh", "default"]);
            }
            Kind::Paused => {
                // QEMU 7.2 aborts when a guest leaves that arrived paused and never ran since, whoever moves it.
                site.virsh(from, &["resume", guest]);
                site.virsh(from, &["suspend", guest]);
            }
            _ => {}
        }
    }
}

/// Where the hosts keep their images, as they see it.
const IMAGES: &str = "/var/lib/libvirt/images";

fn overlay(guest: &str) -> String {
    format!("{IMAGES}/{guest}-data.qcow2")
}

fn second_disk(image: &str) -> String {
    format!(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/>\
         <source file='{image}'/><target dev='vdb' bus='virtio'/></disk>"
    )
}

/// A fresh overlay on its base.
fn layered(site: &Site, host: &str, guest: &str, mib: u32) {
    let (base, size) = (format!("{IMAGES}/{guest}-base.qcow2"), format!("{mib}M"));
    inside(site, host, &["qemu-img", "create", "-q", "-f", "qcow2", &base, &size]);
    inside(site, host, &["qemu-img", "create", "-q", "-f", "qcow2", "-b", &base, "-F", "qcow2", &overlay(guest)]);
}

fn inside(site: &Site, host: &str, words: &[&str]) -> String {
    let output = site.lab.host(host).and_then(|host| host.run(words)).unwrap_or_else(|e| panic!("{words:?}: {e}"));
    assert!(output.status.success(), "{words:?} on {host}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A guest whose copy takes virsh five seconds or more. The limit makes the time the network's, as it is in a real site.
fn large(site: &Site, listeners: &[Listener; 2], mode: &Mode, guest: &str) -> Figure {
    mode.guest(site, guest, mode.memory, 640);
    let mut shuttle = Shuttle { site, listeners, mode, guest, bandwidth: Some(mode.bandwidth), at: 0 };
    let (mut virsh, mut ratios, mut splits) = (Vec::new(), Vec::new(), Vec::new());
    let (mut bytes, mut transfers) = (Vec::new(), Vec::new());
    for number in 0..(*mode.pairs.end()).min(at_most()) {
        let (peer, own) = shuttle.pair(number);
        println!("  {}, pair {}: virsh {:.2} s, waypost {:.2} s", mode.name, number + 1, peer.seconds, own.seconds);
        ratios.push(own.seconds / peer.seconds);
        if let Some((own, peer)) = own.job.zip(peer.job) {
            bytes.push(own.bytes / peer.bytes);
            transfers.push(own.ms / peer.ms);
        }
        splits.push(Split::of_last_task(site, own));
        virsh.push(peer.seconds);
        if number + 1 >= *mode.pairs.start() && Interval::of(&ratios).half_width() <= NARROW_RATIO {
            break;
        }
    }
    gone(site, &shuttle);
    let Interval { middle, least, most } = Interval::of(&ratios);
    let long_enough = median(&virsh) >= 5.0;
    Figure {
        what: format!("{}: wall time of `waypost migrate` / `virsh migrate`, {} pairs", mode.name, ratios.len()),
        measured: format!(
            "{middle:.3} times (95 %: {least:.3} to {most:.3}), pairs {}, virsh {}; libvirt's own time of the transfer {}, \
             bytes {}; {}",
            spread(&ratios, "times"),
            spread(&virsh, "s"),
            spread(&transfers, "times"),
            spread(&bytes, "times"),
            Split::median(&splits),
        ),
        promise: if long_enough { "at most 1.05" } else { "to be told: virsh took less than 5 s" },
        kept: !long_enough || middle <= 1.05,
    }
}

fn small(site: &Site, listeners: &[Listener; 2], mode: &Mode, guest: &str) -> Vec<Figure> {
    mode.guest(site, guest, (64, 8), 8);
    // Slow enough to be switched while it is on its way.
    let bandwidth = (mode.kind == Kind::PostCopy).then_some("4");
    let mut shuttle = Shuttle { site, listeners, mode, guest, bandwidth, at: 0 };
    shuttle.pair(0);
    let (mut extra, mut virsh, mut differences) = (Vec::new(), Vec::new(), Vec::new());
    let mut downtimes = (Vec::new(), Vec::new());
    for number in 0..(*SMALL_PAIRS.end()).min(at_most().saturating_mul(3)) {
        let (peer, own) = shuttle.pair(number);
        extra.push((own.seconds - peer.seconds) * 1000.0);
        virsh.push(peer.seconds);
        if let Some((own, peer)) = own.job.zip(peer.job) {
            differences.push(own.downtime_ms - peer.downtime_ms);
            downtimes.0.push(own.downtime_ms);
            downtimes.1.push(peer.downtime_ms);
        }
        let narrow = differences.is_empty() || Interval::of(&differences).half_width() <= NARROW_MS;
        if number + 1 >= *SMALL_PAIRS.start() && narrow {
            break;
        }
    }
    gone(site, &shuttle);
    // The promise is about the usual way; what the others cost beside the transfer is told.
    let promised = std::ptr::eq(mode, &raw const MODES[0]);
    let mut figures = vec![Figure {
        what: format!("{}: what `waypost migrate` takes more than `virsh migrate`, small guest", mode.name),
        measured: format!("median {}, virsh {}", spread(&extra, "ms"), spread(&virsh, "s")),
        promise: if promised { "at most 150 ms" } else { "to be told" },
        kept: !promised || median(&extra) <= 150.0,
    }];
    // A guest that stands still all the way has no other downtime than the transfer's time.
    if mode.kind != Kind::Paused && !differences.is_empty() {
        let Interval { middle, least, most } = Interval::of(&differences);
        figures.push(Figure {
            what: format!("{}: libvirt's own downtime, waypost minus virsh", mode.name),
            measured: format!(
                "{middle:+.1} ms (95 %: {least:+.1} to {most:+.1}), waypost {}, virsh {}",
                spread(&downtimes.0, "ms"),
                spread(&downtimes.1, "ms")
            ),
            promise: "at most 10 ms, the upper end of the interval included",
            kept: most <= 10.0,
        });
    }
    figures
}

fn gone(site: &Site, shuttle: &Shuttle<'_>) {
    let host = HOSTS[shuttle.at];
    if shuttle.mode.kind != Kind::Offline {
        site.virsh(host, &["destroy", shuttle.guest]);
    }
    site.virsh(host, &["undefine", shuttle.guest]);
}

/// Where the time of one `waypost migrate` went, ms: its journal tells, and what is left is the process itself.
struct Split {
    process: f64,
    judging: f64,
    preparing: f64,
    verifying: f64,
}

impl Split {
    fn of_last_task(site: &Site, run: Run) -> Self {
        let tasks = site.waypost(&["tasks", "--json"]).expect_code(0).json();
        let id = tasks.pointer("/tasks/0/id").and_then(Value::as_str).expect("a task").to_owned();
        let task = site.waypost(&["task", &id, "--json"]).expect_code(0).json();
        let journal = task["journal"].as_array().expect("a journal");
        let at = |kind: &str| {
            let entry =
                journal.iter().find(|entry| entry["record"] == kind).unwrap_or_else(|| panic!("{kind}: {task:#}"));
            ms_of_day(entry["at"].as_str().expect("a moment"))
        };
        let between = |from: &str, to: &str| (at(to) - at(from)).rem_euclid(86_400_000.0);
        Self {
            process: run.seconds * 1000.0 - between("accepted", "ended"),
            judging: between("accepted", "planned"),
            preparing: between("planned", "perform-intended"),
            verifying: between("perform-returned", "ended"),
        }
    }

    fn median(all: &[Self]) -> String {
        let of = |part: fn(&Self) -> f64| median(&all.iter().map(part).collect::<Vec<_>>());
        format!(
            "beside the transfer {:.0} ms for start and end of the process, {:.0} for facts, prechecks and plan, {:.0} to \
             prepare, {:.0} to verify",
            of(|s| s.process),
            of(|s| s.judging),
            of(|s| s.preparing),
            of(|s| s.verifying)
        )
    }
}

/// `2026-01-31T12:34:56.789Z`.
fn ms_of_day(text: &str) -> f64 {
    let time = text.split_once('T').expect("a moment").1.trim_end_matches('Z');
    let parts: Vec<f64> = time.split(':').map(|part| part.parse().expect("a number")).collect();
    (parts[0] * 3600.0 + parts[1] * 60.0 + parts[2]) * 1000.0
}
