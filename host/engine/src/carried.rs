//! What the way between two hosts carries, for a prediction: what is declared, else what earlier transfers over it showed.
//!
//! Of those the fastest counts. A transfer shows what the network carried *at least*: it may have shared it, have been short, or
//! have waited for a guest's processor. So the highest of the last ones comes nearest to the truth, and never beyond it - as
//! long as the network is what it was, which is why only the last ones are asked. One with a limit shows the limit, and one of
//! another kind (encrypted, over parallel connections, compressed) another way.

use std::cmp::Reverse;

use waypost_core::convergence::{Bandwidth, BandwidthFrom, Steering};
use waypost_core::ids::TaskId;
use waypost_core::journal::Record;
use waypost_core::network::Networks;
use waypost_core::plan::{Plan, TransferMode};
use waypost_core::ports::{Store, StoreFault};
use waypost_core::sample::Sample;

/// So many transfers of the pair are looked at.
const LOOKED_AT: u32 = 20;
/// What moved fewer bytes shows how long it takes to begin, and not how fast the network is.
const LEAST_BYTES: u64 = 32 << 20;

/// What is declared for a plan: its limit, or what its network carries where that is less.
pub(crate) fn declared(plan: &Plan, networks: &Networks) -> Option<Bandwidth> {
    let limit = plan.bandwidth_mib_s;
    let network = plan.network.as_deref().and_then(|name| networks.get(name)).and_then(|n| n.bandwidth_mib_s);
    let (mib_s, from) = match (limit, network) {
        // A request that names no limit has the network's.
        (Some(limit), Some(network)) if network <= limit => (network, BandwidthFrom::Network),
        (Some(limit), _) => (limit, BandwidthFrom::Limit),
        (None, Some(network)) => (network, BandwidthFrom::Network),
        (None, None) => return None,
    };
    let bytes_per_s = mib_s.checked_mul(1 << 20).filter(|bytes| *bytes > 0)?;
    Some(Bandwidth { bytes_per_s, from })
}

/// What the fastest of the last transfers between the two hosts, in either direction, carried; none where there was none that
/// shows it. Reads the store: a migration waits for it, so it asks for those of the pair only, and for no journal but that of
/// the fastest, and of the next where that one was held back.
pub(crate) fn earlier(store: &dyn Store, plan: &Plan) -> Result<Option<Bandwidth>, StoreFault> {
    let mut shown: Vec<(u64, TaskId)> = Vec::new();
    for task in store.moved_between(&plan.source.host, &plan.destination.host, LOOKED_AT)? {
        let rate = store.reading(task)?.and_then(|reading| rate(&reading.sample));
        shown.extend(rate.map(|rate| (rate, task)));
    }
    shown.sort_unstable_by_key(|(rate, _)| Reverse(*rate));
    for (bytes_per_s, task) in shown {
        if shows(store, task, plan)? {
            return Ok(Some(Bandwidth { bytes_per_s, from: BandwidthFrom::EarlierTransfers }));
        }
    }
    Ok(None)
}

/// Whether a transfer shows the way that a plan takes: it took the same, and nothing held it back.
fn shows(store: &dyn Store, task: TaskId, plan: &Plan) -> Result<bool, StoreFault> {
    let journal = store.journal(task)?;
    let planned = journal.iter().rev().find_map(|(_, record)| match record {
        Record::Planned { plan } => Some(plan),
        _ => None,
    });
    let held_back = |record: &Record| {
        matches!(record, Record::SteerIntended { action: Steering::SetBandwidth, .. } | Record::Resumed { .. })
    };
    Ok(planned.is_some_and(|was| is_alike(was, plan)) && !journal.iter().any(|(_, record)| held_back(record)))
}

/// Whether what one transfer carried says something of another.
fn is_alike(was: &Plan, plan: &Plan) -> bool {
    let unlimited = was.bandwidth_mib_s.is_none() && was.stream.post_copy_bandwidth_mib_s.is_none();
    unlimited
        && was.mode == TransferMode::Live
        && was.network == plan.network
        && was.transport == plan.transport
        && was.stream.encryption == plan.stream.encryption
        && was.stream.parallel_connections == plan.stream.parallel_connections
        && was.stream.compression == plan.stream.compression
}

/// Bytes per second of a transfer's final figures: as the hypervisor tells it, else what was moved by the time that it took.
fn rate(sample: &Sample) -> Option<u64> {
    if sample.processed_bytes < LEAST_BYTES {
        return None;
    }
    let told = sample.bytes_per_s.filter(|rate| *rate > 0);
    let ms = sample.elapsed_ms.saturating_sub(sample.setup_ms.unwrap_or(0));
    told.or_else(|| sample.processed_bytes.saturating_mul(1000).checked_div(ms)).filter(|rate| *rate > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_hypervisors_own_or_what_was_moved_in_its_time() {
        let sample = Sample {
            elapsed_ms: 5000,
            setup_ms: Some(1000),
            processed_bytes: 400 << 20,
            bytes_per_s: Some(90 << 20),
            ..Sample::default()
        };
        assert_eq!(rate(&sample), Some(90 << 20));
        assert_eq!(rate(&Sample { bytes_per_s: Some(0), ..sample.clone() }), Some(100 << 20));
        assert_eq!(rate(&Sample { bytes_per_s: None, ..sample.clone() }), Some(100 << 20));
        assert_eq!(rate(&Sample { bytes_per_s: None, elapsed_ms: 1000, ..sample.clone() }), None, "no time at all");
        assert_eq!(rate(&Sample { processed_bytes: 31 << 20, ..sample }), None, "too little to tell");
    }
}
