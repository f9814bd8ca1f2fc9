//! Who may do what, and who did: tokens and the audit log, in the same database as the tasks that they are about.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, Row, params, params_from_iter};
use waypost_core::access::{Asked, AuditQuery, Audited, Ledger, Role, Scope, Token};
use waypost_core::ids::{HostName, Moment, TaskId};
use waypost_core::ports::StoreFault;

use super::SqliteStore;
use super::rows::{id, moment, run, whole, word};

const TOKEN: &str = "id, name, role, hosts, domains, hash, created_at, created_by, expires_at, revoked_at";

impl Ledger for SqliteStore {
    fn put_token(&self, token: &Token) -> Result<(), StoreFault> {
        let trying = self.inner.trying(format!("keep the token of {}", token.name));
        let lists = |error: serde_json::Error| trying.refused(error.to_string());
        let hosts: Vec<&str> = token.scope.hosts.iter().map(HostName::as_str).collect();
        let hosts = serde_json::to_string(&hosts).map_err(lists)?;
        let domains = serde_json::to_string(&token.scope.domains).map_err(lists)?;
        trying.durably(|db| {
            let insert = format!("INSERT INTO token ({TOKEN}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
            let values = params![
                token.id,
                token.name,
                token.role.as_str(),
                hosts,
                domains,
                token.hash,
                whole(token.created_at.0),
                token.created_by,
                token.expires_at.map(|at| whole(at.0)),
                token.revoked_at.map(|at| whole(at.0)),
            ];
            run(db, &insert, values).map_err(trying.sql())
        })
    }

    fn token(&self, id: &str) -> Result<Option<Token>, StoreFault> {
        let trying = self.inner.trying("look up a token".to_owned());
        trying.watching(|db| {
            let select = format!("SELECT {TOKEN} FROM token WHERE id = ?1");
            let mut statement = db.prepare_cached(&select).map_err(trying.sql())?;
            statement.query_row([id], token).optional().map_err(trying.sql())
        })
    }

    fn tokens(&self) -> Result<Vec<Token>, StoreFault> {
        let trying = self.inner.trying("list the tokens".to_owned());
        trying.watching(|db| {
            let select = format!("SELECT {TOKEN} FROM token ORDER BY created_at DESC, id");
            let mut statement = db.prepare_cached(&select).map_err(trying.sql())?;
            let rows = statement.query_map([], token).map_err(trying.sql())?;
            rows.collect::<Result<_, _>>().map_err(trying.sql())
        })
    }

    fn revoke_token(&self, id: &str, at: Moment) -> Result<bool, StoreFault> {
        let trying = self.inner.trying(format!("take token {id} back"));
        trying.durably(|db| {
            let update = "UPDATE token SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
            let changed = db.prepare_cached(update).and_then(|mut s| s.execute(params![id, whole(at.0)]));
            changed.map(|rows| rows > 0).map_err(trying.sql())
        })
    }

    fn note(&self, asked: &Asked) -> Result<u64, StoreFault> {
        let trying = self.inner.trying(format!("note that {} asks for {}", asked.who, asked.what));
        trying.durably(|db| {
            let insert = "INSERT INTO audit (at, who, proof, origin, what, task, domain, host, reason, details)
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
            let values = params![
                whole(asked.at.0),
                asked.who,
                asked.proof,
                asked.from,
                asked.what,
                asked.task.map(|task| task.to_string()),
                asked.domain,
                asked.host,
                asked.reason,
                asked.details,
            ];
            run(db, insert, values).map_err(trying.sql())?;
            Ok(u64::try_from(db.last_insert_rowid()).unwrap_or(0))
        })
    }

    fn settle(&self, number: u64, outcome: &str, task: Option<TaskId>) -> Result<(), StoreFault> {
        let trying = self.inner.trying(format!("note what came of entry {number} of the audit log"));
        trying.durably(|db| {
            // A task that was made counts for more than the one that was named: what repeats one is found under its own id.
            let update = "UPDATE audit SET outcome = ?2, task = coalesce(?3, task) WHERE number = ?1";
            run(db, update, params![whole(number), outcome, task.map(|task| task.to_string())]).map_err(trying.sql())
        })
    }

    fn audit(&self, query: &AuditQuery, most: u32) -> Result<Vec<Audited>, StoreFault> {
        let trying = self.inner.trying("read the audit log".to_owned());
        let (mut clauses, mut values) = (vec!["1"], Vec::new());
        if let Some(before) = query.before {
            clauses.push("number < ?");
            values.push(Value::from(whole(before)));
        }
        if let Some(who) = &query.who {
            clauses.push("who = ?");
            values.push(Value::from(who.clone()));
        }
        if let Some(task) = query.task {
            clauses.push("task = ?");
            values.push(Value::from(task.to_string()));
        }
        values.push(Value::from(most));
        let select = format!(
            "SELECT number, at, who, proof, origin, what, task, domain, host, reason, details, outcome
             FROM audit WHERE {} ORDER BY number DESC LIMIT ?",
            clauses.join(" AND ")
        );
        trying.watching(|db| {
            let mut statement = db.prepare_cached(&select).map_err(trying.sql())?;
            let rows = statement.query_map(params_from_iter(values), audited).map_err(trying.sql())?;
            rows.collect::<Result<_, _>>().map_err(trying.sql())
        })
    }
}

fn token(row: &Row<'_>) -> rusqlite::Result<Token> {
    let list = |column| word(row, column, |text| serde_json::from_str::<Vec<String>>(text).ok());
    Ok(Token {
        id: row.get(0)?,
        name: row.get(1)?,
        role: word(row, 2, Role::parse)?,
        scope: Scope { hosts: list(3)?.into_iter().map(HostName::new).collect(), domains: list(4)? },
        hash: row.get(5)?,
        created_at: moment(row.get(6)?),
        created_by: row.get(7)?,
        expires_at: row.get::<_, Option<i64>>(8)?.map(moment),
        revoked_at: row.get::<_, Option<i64>>(9)?.map(moment),
    })
}

fn audited(row: &Row<'_>) -> rusqlite::Result<Audited> {
    Ok(Audited {
        number: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
        asked: Asked {
            at: moment(row.get(1)?),
            who: row.get(2)?,
            proof: row.get(3)?,
            from: row.get(4)?,
            what: row.get(5)?,
            task: row.get::<_, Option<String>>(6)?.map(|_| id(row, 6).map(TaskId)).transpose()?,
            domain: row.get(7)?,
            host: row.get(8)?,
            reason: row.get(9)?,
            details: row.get(10)?,
        },
        outcome: row.get(11)?,
    })
}
