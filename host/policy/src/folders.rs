//! The plugin folders as files: which there are, what is in them, and how to tell that one changed.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use waypost_core::ids::PluginName;

use crate::artifact::{FILE_BYTES, LoadError};

/// A file that changed less than this ago may still be on its way: trouble with it is not reported yet.
const SETTLE: Duration = Duration::from_millis(300);
/// A file that changed less than this before it was read may change again without its times telling.
const RACY: Duration = Duration::from_millis(50);

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub fn of(seen: &fs::Metadata) -> Self {
        Self {
            device: seen.dev(),
            inode: seen.ino(),
            size: seen.size(),
            modified: (seen.mtime(), seen.mtime_nsec()),
            changed: (seen.ctime(), seen.ctime_nsec()),
        }
    }
    /// Whether the file changed so lately that it may still be on its way. A time in the future says nothing of that.
    pub fn is_young(&self) -> bool {
        self.age().is_some_and(|age| age < SETTLE)
    }
    /// Whether another change might leave the same stamp.
    pub fn is_racy(&self) -> bool {
        self.age().is_none_or(|age| age < RACY)
    }
    /// How long ago the file changed; none: its time is in the future.
    fn age(&self) -> Option<Duration> {
        let since =
            Duration::new(u64::try_from(self.changed.0).unwrap_or(0), u32::try_from(self.changed.1).unwrap_or(0));
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + since).ok()
    }
}

/// Names and files of a folder; hidden files are nobody's, so that a copying program may use them.
pub(crate) fn plugin_files(folder: &Path) -> io::Result<Vec<(PluginName, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden || path.extension().is_none_or(|ending| ending != "wasm") || path.is_dir() {
            continue;
        }
        if let Some(stem) = path.file_stem() {
            files.push((PluginName::new(stem.to_string_lossy()), path));
        }
    }
    Ok(files)
}

/// The bytes of a file that may be a policy.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read { file: file.to_owned(), source };
    let seen = fs::metadata(file).map_err(failed)?;
    if seen.len() > FILE_BYTES {
        return Err(LoadError::TooLarge { size: seen.len() });
    }
    if !seen.is_file() {
        return Err(failed(io::Error::other("it is no regular file")));
    }
    fs::read(file).map_err(failed)
}
