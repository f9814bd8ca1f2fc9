//! Slots and the queue: many tasks at once, a task that is cancelled while it waits, a controller that dies with its slot.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use waypost_core::ids::{DomainKey, HostName, TaskId};
use waypost_core::journal::Record;
use waypost_core::network::{Fallback, Network, Networks, Place, Role};
use waypost_core::outcome::OutcomeKind;
use waypost_core::phase::Phase;
use waypost_core::ports::{Clock, Depth, Store};
use waypost_core::queue::{Priority, SlotLimits};
use waypost_core::request::{MigrationRequest, Options};
use waypost_engine::{Adopted, Driver, Engine, Seen, Settings, View};
use waypost_sim::{DomainSpec, Fleet, HostSpec, World};

use crate::support::{Dice, MemoryStore, Mind, Minded, VirtualClock, in_virtual_time};

/// Hosts h0, h1, ... with domains g0, g1, ... on the hosts that are named, and one store for all controllers.
struct Site {
    world: World,
    store: Arc<dyn Store>,
    clock: Arc<VirtualClock>,
    limits: SlotLimits,
    networks: Arc<Networks>,
}

impl Site {
    fn new(hosts: usize, homes: &[usize], limits: SlotLimits) -> Self {
        // The cable of h0's eth1 is out.
        let states = |n| [("eth1".to_owned(), if n == 0 { "down" } else { "up" }.to_owned())].into();
        let hosts = (0..hosts).map(|n| HostSpec {
            memory_mib: 1 << 20,
            interface_states: states(n),
            ..HostSpec::named(&format!("h{n}"))
        });
        let domains = homes
            .iter()
            .enumerate()
            .map(|(n, home)| DomainSpec { memory_mib: 64, ..DomainSpec::named(&format!("g{n}"), &format!("h{home}")) });
        Self {
            world: World::new(&Fleet::new(hosts, domains)).unwrap(),
            store: Arc::new(MemoryStore::default()),
            clock: Arc::new(VirtualClock::new()),
            limits,
            networks: Arc::default(),
        }
    }

    fn engine(&self) -> Engine {
        Engine::new(
            Arc::new(self.world.clone()),
            Arc::new(Minded::new(Mind::Conservative)),
            Arc::clone(&self.store),
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            Settings { slots: self.limits.clone(), networks: Arc::clone(&self.networks), ..Settings::default() },
            Depth::default(),
        )
    }

    fn accept(&self, domain: usize, to: usize, options: Options) -> Driver {
        self.engine().accept(request(domain, to, options)).unwrap()
    }

    fn records(&self, task: TaskId) -> Vec<Record> {
        self.store.journal(task).unwrap().into_iter().map(|(_, record)| record).collect()
    }
}

fn request(domain: usize, to: usize, options: Options) -> MigrationRequest {
    MigrationRequest {
        domain: DomainKey::Name(format!("g{domain}")),
        source: None,
        destination: HostName::new(format!("h{to}")),
        options,
        requester: "test".into(),
    }
}

/// One out of a host at a time.
fn one() -> SlotLimits {
    SlotLimits { outgoing_per_host: 1, ..SlotLimits::default() }
}

/// Takes several seconds of the simulated hosts' time.
fn slow() -> Options {
    Options { bandwidth_mib_s: Some(4), ..Options::default() }
}

/// Waits until a task is so far.
async fn until(views: &mut watch::Receiver<View>, holds: impl Fn(&View) -> bool) {
    timeout(Duration::from_secs(60), views.wait_for(|view| holds(view))).await.unwrap().unwrap();
}

