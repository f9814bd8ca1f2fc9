//! `waypost plugin list`.

use std::path::Path;

use waypost::api::v1::{Document, Plugins};

use crate::cli::answers::Answers;
use crate::cli::app::App;
use crate::cli::exit::Exit;
use crate::cli::output::Tone;

pub fn run(app: &App) -> anyhow::Result<Exit> {
    let answers = Answers::of(app)?;
    let Plugins { plugins, folders, cache_error } = answers.block_on(async { answers.plugins().await })?;
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
    for plugin in &plugins {
        let by_service = |by: &Option<String>| by.as_deref() == Some("service");
        let mut made = Vec::new();
        if by_service(&plugin.switched_by) {
            made.push("it was switched off");
        }
        if by_service(&plugin.settings_by) {
            made.push("its settings were made");
        }
        if !made.is_empty() {
            out.note(format!("{}: {} over the service", plugin.name, made.join(" and ")));
        }
    }
    if folders.is_empty() {
        out.note("no plugin folder: the shipped policies were not found, and the configuration names no other");
    }
    // Of a service the folders are elsewhere.
    for folder in folders.iter().filter(|folder| answers.service().is_none() && !Path::new(folder).is_dir()) {
        out.note(format!("plugin folder {folder}: there is no such folder; make it, or correct [plugins] folders"));
    }
    if let Some(error) = &cache_error {
        out.note(format!("compiled policies can't be kept, so every start compiles them: {error}"));
    }
    out.document(Document::Plugins(Plugins { plugins, folders, cache_error }));
    Ok(Exit::Done)
}
