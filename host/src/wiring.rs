//! Puts the parts together: the one place that names libvirt, the simulator, the policy runtime and the store at once.
//!
//! Each part can be had alone, because a command that lists tasks must not wait for hosts or policies.

mod fleet;
mod holder;
mod listing;
mod named;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use thiserror::Error;
use tokio::time::Instant;
use waypost_core::access::Ledger;
use waypost_core::feed::Feed;
use waypost_core::ids::{HostName, Moment};
use waypost_core::ports::{Clock, Depth, Hypervisor, Store, StoreFault, Wanted};
use waypost_policy::{Grant, Places, PluginStatus, PolicyRuntime, Watch};
use waypost_store::{POLICY_FOLDER, SqliteStore};

pub use fleet::SimulationError;
pub(crate) use holder::Holder;
pub use listing::{plugins, standing, unheld};

use crate::config::{Config, ConfigError};
use crate::overlay::{Overlay, OverlayError};

/// A store that several parts hold.
pub type SharedStore = Arc<dyn Store>;

/// The same, for readers of what happens.
pub type SharedFeed = Arc<dyn Feed>;

/// The same, for who may do what.
pub type SharedLedger = Arc<dyn Ledger>;

/// One store, for each kind of its users.
#[derive(Clone)]
pub struct Stores {
    /// For whoever drives tasks.
    pub store: SharedStore,
    /// For readers of what happens.
    pub feed: SharedFeed,
    /// For who may do what.
    pub ledger: SharedLedger,
}

/// Which hosts there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum World {
    /// Those of the configuration, over libvirt.
    Libvirt,
    /// Simulated ones.
    Simulated {
        /// TOML file that describes them.
        fleet: PathBuf,
        /// How their time passes.
        pace: Pace,
    },
}

/// How simulated time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as possible. The runtime's clock must be paused: then it jumps whenever everybody waits.
    Virtual,
    /// As on a clock.
    Real,
}

/// Whether the plugin folders are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watching {
    /// Read once: for a single command.
    Off,
    /// A change takes effect for the next decision.
    On,
    /// The same, but what was changed over the service stays as it was at the start: for a command that goes on beside a service,
    /// whose changes are of a file and of what is said of it at once.
    Configured,
}

/// Why the parts could not be put together.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The store.
    #[error(transparent)]
    Store(StoreFault),
    /// The description of the simulated hosts.
    #[error("the simulated hosts of {path} can't be had")]
    Fleet {
        /// File.
        path: PathBuf,
        /// Why.
        source: SimulationError,
    },
    /// What was said of policies over the service.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// The policy runtime.
    #[error("the policy runtime can't be started")]
    Policies(#[source] waypost_policy::EngineError),
    /// A policy that the configuration names can't be the one that is asked.
    #[error(transparent)]
    Named(ConfigError),
    /// A defect in it.
    #[error("a defect: the thread that loads the policies panicked")]
    Panicked,
}

/// Where a world's tasks are on record. Simulated ones are kept apart: nobody must take one for real.
pub fn state_folder(config: &Config, world: &World) -> PathBuf {
    match world {
        World::Libvirt => config.state_dir.clone(),
        World::Simulated { .. } => config.state_dir.join("simulated"),
    }
}

/// Where a world's policies are that were uploaded, with what was said of policies over the service.
pub fn own_plugins(config: &Config, world: &World) -> PathBuf {
    let folder = state_folder(config, world).join(POLICY_FOLDER);
    // As the policies know their folders. Only an empty path has no absolute form.
    std::path::absolute(&folder).unwrap_or(folder)
}

/// A configuration as a person wrote it, with what was said of policies over the service before it: what whoever asks them
/// works with.
pub fn with_overlay(config: &Config, world: &World) -> Result<Config, OpenError> {
    Ok(Overlay::read(own_plugins(config, world))?.over(config))
}

/// The store.
pub fn store(config: &Config, world: &World) -> Result<SharedStore, OpenError> {
    stores(config, world).map(|stores| stores.store)
}

