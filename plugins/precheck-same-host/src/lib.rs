//! Source and destination must be two hosts.
//!
//! A name says little (one host may be configured twice) and a hostname not much more. The host UUID decides where
//! libvirt has one; it is also what libvirt itself compares, at a time when the destination was already touched.

use waypost_plugin::{DomainFacts, Finding, HostFacts, Precheck, Request, export_precheck};

/// The policy.
pub struct SameHost;

impl Precheck for SameHost {
    fn check(_: &Request, _: &DomainFacts, source: &HostFacts, destination: &HostFacts) -> Vec<Finding> {
        if source.name() == destination.name() {
            return vec![same(source, destination, "The destination is the source.")];
        }
        if let (Some(here), Some(there)) = (source.uuid(), destination.uuid())
            && here == there
        {
            return vec![
                same(source, destination, "Source and destination are one libvirt host: they have one host UUID.")
                    .with("host UUID", here),
            ];
        }
        if let Some(address) = source.addresses().iter().find(|address| destination.addresses().contains(address)) {
            return vec![
                same(source, destination, "Source and destination are configured with one address.")
                    .with("address", address),
            ];
        }
        if source.uuid().is_none() || destination.uuid().is_none() {
            return vec![
                Finding::warning("host-identity-unproven", "A host without a UUID can't be told from another one.")
                    .with_option("source host UUID", source.uuid(), "none")
                    .with_option("destination host UUID", destination.uuid(), "none")
                    .remedy("Make sure that they are two machines, or set host_uuid in libvirtd.conf."),
            ];
        }
        vec![]
    }
}

fn same(source: &HostFacts, destination: &HostFacts, message: &str) -> Finding {
    Finding::blocker("same-host", message)
        .with("source", source.name())
        .with("destination", destination.name())
        .remedy("Choose another destination; if these are two machines, give each its own host_uuid and addresses.")
}

export_precheck!(SameHost);

#[cfg(test)]
mod tests {
    use waypost_plugin::Severity::{Blocker, Warning};
    use waypost_plugin::testing::{self, codes};

    use super::*;

    fn check(destination: &HostFacts) -> Vec<Finding> {
        testing::check::<SameHost>(&testing::request(), &testing::domain(), destination)
    }

    #[test]
    fn two_hosts_are_two_hosts() {
        assert_eq!(check(&testing::host("kvm2")), []);
    }

    #[test]
    fn one_name_is_one_host() {
        assert_eq!(codes(&check(&testing::host("kvm1"))), [("same-host", Blocker)]);
    }

    #[test]
    fn one_uuid_is_one_host_whatever_it_is_called() {
        let uuid = testing::host("kvm1").uuid;
        let found = check(&testing::host_with("kvm2", |host| host.uuid = uuid));
        assert_eq!(codes(&found), [("same-host", Blocker)]);
        assert_eq!(found[0].evidence[2].0, "host UUID");
    }

    #[test]
    fn one_address_is_one_host() {
        let addresses = testing::host("kvm1").addresses;
        let found = check(&testing::host_with("kvm2", |host| host.addresses.extend(addresses)));
        assert_eq!(codes(&found), [("same-host", Blocker)]);
    }

    #[test]
    fn a_host_without_a_uuid_is_only_warned_of() {
        let found = check(&testing::host_with("kvm2", |host| host.uuid = None));
        assert_eq!(codes(&found), [("host-identity-unproven", Warning)]);
    }
}
