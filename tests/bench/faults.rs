//! From a fault to the truth, for both commands: how long until the command has ended and says how. What Waypost says is held
//! against where the guest runs. `make drill` breaks much more, and judges what is left; this is the comparison.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use waypost_lab::{Host, Link};

use crate::Figure;
use crate::shuttle::HOSTS;
use crate::site::Site;

/// Longer nobody waits here.
const PATIENCE: Duration = Duration::from_secs(60);
/// A daemon that died is started again, as every service manager does.
const BACK_AFTER: Duration = Duration::from_secs(10);

struct Fault {
    what: &'static str,
    strike: fn(&Host),
    mend: fn(&Host),
    mended_after: Duration,
    direct: bool,
}

const FAULTS: &[Fault] = &[
    Fault {
        what: "the destination's hypervisor process is killed",
        strike: |host| host.kill_qemu("g1").expect("it is killed"),
        mend: |_| {},
        mended_after: PATIENCE,
        direct: false,
    },
    Fault {
        what: "the migration link is cut while control lives",
        strike: |host| host.cut(Link::Migration).expect("it is cut"),
        mend: |host| host.restore(Link::Migration).expect("it is back"),
        mended_after: PATIENCE,
        direct: false,
    },
    Fault {
        what: "the destination's libvirtd is killed, back after 10 s, peer-to-peer",
        strike: |host| host.kill_libvirtd().expect("it is killed"),
        mend: |host| host.start_libvirtd().expect("it is back"),
        mended_after: BACK_AFTER,
        direct: false,
    },
    Fault {
        what: "the destination's libvirtd is killed, back after 10 s, direct",
        strike: |host| host.kill_libvirtd().expect("it is killed"),
        mend: |host| host.start_libvirtd().expect("it is back"),
        mended_after: BACK_AFTER,
        direct: true,
    },
];

pub fn measure() -> Vec<Figure> {
    FAULTS
        .iter()
        .map(|fault| {
            let (virsh, ..) = strike(fault, by_virsh);
            let (ours, said, runs_on) = strike(fault, by_waypost);
            let told = |time: Option<f64>| match time {
                Some(seconds) => format!("{seconds:.1} s"),
                None => format!("nothing within {} s", PATIENCE.as_secs()),
            };
            println!("  {}: virsh {}, waypost {}", fault.what, told(virsh), told(ours));
            Figure {
                what: format!("from the fault to the truth: {}", fault.what),
                measured: format!("waypost {} ({said}), virsh {}", told(ours), told(virsh)),
                promise: "it ends, and says where the guest runs",
                kept: ours.is_some() && is_true(&said, &runs_on),
            }
        })
        .collect()
}

/// Whether a sentence names the host on which the guest runs, and no other: one that comes soon and says nothing, or says
/// what isn't so, is no truth.
fn is_true(said: &str, runs_on: &[&str]) -> bool {
    let named = |host: &str| said.contains(&format!("running on {host}"));
    !runs_on.is_empty() && HOSTS.into_iter().all(|host| named(host) == runs_on.contains(&host))
}

/// Seconds from the fault to the end of the command, what it says of the guest, and where that runs once everything is mended.
fn strike(fault: &Fault, start: fn(&Site, &Host, bool) -> Child) -> (Option<f64>, String, Vec<&'static str>) {
    let site = Site::new(2);
    site.busy_guest("g1");
    let destination = site.lab.host("kvm2").expect("a host");
    let mut child = start(&site, &destination, fault.direct);
    site.until_copying("kvm1", "g1");
    (fault.strike)(&destination);
    let began = Instant::now();
    let (mut took, mut mended) = (None, false);
    while took.is_none() && began.elapsed() < PATIENCE {
        if !mended && began.elapsed() >= fault.mended_after {
            (fault.mend)(&destination);
            mended = true;
        }
        std::thread::park_timeout(Duration::from_millis(20));
        took = child.try_wait().expect("it can be waited for").map(|_| began.elapsed().as_secs_f64());
    }
    if took.is_none() {
        // What hangs may end by this, or by the mending: either is refused once the other has helped.
        let _ = site.lab.host("kvm1").and_then(|host| host.virsh(&["domjobabort", "g1"]));
    }
    if !mended {
        (fault.mend)(&destination);
    }
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout);
    let ended = said.lines().rfind(|line| line.contains("g1 is ")).unwrap_or_default().trim().to_owned();
    site.assert_one_counting_guest("g1");
    let runs_on = HOSTS.into_iter().filter(|host| site.state(host, "g1").as_deref() == Some("running")).collect();
    (took, ended, runs_on)
}

fn by_virsh(site: &Site, destination: &Host, direct: bool) -> Child {
    let (uri, listen) = (format!("tcp://{}", destination.migration_ip()), destination.migration_ip());
    let mut command = Command::new("virsh");
    command.args(["-q", "-c", &site.lab.host("kvm1").expect("a host").uri_unix(), "migrate", "--live", "--persistent"]);
    command.args(["--undefinesource", "--bandwidth", "40", "--migrateuri", &uri, "--listen-address", &listen]);
    let peer = if direct {
        destination.uri_unix()
    } else {
        command.arg("--p2p");
        destination.uri_peer()
    };
    command.args(["g1", &peer]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("virsh runs")
}

fn by_waypost(site: &Site, destination: &Host, direct: bool) -> Child {
    let (uri, listen) = (format!("tcp://{}", destination.migration_ip()), destination.migration_ip());
    let mut arguments = vec!["migrate", "g1", "--to", "kvm2", "--bandwidth", "40"];
    arguments.extend(["--migrate-uri", &uri, "--listen-address", &listen]);
    arguments.extend(direct.then_some("--direct"));
    site.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the command starts")
}
