//! What went wrong, as RFC 9457 has it (`application/problem+json`), with what a program and a person need besides.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A problem. `code` is stable, the texts are for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:waypost:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for every problem of this code.
    pub title: String,
    /// HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What went wrong this time.
    pub detail: String,
    /// Stable word: `no-such-task`, `request-refused`, ...
    pub code: String,
    /// Phase that the task is in, where the problem is a task's: `performing`, ...
    pub phase: Option<String>,
    /// What is behind it, in the words of whoever failed: a host, the store.
    pub cause: Option<String>,
    /// What to do.
    pub remedy: Option<String>,
    /// The task that is concerned, or stands in the way.
    pub task: Option<String>,
}

/// The media type.
pub const PROBLEM_JSON: &str = "application/problem+json";
