//! Guests, facts and a runtime over a temporary folder.
#![allow(dead_code, reason = "the cost bench uses a part of it")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use waypost_core::facts::{Candidate, CpuComparison, Disk, DiskView, DomainFacts, HostFacts, PairFacts, Snapshot};
use waypost_core::finding::Finding;
use waypost_core::ids::{HostName, Moment};
use waypost_core::plan::{End, Plan};
use waypost_core::ports::{Judgement, Policies as _};
use waypost_core::request::{CheckRequest, Options};
use waypost_core::tree::{Shape, Tree};
use waypost_policy::{Places, PolicyConfig, PolicyRuntime, Watch};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::{Resolve, SourceMap};

/// The world of a precheck.
pub const PRECHECK: &str = "waypost:precheck/precheck";

/// What every guest begins with: memory and an allocator that only grows.
const HEAP: &str = r#"
  (memory (export "memory") 4)
  (global $heap (mut i32) (i32.const 131072))
  (func $alloc (param $size i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (block $enough
      (br_if $enough (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
      (br_if $enough (i32.ne (i32.const -1) (memory.grow (i32.add (i32.const 1) (i32.div_u (local.get $size) (i32.const 65536))))))
      unreachable)
    (local.get $at))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32) (call $alloc (local.get $size)))
"#;

/// What a precheck may not return with: the handles that it was lent.
const DROPS: &str = r#"
  (import "waypost:facts/inventory@0.1.0" "[resource-drop]domain-facts" (func $drop-domain (param i32)))
  (import "waypost:facts/inventory@0.1.0" "[resource-drop]host-facts" (func $drop-host (param i32)))
"#;

/// `$nothing` answers an empty list per destination, `$say` the same finding about each; both take the address of the
/// arguments and give the address of the answer. The domain is at offset 104 of the arguments, the source at 108, the
/// destinations are at 112 (address) and 116 (number).
const ANSWERS: &str = r#"
  (func $nothing (param $args i32) (result i32) (local $list i32)
    (call $drop-domain (i32.load offset=104 (local.get $args)))
    (call $drop-host (i32.load offset=108 (local.get $args)))
    (local.set $list (call $alloc (i32.mul (i32.const 8) (i32.load offset=116 (local.get $args)))))
    (memory.fill (local.get $list) (i32.const 0) (i32.mul (i32.const 8) (i32.load offset=116 (local.get $args))))
    (i32.store (i32.const 64) (local.get $list))
    (i32.store (i32.const 68) (i32.load offset=116 (local.get $args)))
    (i32.const 64))
  (func $say (param $args i32) (param $severity i32) (param $code i32) (param $code_len i32) (param $message i32) (param $message_len i32) (result i32)
    (local $finding i32) (local $at i32) (local $left i32)
    (local.set $finding (call $alloc (i32.const 40)))
    (i32.store offset=0 (local.get $finding) (local.get $code))
    (i32.store offset=4 (local.get $finding) (local.get $code_len))
    (i32.store8 offset=8 (local.get $finding) (local.get $severity))
    (i32.store offset=12 (local.get $finding) (local.get $message))
    (i32.store offset=16 (local.get $finding) (local.get $message_len))
    (drop (call $nothing (local.get $args)))
    (local.set $at (i32.load (i32.const 64)))
    (local.set $left (i32.load (i32.const 68)))
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $left)))
      (i32.store offset=0 (local.get $at) (local.get $finding))
      (i32.store offset=4 (local.get $at) (i32.const 1))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br $next)))
    (i32.const 64))
"#;

/// Accepts every settings.
pub const ACCEPT: &str = r#"
  (func (export "waypost:precheck/check@0.1.0#validate-settings") (param i32 i32) (result i32)
    (i32.store8 (i32.const 96) (i32.const 0)) (i32.const 96))
"#;

/// A precheck whose `check` has this body (`$args` in, address of the answer out), after these imports.
pub fn precheck(imports: &str, body: &str) -> Vec<u8> {
    with_imports(PRECHECK, imports, &format!("{ACCEPT} {}", check(body)))
}

