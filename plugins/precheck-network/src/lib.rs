//! Every network and bridge that the guest's interfaces hang on must be there on the destination.
//!
//! libvirt notices a missing one only when it starts the incoming guest. Whether a bridge of the same name leads to the
//! same wire is known to nobody; a bridge that no libvirt call can see is a warning, not a refusal.

use waypost_plugin::types::{NetworkInterface, Presence};
use waypost_plugin::{DomainFacts, Finding, HostFacts, Precheck, Request, Travel, export_precheck, text};

/// The policy.
pub struct Network;

impl Precheck for Network {
    fn check(request: &Request, domain: &DomainFacts, source: &HostFacts, destination: &HostFacts) -> Vec<Finding> {
        let travel = request.travel(domain);
        let mut findings: Vec<Finding> = Vec::new();
        for interface in domain.network_interfaces() {
            let found = match (interface.kind.as_str(), interface.network.as_deref(), interface.bridge.as_deref()) {
                // Of a running domain libvirt shows what the network came to (`bridge`), and still names the network,
                // which is what the destination will be asked for.
                (_, Some(name), _) => network(travel, name, interface, source, destination),
                ("bridge", _, Some(name)) => bridge(travel, name, destination),
                ("direct", ..) => Some(
                    Finding::warning(
                        "host-interface-unproven",
                        format!("Whether {} has the interface below this one can't be told.", destination.name()),
                    )
                    .with_option("host interface", interface.device.as_deref(), "none"),
                ),
                ("ethernet", ..) => Some(Finding::warning(
                    "tap-device-unproven",
                    "A plain TAP device is connected by the site itself, there as here; nobody can tell.",
                )),
                _ => None,
            };
            // Two interfaces on one missing network are one thing to mend, and still two interfaces.
            findings.extend(found.map(|finding| finding.with("interface", named(interface))));
        }
        findings
    }
}

fn named(interface: &NetworkInterface) -> &str {
    interface.mac.as_deref().unwrap_or("without MAC")
}

fn network(
    travel: Travel,
    name: &str,
    interface: &NetworkInterface,
    source: &HostFacts,
    destination: &HostFacts,
) -> Option<Finding> {
    let host = destination.name();
    let Some(there) = destination.network(name) else {
        return Some(
            Finding::of(travel.weight(), "network-missing", format!("{host} has no network {name}."))
                .with("network", name)
                .with("networks there", text::list(destination.network_names(), "none"))
                .remedy(format!("Define and start the network {name} on {host} (virsh net-define, net-start).")),
        );
    };
    if !there.active {
        return Some(
            Finding::of(travel.weight(), "network-inactive", format!("The network {name} on {host} is not started."))
                .with("network", name)
                .remedy(format!("Start it: virsh net-start {name}; virsh net-autostart {name}.")),
        );
    }
    if let Some(wanted) = interface.portgroup.as_deref()
        && !there.portgroups.iter().any(|group| group == wanted)
    {
        return Some(
            Finding::warning(
                "portgroup-missing",
                format!("The network {name} on {host} has no port group {wanted}: the interface gets the default one."),
            )
            .with("network", name)
            .with("port groups there", text::list(&there.portgroups, "none"))
            .remedy(format!("Add the port group {wanted} to the network on {host}.")),
        );
    }
    // A network that another domain hands out now under the same name may be another network.
    let here = source.network(name)?;
    (here.forward != there.forward).then(|| {
        Finding::warning("network-differs", format!("The network {name} is of another kind on {host}."))
            .with("network", name)
            .with_option("source", here.forward.as_deref(), "isolated")
            .with_option("destination", there.forward.as_deref(), "isolated")
    })
}

