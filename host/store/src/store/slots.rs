//! The queue in its table: who waits for a slot and who holds one. What comes out of the entries is the core's to say.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use waypost_core::ids::{HostName, Moment, TaskId};
use waypost_core::phase::Phase;
use waypost_core::ports::StoreFault;
use waypost_core::queue::{Entry, Priority, SlotLimits, SlotWish, Turn, arrival, turn};

use super::Trying;
use super::rows::{head, id, moment, run, whole, word};

/// Entries of tasks that somebody drives. The lock of a task whose controller died is nobody's, and so is its slot.
pub(super) fn driven(db: &Connection, trying: &Trying<'_>) -> Result<Vec<Entry>, StoreFault> {
    let mut statement = db
        .prepare_cached("SELECT task, asked_at, priority, source, destination, network, holds FROM slot")
        .map_err(trying.sql())?;
    let rows = statement.query_map([], entry).map_err(trying.sql())?;
    let mut entries = Vec::new();
    for row in rows {
        let entry = row.map_err(trying.sql())?;
        if trying.inner.is_driven(trying, entry.task)? {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// Puts the task into the queue and gives it the slot if it is its turn.
pub(super) fn claim(
    db: &Connection,
    trying: &Trying<'_>,
    id: TaskId,
    at: Moment,
    wish: &SlotWish,
    limits: &SlotLimits,
) -> Result<Turn, StoreFault> {
    unfinished(db, trying, id)?;
    let mut entries = driven(db, trying)?;
    if entries.iter().any(|entry| entry.task == id && entry.holds && entry.wish == *wish) {
        return Ok(Turn::Granted);
    }
    let asked_at = put(db, id, arrival(at, &entries), wish, false).map_err(trying.sql())?;
    // Whoever asks drives the task, and it may have been nobody's a moment ago.
    entries.retain(|entry| entry.task != id);
    entries.push(Entry { task: id, asked_at, wish: wish.clone(), holds: false });
    let turn = turn(id, &entries, limits, at);
    if turn == Turn::Granted {
        put(db, id, at, wish, true).map_err(trying.sql())?;
    }
    Ok(turn)
}

/// Notes that the task has its slot.
pub(super) fn hold(
    db: &Connection,
    trying: &Trying<'_>,
    id: TaskId,
    at: Moment,
    wish: &SlotWish,
) -> Result<(), StoreFault> {
    unfinished(db, trying, id)?;
    put(db, id, at, wish, true).map(drop).map_err(trying.sql())
}

fn unfinished(db: &Connection, trying: &Trying<'_>, id: TaskId) -> Result<(), StoreFault> {
    match head(db, trying, id)?.phase {
        Phase::Ended => Err(trying.refused("the task is over")),
        _ => Ok(()),
    }
}

/// Puts an entry in place of the task's old one, which leaves its time of arrival: the answer.
fn put(db: &Connection, task: TaskId, at: Moment, wish: &SlotWish, holds: bool) -> rusqlite::Result<Moment> {
    let insert = "INSERT INTO slot (task, asked_at, priority, source, destination, network, holds)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                  ON CONFLICT (task) DO UPDATE SET priority = ?3, source = ?4, destination = ?5, network = ?6, holds = ?7";
    let SlotWish { priority, source, destination, network } = wish;
    let values = params![
        task.to_string(),
        whole(at.0),
        priority.as_str(),
        source.as_str(),
        destination.as_str(),
        network,
        holds
    ];
    run(db, insert, values)?;
    let mut statement = db.prepare_cached("SELECT asked_at FROM slot WHERE task = ?1")?;
    let asked_at = statement.query_row([task.to_string()], |row| row.get(0)).optional()?;
    Ok(asked_at.map_or(at, moment))
}

/// Takes the entry of a task that is over out of the queue.
pub(super) fn free(db: &Connection, task: TaskId) -> rusqlite::Result<()> {
    run(db, "DELETE FROM slot WHERE task = ?1", params![task.to_string()])
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        task: TaskId(id(row, 0)?),
        asked_at: moment(row.get(1)?),
        wish: SlotWish {
            priority: word(row, 2, Priority::parse)?,
            source: HostName::new(row.get::<_, String>(3)?),
            destination: HostName::new(row.get::<_, String>(4)?),
            network: row.get(5)?,
        },
        holds: row.get(6)?,
    })
}
