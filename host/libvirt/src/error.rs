//! What goes wrong with a host, and the one place where libvirt's numbers and words become the core's kinds.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use virt_sys as sys;
use waypost_core::ids::HostName;
use waypost_core::ports::{Fault, FaultKind};

/// libvirt's own error: its number, the part of libvirt that it comes from, and its words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Failure {
    /// libvirt's error number (`virErrorNumber`).
    pub code: u32,
    /// The part of libvirt (`virErrorDomain`).
    pub domain: u32,
    /// libvirt's words.
    pub message: String,
}

/// ssh's words where the key that a host shows isn't the one that is known, or none is known.
pub(crate) const HOST_KEY: &str = "Host key verification failed";
/// ssh's words where a host lets nobody in with what was offered.
pub(crate) const NO_LOGIN: &str = "Permission denied (";
/// libvirt's words where a host ends a TLS connection after the handshake, without a word of its own: it wants another
/// client certificate.
pub(crate) const NO_CONFIRMATION: &str = "Unable to read TLS confirmation";

/// libvirt's words for a domain that another migration has.
const ANOTHER_MIGRATION: &str = "another migration job is already running";

impl From<virt::error::Error> for Failure {
    fn from(error: virt::error::Error) -> Self {
        Self { code: error.code().to_raw(), domain: error.domain().to_raw(), message: error.message().to_owned() }
    }
}

impl Failure {
    /// A call failed and libvirt has nothing to say about it.
    pub(crate) fn unknown() -> Self {
        Self {
            code: sys::VIR_ERR_INTERNAL_ERROR,
            domain: sys::VIR_FROM_NONE,
            message: "libvirt reported a failure without a reason".to_owned(),
        }
    }
    /// Text that can't be handed to libvirt.
    pub(crate) fn nul(text: &str) -> Self {
        Self {
            code: sys::VIR_ERR_INVALID_ARG,
            domain: sys::VIR_FROM_NONE,
            message: format!("{text:?} holds a NUL byte"),
        }
    }
    /// Waypost's own refusal of an order, in libvirt's terms.
    pub(crate) fn refused(message: String) -> Self {
        Self { code: sys::VIR_ERR_OPERATION_INVALID, domain: sys::VIR_FROM_NONE, message }
    }
    /// A document that isn't what libvirt's schema promises.
    pub(crate) fn document(what: &str, why: &str) -> Self {
        Self {
            code: sys::VIR_ERR_XML_ERROR,
            domain: sys::VIR_FROM_NONE,
            message: format!("libvirt's {what} can't be read: {why}"),
        }
    }

    /// An error of which only the words are left.
    pub(crate) fn of_words(words: &str) -> Self {
        let code = match words.contains("canceled by client") {
            true => sys::VIR_ERR_OPERATION_ABORTED,
            false => sys::VIR_ERR_OPERATION_FAILED,
        };
        Self { code, domain: sys::VIR_FROM_NONE, message: words.to_owned() }
    }

