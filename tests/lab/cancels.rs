//! A cancellation in the phases that other tests don't have (during the copy of memory: [`crate::failures`]; of disks:
//! [`crate::copies`]; in post-copy: [`crate::postcopy`]): before libvirt has a job, and with a daemon that hangs.

use std::fs;
use std::time::{Duration, Instant};

use waypost_lab::{DiskPlace, GuestSpec};

use crate::hanging;
use crate::site::{Site, lines_of_stderr};

#[test]
fn a_task_that_waits_for_its_turn_is_cancelled_before_anything_is_touched() {
    let site =
        Site::with(2, "\n[plugin.convergence-adaptive]\nmode = \"shadow\"\n\n[migrations]\noutgoing_per_host = 1\n");
    site.busy_guest("g1");
    site.guest("g2");
    let first = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "20"]);
    site.until_copying("kvm1", "g1");
    let mut second = site.start(&["migrate", "g2", "--to", "kvm2"]);
    let said = lines_of_stderr(&mut second).find(|line| line.contains("waiting for a slot"));
    said.expect("it says that it waits");
    let tasks = site.waypost(&["tasks", "--json"]).expect_code(0).json();
    let waiting = tasks["tasks"][0]["id"].as_str().expect("an id").to_owned();
    site.waypost(&["cancel", &waiting]).expect_code(0);
    assert_eq!(second.wait().expect("it ends").code(), Some(6));
    let told = site.waypost(&["task", &waiting]).expect_code(0).out;
    assert!(told.contains("cancelled before anything was touched: g2 stays on kvm1"), "{told}");
    assert_eq!((site.state("kvm1", "g2").as_deref(), site.state("kvm2", "g2")), (Some("running"), None));
    // The other one was none of its business.
    site.virsh("kvm1", &["migrate-setmaxdowntime", "g1", "20000"]);
    let first = first.wait_with_output().expect("the first ends");
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    for guest in ["g1", "g2"] {
        site.assert_one_counting_guest(guest);
    }
}

/// Its disk would be copied, so that a volume on the destination would be the first thing that is made.
#[test]
fn a_task_whose_prechecks_are_being_asked_is_cancelled_before_anything_is_made() {
    // The policy computes until its time is over, and as advice it forbids nothing then: without the wish the guest would move.
    let slow = "mode = \"advise\"\nlimits = { fuel = 1000000000000, deadline_ms = 15000 }";
    let site = Site::with(2, &format!("\n[plugin.hanging]\n{slow}\n"));
    let policy = site.plugin_folder().join("hanging.wasm");
    fs::write(&policy, hanging::policy("precheck", "check", "check")).expect("the policy is installed");
    site.start_guest(&GuestSpec { disk: DiskPlace::Local, disk_mib: 4, ..GuestSpec::tick("g1") });
    let migrate = ["migrate", "g1", "--to", "kvm2", "--copy-storage", "full"];
    let mut driver = site.start(&migrate);
    let mut said = lines_of_stderr(&mut driver);
    said.find(|line| line.contains(hanging::ASKED)).expect("the policy is asked");
    let task = site.only_task();
    let asked = site.waypost(&["task", &task, "--json"]).expect_code(0).json();
    assert_eq!((&asked["phase"], &asked["verdict"]), (&"accepted".into(), &serde_json::Value::Null), "{asked:#}");
    let cancelled = site.waypost(&["cancel", &task]).expect_code(0);
    assert!(!cancelled.err.contains("the abort is not confirmed"), "there is nothing to abort: {}", cancelled.err);
    let said: Vec<_> = said.collect();
    assert_eq!(driver.wait().expect("the driver ends").code(), Some(6), "{said:#?}");

    let told = site.waypost(&["task", &task, "--json"]).expect_code(0).json();
    assert_eq!(told["outcome"]["kind"], "cancelled", "{told:#}");
    let summary = told["outcome"]["summary"].as_str().expect("a summary");
    for says in ["g1 is running on kvm1", "nothing of this migration is left"] {
        assert!(summary.contains(says), "{says}: {summary}");
    }
    let journal = told["journal"].as_array().expect("a journal");
    let has = |record: &str| journal.iter().any(|entry| entry["record"] == record);
    assert!(has("cancel-requested"), "{told:#}");
    for begun in ["step-intended", "prepared", "perform-intended"] {
        assert!(!has(begun), "{begun}: {told:#}");
    }
    let kvm2 = site.lab.host("kvm2").expect("kvm2");
    assert_eq!(kvm2.domains().expect("its domains"), Vec::<String>::new());
    assert_eq!(fs::read_dir(kvm2.images()).expect("its images").count(), 0);
    assert!(!site.virsh("kvm2", &["vol-list", "default"]).contains("g1.img"));
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    assert!(site.virsh("kvm1", &["domjobinfo", "g1"]).contains("None"), "there is no job");
    site.assert_one_counting_guest("g1");

    fs::remove_file(&policy).expect("the policy is taken away");
    site.waypost(&migrate).expect_code(0);
    site.assert_one_counting_guest("g1");
}

