//! A second attempt after a first that failed for real: over the same way once it is mended, to another host, and in
//! another manner.

use std::fs;

use serde_json::Value;
use waypost_lab::{GuestSpec, Link, Program};

use crate::site::Site;

/// A site whose recovery policy tries again, and no other steers.
fn site(hosts: u32, settings: &str, more: &str) -> Site {
    steered(hosts, settings, more, "mode = \"shadow\"")
}

/// The same with this said of the convergence policy.
fn steered(hosts: u32, settings: &str, more: &str, adaptive: &str) -> Site {
    let retry = format!("\n[plugin.recovery-retry]\nsettings = {{ delay_ms = 500{settings} }}\n");
    let steering = format!("\n[plugin.convergence-adaptive]\n{adaptive}\n");
    let site = Site::with(hosts, &format!("{more}{retry}{steering}"));
    let config = fs::read_to_string(site.config()).expect("the configuration");
    let named = config.replacen("[plugins]\n", "[plugins]\nrecovery = \"recovery-retry\"\n", 1);
    fs::write(site.config(), named).expect("the configuration is written");
    site
}

/// A pass over what it writes takes 0.8 s at 40 MiB/s, and a downtime of 300 ms is never enough.
fn start_endless(site: &Site) {
    let mut spec = GuestSpec { memory_mib: 64, ..GuestSpec::tick("g1") };
    if let Program::Tick { working_set_mib, dirty_pages_per_tick, .. } = &mut spec.program {
        *working_set_mib = 32;
        *dirty_pages_per_tick = waypost_lab::SPIN;
    }
    site.start_guest(&spec);
}

fn outcome(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

#[test]
fn the_way_breaks_and_the_second_attempt_takes_it_once_it_is_mended() {
    let site = site(2, "", "\n[engine]\nstall_s = 5\nmax_attempts = 8\n");
    site.busy_guest("g1");
    let kvm2 = site.lab.host("kvm2").expect("kvm2");
    let (uri, listen) = (format!("tcp://{}", kvm2.migration_ip()), kvm2.migration_ip());
    // It never arrives by itself, so that its way is cut in the middle.
    let limits = ["--bandwidth", "10", "--attempts", "8", "--json"];
    let network = ["--migrate-uri", &uri, "--listen-address", &listen];
    let mut child = site.start(&[&["migrate", "g1", "--to", "kvm2"][..], &limits, &network].concat());
    site.until_copying("kvm1", "g1");
    kvm2.cut(Link::Migration).expect("the link is cut");
    let task = site.only_task();
    site.until("the first attempt is given up", |site| {
        site.waypost(&["task", &task]).expect_code(0).out.contains("no byte moved")
    });
    kvm2.restore(Link::Migration).expect("the link is back");
    let kvm1 = site.lab.host("kvm1").expect("kvm1");
    site.until("an attempt that may let the guest stand still arrives", |_| {
        // Between two attempts there is no transfer that takes it.
        let _ = kvm1.virsh(&["migrate-setmaxdowntime", "g1", "20000"]);
        child.try_wait().expect("the command is there").is_some()
    });
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(0), "{}", site.waypost(&["task", &task]).out);
    let summary = outcome(&output)["outcome"]["summary"].to_string();
    assert!(summary.contains("on attempt "), "{summary}");
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("running")));
    site.assert_one_counting_guest("g1");
}

#[test]
fn the_destination_goes_away_and_the_second_attempt_goes_to_another() {
    let site = site(3, "", "");
    site.busy_guest("g1");
    let child = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40", "--json"]);
    site.until_copying("kvm1", "g1");
    let task = site.only_task();
    let kvm2 = site.lab.host("kvm2").expect("kvm2");
    kvm2.kill_libvirtd().expect("its daemon dies");
    // Nothing is tried while nobody can say what is there.
    site.until("it can't be asked", |site| site.waypost(&["task", &task]).expect_code(0).out.contains("unknown ("));
    kvm2.start_libvirtd().expect("its daemon is back");
    site.until("the second attempt begins", |site| {
        site.waypost(&["task", &task, "--json"]).expect_code(0).json()["attempt"] == 2
    });
    site.until_copying("kvm1", "g1");
    site.virsh("kvm1", &["migrate-setmaxdowntime", "g1", "20000"]);
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(0), "{}", site.waypost(&["task", &task]).out);
    assert_eq!(site.state("kvm3", "g1").as_deref(), Some("running"), "{}", outcome(&output));
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1")), (None, None));
    site.assert_one_counting_guest("g1");
}

#[test]
fn the_time_is_over_and_the_second_attempt_may_stand_still_for_longer() {
    let site = site(2, ", downtime_after_timeout_ms = 20000", "");
    start_endless(&site);
    let ran = site.waypost(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40", "--timeout", "15", "--json"]);
    let task = site.only_task();
    let told = site.waypost(&["task", &task]).expect_code(0).out;
    assert_eq!(ran.code, 0, "{told}");
    assert!(told.contains("the time limit of 15 s was over"), "{told}");
    assert!(ran.json()["outcome"]["summary"].to_string().contains("on attempt 2"), "{}", ran.out);
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("running")));
    site.assert_one_counting_guest("g1");
}

/// The policy that could switch it is there in both attempts; only the second may.
#[test]
fn the_time_is_over_and_the_second_attempt_may_switch_to_post_copy() {
    let settings = "window_s = 2, own_time_s = 4, switchover_s = 2, throttle = false, last_resort = [\"post-copy\"]";
    let adaptive = format!("settings = {{ {settings} }}");
    let site = steered(2, ", post_copy_after_timeout = true", "", &adaptive);
    start_endless(&site);
    // No downtime that would do is within the bound.
    let limits = ["--bandwidth", "40", "--max-downtime", "100", "--timeout", "15", "--json"];
    let ran = site.waypost(&[&["migrate", "g1", "--to", "kvm2"][..], &limits].concat());
    let task = site.only_task();
    let told = site.waypost(&["task", &task]).expect_code(0).out;
    assert_eq!(ran.code, 0, "{told}");
    assert!(told.contains("the time limit of 15 s was over"), "{told}");
    assert!(told.contains("convergence-adaptive: post-copy"), "{told}");
    assert!(ran.json()["outcome"]["summary"].to_string().contains("on attempt 2"), "{}", ran.out);
    let record = site.waypost(&["task", &task, "--json"]).expect_code(0).json();
    let journal = record["journal"].as_array().expect("a journal");
    let planned = journal.iter().filter(|entry| entry["record"] == "planned");
    let allowed: Vec<&Value> = planned.map(|entry| &entry["details"]["plan"]["stream"]["post_copy"]).collect();
    assert_eq!(allowed, [&Value::Bool(false), &Value::Bool(true)], "{record:#}");
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("running")));
    site.assert_one_counting_guest("g1");
}
