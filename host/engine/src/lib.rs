//! The only code that moves a migration. It sees ports - a hypervisor, policies, a store, a clock - and never what
//! stands behind them.
//!
//! [`Engine`] answers three questions: what do the rules say ([`Engine::check`]), what would be done
//! ([`CheckReport::plan`]), and do it ([`Engine::accept`], [`Engine::adopt`]). A task is driven by a [`Driver`]: each
//! phase is a type that consumes the one before ([`task`]), every record is written before its effect ([`recorder`]),
//! and whoever wants to see it reads a [`View`].
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod carried;
mod check;
mod courses;
mod engine;
mod error;
mod gather;
mod line;
mod observer;
mod planning;
mod probe;
mod readiness;
mod recorder;
pub mod remedy;
mod rewriting;
mod settings;
mod steered;
pub mod task;
mod view;
mod way;

pub use check::{CheckReport, Question, Targets};
pub use engine::{Adopted, Engine, Looked};
pub use error::EngineError;
pub use observer::{Observer, Seen, Times};
pub use planning::Planned;
pub use probe::Probed;
pub use readiness::{Fleet, Pictured, Readiness, ReadinessRow, Unread};
pub use settings::{Measuring, Settings};
pub use steered::SWITCHES_SOON;
pub use task::{ABORT_TAKES, Acted, CancelHandle, Driver, Order};
pub use view::View;
