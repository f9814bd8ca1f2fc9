//! What a migration holds of the site's networks: those that it takes, or that may stand in for one, each with what it is to
//! carry. Whoever takes a network or a role away looks here first.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Networks, Role};
use crate::plan::Plan;
use crate::uri::host_in;

impl Networks {
    /// Each network with each role that it has here and not there: it is gone, or may not carry that any more.
    pub fn withdrawn(&self, there: &Self) -> BTreeSet<(String, Role)> {
        let roles = self.networks.iter().flat_map(|network| network.roles.iter().map(move |role| (network, *role)));
        roles
            .filter(|(network, role)| there.get(&network.name).is_none_or(|other| !other.roles.contains(role)))
            .map(|(network, role)| (network.name.clone(), role))
            .collect()
    }
}

/// The networks that a plan holds, each with what it is to carry. The way of the memory, and what may stand in for it, is in the
/// plan by name; that of disks which travel apart by its address, so that these networks must be those it was made with.
pub fn held(plan: &Plan, networks: &Networks) -> BTreeSet<(String, Role)> {
    let detours = plan.detours.0.iter().map(|detour| &detour.network);
    let mut held: BTreeSet<(String, Role)> =
        detours.chain([&plan.network]).flatten().map(|name| (name.clone(), Role::Migration)).collect();
    if plan.copies.0.is_empty() {
        return held;
    }
    match &plan.disks.uri {
        // They go with the memory.
        None => held.extend(plan.network.clone().map(|name| (name, Role::DiskCopy))),
        Some(uri) => {
            let address: Option<IpAddr> = host_in(uri).and_then(|host| host.parse().ok());
            let takes = networks.networks.iter().filter(|network| {
                let there = network.places.get(&plan.destination.host).map(|place| place.address);
                network.roles.contains(&Role::DiskCopy) && address.is_some() && there == address
            });
            held.extend(takes.map(|network| (network.name.clone(), Role::DiskCopy)));
        }
    }
    held
}

/// What a plan holds by name, and this configuration has not: the network is gone, or may not carry that any more. Disks that
/// travel apart go by an address, of which nobody can tell whose it was.
pub fn lacking(plan: &Plan, networks: &Networks) -> BTreeSet<(String, Role)> {
    let has = |(name, role): &(String, Role)| networks.get(name).is_some_and(|network| network.roles.contains(role));
    held(plan, networks).into_iter().filter(|held| !has(held)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copies::{CopiedDisk, Copies};
    use crate::ids::HostName;
    use crate::network::{Detour, Detours, Network, Place};
    use crate::stream::DiskCopy;

    fn network(name: &str, roles: &[Role], address: &str) -> Network {
        let place = Place { address: address.parse().unwrap(), interface: None };
        Network {
            name: name.into(),
            roles: roles.to_vec(),
            fallback: vec![],
            bandwidth_mib_s: None,
            max_migrations: None,
            places: [(HostName::new("b"), place)].into(),
        }
    }

    fn site() -> Networks {
        let both = [Role::Migration, Role::DiskCopy];
        let networks = vec![
            network("mig", &both, "10.0.0.2"),
            network("other", &[Role::Migration], "10.1.0.2"),
            network("disks", &[Role::DiskCopy], "fd00::2"),
        ];
        Networks { networks, ..Networks::default() }
    }

    fn words(held: BTreeSet<(String, Role)>) -> Vec<String> {
        held.into_iter().map(|(name, role)| format!("{name} {role}")).collect()
    }

    #[test]
    fn a_role_is_withdrawn_with_its_network_or_alone_and_never_by_one_more() {
        let was = site();
        let is = Networks { networks: vec![network("mig", &[Role::DiskCopy], "10.0.0.9")], ..Networks::default() };
        assert_eq!(words(was.withdrawn(&is)), ["disks disk-copy", "mig migration", "other migration"]);
        assert_eq!(words(is.withdrawn(&was)), [""; 0]);
    }

    #[test]
    fn a_plan_holds_its_network_those_that_may_stand_in_for_it_and_that_of_its_disks() {
        let mut plan = crate::testing::plan();
        assert_eq!(words(held(&plan, &site())), [""; 0], "the management network is nobody's to withdraw");
        plan.network = Some("mig".into());
        let detour = |name: Option<&str>| Detour {
            network: name.map(str::to_owned),
            migrate_uri: None,
            listen_address: None,
            bandwidth_mib_s: None,
        };
        plan.detours = Detours(vec![detour(Some("other")), detour(None)]);
        assert_eq!(words(held(&plan, &site())), ["mig migration", "other migration"]);

        plan.copies = Copies(vec![CopiedDisk {
            target: "vda".into(),
            path: "/images/g1.qcow2".into(),
            pool: "images".into(),
            volume: "g1.qcow2".into(),
            capacity_bytes: 1,
            format: "qcow2".into(),
            backing: None,
        }]);
        plan.disks.copy = DiskCopy::Full;
        assert_eq!(words(held(&plan, &site())), ["mig migration", "mig disk-copy", "other migration"]);
        assert_eq!(words(lacking(&plan, &site())), [""; 0]);
        let less = Networks { networks: vec![network("mig", &[Role::DiskCopy], "10.0.0.9")], ..Networks::default() };
        assert_eq!(words(lacking(&plan, &less)), ["mig migration", "other migration"]);
        assert_eq!(words(lacking(&plan, &Networks::default())), words(held(&plan, &site())));
        for (uri, expected) in [
            ("tcp://[fd00::2]", Some("disks disk-copy")),
            ("tcp://[fd00::2]:49200", Some("disks disk-copy")),
            ("tcp://10.0.0.2:49200", Some("mig disk-copy")),
            // Without that role it was not taken for them, whatever its address.
            ("tcp://10.1.0.2", None),
            ("tcp://b.example", None),
            ("unix:///run/disks", None),
        ] {
            plan.disks.uri = Some(uri.into());
            let disks: Vec<_> = words(held(&plan, &site())).into_iter().filter(|w| w.ends_with("disk-copy")).collect();
            assert_eq!(disks.first().map(String::as_str), expected, "{uri}");
        }
    }
}
