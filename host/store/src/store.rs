//! The store: each call of the port, and how a call that fails says so.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use rusqlite::{Connection, OptionalExtension as _, params};
use waypost_core::convergence::Steering;
use waypost_core::facts::StorageProof;
use waypost_core::ids::{DomainId, DomainKey, HostName, Moment, TaskId};
use waypost_core::journal::Record;
use waypost_core::outcome::OutcomeKind;
use waypost_core::phase::{Phase, next};
use waypost_core::ports::{
    ClaimError, DecisionRecord, KeptProof, ProbeVolume, Reading, Store, StoreFault, TaskBrief, TaskLock, Wish,
};
use waypost_core::queue::{Entry, SlotLimits, SlotWish, Turn};

use crate::records::{read, read_record, write_record};
use crate::schema::{self, Promise};
use crate::upkeep;
use rows::{BRIEF, brief, head, moment, put_record, reopenable, run, unfinished_of, whole};
use trying::{NO_TASK, Trying};

mod audit_pruning;
mod decided;
mod driving;
mod feed;
mod ledger;
mod pruning;
mod rows;
mod samples;
mod slots;
mod trying;

pub use audit_pruning::{AuditLimits, AuditPruned};
pub use pruning::Pruned;

/// So many of the newest tasks are looked through for those between two hosts: some milliseconds of work.
const LOOKED_THROUGH: u32 = 10_000;

/// Tasks in a folder: `waypost.db` and `locks/`. Cheap to clone; all clones use the same connections.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    database: PathBuf,
    locks: PathBuf,
    /// For whatever must be on the disk before the caller goes on.
    durable: Mutex<Connection>,
    /// For reading, and for the readings of a transfer: apart, so that who watches never waits for another task's disk
    /// write; opened when it is first needed.
    visible: OnceLock<Mutex<Connection>>,
    /// For the feed, and never for writing: SQLite tells a connection of everybody's writes but its own.
    watching: OnceLock<Mutex<Connection>>,
    /// Tasks whose locks are held through this store: they need no look at a lock to be known as driven.
    driven: Mutex<HashSet<TaskId>>,
    /// As long as this is held, nobody replaces the database under the connections.
    _present: File,
}

impl SqliteStore {
    /// Opens the store in a folder and makes both if they aren't there. Only the folder's owner may be able to reach it.
    pub fn open(dir: &Path) -> Result<Self, StoreFault> {
        let (database, locks) = (dir.join("waypost.db"), dir.join("locks"));
        schema::prepare_folder(dir, &database, &locks)?;
        let present = upkeep::be_present(dir)?;
        let durable = Mutex::new(schema::connect(&database, Promise::Durable)?);
        Ok(Self {
            inner: Arc::new(Inner {
                database,
                locks,
                durable,
                visible: OnceLock::new(),
                watching: OnceLock::new(),
                driven: Mutex::default(),
                _present: present,
            }),
        })
    }
}

