//! Simulated hosts: the hypervisor port in virtual time, with scripted faults.
//!
//! A [`World`] stands where libvirt stands and behaves as libvirt was measured to behave, traps included: a failed
//! migration sends no event to its source, an offline migration of a running domain succeeds and moves nothing, a modifying
//! call waits 30 seconds behind a migration's job. Time is tokio's: under a paused clock a migration of minutes takes
//! none, in an ordinary runtime it takes what it says. What happens depends on the fleet and the script alone.
//!
//! Reading order: the hosts and domains there are (`fleet`, `generate`), what shall go wrong (`script`), what is
//! true and what must never be (`oracle`), what changes (`state`, `storage`), one migration (`transfer`), what
//! is told of it all (`report`), who is let in (`login`), the port (`port`), and what ties them together (`world`).
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod cpu;
mod edit;
mod fleet;
mod generate;
mod login;
mod oracle;
mod port;
mod report;
mod script;
mod state;
mod storage;
mod transfer;
mod words;
mod world;

pub use fleet::{
    DiskSpec, DomainSpec, Fleet, FleetError, HostSpec, InterfaceSpec, LinkSpec, LoginSpec, NetworkSpec, PoolSpec, Power,
};
pub use generate::Generate;
pub use oracle::{Change, Truth, Violation};
pub use script::{Lasting, Scripted, Step, What, Who};
pub use world::{OtherHosts, World};

#[cfg(test)]
mod tests;
