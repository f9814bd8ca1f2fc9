//! The port over real libvirt daemons and real guests, in one lab of three hosts. The third one is there to be stopped
//! and killed. The file is long because they share that lab: bringing it up costs more than most of the tests.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use uuid::Uuid;
use waypost_core::copies::{CopiedDisk, fits, is_as_new};
use waypost_core::evidence::Evidence;
use waypost_core::facts::{Candidate, CpuComparison, DomainState, Snapshot};
use waypost_core::ids::{DomainId, DomainKey, HostName, Moment};
use waypost_core::plan::{Autostart, End, Plan, SourceFate, TransferMode, plan};
use waypost_core::ports::{Command, Creation, Depth, Events, FaultKind, HostEvent, Hypervisor, Wanted};
use waypost_core::request::Options;
use waypost_core::sample::Stage;
use waypost_core::situation::{Side, Situation, Standing, arrived};
use waypost_lab::{DiskPlace, GuestSpec, Lab, LabSpec, Program, SPIN};
use waypost_libvirt::{HostConfig, Libvirt, Limits};

/// Ends with this process.
static LAB: LazyLock<Lab> = LazyLock::new(|| {
    let dir = std::env::temp_dir().join(format!("waypost-libvirt-{}", std::process::id()));
    Lab::up(&LabSpec::new(3, dir)).unwrap_or_else(|error| panic!("no lab: {error}"))
});

fn name(host: u32) -> HostName {
    HostName::new(format!("kvm{host}"))
}

fn hosts_with(limits: Limits) -> Libvirt {
    Libvirt::new(LAB.hosts().iter().map(|host| HostConfig {
        peer_uri: Some(host.uri_peer()),
        addresses: vec![host.mgmt_ip()],
        limits,
        ..HostConfig::new(host.name(), host.uri_unix())
    }))
}

fn hosts() -> Libvirt {
    // The first question to a fresh libvirt waits until it has tried out every emulator.
    hosts_with(Limits { read: Duration::from_secs(30), ..Limits::default() })
}

/// The facts that a plan is made of, and the plan.
async fn planned(hosts: &Libvirt, guest: &str, options: &Options) -> (Snapshot, Plan) {
    let (one, two) = (name(1), name(2));
    let domain = hosts.domain_facts(&one, &DomainKey::Name(guest.into())).await.unwrap();
    let facts = Snapshot {
        taken_at: Moment(0),
        source: Arc::new(hosts.host_facts(&one, Depth::default()).await.unwrap()),
        source_disks: hosts.disk_views(&one, &domain).await.unwrap(),
        source_disks_again: hosts.disk_views(&one, &domain).await.unwrap(),
        candidates: vec![Candidate {
            host: Arc::new(hosts.host_facts(&two, Depth::default()).await.unwrap()),
            pair: hosts.pair_facts(&two, &domain).await.unwrap(),
        }],
        domain: Arc::new(domain),
    };
    let plan = plan(1, options, &facts, &facts.candidates[0]).unwrap();
    (facts, plan)
}

async fn look(hosts: &Libvirt, id: DomainId) -> Situation {
    Situation { source: hosts.observe(&name(1), id).await, destination: hosts.observe(&name(2), id).await }
}