    /// No such domain.
    pub fn is_no_domain(&self) -> bool {
        self.code == sys::VIR_ERR_NO_DOMAIN
    }
    /// Whoever asked isn't let in.
    pub(crate) fn is_refused_login(&self) -> bool {
        matches!(self.code, sys::VIR_ERR_AUTH_FAILED | sys::VIR_ERR_AUTH_CANCELLED | sys::VIR_ERR_AUTH_UNAVAILABLE)
    }
    /// It waited for a job to end, and in vain.
    pub(crate) fn is_behind_a_job(&self) -> bool {
        self.code == sys::VIR_ERR_OPERATION_TIMEOUT
    }
    /// The driver has no such call, for any domain in any state.
    pub(crate) fn is_no_support(&self) -> bool {
        self.code == sys::VIR_ERR_NO_SUPPORT
    }
    /// The driver or the daemon has no such call, or not for this domain.
    pub fn is_unsupported(&self) -> bool {
        matches!(
            self.code,
            sys::VIR_ERR_NO_SUPPORT
                | sys::VIR_ERR_OPERATION_UNSUPPORTED
                | sys::VIR_ERR_ARGUMENT_UNSUPPORTED
                | sys::VIR_ERR_CALL_FAILED
        )
    }
    /// A call looked like a failure, and libvirt knows of none.
    pub(crate) fn has_no_reason(&self) -> bool {
        self.domain == sys::VIR_FROM_NONE && self.code == sys::VIR_ERR_INTERNAL_ERROR
    }
    /// What was listed a moment ago is no more.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(
            self.code,
            sys::VIR_ERR_NO_DOMAIN
                | sys::VIR_ERR_NO_STORAGE_POOL
                | sys::VIR_ERR_NO_STORAGE_VOL
                | sys::VIR_ERR_NO_NETWORK
                | sys::VIR_ERR_NO_INTERFACE
                | sys::VIR_ERR_NO_NODE_DEVICE
        )
    }
    /// No metadata in that namespace.
    pub(crate) fn is_no_metadata(&self) -> bool {
        self.code == sys::VIR_ERR_NO_DOMAIN_METADATA
    }
    /// The same, once it was seen to be another migration that is in the way.
    pub(crate) fn behind_another_migration(self) -> Self {
        Self { message: format!("{} ({ANOTHER_MIGRATION})", self.message), ..self }
    }
    /// Not possible in the present state.
    pub fn is_invalid_operation(&self) -> bool {
        self.code == sys::VIR_ERR_OPERATION_INVALID
    }

    /// The core's kind. The number decides where it is telling; where libvirt uses one number for many things (an
    /// "internal error", a "system error"), its part and its words do.
    pub fn kind(&self) -> FaultKind {
        let says = |words: &[&str]| words.iter().any(|word| self.message.contains(word));
        match self.code {
            sys::VIR_ERR_NO_DOMAIN => FaultKind::NoDomain,
            sys::VIR_ERR_OPERATION_ABORTED => FaultKind::Aborted,
            sys::VIR_ERR_MIGRATE_UNSAFE => FaultKind::UnsafeStorage,
            sys::VIR_ERR_CPU_INCOMPATIBLE | sys::VIR_ERR_CONFIG_UNSUPPORTED => FaultKind::Incompatible,
            sys::VIR_ERR_AUTH_FAILED
            | sys::VIR_ERR_AUTH_CANCELLED
            | sys::VIR_ERR_AUTH_UNAVAILABLE
            | sys::VIR_ERR_ACCESS_DENIED
            | sys::VIR_ERR_OPERATION_DENIED => FaultKind::Authentication,
            sys::VIR_ERR_OPERATION_TIMEOUT | sys::VIR_ERR_RESOURCE_BUSY => FaultKind::Busy,
            sys::VIR_ERR_NO_STORAGE_POOL
            | sys::VIR_ERR_NO_STORAGE_VOL
            | sys::VIR_ERR_STORAGE_VOL_EXIST
            | sys::VIR_ERR_STORAGE_POOL_BUILT
            | sys::VIR_ERR_STORAGE_PROBE_FAILED => FaultKind::Storage,
            _ if self.is_unsupported() => FaultKind::Unsupported,
            _ if says(&[ANOTHER_MIGRATION]) => FaultKind::Migrating,
            _ if says(&["cannot acquire state change lock"]) => FaultKind::Busy,
            _ if says(&[HOST_KEY, NO_LOGIN, NO_CONFIRMATION, "certificate", "Certificate"]) => {
                FaultKind::Authentication
            }
            _ if self.domain == sys::VIR_FROM_RPC => FaultKind::Unreachable,
            _ if self.domain == sys::VIR_FROM_STORAGE
                || says(&[
                    "Cannot access storage file",
                    "Source and target image have different sizes",
                    "Failed to get \"write\" lock",
                    "migration of disk",
                    "Block node is read-only",
                    "No space left on device",
                ]) =>
            {
                FaultKind::Storage
            }
            // Before the words below: of a domain that never ran libvirt says, too, that it isn't running.
            sys::VIR_ERR_OPERATION_INVALID => FaultKind::Refused,
            // Its process ended, too, because of it.
            _ if says(&["failed to initialize kvm", "is incompatible with host CPU", "guest CPU doesn't match"]) => {
                FaultKind::Incompatible
            }
            _ if says(&["unexpectedly closed the monitor", "domain is not running", "domain is no longer running"]) => {
                FaultKind::HypervisorDied
            }
            _ if says(&[
                "unable to connect to server",
                "No route to host",
                "Connection refused",
                "Connection timed out",
                "Connection reset by peer",
                "Network is unreachable",
                "Unable to resolve address",
                "address resolution failed",
                "Failed to find an available port",
                "Lost connection to destination host",
                "TLS channel",
                "Channel error",
                "Unable to write to socket",
                "Unable to read from socket",
            ]) =>
            {
                FaultKind::Network
            }
            _ if says(&["does not match source", "unsupported machine", "unsupported configuration"]) => {
                FaultKind::Incompatible
            }
            _ => FaultKind::Other,
        }
    }
}

