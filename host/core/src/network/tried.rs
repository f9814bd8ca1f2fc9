//! Whether the source's packets reach the destination: which ways are to be tried before anything moves, and what it means that
//! one was.
//!
//! A port is tried by a connection, and a hypervisor that waits for a migration takes the first one for it. So no port is ever
//! tried on which a transfer may come in: neither the lowest of the range, which libvirt hands out first, nor one that the
//! request names for the memory or the disks, at whatever address: an attempt of the same may be under way.

use std::borrow::Cow;

use super::choice::reachable;
use super::{Fallback, Networks, Role};
use crate::facts::{Answer, DomainFacts, HostFacts, MigrationPorts, WayTried};
use crate::request::{Mode, Options};
use crate::stream::{DiskCopy, Transport};
use crate::uri::{address_in, port_in};

/// Ports that are left alone above those in use: transfers that begin while a way is tried.
const SPARE: u32 = 8;
/// The most ports that a transfer takes on its destination: one for the memory, one for the disks.
const PER_TRANSFER: u32 = 2;

/// A way to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Address or name of the destination.
    pub to: String,
    /// Its ports, or why none is tried.
    pub ports: Result<Vec<u16>, String>,
}

/// Where the source's daemon finds the destination's: host and port of its peer URI, if it is needed and one can be told.
pub(super) fn peer(transport: Transport, destination: &HostFacts) -> Option<(Cow<'_, str>, u16)> {
    let uri = destination.peer_uri.as_deref().filter(|_| transport != Transport::Direct)?;
    let (scheme, _) = uri.split_once("://")?;
    // libvirt's own defaults; without a transport it takes TLS to another host.
    let usual = match scheme.split_once('+').map_or("tls", |(_, transport)| transport) {
        "tls" => 16514,
        "tcp" => 16509,
        // By ssh the source's own configuration may name another machine and port.
        _ => return None,
    };
    Some((address_in(uri)?, port_in(uri).unwrap_or(usual)))
}

/// The ways that a request may need to a destination. Of the daemon its peer URI; of the memory and the disks those of their
/// networks and of what may stand in for them, else the one that the request names or that libvirt takes by itself.
pub fn targets(
    networks: &Networks,
    options: &Options,
    domain: &DomainFacts,
    source: &HostFacts,
    destination: &HostFacts,
) -> Vec<Target> {
    let mut ways: Vec<Target> = peer(options.transport, destination)
        .map(|(to, port)| Target { to: to.into_owned(), ports: Ok(vec![port]) })
        .into_iter()
        .collect();
    if options.mode == Mode::Offline || !domain.state.is_active() {
        return ways;
    }
    let named: Vec<u16> = [&options.migrate_uri, &options.disks.uri]
        .into_iter()
        .filter_map(|uri| port_in(uri.as_deref()?))
        .chain(options.disks.port)
        .collect();
    let from = |uri: &str| {
        // RDMA takes a way of its own, and a socket none.
        let to = address_in(uri).filter(|_| uri.starts_with("tcp://"))?;
        Some(Target { to: to.into_owned(), ports: ports(destination, port_in(uri), &named) })
    };
    let on_networks = |name: &str, role| {
        let declared = networks.get(name).into_iter();
        let instead = declared.clone().flat_map(|network| &network.fallback);
        let named = [Fallback::of(name)];
        let places = named.iter().chain(instead).filter_map(|candidate| match candidate {
            Fallback::Management => Some(reachable(&networks.management, &source.name, &destination.name)),
            Fallback::Network(other) => {
                let network = networks.get(other).filter(|network| network.roles.contains(&role))?;
                reachable(&network.places, &source.name, &destination.name).map(Some)
            }
        });
        places
            .map(|address| address.map_or_else(|| destination.hostname.clone(), |a| a.to_string()))
            .collect::<Vec<_>>()
    };
    let (request, metadata) = (options.network.as_deref(), domain.migration_network.as_deref());
    let wanted = networks.wanted(request, metadata, &domain.name, &source.name, &destination.name);
    let addressed = |to: String| Target { to, ports: ports(destination, None, &named) };
    // Through a tunnel the memory takes the daemons' own connection, which libvirt tries itself.
    if options.transport != Transport::Tunnelled {
        match (&options.migrate_uri, wanted) {
            (Some(uri), _) => ways.extend(from(uri)),
            (None, Some((name, _))) => ways.extend(on_networks(&name, Role::Migration).into_iter().map(addressed)),
            (None, None) => ways.push(addressed(destination.hostname.clone())),
        }
    }
    if options.disks.copy != DiskCopy::No {
        match (&options.disks.uri, &networks.disk_copy) {
            (Some(uri), _) => ways.extend(from(uri)),
            (None, Some(name)) => ways.extend(on_networks(name, Role::DiskCopy).into_iter().map(addressed)),
            // With the memory.
            (None, None) => {}
        }
    }
    let mut once: Vec<Target> = Vec::new();
    for target in ways {
        if !once.contains(&target) {
            once.push(target);
        }
    }
    once
}

