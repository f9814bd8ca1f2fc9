//! Proof instead of inference: asks the host to make a small volume in the destination's pool and to look for it from the
//! source's pool.
//!
//! Needs the grant `storage-probe`, so it is installed only where a site wants it. What it proves is kept by the host and
//! read by the storage precheck from then on; it probes only pairs of pools that nothing else settles, and never twice.

use waypost_plugin::{DomainFacts, Finding, HostFacts, Precheck, Request, export_precheck, granted};

/// The policy.
pub struct StorageProbe;

impl Precheck for StorageProbe {
    fn check(_: &Request, domain: &DomainFacts, source: &HostFacts, destination: &HostFacts) -> Vec<Finding> {
        let mut pairs: Vec<(String, String, Hope)> = Vec::new();
        for disk in domain.disks().iter().filter(|disk| !disk.read_only && disk.source.is_some()) {
            let here = source.disk_view(&disk.target).and_then(|view| view.pool.clone()).or_else(|| disk.pool.clone());
            let there = destination.disk_view(&disk.target).and_then(|view| view.pool.clone());
            if let (Some(here), Some(there)) = (here, there) {
                let copied = destination.disk_copy(&disk.target).is_some();
                let pair = (here, there, if copied { Hope::TwoStores } else { Hope::OneStore });
                if !pairs.contains(&pair) {
                    pairs.push(pair);
                }
            }
        }
        pairs.iter().filter_map(|(here, there, hope)| probe(source, here, destination, there, *hope)).collect()
    }
}

/// What a pair of pools must be for the disk that is on them.
#[derive(Clone, Copy, PartialEq)]
enum Hope {
    OneStore,
    /// The disk is copied: on one store the copy would be written over it.
    TwoStores,
}

fn probe(source: &HostFacts, here: &str, destination: &HostFacts, there: &str, hope: Hope) -> Option<Finding> {
    if destination.storage_proof(here, there).is_some() {
        return None;
    }
    // A store that both definitions name needs no proof, and a stopped pool can't be probed.
    let (ours, theirs) = (source.pool(here)?, destination.pool(there)?);
    if !ours.active
        || !theirs.active
        || (ours.kind == theirs.kind && ours.source == theirs.source && !ours.source.hosts.is_empty())
    {
        return None;
    }
    let finding = match granted::probe_storage(destination, here, there) {
        Ok(shared) if shared == (hope == Hope::OneStore) => return None,
        Ok(true) => Finding::blocker(
            "storage-probe-one-store",
            format!(
                "The pool {there} of {} is the source's own store: a copy would be the disk itself.",
                destination.name()
            ),
        )
        .remedy("Migrate it without copying the disk."),
        Ok(false) => Finding::blocker(
            "storage-probe-two-stores",
            format!(
                "A volume made in the pool {there} of {} was not seen in the pool {here} of the source.",
                destination.name()
            ),
        )
        .remedy("Move the disks to storage that both hosts share."),
        Err(why) => Finding::info("storage-not-probed", "The storage could not be probed.").with("why", why),
    };
    Some(finding.with("pool here", here).with("pool there", there))
}

export_precheck!(StorageProbe);

#[cfg(test)]
mod tests {
    use waypost_plugin::Severity::{self, Blocker, Info};
    use waypost_plugin::StorageProof;
    use waypost_plugin::testing::{self, codes};

    use super::*;

    fn directory(name: &str) -> HostFacts {
        testing::host_with(name, |host| host.pools[0] = testing::dir_pool("shared", "/srv/shared"))
    }

    fn check(answer: Result<bool, String>, change: impl FnOnce(&mut HostFacts)) -> Vec<(String, Severity)> {
        let mut destination = directory("kvm2");
        destination.probes.insert(("shared".into(), "shared".into()), answer);
        change(&mut destination);
        let found = testing::check_from::<StorageProbe>(
            &testing::request(),
            &testing::domain(),
            &directory("kvm1"),
            &destination,
        );
        codes(&found).into_iter().map(|(code, weight)| (code.to_owned(), weight)).collect()
    }

    #[test]
    fn the_probes_answer_decides() {
        assert_eq!(check(Ok(true), |_| {}), []);
        assert_eq!(check(Ok(false), |_| {}), [("storage-probe-two-stores".to_owned(), Blocker)]);
        assert_eq!(check(Err("many domains".into()), |_| {}), [("storage-not-probed".to_owned(), Info)]);
    }

    #[test]
    fn a_disk_that_is_copied_must_be_on_two_stores() {
        let copied = |host: &mut HostFacts| host.disk_copies = [("vda".to_owned(), Ok(()))].into();
        assert_eq!(check(Ok(false), copied), []);
        assert_eq!(check(Ok(true), copied), [("storage-probe-one-store".to_owned(), Blocker)]);
    }

    #[test]
    fn what_is_settled_is_not_probed() {
        let proven = StorageProof { source_pool: "shared".into(), destination_pool: "shared".into(), shared: true };
        assert_eq!(check(Ok(false), |host| host.storage_proofs = vec![proven]), []);
        assert_eq!(check(Ok(false), |host| host.pools[0].active = false), []);
        let named = testing::check::<StorageProbe>(&testing::request(), &testing::domain(), &testing::host("kvm2"));
        assert_eq!(named, [], "an NFS export that both pools name");
    }
}
