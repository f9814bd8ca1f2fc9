//! What is shipped as `.wasm` imports nothing but `waypost:*`, exports one hook, and is small.
//!
//! Reads what `plugins/build.sh` made. It fails if nothing is there: a check of nothing would pass for ever.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wasmparser::{Parser, Payload};

/// Policies that need a grant, and the interface that it gives.
const GRANTED: [(&str, &str); 1] = [("precheck-storage-probe", "waypost:facts/storage-probe@0.1.0")];

/// Nothing of what a site is given without a grant.
const WITHOUT_GRANT: [&str; 2] = ["waypost:facts/inventory@0.1.0", "waypost:facts/environment@0.1.0"];

fn target() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}

fn built(folder: &str) -> BTreeMap<String, PathBuf> {
    let folder = target().join(folder);
    let entries = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}: run plugins/build.sh first", folder.display()));
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "wasm"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), path))
        .collect()
}

/// Names of the policy crates in the sources.
fn in_the_sources() -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| std::fs::read_to_string(path.join("Cargo.toml")).is_ok_and(|text| text.contains("\"cdylib\"")))
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn imports_and_exports(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.unwrap() {
            Payload::ImportSection(section) => {
                imports.extend(section.into_imports().map(|import| import.unwrap().module.to_owned()));
            }
            Payload::ExportSection(section) => {
                exports.extend(section.into_iter().map(|export| export.unwrap().name.to_owned()));
            }
            _ => {}
        }
    }
    (imports, exports)
}

#[test]
fn every_policy_of_the_sources_is_built() {
    let mut found: Vec<_> = built("plugins").into_keys().chain(built("plugins-optional").into_keys()).collect();
    found.sort();
    assert_eq!(found, in_the_sources(), "run plugins/build.sh");
}

#[test]
fn a_shipped_policy_imports_only_what_it_may() {
    for (folder, optional) in [("plugins", false), ("plugins-optional", true)] {
        for (name, path) in built(folder) {
            let (imports, exports) = imports_and_exports(&std::fs::read(&path).unwrap());
            let granted = GRANTED.iter().find(|(who, _)| *who == name).map(|(_, interface)| *interface);
            assert!(optional || granted.is_none(), "{name}: what needs a grant isn't installed by default");
            for import in &imports {
                let allowed = WITHOUT_GRANT.contains(&import.as_str()) || Some(import.as_str()) == granted;
                assert!(allowed, "{name} imports {import}");
            }
            let hook = match name.split('-').next() {
                Some("precheck") => "waypost:precheck/check@0.1.0#check",
                Some("transform") => "waypost:transform/rewrite@0.1.0#rewrite",
                Some("recovery") => "waypost:recovery/recover@0.1.0#decide",
                Some("convergence") => "waypost:convergence/steer@0.1.0#decide",
                _ => panic!("{name}: a policy's name begins with its hook"),
            };
            assert!(exports.iter().any(|export| export == hook), "{name} doesn't export {hook}: {exports:?}");
        }
    }
}

#[test]
fn a_shipped_policy_is_a_component_once_the_host_has_encoded_it() {
    for (name, path) in built("plugins").into_iter().chain(built("plugins-optional")) {
        let module = std::fs::read(&path).unwrap();
        let mut encoder = wit_component::ComponentEncoder::default();
        let encoded = encoder.validate(true).module(&module).and_then(|encoder| encoder.encode());
        let component = encoded.unwrap_or_else(|error| panic!("{name}: {error:#}"));
        // Descriptions for the encoder and unused imports are gone.
        assert!(component.len() < module.len() + 8_000, "{name}: {} bytes of {}", component.len(), module.len());
    }
}

#[test]
fn a_shipped_policy_is_small() {
    for (name, path) in built("plugins").into_iter().chain(built("plugins-optional")) {
        let size = std::fs::metadata(&path).unwrap().len();
        assert!(size < 200_000, "{name} has {size} bytes: is debug information in it?");
    }
}
