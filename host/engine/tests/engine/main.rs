//! The engine against simulated hosts in virtual time: straight courses, a fault at every step, the controller killed at
//! every record, and in every case the same questions: did two copies run, was the only one destroyed, was the truth
//! told, was every effect written down before it happened?
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

mod aborted;
mod between;
mod cancelled;
mod clock;
mod copies;
mod early;
mod encrypted;
mod faults;
mod foretold;
mod killed;
mod late;
mod networks;
mod others;
mod post_copy;
mod probed;
mod queued;
mod readiness;
mod recovery;
mod shared;
mod silent;
mod steered;
mod storms;
mod straight;
mod throttled;
mod transformed;
mod undone;
mod ways;
mod witnesses;
mod written;
