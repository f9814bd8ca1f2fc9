//! What to do about an error, where the error itself doesn't say. By kind, in one place.

use waypost::EngineError;
use waypost::core::ports::{Fault, FaultKind};

/// Advice for an error's most telling part.
pub fn on(error: &anyhow::Error) -> Option<String> {
    if let Some(EngineError::NoDomain { .. }) = error.downcast_ref::<EngineError>() {
        return Some(
            "`waypost domains` lists the domains of all hosts, `waypost hosts` the hosts that don't answer".into(),
        );
    }
    let fault = match error.downcast_ref::<EngineError>() {
        Some(EngineError::Host(fault)) => Some(fault),
        _ => error.downcast_ref::<Fault>(),
    };
    fault.and_then(on_fault)
}

/// Advice for what a host failed at.
pub fn on_fault(fault: &Fault) -> Option<String> {
    let host = &fault.host;
    Some(match fault.kind {
        FaultKind::Unreachable => {
            format!("see that libvirt runs on {host} and that the uri of host {host} in the configuration is right")
        }
        FaultKind::Deadline => {
            format!("{host} is too slow or hangs: see its libvirt daemon, or raise [limits] in the configuration")
        }
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
