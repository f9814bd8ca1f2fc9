//! A domain's disks as its document names them, and the volumes behind them.

use roxmltree::Node;
use waypost_core::facts::{BackingLayer, Disk, Volume};

use super::xml::{attr, bytes, child, children, parse, text};
use crate::error::Failure;

/// What to look a disk up by on any host: a path, a key of a network store, or pool and volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DiskSource {
    Path(String),
    Key(String),
    Volume { pool: String, volume: String },
}

impl DiskSource {
    /// Of a disk; none for an empty drive, or one whose source no pool can hold.
    pub(crate) fn of(disk: &Disk) -> Option<Self> {
        match (disk.kind.as_str(), &disk.source) {
            ("volume", _) => Some(Self::Volume { pool: disk.pool.clone()?, volume: disk.volume.clone()? }),
            ("file" | "block" | "dir", Some(path)) => Some(Self::Path(path.clone())),
            ("network", Some(name)) => Some(Self::Key(name.clone())),
            _ => None,
        }
    }
    /// As it is shown.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Path(text) | Self::Key(text) => text.clone(),
            Self::Volume { pool, volume } => format!("{pool}/{volume}"),
        }
    }
}

/// The disks of a domain's `<devices>`. Sizes, and pool and volume of a disk that is named by its path, are not in there.
pub(crate) fn disks(devices: Node<'_, '_>) -> Vec<Disk> {
    children(devices, "disk").map(disk).collect()
}

fn disk(node: Node<'_, '_>) -> Disk {
    let kind = attr(Some(node), "type").unwrap_or_else(|| "file".to_owned());
    let (source, driver, target) = (child(node, "source"), child(node, "driver"), child(node, "target"));
    let volume = kind == "volume";
    Disk {
        target: attr(target, "dev").unwrap_or_default(),
        bus: attr(target, "bus"),
        device: attr(Some(node), "device").unwrap_or_else(|| "disk".to_owned()),
        source: source_name(&kind, source),
        format: attr(driver, "type"),
        cache: attr(driver, "cache"),
        shareable: child(node, "shareable").is_some(),
        read_only: child(node, "readonly").is_some(),
        transient: child(node, "transient").is_some(),
        startup_policy: attr(source, "startupPolicy"),
        protocol: if kind == "network" { attr(source, "protocol") } else { None },
        servers: source.into_iter().flat_map(|source| children(source, "host")).filter_map(server).collect(),
        pool: if volume { attr(source, "pool") } else { None },
        volume: if volume { attr(source, "volume") } else { None },
        encrypted: [Some(node), source].into_iter().flatten().any(|node| child(node, "encryption").is_some()),
        backing: backing(node),
        capacity_bytes: None,
        allocation_bytes: None,
        kind,
    }
}

fn source_name(kind: &str, source: Option<Node<'_, '_>>) -> Option<String> {
    let name = match kind {
        "file" => "file",
        "block" | "vhostvdpa" => "dev",
        "dir" => "dir",
        "network" => "name",
        "volume" => "volume",
        "vhostuser" => "path",
        "nvme" => return nvme_address(source?),
        _ => return None,
    };
    attr(source, name)
}

fn nvme_address(source: Node<'_, '_>) -> Option<String> {
    let address = child(source, "address").and_then(super::domain::pci_address)?;
    Some(format!("{address} namespace {}", source.attribute("namespace").unwrap_or("1")))
}

fn server(host: Node<'_, '_>) -> Option<String> {
    if let Some(socket) = host.attribute("socket") {
        return Some(socket.to_owned());
    }
    let name = host.attribute("name")?;
    Some(host.attribute("port").map_or_else(|| name.to_owned(), |port| format!("{name}:{port}")))
}

/// The backing chain, which libvirt nests; the innermost, empty element only ends it. What its images hold is not in there.
fn backing(disk: Node<'_, '_>) -> Vec<BackingLayer> {
    let mut chain = Vec::new();
    let mut next = child(disk, "backingStore");
    while let Some(layer) = next {
        let Some(kind) = attr(Some(layer), "type") else { break };
        chain.push(BackingLayer {
            source: source_name(&kind, child(layer, "source")),
            format: attr(child(layer, "format"), "type"),
            allocation_bytes: None,
            kind,
        });
        next = child(layer, "backingStore");
    }
    chain
}

/// A volume.
pub(crate) fn volume(document: &str) -> Result<Volume, Failure> {
    let document = parse("volume", document)?;
    let root = document.root_element();
    let target = child(root, "target");
    let of = |name| target.and_then(|target| child(target, name));
    Ok(Volume {
        name: text(child(root, "name")).unwrap_or_default(),
        key: text(child(root, "key")).unwrap_or_default(),
        path: text(of("path")).unwrap_or_default(),
        kind: attr(Some(root), "type").unwrap_or_else(|| "file".to_owned()),
        format: attr(of("format"), "type"),
        capacity_bytes: bytes(child(root, "capacity")).unwrap_or(0),
        allocation_bytes: bytes(child(root, "allocation")).unwrap_or(0),
        changed: text(of("timestamps").and_then(|stamps| child(stamps, "ctime"))),
    })
}

