//! Nothing may be older on the destination: the hypervisor for a guest whose memory travels, the machine type for any.
//!
//! QEMU promises that a newer version takes the state of an older one with the same machine type. The other direction
//! may work and is not promised, so it is refused. A machine type alias (`pc`) means on each host what that host's
//! hypervisor calls newest, so what it stands for is compared.

use waypost_plugin::{DomainFacts, Finding, HostFacts, Precheck, Request, Travel, export_precheck, text};

/// The policy.
pub struct Versions;

impl Precheck for Versions {
    fn check(request: &Request, domain: &DomainFacts, source: &HostFacts, destination: &HostFacts) -> Vec<Finding> {
        // Versions of different hypervisors have no order; that they differ is another policy's to say.
        if source.hypervisor() != destination.hypervisor() {
            return vec![];
        }
        let travel = request.travel(domain);
        let mut findings = Vec::new();
        if travel == Travel::Live {
            findings.extend(hypervisor(source, destination));
        }
        findings.extend(libvirt(source, destination));
        findings.extend(machine(travel, domain, source, destination));
        findings
    }
}

fn hypervisor(source: &HostFacts, destination: &HostFacts) -> Option<Finding> {
    match (source.hypervisor_version(), destination.hypervisor_version()) {
        (Some(here), Some(there)) if there < here => Some(
            Finding::blocker(
                "hypervisor-older",
                format!(
                    "{} {} on {} is older than {} on the source.",
                    destination.hypervisor(),
                    text::version(there),
                    destination.name(),
                    text::version(here)
                ),
            )
            .with("source", text::version(here))
            .with("destination", text::version(there))
            .remedy("Update the destination's hypervisor, choose another one, or migrate the domain shut off."),
        ),
        (Some(_), Some(_)) => None,
        (here, there) => Some(
            Finding::warning(
                "hypervisor-version-unknown",
                "Whether the destination's hypervisor is older can't be told.",
            )
            .with_option("source", here.map(text::version), "unknown")
            .with_option("destination", there.map(text::version), "unknown"),
        ),
    }
}

fn libvirt(source: &HostFacts, destination: &HostFacts) -> Option<Finding> {
    let (here, there) = (source.libvirt_version()?, destination.libvirt_version()?);
    (there < here).then(|| {
        Finding::warning(
            "libvirt-older",
            format!(
                "The libvirt of {} is older; it refuses a definition that it does not understand.",
                destination.name()
            ),
        )
        .with("source", text::version(here))
        .with("destination", text::version(there))
    })
}

fn machine(travel: Travel, domain: &DomainFacts, source: &HostFacts, destination: &HostFacts) -> Option<Finding> {
    let name = domain.machine()?;
    let (architecture, virt_type) = (domain.architecture(), domain.virt_type());
    if !destination.runs(architecture, virt_type) {
        return None;
    }
    let Some(there) = destination.machine(architecture, virt_type, name) else {
        return Some(
            Finding::blocker(
                "machine-missing",
                format!("The hypervisor of {} has no machine type {name}.", destination.name()),
            )
            .with("machine", name)
            .with("destination version", destination.hypervisor_version().map_or("unknown".to_owned(), text::version))
            .remedy(
                "Choose a destination whose hypervisor has this machine type, or change it while the domain is off.",
            ),
        );
    };
    let here = source.machine(architecture, virt_type, name)?;
    let (ours, theirs) = (here.canonical.as_deref()?, there.canonical.as_deref()?);
    (ours != theirs).then(|| {
        Finding::of(
            travel.weight(),
            "machine-alias-differs",
            format!("{name} stands for {ours} on the source and for {theirs} on {}.", destination.name()),
        )
        .with("source", ours)
        .with("destination", theirs)
        .remedy(format!("Write the machine type out in the domain's definition: {ours}."))
    })
}

export_precheck!(Versions);

#[cfg(test)]
mod tests {
    use waypost_plugin::Severity::{Blocker, Warning};
    use waypost_plugin::testing::{self, codes};
    use waypost_plugin::{DomainState, Severity};

    use super::*;

    fn check(domain: &DomainFacts, change: impl FnOnce(&mut HostFacts)) -> Vec<(String, Severity)> {
        let found = testing::check::<Versions>(&testing::request(), domain, &testing::host_with("kvm2", change));
        codes(&found).into_iter().map(|(code, weight)| (code.to_owned(), weight)).collect()
    }

    fn off() -> DomainFacts {
        testing::domain_with(|domain| domain.state = DomainState::ShutOff)
    }

    #[test]
    fn the_same_and_newer_versions_pass() {
        assert_eq!(check(&testing::domain(), |_| {}), []);
        assert_eq!(check(&testing::domain(), |host| host.hypervisor_version = Some(8_002_000)), []);
    }

    #[test]
    fn an_older_hypervisor_is_refused_for_memory_and_not_for_a_definition() {
        let older = |host: &mut HostFacts| host.hypervisor_version = Some(7_001_000);
        assert_eq!(check(&testing::domain(), older), [("hypervisor-older".to_owned(), Blocker)]);
        assert_eq!(check(&off(), older), []);
    }

    #[test]
    fn an_unknown_version_is_no_pass_and_no_refusal() {
        let found = check(&testing::domain(), |host| host.hypervisor_version = None);
        assert_eq!(found, [("hypervisor-version-unknown".to_owned(), Warning)]);
    }

    #[test]
    fn an_older_libvirt_is_a_warning() {
        assert_eq!(
            check(&off(), |host| host.libvirt_version = Some(8_000_000)),
            [("libvirt-older".to_owned(), Warning)]
        );
    }

    #[test]
    fn a_missing_machine_type_is_refused_in_any_state() {
        let without = |host: &mut HostFacts| host.guests[0].machines.retain(|machine| machine.name != "pc-i440fx-7.2");
        assert_eq!(check(&testing::domain(), without), [("machine-missing".to_owned(), Blocker)]);
        assert_eq!(check(&off(), without), [("machine-missing".to_owned(), Blocker)]);
    }

    #[test]
    fn an_alias_that_means_another_machine_is_noticed() {
        let newer = |host: &mut HostFacts| host.guests[0].machines[1].canonical = Some("pc-i440fx-8.2".into());
        let alias = testing::domain_with(|domain| domain.machine = Some("pc".into()));
        assert_eq!(check(&alias, newer), [("machine-alias-differs".to_owned(), Blocker)]);
        let alias_off = testing::domain_with(|domain| {
            domain.machine = Some("pc".into());
            domain.state = DomainState::ShutOff;
        });
        assert_eq!(check(&alias_off, newer), [("machine-alias-differs".to_owned(), Warning)]);
        assert_eq!(check(&alias, |_| {}), []);
    }

    #[test]
    fn another_hypervisor_is_not_compared() {
        assert_eq!(
            check(&testing::domain(), |host| {
                host.hypervisor = "TEST".into();
                host.hypervisor_version = Some(2);
            }),
            []
        );
    }
}
