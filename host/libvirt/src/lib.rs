//! Real hosts: the hypervisor port over libvirt.
//!
//! Reading order: what the configuration says of a host ([`HostConfig`]); how a connection is opened (`uri`,
//! `event_loop`), with a login that somebody gave for it (`login`), held (`link`) and replaced (`control`); what is asked (`read`, `orders`, `volumes`, `rewrite`, `transfer`, `events`) and how
//! the answers become facts (`facts`); what libvirt has no call for (`severing`, `throttling`, `forwarding` with its `logins`); and [`Libvirt`], which is all of it behind the port. `raw` is the only module with
//! `unsafe`.
//!
//! Two things hold everywhere. A call to libvirt is made on one of the connection's own threads, never on one of the
//! runtime's, and whoever waits for it turns away at a deadline. And no more than four calls are under way on one
//! connection.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod config;
mod control;
mod error;
mod event_loop;
mod events;
mod facts;
mod forwarding;
mod hypervisor;
mod link;
mod login;
mod logins;
mod monitor;
mod notice;
mod orders;
#[allow(unsafe_code, reason = "the one audited module over libvirt's C interface")]
mod raw;
mod read;
mod rewrite;
mod severing;
mod throttling;
mod transfer;
mod uri;
mod volumes;

pub use config::{HostConfig, Limits, Unverified};
pub use error::{Cause, Error, Failure};
pub use forwarding::WayProbe;
pub use hypervisor::Libvirt;
