//! The plugin folders: what is added, replaced and removed counts from the next decision on.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use waypost_core::finding::{Severity, host_codes};
use waypost_core::ids::PluginName;
use waypost_policy::{
    Listener, OLDER_VERSION, Places, PluginConfig, PluginState, PolicyConfig, PolicyRuntime, Presence, Watch,
};

use super::support::{self, Site, saying, snapshot};

/// A watched site, and the generations that it announces.
fn watched(files: &[(&str, &[u8])]) -> (Site, Receiver<u64>) {
    let site = Site::open(files, PolicyConfig::default(), Watch::On);
    let (sender, generations) = mpsc::channel();
    site.runtime.on_change(announce(sender));
    (site, generations)
}

/// A receiver that is gone has heard enough.
fn announce(sender: Sender<u64>) -> Listener {
    Box::new(move |generation| assert!(sender.send(generation).is_ok() || generation > 0))
}

fn codes(site: &Site) -> Vec<String> {
    site.findings().into_iter().map(|finding| finding.code).collect()
}

/// Waits for announcements until the site says this.
#[track_caller]
fn until(site: &Site, generations: &Receiver<u64>, expected: &[&str]) {
    let started = Instant::now();
    while codes(site) != expected {
        let left = Duration::from_secs(20).saturating_sub(started.elapsed());
        assert!(generations.recv_timeout(left).is_ok(), "it still says {:?} and not {expected:?}", codes(site));
    }
}

#[test]
fn files_take_effect_while_it_runs() {
    let (site, generations) = watched(&[("a.wasm", &saying("info", "a-one", "first"))]);
    assert_eq!(codes(&site), ["a-one"]);
    let first = site.runtime.generation();
    fs::write(site.folder.join("b.wasm"), saying("blocker", "b", "second")).unwrap();
    until(&site, &generations, &["a-one", "b"]);
    assert!(site.runtime.generation() > first);
    fs::write(site.folder.join("a.wasm"), saying("info", "a-two", "other")).unwrap();
    until(&site, &generations, &["a-two", "b"]);
    // As an editor or a package manager does it.
    fs::write(site.folder.join(".a.new"), saying("info", "a-three", "renamed")).unwrap();
    fs::rename(site.folder.join(".a.new"), site.folder.join("a.wasm")).unwrap();
    until(&site, &generations, &["a-three", "b"]);
    fs::remove_file(site.folder.join("b.wasm")).unwrap();
    until(&site, &generations, &["a-three"]);
    fs::remove_file(site.folder.join("a.wasm")).unwrap();
    until(&site, &generations, &[host_codes::NO_PRECHECK]);
}

#[test]
fn a_file_that_arrives_in_pieces_counts_when_it_is_whole() {
    use std::io::Write as _;
    let (site, generations) = watched(&[("a.wasm", &saying("info", "a", "first"))]);
    let before = site.runtime.generation();
    let late = saying("warning", "late", "in pieces");
    let mut file = fs::File::create(site.folder.join("late.wasm")).unwrap();
    let (head, tail) = late.split_at(late.len() / 2);
    file.write_all(head).unwrap();
    file.flush().unwrap();
    // Something else happens meanwhile, so the folder is looked at with half a file in it.
    fs::write(site.folder.join("b.wasm"), saying("info", "b", "second")).unwrap();
    file.write_all(tail).unwrap();
    drop(file);
    until(&site, &generations, &["a", "b", "late"]);
    assert!(site.runtime.list().iter().all(|status| status.state == PluginState::Ok));
    assert!(site.runtime.generation() > before);
}

#[test]
fn a_broken_replacement_keeps_the_last_good_one_and_says_so() {
    let (site, generations) = watched(&[("rule.wasm", &saying("blocker", "no", "not today"))]);
    fs::write(site.folder.join("rule.wasm"), b"not a policy at all").unwrap();
    until(&site, &generations, &[OLDER_VERSION, "no"]);
    let finding = &site.findings()[0];
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.message.contains("rule") && finding.message.contains("no WebAssembly"), "{finding:?}");
    let status = &site.runtime.list()[0];
    let PluginState::LastGood { why, .. } = &status.state else { panic!("{status:?}") };
    assert!(why.contains("no WebAssembly"), "{why}");
    let good = saying("info", "yes", "mended");
    fs::write(site.folder.join("rule.wasm"), &good).unwrap();
    until(&site, &generations, &["yes"]);
    assert_eq!(site.runtime.list()[0].state, PluginState::Ok);
}

#[test]
fn a_broken_file_without_a_good_one_before_it_blocks_until_it_goes() {
    let (site, generations) = watched(&[("a.wasm", &saying("info", "a", "first"))]);
    fs::write(site.folder.join("new.wasm"), b"half").unwrap();
    until(&site, &generations, &["a", host_codes::NOT_LOADED]);
    fs::remove_file(site.folder.join("new.wasm")).unwrap();
    until(&site, &generations, &["a"]);
}

