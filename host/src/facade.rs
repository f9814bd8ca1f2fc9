//! Waypost in one value, for programs that embed it and for the command line.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use waypost_api::v1;
use waypost_core::facts::Disk;
use waypost_core::ids::Moment;
use waypost_core::plan::Plan;
use waypost_core::ports::{Clock, Hypervisor, Policies};
use waypost_core::request::Options;
use waypost_engine::Engine;
use waypost_policy::PolicyRuntime;
use waypost_service::{Limits, Parts, PluginCalls, Service, Site};

use crate::builder::Builder;
use crate::choices::{planned_choices, recorded_choices};
use crate::config::Config;
use crate::reload::{self, ReloadError, Reloaded};
use crate::wiring::{self, Hosts, OpenError, SharedFeed, SharedLedger, SharedStore, Stores, Watching, World};

/// Hosts, policies, store and the engine over them. Made and used inside a tokio runtime.
#[derive(Clone)]
pub struct Waypost {
    engine: Engine,
    hypervisor: Arc<dyn Hypervisor>,
    policies: Arc<PolicyRuntime>,
    stores: Stores,
    clock: Arc<dyn Clock>,
    /// One for all clones: a reload is for everybody.
    config: Arc<RwLock<Arc<Config>>>,
    /// Held by whoever reloads.
    reloading: Arc<Mutex<()>>,
}

impl Waypost {
    /// Says step by step what is wanted.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Over libvirt, with the plugin folders followed: for a program that stays.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        Self::assemble(config, &World::Libvirt, Watching::On)
    }

    /// Over the hosts of that world.
    pub fn assemble(config: &Config, world: &World, watching: Watching) -> Result<Self, OpenError> {
        let (hosts, store) = (wiring::hosts(config, world)?, wiring::stores(config, world)?);
        Ok(Self::of(config, hosts, store, wiring::policies_to_ask(config, watching)?))
    }

    /// The same for a program that somebody waits for: hosts are connected to while the policies are loaded, because the
    /// two together are most of what a command costs.
    pub async fn assemble_swiftly(config: &Config, world: &World, watching: Watching) -> Result<Self, OpenError> {
        let hosts = wiring::hosts(config, world)?;
        wiring::connect_early(&hosts.hypervisor, world);
        let loading = {
            let config = config.clone();
            tokio::task::spawn_blocking(move || wiring::policies_to_ask(&config, watching))
        };
        let store = wiring::stores(config, world)?;
        Ok(Self::of(config, hosts, store, loading.await.map_err(|_| OpenError::Panicked)??))
    }

    fn of(config: &Config, hosts: Hosts, stores: Stores, policies: PolicyRuntime) -> Self {
        let Hosts { hypervisor, clock } = hosts;
        let policies = Arc::new(policies);
        let engine = Engine::new(
            Arc::clone(&hypervisor),
            Arc::clone(&policies) as Arc<dyn Policies>,
            Arc::clone(&stores.store),
            Arc::clone(&clock),
            config.engine.clone(),
            wiring::depth(config),
        );
        let config = Arc::new(RwLock::new(Arc::new(config.clone())));
        Self { engine, hypervisor, policies, stores, clock, config, reloading: Arc::default() }
    }

    /// What answers questions and moves domains.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The hosts themselves.
    pub fn hypervisor(&self) -> &Arc<dyn Hypervisor> {
        &self.hypervisor
    }

    /// The policies themselves.
    pub fn policies(&self) -> &Arc<PolicyRuntime> {
        &self.policies
    }

    /// What the configuration says of policies that aren't there, one sentence each.
    pub fn unheld_policies(&self) -> Vec<String> {
        wiring::unheld(&self.config(), &self.policies).into_iter().map(|(_, why)| why).collect()
    }

    /// Calls a listener after every change of the policies, on a thread of theirs. It must not block.
    pub fn on_policy_change(&self, listener: impl Fn() + Send + Sync + 'static) {
        self.policies.on_change(Box::new(move |_| listener()));
    }

    /// Journals, tasks and decision records.
    pub fn store(&self) -> &SharedStore {
        &self.stores.store
    }

    /// The same store, for readers of what happens.
    pub fn feed(&self) -> &SharedFeed {
        &self.stores.feed
    }

    /// The same store, for tokens and the audit log.
    pub fn ledger(&self) -> &SharedLedger {
        &self.stores.ledger
    }

    /// The configuration that is in force.
    pub fn config(&self) -> Arc<Config> {
        in_force(&self.config)
    }

    /// Takes as much of another configuration as a running program can: what is said of policies, settings of the engine,
    /// networks and limits, from the next decision on. What was kept as it was is in the answer. Where the new configuration
    /// can't be used (a policy refuses its settings, one that is named is missing), everything stays as it is, and the error
    /// says why. Policies, engine and configuration change one after the other, so a decision that is being made meanwhile may
    /// see some of either; the next one sees the new. One reload waits for the one before it. Reads and compiles policies: call
    /// it where blocking is allowed.
    pub fn reload(&self, new: &Config) -> Result<Reloaded, ReloadError> {
        // Two at once could leave the policies of the one beside the limits of the other. What a panic leaves is overwritten.
        let _turn = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.config();
        let (now, reloaded) = reload::merged(&before, new);
        reload::rehearse(&now, &before, &self.policies)?;
        self.policies.configure(now.policies.clone());
        self.engine.adjust(now.engine.clone(), wiring::depth(&now));
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(now);
        Ok(reloaded)
    }

    /// Makes a service of it and sets it to work: see [`Service`]. Must be called inside the runtime.
    ///
    /// ```
    /// use axum::Extension;
    /// use waypost::service::{Caller, Limits};
    /// # use waypost::{Config, Pace, Waypost};
    /// # let folder = tempfile::tempdir()?;
    /// # let fleet = folder.path().join("fleet.toml");
    /// # std::fs::write(&fleet, "host = [{ name = 'a' }]")?;
    /// # let (state_dir, cache_dir) = (folder.path().join("state"), folder.path().join("cache"));
    /// # let config = Config { state_dir, cache_dir, ..Config::default() };
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// # runtime.block_on(async {
    /// # let waypost = Waypost::builder().config(config).simulated(&fleet, Pace::Real).open()?;
    ///
    /// let service = waypost.serve(Limits::default());
    /// // Whoever is known to this program to ask; without a `Caller` every request is refused.
    /// let api = service.router().layer(Extension(Caller::named("anna")));
    /// let app = axum::Router::<()>::new().nest_service("/waypost", api);
    /// # drop(app);
    /// # service.drain(std::time::Duration::from_secs(1)).await;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn serve(&self, limits: Limits) -> Service {
        let site = Configured { config: Arc::clone(&self.config), policies: Arc::clone(&self.policies) };
        let parts = Parts {
            engine: self.engine.clone(),
            hypervisor: Arc::clone(&self.hypervisor),
            store: Arc::clone(&self.stores.store),
            feed: Arc::clone(&self.stores.feed),
            ledger: Arc::clone(&self.stores.ledger),
            clock: Arc::clone(&self.clock),
            site: Arc::new(site),
        };
        let config = self.config();
        Service::start(parts, limits).with_kimchi(config.kimchi.clone()).with_access(config.access.clone())
    }

    /// Now, by the clock of these hosts.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }
}

