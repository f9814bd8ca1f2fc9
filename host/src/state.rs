//! What is on record as a whole: who works over it, backup, restore, pruning. The same for the command and for a program that
//! embeds Waypost; the folder is [`state_folder`](crate::wiring::state_folder)'s.

use std::path::Path;
use std::time::Duration;

use waypost_core::access::Asked;
use waypost_core::ids::Moment;
use waypost_core::ports::{Clock as _, StoreFault};
use waypost_store::{AuditLimits, SqliteStore};

pub use waypost_store::{
    AuditPruned, Backup, Loss, Pruned, Restored, ServiceLock, backup, restore, service_lock, service_runs,
};

use crate::wiring::WallClock;

/// For how long the audit log is kept where nothing else is said: thirteen months, so that a year can be looked back on.
pub const AUDIT_AGE: Duration = Duration::from_secs(400 * 24 * 3600);

/// How many entries of it are kept where nothing else is said, in a few hundred megabytes.
pub const AUDIT_ENTRIES: u64 = 1_000_000;

/// Forgets tasks that have been over for so long: see [`SqliteStore::prune`].
pub fn prune(folder: &Path, older_than: Duration) -> Result<Pruned, StoreFault> {
    let age = u64::try_from(older_than.as_millis()).unwrap_or(u64::MAX);
    SqliteStore::open(folder)?.prune(Moment(WallClock.now().0.saturating_sub(age)))
}

/// Forgets what was noted of changes before so long, and of the rest all but the newest: see [`SqliteStore::prune_audit`]. That is
/// noted itself, with who does it and why. Answers from which moment on entries are kept, too.
pub fn prune_audit(
    folder: &Path,
    (by, reason): (String, Option<String>),
    older_than: Duration,
    keep: u64,
) -> Result<(AuditPruned, Moment), StoreFault> {
    let (now, age) = (WallClock.now(), u64::try_from(older_than.as_millis()).unwrap_or(u64::MAX));
    let before = Moment(now.0.saturating_sub(age));
    let asked = Asked {
        at: now,
        who: by,
        proof: "command".to_owned(),
        from: "this machine".to_owned(),
        what: "audit prune".to_owned(),
        reason,
        ..Asked::default()
    };
    Ok((SqliteStore::open(folder)?.prune_audit(asked, AuditLimits { before, keep })?, before))
}
