//! `plugin`, and a policy from nothing to a changed verdict in a running check.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::support::{Site, TWO_HOSTS, shipped};

/// Builds a policy as its author would: cargo and nothing else. Its own folder and lock file; the crates are those that
/// this workspace was built with, so nothing is fetched.
fn build(folder: &Path) -> PathBuf {
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"), folder.join("Cargo.lock")).expect("a lock file");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--release", "--target", "wasm32-unknown-unknown", "--offline"])
        .env_remove("CARGO_TARGET_DIR")
        .current_dir(folder)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let built = folder.join("target/wasm32-unknown-unknown/release");
    let name = folder.file_name().expect("a name").to_string_lossy().replace('-', "_");
    built.join(format!("{name}.wasm"))
}

#[test]
fn a_rule_from_nothing_changes_the_verdict_of_a_running_check() {
    let site = Site::with(
        TWO_HOSTS,
        "[plugins]\nfolders = [\"plugins\"]\n[plugin.stay_here]\nsettings = { prefix = \"g\" }\n",
    );
    fs::create_dir(site.path("plugins")).expect("a folder");

    let made = site.expect(0, &["plugin", "new", "stay-here"]);
    assert!(made.out.contains("cargo build --release --target wasm32-unknown-unknown"), "{}", made.out);
    assert!(site.expect(1, &["plugin", "new", "stay-here"]).err.contains("nothing was written"));
    let wasm = build(&site.path("stay-here"));

    let inspected = site.expect(0, &["plugin", "inspect", wasm.to_str().expect("UTF-8")]).out;
    for part in
        ["core module", "waypost:precheck/check@0.1.0", "import   waypost:facts/inventory@0.1.0", "it would be loaded"]
    {
        assert!(inspected.contains(part), "{part}:\n{inspected}");
    }

    let mut watching = site.start(&["check", "g1", "--to", "b", "--watch"]);
    watching.wait_for_line("to b: allowed");
    let dropped = Instant::now();
    fs::copy(&wasm, site.path("plugins/.new")).expect("copied");
    fs::rename(site.path("plugins/.new"), site.path("plugins/stay_here.wasm")).expect("dropped into the folder");
    watching.wait_for_line("to b: refused by 1 blocker");
    let told = watching.wait_for_line("remedy: ");
    assert!(told.contains("g1 stays on a: domains named g* are not moved"), "{told}");
    assert!(dropped.elapsed() < Duration::from_secs(5), "it took {:?}", dropped.elapsed());

    fs::remove_file(site.path("plugins/stay_here.wasm")).expect("removed");
    watching.wait_for_line("to b: allowed");
    watching.signal("INT");
    assert_eq!(watching.end().code, 0);
}

#[test]
fn every_hook_has_a_scaffold_that_builds_and_is_loaded() {
    let site = Site::with(TWO_HOSTS, "[plugins]\nfolders = [\"plugins\"]\n");
    fs::create_dir(site.path("plugins")).expect("a folder");
    for (hook, interface) in [
        ("transform", "waypost:transform/rewrite@0.1.0"),
        ("recovery", "waypost:recovery/recover@0.1.0"),
        ("convergence", "waypost:convergence/steer@0.1.0"),
    ] {
        let name = format!("my-{hook}");
        let made = site.expect(0, &["plugin", "new", &name, "--hook", hook]).out;
        assert!(made.contains(&format!("holds a {hook} policy")), "{made}");
        let wasm = build(&site.path(&name));
        let inspected = site.expect(0, &["plugin", "inspect", wasm.to_str().expect("UTF-8")]).out;
        assert!(inspected.contains(interface) && inspected.contains("it would be loaded"), "{inspected}");
        fs::copy(&wasm, site.path("plugins").join(wasm.file_name().expect("a name"))).expect("copied");
    }
    let plugins = site.document(0, &["plugin", "list"])["plugins"].as_array().expect("plugins").clone();
    for hook in ["transform", "recovery", "convergence"] {
        let mine = plugins.iter().find(|plugin| plugin["name"] == format!("my_{hook}")).expect("it is listed");
        assert_eq!((&mine["state"], &mine["hooks"][0]), (&"ready".into(), &hook.into()), "{mine}");
    }
    assert!(site.expect(2, &["plugin", "new", "x", "--hook", "placement"]).err.contains("it is precheck, transform"));
}

