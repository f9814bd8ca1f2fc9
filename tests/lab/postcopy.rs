//! Post-copy for real: the guest runs on the destination while its memory follows, also when the way breaks on the way.

use std::fs;
use std::process::Child;
use std::thread;

use waypost_lab::{DiskPlace, GuestSpec, Keepalive, Link};

use crate::networks::plan_of;
use crate::site::{Ran, Site, busy};
use crate::situations::nobody_decides;

/// A guest that rewrites 128 MiB all the time, on its way over the migration network; from the switch on, what is left takes
/// some ten seconds.
pub fn on_its_way(more: &str) -> (Site, Child) {
    let site = Site::with(2, more);
    site.busy_guest("g1");
    sent_off(site)
}

/// The same of a guest that was started in a site of the test's own.
pub fn sent_off(site: Site) -> (Site, Child) {
    until_busy(&site);
    let kvm2 = site.lab.host("kvm2").expect("kvm2");
    let (uri, listen) = (format!("tcp://{}", kvm2.migration_ip()), kvm2.migration_ip());
    let network = ["--migrate-uri", &uri, "--listen-address", &listen];
    let limits = ["--bandwidth", "40", "--postcopy", "--postcopy-bandwidth", "10"];
    let child = site.start(&[&["migrate", "g1", "--to", "kvm2", "--json"][..], &limits, &network].concat());
    switched(&site);
    (site, child)
}

/// Before it has booted there is next to nothing to move.
fn until_busy(site: &Site) {
    site.until("the guest counts", |site| site.lab.latest_counter("g1").is_some());
}

fn switched(site: &Site) {
    site.until_copying("kvm1", "g1");
    site.waypost(&["steer", &site.only_task(), "--postcopy"]).expect_code(0);
    site.until("the guest runs on the destination", |site| is(site, "kvm2", "running (post-copy)"));
}

/// The state with its reason.
pub fn is(site: &Site, host: &str, state: &str) -> bool {
    let host = site.lab.host(host).expect("a host of the lab");
    host.virsh(&["domstate", "g1", "--reason"]).is_ok_and(|said| said.trim() == state)
}

fn arrives(site: &Site, child: Child) {
    let output = child.wait_with_output().expect("the command ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}\n{}", site.waypost(&["task", &site.only_task()]).out);
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
    assert_eq!(site.state("kvm1", "g1"), None, "nothing is left on the source");
    site.assert_one_counting_guest("g1");
}

/// What else libvirt lets a transfer have that may switch.
#[test]
fn a_guest_switches_and_arrives_in_every_mode_that_may_be_had_with_post_copy() {
    // Its counters shrink to a hundredth under mt, and at a higher limit it would arrive before anybody could switch it.
    let ways: [(&str, &[&str], DiskPlace); 6] = [
        ("40", &["--compress", "xbzrle"], DiskPlace::Shared),
        ("1", &["--compress", "mt"], DiskPlace::Shared),
        ("40", &["--auto-converge"], DiskPlace::Shared),
        ("40", &["--direct"], DiskPlace::Shared),
        ("40", &["--tls"], DiskPlace::Shared),
        ("40", &["--copy-storage", "full"], DiskPlace::Local),
    ];
    for (bandwidth, way, disk) in ways {
        let site = Site::with(2, "");
        if way.contains(&"--tls") {
            let text = fs::read_to_string(site.config()).expect("the configuration");
            let able = text.replace("\npeer_uri", "\nmigration_tls = true\npeer_uri");
            fs::write(site.config(), able).expect("it is written");
        }
        site.start_guest(&GuestSpec { disk, ..busy("g1") });
        until_busy(&site);
        let options = ["--bandwidth", bandwidth, "--postcopy", "--postcopy-bandwidth", "40", "--json"];
        let child = site.start(&[&["migrate", "g1", "--to", "kvm2"][..], &options, way].concat());
        switched(&site);
        arrives(&site, child);
    }
}

