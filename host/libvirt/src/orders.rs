//! Orders to a host about one domain.

use virt::domain::Domain;
use virt_sys as sys;
use waypost_core::convergence::Activity;
use waypost_core::ids::{DomainId, DomainKey};
use waypost_core::plan::Autostart;
use waypost_core::ports::Command;
use waypost_core::situation::Standing;

use crate::error::Failure;
use crate::link::Session;
use crate::read::domain;
use crate::{facts, raw, severing, throttling};

/// What is attempted, for an error.
pub(crate) fn attempted(command: Command, id: DomainId) -> String {
    match command {
        Command::SetMaxDowntime { ms } => format!("limit the downtime of domain {id} to {ms} ms"),
        Command::SetBandwidth { mib_s } => format!("limit the bandwidth of domain {id} to {mib_s} MiB/s"),
        Command::AbortJob => format!("abort the job of domain {id}"),
        Command::SeverCopies => format!("close the connections over which disks of domain {id} are copied"),
        Command::SetPostCopyBandwidth { mib_s } => {
            format!("limit the post-copy bandwidth of domain {id} to {mib_s} MiB/s")
        }
        Command::SetThrottle { percent } => format!("slow the guest of domain {id} down by {percent} %"),
        Command::FreeThrottle => format!("let auto-converge slow domain {id} down as far as it can again"),
        Command::InterruptPostCopy => format!("interrupt the post-copy of domain {id}"),
        Command::Suspend => format!("suspend domain {id}"),
        Command::StartPostCopy => format!("switch domain {id} to post-copy"),
        Command::Resume => format!("resume domain {id}"),
        Command::Destroy => format!("destroy domain {id}"),
        Command::Undefine => format!("undefine domain {id}"),
        Command::SetAutostart(Autostart::On) => format!("switch the autostart of domain {id} on"),
        Command::SetAutostart(Autostart::Off) => format!("switch the autostart of domain {id} off"),
    }
}

/// What libvirt leaves out where an order waits in vain behind a job of a domain that has no process any more. Measured:
/// a source whose process dies in post-copy may keep the job of its migration, which no call shows.
const ORPHANED_JOB: &str = "no process of the domain is left here, so this is the orphaned job of a migration that broke \
                            in post-copy: only a restart of libvirt's daemon on this host takes it away";

/// Carries an order out; where something is expected only if it is so, on this very connection and right before.
pub(crate) fn carry_out(
    session: &Session,
    id: DomainId,
    command: Command,
    expected: Option<&Standing>,
) -> Result<(), Failure> {
    // First: another host need not have such a domain at all.
    let host = if expected.is_some() { session.host_uuid()? } else { None };
    let domain = domain::find(session, &DomainKey::Id(id))?;
    if let Some(expected) = expected {
        let (state, reason) = domain::state(&domain)?;
        if let Some(why) = expected.differs(host, state, &reason) {
            return Err(Failure::refused(why));
        }
    }
    obey(&domain, command).map_err(|failure| match domain.is_active() {
        Ok(false) if failure.is_behind_a_job() => {
            Failure { message: format!("{}; {ORPHANED_JOB}", failure.message), ..failure }
        }
        _ => failure,
    })
}

fn obey(domain: &Domain, command: Command) -> Result<(), Failure> {
    match command {
        Command::SetMaxDowntime { ms } => set_max_downtime(domain, ms),
        Command::SetBandwidth { mib_s } => domain.migrate_set_max_speed(mib_s, 0).map(drop).map_err(Into::into),
        Command::AbortJob => abort_migration(domain),
        Command::SeverCopies => severing::sever(domain),
        Command::SetPostCopyBandwidth { mib_s } => {
            let flag = sys::VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY;
            domain.migrate_set_max_speed(mib_s, flag).map(drop).map_err(Into::into)
        }
        Command::SetThrottle { percent } => throttling::set(domain, percent),
        Command::FreeThrottle => throttling::free(domain),
        Command::InterruptPostCopy => raw::interrupt_post_copy(domain),
        Command::Suspend => domain.suspend().map(drop).map_err(Into::into),
        Command::StartPostCopy => raw::start_post_copy(domain),
        Command::Resume => domain.resume().map(drop).map_err(Into::into),
        Command::Destroy => domain.destroy().map_err(Into::into),
        Command::Undefine => undefine(domain),
        Command::SetAutostart(autostart) => {
            domain.set_autostart(autostart == Autostart::On).map(drop).map_err(Into::into)
        }
    }
}

