//! The port over libvirt's embedded test driver, which needs no daemon: reading, events, orders and errors; and what
//! becomes of hosts that aren't there or don't answer.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use waypost_core::facts::{CpuComparison, DomainState};
use waypost_core::ids::{DomainId, DomainKey, HostName};
use waypost_core::plan::{Autostart, End};
use waypost_core::ports::{Command, Connection, Depth, Fault, FaultKind, HostEvent, Hypervisor, Wanted};
use waypost_core::situation::{Side, Standing};
use waypost_libvirt::{HostConfig, Libvirt, Limits};

const HOST: &str = "h";

/// A private copy of a host: the driver makes one for every connection that is opened on a file.
struct Private {
    hosts: Libvirt,
    host: HostName,
    _file: tempfile::NamedTempFile,
}

fn private() -> Private {
    let mut file = tempfile::Builder::new().suffix(".xml").tempfile().unwrap();
    file.write_all(
        b"<node><cpu><mhz>1000</mhz><model>x</model><active>4</active><nodes>1</nodes><sockets>1</sockets><cores>4</cores>\
          <threads>1</threads></cpu><memory>8388608</memory>\
          <domain type='test' id='1' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>runs</name>\
          <uuid>0197b3a0-0000-7000-8000-00000000000a</uuid><memory>524288</memory><vcpu>2</vcpu>\
          <os><type arch='i686'>hvm</type></os><devices>\
          <disk type='file' device='disk'><source file='/store/a.img'/><backingStore type='file'><format type='qcow2'/>\
          <source file='/store/base.img'/><backingStore type='file'><format type='raw'/><source file='/elsewhere/old.img'/>\
          <backingStore/></backingStore></backingStore><target dev='vda'/></disk></devices></domain>\
          <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>off</name>\
          <uuid>0197b3a0-0000-7000-8000-00000000000b</uuid><memory>262144</memory><os><type arch='i686'>hvm</type></os>\
          <devices/><test:runstate>5</test:runstate></domain>\
          <pool type='dir'><name>store</name><uuid>3eefdf3d-7fd9-408d-919b-fca7040b2fb6</uuid><target><path>/store\
          </path></target><volume type='file'><name>a.img</name><capacity>2097152</capacity></volume>\
          <volume type='file'><name>base.img</name><capacity>2097152</capacity><allocation>1048576</allocation></volume></pool>\
          <network><name>lan</name><uuid>f2535037-7df9-41fb-b834-3ef960b372fc</uuid><bridge name='br0'/></network>\
          </node>",
    )
    .unwrap();
    let uri = format!("test://{}", file.path().display());
    Private { hosts: Libvirt::new([HostConfig::new(HOST, uri)]), host: HOST.into(), _file: file }
}

fn id(text: &str) -> DomainId {
    DomainId(Uuid::parse_str(text).unwrap())
}

fn runs() -> DomainId {
    id("0197b3a0-0000-7000-8000-00000000000a")
}

fn off() -> DomainId {
    id("0197b3a0-0000-7000-8000-00000000000b")
}

#[tokio::test]
async fn a_host_is_read_with_its_domains_pools_and_networks() {
    let Private { hosts, host, _file } = private();
    let depth = Depth { volumes: Wanted::Yes, node_devices: Wanted::Yes };
    let facts = hosts.host_facts(&host, depth).await.unwrap();
    assert_eq!((facts.hypervisor.as_str(), facts.architecture.as_str()), ("TEST", "i686"));
    assert_eq!((facts.cpus, facts.memory_kib), (4, 8_388_608));
    let domains: Vec<_> = facts.domains.iter().map(|d| (d.name.as_str(), d.state, d.persistent)).collect();
    assert!(domains.contains(&("runs", DomainState::Running, true)), "{domains:?}");
    assert!(domains.contains(&("off", DomainState::ShutOff, true)), "{domains:?}");
    let pool = facts.pool("store").unwrap();
    assert!(pool.active);
    assert_eq!(pool.volumes.as_ref().unwrap()[0].path, "/store/a.img");
    assert_eq!(facts.network("lan").unwrap().bridge.as_deref(), Some("br0"));
    assert_eq!(facts.migration_ports.free(), 64);
    assert!(facts.node_devices.is_some());

    let shallow = hosts.host_facts(&host, Depth::default()).await.unwrap();
    assert_eq!((shallow.pool("store").unwrap().volumes.as_ref(), shallow.node_devices.as_ref()), (None, None));
}

