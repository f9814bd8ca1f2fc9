//! A domain's document, with what libvirt tells only beside it.

use roxmltree::Node;
use uuid::Uuid;
use waypost_core::facts::{
    ActiveJob, BlockJob, CpuFeature, Document, DomainFacts, DomainState, Firmware, GuestCpu, MemoryBacking, Metadata,
};
use waypost_core::ids::DomainId;
use waypost_core::network::NAMESPACE;

use super::xml::{at, attr, bytes, child, children, parse, source, text, unit};
use super::{devices, disks, threads};
use crate::error::Failure;

/// What isn't in the document.
#[derive(Debug, Clone)]
pub(crate) struct Numbers {
    pub(crate) state: DomainState,
    pub(crate) reason: String,
    pub(crate) persistent: bool,
    pub(crate) autostart: bool,
    pub(crate) managed_save: bool,
    pub(crate) snapshots: Vec<String>,
    pub(crate) checkpoints: Vec<String>,
    pub(crate) job: Option<ActiveJob>,
    pub(crate) block_jobs: Vec<BlockJob>,
    pub(crate) documents: Vec<Document>,
}

/// Reads the document that describes the domain as it is now: the live one where it runs.
pub(crate) fn domain(document: &str, numbers: Numbers) -> Result<DomainFacts, Failure> {
    let document = parse("domain", document)?;
    let root = document.root_element();
    let os = child(root, "os");
    let kind = os.and_then(|os| child(os, "type"));
    let devices = child(root, "devices").ok_or_else(|| Failure::document("domain", "no <devices>"))?;
    let vcpu = child(root, "vcpu");
    let vcpus_max = text(vcpu).and_then(|count| count.parse().ok()).unwrap_or(1);
    let memory_max_kib = bytes(child(root, "memory")).unwrap_or(0) / 1024;
    let id = text(child(root, "uuid")).and_then(|text| Uuid::parse_str(&text).ok());
    Ok(DomainFacts {
        id: DomainId(id.ok_or_else(|| Failure::document("domain", "no UUID"))?),
        name: text(child(root, "name")).unwrap_or_default(),
        state: numbers.state,
        reason: numbers.reason,
        persistent: numbers.persistent,
        autostart: numbers.autostart,
        managed_save: numbers.managed_save,
        virt_type: attr(Some(root), "type").unwrap_or_default(),
        architecture: attr(kind, "arch").unwrap_or_default(),
        machine: attr(kind, "machine"),
        emulator: text(child(devices, "emulator")),
        firmware: firmware(os),
        vcpus: attr(vcpu, "current").and_then(|count| count.parse().ok()).unwrap_or(vcpus_max),
        vcpus_max,
        memory_kib: bytes(child(root, "currentMemory")).map_or(memory_max_kib, |bytes| bytes / 1024),
        memory_max_kib,
        memory_backing: memory_backing(child(root, "memoryBacking")),
        iothreads: threads::iothreads(root),
        pins: threads::pins(root),
        memory_nodes: at(root, &["numatune", "memory"]).and_then(threads::nodes),
        on_poweroff: text(child(root, "on_poweroff")),
        on_reboot: text(child(root, "on_reboot")),
        on_crash: text(child(root, "on_crash")),
        cpu: cpu(child(root, "cpu")),
        tsc_frequency_hz: child(root, "clock").and_then(tsc_frequency_hz),
        disks: disks::disks(devices),
        interfaces: devices::interfaces(devices),
        hostdevs: devices::hostdevs(devices),
        tpms: devices::tpms(devices),
        graphics: devices::graphics(devices),
        character_devices: devices::character_devices(devices),
        filesystems: devices::filesystems(devices),
        other_devices: devices::others(devices),
        shared_memory_roles: devices::shared_memory_roles(devices),
        launch_security: attr(child(root, "launchSecurity"), "type"),
        snapshots: numbers.snapshots,
        checkpoints: numbers.checkpoints,
        job: numbers.job,
        block_jobs: numbers.block_jobs,
        metadata: child(root, "metadata").into_iter().flat_map(|node| node.children()).filter_map(metadata).collect(),
        migration_network: child(root, "metadata")
            .into_iter()
            .flat_map(|node| node.children())
            .find(|node| node.has_tag_name((NAMESPACE, "migration")))
            .and_then(|node| attr(Some(node), "network")),
        title: text(child(root, "title")),
        description: text(child(root, "description")),
        documents: numbers.documents,
    })
}

/// `0000:03:00.0`, of an `<address>` of that kind.
pub(super) fn pci_address(address: Node<'_, '_>) -> Option<String> {
    let part = |name: &str| {
        let text = address.attribute(name)?;
        u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()
    };
    Some(format!(
        "{:04x}:{:02x}:{:02x}.{:x}",
        part("domain").unwrap_or(0),
        part("bus")?,
        part("slot")?,
        part("function")?
    ))
}

