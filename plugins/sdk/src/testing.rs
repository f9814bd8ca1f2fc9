//! Made-up facts for native tests: a domain `web` that runs on `kvm1` and may go to `kvm2`, nothing wrong with it.
//!
//! A test changes the one thing that it is about:
//! `testing::domain_with(|domain| domain.architecture = "aarch64".into())`.

pub mod transfer;

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::types::{
    BackingLayer, CharacterDevice, CpuComparison, CpuResult, Disk, DiskView, Firmware, Graphics, GuestCpu, HostCpu,
    Machine, MemoryBacking, MigrationPorts, Network, NetworkInterface, NumaCell, Pool, PoolSource, Severity, Volume,
};
use crate::{DomainFacts, DomainState, Finding, GuestKind, HostFacts, Level, Precheck, Question, Request, Side};
#[cfg(feature = "transform")]
use crate::{Edit, Transform, TransformRequest};

const GIB: u64 = 1024 * 1024 * 1024;

/// A live migration as asked for by somebody with no wishes.
pub fn request() -> Request {
    Request {
        mode: "auto".into(),
        destination_name: None,
        persistence: "as-source".into(),
        unsafe_storage: false,
        bandwidth_mib_s: None,
        max_downtime_ms: None,
        migrate_uri: None,
        listen_address: None,
        requester: "alice".into(),
        decided_at_ms: 1_760_000_000_000,
    }
}

/// [`request`] as a transform policy gets it.
#[cfg(feature = "transform")]
pub fn transform_request() -> TransformRequest {
    let Request { mode, destination_name, persistence, requester, decided_at_ms, .. } = request();
    TransformRequest { mode, destination_name, persistence, requester, decided_at_ms }
}

/// [`request`] with a change.
pub fn request_with(change: impl FnOnce(&mut Request)) -> Request {
    let mut request = request();
    change(&mut request);
    request
}

/// The domain `web`: running, 2 vCPUs, 4 GiB, a disk on the shared pool, an empty CD-ROM, one interface.
pub fn domain() -> DomainFacts {
    DomainFacts {
        id: "5f8a1d52-2a83-4b57-9f5b-0d5be6c8b1aa".into(),
        name: "web".into(),
        state: DomainState::Running,
        state_reason: "booted".into(),
        persistent: true,
        autostart: false,
        managed_save: false,
        virt_type: "kvm".into(),
        architecture: "x86_64".into(),
        machine: Some("pc-i440fx-7.2".into()),
        emulator: Some("/usr/bin/qemu-system-x86_64".into()),
        firmware: Firmware { kind: "bios".into(), loader: None, nvram: None, kernel: None, initrd: None },
        vcpus: 2,
        vcpus_max: 2,
        memory_kib: 4 * 1024 * 1024,
        memory_max_kib: 4 * 1024 * 1024,
        memory_backing: MemoryBacking { huge_page_kib: None, locked: false, source: None, access: None },
        iothreads: vec![],
        pins: vec![],
        memory_nodes: None,
        on_poweroff: Some("destroy".into()),
        on_reboot: Some("restart".into()),
        on_crash: Some("destroy".into()),
        cpu: GuestCpu {
            mode: Some("custom".into()),
            model: Some("Skylake-Server-IBRS".into()),
            vendor: Some("Intel".into()),
            check: Some("full".into()),
            migratable: None,
            features: vec![],
        },
        tsc_frequency_hz: None,
        disks: vec![disk("vda"), cdrom("sda")],
        network_interfaces: vec![interface()],
        hostdevs: vec![],
        tpms: vec![],
        graphics: vec![Graphics {
            kind: "vnc".into(),
            listen: vec!["127.0.0.1".into()],
            socket: None,
            autoport: true,
            port: Some(5900),
        }],
        character_devices: vec![CharacterDevice {
            device: "serial".into(),
            kind: "pty".into(),
            path: Some("/dev/pts/3".into()),
            address: None,
            service: None,
            log: None,
        }],
        filesystems: vec![],
        other_devices: vec!["rng".into(), "memballoon".into()],
        shared_memory_roles: vec![],
        launch_security: None,
        title: None,
        description: None,
        snapshots: vec![],
        checkpoints: vec![],
        job: None,
        block_jobs: vec![],
        metadata: BTreeMap::new(),
        documents: BTreeMap::new(),
    }
}

