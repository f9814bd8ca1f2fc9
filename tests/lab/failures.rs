//! Migrations that don't succeed: whatever happens, one guest goes on counting, nothing is left behind, and the task
//! says where the guest is.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Command;

use waypost_lab::{Firmware, GuestSpec, Link};

use crate::site::{Site, busy, lines_of_stderr};

#[test]
fn a_cancelled_migration_leaves_the_guest_on_the_source() {
    let site = Site::new(2);
    site.busy_guest("g1");
    let child = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40", "--json"]);
    site.until_copying("kvm1", "g1");
    let task = site.only_task();
    site.waypost(&["cancel", &task]).expect_code(0);
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stderr));
    assert_still_on_source(&site);
}

#[test]
fn one_interrupt_cancels_and_tells_the_truth() {
    let site = Site::new(2);
    site.busy_guest("g1");
    let mut child = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40"]);
    site.until_copying("kvm1", "g1");
    interrupt(child.id(), "INT");
    let told: Vec<_> = lines_of_stderr(&mut child).collect();
    assert_eq!(child.wait().expect("the command ends").code(), Some(6), "{told:#?}");
    assert_still_on_source(&site);
}

#[test]
fn the_time_limit_ends_a_transfer_that_does_not_converge() {
    let site = Site::new(2);
    site.busy_guest("g1");
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40", "--timeout", "3"]).expect_code(4);
    assert_still_on_source(&site);
}

#[test]
fn the_destination_hypervisor_dies_in_mid_copy() {
    let site = Site::new(2);
    site.busy_guest("g1");
    let child = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40", "--json"]);
    site.until_copying("kvm1", "g1");
    site.lab.host("kvm2").and_then(|h| h.kill_qemu("g1")).expect("the incoming process is killed");
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    assert_still_on_source(&site);
}

