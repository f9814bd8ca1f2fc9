//! The right to drive a task: a lock of the operating system on a file, so that it ends with its process, whatever
//! ends that, and needs neither a heartbeat nor a clock.
//!
//! The file of a finished task is removed under its own lock. Who opened it just before that holds a lock on a file
//! that has no name any more; [`acquire`] therefore looks whether the name still leads to the file it locked.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A lock that is held. Dropping it gives it back and leaves the file.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Notes in the file which process holds it, for whoever comes second. Only a word: the lock does not need it.
    pub(crate) fn note_process(&self) {
        let mut file = &self.file;
        let noted = file.set_len(0).and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
        if let Err(error) = noted {
            tracing::warn!(path = %self.path.display(), %error, "it can't be noted which process holds a lock");
        }
    }

    /// Removes the file, while the lock is still held.
    pub(crate) fn remove(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

/// Takes the lock, or nothing if somebody has it.
pub(crate) fn acquire(path: &Path) -> io::Result<Option<FileLock>> {
    loop {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if is_named(&file, path)? {
            return Ok(Some(FileLock { file, path: path.to_owned() }));
        }
    }
}

/// The process that held a lock last, as far as it was noted.
pub(crate) fn noted_process(path: &Path) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Takes a part in a lock that any number may hold at once, or nothing if somebody has it alone. Ends when dropped.
pub(crate) fn share(path: &Path) -> io::Result<Option<File>> {
    let file = open(path)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether somebody holds the lock. Nothing is made where there is no file.
pub(crate) fn is_held(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        // Closing the file gives it back.
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Waits for the turn in a folder: a lock on the folder itself, so that there is no file to remove. Ends when dropped.
pub(crate) fn wait(folder: &Path) -> io::Result<File> {
    let file = File::open(folder)?;
    file.lock()?;
    Ok(file)
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing the file would do, if no copy of the descriptor were alive in a child that is just being started.
        let _ = self.file.unlock();
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn is_named(file: &File, path: &Path) -> io::Result<bool> {
    let held = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (held.dev(), held.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let held = acquire(&path).unwrap().unwrap();
        assert!(acquire(&path).unwrap().is_none());
        drop(held);
        assert!(acquire(&path).unwrap().is_some());
    }

    #[test]
    fn a_lock_on_a_file_that_lost_its_name_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let first = acquire(&path).unwrap().unwrap();
        let late = open(&path).unwrap();
        first.remove().unwrap();
        drop(first);
        late.try_lock().unwrap();
        assert!(!is_named(&late, &path).unwrap());
        let second = acquire(&path).unwrap().unwrap();
        assert!(is_named(&second.file, &path).unwrap());
    }
}
