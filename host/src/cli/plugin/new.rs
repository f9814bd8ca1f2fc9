//! `waypost plugin new DIR`: a folder with a precheck policy that builds with cargo and nothing else, outside of any
//! source tree of ours. The WIT files are copied into it, so it says itself against which version it was written.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::cli::app::App;
use crate::cli::exit::Exit;

/// What is written where.
const FILES: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.txt")),
    ("src/lib.rs", include_str!("template/lib.rs.txt")),
    ("wit/facts/facts.wit", include_str!("../../../../wit/facts/facts.wit")),
    ("wit/precheck/precheck.wit", include_str!("../../../../wit/precheck/precheck.wit")),
    (".gitignore", "/target\n"),
];

pub fn run(app: &App, dir: &Path) -> anyhow::Result<Exit> {
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
    for (path, text) in FILES {
        let path = dir.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        }
        let text = text.replace("{{name}}", name).replace("{{crate}}", &file);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    app.out.line(format!("{} holds a precheck policy; its rule is in src/lib.rs", dir.display()));
    app.out.line(format!("build it:  (cd {} && cargo build --release --target wasm32-unknown-unknown)", dir.display()));
    app.out.line(format!(
        "use it:    copy {}/target/wasm32-unknown-unknown/release/{file}.wasm into a plugin folder",
        dir.display()
    ));
    Ok(Exit::Done)
}
