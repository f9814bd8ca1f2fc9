//! The traps of libvirt and QEMU, each sprung for real: first what they do to somebody who walks into them, then that
//! Waypost doesn't. `docs/traps.md` lists all of them, with the tests of other files that spring the rest.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use waypost_lab::{DiskPlace, GuestSpec, Persistence};

use crate::site::Site;

/// virsh, whatever it answers: its words, and whether it says that it worked.
fn virsh(site: &Site, host: &str, arguments: &[&str]) -> Result<String, String> {
    site.lab.host(host).expect("a host of the lab").virsh(arguments).map_err(|error| error.to_string())
}

/// How a peer reaches the destination, for virsh.
fn peer(site: &Site) -> String {
    site.lab.host("kvm2").expect("kvm2").uri_peer()
}

/// What libvirt holds to be shared is a question of the file system's type alone: a folder that both hosts see, on no file
/// system of a cluster, is not, whatever the cache mode.
#[test]
fn a_disk_on_no_cluster_file_system_is_unsafe_to_libvirt_and_is_refused_before_it_is_asked() {
    let site = Site::new(2);
    // One file for both: the hosts have the machine's own folders beside what is theirs.
    let folder = site.config().with_file_name("plain");
    fs::create_dir(&folder).expect("a folder");
    let disk = |file: &str, more: &str| {
        let path = folder.join(file);
        fs::write(&path, vec![0; 1 << 20]).expect("an image");
        format!(
            "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='writeback'/><source file='{}'/>\
             <target dev='vdb' bus='virtio'/>{more}</disk>",
            path.display()
        )
    };
    site.start_guest(&GuestSpec { devices_xml: disk("g1.img", ""), ..GuestSpec::tick("g1") });
    site.start_guest(&GuestSpec { devices_xml: disk("g2.img", "<readonly/>"), ..GuestSpec::tick("g2") });
    site.start_guest(&GuestSpec { devices_xml: disk("g3.img", "<readonly/>"), ..GuestSpec::tick("g3") });
    let live = |guest: &str| virsh(&site, "kvm1", &["migrate", "--live", "--p2p", "--persistent", guest, &peer(&site)]);
    let refused = live("g1").expect_err("libvirt refuses it");
    assert!(refused.contains("Unsafe migration: Migration without shared storage is unsafe"), "{refused}");
    live("g2").expect("a disk that nobody writes is exempt");

    let refused = site.waypost(&["migrate", "g1", "--to", "kvm2", "--json"]).expect_code(3).json();
    assert_eq!(refused["outcome"]["kind"], "refused", "{refused:#}");
    let verdict = refused["verdict"].to_string();
    assert!(verdict.contains("storage-unproven") && verdict.contains("vdb"), "{refused:#}");
    assert_eq!((site.state("kvm1", "g1").as_deref(), site.state("kvm2", "g1")), (Some("running"), None));
    // A person may vouch for it; for one that nobody writes nobody has to.
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--unsafe"]).expect_code(0);
    site.waypost(&["migrate", "g3", "--to", "kvm2"]).expect_code(0);
    for guest in ["g1", "g2", "g3"] {
        assert_eq!(site.state("kvm2", guest).as_deref(), Some("running"), "{guest}");
        site.assert_one_counting_guest(guest);
    }
}

/// The lines that virsh tells of what happens on a host, once it listens: `domain` is defined anew there until it says so.
struct Listener {
    virsh: Child,
    lines: mpsc::Receiver<String>,
}

