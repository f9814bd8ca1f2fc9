//! The policies as a list: those that are in force, those that are broken, and those that are only named.

use waypost_api::v1::{Plugin, Plugins};
use waypost_core::ids::PluginName;
use waypost_policy::{CacheState, PluginConfig, PluginState, PluginStatus, PolicyRuntime, Presence};

use super::named;
use crate::config::Config;

/// All policies, as `plugin list` and the service show them.
pub fn plugins(config: &Config, policies: &PolicyRuntime) -> Plugins {
    let mut plugins: Vec<Plugin> = policies.list().iter().map(shape).collect();
    // A name that is configured and that no folder holds is most often a misspelt one.
    for (name, said) in &config.policies.plugins {
        if said.presence != Presence::Never && plugins.iter().all(|plugin| plugin.name != name.as_str()) {
            plugins.push(missing(name.as_str(), said));
        }
    }
    // The same of a name that is to be asked; every command that would ask it refuses to begin.
    for (name, error) in named::wrong(config, &policies.list()) {
        match plugins.iter_mut().find(|plugin| plugin.name == name.as_str()) {
            Some(plugin) => plugin.reason = Some(error.to_string()),
            None => plugins.push(Plugin {
                name: name.to_string(),
                state: "missing".to_owned(),
                reason: Some(error.to_string()),
                ..Plugin::default()
            }),
        }
    }
    let cache_error = match policies.cache_state() {
        CacheState::Refused(error) => Some(chain(error)),
        CacheState::Used | CacheState::None => None,
    };
    let folders = config.plugin_folders.iter().map(|folder| folder.display().to_string()).collect();
    Plugins { plugins, folders, cache_error }
}

/// What is configured and stands for nothing, one sentence each: a policy that no folder holds. One that is required is not
/// among them: it blocks, and says so itself.
pub fn unheld(config: &Config, policies: &PolicyRuntime) -> Vec<(PluginName, String)> {
    let there = policies.list();
    let known: Vec<&str> = there.iter().map(|status| status.name.as_str()).collect();
    let said = config.policies.plugins.iter().filter(|(_, said)| said.presence == Presence::Optional);
    said.filter(|(name, _)| !known.contains(&name.as_str()))
        .map(|(name, _)| {
            let meant = named::nearest(name.as_str(), &known).map(|name| format!("; did you mean {name:?}?"));
            let why = format!(
                "[plugin.{name}] is configured, and no plugin folder holds {name}.wasm: what it says has no effect{}",
                meant.unwrap_or_default()
            );
            (name.clone(), why)
        })
        .collect()
}

fn missing(name: &str, said: &PluginConfig) -> Plugin {
    Plugin {
        name: name.to_owned(),
        state: "missing".to_owned(),
        reason: Some("it is configured, and no plugin folder holds it".to_owned()),
        remedy: Some(format!("correct the name in [plugin.{name}], or put {name}.wasm into a plugin folder")),
        mode: Some(said.mode.to_string()),
        ..Plugin::default()
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn shape(status: &PluginStatus) -> Plugin {
    let (state, reason, remedy) = match &status.state {
        PluginState::Ok => ("ready", None, None),
        PluginState::LastGood { why, remedy } => ("last-good", Some(why.clone()), Some(remedy.clone())),
        PluginState::Broken { why, remedy } => ("broken", Some(why.clone()), Some(remedy.clone())),
        PluginState::SettingsRefused { why } => (
            "settings-refused",
            Some(why.clone()),
            Some(format!("correct [plugin.{}.settings] in the configuration", status.name)),
        ),
        PluginState::Ignored => ("ignored", None, None),
    };
    let loaded = status.loaded.as_ref();
    Plugin {
        name: status.name.to_string(),
        file: status.file.as_ref().map(|file| file.display().to_string()),
        digest: loaded.map(|loaded| loaded.digest.clone()),
        hooks: loaded.map_or_else(Vec::new, |loaded| loaded.hooks.iter().map(ToString::to_string).collect()),
        imports: loaded.map_or_else(Vec::new, |loaded| loaded.imports.clone()),
        built_as: loaded.map(|loaded| loaded.kind.to_string()),
        state: state.to_owned(),
        reason,
        remedy,
        mode: Some(status.mode.to_string()),
        grants: status.grants.iter().map(ToString::to_string).collect(),
    }
}
