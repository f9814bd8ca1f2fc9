//! Every shipped precheck in WebAssembly against facts of real hosts, both verdicts each; and policies that come and go
//! while a check watches.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use serde_json::Value;
use waypost::core::facts::{
    CpuComparison, CpuFeature, DomainBrief, DomainFacts, DomainState, Graphics, HostFacts, Hostdev, Interface,
    PairFacts, Snapshot, Tpm,
};
use waypost::core::finding::Severity;
use waypost::core::ports::Policies as _;
use waypost::core::request::CheckRequest;
use waypost::{Config, DomainId, DomainKey, HostName, Options, Question, Targets, Waypost};
use waypost_lab::{DiskPlace, GuestSpec};

use crate::site::Site;

/// Hosts beside the lab's: libvirt's own test driver is a host of another architecture and hypervisor, and one name
/// leads to a lab host without a way for its peers.
fn site() -> Site {
    let other = "\n[[host]]\nname = \"other\"\nuri = \"test:///default\"\npeer_uri = \"test:///default\"\n";
    Site::with(2, other)
}

/// `(policy, code)` of every blocker.
fn blockers(check: &Value, destination: &str) -> BTreeSet<(String, String)> {
    let verdicts = check["verdicts"].as_array().expect("verdicts");
    let verdict = verdicts.iter().find(|v| v["destination"] == destination).expect("a verdict on the destination");
    let findings = verdict["findings"].as_array().expect("findings");
    let blockers = findings.iter().filter(|f| f["weight"] == "blocker");
    blockers.map(|f| (text(&f["plugin"]), text(&f["code"]))).collect()
}

/// The prechecks that `make plugins` made.
fn shipped_prechecks() -> BTreeSet<String> {
    fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("target/plugins"))
        .expect("the shipped policies")
        .map(|e| e.expect("an entry").path().file_stem().expect("a name").to_string_lossy().into_owned())
        .filter(|name| name.starts_with("precheck-"))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn check(site: &Site, domain: &str, destination: &str) -> BTreeSet<(String, String)> {
    let ran = site.waypost(&["check", domain, "--from", "kvm1", "--to", destination, "--json"]);
    assert!(ran.code == 0 || ran.code == 3, "{}\n{}", ran.out, ran.err);
    let found = blockers(&ran.json(), destination);
    assert_eq!(ran.code == 3, !found.is_empty(), "the exit code and the findings disagree: {found:?}");
    found
}

#[track_caller]
fn assert_blocked_by(site: &Site, domain: &str, destination: &str, plugin: &str, code: &str) {
    let found = check(site, domain, destination);
    assert!(found.contains(&(plugin.to_owned(), code.to_owned())), "{plugin} did not say {code}: {found:?}");
}

#[test]
fn no_rule_objects_to_a_plain_guest_and_every_rule_was_asked() {
    let site = site();
    site.guest("g1");
    let ran = site.waypost(&["check", "g1", "--to", "kvm2", "--json"]).expect_code(0).json();
    assert_eq!(blockers(&ran, "kvm2"), BTreeSet::new());
    let asked: BTreeSet<String> =
        ran["decisions"].as_array().expect("decisions").iter().map(|d| text(&d["plugin"])).collect();
    let shipped = shipped_prechecks();
    assert!(shipped.len() >= 14, "{shipped:?}");
    assert_eq!(asked, shipped);
}

/// One fact of a real snapshot changed, and the rule that must turn with it. Two hosts of one machine are alike in
/// architecture, CPU and versions, so these differences can't be had for real; everything else in the snapshot is.
type Edit = (&'static str, &'static str, fn(&mut DomainFacts, &mut HostFacts, &mut PairFacts, &HostFacts));

