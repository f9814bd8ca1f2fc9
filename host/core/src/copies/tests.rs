//! Every kind of disk before every kind of destination, and what comes of it. One file, because all of it is asked of the same
//! made-up disks.

use std::sync::Arc;

use super::*;
use crate::facts::{
    BackingLayer, DomainFacts, DomainState, Firmware, GuestCpu, HostFacts, MemoryBacking, PairFacts, PoolSource,
    StorageProof, Tpm,
};
use crate::ids::{DomainId, Moment};
use crate::plan::{PlanError, TransferMode};
use crate::request::{Mode, Options};

const GIB: u64 = 1 << 30;

fn disk() -> Disk {
    Disk {
        target: "vda".into(),
        bus: None,
        device: "disk".into(),
        kind: "file".into(),
        source: Some("/srv/images/web.img".into()),
        format: Some("raw".into()),
        cache: None,
        shareable: false,
        read_only: false,
        transient: false,
        startup_policy: None,
        protocol: None,
        servers: vec![],
        pool: Some("images".into()),
        volume: Some("web.img".into()),
        encrypted: false,
        backing: vec![],
        capacity_bytes: Some(GIB),
        allocation_bytes: Some(GIB / 4),
    }
}

fn pool(kind: &str) -> Pool {
    Pool {
        name: "images".into(),
        uuid: uuid::Uuid::nil(),
        kind: kind.into(),
        active: true,
        source: PoolSource { hosts: vec![], dir: None, devices: vec![], name: None, format: None, adapter: None },
        target: Some("/srv/images".into()),
        capacity_bytes: 10 * GIB,
        allocation_bytes: 0,
        available_bytes: 10 * GIB,
        volumes: None,
    }
}

fn volume(changed: &str) -> Volume {
    Volume {
        name: "web.img".into(),
        key: "/srv/images/web.img".into(),
        path: "/srv/images/web.img".into(),
        kind: "file".into(),
        format: Some("raw".into()),
        capacity_bytes: GIB,
        allocation_bytes: GIB / 4,
        changed: Some(changed.into()),
    }
}

fn view(volume: Option<Volume>) -> DiskView {
    DiskView { target: "vda".into(), source: "/srv/images/web.img".into(), pool: Some("images".into()), volume }
}

fn host(name: &str) -> HostFacts {
    HostFacts {
        uri: "test:///".into(),
        peer_uri: Some("test:///peer".into()),
        architecture: "x86_64".into(),
        pools: vec![pool("dir")],
        ..crate::testing::host(name)
    }
}

/// A directory of its own on each host, and nothing at the disk's path on the destination.
pub(crate) fn scene() -> (Disks, Snapshot) {
    let domain = DomainFacts {
        id: DomainId(uuid::Uuid::nil()),
        name: "web".into(),
        state: DomainState::Running,
        reason: "booted".into(),
        persistent: true,
        autostart: false,
        managed_save: false,
        virt_type: "qemu".into(),
        architecture: "x86_64".into(),
        machine: None,
        emulator: None,
        firmware: Firmware { kind: "bios".into(), loader: None, nvram: None, kernel: None, initrd: None },
        vcpus: 1,
        vcpus_max: 1,
        memory_kib: 1,
        memory_max_kib: 1,
        memory_backing: MemoryBacking { huge_page_kib: None, locked: false, source: None, access: None },
        iothreads: vec![],
        pins: vec![],
        memory_nodes: None,
        on_poweroff: None,
        on_reboot: None,
        on_crash: None,
        cpu: GuestCpu {
            mode: None,
            model: None,
            vendor: None,
            check: None,
            migratable: None,
            features: vec![],
            xml: None,
        },
        tsc_frequency_hz: None,
        disks: vec![disk()],
        interfaces: vec![],
        hostdevs: vec![],
        tpms: vec![],
        graphics: vec![],
        character_devices: vec![],
        filesystems: vec![],
        other_devices: vec![],
        shared_memory_roles: vec![],
        launch_security: None,
        snapshots: vec![],
        checkpoints: vec![],
        job: None,
        block_jobs: vec![],
        metadata: vec![],
        migration_network: None,
        title: None,
        description: None,
        documents: vec![],
    };
    let pair = PairFacts { destination_disks: vec![view(None)], ..crate::testing::pair() };
    let facts = Snapshot {
        taken_at: Moment(0),
        domain: Arc::new(domain),
        source: Arc::new(host("a")),
        source_disks: vec![view(Some(volume("100.5")))],
        source_disks_again: vec![view(Some(volume("100.5")))],
        candidates: vec![Candidate { host: Arc::new(host("b")), pair }],
    };
    (Disks { copy: DiskCopy::Full, ..Disks::default() }, facts)
}