/// The store for all its users.
pub fn stores(config: &Config, world: &World) -> Result<Stores, OpenError> {
    let store = Arc::new(SqliteStore::open(&state_folder(config, world)).map_err(OpenError::Store)?);
    Ok(Stores { store: Arc::clone(&store) as SharedStore, feed: Arc::clone(&store) as SharedFeed, ledger: store })
}

/// The policies, whatever is wrong with them: for a list.
pub fn policies(config: &Config, watching: Watching) -> Result<PolicyRuntime, OpenError> {
    let places = Places {
        folders: config.plugin_folders.clone(),
        cache: Some(config.cache_dir.join("plugins")),
        watch: match watching {
            Watching::Off => Watch::Off,
            Watching::On | Watching::Configured => Watch::On,
        },
    };
    let policies = PolicyRuntime::open(places, config.policies.clone()).map_err(OpenError::Policies)?;
    if let (Watching::Configured, Some(overlay)) = (watching, &config.overlay) {
        policies.keep(overlay.folder.clone());
    }
    Ok(policies)
}

/// The same for whoever is going to ask them: each that the configuration names must be there.
pub fn policies_to_ask(config: &Config, watching: Watching) -> Result<PolicyRuntime, OpenError> {
    let policies = policies(config, watching)?;
    named::check(config, &policies.list()).map_err(OpenError::Named)?;
    Ok(policies)
}

/// Why a policy that the configuration names could not be asked, if these were all there are; none: each can.
pub(crate) fn unmeant(config: &Config, there: &[PluginStatus]) -> Option<String> {
    named::wrong(config, there).into_iter().next().map(|(_, error)| error.to_string())
}

/// Hosts, and the clock by which their time passes.
pub struct Hosts {
    /// The hosts.
    pub hypervisor: Arc<dyn Hypervisor>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Their owner, who can be given others.
    pub(crate) holder: Holder,
}

/// The hosts of a world.
pub fn hosts(config: &Config, world: &World) -> Result<Hosts, OpenError> {
    match world {
        World::Libvirt => {
            let hosts = Arc::new(waypost_libvirt::Libvirt::new(config.hosts.iter().cloned()));
            let holder = Holder::Libvirt(Arc::clone(&hosts));
            Ok(Hosts { hypervisor: hosts, clock: Arc::new(WallClock), holder })
        }
        World::Simulated { fleet: path, .. } => {
            let world = fleet::world(path).map_err(|source| OpenError::Fleet { path: path.clone(), source })?;
            let holder = Holder::Simulated { world: world.clone(), file: path.clone() };
            Ok(Hosts { hypervisor: Arc::new(world), clock: Arc::new(RuntimeClock::start()), holder })
        }
    }
}

/// Begins to connect to every host. Whoever asks next finds the connection open, or waits for the rest of its opening;
/// what is wrong with a host is told to whoever asks.
pub fn connect_early(hypervisor: &Arc<dyn Hypervisor>, world: &World) {
    if *world == World::Libvirt {
        connect_to(hypervisor, hypervisor.hosts());
    }
}

/// The same for some hosts. Must be called inside a tokio runtime.
pub(crate) fn connect_to(hypervisor: &Arc<dyn Hypervisor>, hosts: impl IntoIterator<Item = HostName>) {
    for host in hosts {
        let hypervisor = Arc::clone(hypervisor);
        tokio::spawn(async move {
            // Any question opens the connection; this one is the cheapest.
            let _ = hypervisor.domains(&host).await;
        });
    }
}

/// How much of a host is read: the heavy parts only where some policy was granted them.
pub fn depth(config: &Config) -> Depth {
    let granted = config.policies.granted();
    let wanted = |grant| if granted.contains(&grant) { Wanted::Yes } else { Wanted::No };
    Depth { volumes: wanted(Grant::Volumes), node_devices: wanted(Grant::NodeDevices) }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The runtime's clock, beginning now: under virtual time records tell the time that passed for the hosts.
#[derive(Debug, Clone, Copy)]
struct RuntimeClock {
    at: Moment,
    began: Instant,
}

impl RuntimeClock {
    fn start() -> Self {
        Self { at: WallClock.now(), began: Instant::now() }
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Moment {
        let passed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Moment(self.at.0.saturating_add(passed))
    }
}