/// What a volume's document says of the image behind it: one layer, where there is one.
pub(crate) fn backing_of_volume(document: &str) -> Result<Option<BackingLayer>, Failure> {
    let document = parse("volume", document)?;
    let Some(backing) = child(document.root_element(), "backingStore") else { return Ok(None) };
    let Some(path) = text(child(backing, "path")) else { return Ok(None) };
    Ok(Some(BackingLayer {
        kind: if path.contains("://") { "network" } else { "file" }.to_owned(),
        source: Some(path),
        format: attr(child(backing, "format"), "type"),
        allocation_bytes: None,
    }))
}

/// Whether a domain's document names a volume anywhere: as a disk, behind one, as firmware, by its path or by pool and
/// name. Rather once too often: who asks is about to remove it.
pub(crate) fn names_volume(document: &str, path: &str, pool: &str, volume: &str) -> Result<bool, Failure> {
    let document = parse("domain", document)?;
    Ok(document.descendants().any(|node| {
        let by_path = node.attributes().any(|attribute| attribute.value() == path)
            || node.is_text() && node.text().is_some_and(|text| text.trim() == path);
        by_path || (node.attribute("pool") == Some(pool) && node.attribute("volume") == Some(volume))
    }))
}

#[cfg(test)]
mod tests {
    use roxmltree::Document;

    use super::*;

    fn read(disk: &str) -> Disk {
        let document = Document::parse(disk).unwrap();
        super::disk(document.root_element())
    }

    #[test]
    fn a_network_disk_names_its_servers() {
        let rbd = read(
            "<disk type='network' device='disk'><driver name='qemu' type='raw' cache='writeback'/>\
             <auth username='x'/><source protocol='rbd' name='vms/g1'><host name='mon1' port='6789'/><host name='mon2'/>\
             <host transport='unix' socket='/run/x'/><encryption format='luks'/></source>\
             <target dev='vda' bus='virtio'/></disk>",
        );
        assert_eq!((rbd.protocol.as_deref(), rbd.source.as_deref()), (Some("rbd"), Some("vms/g1")));
        assert_eq!(rbd.servers, ["mon1:6789", "mon2", "/run/x"]);
        assert!(rbd.encrypted);
        assert_eq!(DiskSource::of(&rbd), Some(DiskSource::Key("vms/g1".into())));
    }

    #[test]
    fn drives_and_devices_are_told_apart() {
        let empty = read("<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>");
        assert_eq!((empty.source.as_deref(), empty.read_only, DiskSource::of(&empty)), (None, true, None));
        let nvme = read(
            "<disk type='nvme' device='disk'><source type='pci' managed='yes' namespace='2'><address domain='0x0000' \
             bus='0x01' slot='0x00' function='0x0'/></source><target dev='vdb'/></disk>",
        );
        assert_eq!(nvme.source.as_deref(), Some("0000:01:00.0 namespace 2"));
        let iso = read(
            "<disk type='file' device='cdrom'><source file='/a.iso' startupPolicy='optional'/><target dev='sdb'/></disk>",
        );
        assert_eq!(iso.startup_policy.as_deref(), Some("optional"));
    }

    #[test]
    fn a_real_volume_is_read() {
        let document = include_str!("../../tests/fixtures/volume.xml");
        let read = volume(document).unwrap();
        assert_eq!((read.name.as_str(), read.path.as_str()), ("rich.qcow2", "/mnt/rich.qcow2"));
        assert_eq!((read.format.as_deref(), read.capacity_bytes), (Some("qcow2"), 16_777_216));
        assert_eq!(read.changed.as_deref(), Some("1795247334.274689603"));
        let layer = backing_of_volume(document).unwrap().unwrap();
        assert_eq!((layer.source.as_deref(), layer.format.as_deref()), (Some("/mnt/base.qcow2"), Some("qcow2")));
    }

    #[test]
    fn a_volume_is_named_by_its_path_or_by_its_pool_wherever_that_stands() {
        let named = |inner: &str| names_volume(&format!("<domain>{inner}</domain>"), "/p/a.img", "p", "a.img").unwrap();
        assert!(named("<disk><source file='/p/a.img'/></disk>"));
        assert!(named("<disk><backingStore><source file='/p/a.img'/></backingStore></disk>"));
        assert!(named("<os><nvram> /p/a.img </nvram></os>"));
        assert!(named("<disk><source pool='p' volume='a.img'/></disk>"));
        assert!(!named("<disk><source pool='q' volume='a.img'/></disk><disk><source file='/p/a.img.old'/></disk>"));
    }
}
