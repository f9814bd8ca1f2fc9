//! What is done to a state folder as a whole, its database and its policies, and who may be at work in it meanwhile.
//!
//! Whoever has the store open holds a part in one lock, so that a restore, which takes it alone, never replaces a database
//! under somebody's connections: what they wrote after it would be written nowhere. The service holds a second lock: two of
//! them over one folder would each make the other's promises of idempotency.

mod backup;
mod lasting;
mod policies;
mod restore;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use waypost_core::ports::StoreFault;

use crate::lock::{self, FileLock};
use crate::{fault, schema};

pub use crate::store::Pruned;
pub use backup::{Backup, backup};
pub use policies::{POLICY_FOLDER, policy_turn};
pub use restore::{Loss, Restored, restore};

/// How what a restore makes is called until it is whole: no name of a state's, so that what was left is known for what it is.
const STAGED: &str = ".restoring-";

/// Held by everybody who has the store open, and by a restore alone.
fn presence(dir: &Path) -> PathBuf {
    dir.join("store.lock")
}

/// Held by the service.
fn service(dir: &Path) -> PathBuf {
    dir.join("service.lock")
}

/// There from before a restore changes anything until all of it is changed. What is in it: the backup's file.
fn half_restored(dir: &Path) -> PathBuf {
    dir.join("restore-unfinished")
}

/// Notes that somebody has the store open, until the answer is dropped. A state that is half of one backup is nobody's.
pub(crate) fn be_present(dir: &Path) -> Result<File, StoreFault> {
    let (attempted, path) = (format!("open the store in {}", dir.display()), presence(dir));
    let file = lock::share(&path).map_err(|e| fault::file(&attempted, &path, &e))?;
    let Some(file) = file else {
        return Err(fault::plain(&attempted, "it is being restored right now: repeat this when that is done"));
    };
    let note = half_restored(dir);
    match std::fs::read_to_string(&note) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(file),
        Err(error) => Err(fault::file(&attempted, &note, &error)),
        Ok(backup) => Err(fault::plain(
            &attempted,
            format!(
                "a restore of it was begun and did not come to its end, so it is half of one state and half of another: repeat \
                 `waypost state restore {}`",
                backup.trim()
            ),
        )),
    }
}

/// The right to be the service of a state folder. Ends when dropped, and with the process.
#[derive(Debug)]
pub struct ServiceLock {
    _file: FileLock,
}

/// Takes that right; an error if another service has it. Makes the folder if it isn't there.
pub fn service_lock(dir: &Path) -> Result<ServiceLock, StoreFault> {
    let attempted = format!("be the service of the state folder {}", dir.display());
    schema::prepare_folder(dir, &dir.join("waypost.db"), &dir.join("locks"))?;
    let path = service(dir);
    let Some(file) = lock::acquire(&path).map_err(|e| fault::file(&attempted, &path, &e))? else {
        let who = lock::noted_process(&path);
        let who = who.map_or_else(String::new, |id| format!(" (process {id})"));
        return Err(fault::plain(
            &attempted,
            format!("another service{who} works over it: end that one, or name another `state_dir`"),
        ));
    };
    file.note_process();
    Ok(ServiceLock { _file: file })
}

/// Whether a service works over a state folder right now. Makes nothing.
pub fn service_runs(dir: &Path) -> Result<bool, StoreFault> {
    let path = service(dir);
    lock::is_held(&path).map_err(|e| fault::file("see whether a service is running", &path, &e))
}

/// Whether that process is the service of a state folder.
pub(crate) fn is_service(dir: &Path, process: u32) -> Result<bool, StoreFault> {
    Ok(lock::noted_process(&service(dir)) == Some(process) && service_runs(dir)?)
}

/// A file that is being made, and goes again unless it is finished.
struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    /// A new file, readable for its owner alone.
    fn create(path: PathBuf) -> io::Result<(Self, File)> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok((Self { path }, file))
    }

    /// Gives it its name, in place of what has it.
    fn finish(self, name: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, name)?;
        self.keep();
        sync_folder(name)
    }

    /// It stays as it is.
    fn keep(mut self) {
        self.path = PathBuf::new();
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.path.as_os_str().is_empty() {
            return;
        }
        for path in beside(&self.path).into_iter().chain([self.path.clone()]) {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "an unfinished file is left");
                }
                _ => {}
            }
        }
    }
}

/// What SQLite keeps beside a database that is open.
fn beside(database: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", "-journal"].map(|ending| {
        let mut name = database.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    })
}

/// Makes the names in a file's folder as durable as the files.
fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// What is wrong with a database as a whole; none: nothing.
fn damage(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Ok(Some(found));
    }
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let orphan = statement.query([])?.next()?.is_some();
    Ok(orphan.then(|| "a row belongs to a task that is not there".to_owned()))
}

/// Whether the tables are those of Waypost.
fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let select = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('task', 'record', 'decision')";
    Ok(schema::version(connection)? > 0 && connection.query_row(select, [], |row| row.get::<_, i64>(0))? == 3)
}

/// How many tasks a database holds, and how many of them are not over.
fn counts(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    let select = "SELECT count(*), coalesce(sum(phase <> 'ended'), 0) FROM task";
    let whole = |number: i64| u64::try_from(number).unwrap_or(0);
    connection.query_row(select, [], |row| Ok((whole(row.get(0)?), whole(row.get(1)?))))
}