/// [`domain`] with a change.
pub fn domain_with(change: impl FnOnce(&mut DomainFacts)) -> DomainFacts {
    let mut domain = domain();
    change(&mut domain);
    domain
}

/// A qcow2 disk of 20 GiB on the shared pool, with a backing file there.
pub fn disk(target: &str) -> Disk {
    Disk {
        target: target.into(),
        bus: Some("virtio".into()),
        device: "disk".into(),
        kind: "file".into(),
        source: Some("/srv/shared/web.qcow2".into()),
        format: Some("qcow2".into()),
        cache: Some("none".into()),
        shareable: false,
        read_only: false,
        transient: false,
        startup_policy: None,
        protocol: None,
        servers: vec![],
        pool: Some("shared".into()),
        volume: Some("web.qcow2".into()),
        encrypted: false,
        backing: vec![],
        capacity_bytes: Some(20 * GIB),
        allocation_bytes: Some(3 * GIB),
    }
}

/// An empty CD-ROM drive.
pub fn cdrom(target: &str) -> Disk {
    Disk {
        bus: Some("sata".into()),
        device: "cdrom".into(),
        source: None,
        format: Some("raw".into()),
        cache: None,
        read_only: true,
        pool: None,
        volume: None,
        capacity_bytes: None,
        allocation_bytes: None,
        ..disk(target)
    }
}

/// One image behind a disk.
pub fn backing(source: &str) -> BackingLayer {
    BackingLayer { kind: "file".into(), source: Some(source.into()), format: Some("qcow2".into()) }
}

/// An interface on the libvirt network `default`.
pub fn interface() -> NetworkInterface {
    NetworkInterface {
        kind: "network".into(),
        network: Some("default".into()),
        bridge: Some("virbr0".into()),
        device: None,
        portgroup: None,
        model: Some("virtio".into()),
        mac: Some("52:54:00:6b:3c:58".into()),
        teaming: None,
    }
}

