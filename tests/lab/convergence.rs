//! A real guest that never arrives by itself, and what each convergence policy makes of it.

use std::fs;

use serde_json::json;
use waypost_lab::{GuestSpec, Program};

use crate::networks::plan_of;
use crate::site::{Ran, Site};

/// A guest that rewrites 32 MiB all the time. At 40 MiB/s what is left takes 800 ms, more than libvirt's own limit of 300 ms.
fn endless(policy: &str, settings: &str) -> Site {
    let site = steered_by(policy, settings);
    start(&site, 64, 32, waypost_lab::SPIN);
    site
}

/// A guest that rewrites 18 MiB all the time. At 40 MiB/s what is left takes 450 ms: more than libvirt's own limit, and more than
/// each step but the last of the two of oVirt's schedules that end with 500 ms.
fn needs_their_last_step(settings: &str) -> Site {
    let site = steered_by("convergence-ovirt", settings);
    start(&site, 64, 18, waypost_lab::SPIN);
    site
}

fn steered_by(policy: &str, settings: &str) -> Site {
    let site =
        Site::with(2, &format!("\n[engine]\nsteer_every_ms = 250\n\n[plugin.{policy}]\nsettings = {{ {settings} }}\n"));
    let config = fs::read_to_string(site.config()).expect("the configuration");
    let named = config.replacen("[plugins]\n", &format!("[plugins]\nconvergence = {policy:?}\n"), 1);
    assert_ne!(named, config);
    fs::write(site.config(), named).expect("the configuration is written");
    site
}

fn start(site: &Site, memory_mib: u32, written_mib: u32, pages_per_tick: u16) {
    let mut spec = GuestSpec { memory_mib, ..GuestSpec::tick("g1") };
    if let Program::Tick { working_set_mib, dirty_pages_per_tick, .. } = &mut spec.program {
        *working_set_mib = written_mib;
        *dirty_pages_per_tick = pages_per_tick;
    }
    site.start_guest(&spec);
}

fn migrate(site: &Site, more: &[&str]) -> Ran {
    let arguments = ["migrate", "g1", "--to", "kvm2", "--bandwidth", "40", "--timeout", "120", "--json"];
    site.waypost(&[&arguments[..], more].concat())
}

/// It ends on the destination, and this is what the policy did.
fn arrives(site: &Site, more: &[&str], done: &str) {
    migrate(site, more).expect_code(0);
    is_on_record(site, done);
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
    assert_eq!(site.state("kvm1", "g1"), None);
    site.assert_one_counting_guest("g1");
}

fn is_on_record(site: &Site, done: &str) {
    let record = site.waypost(&["task", &site.only_task()]).expect_code(0).out;
    assert!(record.contains(done), "{done} is not on record:\n{record}");
}

/// The policy gives up, and not before it did this; the guest is where it was.
fn is_given_up(site: &Site, more: &[&str], done: &str) {
    let ran = migrate(site, more).expect_code(4);
    assert!(ran.out.contains("gave the transfer up"), "{}", ran.out);
    is_on_record(site, done);
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    assert_eq!(site.state("kvm2", "g1"), None);
    site.assert_one_counting_guest("g1");
}

/// What becomes of either guest where nobody helps: its time limit ends its transfer, after longer than oVirt's schedules need here to
/// bring one there.
fn never_arrives(site: &Site) {
    let config = fs::read_to_string(site.config()).expect("the configuration");
    fs::write(site.config(), format!("{config}mode = \"shadow\"\n")).expect("the configuration is written");
    let ran = site.waypost(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "40", "--timeout", "15"]).expect_code(4);
    assert!(ran.err.contains("the time limit of 15 s is over"), "{}", ran.err);
    assert!(ran.out.contains("running on kvm1"), "{}", ran.out);
    site.assert_one_counting_guest("g1");
}

#[test]
fn nobody_brings_it_to_an_end_where_no_policy_is_obeyed() {
    never_arrives(&endless("convergence-ovirt", "schedule = \"suspend-workload\""));
}

#[test]
fn nobody_brings_the_guest_that_needs_their_last_step_to_an_end_either() {
    never_arrives(&needs_their_last_step("schedule = \"minimal-downtime\""));
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

/// 50 MiB/s are written and 40 carried, so that it gets no smaller, whatever downtime is allowed here: slowed down, the guest
/// writes less. Other than the endless one it works by the clock, and misses ticks while it is held.
#[test]
fn the_adaptive_policy_slows_the_guest_down_and_that_is_enough() {
    // The site's own figures instead of the hypervisor's 20 and 10, so that it doesn't take half a minute.
    let throttle = "throttle_initial_percent = 80, throttle_increment_percent = 19";
    let site = steered_by("convergence-adaptive", throttle);
    start(&site, 96, 64, 128);
    site.until("the guest counts", |site| site.lab.latest_counter("g1").is_some());
    let limits = ["--bandwidth", "40", "--max-downtime", "300", "--timeout", "120", "--json"];
    let child = site.start(&[&["migrate", "g1", "--to", "kvm2"][..], &limits].concat());
    let held = |site: &Site| {
        let shown = site.waypost(&["top", "--json"]).expect_code(0).json();
        shown["running"][0]["sample"]["throttle_percent"].as_u64().is_some_and(|percent| percent >= 80)
    };
    site.until("a reading shows that it is slowed down", held);
    let output = child.wait_with_output().expect("the command ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let task = site.only_task();
    let stream = plan_of(&site, &task)["stream"].clone();
    assert_eq!((&stream["auto_converge"], &stream["auto_converge_initial"]), (&json!(true), &json!(80)), "{stream:#}");
    // Nobody asked for more downtime, for post-copy or for a pause.
    let record = site.waypost(&["task", &task, "--json"]).expect_code(0).out;
    assert!(record.contains("perform-returned") && !record.contains("steer-intended"), "{record}");
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("running")));
    site.assert_one_counting_guest("g1");
}