impl Listener {
    fn on(site: &Site, host: &str, domain: &str) -> Self {
        let uri = site.lab.host(host).expect("a host of the lab").uri_unix();
        // Line by line, although it is no terminal that it writes to.
        let mut virsh = Command::new("stdbuf")
            .args(["-oL", "virsh", "-c", &uri, "event", "--all", "--loop"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("virsh listens");
        let output = BufReader::new(virsh.stdout.take().expect("its output"));
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let listener = Self { virsh, lines };
        site.until("virsh listens", |site| {
            define(site, host, domain);
            listener.lines.recv_timeout(Duration::from_millis(200)).is_ok()
        });
        listener
    }

    /// What was told up to a definition that is made now. One that was told before is no such line any more.
    fn until_defined(self, site: &Site, host: &str, marker: &str) -> Vec<String> {
        define(site, host, marker);
        let mut told = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(60)) {
            if line.contains(&format!("'{marker}'")) {
                return told;
            }
            told.push(line);
        }
        panic!("{marker} was defined on {host}, and nothing told it: {told:#?}");
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.virsh.kill();
        let _ = self.virsh.wait();
    }
}

/// Defines a domain of no further use; defining it again is told as well.
fn define(site: &Site, host: &str, domain: &str) {
    let file = site.config().with_file_name(format!("{domain}.xml"));
    let xml = format!(
        "<domain type='qemu'><name>{domain}</name><uuid>{}</uuid><memory>1024</memory><os><type>hvm</type></os></domain>",
        // As long as the name is short, one of its own for each.
        format_args!("00000000-0000-4000-8000-{domain:0>12}")
    );
    fs::write(&file, xml).expect("the document is written");
    site.virsh(host, &["define", &file.to_string_lossy()]);
}

/// Where a definition leaves nothing is told, and no job is shown: whoever waits for an event waits for ever.
#[test]
fn a_definition_that_travels_is_told_by_nobody_on_its_source() {
    let site = Site::new(2);
    site.lab.define_guest(&GuestSpec::tick("g1")).expect("the guest is defined");
    let (source, destination) = (Listener::on(&site, "kvm1", "a1"), Listener::on(&site, "kvm2", "a2"));
    let moved = site.waypost(&["migrate", "g1", "--to", "kvm2", "--json"]).expect_code(0).json();
    assert_eq!(moved["outcome"]["kind"], "completed", "{moved:#}");
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("shut off")));
    let here = source.until_defined(&site, "kvm1", "b1");
    assert!(!here.iter().any(|line| line.contains("'g1'")), "the source told it after all: {here:#?}");
    let there = destination.until_defined(&site, "kvm2", "b2");
    let defined = |line: &String| line.contains("'g1'") && line.contains("Defined");
    assert!(there.iter().any(defined), "nothing is told there either: {there:#?}");
}

#[test]
fn undefining_the_source_without_defining_the_destination_succeeds_and_leaves_no_definition() {
    let site = Site::new(2);
    site.guest("g1");
    site.guest("g2");
    virsh(&site, "kvm1", &["migrate", "--live", "--p2p", "--undefinesource", "g1", &peer(&site)]).expect("it says yes");
    assert_eq!(site.state("kvm1", "g1"), None);
    assert!(site.virsh("kvm2", &["dominfo", "g1"]).contains("Persistent:     no"), "gone for good when it stops");

    // Asked for the same, Waypost refuses; and what it does unasked leaves one definition.
    let refused = site.waypost(&["migrate", "g2", "--to", "kvm2", "--transient"]);
    let told = format!("{}{}", refused.out, refused.err);
    assert!(matches!(refused.code, 2 | 3) && told.contains("keep"), "exit code {}: {told}", refused.code);
    assert_eq!(site.state("kvm1", "g2").as_deref(), Some("running"));
    site.waypost(&["migrate", "g2", "--to", "kvm2"]).expect_code(0);
    assert!(site.virsh("kvm2", &["dominfo", "g2"]).contains("Persistent:     yes"));
    site.assert_one_counting_guest("g2");
}

#[test]
fn an_offline_migration_of_a_running_domain_succeeds_and_moves_nothing() {
    let site = Site::new(2);
    site.guest("g1");
    virsh(&site, "kvm1", &["migrate", "--offline", "--persistent", "--p2p", "g1", &peer(&site)]).expect("it says yes");
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"), "it did not move");
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("shut off"), "a second definition is all that came of it");

    let refused = site.waypost(&["migrate", "g1", "--to", "kvm2", "--offline"]).expect_code(3);
    assert!(
        refused.out.contains("still-active") || refused.out.contains("only copy its definition"),
        "{}",
        refused.out
    );
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    // libvirt writes over a definition that is there without a word. Waypost says so, and keeps one in the end.
    let moved = site.waypost(&["migrate", "g1", "--to", "kvm2", "--json"]).expect_code(0).json();
    assert!(moved["verdict"].to_string().contains("definition-there"), "{moved:#}");
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("running")));
    site.assert_one_counting_guest("g1");
}

