//! A copy of the whole state in one file, database and policies, as it is at one moment, while others go on writing.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;
use waypost_core::ports::StoreFault;

use super::policies::{self, POLICY_FOLDER};
use super::{Unfinished, counts, damage, is_ours};
use crate::{fault, schema};

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its size, bytes.
    pub bytes: u64,
    /// Tasks in it.
    pub tasks: u64,
    /// Those of them that are not over.
    pub unfinished: u64,
    /// Policies in it: those that were uploaded, and those of which something was said.
    pub policies: u64,
    /// Version of its tables.
    pub version: u32,
}

/// Writes everything on record in a state folder into a new file, which must not be there, and which only its owner can read.
/// It holds what was committed when the copy began, and the policies of that moment: who changes one waits meanwhile. The file is checked and on the disk when this returns; where it can't be
/// finished, nothing is left of it. Tables of another version are copied as they are.
pub fn backup(dir: &Path, to: &Path) -> Result<Backup, StoreFault> {
    let attempted = format!("back up the state in {} to {}", dir.display(), to.display());
    let database = dir.join("waypost.db");
    let of_database = |e: rusqlite::Error| fault::sqlite(&attempted, &database, &e);
    let of_target = |e: std::io::Error| fault::file(&attempted, to, &e);
    if !database.try_exists().map_err(|e| fault::file(&attempted, &database, &e))? {
        return Err(fault::plain(&attempted, "there is no state yet: nothing was ever asked of this Waypost"));
    }
    // Before anything is made in it: files of another user's would be closed to whose it is.
    schema::prepare_folder(dir, &database, &dir.join("locks"))?;
    // Also keeps a restore away meanwhile.
    let _present = super::be_present(dir)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_FULL_MUTEX;
    let connection = Connection::open_with_flags(&database, flags).map_err(of_database)?;
    connection.busy_timeout(Duration::from_secs(10)).map_err(of_database)?;
    if !is_ours(&connection).map_err(of_database)? {
        return Err(fault::plain(&attempted, format!("{} holds no state of Waypost", database.display())));
    }

    // The name is taken first, so that nothing that is there is ever replaced; under it is an empty file until the copy,
    // which is made beside it, is whole. A kill leaves the empty file, which no restore takes for a backup,
    // and the copy, which is in nobody's way.
    let (claimed, _) = Unfinished::create(to.to_owned()).map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => fault::plain(&attempted, "this file is there already: name another"),
        _ => of_target(e),
    })?;
    let mut name = std::ffi::OsString::from(".");
    name.push(to.file_name().unwrap_or_default());
    name.push(format!(".part-{}", Uuid::now_v7()));
    let part = to.with_file_name(name);
    let (copy, file) = Unfinished::create(part.clone()).map_err(of_target)?;
    let Some(text) = part.to_str() else {
        return Err(fault::plain(&attempted, "its path is not UTF-8, and SQLite takes no other: name another"));
    };
    let copied = |e: rusqlite::Error| fault::plain(&attempted, format!("the copy can't be written or read back: {e}"));
    let plugins = dir.join(POLICY_FOLDER);
    let turn = policies::turn_if_there(&plugins).map_err(|e| fault::file(&attempted, &plugins, &e))?;
    connection.execute("VACUUM INTO ?1", [text]).map_err(copied)?;
    let version = schema::version(&connection).map_err(of_database)?;
    drop(connection);

    let made = Connection::open_with_flags(&part, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(copied)?;
    let policies = policies::pack(&made, &plugins, &attempted)?;
    drop(turn);
    if let Some(damage) = damage(&made).map_err(copied)? {
        return Err(fault::plain(&attempted, format!("the copy is damaged ({damage}): check both disks")));
    }
    let (tasks, unfinished) = counts(&made).map_err(copied)?;
    drop(made);
    // SQLite gives no promise for a file that it writes this way.
    file.sync_all().map_err(of_target)?;
    let bytes = file.metadata().map_err(of_target)?.len();
    copy.finish(to).map_err(of_target)?;
    // From here on the name is that of the whole copy.
    claimed.keep();
    Ok(Backup { bytes, tasks, unfinished, policies, version })
}
