//! Waypost as a library: moves domains between libvirt hosts, judged by WebAssembly policies.
//!
//! ```
//! use waypost::{Config, DomainKey, MigrationRequest, Pace, Question, Waypost};
//!
//! # let folder = tempfile::tempdir()?;
//! # let fleet = folder.path().join("fleet.toml");
//! # std::fs::write(&fleet, "host = [{ name = 'a' }, { name = 'b' }]\ndomain = [{ name = 'web1', host = 'a' }]")?;
//! # let (state_dir, cache_dir) = (folder.path().join("state"), folder.path().join("cache"));
//! # let plugin_folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/plugins")];
//! # let config = Config { state_dir, cache_dir, plugin_folders, ..Config::default() };
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
//! # runtime.block_on(async {
//! // Over real hosts the configuration is `Config::find(None)?`, and nothing is `simulated`.
//! let waypost = Waypost::builder().config(config).simulated(&fleet, Pace::Virtual).open()?;
//! let report = waypost.check(&Question::new(DomainKey::parse("web1"), "example")).await?;
//! for verdict in &report.verdicts {
//!     println!("{}: {}", verdict.destination, verdict.decision());
//! }
//! # assert_eq!(report.verdicts.len(), 1);
//! let request = MigrationRequest::new(DomainKey::parse("web1"), "b", "example");
//! let outcome = waypost.migrate(request, |view| println!("{} {}", view.phase, view.note)).await?;
//! println!("{}: {}", outcome.kind, outcome.summary);
//! # assert_eq!(outcome.kind, waypost::OutcomeKind::Completed);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! A program may have several of them: nothing is global but libvirt's one event loop per process. They use the runtime that they
//! are opened in and make none. Every future may be dropped: a check that is dropped has touched nothing (but for the probe
//! volume of a policy that was granted one, which it makes and removes all the same), and a driver that is
//! dropped leaves its task to whoever [adopts](Engine::adopt) it; its transfer goes on in the hosts. Each error is an enum that
//! says what was attempted, with what, and why not; [`remedy`] has what to do.
//!
//! In reading order: [`config`] is what a site says, [`wiring`] puts the parts together and is the only place that names
//! them all, [`Waypost`] holds them, and [`Waypost::serve`] makes a [`service`] of them. What they speak is the core's ([`core`]) and the engine's; what programs outside
//! read is [`api`]'s.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

pub mod amounts;
mod builder;
mod changes;
pub mod choices;
pub mod config;
mod facade;
pub mod overlay;
mod reload;
pub mod state;
pub mod wiring;

pub use builder::Builder;
pub use config::{Config, ConfigError};
pub use facade::Waypost;
pub use reload::{Held, Needed, ReloadError, Reloaded};
pub use wiring::{OpenError, Pace, World};

pub use waypost_api as api;
pub use waypost_core as core;
pub use waypost_core::ids::{DomainId, DomainKey, HostName, PluginName, TaskId};
pub use waypost_core::outcome::{Outcome, OutcomeKind};
pub use waypost_core::request::{MigrationRequest, Options};
pub use waypost_core::verdict::{Decision, Verdict};
pub use waypost_engine::remedy;
pub use waypost_engine::{
    ABORT_TAKES, Acted, Adopted, CancelHandle, CheckReport, Driver, Engine, EngineError, Fleet, Looked, Observer,
    Order, Pictured, Question, Readiness, ReadinessRow, Seen, Settings, Targets, Times, Unread, View,
};
pub use waypost_service as service;
