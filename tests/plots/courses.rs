//! Under which policies the guest that never arrives by itself is moved, with which settings. Shared by the plots and by
//! `make bench`.

use std::fs;

use waypost_lab::{GuestSpec, Program, SPIN};

use crate::site::Site;

/// One transfer under one policy.
#[derive(Debug)]
pub struct Course {
    /// The name of its files.
    pub name: &'static str,
    /// What is written over the picture.
    pub title: &'static str,
    /// The policy, and its settings in TOML.
    pub policy: &'static str,
    pub settings: &'static str,
    /// Asked for in advise mode, so that nobody is obeyed.
    pub obeyed: bool,
    pub post_copy: bool,
    pub timeout_s: u64,
    /// How it ends, unless chance helps: [`ARRIVES`] or [`STAYS`].
    pub end: &'static str,
}

/// The guest is on the destination.
pub const ARRIVES: &str = "completed";
/// It is where it was: the policy gave the transfer up, or where none is obeyed the time limit ended it.
pub const STAYS: &str = "rolled-back";

const fn course(name: &'static str, title: &'static str, policy: &'static str, settings: &'static str) -> Course {
    Course { name, title, policy, settings, obeyed: true, post_copy: false, timeout_s: 600, end: ARRIVES }
}

const OVIRT: &str = "convergence-ovirt";

/// Every shipped policy, with the settings that it comes with, as far as somebody can wait for them.
pub const COURSES: &[Course] = &[
    Course {
        obeyed: false,
        timeout_s: 45,
        end: STAYS,
        ..course("nobody", "no policy: ended by its time limit", "convergence-nova", "")
    },
    course("adaptive", "convergence-adaptive", "convergence-adaptive", ""),
    // These two have no step that would be enough for this guest.
    Course { end: STAYS, ..course("ovirt-legacy", "oVirt's legacy", OVIRT, "schedule = \"legacy\"") },
    Course {
        end: STAYS,
        ..course("ovirt-minimal-downtime", "oVirt's minimal downtime", OVIRT, "schedule = \"minimal-downtime\"")
    },
    course("ovirt-suspend-workload", "oVirt's suspend workload", OVIRT, "schedule = \"suspend-workload\""),
    Course { post_copy: true, ..course("ovirt-post-copy", "oVirt's post-copy", OVIRT, "schedule = \"post-copy\"") },
    course("ovirt-very-large-vms", "oVirt's very large VMs", OVIRT, "schedule = \"very-large-vms\""),
    course(
        "nova",
        "Nova's ladder, time divided by 25, then a forced end",
        "convergence-nova",
        "downtime_delay_s = 3, completion_timeout_s = 32, timeout_action = \"force_complete\"",
    ),
];

/// MiB/s.
pub const BANDWIDTH: u64 = 40;

/// A lab with a guest that rewrites 32 MiB all the time. At 40 MiB/s what is left of each pass takes 800 ms, more than
/// libvirt's own limit of 300 ms.
pub fn endless(course: &Course) -> Site {
    let Course { policy, settings, .. } = course;
    let mode = if course.obeyed { "enforce" } else { "shadow" };
    let site = Site::with(
        2,
        &format!(
            "\n[engine]\nsample_every_ms = 200\n\n[plugin.{policy}]\nmode = \"{mode}\"\nsettings = {{ {settings} }}\n"
        ),
    );
    let config = fs::read_to_string(site.config()).expect("the configuration");
    let named = config.replacen("[plugins]\n", &format!("[plugins]\nconvergence = {policy:?}\n"), 1);
    fs::write(site.config(), named).expect("the configuration is written");
    site.start_guest(&spinning("endless"));
    site
}

/// The guest.
pub fn spinning(name: &str) -> GuestSpec {
    let mut spec = GuestSpec::tick(name);
    spec.memory_mib = 128;
    if let Program::Tick { working_set_mib, dirty_pages_per_tick, .. } = &mut spec.program {
        *working_set_mib = 32;
        *dirty_pages_per_tick = SPIN;
    }
    spec
}
