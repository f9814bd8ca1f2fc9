//! What a migration *is*: values and pure functions. Nothing here reads a clock, a file or a socket, and nothing here
//! can wait; every other crate of the host depends on this one and none of them on each other.
//!
//! Reading order follows one migration: who ([`ids`]), what is known ([`facts`]), what is asked ([`request`]), what the
//! rules say ([`finding`], [`verdict`]), whose turn it is ([`queue`]), what is different there ([`edit`]), what will be done ([`plan`],
//! [`stream`], [`network`]), how it goes ([`sample`], [`phase`],
//! [`convergence`]), where the
//! domain is when something failed, why ([`evidence`]) and what may be done about it ([`situation`]), how it ended ([`outcome`]); and the
//! [`ports`] through which the engine reaches the world, with a password where it must be ([`login`]).
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

pub mod access;
pub mod admission;
pub mod causes;
pub mod convergence;
pub mod copies;
pub mod digest;
pub mod edit;
pub mod evidence;
pub mod facts;
pub mod feed;
pub mod finding;
pub mod ids;
pub mod journal;
pub mod load;
pub mod login;
pub mod network;
pub mod notice;
pub mod outcome;
pub mod phase;
pub mod plan;
pub mod ports;
pub mod queue;
pub mod recovery;
pub mod request;
pub mod sample;
pub mod secrecy;
pub mod situation;
pub mod stream;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod tree;
pub mod uri;
pub mod verdict;
