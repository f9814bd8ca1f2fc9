//! Transfers that are steered while they run, and the watch over one in which nothing moves.

use serde_json::json;
use waypost_lab::Link;

use crate::modes::monitor;
use crate::site::Site;

/// A guest that rewrites 128 MiB all the time over 40 MiB/s: what is left takes 3.2 s, far above any usual downtime.
const ENDLESS: [&str; 6] = ["migrate", "g1", "--to", "kvm2", "--bandwidth", "40"];

#[test]
fn a_person_raises_the_downtime_limit_and_the_guest_arrives() {
    let site = Site::new(2);
    site.busy_guest("g1");
    let child = site.start(&ENDLESS);
    site.until_copying("kvm1", "g1");
    let task = site.only_task();
    site.waypost(&["steer", &task, "--max-downtime", "20000"]).expect_code(0);
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let record = site.waypost(&["task", &task, "--json"]).expect_code(0).out;
    assert!(record.contains("steer-intended") && record.contains("20000"), "{record}");
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
    site.assert_one_counting_guest("g1");
    site.waypost(&["steer", &task, "--max-downtime", "100"]).expect_code(1);
}

/// A limit that was set on the way would else slow down every later migration of the domain, whoever begins it.
#[test]
fn a_bandwidth_that_was_set_on_the_way_is_put_back_where_the_guest_stays() {
    let site = Site::new(2);
    site.busy_guest("g1");
    let before = site.virsh("kvm1", &["migrate-getspeed", "g1"]);
    let child = site.start(&ENDLESS);
    site.until_copying("kvm1", "g1");
    let task = site.only_task();
    site.waypost(&["steer", &task, "--bandwidth", "7"]).expect_code(0);
    site.until("libvirt took it", |site| site.virsh("kvm1", &["migrate-getspeed", "g1"]).trim() == "7");
    site.waypost(&["cancel", &task]).expect_code(0);
    assert_eq!(child.wait_with_output().expect("the command ends").status.code(), Some(6));
    assert_eq!(site.virsh("kvm1", &["migrate-getspeed", "g1"]), before);
    site.assert_one_counting_guest("g1");
}

/// QEMU goes there in one step, up as well as down; and what libvirt doesn't know it can't put back.
#[test]
fn how_far_the_guest_is_slowed_down_is_changed_on_the_way_and_taken_back_where_it_stays() {
    // No policy may bring the transfer to its end meanwhile.
    let site = Site::with(2, "\n[plugin.convergence-adaptive]\nmode = \"shadow\"\n");
    site.busy_guest("g1");
    let slowly = ["--auto-converge", "--auto-converge-initial", "25", "--auto-converge-increment", "1"];
    let child = site.start(&[&ENDLESS[..], &slowly[..]].concat());
    site.until_copying("kvm1", "g1");
    let task = site.only_task();
    let slowed = |site: &Site| monitor(site, "kvm1", "query-migrate")["cpu-throttle-percentage"].as_u64();
    let refused = site.waypost(&["steer", &task, "--throttle", "24"]).expect_code(1).err;
    assert!(refused.contains("25 to 99 %"), "{refused}");
    for percent in [70_u64, 40] {
        site.waypost(&["steer", &task, "--throttle", &percent.to_string()]).expect_code(0);
        site.until(&format!("the guest is slowed down by {percent} %"), |site| slowed(site) == Some(percent));
    }
    site.waypost(&["cancel", &task]).expect_code(0);
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stderr));
    let told = monitor(&site, "kvm1", "query-migrate-parameters");
    for (name, value) in [("max-cpu-throttle", 99), ("cpu-throttle-initial", 20), ("cpu-throttle-increment", 10)] {
        assert_eq!(told[name], json!(value), "{name} of {told:#}");
    }
    site.assert_one_counting_guest("g1");
    // One that begins above what was the maximum.
    let steeply = ["--auto-converge", "--auto-converge-initial", "80", "--max-downtime", "20000"];
    site.waypost(&[&["migrate", "g1", "--to", "kvm2"][..], &steeply].concat()).expect_code(0);
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_bandwidth_after_the_switch_is_that_of_the_post_copy() {
    let site = Site::new(2);
    site.busy_guest("g1");
    let limits = ["--bandwidth", "40", "--postcopy", "--postcopy-bandwidth", "1"];
    let child = site.start(&[&["migrate", "g1", "--to", "kvm2"][..], &limits].concat());
    site.until_copying("kvm1", "g1");
    let task = site.only_task();
    site.waypost(&["steer", &task, "--postcopy"]).expect_code(0);
    // At 1 MiB/s what is left takes minutes.
    site.until("the guest runs on the destination", |site| site.state("kvm2", "g1").as_deref() == Some("running"));
    site.waypost(&["steer", &task, "--bandwidth", "200"]).expect_code(0);
    let speed = ["migrate-getspeed", "g1", "--postcopy"];
    site.until("libvirt took it", |site| {
        let source = site.lab.host("kvm1").expect("a host of the lab");
        // It may be over before anybody looks.
        source.virsh(&speed).map_or(true, |said| said.trim() == "200")
    });
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_guest_that_is_paused_for_its_last_bytes_runs_on_the_destination() {
    let site = Site::new(2);
    site.busy_guest("g1");
    let child = site.start(&ENDLESS);
    site.until_copying("kvm1", "g1");
    site.waypost(&["steer", &site.only_task(), "--suspend"]).expect_code(0);
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_guest_that_is_paused_for_its_last_bytes_runs_on_its_source_when_they_are_not_sent() {
    let site = Site::new(2);
    site.busy_guest("g1");
    // So slow that there is time to cancel.
    let child = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "5"]);
    site.until_copying("kvm1", "g1");
    let task = site.only_task();
    site.waypost(&["steer", &task, "--suspend"]).expect_code(0);
    site.until("it is paused", |site| site.state("kvm1", "g1").as_deref() == Some("paused"));
    site.waypost(&["cancel", &task]).expect_code(0);
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((site.state("kvm1", "g1").as_deref(), site.state("kvm2", "g1")), (Some("running"), None));
    site.assert_one_counting_guest("g1");
}

/// libvirt alone waits for TCP to give up, which takes many minutes: control lives, and nobody notices.
#[test]
fn a_transfer_whose_network_is_cut_is_ended_although_control_lives() {
    let site = Site::with(2, "\n[engine]\nstall_s = 5\n");
    site.busy_guest("g1");
    let kvm2 = site.lab.host("kvm2").expect("kvm2");
    let (uri, listen) = (format!("tcp://{}", kvm2.migration_ip()), kvm2.migration_ip());
    let child =
        site.start(&[&ENDLESS[..], &["--migrate-uri", &uri, "--listen-address", &listen, "--json"][..]].concat());
    site.until_copying("kvm1", "g1");
    kvm2.cut(Link::Migration).expect("the link is cut");
    let output = child.wait_with_output().expect("the command ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("no byte moved for 5 s"), "{said}");
    kvm2.restore(Link::Migration).expect("the link is back");
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    site.until("nothing is left on the destination", |site| site.state("kvm2", "g1").is_none());
    site.assert_one_counting_guest("g1");
    // The next one works.
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--max-downtime", "20000"]).expect_code(0);
    site.assert_one_counting_guest("g1");
}
