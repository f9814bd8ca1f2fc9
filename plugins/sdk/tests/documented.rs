//! The table of finding codes in the documentation and the codes in the sources are the same.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Sources of a policy without its tests, and without white space, which the formatter puts anywhere.
fn sources(policy: &str) -> String {
    let folder = root().join("plugins").join(policy).join("src");
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut text = String::new();
    for file in files.map(|entry| entry.unwrap().path()).filter(|path| path.file_name().unwrap() != "tests.rs") {
        let source = fs::read_to_string(file).unwrap();
        text += source.split("#[cfg(test)]").next().unwrap();
    }
    text.retain(|c| !c.is_whitespace());
    text
}

/// Codes by policy, from the tables: the first column names the policy, or is empty for the one above.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("docs/prechecks.md")).unwrap();
    let mut codes = BTreeMap::<String, BTreeSet<String>>::new();
    let mut policy = String::new();
    for line in text.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [first, _, listed, _] = cells[..] else { continue };
        if let Some(name) = first.strip_prefix('`').and_then(|name| name.strip_suffix('`')) {
            policy = name.to_owned();
        }
        if policy.starts_with("precheck-") {
            let listed = listed.split(',').filter_map(|code| code.trim().strip_prefix('`')?.strip_suffix('`'));
            codes.entry(policy.clone()).or_default().extend(listed.map(str::to_owned));
        }
    }
    codes
}

#[test]
fn every_documented_code_is_in_the_sources() {
    for (policy, codes) in documented() {
        let sources = sources(&policy);
        assert!(!codes.is_empty(), "{policy}");
        for code in codes {
            assert!(sources.contains(&format!("\"{code}\"")), "{policy} never says {code}");
        }
    }
}

#[test]
fn every_policy_and_every_code_is_documented() {
    let documented = documented();
    for entry in fs::read_dir(root().join("plugins")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if !name.starts_with("precheck-") {
            continue;
        }
        let codes = documented.get(&name).unwrap_or_else(|| panic!("{name} is not in docs/prechecks.md"));
        let sources = sources(&name);
        for start in ["Finding::blocker(\"", "Finding::warning(\"", "Finding::info(\"", "weight(),\"", "weight,\""] {
            for found in sources.split(start).skip(1) {
                let code = found.split('"').next().unwrap();
                assert!(codes.contains(code), "{name} says {code}, which is not documented");
            }
        }
    }
}
