//! The policy runtime as a program uses it: open it, ask it (through the core's port), list it, hear of changes.

use std::path::PathBuf;
use std::sync::Arc;

use waypost_core::ids::PluginName;
use waypost_core::verdict::PolicyMode;

use crate::artifact::{Hook, Kind};
use crate::aside::Aside;
use crate::cache::{CacheError, CodeCache};
use crate::chosen;
use crate::config::{Grant, Places, PolicyConfig, Watch};
use crate::engine::{Allocation, EngineError, Machine};
use crate::entry::Askable;
use crate::plugin::{Origin, Plugin};
use crate::registry::{Listener, Patience, Registry, Slot};
use crate::tally::Calls;
use crate::view::Indexes;
use crate::watch::Watcher;

/// All policies of a site. Can be asked from any number of threads.
pub struct PolicyRuntime {
    // Dropped first: it scans the registry from a thread of its own.
    _watcher: Option<Watcher>,
    pub(crate) registry: Arc<Registry>,
    /// Where a file is compiled that is in no folder yet.
    pub(crate) aside: Aside,
    pub(crate) indexes: Indexes,
    cache_state: CacheState,
}

/// What became of the cache.
#[derive(Debug)]
pub enum CacheState {
    /// It is used.
    Used,
    /// None was asked for.
    None,
    /// It can't be used; everything is compiled at every start.
    Refused(CacheError),
}

/// One policy in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginStatus {
    /// Name.
    pub name: PluginName,
    /// File; none: no folder holds it.
    pub file: Option<PathBuf>,
    /// How far it is obeyed.
    pub mode: PolicyMode,
    /// What it may look up beyond the plain facts.
    pub grants: Vec<Grant>,
    /// What is loaded of it.
    pub loaded: Option<LoadedStatus>,
    /// How it stands.
    pub state: PluginState,
}

/// The one policy that is asked for a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedPolicy {
    /// Name.
    pub name: PluginName,
    /// How far it is obeyed.
    pub mode: PolicyMode,
    /// Why it can't answer.
    pub trouble: Option<String>,
}

/// A loaded policy in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedStatus {
    /// SHA-256 of the file that was loaded, hexadecimal.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    /// How it was built.
    pub kind: Kind,
    /// Hooks.
    pub hooks: Vec<Hook>,
    /// Interfaces that it imports.
    pub imports: Vec<String>,
    /// Compiled or out of the cache, and how long that took.
    pub origin: Origin,
    /// The version that it states of itself.
    pub version: Option<String>,
    /// A JSON Schema of its settings, where it states one.
    pub schema: Option<serde_json::Value>,
}

/// How a policy stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginState {
    /// It is asked.
    Ok,
    /// Its file can't be used; the last version that could is asked.
    LastGood {
        /// Why.
        why: String,
        /// What to do.
        remedy: String,
    },
    /// It can't be loaded, and blocks.
    Broken {
        /// Why.
        why: String,
        /// What to do.
        remedy: String,
    },
    /// It refuses its settings, and blocks.
    SettingsRefused {
        /// Its words.
        why: String,
    },
    /// The configuration says not to use it.
    Ignored,
}