#[test]
fn a_guest_arrives_by_post_copy_and_a_cancellation_comes_too_late() {
    let (site, child) = on_its_way("");
    let task = site.only_task();
    // A reading is kept once a second.
    site.until("it is on record that the guest was switched", |site| {
        site.waypost(&["top", "--json"]).expect_code(0).json()["running"][0]["sample"]["stage"] == "post-copy"
    });
    let looked = site.waypost(&["recover", &task, "--look"]).expect_code(0).out;
    assert!(looked.lines().any(|line| line == "permitted: wait, interrupt-post-copy"), "{looked}");
    let cancelled = site.waypost(&["cancel", &task]);
    let said = &cancelled.err;
    assert_eq!(cancelled.code, 1, "a guest that runs on both hosts can't be taken back: {said}");
    assert!(
        said.contains("the guest runs on the destination already") && said.contains("nothing is taken back"),
        "{said}"
    );
    assert!(said.contains("too late to cancel: the domain has moved"), "{said}");
    assert!(!said.contains("not confirmed"), "nobody asked for an abort: {said}");
    arrives(&site, child);
    let record = site.waypost(&["task", &task, "--json"]).expect_code(0).json();
    let journal = record["journal"].as_array().expect("a journal");
    let aborts = |entry: &str| entry.contains("steer-intended") && entry.contains("\"abort\"");
    assert!(!journal.is_empty() && !journal.iter().any(|entry| aborts(&entry.to_string())), "{record:#}");
}

/// Neither copy is whole without the other: oVirt destroys both here. Nothing notices by itself that the way is cut, so the
/// watch over the transfer interrupts it, and it is resumed once there is a way again.
#[test]
fn a_post_copy_whose_way_is_cut_is_resumed() {
    let (site, child) = on_its_way("\n[engine]\nstall_s = 3\n");
    is_resumed(&site, child, "recovery-conservative");
}

/// The same by the policy for sites that use post-copy.
#[test]
fn a_post_copy_whose_way_is_cut_is_resumed_by_the_policy_that_has_more_patience() {
    let site = Site::with(2, "\n[engine]\nstall_s = 3\n");
    let config = fs::read_to_string(site.config()).expect("the configuration");
    let named = config.replacen("[plugins]\n", "[plugins]\nrecovery = \"recovery-postcopy\"\n", 1);
    assert_ne!(named, config);
    fs::write(site.config(), named).expect("the configuration is written");
    site.busy_guest("g1");
    let (site, child) = sent_off(site);
    is_resumed(&site, child, "recovery-postcopy");
}

/// Its way is cut until the source knows of it, and this policy has the halves joined again.
fn is_resumed(site: &Site, child: Child, policy: &str) {
    let kvm2 = site.lab.host("kvm2").expect("kvm2");
    kvm2.cut(Link::Migration).expect("the link is cut");
    site.until("the source was told", |site| is(site, "kvm1", "paused (post-copy failed)"));
    assert!(site.state("kvm2", "g1").is_some(), "neither copy is ended");
    kvm2.restore(Link::Migration).expect("the link is back");
    let task = site.only_task();
    arrives(site, child);
    let record = site.waypost(&["task", &task]).expect_code(0).out;
    assert!(record.contains(&format!("{policy} chose resume-post-copy")), "{record}");
}

/// Two networks, the second of which may stand in for the first under each of the names given; the hosts' management
/// addresses are its addresses. `g1` runs on both hosts already.
fn with_detours(names: &[&str], more: &str) -> (Site, Child) {
    let mut networks = format!(
        "\n[engine]\nstall_s = 3\n[plugin.convergence-adaptive]\nmode = \"shadow\"\n{more}\
         [[network]]\nname = \"fast\"\nroles = [\"migration\"]\nfallback = {names:?}\n"
    );
    for name in names {
        networks.push_str(&format!("[[network]]\nname = {name:?}\nroles = [\"migration\"]\n"));
    }
    networks.push_str("[networks]\ndefault = \"fast\"\n");
    let site = Site::with(2, &networks);
    let mut config = fs::read_to_string(site.config()).expect("the configuration");
    for host in site.lab.hosts() {
        let addresses = format!("addresses = [{:?}, {:?}]\n", host.mgmt_ip(), host.migration_ip());
        let detours: String = names.iter().map(|name| format!(", {name} = {:?}", host.mgmt_ip())).collect();
        let places = format!("networks = {{ fast = {:?}{detours} }}\n", host.migration_ip());
        config = config.replace(&addresses, &(addresses.clone() + &places));
    }
    fs::write(site.config(), config).expect("the configuration is written");
    site.busy_guest("g1");
    until_busy(&site);
    let limits = ["--bandwidth", "40", "--postcopy", "--postcopy-bandwidth", "10", "--json"];
    let child = site.start(&[&["migrate", "g1", "--to", "kvm2"][..], &limits].concat());
    switched(&site);
    (site, child)
}

/// Cuts the network for good.
fn cut_for_good(site: &Site) {
    let kvm2 = site.lab.host("kvm2").expect("kvm2");
    kvm2.cut(Link::Migration).expect("the link is cut");
    site.until("the source was told", |site| is(site, "kvm1", "paused (post-copy failed)"));
}