const EDITS: &[Edit] = &[
    ("precheck-same-host", "same-host", |_, there, _, here| there.uuid = here.uuid),
    ("precheck-architecture", "architecture-differs", |_, there, _, _| {
        // It could emulate the guest as the lab's hosts do; this one can't.
        there.architecture = "aarch64".into();
        there.guests.clear();
    }),
    ("precheck-hypervisor", "hypervisor-differs", |_, there, _, _| there.hypervisor = "Xen".into()),
    ("precheck-versions", "machine-missing", |_, there, _, _| there.guests.iter_mut().for_each(|g| g.machines.clear())),
    ("precheck-cpu", "cpu-incompatible", |_, _, pair, _| pair.cpu = CpuComparison::Incompatible),
    ("precheck-cpu", "cpu-invariant-tsc", |domain, _, _, _| {
        domain.cpu.features.push(CpuFeature { name: "invtsc".into(), policy: "require".into() });
    }),
    ("precheck-state", "has-snapshots", |domain, _, _, _| domain.snapshots.push("s1".into())),
    ("precheck-passthrough", "host-device", |domain, _, _, _| {
        domain.hostdevs.push(Hostdev {
            kind: "pci".into(),
            address: "0000:03:00.0".into(),
            managed: true,
            teaming: None,
        });
    }),
    ("precheck-passthrough", "shared-memory-device", |domain, _, _, _| domain.shared_memory_roles.push("peer".into())),
    ("precheck-clash", "name-taken", |domain, there, _, _| {
        let id = DomainId(uuid::Uuid::from_u128(7));
        there.domains.push(DomainBrief {
            name: domain.name.clone(),
            id,
            state: DomainState::ShutOff,
            persistent: true,
        });
    }),
    ("precheck-storage", "storage-not-found", |_, _, pair, _| pair.destination_disks[0].volume = None),
    ("precheck-network", "network-missing", |domain, _, _, _| {
        domain.interfaces.push(Interface {
            kind: "network".into(),
            network: Some("vlan7".into()),
            bridge: None,
            device: None,
            portgroup: None,
            model: None,
            mac: None,
            teaming: None,
        });
    }),
    ("precheck-capacity", "memory-short", |_, there, _, _| there.free_memory_kib = 1024),
    ("precheck-tpm-nvram", "tpm-passed-through", |domain, _, _, _| {
        let device_path = Some("/dev/tpm0".into());
        domain.tpms.push(Tpm {
            model: None,
            backend: "passthrough".into(),
            version: None,
            state_path: None,
            device_path,
        });
    }),
    ("precheck-endpoints", "graphics-address-of-source", |domain, _, _, here| {
        let listen = vec![here.addresses[0].clone()];
        domain.graphics.push(Graphics { kind: "vnc".into(), listen, socket: None, autoport: true, port: None });
    }),
    ("precheck-transport", "peer-uri-missing", |_, there, _, _| there.peer_uri = None),
];

#[test]
fn each_rule_turns_with_its_fact() {
    let site = Site::new(2);
    site.guest("g1");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (facts, waypost) = runtime.block_on(async {
        let waypost = Waypost::open(&Config::read(&site.config()).expect("the configuration")).expect("waypost opens");
        let question = Question {
            domain: DomainKey::parse("g1"),
            source: None,
            targets: Targets::These(vec![HostName::new("kvm2")]),
            options: Options::default(),
            requester: "test".into(),
        };
        let report = waypost.engine().check(&question).await.expect("the facts of the lab");
        (report.facts, waypost)
    });
    let request = CheckRequest { options: Options::default(), requester: "test".into(), decided_at: facts.taken_at };
    let blocked = |facts: Snapshot| -> BTreeSet<(String, String)> {
        let judgement = waypost.policies().precheck(&request, &Arc::new(facts), None);
        let findings = judgement.verdicts[0].findings.iter().filter(|j| j.weight() == Severity::Blocker);
        findings.map(|j| (j.plugin.to_string(), j.finding.code.clone())).collect()
    };
    assert_eq!(blocked((*facts).clone()), BTreeSet::new());
    for (plugin, code, edit) in EDITS {
        let mut edited = (*facts).clone();
        let mut domain = (*edited.domain).clone();
        let mut there = (*edited.candidates[0].host).clone();
        edit(&mut domain, &mut there, &mut edited.candidates[0].pair, &facts.source);
        edited.domain = Arc::new(domain);
        edited.candidates[0].host = Arc::new(there);
        let found = blocked(edited);
        assert!(found.contains(&((*plugin).to_owned(), (*code).to_owned())), "{plugin} {code}: {found:?}");
    }
    let rows: BTreeSet<String> = EDITS.iter().map(|(plugin, ..)| (*plugin).to_owned()).collect();
    assert_eq!(rows, shipped_prechecks(), "each shipped precheck has its row");
}

#[test]
fn hosts_that_differ_are_refused() {
    let site = site();
    site.guest("g1");
    assert_blocked_by(&site, "g1", "other", "precheck-architecture", "architecture-differs");
    assert_blocked_by(&site, "g1", "other", "precheck-hypervisor", "hypervisor-differs");
    assert_blocked_by(&site, "g1", "kvm1", "precheck-same-host", "same-host");
}

