//! Readings of transfers: the last one, and those before it that a plot is made of.
//!
//! A transfer may take a second or a day, and what is kept of it must stay small: never more than [`MOST`] readings beside
//! the last, at even distances. They are numbered as they come; once there are more, only every second of them stays, then
//! every fourth, and so on. So the whole transfer is there at any time, and nothing is ever worked out from how long it will
//! take, which nobody knows.

use rusqlite::{Connection, params};
use waypost_core::ids::TaskId;
use waypost_core::ports::Reading;
use waypost_core::sample::Sample;

use super::rows::{run, unsigned, whole};
use crate::records::write;

/// Readings that are kept beside the last one. A plot is not wider.
const MOST: u64 = 256;
/// Tasks of which readings are kept: the newest. Their ids are in the order of their making.
const TASKS: u32 = 1000;

/// Keeps a reading as the last one of its task, and for the plot.
pub(super) fn put(db: &Connection, task: TaskId, reading: &Reading) -> rusqlite::Result<()> {
    let all_or_nothing = db.unchecked_transaction()?;
    let (id, body) = (task.to_string(), write(reading));
    let insert = "INSERT INTO reading (task, at, permille, body) VALUES (?1, ?2, ?3, ?4)
                  ON CONFLICT (task) DO UPDATE SET at = ?2, permille = ?3, body = ?4";
    run(db, insert, params![id, whole(reading.at.0), reading.permille, body])?;
    // A definition that travels alone has no figures.
    if reading.sample != Sample::default() {
        let last: Option<i64> =
            db.prepare_cached("SELECT max(number) FROM sample WHERE task = ?1")?.query_row([&id], |row| row.get(0))?;
        let last = last.map(unsigned);
        make_room(db, &id, last)?;
        let insert = "INSERT INTO sample (task, number, attempt, body)
                      SELECT ?1, ?2, attempt, ?3 FROM task WHERE id = ?1";
        run(db, insert, params![id, whole(last.map_or(0, |last| last + 1)), body])?;
    }
    all_or_nothing.commit()
}

/// Removes what must not stay beside the one that comes after `last`.
fn make_room(db: &Connection, id: &str, last: Option<u64>) -> rusqlite::Result<()> {
    let Some(last) = last else {
        let oldest = "SELECT id FROM task ORDER BY id DESC LIMIT 1 OFFSET ?1";
        return run(db, &format!("DELETE FROM sample WHERE task <= ({oldest})"), params![TASKS]);
    };
    let before = distance(last);
    if distance(last + 1) > before {
        let delete = "DELETE FROM sample WHERE task = ?1 AND number % ?2 <> 0";
        run(db, delete, params![id, whole(distance(last + 1))])
    } else if last % before != 0 {
        // It was kept as the last one only.
        run(db, "DELETE FROM sample WHERE task = ?1 AND number = ?2", params![id, whole(last)])
    } else {
        Ok(())
    }
}

/// The distance at which readings stay, once one of that number has come: numbers begin at 0.
fn distance(number: u64) -> u64 {
    ((number / MOST) + 1).next_power_of_two()
}

/// The readings of a task with their attempts, oldest first.
pub(super) fn of(db: &Connection, task: TaskId) -> rusqlite::Result<Vec<(u32, String)>> {
    let select = "SELECT attempt, body FROM sample WHERE task = ?1 ORDER BY number";
    let mut statement = db.prepare_cached(select)?;
    let rows = statement.query_map([task.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}
