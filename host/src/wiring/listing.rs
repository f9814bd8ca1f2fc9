//! The policies as a list: those that are in force, those that are broken, and those that are only named.

use std::path::PathBuf;

use waypost_api::v1::{Plugin, Plugins};
use waypost_core::causes::told;
use waypost_core::ids::PluginName;
use waypost_policy::{CacheState, HOST, PluginConfig, PluginState, PluginStatus, PolicyRuntime, Presence};
use waypost_service::tag_of;

use super::named;
use crate::config::Config;

/// All policies, as `plugin list` and the service show them.
pub fn plugins(config: &Config, policies: &PolicyRuntime) -> Plugins {
    let mut plugins = standing(config, policies);
    for plugin in &mut plugins {
        find_file(config, policies, plugin);
        if plugin.file.is_some() && plugin.name != HOST {
            plugin.etag = Some(tag_of(&*plugin));
        }
    }
    let cache_error = match policies.cache_state() {
        CacheState::Refused(error) => Some(told(error)),
        CacheState::Used | CacheState::None => None,
    };
    // Those that a person names; the one of what was uploaded comes after them.
    let own = config.overlay.as_ref().map(|overlay| &overlay.folder);
    let written = config.plugin_folders.iter().filter(|folder| Some(*folder) != own);
    let folders = written.map(|folder| folder.display().to_string()).collect();
    Plugins { plugins, folders, cache_error }
}

/// How all policies stand, as far as it is known without a look at a file.
pub fn standing(config: &Config, policies: &PolicyRuntime) -> Vec<Plugin> {
    let mut plugins: Vec<Plugin> = policies.list().iter().map(|status| shape(config, status)).collect();
    // A name that is configured and that no folder holds is most often a misspelt one.
    for (name, said) in &config.policies.plugins {
        if said.presence != Presence::Never && plugins.iter().all(|plugin| plugin.name != name.as_str()) {
            plugins.push(missing(config, name, said));
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
    plugins
}

/// The file of a policy that is not asked, and so not loaded, and its digest: its tag is to tell one file from another all the same.
fn find_file(config: &Config, policies: &PolicyRuntime, plugin: &mut Plugin) {
    let name = PluginName::new(&plugin.name);
    let file = plugin.file.take().map(PathBuf::from).or_else(|| policies.file_of(&name));
    let own = config.overlay.as_ref().map(|overlay| overlay.file(&name));
    plugin.uploaded = file.is_some() && file == own;
    if let (Some(file), None) = (&file, &plugin.digest) {
        (plugin.digest, plugin.size) = policies.digest_of(file).unzip();
    }
    plugin.file = file.map(|file| file.display().to_string());
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
            if config.overlay.as_ref().is_some_and(|overlay| overlay.only_here.contains(name)) {
                let why =
                    format!("something was said of {name} over the service, and no plugin folder holds it any more");
                return (name.clone(), why);
            }
            let why = format!(
                "[plugin.{name}] is configured, and no plugin folder holds {name}.wasm: what it says has no effect{}",
                meant.unwrap_or_default()
            );
            (name.clone(), why)
        })
        .collect()
}

fn missing(config: &Config, name: &PluginName, said: &PluginConfig) -> Plugin {
    let overlay = config.overlay.as_ref().filter(|overlay| overlay.only_here.contains(name));
    let (reason, remedy) = match overlay {
        None => (
            "it is configured, and no plugin folder holds it".to_owned(),
            format!("correct the name in [plugin.{name}], or put {name}.wasm into a plugin folder"),
        ),
        Some(overlay) => (
            "something was said of it over the service, and no plugin folder holds it".to_owned(),
            format!("upload it again, or remove {}/{name}.json", overlay.folder.display()),
        ),
    };
    Plugin {
        name: name.to_string(),
        state: "missing".to_owned(),
        reason: Some(reason),
        remedy: Some(remedy),
        mode: Some(said.mode.to_string()),
        enabled: true,
        ..Plugin::default()
    }
}

fn shape(config: &Config, status: &PluginStatus) -> Plugin {
    let overlay = config.overlay.as_ref();
    let said = overlay.and_then(|overlay| overlay.said.get(&status.name));
    let settings_over_service = said.is_some_and(|said| said.settings.is_some());
    let (state, reason, remedy) = match &status.state {
        PluginState::Ok => ("ready", None, None),
        PluginState::LastGood { why, remedy } => ("last-good", Some(why.clone()), Some(remedy.clone())),
        PluginState::Broken { why, remedy } => ("broken", Some(why.clone()), Some(remedy.clone())),
        PluginState::SettingsRefused { why } => (
            "settings-refused",
            Some(why.clone()),
            Some(match settings_over_service {
                true => "correct its settings where they were made, over the service".to_owned(),
                false => format!("correct [plugin.{}.settings] in the configuration", status.name),
            }),
        ),
        PluginState::Ignored => ("ignored", None, None),
    };
    let plugin = config.policies.plugin(&status.name);
    let by = |service: bool, configuration: bool| match (service, configuration) {
        (true, _) => Some("service".to_owned()),
        (false, true) => Some("configuration".to_owned()),
        (false, false) => None,
    };
    let loaded = status.loaded.as_ref();
    Plugin {
        name: status.name.to_string(),
        uploaded: false,
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
        enabled: status.state != PluginState::Ignored,
        switched_by: by(
            overlay.is_some_and(|overlay| overlay.switched.contains(&status.name)),
            plugin.presence != Presence::Optional,
        ),
        settings_by: by(settings_over_service, plugin.settings != PluginConfig::default().settings),
        size: loaded.map(|loaded| loaded.size),
        version: loaded.and_then(|loaded| loaded.version.clone()),
        settings_schema: loaded.and_then(|loaded| loaded.schema.clone()),
        etag: None,
    }
}
