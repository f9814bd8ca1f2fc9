//! House rules that are checked, not asked for: who may depend on whom, who may touch what, how files begin.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust source of ours, with its path from the root.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = ["host", "plugins", "tests", "examples"].iter().map(|d| root().join(d)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace can be listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("a source can be read");
                found.push((path.strip_prefix(root()).expect("below the root").to_owned(), text));
            }
        }
    }
    assert!(found.len() > 50, "the workspace's sources were not found");
    found
}

/// The packages of the workspace, from cargo itself.
fn packages() -> Vec<serde_json::Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// Normal dependencies of each package of the workspace.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    packages()
        .iter()
        .map(|package| {
            let normal =
                package["dependencies"].as_array().expect("dependencies").iter().filter(|d| d["kind"].is_null());
            let names = normal.map(|d| d["name"].as_str().expect("a name").to_owned()).collect();
            (package["name"].as_str().expect("a name").to_owned(), names)
        })
        .collect()
}

#[test]
fn the_core_depends_on_values_only() {
    let allowed: BTreeSet<_> = ["sha2", "thiserror", "uuid"].map(str::to_owned).into();
    let core = &dependencies()["waypost-core"];
    assert!(core.is_subset(&allowed), "host/core depends on {:?}", core.difference(&allowed).collect::<Vec<_>>());
}

#[test]
fn the_core_has_no_eyes_and_no_clock() {
    // What it may take of the standard library: values, and what moves them about.
    let harmless = "any borrow cmp collections convert error fmt future hash hint iter mem net::Ip num ops path pin str string \
                    sync time::Duration";
    let elsewhere = ["now_v", "new_v4", "println!", "eprintln!", "dbg!", "env!", "include_str!", "async fn"];
    let mut looked = 0;
    for (path, text) in sources() {
        let test = path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
        if test || !path.starts_with("host/core/src") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for (at, _) in code.match_indices("std::") {
                looked += 1;
                let taken = &code[at + "std::".len()..];
                assert!(
                    harmless.split(' ').any(|part| taken.starts_with(part)),
                    "{}:{} takes {taken} of the standard library: the core has no I/O, no clock and no threads",
                    path.display(),
                    number + 1
                );
            }
            let strange = elsewhere.iter().find(|word| code.contains(**word));
            assert_eq!(strange, None, "{}:{} reaches out of the core", path.display(), number + 1);
        }
    }
    assert!(looked > 20, "{looked} uses of the standard library were looked at");
}

#[test]
fn blank_values_are_for_tests_alone() {
    let feature = "testing";
    let mut used = 0;
    for package in packages() {
        let name = package["name"].as_str().expect("a name");
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let features = dependency["features"].as_array().expect("features");
            if dependency["name"] == "waypost-core" && features.iter().any(|on| on == feature) {
                assert_eq!(dependency["kind"], "dev", "{name} turns on {feature} of waypost-core in what ships");
                used += 1;
            }
        }
        // No other feature turns it on, and it is not on by itself.
        for (other, turned_on) in package["features"].as_object().expect("features") {
            for on in turned_on.as_array().expect("a list") {
                let on = on.as_str().expect("a feature");
                assert!(on != feature && on != "waypost-core/testing", "{other} of {name} turns on {on}");
            }
        }
    }
    assert!(used > 1, "{used} packages turn on {feature} for their tests");
}

#[test]
fn siblings_never_see_each_other() {
    let all = dependencies();
    for name in ["policy", "libvirt", "sim", "store", "engine", "api", "lab"] {
        let package = format!("waypost-{name}");
        let ours: Vec<_> =
            all[&package].iter().filter(|d| d.starts_with("waypost-") && *d != "waypost-core").cloned().collect();
        assert!(ours.is_empty(), "{package} depends on {ours:?}: only the facade may name more than one of them");
    }
    // The service stands on the engine, and answers in the shapes for programs.
    let ours: BTreeSet<_> =
        all["waypost-service"].iter().filter(|d| d.starts_with("waypost-")).map(String::as_str).collect();
    assert_eq!(ours, BTreeSet::from(["waypost-api", "waypost-core", "waypost-engine"]));
    assert!(!all["waypost-lab"].contains("waypost-core"), "the lab is no part of the product");
}

/// The name of a policy begins with the hook that it answers.
fn is_policy(package: &str) -> bool {
    ["precheck-", "transform-", "recovery-", "convergence-"].iter().any(|hook| package.starts_with(hook))
}