#[test]
fn statistics_that_can_be_read_once_are_told_and_left_for_others() {
    let site = Site::new(2);
    site.guest("g1");
    let task = site.waypost(&["migrate", "g1", "--to", "kvm2", "--json"]).expect_code(0).json();
    let told = task["outcome"]["summary"].as_str().unwrap_or_default().to_owned();
    assert!(told.contains("downtime"), "{task:#}");
    // Whoever reads them without keeping them takes them away, and found them still there.
    assert!(site.virsh("kvm2", &["domjobinfo", "g1", "--completed"]).contains("Total downtime"));
    assert!(!site.virsh("kvm2", &["domjobinfo", "g1", "--completed"]).contains("Total downtime"), "they are read once");

    // A transient domain leaves a source that knows nothing of it: nobody is left there to be asked.
    site.start_guest(&GuestSpec { persistence: Persistence::Transient, ..GuestSpec::tick("g2") });
    let task = site.waypost(&["migrate", "g2", "--to", "kvm2", "--json"]).expect_code(0).json();
    assert!(task["outcome"]["summary"].as_str().is_some_and(|told| told.contains("downtime")), "{task:#}");
}

#[test]
fn a_failure_makes_no_event_on_the_source_and_is_noticed() {
    let site = Site::new(2);
    site.busy_guest("g1");
    let uri = site.lab.host("kvm1").expect("kvm1").uri_unix();
    // Line by line, although it is no terminal that it writes to.
    let mut listening = Command::new("stdbuf")
        .args(["-oL", "virsh", "-c", &uri, "event", "--all", "--loop"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("virsh listens");
    let mut events = BufReader::new(listening.stdout.take().expect("its output")).lines().map_while(Result::ok);

    let child = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40", "--json"]);
    site.until_copying("kvm1", "g1");
    // It listens, or it would tell nothing whatever happened.
    assert!(events.any(|event| event.contains("migration-iteration")));
    site.lab.host("kvm2").and_then(|host| host.kill_qemu("g1")).expect("the incoming process is killed");
    let failed = child.wait_with_output().expect("the command ends");
    assert_eq!(failed.status.code(), Some(4), "{}", String::from_utf8_lossy(&failed.stderr));
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--max-downtime", "20000"]).expect_code(0);

    // Of both migrations the source tells the end of one.
    let mut ends = 0;
    for event in events.by_ref() {
        ends += usize::from(event.contains("lifecycle") && event.contains("Stopped"));
        assert!(!event.contains("Failed"), "the failure was told after all: {event}");
        if event.contains("Stopped") && event.contains("Migrated") {
            break;
        }
    }
    assert_eq!(ends, 1);
    listening.kill().expect("the listener is ended");
    listening.wait().expect("it ends");
    site.assert_one_counting_guest("g1");
}

/// What would slow a guest down while it travels is a change like any other: fewer vCPUs, and a pause that is to end. A limit of
/// its processor time is not tried: it needs a cgroup controller, and a host of the lab has none.
const SLOWER: [&[&str]; 2] = [&["setvcpus", "g1", "1", "--live"], &["resume", "g1"]];

/// What changes a domain waits behind its migration; what steers the migration must not.
#[test]
fn calls_that_wait_behind_the_job_hold_up_nobody() {
    // No policy may bring the job to its end meanwhile.
    let site = Site::with(2, "\n[plugin.convergence-adaptive]\nmode = \"shadow\"\n");
    site.busy_guest("g1");
    let child = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "20", "--json"]);
    site.until_copying("kvm1", "g1");
    let (task, there) = (site.only_task(), &site);
    thread::scope(|scope| {
        let waits = scope.spawn(|| virsh(&site, "kvm1", &["desc", "g1", "--live", "--new-desc", "waits"]));
        let slower = SLOWER.map(|words| scope.spawn(move || virsh(there, "kvm1", words)));
        site.waypost(&["steer", &task, "--max-downtime", "150"]).expect_code(0);
        site.until("the order is carried out", |site| {
            let record = site.waypost(&["task", &task, "--json"]).expect_code(0).out;
            record.contains("steer-settled")
        });
        let refused = waits.join().expect("virsh ends").expect_err("it waits for half a minute, in vain");
        assert!(refused.contains("cannot acquire state change lock"), "{refused}");
        for waits in slower {
            let refused = waits.join().expect("virsh ends").expect_err("it waits for half a minute, in vain");
            assert!(refused.contains("cannot acquire state change lock"), "{refused}");
        }
        site.waypost(&["cancel", &task]).expect_code(0);
    });
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((site.state("kvm1", "g1").as_deref(), site.state("kvm2", "g1")), (Some("running"), None));
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_guest_that_a_person_suspends_in_mid_copy_runs_on_the_destination() {
    let site = Site::new(2);
    site.busy_guest("g1");
    let child = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40", "--json"]);
    site.until_copying("kvm1", "g1");
    site.virsh("kvm1", &["suspend", "g1"]);
    let output = child.wait_with_output().expect("the command ends");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("running on kvm2"), "{told}");
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("running")));
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_guest_that_arrived_paused_and_never_ran_is_lost_when_it_leaves_and_is_warned_of() {
    let site = Site::new(2);
    for guest in ["g1", "g2"] {
        site.guest(guest);
        site.virsh("kvm1", &["suspend", guest]);
        site.waypost(&["migrate", guest, "--to", "kvm2"]).expect_code(0);
        let told = site.waypost(&["check", guest, "--to", "kvm1", "--json"]).expect_code(0).json();
        assert!(told["verdicts"].to_string().contains("paused-perhaps-never-ran"), "{told:#}");
    }
    let back = site.lab.host("kvm1").expect("kvm1").uri_peer();
    virsh(&site, "kvm2", &["migrate", "--live", "--p2p", "g1", &back]).expect_err("its process aborts");
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("shut off"), "its memory is gone");
    // After what the finding says to do, it leaves unharmed.
    site.virsh("kvm2", &["resume", "g2"]);
    site.virsh("kvm2", &["suspend", "g2"]);
    site.waypost(&["migrate", "g2", "--to", "kvm1"]).expect_code(0);
    assert_eq!(site.state("kvm1", "g2").as_deref(), Some("paused"));
    site.virsh("kvm1", &["resume", "g2"]);
    site.assert_one_counting_guest("g2");
}