fn by_name(asked: &mut Disks) {
    asked.targets = vec!["vda".into()];
}
fn incremental(asked: &mut Disks) {
    asked.copy = DiskCopy::Incremental;
}
fn of_domain(facts: &mut Snapshot, change: impl FnOnce(&mut Disk)) {
    change(&mut Arc::make_mut(&mut facts.domain).disks[0]);
}
fn pool_there(facts: &mut Snapshot) -> &mut Pool {
    &mut Arc::make_mut(&mut facts.candidates[0].host).pools[0]
}
fn pool_here(facts: &mut Snapshot) -> &mut Pool {
    &mut Arc::make_mut(&mut facts.source).pools[0]
}
fn there(facts: &mut Snapshot, volume: Volume) {
    facts.candidates[0].pair.destination_disks[0].volume = Some(volume);
}
fn one_server(pool: &mut Pool) {
    (pool.kind, pool.source.hosts) = ("netfs".into(), vec!["nas".into()]);
}
fn proof(facts: &mut Snapshot, shared: bool) {
    let (source_pool, destination_pool) = ("images".into(), "images".into());
    facts.candidates[0].pair.storage_proofs = vec![StorageProof { source_pool, destination_pool, shared }];
}

/// `copied`, `left` (nothing to copy), or the refusal in its words.
fn comes_to(change: impl FnOnce(&mut Disks, &mut Snapshot)) -> String {
    let (mut asked, mut facts) = scene();
    change(&mut asked, &mut facts);
    match copies(&asked, &facts, &facts.candidates[0]) {
        Ok(copies) if copies.0.is_empty() => "left".into(),
        Ok(_) => "copied".into(),
        Err(why) => why.to_string(),
    }
}

/// What is changed in the clean scene, and what the answer must hold.
type Row = (&'static str, fn(&mut Disks, &mut Snapshot), &'static str);

