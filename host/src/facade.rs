//! Waypost in one value, for programs that embed it and for the command line.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use waypost_api::v1;
use waypost_core::facts::Disk;
use waypost_core::ids::{Moment, PluginName};
use waypost_core::outcome::Outcome;
use waypost_core::plan::Plan;
use waypost_core::ports::{Clock, Hypervisor, Policies};
use waypost_core::request::{MigrationRequest, Options};
use waypost_engine::{CheckReport, Engine, EngineError, Question, View};
use waypost_policy::PolicyRuntime;
use waypost_service::{Condition, KnownHost, Limits, NotChanged, Parts, PluginCalls, PluginChange, Service, Site};

use crate::builder::Builder;
use crate::choices::{planned_choices, recorded_choices};
use crate::config::{self, Config};
use crate::overlay::{self, Overlay};
use crate::reload::{self, ReloadError, Reloaded};
use crate::wiring::{self, Holder, Hosts, OpenError, SharedFeed, SharedLedger, SharedStore, Stores, Watching, World};

/// Hosts, policies, store and the engine over them. Made and used inside a tokio runtime.
#[derive(Clone)]
pub struct Waypost {
    engine: Engine,
    hypervisor: Arc<dyn Hypervisor>,
    /// Their owner, under the same roof.
    holder: Holder,
    policies: Arc<PolicyRuntime>,
    stores: Stores,
    clock: Arc<dyn Clock>,
    /// One for all clones: a reload is for everybody.
    config: Arc<RwLock<InForce>>,
    /// Held by whoever reloads, or changes a policy.
    reloading: Arc<Mutex<()>>,
}

/// The configuration as a person wrote it, what was said of policies over the service, and what the two come to.
#[derive(Clone)]
pub(crate) struct InForce {
    pub written: Arc<Config>,
    pub effective: Arc<Config>,
    pub overlay: Overlay,
}

