//! A real guest that never arrives by itself, and what each convergence policy makes of it.

use std::fs;

use waypost_lab::{GuestSpec, Program};

use crate::site::{Ran, Site};

/// A guest that rewrites 32 MiB all the time. At 40 MiB/s what is left takes 800 ms, more than libvirt's own limit of 300 ms.
fn endless(policy: &str, settings: &str) -> Site {
    let site =
        Site::with(2, &format!("\n[engine]\nsteer_every_ms = 250\n\n[plugin.{policy}]\nsettings = {{ {settings} }}\n"));
    let config = fs::read_to_string(site.config()).expect("the configuration");
    let named = config.replacen("[plugins]\n", &format!("[plugins]\nconvergence = {policy:?}\n"), 1);
    assert_ne!(named, config);
    fs::write(site.config(), named).expect("the configuration is written");
    let mut spec = GuestSpec::tick("g1");
    spec.memory_mib = 64;
    if let Program::Tick { working_set_mib, dirty_pages_per_tick, .. } = &mut spec.program {
        *working_set_mib = 32;
        *dirty_pages_per_tick = waypost_lab::SPIN;
    }
    site.start_guest(&spec);
    site
}

fn migrate(site: &Site, more: &[&str]) -> Ran {
    let arguments = ["migrate", "g1", "--to", "kvm2", "--bandwidth", "40", "--timeout", "120", "--json"];
    site.waypost(&[&arguments[..], more].concat())
}

/// It ends on the destination, and this is what the policy did.
fn arrives(site: &Site, more: &[&str], done: &str) {
    let ran = migrate(site, more).expect_code(0);
    let record = site.waypost(&["task", &site.only_task()]).expect_code(0).out;
    assert!(record.contains(done), "{done} is not on record:\n{record}\n{}", ran.err);
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
    assert_eq!(site.state("kvm1", "g1"), None);
    site.assert_one_counting_guest("g1");
}

/// The policy gives up, and the guest is where it was.
fn is_given_up(site: &Site, more: &[&str]) {
    let ran = migrate(site, more).expect_code(4);
    assert!(ran.out.contains("gave the transfer up"), "{}", ran.out);
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    assert_eq!(site.state("kvm2", "g1"), None);
    site.assert_one_counting_guest("g1");
}

#[test]
fn nobody_brings_it_to_an_end_where_no_policy_is_obeyed() {
    let site = endless("convergence-ovirt", "schedule = \"suspend-workload\"");
    let config = fs::read_to_string(site.config()).expect("the configuration");
    fs::write(site.config(), format!("{config}mode = \"shadow\"\n")).expect("the configuration is written");
    let ran = site.waypost(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40", "--timeout", "15"]).expect_code(4);
    assert!(ran.out.contains("running on kvm1"), "{}", ran.out);
    site.assert_one_counting_guest("g1");
}

#[test]
fn the_adaptive_policy_chooses_a_downtime_that_is_enough() {
    let site = endless("convergence-adaptive", "window_s = 2, throttle = false");
    arrives(&site, &[], "convergence-adaptive: set-downtime");
}

#[test]
fn the_adaptive_policy_takes_post_copy_where_no_downtime_is_allowed_that_would_do() {
    let site = endless("convergence-adaptive", "window_s = 2, own_time_s = 4, switchover_s = 2, throttle = false");
    arrives(&site, &["--postcopy", "--max-downtime", "100"], "convergence-adaptive: post-copy");
}

#[test]
fn ovirts_minimal_downtime_gives_up() {
    let site = endless("convergence-ovirt", "schedule = \"minimal-downtime\", poll_ms = 500, auto_converge = false");
    is_given_up(&site, &[]);
}

#[test]
fn ovirts_legacy_schedule_gives_up_later() {
    let site = endless("convergence-ovirt", "schedule = \"legacy\", poll_ms = 500");
    is_given_up(&site, &[]);
}

#[test]
fn ovirts_suspend_workload_ends_with_a_long_downtime() {
    let site = endless("convergence-ovirt", "schedule = \"suspend-workload\", poll_ms = 500, auto_converge = false");
    arrives(&site, &[], "convergence-ovirt: set-downtime 5000");
}

#[test]
fn ovirts_very_large_vms_reaches_a_downtime_that_is_enough() {
    let site = endless("convergence-ovirt", "schedule = \"very-large-vms\", poll_ms = 500, auto_converge = false");
    arrives(&site, &[], "convergence-ovirt: set-downtime 1");
}

#[test]
fn ovirts_post_copy_switches() {
    let site = endless("convergence-ovirt", "schedule = \"post-copy\", poll_ms = 500, auto_converge = false");
    arrives(&site, &["--postcopy"], "convergence-ovirt: post-copy");
}