#[test]
fn a_whole_copy_is_made_only_where_nothing_is() {
    let rows: &[Row] = &[
        ("nothing there", |_, _| {}, "copied"),
        ("asked by name", |asked, _| by_name(asked), "copied"),
        ("nothing asked", |asked, _| asked.copy = DiskCopy::No, "left"),
        ("no such disk", |asked, _| asked.targets = vec!["vdz".into()], "has no disk vdz"),
        ("another file there", |_, facts| there(facts, volume("7.0")), "something at /srv/images/web.img on b"),
        ("another size there", |_, f| there(f, Volume { capacity_bytes: 5, ..volume("100.5") }), "something at"),
        ("times are not told", |_, f| there(f, Volume { changed: None, ..volume("") }), "something at"),
        ("one file", |_, facts| there(facts, volume("100.5")), "left"),
        (
            "one file, by name",
            |a, f| {
                by_name(a);
                there(f, volume("100.5"));
            },
            "must not be copied",
        ),
        (
            "one file that is written",
            |_, facts| {
                facts.source_disks_again = vec![view(Some(volume("101.0")))];
                there(facts, volume("100.7"));
            },
            "left",
        ),
        (
            "pools of one server",
            |_, facts| {
                one_server(pool_here(facts));
                one_server(pool_there(facts));
            },
            "left",
        ),
        (
            "pools of one server, by name",
            |asked, facts| {
                by_name(asked);
                one_server(pool_here(facts));
                one_server(pool_there(facts));
            },
            "its pools name one store",
        ),
        (
            "another export of it",
            |_, facts| {
                one_server(pool_here(facts));
                one_server(pool_there(facts));
                pool_there(facts).source.dir = Some("/else".into());
            },
            "copied",
        ),
        (
            "proven one",
            |asked, facts| {
                by_name(asked);
                proof(facts, true);
            },
            "a probe proved it",
        ),
        (
            "proven two, though named alike",
            |_, facts| {
                one_server(pool_here(facts));
                one_server(pool_there(facts));
                proof(facts, false);
            },
            "copied",
        ),
        ("no pool there", |_, facts| facts.candidates[0].pair.destination_disks[0].pool = None, "no active pool on b"),
        ("pool not started", |_, facts| pool_there(facts).active = false, "no active pool on b"),
        (
            "below a folder of the pool",
            |_, f| of_domain(f, |d| d.source = Some("/srv/images/sub/web.img".into())),
            "no active pool on b",
        ),
        ("a pool that makes none", |_, facts| pool_there(facts).kind = "iscsi".into(), "makes no raw volumes"),
        (
            "qcow2 in a volume group",
            |_, facts| {
                pool_there(facts).kind = "logical".into();
                of_domain(facts, |disk| disk.format = Some("qcow2".into()));
            },
            "makes no qcow2 volumes",
        ),
        ("a format that isn't made", |_, f| of_domain(f, |d| d.format = Some("vmdk".into())), "makes no vmdk volumes"),
        ("too large", |_, facts| pool_there(facts).available_bytes = GIB / 8, "takes 268435456 bytes"),
    ];
    check(rows);
}

#[test]
fn a_disk_that_cannot_be_copied_says_why() {
    let rows: &[Row] = &[
        ("read-only", |_, facts| of_domain(facts, |disk| disk.read_only = true), "left"),
        (
            "read-only, by name",
            |a, f| {
                by_name(a);
                of_domain(f, |d| d.read_only = true);
            },
            "it is read-only",
        ),
        ("shareable", |_, facts| of_domain(facts, |disk| disk.shareable = true), "left"),
        (
            "shareable, by name",
            |a, f| {
                by_name(a);
                of_domain(f, |d| d.shareable = true);
            },
            "other guests may use it",
        ),
        ("empty", |_, facts| of_domain(facts, |disk| disk.source = None), "left"),
        (
            "empty, by name",
            |a, f| {
                by_name(a);
                of_domain(f, |d| d.source = None);
            },
            "the drive is empty",
        ),
        ("network", |_, facts| of_domain(facts, |disk| disk.kind = "network".into()), "left"),
        (
            "network, by name",
            |a, f| {
                by_name(a);
                of_domain(f, |d| d.kind = "network".into());
            },
            "a network disk",
        ),
        (
            "nvme, by name",
            |a, f| {
                by_name(a);
                of_domain(f, |d| d.kind = "nvme".into());
            },
            "a device or a process",
        ),
        ("transient", |_, facts| of_domain(facts, |disk| disk.transient = true), "it is transient"),
        ("encrypted", |_, facts| of_domain(facts, |disk| disk.encrypted = true), "it is encrypted"),
        (
            "no size",
            |_, facts| {
                of_domain(facts, |disk| disk.capacity_bytes = None);
                facts.source_disks = vec![];
            },
            "its size is not known",
        ),
        ("size of the volume", |_, facts| of_domain(facts, |disk| disk.capacity_bytes = None), "copied"),
    ];
    check(rows);
}

