//! What a policy may propose, what is refused, and what becomes of the facts.

use super::*;
use crate::copies::tests::scene;
use crate::facts::{CharacterDevice, DomainFacts, Graphics, Interface, Metadata, Pin};

const MAC: &str = "52:54:00:00:00:01";

fn domain() -> DomainFacts {
    let mut domain = (*scene().1.domain).clone();
    let mut cdrom = domain.disks[0].clone();
    cdrom.target = "sda".into();
    cdrom.device = "cdrom".into();
    cdrom.source = Some("/iso/tools.iso".into());
    domain.disks.push(cdrom);
    domain.emulator = Some("/usr/bin/emulator".into());
    domain.interfaces = vec![Interface {
        kind: "network".into(),
        network: Some("default".into()),
        bridge: Some("virbr0".into()),
        device: None,
        portgroup: Some("red".into()),
        model: None,
        mac: Some(MAC.into()),
        teaming: None,
    }];
    domain.graphics = vec![Graphics {
        kind: "vnc".into(),
        listen: vec!["10.0.0.1".into()],
        socket: None,
        autoport: true,
        port: Some(-1),
    }];
    let character = |device: &str, kind: &str, path: &str| CharacterDevice {
        device: device.into(),
        kind: kind.into(),
        path: Some(path.into()),
        address: None,
        service: None,
        log: None,
    };
    domain.character_devices =
        vec![character("serial", "pty", "/dev/pts/1"), character("serial", "file", "/var/log/web")];
    domain.vcpus_max = 2;
    domain.iothreads = vec![1];
    domain.pins = vec![Pin { threads: "vcpu 0".into(), cpus: "0-3".into() }];
    domain.on_crash = Some("destroy".into());
    domain.metadata = vec![Metadata { namespace: "urn:site".into(), xml: "<s xmlns='urn:site'/>".into() }];
    domain
}

fn proposal(kind: EditKind, device: &str, after: Option<&str>) -> Proposal {
    Proposal {
        kind,
        device: (!device.is_empty()).then(|| device.to_owned()),
        after: after.map(str::to_owned),
        reason: "because".into(),
    }
}

fn one(kind: EditKind, device: &str, after: Option<&str>) -> Result<Vec<Edit>, EditError> {
    resolve(&PluginName::new("transform-site"), &domain(), &[proposal(kind, device, after)])
}

#[test]
fn an_edit_shows_what_stands_there_before_and_after() {
    let shown = |kind, device, after| one(kind, device, after).unwrap().remove(0).to_string();
    for (kind, device, after, expected) in [
        (EditKind::DiskSource, "vda", Some("/b/x"), "disk vda: /srv/images/web.img becomes /b/x"),
        (EditKind::DiskSource, "sda", None, "disk sda: /iso/tools.iso becomes nothing"),
        (
            EditKind::InterfaceSource,
            "52:54:00:00:00:01",
            Some("bridge br-lan"),
            "interface 52:54:00:00:00:01: network default becomes bridge br-lan",
        ),
        (EditKind::GraphicsListen, "vnc", Some("::1"), "vnc address: 10.0.0.1 becomes ::1"),
        (EditKind::GraphicsPort, "vnc", Some("5950"), "vnc port: auto becomes 5950"),
        (EditKind::CharacterPath, "serial 1", Some("/b/log"), "serial 1: /var/log/web becomes /b/log"),
        (EditKind::Emulator, "", Some("/opt/emulator"), "emulator: /usr/bin/emulator becomes /opt/emulator"),
        (EditKind::Title, "", Some("web server"), "title: nothing becomes web server"),
        (EditKind::Metadata, "urn:site", None, "metadata urn:site: <s xmlns='urn:site'/> becomes nothing"),
        (EditKind::CpuPin, "vcpu 0", Some("7,4-6"), "vcpu 0 pin: 0-3 becomes 4-7"),
        (EditKind::CpuPin, "vcpu 0", None, "vcpu 0 pin: 0-3 becomes nothing"),
        (EditKind::CpuPin, "iothread 1", Some("4"), "iothread 1 pin: nothing becomes 4"),
        (EditKind::CpuPin, "emulator", Some("0-3,^2"), "emulator pin: nothing becomes 0-1,3"),
        (EditKind::MemoryNodes, "", Some("1"), "NUMA nodes of the memory: nothing becomes 1"),
        (EditKind::OnCrash, "", Some("coredump-restart"), "on-crash: destroy becomes coredump-restart"),
    ] {
        assert_eq!(shown(kind, device, after), expected);
    }
}

