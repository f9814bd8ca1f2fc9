//! Policies as the runtime sees them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All policies that were found or are configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Plugins {
    /// By name.
    pub plugins: Vec<Plugin>,
    /// Folders that were looked into, the last one winning.
    pub folders: Vec<String>,
    /// Why compiled policies can't be kept; null where they are.
    pub cache_error: Option<String>,
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Plugin {
    /// Name: the file's without the ending.
    pub name: String,
    /// File; null where only the configuration names it.
    pub file: Option<String>,
    /// SHA-256 of what is in force.
    pub digest: Option<String>,
    /// `precheck`, `recovery`, `convergence`.
    pub hooks: Vec<String>,
    /// Imported interfaces.
    pub imports: Vec<String>,
    /// `component` or `core module`.
    pub built_as: Option<String>,
    /// `ready`, `last-good` (a newer file is broken), `broken`, `settings-refused`, `missing`, `ignored`.
    pub state: String,
    /// Why it isn't ready.
    pub reason: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
    /// `enforce`, `advise`, `shadow`; null where nothing is configured, as for `plugin inspect`.
    pub mode: Option<String>,
    /// What the site granted it.
    pub grants: Vec<String>,
}

/// A folder with a policy to start from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PluginFolder {
    /// Where.
    pub dir: String,
    /// The policy's name.
    pub name: String,
    /// What it is asked for: `precheck`, `transform`, `recovery`, `convergence`.
    pub hook: String,
    /// What was written, below the folder.
    pub files: Vec<String>,
    /// What `cargo build --release --target wasm32-unknown-unknown` there makes of it, below the folder.
    pub builds: String,
}
