//! Forgets tasks that are over, with everything that belongs to them alone.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use waypost_core::ids::Moment;
use waypost_core::outcome::OutcomeKind;
use waypost_core::phase::Phase;
use waypost_core::ports::StoreFault;

use super::SqliteStore;
use super::rows::{run, whole};

/// Tasks, or facts, that are forgotten in one transaction: whoever drives a migration waits no longer than for these.
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
        pruned.facts = self.prune_facts(grounds)?;
        let trying = self.inner.trying("count the tasks that a person has to look at".to_owned());
        pruned.kept = trying.visibly(|db| kept(db, before).map_err(trying.sql()))?;
        Ok(pruned)
    }

    /// Forgets those of these facts on which nothing rests any more.
    fn prune_facts(&self, mut grounds: BTreeSet<String>) -> Result<u64, StoreFault> {
        if grounds.is_empty() {
            return Ok(0);
        }
        let trying = self.inner.trying("forget the facts of tasks that are over".to_owned());
        let seen = trying.visibly(|db| strike_named(db, &mut grounds).map_err(trying.sql()))?;
        let mut gone = 0;
        let mut left = grounds.into_iter().peekable();
        while left.peek().is_some() {
            let some: BTreeSet<String> = left.by_ref().take(BATCH as usize).collect();
            gone += trying.durably(|db| forget(db, some, seen).map_err(trying.sql()))?;
        }
        Ok(gone)
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

/// Where facts are named by their digest: the table, the order in which its rows were written, and the place in a row's text.
const NAMED: [(&str, &str, &str); 2] =
    [("decision", "decided", "$.value.facts_digest"), ("record", "change", "$.record.facts_digest")];

/// How far each of these orders had come.
type Seen = [i64; NAMED.len()];

/// Strikes those digests out that are still named anywhere. It reads every decision and every record, which may take seconds:
/// it must not be done in a transaction that writes. What is written meanwhile comes after what the answer says.
fn strike_named(db: &Connection, grounds: &mut BTreeSet<String>) -> rusqlite::Result<Seen> {
    let mut seen = Seen::default();
    for ((_, order, _), seen) in NAMED.iter().zip(&mut seen) {
        let select = format!("SELECT coalesce(max(sequence), 0) FROM {order}");
        *seen = db.query_row(&select, [], |row| row.get(0))?;
    }
    for (table, _, path) in NAMED {
        let select =
            format!("SELECT DISTINCT json_extract(body, '{path}') FROM {table} WHERE body LIKE '%facts_digest%'");
        strike(db, &select, [], grounds)?;
    }
    Ok(seen)
}

/// Forgets those of these facts that were not named since either. Facts that nobody ever referred to are left alone: a task
/// keeps its facts before the records that name them.
fn forget(db: &Connection, mut grounds: BTreeSet<String>, seen: Seen) -> rusqlite::Result<u64> {
    for ((table, order, path), seen) in NAMED.into_iter().zip(seen) {
        // CROSS: by the order first, of which only the end is new, and from there by the key.
        let select = format!(
            "SELECT json_extract(body, '{path}') FROM {order} CROSS JOIN {table}
                 ON {table}.task = {order}.task AND {table}.number = {order}.number
             WHERE {order}.sequence > ?1"
        );
        strike(db, &select, [seen], &mut grounds)?;
    }
    let mut gone = 0;
    for digest in grounds {
        gone += db.execute("DELETE FROM facts WHERE digest = ?1", [digest])?;
    }
    Ok(gone as u64)
}

/// Strikes out what a question is answered with.
fn strike(
    db: &Connection,
    select: &str,
    values: impl rusqlite::Params,
    grounds: &mut BTreeSet<String>,
) -> rusqlite::Result<()> {
    let mut statement = db.prepare(select)?;
    for digest in statement.query_map(values, |row| row.get::<_, Option<String>>(0))? {
        if let Some(digest) = digest? {
            grounds.remove(&digest);
        }
    }
    Ok(())
}

fn kept(db: &Connection, before: Moment) -> rusqlite::Result<u64> {
    let select = format!("SELECT count(*) FROM task WHERE updated_at < ?1 AND outcome IN ({})", for_a_person());
    let count: i64 = db.prepare_cached(&select)?.query_row([whole(before.0)], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_that_are_named_again_while_it_is_looked_stay() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let _store = SqliteStore::open(&state).unwrap();
        let db = Connection::open(state.join("waypost.db")).unwrap();
        db.execute_batch(
            r#"INSERT INTO facts VALUES ('before', ''), ('decided', ''), ('judged', ''), ('unused', '');
               INSERT INTO task (id, created_at, updated_at, domain_name, destination, phase, attempt, records)
                   VALUES ('t', 0, 0, 'g', 'b', 'accepted', 1, 1);
               INSERT INTO decision VALUES ('t', 1, '{"value":{"facts_digest":"before"}}');
               INSERT INTO decided (task, number, plugin, hook, verdict) VALUES ('t', 1, 'p', 'h', 'answered')"#,
        )
        .unwrap();
        let mut grounds = BTreeSet::from(["before", "decided", "judged", "unused"].map(str::to_owned));
        let seen = strike_named(&db, &mut grounds).unwrap();
        assert_eq!(seen, [1, 0]);
        assert!(grounds.iter().eq(["decided", "judged", "unused"]), "{grounds:?}");
        db.execute_batch(
            r#"INSERT INTO decision VALUES ('t', 2, '{"value":{"facts_digest":"decided"}}');
               INSERT INTO decided (task, number, plugin, hook, verdict) VALUES ('t', 2, 'p', 'h', 'answered');
               INSERT INTO record (task, number, at, body) VALUES ('t', 1, 0, '{"record":{"facts_digest":"judged"}}');
               INSERT INTO change (task, number) VALUES ('t', 1)"#,
        )
        .unwrap();
        assert_eq!(forget(&db, grounds, seen).unwrap(), 1);
        let mut statement = db.prepare("SELECT digest FROM facts ORDER BY digest").unwrap();
        let left: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(left, ["before", "decided", "judged"]);
    }
}
