//! The notice that a domain carries while it is moved: who moves it. It is for whoever else is about to move it, another
//! controller or a person, and excludes nobody: what excludes is the hypervisor's own job.

use std::fmt;

use uuid::Uuid;

use crate::ids::{Moment, TaskId};

/// The XML namespace of the notice in a domain's metadata: an element `task` with the attributes `id`, `controller`, `since_ms`
/// and, where it is known, `destination`.
pub const NAMESPACE: &str = "urn:waypost:task:1";

/// Who moves a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The task.
    pub task: TaskId,
    /// The controller that drives it, in words: machine and state folder.
    pub controller: String,
    /// When the transfer was begun.
    pub since: Moment,
    /// UUID of the host that it goes to; none where that one doesn't tell.
    pub destination: Option<Uuid>,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} of the controller {}", self.task, self.controller)
    }
}