/// The ports of a destination that may be tried: the last of its range and the one in its middle, if no transfer comes in there.
/// None where the transfer takes its own port at that address; nor any of those that are named.
fn ports(destination: &HostFacts, own: Option<u16>, named: &[u16]) -> Result<Vec<u16>, String> {
    if let Some(port) = own {
        return Err(format!("a transfer that comes in on port {port} would take the attempt for its own"));
    }
    let MigrationPorts { first, last, in_use } = destination.migration_ports;
    let free_from = in_use.saturating_mul(PER_TRANSFER).saturating_add(u32::from(first) + SPARE);
    let mut tried = vec![first + last.saturating_sub(first) / 2, last];
    tried.dedup();
    tried.retain(|port| u32::from(*port) >= free_from && !named.contains(port));
    match tried.is_empty() {
        true => Err(format!(
            "on any of the ports {first}-{last} another transfer may come in, and would take the attempt for its own"
        )),
        false => Ok(tried),
    }
}

/// What was found of a way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Nobody tried it.
    Nothing,
    /// It could not be tried, and why.
    Unknown(String),
    /// The destination answered.
    Reached(String),
    /// It did not, or no way leads there.
    Cut(String),
}

/// What was found of the port of a daemon, which somebody must take.
pub(super) fn found_at(tried: &[WayTried], to: &str, port: u16) -> Found {
    let here: Vec<WayTried> = tried.iter().filter(|way| way.port == Some(port)).cloned().collect();
    match here.iter().find(|way| way.to == to && way.answer == Answer::Refused) {
        Some(_) => Found::Cut(format!("nobody listens on port {port} of {to}")),
        None => found(&here, to),
    }
}

