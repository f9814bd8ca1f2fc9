//! Which policies there are: what the folders hold, what of it could be loaded, and what the next decision uses.
//!
//! A decision takes the current [`Set`] and keeps it to its end; a scan makes a new one and swaps it in. So a file that
//! is added, replaced or removed takes effect for the next decision and for none that is under way.
//!
//! What is known of a name is an [`Entry`]. A file that can't be loaded leaves the last good policy of that name in
//! force, together with the trouble; without a last good one the trouble itself blocks. Only a change of grants is
//! stricter: a policy that can't be linked with less than it had is not kept with more.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use arc_swap::ArcSwap;
use waypost_core::digest::sha256;
use waypost_core::ids::PluginName;

use crate::artifact::LoadError;
use crate::cache::CodeCache;
use crate::call::Caller;
use crate::config::{PluginConfig, PolicyConfig, Presence};
use crate::digests::Digests;
use crate::engine::Machine;
use crate::entry::{Askable, Entry, ask_settings};
use crate::failure::{Failure, FailureKind};
use crate::folders::{self, Stamp};
use crate::plugin::Plugin;
use crate::tally::Tally;

/// What is told when something changed: the new generation.
pub type Listener = Box<dyn Fn(u64) + Send + Sync>;

/// Everything that a decision uses.
pub(crate) struct Set {
    pub generation: u64,
    pub slots: Vec<Slot>,
    pub recovery: Option<PluginName>,
    pub convergence: Option<PluginName>,
}

/// One policy in force.
pub(crate) struct Slot {
    pub name: PluginName,
    pub config: Arc<PluginConfig>,
    pub settings: Arc<str>,
    pub file: Option<PathBuf>,
    pub askable: Askable,
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
    pub tally: Tally,
    pub digests: Digests,
    /// A folder that is not looked at any more.
    kept: OnceLock<PathBuf>,
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

impl Registry {
    pub fn new(machine: Machine, cache: Option<CodeCache>, folders: Vec<PathBuf>, config: PolicyConfig) -> Self {
        Self {
            machine,
            cache,
            folders,
            tally: Tally::default(),
            digests: Digests::default(),
            kept: OnceLock::new(),
            set: ArcSwap::from_pointee(Set { generation: 0, slots: Vec::new(), recovery: None, convergence: None }),
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
            if old != new && entry.trouble.is_some() {
                entry.try_again();
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

    /// From here on what is known of a folder stays. The first one counts.
    pub fn keep(&self, folder: PathBuf) {
        let _known = self.known();
        let _ = self.kept.set(folder);
    }

    fn is_kept(&self, folder: Option<&Path>) -> bool {
        folder.is_some() && self.kept.get().map(PathBuf::as_path) == folder
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
            convergence: config.convergence.clone(),
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
        let known_of = |folder: &Path| {
            let kept = entries.iter().filter(move |(_, entry)| entry.file.parent() == Some(folder));
            kept.map(|(name, entry)| (name.clone(), entry.file.clone())).collect::<Vec<_>>()
        };
        for folder in &self.folders {
            if self.is_kept(Some(folder)) {
                files.extend(known_of(folder));
                continue;
            }
            match folders::plugin_files(folder) {
                Ok(found) => files.extend(found),
                // A folder that isn't there yet holds nothing.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => {
                    files.extend(known_of(folder));
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
        if entry.is_some() && same_file && self.is_kept(file.parent()) {
            return (entry, Looked::UNCHANGED);
        }
        let stamp = fs::metadata(&file).map(|seen| Stamp::of(&seen));
        if let (Some(entry), Ok(stamp), true) = (&entry, &stamp, same_file)
            && entry.seen == Some(*stamp)
        {
            return (Some(entry.clone()), Looked::UNCHANGED);
        }
        let young = stamp.as_ref().is_ok_and(Stamp::is_young);
        let seen = stamp.ok().filter(|stamp| !stamp.is_racy());
        let read = folders::read(&file);
        let digest = read.as_ref().ok().map(|bytes| sha256(bytes));
        // What was read before isn't tried again: neither what is in force, nor what was in trouble.
        if let Some(entry) = &entry
            && digest.is_some()
            && entry.digest == digest
        {
            let mut entry = entry.clone();
            let moved = entry.file != file;
            if moved && entry.trouble.is_none() {
                entry.plugin = entry.plugin.map(|plugin| Arc::new(plugin.moved_to(file.clone())));
            }
            entry.file = file;
            entry.seen = seen;
            return (Some(entry), Looked { changed: moved, unsettled: false });
        }
        let loaded = read.and_then(|bytes| self.load(name, &file, &bytes, digest.clone().unwrap_or_default(), config));
        match loaded {
            Ok((plugin, settings)) => {
                let plugin = Some(Arc::new(plugin));
                let settings = Some((config.settings.clone(), settings));
                let entry = Entry { file, seen, digest, plugin, trouble: None, settings };
                (Some(entry), Looked { changed: true, unsettled: false })
            }
            Err(_) if patience == Patience::WhileYoung && young => {
                let entry = entry.map(|entry| Entry { seen: None, ..entry });
                (entry, Looked { changed: false, unsettled: true })
            }
            Err(trouble) => {
                let last_good = entry.and_then(|entry| Some((entry.plugin?, entry.settings)));
                let (plugin, settings) = last_good.map_or((None, None), |(plugin, settings)| (Some(plugin), settings));
                tracing::warn!(%name, file = %file.display(), error = trouble.chain(), "load a policy");
                let slow = matches!(&trouble, LoadError::Settings(failure) if failure.kind == FailureKind::TimedOut);
                let mut entry = Entry { file, seen, digest, plugin, trouble: Some(Arc::new(trouble)), settings };
                if slow {
                    entry.try_again();
                }
                (Some(entry), Looked { changed: true, unsettled: false })
            }
        }
    }

    /// What a file comes to, with what the policy says of its settings.
    pub fn load(
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
        // A compiler is a large program and the file may be anything: its panic must not be ours.
        let load = || Plugin::load(&self.machine, self.cache.as_ref(), file.to_owned(), bytes, digest, &config.grants);
        let plugin = panic::catch_unwind(AssertUnwindSafe(load))
            .unwrap_or_else(|_| Err(LoadError::Compile { why: "the compiler panicked".to_owned() }))?;
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

fn slots(
    config: &PolicyConfig,
    entries: &BTreeMap<PluginName, Entry>,
    closed: &[(PathBuf, Arc<LoadError>)],
) -> Vec<Slot> {
    let slot = |name: &PluginName, file: Option<PathBuf>, askable| {
        let config = config.plugin(name);
        Slot { name: name.clone(), settings: config.settings.as_str().into(), config: Arc::new(config), file, askable }
    };
    let mut slots: Vec<Slot> =
        entries.iter().map(|(name, entry)| slot(name, Some(entry.file.clone()), entry.askable())).collect();
    for (name, plugin) in &config.plugins {
        match plugin.presence {
            Presence::Never => slots.push(slot(name, None, Askable::Ignored)),
            Presence::Required if !entries.contains_key(name) => {
                slots.push(slot(name, None, Askable::Broken(Arc::new(LoadError::Missing))));
            }
            Presence::Required | Presence::Optional => {}
        }
    }
    for (folder, trouble) in closed {
        let host = PluginName::new(crate::policies::HOST);
        slots.push(slot(&host, Some(folder.clone()), Askable::Broken(Arc::clone(trouble))));
    }
    slots.sort_by(|a, b| a.name.cmp(&b.name));
    slots
}
