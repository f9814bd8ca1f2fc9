//! No device of the source host may be in the guest's hands unless libvirt can migrate it.
//!
//! libvirt's own rule (for hypervisors that can't name their blockers themselves): USB devices are re-attached, a PCI
//! device or interface may be teamed and transient so that QEMU unplugs it, everything else refuses. For a shut-off
//! domain all of it only decides whether it starts on the destination.

use waypost_plugin::types::{Hostdev, NetworkInterface};
use waypost_plugin::{DomainFacts, Finding, HostFacts, Precheck, Request, Travel, export_precheck, text};

/// The policy.
pub struct Passthrough;

impl Precheck for Passthrough {
    fn check(request: &Request, domain: &DomainFacts, _: &HostFacts, _: &HostFacts) -> Vec<Finding> {
        about(request, domain)
    }

    // No destination changes any of it.
    fn check_all(request: &Request, domain: &DomainFacts, _: &HostFacts, to: &[HostFacts]) -> Vec<Vec<Finding>> {
        vec![about(request, domain); to.len()]
    }
}

fn about(request: &Request, domain: &DomainFacts) -> Vec<Finding> {
    let travel = request.travel(domain);
    let mut findings: Vec<_> = domain.hostdevs().iter().map(|device| hostdev(travel, device)).collect();
    findings.extend(domain.network_interfaces().iter().filter_map(|interface| of_interface(travel, interface)));
    for filesystem in domain.filesystems() {
        findings.push(
            Finding::of(
                travel.weight(),
                "shared-directory",
                "A directory of the host is shared with the guest; libvirt can't migrate that.",
            )
            .with("driver", &filesystem.driver)
            .with_option("directory", filesystem.source.as_deref(), "none")
            .with_option("tag", filesystem.target.as_deref(), "none")
            .remedy("Unmount it in the guest and detach it, or migrate the domain shut off and provide the directory there."),
        );
    }
    if travel == Travel::Live {
        if let Some(kind) = domain.launch_security() {
            findings.push(
                Finding::blocker("encrypted-guest", "The guest's memory is encrypted with a key of this host's CPU.")
                    .with("launch security", kind)
                    .remedy("Shut the domain down and migrate it offline."),
            );
        }
        let roles = domain.shared_memory_roles();
        if roles.iter().any(|role| role != "master") {
            findings.push(
                Finding::blocker("shared-memory-device", "libvirt migrates a shmem device only if its role is master.")
                    .with("roles", text::list(roles, "none"))
                    .remedy("Detach it, or set role='master' where this guest owns the memory and restart the domain."),
            );
        }
    }
    findings
}

fn hostdev(travel: Travel, device: &Hostdev) -> Finding {
    let describe = |finding: Finding| {
        finding.with("kind", &device.kind).with("address", &device.address).with_option(
            "teaming",
            device.teaming.as_deref(),
            "none",
        )
    };
    match (device.kind.as_str(), device.teaming.as_deref()) {
        ("usb", _) => describe(Finding::warning(
            "usb-device-reattached",
            format!("The guest loses the USB device {} and gets whatever is plugged in there.", device.address),
        ))
        .remedy("Plug the device in on the destination, or detach it first."),
        ("pci", Some("transient")) => describe(Finding::info(
            "pci-device-unplugged",
            format!(
                "The PCI device {} is unplugged for the migration; its teamed interface carries on.",
                device.address
            ),
        )),
        (kind, _) => describe(Finding::of(
            travel.weight(),
            "host-device",
            match travel {
                Travel::Live => format!("The guest holds the {kind} device {} of the source host.", device.address),
                Travel::Offline => {
                    format!("The domain starts there only if the {kind} device {} exists there, too.", device.address)
                }
            },
        ))
        .remedy("Detach the device, or team it with a virtio interface (<teaming type='transient'/>)."),
    }
}

fn of_interface(travel: Travel, interface: &NetworkInterface) -> Option<Finding> {
    let kind = interface.kind.as_str();
    let finding = match (kind, interface.teaming.as_deref()) {
        ("hostdev", Some("transient")) => {
            Finding::info("pci-device-unplugged", "A teamed interface is unplugged for the migration.")
        }
        ("hostdev" | "vdpa", _) => Finding::of(
            travel.weight(),
            "host-interface",
            match travel {
                Travel::Live => format!("A {kind} interface can't be migrated."),
                Travel::Offline => format!("The domain starts there only if its {kind} interface can be made there."),
            },
        )
        .remedy("Detach it, or team it with a virtio interface (<teaming type='transient'/>)."),
        ("vhostuser", _) => Finding::warning(
            "vhost-user-unproven",
            "A vhost-user interface needs a back end at the same path there that can continue it; nobody can tell.",
        )
        .remedy("Make sure that the back end listens on the destination and supports migration."),
        _ => return None,
    };
    Some(finding.with("interface", interface.mac.as_deref().unwrap_or("without MAC")).with("kind", kind).with_option(
        "device",
        interface.device.as_deref(),
        "none",
    ))
}

