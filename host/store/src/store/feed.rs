//! The feed: what readers are told, from the same tables that the drivers write. It has a connection of its own, so that a
//! reader of a long history keeps no driver waiting, and so that SQLite's `data_version` tells of every write.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, Row, params, params_from_iter};
use waypost_core::feed::{
    Change, DecisionQuery, DrivenBy, Feed, KeyClaim, Moving, PastReading, Place, RequestKey, Standings, TaskDecision,
    TaskQuery, TaskState,
};
use waypost_core::ids::{Moment, TaskId};
use waypost_core::outcome::OutcomeKind;
use waypost_core::phase::Phase;
use waypost_core::ports::{StoreFault, TaskBrief};

use super::rows::{BRIEF, BRIEF_COLUMNS as AFTER, brief, id, moment, run, unsigned, whole, word};
use super::{SqliteStore, Trying, decided, samples};
use crate::records::{read, read_record};

impl Feed for SqliteStore {
    fn version(&self) -> Result<u64, StoreFault> {
        let trying = self.inner.trying("see whether anything was written".to_owned());
        trying.watching(|db| {
            let version = db.prepare_cached("PRAGMA data_version").and_then(|mut s| s.query_row([], |row| row.get(0)));
            version.map(unsigned).map_err(trying.sql())
        })
    }

    fn last_change(&self) -> Result<u64, StoreFault> {
        let trying = self.inner.trying("find the last change".to_owned());
        trying.watching(|db| {
            // The number that was given last, also where its record was pruned since.
            let select = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'change'";
            let mut statement = db.prepare_cached(select).map_err(trying.sql())?;
            statement.query_row([], |row| row.get(0)).map(unsigned).map_err(trying.sql())
        })
    }

    fn changes(&self, of: Option<TaskId>, after: u64, most: u32) -> Result<Vec<Change>, StoreFault> {
        let trying = self.inner.trying(format!("read the changes after number {after}"));
        let only = if of.is_some() { "change.task = ?3 AND" } else { "?3 IS NULL AND" };
        let select = format!(
            "SELECT sequence, change.task, change.number, at, body, record.phase
             FROM change JOIN record ON record.task = change.task AND record.number = change.number
             WHERE {only} sequence > ?1 ORDER BY sequence LIMIT ?2"
        );
        trying.watching(|db| {
            let mut statement = db.prepare_cached(&select).map_err(trying.sql())?;
            let task = of.map(|task| task.to_string());
            let rows = statement
                .query_map(params![whole(after), most, task], |row| {
                    let phase: Option<String> = row.get(5)?;
                    let phase = phase.map(|_| word(row, 5, Phase::parse)).transpose()?;
                    let body = row.get::<_, String>(4)?;
                    Ok((unsigned(row.get(0)?), TaskId(id(row, 1)?), row.get(2)?, row.get(3)?, phase, body))
                })
                .map_err(trying.sql())?;
            rows.map(|row| {
                let (sequence, task, number, at, phase, body) = row.map_err(trying.sql())?;
                let (attempt, record) = read_record(&body)
                    .map_err(|misfit| trying.unreadable(&format!("record {number} of task {task}"), &misfit))?;
                Ok(Change { sequence, task, number, attempt, at: moment(at), phase, record })
            })
            .collect()
        })
    }

    fn last_change_of(&self, task: TaskId) -> Result<u64, StoreFault> {
        let trying = self.inner.trying(format!("find the last change of task {task}"));
        trying.watching(|db| {
            let select = "SELECT coalesce(max(sequence), 0) FROM change WHERE task = ?1";
            let mut statement = db.prepare_cached(select).map_err(trying.sql())?;
            statement.query_row([task.to_string()], |row| row.get(0)).map(unsigned).map_err(trying.sql())
        })
    }

    fn samples(&self, task: TaskId) -> Result<Vec<PastReading>, StoreFault> {
        let trying = self.inner.trying(format!("read the past readings of task {task}"));
        trying.watching(|db| {
            let rows = samples::of(db, task).map_err(trying.sql())?;
            rows.into_iter()
                .map(|(attempt, body)| {
                    let reading = read(&body).map_err(|misfit| trying.unreadable("a reading", &misfit))?;
                    Ok(PastReading { attempt, reading })
                })
                .collect()
        })
    }

    fn decisions_of(&self, query: &DecisionQuery, most: u32) -> Result<Vec<TaskDecision>, StoreFault> {
        let trying = self.inner.trying("read decision records".to_owned());
        trying.watching(|db| {
            let rows = decided::of(db, query, most).map_err(trying.sql())?;
            rows.into_iter()
                .map(|(sequence, task, domain_name, body)| {
                    let decision = read(&body).map_err(|misfit| trying.unreadable("a decision record", &misfit))?;
                    Ok(TaskDecision { sequence, task, domain_name, decision })
                })
                .collect()
        })
    }