/// A host as libvirt on QEMU describes it: the NFS pool `shared` that every such host has, a pool of its own, the network
/// `default`. Hosts of different names have different host names, addresses and UUIDs.
pub fn host(name: &str) -> HostFacts {
    let number: u32 = name.bytes().map(u32::from).sum::<u32>() % 200 + 1;
    let machine = |name: &str, canonical: Option<&str>, vcpus_max| Machine {
        name: name.into(),
        canonical: canonical.map(Into::into),
        vcpus_max: Some(vcpus_max),
    };
    let machines = vec![
        machine("pc-i440fx-7.2", None, 255),
        machine("pc", Some("pc-i440fx-7.2"), 255),
        machine("pc-q35-7.2", None, 288),
        machine("q35", Some("pc-q35-7.2"), 288),
    ];
    let guest = |virt_type: &str| GuestKind {
        architecture: "x86_64".into(),
        virt_type: virt_type.into(),
        emulator: Some("/usr/bin/qemu-system-x86_64".into()),
        machines: machines.clone(),
    };
    HostFacts {
        name: name.into(),
        hostname: format!("{name}.example.org"),
        uuid: Some(format!("00000000-0000-4000-8000-{number:012}")),
        uri: format!("qemu+tls://{name}.example.org/system"),
        peer_uri: Some(format!("qemu+tls://{name}.example.org/system")),
        addresses: vec![format!("192.0.2.{number}")],
        hypervisor: "QEMU".into(),
        hypervisor_version: Some(7_002_019),
        libvirt_version: Some(9_000_000),
        architecture: "x86_64".into(),
        cpus: 16,
        memory_kib: 64 * 1024 * 1024,
        free_memory_kib: 48 * 1024 * 1024,
        huge_pages: vec![],
        numa: vec![NumaCell {
            id: 0,
            memory_kib: 64 * 1024 * 1024,
            free_memory_kib: Some(48 * 1024 * 1024),
            cpus: (0..16).collect(),
            huge_pages: vec![],
        }],
        cpu: HostCpu { model: Some("Skylake-Server-IBRS".into()), vendor: Some("Intel".into()), features: vec![] },
        live_migration: true,
        drops_cache: Some(true),
        arrived_paused_may_leave: Some(false),
        migration_transports: vec!["tcp".into(), "rdma".into()],
        migration_ports: MigrationPorts { first: 49152, last: 49215, in_use: 0 },
        pool_names: vec!["shared".into(), "local".into()],
        network_names: vec!["default".into()],
        domain_count: 0,
        needs_peer_uri: true,
        cpu_comparison: CpuComparison { result: CpuResult::Superset, message: None },
        guests: vec![guest("kvm"), guest("qemu")],
        pools: vec![nfs_pool("shared", "/srv/shared"), dir_pool("local", "/var/lib/libvirt/images")],
        networks: vec![Network {
            name: "default".into(),
            uuid: "7d0b3d6e-5f3e-4d3f-8c1a-5a0c5d1e2f30".into(),
            active: true,
            bridge: Some("virbr0".into()),
            forward: Some("nat".into()),
            portgroups: vec![],
        }],
        bridges: Some(vec!["virbr0".into(), "br0".into()]),
        domains: vec![],
        disk_views: BTreeMap::from([("vda".to_owned(), view("/srv/shared/web.qcow2", "shared"))]),
        disk_views_again: BTreeMap::new(),
        storage_proofs: vec![],
        disk_copies: BTreeMap::new(),
        volumes: BTreeMap::new(),
        node_devices: None,
        probes: BTreeMap::new(),
    }
}

/// [`host`] with a change.
pub fn host_with(name: &str, change: impl FnOnce(&mut HostFacts)) -> HostFacts {
    let mut host = host(name);
    change(&mut host);
    host
}

/// A started pool on an NFS export that every host can name.
pub fn nfs_pool(name: &str, target: &str) -> Pool {
    Pool {
        kind: "netfs".into(),
        source: PoolSource {
            hosts: vec!["nas.example.org".into()],
            dir: Some("/export/vm".into()),
            devices: vec![],
            name: None,
            format: Some("nfs".into()),
            adapter: None,
        },
        ..dir_pool(name, target)
    }
}

/// A started pool on a directory: a store that its definition doesn't identify.
pub fn dir_pool(name: &str, target: &str) -> Pool {
    Pool {
        name: name.into(),
        uuid: "aa9a0d1e-9a31-4c8e-8b7d-6c2f8a3f4b10".into(),
        kind: "dir".into(),
        active: true,
        source: PoolSource { hosts: vec![], dir: None, devices: vec![], name: None, format: None, adapter: None },
        target: Some(target.into()),
        capacity_bytes: 1000 * GIB,
        allocation_bytes: 400 * GIB,
        available_bytes: 600 * GIB,
    }
}

/// What a host sees at a path: a qcow2 volume of 20 GiB in that pool.
pub fn view(path: &str, pool: &str) -> DiskView {
    DiskView { source: path.into(), pool: Some(pool.into()), volume: Some(volume(path)) }
}

/// A qcow2 volume of 20 GiB at that path.
pub fn volume(path: &str) -> Volume {
    Volume {
        name: path.rsplit('/').next().unwrap_or(path).into(),
        key: path.into(),
        path: path.into(),
        kind: "file".into(),
        format: Some("qcow2".into()),
        capacity_bytes: 20 * GIB,
        allocation_bytes: 3 * GIB,
        changed: Some("1760000000.123456789".into()),
    }
}