#[test]
fn the_state_of_the_domain_matters() {
    let site = site();
    site.guest("saved");
    site.virsh("kvm1", &["managedsave", "saved"]);
    assert_blocked_by(&site, "saved", "kvm2", "precheck-state", "managed-save-image");

    site.guest("snapped");
    assert_eq!(check(&site, "snapped", "kvm2"), BTreeSet::new());
    site.virsh("kvm1", &["destroy", "snapped"]);
    let overlay = "vda,file=/srv/shared/snapped.s1";
    site.virsh("kvm1", &["snapshot-create-as", "snapped", "s1", "--disk-only", "--diskspec", overlay]);
    assert_blocked_by(&site, "snapped", "kvm2", "precheck-state", "has-snapshots");
}

#[test]
fn what_is_tied_to_the_source_is_refused() {
    let site = site();
    let device = |name: &str, xml: &str| {
        let spec = GuestSpec { devices_xml: xml.to_owned(), ..GuestSpec::tick(name) };
        site.start_guest(&spec);
    };
    device("bridged", "<interface type='bridge'><source bridge='br-only1'/><model type='virtio'/></interface>");
    assert_blocked_by(&site, "bridged", "kvm2", "precheck-network", "bridge-missing");

    device("watched", "<graphics type='vnc' autoport='yes'><listen type='address' address='10.77.0.1'/></graphics>");
    assert_blocked_by(&site, "watched", "kvm2", "precheck-endpoints", "graphics-address-of-source");
}

#[test]
fn a_network_that_is_not_there_is_refused() {
    let site = site();
    let network = site.plugin_folder().join("../network.xml");
    fs::write(&network, "<network><name>vlan7</name><forward mode='bridge'/><bridge name='br0'/></network>")
        .expect("written");
    site.virsh("kvm1", &["net-define", &network.to_string_lossy()]);
    site.virsh("kvm1", &["net-start", "vlan7"]);
    let devices_xml =
        "<interface type='network'><source network='vlan7'/><model type='virtio'/></interface>".to_owned();
    site.start_guest(&GuestSpec { devices_xml, ..GuestSpec::tick("g1") });
    assert_blocked_by(&site, "g1", "kvm2", "precheck-network", "network-missing");
    site.virsh("kvm2", &["net-define", &network.to_string_lossy()]);
    assert_blocked_by(&site, "g1", "kvm2", "precheck-network", "network-inactive");
    site.virsh("kvm2", &["net-start", "vlan7"]);
    assert_eq!(check(&site, "g1", "kvm2"), BTreeSet::new());
    site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(0);
    site.assert_one_counting_guest("g1");
}

#[test]
fn the_same_path_on_a_different_store_is_refused() {
    let site = site();
    site.start_guest(&GuestSpec { disk: DiskPlace::Local, ..GuestSpec::tick("g1") });
    // Nothing at that path on the destination.
    let found = check(&site, "g1", "kvm2");
    assert!(found.iter().any(|(plugin, _)| plugin == "precheck-storage"), "{found:?}");
    // A file of the same name and size, on another store.
    let images = |host: &str| site.lab.host(host).expect("a host").images().join("g1.img");
    fs::copy(images("kvm1"), images("kvm2")).expect("a copy on the other store");
    assert_blocked_by(&site, "g1", "kvm2", "precheck-storage", "storage-differs");
}

#[test]
fn a_granted_probe_proves_that_two_stores_are_two_and_leaves_nothing() {
    let site = Site::with(2, "\n[plugin.precheck-storage-probe]\ngrants = [\"storage-probe\"]\n");
    let optional = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/plugins-optional/precheck-storage-probe.wasm");
    fs::copy(optional, site.plugin_folder().join("precheck-storage-probe.wasm")).expect("the probe is installed");
    site.start_guest(&GuestSpec { disk: DiskPlace::Local, ..GuestSpec::tick("g1") });
    let images = |host: &str| site.lab.host(host).expect("a host").images();
    fs::copy(images("kvm1").join("g1.img"), images("kvm2").join("g1.img")).expect("a copy on the other store");

    assert_blocked_by(&site, "g1", "kvm2", "precheck-storage-probe", "storage-probe-two-stores");
    for host in ["kvm1", "kvm2"] {
        let volumes = site.virsh(host, &["vol-list", "default"]);
        assert!(!volumes.contains("waypost-probe"), "{volumes}");
        let names = fs::read_dir(images(host)).expect("the store").map(|e| e.expect("an entry").file_name());
        let names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        assert_eq!(names, ["g1.img"], "on {host}");
    }
    // What was proven is kept: the storage rule knows it from now on, and nobody probes again.
    let again = check(&site, "g1", "kvm2");
    assert_eq!(again, BTreeSet::from([("precheck-storage".to_owned(), "storage-differs".to_owned())]));
}

