//! What the author of a policy needs: the facts, a way to say a finding, the macro that exports the policy, and made-up
//! hosts for native tests.
//!
//! A policy is a type that implements [`Precheck`], [`Recovery`] or [`Convergence`], or, with the feature
//! `transform`, `Transform`. Built for `wasm32-unknown-unknown` it becomes a
//! `.wasm` whose only imports are `waypost:*`; built natively it is an ordinary library whose facts are plain values
//! that a test fills in (`waypost_plugin::testing`).
//!
//! ```
//! use waypost_plugin::{DomainFacts, Finding, HostFacts, Precheck, Request, export_precheck};
//!
//! struct Architecture;
//!
//! impl Precheck for Architecture {
//!     fn check(_: &Request, domain: &DomainFacts, _: &HostFacts, destination: &HostFacts) -> Vec<Finding> {
//!         if destination.runs(domain.architecture(), domain.virt_type()) {
//!             return vec![];
//!         }
//!         vec![
//!             Finding::blocker("architecture-not-run", format!("{} can't run it.", destination.name()))
//!                 .with("domain", domain.architecture())
//!                 .remedy("Choose a destination of the domain's architecture."),
//!         ]
//!     }
//! }
//!
//! export_precheck!(Architecture);
//! # fn main() {}
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

#[cfg(all(target_family = "wasm", feature = "throw-away-memory"))]
mod allocator;
mod bindings;
mod convergence;
mod environment;
mod export;
mod facts;
mod finding;
pub mod granted;
mod policy;
pub mod recovery;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod text;
#[cfg(feature = "transform")]
mod transform;

pub use bindings::convergence::exports::waypost::convergence::steer::{
    Answer as SteeringAnswer, Bounds, Opening, OpeningQuestion, Prediction, Sample, Steered, SteeringQuestion, Transfer,
};
pub use bindings::precheck::exports::waypost::precheck::check::Request;
pub use bindings::precheck::waypost::facts::types;
pub use bindings::recovery::exports::waypost::recovery::recover::{
    Answer, Change, Deed, Figures, Observed, Question, Side,
};
#[cfg(feature = "transform")]
pub use bindings::transform::exports::waypost::transform::rewrite::{
    Change as EditChange, Edit, Request as TransformRequest,
};
pub use environment::{Level, log, settings};
pub use facts::{DomainFacts, HostFacts};
#[cfg(not(target_family = "wasm"))]
pub use facts::{GuestKind, StorageProof};
#[cfg(feature = "transform")]
pub use policy::Transform;
pub use policy::{Convergence, Precheck, Recovery, Travel, no_settings};
pub use recovery::answer;
pub use types::{DomainState, Finding, Severity};

/// What the export macros expand to. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "transform")]
    pub use crate::bindings::transform;
    pub use crate::bindings::{convergence, precheck, recovery};
    #[cfg(all(target_family = "wasm", feature = "transform"))]
    pub use crate::export::edits;
    #[cfg(target_family = "wasm")]
    pub use crate::export::{decide, findings, on_panic, open, steer};
}
