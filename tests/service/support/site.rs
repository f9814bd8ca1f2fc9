//! Simulated hosts, a store in a folder, and as many services over them as it takes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;
use waypost::api::v1;
use waypost::core::access::Ledger;
use waypost::core::facts::Disk;
use waypost::core::feed::Feed;
use waypost::core::ids::{HostName, Moment};
use waypost::core::plan::Plan;
use waypost::core::ports::{Clock, Depth, Hypervisor, Policies, Store};
use waypost::core::queue::SlotLimits;
use waypost::service::{KnownHost, Limits, Parts, Service};
use waypost::{Engine, Options, Settings};
use waypost_sim::{Fleet, World};
use waypost_store::SqliteStore;

use super::client::Client;
use super::minds::Plain;

/// Two hosts that share their storage, and three domains on the first.
pub const TWO_HOSTS: &str = r#"
[[host]]
name = "a"
[[host]]
name = "b"
[[domain]]
name = "g1"
host = "a"
[[domain]]
name = "off"
host = "a"
state = "shut-off"
[[domain]]
name = "g2"
host = "a"
"#;

/// A guest that takes minutes over its link.
pub const SLOW: &str = r#"
[[host]]
name = "a"
[[host]]
name = "b"
[[link]]
between = ["a", "b"]
bandwidth_mib_s = 10
[[domain]]
name = "g1"
host = "a"
memory_mib = 4096
"#;

/// Wall-clock time that goes with the runtime's. Whoever holds the lock has everybody hang who asks what time it is.
pub struct VirtualClock {
    began: Instant,
    /// Milliseconds.
    ahead: AtomicU64,
    held: Mutex<()>,
}

/// The wall-clock time at which every virtual clock begins.
pub const BEGAN: Moment = Moment(1_700_000_000_000);

impl VirtualClock {
    /// From here on it is so much later on the wall, and nothing else has noticed.
    pub fn go_ahead(&self, by: Duration) {
        self.ahead.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Moment {
        drop(self.held.lock().unwrap());
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap();
        Moment(BEGAN.0 + elapsed + self.ahead.load(Ordering::SeqCst))
    }
}

/// What a program would tell of its policies.
struct Told;

impl waypost::service::Site for Told {
    fn plugins(&self) -> v1::Plugins {
        v1::Plugins { plugins: vec![], folders: vec!["plugins".into()], cache_error: None }
    }
    fn choices(&self, plan: &Plan, asked: &Options, disks: &[Disk]) -> Vec<v1::Choice> {
        waypost::choices::choices(plan, asked, Some(disks)).iter().map(v1::Choice::from).collect()
    }
    fn known_hosts(&self) -> Vec<KnownHost> {
        let known = |name: &str, address: &str| KnownHost::new(HostName::new(name), &[address.to_owned()], []);
        vec![known("a", "10.0.0.1"), known("b", "kvm2.example")]
    }
}

/// A site. The store's folder goes with it.
pub struct Site {
    pub world: World,
    dir: TempDir,
    clock: Arc<VirtualClock>,
    slots: SlotLimits,
    policies: Arc<dyn Policies>,
    pub limits: Limits,
}

impl Site {
    /// Must be made inside the runtime that plays it.
    pub fn new(fleet: &str) -> Self {
        Self {
            world: World::new(&Fleet::parse(fleet).unwrap()).unwrap(),
            dir: tempfile::Builder::new().prefix("waypost-service-").tempdir().unwrap(),
            clock: Arc::new(VirtualClock {
                began: Instant::now(),
                ahead: AtomicU64::default(),
                held: Mutex::default(),
            }),
            slots: SlotLimits::default(),
            policies: Arc::new(Plain),
            limits: Limits::default(),
        }
    }

    pub fn with_policies(self, policies: impl Policies + 'static) -> Self {
        Self { policies: Arc::new(policies), ..self }
    }

    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// What tells the time here.
    pub fn clock(&self) -> Arc<VirtualClock> {
        Arc::clone(&self.clock)
    }

    /// From here on whoever asks for the time hangs, until the answer is dropped.
    pub fn hold_the_clock(&self) -> MutexGuard<'_, ()> {
        self.clock.held.lock().unwrap()
    }

    /// The store as another process would open it.
    pub fn store(&self) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(&self.dir.path().join("state")).unwrap())
    }

    /// Somebody puts a file where the folder of the locks was: no task can be made any more, and all that is on record is read.
    pub fn lose_the_locks(&self) {
        let locks = self.dir.path().join("state/locks");
        std::fs::remove_dir_all(&locks).unwrap();
        std::fs::write(locks, "").unwrap();
    }

    /// Whether no task was ever made.
    pub fn store_is_empty(&self) -> bool {
        self.store().tasks().unwrap().is_empty()
    }

    /// An engine with a store of its own, as another process has it.
    pub fn engine(&self) -> Engine {
        self.engine_over(self.store())
    }

    fn engine_over(&self, store: Arc<SqliteStore>) -> Engine {
        Engine::new(
            Arc::new(self.world.clone()) as Arc<dyn Hypervisor>,
            Arc::clone(&self.policies),
            store as Arc<dyn Store>,
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            Settings { slots: self.slots.clone(), ..Settings::default() },
            Depth::default(),
        )
    }

    /// A service over these hosts and this folder.
    pub fn service(&self) -> Service {
        self.service_told(Arc::new(Told))
    }

    /// The same, which is told of its policies by somebody else.
    pub fn service_told(&self, site: Arc<dyn waypost::service::Site>) -> Service {
        let store = self.store();
        let parts = Parts {
            engine: self.engine_over(Arc::clone(&store)),
            hypervisor: Arc::new(self.world.clone()),
            store: Arc::clone(&store) as Arc<dyn Store>,
            feed: Arc::clone(&store) as Arc<dyn Feed>,
            ledger: store as Arc<dyn Ledger>,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            site,
        };
        Service::start(parts, self.limits.clone())
    }

    /// A service, and a client of it.
    pub fn serve(&self) -> (Service, Client) {
        let service = self.service();
        let client = Client::of(&service, "anna");
        (service, client)
    }
}

/// Plays something in a runtime of its own whose time is virtual and starts now.
pub fn in_virtual_time<T>(play: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    // A play that waits for what never comes ends, an hour of virtual time later.
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(24 * 3600), play).await }).expect("it hangs")
}