    fn standings(&self) -> Result<Standings, StoreFault> {
        let trying = self.inner.trying("count the tasks".to_owned());
        trying.watching(|db| {
            let select = "SELECT phase, outcome, count(*) FROM task GROUP BY phase, outcome ORDER BY phase, outcome";
            let mut statement = db.prepare_cached(select).map_err(trying.sql())?;
            let rows = statement.query_map([], |row| {
                let ended: Option<String> = row.get(1)?;
                let ended = ended.map(|_| word(row, 1, OutcomeKind::parse)).transpose()?;
                Ok((word(row, 0, Phase::parse)?, ended, unsigned(row.get(2)?)))
            });
            let mut standings = Standings::default();
            for row in rows.map_err(trying.sql())? {
                match row.map_err(trying.sql())? {
                    (_, Some(kind), count) => standings.ended.push((kind, count)),
                    (phase, None, count) => standings.unfinished.push((phase, count)),
                }
            }
            Ok(standings)
        })
    }

    fn moving(&self) -> Result<Vec<Moving>, StoreFault> {
        let trying = self.inner.trying("read how far the running transfers are".to_owned());
        trying.watching(|db| {
            let select = format!(
                "SELECT {BRIEF}, attempt, reading.body FROM task JOIN reading ON reading.task = task.id
                 WHERE phase <> 'ended' ORDER BY id"
            );
            let mut statement = db.prepare_cached(&select).map_err(trying.sql())?;
            let rows = statement
                .query_map([], |row| Ok((brief(row)?, row.get(AFTER)?, row.get::<_, String>(AFTER + 1)?)))
                .map_err(trying.sql())?;
            rows.map(|row| {
                let (brief, attempt, body) = row.map_err(trying.sql())?;
                let reading = read(&body).map_err(|misfit| trying.unreadable("a reading", &misfit))?;
                Ok(Moving { brief, attempt, reading })
            })
            .collect()
        })
    }

    fn page(&self, query: &TaskQuery, most: u32) -> Result<Vec<TaskBrief>, StoreFault> {
        let trying = self.inner.trying("list tasks".to_owned());
        let (clauses, mut values) = narrowed(query);
        values.push(Value::from(most));
        let select = format!(
            "SELECT {BRIEF} FROM task LEFT JOIN reading ON reading.task = task.id {clauses}
             ORDER BY created_at DESC, id DESC LIMIT ?"
        );
        trying.watching(|db| {
            let mut statement = db.prepare_cached(&select).map_err(trying.sql())?;
            let rows = statement.query_map(params_from_iter(values), brief).map_err(trying.sql())?;
            rows.collect::<Result<_, _>>().map_err(trying.sql())
        })
    }

    fn brief(&self, task: TaskId) -> Result<Option<TaskBrief>, StoreFault> {
        let trying = self.inner.trying(format!("look up task {task}"));
        trying.watching(|db| {
            let select =
                format!("SELECT {BRIEF} FROM task LEFT JOIN reading ON reading.task = task.id WHERE task.id = ?1");
            let mut statement = db.prepare_cached(&select).map_err(trying.sql())?;
            statement.query_row([task.to_string()], brief).optional().map_err(trying.sql())
        })
    }

    fn targets(&self, tasks: &[TaskId]) -> Result<BTreeMap<TaskId, String>, StoreFault> {
        let trying = self.inner.trying("look up where plans lead".to_owned());
        trying.watching(|db| {
            // An attempt has one plan, and most have one attempt: from the front a long journal is not gone through. The phase tells
            // most other records from a plan without their texts being parsed; records of old have none.
            let select = "SELECT body ->> '$.record.plan.peer_uri' FROM record
                          WHERE task = ?1 AND (phase = ?2 OR phase IS NULL)
                            AND body ->> '$.record.kind' = 'planned'
                            AND body ->> '$.attempt' = (SELECT attempt FROM task WHERE id = ?1)
                          ORDER BY number LIMIT 1";
            let mut statement = db.prepare_cached(select).map_err(trying.sql())?;
            let mut found = BTreeMap::new();
            for task in tasks {
                let row = |row: &Row<'_>| row.get::<_, String>(0);
                let planned = statement.query_row(params![task.to_string(), Phase::Planned.as_str()], row).optional();
                if let Some(uri) = planned.map_err(trying.sql())? {
                    found.insert(*task, uri);
                }
            }
            Ok(found)
        })
    }

    fn note_context(&self, task: TaskId, context: &str) -> Result<(), StoreFault> {
        let trying = self.inner.trying(format!("keep within what task {task} was asked for"));
        trying.visibly(|db| {
            let update = "UPDATE task SET asked_within = ?2 WHERE id = ?1";
            run(db, update, params![task.to_string(), context]).map_err(trying.sql())
        })
    }