#[test]
fn an_incremental_copy_needs_its_target_and_proof_that_it_is_another() {
    let rows: &[Row] = &[
        ("nothing there", |asked, _| incremental(asked), "nothing is at /srv/images/web.img on b"),
        (
            "prepared",
            |asked, facts| {
                incremental(asked);
                there(facts, volume("7.0"));
            },
            "copied",
        ),
        (
            "another size",
            |asked, facts| {
                incremental(asked);
                there(facts, Volume { capacity_bytes: 5, ..volume("7.0") });
            },
            "the size of /srv/images/web.img on b is 5, and not 1073741824",
        ),
        (
            "another format",
            |asked, facts| {
                incremental(asked);
                there(facts, Volume { format: Some("qcow2".into()), ..volume("7.0") });
            },
            "the format of /srv/images/web.img on b is qcow2",
        ),
        (
            "the source's own",
            |asked, facts| {
                incremental(asked);
                there(facts, volume("100.5"));
            },
            "left",
        ),
        (
            "not told",
            |asked, facts| {
                incremental(asked);
                there(facts, Volume { changed: None, ..volume("") });
            },
            "nothing shows that it is another image",
        ),
    ];
    check(rows);
    let (mut asked, mut facts) = scene();
    incremental(&mut asked);
    there(&mut facts, volume("7.0"));
    of_domain(&mut facts, |disk| {
        let source = Some("/srv/images/base.img".into());
        disk.backing = vec![BackingLayer { kind: "file".into(), source, format: None, allocation_bytes: None }];
    });
    let copied = copies(&asked, &facts, &facts.candidates[0]).unwrap();
    assert_eq!(copied.0[0].backing.as_deref(), Some("/srv/images/base.img"));
}

fn check(rows: &[Row]) {
    for (what, change, says) in rows {
        let came = comes_to(change);
        assert!(came.contains(says), "{what}: {came}");
    }
}

#[test]
fn a_volume_of_a_pool_is_copied_into_the_pool_of_that_name() {
    let (asked, mut facts) = scene();
    of_domain(&mut facts, |disk| (disk.kind, disk.source) = ("volume".into(), Some("web.img".into())));
    let copied = copies(&asked, &facts, &facts.candidates[0]).unwrap().0;
    assert_eq!((copied[0].pool.as_str(), copied[0].volume.as_str()), ("images", "web.img"));
    assert_eq!(copied[0].path, "/srv/images/web.img");
}

#[test]
fn a_plan_names_every_disk_that_it_copies_and_none_else() {
    let (asked, facts) = scene();
    let options = Options { disks: asked, ..Options::default() };
    let plan = crate::plan::plan(1, &options, &facts, &facts.candidates[0]).unwrap();
    assert_eq!((plan.mode, plan.disks.targets.as_slice()), (TransferMode::Live, &["vda".to_owned()][..]));
    assert_eq!((plan.copies.0[0].capacity_bytes, plan.copies.0[0].format.as_str()), (GIB, "raw"));
    // What there is to carry of them: as the domain's figures have it, else those of the pool, else nobody knows.
    let (_, mut untold) = scene();
    of_domain(&mut untold, |disk| disk.allocation_bytes = Some(7));
    assert_eq!(used_bytes(&plan.copies, &untold), Some(7));
    of_domain(&mut untold, |disk| disk.allocation_bytes = None);
    assert_eq!(used_bytes(&plan.copies, &untold), Some(GIB / 4));
    untold.source_disks[0].volume = None;
    assert_eq!(used_bytes(&plan.copies, &untold), None);
    // Nothing to copy: libvirt must not be told to copy, which would mean every disk.
    let (_, mut facts) = scene();
    there(&mut facts, volume("100.5"));
    let plan = crate::plan::plan(1, &options, &facts, &facts.candidates[0]).unwrap();
    assert_eq!((plan.disks, plan.copies), (Disks::default(), Copies::default()));
    assert!(plan.notes.0[0].contains("no disk is copied"));
}

