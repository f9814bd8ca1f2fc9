//! Waypost in one value, for programs that embed it and for the command line.

use std::sync::Arc;

use waypost_api::v1;
use waypost_core::facts::Disk;
use waypost_core::ids::Moment;
use waypost_core::plan::Plan;
use waypost_core::ports::{Clock, Hypervisor, Policies};
use waypost_core::request::Options;
use waypost_engine::Engine;
use waypost_policy::PolicyRuntime;
use waypost_service::{Limits, Parts, Service, Site};

use crate::choices::{around, choices};
use crate::config::Config;
use crate::wiring::{self, Hosts, OpenError, SharedFeed, SharedLedger, SharedStore, Stores, Watching, World};

/// Hosts, policies, store and the engine over them. Made and used inside a tokio runtime.
#[derive(Clone)]
pub struct Waypost {
    engine: Engine,
    hypervisor: Arc<dyn Hypervisor>,
    policies: Arc<PolicyRuntime>,
    stores: Stores,
    clock: Arc<dyn Clock>,
    config: Arc<Config>,
}

impl Waypost {
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
        Self { engine, hypervisor, policies, stores, clock, config: Arc::new(config.clone()) }
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

    /// Makes a service of it and sets it to work: see [`Service`]. Must be called inside the runtime.
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
        Service::start(parts, limits).with_kimchi(self.config.kimchi.clone()).with_access(self.config.access.clone())
    }

    /// Now, by the clock of these hosts.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }
}

/// What the service is told of the configuration and the policies.
struct Configured {
    config: Arc<Config>,
    policies: Arc<PolicyRuntime>,
}

impl Site for Configured {
    fn plugins(&self) -> v1::Plugins {
        wiring::plugins(&self.config, &self.policies)
    }

    fn choices(&self, plan: &Plan, asked: &Options, disks: &[Disk]) -> Vec<v1::Choice> {
        let made = choices(plan, asked, Some(disks));
        let beside = around(&self.config, &self.policies, asked, plan);
        made.iter().chain(&beside).map(v1::Choice::from).collect()
    }
}
