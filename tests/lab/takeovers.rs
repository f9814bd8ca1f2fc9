//! The controller dies at the records that [`crate::crashes`] doesn't have: while it changes a running transfer, before another
//! attempt, before a broken post-copy is joined again, and while it tidies up after an arrival.

use std::{env, fs};

use serde_json::{Value, json};

use crate::crashes::{Doomed, ORDERS, die, dies, doomed, is_on, newest_task};
use crate::site::Site;

/// No policy brings a transfer to its end.
const NOBODY: &str = "\n[plugin.convergence-adaptive]\nmode = \"shadow\"\n";

/// A site with a guest that never arrives by itself.
fn endless(more: &str) -> Site {
    let site = Site::with(2, &format!("{more}{NOBODY}"));
    site.busy_guest("g1");
    // Before it has booted there is next to nothing to move.
    site.until("the guest counts", |site| site.lab.latest_counter("g1").is_some());
    site
}

/// On its way at 40 MiB/s, in a process that dies.
fn sent_off(site: &Site, test: &str, (record, when): (&str, &str), from: &str, to: &str, post_copy: bool) -> Doomed {
    let orders = json!({
        "domain": "g1", "to": to, "bandwidth": 40, "downtime": 300, "post_copy": post_copy,
        "post_copy_bandwidth": post_copy.then_some(20)
    });
    let child = doomed(site, test, record, when, orders);
    site.until_copying(from, "g1");
    child
}

fn outcome(site: &Site) -> Value {
    site.waypost(&["task", &newest_task(site), "--json"]).expect_code(0).json()["outcome"]["kind"].clone()
}

/// An order that may have been given is given once more: it changes nothing that is so already.
#[test]
fn an_order_to_a_running_transfer_is_taken_over() {
    if let Ok(orders) = env::var(ORDERS) {
        return die(&orders);
    }
    let test = "takeovers::an_order_to_a_running_transfer_is_taken_over";
    let site = endless("");
    let (mut from, mut to) = ("kvm1", "kvm2");
    for row in [("steer-intended", "after"), ("steer-settled", "before")] {
        let child = sent_off(&site, test, row, from, to, false);
        site.waypost(&["steer", &newest_task(&site), "--max-downtime", "20000"]).expect_code(0);
        dies(child);
        let task = newest_task(&site);
        let ran = site.waypost(&["recover", &task]);
        assert_eq!(ran.code, 0, "{row:?}:\n{}{}", ran.out, ran.err);
        is_on(&site, to, &format!("{row:?}"));
        (from, to) = (to, from);
    }
}

/// Whoever asked for it takes the task over where nobody drives it any more.
#[test]
fn a_cancellation_is_taken_over() {
    if let Ok(orders) = env::var(ORDERS) {
        return die(&orders);
    }
    let site = endless("");
    for row in [("cancel-requested", "before"), ("cancel-requested", "after")] {
        let child = sent_off(&site, "takeovers::a_cancellation_is_taken_over", row, "kvm1", "kvm2", false);
        let cancel = site.start(&["cancel", &newest_task(&site)]);
        dies(child);
        let cancel = cancel.wait_with_output().expect("the cancelling command ends");
        assert_eq!(cancel.status.code(), Some(0), "{row:?}: {}", String::from_utf8_lossy(&cancel.stderr));
        assert_eq!(outcome(&site), "cancelled", "{row:?}");
        site.until("nothing is left on the destination", |site| site.state("kvm2", "g1").is_none());
        is_on(&site, "kvm1", &format!("{row:?}"));
    }
}

#[test]
fn another_attempt_is_taken_over_before_it_begins() {
    if let Ok(orders) = env::var(ORDERS) {
        return die(&orders);
    }
    let test = "takeovers::another_attempt_is_taken_over_before_it_begins";
    let site = endless("\n[plugin.recovery-retry]\nsettings = { delay_ms = 500 }\n");
    let config = fs::read_to_string(site.config()).expect("the configuration");
    let named = config.replacen("[plugins]\n", "[plugins]\nrecovery = \"recovery-retry\"\n", 1);
    fs::write(site.config(), named).expect("the configuration is written");
    let child = sent_off(&site, test, ("next-attempt", "after"), "kvm1", "kvm2", false);
    site.lab.host("kvm2").and_then(|host| host.kill_qemu("g1")).expect("the incoming process is killed");
    dies(child);
    let task = newest_task(&site);
    let successor = site.start(&["recover", &task]);
    site.until_copying("kvm1", "g1");
    site.virsh("kvm1", &["migrate-setmaxdowntime", "g1", "20000"]);
    let successor = successor.wait_with_output().expect("the successor ends");
    assert_eq!(successor.status.code(), Some(0), "{}", site.waypost(&["task", &task]).out);
    let ended = site.waypost(&["task", &task, "--json"]).expect_code(0).json();
    assert_eq!(ended["attempt"], 2, "{ended:#}");
    is_on(&site, "kvm2", "the second attempt");
}

/// It is on record that both halves are being joined, and nobody asked for it.
#[test]
fn a_broken_post_copy_is_taken_over_before_it_is_joined() {
    if let Ok(orders) = env::var(ORDERS) {
        return die(&orders);
    }
    let test = "takeovers::a_broken_post_copy_is_taken_over_before_it_is_joined";
    let site = endless("");
    let child = sent_off(&site, test, ("resumed", "after"), "kvm1", "kvm2", true);
    let task = newest_task(&site);
    site.waypost(&["steer", &task, "--postcopy"]).expect_code(0);
    site.until("the guest runs on the destination", |site| site.state("kvm2", "g1").as_deref() == Some("running"));
    // The way is there: both sides notice at once. The source may hear a moment later than the destination that it was switched.
    let kvm1 = site.lab.host("kvm1").expect("kvm1");
    site.until("it is interrupted", |_| kvm1.virsh(&["domjobabort", "g1", "--postcopy"]).is_ok());
    dies(child);
    let broken = site.virsh("kvm1", &["domstate", "g1", "--reason"]);
    assert_eq!(broken.trim(), "paused (post-copy failed)", "nobody joined them");
    let ran = site.waypost(&["recover", &task]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("its post-copy broke and was resumed"), "{}{}", ran.out, ran.err);
    is_on(&site, "kvm2", "joined");
}

/// A guest that starts with its host does so wherever it is: that is left to do once it has arrived.
#[test]
fn what_is_tidied_up_after_an_arrival_is_taken_over() {
    if let Ok(orders) = env::var(ORDERS) {
        return die(&orders);
    }
    let test = "takeovers::what_is_tidied_up_after_an_arrival_is_taken_over";
    let site = Site::new(2);
    site.guest("g1");
    site.virsh("kvm1", &["autostart", "g1"]);
    let starts = |host: &str| {
        let info = site.virsh(host, &["dominfo", "g1"]);
        info.lines().any(|line| line.starts_with("Autostart:") && line.ends_with("enable"))
    };
    let mut to = "kvm2";
    for (record, when, done) in [
        ("finish-intended", "before", false),
        ("finish-intended", "after", false),
        ("finish-settled", "before", true),
        ("finish-settled", "after", true),
    ] {
        let what = format!("died {when} {record}");
        dies(doomed(&site, test, record, when, json!({ "domain": "g1", "to": to })));
        assert_eq!(starts(to), done, "{what}");
        let ran = site.waypost(&["recover", &newest_task(&site)]);
        assert_eq!(ran.code, 0, "{what}:\n{}{}", ran.out, ran.err);
        assert!(starts(to), "{what}");
        is_on(&site, to, &what);
        to = if to == "kvm1" { "kvm2" } else { "kvm1" };
    }
}
