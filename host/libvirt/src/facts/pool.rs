//! Storage pools.

use uuid::Uuid;
use waypost_core::facts::{Pool, PoolSource};

use super::xml::{attr, bytes, child, children, parse, text};
use crate::error::Failure;

/// Whether the pool is started is not in its document.
pub(crate) fn pool(document: &str, active: bool) -> Result<Pool, Failure> {
    let document = parse("pool", document)?;
    let root = document.root_element();
    let source = child(root, "source");
    let of = |name| source.and_then(|source| child(source, name));
    let all = |name| source.into_iter().flat_map(move |source| children(source, name));
    let adapter = of("adapter");
    let source = PoolSource {
        hosts: all("host")
            .filter_map(|host| {
                let name = host.attribute("name")?;
                Some(host.attribute("port").map_or_else(|| name.to_owned(), |port| format!("{name}:{port}")))
            })
            .collect(),
        dir: attr(of("dir"), "path"),
        devices: all("device").filter_map(|device| attr(Some(device), "path")).collect(),
        name: text(of("name")),
        format: attr(of("format"), "type"),
        adapter: attr(adapter, "name")
            .or_else(|| attr(adapter, "wwpn"))
            .or_else(|| attr(of("initiator").and_then(|node| child(node, "iqn")), "name")),
    };
    Ok(Pool {
        name: text(child(root, "name")).unwrap_or_default(),
        uuid: text(child(root, "uuid"))
            .and_then(|text| Uuid::parse_str(&text).ok())
            .ok_or_else(|| Failure::document("pool", "no UUID"))?,
        kind: attr(Some(root), "type").unwrap_or_default(),
        active,
        source,
        target: text(child(root, "target").and_then(|target| child(target, "path"))),
        capacity_bytes: bytes(child(root, "capacity")).unwrap_or(0),
        allocation_bytes: bytes(child(root, "allocation")).unwrap_or(0),
        available_bytes: bytes(child(root, "available")).unwrap_or(0),
        volumes: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_pool_is_read() {
        let read = pool(include_str!("../../tests/fixtures/pool.xml"), true).unwrap();
        assert_eq!((read.name.as_str(), read.kind.as_str(), read.active), ("shared", "dir", true));
        assert_eq!(read.target.as_deref(), Some("/mnt"));
        assert_eq!(read.available_bytes, 254_774_013_952);
        assert!(!read.source.names_a_store());
    }

    #[test]
    fn a_pool_that_names_its_store_keeps_the_name() {
        let rbd = "<pool type='rbd'><name>ceph</name><uuid>3eefdf3d-7fd9-408d-919b-fca7040b2fb6</uuid>\
            <source><host name='mon1' port='6789'/><host name='mon2'/><name>vms</name><auth type='ceph' username='x'/></source></pool>";
        let read = pool(rbd, false).unwrap();
        assert_eq!(read.source.hosts, ["mon1:6789", "mon2"]);
        assert_eq!(read.source.name.as_deref(), Some("vms"));
        let iscsi = "<pool type='iscsi'><name>i</name><uuid>3eefdf3d-7fd9-408d-919b-fca7040b2fb6</uuid><source>\
            <host name='san'/><device path='iqn.2013-06.com.example:pool'/><initiator><iqn name='iqn.me'/></initiator>\
            </source><target><path>/dev/disk/by-path</path></target></pool>";
        let read = pool(iscsi, true).unwrap();
        assert_eq!(read.source.devices, ["iqn.2013-06.com.example:pool"]);
        assert_eq!(read.source.adapter.as_deref(), Some("iqn.me"));
    }
}
