//! Real hosts: the hypervisor port over libvirt.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod config;
mod control;
mod error;
mod event_loop;
mod facts;
mod link;
#[allow(unsafe_code, reason = "the one audited module over libvirt's C interface")]
mod raw;
mod uri;

pub use config::{HostConfig, Limits, Unverified};
pub use error::{Cause, Error, Failure};