/// What was found of the way to an address. One port that does not answer is enough: libvirt takes whichever is free.
pub(super) fn found(tried: &[WayTried], to: &str) -> Found {
    let here = || tried.iter().filter(|way| way.to == to);
    let words = |way: &WayTried| way.message.clone().unwrap_or_else(|| way.answer.to_string());
    let cut = here().find(|way| matches!(way.answer, Answer::NoWay | Answer::Silent));
    if let Some(way) = cut {
        let port = way.port.map(|port| format!(" on port {port}")).unwrap_or_default();
        return Found::Cut(format!("{to} is not reached{port}: {}", words(way)));
    }
    if let Some(way) = here().find(|way| way.answer == Answer::Untried) {
        return Found::Unknown(words(way));
    }
    let answered: Vec<String> = here().filter_map(|way| way.port).map(|port| port.to_string()).collect();
    if answered.is_empty() { Found::Nothing } else { Found::Reached(answered.join(" and ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::MigrationPorts;

    #[test]
    fn no_port_is_tried_on_which_a_transfer_may_come_in() {
        let with = |first, last, in_use| {
            let destination =
                HostFacts { migration_ports: MigrationPorts { first, last, in_use }, ..crate::testing::host("b") };
            ports(&destination, None, &[]).ok()
        };
        assert_eq!(with(49152, 49215, 0), Some(vec![49183, 49215]));
        assert_eq!(with(49152, 49215, 12), Some(vec![49215]), "24 and 8 above the first: the middle is no more");
        assert_eq!(with(49152, 49215, 28), None);
        assert_eq!(with(50000, 50008, 0), Some(vec![50008]));
        assert_eq!(with(50000, 50007, 0), None);
        assert_eq!(with(50000, 50000, 0), None);
        assert_eq!(with(50000, 65535, u32::MAX), None);
        let destination = crate::testing::host("b");
        let why = ports(&destination, Some(49152), &[49152]).unwrap_err();
        assert_eq!(why, "a transfer that comes in on port 49152 would take the attempt for its own");
        assert_eq!(ports(&destination, None, &[49300]).ok(), Some(vec![49183, 49215]));
        assert_eq!(ports(&destination, None, &[49215]).ok(), Some(vec![49183]));
        assert_eq!(ports(&destination, None, &[49183, 49215]).ok(), None);
    }

    #[test]
    fn the_port_of_the_peer_is_the_one_that_libvirt_would_take() {
        for (uri, transport, expected) in [
            (Some("qemu+tcp://10.0.0.2/system"), Transport::PeerToPeer, Some(("10.0.0.2", 16509))),
            (Some("qemu+tls://kvm2/system"), Transport::Tunnelled, Some(("kvm2", 16514))),
            (Some("qemu://[fd00::2]/system"), Transport::PeerToPeer, Some(("fd00::2", 16514))),
            (Some("qemu+tcp://[fe80::2%25eth1]/system"), Transport::PeerToPeer, Some(("fe80::2%eth1", 16509))),
            (Some("qemu+tcp://kvm2:1234/system"), Transport::PeerToPeer, Some(("kvm2", 1234))),
            (Some("qemu+ssh://root@kvm2:2222/system"), Transport::PeerToPeer, None),
            (Some("qemu+unix:///system"), Transport::PeerToPeer, None),
            (Some("qemu+tcp://10.0.0.2/system"), Transport::Direct, None),
            (None, Transport::PeerToPeer, None),
        ] {
            let host = HostFacts { peer_uri: uri.map(str::to_owned), ..crate::testing::host("b") };
            let expected = expected.map(|(to, port)| (Cow::Borrowed(to), port));
            assert_eq!(peer(transport, &host), expected, "{uri:?}");
        }
    }

    #[test]
    fn one_port_that_does_not_answer_cuts_a_way_and_one_that_could_not_be_asked_leaves_it_open() {
        let way = |to: &str, port, answer, message: Option<&str>| WayTried {
            to: to.to_owned(),
            port,
            answer,
            message: message.map(str::to_owned),
        };
        let (a, b) = ("10.0.0.2", "10.0.0.3");
        let taken = || way(a, Some(7), Answer::Taken, None);
        let refused = || way(a, Some(9), Answer::Refused, Some("Connection refused"));
        let no_way = || way(a, Some(9), Answer::NoWay, Some("No route to host"));
        let silent = || way(a, Some(7), Answer::Silent, None);
        let untried = || way(a, None, Answer::Untried, Some("ssh said no"));
        let elsewhere = || way(b, Some(7), Answer::NoWay, None);
        for (tried, expected) in [
            (vec![], Found::Nothing),
            (vec![elsewhere()], Found::Nothing),
            (vec![taken(), refused(), elsewhere()], Found::Reached("7 and 9".into())),
            (vec![taken(), no_way()], Found::Cut("10.0.0.2 is not reached on port 9: No route to host".into())),
            (vec![silent(), refused()], Found::Cut("10.0.0.2 is not reached on port 7: silent".into())),
            (vec![untried(), refused()], Found::Unknown("ssh said no".into())),
            (vec![untried(), silent()], Found::Cut("10.0.0.2 is not reached on port 7: silent".into())),
        ] {
            assert_eq!(found(&tried, a), expected);
        }
        // Somebody must take the port of a daemon.
        assert_eq!(found_at(&[taken()], a, 7), Found::Reached("7".into()));
        assert_eq!(found_at(&[refused()], a, 9), Found::Cut("nobody listens on port 9 of 10.0.0.2".into()));
        assert_eq!(found_at(&[refused()], a, 7), Found::Nothing);
    }
}
