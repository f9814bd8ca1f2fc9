//! The devices of a domain other than its disks.

use roxmltree::Node;
use waypost_core::facts::{CharacterDevice, Filesystem, Graphics, Hostdev, Interface, Tpm};

use super::domain::{path_at, pci_address};
use super::xml::{attr, child, children, is_on, text};

/// Elements that have a list of their own, and the emulator, which is a fact of its own.
const LISTED: [&str; 11] = [
    "emulator",
    "disk",
    "interface",
    "hostdev",
    "tpm",
    "graphics",
    "serial",
    "console",
    "channel",
    "parallel",
    "filesystem",
];

pub(super) fn interfaces(devices: Node<'_, '_>) -> Vec<Interface> {
    let interface = |node: Node<'_, '_>| {
        let source = child(node, "source");
        Interface {
            kind: attr(Some(node), "type").unwrap_or_default(),
            network: attr(source, "network"),
            bridge: attr(source, "bridge"),
            device: attr(source, "dev").or_else(|| attr(source, "path")),
            portgroup: attr(source, "portgroup"),
            model: attr(child(node, "model"), "type"),
            mac: attr(child(node, "mac"), "address").map(|mac| mac.to_ascii_lowercase()),
            teaming: attr(child(node, "teaming"), "type"),
        }
    };
    children(devices, "interface").map(interface).collect()
}

pub(super) fn hostdevs(devices: Node<'_, '_>) -> Vec<Hostdev> {
    let hostdev = |node: Node<'_, '_>| {
        let kind = attr(Some(node), "type").unwrap_or_default();
        Hostdev {
            address: child(node, "source").and_then(|source| hostdev_address(&kind, source)).unwrap_or_default(),
            managed: is_on(node.attribute("managed")),
            teaming: attr(child(node, "teaming"), "type"),
            kind,
        }
    };
    children(devices, "hostdev").map(hostdev).collect()
}

fn hostdev_address(kind: &str, source: Node<'_, '_>) -> Option<String> {
    let address = child(source, "address");
    match kind {
        "pci" => pci_address(address?),
        "mdev" => attr(address, "uuid"),
        "usb" => match (attr(child(source, "vendor"), "id"), attr(child(source, "product"), "id")) {
            (Some(vendor), Some(product)) => {
                let hex = |id: &str| id.trim_start_matches("0x").to_owned();
                Some(format!("{}:{}", hex(&vendor), hex(&product)))
            }
            _ => Some(format!("bus {} device {}", attr(address, "bus")?, attr(address, "device")?)),
        },
        "scsi" => {
            let adapter = attr(child(source, "adapter"), "name").or_else(|| attr(Some(source), "name"))?;
            let part = |name| attr(address, name).unwrap_or_else(|| "0".to_owned());
            Some(format!("{adapter}:{}:{}:{}", part("bus"), part("target"), part("unit")))
        }
        "scsi_host" => attr(Some(source), "wwpn"),
        "storage" => text(child(source, "block")),
        "misc" => text(child(source, "char")),
        "net" => text(child(source, "interface")),
        _ => None,
    }
}

pub(super) fn tpms(devices: Node<'_, '_>) -> Vec<Tpm> {
    let tpm = |node: Node<'_, '_>| {
        let backend = child(node, "backend");
        let source = backend.and_then(|backend| child(backend, "source"));
        Tpm {
            model: attr(Some(node), "model"),
            backend: attr(backend, "type").unwrap_or_default(),
            version: attr(backend, "version"),
            state_path: attr(source, "path"),
            device_path: backend.and_then(|backend| path_at(backend, &["device"], "path")),
        }
    };
    children(devices, "tpm").map(tpm).collect()
}

pub(super) fn graphics(devices: Node<'_, '_>) -> Vec<Graphics> {
    let graphics = |node: Node<'_, '_>| {
        let mut listen: Vec<String> =
            children(node, "listen").filter_map(|listen| attr(Some(listen), "address")).collect();
        // Older documents have the address only here; newer ones repeat it.
        listen.extend(attr(Some(node), "listen").filter(|address| !listen.contains(address)));
        let socket = children(node, "listen").find_map(|listen| attr(Some(listen), "socket"));
        Graphics {
            kind: attr(Some(node), "type").unwrap_or_default(),
            listen,
            socket: socket.or_else(|| attr(Some(node), "socket")),
            autoport: is_on(node.attribute("autoport")),
            port: node.attribute("port").and_then(|port| port.parse().ok()),
        }
    };
    children(devices, "graphics").map(graphics).collect()
}