fn firmware(os: Option<Node<'_, '_>>) -> Firmware {
    let of = |name| os.and_then(|os| child(os, name));
    let loader = of("loader");
    let kernel = text(of("kernel"));
    let kind = if let Some(word) = attr(os, "firmware") {
        word
    } else if attr(loader, "type").as_deref() == Some("pflash") {
        "efi".to_owned()
    } else if kernel.is_some() {
        "direct".to_owned()
    } else {
        "bios".to_owned()
    };
    let nvram = of("nvram");
    Firmware {
        kind,
        loader: text(loader),
        // Newer libvirts name the file in a <source>.
        nvram: text(nvram).or_else(|| attr(nvram.and_then(|node| child(node, "source")), "file")),
        kernel,
        initrd: text(of("initrd")),
    }
}

fn memory_backing(node: Option<Node<'_, '_>>) -> MemoryBacking {
    let of = |name| node.and_then(|node| child(node, name));
    let huge_page_kib = of("hugepages").map(|pages| {
        let size = child(pages, "page").and_then(|page| {
            let size: u64 = page.attribute("size")?.parse().ok()?;
            Some(size * unit(page.attribute("unit").unwrap_or("KiB"))? / 1024)
        });
        // The document names no size where it means the default of the host's kernel; that is 2 MiB but for exotic ones.
        size.unwrap_or(2048)
    });
    MemoryBacking {
        huge_page_kib,
        locked: of("locked").is_some(),
        source: attr(of("source"), "type"),
        access: attr(of("access"), "mode"),
    }
}

fn cpu(node: Option<Node<'_, '_>>) -> GuestCpu {
    let of = |name| node.and_then(|node| child(node, name));
    let features = node.into_iter().flat_map(|cpu| children(cpu, "feature"));
    GuestCpu {
        mode: attr(node, "mode"),
        model: text(of("model")),
        vendor: text(of("vendor")),
        check: attr(node, "check"),
        migratable: attr(node, "migratable").map(|word| word == "on"),
        features: features
            .filter_map(|feature| {
                Some(CpuFeature {
                    name: attr(Some(feature), "name")?,
                    policy: attr(Some(feature), "policy").unwrap_or_else(|| "require".to_owned()),
                })
            })
            .collect(),
        xml: node.map(source),
    }
}

/// What the definition states of the guest's TSC; libvirt takes 0 for nothing.
fn tsc_frequency_hz(clock: Node<'_, '_>) -> Option<u64> {
    let tsc = children(clock, "timer").find(|timer| timer.attribute("name") == Some("tsc"))?;
    tsc.attribute("frequency")?.parse::<u64>().ok().filter(|hz| *hz > 0)
}

fn metadata(node: Node<'_, '_>) -> Option<Metadata> {
    node.is_element()
        .then(|| Metadata { namespace: node.tag_name().namespace().unwrap_or_default().to_owned(), xml: source(node) })
}

