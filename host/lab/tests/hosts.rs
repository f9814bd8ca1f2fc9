//! Real hosts on this machine do what the rest of the project relies on. Each test has a lab of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use waypost_lab::{
    CounterFault, DiskPlace, GuestSpec, Host, Keepalive, LOCAL, Lab, LabError, LabSpec, Link, Owner, SHARED, SshAccess,
    TcpAuth,
};

const PATIENCE: Duration = Duration::from_secs(30);

fn lab_in(parent: &TempDir) -> PathBuf {
    parent.path().join("lab")
}

fn two_hosts(parent: &TempDir) -> (Lab, Host, Host) {
    let lab = Lab::up(&LabSpec::new(2, lab_in(parent))).unwrap();
    let (one, two) = (lab.host("kvm1").unwrap(), lab.host("kvm2").unwrap());
    (lab, one, two)
}

fn stdout(host: &Host, words: &[&str]) -> String {
    let output = host.run(words).unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "what happens inside other processes sends this one no event")]
fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn refusal(result: Result<impl std::fmt::Debug, LabError>) -> String {
    match result.unwrap_err() {
        LabError::Command { output, .. } => output,
        other => panic!("not a refusal: {other}"),
    }
}

#[test]
fn a_disk_on_the_shared_store_cannot_be_started_on_two_hosts() {
    let parent = tempfile::tempdir().unwrap();
    let (lab, one, two) = two_hosts(&parent);
    for cache in ["none", "writeback"] {
        let spec = GuestSpec { cache: cache.to_owned(), ..GuestSpec::tick("g1") };
        lab.start_guest(&spec).unwrap();
        let xml = lab.dir().join("second.xml");
        fs::write(&xml, spec.xml()).unwrap();
        let refusal = refusal(two.virsh(&["create", &xml.to_string_lossy()]));
        assert!(refusal.contains("Failed to get \"write\" lock"), "{cache}: {refusal}");
        assert_eq!(two.domains().unwrap(), Vec::<String>::new());
        lab.check_counter("g1").unwrap();
        one.virsh(&["destroy", "g1"]).unwrap();
        one.virsh(&["undefine", "g1"]).unwrap();
        one.forget_serial("g1").unwrap();
    }
    lab.down().unwrap();
}

#[test]
fn the_shared_pool_is_one_store_and_the_default_pool_is_one_per_host() {
    let parent = tempfile::tempdir().unwrap();
    let (lab, one, two) = two_hosts(&parent);
    let source = |host: &Host| {
        let xml = host.virsh(&["pool-dumpxml", "shared"]).unwrap();
        let document = roxmltree::Document::parse(&xml).unwrap();
        let value = |element: &str, attribute: &str| {
            let node = document.descendants().find(|node| node.has_tag_name(element)).unwrap();
            node.attribute(attribute).unwrap().to_owned()
        };
        [value("pool", "type"), value("format", "type"), value("host", "name"), value("dir", "path")]
    };
    assert_eq!(source(&one), ["netfs", "glusterfs", "/srv/labstore", "/vol0"]);
    assert_eq!(source(&one), source(&two));

    for pool in ["shared", "default"] {
        one.virsh(&["vol-create-as", pool, "probe.img", "1M"]).unwrap();
        two.virsh(&["pool-refresh", pool]).unwrap();
    }
    assert!(two.virsh(&["vol-list", "shared"]).unwrap().contains("probe.img"));
    assert!(!two.virsh(&["vol-list", "default"]).unwrap().contains("probe.img"));

    let inode = |host: &Host, folder: &str| stdout(host, &["stat", "-c", "%d:%i", folder]);
    assert_eq!(inode(&one, SHARED), inode(&two, SHARED));
    assert_ne!(inode(&one, LOCAL), inode(&two, LOCAL));
    lab.down().unwrap();
}

