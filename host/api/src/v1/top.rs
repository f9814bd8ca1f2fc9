//! What goes on right now, on one page.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::percent::Percent;
use super::task::Sample;

/// All that runs and waits, and what is over since the last few.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Top {
    /// When it was read.
    pub at: String,
    /// Every host that is known, those with migrations first.
    pub hosts: Vec<TopHost>,
    /// Tasks that are not over and don't wait for their turn, oldest first.
    pub running: Vec<TopTask>,
    /// Tasks that wait for their turn, oldest first.
    pub waiting: Vec<TopTask>,
    /// Tasks that are over, newest first; the last twenty.
    pub finished: Vec<TopTask>,
}

/// What runs and waits on one host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct TopHost {
    /// Host.
    pub host: String,
    /// Migrations that leave it.
    pub outgoing: u32,
    /// Migrations that come to it.
    pub incoming: u32,
    /// Migrations that wait to leave it.
    pub waiting_out: u32,
    /// Migrations that wait to come to it.
    pub waiting_in: u32,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct TopTask {
    /// Task id.
    pub task: String,
    /// Domain's name, or what was asked for.
    pub domain: String,
    /// From, once known.
    pub source: Option<String>,
    /// To.
    pub destination: String,
    /// `accepted`, `planned`, ..., `ended`.
    pub phase: String,
    /// How it ended; null while it isn't over.
    pub outcome: Option<String>,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Progress of the attempt in percent, 0 to 100, to the tenth.
    #[schema(value_type = f64, minimum = 0, maximum = 100)]
    pub progress: Percent,
    /// What is going on, or what happened and where the domain is.
    pub message: String,
    /// From the request to now, or to the end.
    pub elapsed_ms: u64,
    /// For how long nothing was heard of its running transfer, where that is too long: whoever drives it writes down a reading a second.
    /// Perhaps nobody does; `message` says what to do. Null: there is news, or nothing to hear.
    pub silent_ms: Option<u64>,
    /// The last reading of the transfer.
    pub sample: Option<Sample>,
    /// The downtime limit in force, as far as it was set.
    pub max_downtime_ms: Option<u64>,
    /// Whether it may be switched to post-copy now; an order that comes before memory travels is kept until some does.
    pub may_post_copy: bool,
    /// Whether somebody asked to cancel it.
    pub cancel_requested: bool,
}