/// It is neither copied nor looked for, so that only a person can be told of it.
#[test]
fn a_plan_names_what_its_hosts_keep_of_the_guest_beside_its_disks() {
    let (_, mut facts) = scene();
    let plan = |facts: &Snapshot| crate::plan::plan(1, &Options::default(), facts, &facts.candidates[0]).unwrap();
    assert_eq!(plan(&facts).made_for_the_guest(), Vec::<String>::new());
    let domain = Arc::make_mut(&mut facts.domain);
    domain.firmware.nvram = Some("/nvram/web_VARS.fd".into());
    let chip = |backend: &str| Tpm {
        model: None,
        backend: backend.into(),
        version: None,
        state_path: Some("/swtpm/web".into()),
        device_path: None,
    };
    domain.tpms = vec![chip("passthrough")];
    let variables = "/nvram/web_VARS.fd (the variables of its firmware)";
    assert_eq!(plan(&facts).made_for_the_guest(), [variables], "a chip of the host is not the guest's");
    Arc::make_mut(&mut facts.domain).tpms = vec![chip("emulator")];
    assert_eq!(plan(&facts).made_for_the_guest(), [variables, "/swtpm/web (the state of its emulated TPM)"]);
    Arc::make_mut(&mut facts.domain).state = DomainState::ShutOff;
    assert_eq!(plan(&facts).made_for_the_guest(), Vec::<String>::new(), "a definition that travels makes nothing");
}

#[test]
fn what_is_said_of_a_disk_that_is_not_copied_has_no_effect_and_of_none_is_refused() {
    let (asked, mut facts) = scene();
    // A medium that is read, and so not copied.
    let medium = Disk { target: "vdb".into(), read_only: true, ..disk() };
    Arc::make_mut(&mut facts.domain).disks.push(medium);
    let plan = |detect_zeroes: &[&str], target_zero: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<String>>();
        let disks = Disks { detect_zeroes: names(detect_zeroes), target_zero: names(target_zero), ..asked.clone() };
        crate::plan::plan(1, &Options { disks, ..Options::default() }, &facts, &facts.candidates[0])
    };
    let made = plan(&["vda", "vdb"], &["vdb"]).unwrap();
    assert_eq!((made.disks.targets, made.disks.detect_zeroes), (vec!["vda".to_owned()], vec!["vda".to_owned()]));
    assert_eq!(made.disks.target_zero, Vec::<String>::new());
    for note in ["detect-zeroes vdb has no effect: that disk is not copied", "target-zero vdb has no effect"] {
        assert!(made.notes.0.iter().any(|told| told.starts_with(note)), "{note}: {:?}", made.notes);
    }
    for wrong in [plan(&["vdz"], &[]), plan(&[], &["vda", "vdz"])] {
        assert_eq!(wrong.unwrap_err(), PlanError::Copy(Uncopyable::NoSuchDisk("vdz".into())));
    }
}

#[test]
fn a_domain_that_is_shut_off_takes_no_disk_along() {
    let (asked, mut facts) = scene();
    Arc::make_mut(&mut facts.domain).state = DomainState::ShutOff;
    let options = Options { disks: asked, mode: Mode::Auto, ..Options::default() };
    let refused = crate::plan::plan(1, &options, &facts, &facts.candidates[0]);
    assert!(matches!(refused, Err(PlanError::CopyOffline(..))), "{refused:?}");
}

#[test]
fn a_target_is_the_sources_own_file_only_where_its_time_of_change_fits() {
    let (old, new) = (volume("100.5"), volume("101.0"));
    assert!(!may_be_the_source(None, &old, None));
    assert!(may_be_the_source(Some(&old), &volume("100.5"), Some(&old)));
    assert!(may_be_the_source(Some(&old), &volume("100.8"), Some(&new)), "it is being written");
    assert!(!may_be_the_source(Some(&old), &volume("99.0"), Some(&new)));
    assert!(!may_be_the_source(Some(&old), &volume("102.0"), Some(&new)));
}