/// Nobody can say whether the transfer was aborted, so nobody does. The source's daemon doesn't take the order; the destination's
/// doesn't hear of the end, for which whoever drives the migration waits.
#[track_caller]
fn stays_unconfirmed_while_a_daemon_hangs(host: &str, way: &[&str]) {
    let site = Site::with(2, "\n[plugin.convergence-adaptive]\nmode = \"shadow\"\n");
    site.busy_guest("g1");
    let driver = site.start(&[&["migrate", "g1", "--to", "kvm2", "--bandwidth", "20"], way].concat());
    site.until_copying("kvm1", "g1");
    let task = site.only_task();
    let signal = |signal: &str| {
        let command = format!("kill -{signal} $(cat /run/libvirtd.pid)");
        let sent = site.lab.host(host).and_then(|host| host.run(&["sh", "-c", &command])).expect("a shell");
        assert!(sent.status.success(), "{sent:?}");
    };
    signal("STOP");
    let asked = Instant::now();
    let mut cancel = site.start(&["cancel", &task]);
    let said = lines_of_stderr(&mut cancel).find(|line| line.contains("not confirmed"));
    said.expect("it says that the abort is not confirmed");
    // It says so after 10 s; a person who waits for a minute has given up on it.
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(60), "it was said after {} s only", took.as_secs());
    let open = site.waypost(&["task", &task, "--json"]).expect_code(0).json();
    assert_eq!(open["outcome"], serde_json::Value::Null, "nobody claims an end: {open:#}");
    signal("CONT");
    let driver = driver.wait_with_output().expect("the driver ends");
    assert_eq!(driver.status.code(), Some(6), "{}", String::from_utf8_lossy(&driver.stderr));
    cancel.wait().expect("the cancelling command ends");
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    site.until("nothing is left on the destination", |site| site.state("kvm2", "g1").is_none());
    site.assert_one_counting_guest("g1");
}

#[test]
fn the_sources_daemon_hangs_and_a_cancellation_is_unconfirmed_until_it_answers() {
    stays_unconfirmed_while_a_daemon_hangs("kvm1", &[]);
}

#[test]
fn the_sources_daemon_hangs_and_a_direct_migrations_cancellation_is_unconfirmed_until_it_answers() {
    stays_unconfirmed_while_a_daemon_hangs("kvm1", &["--direct"]);
}

#[test]
fn the_destinations_daemon_hangs_and_a_cancellation_is_unconfirmed_until_it_answers() {
    stays_unconfirmed_while_a_daemon_hangs("kvm2", &[]);
}

#[test]
fn the_destinations_daemon_hangs_and_a_direct_migrations_cancellation_is_unconfirmed_until_it_answers() {
    stays_unconfirmed_while_a_daemon_hangs("kvm2", &["--direct"]);
}
