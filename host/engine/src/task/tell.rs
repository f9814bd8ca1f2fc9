//! Sentences about where a domain is. Only what was observed is said.

use std::collections::BTreeSet;

use waypost_core::ids::{HostName, TaskId};
use waypost_core::journal::Course;
use waypost_core::outcome::OutcomeKind;
use waypost_core::plan::{Before, Plan, SourceFate, TransferMode};
use waypost_core::situation::{Side, Situation};

/// `running on kvm1`, as the host said it.
pub(super) fn side(side: &Side, host: &HostName) -> String {
    match side {
        Side::Unknown(why) => format!("unknown on {host} ({why})"),
        Side::Absent { .. } => format!("not on {host}"),
        Side::Present(seen) if seen.disk_errors.0.is_empty() => format!("{} on {host} ({})", seen.state, seen.reason),
        Side::Present(seen) => {
            format!("{} on {host} ({}: {})", seen.state, seen.reason, seen.disk_errors.0.join(", "))
        }
    }
}

pub(super) fn both(plan: &Plan, situation: &Situation) -> String {
    format!(
        "{} is {}, {}",
        plan.name,
        side(&situation.source, &plan.source.host),
        side(&situation.destination, &plan.destination.host)
    )
}

pub(super) fn arrived(plan: &Plan, situation: &Situation) -> String {
    let state = match &situation.destination {
        Side::Present(seen) => seen.state.to_string(),
        Side::Absent { .. } | Side::Unknown(_) => "present".into(),
    };
    format!("{} is {state} on {}", plan.destination_name, plan.destination.host)
}

/// Of a task that ends before its transfer began: where the domain is by now, and what of the preparation can't be taken back.
pub(super) fn never_moved(plan: &Plan, source: &Side, left: &[String], course: &Course) -> String {
    let moved = match course.attempt {
        1 if source.is_at_home(plan) => "nothing of it was moved".to_owned(),
        // Somebody else may have moved it, or be about to.
        1 => "this task moved nothing of it".to_owned(),
        n => format!("attempt {n} moved nothing of it"),
    };
    let here = format!("{} is {}: {moved}", plan.name, side(source, &plan.source.host));
    match left {
        [] => format!("{here}, and nothing of this migration is left{}", perhaps_before(course)),
        left => format!("{here}, and of this migration is left: {}", left.join("; ")),
    }
}

pub(super) fn stayed(plan: &Plan, situation: &Situation, volumes: &[String]) -> String {
    let left = if volumes.is_empty() { "nothing".to_owned() } else { volumes.join(", ") };
    let mut stayed = format!(
        "{} is {}, and {left} of this migration is left on {}",
        plan.name,
        side(&situation.source, &plan.source.host),
        plan.destination.host
    );
    let made = plan.made_for_the_guest();
    if plan.destination_before == Before::Absent && !made.is_empty() {
        stayed.push_str(&format!(", but perhaps {}", made.join(" and ")));
    }
    stayed
}

/// What the hosts of failed attempts may have kept of the guest, for a person. libvirt has no call that tells such a file, or
/// whether it was there before, and what may be another guest's state, or the same file by way of a shared store, is not for a
/// program to delete. On a host that had the domain before it is that definition's.
pub(super) fn state_left(plan: &Plan, tried: &[HostName]) -> Option<String> {
    let made = plan.made_for_the_guest();
    let theirs = |host: &&HostName| **host == plan.destination.host && plan.destination_before == Before::Defined;
    let hosts: BTreeSet<_> = tried.iter().filter(|host| !theirs(host)).map(HostName::as_str).collect();
    (!made.is_empty() && !hosts.is_empty()).then(|| {
        format!(
            "look whether {} was left on {}, and remove it there if no domain of that host uses it and no other host shares it",
            made.join(" or "),
            hosts.into_iter().collect::<Vec<_>>().join(" or ")
        )
    })
}

/// The same of an attempt that ends before it has moved anything: its own destination has seen nothing of the guest.
pub(super) fn state_left_before(course: &Course) -> Option<String> {
    let (_, before) = course.tried.split_last()?;
    state_left(course.plan_before.as_ref()?, before)
}

/// That, at the end of a sentence which says that nothing is left.
pub(super) fn perhaps_before(course: &Course) -> String {
    match (state_left_before(course), &course.plan_before) {
        (Some(_), Some(plan)) => format!(", but perhaps {}", plan.made_for_the_guest().join(" and ")),
        _ => String::new(),
    }
}

/// What a move leaves of the guest's firmware: libvirt keeps the file where it removes a definition.
pub(super) fn kept_variables(plan: &Plan) -> Option<String> {
    let gone = plan.source_fate != SourceFate::KeepWithoutAutostart && plan.mode == TransferMode::Live;
    let file = plan.firmware_variables.as_ref().filter(|_| gone)?;
    Some(format!("; the variables of its firmware stay on {}, too: {file}", plan.source.host))
}

/// Two sentences, as far as there are any.
pub(super) fn both_of(one: Option<String>, other: Option<String>) -> Option<String> {
    one.into_iter().chain(other).reduce(|one, other| format!("{one}; {other}"))
}

/// What a move leaves on purpose: the images of copied disks.
pub(super) fn kept_images(plan: &Plan) -> Option<String> {
    let images: Vec<_> = plan.copies.0.iter().map(|disk| disk.path.as_str()).collect();
    (!images.is_empty()).then(|| format!("; its images stay on {}: {}", plan.source.host, images.join(", ")))
}

pub(super) fn remedy(plan: &Plan, now: &Situation, kind: OutcomeKind, task: TaskId, volumes: &[String]) -> String {
    let mut remedy = match kind {
        OutcomeKind::Lost if now.in_post_copy() => format!(
            "end the half of {0} that is left, which nothing can continue, and start {0} again where it is defined; if its definition takes no order, restart libvirt's daemon there: the job of the migration is still on it; `waypost task {task}` has the evidence",
            plan.name
        ),
        OutcomeKind::Lost => format!(
            "start {} again where it is defined, after making sure that it runs nowhere; `waypost task {task}` has the evidence",
            plan.name
        ),
        _ => format!(
            "look at {} on {} and on {}; `waypost task {task}` has the evidence, `waypost recover {task}` looks again and shows what is permitted",
            plan.name, plan.source.host, plan.destination.host
        ),
    };
    let defined = |side: &Side| matches!(side, Side::Present(seen) if seen.persistent);
    if kind == OutcomeKind::Lost && defined(&now.source) && defined(&now.destination) {
        // Whoever starts one of them must not leave another that starts as well.
        remedy.push_str(&format!(
            "; it is defined on {} and on {}: keep one of the two definitions",
            plan.source.host, plan.destination.host
        ));
    }
    if !volumes.is_empty() {
        remedy.push_str(&format!("; this migration made {}: no use unless the domain is there", volumes.join(", ")));
    }
    remedy
}