#[test]
fn two_hundred_tasks_keep_the_limits_and_their_order() {
    in_virtual_time(async {
        let mut dice = Dice(7);
        let ways: Vec<(usize, usize)> = (0..200)
            .map(|_| {
                let from = dice.below(6) as usize;
                (from, (from + 1 + dice.below(5) as usize) % 6)
            })
            .collect();
        let homes: Vec<usize> = ways.iter().map(|(from, _)| *from).collect();
        let site = Site::new(6, &homes, SlotLimits::default());
        let mut running = JoinSet::new();
        let mut tasks = BTreeMap::new();
        for (number, (from, to)) in ways.iter().enumerate() {
            let priority = dice.pick(Priority::ALL);
            let driver = site.accept(number, *to, Options { priority, ..Options::default() });
            tasks.insert(driver.id(), (*from, *to, priority));
            running.spawn(driver.drive());
        }
        while let Some(outcome) = running.join_next().await {
            assert_eq!(outcome.unwrap().unwrap().kind, OutcomeKind::Completed);
        }
        // A slot is held from before the plan until the end.
        let mut changes = Vec::new();
        let mut began: BTreeMap<(usize, usize), Vec<(u64, Priority)>> = BTreeMap::new();
        for (task, (from, to, priority)) in tasks {
            let journal = site.store.journal(task).unwrap();
            let at = |wanted: fn(&Record) -> bool| journal.iter().find(|(_, record)| wanted(record)).unwrap().0.0;
            let (start, end) =
                (at(|record| matches!(record, Record::Judged { .. })), at(|r| matches!(r, Record::Ended { .. })));
            began.entry((from, to)).or_default().push((start, priority));
            changes.extend([(start, 1, from, to), (end, -1, from, to)]);
        }
        // What ends at a moment has made room for what begins at it.
        changes.sort_by_key(|change| (change.0, change.1));
        let (mut out, mut into) = (BTreeMap::new(), BTreeMap::new());
        let (mut most, mut sum) = (0, 0);
        for (at, change, from, to) in changes {
            *out.entry(from).or_insert(0) += change;
            *into.entry(to).or_insert(0) += change;
            sum += change;
            most = most.max(sum);
            assert!(out[&from] <= 2 && into[&to] <= 2, "at {at}: {out:?} {into:?}");
        }
        assert!(most >= 8, "the hosts were used: at most {most} of 12 at once");
        // All came at the same time, so among those that had to wait with the same way the more urgent began first.
        let first = began.values().flatten().map(|(at, _)| *at).min().unwrap();
        for (way, mut tasks) in began {
            tasks.retain(|(at, _)| *at > first);
            tasks.sort_by_key(|(at, _)| *at);
            let last_of = |priority| tasks.iter().filter(|(_, p)| *p == priority).map(|(at, _)| *at).max().unwrap_or(0);
            for (at, priority) in &tasks {
                let above = Priority::ALL.iter().filter(|other| *other > priority).map(|p| last_of(*p)).max();
                assert!(above.is_none_or(|above| above <= *at), "{way:?}: {priority} began at {at}, {above:?}");
            }
        }
    });
}

#[test]
fn a_limit_that_is_raised_lets_in_who_waits_and_leaves_what_runs() {
    in_virtual_time(async {
        let site = Site::new(3, &[0, 0], one());
        let engine = site.engine();
        let first = engine.accept(request(0, 1, slow())).unwrap();
        let (running, mut views) = (first.id(), first.views());
        let moving = tokio::spawn(first.drive());
        until(&mut views, |view| view.phase == Phase::Performing).await;
        let second = engine.accept(request(1, 2, slow())).unwrap();
        let mut waiting = second.views();
        let waits = tokio::spawn(second.drive());
        until(&mut waiting, |view| view.note.starts_with("waiting")).await;
        let plans = site.records(running).len();
        engine.adjust(
            Settings { slots: SlotLimits::default(), max_attempts: 9, ..Settings::default() },
            Depth::default(),
        );
        assert_eq!((engine.queue().unwrap().0, engine.max_attempts()), (SlotLimits::default(), 9));
        until(&mut waiting, |view| view.phase == Phase::Performing).await;
        // Both at once: the first did not have to come to its end, and nothing was done to it.
        assert_eq!(views.borrow().phase, Phase::Performing);
        assert_eq!(site.records(running).len(), plans);
        for task in [moving, waits] {
            assert_eq!(task.await.unwrap().unwrap().kind, OutcomeKind::Completed);
        }
    });
}