export_precheck!(Passthrough);

#[cfg(test)]
mod tests {
    use waypost_plugin::DomainState;
    use waypost_plugin::Severity::{self, Blocker, Info, Warning};
    use waypost_plugin::testing::{self, codes};
    use waypost_plugin::types::Filesystem;

    use super::*;

    /// Asks for a running and for a shut-off domain.
    fn both(change: impl Fn(&mut DomainFacts)) -> [Vec<(String, Severity)>; 2] {
        [DomainState::Running, DomainState::ShutOff].map(|state| {
            let domain = testing::domain_with(|domain| {
                domain.state = state;
                change(domain);
            });
            let found = testing::check::<Passthrough>(&testing::request(), &domain, &testing::host("kvm2"));
            codes(&found).into_iter().map(|(code, weight)| (code.to_owned(), weight)).collect()
        })
    }

    fn one(code: &str, weight: Severity) -> Vec<(String, Severity)> {
        vec![(code.to_owned(), weight)]
    }

    fn device(kind: &str, teaming: Option<&str>) -> Hostdev {
        Hostdev { kind: kind.into(), address: "0000:03:00.0".into(), managed: true, teaming: teaming.map(Into::into) }
    }

    #[test]
    fn a_domain_without_host_devices_has_nothing_to_say() {
        assert_eq!(both(|_| {}), [vec![], vec![]]);
    }

    #[test]
    fn host_devices_refuse_a_running_guest_and_warn_a_shut_off_one() {
        for kind in ["pci", "scsi", "scsi_host", "mdev", "storage", "misc", "net"] {
            let found = both(|domain| domain.hostdevs = vec![device(kind, None)]);
            assert_eq!(found, [one("host-device", Blocker), one("host-device", Warning)], "{kind}");
        }
    }

    #[test]
    fn usb_is_reattached_and_a_transient_team_unplugged() {
        let found = both(|domain| domain.hostdevs = vec![device("usb", None)]);
        assert_eq!(found[0], one("usb-device-reattached", Warning));
        let found = both(|domain| domain.hostdevs = vec![device("pci", Some("transient"))]);
        assert_eq!(found[0], one("pci-device-unplugged", Info));
        assert_eq!(
            both(|domain| domain.hostdevs = vec![device("pci", Some("persistent"))])[0],
            one("host-device", Blocker)
        );
    }

    #[test]
    fn interfaces_are_judged_by_their_kind() {
        let kind = |kind: &str, teaming: Option<&str>| {
            both(|domain| {
                domain.network_interfaces[0].kind = kind.into();
                domain.network_interfaces[0].teaming = teaming.map(Into::into);
            })
        };
        for plain in ["network", "bridge", "user", "direct"] {
            assert_eq!(kind(plain, None), [vec![], vec![]], "{plain}");
        }
        assert_eq!(kind("hostdev", None), [one("host-interface", Blocker), one("host-interface", Warning)]);
        assert_eq!(kind("hostdev", Some("transient"))[0], one("pci-device-unplugged", Info));
        assert_eq!(kind("vdpa", None)[0], one("host-interface", Blocker));
        assert_eq!(kind("vhostuser", None)[0], one("vhost-user-unproven", Warning));
    }

    #[test]
    fn what_ties_memory_to_the_host_refuses_only_a_running_guest() {
        let found = both(|domain| domain.launch_security = Some("sev".into()));
        assert_eq!(found, [one("encrypted-guest", Blocker), vec![]]);
        for (roles, found) in [
            (&["master", "peer"][..], one("shared-memory-device", Blocker)),
            (&["default"][..], one("shared-memory-device", Blocker)),
            (&["master", "master"][..], vec![]),
        ] {
            let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
            assert_eq!(both(|domain| domain.shared_memory_roles.clone_from(&roles)), [found, vec![]], "{roles:?}");
        }
    }

    #[test]
    fn a_shared_directory_can_not_travel() {
        for driver in ["path", "virtiofs"] {
            let found = both(|domain| {
                domain.filesystems =
                    vec![Filesystem { driver: driver.into(), source: Some("/srv".into()), target: Some("srv".into()) }];
            });
            assert_eq!(found, [one("shared-directory", Blocker), one("shared-directory", Warning)], "{driver}");
        }
    }
}