fn bridge(travel: Travel, name: &str, destination: &HostFacts) -> Option<Finding> {
    let host = destination.name();
    match destination.bridge(name) {
        Presence::Present => None,
        Presence::Absent => Some(
            Finding::of(travel.weight(), "bridge-missing", format!("{host} has no bridge {name}."))
                .with("bridge", name)
                .remedy(format!("Create the bridge {name} on {host}, or choose another destination.")),
        ),
        Presence::Unknown => Some(
            Finding::warning(
                "bridge-unproven",
                format!("Whether {host} has a bridge {name} can't be told by libvirt there."),
            )
            .with("bridge", name),
        ),
    }
}

export_precheck!(Network);

#[cfg(test)]
mod tests {
    use waypost_plugin::DomainState;
    use waypost_plugin::Severity::{self, Blocker, Warning};
    use waypost_plugin::testing::{self, codes};

    use super::*;

    fn check(domain: &DomainFacts, change: impl FnOnce(&mut HostFacts)) -> Vec<(String, Severity)> {
        let found = testing::check::<Network>(&testing::request(), domain, &testing::host_with("kvm2", change));
        codes(&found).into_iter().map(|(code, weight)| (code.to_owned(), weight)).collect()
    }

    fn one(code: &str, weight: Severity) -> Vec<(String, Severity)> {
        vec![(code.to_owned(), weight)]
    }

    fn with_interface(change: impl FnOnce(&mut NetworkInterface)) -> DomainFacts {
        testing::domain_with(|domain| change(&mut domain.network_interfaces[0]))
    }

    #[test]
    fn a_network_that_is_there_and_started_passes() {
        assert_eq!(check(&testing::domain(), |_| {}), []);
        let user = with_interface(|interface| {
            interface.kind = "user".into();
            interface.network = None;
        });
        assert_eq!(check(&user, |host| host.networks.clear()), []);
    }

    #[test]
    fn a_missing_or_stopped_network_refuses_a_running_guest() {
        assert_eq!(check(&testing::domain(), |host| host.networks.clear()), one("network-missing", Blocker));
        assert_eq!(check(&testing::domain(), |host| host.networks[0].active = false), one("network-inactive", Blocker));
        let off = testing::domain_with(|domain| domain.state = DomainState::ShutOff);
        assert_eq!(check(&off, |host| host.networks.clear()), one("network-missing", Warning));
    }

    #[test]
    fn a_running_interface_that_became_a_bridge_still_needs_its_network() {
        let live = with_interface(|interface| {
            interface.kind = "bridge".into();
            interface.bridge = Some("br0".into());
        });
        assert_eq!(check(&live, |_| {}), []);
        assert_eq!(check(&live, |host| host.networks.clear()), one("network-missing", Blocker));
    }

    #[test]
    fn a_network_of_another_kind_or_without_the_port_group_is_a_warning() {
        let routed = |host: &mut HostFacts| host.networks[0].forward = Some("route".into());
        assert_eq!(check(&testing::domain(), routed), one("network-differs", Warning));
        let grouped = with_interface(|interface| interface.portgroup = Some("dmz".into()));
        assert_eq!(check(&grouped, |_| {}), one("portgroup-missing", Warning));
        assert_eq!(check(&grouped, |host| host.networks[0].portgroups = vec!["dmz".into()]), []);
    }

    #[test]
    fn a_bridge_is_present_absent_or_unknown() {
        let bridged = with_interface(|interface| {
            interface.kind = "bridge".into();
            interface.network = None;
            interface.bridge = Some("br0".into());
        });
        assert_eq!(check(&bridged, |_| {}), []);
        assert_eq!(check(&bridged, |host| host.bridges = Some(vec![])), one("bridge-missing", Blocker));
        assert_eq!(check(&bridged, |host| host.bridges = None), one("bridge-unproven", Warning));
    }

    #[test]
    fn what_only_the_site_knows_is_unproven() {
        for (kind, code) in [("direct", "host-interface-unproven"), ("ethernet", "tap-device-unproven")] {
            let domain = with_interface(|interface| {
                interface.kind = kind.into();
                interface.network = None;
            });
            assert_eq!(check(&domain, |_| {}), one(code, Warning));
        }
    }
}
