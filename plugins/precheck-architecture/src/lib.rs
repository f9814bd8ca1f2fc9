//! The destination must run guests of the domain's architecture.
//!
//! Both are compared: the hosts' own architecture, because a guest that was accelerated on one would be emulated on the
//! other, and the list of guests that the destination says it can run, because a host may run foreign ones.

use waypost_plugin::{DomainFacts, Finding, HostFacts, Precheck, Request, export_precheck};

/// The policy.
pub struct Architecture;

impl Precheck for Architecture {
    fn check(_: &Request, domain: &DomainFacts, source: &HostFacts, destination: &HostFacts) -> Vec<Finding> {
        if source.architecture() == destination.architecture() {
            return vec![];
        }
        // A foreign guest that is emulated on both sides runs the same way on either.
        let emulated = domain.virt_type() == "qemu" && destination.runs(domain.architecture(), "qemu");
        let finding = if emulated {
            Finding::info(
                "architecture-emulated",
                format!(
                    "{} is a {} host; it emulates {} as the source does.",
                    destination.name(),
                    destination.architecture(),
                    domain.architecture()
                ),
            )
        } else {
            Finding::blocker(
                "architecture-differs",
                format!(
                    "{} is a {} host, the domain runs on {}.",
                    destination.name(),
                    destination.architecture(),
                    source.architecture()
                ),
            )
            .remedy(format!("Choose a destination of architecture {}.", source.architecture()))
        };
        vec![
            finding
                .with("domain", domain.architecture())
                .with("source", source.architecture())
                .with("destination", destination.architecture()),
        ]
    }
}

export_precheck!(Architecture);

#[cfg(test)]
mod tests {
    use waypost_plugin::testing::{self, codes};
    use waypost_plugin::{GuestKind, Severity};

    use super::*;

    fn check(domain: &DomainFacts, destination: &HostFacts) -> Vec<Finding> {
        testing::check::<Architecture>(&testing::request(), domain, destination)
    }

    #[test]
    fn one_architecture_has_nothing_to_say() {
        assert_eq!(check(&testing::domain(), &testing::host("kvm2")), []);
    }

    #[test]
    fn another_architecture_is_refused_even_if_it_could_emulate_the_guest() {
        let destination = testing::host_with("arm1", |host| {
            host.architecture = "aarch64".into();
            host.guests = vec![GuestKind {
                architecture: "x86_64".into(),
                virt_type: "qemu".into(),
                emulator: None,
                machines: vec![],
            }];
        });
        let found = check(&testing::domain(), &destination);
        assert_eq!(codes(&found), [("architecture-differs", Severity::Blocker)]);
        assert_eq!(found[0].evidence[2], ("destination".to_owned(), "aarch64".to_owned()));
        let emulated = testing::domain_with(|domain| domain.virt_type = "qemu".into());
        assert_eq!(codes(&check(&emulated, &destination)), [("architecture-emulated", Severity::Info)]);
    }
}