/// libvirt's call ends whatever job the domain has. One that is told to be no migration is somebody else's, begun where ours was
/// about to be or is over; what isn't told is no reason to let a migration go on.
fn abort_migration(domain: &Domain) -> Result<(), Failure> {
    if let Ok((raw::JobKind::Running, params)) = raw::job_stats(domain, 0)
        && let Some(operation) = facts::other_job(&params)
    {
        return Err(Failure::refused(format!("the domain's job is a {operation} and no migration; nothing was done")));
    }
    raw::abort_job(domain)
}

/// The limit that is set; none where the driver doesn't tell.
pub(crate) fn max_downtime(session: &Session, id: DomainId) -> Result<Option<u64>, Failure> {
    match raw::max_downtime(&domain::find(session, &DomainKey::Id(id))?) {
        Ok(ms) => Ok(Some(ms)),
        Err(failure) if failure.is_unsupported() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Begins to measure what the guest dirties; answers whether the driver can, and the guest holds so many bytes at least.
pub(crate) fn begin_to_measure(session: &Session, id: DomainId, seconds: u32, least: u64) -> Result<bool, Failure> {
    let domain = domain::find(session, &DomainKey::Id(id))?;
    if least > 0 && raw::resident_kib(&domain)?.is_some_and(|kib| kib.saturating_mul(1024) < least) {
        return Ok(false);
    }
    match raw::start_dirty_rate_calc(&domain, seconds) {
        Ok(()) => Ok(true),
        Err(failure) if failure.is_unsupported() => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// What was measured; none while it still is.
pub(crate) fn measured(session: &Session, id: DomainId) -> Result<Option<Activity>, Failure> {
    let domain = domain::find(session, &DomainKey::Id(id))?;
    let Some(mib_s) = raw::dirty_rate(&domain)? else { return Ok(None) };
    let resident_bytes = raw::resident_kib(&domain)?.map(|kib| kib.saturating_mul(1024));
    Ok(Some(Activity { dirty_bytes_per_s: mib_s.saturating_mul(1 << 20), resident_bytes }))
}

/// Sets the limit and reads it back: it decides how long a guest stands still, and a limit that didn't take is worth an
/// error before the transfer, not a surprise after it.
fn set_max_downtime(domain: &Domain, ms: u64) -> Result<(), Failure> {
    domain.migrate_set_max_downtime(ms, 0)?;
    match raw::max_downtime(domain) {
        Ok(set) if set != ms => Err(Failure::refused(format!("libvirt took {set} ms instead of {ms} ms"))),
        Ok(_) => Ok(()),
        Err(failure) if failure.is_unsupported() => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// Removes a definition. Of an active domain it is not removed: that would leave a guest that is gone for good when it
/// stops. The state that libvirt keeps of the guest stays: whether the file was there before libvirt would have made it is a
/// question that no call answers, and a file on a shared store is the one that the guest uses elsewhere. Where a migration
/// failed, its outcome names it (`Plan::made_for_the_guest`).
fn undefine(domain: &Domain) -> Result<(), Failure> {
    if domain.is_active()? {
        return Err(Failure::refused(
            "the domain is active: its definition is what it will start from again".to_owned(),
        ));
    }
    // Flags only where they are needed: a driver or an older libvirt that doesn't know one refuses it.
    let definition = domain.get_xml_desc(sys::VIR_DOMAIN_XML_INACTIVE)?;
    let mut flags = 0;
    if definition.contains("<nvram") || definition.contains("firmware=") {
        flags |= sys::VIR_DOMAIN_UNDEFINE_KEEP_NVRAM;
    }
    if definition.contains("<tpm") {
        flags |= sys::VIR_DOMAIN_UNDEFINE_KEEP_TPM;
    }
    Ok(domain.undefine_flags(flags)?)
}