#[test]
fn a_folder_that_comes_later_is_followed_too() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("not/yet");
    let places = Places { folders: vec![folder.clone()], cache: None, watch: Watch::On };
    let runtime = PolicyRuntime::open(places, PolicyConfig::default()).unwrap();
    let (sender, generations) = mpsc::channel();
    runtime.on_change(announce(sender));
    let site = Site { runtime, folder: folder.clone(), root };
    assert_eq!(codes(&site), [host_codes::NO_PRECHECK]);
    for round in ["one", "two"] {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.wasm"), saying("info", round, "there")).unwrap();
        until(&site, &generations, &[round]);
        fs::remove_dir_all(&folder).unwrap();
        until(&site, &generations, &[host_codes::NO_PRECHECK]);
    }
}

#[test]
fn later_folders_override_by_name() {
    let root = tempfile::tempdir().unwrap();
    let (shipped, site) = (root.path().join("shipped"), root.path().join("site"));
    for folder in [&shipped, &site] {
        fs::create_dir(folder).unwrap();
    }
    for name in ["a.wasm", "b.wasm"] {
        fs::write(shipped.join(name), saying("info", "shipped", "m")).unwrap();
    }
    fs::write(site.join("b.wasm"), saying("info", "site", "m")).unwrap();
    let places = Places { folders: vec![shipped, site.clone()], cache: None, watch: Watch::Off };
    let runtime = PolicyRuntime::open(places, PolicyConfig::default()).unwrap();
    let codes = || -> Vec<String> {
        let judgement = support::judge(&runtime, &snapshot(1));
        judgement.verdicts[0].findings.iter().map(|judged| judged.finding.code.clone()).collect()
    };
    assert_eq!(codes(), ["shipped", "site"]);
    fs::remove_file(site.join("b.wasm")).unwrap();
    runtime.rescan();
    assert_eq!(codes(), ["shipped", "shipped"]);
    let unchanged = runtime.generation();
    assert_eq!(runtime.rescan(), unchanged);
}

#[test]
fn presence_is_a_matter_of_configuration() {
    let with = |presence| PolicyConfig {
        plugins: BTreeMap::from([(PluginName::new("rule"), PluginConfig { presence, ..PluginConfig::default() })]),
        ..PolicyConfig::default()
    };
    let other: (&str, &[u8]) = ("a.wasm", &saying("info", "a", "m"));
    let site = Site::configured(&[other], with(Presence::Required));
    assert_eq!(codes(&site), ["a", host_codes::NOT_LOADED]);
    fs::write(site.folder.join("rule.wasm"), saying("blocker", "no", "m")).unwrap();
    site.runtime.rescan();
    assert_eq!(codes(&site), ["a", "no"]);
    site.runtime.configure(with(Presence::Never));
    assert_eq!(codes(&site), ["a"]);
    assert_eq!(site.runtime.list()[1].state, PluginState::Ignored);
    site.runtime.configure(with(Presence::Optional));
    assert_eq!(codes(&site), ["a", "no"]);
    fs::remove_file(site.folder.join("rule.wasm")).unwrap();
    site.runtime.rescan();
    assert_eq!(codes(&site), ["a"]);
}

#[test]
fn a_folder_that_is_none_blocks_because_nobody_knows_what_is_missing() {
    let site = Site::with(&[("a.wasm", &saying("info", "a", "m"))]);
    let file = site.root.path().join("file");
    fs::write(&file, "no folder").unwrap();
    let places = Places { folders: vec![site.folder.clone(), file], cache: None, watch: Watch::Off };
    let runtime = PolicyRuntime::open(places, PolicyConfig::default()).unwrap();
    let judgement = support::judge(&runtime, &snapshot(1));
    let blocker = judgement.verdicts[0].findings.iter().find(|judged| judged.finding.severity == Severity::Blocker);
    let finding = &blocker.unwrap().finding;
    assert_eq!(finding.code, host_codes::NOT_LOADED);
    assert!(finding.message.contains("read the plugin folder"), "{finding:?}");
}

#[test]
fn other_files_are_nobodys_business() {
    let site = Site::with(&[("a.wasm", &saying("info", "a", "m")), ("notes.txt", b"text"), (".hidden.wasm", b"half")]);
    fs::create_dir(site.folder.join("folder.wasm")).unwrap();
    fs::set_permissions(site.folder.join("notes.txt"), fs::Permissions::from_mode(0o000)).unwrap();
    site.runtime.rescan();
    assert_eq!(codes(&site), ["a"]);
}