#[test]
fn a_task_that_waits_says_so_touches_nothing_and_can_be_cancelled() {
    in_virtual_time(async {
        let site = Site::new(3, &[0, 0], one());
        let first = site.accept(0, 1, slow());
        let mut views = first.views();
        let moving = tokio::spawn(first.drive());
        until(&mut views, |view| view.phase == Phase::Performing).await;
        let second = site.accept(1, 2, Options::default());
        let (id, handle) = (second.id(), second.cancel_handle());
        let (observer, mut views) = (site.engine().observe(id), second.views());
        let waiting = tokio::spawn(second.drive());
        until(&mut views, |view| view.note.starts_with("waiting")).await;
        let said = "waiting for a slot: 1st; h0 sends 1 of 1";
        assert_eq!(views.borrow().note, said);
        let Seen::Going(view) = observer.look().unwrap() else { panic!("it is driven") };
        assert_eq!((view.note.as_str(), view.phase), (said, Phase::Accepted));
        assert_eq!(site.records(id).len(), 1);
        // A second task for a domain that waits is refused at once, not when its turn comes.
        let third = site.accept(1, 1, Options::default());
        assert_eq!(third.drive().await.unwrap().kind, OutcomeKind::Refused);

        handle.cancel("test");
        let outcome = waiting.await.unwrap().unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Cancelled);
        assert!(matches!(
            site.records(id)[..],
            [Record::Accepted { .. }, Record::CancelRequested { .. }, Record::Ended { .. }]
        ));
        assert_eq!(moving.await.unwrap().unwrap().kind, OutcomeKind::Completed);
        assert!(site.store.queue().unwrap().is_empty());
    });
}

#[test]
fn the_slot_of_a_dead_controller_is_free_and_taken_back_by_who_adopts_its_transfer() {
    in_virtual_time(async {
        let site = Site::new(3, &[0, 0], one());
        let first = site.accept(0, 1, slow());
        let id = first.id();
        let mut views = first.views();
        let moving = tokio::spawn(first.drive());
        until(&mut views, |view| view.phase == Phase::Performing).await;
        let second = site.accept(1, 2, slow());
        let other = second.id();
        let mut seen = second.views();
        let waiting = tokio::spawn(second.drive());
        until(&mut seen, |view| view.note.starts_with("waiting")).await;

        moving.abort();
        let _ = moving.await;
        until(&mut seen, |view| view.phase == Phase::Performing).await;
        let Adopted::Driver(adopted) = site.engine().adopt(id).unwrap() else { panic!("nobody drives it") };
        let holders = site.store.queue().unwrap().into_iter().filter(|entry| entry.holds);
        assert_eq!(holders.map(|entry| entry.task).collect::<Vec<_>>(), [id, other]);
        assert_eq!(adopted.drive().await.unwrap().kind, OutcomeKind::Completed);
        assert_eq!(waiting.await.unwrap().unwrap().kind, OutcomeKind::Completed);
    });
}

#[test]
fn an_urgent_task_passes_those_that_wait() {
    in_virtual_time(async {
        let site = Site::new(3, &[0, 0, 0], one());
        let options = |priority| Options { priority, ..slow() };
        let first = site.accept(0, 1, slow());
        let mut views = first.views();
        let mut running = JoinSet::new();
        running.spawn(first.drive());
        until(&mut views, |view| view.phase == Phase::Performing).await;
        let mut order = Vec::new();
        for (domain, priority) in [(1, Priority::Normal), (2, Priority::High)] {
            let driver = site.accept(domain, 1, options(priority));
            order.push(driver.id());
            let mut views = driver.views();
            running.spawn(driver.drive());
            until(&mut views, |view| view.note.starts_with("waiting")).await;
        }
        while let Some(outcome) = running.join_next().await {
            assert_eq!(outcome.unwrap().unwrap().kind, OutcomeKind::Completed);
        }
        let began = order.iter().map(|task| {
            let journal = site.store.journal(*task).unwrap();
            journal.iter().find(|(_, record)| matches!(record, Record::PerformIntended)).unwrap().0
        });
        let began: Vec<_> = began.collect();
        assert!(began[1] < began[0], "{began:?}");
    });
}

