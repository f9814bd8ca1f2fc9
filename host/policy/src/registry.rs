//! Which policies there are: what the folders hold, what of it could be loaded, and what the next decision uses.
//!
//! A decision takes the current [`Set`] and keeps it to its end; a scan makes a new one and swaps it in. So a file that
//! is added, replaced or removed takes effect for the next decision and for none that is under way.
//!
//! What is known of a name is an [`Entry`]. A file that can't be loaded leaves the last good policy of that name in
//! force, together with the trouble; without a last good one the trouble itself blocks. Only a change of grants is
//! stricter: a policy that can't be linked with less than it had is not kept with more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use waypost_core::ids::PluginName;

use crate::artifact::{FILE_BYTES, LoadError};
use crate::cache::CodeCache;
use crate::call::Caller;
use crate::config::{PluginConfig, PolicyConfig, Presence};
use crate::engine::Machine;
use crate::failure::{Failure, FailureKind};
use crate::plugin::{self, Plugin};

/// A file that changed less than this ago may still be on its way: trouble with it is not reported yet.
const SETTLE: Duration = Duration::from_millis(300);
/// A file that changed less than this before it was read may change again without its times telling.
const RACY: Duration = Duration::from_millis(50);

/// What is told when something changed: the new generation.
pub type Listener = Box<dyn Fn(u64) + Send + Sync>;

/// Everything that a decision uses.
pub(crate) struct Set {
    pub generation: u64,
    pub slots: Vec<Slot>,
    pub recovery: Option<PluginName>,
}

/// One policy in force.
pub(crate) struct Slot {
    pub name: PluginName,
    pub config: Arc<PluginConfig>,
    pub settings: Arc<str>,
    pub file: Option<PathBuf>,
    pub standing: Standing,
}

/// What can be asked under a name.
#[derive(Clone)]
pub(crate) enum Standing {
    /// It works.
    Ready(Arc<Plugin>),
    /// The file is newer than the policy and can't be used.
    LastGood(Arc<Plugin>, Arc<LoadError>),
    /// It is loaded and refuses its settings.
    Refusing(Arc<Plugin>, Failure),
    /// Nothing to ask.
    Broken(Arc<LoadError>),
    /// Not loaded because the configuration says so.
    Ignored,
}

impl Slot {
    pub fn caller(&self) -> Caller<'_> {
        Caller { plugin: &self.name, settings: &self.settings, limits: self.config.limits }
    }
}

/// Whether a scan waits for files that are being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Trouble is reported at once.
    None,
    /// Trouble with a file that has just changed is looked at again first.
    WhileYoung,
}

/// What a scan came to.
pub(crate) struct Scanned {
    pub generation: u64,
    /// Something is still on its way: scan again soon.
    pub unsettled: bool,
}

/// The folders, and what is known of them.
pub(crate) struct Registry {
    pub machine: Machine,
    pub cache: Option<CodeCache>,
    pub folders: Vec<PathBuf>,
    set: ArcSwap<Set>,
    known: Mutex<Known>,
    listeners: Mutex<Vec<Arc<Listener>>>,
}

struct Known {
    config: PolicyConfig,
    entries: BTreeMap<PluginName, Entry>,
    /// Folders that can't be read.
    closed: Vec<(PathBuf, Arc<LoadError>)>,
}

struct Entry {
    file: PathBuf,
    /// The file as it was read; none: read it again.
    seen: Option<Stamp>,
    /// Digest of what was read last, good or not.
    digest: Option<String>,
    plugin: Option<Arc<Plugin>>,
    trouble: Option<Arc<LoadError>>,
    /// What the plugin said of its settings, and of which.
    settings: Option<(String, Result<(), Failure>)>,
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(seen: &fs::Metadata) -> Self {
        Self {
            device: seen.dev(),
            inode: seen.ino(),
            size: seen.size(),
            modified: (seen.mtime(), seen.mtime_nsec()),
            changed: (seen.ctime(), seen.ctime_nsec()),
        }
    }
    /// How long ago the file changed; a time in the future counts as just now.
    fn age(&self, now: SystemTime) -> Duration {
        let since =
            Duration::new(u64::try_from(self.changed.0).unwrap_or(0), u32::try_from(self.changed.1).unwrap_or(0));
        now.duration_since(SystemTime::UNIX_EPOCH + since).unwrap_or(Duration::ZERO)
    }
}

