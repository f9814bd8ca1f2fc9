//! `waypost plugin new DIR`: a folder with a policy of the hook that is asked for, which builds with cargo and nothing else, outside of any
//! source tree of ours. The WIT files are copied into it, so it says itself against which version it was written.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use waypost::api::v1::{Document, PluginFolder};
use waypost_policy::Hook;

use crate::cli::app::App;
use crate::cli::exit::Exit;

/// What is written where.
const FILES: [(&str, &str); 3] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.txt")),
    ("wit/facts/facts.wit", include_str!("../../../../wit/facts/facts.wit")),
    (".gitignore", "/target\n"),
];

/// The rule to start from, and the description of the hook.
fn of_hook(hook: Hook) -> (&'static str, &'static str) {
    match hook {
        Hook::Precheck => {
            (include_str!("template/precheck.rs.txt"), include_str!("../../../../wit/precheck/precheck.wit"))
        }
        Hook::Transform => {
            (include_str!("template/transform.rs.txt"), include_str!("../../../../wit/transform/transform.wit"))
        }
        Hook::Recovery => {
            (include_str!("template/recovery.rs.txt"), include_str!("../../../../wit/recovery/recovery.wit"))
        }
        Hook::Convergence => {
            (include_str!("template/convergence.rs.txt"), include_str!("../../../../wit/convergence/convergence.wit"))
        }
    }
}

pub fn run(app: &App, dir: &Path, hook: Hook) -> anyhow::Result<Exit> {
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
    if name.is_empty() || !letters || !name.as_bytes()[0].is_ascii_lowercase() {
        bail!(
            "{} is no name for a policy: its last part must begin with a lower-case letter and hold only a-z, 0-9, - and _",
            dir.display()
        );
    }
    if dir.exists() && fs::read_dir(dir).with_context(|| format!("look into {}", dir.display()))?.next().is_some() {
        bail!("{} is there already and not empty: nothing was written", dir.display());
    }
    // cargo names the file so.
    let file = name.replace('-', "_");
    let (rule, wit) = of_hook(hook);
    let described = format!("wit/{hook}/{hook}.wit");
    let mut files = Vec::new();
    for (path, text) in FILES.into_iter().chain([("src/lib.rs", rule), (described.as_str(), wit)]) {
        files.push(path.to_owned());
        let path = dir.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        }
        let text = text.replace("{{name}}", name).replace("{{crate}}", &file).replace("{{hook}}", hook.as_str());
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    app.out.line(format!("{} holds a {hook} policy; its rule is in src/lib.rs", dir.display()));
    app.out.line(format!("build it:  (cd {} && cargo build --release --target wasm32-unknown-unknown)", dir.display()));
    let builds = format!("target/wasm32-unknown-unknown/release/{file}.wasm");
    app.out.line(format!("use it:    copy {}/{builds} into a plugin folder", dir.display()));
    app.out.document(Document::PluginFolder(PluginFolder {
        dir: dir.display().to_string(),
        name: name.to_owned(),
        hook: hook.to_string(),
        files,
        builds,
    }));
    Ok(Exit::Done)
}
