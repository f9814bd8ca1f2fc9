//! `waypost plugin list`.

use waypost::api::v1::{Document, Plugin, Plugins};
use waypost::wiring::{self, Watching};
use waypost_policy::{CacheState, PluginConfig, PluginState, PluginStatus, Presence};

use crate::cli::app::App;
use crate::cli::exit::Exit;
use crate::cli::output::Tone;

pub fn run(app: &App) -> anyhow::Result<Exit> {
    let config = app.config()?;
    let policies = wiring::policies(&config, Watching::Off)?;
    let mut plugins: Vec<Plugin> = policies.list().iter().map(shape).collect();
    // A name that is configured and that no folder holds is most often a misspelt one.
    for (name, said) in &config.policies.plugins {
        if said.presence != Presence::Never && plugins.iter().all(|plugin| plugin.name != name.as_str()) {
            plugins.push(missing(name.as_str(), said));
        }
    }
    // The same of a name that is to be asked; every command that would ask it refuses to begin.
    for (name, error) in wiring::wrongly_named(&config, &policies.list()) {
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
    let out = app.out;
    out.table(
        &["plugin", "hooks", "mode", "state", "grants", "digest", "file"],
        plugins.iter().map(|plugin| {
            let list = |items: &[String]| if items.is_empty() { "-".to_owned() } else { items.join(", ") };
            vec![
                plugin.name.clone(),
                list(&plugin.hooks),
                plugin.mode.clone().unwrap_or_default(),
                plugin.state.clone(),
                list(&plugin.grants),
                plugin.digest.as_deref().and_then(|digest| digest.get(..12)).unwrap_or("-").to_owned(),
                plugin.file.clone().unwrap_or_else(|| "-".into()),
            ]
        }),
    );
    for plugin in &plugins {
        if let Some(reason) = &plugin.reason {
            out.line(format!("{}: {reason}", out.tone(Tone::Bad, &plugin.name)));
            if let Some(remedy) = &plugin.remedy {
                out.line(format!("  remedy: {remedy}"));
            }
        }
    }
    if config.plugin_folders.is_empty() {
        out.note("no plugin folder: the shipped policies were not found, and the configuration names no other");
    }
    for folder in config.plugin_folders.iter().filter(|folder| !folder.is_dir()) {
        out.note(format!(
            "plugin folder {}: there is no such folder; make it, or correct [plugins] folders",
            folder.display()
        ));
    }
    let cache_error = match policies.cache_state() {
        CacheState::Refused(error) => Some(chain(error)),
        CacheState::Used | CacheState::None => None,
    };
    if let Some(error) = &cache_error {
        out.note(format!("compiled policies can't be kept, so every start compiles them: {error}"));
    }
    let folders = config.plugin_folders.iter().map(|folder| folder.display().to_string()).collect();
    out.document(Document::Plugins(Plugins { plugins, folders, cache_error }));
    Ok(Exit::Done)
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
