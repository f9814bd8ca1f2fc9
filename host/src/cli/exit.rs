//! What a command's exit status means. Scripts rely on it, so it is one list with a test.

use std::process::ExitCode;

use thiserror::Error;
use waypost::service::client::ClientError;
use waypost::{EngineError, OutcomeKind};

/// The exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done as asked.
    Done = 0,
    /// It could not be done or not be told; nothing is claimed about a guest.
    Error = 1,
    /// The command line, or a combination of options, makes no sense.
    Usage = 2,
    /// A policy refused.
    Refused = 3,
    /// It failed, and the guest is safe on the source.
    RolledBack = 4,
    /// Stuck or lost: a person must look.
    Stuck = 5,
    /// Cancelled, and the guest is safe on the source.
    Cancelled = 6,
}

/// Words on a command line that make no sense together.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Nonsense(pub String);

/// The list as `--help` shows it.
pub const HELP: &str = "Exit status:
  0  done
  1  error: it could not be done, or not be told
  2  usage: the command line makes no sense
  3  refused by a policy; nothing was touched
  4  failed; the guest is safe on the source
  5  stuck or lost: a person must look
  6  cancelled; the guest is safe on the source";

impl Exit {
    /// Of a task that ended.
    pub fn of_outcome(kind: OutcomeKind) -> Self {
        match kind {
            OutcomeKind::Completed => Self::Done,
            OutcomeKind::Refused => Self::Refused,
            OutcomeKind::RolledBack => Self::RolledBack,
            OutcomeKind::Cancelled => Self::Cancelled,
            OutcomeKind::Stuck | OutcomeKind::Lost => Self::Stuck,
        }
    }

    /// Of an error.
    pub fn of_error(error: &anyhow::Error) -> Self {
        let refused = match error.downcast_ref::<EngineError>() {
            Some(error) => matches!(error, EngineError::Refused(_) | EngineError::NoWay { .. }),
            None => error.downcast_ref::<ClientError>().is_some_and(refused_by_service) || error.is::<Nonsense>(),
        };
        if refused { Self::Usage } else { Self::Error }
    }
}

/// Whether a service says that a request makes no sense. For a host that isn't there it has the same code, because to it that is
/// a mistake of the body; here it is none of the command line.
pub fn refused_by_service(error: &ClientError) -> bool {
    let ClientError::Problem { problem, .. } = error else { return false };
    problem.code == "request-refused" && !problem.detail.starts_with("there is no host ")
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use waypost::core::admission::Refusal;

    use super::*;

    #[test]
    fn every_outcome_has_its_documented_number() {
        let numbers: Vec<_> =
            OutcomeKind::ALL.iter().map(|kind| (kind.as_str(), Exit::of_outcome(*kind) as u8)).collect();
        let expected =
            [("completed", 0), ("refused", 3), ("rolled-back", 4), ("cancelled", 6), ("stuck", 5), ("lost", 5)];
        assert_eq!(numbers, expected);
    }

    #[test]
    fn a_request_that_makes_no_sense_is_usage_and_the_rest_is_error() {
        let refused = EngineError::Refused(Refusal::SameHost("a".into()));
        assert_eq!(Exit::of_error(&refused.into()), Exit::Usage);
        assert_eq!(Exit::of_error(&anyhow::anyhow!("x")), Exit::Error);
        assert_eq!(Exit::of_error(&Nonsense("x".into()).into()), Exit::Usage);
    }

    #[test]
    fn the_help_lists_every_number_once() {
        for exit in
            [Exit::Done, Exit::Error, Exit::Usage, Exit::Refused, Exit::RolledBack, Exit::Stuck, Exit::Cancelled]
        {
            assert_eq!(HELP.matches(&format!("\n  {}  ", exit as u8)).count(), 1);
        }
    }
}