/// The export `check`.
pub fn check(body: &str) -> String {
    format!(r#"(func $check (export "waypost:precheck/check@0.1.0#check") (param $args i32) (result i32) {body})"#)
}

/// A precheck that makes one finding about every destination.
pub fn saying(severity: &str, code: &str, message: &str) -> Vec<u8> {
    let weight = ["info", "warning", "blocker"].iter().position(|word| *word == severity).unwrap();
    let data = format!(r#"(data (i32.const 1024) "{code}") (data (i32.const 2048) "{message}")"#);
    let body = format!(
        "(call $say (local.get $args) (i32.const {weight}) (i32.const 1024) (i32.const {}) (i32.const 2048) (i32.const {}))",
        code.len(),
        message.len()
    );
    with_imports(PRECHECK, "", &format!("{ACCEPT} {data} {}", check(&body)))
}

/// A module of these fields and what they begin with, described by a world of wit/.
pub fn with_prelude(world: &str, fields: &str) -> Vec<u8> {
    with_imports(world, "", fields)
}

/// The same after these imports.
pub fn with_imports(world: &str, imports: &str, fields: &str) -> Vec<u8> {
    let (drops, answers) = if world == PRECHECK { (DROPS, ANSWERS) } else { ("", "") };
    module(world, &format!("{imports} {drops} {HEAP} {answers} {fields}"))
}

/// The same in a world of one's own.
pub fn with_imports_in(wit: &str, world: &str, imports: &str, fields: &str) -> Vec<u8> {
    module_in(wit, world, &format!("{imports} {DROPS} {HEAP} {ANSWERS} {fields}"))
}

/// A core module described by a world of wit/, as wit-bindgen would leave it.
pub fn module(world: &str, fields: &str) -> Vec<u8> {
    described(&resolve(), world, fields)
}

/// The same in a world of one's own.
pub fn module_in(wit: &str, world: &str, fields: &str) -> Vec<u8> {
    let mut resolve = resolve();
    let mut source = SourceMap::new();
    source.push_str("own.wit", wit);
    resolve.push_group(source.parse().unwrap()).unwrap();
    described(&resolve, world, fields)
}

fn described(resolve: &Resolve, world: &str, fields: &str) -> Vec<u8> {
    let mut bytes = wat::parse_str(format!("(module {fields})")).unwrap();
    let (main, _) = resolve.packages.iter().next_back().unwrap();
    let world = resolve.select_world(&[main], Some(world)).unwrap();
    wit_component::embed_component_metadata(&mut bytes, resolve, world, StringEncoding::UTF8).unwrap();
    bytes
}

/// The interfaces in wit/.
pub fn resolve() -> Resolve {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let mut resolve = Resolve::default();
    for package in ["facts", "precheck", "transform", "recovery", "convergence"] {
        resolve.push_path(wit.join(package)).unwrap();
    }
    resolve
}

/// The component of a core module.
pub fn component(module: &[u8]) -> Vec<u8> {
    ComponentEncoder::default().validate(true).module(module).unwrap().encode().unwrap()
}

/// A runtime over a temporary plugin folder.
pub struct Site {
    pub runtime: PolicyRuntime,
    pub folder: PathBuf,
    pub root: TempDir,
}

impl Site {
    /// With these files, nothing configured, nothing watched, nothing cached.
    pub fn with(files: &[(&str, &[u8])]) -> Self {
        Self::configured(files, PolicyConfig::default())
    }
    pub fn configured(files: &[(&str, &[u8])], config: PolicyConfig) -> Self {
        Self::open(files, config, Watch::Off)
    }
    pub fn open(files: &[(&str, &[u8])], config: PolicyConfig, watch: Watch) -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("plugins");
        std::fs::create_dir(&folder).unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        let places = Places { folders: vec![folder.clone()], cache: None, watch };
        Self { runtime: PolicyRuntime::open(places, config).unwrap(), folder, root }
    }
    /// Judges a move to two hosts.
    pub fn judge(&self) -> Judgement {
        judge(&self.runtime, &snapshot(2))
    }
    /// The findings about the first destination, after seeing that those about the others are the same.
    pub fn findings(&self) -> Vec<Finding> {
        let judgement = self.judge();
        let findings = |at: usize| -> Vec<Finding> {
            judgement.verdicts[at].findings.iter().map(|judged| judged.finding.clone()).collect()
        };
        for at in 1..judgement.verdicts.len() {
            assert_eq!(findings(at), findings(0));
        }
        findings(0)
    }
    /// The only finding.
    pub fn only(&self) -> Finding {
        let findings = self.findings();
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings.into_iter().next().unwrap()
    }
}

/// Asks every precheck.
pub fn judge(runtime: &PolicyRuntime, snapshot: &Arc<Snapshot>) -> Judgement {
    runtime.precheck(&request(), snapshot, None)
}

/// A live migration of `web1` from `kvm1` to `kvm2`.
pub fn plan() -> Plan {
    let end = |name: &str| End { host: HostName::new(name), uuid: None };
    Plan {
        name: "web1".into(),
        destination_name: "web1".into(),
        source: end("kvm1"),
        destination: end("kvm2"),
        peer_uri: "qemu+tls://kvm2/system".into(),
        ..waypost_core::testing::plan()
    }
}

pub fn request() -> CheckRequest {
    CheckRequest {
        options: Options::default(),
        requester: "somebody".to_owned(),
        decided_at: Moment(1_700_000_000_000),
    }
}

/// A domain of 3 disks and 2 interfaces on `kvm0`, to go to `kvm1`, `kvm2`, ...; every host has 5 pools and 50 domains.
pub fn snapshot(destinations: usize) -> Arc<Snapshot> {
    Arc::new(Snapshot {
        taken_at: Moment(1_700_000_000_000),
        domain: Arc::new(domain()),
        source: Arc::new(host("kvm0")),
        source_disks: disk_views(),
        source_disks_again: disk_views(),
        candidates: (1..=destinations).map(|number| candidate(Arc::new(host(&format!("kvm{number}"))))).collect(),
    })
}

pub fn candidate(host: Arc<HostFacts>) -> Candidate {
    let pair = PairFacts {
        cpu: CpuComparison::Superset,
        cpu_message: None,
        destination_disks: disk_views(),
        storage_proofs: Vec::new(),
        ways_tried: Vec::new(),
    };
    Candidate { host, pair }
}

/// Every disk of the domain is there.
fn disk_views() -> Vec<DiskView> {
    let view = |disk: &Disk| {
        let source = disk.source.as_deref().unwrap();
        read(json!({
            "target": disk.target, "source": source, "pool": "default",
            "volume": { "name": source, "key": source, "path": source, "kind": "file", "format": "qcow2",
                "capacity_bytes": 10_737_418_240_u64, "allocation_bytes": 1 << 30, "changed": "1700000000.1" }
        }))
    };
    domain().disks.iter().map(view).collect()
}

pub fn domain() -> DomainFacts {
    let disk = |target: &str, path: &str| {
        json!({
            "target": target, "bus": "virtio", "device": "disk", "kind": "file", "source": path, "format": "qcow2",
            "cache": "none", "pool": "default", "volume": path, "capacity_bytes": 10_737_418_240_u64
        })
    };
    let interface = |mac: &str| json!({ "kind": "network", "network": "default", "bridge": "virbr0", "mac": mac });
    read(json!({
        "id": "6f1c9b1e-0000-4000-8000-000000000001", "name": "web1", "state": "running", "reason": "booted",
        "persistent": true, "virt_type": "kvm", "architecture": "x86_64", "machine": "pc-q35-9.2",
        "firmware": { "kind": "bios" }, "vcpus": 2, "vcpus_max": 4, "memory_kib": 2_097_152, "memory_max_kib": 2_097_152,
        "memory_backing": {}, "cpu": { "mode": "custom", "model": "Skylake-Client-IBRS" },
        "disks": [disk("vda", "/pool0/web1.qcow2"), disk("vdb", "/pool0/data.qcow2"), disk("vdc", "/pool0/log.qcow2")],
        "interfaces": [interface("52:54:00:00:00:01"), interface("52:54:00:00:00:02")],
        "documents": [{ "kind": "live", "xml": "<domain type='kvm'/>" }]
    }))
}

pub fn host(name: &str) -> HostFacts {
    let pool = |number: usize| {
        json!({
            "name": if number == 0 { "default".to_owned() } else { format!("pool{number}") },
            "uuid": format!("6f1c9b1e-0000-4000-9000-{number:012}"), "kind": "netfs", "active": true,
            "source": { "hosts": ["nfs.example"], "dir": format!("/export/{number}"), "format": "nfs" },
            "target": format!("/pool{number}"), "capacity_bytes": 1_u64 << 40, "allocation_bytes": 1_u64 << 39,
            "available_bytes": 1_u64 << 39, "volumes": []
        })
    };
    let brief = |number: usize| {
        json!({
            "name": format!("{name}-guest{number}"), "id": format!("6f1c9b1e-0000-4000-a000-{number:012}"),
            "state": "running", "persistent": true
        })
    };
    read(json!({
        "name": name, "hostname": format!("{name}.example"), "uri": format!("qemu+tls://{name}.example/system"),
        "uuid": format!("6f1c9b1e-0000-4000-b000-{:0>12}", name.trim_start_matches(char::is_alphabetic)),
        "peer_uri": format!("qemu+tls://{name}.example/system"), "addresses": [format!("{name}.example")],
        "hypervisor": "QEMU", "hypervisor_version": 10_000_000, "libvirt_version": 11_000_000, "architecture": "x86_64",
        "cpus": 16, "memory_kib": 67_108_864, "free_memory_kib": 33_554_432, "cpu": { "model": "Skylake-Client-IBRS" },
        "guests": [{ "architecture": "x86_64", "virt_type": "kvm", "emulator": "/usr/bin/qemu-system-x86_64",
            "machines": [{ "name": "pc-q35-9.2", "vcpus_max": 288 }] }],
        "live_migration": true, "drops_cache": true, "arrived_paused_may_leave": true, "migration_transports": ["tcp"],
        "migration_ports": { "first": 49152, "last": 49215, "in_use": 0 },
        "migration_tls": false,
        "pools": (0..5).map(pool).collect::<Vec<_>>(),
        "networks": [{ "name": "default", "uuid": "6f1c9b1e-0000-4000-b000-000000000001", "active": true, "bridge": "virbr0" }],
        "bridges": ["virbr0"], "domains": (0..50).map(brief).collect::<Vec<_>>()
    }))
}

/// Facts from JSON; what is left out is none, empty or no.
fn read<T: Shape>(value: Value) -> T {
    T::from_tree(&tree(value)).unwrap()
}

fn tree(value: Value) -> Tree {
    match value {
        Value::Null => Tree::Null,
        Value::Bool(value) => Tree::Bool(value),
        Value::Number(number) => Tree::Int(i128::from(number.as_i64().unwrap())),
        Value::String(text) => Tree::Text(text),
        Value::Array(items) => Tree::List(items.into_iter().map(tree).collect()),
        Value::Object(entries) => Tree::Map(entries.into_iter().map(|(key, value)| (key, tree(value))).collect()),
    }
}
