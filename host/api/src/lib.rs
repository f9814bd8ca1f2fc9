//! Wire shapes of what Waypost tells programs, versioned.
//!
//! [`v1`] is what `--json` prints: values made from the core's, never the core's own, so that an internal change can't
//! change what a program reads. Within `v1` fields and words may be added; none changes its meaning or goes.
//! [`json`] is the border between JSON text and the core's [`Tree`](waypost_core::tree::Tree), [`time`] between its
//! moments and RFC 3339.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

pub mod json;
pub mod time;
pub mod v1;
