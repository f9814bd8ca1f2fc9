//! What is foretold of a transfer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waypost_core::convergence;

/// What is expected of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Prediction {
    /// What the guest dirties, measured; 0 where it stands still for the whole transfer of its memory.
    pub dirty_bytes_per_s: u64,
    /// What was reckoned with.
    pub bandwidth_bytes_per_s: u64,
    /// Where that is known from: `limit`, `network` (what it is declared to carry), `earlier-transfers` (the fastest of the
    /// last ones between the two hosts). New ones may come.
    #[serde(default)]
    pub bandwidth_from: String,
    /// Whether it comes to an end by itself.
    pub converges: bool,
    /// Time for the whole, with the disks that are copied; null where it has no end, or nobody knows how long those disks take
    /// (what they use isn't told, they take a way of their own, or the bandwidth is one of earlier transfers over parallel
    /// connections or compressed).
    pub total_ms: Option<u64>,
    /// Downtime; null where it has no end.
    pub downtime_ms: Option<u64>,
}

impl From<&convergence::Prediction> for Prediction {
    fn from(prediction: &convergence::Prediction) -> Self {
        Self {
            dirty_bytes_per_s: prediction.dirty_bytes_per_s,
            bandwidth_bytes_per_s: prediction.bandwidth_bytes_per_s,
            bandwidth_from: prediction.bandwidth_from.to_string(),
            converges: prediction.converges,
            total_ms: prediction.total_ms,
            downtime_ms: prediction.downtime_ms,
        }
    }
}

/// What was measured of a guest before its transfer, and what that asks of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Writing {
    /// What it dirties; 0 where it stands still for the whole transfer of its memory.
    pub dirty_bytes_per_s: u64,
    /// Memory that its process holds, which is what has to travel; null where the host can't tell.
    pub resident_bytes: Option<u64>,
    /// Over a network that carries more than this the transfer comes to an end by itself.
    pub converges_above_bytes_per_s: u64,
}

impl From<convergence::Writing> for Writing {
    fn from(writing: convergence::Writing) -> Self {
        let convergence::Writing { dirty_bytes_per_s, resident_bytes, converges_above_bytes_per_s } = writing;
        Self { dirty_bytes_per_s, resident_bytes, converges_above_bytes_per_s }
    }
}
