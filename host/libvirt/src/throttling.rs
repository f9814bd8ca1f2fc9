//! Changes how far auto-converge slows the guest of a running migration down.
//!
//! libvirt sets auto-converge's parameters before a migration, and has no call for one that runs. QEMU reads them anew at each step of
//! it: every time that it counted what the guest dirtied and found too much of it, it goes on by the increment, and never beyond the
//! maximum - nor stays above one that was set since. (The first step is `cpu-throttle-initial` alone.) So with the largest increment
//! the next step leads to the maximum from above and from below, and one number says it all: how far the guest is slowed down.
//!
//! After a migration that failed libvirt writes the increment back that it found, and not the maximum, which it doesn't know: that is
//! taken away by [`free`]. It writes the first step back in one command with all other parameters, and QEMU refuses all of them where
//! one doesn't fit; therefore no maximum below the usual first step is ever ordered
//! ([`LEAST_THROTTLE_PERCENT`](waypost_core::convergence::LEAST_THROTTLE_PERCENT)).

use serde_json::{Value, json};
use virt::domain::Domain;
use waypost_core::convergence::MOST_THROTTLE_PERCENT;

use crate::error::Failure;
use crate::monitor::ask;

/// QEMU's largest increment, percent.
const AT_ONCE: u64 = 99;

/// Has the guest slowed down so far from the next step on.
pub(crate) fn set(domain: &Domain, percent: u64) -> Result<(), Failure> {
    ask(domain, &slowing(percent)).map(drop)
}

/// Takes the maximum away.
pub(crate) fn free(domain: &Domain) -> Result<(), Failure> {
    ask(domain, &freeing()).map(drop)
}

/// The same by virsh.
pub(crate) fn free_by_hand(domain: &str) -> String {
    format!("virsh qemu-monitor-command {domain} '{}'", freeing())
}

fn slowing(percent: u64) -> Value {
    let parameters = json!({"max-cpu-throttle": percent, "cpu-throttle-increment": AT_ONCE});
    json!({"execute": "migrate-set-parameters", "arguments": parameters})
}

fn freeing() -> Value {
    json!({"execute": "migrate-set-parameters", "arguments": {"max-cpu-throttle": MOST_THROTTLE_PERCENT}})
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is not named stays as libvirt has set it.
    #[test]
    fn a_command_names_what_it_changes_and_nothing_else() {
        let named = |command: Value| {
            assert_eq!(command["execute"], "migrate-set-parameters");
            command["arguments"].clone()
        };
        assert_eq!(named(slowing(40)), json!({"max-cpu-throttle": 40, "cpu-throttle-increment": 99}));
        assert_eq!(named(freeing()), json!({"max-cpu-throttle": 99}), "libvirt puts the increment back itself");
    }
}
