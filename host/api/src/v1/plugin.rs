//! Policies as the runtime sees them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
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
    /// SHA-256 of what is in force; where nothing is loaded, of its file.
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
    /// Whether it is asked at all: false where it was switched off, by the configuration or over the service.
    pub enabled: bool,
    /// Who said whether it is asked: `configuration`, `service`; null where nobody did.
    pub switched_by: Option<String>,
    /// Where its settings come from: `configuration`, `service`; null where nobody made any.
    pub settings_by: Option<String>,
    /// Whether its file was uploaded, so that it can be deleted over the service.
    pub uploaded: bool,
    /// Size of what is in force, bytes; where nothing is loaded, of its file.
    pub size: Option<u64>,
    /// The version that its file states.
    pub version: Option<String>,
    /// A JSON Schema of its settings, where its file states one.
    #[schema(value_type = Option<AnyObject>)]
    pub settings_schema: Option<Value>,
    /// What `If-Match` wants to hear; null where it can't be changed over the service.
    pub etag: Option<String>,
}

/// The settings of one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PluginSettings {
    /// Name of the policy.
    pub plugin: String,
    /// Those that are in force; null for whoever may not change policies, because they may hold secrets.
    #[schema(value_type = Option<AnyObject>)]
    pub settings: Option<Value>,
    /// The names of those that are in force.
    pub keys: Vec<String>,
    /// Where they come from: `configuration`, `service`; null where nobody made any.
    pub by: Option<String>,
    /// What the configuration says, which is in force where nothing was said over the service; null where it says nothing, and
    /// where `settings` is.
    #[schema(value_type = Option<AnyObject>)]
    pub configured: Option<Value>,
    /// A JSON Schema of them, where the policy's file states one.
    #[schema(value_type = Option<AnyObject>)]
    pub schema: Option<Value>,
}

impl PluginSettings {
    /// The same for whoever may not change policies: what there is, and nothing of what it says.
    #[must_use]
    pub fn without_values(self) -> Self {
        Self { settings: None, configured: None, ..self }
    }
}

/// An object with any keys: what a policy's settings are, or a JSON Schema. It has a name in the description, because generators of
/// clients make one up for an object without, and come upon the name of another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(value_type = Object)]
pub struct AnyObject(pub Value);

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
