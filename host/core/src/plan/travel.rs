//! Which way a domain travels in the state in which it is, and where its state forbids it.

use super::{PlanError, RunState, TransferMode};
use crate::admission::Refusal;
use crate::facts::{DomainFacts, DomainState};
use crate::request::{Mode, Options};

/// libvirt's reason for a domain that an error of one of its disks has paused.
const IO_ERROR: &str = "io-error";

pub(super) fn travel(options: &Options, domain: &DomainFacts) -> Result<(TransferMode, RunState), PlanError> {
    let (state, mode) = (domain.state, options.mode);
    let wrong = |remedy| Err(PlanError::WrongState { state, mode, remedy });
    match (state, mode) {
        // Refused before any host was asked; here only so that no way leads past that.
        (_, Mode::Hibernation) => wrong(Refusal::SAVE_IT),
        (DomainState::Running | DomainState::Blocked, Mode::Auto | Mode::Live) => {
            Ok((TransferMode::Live, RunState::Running))
        }
        (DomainState::Paused, Mode::Auto | Mode::Live)
            if options.stream.abort_on_error && domain.reason == IO_ERROR =>
        {
            Err(PlanError::StoppedByDisk)
        }
        (DomainState::Paused, Mode::Auto | Mode::Live) => Ok((TransferMode::Live, RunState::Paused)),
        (DomainState::ShutOff, Mode::Auto | Mode::Offline) => Ok((TransferMode::Offline, RunState::ShutOff)),
        (DomainState::ShutOff, Mode::Live) => wrong("start it, or migrate it offline"),
        (DomainState::Running | DomainState::Blocked | DomainState::Paused, Mode::Offline) => {
            wrong("shut it down, or migrate it live")
        }
        _ => wrong("wait until it is running, paused or shut off"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::copies::tests::scene;
    use crate::plan::plan;

    #[test]
    fn a_guest_that_a_disk_has_stopped_does_not_travel_where_such_an_error_shall_end_it() {
        let refused = |abort_on_error: bool, state: DomainState, reason: &str| {
            let (_, mut facts) = scene();
            let domain = Arc::make_mut(&mut facts.domain);
            (domain.state, domain.reason) = (state, reason.to_owned());
            let mut options = Options::default();
            options.stream.abort_on_error = abort_on_error;
            plan(1, &options, &facts, &facts.candidates[0]).err()
        };
        let stopped = refused(true, DomainState::Paused, "io-error").expect("libvirt would refuse it");
        assert_eq!((stopped.code(), &stopped), ("abort-on-error-impossible", &PlanError::StoppedByDisk));
        for (abort_on_error, state, reason) in [
            (false, DomainState::Paused, "io-error"),
            (true, DomainState::Paused, "user"),
            (true, DomainState::Running, "booted"),
            (true, DomainState::ShutOff, "shutdown"),
        ] {
            assert_eq!(refused(abort_on_error, state, reason), None, "{reason}");
        }
    }
}