#[tokio::test]
async fn the_secrets_of_a_peer_uri_are_no_facts() {
    let peer_uri = "qemu+tcp://root:TOPSECRET@h.example/system?authfile=/etc/PATHSECRET&mode=auto".to_owned();
    let config = HostConfig { peer_uri: Some(peer_uri), ..HostConfig::new(HOST, "test:///default") };
    let facts = Libvirt::new([config]).host_facts(&HOST.into(), Depth::default()).await.unwrap();
    assert_eq!(facts.peer_uri.as_deref(), Some("qemu+tcp://root@h.example/system?mode=auto"));
}

#[tokio::test]
async fn a_domain_is_read_and_its_disk_found_in_its_pool() {
    let Private { hosts, host, _file } = private();
    let facts = hosts.domain_facts(&host, &DomainKey::Name("runs".into())).await.unwrap();
    assert_eq!((facts.id, facts.state, facts.vcpus), (runs(), DomainState::Running, 2));
    assert_eq!((facts.disks[0].pool.as_deref(), facts.disks[0].volume.as_deref()), (Some("store"), Some("a.img")));
    // What an image behind it holds its pool tells; of one in no pool nobody does.
    let behind: Vec<_> = facts.disks[0].backing.iter().map(|l| (l.source.as_deref(), l.allocation_bytes)).collect();
    assert_eq!(behind, [(Some("/store/base.img"), Some(1 << 20)), (Some("/elsewhere/old.img"), None)]);
    let kinds: Vec<_> = facts.documents.iter().map(|document| document.kind.as_str()).collect();
    assert!(kinds.starts_with(&["live", "inactive"]), "{kinds:?}");
    let pair = hosts.pair_facts(&host, &facts).await.unwrap();
    assert_eq!(pair.destination_disks[0].volume.as_ref().unwrap().capacity_bytes, 2 << 20);
    // The driver knows nothing of CPUs, and says so instead of saying yes.
    assert_eq!(pair.cpu, CpuComparison::Unknown);
    assert!(pair.cpu_message.is_some());
}

#[tokio::test]
async fn a_domain_that_isnt_there_is_an_error_of_that_kind_with_libvirts_numbers() {
    let Private { hosts, host, _file } = private();
    let nobody = id("0197b3a0-0000-7000-8000-0000000000ff");
    for key in [DomainKey::Id(nobody), DomainKey::Name("nobody".into())] {
        let fault = hosts.domain_facts(&host, &key).await.unwrap_err();
        assert_eq!((fault.kind, fault.code, fault.domain.is_some()), (FaultKind::NoDomain, Some(42), true), "{fault}");
        assert_eq!(fault.attempted, format!("read domain {key}"));
    }
    let nul = hosts.domain_facts(&host, &DomainKey::Name("a\0b".into())).await.unwrap_err();
    assert_eq!(nul.kind, FaultKind::Other);
    assert!(matches!(hosts.observe(&host, nobody).await, Side::Absent { .. }));
    assert!(matches!(hosts.final_sample(&host, nobody).await, Ok(None)));
    let elsewhere = hosts.domains(&"elsewhere".into()).await.unwrap_err();
    assert_eq!(elsewhere.kind, FaultKind::NoHost);
}

#[tokio::test]
async fn orders_are_carried_out_and_a_definition_in_use_is_kept() {
    let Private { hosts, host, _file } = private();
    let kept = hosts.command(&host, runs(), Command::Undefine).await.unwrap_err();
    assert_eq!(kept.kind, FaultKind::Refused, "{kept}");
    hosts.command(&host, runs(), Command::SetAutostart(Autostart::On)).await.unwrap();
    let Side::Present(seen) = hosts.observe(&host, runs()).await else { panic!("it is there") };
    assert!(seen.autostart && seen.persistent && !seen.job);
    assert_eq!((seen.state, seen.name.as_str()), (DomainState::Running, "runs"));
    hosts.command(&host, runs(), Command::Destroy).await.unwrap();
    let Side::Present(seen) = hosts.observe(&host, runs()).await else { panic!("its definition is there") };
    assert_eq!((seen.state, seen.reason.as_str()), (DomainState::ShutOff, "destroyed"));
    for domain in [runs(), off()] {
        hosts.command(&host, domain, Command::Undefine).await.unwrap();
        assert!(matches!(hosts.observe(&host, domain).await, Side::Absent { .. }));
    }
    let gone = hosts.command(&host, runs(), Command::Resume).await.unwrap_err();
    assert_eq!(gone.kind, FaultKind::NoDomain);
}

