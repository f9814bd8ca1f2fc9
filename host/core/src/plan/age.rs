//! What a daemon is too old for, or too new.

use super::PlanError;
use crate::facts::{Candidate, HostFacts, Snapshot};
use crate::request::Options;
use crate::stream::{given_up, newer};

/// Whether both daemons know what is asked of them, and take it still; one that doesn't tell its version is asked to its face.
pub(super) fn of_an_age(options: &Options, facts: &Snapshot, to: &Candidate) -> Result<(), PlanError> {
    let known = |host: &HostFacts| host.libvirt_version.map(|has| (host.name.clone(), has));
    for (host, has) in [&*facts.source, &*to.host].into_iter().filter_map(known) {
        if let Some((what, needed)) =
            newer(&options.stream, &options.disks).into_iter().find(|(_, needed)| has < *needed)
        {
            return Err(PlanError::TooOld { what, host, needed, has });
        }
        if let Some((what, refused_from)) = given_up(&options.stream).filter(|(_, from)| has >= *from) {
            return Err(PlanError::TooNew { what, host, refused_from, has });
        }
    }
    Ok(())
}

pub(super) fn dotted(version: u64) -> String {
    format!("{}.{}.{}", version / 1_000_000, version / 1_000 % 1_000, version % 1_000)
}