#[test]
fn plugins_and_hosts_never_depend_on_each_other() {
    let all = dependencies();
    let policies = all.keys().filter(|package| is_policy(package)).count();
    let folders = fs::read_dir(root().join("plugins")).expect("plugins can be listed");
    let folders = folders.filter(|entry| entry.as_ref().expect("an entry").path().join("Cargo.toml").is_file()).count();
    assert_eq!(
        policies + 1,
        folders,
        "a folder of plugins/ holds neither the SDK nor a policy that is named after its hook"
    );
    for (package, dependencies) in &all {
        let plugin = package == "waypost-plugin" || is_policy(package);
        for dependency in dependencies.iter().filter(|d| d.starts_with("waypost") || is_policy(d)) {
            if plugin {
                assert_eq!(dependency, "waypost-plugin", "{package} depends on {dependency}");
            } else {
                assert!(
                    dependency != "waypost-plugin" && !is_policy(dependency),
                    "{package} depends on {dependency}, which is a plugin"
                );
            }
        }
    }
}

#[test]
fn each_fence_holds_its_library() {
    let fences = [
        ("wasmtime", "waypost-policy"),
        ("virt", "waypost-libvirt"),
        ("virt-sys", "waypost-libvirt"),
        ("rusqlite", "waypost-store"),
        ("hyper", "waypost-service"),
    ];
    for (package, dependencies) in dependencies() {
        for (library, home) in fences {
            assert!(
                package == home || !dependencies.contains(library),
                "{package} depends on {library}, which belongs behind {home}"
            );
        }
    }
}

#[test]
fn product_code_reaches_hosts_by_uri_only() {
    for (path, text) in sources() {
        let text_path = path.to_string_lossy();
        let product = text_path.starts_with("host/") && !text_path.starts_with("host/lab/");
        if !product || text_path.contains("/tests/") || text_path.contains("/examples/") {
            continue;
        }
        for tool in ["nsenter", "unshare", "\"ip\"", "ip netns"] {
            assert!(!text.contains(tool), "{text_path} mentions {tool}: only host/lab may reach into a host");
        }
    }
}

#[test]
fn nothing_outside_its_fence_names_a_hypervisor() {
    // The simulator names one where it speaks libvirt's words; the lab runs one; a connection's URI begins with one. What
    // decides must not care which there is: what follows from a hypervisor is a fact, and host/libvirt provides it.
    let fenced = ["core", "engine", "policy", "store", "api", "service", ""]
        .map(|part| Path::new("host").join(part).join("src"));
    let mut looked = 0;
    for (path, text) in sources() {
        let test = path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
        if test || !fenced.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        looked += 1;
        for (number, line) in text.lines().enumerate() {
            let line = line.to_lowercase().replace("qemu+", "").replace("qemu:/", "");
            let code = line.split("//").next().unwrap_or_default();
            assert!(!code.contains("qemu"), "{}:{} names a hypervisor", path.display(), number + 1);
        }
    }
    assert!(looked > 150, "{looked} files were looked at");
    // Rules say what to do in words that people know, and decide by facts.
    for (path, text) in sources() {
        let rule = path.starts_with("plugins") && !path.starts_with("plugins/sdk") && !path.ends_with("tests.rs");
        if rule || path.starts_with("host/sim/src") {
            for by_name in ["== \"QEMU\"", "!= \"QEMU\"", "\"QEMU\" =>"] {
                assert!(!text.contains(by_name), "{} decides by a hypervisor's name", path.display());
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for (path, text) in sources() {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        assert!(first.starts_with("//!"), "{} does not begin with a //! paragraph", path.display());
    }
}

#[test]
fn a_long_file_says_why() {
    for (path, text) in sources() {
        if text.lines().count() > 500 {
            let head = text.lines().map_while(|line| line.strip_prefix("//!"));
            let head: Vec<&str> = head.flat_map(str::split_whitespace).collect();
            let head = head.join(" ");
            assert!(
                head.contains("is long because") || head.contains("One file, because"),
                "{} has {} lines, and its header does not go on after `is long because` or `One file, because`",
                path.display(),
                text.lines().count()
            );
        }
    }
}

#[test]
fn a_test_that_a_guide_names_exists() {
    let mut named = 0;
    for page in ["docs/traps.md", "docs/recovery.md", "docs/threat-model.md"] {
        let text = fs::read_to_string(root().join(page)).expect("a page of the guides");
        for name in text.split('`').skip(1).step_by(2).filter(|word| word.contains(".rs::")) {
            let (file, test) = name.split_once("::").expect("a file and a test");
            let source = fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{page} names {name}: {e}"));
            assert!(source.contains(&format!("fn {test}(")), "{page} names {name}, which is not in {file}");
            named += 1;
        }
    }
    assert!(named > 20, "the guides name {named} tests");
}

#[test]
fn no_file_holds_trailing_space_or_a_stray_marker() {
    for (path, text) in sources() {
        let tidy = path.ends_with("tests/tidy.rs");
        for (number, line) in text.lines().enumerate() {
            assert_eq!(line.trim_end(), line, "{}:{} ends with a space", path.display(), number + 1);
            if !tidy {
                for marker in ["TODO", "FIXME", "XXX", "#[ignore"] {
                    assert!(!line.contains(marker), "{}:{} holds {marker}", path.display(), number + 1);
                }
            }
        }
    }
}
