//! Waypost as a library: moves domains between libvirt hosts, judged by WebAssembly policies.
//!
//! ```no_run
//! use waypost::{Config, Question, Targets, Waypost};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let waypost = Waypost::open(&Config::find(None)?)?;
//! let question = Question {
//!     domain: waypost::DomainKey::parse("web1"),
//!     source: None,
//!     targets: Targets::All,
//!     options: waypost::Options::default(),
//!     requester: "example".to_owned(),
//! };
//! for verdict in waypost.engine().check(&question).await?.verdicts {
//!     println!("{}: {}", verdict.destination, verdict.decision());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! In reading order: [`config`] is what a site says, [`wiring`] puts the parts together and is the only place that names
//! them all, [`Waypost`] holds them, and [`Waypost::serve`] makes a [`service`] of them. What they speak is the core's ([`core`]) and the engine's; what programs outside
//! read is [`api`]'s.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

pub mod amounts;
pub mod choices;
pub mod config;
mod facade;
mod reload;
pub mod state;
pub mod wiring;

pub use config::{Config, ConfigError};
pub use facade::Waypost;
pub use reload::{ReloadError, Reloaded};
pub use wiring::{OpenError, Pace, World};

pub use waypost_api as api;
pub use waypost_core as core;
pub use waypost_core::ids::{DomainId, DomainKey, HostName, PluginName, TaskId};
pub use waypost_core::outcome::{Outcome, OutcomeKind};
pub use waypost_core::request::{MigrationRequest, Options};
pub use waypost_core::verdict::{Decision, Verdict};
pub use waypost_engine::remedy;
pub use waypost_engine::{
    Acted, Adopted, CancelHandle, CheckReport, Driver, Engine, EngineError, Looked, Observer, Question, Seen, Settings,
    Targets, View,
};
pub use waypost_service as service;
