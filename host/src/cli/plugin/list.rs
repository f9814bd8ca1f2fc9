//! `waypost plugin list`.

use waypost::OpenError;
use waypost::api::v1::{Document, Plugins};
use waypost::wiring::{self, Watching};

use crate::cli::app::App;
use crate::cli::exit::Exit;
use crate::cli::output::Tone;

pub fn run(app: &App) -> anyhow::Result<Exit> {
    let out = app.out;
    let written = app.config()?;
    let config = match wiring::with_overlay(&written, &app.world()) {
        // Nobody else's state is needed to see what a person has written and put into a folder.
        Err(OpenError::Overlay(error)) if error.is_closed() => {
            out.note(format!("{error}: permission denied; what was changed there is not in this list"));
            written
        }
        config => config?,
    };
    let policies = wiring::policies(&config, Watching::Off)?;
    let Plugins { plugins, folders, cache_error } = wiring::plugins(&config, &policies);
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
    let own = config.overlay.as_ref().map(|overlay| &overlay.folder);
    for plugin in &plugins {
        let by_service = |by: &Option<String>| by.as_deref() == Some("service");
        let mut made = Vec::new();
        if by_service(&plugin.switched_by) {
            made.push("it was switched off");
        }
        if by_service(&plugin.settings_by) {
            made.push("its settings were made");
        }
        if let (Some(own), false) = (own, made.is_empty()) {
            let (name, own) = (&plugin.name, own.display());
            out.note(format!("{name}: {} over the service ({own}/{name}.json)", made.join(" and ")));
        }
    }
    let written = || config.plugin_folders.iter().filter(|folder| Some(*folder) != own);
    if written().next().is_none() {
        out.note("no plugin folder: the shipped policies were not found, and the configuration names no other");
    }
    for folder in written().filter(|folder| !folder.is_dir()) {
        out.note(format!(
            "plugin folder {}: there is no such folder; make it, or correct [plugins] folders",
            folder.display()
        ));
    }
    if let Some(error) = &cache_error {
        out.note(format!("compiled policies can't be kept, so every start compiles them: {error}"));
    }
    out.document(Document::Plugins(Plugins { plugins, folders, cache_error }));
    Ok(Exit::Done)
}