/// A network of h0 to h3.
fn network(name: &str, net: &str, interface: Option<&str>) -> Network {
    let place = |n| Place { address: format!("{net}{}", n + 1).parse().unwrap(), interface: interface.map(Into::into) };
    Network {
        name: name.into(),
        roles: vec![Role::Migration],
        fallback: vec![],
        bandwidth_mib_s: None,
        max_migrations: None,
        places: (0..4).map(|n| (HostName::new(format!("h{n}")), place(n))).collect(),
    }
}

#[test]
fn what_a_network_without_a_limit_carries_counts_for_whoever_knows_one() {
    in_virtual_time(async {
        let mig = network("mig", "10.8.0.", None);
        let networks = Networks { networks: vec![mig], default: Some("mig".into()), ..Networks::default() };
        let mut site = Site { networks: networks.into(), ..Site::new(4, &[1, 2], SlotLimits::default()) };
        let first = site.accept(0, 2, slow());
        let mut views = first.views();
        let mut running = JoinSet::new();
        running.spawn(first.drive());
        until(&mut views, |view| view.phase == Phase::Performing).await;
        let carried: Vec<_> = site.store.queue().unwrap().into_iter().map(|entry| entry.wish.network).collect();
        assert_eq!(carried, [Some("mig".to_owned())]);
        // A program with another configuration, over the same store.
        site.limits.networks.insert("mig".into(), 1);
        let second = site.accept(1, 3, Options::default());
        let mut views = second.views();
        running.spawn(second.drive());
        until(&mut views, |view| view.note == "waiting for a slot: 1st; network mig carries 1 of 1").await;
        while let Some(outcome) = running.join_next().await {
            assert_eq!(outcome.unwrap().unwrap().kind, OutcomeKind::Completed);
        }
    });
}

#[test]
fn a_network_carries_only_so_many_also_where_it_is_taken_instead_of_another() {
    in_virtual_time(async {
        let mig =
            Network { fallback: vec![Fallback::Network("slow".into())], ..network("mig", "10.8.0.", Some("eth1")) };
        let slow_one = Network { max_migrations: Some(1), ..network("slow", "10.9.0.", None) };
        let networks = Networks { networks: vec![mig, slow_one], default: Some("mig".into()), ..Networks::default() };
        let limits = SlotLimits { networks: networks.limits(), ..SlotLimits::default() };
        let site = Site { networks: networks.into(), ..Site::new(4, &[1, 0, 2], limits) };

        let first = site.accept(0, 2, Options { network: Some("slow".into()), ..slow() });
        let mut views = first.views();
        let mut running = JoinSet::new();
        running.spawn(first.drive());
        until(&mut views, |view| view.phase == Phase::Performing).await;
        // Nothing is wrong with mig for this one.
        let free = site.accept(2, 3, Options::default());
        assert_eq!(free.drive().await.unwrap().kind, OutcomeKind::Completed);
        // From h0 mig is down, which only the facts tell, and what is taken instead is full.
        let second = site.accept(1, 3, Options::default());
        let (id, mut views) = (second.id(), second.views());
        running.spawn(second.drive());
        until(&mut views, |view| view.note == "waiting for a slot: 1st; network slow carries 1 of 1").await;
        assert_eq!(site.records(id).len(), 1, "no verdict on facts that will be old");
        while let Some(outcome) = running.join_next().await {
            assert_eq!(outcome.unwrap().unwrap().kind, OutcomeKind::Completed);
        }
        let plan = site.engine().read(id).unwrap().plan.unwrap();
        assert_eq!(plan.network.as_deref(), Some("slow"));
    });
}
