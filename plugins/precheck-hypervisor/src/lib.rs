//! The destination must have the source's hypervisor and run guests of the domain's type.
//!
//! A host without `/dev/kvm` is of type QEMU like any other; that it can't run a `kvm` domain is told by the list of
//! guests that it can run. A shut-off domain could be started elsewhere after its type was changed, but what arrives is
//! the definition as it is: a wrong type is refused all the same.

use waypost_plugin::{DomainFacts, Finding, HostFacts, Precheck, Request, Travel, export_precheck};

/// The policy.
pub struct Hypervisor;

impl Precheck for Hypervisor {
    fn check(request: &Request, domain: &DomainFacts, source: &HostFacts, destination: &HostFacts) -> Vec<Finding> {
        if source.hypervisor() != destination.hypervisor() {
            return vec![
                Finding::blocker(
                    "hypervisor-differs",
                    format!("{} runs {}, not {}.", destination.name(), destination.hypervisor(), source.hypervisor()),
                )
                .with("source", source.hypervisor())
                .with("destination", destination.hypervisor())
                .remedy(format!("Choose a destination that runs {}.", source.hypervisor())),
            ];
        }
        let mut findings = Vec::new();
        let (architecture, virt_type) = (domain.architecture(), domain.virt_type());
        // The list counts only where the source's own list is right about a domain that it runs.
        if !destination.runs(architecture, virt_type) && source.runs(architecture, virt_type) {
            findings.push(
                Finding::blocker(
                    "domain-type-not-run",
                    format!("{} runs no guests of type {virt_type} for {architecture}.", destination.name()),
                )
                .with("domain type", virt_type)
                .with("architecture", architecture)
                .remedy(if virt_type == "kvm" {
                    "Enable hardware virtualisation on the destination (is /dev/kvm there?), or choose another one."
                } else {
                    "Choose a destination that runs this type of domain."
                }),
            );
        } else if let (Some(path), Some(theirs)) = (domain.emulator(), destination.emulator(architecture, virt_type)) {
            let ours = source.emulator(architecture, virt_type);
            if theirs != path && ours.is_some_and(|ours| ours == path) {
                findings.push(
                    Finding::warning(
                        "emulator-path-differs",
                        format!("The domain names the emulator {path}; {} has {theirs}.", destination.name()),
                    )
                    .with("domain", path)
                    .with("destination", &theirs)
                    .remedy(format!("Make sure that {path} is there on the destination, too.")),
                );
            }
        }
        if request.travel(domain) == Travel::Live && !destination.live_migration() {
            findings.push(
                Finding::blocker(
                    "live-migration-unsupported",
                    format!("The libvirt driver of {} does not migrate live.", destination.name()),
                )
                .with("hypervisor", destination.hypervisor())
                .with("uri", destination.uri())
                .remedy("Shut the domain down and migrate it offline, or choose another destination."),
            );
        }
        findings
    }
}

export_precheck!(Hypervisor);

#[cfg(test)]
mod tests {
    use waypost_plugin::Severity::{Blocker, Warning};
    use waypost_plugin::testing::{self, codes};
    use waypost_plugin::{DomainState, Severity};

    use super::*;

    fn check(domain: &DomainFacts, change: impl FnOnce(&mut HostFacts)) -> Vec<(String, Severity)> {
        let found = testing::check::<Hypervisor>(&testing::request(), domain, &testing::host_with("kvm2", change));
        codes(&found).into_iter().map(|(code, weight)| (code.to_owned(), weight)).collect()
    }

    #[test]
    fn one_hypervisor_has_nothing_to_say() {
        assert_eq!(check(&testing::domain(), |_| {}), []);
    }

    #[test]
    fn another_hypervisor_is_refused() {
        let found = check(&testing::domain(), |host| host.hypervisor = "Xen".into());
        assert_eq!(found, [("hypervisor-differs".to_owned(), Blocker)]);
    }

    #[test]
    fn a_kvm_domain_is_refused_by_a_host_without_kvm() {
        let found = check(&testing::domain(), |host| host.guests.retain(|guest| guest.virt_type == "qemu"));
        assert_eq!(found, [("domain-type-not-run".to_owned(), Blocker)]);
    }

    #[test]
    fn an_emulator_elsewhere_is_a_warning() {
        let found =
            check(&testing::domain(), |host| host.guests[0].emulator = Some("/opt/qemu/bin/qemu-system-x86_64".into()));
        assert_eq!(found, [("emulator-path-differs".to_owned(), Warning)]);
    }

    #[test]
    fn a_driver_that_can_not_migrate_live_takes_definitions_only() {
        let found = check(&testing::domain(), |host| host.live_migration = false);
        assert_eq!(found, [("live-migration-unsupported".to_owned(), Blocker)]);
        let off = testing::domain_with(|domain| domain.state = DomainState::ShutOff);
        assert_eq!(check(&off, |host| host.live_migration = false), []);
    }
}
