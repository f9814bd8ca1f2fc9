//! Loads and asks policies: WebAssembly components in a sandbox.
//!
//! A policy is a `.wasm` in a plugin folder. [`PolicyRuntime`] loads what is there, follows changes, and answers the
//! engine through [`waypost_core::ports::Policies`]: each call in a fresh instance, over one immutable snapshot, within
//! bounds. Whatever goes wrong with a policy becomes the safe answer of its hook: a blocker, or a person.
//!
//! Reading order: what a site says ([`mod@config`]), where the code runs (`engine`), one call (`call`, with the facts it
//! sees in `view` and the functions it may use in `inventory`), the border to wit/ (`bindings`, `convert`), one policy
//! (`artifact`, `bounds`, `stated`, `cache`, `plugin`), all of them (`entry`, `folders`, `digests`, `registry`, `aside`,
//! `rehearse`, `watch`), how they are asked (`policies`,
//! `transform`, `chosen`, `runtime`), and what that came to (`tally`).
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod config;

mod engine;

mod call;
mod inventory;
mod probe;
mod reads;
mod text;
mod view;

mod bindings;
mod convert;
mod failure;

mod artifact;
mod bounds;
mod cache;
mod inspect;
mod plugin;
mod stated;

mod aside;
mod digests;
mod entry;
mod folders;
mod registry;
mod rehearse;
mod watch;

mod chosen;
mod policies;
mod runtime;
mod tally;
mod transform;

pub use artifact::{FILE_BYTES, Hook, ImportStanding, Kind, LoadError, Refused, import_standing};
pub use cache::CacheError;
pub use config::{CONVERGENCE, Grant, Limits, Places, PluginConfig, PolicyConfig, Presence, RECOVERY, Watch};
pub use convert::{
    CODE_BYTES, DELAY_MS, EDITS, EVIDENCE_ENTRIES, EVIDENCE_NAME_BYTES, EVIDENCE_VALUE_BYTES, FINDINGS, MESSAGE_BYTES,
};
pub use engine::{Allocation, EngineError, SLOT_MEMORY_BYTES};
pub use failure::{Failure, FailureKind};
pub use inspect::{Inspection, Section, inspect};
pub use plugin::Origin;
pub use policies::{HOST, OLDER_VERSION};
pub use registry::Listener;
pub use rehearse::{COMPILE_TIME, Unusable};
pub use runtime::{AskedPolicy, CacheState, LoadedStatus, PluginState, PluginStatus, PolicyRuntime};
pub use tally::Calls;