impl Store for SqliteStore {
    fn create(&self, id: TaskId, at: Moment, first: &Record) -> Result<Box<dyn TaskLock>, StoreFault> {
        let trying = self.inner.trying(format!("create task {id}"));
        let Record::Accepted { request } = first else {
            return Err(trying.refused("a journal begins with an accepted request"));
        };
        // A domain that is asked for by name gets its UUID with `claim`, before anything is done to it.
        let (domain, name) = match &request.domain {
            DomainKey::Id(id) => (Some(*id), id.to_string()),
            DomainKey::Name(name) => (None, name.clone()),
        };
        // The lock comes first: nobody must find a task that seems to have lost its driver.
        let lock =
            self.inner.acquire(&trying, id)?.ok_or_else(|| trying.refused("a task of this id exists already"))?;
        trying.durably(|db| {
            if let Some(domain) = domain
                && let Some(other) = unfinished_of(db, domain, id).map_err(trying.sql())?
            {
                return Err(trying.refused(ClaimError::Taken(other).to_string()));
            }
            let insert =
                "INSERT INTO task (id, created_at, updated_at, domain, domain_name, source, destination, phase,
                                            outcome, attempt, records)
                          VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, NULL, 1, 1)";
            run(
                db,
                insert,
                params![
                    id.to_string(),
                    whole(at.0),
                    domain.map(|d| d.to_string()),
                    name,
                    request.source.as_ref().map(HostName::as_str),
                    request.destination.as_str(),
                    Phase::Accepted.as_str(),
                ],
            )
            .map_err(trying.sql())?;
            put_record(db, id, 1, at, Phase::Accepted, &write_record(1, first)).map_err(trying.sql())
        })?;
        Ok(lock)
    }

    fn append(&self, id: TaskId, at: Moment, record: &Record) -> Result<(), StoreFault> {
        let trying = self.inner.trying(format!("append to the journal of task {id}"));
        trying.durably(|db| {
            let head = head(db, &trying, id)?;
            // The same table as when the journal is read back: what can't be replayed is never written.
            let phase = match record.event() {
                Some(event) => next(head.phase, event).map_err(|e| trying.refused(e.to_string()))?,
                None if matches!(record, Record::Accepted { .. }) => {
                    return Err(trying.refused("a request is accepted once, by the first record"));
                }
                None => head.phase,
            };
            if matches!(record, Record::Reopened { .. }) {
                reopenable(db, id).map_err(trying.sql())?.map_err(|why| trying.refused(why))?;
            }
            if let Record::NextAttempt { change, .. } = record
                && let Some(host) = &change.destination
            {
                let update = "UPDATE task SET destination = ?2 WHERE id = ?1";
                run(db, update, params![id.to_string(), host.as_str()]).map_err(trying.sql())?;
            }
            if matches!(record, Record::NextAttempt { .. }) {
                // What was read of the attempt before says nothing of this one.
                run(db, "DELETE FROM reading WHERE task = ?1", params![id.to_string()]).map_err(trying.sql())?;
            }
            let (attempt, outcome) = match record {
                Record::NextAttempt { attempt, .. } => (*attempt, None),
                Record::Ended { outcome } => (head.attempt, Some(outcome)),
                _ => (head.attempt, None),
            };
            let number = head.records + 1;
            put_record(db, id, number, at, phase, &write_record(attempt, record)).map_err(trying.sql())?;
            let update = "UPDATE task SET updated_at = max(updated_at, ?2), phase = ?3, outcome = ?4, attempt = ?5,
                                          records = ?6, summary = ?7 WHERE id = ?1";
            let (kind, summary) = (outcome.map(|end| end.kind.as_str()), outcome.map(|end| end.summary.as_str()));
            run(db, update, params![id.to_string(), whole(at.0), phase.as_str(), kind, attempt, number, summary])
                .map_err(trying.sql())?;
            if phase == Phase::Ended { slots::free(db, id).map_err(trying.sql()) } else { Ok(()) }
        })
    }

    fn claim(&self, id: TaskId, domain: DomainId, name: &str, source: &HostName) -> Result<(), ClaimError> {
        let trying = self.inner.trying(format!("claim domain {name} ({domain}) for task {id}"));
        let taken = trying.durably(|db| {
            if head(db, &trying, id)?.phase == Phase::Ended {
                return Err(trying.refused("the task is over"));
            }
            if let Some(other) = unfinished_of(db, domain, id).map_err(trying.sql())? {
                return Ok(Some(other));
            }
            let update = "UPDATE task SET domain = ?2, domain_name = ?3, source = ?4 WHERE id = ?1";
            run(db, update, params![id.to_string(), domain.to_string(), name, source.as_str()])
                .map_err(trying.sql())?;
            Ok(None)
        });
        match taken {
            Ok(None) => Ok(()),
            Ok(Some(other)) => Err(ClaimError::Taken(other)),
            Err(fault) => Err(ClaimError::Store(fault)),
        }
    }

    fn journal_after(&self, id: TaskId, after: u32) -> Result<Vec<(Moment, Record)>, StoreFault> {
        let trying = self.inner.trying(format!("read the journal of task {id}"));
        let hole = |number| {
            trying.refused(format!(
                "record {number} is missing: the store is damaged; keep a copy, and look on both hosts where the domain is"
            ))
        };
        trying.visibly(|db| {
            // Before the records: another process may append meanwhile, and then there are more than the row said.
            let records = head(db, &trying, id)?.records;
            let mut statement = db
                .prepare_cached("SELECT number, at, body FROM record WHERE task = ?1 AND number > ?2 ORDER BY number")
                .map_err(trying.sql())?;
            let rows = statement
                .query_map(params![id.to_string(), after], |row| {
                    Ok((row.get::<_, u32>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
                })
                .map_err(trying.sql())?;
            let (mut journal, mut last) = (Vec::new(), after);
            for row in rows {
                let (number, at, body) = row.map_err(trying.sql())?;
                if number != last + 1 {
                    return Err(hole(last + 1));
                }
                last = number;
                let (_, record) = read_record(&body).map_err(|e| trying.unreadable(&format!("record {number}"), &e))?;
                journal.push((moment(at), record));
            }
            if last < records {
                return Err(hole(last + 1));
            }
            Ok(journal)
        })
    }

    fn tasks(&self) -> Result<Vec<TaskBrief>, StoreFault> {
        let trying = self.inner.trying("list the tasks".to_owned());
        trying.visibly(|db| {
            let mut statement = db
                .prepare_cached(&format!(
                    "SELECT {BRIEF} FROM task LEFT JOIN reading ON reading.task = task.id
                     ORDER BY created_at DESC, id DESC"
                ))
                .map_err(trying.sql())?;
            let rows = statement.query_map([], brief).map_err(trying.sql())?;
            rows.collect::<Result<_, _>>().map_err(trying.sql())
        })
    }

    fn moved_between(&self, one: &HostName, other: &HostName, most: u32) -> Result<Vec<TaskId>, StoreFault> {
        let trying = self.inner.trying(format!("find what was moved between {one} and {other}"));
        trying.visibly(|db| {
            // The inner query goes along the index by age, and no further than that.
            let select = "SELECT id FROM (SELECT id, created_at, source, destination, outcome FROM task
                                          ORDER BY created_at DESC, id DESC LIMIT ?4)
                          WHERE outcome = ?5 AND ((source = ?1 AND destination = ?2) OR (source = ?2 AND destination = ?1))
                          ORDER BY created_at DESC, id DESC LIMIT ?3";
            let mut statement = db.prepare_cached(select).map_err(trying.sql())?;
            let completed = OutcomeKind::Completed.as_str();
            let values = params![one.as_str(), other.as_str(), most, LOOKED_THROUGH, completed];
            let rows = statement.query_map(values, |row| rows::id(row, 0).map(TaskId)).map_err(trying.sql())?;
            rows.collect::<Result<_, _>>().map_err(trying.sql())
        })
    }

    fn lock(&self, id: TaskId) -> Result<Option<Box<dyn TaskLock>>, StoreFault> {
        let trying = self.inner.trying(format!("lock task {id}"));
        trying.visibly(|db| head(db, &trying, id))?;
        self.inner.acquire(&trying, id)
    }

    fn claim_slot(&self, id: TaskId, at: Moment, wish: &SlotWish, limits: &SlotLimits) -> Result<Turn, StoreFault> {
        let trying = self.inner.trying(format!("ask for a slot for task {id}"));
        trying.durably(|db| slots::claim(db, &trying, id, at, wish, limits))
    }

    fn hold_slot(&self, id: TaskId, at: Moment, wish: &SlotWish) -> Result<(), StoreFault> {
        let trying = self.inner.trying(format!("note that task {id} has its slot"));
        trying.durably(|db| slots::hold(db, &trying, id, at, wish))
    }

    fn queue(&self) -> Result<Vec<Entry>, StoreFault> {
        let trying = self.inner.trying("read the queue".to_owned());
        trying.visibly(|db| slots::driven(db, &trying))
    }

    fn request_cancel(&self, id: TaskId, requester: &str) -> Result<(), StoreFault> {
        let trying = self.inner.trying(format!("ask for task {id} to be cancelled"));
        trying.durably(|db| {
            if head(db, &trying, id)?.phase == Phase::Ended {
                return Err(trying.refused("the task is over"));
            }
            // Who asked first stays on record.
            let update = "UPDATE task SET cancel_requested_by = coalesce(cancel_requested_by, ?2) WHERE id = ?1";
            run(db, update, params![id.to_string(), requester]).map_err(trying.sql())
        })
    }

    fn cancel_requested(&self, id: TaskId) -> Result<Option<String>, StoreFault> {
        let trying = self.inner.trying(format!("see whether task {id} shall be cancelled"));
        trying.visibly(|db| {
            let mut statement =
                db.prepare_cached("SELECT cancel_requested_by FROM task WHERE id = ?1").map_err(trying.sql())?;
            let row = statement.query_row([id.to_string()], |row| row.get(0)).optional();
            row.map_err(trying.sql())?.ok_or_else(|| trying.refused(NO_TASK))
        })
    }

    fn request_steering(&self, id: TaskId, wishes: &[Wish]) -> Result<(), StoreFault> {
        let actions: Vec<_> = wishes.iter().map(|wish| wish.action.as_str()).collect();
        let trying = self.inner.trying(format!("ask for {} of task {id}", actions.join(" and ")));
        trying.durably(|db| {
            if head(db, &trying, id)?.phase == Phase::Ended {
                return Err(trying.refused("the task is over"));
            }
            let insert = "INSERT INTO wish (task, number, action, value, requester)
                          SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4 FROM wish WHERE task = ?1";
            for wish in wishes {
                let value = wish.value.map(whole);
                run(db, insert, params![id.to_string(), wish.action.as_str(), value, wish.requester])
                    .map_err(trying.sql())?;
            }
            Ok(())
        })
    }

    fn wishes(&self, id: TaskId) -> Result<Vec<(u64, Wish)>, StoreFault> {
        let trying = self.inner.trying(format!("read what is wanted of task {id}"));
        trying.visibly(|db| {
            let select =
                "SELECT number, action, value, requester FROM wish WHERE task = ?1 AND settled = 0 ORDER BY number";
            let mut statement = db.prepare_cached(select).map_err(trying.sql())?;
            let rows = statement
                .query_map([id.to_string()], |row| {
                    let value: Option<i64> = row.get(2)?;
                    Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, value, row.get(3)?))
                })
                .map_err(trying.sql())?;
            rows.map(|row| {
                let (number, action, value, requester) = row.map_err(trying.sql())?;
                let action = Steering::parse(&action)
                    .ok_or_else(|| trying.refused(format!("{action:?} is nothing that can be done to a transfer")))?;
                let value = value.and_then(|value| u64::try_from(value).ok());
                Ok((u64::try_from(number).unwrap_or(0), Wish { action, value, requester }))
            })
            .collect()
        })
    }

    fn settle_wish(&self, id: TaskId, number: u64) -> Result<(), StoreFault> {
        let trying = self.inner.trying(format!("note that wish {number} of task {id} is settled"));
        trying.durably(|db| {
            let update = "UPDATE wish SET settled = 1 WHERE task = ?1 AND number = ?2";
            run(db, update, params![id.to_string(), whole(number)]).map_err(trying.sql())
        })
    }

    fn put_reading(&self, id: TaskId, reading: &Reading) -> Result<(), StoreFault> {
        let trying = self.inner.trying(format!("keep a reading of task {id}"));
        trying.visibly(|db| samples::put(db, id, reading).map_err(trying.sql()))
    }

    fn reading(&self, id: TaskId) -> Result<Option<Reading>, StoreFault> {
        let trying = self.inner.trying(format!("read the last reading of task {id}"));
        trying.visibly(|db| {
            let mut statement = db.prepare_cached("SELECT body FROM reading WHERE task = ?1").map_err(trying.sql())?;
            let row = statement.query_row([id.to_string()], |row| row.get::<_, String>(0)).optional();
            let body = row.map_err(trying.sql())?;
            body.map(|body| read(&body).map_err(|e| trying.unreadable("the reading", &e))).transpose()
        })
    }

    fn put_decisions(&self, id: TaskId, decisions: &[DecisionRecord]) -> Result<(), StoreFault> {
        let trying = self.inner.trying(format!("keep the decision records of task {id}"));
        trying.durably(|db| {
            decisions.iter().try_for_each(|decision| decided::put(db, id, decision).map_err(trying.sql()))
        })
    }

    fn decisions(&self, id: TaskId) -> Result<Vec<DecisionRecord>, StoreFault> {
        let trying = self.inner.trying(format!("read the decision records of task {id}"));
        trying.visibly(|db| {
            let mut statement =
                db.prepare_cached("SELECT body FROM decision WHERE task = ?1 ORDER BY number").map_err(trying.sql())?;
            let rows = statement.query_map([id.to_string()], |row| row.get::<_, String>(0)).map_err(trying.sql())?;
            rows.map(|row| read(&row.map_err(trying.sql())?).map_err(|e| trying.unreadable("a decision record", &e)))
                .collect()
        })
    }

    fn put_facts(&self, digest: &str, canonical: &str) -> Result<(), StoreFault> {
        let trying = self.inner.trying(format!("keep the facts {digest}"));
        trying.durably(|db| {
            // The digest names the text, so a second text under it is the same one.
            let insert = "INSERT INTO facts (digest, canonical) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            run(db, insert, params![digest, canonical]).map_err(trying.sql())
        })
    }

    fn facts(&self, digest: &str) -> Result<Option<String>, StoreFault> {
        let trying = self.inner.trying(format!("read the facts {digest}"));
        trying.visibly(|db| {
            let mut statement =
                db.prepare_cached("SELECT canonical FROM facts WHERE digest = ?1").map_err(trying.sql())?;
            statement.query_row([digest], |row| row.get(0)).optional().map_err(trying.sql())
        })
    }

    fn intend_probe(&self, probe: &ProbeVolume) -> Result<(), StoreFault> {
        let ProbeVolume { host, pool, volume, at } = probe;
        let trying = self.inner.trying(format!("note the probe volume {volume} in pool {pool} of {host}"));
        trying.durably(|db| {
            let insert = "INSERT INTO probe (host, pool, volume, at) VALUES (?1, ?2, ?3, ?4)";
            run(db, insert, params![host.as_str(), pool, volume, whole(at.0)]).map_err(trying.sql())
        })
    }

    fn settle_probe(&self, probe: &ProbeVolume) -> Result<(), StoreFault> {
        let ProbeVolume { host, pool, volume, .. } = probe;
        let trying = self.inner.trying(format!("note that the probe volume {volume} in pool {pool} of {host} is gone"));
        trying.durably(|db| {
            let delete = "DELETE FROM probe WHERE host = ?1 AND pool = ?2 AND volume = ?3";
            run(db, delete, params![host.as_str(), pool, volume]).map_err(trying.sql())
        })
    }

    fn open_probes(&self) -> Result<Vec<ProbeVolume>, StoreFault> {
        let trying = self.inner.trying("list the probe volumes that may still exist".to_owned());
        trying.visibly(|db| {
            let mut statement = db
                .prepare_cached("SELECT host, pool, volume, at FROM probe ORDER BY at, host, pool, volume")
                .map_err(trying.sql())?;
            let rows = statement.query_map([], |row| {
                let host = HostName::new(row.get::<_, String>(0)?);
                Ok(ProbeVolume { host, pool: row.get(1)?, volume: row.get(2)?, at: moment(row.get(3)?) })
            });
            rows.and_then(Iterator::collect).map_err(trying.sql())
        })
    }

    fn put_proof(&self, proof: &KeptProof) -> Result<(), StoreFault> {
        let KeptProof { source, destination, proof, at } = proof;
        let trying = self.inner.trying(format!("keep a proof of the storage of {source} and {destination}"));
        trying.durably(|db| {
            let insert = "INSERT OR REPLACE INTO proof (source, destination, source_pool, destination_pool, shared, at)
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let StorageProof { source_pool, destination_pool, shared } = proof;
            let values =
                params![source.as_str(), destination.as_str(), source_pool, destination_pool, shared, whole(at.0)];
            run(db, insert, values).map_err(trying.sql())
        })
    }

    fn proofs(&self, source: &HostName, destination: &HostName) -> Result<Vec<KeptProof>, StoreFault> {
        let trying = self.inner.trying(format!("read the proofs of the storage of {source} and {destination}"));
        trying.visibly(|db| {
            let mut statement = db
                .prepare_cached(
                    "SELECT source_pool, destination_pool, shared, at FROM proof
                     WHERE source = ?1 AND destination = ?2 ORDER BY source_pool, destination_pool",
                )
                .map_err(trying.sql())?;
            let rows = statement.query_map([source.as_str(), destination.as_str()], |row| {
                let proof =
                    StorageProof { source_pool: row.get(0)?, destination_pool: row.get(1)?, shared: row.get(2)? };
                let (source, destination) = (source.clone(), destination.clone());
                Ok(KeptProof { source, destination, proof, at: moment(row.get(3)?) })
            });
            rows.and_then(Iterator::collect).map_err(trying.sql())
        })
    }
}

#[cfg(test)]
mod tests;