#[test]
fn a_guest_moves_there_and_back_and_stays_single_and_whole() {
    let parent = tempfile::tempdir().unwrap();
    let (lab, one, two) = two_hosts(&parent);
    lab.start_guest(&GuestSpec::tick("g1")).unwrap();
    let before = [two.interface_bytes(Link::Management).unwrap(), two.interface_bytes(Link::Migration).unwrap()];
    let over = format!("tcp://{}", two.migration_ip());
    let there = ["migrate", "--live", "--p2p", "--persistent", "--undefinesource", "g1", &two.uri_peer(), &over];
    one.virsh(&there).unwrap();
    let after = [two.interface_bytes(Link::Management).unwrap(), two.interface_bytes(Link::Migration).unwrap()];
    let [management, migration] = [0, 1].map(|link| after[link].received - before[link].received);
    assert!(migration > (8 << 20), "8 MiB of working set went over the migration network, not {migration} bytes");
    assert!(management < (1 << 20), "control connections carry no memory, but {management} bytes went over theirs");
    assert_eq!((one.domains().unwrap().len(), two.domains().unwrap()), (0, vec!["g1 running".to_owned()]));
    lab.check_counter("g1").unwrap();

    let back = ["migrate", "--live", "--p2p", "--tls", "--persistent", "--undefinesource", "g1", &one.uri_peer_tls()];
    two.virsh(&back).unwrap();
    let report = lab.check_counter("g1").unwrap();
    let hosts: Vec<_> = report.segments.iter().map(|segment| segment.host.as_str()).collect();
    assert_eq!(hosts, ["kvm1", "kvm2", "kvm1"]);
    assert!(report.max_gap < 200, "it stood still for {} ticks of 10 ms", report.max_gap);
    lab.down().unwrap();
}

#[test]
fn a_disk_on_the_local_store_is_not_shared_and_a_bridge_may_be_missing() {
    let parent = tempfile::tempdir().unwrap();
    let (lab, one, two) = two_hosts(&parent);
    lab.start_guest(&GuestSpec { disk: DiskPlace::Local, ..GuestSpec::tick("local") }).unwrap();
    let moved = one.virsh(&["migrate", "--live", "--p2p", "local", &two.uri_peer()]);
    assert!(refusal(moved).contains("Unsafe migration"), "the directory is on a file system of this machine");

    let bridge = "<interface type='bridge'><source bridge='br-only1'/></interface>";
    lab.start_guest(&GuestSpec { devices_xml: bridge.to_owned(), ..GuestSpec::tick("bridged") }).unwrap();
    let moved = one.virsh(&["migrate", "--live", "--p2p", "bridged", &two.uri_peer()]);
    assert!(refusal(moved).contains("'br-only1'"), "only kvm1 has that bridge");
    lab.check_counter("bridged").unwrap();
    lab.down().unwrap();
}

#[test]
fn a_host_that_lost_power_boots_again_with_its_definitions() {
    let parent = tempfile::tempdir().unwrap();
    let (lab, one, two) = two_hosts(&parent);
    lab.start_guest(&GuestSpec::tick("g1")).unwrap();
    one.crash().unwrap();
    assert!(!one.is_powered());
    assert!(matches!(one.run(&["true"]), Err(LabError::PoweredOff(_))));
    let lost = lab.check_counter_within("g1", Duration::from_secs(1)).unwrap_err();
    assert!(
        matches!(lost, LabError::Counter { source: CounterFault::Lost { .. }, .. }),
        "a guest without power is lost: {lost}"
    );
    two.virsh(&["list"]).unwrap();

    one.power_on().unwrap();
    assert_eq!(one.domains().unwrap(), ["g1 shut off"]);
    assert!(one.virsh(&["pool-list"]).unwrap().contains("shared"));
    // The locks died with the host: its neighbour may start the same disk now, and the counter tells.
    let xml = lab.dir().join("second.xml");
    fs::write(&xml, GuestSpec::tick("g1").xml()).unwrap();
    two.virsh(&["create", &xml.to_string_lossy()]).unwrap();
    until("the second guest counts", || two.serial("g1").lines().count() > 3);
    let fault = lab.judge_counter("g1").unwrap_err();
    assert!(matches!(fault, LabError::Counter { source: CounterFault::Restarted { boots: 2 }, .. }), "{fault}");
    lab.down().unwrap();
}

#[test]
fn two_copies_of_one_guest_are_found_by_their_counter() {
    let parent = tempfile::tempdir().unwrap();
    let (lab, one, two) = two_hosts(&parent);
    lab.start_guest(&GuestSpec { disk: DiskPlace::Local, ..GuestSpec::tick("g1") }).unwrap();
    fs::copy(one.images().join("g1.img"), two.images().join("g1.img")).unwrap();
    // Saved once and restored twice, on disks that know nothing of each other: what every safeguard is there to prevent.
    let saved = format!("{SHARED}/g1.save");
    one.virsh(&["save", "g1", &saved]).unwrap();
    one.virsh(&["restore", &saved]).unwrap();
    lab.check_counter("g1").unwrap();
    two.virsh(&["restore", &saved]).unwrap();
    until("the second copy prints", || two.serial("g1").lines().count() > 3);
    let fault = lab.judge_counter("g1").unwrap_err();
    assert!(matches!(fault, LabError::Counter { source: CounterFault::Doubled { .. }, .. }), "{fault}");
    lab.down().unwrap();
}

