//! Forgets entries of the audit log, which nothing does by itself. That it was done, by whom and how much, is an entry of its own,
//! made before the first one goes, and it stays.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;
use waypost_core::access::{Asked, Ledger as _};
use waypost_core::ids::Moment;
use waypost_core::ports::StoreFault;

use super::SqliteStore;
use super::rows::whole;

/// Entries that are forgotten in one transaction: whoever drives a migration waits no longer than for these.
const BATCH: u32 = 1000;

/// What stays of the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditLimits {
    /// What was noted before that goes.
    pub before: Moment,
    /// Of the others so many of the newest stay. One of which it is not known what came of it goes by its age alone: it may be of
    /// a change that is being made.
    pub keep: u64,
}

/// What was forgotten of the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditPruned {
    /// Entries that are gone.
    pub entries: u64,
    /// Entries that are left, with the one that says so.
    pub left: u64,
    /// The number of that one; none: there was nothing to forget.
    pub number: Option<u64>,
}

/// Which entries go: by `before` and by the number up to which they are beyond what is kept.
const GOES: &str = "(at < ?1 OR (number <= ?2 AND outcome IS NOT NULL))";

impl SqliteStore {
    /// Forgets what is older or more than that. `asked` says who does it and why; its details are made here. Others may go on
    /// working meanwhile, and what they note stays.
    pub fn prune_audit(&self, asked: Asked, limits: AuditLimits) -> Result<AuditPruned, StoreFault> {
        let trying = self.inner.trying("count what is to be forgotten of the audit log".to_owned());
        let (up_to, goes) = trying.visibly(|db| counted(db, limits).map_err(trying.sql()))?;
        let mut pruned = AuditPruned::default();
        if goes > 0 {
            let details = json!({"entries": goes, "before_ms": limits.before.0, "keep": limits.keep}).to_string();
            let number = self.note(&Asked { details: Some(details), ..asked })?;
            let trying = self.inner.trying("forget entries of the audit log".to_owned());
            loop {
                let gone = trying.durably(|db| batch(db, limits.before, up_to, number).map_err(trying.sql()))?;
                pruned.entries += u64::from(gone);
                if gone < BATCH {
                    break;
                }
            }
            self.settle(number, "done", None)?;
            pruned.number = Some(number);
        }
        let trying = self.inner.trying("count what is left of the audit log".to_owned());
        let left = trying.visibly(|db| {
            let left = db.query_row("SELECT count(*) FROM audit", [], |row| row.get::<_, i64>(0));
            left.map_err(trying.sql())
        })?;
        pruned.left = u64::try_from(left).unwrap_or(0);
        Ok(pruned)
    }
}

/// The newest number that is beyond what is kept, and how many entries go.
fn counted(db: &Connection, limits: AuditLimits) -> rusqlite::Result<(i64, u64)> {
    let select = "SELECT number FROM audit ORDER BY number DESC LIMIT 1 OFFSET ?1";
    let up_to: Option<i64> = db.query_row(select, [whole(limits.keep)], |row| row.get(0)).optional()?;
    let up_to = up_to.unwrap_or(0);
    let count = format!("SELECT count(*) FROM audit WHERE {GOES}");
    let goes: i64 = db.query_row(&count, params![whole(limits.before.0), up_to], |row| row.get(0))?;
    Ok((up_to, u64::try_from(goes).unwrap_or(0)))
}

/// Forgets some of those that go, and none that was noted since.
fn batch(db: &Connection, before: Moment, up_to: i64, since: u64) -> rusqlite::Result<u32> {
    let delete = format!(
        "DELETE FROM audit WHERE number IN
             (SELECT number FROM audit WHERE {GOES} AND number < ?3 ORDER BY number LIMIT {BATCH})"
    );
    let gone = db.execute(&delete, params![whole(before.0), up_to, whole(since)])?;
    Ok(u32::try_from(gone).unwrap_or(BATCH))
}

#[cfg(test)]
mod tests {
    use waypost_core::access::AuditQuery;

    use super::*;

    fn asked(what: &str, at: u64) -> Asked {
        Asked { at: Moment(at), who: "anna".into(), what: what.into(), ..Asked::default() }
    }

    #[test]
    fn what_is_old_or_too_much_goes_and_the_log_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("state")).unwrap();
        // One of the old ones and one of the new ones was broken off, or is being made.
        Connection::open(dir.path().join("state/waypost.db"))
            .unwrap()
            .execute_batch(
                "WITH RECURSIVE n (at) AS (VALUES (1) UNION ALL SELECT at + 1 FROM n WHERE at < 2500)
                 INSERT INTO audit (at, who, proof, origin, what, outcome)
                 SELECT at, 'anna', '', '', 'change', CASE WHEN at IN (10, 2200) THEN NULL ELSE 'done' END FROM n",
            )
            .unwrap();
        let prune = |before, keep| {
            store.prune_audit(asked("audit prune", 5000), AuditLimits { before: Moment(before), keep }).unwrap()
        };
        let numbers = || {
            let entries = store.audit(&AuditQuery::default(), 5000).unwrap();
            entries.iter().map(|entry| entry.number).collect::<Vec<_>>()
        };
        assert_eq!(prune(0, 2500), AuditPruned { entries: 0, left: 2500, number: None });
        assert_eq!(prune(101, 2500), AuditPruned { entries: 100, left: 2401, number: Some(2501) });
        assert_eq!((numbers()[0], *numbers().last().unwrap()), (2501, 101));
        let said = store.audit(&AuditQuery::default(), 1).unwrap().remove(0);
        assert_eq!((said.asked.what.as_str(), said.outcome.as_deref()), ("audit prune", Some("done")));
        assert_eq!(said.asked.details.as_deref(), Some(r#"{"before_ms":101,"entries":100,"keep":2500}"#));
        // The newest hundred and the one that may be being made: the entry of the first pruning is among them.
        assert_eq!(prune(101, 100), AuditPruned { entries: 2300, left: 102, number: Some(2502) });
        assert_eq!((numbers()[..3].to_vec(), *numbers().last().unwrap()), (vec![2502, 2501, 2500], 2200));
        // Until it is old, too.
        let last = prune(2500, 1_000_000);
        assert_eq!((last.entries, numbers().last()), (99, Some(&2500)));
    }
}