/// No downtime within the bound would do, and no post-copy was allowed: in the last part of its time the guest is paused, and the
/// rest follows while it stands still.
#[test]
fn the_adaptive_policy_pauses_a_guest_whose_time_is_nearly_over() {
    let site = endless("convergence-adaptive", "window_s = 2, throttle = false");
    let limits = ["--bandwidth", "40", "--max-downtime", "100", "--timeout", "20", "--json"];
    site.waypost(&[&["migrate", "g1", "--to", "kvm2"][..], &limits].concat()).expect_code(0);
    is_on_record(&site, "convergence-adaptive: suspend");
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("running")));
    site.assert_one_counting_guest("g1");
}

/// Nothing may force its end.
#[test]
fn the_adaptive_policy_gives_up_where_the_site_says_so_and_nothing_else_is_possible() {
    let settings = "window_s = 2, throttle = false, last_resort = [], abort_after_s = 3";
    let site = endless("convergence-adaptive", settings);
    is_given_up(&site, &["--max-downtime", "100"], "convergence-adaptive: abort");
}

/// Three steps, the first of which is less than the guest needs: 600, 1000 and 1400 ms, one every 3 s for each of the 2 GiB that
/// Nova counts at least.
#[test]
fn novas_ladder_climbs_to_a_downtime_that_is_enough() {
    let site = endless("convergence-nova", "downtime_ms = 1800, downtime_steps = 3, downtime_delay_s = 3");
    arrives(&site, &[], "convergence-nova: set-downtime 1000");
    assert_eq!(plan_of(&site, &site.only_task())["max_downtime_ms"], 600, "it begins with the first step");
}

#[test]
fn ovirts_minimal_downtime_gives_up() {
    let site = endless("convergence-ovirt", "schedule = \"minimal-downtime\", poll_ms = 500, auto_converge = false");
    is_given_up(&site, &[], "convergence-ovirt: set-downtime 500");
}

#[test]
fn ovirts_legacy_schedule_gives_up_later() {
    let site = endless("convergence-ovirt", "schedule = \"legacy\", poll_ms = 500");
    is_given_up(&site, &[], "convergence-ovirt: set-downtime 500");
}

/// Polled every 2 s, so that each limit is in force for some twenty of the hypervisor's own looks before the next comes: the last
/// is allowed after 12 s, and the schedule would give up after 14.
#[test]
fn ovirts_minimal_downtime_brings_a_guest_there_with_its_last_step() {
    let site = needs_their_last_step("schedule = \"minimal-downtime\", poll_ms = 2000, auto_converge = false");
    arrives(&site, &[], "convergence-ovirt: set-downtime 500");
    is_on_record(&site, "convergence-ovirt: set-downtime 400");
}

/// Its last step is the fourth, after 10 s.
#[test]
fn ovirts_legacy_schedule_brings_a_guest_there_with_its_last_step() {
    let site = needs_their_last_step("schedule = \"legacy\", poll_ms = 2000, auto_converge = false");
    arrives(&site, &[], "convergence-ovirt: set-downtime 500");
    is_on_record(&site, "convergence-ovirt: set-downtime 189");
}

#[test]
fn ovirts_suspend_workload_ends_with_a_long_downtime() {
    let site = endless("convergence-ovirt", "schedule = \"suspend-workload\", poll_ms = 500, auto_converge = false");
    arrives(&site, &[], "convergence-ovirt: set-downtime 5000");
}

/// Its step before allows 700 ms.
#[test]
fn ovirts_very_large_vms_reaches_a_downtime_that_is_enough() {
    let site = endless("convergence-ovirt", "schedule = \"very-large-vms\", poll_ms = 500, auto_converge = false");
    arrives(&site, &[], "convergence-ovirt: set-downtime 1000");
}

#[test]
fn ovirts_post_copy_switches() {
    let site = endless("convergence-ovirt", "schedule = \"post-copy\", poll_ms = 500, auto_converge = false");
    arrives(&site, &["--postcopy"], "convergence-ovirt: post-copy");
}
