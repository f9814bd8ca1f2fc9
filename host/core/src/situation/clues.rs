//! What the state of both sides tells of why a transfer failed that nobody saw fail. It decides nothing about the domain: a
//! policy is told of it, and a person.

use super::view::{Ending, View, ended_by};
use super::{Observed, Side, Situation};
use crate::facts::DomainState;
use crate::ids::HostName;
use crate::plan::Plan;
use crate::recovery::FailureClass;

/// The class of a failure as both sides show it, in words; none where they show nothing but that it failed. Of a domain that
/// is off on the destination the reason counts only if the transfer had begun: else it is an older one's.
pub fn clue(plan: &Plan, situation: &Situation, begun: bool) -> Option<(FailureClass, String)> {
    let Situation { source, destination } = situation;
    let (here, there) = (&plan.source.host, &plan.destination.host);
    let died = |name: &str, host: &HostName, side: &Side| {
        let words = format!("the hypervisor process of {name} on {host} ended ({})", shown(side));
        Some((FailureClass::HypervisorDied, words))
    };
    let gone = |view: View| match view {
        View::Absent => true,
        // The half of a guest that has handed over the rest is no half any more.
        View::Inactive(ending) => ending != Ending::Migrated,
        _ => false,
    };
    let crashed = |view: View, side: &Side| matches!(view, View::Inactive(_)) && ended_by(side, "crashed");
    match situation.views(plan) {
        (View::PostCopy(_), view) if gone(view) => died(&plan.destination_name, there, destination),
        (view, View::PostCopy(_)) if gone(view) => died(&plan.name, here, source),
        (view, _) if crashed(view, source) => died(&plan.name, here, source),
        (_, view) if begun && crashed(view, destination) => died(&plan.destination_name, there, destination),
        _ => stopped_by_a_disk(source, here).or_else(|| stopped_by_a_disk(destination, there)),
    }
}

/// libvirt's words for a side that has no process.
fn shown(side: &Side) -> String {
    match side {
        Side::Present(seen) => format!("{}: {}", seen.state, seen.reason),
        Side::Absent { .. } => "it is not there any more".to_owned(),
        Side::Unknown(why) => why.clone(),
    }
}

fn stopped_by_a_disk(side: &Side, host: &HostName) -> Option<(FailureClass, String)> {
    let Side::Present(seen) = side else { return None };
    let Observed { state: DomainState::Paused, name, disk_errors, .. } = seen else { return None };
    if seen.reason != "io-error" {
        return None;
    }
    let which = if disk_errors.0.is_empty() { String::new() } else { format!(": {}", disk_errors.0.join(", ")) };
    Some((FailureClass::Storage, format!("an I/O error of a disk stopped {name} on {host}{which}")))
}
