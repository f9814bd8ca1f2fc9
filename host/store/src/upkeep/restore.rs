//! A backup in place of what is there.
//!
//! Everything that can be wrong with the file is found in a copy of it, beside the database; what is there is replaced at the very
//! end, and kept. That end is a step for the policies and a step for the database, and before the first of them it is written down that
//! both are to be made: where only one was, nobody works over the state until the restore is repeated. A backup is of yesterday: what was only queued in it may have been done since, so it is
//! cancelled and not done again.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use waypost_core::phase::Phase;
use waypost_core::ports::StoreFault;

use super::policies::{self, POLICY_FOLDER};
use super::{
    STAGED, Unfinished, beside, counts, damage, half_restored, is_ours, lasting, presence, service_lock, sync_folder,
};
use crate::schema::{self, Promise, SCHEMA_VERSION};
use crate::{fault, lock};

/// Whether records of unfinished tasks may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// No: then the restore is refused.
    Refused,
    /// Yes. Nobody will know any more that their domains may be half-way between two hosts.
    Accepted,
}

/// A state that was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Tasks in it.
    pub tasks: u64,
    /// Those of them that are not over: whoever drives next takes them over.
    pub unfinished: u64,
    /// Those of the unfinished that were queued, or being judged, when the backup was made. Nothing was touched for them, and
    /// they may have been carried out since: they are asked to be cancelled, which whoever takes them over does first.
    pub queued: u64,
    /// Policies in it, in the place of those that were there; none: the backup was made by a Waypost that left them out, and those that
    /// were there are as they were.
    pub policies: Option<u64>,
    /// Folder with what was there before; none: there was nothing.
    pub replaced: Option<PathBuf>,
}