#[test]
fn daemons_guests_and_cables_fail_one_by_one() {
    let parent = tempfile::tempdir().unwrap();
    let keepalive = Keepalive { interval: 1, count: 3 };
    let lab = Lab::up(&LabSpec { keepalive, ..LabSpec::new(2, lab_in(&parent)) }).unwrap();
    let (one, two) = (lab.host("kvm1").unwrap(), lab.host("kvm2").unwrap());
    lab.start_guest(&GuestSpec::tick("g1")).unwrap();

    one.kill_libvirtd().unwrap();
    refusal(one.virsh(&["list"]));
    one.start_libvirtd().unwrap();
    assert_eq!(one.domains().unwrap(), ["g1 running"]);
    lab.check_counter("g1").unwrap();

    let reaches = |host: &Host| {
        let ping = ["virsh", "-q", "-c", &host.uri_peer(), "-k", "1", "-K", "1", "uri"];
        let output = lab.controller_command("timeout").unwrap().arg("3").args(ping).output().unwrap();
        output.status.success()
    };
    assert!(reaches(&two));
    two.cut(Link::Management).unwrap();
    assert!(!reaches(&two));
    two.restore(Link::Management).unwrap();
    assert!(reaches(&two));

    one.kill_qemu("g1").unwrap();
    until("libvirt notices that QEMU is gone", || one.domains().unwrap() == ["g1 shut off"]);
    lab.down().unwrap();
}

#[test]
fn a_password_guards_the_tcp_port_and_the_hosts_know_it() {
    let parent = tempfile::tempdir().unwrap();
    let tcp_auth = TcpAuth::DigestMd5 { user: "lab".to_owned(), password: "secret".to_owned() };
    let lab = Lab::up(&LabSpec { tcp_auth, ..LabSpec::new(2, lab_in(&parent)) }).unwrap();
    let (one, two) = (lab.host("kvm1").unwrap(), lab.host("kvm2").unwrap());
    let outsider = lab.controller_command("virsh").unwrap().args(["-c", &two.uri_peer(), "uri"]).output().unwrap();
    assert!(String::from_utf8_lossy(&outsider.stderr).contains("authentication failed"), "{outsider:?}");
    lab.start_guest(&GuestSpec::tick("g1")).unwrap();
    one.virsh(&["migrate", "--live", "--p2p", "g1", &two.uri_peer()]).unwrap();
    lab.check_counter("g1").unwrap();
    lab.down().unwrap();
}

#[test]
fn the_controllers_key_opens_every_host_and_nothing_else_does() {
    let parent = tempfile::tempdir().unwrap();
    let spec = LabSpec { ssh: SshAccess::ControllerKey, ..LabSpec::new(2, lab_in(&parent)) };
    let lab = Lab::up(&spec).unwrap();
    let stranger = parent.path().join("stranger");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&stranger).status();
    assert!(made.unwrap().success());
    let login = |host: &Host, key: &Path| {
        let mut ssh = lab.controller_command("ssh").unwrap();
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i"]).arg(key);
        ssh.arg("-o").arg(format!("UserKnownHostsFile={}", lab.ssh_known_hosts().display()));
        let output = ssh.arg(format!("root@{}", host.mgmt_ip())).args(["hostname;", "pwd"]).output().unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    for host in lab.hosts() {
        assert_eq!(login(&host, &lab.ssh_key()), (true, format!("{}\n/run\n", host.name())));
        let (entered, said) = login(&host, &stranger);
        assert!(!entered && said.contains("Permission denied (publickey)"), "{said}");
    }
    let two = lab.host("kvm2").unwrap();
    two.crash().unwrap();
    two.power_on().unwrap();
    assert_eq!(login(&two, &lab.ssh_key()).1, "kvm2\n/run\n", "the same key after the next boot");

    let dir = lab.dir().to_owned();
    let processes = processes_of(&dir);
    lab.down().unwrap();
    assert_nothing_left(&dir, &processes);
}