/// What a recovery policy is asked: both sides unreachable, nothing permitted but to wait and to hand over.
pub fn question() -> Question {
    Question {
        domain_id: domain().id,
        domain_name: "web".into(),
        source: "kvm1".into(),
        destination: "kvm2".into(),
        mode: "live".into(),
        initially: "running".into(),
        finally: "running".into(),
        source_side: Side::Unknown("connection lost".into()),
        destination_side: Side::Unknown("connection lost".into()),
        class: "other".into(),
        message: "operation failed".into(),
        attempt: 1,
        look: 1,
        permitted: vec!["wait".into(), "hand-over".into()],
        decided_at_ms: 1_760_000_000_000,
        stage: "pre-copy".into(),
        figures: None,
        done: vec![],
        attempts_left: 2,
        tried: vec!["kvm2".into()],
        others: vec!["kvm3".into()],
        ways: vec![],
    }
}

/// [`question`] with a change.
pub fn question_with(change: impl FnOnce(&mut Question)) -> Question {
    let mut question = question();
    change(&mut question);
    question
}

/// Asks a precheck about moving the domain from `kvm1` to that destination, and holds its findings to the rules: codes
/// in lower case with hyphens, a sentence as message, and no blocker without evidence and remedy.
///
/// # Panics
/// If a finding breaks a rule.
pub fn check<P: Precheck>(request: &Request, domain: &DomainFacts, destination: &HostFacts) -> Vec<Finding> {
    check_from::<P>(request, domain, &host("kvm1"), destination)
}

/// [`check`] with another source.
///
/// # Panics
/// If a finding breaks a rule.
pub fn check_from<P: Precheck>(
    request: &Request,
    domain: &DomainFacts,
    source: &HostFacts,
    destination: &HostFacts,
) -> Vec<Finding> {
    let findings = P::check(request, domain, source, destination);
    for finding in &findings {
        let code = finding.code.as_str();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(!code.is_empty() && code.len() <= 64 && code.chars().all(plain), "not a code: {code:?}");
        assert!(finding.message.ends_with(['.', '!']), "{code}: the message is no sentence: {:?}", finding.message);
        if finding.severity == Severity::Blocker {
            assert!(!finding.evidence.is_empty(), "{code}: a blocker without evidence");
            assert!(finding.remedy.is_some(), "{code}: a blocker without a remedy");
        }
    }
    findings
}

/// Asks a transform policy about moving the domain from `kvm1` to that destination, and holds its edits to the rules: a
/// sentence as reason for each.
///
/// # Panics
/// If an edit breaks a rule.
#[cfg(feature = "transform")]
pub fn rewrite<P: Transform>(domain: &DomainFacts, destination: &HostFacts) -> Vec<Edit> {
    let edits = P::rewrite(&transform_request(), domain, &host("kvm1"), destination);
    for edit in &edits {
        assert!(!edit.reason.trim().is_empty(), "an edit without a reason: {edit:?}");
    }
    edits
}

/// The findings in short: code and weight, in their order.
pub fn codes(findings: &[Finding]) -> Vec<(&str, Severity)> {
    findings.iter().map(|finding| (finding.code.as_str(), finding.severity)).collect()
}

thread_local! {
    static SETTINGS: RefCell<String> = RefCell::new("{}".to_owned());
    static LOG: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

/// Runs something with those settings; afterwards the settings are what they were.
pub fn with_settings<T>(settings: &str, run: impl FnOnce() -> T) -> T {
    let before = SETTINGS.with(|kept| kept.replace(settings.to_owned()));
    let result = run();
    SETTINGS.with(|kept| kept.replace(before));
    result
}

/// The lines that this thread logged since it was last asked.
pub fn logged() -> Vec<(Level, String)> {
    LOG.with(RefCell::take)
}

pub(crate) fn current_settings() -> String {
    SETTINGS.with(|kept| kept.borrow().clone())
}

pub(crate) fn note_log(level: Level, message: &str) {
    LOG.with(|log| log.borrow_mut().push((level, message.to_owned())));
}