/// Looks until the situation is as wanted; the last one if it never is.
async fn look_until(hosts: &Libvirt, id: DomainId, wanted: impl Fn(&Situation) -> bool) -> Situation {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let situation = look(hosts, id).await;
        if wanted(&situation) || Instant::now() > deadline {
            return situation;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// What a stream of events holds until it stays silent for a while.
async fn drain(events: &mut Box<dyn Events>) -> Vec<HostEvent> {
    let mut all = Vec::new();
    while let Ok(Some(event)) = timeout(Duration::from_millis(500), events.next()).await {
        all.push(event);
    }
    all
}

fn lifecycles(events: &[HostEvent], id: DomainId) -> Vec<String> {
    let told = |event: &HostEvent| match event {
        HostEvent::Lifecycle { domain, event, detail } if *domain == id => Some(format!("{event} {detail}")),
        _ => None,
    };
    events.iter().filter_map(told).collect()
}

#[tokio::test]
async fn the_facts_of_every_host_are_read_and_quickly() {
    let hosts = hosts();
    for lab_host in LAB.hosts() {
        // With the two that every host of the lab has: five pools.
        for pool in ["a", "b", "c"] {
            let target = format!("/var/lib/libvirt/pool-{pool}");
            lab_host.virsh(&["pool-define-as", pool, "dir", "--target", &target]).unwrap();
            lab_host.virsh(&["pool-build", pool]).unwrap();
            lab_host.virsh(&["pool-start", pool]).unwrap();
        }
        let host = HostName::new(lab_host.name());
        let begun = Instant::now();
        let facts = hosts.host_facts(&host, Depth::default()).await.unwrap();
        let first = begun.elapsed();
        assert_eq!(facts.uuid, Some(Uuid::parse_str(&lab_host.uuid()).unwrap()));
        assert_eq!((facts.hypervisor.as_str(), facts.architecture.as_str()), ("QEMU", "x86_64"));
        assert_eq!(facts.hostname, host.as_str());
        assert!(facts.libvirt_version > Some(6_000_000) && facts.hypervisor_version.is_some());
        assert!(facts.live_migration && facts.migration_transports.contains(&"tcp".to_owned()));
        assert!(facts.pool("shared").is_some_and(|pool| pool.active && pool.available_bytes > 0));
        assert_eq!(facts.pools.iter().filter(|pool| pool.active).count(), 5);
        assert!(facts.memory_kib > 0 && facts.free_memory_kib > 0 && facts.cpus > 0);
        let tcg = facts.guest_support("x86_64", "qemu").unwrap();
        assert!(tcg.machines.iter().any(|machine| machine.name == "pc" && machine.canonical.is_some()));
        let mut times = Vec::new();
        for _ in 0..10 {
            let begun = Instant::now();
            hosts.host_facts(&host, Depth::default()).await.unwrap();
            times.push(begun.elapsed());
        }
        times.sort();
        println!("{host}: facts first {first:?}, then median {:?}, worst {:?}", times[5], times[9]);
        assert!(times[0] < Duration::from_millis(500), "{times:?}");
    }
    let deep = Depth { volumes: Wanted::Yes, node_devices: Wanted::Yes };
    let facts = hosts.host_facts(&name(1), deep).await.unwrap();
    assert!(facts.node_devices.unwrap().iter().any(|device| device.capabilities.contains(&"net".to_owned())));
    assert!(facts.pools.iter().all(|pool| pool.volumes.is_some()));
    // How busy it is takes two looks at its counters.
    let busy = async {
        loop {
            if let Some(share) = hosts.load(&name(1)).await.unwrap().cpu_busy_permille {
                break share;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(timeout(Duration::from_secs(20), busy).await.expect("libvirt tells what the CPUs do") <= 1000);
}

#[tokio::test]
async fn a_running_guest_moves_and_everything_that_happens_is_told() {
    let hosts = hosts();
    let guest = GuestSpec { memory_mib: 128, ..GuestSpec::tick("moves") };
    LAB.start_guest(&guest).unwrap();
    let (facts, plan) = planned(&hosts, "moves", &Options { max_downtime_ms: Some(250), ..Options::default() }).await;
    let id = plan.domain;

    // Both sides see one file: the same volume under the same path, changed at the same instant.
    let (here, there) = (&facts.source_disks[0], &facts.candidates[0].pair.destination_disks[0]);
    assert_eq!((here.pool.as_deref(), there.pool.as_deref()), (Some("shared"), Some("shared")));
    assert!(here.volume.is_some());
    assert_eq!(here.volume, there.volume);
    assert!(matches!(facts.candidates[0].pair.cpu, CpuComparison::Superset | CpuComparison::Identical));
    let mut kvm_only = (*facts.domain).clone();
    kvm_only.cpu.xml = Some("<cpu mode='custom' match='exact'><model>Haswell</model></cpu>".to_owned());
    let pair = hosts.pair_facts(&name(2), &kvm_only).await.unwrap();
    assert_eq!(pair.cpu, CpuComparison::Incompatible);
    assert!(pair.cpu_message.unwrap().contains("features"));

    let mut at_source = hosts.events(&name(1)).await.unwrap();
    let mut at_destination = hosts.events(&name(2)).await.unwrap();
    hosts.command(&name(1), id, Command::SetMaxDowntime { ms: 250 }).await.unwrap();
    let begun = Instant::now();
    let mut transfer = hosts.start(&plan).await.unwrap();
    timeout(Duration::from_secs(60), transfer.finished()).await.unwrap().unwrap();
    println!("moved in {:?}", begun.elapsed());
    // Asked again, it says the same.
    transfer.finished().await.unwrap();

    let situation = look(&hosts, id).await;
    assert!(arrived(&plan, &situation), "{situation:?}");
    assert!(matches!(situation.source, Side::Absent { host: Some(host) } if Some(host) == plan.source.uuid));
    LAB.check_counter("moves").unwrap();

    let source = drain(&mut at_source).await;
    let completed = source.iter().find_map(|event| match event {
        HostEvent::JobCompleted { domain, sample } if *domain == id => Some(sample.clone()),
        _ => None,
    });
    let completed = completed.unwrap();
    assert_eq!(completed.stage, Stage::Final);
    assert!(completed.downtime_ms.is_some() && completed.total_bytes > 0, "{completed:?}");
    assert!(source.iter().any(|event| matches!(event, HostEvent::Iteration { domain, .. } if *domain == id)));
    assert_eq!(lifecycles(&source, id), ["suspended migrated", "stopped migrated"]);
    let destination = lifecycles(&drain(&mut at_destination).await, id);
    for expected in ["started migrated", "resumed migrated", "defined added"] {
        assert!(destination.iter().any(|event| event == expected), "{destination:?}");
    }
    // Read twice: the first reading didn't use it up.
    for _ in 0..2 {
        let kept = hosts.final_sample(&name(2), id).await.unwrap().unwrap();
        assert_eq!(kept.stage, Stage::Final);
    }
}

/// A guest that dirties memory faster than the limit lets it move: its migration never ends by itself.
fn hot(name: &str) -> GuestSpec {
    GuestSpec {
        memory_mib: 192,
        program: Program::Tick { working_set_mib: 128, dirty_pages_per_tick: SPIN },
        ..GuestSpec::tick(name)
    }
}

#[tokio::test]
async fn a_transfer_is_sampled_steered_and_aborted() {
    let hosts = hosts();
    LAB.start_guest(&hot("aborted")).unwrap();
    let (_, plan) = planned(&hosts, "aborted", &Options { bandwidth_mib_s: Some(20), ..Options::default() }).await;
    let id = plan.domain;
    assert_eq!(hosts.sample(&name(1), id).await.unwrap(), None, "no job yet");
    let mut transfer = hosts.start(&plan).await.unwrap();
    let sample = timeout(Duration::from_secs(20), async {
        loop {
            match hosts.sample(&name(1), id).await.unwrap() {
                Some(sample) if sample.processed_bytes > 0 => return sample,
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
    });
    let sample = sample.await.unwrap();
    assert!(sample.total_bytes > 100 << 20 && sample.remaining_bytes > 0, "{sample:?}");
    assert_eq!(sample.stage, Stage::PreCopy);
    let situation = look(&hosts, id).await;
    let job = |side: &Side| matches!(side, Side::Present(seen) if seen.job);
    assert!(job(&situation.source) && job(&situation.destination), "{situation:?}");
    let facts = hosts.domain_facts(&name(1), &DomainKey::Id(id)).await.unwrap();
    assert_eq!(facts.job.unwrap().operation, "migration-out");

    hosts.command(&name(1), id, Command::SetMaxDowntime { ms: 77 }).await.unwrap();
    hosts.command(&name(1), id, Command::SetBandwidth { mib_s: 30 }).await.unwrap();
    let post_copy = hosts.command(&name(1), id, Command::StartPostCopy).await.unwrap_err();
    assert_eq!(post_copy.kind, FaultKind::Refused, "{post_copy}");

    let begun = Instant::now();
    hosts.command(&name(1), id, Command::AbortJob).await.unwrap();
    let fault = timeout(Duration::from_secs(10), transfer.finished()).await.unwrap().unwrap_err();
    println!("aborted in {:?}: {fault}", begun.elapsed());
    assert_eq!((fault.kind, fault.code), (FaultKind::Aborted, Some(78)));
    assert_eq!(transfer.finished().await.unwrap_err(), fault);

    let gone = |situation: &Situation| matches!(situation.destination, Side::Absent { .. });
    let situation = look_until(&hosts, id, gone).await;
    assert!(gone(&situation), "{situation:?}");
    let Side::Present(seen) = situation.source else { panic!("it is on its source") };
    assert_eq!((seen.state, seen.job), (DomainState::Running, false));
    LAB.check_counter("aborted").unwrap();
}

#[tokio::test]
async fn a_transfer_that_nobody_waits_for_goes_on() {
    let hosts = hosts();
    LAB.start_guest(&GuestSpec { memory_mib: 96, ..GuestSpec::tick("dropped") }).unwrap();
    let (_, plan) = planned(&hosts, "dropped", &Options::default()).await;
    drop(hosts.start(&plan).await.unwrap());
    let situation = look_until(&hosts, plan.domain, |situation| arrived(&plan, situation)).await;
    assert!(arrived(&plan, &situation), "{situation:?}");
    LAB.check_counter("dropped").unwrap();
}

#[tokio::test]
async fn a_shut_off_domain_moves_as_a_definition() {
    let hosts = hosts();
    LAB.define_guest(&GuestSpec::tick("offline")).unwrap();
    let options = Options { destination_name: Some("offline-renamed".into()), ..Options::default() };
    let (facts, plan) = planned(&hosts, "offline", &options).await;
    assert_eq!((plan.mode, plan.source_fate), (TransferMode::Offline, SourceFate::Undefine));
    assert_eq!(facts.domain.documents.iter().filter(|document| document.kind == "live").count(), 0);
    assert_eq!(facts.domain.disks[0].capacity_bytes, Some(1 << 20));
    hosts.start(&plan).await.unwrap().finished().await.unwrap();
    let situation = look(&hosts, plan.domain).await;
    assert!(arrived(&plan, &situation), "{situation:?}");
    let Side::Present(seen) = &situation.destination else { panic!("it is there") };
    assert_eq!((seen.name.as_str(), seen.persistent, seen.autostart), ("offline-renamed", true, false));
    hosts.command(&name(2), plan.domain, Command::SetAutostart(Autostart::On)).await.unwrap();
    let Side::Present(seen) = hosts.observe(&name(2), plan.domain).await else { panic!("it is there") };
    assert!(seen.autostart);
    hosts.command(&name(2), plan.domain, Command::Undefine).await.unwrap();
    assert!(matches!(hosts.observe(&name(2), plan.domain).await, Side::Absent { .. }));
}

#[tokio::test]
async fn a_plan_that_no_longer_fits_is_refused_before_anything_begins() {
    let hosts = hosts();
    LAB.start_guest(&GuestSpec::tick("stays")).unwrap();
    let (_, plan) = planned(&hosts, "stays", &Options::default()).await;
    // libvirt would copy the definition and leave the guest running.
    let offline = Plan { mode: TransferMode::Offline, ..plan.clone() };
    let elsewhere = Plan { source: End { uuid: Some(Uuid::nil()), ..plan.source.clone() }, ..plan.clone() };
    for wrong in [offline, elsewhere] {
        let fault = hosts.start(&wrong).await.err().unwrap();
        assert_eq!(fault.kind, FaultKind::Refused, "{fault}");
    }
    let nobody = Plan { domain: DomainId(Uuid::max()), ..plan.clone() };
    assert_eq!(hosts.start(&nobody).await.err().unwrap().kind, FaultKind::NoDomain);
    // A destination that no daemon listens at: the source says so, and the guest stays.
    let nowhere = Plan { peer_uri: "qemu+tcp://10.77.0.2:9/system".into(), ..plan.clone() };
    let fault = hosts.start(&nowhere).await.unwrap().finished().await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable, "{fault}");
    let situation = look(&hosts, plan.domain).await;
    assert!(matches!(situation.destination, Side::Absent { .. }), "{situation:?}");
    LAB.check_counter("stays").unwrap();
}

#[tokio::test]
async fn an_order_for_a_copy_that_stood_otherwise_or_for_another_host_is_refused() {
    let (hosts, one) = (hosts(), name(1));
    LAB.start_guest(&GuestSpec::tick("expected")).unwrap();
    let id = hosts.domain_facts(&one, &DomainKey::Name("expected".into())).await.unwrap().id;
    let planned = End { host: one.clone(), uuid: Some(Uuid::parse_str(&LAB.host("kvm1").unwrap().uuid()).unwrap()) };
    let seen = async || Standing::of(&hosts.observe(&one, id).await, &planned).unwrap();
    let runs = seen().await;
    assert_eq!((runs.host, runs.state), (planned.uuid, DomainState::Running));
    let never_ran = Standing { state: DomainState::Paused, reason: "migration".into(), ..runs.clone() };
    let elsewhere = Standing { host: Some(Uuid::nil()), ..runs.clone() };
    for (wrong, words) in [(&never_ran, "the domain is running ("), (&elsewhere, "the order is for host 00000000-")] {
        let fault = hosts.command_if(&one, id, Command::Destroy, Some(wrong)).await.unwrap_err();
        assert!(fault.kind == FaultKind::Refused && fault.message.contains(words), "{fault}");
    }
    LAB.check_counter("expected").unwrap();

    hosts.command_if(&one, id, Command::Suspend, Some(&runs)).await.unwrap();
    let paused = seen().await;
    assert_eq!((paused.state, paused.reason.as_str()), (DomainState::Paused, "user"));
    // One that may have run is none that never did.
    let fault = hosts.command_if(&one, id, Command::Resume, Some(&never_ran)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused, "{fault}");
    assert_eq!(seen().await, paused);
    hosts.command_if(&one, id, Command::Resume, Some(&paused)).await.unwrap();
    let again = seen().await;
    assert_eq!(again.state, DomainState::Running);
    let fault = hosts.command_if(&one, id, Command::Destroy, Some(&paused)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused, "{fault}");
    hosts.command_if(&one, id, Command::Destroy, Some(&again)).await.unwrap();
    let Side::Present(seen) = hosts.observe(&one, id).await else { panic!("its definition is there") };
    assert_eq!(seen.state, DomainState::ShutOff);
}

#[tokio::test]
async fn a_disk_that_the_destination_lacks_is_seen_as_missing_and_refused_as_storage() {
    let hosts = hosts();
    LAB.start_guest(&GuestSpec { disk: DiskPlace::Local, ..GuestSpec::tick("local") }).unwrap();
    let (facts, plan) = planned(&hosts, "local", &Options::default()).await;
    assert!(facts.source_disks[0].volume.is_some());
    let there = &facts.candidates[0].pair.destination_disks[0];
    assert_eq!((there.pool.as_deref(), there.volume.as_ref()), (Some("default"), None));
    let fault = hosts.start(&plan).await.unwrap().finished().await.unwrap_err();
    assert!(matches!(fault.kind, FaultKind::Storage | FaultKind::UnsafeStorage), "{fault}");
}

/// An image with something else where data should be: the first read of the guest fails, and its hypervisor stops it.
fn break_image(path: &Path) {
    let image = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let number = |at: u64| {
        let mut bytes = [0; 8];
        image.read_exact_at(&mut bytes, at).unwrap();
        u64::from_be_bytes(bytes)
    };
    // Where the first table is stands in the header, where the second one is in its first entry, beside some flags.
    let second = number(number(40)) & 0x00ff_ffff_ffff_fe00;
    // What is there is called compressed, and can't be unpacked. A place where no cluster can be would have the whole image
    // closed, and the start fail with it if the guest is quick.
    let packed: u64 = (1 << 62) | (number(second) & 0x00ff_ffff_ffff_fe00);
    image.write_all_at(&packed.to_be_bytes(), second).unwrap();
}

#[tokio::test]
async fn a_disk_that_stopped_the_guest_is_named_and_what_libvirt_has_on_record_is_told() {
    let hosts = hosts();
    let host = LAB.host("kvm1").unwrap();
    let spec = GuestSpec { disk: DiskPlace::Local, ..GuestSpec::tick("broken") };
    let xml = LAB.define_guest(&spec).unwrap();
    host.virsh(&["undefine", "broken"]).unwrap();
    let image = "/var/lib/libvirt/images/broken.img";
    for words in [
        &["qemu-img", "create", "-f", "qcow2", image, "1M"][..],
        &["qemu-io", "-f", "qcow2", "-c", "write 0 64k", image],
    ] {
        assert!(host.run(words).unwrap().status.success(), "{words:?}");
    }
    break_image(&host.images().join("broken.img"));
    let stops = "type='qcow2' cache='none' error_policy='stop' rerror_policy='stop'";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), xml.replace("type='raw' cache='none'", stops)).unwrap();
    host.virsh(&["define", &file.path().to_string_lossy()]).unwrap();
    host.virsh(&["start", "broken"]).unwrap();
    let id = hosts.domain_facts(&name(1), &DomainKey::Name("broken".into())).await.unwrap().id;
    let stopped = |situation: &Situation| matches!(&situation.source, Side::Present(seen) if seen.state == DomainState::Paused && seen.reason == "io-error");
    let situation = look_until(&hosts, id, stopped).await;
    let Side::Present(seen) = &situation.source else { panic!("it is there: {situation:?}") };
    assert_eq!(seen.disk_errors.0, ["vda: an error without a name"], "{situation:?}");

    // Of no migration there is no error; but somebody talked to its process past libvirt.
    host.virsh(&["qemu-monitor-command", "broken", "--hmp", "info version"]).unwrap();
    let told = hosts.evidence(&name(1), id).await.unwrap();
    assert_eq!(told.job, None);
    let talked = told.messages.iter().any(|message| message.contains("custom monitor control commands issued"));
    assert!(talked, "{:?}", told.messages);
    // Where there is no such domain there is nothing to tell, and that is no fault.
    assert_eq!(hosts.evidence(&name(2), id).await.unwrap(), Evidence::default());
    host.virsh(&["destroy", "broken"]).unwrap();
    host.virsh(&["undefine", "broken"]).unwrap();
}

#[tokio::test]
async fn a_probe_proves_a_shared_pool_and_disproves_a_local_one() {
    let hosts = hosts();
    for (pool, shared) in [("shared", true), ("default", false)] {
        hosts.create_probe(&name(2), pool, "waypost-probe-1").await.unwrap();
        let taken = hosts.create_probe(&name(2), pool, "waypost-probe-1").await.unwrap_err();
        assert_eq!(taken.kind, FaultKind::Storage, "{taken}");
        assert_eq!(hosts.sees_probe(&name(1), pool, "waypost-probe-1").await.unwrap(), shared);
        hosts.remove_probe(&name(2), pool, "waypost-probe-1").await.unwrap();
        assert!(!hosts.sees_probe(&name(1), pool, "waypost-probe-1").await.unwrap());
    }
}

#[tokio::test]
async fn a_volume_is_made_where_nothing_is_found_by_its_users_and_removed() {
    let hosts = hosts();
    let there = name(2);
    for (format, capacity_bytes) in [("raw", (9 << 20) + 512), ("qcow2", 5 << 30)] {
        let volume = format!("a <copy> & more.{format}");
        let disk = CopiedDisk {
            target: "vda".into(),
            path: format!("/var/lib/libvirt/images/{volume}"),
            pool: "default".into(),
            volume,
            capacity_bytes,
            format: format.into(),
            backing: None,
        };
        assert_eq!(hosts.volume(&there, &disk.pool, &disk.volume).await.unwrap(), None);
        assert_eq!(hosts.create_volume(&there, &disk).await.unwrap(), Creation::Made);
        assert_eq!(hosts.create_volume(&there, &disk).await.unwrap(), Creation::Taken);
        let found = hosts.volume(&there, &disk.pool, &disk.volume).await.unwrap().unwrap();
        assert!(fits(&disk, &found.volume) && is_as_new(&disk, &found.volume), "{found:?}");
        assert_eq!(hosts.volume_at(&there, &disk.path).await.unwrap().as_ref(), Some(&found.volume));
        assert_eq!(hosts.users_of(&there, &disk).await.unwrap(), []);
        // Something that libvirt has not on its list yet is something, too.
        hosts.remove_volume(&there, &disk.pool, &disk.volume).await.unwrap();
        let file = LAB.host("kvm2").unwrap().images().join(&disk.volume);
        assert!(!file.exists());
        std::fs::write(&file, "somebody's").unwrap();
        assert_eq!(hosts.create_volume(&there, &disk).await.unwrap(), Creation::Taken);
        let found = hosts.volume(&there, &disk.pool, &disk.volume).await.unwrap().unwrap();
        assert!(!is_as_new(&disk, &found.volume), "{found:?}");
        std::fs::remove_file(&file).unwrap();
        hosts.remove_volume(&there, &disk.pool, &disk.volume).await.unwrap();
    }
}

#[tokio::test]
async fn who_names_a_volume_is_its_user_running_or_not() {
    let hosts = hosts();
    let spec = GuestSpec { disk: DiskPlace::Local, ..GuestSpec::tick("user") };
    LAB.define_guest(&spec).unwrap();
    let disk = CopiedDisk {
        target: "vda".into(),
        path: spec.image().unwrap(),
        pool: "default".into(),
        volume: "user.img".into(),
        capacity_bytes: 1 << 20,
        format: "raw".into(),
        backing: None,
    };
    let users = hosts.users_of(&name(1), &disk).await.unwrap();
    assert_eq!(users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["user"]);
    assert_eq!(hosts.users_of(&name(2), &disk).await.unwrap(), []);
}

/// Sends a signal to the libvirt daemon of the third host.
fn signal(signal: &str) {
    let command = format!("kill -{signal} $(cat /run/libvirtd.pid)");
    let output = LAB.host("kvm3").unwrap().run(&["sh", "-c", &command]).unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn a_daemon_that_hangs_costs_the_deadline_and_one_that_comes_back_is_found_again() {
    let three = name(3);
    hosts().host_facts(&three, Depth::default()).await.unwrap();
    let limit = Duration::from_secs(1);
    let limits = Limits { open: limit, read: limit, order: limit, keepalive_interval_s: 1, keepalive_count: 3 };
    let hosts = hosts_with(limits);
    let begun = Instant::now();
    hosts.domains(&three).await.unwrap();
    println!("first answer after {:?}", begun.elapsed());
    let mut events = hosts.events(&three).await.unwrap();

    signal("STOP");
    // The first call waits on a connection that was fine, the next ones on one that can't be opened.
    for attempted in ["list its domains", "open a connection to qemu", "open a connection to qemu"] {
        let begun = Instant::now();
        let fault = hosts.domains(&three).await.unwrap_err();
        let waited = begun.elapsed();
        assert!(fault.kind == FaultKind::Deadline && fault.attempted.starts_with(attempted), "{fault}");
        assert!((limit..limit + Duration::from_millis(500)).contains(&waited), "{waited:?}");
    }
    let side = hosts.observe(&three, DomainId(Uuid::nil())).await;
    assert!(matches!(side, Side::Unknown(_)), "{side:?}");
    let told = timeout(Duration::from_secs(10), events.next()).await.unwrap();
    assert!(matches!(&told, Some(HostEvent::Disconnected { why }) if why.contains("keepalive")), "{told:?}");
    assert_eq!(events.next().await, None);
    // The other hosts are none the worse.
    hosts.domains(&name(1)).await.unwrap();

    signal("CONT");
    let begun = Instant::now();
    hosts.domains(&three).await.unwrap();
    println!("found again after {:?}", begun.elapsed());

    let mut events = hosts.events(&three).await.unwrap();
    LAB.host("kvm3").unwrap().kill_libvirtd().unwrap();
    let told = timeout(Duration::from_secs(5), events.next()).await.unwrap();
    assert!(matches!(told, Some(HostEvent::Disconnected { .. })), "{told:?}");
    let fault = hosts.domains(&three).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable, "{fault}");
    LAB.host("kvm3").unwrap().start_libvirtd().unwrap();
    let answer = timeout(Duration::from_secs(20), async { while hosts.domains(&three).await.is_err() {} });
    answer.await.unwrap();
}

#[tokio::test]
async fn ten_callers_at_once_never_have_more_than_four_calls_under_way() {
    // With client keepalives on, five calls under way end a connection after their count: these outlast it, and it lives.
    let hosts = Arc::new(hosts_with(Limits { keepalive_interval_s: 1, keepalive_count: 1, ..Limits::default() }));
    let mut events = hosts.events(&name(1)).await.unwrap();
    let until = Instant::now() + Duration::from_secs(4);
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let hosts = hosts.clone();
            tokio::spawn(async move {
                let mut answers = 0_u32;
                while Instant::now() < until {
                    hosts.host_facts(&name(1), Depth::default()).await.unwrap();
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    let mut answers = 0;
    for caller in callers {
        answers += caller.await.unwrap();
    }
    println!("{answers} times all facts of one host in 4 s for ten callers");
    let told = drain(&mut events).await;
    assert!(!told.iter().any(|event| matches!(event, HostEvent::Disconnected { .. })), "{told:?}");
}
