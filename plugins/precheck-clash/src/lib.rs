//! Name and UUID must be free on the destination.
//!
//! The same domain, shut off, under its own name is the usual way back: an earlier migration left it, and libvirt
//! replaces it. Everything else that holds the UUID or the name is somebody's domain.

use waypost_plugin::types::DomainBrief;
use waypost_plugin::{DomainFacts, Finding, HostFacts, Precheck, Request, export_precheck};

/// The policy.
pub struct Clash;

impl Precheck for Clash {
    fn check(request: &Request, domain: &DomainFacts, source: &HostFacts, destination: &HostFacts) -> Vec<Finding> {
        let name = request.name_there(domain);
        // One host under two names: what is there is the domain itself, and precheck-same-host says so.
        if source.uuid().is_some() && source.uuid() == destination.uuid() {
            return Vec::new();
        }
        let mut findings = Vec::new();
        if let Some(there) = destination.domain_by_id(domain.id()) {
            findings.push(same_uuid(name, there, destination));
        }
        if let Some(there) = destination.domain_by_name(name).filter(|there| there.id != domain.id()) {
            findings.push(
                described(
                    Finding::blocker(
                        "name-taken",
                        format!("Another domain on {} is called {name}.", destination.name()),
                    ),
                    there,
                )
                .with("UUID here", domain.id())
                .remedy("Give the domain another name there (--name), or rename or undefine the other one."),
            );
        }
        findings
    }
}

fn same_uuid(name: &str, there: &DomainBrief, destination: &HostFacts) -> Finding {
    let host = destination.name();
    if there.state.is_active() {
        described(
            Finding::blocker("active-there", format!("A domain of this UUID is {} on {host}.", there.state.words())),
            there,
        )
        .remedy("Find out which of the two is the good one before anything else; a second copy must not run.")
    } else if there.name != name {
        described(
            Finding::blocker(
                "uuid-taken",
                format!("A domain of this UUID is defined on {host} under the name {}.", there.name),
            ),
            there,
        )
        .with("name asked for", name)
        .remedy(format!("Undefine it there, or migrate under its name (--name {}).", there.name))
    } else {
        described(
            Finding::info("definition-there", format!("{host} has a definition of this domain; it is replaced.")),
            there,
        )
    }
}

fn described(finding: Finding, there: &DomainBrief) -> Finding {
    finding.with("name there", &there.name).with("UUID there", &there.id).with("state there", there.state.words())
}

export_precheck!(Clash);

#[cfg(test)]
mod tests {
    use waypost_plugin::DomainState;
    use waypost_plugin::Severity::{self, Blocker, Info};
    use waypost_plugin::testing::{self, codes};

    use super::*;

    const OTHER: &str = "11111111-2222-4333-8444-555555555555";

    fn check(rename: Option<&str>, there: &[(&str, &str, DomainState)]) -> Vec<(String, Severity)> {
        let request = testing::request_with(|request| request.destination_name = rename.map(Into::into));
        let destination = testing::host_with("kvm2", |host| {
            host.domains = there
                .iter()
                .map(|(name, id, state)| DomainBrief {
                    name: (*name).into(),
                    id: (*id).into(),
                    state: *state,
                    persistent: true,
                })
                .collect();
        });
        let found = testing::check::<Clash>(&request, &testing::domain(), &destination);
        codes(&found).into_iter().map(|(code, weight)| (code.to_owned(), weight)).collect()
    }

    fn one(code: &str, weight: Severity) -> Vec<(String, Severity)> {
        vec![(code.to_owned(), weight)]
    }

    #[test]
    fn strangers_do_not_clash() {
        assert_eq!(check(None, &[("mail", OTHER, DomainState::Running)]), []);
    }

    #[test]
    fn the_way_back_is_open() {
        let id = testing::domain().id;
        assert_eq!(check(None, &[("web", &id, DomainState::ShutOff)]), one("definition-there", Info));
    }

    #[test]
    fn a_second_copy_is_refused() {
        let id = testing::domain().id;
        for state in [DomainState::Running, DomainState::Paused, DomainState::Crashed] {
            assert_eq!(check(None, &[("web", &id, state)]), one("active-there", Blocker), "{state:?}");
        }
    }

    #[test]
    fn the_uuid_under_another_name_is_refused_unless_that_name_is_asked_for() {
        let id = testing::domain().id;
        assert_eq!(check(None, &[("old", &id, DomainState::ShutOff)]), one("uuid-taken", Blocker));
        assert_eq!(check(Some("old"), &[("old", &id, DomainState::ShutOff)]), one("definition-there", Info));
        assert_eq!(check(Some("new"), &[("web", &id, DomainState::ShutOff)]), one("uuid-taken", Blocker));
    }

    #[test]
    fn the_name_of_another_domain_is_refused_and_a_new_name_helps() {
        let there = [("web", OTHER, DomainState::ShutOff)];
        assert_eq!(check(None, &there), one("name-taken", Blocker));
        assert_eq!(check(Some("web-2"), &there), []);
        assert_eq!(check(Some("mail"), &[("mail", OTHER, DomainState::Running)]), one("name-taken", Blocker));
    }
}