/// Puts a backup in the place of the state in a folder. Refused while anybody has the state open, where the file is
/// damaged, no backup, or of a newer Waypost, and where records of unfinished tasks would be lost unless that is accepted.
/// Older tables are brought up to date.
pub fn restore(dir: &Path, from: &Path, loss: Loss) -> Result<Restored, StoreFault> {
    let attempted = format!("restore the state in {} from {}", dir.display(), from.display());
    let refused = |why: String| fault::plain(&attempted, why);
    let of_source = |e: io::Error| fault::file(&attempted, from, &e);
    let of_folder = |e: io::Error| fault::file(&attempted, dir, &e);
    let (database, locks) = (dir.join("waypost.db"), dir.join("locks"));
    // Before anything is made: a wrong name must leave no trace.
    let mut source = File::open(from).map_err(of_source)?;
    let size = source.metadata().map_err(of_source)?.len();
    if size == 0 {
        return Err(refused("the file is empty: a backup that was never finished".to_owned()));
    }
    if beside(from)[0].metadata().is_ok_and(|log| log.len() > 0) {
        return Err(refused(
            "it has a write-ahead log beside it, so it is the database of a state and no backup: make one with `waypost state backup`"
                .to_owned(),
        ));
    }
    schema::prepare_folder(dir, &database, &locks)?;
    let _service = service_lock(dir).map_err(|fault| StoreFault { attempted: attempted.clone(), ..fault })?;
    let path = presence(dir);
    let Some(_alone) = lock::acquire(&path).map_err(|e| fault::file(&attempted, &path, &e))? else {
        return Err(refused(format!(
            "somebody has it open{}: let that come to its end first",
            driven(&locks).map_err(of_folder)?
        )));
    };

    sweep(dir).map_err(of_folder)?;
    let (copy, mut file) =
        Unfinished::create(dir.join(format!("{STAGED}{}", std::process::id()))).map_err(of_folder)?;
    io::copy(&mut source, &mut file).and_then(|_| file.sync_all()).map_err(of_folder)?;
    drop(file);
    check(&copy.path).map_err(&refused)?;
    // Older tables become those of this version.
    drop(schema::connect(&copy.path, Promise::Durable)?);

    let there = Present::read(&database);
    let made = Connection::open_with_flags(&copy.path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(|e| refused(e.to_string()))?;
    let of_copy = |e: rusqlite::Error| refused(format!("the copy can't be worked on: {e}"));
    if loss == Loss::Refused {
        there.may_be_replaced(&made).map_err(of_copy)?.map_err(&refused)?;
    }
    if matches!(there, Present::Readable { .. }) {
        lasting::take_over(&made, &database).map_err(of_copy)?;
    }
    let unpacked = policies::unpack(&made, policies::staged(dir), &attempted)?;
    let queued = cancel_queued(&made).map_err(of_copy)?;
    let (tasks, unfinished) = counts(&made).map_err(of_copy)?;
    let mode: String = made.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(of_copy)?;
    if mode != "wal" {
        return Err(refused("the file system of the state has no shared memory for write-ahead logging".to_owned()));
    }
    // The last connection takes its log along.
    made.close().map_err(|(_, e)| of_copy(e))?;
    File::open(&copy.path).and_then(|file| file.sync_all()).map_err(of_folder)?;

    let policies = unpacked.as_ref().map(|unpacked| unpacked.policies);
    let plugins = dir.join(POLICY_FOLDER);
    let leaves_some = unpacked.is_some() && !policies::is_empty(&plugins).map_err(of_folder)?;
    let replaced = match there != Present::Nothing || leaves_some {
        true => Some(new_folder(dir).map_err(of_folder)?),
        false => None,
    };
    let note = note(dir, from).map_err(of_folder)?;
    if let Some(folder) = replaced.as_ref().filter(|_| there != Present::Nothing) {
        keep(folder, &database).map_err(of_folder)?;
    }
    if let Some(unpacked) = unpacked {
        if let Some(folder) = &replaced {
            policies::keep(&plugins, folder).map_err(of_folder)?;
        }
        unpacked.put(&plugins).map_err(of_folder)?;
    }
    copy.finish(&database).map_err(of_folder)?;
    std::fs::remove_file(&note).and_then(|()| sync_folder(&note)).map_err(of_folder)?;
    Ok(Restored { tasks, unfinished, queued, policies, replaced })
}

/// Writes down that a restore is in its last steps: whole, or not at all. It stays where they are not all made.
fn note(dir: &Path, from: &Path) -> io::Result<PathBuf> {
    let (path, from) = (half_restored(dir), std::path::absolute(from)?);
    let (note, mut file) = Unfinished::create(dir.join(format!("{STAGED}note-{}", std::process::id())))?;
    writeln!(file, "{}", from.display())?;
    file.sync_all()?;
    note.finish(&path)?;
    Ok(path)
}

/// Removes what a restore left which was killed. Only for who has the state alone: nobody else makes any then.
fn sweep(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(STAGED.as_bytes()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Asks for every task that has touched nothing to be cancelled. Answers how many there are.
fn cancel_queued(made: &Connection) -> rusqlite::Result<u64> {
    let update = "UPDATE task SET cancel_requested_by = coalesce(cancel_requested_by, 'restore') WHERE phase = ?1";
    Ok(made.execute(update, [Phase::Accepted.as_str()])? as u64)
}

/// Whether a file is a whole state of a version that is known, or why not.
fn check(copy: &Path) -> Result<(), String> {
    let damaged = |why: String| format!("the file is damaged, or no backup of Waypost ({why}); nothing was changed");
    let look = || -> rusqlite::Result<(bool, Option<String>, u32)> {
        let connection = Connection::open_with_flags(copy, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        Ok((is_ours(&connection)?, damage(&connection)?, schema::version(&connection)?))
    };
    match look().map_err(|error| damaged(error.to_string()))? {
        (false, ..) => Err("the file is no backup of Waypost: it holds other tables; nothing was changed".to_owned()),
        (_, Some(why), _) => Err(damaged(why)),
        (_, _, newer) if newer > SCHEMA_VERSION => Err(format!(
            "its tables have version {newer}, and this Waypost knows version {SCHEMA_VERSION} only: restore it with the Waypost \
             that made it, or a newer one; nothing was changed"
        )),
        _ => Ok(()),
    }
}

/// What is there.
#[derive(Debug, PartialEq, Eq)]
enum Present {
    Nothing,
    Readable {
        /// Records of each unfinished task.
        unfinished: BTreeMap<String, i64>,
    },
    /// Damaged, not ours, or not whole.
    Unreadable(String),
}

impl Present {
    fn read(database: &Path) -> Self {
        let is_empty = |file: &Path| file.metadata().map_or(true, |file| file.len() == 0);
        if is_empty(database) {
            // SQLite would play a log into whatever database it finds beside it.
            let [log, _, journal] = beside(database);
            if is_empty(&log) && is_empty(&journal) {
                return Self::Nothing;
            }
            return Self::Unreadable("its database is gone, and its log is there".to_owned());
        }
        let read = || -> rusqlite::Result<Self> {
            let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            let mut statement = connection.prepare("SELECT id, records FROM task WHERE phase <> 'ended'")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let unfinished = rows.collect::<Result<_, _>>()?;
            drop(statement);
            // So that what is kept of it is one file.
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            connection.close().map_err(|(_, error)| error)?;
            Ok(Self::Readable { unfinished })
        };
        read().unwrap_or_else(|error| Self::Unreadable(error.to_string()))
    }

    /// Whether nothing of an unfinished task is lost with it, or what is.
    fn may_be_replaced(&self, by: &Connection) -> rusqlite::Result<Result<(), String>> {
        let unfinished = match self {
            Self::Nothing => return Ok(Ok(())),
            Self::Unreadable(why) => {
                return Ok(Err(format!(
                    "what is there can't be read ({why}), so it can't be told whether it knows of unfinished tasks: look on the hosts \
                     for domains that are half-way, and repeat this with --force-lose-unfinished"
                )));
            }
            Self::Readable { unfinished } => unfinished,
        };
        let mut lost = Vec::new();
        for (task, records) in unfinished {
            let select = "SELECT coalesce(max(records), 0) FROM task WHERE id = ?1";
            if by.query_row(select, [task], |row| row.get::<_, i64>(0))? < *records {
                lost.push(task.as_str());
            }
        }
        Ok(if lost.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "what is there knows more of unfinished tasks than the backup ({}): bring them to their end first (`waypost recover`), \
                 or, where that can't be, repeat this with --force-lose-unfinished",
                lost.join(", ")
            ))
        })
    }
}

/// A folder for what is replaced.
fn new_folder(dir: &Path) -> io::Result<PathBuf> {
    let mut number = 1_u32;
    loop {
        let folder = dir.join(format!("replaced-{number}"));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Keeps the database that is there under another name as well, in that folder. Its log must not stay where the next database would
/// find it.
fn keep(folder: &Path, database: &Path) -> io::Result<()> {
    let kept = folder.join("waypost.db");
    for (from, to) in beside(database).into_iter().zip(beside(&kept)) {
        match std::fs::rename(from, to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    // A second name and not a move: at no moment is there a folder without a database.
    if std::fs::hard_link(database, &kept).is_err() {
        std::fs::copy(database, &kept)?;
        File::open(&kept)?.sync_all()?;
    }
    sync_folder(&kept)
}

/// The tasks that somebody drives, in words.
fn driven(locks: &Path) -> io::Result<String> {
    let mut held = Vec::new();
    for entry in std::fs::read_dir(locks)? {
        let entry = entry?;
        if lock::is_held(&entry.path())? {
            held.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    held.sort();
    Ok(if held.is_empty() { String::new() } else { format!(" and drives task {}", held.join(", ")) })
}