/// The source's process stands still in the middle of a transfer whose controller is gone: its host answers, says how it has the
/// guest, and that the hypervisor does not answer. Once that goes on, the transfer does.
#[test]
fn a_hypervisor_that_hangs_is_told_from_a_host_that_cannot_be_asked() {
    // It orders nothing, so that the transfer lasts until it is let go.
    let site = Site::with(2, "\n[plugin.convergence-adaptive]\nmode = \"shadow\"\n");
    site.busy_guest("g1");
    site.until("the guest counts", |site| site.lab.latest_counter("g1").is_some());
    let mut driver = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40"]);
    site.until_copying("kvm1", "g1");
    driver.kill().expect("the controller is killed");
    driver.wait().expect("it is gone");
    let kvm1 = site.lab.host("kvm1").expect("kvm1");
    kvm1.stop_qemu("g1").expect("its process stands still");

    // It looks first, and then follows what it took over.
    let mut next = site.start(&["recover", &site.only_task()]);
    let mut said = BufReader::new(next.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let source = said.find(|line| line.starts_with("on kvm1 (source): ")).expect("the source is told of");
    for part in ["unknown (", "its hypervisor does not answer", "running (booted), defined", "no answer within 15 s"] {
        assert!(source.contains(part), "{part:?} is not in what is told: {source}");
    }
    let destination = said.next().expect("the destination is told of");
    assert!(destination.starts_with("on kvm2 (destination): paused"), "it waits for the rest: {destination}");
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"), "its host answers, and lets it be");

    kvm1.cont_qemu("g1").expect("its process goes on");
    site.let_go("kvm1", "g1");
    let rest: Vec<String> = said.collect();
    let code = next.wait().expect("the command ends").code();
    assert_eq!(code, Some(0), "{rest:#?}\n{}", site.waypost(&["task", &site.only_task()]).out);
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
    assert_eq!(site.state("kvm1", "g1"), None, "nothing is left on the source");
    site.assert_one_counting_guest("g1");
}

/// libvirt makes a file of the firmware's variables for a guest that comes in. It takes that away neither when the guest does
/// not arrive nor with the definition of one that left.
#[test]
fn the_variables_of_a_firmware_travel_and_each_file_of_them_that_stays_is_told() {
    let site = Site::new(2);
    let spec = GuestSpec { firmware: Firmware::Flash, ..busy("g1") };
    let variables = spec.variables().expect("it has a file of them");
    site.start_guest(&spec);
    let is_on = |host: &str| {
        let look = format!("ls {variables}; true");
        let seen = site.lab.host(host).and_then(|h| h.run(&["sh", "-c", &look])).expect("the host is looked at");
        String::from_utf8_lossy(&seen.stdout).contains(&variables)
    };
    assert!(is_on("kvm1") && !is_on("kvm2"));

    let child = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40", "--json"]);
    site.until_copying("kvm1", "g1");
    site.lab.host("kvm2").and_then(|h| h.kill_qemu("g1")).expect("the incoming process is killed");
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(site.state("kvm2", "g1"), None, "it is not defined there");
    assert!(is_on("kvm2"), "libvirt takes the file away itself: then nothing is left, and nobody need be told");
    let told = site.waypost(&["task", &site.only_task(), "--json"]).json();
    let said = |field: &str| told["outcome"][field].as_str().unwrap_or_default().to_owned();
    let made = format!("{variables} (the variables of its firmware)");
    assert!(said("summary").contains(&format!("is left on kvm2, but perhaps {made}")), "{told:#}");
    assert!(said("remedy").contains(&format!("look whether {made} was left on kvm2")), "{told:#}");

    // What is there already is taken for the guest's, and written over when it arrives.
    site.virsh("kvm1", &["migrate-setmaxdowntime", "g1", "20000"]);
    let ran =
        site.waypost(&["migrate", "g1", "--to", "kvm2", "--max-downtime", "20000", "--json"]).expect_code(0).json();
    let summary = ran["outcome"]["summary"].as_str().unwrap_or_default();
    assert!(summary.contains(&format!("the variables of its firmware stay on kvm1, too: {variables}")), "{ran:#}");
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("running")));
    assert!(is_on("kvm1") && is_on("kvm2"));
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_killed_controller_is_succeeded_by_another_that_brings_the_transfer_to_its_end() {
    let site = Site::new(2);
    site.busy_guest("g1");
    let mut child = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40"]);
    site.until_copying("kvm1", "g1");
    child.kill().expect("the controller is killed");
    child.wait().expect("it is gone");

    // The transfer outlives its controller, and the journal knows of it.
    let task = site.only_task();
    site.until_copying("kvm1", "g1");
    // Now it may converge.
    site.virsh("kvm1", &["migrate-setmaxdowntime", "g1", "20000"]);
    site.waypost(&["watch", &task]).expect_code(0);
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
    assert_eq!(site.state("kvm1", "g1"), None);
    site.assert_one_counting_guest("g1");
    let told = site.waypost(&["task", &task, "--json"]).expect_code(0).json();
    assert_eq!(told["outcome"]["kind"], "completed", "{told:#}");
}

