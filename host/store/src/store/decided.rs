//! Decision records in their tables: the records as they are, and beside them the one order of all with what they are
//! searched by.

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use waypost_core::feed::DecisionQuery;
use waypost_core::ids::TaskId;
use waypost_core::ports::DecisionRecord;

use super::rows::{id, run, unsigned, whole};
use crate::records::write;

/// Puts a record behind those of its task, and behind all others.
pub(super) fn put(db: &Connection, task: TaskId, decision: &DecisionRecord) -> rusqlite::Result<()> {
    let number: u32 = db
        .prepare_cached("SELECT coalesce(max(number), 0) + 1 FROM decision WHERE task = ?1")?
        .query_row([task.to_string()], |row| row.get(0))?;
    let insert = "INSERT INTO decision (task, number, body) VALUES (?1, ?2, ?3)";
    run(db, insert, params![task.to_string(), number, write(decision)])?;
    let insert = "INSERT INTO decided (task, number, plugin, hook, verdict) VALUES (?1, ?2, ?3, ?4, ?5)";
    let (plugin, hook, verdict) = (decision.plugin.as_str(), &decision.hook, decision.verdict().as_str());
    run(db, insert, params![task.to_string(), number, plugin, hook, verdict])
}

/// Records, newest first, each with its place, its task and the task's domain. No text of a query gets into the SQL.
pub(super) fn of(
    db: &Connection,
    query: &DecisionQuery,
    most: u32,
) -> rusqlite::Result<Vec<(u64, TaskId, String, String)>> {
    let DecisionQuery { plugin, hook, verdict, before } = query;
    let wanted = [
        plugin.as_ref().map(|plugin| ("plugin = ?", Value::from(plugin.clone()))),
        hook.as_ref().map(|hook| ("hook = ?", Value::from(hook.clone()))),
        verdict.map(|verdict| ("verdict = ?", Value::from(verdict.as_str().to_owned()))),
        before.map(|before| ("sequence < ?", Value::from(whole(before)))),
    ];
    let (mut clauses, mut values): (Vec<&str>, Vec<Value>) = wanted.into_iter().flatten().unzip();
    clauses.push("true");
    values.push(Value::from(most));
    let select = format!(
        "SELECT sequence, decided.task, domain_name, body
         FROM decided JOIN decision ON decision.task = decided.task AND decision.number = decided.number
                      JOIN task ON task.id = decided.task
         WHERE {} ORDER BY sequence DESC LIMIT ?",
        clauses.join(" AND ")
    );
    let mut statement = db.prepare_cached(&select)?;
    let rows = statement.query_map(params_from_iter(values), |row| {
        Ok((unsigned(row.get(0)?), TaskId(id(row, 1)?), row.get(2)?, row.get(3)?))
    })?;
    rows.collect()
}
