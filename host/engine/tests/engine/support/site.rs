//! A case and the site on which it is played: two hosts, one domain, a store, and as many controllers as it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use tokio::time::Instant;
use waypost_core::facts::Volume;
use waypost_core::ids::{DomainId, DomainKey, HostName, Moment};
use waypost_core::ports::{Clock, Depth, Policies, Store};
use waypost_core::request::{MigrationRequest, Options};
use waypost_core::stream::{DiskCopy, Disks, Encryption, Transport};
use waypost_engine::{Driver, Engine, Settings};
use waypost_sim::{DiskSpec, DomainSpec, Fleet, HostSpec, PoolSpec, Power, Scripted, Truth, World};

use super::memory::MemoryStore;
use super::spy::{SpiedHosts, SpiedStore};
use super::{Ledger, Meddle, Mind, Minded};

pub fn a() -> HostName {
    HostName::new("a")
}

pub fn b() -> HostName {
    HostName::new("b")
}

/// Where the domain's disks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the store that both hosts share.
    Shared,
    /// On a store of the source's own; the destination has one of the same kind, with somebody else's image on it.
    Own,
    /// The same, and the source has no pool over that store: its guests name plain files.
    Files,
}

/// The pool of a host's own store.
pub const OWN: &str = "images";

/// Where it appears.
const IMAGES: &str = "/srv/images";

/// One course of one migration from a to b.
#[derive(Debug, Clone)]
pub struct Case {
    pub power: Power,
    pub persistent: bool,
    pub disks: Place,
    pub options: Options,
    pub faults: Vec<Scripted>,
    pub mind: Mind,
    pub memory_mib: u64,
    pub dirty_pages_s: u64,
    pub working_set_mib: u64,
    pub tpm: bool,
    /// Hosts beside a and b.
    pub others: &'static [&'static str],
}

impl Case {
    /// A running, persistent domain with autostart, decided on conservatively.
    pub fn live() -> Self {
        Self {
            power: Power::Running,
            persistent: true,
            disks: Place::Shared,
            options: Options::default(),
            faults: vec![],
            mind: Mind::Conservative,
            memory_mib: 1024,
            dirty_pages_s: 1000,
            working_set_mib: 64,
            tpm: false,
            others: &[],
        }
    }
    /// A guest that dirties more in a second than a transfer of 100 MiB/s carries: without help it never arrives.
    pub fn endless() -> Self {
        let options = Options { bandwidth_mib_s: Some(100), ..Options::default() };
        Self { dirty_pages_s: 200_000, working_set_mib: 512, ..Self::live() }.options(options)
    }
    pub fn paused() -> Self {
        Self { power: Power::Paused, ..Self::live() }
    }
    pub fn offline() -> Self {
        Self { power: Power::ShutOff, ..Self::live() }
    }
    pub fn transient() -> Self {
        Self { persistent: false, ..Self::live() }
    }
    /// One whose disks are on a's own store, and are copied whole.
    pub fn copying() -> Self {
        let disks = Disks { copy: DiskCopy::Full, ..Disks::default() };
        let options = Options { timeout_s: 60, disks, ..Options::default() };
        Self { disks: Place::Own, options, ..Self::live() }
    }
    /// The same of plain files, for which a has no pool.
    pub fn copying_files() -> Self {
        Self { disks: Place::Files, ..Self::copying() }
    }
    pub fn options(self, options: Options) -> Self {
        Self { options, ..self }
    }
    pub fn fault(mut self, fault: Scripted) -> Self {
        self.faults.push(fault);
        self
    }
    pub fn mind(self, mind: Mind) -> Self {
        Self { mind, ..self }
    }
    /// Driven by somebody else than the source's daemon, or through its connection.
    pub fn by(mut self, transport: Transport) -> Self {
        self.options.transport = transport;
        self
    }
}

/// Wall-clock time that goes with the runtime's, until somebody sets it.
pub struct VirtualClock {
    since: Instant,
    set_by_ms: AtomicI64,
}

impl VirtualClock {
    pub fn new() -> Self {
        Self { since: Instant::now(), set_by_ms: AtomicI64::new(0) }
    }