impl PolicyRuntime {
    /// Sets up the engine, opens the cache and loads what the folders hold. A policy that can't be loaded, or a cache
    /// that can't be used, is no error here: see [`PolicyRuntime::list`] and [`PolicyRuntime::cache_state`].
    pub fn open(places: Places, config: PolicyConfig) -> Result<Self, EngineError> {
        let machine = Machine::start()?;
        let (cache, cache_state) = match places.cache.as_deref().map(|folder| CodeCache::open(folder, &machine.engine))
        {
            None => (None, CacheState::None),
            Some(Ok(cache)) => (Some(cache), CacheState::Used),
            Some(Err(error)) => {
                tracing::warn!(%error, "open the cache of compiled policies");
                (None, CacheState::Refused(error))
            }
        };
        // A relative folder means the one that it meant at the start. Only an empty path has no absolute form.
        let absolute = |folder: PathBuf| std::path::absolute(&folder).unwrap_or(folder);
        let folders = places.folders.into_iter().map(absolute).collect();
        let registry = Arc::new(Registry::new(machine, cache, folders, config));
        // Watched before it is read, so that no change falls between the two.
        let watcher = (places.watch == Watch::On).then(|| Watcher::prepare(&registry.folders));
        registry.scan(Patience::None);
        let watcher = watcher.and_then(|watcher| watcher.start(&registry));
        Ok(Self { _watcher: watcher, registry, aside: Aside::default(), indexes: Indexes::default(), cache_state })
    }

    /// Takes another configuration for the next decision; answers the new generation.
    pub fn configure(&self, config: PolicyConfig) -> u64 {
        self.registry.configure(config)
    }

    /// Looks at the folders now, also where they are not watched; answers the generation.
    pub fn rescan(&self) -> u64 {
        self.registry.scan(Patience::None).generation
    }

    /// From here on a folder counts as it was when it was last looked at; the others are followed. Once.
    pub fn keep(&self, folder: PathBuf) {
        self.registry.keep(folder);
    }

    /// Number of the current set of policies; grows with every change.
    pub fn generation(&self) -> u64 {
        self.registry.set().generation
    }

    /// Calls `listener` with the new generation after every change, on the thread that made it. It must not block.
    pub fn on_change(&self, listener: Listener) {
        self.registry.listen(listener);
    }

    /// All policies, in alphabetical order.
    pub fn list(&self) -> Vec<PluginStatus> {
        self.registry.set().slots.iter().map(status).collect()
    }

    /// Who is asked for a hook of which one policy is asked; none: there is nobody.
    pub fn asked_for(&self, hook: Hook) -> Option<AskedPolicy> {
        let set = self.registry.set();
        chosen::choose(&set, hook).map(|chosen| chosen.told())
    }

    /// What the calls of each policy came to since the runtime was opened, by policy and hook.
    pub fn calls(&self) -> Vec<Calls> {
        self.registry.tally.read()
    }

    /// What became of the cache.
    pub fn cache_state(&self) -> &CacheState {
        &self.cache_state
    }

    /// Where policies get their memory from.
    pub fn allocation(&self) -> &Allocation {
        &self.registry.machine.allocation
    }
}

fn status(slot: &Slot) -> PluginStatus {
    let (plugin, state) = match &slot.askable {
        Askable::Ready(plugin) => (Some(plugin), PluginState::Ok),
        Askable::LastGood(plugin, trouble) => {
            (Some(plugin), PluginState::LastGood { why: trouble.chain(), remedy: trouble.remedy() })
        }
        Askable::Refusing(plugin, failure) => {
            (Some(plugin), PluginState::SettingsRefused { why: failure.cause.clone() })
        }
        Askable::Broken(trouble) => (None, PluginState::Broken { why: trouble.chain(), remedy: trouble.remedy() }),
        Askable::Ignored => (None, PluginState::Ignored),
    };
    PluginStatus {
        name: slot.name.clone(),
        file: slot.file.clone(),
        mode: slot.config.mode,
        grants: slot.config.grants.iter().copied().collect(),
        loaded: plugin.map(|plugin| loaded(plugin)),
        state,
    }
}

pub(crate) fn loaded(plugin: &Plugin) -> LoadedStatus {
    LoadedStatus {
        digest: plugin.digest.clone(),
        size: plugin.size,
        kind: plugin.kind,
        hooks: Hook::ALL.iter().copied().filter(|hook| plugin.has(*hook)).collect(),
        imports: plugin.imports.clone(),
        origin: plugin.origin,
        version: plugin.stated.version.clone(),
        schema: plugin.stated.schema.clone(),
    }
}
