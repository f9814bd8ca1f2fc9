//! What can go wrong with a lab, in terms of what was being attempted.

use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

use crate::{counter::CounterFault, requirements::Missing};

/// An operation on a lab that failed.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The machine lacks something that a lab needs.
    #[error("this machine cannot run a lab: {}", list(.0))]
    Requirements(Vec<Missing>),
    /// The specification cannot be met.
    #[error("{0}")]
    Spec(String),
    /// The directory is in use by a lab or by something else.
    #[error("{} is not empty: take the lab down first, or choose another directory", .0.display())]
    Occupied(PathBuf),
    /// The directory holds no lab.
    #[error("there is no lab in {}", .0.display())]
    NoLab(PathBuf),
    /// The lab has no such host.
    #[error("the lab has no host named {0}")]
    NoHost(String),
    /// The host has no power.
    #[error("host {0} is powered off")]
    PoweredOff(String),
    /// The lab does not know the guest.
    #[error("the lab has no guest named {0}")]
    NoGuest(String),
    /// A part of the lab did not come up.
    #[error("{what} did not start: {reason}")]
    Boot {
        /// The part.
        what: String,
        /// What it said.
        reason: String,
    },
    /// The operating system refused.
    #[error("cannot {attempt}")]
    Io {
        /// What was attempted, with what.
        attempt: String,
        /// The refusal.
        #[source]
        source: io::Error,
    },
    /// A program that the lab called reported failure.
    #[error("{command} failed ({status}): {output}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote.
        output: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {} s", .within.as_secs_f32())]
    Timeout {
        /// What was awaited.
        what: String,
        /// How long.
        within: Duration,
    },
    /// A file of the lab is not what was written there.
    #[error("{} is damaged", .path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// Where it fails to parse.
        #[source]
        source: serde_json::Error,
    },
    /// A guest's counter proves that the guest is not single and whole.
    #[error("the counter of {guest} proves a fault")]
    Counter {
        /// The guest.
        guest: String,
        /// The proof.
        #[source]
        source: CounterFault,
    },
}

/// A result whose error is a [`LabError`].
pub type Result<T, E = LabError> = std::result::Result<T, E>;

/// Puts "cannot ..." in front of an operating-system error.
pub(crate) trait Attempt<T> {
    fn attempt(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> Attempt<T> for std::result::Result<T, E> {
    fn attempt(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| LabError::Io { attempt: what(), source: source.into() })
    }
}

fn list(missing: &[Missing]) -> String {
    missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
