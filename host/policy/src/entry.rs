//! What is known of the policy of one name: its file, what of it is loaded, and what it says of its settings.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use waypost_core::ids::PluginName;

use crate::artifact::LoadError;
use crate::call::Caller;
use crate::config::{Grant, PluginConfig};
use crate::engine::Machine;
use crate::failure::{Failure, FailureKind};
use crate::folders::Stamp;
use crate::plugin::Plugin;

/// A name's file and what came of it.
#[derive(Clone)]
pub(crate) struct Entry {
    pub file: PathBuf,
    /// The file as it was read; none: read it again.
    pub seen: Option<Stamp>,
    /// Digest of what was read last, good or not.
    pub digest: Option<String>,
    pub plugin: Option<Arc<Plugin>>,
    pub trouble: Option<Arc<LoadError>>,
    /// What the plugin said of its settings, and of which.
    pub settings: Option<(String, Result<(), Failure>)>,
}

/// What can be asked under a name.
#[derive(Clone)]
pub(crate) enum Askable {
    /// It works.
    Ready(Arc<Plugin>),
    /// The file is newer than the policy and can't be used.
    LastGood(Arc<Plugin>, Arc<LoadError>),
    /// It is loaded and refuses its settings.
    Refusing(Arc<Plugin>, Failure),
    /// Nothing to ask.
    Broken(Arc<LoadError>),
    /// Not loaded because the configuration says so.
    Ignored,
}

impl Entry {
    /// Lets the next scan load the file although it is the same: what was in its way may be gone.
    pub fn try_again(&mut self) {
        self.seen = None;
        self.digest = None;
    }

    /// Links the policy for other grants.
    pub fn regrant(&mut self, machine: &Machine, grants: &BTreeSet<Grant>) {
        let Some(plugin) = &self.plugin else { return };
        match plugin.relink(machine, grants) {
            Ok(plugin) => self.plugin = Some(Arc::new(plugin)),
            Err(trouble) => {
                self.plugin = None;
                self.trouble = Some(Arc::new(trouble));
            }
        }
    }

    /// Asks about settings that the policy hasn't seen; says whether anything changed.
    pub fn check_settings(&mut self, machine: &Machine, name: &PluginName, config: &PluginConfig) -> bool {
        let Some(plugin) = &self.plugin else { return false };
        if self.settings.as_ref().is_some_and(|(asked, _)| *asked == config.settings) {
            return false;
        }
        self.settings = Some((config.settings.clone(), ask_settings(machine, name, plugin, config)));
        true
    }

    pub fn askable(&self) -> Askable {
        match (&self.plugin, &self.trouble, &self.settings) {
            (None, Some(trouble), _) => Askable::Broken(Arc::clone(trouble)),
            (None, None, _) => Askable::Broken(Arc::new(LoadError::Missing)),
            (Some(plugin), _, Some((_, Err(failure)))) => Askable::Refusing(Arc::clone(plugin), failure.clone()),
            (Some(plugin), Some(trouble), _) => Askable::LastGood(Arc::clone(plugin), Arc::clone(trouble)),
            (Some(plugin), None, _) => Askable::Ready(Arc::clone(plugin)),
        }
    }
}

/// Asks a policy about settings; text that isn't JSON never reaches it.
pub(crate) fn ask_settings(
    machine: &Machine,
    name: &PluginName,
    plugin: &Plugin,
    config: &PluginConfig,
) -> Result<(), Failure> {
    let settings: Arc<str> = config.settings.as_str().into();
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&settings) {
        return Err(Failure::new(FailureKind::SettingsRefused, format!("has settings that are no JSON: {error}")));
    }
    plugin.validate_settings(machine, &Caller { plugin: name, settings: &settings, limits: config.limits })
}
