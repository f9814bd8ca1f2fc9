//! The policies of a state, which are files beside its database: in a backup they are rows of a table of their own, so that a
//! backup is one file; a restore makes files of them again.
//!
//! The folder has one turn at a time. Whoever changes a policy takes it, and so does a backup until it has read both the database
//! and the files: what was uploaded, what was said of it and what was noted of both are of one moment.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use waypost_core::ports::StoreFault;

use super::{STAGED, sync_folder};
use crate::{fault, lock};

/// The folder of a state with the policies that were uploaded (`NAME.wasm`), and what was said of policies (`NAME.json`).
pub const POLICY_FOLDER: &str = "plugins";

/// Takes the turn in a folder of policies, which must be there: waits while another change of it, or a backup, is being made. Ends
/// when the answer is dropped, and with the process.
pub fn policy_turn(folder: &Path) -> io::Result<File> {
    lock::wait(folder)
}

/// The same, if there is such a folder.
pub(super) fn turn_if_there(folder: &Path) -> io::Result<Option<File>> {
    match policy_turn(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        turn => turn.map(Some),
    }
}

/// Puts the files of a folder into a copy of the database; answers of how many policies. A folder that isn't there holds none, and
/// that is said as well.
pub(super) fn pack(copy: &Connection, folder: &Path, attempted: &str) -> Result<u64, StoreFault> {
    let of_copy = |e: rusqlite::Error| fault::plain(attempted, format!("the copy can't be written or read back: {e}"));
    let names = names(folder).map_err(|e| fault::file(attempted, folder, &e))?;
    let all_or_nothing = copy.unchecked_transaction().map_err(of_copy)?;
    // One that an older Waypost restored has carried the table on.
    let table = "DROP TABLE IF EXISTS policy_file;
                 CREATE TABLE policy_file (name TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT";
    all_or_nothing.execute_batch(table).map_err(of_copy)?;
    for name in &names {
        let path = folder.join(name);
        let body = fs::read(&path).map_err(|e| fault::file(attempted, &path, &e))?;
        all_or_nothing.execute("INSERT INTO policy_file VALUES (?1, ?2)", (name, body)).map_err(of_copy)?;
    }
    all_or_nothing.commit().map_err(of_copy)?;
    Ok(policies(&names))
}

/// The policies of a backup, as files that are on the disk and not yet where anybody looks for them.
pub(super) struct Unpacked {
    folder: PathBuf,
    /// How many policies they are of.
    pub policies: u64,
}

/// Makes files of what a copy of a backup holds, in a new folder, and takes it out of the copy. None: it was made by a Waypost
/// that left them out.
pub(super) fn unpack(copy: &Connection, into: PathBuf, attempted: &str) -> Result<Option<Unpacked>, StoreFault> {
    let of_copy = |e: rusqlite::Error| fault::plain(attempted, format!("the copy can't be worked on: {e}"));
    let select = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'policy_file')";
    if !copy.query_row(select, [], |row| row.get::<_, bool>(0)).map_err(of_copy)? {
        return Ok(None);
    }
    let of_folder = |e: io::Error| fault::file(attempted, &into, &e);
    DirBuilder::new().mode(0o700).create(&into).map_err(of_folder)?;
    let mut unpacked = Unpacked { folder: into.clone(), policies: 0 };
    let mut statement = copy.prepare("SELECT name, body FROM policy_file ORDER BY name").map_err(of_copy)?;
    let mut rows = statement.query([]).map_err(of_copy)?;
    let mut names = Vec::new();
    while let Some(row) = rows.next().map_err(of_copy)? {
        let name: String = row.get(0).map_err(of_copy)?;
        if !is_of_policy(&name) {
            let why = format!("the file is damaged, or no backup of Waypost (a policy's file is called {name:?})");
            return Err(fault::plain(attempted, format!("{why}; nothing was changed")));
        }
        let body: Vec<u8> = row.get(1).map_err(of_copy)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(into.join(&name));
        file.and_then(|mut file| file.write_all(&body).and_then(|()| file.sync_all())).map_err(of_folder)?;
        names.push(name);
    }
    drop(rows);
    drop(statement);
    File::open(&into).and_then(|folder| folder.sync_all()).map_err(of_folder)?;
    copy.execute_batch("DROP TABLE policy_file").map_err(of_copy)?;
    unpacked.policies = policies(&names);
    Ok(Some(unpacked))
}

impl Unpacked {
    /// Puts the folder in the place of the one that is there, which must be empty or gone.
    pub fn put(mut self, folder: &Path) -> io::Result<()> {
        fs::rename(&self.folder, folder)?;
        self.folder = PathBuf::new();
        sync_folder(folder)
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        if self.folder.as_os_str().is_empty() {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(path = %self.folder.display(), %error, "an unfinished folder is left");
        }
    }
}

/// Where the policies of a backup are until they are put in their place.
pub(super) fn staged(dir: &Path) -> PathBuf {
    dir.join(format!("{STAGED}policies-{}", std::process::id()))
}

/// Moves the folder that is there into another; nothing is moved where it is empty or gone.
pub(super) fn keep(folder: &Path, into: &Path) -> io::Result<()> {
    if is_empty(folder)? {
        return Ok(());
    }
    let kept = into.join(POLICY_FOLDER);
    fs::rename(folder, &kept)?;
    sync_folder(&kept)?;
    sync_folder(folder)
}

/// Whether nothing is in a folder, or there is none.
pub(super) fn is_empty(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Files of policies in a folder, in order.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(text) = name.to_str() else {
            let why = format!("the name of {} is not UTF-8: rename it", entry.path().display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        };
        if is_of_policy(text) && !entry.path().is_dir() {
            names.push(text.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Whether that is the name of a policy's file: nothing hidden, and never a path.
fn is_of_policy(name: &str) -> bool {
    let stem = name.strip_suffix(".wasm").or_else(|| name.strip_suffix(".json"));
    stem.is_some_and(|stem| !stem.is_empty()) && !name.starts_with('.') && !name.contains(['/', '\0'])
}

/// Of how many policies these are the files.
fn policies(names: &[String]) -> u64 {
    let stems: BTreeSet<_> = names.iter().filter_map(|name| name.rsplit_once('.')).map(|(stem, _)| stem).collect();
    stems.len() as u64
}