impl InForce {
    fn of(written: Arc<Config>, overlay: Overlay) -> Self {
        let effective = Arc::new(overlay.clone().over(&written));
        Self { written, effective, overlay }
    }
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
        let hosts = wiring::hosts(config, world)?;
        let (stores, in_force) = Self::state(config, world)?;
        let policies = wiring::policies_to_ask(&in_force.effective, watching)?;
        Ok(Self::of(hosts, stores, policies, in_force))
    }

    /// The same for a program that somebody waits for: hosts are connected to while the policies are loaded, because the
    /// two together are most of what a command costs.
    pub async fn assemble_swiftly(config: &Config, world: &World, watching: Watching) -> Result<Self, OpenError> {
        let hosts = wiring::hosts(config, world)?;
        wiring::connect_early(&hosts.hypervisor, world);
        let (stores, in_force) = Self::state(config, world)?;
        let loading = {
            let config = Arc::clone(&in_force.effective);
            tokio::task::spawn_blocking(move || wiring::policies_to_ask(&config, watching))
        };
        let policies = loading.await.map_err(|_| OpenError::Panicked)??;
        Ok(Self::of(hosts, stores, policies, in_force))
    }

    /// What is on record, and what was said of policies there. The store comes first: it sees to whose folder it is.
    fn state(config: &Config, world: &World) -> Result<(Stores, InForce), OpenError> {
        let stores = wiring::stores(config, world)?;
        let folder = wiring::own_plugins(config, world);
        // Before it is watched: of a folder that isn't there the one above is, in which the store writes all the time.
        overlay::prepare(&folder)?;
        Ok((stores, InForce::of(Arc::new(config.clone()), Overlay::read(folder)?)))
    }

    fn of(hosts: Hosts, stores: Stores, policies: PolicyRuntime, in_force: InForce) -> Self {
        let Hosts { hypervisor, clock, holder } = hosts;
        let policies = Arc::new(policies);
        let config = &in_force.effective;
        let engine = Engine::new(
            Arc::clone(&hypervisor),
            Arc::clone(&policies) as Arc<dyn Policies>,
            Arc::clone(&stores.store),
            Arc::clone(&clock),
            config.engine.clone(),
            wiring::depth(config),
        );
        let config = Arc::new(RwLock::new(in_force));
        Self { engine, hypervisor, holder, policies, stores, clock, config, reloading: Arc::default() }
    }

    /// What answers questions and moves domains.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What the rules say to it, for each destination. Nothing is touched.
    pub async fn check(&self, question: &Question) -> Result<CheckReport, EngineError> {
        self.engine.check(question).await
    }

    /// Moves a domain: takes the request on as a task, drives it to its end, and tells of it meanwhile. Dropped, it leaves the task to
    /// whoever adopts it. Who also wants to cancel it asks the [`Engine`] for a [`Driver`](waypost_engine::Driver).
    pub async fn migrate(&self, request: MigrationRequest, tell: impl FnMut(&View)) -> Result<Outcome, EngineError> {
        self.engine.accept(request)?.follow(tell).await
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
        wiring::unheld(&self.in_force().effective, &self.policies).into_iter().map(|(_, why)| why).collect()
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

    /// The configuration that is in force, as it was written: what was said of policies over the service goes before it, and is
    /// not in it.
    pub fn config(&self) -> Arc<Config> {
        self.in_force().written
    }

    pub(crate) fn in_force(&self) -> InForce {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn turns(&self) -> &Mutex<()> {
        &self.reloading
    }

    /// From the next decision on this holds. Whoever calls it has the turn.
    pub(crate) fn put_in_force(&self, written: &Arc<Config>, overlay: Overlay) {
        let now = InForce::of(Arc::clone(written), overlay);
        self.policies.configure(now.effective.policies.clone());
        self.engine.adjust(now.effective.engine.clone(), wiring::depth(&now.effective));
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Takes as much of another configuration as a running program can: what is said of policies (what was said of them over the
    /// service stays before it), settings of the engine, networks and limits, from the next decision on; and the hosts: those that
    /// are new are connected to, those that go are left, and those that are reached by another way are connected to anew. What was
    /// kept as it was is in the answer. Where the new configuration can't be used (a policy refuses its settings, one that is named
    /// is missing, a task needs a host that would go, or holds a network that would go or lose a role), everything stays as it is, and
    /// the error says why. Policies, engine, hosts and configuration change one after the other, so a decision that is being made
    /// meanwhile may see some of either; the next one sees the new. One reload waits for the one before it. Reads and compiles
    /// policies: call it where blocking is allowed, on a thread of the runtime.
    pub fn reload(&self, new: &Config) -> Result<Reloaded, ReloadError> {
        // Two at once could leave the policies of the one beside the limits of the other. What a panic leaves is overwritten.
        let _turn = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let InForce { written, effective, overlay } = self.in_force();
        let (now, mut reloaded) = reload::merged(&written, new);
        // As it is on the disk: a person may have taken something of it away.
        let overlay = Overlay::read(overlay.folder).map_err(OpenError::from)?;
        reload::rehearse(&overlay.clone().over(&now), &effective, &self.policies)?;
        let others = self.holder.others(&written, &now)?;
        let differ = others.differ;
        if !differ && written.engine.networks == now.engine.networks {
            self.put_in_force(&Arc::new(now), overlay);
            return Ok(reloaded);
        }
        if differ {
            reloaded.other_hosts();
        }
        let came = others.came.clone();
        // What is seen of the tasks holds until hosts and networks are others: no task begins to need one meanwhile.
        self.engine.between_tasks(|| -> Result<(), ReloadError> {
            let feed = self.stores.feed.as_ref();
            let needed = reload::needed(&self.engine, feed, &others.leaving)?;
            if !needed.is_empty() {
                return Err(ReloadError::Needed(needed));
            }
            let held = reload::holding(&self.engine, feed, &written.engine.networks, &now.engine.networks)?;
            if !held.is_empty() {
                return Err(ReloadError::Held(held));
            }
            self.engine.forget_proofs(&others.leaving)?;
            // Before the hosts, so that what is said of a new one holds when it is first asked.
            self.put_in_force(&Arc::new(now), overlay);
            if differ {
                tracing::info!(came = ?others.came, leaving = ?others.leaving, "there are other hosts now");
                self.holder.take(others);
            }
            Ok(())
        })?;
        // To those of a simulation nothing has to be opened.
        if differ && matches!(self.holder, Holder::Libvirt(_)) {
            wiring::connect_to(&self.hypervisor, came);
        }
        Ok(reloaded)
    }

    /// Makes a service of it and sets it to work: see [`Service`]. Must be called inside the runtime.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use axum::Extension;
    /// use waypost::core::access::{Role, Scope};
    /// use waypost::service::socket::Socket;
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
    /// // Under a path of another program's. Whoever is known to that to ask is a `Caller`; without one every request is refused.
    /// let service = waypost.serve(Limits::default());
    /// let anna = Caller::named("anna").with(Role::Operator, Scope::default());
    /// let api = service.router().layer(Extension(anna));
    /// let app = axum::Router::<()>::new().nest_service("/waypost", api);
    /// # drop(app);
    /// # service.drain(Duration::from_secs(1)).await;
    /// # let (path, stop) = (folder.path().join("waypost.sock"), async {});
    ///
    /// // Or as a whole, on a socket of its own, until `stop` ends.
    /// let service = waypost.serve(Limits::default());
    /// Socket::bind(&path)?.serve(&service, &Limits::default(), stop).await;
    /// service.drain(Duration::from_secs(30)).await;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn serve(&self, limits: Limits) -> Service {
        let parts = Parts {
            engine: self.engine.clone(),
            hypervisor: Arc::clone(&self.hypervisor),
            store: Arc::clone(&self.stores.store),
            feed: Arc::clone(&self.stores.feed),
            ledger: Arc::clone(&self.stores.ledger),
            clock: Arc::clone(&self.clock),
            site: Arc::new(Configured(self.clone())),
        };
        let config = self.config();
        Service::start(parts, limits)
            .with_kimchi(config.kimchi.clone())
            .with_access(config.access.clone())
            .with_traces(config.traces.as_ref())
    }

    /// Now, by the clock of these hosts.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }
}

/// What the service is told of the configuration and the policies.
struct Configured(Waypost);

impl Site for Configured {
    fn plugins(&self) -> v1::Plugins {
        wiring::plugins(&self.0.in_force().effective, &self.0.policies)
    }

    fn standing(&self) -> Vec<v1::Plugin> {
        wiring::standing(&self.0.in_force().effective, &self.0.policies)
    }

    fn choices(&self, plan: &Plan, asked: &Options, disks: &[Disk]) -> Vec<v1::Choice> {
        planned_choices(&self.0.in_force().effective, &self.0.policies, plan, asked, disks)
    }

    fn known_hosts(&self) -> Vec<KnownHost> {
        self.0.in_force().written.hosts.iter().map(config::known).collect()
    }

    fn recorded_choices(&self, plan: &Plan, asked: &Options) -> Vec<v1::Choice> {
        recorded_choices(plan, asked)
    }

    fn plugin_settings(&self, name: &PluginName) -> Option<v1::PluginSettings> {
        self.0.plugin_settings(name)
    }

    fn change_plugin(&self, name: &PluginName, change: PluginChange, condition: &Condition) -> Result<(), NotChanged> {
        self.0.change_plugin(name, change, condition)
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
        self.0.policies.calls().into_iter().map(told).collect()
    }
}