#[tokio::test]
async fn an_order_for_a_domain_that_stood_otherwise_is_not_carried_out() {
    let Private { hosts, host, _file } = private();
    let planned = End { host: host.clone(), uuid: None };
    let before = Standing::of(&hosts.observe(&host, runs()).await, &planned).unwrap();
    hosts.command_if(&host, runs(), Command::Suspend, Some(&before)).await.unwrap();
    let paused = Standing::of(&hosts.observe(&host, runs()).await, &planned).unwrap();
    assert_eq!((before.state, paused.state), (DomainState::Running, DomainState::Paused));
    for command in [Command::Destroy, Command::Resume] {
        let refused = hosts.command_if(&host, runs(), command, Some(&before)).await.unwrap_err();
        assert!(refused.kind == FaultKind::Refused && refused.message.contains("the domain is paused ("), "{refused}");
        let Side::Present(seen) = hosts.observe(&host, runs()).await else { panic!("it is there") };
        assert_eq!((seen.state, &seen.reason), (paused.state, &paused.reason));
    }
    hosts.command_if(&host, runs(), Command::Destroy, Some(&paused)).await.unwrap();
}

#[tokio::test]
async fn what_the_driver_lacks_is_told_as_that() {
    let Private { hosts, host, _file } = private();
    for command in [
        Command::AbortJob,
        Command::StartPostCopy,
        Command::SetMaxDowntime { ms: 100 },
        Command::SetThrottle { percent: 50 },
    ] {
        let fault = hosts.command(&host, runs(), command).await.unwrap_err();
        assert_eq!((fault.kind, fault.code), (FaultKind::Unsupported, Some(3)), "{fault}");
    }
}

#[tokio::test]
async fn a_probe_is_made_once_seen_and_removed_and_nothing_else_is() {
    let Private { hosts, host, _file } = private();
    assert!(!hosts.sees_probe(&host, "store", "probe-1").await.unwrap());
    hosts.create_probe(&host, "store", "probe-1").await.unwrap();
    let taken = hosts.create_probe(&host, "store", "probe-1").await.unwrap_err();
    assert!(taken.message.contains("already exists"), "{taken}");
    assert!(hosts.sees_probe(&host, "store", "probe-1").await.unwrap());
    hosts.remove_probe(&host, "store", "probe-1").await.unwrap();
    hosts.remove_probe(&host, "store", "probe-1").await.unwrap();
    assert!(!hosts.sees_probe(&host, "store", "probe-1").await.unwrap());
    for bad in ["", "../x", "a/b", ".x", "a b", "a'b"] {
        assert_eq!(hosts.create_probe(&host, "store", bad).await.unwrap_err().kind, FaultKind::Refused, "{bad:?}");
    }
    let missing = hosts.create_probe(&host, "nowhere", "probe-1").await.unwrap_err();
    assert_eq!(missing.kind, FaultKind::Storage);
}

#[tokio::test]
async fn a_large_volume_is_never_taken_for_a_probe() {
    let Private { hosts, host, _file } = private();
    let refused = hosts.remove_probe(&host, "store", "a.img").await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Refused, "{refused}");
    assert!(hosts.sees_probe(&host, "store", "a.img").await.unwrap());
}

#[tokio::test]
async fn events_tell_what_others_do() {
    let hosts = Libvirt::new([HostConfig::new(HOST, "test:///default")]);
    let mut events = hosts.events(&HOST.into()).await.unwrap();
    let domain = hosts.domains(&HOST.into()).await.unwrap().remove(0).id;
    // The default node is one per process: another connection to it acts on the same domain.
    let mut other = Connect::open(Some("test:///default")).unwrap();
    {
        let theirs = Domain::lookup_by_uuid(&other, domain.0).unwrap();
        theirs.suspend().unwrap();
        theirs.resume().unwrap();
    }
    other.close().unwrap();
    for expected in [("suspended", "paused"), ("resumed", "unpaused")] {
        let event = tokio::time::timeout(Duration::from_secs(5), events.next()).await.unwrap().unwrap();
        let HostEvent::Lifecycle { domain: which, event, detail } = event else { panic!("{event:?}") };
        assert_eq!((which, event.as_str(), detail.as_str()), (domain, expected.0, expected.1));
    }
}

