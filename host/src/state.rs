//! What is on record as a whole: who works over it, backup, restore, pruning. The same for the command and for a program that
//! embeds Waypost; the folder is [`state_folder`](crate::wiring::state_folder)'s.

use std::path::Path;
use std::time::Duration;

use waypost_core::ids::Moment;
use waypost_core::ports::{Clock as _, StoreFault};
use waypost_store::SqliteStore;

pub use waypost_store::{Backup, Loss, Pruned, Restored, ServiceLock, backup, restore, service_lock, service_runs};

use crate::wiring::WallClock;

/// Forgets tasks that have been over for so long: see [`SqliteStore::prune`].
pub fn prune(folder: &Path, older_than: Duration) -> Result<Pruned, StoreFault> {
    let age = u64::try_from(older_than.as_millis()).unwrap_or(u64::MAX);
    SqliteStore::open(folder)?.prune(Moment(WallClock.now().0.saturating_sub(age)))
}
