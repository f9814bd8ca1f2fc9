//! The cache of compiled policies: fast, private, and never trusted further than its authentication goes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use waypost_core::ids::PluginName;
use waypost_policy::{CacheState, Hook, Origin, Places, PluginConfig, PolicyConfig, PolicyRuntime, Unusable, Watch};

use super::support::{self, saying, snapshot};

struct Cached {
    root: tempfile::TempDir,
}

impl Cached {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("plugins")).unwrap();
        fs::write(root.path().join("plugins/rule.wasm"), saying("blocker", "no", "m")).unwrap();
        Self { root }
    }
    fn cache(&self) -> PathBuf {
        self.root.path().join("cache")
    }
    fn open(&self) -> PolicyRuntime {
        let places =
            Places { folders: vec![self.root.path().join("plugins")], cache: Some(self.cache()), watch: Watch::Off };
        let runtime = PolicyRuntime::open(places, PolicyConfig::default()).unwrap();
        // Wherever the code came from, it does what it should.
        let judgement = support::judge(&runtime, &snapshot(1));
        assert_eq!(judgement.verdicts[0].findings[0].finding.code, "no");
        runtime
    }
    /// Whether the policy came out of the cache.
    fn hit(&self) -> bool {
        let loaded = self.open().list()[0].loaded.clone().unwrap();
        matches!(loaded.origin, Origin::Cached { .. })
    }
    fn entries(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.cache()).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|ending| ending == "cwasm")).collect()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_second_start_compiles_nothing() {
    let cached = Cached::new();
    assert!(!cached.hit());
    assert!(cached.hit());
    assert_eq!(
        (mode(&cached.cache()), mode(&cached.cache().join("key")), mode(&cached.entries()[0])),
        (0o700, 0o600, 0o600)
    );
    assert_eq!(cached.entries().len(), 1);
    let files = fs::read_dir(cached.cache()).unwrap().count();
    assert_eq!(files, 2, "nothing half-written is left");
}

#[test]
fn what_nobody_waits_for_any_more_is_compiled_to_its_end_and_found_there() {
    let cached = Cached::new();
    let runtime = cached.open();
    let (name, config) = (PluginName::new("new"), PluginConfig::default());
    let file = saying("info", "fine", "all is well");
    let loaded = loop {
        // No compiler is as quick as that, and no policy is refused for it.
        match runtime.rehearse_within(Duration::ZERO, &name, Some(&file), &config) {
            Ok(loaded) => break loaded,
            Err(Unusable::Compiling(Duration::ZERO) | Unusable::Busy) => std::thread::yield_now(),
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(loaded.hooks, [Hook::Precheck]);
    assert_eq!(cached.entries().len(), 2);
    let again = runtime.rehearse_within(Duration::ZERO, &name, Some(&file), &config).unwrap();
    assert!(matches!(again.origin, Origin::Cached { .. }), "{again:?}");
}

#[test]
fn an_entry_that_was_touched_is_compiled_again() {
    let cached = Cached::new();
    assert!(!cached.hit());
    let [entry] = <[PathBuf; 1]>::try_from(cached.entries()).unwrap();
    let whole = fs::read(&entry).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let cases = [
        flipped(0),
        flipped(20),
        flipped(40),
        flipped(whole.len() / 2),
        flipped(whole.len() - 1),
        whole[..whole.len() / 2].to_vec(),
        whole[..10].to_vec(),
        Vec::new(),
    ];
    for bytes in cases {
        fs::write(&entry, bytes).unwrap();
        assert!(!cached.hit(), "a touched entry was taken");
        assert_eq!(fs::read(&entry).unwrap().len(), whole.len());
        assert!(cached.hit(), "and a whole one was not");
    }
}

#[test]
fn an_entry_of_another_file_or_key_does_not_fit() {
    let cached = Cached::new();
    assert!(!cached.hit());
    let [entry] = <[PathBuf; 1]>::try_from(cached.entries()).unwrap();
    let old = fs::read(&entry).unwrap();
    // Authentic, but for another policy.
    fs::write(cached.root.path().join("plugins/rule.wasm"), saying("blocker", "no", "another")).unwrap();
    assert!(!cached.hit());
    let new = cached.entries().into_iter().find(|path| *path != entry).unwrap();
    fs::write(&new, &old).unwrap();
    assert!(!cached.hit());
    assert!(cached.hit());
    // Another installation's key.
    fs::write(cached.cache().join("key"), [7; 32]).unwrap();
    assert!(!cached.hit());
    assert!(cached.hit());
}

#[test]
fn a_folder_that_others_can_reach_is_not_used() {
    let cached = Cached::new();
    assert!(!cached.hit());
    for (path, open, shut) in [(cached.cache(), 0o755, 0o700), (cached.cache().join("key"), 0o640, 0o600)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
        let runtime = cached.open();
        let CacheState::Refused(error) = runtime.cache_state() else { panic!("{:?}", runtime.cache_state()) };
        assert!(error.to_string().contains("open to others"), "{error}");
        assert!(matches!(runtime.list()[0].loaded.clone().unwrap().origin, Origin::Compiled { .. }));
        fs::set_permissions(&path, fs::Permissions::from_mode(shut)).unwrap();
        assert!(cached.hit());
    }
}

#[test]
fn a_link_is_no_private_folder() {
    let cached = Cached::new();
    let elsewhere = cached.root.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, cached.cache()).unwrap();
    let runtime = cached.open();
    assert!(matches!(runtime.cache_state(), CacheState::Refused(_)));
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}