#[test]
fn a_detached_lab_is_found_again_and_leaves_nothing_behind() {
    let parent = tempfile::tempdir().unwrap();
    let dir = lab_in(&parent);
    drop(Lab::up(&LabSpec { owner: Owner::Detached, ..LabSpec::new(2, &dir) }).unwrap());
    let lab = Lab::attach(&dir).unwrap().expect("it outlives the value that brought it up");
    lab.start_guest(&GuestSpec::tick("g1")).unwrap();
    assert!(lab.status().hosts.iter().all(|host| host.powered && host.domains.is_ok()));
    assert!(matches!(Lab::up(&LabSpec::new(1, &dir)), Err(LabError::Occupied(_))));
    let processes = processes_of(&dir);
    assert!(processes.len() >= 10, "two hosts with a daemon each, a store and a guest: {processes:?}");
    lab.down().unwrap();
    assert_nothing_left(&dir, &processes);
    assert!(Lab::attach(&dir).unwrap().is_none());
    Lab::down_at(&dir).unwrap();
}

/// Plays two roles: started by itself with this variable set, it is the owner that gets killed.
#[test]
fn a_lab_vanishes_with_its_owner_even_if_that_is_killed() {
    const ROLE: &str = "WAYPOST_LAB_TO_OWN";
    if let Some(dir) = env::var_os(ROLE) {
        let lab = Lab::up(&LabSpec::new(2, PathBuf::from(dir))).unwrap();
        lab.start_guest(&GuestSpec::tick("g1")).unwrap();
        println!("\nup");
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        unreachable!("the owner is killed while it waits");
    }
    let parent = tempfile::tempdir().unwrap();
    let dir = lab_in(&parent);
    let mut owner = Command::new(env::current_exe().unwrap());
    owner.args(["--exact", "--nocapture", "a_lab_vanishes_with_its_owner_even_if_that_is_killed"]).env(ROLE, &dir);
    let mut owner = owner.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "up"));
    let processes = processes_of(&dir);
    assert!(processes.len() >= 10, "{processes:?}");
    owner.kill().unwrap();
    owner.wait().unwrap();
    until("the lab vanishes", || !dir.exists() && !processes.iter().any(is_alive));
    assert_nothing_left(&dir, &processes);
}

/// A process and when it started.
type Process = (u32, String);

/// The lab's first process and all its descendants, which the kernel keeps track of across namespaces.
fn processes_of(dir: &Path) -> BTreeSet<Process> {
    let script = dir.join("lab.sh");
    let named = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == script.as_os_str().as_encoded_bytes())
    };
    let mut waiting: Vec<u32> = pids().filter(named).collect();
    let mut found = BTreeSet::new();
    while let Some(pid) = waiting.pop() {
        if let Some(started) = started(pid)
            && found.insert((pid, started))
        {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            waiting.extend(children.split_whitespace().map(|child| child.parse::<u32>().unwrap()));
        }
    }
    found
}

fn assert_nothing_left(dir: &Path, processes: &BTreeSet<Process>) {
    assert!(!dir.exists(), "the directory is still there");
    let alive: Vec<_> = processes.iter().filter(|process| is_alive(process)).collect();
    assert!(alive.is_empty(), "processes are still there: {alive:?}");
    let name = dir.to_string_lossy();
    for pid in pids() {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains(&*name), "process {pid} still names the lab");
        let folder = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        assert!(!folder.starts_with(dir), "process {pid} still lives in the lab");
        let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        assert!(!mounts.contains(&*name), "process {pid} still sees a mount of the lab");
    }
    let interfaces = fs::read_to_string("/proc/net/dev").unwrap();
    assert!(!interfaces.contains("br-mgmt") && !interfaces.contains("v1-mgmt"), "{interfaces}");
    assert_eq!(fs::metadata("/srv").unwrap().dev(), fs::metadata("/").unwrap().dev(), "/srv is the machine's own");
}

fn pids() -> impl Iterator<Item = u32> {
    let me = std::process::id();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(move |pid| *pid != me)
}

fn is_alive((pid, when): &Process) -> bool {
    started(*pid).as_ref() == Some(when)
}

/// Field 22 of /proc/PID/stat; nothing for a zombie, which only waits to be collected.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    (fields.next()? != "Z").then(|| fields.nth(18).map(str::to_owned))?
}
