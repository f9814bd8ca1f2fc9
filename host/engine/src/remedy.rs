//! What to do about an error, where the error itself doesn't say. By kind, in one place for whoever shows errors.

use waypost_core::ports::{Fault, FaultKind};

use crate::error::EngineError;

impl EngineError {
    /// What to do about it; none where its own words say so, or nobody can know.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::NoDomain { .. } => Some(
                "`waypost domains` lists the domains of all hosts, `waypost hosts` the hosts that don't answer".into(),
            ),
            Self::Host(fault) => of(fault),
            _ => None,
        }
    }
}

/// What to do about what a host failed at.
pub fn of(fault: &Fault) -> Option<String> {
    let host = &fault.host;
    Some(match fault.kind {
        FaultKind::Unreachable => {
            format!("see that libvirt runs on {host} and that the uri of host {host} in the configuration is right")
        }
        FaultKind::Deadline => {
            format!("{host} is too slow or hangs: see its libvirt daemon, or raise [limits] in the configuration")
        }
        // Some words of a host's own configuration say it better.
        FaultKind::Authentication if fault.message.contains("accept_unverified") => return None,
        FaultKind::Authentication => {
            format!(
                "see the credentials, certificates or host key for {host}: auth_file, ~/.ssh/known_hosts, or libvirt's pki folder"
            )
        }
        FaultKind::NoDomain => "`waypost domains` lists the domains of all hosts".into(),
        FaultKind::Busy => {
            "another job holds the domain: wait until it is over, or end it with virsh domjobabort".into()
        }
        _ => return None,
    })
}