#[test]
fn what_is_as_it_should_be_is_no_edit() {
    assert_eq!(one(EditKind::DiskSource, "vda", Some("/srv/images/web.img")), Ok(vec![]));
    assert_eq!(one(EditKind::InterfaceSource, &MAC.to_ascii_uppercase(), Some("network default")), Ok(vec![]));
    assert_eq!(one(EditKind::Title, "", None), Ok(vec![]));
    assert_eq!(one(EditKind::CpuPin, "vcpu 0", Some("0,1,2,3")), Ok(vec![]), "the same CPUs in other words");
    assert_eq!(one(EditKind::CpuPin, "vcpu 1", None), Ok(vec![]));
}

#[test]
fn what_cannot_be_made_is_refused_with_its_place() {
    for (kind, device, after, why) in [
        (EditKind::DiskSource, "vdz", Some("/x"), "disk vdz: the domain has no such device; it has: vda, sda"),
        (EditKind::DiskSource, "vda", None, "disk vda: only a CD-ROM or a floppy can be taken out"),
        (EditKind::DiskSource, "vda", Some("x"), "an absolute path"),
        (EditKind::DiskSource, "vda", Some("/x\0"), "control characters"),
        (EditKind::InterfaceSource, "52:54:00:00:00:09", Some("bridge b"), "it has: 52:54:00:00:00:01"),
        (EditKind::InterfaceSource, MAC, Some("bridge "), "name of a bridge"),
        (EditKind::InterfaceSource, MAC, Some("bridge a b"), "name of a bridge"),
        (EditKind::InterfaceSource, MAC, Some("br0"), "name of a bridge"),
        (EditKind::GraphicsListen, "spice", Some("::1"), "spice address: the domain has no such device; it has: vnc"),
        (EditKind::GraphicsListen, "vnc", Some("kvm2"), "an IP address"),
        (EditKind::GraphicsListen, "vnc", None, "something has to"),
        (EditKind::GraphicsPort, "vnc", Some("0"), "1 to 65535"),
        (EditKind::CharacterPath, "serial 0", Some("/x"), "serial 0: it is backed by pty"),
        (EditKind::CharacterPath, "serial 2", Some("/x"), "it has: serial 0, serial 1"),
        (EditKind::Emulator, "", Some("emulator"), "an absolute path"),
        (EditKind::Loader, "", Some("/x"), "loader: the domain names no loader image"),
        (EditKind::Title, "", Some("two\nlines"), "control characters"),
        (EditKind::Title, "", Some(" "), "empty"),
        (EditKind::Metadata, "urn:site", Some("text"), "one XML element"),
        (EditKind::CpuPin, "vcpu 2", Some("0"), "it has: vcpu 0 to vcpu 1, emulator, iothread 1"),
        (EditKind::CpuPin, "iothread 2", None, "iothread 2 pin: the domain has no such device"),
        (EditKind::CpuPin, "vcpu 0", Some("3-1"), "numbers and ranges"),
        (EditKind::MemoryNodes, "", Some("auto"), "numbers and ranges"),
        (EditKind::OnReboot, "", Some("coredump-restart"), "destroy, restart, preserve and rename-restart"),
        (EditKind::OnCrash, "", Some("ignore"), "coredump-destroy"),
        (EditKind::OnPoweroff, "", None, "something has to"),
        (EditKind::Metadata, crate::network::NAMESPACE, None, "not for policies"),
        (EditKind::Metadata, crate::notice::NAMESPACE, None, "not for policies"),
    ] {
        let error = one(kind, device, after).unwrap_err().to_string();
        assert!(error.contains(why), "{kind} {device} {after:?}: {error}");
    }
    let twice = [proposal(EditKind::Title, "", Some("a")), proposal(EditKind::Title, "", Some("a"))];
    assert_eq!(
        resolve(&PluginName::new("p"), &domain(), &twice),
        Err(EditError::Twice("title".into())),
        "also if both say the same: a policy that says a thing twice has lost its way"
    );
}