impl Registry {
    pub fn new(machine: Machine, cache: Option<CodeCache>, folders: Vec<PathBuf>, config: PolicyConfig) -> Self {
        Self {
            machine,
            cache,
            folders,
            set: ArcSwap::from_pointee(Set { generation: 0, slots: Vec::new(), recovery: None }),
            known: Mutex::new(Known { config, entries: BTreeMap::new(), closed: Vec::new() }),
            listeners: Mutex::new(Vec::new()),
        }
    }

    pub fn set(&self) -> Arc<Set> {
        self.set.load_full()
    }

    pub fn listen(&self, listener: Listener) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(listener));
    }

    /// Takes another configuration; policies are asked about changed settings and linked anew for changed grants.
    pub fn configure(&self, config: PolicyConfig) -> u64 {
        let mut known = self.known();
        let before = std::mem::replace(&mut known.config, config);
        let Known { config, entries, .. } = &mut *known;
        for (name, entry) in entries.iter_mut() {
            let (old, new) = (before.plugin(name), config.plugin(name));
            if old.presence != new.presence {
                entry.seen = None;
                entry.digest = None;
            }
            if old.grants != new.grants {
                entry.regrant(&self.machine, &new.grants);
            }
        }
        self.scan_known(known, Patience::None, Publish::Always).generation
    }

    /// Looks at the folders and loads what changed.
    pub fn scan(&self, patience: Patience) -> Scanned {
        self.scan_known(self.known(), patience, Publish::IfChanged)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scan_known(&self, mut known: MutexGuard<'_, Known>, patience: Patience, publish: Publish) -> Scanned {
        let Known { config, entries, closed } = &mut *known;
        let now_closed = self.list(entries, closed, config);
        let mut changed = now_closed.changed || publish == Publish::Always;
        let mut unsettled = false;
        let work: Vec<(PluginName, PathBuf, Option<Entry>)> = now_closed
            .files
            .into_iter()
            .map(|(name, file)| {
                let entry = entries.remove(&name);
                (name, file, entry)
            })
            .collect();
        for (name, entry, outcome) in self.look_at_all(work, config, patience) {
            changed |= outcome.changed;
            unsettled |= outcome.unsettled;
            if let Some(entry) = entry {
                entries.insert(name, entry);
            }
        }
        for (name, entry) in entries.iter_mut() {
            changed |= entry.check_settings(&self.machine, name, &config.plugin(name));
        }
        let generation = self.set.load().generation;
        if !changed && generation > 0 {
            return Scanned { generation, unsettled };
        }
        let generation = generation + 1;
        self.set.store(Arc::new(Set {
            generation,
            slots: slots(config, entries, closed),
            recovery: config.recovery.clone(),
        }));
        drop(known);
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for listener in listeners {
            listener(generation);
        }
        Scanned { generation, unsettled }
    }

    /// The file of every name, by folder order; forgets the names that no folder holds any more.
    fn list(
        &self,
        entries: &mut BTreeMap<PluginName, Entry>,
        closed: &mut Vec<(PathBuf, Arc<LoadError>)>,
        config: &PolicyConfig,
    ) -> Listed {
        let (mut files, mut now_closed) = (BTreeMap::new(), Vec::new());
        for folder in &self.folders {
            match plugin_files(folder) {
                Ok(found) => files.extend(found),
                // A folder that isn't there yet holds nothing.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => {
                    let kept = entries.iter().filter(|(_, entry)| entry.file.parent() == Some(folder));
                    files.extend(kept.map(|(name, entry)| (name.clone(), entry.file.clone())));
                    now_closed.push((folder.clone(), Arc::new(LoadError::Folder { folder: folder.clone(), source })));
                }
            }
        }
        let before = entries.len();
        entries.retain(|name, _| files.contains_key(name) && config.plugin(name).presence != Presence::Never);
        let was: Vec<&PathBuf> = closed.iter().map(|(folder, _)| folder).collect();
        let is: Vec<&PathBuf> = now_closed.iter().map(|(folder, _)| folder).collect();
        let changed = before != entries.len() || was != is;
        *closed = now_closed;
        files.retain(|name, _| config.plugin(name).presence != Presence::Never);
        Listed { files, changed }
    }

    /// Several files at once where there are several processors: only compiling makes it worth it.
    fn look_at_all(
        &self,
        work: Vec<(PluginName, PathBuf, Option<Entry>)>,
        config: &PolicyConfig,
        patience: Patience,
    ) -> Vec<(PluginName, Option<Entry>, Looked)> {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(work.len());
        let queue = Mutex::new(work);
        let done = Mutex::new(Vec::new());
        let run = || {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let Some((name, file, entry)) = next else { return };
                let (entry, looked) = self.look_at(&name, file, entry, &config.plugin(&name), patience);
                done.lock().unwrap_or_else(PoisonError::into_inner).push((name, entry, looked));
            }
        };
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(run);
            }
            run();
        });
        done.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_at(
        &self,
        name: &PluginName,
        file: PathBuf,
        entry: Option<Entry>,
        config: &PluginConfig,
        patience: Patience,
    ) -> (Option<Entry>, Looked) {
        let same_file = entry.as_ref().is_some_and(|entry| entry.file == file);
        let stamp = fs::metadata(&file).map(|seen| Stamp::of(&seen));
        if let (Some(entry), Ok(stamp), true) = (&entry, &stamp, same_file)
            && entry.seen == Some(*stamp)
        {
            return (Some(entry_of(entry)), Looked::UNCHANGED);
        }
        let young = stamp.as_ref().map_or(Duration::MAX, |stamp| stamp.age(SystemTime::now()));
        let seen = stamp.ok().filter(|_| young > RACY);
        let read = read(&file);
        let digest = read.as_ref().ok().map(|bytes| plugin::digest(bytes));
        // What was read before isn't tried again: neither what is in force, nor what was in trouble.
        if let Some(entry) = &entry
            && digest.is_some()
            && entry.digest == digest
        {
            let mut entry = entry_of(entry);
            let moved = entry.file != file;
            if moved && entry.trouble.is_none() {
                entry.plugin = entry.plugin.map(|plugin| Arc::new(plugin.moved_to(file.clone())));
            }
            entry.file = file;
            entry.seen = seen;
            return (
                Some(entry),
                Looked { changed: moved, unsettled: seen.is_none() && patience == Patience::WhileYoung },
            );
        }
        let loaded = read.and_then(|bytes| self.load(name, &file, &bytes, digest.clone().unwrap_or_default(), config));
        match loaded {
            Ok((plugin, settings)) => {
                let plugin = Some(Arc::new(plugin));
                let settings = Some((config.settings.clone(), settings));
                let entry = Entry { file, seen, digest, plugin, trouble: None, settings };
                (Some(entry), Looked { changed: true, unsettled: seen.is_none() && patience == Patience::WhileYoung })
            }
            Err(_) if patience == Patience::WhileYoung && young < SETTLE => {
                let entry = entry.map(|entry| Entry { seen: None, ..entry });
                (entry, Looked { changed: false, unsettled: true })
            }
            Err(trouble) => {
                let last_good = entry.and_then(|entry| Some((entry.plugin?, entry.settings)));
                let (plugin, settings) = last_good.map_or((None, None), |(plugin, settings)| (Some(plugin), settings));
                tracing::warn!(%name, file = %file.display(), error = trouble.chain(), "load a policy");
                let entry = Entry { file, seen, digest, plugin, trouble: Some(Arc::new(trouble)), settings };
                (Some(entry), Looked { changed: true, unsettled: false })
            }
        }
    }

    fn load(
        &self,
        name: &PluginName,
        file: &Path,
        bytes: &[u8],
        digest: String,
        config: &PluginConfig,
    ) -> Result<(Plugin, Result<(), Failure>), LoadError> {
        if name.as_str() == crate::policies::HOST {
            return Err(LoadError::Name);
        }
        let plugin = Plugin::load(&self.machine, self.cache.as_ref(), file.to_owned(), bytes, digest, &config.grants)?;
        let settings = ask_settings(&self.machine, name, &plugin, config);
        match settings {
            // A policy that can't even look at its settings is not better than one that can't be read.
            Err(failure) if failure.kind != FailureKind::SettingsRefused => Err(LoadError::Settings(failure)),
            settings => Ok((plugin, settings)),
        }
    }
}