/// The destination has to notice that the stream broke before it can be joined again, and no farewell reaches it: a person closes
/// its connection, as the guide says.
pub fn its_connection_is_closed(site: &Site) {
    let kvm2 = site.lab.host("kvm2").expect("kvm2");
    let source = site.lab.host("kvm1").expect("kvm1").migration_ip();
    let closed = kvm2.run(&["ss", "-K", "dst", &source]).expect("the host has power");
    assert!(closed.status.success(), "{closed:?}");
}

/// The two calls that would interrupt the destination's half, so that it needn't be told otherwise: each waits half a minute behind
/// the migration's lock, and fails.
fn calls_to_the_destination_wait_in_vain(site: &Site) {
    let kvm2 = &site.lab.host("kvm2").expect("kvm2");
    let calls: [&[&str]; 2] =
        [&["domjobabort", "g1", "--postcopy"], &["qemu-monitor-command", "g1", "{\"execute\": \"migrate-pause\"}"]];
    thread::scope(|scope| {
        for (words, waits) in calls.map(|words| (words, scope.spawn(move || kvm2.virsh(words)))) {
            let refused = waits.join().expect("virsh ends");
            let refused = refused.expect_err("it waits for half a minute, in vain").to_string();
            assert!(refused.contains("cannot acquire state change lock"), "{words:?}: {refused}");
        }
    });
}

/// What kvm1 sent over its management network.
fn sent_over_the_second(site: &Site) -> u64 {
    let kvm1 = site.lab.host("kvm1").expect("kvm1");
    kvm1.interface_bytes(Link::Management).expect("bytes").sent
}

/// The network stays away: the rest takes the one that the site lets stand in for it.
#[test]
fn a_post_copy_whose_network_stays_cut_is_resumed_over_the_next() {
    let (site, child) = with_detours(&["slow"], "");
    let before = sent_over_the_second(&site);
    cut_for_good(&site);
    its_connection_is_closed(&site);
    let task = site.only_task();
    arrives(&site, child);
    let taken = sent_over_the_second(&site) - before;
    assert!(taken > 10 << 20, "only {taken} bytes took the other network");
    let record = site.waypost(&["task", &task]).expect_code(0).out;
    assert!(record.contains("the post-copy is resumed, over network slow"), "{record}");
    let plan = plan_of(&site, &task);
    assert_eq!(plan["network"], "fast", "the plan is what was planned: {plan:#}");
}

/// Without a recovery policy the guest waits, on both hosts, for a person, who names a network that is not the next in turn.
#[test]
fn a_person_names_the_network_over_which_a_post_copy_goes_on() {
    let policies = ["recovery-conservative", "recovery-postcopy", "recovery-retry"];
    let nobody: String = policies.iter().map(|name| format!("[plugin.{name}]\npresence = \"never\"\n")).collect();
    let (site, child) = with_detours(&["slow", "third"], &nobody);
    let before = sent_over_the_second(&site);
    cut_for_good(&site);
    calls_to_the_destination_wait_in_vain(&site);
    its_connection_is_closed(&site);
    let task = site.only_task();
    let output = child.wait_with_output().expect("the command ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(5), "nobody decides: {said}");

    let offered = site.waypost(&["recover", &task]).out;
    assert!(offered.contains("over slow, third, fast (--network NAME)"), "{offered}");
    let resume = ["recover", &task, "--do", "resume-post-copy", "--network"];
    let other = site.waypost(&[&resume[..], &["fourth"]].concat());
    assert!(
        other.code != 0 && other.err.contains("fourth") && other.err.contains("third"),
        "{}{}",
        other.out,
        other.err
    );
    assert!(is(&site, "kvm1", "paused (post-copy failed)"), "nothing was done");

    // Right after the connection was closed libvirt may still answer with the failure of the transfer before: the person is told,
    // and asks again.
    let third = || site.waypost(&[&resume[..], &["third"]].concat());
    let mut resumed = third();
    for _ in 0..2 {
        if resumed.code == 5 && resumed.out.contains("failed in post-copy phase") {
            resumed = third();
        }
    }
    let resumed = resumed.expect_code(0).out;
    assert!(resumed.contains("over network third"), "{resumed}");
    site.until("all of the guest is on the destination", |site| site.state("kvm1", "g1").is_none());
    site.waypost(&["recover", &task]);
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
    site.assert_one_counting_guest("g1");
    let taken = sent_over_the_second(&site) - before;
    assert!(taken > 10 << 20, "only {taken} bytes took the other network");
}

/// Two of the daemon's threads meet the end of the process, and it depends on who is first whether the job stays: so often it
/// is tried.
const ORPHANS: usize = 8;

/// The source's half is gone, and the guest with it. Its definition may take no order: the job of the migration is still on it,
/// and no call shows it.
#[test]
fn the_orphaned_job_that_a_broken_post_copy_leaves_is_named_and_goes_with_the_daemon() {
    let left = (0..ORPHANS).find_map(|_| left_with_an_orphaned_job());
    let (site, barred) =
        left.unwrap_or_else(|| panic!("in {ORPHANS} broken post-copies no job was left: the trap did not spring"));
    let told = barred.out + &barred.err;
    assert_eq!(barred.code, 4, "{told}");
    assert!(told.contains("orphaned job") && told.contains("only a restart of libvirt's daemon"), "{told}");
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("shut off"));
    assert_eq!(site.state("kvm2", "g1"), None);

    let kvm1 = site.lab.host("kvm1").expect("kvm1");
    kvm1.kill_libvirtd().and_then(|()| kvm1.start_libvirtd()).expect("its daemon is restarted");
    site.waypost(&KEPT).expect_code(0);
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("shut off"));
}