fn by(plugin: &str, after: &str) -> Edit {
    let proposals = [proposal(EditKind::GraphicsListen, "vnc", Some(after))];
    resolve(&PluginName::new(plugin), &domain(), &proposals).unwrap().remove(0)
}

#[test]
fn two_policies_may_want_the_same_and_not_different_things_of_one_place() {
    let merged = merge([by("a", "::1"), by("b", "::1")]).unwrap();
    assert_eq!(merged.0, [by("a", "::1")]);
    let conflicts = merge([by("a", "::1"), by("b", "::2"), by("c", "::3")]).unwrap_err();
    let names: Vec<_> = conflicts.iter().map(|c| (c.first.plugin.as_str(), c.second.plugin.as_str())).collect();
    assert_eq!(names, [("a", "b"), ("a", "c")]);
}

#[test]
fn the_facts_show_the_domain_as_it_arrives_and_nothing_else_changes() {
    let proposals = [
        proposal(EditKind::DiskSource, "vda", Some("/b/x")),
        proposal(EditKind::InterfaceSource, MAC, Some("bridge br-lan")),
        proposal(EditKind::GraphicsListen, "vnc", Some("::1")),
        proposal(EditKind::GraphicsPort, "vnc", Some("5950")),
        proposal(EditKind::CharacterPath, "serial 1", Some("/b/log")),
        proposal(EditKind::Emulator, "", Some("/opt/emulator")),
        proposal(EditKind::Title, "", Some("t")),
        proposal(EditKind::Description, "", Some("two\nlines")),
        proposal(EditKind::Metadata, "urn:site", Some("<s xmlns='urn:site'>1</s>")),
        proposal(EditKind::CpuPin, "vcpu 0", None),
        proposal(EditKind::CpuPin, "vcpu 1", Some("4-7")),
        proposal(EditKind::MemoryNodes, "", Some("0,1")),
        proposal(EditKind::OnPoweroff, "", Some("restart")),
        proposal(EditKind::OnReboot, "", Some("destroy")),
        proposal(EditKind::OnCrash, "", Some("preserve")),
    ];
    let edits = Edits(resolve(&PluginName::new("p"), &domain(), &proposals).unwrap());
    assert_eq!(edits.still_hold(&domain()), Ok(()));
    let there = edits.applied(&domain());
    let mut expected = domain();
    expected.disks[0].source = Some("/b/x".into());
    expected.interfaces[0] = Interface {
        kind: "bridge".into(),
        network: None,
        bridge: Some("br-lan".into()),
        portgroup: None,
        ..expected.interfaces[0].clone()
    };
    expected.graphics[0] =
        Graphics { listen: vec!["::1".into()], autoport: false, port: Some(5950), ..expected.graphics[0].clone() };
    expected.character_devices[1].path = Some("/b/log".into());
    expected.emulator = Some("/opt/emulator".into());
    expected.title = Some("t".into());
    expected.description = Some("two\nlines".into());
    expected.metadata[0].xml = "<s xmlns='urn:site'>1</s>".into();
    expected.pins = vec![Pin { threads: "vcpu 1".into(), cpus: "4-7".into() }];
    expected.memory_nodes = Some("0-1".into());
    expected.on_poweroff = Some("restart".into());
    expected.on_reboot = Some("destroy".into());
    expected.on_crash = Some("preserve".into());
    assert_eq!(there, expected);
    let why = edits.still_hold(&there).unwrap_err();
    assert!(why.contains("disk vda: it is /b/x, and the plan was made for /srv/images/web.img"), "{why}");
}