/// Whether a new set is made even if the folders are as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Publish {
    IfChanged,
    Always,
}

struct Listed {
    files: BTreeMap<PluginName, PathBuf>,
    changed: bool,
}

struct Looked {
    changed: bool,
    unsettled: bool,
}

impl Looked {
    const UNCHANGED: Self = Self { changed: false, unsettled: false };
}

impl Entry {
    fn regrant(&mut self, machine: &Machine, grants: &BTreeSet<crate::config::Grant>) {
        // Trouble may have been a missing grant.
        if self.trouble.is_some() {
            self.seen = None;
            self.digest = None;
        }
        let Some(plugin) = &self.plugin else { return };
        match plugin.relink(machine, grants) {
            Ok(plugin) => self.plugin = Some(Arc::new(plugin)),
            Err(trouble) => {
                self.plugin = None;
                self.trouble = Some(Arc::new(trouble));
            }
        }
    }

    /// Asks about settings that the policy hasn't seen; says whether anything changed.
    fn check_settings(&mut self, machine: &Machine, name: &PluginName, config: &PluginConfig) -> bool {
        let Some(plugin) = &self.plugin else { return false };
        if self.settings.as_ref().is_some_and(|(asked, _)| *asked == config.settings) {
            return false;
        }
        self.settings = Some((config.settings.clone(), ask_settings(machine, name, plugin, config)));
        true
    }

