//! The traps of libvirt: what it refuses, in its words, and what it lets pass.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use waypost_core::plan::{SourceFate, TransferMode};
use waypost_core::ports::{Command, FaultKind};
use waypost_core::request::{Mode, StorageSafety};

use super::*;
use crate::{DiskSpec, InterfaceSpec, PoolSpec, Power};

#[tokio::test(start_paused = true)]
async fn an_offline_migration_of_a_running_domain_succeeds_and_moves_nothing() {
    let (world, id) = pair();
    let from = world.events(&host("a")).await.unwrap();
    let live = plan(&world, id, "a", "b", Options::default()).await;
    let wrong = Plan { mode: TransferMode::Offline, source_fate: SourceFate::KeepWithoutAutostart, ..live };
    world.start(&wrong).await.unwrap().finished().await.unwrap();
    let truth = world.truth(id);
    assert_eq!((truth.running_on, truth.defined_on), (vec![host("a")], vec![host("a"), host("b")]));
    assert_eq!(heard(from).await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_offline_migration_moves_the_definition_without_a_word_to_the_source() {
    let (world, id) = pair_with(DomainSpec { state: Power::ShutOff, ..DomainSpec::default() });
    let (from, to) = (world.events(&host("a")).await.unwrap(), world.events(&host("b")).await.unwrap());
    migrate(&world, id, Options { mode: Mode::Offline, ..Options::default() }).await.unwrap();
    assert_eq!((heard(from).await, heard(to).await), (vec![], vec!["defined added".to_owned()]));
    let truth = world.truth(id);
    assert_eq!(truth.defined_on, [host("b")]);
    assert!(!truth.lost && world.violations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn undefining_the_source_without_defining_the_destination_leaves_no_definition() {
    let (world, id) = pair();
    let plan = plan(&world, id, "a", "b", Options::default()).await;
    let wrong = Plan { destination_fate: waypost_core::plan::DestinationFate::TransientOnly, ..plan };
    world.start(&wrong).await.unwrap().finished().await.unwrap();
    let truth = world.truth(id);
    assert_eq!((truth.running_on, truth.defined_on), (vec![host("b")], vec![]));
}

#[tokio::test(start_paused = true)]
async fn modifying_calls_wait_behind_the_job_and_then_fail() {
    let (world, id) = pair();
    let plan = plan(&world, id, "a", "b", Options { bandwidth_mib_s: Some(5), ..Options::default() }).await;
    let mut transfer = world.start(&plan).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    let fault = world.command(&host("a"), id, Command::Undefine).await.unwrap_err();
    assert_eq!((fault.kind, began.elapsed().as_secs()), (FaultKind::Busy, 30));
    assert!(fault.message.contains("cannot acquire state change lock"));
    // One that is asked for just before the job ends goes through after it.
    world.command(&host("a"), id, Command::AbortJob).await.unwrap();
    world.command(&host("a"), id, Command::SetAutostart(waypost_core::plan::Autostart::On)).await.unwrap();
    assert!(transfer.finished().await.is_err());
    assert!(facts(&world, "a", id).await.autostart);
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_is_suspended_in_mid_copy_runs_on_the_destination() {
    let (world, id) = pair();
    let plan = plan(&world, id, "a", "b", Options::default()).await;
    let mut transfer = world.start(&plan).await.unwrap();
    sleep(Duration::from_millis(600)).await;
    world.suspend(&host("a"), id);
    transfer.finished().await.unwrap();
    assert_eq!(world.truth(id).running_on, [host("b")]);
}

#[tokio::test(start_paused = true)]
async fn a_second_migration_of_a_domain_is_refused() {
    let (world, id) = pair();
    let plan = plan(&world, id, "a", "b", Options::default()).await;
    let mut first = world.start(&plan).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let fault = world.start(&plan).await.unwrap().finished().await.unwrap_err();
    assert!(fault.message.contains("another migration job is already running for domain 'g1'"), "{fault}");
    first.finished().await.unwrap();
}

/// What the migration of the one domain from a to b is refused with.
async fn refusal(from: HostSpec, to: HostSpec, domains: Vec<DomainSpec>, options: Options) -> String {
    let (from, to) = (HostSpec { name: "a".into(), ..from }, HostSpec { name: "b".into(), ..to });
    let world = World::new(&Fleet::new([from, to], domains)).unwrap();
    let id = world.domain("g1").unwrap();
    // As somebody would who has no rule of their own: what the core refuses is made possible.
    let mut plan = plan(&world, id, "a", "b", Options { mode: Mode::Auto, ..options }).await;
    plan.mode = TransferMode::Live;
    let fault = world.start(&plan).await.unwrap().finished().await.unwrap_err();
    let truth = world.truth(id);
    assert!(truth.running_on.len() <= 1 && truth.paused_on.is_empty() && !truth.lost, "{truth:?}");
    assert!(world.violations().is_empty());
    fault.message
}

#[tokio::test(start_paused = true)]
async fn what_libvirt_refuses_is_refused_in_its_words() {
    let (plain, g1) = (HostSpec::default, || DomainSpec::named("g1", "a"));
    let own = |target: &str| vec![PoolSpec::local("own", target), PoolSpec::default()];
    let own_disk = || vec![DiskSpec { pool: Some("own".into()), ..DiskSpec::default() }];
    let local = || DomainSpec { disks: own_disk(), ..g1() };
    let unsafely = || Options { storage: StorageSafety::Unsafe, ..Options::default() };
    for (from, to, domains, options, says) in [
        (
            HostSpec { pools: own("/img"), ..plain() },
            HostSpec { pools: own("/img"), ..plain() },
            vec![local()],
            Options::default(),
            "Unsafe migration: Migration without shared storage is unsafe",
        ),
        (
            HostSpec { pools: own("/img"), ..plain() },
            HostSpec { pools: own("/img"), ..plain() },
            vec![local()],
            unsafely(),
            "Cannot access storage file '/img/g1-vda.qcow2': No such file or directory",
        ),
        (
            plain(),
            plain(),
            vec![DomainSpec { state: Power::ShutOff, ..g1() }],
            Options::default(),
            "domain is not running",
        ),
        (
            plain(),
            plain(),
            vec![DomainSpec { snapshots: vec!["s".into()], ..g1() }],
            Options::default(),
            "cannot migrate domain with 1 snapshots",
        ),
        (
            plain(),
            plain(),
            vec![DomainSpec { hostdevs: vec!["0000:03:00.0".into()], ..g1() }],
            Options::default(),
            "hostdev",
        ),
        (
            plain(),
            plain(),
            vec![g1(), DomainSpec { uuid: Some(crate::generate::uuid_of("x", "y")), ..DomainSpec::named("g1", "b") }],
            Options::default(),
            "domain 'g1' already exists with uuid",
        ),
        (
            plain(),
            plain(),
            vec![
                g1(),
                DomainSpec { uuid: Some(g1().domain_uuid()), state: Power::ShutOff, ..DomainSpec::named("g2", "b") },
            ],
            Options::default(),
            "domain 'g2' is already defined with uuid",
        ),
        (
            plain(),
            HostSpec { cpu: "Nehalem".into(), ..plain() },
            vec![g1()],
            Options::default(),
            "the CPU is incompatible with host CPU",
        ),
        (
            plain(),
            HostSpec { machines: vec!["pc-q35-6.2".into()], ..plain() },
            vec![g1()],
            Options::default(),
            "machine type 'pc-i440fx-7.2' is not supported",
        ),
        (
            plain(),
            HostSpec { networks: vec![], ..plain() },
            vec![g1()],
            Options::default(),
            "no network with matching name",
        ),
        (
            plain(),
            HostSpec { bridges: vec![], ..plain() },
            vec![DomainSpec { interfaces: vec![InterfaceSpec::bridged("br0")], ..g1() }],
            Options::default(),
            "Cannot get interface MTU on 'br0': No such device",
        ),
        (plain(), HostSpec { memory_mib: 512, ..plain() }, vec![g1()], Options::default(), "Cannot allocate memory"),
    ] {
        let said = refusal(from, to, domains, options).await;
        assert!(said.contains(says), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_host_under_two_names_is_refused() {
    let (world, id) = pair();
    let plan = plan(&world, id, "a", "b", Options::default()).await;
    let to_itself = Plan { destination: plan.source.clone(), ..plan };
    let fault = world.start(&to_itself).await.unwrap().finished().await.unwrap_err();
    assert!(fault.message.contains("Attempt to migrate guest to the same host"), "{fault}");
    assert_eq!(world.truth(id).running_on, [host("a")]);
}

#[tokio::test(start_paused = true)]
async fn a_pool_is_the_same_store_or_it_is_not() {
    let own = PoolSpec::local("own", "/img");
    let other = PoolSpec { store: Some("second".into()), ..PoolSpec::default() };
    let a = HostSpec { pools: vec![PoolSpec::default(), own.clone()], ..HostSpec::named("a") };
    let b = HostSpec { pools: vec![PoolSpec::default(), own], ..HostSpec::named("b") };
    let c = HostSpec { pools: vec![other], ..HostSpec::named("c") };
    let twin = |on: &str| {
        let disks = vec![DiskSpec { pool: Some("own".into()), volume: Some("x.img".into()), ..DiskSpec::default() }];
        DomainSpec { disks, ..DomainSpec::named(&format!("on-{on}"), on) }
    };
    let world = World::new(&Fleet::new([a, b, c], [DomainSpec::named("g1", "a"), twin("a"), twin("b")])).unwrap();
    let changed = async |domain: &DomainFacts, on: &str| {
        let views = world.disk_views(&host(on), domain).await.unwrap();
        views[0].volume.as_ref().map(|volume| volume.changed.clone().unwrap())
    };
    let shared = facts(&world, "a", world.domain("g1").unwrap()).await;
    assert_eq!(changed(&shared, "a").await, changed(&shared, "b").await);
    assert_eq!(changed(&shared, "c").await, None, "that pool only looks like the same one");
    let local = facts(&world, "a", world.domain("on-a").unwrap()).await;
    assert!(changed(&local, "a").await.is_some() && changed(&local, "b").await.is_some());
    assert_ne!(changed(&local, "a").await, changed(&local, "b").await, "same path, another file");

    // The probe proves it.
    world.create_probe(&host("b"), "shared", "p").await.unwrap();
    assert!(world.create_probe(&host("a"), "shared", "p").await.is_err(), "the name is taken");
    assert!(world.sees_probe(&host("a"), "shared", "p").await.unwrap());
    assert!(!world.sees_probe(&host("c"), "shared", "p").await.unwrap());
    assert!(world.volumes(&host("b"), "shared").contains(&"p".to_owned()));
    world.remove_probe(&host("b"), "shared", "p").await.unwrap();
    world.remove_probe(&host("b"), "shared", "p").await.unwrap();
    assert!(!world.volumes(&host("b"), "shared").contains(&"p".to_owned()));
}
