//! One side in the terms of the tables: libvirt's states and reasons, reduced to what decides.

use uuid::Uuid;

use super::Side;
use crate::facts::DomainState;
use crate::plan::{Before, Plan, SourceFate};

/// One side in the terms of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Unknown,
    Absent,
    Inactive(Ending),
    Runs,
    Paused(Ran),
    /// Half of a guest: its memory is here and on the other side.
    PostCopy(Half),
    /// Shutting down, suspended by the guest, ...: neither runs nor can be reasoned about.
    Odd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Migrated,
    Broken,
    InOrder,
    Untold,
}

/// What one side knows of a post-copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    /// Memory is following, as far as this side knows.
    Flowing,
    /// This side has seen the stream break.
    Broken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    Never,
    Maybe,
}

pub(super) fn view(side: &Side, planned: Option<Uuid>) -> View {
    let foreign = |host: Option<Uuid>| matches!((planned, host), (Some(p), Some(h)) if p != h);
    match side {
        Side::Unknown(_) => View::Unknown,
        Side::Absent { host } if foreign(*host) => View::Unknown,
        Side::Absent { .. } => View::Absent,
        Side::Present(seen) if foreign(seen.host) => View::Unknown,
        Side::Present(seen) if seen.never_ran() => View::Paused(Ran::Never),
        Side::Present(seen) => match (seen.state, seen.reason.as_str()) {
            (DomainState::Running | DomainState::Blocked | DomainState::Paused, "post-copy") => {
                View::PostCopy(Half::Flowing)
            }
            (DomainState::Running | DomainState::Blocked | DomainState::Paused, "post-copy-failed") => {
                View::PostCopy(Half::Broken)
            }
            (DomainState::Running | DomainState::Blocked, _) => View::Runs,
            (DomainState::Paused, _) => View::Paused(Ran::Maybe),
            (DomainState::ShutOff, "migrated") => View::Inactive(Ending::Migrated),
            (DomainState::ShutOff, "crashed" | "failed") => View::Inactive(Ending::Broken),
            // What a daemon says after its own restart: it proves nothing.
            (DomainState::ShutOff, "unknown") => View::Inactive(Ending::Untold),
            (DomainState::ShutOff, _) => View::Inactive(Ending::InOrder),
            (DomainState::Crashed, _) => View::Inactive(Ending::Broken),
            _ => View::Odd,
        },
    }
}

pub(super) fn has_job(side: &Side) -> bool {
    matches!(side, Side::Present(seen) if seen.job)
}

/// Whether the source gave the whole memory away: it says so, or it is gone although nothing was to be kept there (a
/// transient domain leaves its source without a word).
pub(super) fn handed_over(plan: &Plan, source: View) -> bool {
    source == View::Inactive(Ending::Migrated)
        || (source == View::Absent && plan.source_fate != SourceFate::KeepWithoutAutostart)
}

/// Whether a running copy began by itself and not as the other end of a migration.
pub(super) fn began_anew(side: &Side) -> bool {
    matches!(side, Side::Present(seen) if matches!(seen.reason.as_str(), "booted" | "restored" | "from-snapshot"))
}

/// Whether the destination's definition is this migration's own: nothing was there before.
pub(super) fn made_by_us(plan: &Plan, destination: &Side) -> bool {
    plan.destination_before == Before::Absent && matches!(destination, Side::Present(seen) if seen.persistent)
}

/// Whether the hypervisor gives this as the reason of what it shows.
pub(super) fn ended_by(side: &Side, reason: &str) -> bool {
    matches!(side, Side::Present(seen) if seen.reason == reason)
}