#[test]
fn a_destination_without_room_is_refused() {
    let site = site();
    // Nearly all that the machine has: more than it has free, and no more than its kernel promises to a process.
    let hosts = site.waypost(&["hosts", "--json"]).expect_code(0).json();
    let hosts = hosts["hosts"].as_array().expect("a list of hosts");
    let memory = hosts.iter().find(|host| host["name"] == "kvm1").and_then(|host| host["memory_kib"].as_u64());
    let mib = u32::try_from(memory.expect("kvm1 tells its memory") / 1024).expect("a machine of this century");
    site.start_guest(&GuestSpec { memory_mib: mib - 64, ..GuestSpec::tick("g1") });
    let found = check(&site, "g1", "kvm2");
    assert!(
        found.iter().any(|(plugin, code)| plugin == "precheck-capacity" && code.starts_with("memory-")),
        "{found:?}"
    );
}

#[test]
fn a_name_or_uuid_that_is_taken_is_refused() {
    let site = site();
    site.guest("g1");
    let uuid = site.virsh("kvm1", &["domuuid", "g1"]).trim().to_owned();
    let define = |name: &str, uuid: &str| {
        let path = site.plugin_folder().join("../clash.xml");
        let uuid = if uuid.is_empty() { String::new() } else { format!("<uuid>{uuid}</uuid>") };
        fs::write(&path, format!("<domain type='qemu'><name>{name}</name>{uuid}<memory>1024</memory><os><type arch='x86_64'>hvm</type></os></domain>"))
            .expect("written");
        site.virsh("kvm2", &["define", &path.to_string_lossy()]);
    };
    define("g1", "");
    assert_blocked_by(&site, "g1", "kvm2", "precheck-clash", "name-taken");
    site.virsh("kvm2", &["undefine", "g1"]);
    define("someone-else", &uuid);
    assert_blocked_by(&site, "g1", "kvm2", "precheck-clash", "uuid-taken");
    site.virsh("kvm2", &["undefine", "someone-else"]);
    // The same domain, shut off: the usual way back.
    define("g1", &uuid);
    assert_eq!(check(&site, "g1", "kvm2"), BTreeSet::new());
}

#[test]
fn a_destination_that_peers_cannot_reach_is_refused() {
    let site = Site::new(2);
    site.guest("g1");
    let uri = site.lab.host("kvm2").expect("kvm2").uri_unix();
    let blind = Site::with(1, &format!("\n[[host]]\nname = \"blind\"\nuri = {uri:?}\n"));
    blind.guest("g1");
    assert_blocked_by(&blind, "g1", "blind", "precheck-transport", "peer-uri-missing");
}

#[test]
fn a_policy_dropped_into_the_folder_of_a_watching_check_changes_its_verdict_and_goes_again() {
    let site = Site::new(2);
    site.guest("g1");
    let mut watching = site
        .command(&["check", "g1", "--to", "kvm2", "--watch", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the check starts");
    let mut verdicts = BufReader::new(watching.stdout.take().expect("its output")).lines().map(|line| {
        let check: Value = serde_json::from_str(&line.expect("a line")).expect("one JSON document per line");
        blockers(&check, "kvm2")
    });
    assert_eq!(verdicts.next(), Some(BTreeSet::new()));

    // A file that can't even be loaded fails closed; a policy that refuses is dropped in by the guide's own test.
    let bad = site.plugin_folder().join("site-rule.wasm");
    fs::write(&bad, b"this is no WebAssembly").expect("dropped");
    let refused = verdicts.find(|found| !found.is_empty()).expect("the verdict changes");
    assert!(refused.iter().any(|(plugin, code)| plugin == "site-rule" && code == "plugin-not-loaded"), "{refused:?}");

    fs::remove_file(&bad).expect("taken away");
    assert!(verdicts.any(|found| found.is_empty()), "the verdict changes back");
    watching.kill().expect("the check is ended");
    watching.wait().expect("it ends");
}
