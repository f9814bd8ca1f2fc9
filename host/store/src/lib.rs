//! Journal, tasks and decision records on SQLite.
//!
//! [`SqliteStore`] is the [`Store`](waypost_core::ports::Store) of a single machine: one folder with a database in WAL
//! mode and one lock file per unfinished task. Any number of processes may use a folder at once; which of them drives a
//! task is decided by the lock, which the operating system takes back however the process ends.
//!
//! Reading order: how the values of the core are written down (`records`), the tables (`schema`), the locks
//! (`lock`), what is said when something fails (`fault`), the store itself (`store`), and what is done to it as a whole (`upkeep`):
//! backup, restore, pruning.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod fault;
mod lock;
mod records;
mod schema;
mod store;
mod upkeep;

pub use records::{Misfit, RECORD_VERSION, read_record, write_record};
pub use schema::SCHEMA_VERSION;
pub use store::{AuditLimits, AuditPruned, SqliteStore};
pub use upkeep::{
    Backup, Loss, POLICY_FOLDER, Pruned, Restored, ServiceLock, backup, policy_turn, restore, service_lock,
    service_runs,
};
