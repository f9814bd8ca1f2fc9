//! `waypost plugin inspect FILE`: for the author of a policy, and for whoever is to trust one.

use std::path::Path;

use waypost::api::v1::{Document, Plugin};
use waypost_policy::{ImportStanding, inspect};

use crate::cli::app::App;
use crate::cli::exit::Exit;
use crate::cli::output::{Tone, bytes};

pub fn run(app: &App, file: &Path) -> anyhow::Result<Exit> {
    let seen = inspect(file)?;
    let out = app.out;
    let hooks: Vec<String> = seen.hooks.iter().map(|(_, name)| name.clone()).collect();
    let kind = seen.kind.map_or_else(|| "neither a component nor a core module".to_owned(), |kind| kind.to_string());
    out.line(format!("{}: {kind}, {}", file.display(), bytes(seen.size)));
    out.line(format!("  sha256   {}", seen.digest));
    out.line(format!("  hooks    {}", if hooks.is_empty() { "none".to_owned() } else { hooks.join(", ") }));
    for (name, standing) in &seen.imports {
        let means = match standing {
            ImportStanding::Always => String::new(),
            ImportStanding::Grantable(grant) => out.tone(Tone::Warn, format!("  needs grants = [\"{grant}\"]")),
            ImportStanding::Never(why) => out.tone(Tone::Bad, format!("  never: {why}")),
        };
        out.line(format!("  import   {name}{means}"));
    }
    for (field, name, version) in &seen.producers {
        out.line(format!("  made by  {name} {version} ({field})"));
    }
    let trouble = seen.trouble.as_ref();
    match trouble {
        None => out.line(format!("  {}", out.tone(Tone::Good, "it would be loaded"))),
        Some(error) => {
            out.line(format!("  {}: {}", out.tone(Tone::Bad, "it would not be loaded"), error.chain()));
            out.line(format!("  remedy: {}", error.remedy()));
        }
    }
    out.document(Document::Plugin(Box::new(Plugin {
        name: file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default(),
        file: Some(file.display().to_string()),
        digest: Some(seen.digest.clone()),
        hooks: seen.hooks.iter().map(|(hook, _)| hook.to_string()).collect(),
        imports: seen.imports.iter().map(|(name, _)| name.clone()).collect(),
        built_as: seen.kind.map(|kind| kind.to_string()),
        state: if trouble.is_none() { "ready" } else { "broken" }.to_owned(),
        reason: trouble.map(waypost_policy::LoadError::chain),
        remedy: trouble.map(waypost_policy::LoadError::remedy),
        mode: None,
        grants: seen.grants.iter().map(ToString::to_string).collect(),
        size: Some(seen.size),
        ..Plugin::default()
    })));
    Ok(if trouble.is_none() { Exit::Done } else { Exit::Error })
}
