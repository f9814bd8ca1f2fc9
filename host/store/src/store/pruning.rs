//! Forgets tasks that are over, with everything that belongs to them alone.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use waypost_core::ids::Moment;
use waypost_core::outcome::OutcomeKind;
use waypost_core::phase::Phase;
use waypost_core::ports::StoreFault;

use super::rows::{run, whole};
use super::{SqliteStore, Trying};

/// Tasks that are forgotten in one transaction: whoever drives a migration waits no longer than for these.
const BATCH: u32 = 100;

/// What was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Tasks.
    pub tasks: u64,
    /// Records of their journals.
    pub records: u64,
    /// Facts on which they were decided.
    pub facts: u64,
    /// Old tasks that are kept, because a person has to look at them: stuck or lost.
    pub kept: u64,
}

impl SqliteStore {
    /// Forgets every task that is over and in which nothing happened since that moment. Kept are those that are not over,
    /// and those that ended stuck or lost. Others may go on working meanwhile. The file does not become smaller: what is free
    /// in it is used again.
    pub fn prune(&self, before: Moment) -> Result<Pruned, StoreFault> {
        let mut pruned = Pruned::default();
        let mut grounds = BTreeSet::new();
        loop {
            let trying = self.inner.trying("forget tasks that are over".to_owned());
            let of_these = trying.durably(|db| batch(db, before, &mut grounds, &mut pruned).map_err(trying.sql()))?;
            if of_these < BATCH {
                break;
            }
        }
        let trying = self.inner.trying("forget the facts of tasks that are over".to_owned());
        pruned.facts = trying.durably(|db| facts(db, &trying, grounds))?;
        let trying = self.inner.trying("count the tasks that a person has to look at".to_owned());
        pruned.kept = trying.visibly(|db| kept(db, before).map_err(trying.sql()))?;
        Ok(pruned)
    }
}

fn for_a_person() -> String {
    let words = [OutcomeKind::Stuck, OutcomeKind::Lost].map(|kind| format!("'{kind}'"));
    words.join(", ")
}

fn batch(
    db: &Connection,
    before: Moment,
    grounds: &mut BTreeSet<String>,
    pruned: &mut Pruned,
) -> rusqlite::Result<u32> {
    let select = format!(
        "SELECT id, records FROM task WHERE phase = '{}' AND updated_at < ?1 AND outcome NOT IN ({}) LIMIT {BATCH}",
        Phase::Ended,
        for_a_person()
    );
    let mut statement = db.prepare_cached(&select)?;
    let rows = statement.query_map([whole(before.0)], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?)))?;
    let tasks: Vec<(String, u32)> = rows.collect::<Result<_, _>>()?;
    for (task, records) in &tasks {
        let select = "SELECT json_extract(body, '$.value.facts_digest') FROM decision WHERE task = ?1
                      UNION SELECT json_extract(body, '$.record.facts_digest') FROM record WHERE task = ?1";
        let mut statement = db.prepare_cached(select)?;
        let digests = statement.query_map([task], |row| row.get::<_, Option<String>>(0))?;
        for digest in digests {
            grounds.extend(digest?);
        }
        for table in ["decision", "wish", "slot", "reading", "change", "record", "request_key"] {
            run(db, &format!("DELETE FROM {table} WHERE task = ?1"), params![task])?;
        }
        run(db, "DELETE FROM task WHERE id = ?1", params![task])?;
        pruned.tasks += 1;
        pruned.records += u64::from(*records);
    }
    Ok(u32::try_from(tasks.len()).unwrap_or(BATCH))
}

/// Forgets those of these facts on which nothing else rests. Facts that nobody refers to at all are left alone: a task
/// keeps its facts before the records that name them.
fn facts(db: &Connection, trying: &Trying<'_>, mut grounds: BTreeSet<String>) -> Result<u64, StoreFault> {
    for (table, path) in [("decision", "$.value.facts_digest"), ("record", "$.record.facts_digest")] {
        if grounds.is_empty() {
            return Ok(0);
        }
        let select =
            format!("SELECT DISTINCT json_extract(body, '{path}') FROM {table} WHERE body LIKE '%facts_digest%'");
        let mut statement = db.prepare_cached(&select).map_err(trying.sql())?;
        let rows = statement.query_map([], |row| row.get::<_, Option<String>>(0)).map_err(trying.sql())?;
        for digest in rows {
            if let Some(digest) = digest.map_err(trying.sql())? {
                grounds.remove(&digest);
            }
        }
    }
    let mut gone = 0;
    for digest in grounds {
        gone += db.execute("DELETE FROM facts WHERE digest = ?1", [digest]).map_err(trying.sql())?;
    }
    Ok(gone as u64)
}

fn kept(db: &Connection, before: Moment) -> rusqlite::Result<u64> {
    let select = format!("SELECT count(*) FROM task WHERE updated_at < ?1 AND outcome IN ({})", for_a_person());
    let count: i64 = db.prepare_cached(&select)?.query_row([whole(before.0)], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}
