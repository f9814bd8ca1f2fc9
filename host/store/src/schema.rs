//! The folder, the connection and the tables.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use waypost_core::ports::StoreFault;

use crate::{fault, lock};

/// The version of the tables, in SQLite's `user_version`: how many of the [`STEPS`] were taken.
pub const SCHEMA_VERSION: u32 = STEPS.len() as u32;

/// What makes the tables of each version out of those of the one before. A step that was ever released never changes. A new
/// one comes with a database of the version before it: `tests/older/README.md` says how.
pub(crate) const STEPS: &[&str] = &[TABLES, WISHES, SLOTS, CHANGES, LOOKING_BACK, ACCESS, WITHIN];

/// For whoever looks back: readings for plots, the one order of all decision records with what they are searched by, and
/// beside each record and task what would have to be worked out of their texts again and again. What older versions wrote
/// has its place in the order by the time that it says; the phase after an old record stays unknown. Rows here go with what
/// they are about: whoever removes a task needs not know of them.
const LOOKING_BACK: &str = "
    CREATE TABLE sample (
        task    TEXT NOT NULL REFERENCES task (id) ON DELETE CASCADE,
        number  INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        body    TEXT NOT NULL,
        PRIMARY KEY (task, number)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE decided (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        task     TEXT NOT NULL,
        number   INTEGER NOT NULL,
        plugin   TEXT NOT NULL,
        hook     TEXT NOT NULL,
        verdict  TEXT NOT NULL,
        UNIQUE (task, number),
        FOREIGN KEY (task, number) REFERENCES decision (task, number) ON DELETE CASCADE
    ) STRICT;
    INSERT INTO decided (task, number, plugin, hook, verdict)
        SELECT task, number, body ->> '$.value.plugin', body ->> '$.value.hook',
               CASE WHEN body ->> '$.value.fault' IS NOT NULL THEN 'failed'
                    WHEN body ->> '$.value.answer' LIKE '%: blocker %' THEN 'blocked'
                    ELSE 'answered' END
        FROM decision ORDER BY body ->> '$.value.decided_at', task, number;
    CREATE INDEX decided_by_plugin ON decided (plugin, sequence);

    ALTER TABLE record ADD COLUMN phase TEXT;
    ALTER TABLE task ADD COLUMN summary TEXT;
    UPDATE task SET summary = (SELECT body ->> '$.record.outcome.summary' FROM record
                               WHERE record.task = task.id AND record.number = task.records)
        WHERE phase = 'ended';
";

/// Within what else a task was asked for, for its trace.
const WITHIN: &str = "
    ALTER TABLE task ADD COLUMN asked_within TEXT;
";

/// Who may do what, and who did. AUTOINCREMENT: an entry that was removed leaves a hole, and its number is never given again.
const ACCESS: &str = "
    CREATE TABLE token (
        id         TEXT PRIMARY KEY,
        name       TEXT NOT NULL,
        role       TEXT NOT NULL,
        hosts      TEXT NOT NULL,
        domains    TEXT NOT NULL,
        hash       TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        created_by TEXT NOT NULL,
        expires_at INTEGER,
        revoked_at INTEGER
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE audit (
        number  INTEGER PRIMARY KEY AUTOINCREMENT,
        at      INTEGER NOT NULL,
        who     TEXT NOT NULL,
        proof   TEXT NOT NULL,
        origin  TEXT NOT NULL,
        what    TEXT NOT NULL,
        task    TEXT,
        domain  TEXT,
        host    TEXT,
        reason  TEXT,
        details TEXT,
        outcome TEXT
    ) STRICT;
    CREATE INDEX audit_by_task ON audit (task) WHERE task IS NOT NULL;
    CREATE INDEX audit_by_who ON audit (who);
";

/// The one order of all records, and the keys of repeated requests. AUTOINCREMENT: a number that a reader has seen never
/// comes to stand for another record, also after the last rows were removed.
const CHANGES: &str = "
    CREATE TABLE change (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        task     TEXT NOT NULL,
        number   INTEGER NOT NULL,
        UNIQUE (task, number)
    ) STRICT;
    INSERT INTO change (task, number) SELECT task, number FROM record ORDER BY at, task, number;

    CREATE TABLE request_key (
        requester TEXT NOT NULL,
        key       TEXT NOT NULL,
        digest    TEXT NOT NULL,
        task      TEXT NOT NULL,
        at        INTEGER NOT NULL,
        PRIMARY KEY (requester, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX request_key_by_age ON request_key (at);
";

/// Who waits for a slot, or holds one.
const SLOTS: &str = "
    CREATE TABLE slot (
        task        TEXT PRIMARY KEY REFERENCES task (id),
        asked_at    INTEGER NOT NULL,
        priority    TEXT NOT NULL,
        source      TEXT NOT NULL,
        destination TEXT NOT NULL,
        network     TEXT,
        holds       INTEGER NOT NULL CHECK (holds IN (0, 1))
    ) STRICT, WITHOUT ROWID;
";

const WISHES: &str = "
    CREATE TABLE wish (
        task      TEXT NOT NULL REFERENCES task (id),
        number    INTEGER NOT NULL,
        action    TEXT NOT NULL,
        value     INTEGER,
        requester TEXT NOT NULL,
        settled   INTEGER NOT NULL DEFAULT 0 CHECK (settled IN (0, 1)),
        PRIMARY KEY (task, number)
    ) STRICT, WITHOUT ROWID;
";

/// How long a call waits for another process's transaction. Transactions here take milliseconds.
const BUSY: Duration = Duration::from_secs(10);

const TABLES: &str = "
    CREATE TABLE task (
        id                  TEXT PRIMARY KEY,
        created_at          INTEGER NOT NULL,
        updated_at          INTEGER NOT NULL,
        domain              TEXT,
        domain_name         TEXT NOT NULL,
        source              TEXT,
        destination         TEXT NOT NULL,
        phase               TEXT NOT NULL,
        outcome             TEXT,
        attempt             INTEGER NOT NULL,
        records             INTEGER NOT NULL,
        cancel_requested_by TEXT
    ) STRICT, WITHOUT ROWID;
    -- A domain has at most one unfinished task, whoever asks and from whatever process.
    CREATE UNIQUE INDEX task_of_domain ON task (domain) WHERE domain IS NOT NULL AND phase <> 'ended';
    CREATE INDEX task_by_age ON task (created_at DESC, id DESC);

    CREATE TABLE record (
        task   TEXT NOT NULL REFERENCES task (id),
        number INTEGER NOT NULL,
        at     INTEGER NOT NULL,
        body   TEXT NOT NULL,
        PRIMARY KEY (task, number)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE reading (
        task     TEXT PRIMARY KEY REFERENCES task (id),
        at       INTEGER NOT NULL,
        permille INTEGER NOT NULL,
        body     TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE decision (
        task   TEXT NOT NULL REFERENCES task (id),
        number INTEGER NOT NULL,
        body   TEXT NOT NULL,
        PRIMARY KEY (task, number)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE facts (
        digest    TEXT PRIMARY KEY,
        canonical TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE probe (
        host   TEXT NOT NULL,
        pool   TEXT NOT NULL,
        volume TEXT NOT NULL,
        at     INTEGER NOT NULL,
        PRIMARY KEY (host, pool, volume)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE proof (
        source           TEXT NOT NULL,
        destination      TEXT NOT NULL,
        source_pool      TEXT NOT NULL,
        destination_pool TEXT NOT NULL,
        shared           INTEGER NOT NULL CHECK (shared IN (0, 1)),
        at               INTEGER NOT NULL,
        PRIMARY KEY (source, destination, source_pool, destination_pool)
    ) STRICT, WITHOUT ROWID;
";

/// How much a commit of a connection promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// It is on the disk: for everything that is written before an effect.
    Durable,
    /// It is seen by every process, and a power cut may take it back: for readings and for connections that only read.
    Visible,
}

/// Makes sure that there is a private folder with the database file and the folder of locks in it.
pub(crate) fn prepare_folder(dir: &Path, database: &Path, locks: &Path) -> Result<(), StoreFault> {
    let attempted = format!("prepare the state folder {} (`state_dir` of the configuration)", dir.display());
    let builder = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
    builder(dir).map_err(|e| fault::file(&attempted, dir, &e))?;
    let folder = std::fs::metadata(dir).map_err(|e| fault::file(&attempted, dir, &e))?;
    let mode = folder.mode() & 0o777;
    if mode & 0o077 != 0 {
        // Not mended silently: a folder that somebody else made may be shared for a reason.
        let dir = dir.display();
        return Err(fault::plain(
            &attempted,
            format!(
                "other users can reach it (mode {mode:04o}), and journals name hosts and domains: run `chmod 700 {dir}`, or name another folder"
            ),
        ));
    }
    // The process's own entry there belongs to whoever it runs as. Files that root makes in the folder of a service's user
    // would be closed to the service.
    let me = std::fs::metadata("/proc/self").map_or(folder.uid(), |process| process.uid());
    if me != folder.uid() {
        let owner = folder.uid();
        return Err(fault::plain(
            &attempted,
            format!(
                "it belongs to user {owner}, and this runs as user {me}: run it as that user (`sudo -u '#{owner}' ...`), or name another folder"
            ),
        ));
    }
    builder(locks).map_err(|e| fault::file(&attempted, locks, &e))?;
    // Before SQLite does it, which would use the umask; -wal and -shm get the mode of the database. A file that is there
    // must not be opened here: closing it would end the locks of this process's other connections to it.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(database) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(fault::file(&attempted, database, &e)),
        _ => Ok(()),
    }
}

/// Opens the database and makes or checks its tables.
pub(crate) fn connect(database: &Path, promise: Promise) -> Result<Connection, StoreFault> {
    let attempted = format!("open the store {}", database.display());
    let failed = |e: rusqlite::Error| fault::sqlite(&attempted, database, &e);
    // Without NO_MUTEX: SQLite's own lock is cheap beside a write, and a mistake here must not become undefined behaviour.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_FULL_MUTEX;
    let mut connection = Connection::open_with_flags(database, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(32);
    if version(&connection).map_err(failed)? < SCHEMA_VERSION {
        advance(&mut connection, database, &attempted)?;
    }
    match version(&connection).map_err(failed)? {
        SCHEMA_VERSION => {}
        newer => {
            return Err(fault::plain(
                &attempted,
                format!(
                    "its tables have version {newer}, and this Waypost knows version {SCHEMA_VERSION} only: run the Waypost that wrote them, or a newer one"
                ),
            ));
        }
    }
    let level = match promise {
        Promise::Durable => "FULL",
        Promise::Visible => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", level).map_err(failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    Ok(connection)
}

pub(crate) fn version(connection: &Connection) -> Result<u32, rusqlite::Error> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Makes the tables, or those of this version out of older ones; once, however many processes begin at the same time:
/// changing to WAL mode doesn't wait for others as transactions do.
fn advance(connection: &mut Connection, database: &Path, attempted: &str) -> Result<(), StoreFault> {
    let failed = |e: rusqlite::Error| fault::sqlite(attempted, database, &e);
    let folder = database.parent().unwrap_or(Path::new("."));
    let _turn = lock::wait(folder).map_err(|e| fault::file(attempted, folder, &e))?;
    let strangers: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    let found = version(connection).map_err(failed)?;
    if found == 0 {
        if strangers > 0 {
            return Err(fault::plain(attempted, "it holds tables of another program: name another folder"));
        }
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(failed)?;
        if mode != "wal" {
            return Err(fault::plain(
                attempted,
                "its file system has no shared memory for write-ahead logging: name a folder on a local disk",
            ));
        }
    }
    // All steps or none: a power cut leaves the version that was there.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    for step in STEPS.iter().skip(found as usize) {
        transaction.execute_batch(step).map_err(failed)?;
    }
    if found < SCHEMA_VERSION {
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}
