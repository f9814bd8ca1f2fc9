//! What was done to the state as a whole.

use serde::{Deserialize, Serialize};

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Its file.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Tasks in it.
    pub tasks: u64,
    /// Those of them that are not over.
    pub unfinished: u64,
    /// Policies in it: those that were uploaded, and those of which something was said over the service.
    pub policies: u64,
    /// Version of its tables.
    pub schema: u32,
}

/// A state that was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The backup.
    pub file: String,
    /// Tasks that are on record now.
    pub tasks: u64,
    /// Those of them that are not over.
    pub unfinished: u64,
    /// Those of the unfinished that had not begun when the backup was made: they are cancelled when they are taken over.
    pub queued: u64,
    /// Policies that it brought back, in the place of those that were there; null: the backup was made by a Waypost that left them
    /// out, and those that were there are as they were.
    pub policies: Option<u64>,
    /// Folder with what was on record before; null where there was nothing.
    pub replaced: Option<String>,
}

/// What was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// Tasks.
    pub tasks: u64,
    /// Records of their journals.
    pub records: u64,
    /// Facts on which they were decided.
    pub facts: u64,
    /// Old tasks that are kept, because they ended stuck or lost.
    pub kept: u64,
}

/// What was forgotten of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPruned {
    /// Entries that are gone.
    pub entries: u64,
    /// What was noted before that is gone.
    pub before: String,
    /// Of the rest so many of the newest are kept.
    pub keep: u64,
    /// Entries that are left.
    pub left: u64,
    /// The entry that says so; null where there was nothing to forget.
    pub number: Option<u64>,
}