    fn context_of(&self, task: TaskId) -> Result<Option<String>, StoreFault> {
        let trying = self.inner.trying(format!("look up within what task {task} was asked for"));
        trying.watching(|db| {
            let select = "SELECT asked_within FROM task WHERE id = ?1";
            let mut statement = db.prepare_cached(select).map_err(trying.sql())?;
            let found = statement.query_row([task.to_string()], |row| row.get(0)).optional();
            found.map(Option::flatten).map_err(trying.sql())
        })
    }

    fn driver(&self, task: TaskId) -> Result<DrivenBy, StoreFault> {
        let trying = self.inner.trying(format!("see who drives task {task}"));
        self.inner.driver(&trying, task)
    }

    fn claim_key(&self, key: &RequestKey, task: TaskId, at: Moment, forget: Moment) -> Result<KeyClaim, StoreFault> {
        let trying = self.inner.trying("keep the key of a request".to_owned());
        trying.durably(|db| {
            run(db, "DELETE FROM request_key WHERE at < ?1", params![whole(forget.0)]).map_err(trying.sql())?;
            let select = "SELECT task, digest FROM request_key WHERE requester = ?1 AND key = ?2";
            let row = |row: &Row<'_>| Ok((TaskId(id(row, 0)?), row.get::<_, String>(1)?));
            let known = db
                .prepare_cached(select)
                .and_then(|mut statement| statement.query_row([&key.owner, &key.key], row).optional())
                .map_err(trying.sql())?;
            match known {
                Some((task, digest)) if digest == key.digest => Ok(KeyClaim::Same(task)),
                Some((task, _)) => Ok(KeyClaim::Other(task)),
                None => put_key(db, &trying, key, task, at).map(|()| KeyClaim::New),
            }
        })
    }

    fn release_key(&self, key: &RequestKey) -> Result<(), StoreFault> {
        let trying = self.inner.trying("free the key of a request that was refused".to_owned());
        trying.durably(|db| {
            let delete = "DELETE FROM request_key WHERE requester = ?1 AND key = ?2 AND digest = ?3
                          AND NOT EXISTS (SELECT 1 FROM task WHERE task.id = request_key.task)";
            run(db, delete, params![key.owner, key.key, key.digest]).map_err(trying.sql())
        })
    }
}

fn put_key(
    db: &rusqlite::Connection,
    trying: &Trying<'_>,
    key: &RequestKey,
    task: TaskId,
    at: Moment,
) -> Result<(), StoreFault> {
    let insert = "INSERT INTO request_key (requester, key, digest, task, at) VALUES (?1, ?2, ?3, ?4, ?5)";
    run(db, insert, params![key.owner, key.key, key.digest, task.to_string(), whole(at.0)]).map_err(trying.sql())
}

/// The conditions of a query, and what stands in their places in the same order. No text of a query gets into the SQL.
fn narrowed(query: &TaskQuery) -> (String, Vec<Value>) {
    let TaskQuery { states, domain, host, changed_since, after } = query;
    let (mut clauses, mut values) = (Vec::new(), Vec::new());
    if !states.is_empty() {
        let mut any = Vec::new();
        for state in states {
            match state {
                TaskState::Unfinished => any.push(format!("phase <> '{}'", Phase::Ended)),
                TaskState::In(phase) => {
                    any.push("phase = ?".to_owned());
                    values.push(Value::from(phase.as_str().to_owned()));
                }
                TaskState::Ended(kind) => {
                    any.push("outcome = ?".to_owned());
                    values.push(Value::from(kind.as_str().to_owned()));
                }
            }
        }
        clauses.push(format!("({})", any.join(" OR ")));
    }
    if let Some(domain) = domain {
        clauses.push("(domain_name = ? OR domain = ?)".to_owned());
        values.extend([Value::from(domain.clone()), Value::from(domain.to_lowercase())]);
    }
    if let Some(host) = host {
        clauses.push("(source = ? OR destination = ?)".to_owned());
        values.extend([Value::from(host.as_str().to_owned()), Value::from(host.as_str().to_owned())]);
    }
    if let Some(since) = changed_since {
        clauses.push("updated_at >= ?".to_owned());
        values.push(Value::from(whole(since.0)));
    }
    if let Some(Place { created_at, task }) = after {
        clauses.push("(created_at, id) < (?, ?)".to_owned());
        values.extend([Value::from(whole(created_at.0)), Value::from(task.to_string())]);
    }
    let clauses = if clauses.is_empty() { String::new() } else { format!("WHERE {}", clauses.join(" AND ")) };
    (clauses, values)
}
