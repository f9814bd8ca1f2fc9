//! What a look at a domain had learnt before it asked for what libvirt has to ask the hypervisor's process for.
//!
//! A process that hangs lets such a call wait for good. libvirt knows state and reason by itself, and tells them all the same: so
//! whoever waited in vain can say that the host answers and the process is there, and that it is the process that does not answer.
//! `virDomainGetControlInfo` would not do. While a migration runs libvirt 9.0 tells of the migration's job, whether the monitor is
//! silent or not; and it tells nothing of one that no call has waited for yet.

use std::sync::{Arc, Mutex, PoisonError};

use waypost_core::facts::DomainState;
use waypost_core::ports::Fault;
use waypost_core::situation::Side;

use crate::error::{Cause, Error};

/// Shared by the call, which may outlive its time limit, and by whoever waits for it. What is in it is words: a side of which not all
/// is known must decide nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Glimpse(Arc<Mutex<Option<String>>>);

impl Glimpse {
    /// The hypervisor is asked next, of a domain that stands so.
    pub(crate) fn note(&self, state: DomainState, reason: &str, persistent: bool) {
        let defined = if persistent { "defined" } else { "without a definition" };
        self.put(Some(format!("{state} ({reason}), {defined}")));
    }

    /// It answered, or there is none to be asked.
    pub(crate) fn forget(&self) {
        self.put(None);
    }

    /// The side of which a look failed. It is never more than unknown: a job that can't be read may be a migration.
    pub(crate) fn side(&self, error: Error) -> Side {
        let waited = match &error.cause {
            Cause::Deadline(_) => true,
            Cause::Libvirt(failure) => failure.is_behind_a_job(),
            _ => false,
        };
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let fault = Fault::from(error);
        Side::Unknown(match seen.filter(|_| waited) {
            Some(seen) => format!(
                "its hypervisor does not answer, or another call keeps it from answering; the host does, and has the domain \
                 as {seen}; whether a job runs on it is not known: {fault}"
            ),
            None => fault.to_string(),
        })
    }

    fn put(&self, seen: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use virt_sys as sys;

    use super::*;
    use crate::error::Failure;

    fn failed(cause: Cause) -> Error {
        Error { host: "kvm1".into(), attempted: "look at domain g1".into(), cause }
    }

    fn libvirt(code: u32, domain: u32, message: &str) -> Cause {
        Cause::Libvirt(Failure { code, domain, message: message.to_owned() })
    }

    fn told(glimpse: &Glimpse, cause: Cause) -> String {
        match glimpse.side(failed(cause)) {
            Side::Unknown(why) => why,
            side => panic!("{side:?} decides something"),
        }
    }

    #[test]
    fn a_hypervisor_that_does_not_answer_is_told_from_a_host_that_does_not() {
        let late = Cause::Deadline(Duration::from_secs(15));
        let busy = libvirt(sys::VIR_ERR_OPERATION_TIMEOUT, sys::VIR_FROM_QEMU, "cannot acquire state change lock");
        let lost = libvirt(sys::VIR_ERR_INTERNAL_ERROR, sys::VIR_FROM_RPC, "client socket is closed");
        let glimpse = Glimpse::default();
        for (cause, waited) in [(late, true), (busy, true), (lost, false)] {
            let said = told(&glimpse, cause.clone());
            assert!(!said.contains("hypervisor"), "nothing was learnt of the domain: {said}");
            glimpse.note(DomainState::Running, "booted", true);
            let said = told(&glimpse, cause.clone());
            let hangs = said.contains("its hypervisor does not answer") && said.contains("running (booted), defined");
            assert_eq!(hangs, waited, "{said}");
            assert!(said.contains("look at domain g1 on kvm1: "), "what was attempted is told: {said}");
            glimpse.note(DomainState::Paused, "user", false);
            glimpse.forget();
            let said = told(&glimpse, cause);
            assert!(!said.contains("hypervisor"), "it had answered: {said}");
        }
    }
}
