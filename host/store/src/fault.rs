//! What is said when the store fails: what was tried, with which file, why not, and what a person can do.

use std::path::Path;

use rusqlite::{Error, ErrorCode};
use waypost_core::ports::StoreFault;

/// A fault of SQLite, in words that lead somewhere.
pub(crate) fn sqlite(attempted: &str, file: &Path, error: &Error) -> StoreFault {
    let file = file.display();
    let what_to_do = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            format!("the disk that holds {file} is full: free some space, then repeat this")
        }
        Some(ErrorCode::ReadOnly) => {
            format!(
                "{file} can't be written: check that its owner runs this and that the file system is not mounted read-only"
            )
        }
        Some(ErrorCode::DatabaseCorrupt) => format!(
            "{file} is damaged: keep a copy of its folder, then restore it from a backup, or move it away to begin with \
             an empty one (a migration that is under way goes on in libvirt, but is no longer watched)"
        ),
        Some(ErrorCode::NotADatabase) => {
            format!(
                "{file} is not a database of Waypost, or damaged beyond reading: move it away, or name another folder"
            )
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("another process keeps {file} locked: end it if it hangs, then repeat this")
        }
        Some(ErrorCode::CannotOpen) => {
            format!("{file} can't be opened: check that its folder exists and belongs to the user who runs this")
        }
        Some(ErrorCode::SystemIoFailure) => {
            format!("reading or writing {file} failed: check the disk and the kernel's log")
        }
        _ => format!("unexpected trouble with {file}"),
    };
    StoreFault { attempted: attempted.to_owned(), message: format!("{what_to_do} ({error})") }
}

/// A fault of the file system.
pub(crate) fn file(attempted: &str, path: &Path, error: &std::io::Error) -> StoreFault {
    StoreFault { attempted: attempted.to_owned(), message: format!("{}: {error}", path.display()) }
}

/// A fault that is in no library's words.
pub(crate) fn plain(attempted: &str, message: impl Into<String>) -> StoreFault {
    StoreFault { attempted: attempted.to_owned(), message: message.into() }
}
