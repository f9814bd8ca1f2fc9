//! Commands to the hypervisor's own monitor, for what no call of libvirt's does. libvirt lets them through to a domain that is being
//! migrated, and notes their use on it (`tainted: custom monitor control commands issued`) until its process ends. So each of them
//! has a setting that does without.

use serde_json::Value;
use virt::domain::Domain;

use crate::error::Failure;
use crate::raw;

/// Gives one command, and answers what came of it; an error where the hypervisor refuses it.
pub(crate) fn ask(domain: &Domain, command: &Value) -> Result<Value, Failure> {
    let answer = raw::monitor(domain, &command.to_string())?;
    let answer: Value = serde_json::from_str(&answer)
        .map_err(|error| Failure::refused(format!("the hypervisor's answer to {command} can't be read: {error}")))?;
    match answer["error"]["desc"].as_str() {
        Some(why) => Err(Failure::refused(format!("the hypervisor refuses {command}: {why}"))),
        None => Ok(answer),
    }
}