/// The state directory of a TPM or another path below an element.
pub(super) fn path_at(node: Node<'_, '_>, path: &[&str], name: &str) -> Option<String> {
    attr(at(node, path), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers() -> Numbers {
        Numbers {
            state: DomainState::Running,
            reason: "booted".to_owned(),
            persistent: true,
            autostart: false,
            managed_save: false,
            snapshots: Vec::new(),
            checkpoints: Vec::new(),
            job: None,
            block_jobs: Vec::new(),
            documents: Vec::new(),
        }
    }

    #[test]
    fn a_real_running_domain_is_read() {
        let read = domain(include_str!("../../tests/fixtures/domain-live.xml"), numbers()).unwrap();
        assert_eq!((read.name.as_str(), read.virt_type.as_str()), ("rich", "qemu"));
        assert_eq!(read.machine.as_deref(), Some("pc-q35-7.2"));
        assert_eq!((read.vcpus, read.vcpus_max, read.memory_kib), (1, 2, 262_144));
        assert_eq!(read.firmware.kind, "bios");
        assert_eq!((read.cpu.model.as_deref(), read.cpu.check.as_deref()), (Some("qemu64"), Some("full")));
        let svm = read.cpu.features.iter().find(|feature| feature.name == "svm").unwrap();
        assert_eq!(svm.policy, "disable");
        assert!(read.cpu.xml.unwrap().starts_with("<cpu mode='custom'"));

        let [root, data, drive] = read.disks.as_slice() else { panic!("three disks") };
        assert_eq!((root.target.as_str(), root.kind.as_str()), ("vda", "file"));
        assert_eq!((root.source.as_deref(), root.format.as_deref()), (Some("/mnt/rich.qcow2"), Some("qcow2")));
        assert_eq!(root.cache.as_deref(), Some("none"));
        assert_eq!(root.backing.len(), 1);
        assert_eq!(root.backing[0].source.as_deref(), Some("/mnt/base.qcow2"));
        assert_eq!((data.pool.as_deref(), data.volume.as_deref()), (Some("shared"), Some("data.img")));
        assert!(data.shareable);
        assert_eq!((drive.device.as_str(), drive.source.as_deref(), drive.read_only), ("cdrom", None, true));

        let [bridged, user] = read.interfaces.as_slice() else { panic!("two interfaces") };
        assert_eq!((bridged.network.as_deref(), bridged.bridge.as_deref()), (Some("default"), Some("virbr0")));
        assert_eq!(bridged.mac.as_deref(), Some("52:54:00:aa:bb:01"));
        assert_eq!(user.kind, "user");

        let vnc = &read.graphics[0];
        assert_eq!(
            (vnc.kind.as_str(), vnc.listen.as_slice(), vnc.autoport),
            ("vnc", ["0.0.0.0".to_owned()].as_slice(), true)
        );
        let serial = &read.character_devices[0];
        assert_eq!((serial.device.as_str(), serial.kind.as_str()), ("serial", "file"));
        assert_eq!(serial.path.as_deref(), Some("/var/log/libvirt/qemu/rich.serial"));
        let tcp = &read.character_devices[1];
        assert_eq!((tcp.address.as_deref(), tcp.service.as_deref()), (Some("127.0.0.1"), Some("4555")));
        assert_eq!(read.filesystems[0].source.as_deref(), Some("/srv"));
        assert!(read.other_devices.contains(&"watchdog".to_owned()));
        assert_eq!(read.other_devices.iter().filter(|kind| *kind == "controller").count(), 1);
        assert!(!read.other_devices.iter().any(|kind| kind == "emulator" || kind == "disk"));

        let namespaces: Vec<_> = read.metadata.iter().map(|element| element.namespace.as_str()).collect();
        assert_eq!(namespaces, ["https://site.example/domain", "urn:other"]);
        assert!(read.metadata[1].xml.contains("<other:sub>x</other:sub>"));
        assert_eq!(read.migration_network, None);
    }

    #[test]
    fn the_migration_network_of_the_metadata_is_read() {
        let text = include_str!("../../tests/fixtures/domain-inactive.xml");
        let (name, rest) = text.split_once("</name>").unwrap();
        // As `virsh metadata` writes it.
        let asks = "<metadata><waypost:migration xmlns:waypost='urn:waypost:domain:1' network='fast'/></metadata>";
        let read = domain(&format!("{name}</name>{asks}{rest}"), numbers()).unwrap();
        assert_eq!(read.migration_network.as_deref(), Some("fast"));
        let other = asks.replace("urn:waypost:domain:1", "urn:other");
        let read = domain(&format!("{name}</name>{other}{rest}"), numbers()).unwrap();
        assert_eq!((read.migration_network, read.metadata.len()), (None, 1));
    }

    #[test]
    fn the_frequency_of_the_tsc_is_read_where_it_is_stated() {
        let text = include_str!("../../tests/fixtures/domain-inactive.xml");
        let read = |timers: &str| {
            let clock = format!("<clock offset='utc'>{timers}</clock>");
            let text = text.replace("<clock offset='utc'/>", &clock);
            assert!(text.contains(&clock));
            domain(&text, numbers()).unwrap().tsc_frequency_hz
        };
        assert_eq!(
            read("<timer name='rtc' frequency='7'/><timer name='tsc' frequency='2593906000'/>"),
            Some(2_593_906_000)
        );
        for none in
            ["", "<timer name='tsc' mode='native'/>", "<timer name='tsc' frequency='0'/>", "<timer name='hpet'/>"]
        {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn a_real_definition_is_read() {
        let read = domain(include_str!("../../tests/fixtures/domain-inactive.xml"), numbers()).unwrap();
        assert_eq!(read.machine.as_deref(), Some("pc-q35-7.2"));
        assert_eq!(read.disks.len(), 3);
        assert_eq!(read.graphics[0].port, Some(-1));
    }

    #[test]
    fn firmware_and_memory_are_told_apart() {
        let efi = "<domain type='kvm'><name>e</name><uuid>0197b3a0-0000-7000-8000-000000000001</uuid>\
            <memory unit='KiB'>1024</memory><memoryBacking><hugepages><page size='1048576' unit='KiB'/></hugepages>\
            <locked/><source type='memfd'/><access mode='shared'/></memoryBacking>\
            <os><type arch='x86_64'>hvm</type><loader readonly='yes' type='pflash'>/usr/OVMF.fd</loader>\
            <nvram>/var/lib/e_VARS.fd</nvram></os><cpu mode='host-passthrough' migratable='off'/><devices/>\
            <launchSecurity type='sev'/></domain>";
        let read = domain(efi, numbers()).unwrap();
        assert_eq!((read.firmware.kind.as_str(), read.firmware.nvram.as_deref()), ("efi", Some("/var/lib/e_VARS.fd")));
        assert_eq!(read.memory_backing.huge_page_kib, Some(1_048_576));
        assert!(read.memory_backing.locked);
        assert_eq!(read.memory_backing.access.as_deref(), Some("shared"));
        assert_eq!((read.cpu.migratable, read.launch_security.as_deref()), (Some(false), Some("sev")));
        assert_eq!(read.vcpus, 1);
    }
}