    /// Sets it forward, or back.
    pub fn jump(&self, ms: i64) {
        self.set_by_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Moment {
        let shown = i64::try_from(self.since.elapsed().as_millis()).unwrap() + self.set_by_ms.load(Ordering::Relaxed);
        Moment(1_700_000_000_000_u64.checked_add_signed(shown).unwrap())
    }
}

pub struct Site {
    pub case: Case,
    pub world: World,
    pub id: DomainId,
    pub store: Arc<dyn Store>,
    pub ledger: Arc<Ledger>,
    pub before: Truth,
    pub images_before: [Vec<Volume>; 2],
    pub clock: Arc<VirtualClock>,
}

impl Site {
    /// Must be made inside the runtime that plays it.
    pub fn new(case: Case) -> Self {
        Self::over(case, Arc::new(MemoryStore::default()))
    }

    pub fn over(case: Case, store: Arc<dyn Store>) -> Self {
        let domain = DomainSpec {
            state: case.power,
            persistent: case.persistent,
            autostart: case.persistent,
            memory_mib: case.memory_mib,
            dirty_pages_s: case.dirty_pages_s,
            working_set_mib: case.working_set_mib,
            tpm: case.tpm,
            disks: match case.disks {
                Place::Shared => vec![DiskSpec::default()],
                Place::Own => ["qcow2", "raw"].map(own_disk).into(),
                Place::Files => ["g1-vda.qcow2", "g1-vdb.raw"].map(plain_file).into(),
            },
            ..DomainSpec::named("g1", "a")
        };
        let hosts = ["a", "b"].iter().chain(case.others).map(|name| {
            let own = PoolSpec::local(OWN, IMAGES);
            let pools = match case.disks {
                Place::Files if *name == "a" => vec![PoolSpec::default()],
                Place::Shared | Place::Own | Place::Files => vec![PoolSpec::default(), own],
            };
            let migration_tls = case.options.stream.encryption == Encryption::Required;
            HostSpec { pools, migration_tls, ..HostSpec::named(name) }
        });
        let world = World::new(&Fleet::new(hosts, [domain])).unwrap();
        world.put_image(&b(), OWN, "somebody.img", "raw", 1 << 30);
        world.script(case.faults.clone());
        let id = world.domain("g1").unwrap();
        let before = world.truth(id);
        let clock = Arc::new(VirtualClock::new());
        let images_before = [a(), b()].map(|host| world.images(&host, OWN));
        Self { case, world, id, store, ledger: Arc::default(), before, images_before, clock }
    }

    pub fn request(&self) -> MigrationRequest {
        MigrationRequest {
            domain: DomainKey::Name("g1".into()),
            source: None,
            destination: b(),
            options: self.case.options.clone(),
            requester: "test".into(),
        }
    }

    /// Another controller over the same hosts and the same store, and its spied store.
    pub fn engine(&self, meddle: Option<Meddle>) -> (Engine, Arc<SpiedStore>) {
        self.engine_of(Arc::new(Minded::new(self.case.mind)), meddle)
    }

    fn engine_of(&self, policies: Arc<dyn Policies>, meddle: Option<Meddle>) -> (Engine, Arc<SpiedStore>) {
        let store = Arc::new(SpiedStore::new(Arc::clone(&self.store), Arc::clone(&self.ledger), meddle));
        let hosts = SpiedHosts { world: self.world.clone(), ledger: Arc::clone(&self.ledger) };
        let engine = Engine::new(
            Arc::new(hosts),
            policies,
            Arc::clone(&store) as Arc<dyn Store>,
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            Settings::default(),
            Depth::default(),
        );
        (engine, store)
    }

    /// A controller with policies of its own.
    pub fn engine_with(&self, policies: Arc<dyn Policies>) -> Engine {
        self.engine_of(policies, None).0
    }

    pub fn accept(&self) -> Driver {
        self.engine(None).0.accept(self.request()).unwrap()
    }
}

fn own_disk(format: &str) -> DiskSpec {
    DiskSpec { pool: Some(OWN.into()), format: format.into(), size_gib: 1, ..DiskSpec::default() }
}

fn plain_file(name: &str) -> DiskSpec {
    let format = name.rsplit('.').next().unwrap_or_default();
    DiskSpec { pool: None, volume: Some(format!("{IMAGES}/{name}")), ..own_disk(format) }
}

/// Plays something in a runtime of its own whose time is virtual and starts now.
pub fn in_virtual_time<T>(play: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(play)
}

/// Plays all cases, two at a time, and gives what each gave, in order.
pub fn side_by_side<C: Sync, T: Send>(cases: &[C], play: impl Fn(&C) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(index) else { return done };
            done.push((index, play(case)));
        }
    };
    let mut all = std::thread::scope(|scope| {
        let other = scope.spawn(worker);
        let mut done = worker();
        done.extend(other.join().unwrap());
        done
    });
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, result)| result).collect()
}