pub(super) fn character_devices(devices: Node<'_, '_>) -> Vec<CharacterDevice> {
    let kinds = ["serial", "console", "channel", "parallel"];
    let device = |node: Node<'_, '_>| {
        let source = child(node, "source");
        CharacterDevice {
            device: node.tag_name().name().to_owned(),
            kind: attr(Some(node), "type").unwrap_or_default(),
            path: attr(source, "path"),
            address: attr(source, "host"),
            service: attr(source, "service"),
            log: attr(child(node, "log"), "file"),
        }
    };
    devices.children().filter(|node| kinds.contains(&node.tag_name().name())).map(device).collect()
}

pub(super) fn filesystems(devices: Node<'_, '_>) -> Vec<Filesystem> {
    let filesystem = |node: Node<'_, '_>| {
        let source = child(node, "source");
        let place = ["dir", "socket", "file", "dev", "name"].into_iter().find_map(|name| attr(source, name));
        Filesystem {
            // libvirt leaves the driver out where it is 9p.
            driver: attr(child(node, "driver"), "type").unwrap_or_else(|| "path".to_owned()),
            source: place,
            target: attr(child(node, "target"), "dir"),
        }
    };
    children(devices, "filesystem").map(filesystem).collect()
}

pub(super) fn shared_memory_roles(devices: Node<'_, '_>) -> Vec<String> {
    let role = |node: Node<'_, '_>| attr(Some(node), "role").unwrap_or_else(|| "default".to_owned());
    children(devices, "shmem").map(role).collect()
}

pub(super) fn others(devices: Node<'_, '_>) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for node in devices.children().filter(Node::is_element) {
        let name = node.tag_name().name();
        if !LISTED.contains(&name) && !kinds.iter().any(|kind| kind == name) {
            kinds.push(name.to_owned());
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use roxmltree::Document;

    use super::*;

    const DEVICES: &str = "<devices>
        <hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x3b' slot='0x02'
          function='0x1'/></source><teaming type='transient' persistent='ua-x'/></hostdev>
        <hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>
        <hostdev mode='subsystem' type='mdev' model='vfio-pci'><source>
          <address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>
        <hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/><address bus='0' target='1' unit='2'/>
          </source></hostdev>
        <hostdev mode='capabilities' type='misc'><source><char>/dev/input/event3</char></source></hostdev>
        <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
        <tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>
        <graphics type='spice'><listen type='socket' socket='/run/spice.sock'/></graphics>
        <filesystem type='mount'><driver type='virtiofs'/><source dir='/export'/><target dir='tag'/></filesystem>
        <interface type='direct'><source dev='eth0' mode='bridge'/></interface>
        <interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>
        <serial type='pty'><log file='/var/log/x' append='on'/></serial>
        <shmem name='a'/><shmem name='b' role='master'/>
        </devices>";

    #[test]
    fn every_kind_of_device_keeps_what_ties_it_to_its_host() {
        let document = Document::parse(DEVICES).unwrap();
        let devices = document.root_element();
        let hostdevs = hostdevs(devices);
        let addresses: Vec<_> = hostdevs.iter().map(|device| device.address.as_str()).collect();
        assert_eq!(
            addresses,
            [
                "0000:3b:02.1",
                "1234:beef",
                "c2177883-f1bb-47f0-914d-32a22e3a8804",
                "scsi_host0:0:1:2",
                "/dev/input/event3"
            ]
        );
        assert!(hostdevs[0].managed);
        assert_eq!(hostdevs[0].teaming.as_deref(), Some("transient"));
        let tpms = tpms(devices);
        assert_eq!((tpms[0].backend.as_str(), tpms[0].version.as_deref()), ("emulator", Some("2.0")));
        assert_eq!(tpms[1].device_path.as_deref(), Some("/dev/tpm0"));
        let graphics = graphics(devices);
        assert_eq!((graphics[0].listen.len(), graphics[0].socket.as_deref()), (0, Some("/run/spice.sock")));
        assert_eq!(filesystems(devices)[0].driver, "virtiofs");
        let interfaces = interfaces(devices);
        assert_eq!(interfaces[0].device.as_deref(), Some("eth0"));
        assert_eq!(interfaces[1].device.as_deref(), Some("/dev/vhost-vdpa-0"));
        assert_eq!(character_devices(devices)[0].log.as_deref(), Some("/var/log/x"));
        assert_eq!(others(devices), ["shmem"]);
        assert_eq!(shared_memory_roles(devices), ["default", "master"]);
    }
}
