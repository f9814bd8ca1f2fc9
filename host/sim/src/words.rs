//! libvirt's errors, in its words and with its numbers: programs match on them, so a simulation must speak them too.

use waypost_core::ids::HostName;
use waypost_core::ports::{Fault, FaultKind};

/// libvirt's error domain of the QEMU driver.
const FROM_QEMU: u32 = 10;
/// Of the RPC layer.
const FROM_RPC: u32 = 7;
/// Of storage.
const FROM_STORAGE: u32 = 18;

/// libvirt's reasons for both states of a domain whose memory follows it, and of one whose memory stopped to.
pub(crate) const POST_COPY: &str = "post-copy";
pub(crate) const POST_COPY_FAILED: &str = "post-copy-failed";

/// A fault of a host.
pub(crate) fn fault(kind: FaultKind, host: &HostName, attempted: &str, message: impl Into<String>) -> Fault {
    let code = match kind {
        FaultKind::NoDomain => Some(42),
        FaultKind::Aborted => Some(78),
        FaultKind::Refused | FaultKind::Migrating => Some(55),
        FaultKind::UnsafeStorage => Some(81),
        FaultKind::Incompatible => Some(91),
        FaultKind::Busy => Some(68),
        FaultKind::Unsupported => Some(3),
        FaultKind::Unreachable | FaultKind::Network => Some(38),
        FaultKind::Authentication => Some(45),
        FaultKind::HypervisorDied => Some(9),
        FaultKind::Storage => Some(38),
        FaultKind::Other => Some(1),
        FaultKind::NoHost | FaultKind::Deadline => None,
    };
    let domain = code.map(|_| match kind {
        FaultKind::Unreachable | FaultKind::Network | FaultKind::Authentication => FROM_RPC,
        FaultKind::Storage => FROM_STORAGE,
        _ => FROM_QEMU,
    });
    Fault { kind, host: host.clone(), attempted: attempted.to_owned(), message: message.into(), code, domain }
}

/// What a scripted error of a kind says.
pub(crate) fn scripted(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::NoDomain => "Domain not found",
        FaultKind::NoHost => "no such host",
        FaultKind::Unreachable => "unable to connect to server: No route to host",
        FaultKind::Deadline => "no answer in time",
        FaultKind::Authentication => "authentication failed: No authentication callback available",
        FaultKind::Aborted => "operation aborted: job 'migration out' canceled by client",
        FaultKind::Busy => LOCKED,
        FaultKind::Migrating => "Requested operation is not valid: another migration job is already running for domain",
        FaultKind::Refused => "Requested operation is not valid: domain is not running",
        FaultKind::UnsafeStorage => "Unsafe migration: Migration without shared storage is unsafe",
        FaultKind::Incompatible => "the CPU is incompatible with host CPU",
        FaultKind::Storage => "Cannot access storage file: No such file or directory",
        FaultKind::Network => "internal error: client socket is closed",
        FaultKind::HypervisorDied => "internal error: qemu unexpectedly closed the monitor",
        FaultKind::Unsupported => "this function is not supported by the connection driver",
        FaultKind::Other => "An error occurred, but the cause is unknown",
    }
}

/// A host that wants a login, and is offered none.
pub(crate) const NOBODY_IN: &str =
    "authentication failed: Failed to collect auth credentials; the host lets nobody in without a login";

/// A switch to post-copy that the migration was not begun with.
pub(crate) const NO_POST_COPY: &str = "Requested operation is not valid: switching to post-copy requires migration to be \
                                       started with VIR_MIGRATE_POSTCOPY flag";

/// One that comes before QEMU's own migration, which carries the memory.
pub(crate) const TOO_EARLY: &str = "internal error: unable to execute QEMU command 'migrate-start-postcopy': Postcopy \
                                    must be started after migration has been started";

/// A modifying call behind the job of a migration.
pub(crate) const LOCKED: &str = "Timed out during operation: cannot acquire state change lock \
                                 (held by monitor=remoteDispatchDomainMigratePerform3Params)";