#[test]
fn the_shipped_policies_are_listed_ready() {
    let site = Site::new(TWO_HOSTS);
    let plugins = site.document(0, &["plugin", "list"])["plugins"].as_array().expect("plugins").clone();
    let files = fs::read_dir(shipped()).expect("the shipped policies").count();
    assert_eq!(plugins.len(), files);
    for plugin in &plugins {
        assert_eq!((&plugin["state"], &plugin["mode"]), (&"ready".into(), &"enforce".into()), "{plugin}");
        assert_eq!(plugin["hooks"].as_array().map(Vec::len), Some(1), "{plugin}");
    }
}

#[test]
fn a_broken_policy_blocks_and_says_what_is_wrong() {
    let site = Site::with(TWO_HOSTS, "[plugins]\nfolders = [\"plugins\"]\n");
    site.write("plugins/mine.wasm", "this is no WebAssembly");
    let listed = site.expect(0, &["plugin", "list"]).out;
    assert!(listed.contains("mine: ") && listed.contains("it is no WebAssembly"), "{listed}");
    assert!(listed.contains("remedy: "), "{listed}");
    let ran = site.expect(3, &["check", "g1", "--to", "b"]);
    assert!(ran.err.contains("load a policy") && !ran.err.contains('\u{1b}'), "a log without colours: {:?}", ran.err);
    let checked = ran.out;
    assert!(checked.contains("[mine: plugin-not-loaded]"), "{checked}");
    let inspected = site.expect(1, &["plugin", "inspect", "plugins/mine.wasm"]).out;
    assert!(inspected.contains("it would not be loaded"), "{inspected}");
    assert!(site.expect(1, &["plugin", "inspect", "nowhere.wasm"]).err.contains("nowhere.wasm"));
}

#[test]
fn a_misspelt_policy_is_listed_as_missing() {
    let site = Site::with(TWO_HOSTS, "[plugin.precheck-storge]\nmode = \"advise\"\n");
    let listed = site.expect(0, &["plugin", "list"]).out;
    assert!(listed.contains("precheck-storge: it is configured, and no plugin folder holds it"), "{listed}");
}

#[test]
fn a_misspelt_policy_that_is_to_be_asked_is_an_error_of_every_command_that_would_ask_it() {
    let site = Site::with(TWO_HOSTS, "[plugins]\nconvergence = \"convergence-adaptve\"\n");
    let id = "00000000-0000-7000-8000-000000000000";
    for words in [
        &["check", "g1", "--to", "b"][..],
        &["migrate", "g1", "--to", "b"],
        &["migrate", "g1", "--to", "b", "--dry-run"],
        &["watch", id],
        &["recover"],
    ] {
        let err = site.expect(1, words).err;
        for part in [
            "waypost.toml: plugins.convergence: \"convergence-adaptve\" can't be asked about convergence: ",
            "no plugin folder holds it; there are: convergence-adaptive, convergence-nova, convergence-ovirt",
            "did you mean \"convergence-adaptive\"?",
        ] {
            assert!(err.contains(part), "{words:?}: {part}:\n{err}");
        }
    }
    assert!(site.tasks().is_empty(), "who asks no policy is not stopped, and nothing was begun");
    site.expect(0, &["hosts"]);
    assert!(site.expect(0, &["plugin", "list"]).out.contains("did you mean \"convergence-adaptive\"?"));
}

#[test]
fn a_policy_of_another_hook_or_one_that_is_switched_off_is_not_meant_either() {
    for (config, why) in [
        (
            "[plugins]\nrecovery = \"convergence-nova\"\n",
            "it is a policy for convergence; there are: recovery-conservative",
        ),
        (
            "[plugins]\nrecovery = \"recovery-retry\"\n[plugin.recovery-retry]\npresence = \"never\"\n",
            "[plugin.recovery-retry] presence = \"never\" switches it off",
        ),
    ] {
        let err = Site::with(TWO_HOSTS, config).expect(1, &["check", "g1"]).err;
        assert!(err.contains("plugins.recovery: ") && err.contains(why), "{err}");
    }
}

#[test]
fn refused_settings_are_told_where_the_policies_are_listed() {
    let site = Site::with(TWO_HOSTS, "[plugin.precheck-architecture]\nsettings = { colour = \"red\" }\n");
    let listed = site.document(0, &["plugin", "list"]);
    let plugins = listed["plugins"].as_array().expect("plugins");
    let refused = plugins.iter().find(|p| p["name"] == "precheck-architecture").expect("it is listed");
    assert_eq!(refused["state"], "settings-refused", "{refused}");
    let checked = site.document(3, &["check", "g1", "--to", "b"]);
    let codes: Vec<_> =
        checked["verdicts"][0]["findings"].as_array().expect("findings").iter().map(|f| f["code"].clone()).collect();
    assert!(codes.contains(&"plugin-settings-refused".into()), "{codes:?}");
}