#[tokio::test]
async fn who_stays_keeps_the_connection_and_who_goes_or_is_reached_otherwise_does_not() {
    let Private { hosts, host, _file } = private();
    let uri = format!("test://{}", _file.path().display());
    let before = HostConfig::new(HOST, uri.as_str());
    // The driver makes a copy of the file for each connection: what is done there is seen on the same one only.
    let state = async || {
        let domains = hosts.domains(&host).await.unwrap();
        domains.iter().find(|domain| domain.id == runs()).unwrap().state
    };
    hosts.command(&host, runs(), Command::Destroy).await.unwrap();
    assert_eq!(state().await, DomainState::ShutOff);

    let limits = Limits { read: Duration::from_secs(7), ..Limits::default() };
    let addressed = HostConfig { addresses: vec!["10.0.0.1".into()], limits, ..before.clone() };
    hosts.take([HostConfig::new("beside", "test:///default"), addressed.clone()]);
    assert_eq!(hosts.hosts(), ["beside", HOST].map(HostName::from));
    assert_eq!((hosts.connection(&host), state().await), (Connection::Up, DomainState::ShutOff));
    assert_eq!(hosts.host_facts(&host, Depth::default()).await.unwrap().addresses, ["10.0.0.1"]);
    assert_eq!(hosts.domains(&"beside".into()).await.unwrap().len(), 1);

    hosts.take([HostConfig { peer_uri: Some("test:///peer".into()), ..addressed }]);
    assert_eq!(hosts.connection(&host), Connection::Unknown, "nobody asked yet");
    assert_eq!(state().await, DomainState::Running);
    let gone = hosts.domains(&"beside".into()).await.unwrap_err();
    assert_eq!(gone.kind, FaultKind::NoHost, "{gone}");

    hosts.take([]);
    assert!(hosts.hosts().is_empty());
    assert_eq!(hosts.connection(&host), Connection::Unknown);
    assert_eq!(hosts.domains(&host).await.unwrap_err().kind, FaultKind::NoHost);
}

fn unix(path: &std::path::Path, open: Duration) -> Libvirt {
    let uri = format!("qemu+unix:///system?socket={}", path.display());
    let limits = Limits { open, ..Limits::default() };
    Libvirt::new([HostConfig { limits, ..HostConfig::new(HOST, uri) }])
}

#[tokio::test]
async fn a_host_that_isnt_there_is_unreachable_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let hosts = unix(&dir.path().join("none"), Duration::from_secs(5));
    let begun = Instant::now();
    let fault = hosts.domains(&HOST.into()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable, "{fault}");
    assert!(fault.attempted.starts_with("open a connection to ") && fault.attempted.contains("/none"), "{fault}");
    assert!(fault.code.is_some());
    assert!(begun.elapsed() < Duration::from_secs(2));
    // Asked again and again, it is tried ever more rarely: 100 + 200 + 400 ms.
    let begun = Instant::now();
    for _ in 0..3 {
        let _: Fault = hosts.domains(&HOST.into()).await.unwrap_err();
    }
    assert!(begun.elapsed() >= Duration::from_millis(700), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_daemon_that_accepts_and_says_nothing_costs_the_deadline_and_one_thread() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("silent");
    let listener = UnixListener::bind(&path).unwrap();
    let limit = Duration::from_millis(300);
    let hosts = unix(&path, limit);
    for _ in 0..3 {
        let begun = Instant::now();
        let fault = hosts.domains(&HOST.into()).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Deadline, "{fault}");
        assert!((limit..limit * 4).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }
    let Side::Unknown(why) = hosts.observe(&HOST.into(), runs()).await else { panic!("nobody answered") };
    assert!(why.contains("no answer within 0.3 s"), "{why}");
    // However often it was asked, one open hangs.
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.incoming().take_while(Result::is_ok).count(), 1);
}

#[tokio::test]
async fn a_uri_that_trusts_blindly_is_refused_before_anything_is_opened() {
    let hosts = Libvirt::new([HostConfig::new(HOST, "qemu+ssh://root@nowhere.invalid/system?no_verify=1")]);
    let fault = hosts.domains(&HOST.into()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Authentication);
    assert!(fault.message.contains("no_verify=1") && fault.message.contains("accept_unverified = true"), "{fault}");
}