#[test]
fn a_pool_whose_list_is_stale_is_read_anew() {
    let site = Site::new(2);
    site.start_guest(&GuestSpec { disk: DiskPlace::Local, disk_mib: 4, ..GuestSpec::tick("g1") });
    let target = site.lab.host("kvm2").expect("kvm2").images().join("g1.img");
    let gone = || {
        fs::write(&target, vec![0; 4 << 20]).expect("a file at the target");
        site.virsh("kvm2", &["pool-refresh", "default"]);
        fs::remove_file(&target).expect("it is taken away behind the pool's back");
        assert!(site.virsh("kvm2", &["vol-list", "default"]).contains("g1.img"), "the list is stale");
    };
    gone();
    let migrate = ["migrate", "--live", "--p2p", "--persistent", "--copy-storage-all", "g1", &peer(&site)];
    let failed = virsh(&site, "kvm1", &migrate).expect_err("libvirt believes its list");
    assert!(failed.contains("Cannot access storage file"), "{failed}");
    gone();
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--copy-storage", "full"]).expect_code(0);
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("running")));
    site.assert_one_counting_guest("g1");
}

#[test]
fn the_comparison_with_the_physical_cpu_is_not_the_one_that_counts() {
    let site = Site::new(2);
    // No processor of the last ten years has it, and QEMU emulates it.
    let feature = "<feature policy='require' name='3dnow'/>";
    let cpu = format!("<cpu mode='custom' match='exact'><model fallback='forbid'>qemu64</model>{feature}</cpu>");
    site.start_guest(&GuestSpec { cpu_xml: cpu, ..GuestSpec::tick("g1") });
    let file = site.config().with_file_name("cpu.xml");
    fs::write(&file, "<cpu><arch>x86_64</arch><model>qemu64</model><feature name='3dnow'/></cpu>")
        .expect("the CPU is written");
    let physical = virsh(&site, "kvm2", &["cpu-compare", &file.to_string_lossy()]).unwrap_or_else(|error| error);
    assert!(physical.contains("incompatible"), "{physical}");
    let check = site.waypost(&["check", "g1", "--to", "kvm2", "--json"]).expect_code(0).out;
    assert!(!check.contains("cpu-incompatible"), "physically: {physical}; {check}");
    site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(0);
    site.assert_one_counting_guest("g1");
}

/// A definition that is kept can be started by a person at any time. On a shared store the image's lock is what stands
/// between that and a second copy.
#[test]
fn a_person_who_starts_the_kept_definition_gets_no_second_copy() {
    let site = Site::new(2);
    site.guest("g1");
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--keep-source"]).expect_code(0);
    let refused = virsh(&site, "kvm1", &["start", "g1"]).expect_err("the image is locked");
    assert!(refused.contains("lock"), "{refused}");
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("shut off"));
    site.assert_one_counting_guest("g1");
    // And back over the definition that was kept.
    site.waypost(&["migrate", "g1", "--to", "kvm1"]).expect_code(0);
    site.assert_one_counting_guest("g1");
}
