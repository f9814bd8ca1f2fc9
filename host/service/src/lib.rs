//! Waypost as a service: hosts, checks, tasks and events over HTTP, for dashboards and programs.
//!
//! [`Service`] holds the parts and nothing global, so that a program may have several; [`Service::router`] is an ordinary
//! axum router that another program mounts under a path of its own, behind its own authentication. Three things are at work
//! behind it: `desk` drives the tasks, and takes over those that nobody drives; `hub` reads what was written by whatever
//! process and renders it once for everybody who listens; `gate` is the one place that every request passes. The engine moves
//! domains and the store remembers; what is here only asks, drives and tells.
//!
//! In reading order: [`service`] the whole, `gate`, `caller`, `origins` and [`access`] who gets in and may do what, `routes` what may be asked,
//! `policies` what may be changed of those, `problem` what is said when it goes wrong, `pages` what a browser is shown, `metrics`
//! what is counted, `traces` what is sent to who follows requests, `readings` what those share who look at once, `desk` and `hub` what
//! goes on meanwhile, [`socket`] and [`port`] the ways in, `kimchi` the same for clients of another program's API; and [`client`] the
//! other end of it all.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

pub mod access;
mod caller;
pub mod client;
mod desk;
mod dial;
pub mod documents;
mod each;
mod gate;
mod hub;
mod input;
mod kimchi;
mod limits;
mod metrics;
mod openapi;
mod origins;
mod pages;
mod places;
mod policies;
pub mod port;
mod problem;
mod rate;
mod readings;
mod routes;
mod secret;
pub mod service;
pub mod socket;
mod traces;
mod trust;
mod wire;

pub use access::{Access, AccessError};
pub use caller::Caller;
pub use kimchi::{Kimchi, KnownHost};
pub use limits::Limits;
pub use openapi::openapi;
pub use policies::{Against, Condition, NotChanged, PluginChange, tag_of};
pub use problem::Code;
pub use service::{Parts, PluginCalls, Service, Site};
pub use traces::{Traces, TracesError};