    fn standing(&self) -> Standing {
        match (&self.plugin, &self.trouble, &self.settings) {
            (None, Some(trouble), _) => Standing::Broken(Arc::clone(trouble)),
            (None, None, _) => Standing::Broken(Arc::new(LoadError::Missing)),
            (Some(plugin), _, Some((_, Err(failure)))) => Standing::Refusing(Arc::clone(plugin), failure.clone()),
            (Some(plugin), Some(trouble), _) => Standing::LastGood(Arc::clone(plugin), Arc::clone(trouble)),
            (Some(plugin), None, _) => Standing::Ready(Arc::clone(plugin)),
        }
    }
}

fn entry_of(entry: &Entry) -> Entry {
    Entry {
        file: entry.file.clone(),
        seen: entry.seen,
        digest: entry.digest.clone(),
        plugin: entry.plugin.clone(),
        trouble: entry.trouble.clone(),
        settings: entry.settings.clone(),
    }
}

fn ask_settings(machine: &Machine, name: &PluginName, plugin: &Plugin, config: &PluginConfig) -> Result<(), Failure> {
    let settings: Arc<str> = config.settings.as_str().into();
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&settings) {
        return Err(Failure::new(FailureKind::SettingsRefused, format!("has settings that are no JSON: {error}")));
    }
    plugin.validate_settings(machine, &Caller { plugin: name, settings: &settings, limits: config.limits })
}

fn slots(
    config: &PolicyConfig,
    entries: &BTreeMap<PluginName, Entry>,
    closed: &[(PathBuf, Arc<LoadError>)],
) -> Vec<Slot> {
    let slot = |name: &PluginName, file: Option<PathBuf>, standing| {
        let config = config.plugin(name);
        Slot { name: name.clone(), settings: config.settings.as_str().into(), config: Arc::new(config), file, standing }
    };
    let mut slots: Vec<Slot> =
        entries.iter().map(|(name, entry)| slot(name, Some(entry.file.clone()), entry.standing())).collect();
    for (name, plugin) in &config.plugins {
        match plugin.presence {
            Presence::Never => slots.push(slot(name, None, Standing::Ignored)),
            Presence::Required if !entries.contains_key(name) => {
                slots.push(slot(name, None, Standing::Broken(Arc::new(LoadError::Missing))));
            }
            Presence::Required | Presence::Optional => {}
        }
    }
    for (folder, trouble) in closed {
        let host = PluginName::new(crate::policies::HOST);
        slots.push(slot(&host, Some(folder.clone()), Standing::Broken(Arc::clone(trouble))));
    }
    slots.sort_by(|a, b| a.name.cmp(&b.name));
    slots
}

/// Names and files of a folder; hidden files are nobody's, so that a copying program may use them.
fn plugin_files(folder: &Path) -> io::Result<Vec<(PluginName, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden || path.extension().is_none_or(|ending| ending != "wasm") || path.is_dir() {
            continue;
        }
        if let Some(stem) = path.file_stem() {
            files.push((PluginName::new(stem.to_string_lossy()), path));
        }
    }
    Ok(files)
}

pub(crate) fn read(file: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read { file: file.to_owned(), source };
    let seen = fs::metadata(file).map_err(failed)?;
    if seen.len() > FILE_BYTES {
        return Err(LoadError::TooLarge { size: seen.len() });
    }
    if !seen.is_file() {
        return Err(failed(io::Error::other("it is no regular file")));
    }
    fs::read(file).map_err(failed)
}