/// What the definition must take once nothing is left of the transfer that broke.
const KEPT: [&str; 6] = ["migrate", "g1", "--to", "kvm2", "--offline", "--keep-source"];

/// A site whose source is left with the definition after its half of the guest was killed, and what it says to the next order;
/// none where the job went with the process.
fn left_with_an_orphaned_job() -> Option<(Site, Ran)> {
    let site = Site::new(2);
    site.busy_guest("g1");
    site.virsh("kvm1", &["autostart", "g1"]);
    let (site, child) = sent_off(site);
    site.lab.host("kvm1").and_then(|host| host.kill_qemu("g1")).expect("the half that holds the rest is killed");
    let output = child.wait_with_output().expect("the command ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("\"lost\"") && said.contains("it is defined on kvm1 and on kvm2"), "{said}");
    assert!(is(&site, "kvm2", "running (post-copy failed)"), "nobody ends the other half");

    for order in ["destroy", "undefine"] {
        site.virsh("kvm2", &[order, "g1"]);
    }
    let jobs = site.lab.host("kvm1").and_then(|host| host.virsh(&["domjobinfo", "g1"]));
    assert!(jobs.is_err(), "a call shows the job now: {jobs:?}");
    let barred = site.waypost(&KEPT);
    if barred.code == 0 {
        assert_eq!(site.state("kvm2", "g1").as_deref(), Some("shut off"));
        return None;
    }
    Some((site, barred))
}

/// A guest that stands still when it is switched runs on the destination all the same, and its source is the source of a post-copy as
/// any other: it is not taken for one that somebody paused, and could run again, when the other half is gone.
#[test]
fn a_guest_that_was_suspended_before_the_switch_is_not_taken_for_whole_on_the_source() {
    // So seldom do the daemons look whether the other is there that the source hears nothing of what is cut and killed.
    let seldom = Keepalive { interval: 60, count: 5 };
    let site = Site::in_lab(|spec| spec.keepalive = seldom, &nobody_decides());
    site.busy_guest("g1");
    until_busy(&site);
    let kvm2 = site.lab.host("kvm2").expect("kvm2");
    let (uri, listen) = (format!("tcp://{}", kvm2.migration_ip()), kvm2.migration_ip());
    let network = ["--migrate-uri", &uri, "--listen-address", &listen];
    let limits = ["--bandwidth", "10", "--postcopy", "--postcopy-bandwidth", "4"];
    let mut driver = site.start(&[&["migrate", "g1", "--to", "kvm2", "--json"][..], &limits, &network].concat());
    site.until_copying("kvm1", "g1");
    let task = site.only_task();
    site.waypost(&["steer", &task, "--suspend"]).expect_code(0);
    site.until("the guest stands still", |site| is(site, "kvm1", "paused (migrating)"));
    site.waypost(&["steer", &task, "--postcopy"]).expect_code(0);
    site.until("the source is that of a post-copy", |site| is(site, "kvm1", "paused (post-copy)"));
    site.until("the guest runs on the destination", |site| is(site, "kvm2", "running (post-copy)"));
    driver.kill().expect("the controller is killed");
    driver.wait().expect("it is gone");
    for link in [Link::Migration, Link::Management] {
        kvm2.cut(link).expect("the link is cut");
    }
    kvm2.kill_qemu("g1").expect("the half that ran is killed");
    site.until("the half that ran is gone", |site| is(site, "kvm2", "shut off (crashed)"));
    assert!(is(&site, "kvm1", "paused (post-copy)"));
    let look = site.waypost(&["recover", &task, "--look"]).expect_code(0).out;
    assert!(look.contains("\npermitted: interrupt-post-copy, wait, hand-over\n"), "{look}");
}
