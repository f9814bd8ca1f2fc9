//! The service against simulated hosts: in process and in virtual time, where every course can be played in a moment, and as
//! the real program on its real socket, where processes, files and signals are the point.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

mod acted;
mod adopted;
mod bombs;
mod described;
mod embedded;
mod events;
mod examples;
mod hosts;
mod issuer;
mod kept;
mod keys;
mod kimchi;
mod lasting;
mod managed;
mod many;
mod metrics;
mod noted;
mod origins;
mod pages;
mod past;
mod pictures;
mod plugins;
mod port;
mod problems;
mod program;
mod pulse;
mod rate;
mod reach;
mod reloaded;
mod remote;
mod roles;
mod routes;
mod tasks;
mod tokens;
mod top;
mod traces;
mod worn;