/// Nobody is there when it fails. Where the destination has a definition of the domain, that shows how its process ended; of a
/// domain that was never defined there nothing would be left.
#[test]
fn a_failure_that_nobody_saw_is_called_what_the_hosts_still_show() {
    let site = Site::new(2);
    site.busy_guest("g1");
    // What libvirt has on record of a domain: somebody talked to its process past libvirt.
    site.virsh("kvm1", &["qemu-monitor-command", "g1", "--hmp", "info version"]);
    let xml = site.config().with_file_name("g1.xml");
    fs::write(&xml, site.virsh("kvm1", &["dumpxml", "g1", "--inactive"])).expect("the document is written");
    site.virsh("kvm2", &["define", &xml.to_string_lossy()]);
    let mut driver = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40"]);
    site.until_copying("kvm1", "g1");
    let task = site.only_task();
    site.until("its progress is kept", |site| {
        let tasks = site.waypost(&["tasks", "--json"]).expect_code(0).json();
        tasks["tasks"][0]["progress"].as_f64().is_some_and(|percent| percent > 0.0)
    });
    driver.kill().expect("the controller is killed");
    driver.wait().expect("it is gone");

    // The source hears of it only when the destination has seen its process die.
    let kvm2 = site.lab.host("kvm2").expect("kvm2");
    let cables = [Link::Management, Link::Migration];
    cables.iter().for_each(|link| kvm2.cut(*link).expect("the cable is pulled"));
    kvm2.kill_qemu("g1").expect("the incoming process is killed");
    let ended = |site: &Site| site.virsh("kvm2", &["domstate", "g1", "--reason"]).trim() == "shut off (crashed)";
    site.until("the destination has noticed", ended);
    cables.iter().for_each(|link| kvm2.restore(*link).expect("the cable is back"));
    site.until("the job on the source has ended", |site| site.virsh("kvm1", &["domjobinfo", "g1"]).contains("None"));
    assert!(ended(&site), "{}", site.virsh("kvm2", &["domstate", "g1", "--reason"]));

    let ran = site.waypost(&["recover", &task, "--json"]).expect_code(4);
    let told = site.waypost(&["task", &task, "--json"]).expect_code(0).json();
    let journal = told["journal"].as_array().unwrap_or_else(|| panic!("{told:#}"));
    let failed = journal.iter().find(|entry| entry["record"] == "perform-returned").expect("the failure is on record");
    assert_eq!(failed["details"]["class"], "hypervisor-died", "{failed:#}");
    let causes = told["outcome"]["causes"].to_string();
    for says in [
        "the hypervisor process of g1 on kvm2 ended (shut-off: crashed)",
        "kvm1 has on record of g1: ",
        "custom monitor control commands issued",
    ] {
        assert!(causes.contains(says), "{says}: {causes}\n{}", ran.err);
    }
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_second_driver_is_kept_out_and_may_only_watch() {
    let site = Site::new(2);
    site.busy_guest("g1");
    let child = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40", "--json"]);
    site.until_copying("kvm1", "g1");
    let task = site.only_task();
    // A second migration of the same domain is refused, with the task that has it.
    let refused = site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(3);
    assert!(refused.err.contains(&task) || refused.out.contains(&task), "{}{}", refused.out, refused.err);
    // A watcher sees the same end and drives nothing.
    let watcher = site.start(&["watch", &task, "--json"]);
    site.virsh("kvm1", &["migrate-setmaxdowntime", "g1", "20000"]);
    let driven = child.wait_with_output().expect("the command ends");
    assert_eq!(driven.status.code(), Some(0), "{}", String::from_utf8_lossy(&driven.stderr));
    let watched = watcher.wait_with_output().expect("the watcher ends");
    assert_eq!(watched.status.code(), Some(0), "{}", String::from_utf8_lossy(&watched.stderr));
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_detached_migration_goes_on_by_itself() {
    let site = Site::new(2);
    site.guest("g1");
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--detach"]).expect_code(0);
    let task = site.only_task();
    site.waypost(&["watch", &task]).expect_code(0);
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
    site.assert_one_counting_guest("g1");
}

#[test]
fn an_unreachable_destination_is_refused_and_names_the_host() {
    let site = Site::new(2);
    site.guest("g1");
    site.lab.host("kvm2").and_then(|h| h.crash()).expect("kvm2 loses its power");
    let refused = site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(3);
    assert!(format!("{}{}", refused.out, refused.err).contains("kvm2"));
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
}

fn assert_still_on_source(site: &Site) {
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    assert_eq!(site.state("kvm2", "g1"), None, "something is left on the destination");
    site.assert_one_counting_guest("g1");
    let task = site.only_task();
    let told = site.waypost(&["task", &task, "--json"]).json();
    let summary = told["outcome"]["summary"].as_str().unwrap_or_default().to_owned();
    assert!(summary.contains("running on kvm1"), "{told:#}");
    // And nothing stands in the way of the next attempt.
    site.virsh("kvm1", &["migrate-setmaxdowntime", "g1", "20000"]);
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--max-downtime", "20000"]).expect_code(0);
    site.assert_one_counting_guest("g1");
}

pub fn interrupt(process: u32, signal: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status().expect("kill runs");
    assert!(sent.success());
}