/// Where a host's driver lacks a call, there is nothing to tell.
pub(crate) fn supported<T, E: Into<Failure>>(result: Result<T, E>) -> Result<Option<T>, Failure> {
    match result.map_err(Into::into) {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.is_unsupported() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Something that was listed and then read: none if it vanished in between.
pub(crate) fn existing<T, E: Into<Failure>>(result: Result<T, E>) -> Result<Option<T>, Failure> {
    match result.map_err(Into::into) {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.is_gone() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// A host's error: what was attempted, on which host, and why it failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{attempted} on {host}")]
pub struct Error {
    /// Host.
    pub host: HostName,
    /// What was attempted, as `open a connection`.
    pub attempted: String,
    /// Why it failed.
    #[source]
    pub cause: Cause,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Cause {
    /// libvirt says so.
    #[error(transparent)]
    Libvirt(#[from] Failure),
    /// libvirt says so while a connection is opened, and the configuration tells what its words leave out.
    #[error("{failure}; {hint}")]
    Opening {
        /// libvirt's error.
        failure: Failure,
        /// What it is about, and what to do.
        hint: String,
    },
    /// No answer in time.
    #[error("no answer within {} s; whether it had an effect is not known", .0.as_secs_f64())]
    Deadline(Duration),
    /// No such host in the configuration.
    #[error("no such host in the configuration")]
    UnknownHost,
    /// The URI isn't one, or not one that can be used here.
    #[error("can't use the URI {uri}: {why}")]
    Uri {
        /// The URI, without secrets.
        uri: String,
        /// Why.
        why: &'static str,
    },
    /// A login can't be used over the URI.
    #[error("nobody can be let in over {uri} by name and password: {why}")]
    Login {
        /// The URI, without secrets.
        uri: String,
        /// Why.
        why: &'static str,
    },
    /// The URI asks for trust without a look.
    #[error(
        "the host's {place} says {parameter}, which takes any host key or certificate for the right one: remove it and install the \
         real key, or allow it for this host by `accept_unverified = true`"
    )]
    Unverified {
        /// Which of the host's URIs.
        place: &'static str,
        /// The parameter.
        parameter: String,
    },
    /// The credentials can't be read.
    #[error("can't use the credentials in {}: {why}", path.display())]
    AuthFile {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// A defect of this program.
    #[error("the call ended without an answer, which is a defect of Waypost")]
    Defect,
}

impl Cause {
    /// libvirt's own error, if it is one.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Libvirt(failure) | Self::Opening { failure, .. } => Some(failure),
            _ => None,
        }
    }
    fn kind(&self) -> FaultKind {
        match self {
            Self::Libvirt(failure) | Self::Opening { failure, .. } => failure.kind(),
            Self::Deadline(_) => FaultKind::Deadline,
            Self::UnknownHost => FaultKind::NoHost,
            Self::Uri { .. } => FaultKind::Unreachable,
            Self::Login { .. } | Self::Unverified { .. } | Self::AuthFile { .. } => FaultKind::Authentication,
            Self::Defect => FaultKind::Other,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let failure = error.cause.failure();
        Self {
            kind: error.cause.kind(),
            code: failure.map(|failure| failure.code),
            domain: failure.map(|failure| failure.domain),
            message: error.cause.to_string(),
            host: error.host,
            attempted: error.attempted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: u32, domain: u32, message: &str) -> FaultKind {
        Failure { code, domain, message: message.to_owned() }.kind()
    }

    #[test]
    fn another_migration_is_known_in_any_language_once_it_was_seen() {
        let words = "Angeforderte Operation ist nicht zulaessig".to_owned();
        let said = Failure { code: sys::VIR_ERR_OPERATION_INVALID, domain: sys::VIR_FROM_QEMU, message: words.clone() };
        assert_eq!(said.kind(), FaultKind::Refused);
        let seen = said.behind_another_migration();
        assert_eq!(seen.kind(), FaultKind::Migrating);
        assert!(seen.message.starts_with(&words), "what the host said stays: {seen}");
    }

    #[test]
    fn libvirts_words_are_sorted_into_kinds() {
        use FaultKind as K;
        let internal = sys::VIR_ERR_INTERNAL_ERROR;
        let system = sys::VIR_ERR_SYSTEM_ERROR;
        let invalid = sys::VIR_ERR_OPERATION_INVALID;
        let cases = [
            (internal, sys::VIR_FROM_RPC, "client socket is closed", K::Unreachable),
            (
                system,
                sys::VIR_FROM_RPC,
                "unable to connect to server at '10.77.0.2:16509': Connection refused",
                K::Unreachable,
            ),
            (
                system,
                sys::VIR_FROM_RPC,
                "Cannot recv data: Host key verification failed.: Connection reset by peer",
                K::Authentication,
            ),
            (system, sys::VIR_FROM_RPC, "Unable to read TLS confirmation: Input/output error", K::Authentication),
            (internal, sys::VIR_FROM_QEMU, "qemu unexpectedly closed the monitor: ...", K::HypervisorDied),
            (
                sys::VIR_ERR_OPERATION_FAILED,
                sys::VIR_FROM_QEMU,
                "operation failed: domain is not running",
                K::HypervisorDied,
            ),
            (internal, sys::VIR_FROM_QEMU, "unable to execute QEMU command: No route to host", K::Network),
            (
                system,
                sys::VIR_FROM_QEMU,
                "Cannot access storage file '/mnt/a.img': No such file or directory",
                K::Storage,
            ),
            (invalid, sys::VIR_FROM_QEMU, "another migration job is already running for domain 'g1'", K::Migrating),
            (invalid, sys::VIR_FROM_QEMU, "domain is not running", K::Refused),
            (invalid, sys::VIR_FROM_QEMU, "domain has 1 snapshots", K::Refused),
            (sys::VIR_ERR_OPERATION_TIMEOUT, sys::VIR_FROM_QEMU, "cannot acquire state change lock", K::Busy),
            (internal, sys::VIR_FROM_QEMU, "anything else", K::Other),
        ];
        for (code, domain, message, expected) in cases {
            assert_eq!(kind(code, domain, message), expected, "{message}");
        }
    }

    /// The texts that libvirt 9.0 and QEMU 7.2 were seen to give, where nothing but the text is left.
    #[test]
    fn words_alone_are_sorted_into_the_same_kinds() {
        use FaultKind as K;
        for (words, expected) in [
            ("operation aborted: job 'migration out' canceled by client", K::Aborted),
            ("internal error: qemu unexpectedly closed the monitor", K::HypervisorDied),
            ("operation failed: domain is not running", K::HypervisorDied),
            (
                "internal error: qemu unexpectedly closed the monitor: ... Cannot read from TLS channel: Input/output error",
                K::HypervisorDied,
            ),
            (
                "internal error: process exited while connecting to monitor: failed to initialize kvm: No such device",
                K::Incompatible,
            ),
            ("unable to connect to server at '10.88.0.2:49152': No route to host", K::Network),
            ("job 'migration out' failed: Unable to write to socket: Broken pipe", K::Network),
            ("operation failed: migration out job: unexpectedly failed: Channel error: Input/output error", K::Network),
            ("migrate-incoming: Failed to find an available port: Address already in use", K::Network),
            (
                "operation failed: migration of disk vda failed: Source and target image have different sizes",
                K::Storage,
            ),
            ("Cannot access storage file '/mnt/g1.img': No such file or directory", K::Storage),
            ("internal error: unable to execute QEMU command 'block-export-add': Block node is read-only", K::Storage),
            ("operation failed: migration of disk vda failed: No space left on device", K::Storage),
            ("Target CPU model Haswell does not match source qemu64", K::Incompatible),
            (
                "the CPU is incompatible with host CPU: Host CPU does not provide required features: pcid",
                K::Incompatible,
            ),
            ("operation failed: guest CPU doesn't match specification: missing features: svm", K::Incompatible),
            ("another migration job is already running for domain 'g1'", K::Migrating),
            ("job 'migration in' failed in post-copy phase", K::Other),
        ] {
            assert_eq!(Failure::of_words(words).kind(), expected, "{words}");
        }
    }

    #[test]
    fn a_fault_keeps_libvirts_numbers_and_words() {
        let fault = Fault::from(Error {
            host: "kvm1".into(),
            attempted: "look up domain g1".into(),
            cause: Failure { code: 42, domain: 10, message: "Domain not found".into() }.into(),
        });
        assert_eq!((fault.kind, fault.code, fault.domain), (FaultKind::NoDomain, Some(42), Some(10)));
        assert_eq!(fault.to_string(), "look up domain g1 on kvm1: Domain not found");
    }
}
