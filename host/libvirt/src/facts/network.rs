//! Networks, bridges and node devices.

use uuid::Uuid;
use waypost_core::facts::{HostLink, Network, NodeDevice};

use super::xml::{attr, child, children, parse, text};
use crate::error::Failure;

/// Whether the network is started is not in its document.
pub(crate) fn network(document: &str, active: bool) -> Result<Network, Failure> {
    let document = parse("network", document)?;
    let root = document.root_element();
    let forward = child(root, "forward");
    Ok(Network {
        name: text(child(root, "name")).unwrap_or_default(),
        uuid: text(child(root, "uuid"))
            .and_then(|text| Uuid::parse_str(&text).ok())
            .ok_or_else(|| Failure::document("network", "no UUID"))?,
        active,
        bridge: attr(child(root, "bridge"), "name"),
        // libvirt leaves the mode out where it is the default.
        forward: forward.map(|node| attr(Some(node), "mode").unwrap_or_else(|| "nat".to_owned())),
        portgroups: children(root, "portgroup").filter_map(|group| attr(Some(group), "name")).collect(),
    })
}

/// A network interface of the host, and whether it is a bridge.
pub(crate) fn interface(document: &str) -> Result<(HostLink, bool), Failure> {
    let document = parse("interface", document)?;
    let root = document.root_element();
    let link = HostLink {
        name: attr(Some(root), "name").ok_or_else(|| Failure::document("interface", "no name"))?,
        state: attr(child(root, "link"), "state"),
        mac: attr(child(root, "mac"), "address").map(|mac| mac.to_lowercase()),
    };
    Ok((link, root.attribute("type") == Some("bridge")))
}

/// A node device.
pub(crate) fn node_device(document: &str) -> Result<NodeDevice, Failure> {
    let document = parse("node device", document)?;
    let root = document.root_element();
    Ok(NodeDevice {
        name: text(child(root, "name")).unwrap_or_default(),
        capabilities: children(root, "capability").filter_map(|kind| attr(Some(kind), "type")).collect(),
        parent: text(child(root, "parent")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_network_is_read() {
        let read = network(include_str!("../../tests/fixtures/network.xml"), true).unwrap();
        assert_eq!((read.name.as_str(), read.active), ("default", true));
        assert_eq!((read.bridge.as_deref(), read.forward.as_deref()), (Some("virbr0"), Some("nat")));
        let isolated = "<network><name>i</name><uuid>f2535037-7df9-41fb-b834-3ef960b372fc</uuid><portgroup name='a'/>\
            <portgroup name='b' default='yes'/></network>";
        let read = network(isolated, false).unwrap();
        assert_eq!((read.forward, read.portgroups), (None, vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn only_a_bridge_is_one() {
        let (read, bridge) = interface(include_str!("../../tests/fixtures/interface.xml")).unwrap();
        assert_eq!((read.name.as_str(), bridge), ("virbr0", true));
        assert!(!interface("<interface type='ethernet' name='eth0'/>").unwrap().1);
        assert!(interface("<interface/>").is_err());
    }

    #[test]
    fn an_interface_has_the_state_of_its_link() {
        let eth1 = "<interface type='ethernet' name='eth1'><mtu size='1500'/><link state='down'/>\
                    <mac address='02:00:0A:58:00:01'/></interface>";
        let (read, _) = interface(eth1).unwrap();
        assert_eq!((read.state.as_deref(), read.mac.as_deref()), (Some("down"), Some("02:00:0a:58:00:01")));
        assert_eq!(interface("<interface name='a'/>").unwrap().0.state, None);
    }

    #[test]
    fn a_device_has_its_kinds() {
        let read = node_device(
            "<device><name>net_eth0</name><parent>pci_0000_00_01_0</parent><capability type='net'><interface>eth0\
             </interface></capability></device>",
        )
        .unwrap();
        assert_eq!((read.name.as_str(), read.capabilities.as_slice()), ("net_eth0", ["net".to_owned()].as_slice()));
        assert_eq!(read.parent.as_deref(), Some("pci_0000_00_01_0"));
    }
}
