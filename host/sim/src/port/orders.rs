//! What an order to a host does to a domain, in the words of libvirt where it does nothing.

use waypost_core::ids::{DomainId, HostName};
use waypost_core::plan::Autostart;
use waypost_core::ports::{Command, Fault, FaultKind};
use waypost_core::situation::{Side, Standing};

use super::no_domain;
use crate::script::Step;
use crate::state::{State, lifecycle};
use crate::transfer::Job;
use crate::words;

/// Where the script may strike an order, and what is attempted with it.
pub(super) fn named(command: Command) -> (Step, &'static str) {
    match command {
        Command::SetMaxDowntime { .. } => (Step::SetMaxDowntime, "set the downtime limit"),
        Command::SetBandwidth { .. } => (Step::SetBandwidth, "set the bandwidth limit"),
        Command::AbortJob => (Step::AbortJob, "abort the job"),
        Command::SeverCopies => (Step::AbortJob, "close the connections of the copies"),
        Command::SetPostCopyBandwidth { .. } => (Step::SetBandwidth, "set the bandwidth limit of post-copy"),
        Command::SetThrottle { .. } => (Step::SetBandwidth, "slow the guest down"),
        Command::FreeThrottle => (Step::SetBandwidth, "let the guest be slowed down as far as can be"),
        Command::InterruptPostCopy => (Step::AbortJob, "interrupt the post-copy"),
        Command::Suspend => (Step::Suspend, "suspend the domain"),
        Command::StartPostCopy => (Step::StartPostCopy, "switch to post-copy"),
        Command::Resume => (Step::Resume, "resume the domain"),
        Command::Destroy => (Step::Destroy, "destroy the domain"),
        Command::Undefine => (Step::Undefine, "undefine the domain"),
        Command::SetAutostart(_) => (Step::SetAutostart, "set autostart"),
    }
}

/// Refuses an order that was meant for another host, or for a domain that stood otherwise.
pub(super) fn as_expected(
    state: &State,
    host: &HostName,
    domain: DomainId,
    expected: Option<&Standing>,
    attempted: &str,
) -> Result<(), Fault> {
    let Some(expected) = expected else { return Ok(()) };
    let Side::Present(now) = state.observe(host, domain) else { return Err(no_domain(host, attempted, &domain)) };
    match expected.differs(now.host, now.state, &now.reason) {
        Some(why) => Err(words::fault(FaultKind::Refused, host, attempted, why)),
        None => Ok(()),
    }
}

/// What an order does, in the words of libvirt where it does nothing.
pub(super) fn obey(
    state: &mut State,
    host: &HostName,
    domain: DomainId,
    command: Command,
    attempted: &str,
) -> Result<(), Fault> {
    let refuse = |why: &str| {
        let why = format!("Requested operation is not valid: {why}");
        Err(words::fault(FaultKind::Refused, host, attempted, why))
    };
    let job = state.job_of(host, domain);
    let Some(local) = state.local_mut(host, domain) else { return Err(no_domain(host, attempted, &domain)) };
    let active = local.process.is_some();
    if !active && !matches!(command, Command::Undefine | Command::SetAutostart(_)) {
        return refuse("domain is not running");
    }
    match command {
        Command::SetMaxDowntime { ms } => {
            local.max_downtime_ms = Some(ms);
            state.wake(domain);
        }
        Command::SetBandwidth { mib_s } => {
            // A running migration has a limit of its own, which ends with it.
            if job.is_none() {
                local.bandwidth_mib_s = Some(mib_s);
            } else if let Some(job) = state.jobs.get_mut(&domain) {
                job.bandwidth_mib_s = Some(mib_s);
            }
            state.wake(domain);
        }
        Command::AbortJob => match job {
            None => return refuse("no job is active on the domain"),
            Some("migration-in") => return refuse("cannot abort incoming migration; use virDomainDestroy instead"),
            Some(_) if state.jobs.get(&domain).is_some_and(Job::switched) => {
                return refuse("cannot abort migration in post-copy mode");
            }
            Some("migration-out") => {
                if let Some(job) = state.jobs.get_mut(&domain) {
                    job.abort = true;
                }
                state.wake(domain);
            }
            // Whoever gives this order means a migration.
            Some(operation) => return refuse(&format!("the domain's job is a {operation} and no migration")),
        },
        Command::SeverCopies => match state.jobs.get_mut(&domain) {
            Some(migration) if job == Some("migration-out") && migration.copies => {
                migration.severed = true;
                state.wake(domain);
            }
            _ => return refuse("no connection of a disk's copy is open"),
        },
        // Of the hypervisor's process, which takes it whether something moves or not.
        Command::SetThrottle { percent } => local.most_throttle_percent = Some(percent),
        Command::FreeThrottle => local.most_throttle_percent = None,
        // The simulator's transfers have one rate.
        Command::SetPostCopyBandwidth { .. } => {}
        Command::InterruptPostCopy => match job {
            Some("migration-out") => {
                if let Err(why) = state.interrupt_post_copy(domain) {
                    return refuse(why);
                }
            }
            _ => return Err(words::fault(FaultKind::Busy, host, attempted, words::LOCKED)),
        },
        Command::Suspend => {
            if local.process.as_ref().is_some_and(|process| !process.runs) {
                return Ok(());
            }
            state.pause(host, domain, "user", "order");
            state.tell(host, lifecycle(domain, "suspended", "paused"));
            state.wake(domain);
        }
        Command::StartPostCopy => {
            if let Err((kind, why)) = state.start_post_copy(domain) {
                return Err(words::fault(kind, host, attempted, why));
            }
        }
        Command::Resume => {
            if local.process.as_ref().is_some_and(|process| process.runs) {
                return refuse("domain is already running");
            }
            state.run(host, domain, "unpaused", "resume");
            state.tell(host, lifecycle(domain, "resumed", "unpaused"));
        }
        Command::Destroy => {
            state.destroy(host, domain, "destroy");
            state.tell(host, lifecycle(domain, "stopped", "destroyed"));
        }
        Command::Undefine => {
            if !local.persistent {
                return refuse("cannot undefine transient domain");
            }
            state.undefine(host, domain, "undefine");
            state.tell(host, lifecycle(domain, "undefined", "removed"));
        }
        Command::SetAutostart(wanted) => {
            if !local.persistent {
                return refuse("cannot set autostart for transient domain");
            }
            local.autostart = wanted == Autostart::On;
        }
    }
    Ok(())
}
