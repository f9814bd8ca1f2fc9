//! Rows of the tables as values, and the statements that more than one call needs.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;
use waypost_core::ids::{DomainId, HostName, Moment, TaskId};
use waypost_core::outcome::OutcomeKind;
use waypost_core::phase::Phase;
use waypost_core::ports::{StoreFault, TaskBrief};

use super::{NO_TASK, Trying};

/// What the row of a task says of its journal.
pub(super) struct Head {
    pub(super) phase: Phase,
    pub(super) attempt: u32,
    pub(super) records: u32,
}

pub(super) fn head(db: &Connection, trying: &Trying<'_>, id: TaskId) -> Result<Head, StoreFault> {
    let row = db
        .prepare_cached("SELECT phase, attempt, records FROM task WHERE id = ?1")
        .and_then(|mut statement| {
            let row = |row: &Row<'_>| {
                Ok(Head { phase: word(row, 0, Phase::parse)?, attempt: row.get(1)?, records: row.get(2)? })
            };
            statement.query_row([id.to_string()], row).optional()
        })
        .map_err(trying.sql())?;
    row.ok_or_else(|| trying.refused(NO_TASK))
}

pub(super) fn phase_of(db: &Connection, id: TaskId) -> rusqlite::Result<Option<Phase>> {
    let mut statement = db.prepare_cached("SELECT phase FROM task WHERE id = ?1")?;
    statement.query_row([id.to_string()], |row| word(row, 0, Phase::parse)).optional()
}

/// Another unfinished task that has the domain.
pub(super) fn unfinished_of(db: &Connection, domain: DomainId, but: TaskId) -> rusqlite::Result<Option<TaskId>> {
    let mut statement = db.prepare_cached("SELECT id FROM task WHERE domain = ?1 AND phase <> 'ended' AND id <> ?2")?;
    statement.query_row([domain.to_string(), but.to_string()], |row| id(row, 0).map(TaskId)).optional()
}

/// Whether a person may go on with a task that is over, or why not: it ended stuck, and no other task has the domain.
pub(super) fn reopenable(db: &Connection, task: TaskId) -> rusqlite::Result<Result<(), String>> {
    let mut statement = db.prepare_cached("SELECT outcome, domain FROM task WHERE id = ?1")?;
    let row = |row: &Row<'_>| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, Option<String>>(1)?));
    let (outcome, domain) = statement.query_row([task.to_string()], row)?;
    if outcome.as_deref() != Some(OutcomeKind::Stuck.as_str()) {
        return Ok(Err("only a task that ended stuck can be gone on with".to_owned()));
    }
    let Some(domain) = domain.as_deref().and_then(|text| Uuid::parse_str(text).ok()) else { return Ok(Ok(())) };
    Ok(match unfinished_of(db, DomainId(domain), task)? {
        Some(other) => Err(format!("task {other} has the domain now: it must end first")),
        None => Ok(()),
    })
}

/// Writes a record, with the phase that the task is in after it.
pub(super) fn put_record(
    db: &Connection,
    id: TaskId,
    number: u32,
    at: Moment,
    phase: Phase,
    body: &str,
) -> rusqlite::Result<()> {
    let insert = "INSERT INTO record (task, number, at, phase, body) VALUES (?1, ?2, ?3, ?4, ?5)";
    run(db, insert, params![id.to_string(), number, whole(at.0), phase.as_str(), body])?;
    // One transaction writes at a time, so the numbers grow in the order in which records come to be seen.
    run(db, "INSERT INTO change (task, number) VALUES (?1, ?2)", params![id.to_string(), number])
}

pub(super) fn run(db: &Connection, sql: &str, values: &[&dyn rusqlite::ToSql]) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute(values).map(drop)
}

/// The columns that [`brief`] reads, of `task LEFT JOIN reading`.
pub(super) const BRIEF: &str = "id, created_at, max(updated_at, coalesce(reading.at, 0)), domain, domain_name, source, \
                                destination, phase, outcome, coalesce(permille, 0), summary, \
                                coalesce((SELECT holds = 0 FROM slot WHERE slot.task = task.id), 0)";

/// How many columns these are.
pub(super) const BRIEF_COLUMNS: usize = 12;

pub(super) fn brief(row: &Row<'_>) -> rusqlite::Result<TaskBrief> {
    let outcome: Option<String> = row.get(8)?;
    Ok(TaskBrief {
        id: TaskId(id(row, 0)?),
        created_at: moment(row.get(1)?),
        updated_at: moment(row.get(2)?),
        domain: row.get::<_, Option<String>>(3)?.map(|_| id(row, 3).map(DomainId)).transpose()?,
        domain_name: row.get(4)?,
        source: row.get::<_, Option<String>>(5)?.map(HostName::new),
        destination: HostName::new(row.get::<_, String>(6)?),
        phase: word(row, 7, Phase::parse)?,
        outcome: outcome.map(|_| word(row, 8, OutcomeKind::parse)).transpose()?,
        permille: row.get(9)?,
        summary: row.get(10)?,
        waits: row.get(11)?,
    })
}

pub(super) fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    word(row, column, |text| Uuid::parse_str(text).ok())
}

pub(super) fn word<T>(row: &Row<'_>, column: usize, parse: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| {
        let why = format!("{text:?} is not a word that this Waypost knows");
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, why.into())
    })
}

/// SQLite's integers are signed; milliseconds since 1970 fit for 292 million years.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn moment(number: i64) -> Moment {
    Moment(u64::try_from(number).unwrap_or(0))
}

/// Numbers that SQLite counts up from 1, and versions, are never negative.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