/// What the service is told of the configuration and the policies.
struct Configured {
    config: Arc<RwLock<Arc<Config>>>,
    policies: Arc<PolicyRuntime>,
}

impl Site for Configured {
    fn plugins(&self) -> v1::Plugins {
        wiring::plugins(&in_force(&self.config), &self.policies)
    }

    fn choices(&self, plan: &Plan, asked: &Options, disks: &[Disk]) -> Vec<v1::Choice> {
        planned_choices(&in_force(&self.config), &self.policies, plan, asked, disks)
    }

    fn recorded_choices(&self, plan: &Plan, asked: &Options) -> Vec<v1::Choice> {
        recorded_choices(plan, asked)
    }

    fn plugin_calls(&self) -> Vec<PluginCalls> {
        let told = |calls: waypost_policy::Calls| PluginCalls {
            plugin: calls.plugin.to_string(),
            hook: calls.hook.to_string(),
            calls: calls.calls,
            failures: calls.failures.into_iter().map(|(failure, count)| (failure.to_owned(), count)).collect(),
            fuel: calls.fuel,
            micros: calls.micros,
        };
        self.policies.calls().into_iter().map(told).collect()
    }
}

fn in_force(config: &RwLock<Arc<Config>>) -> Arc<Config> {
    Arc::clone(&config.read().unwrap_or_else(PoisonError::into_inner))
}
