//! Every disk must be the same storage seen from both sides: the same path on a different store is refused.
//!
//! What proves sameness, strongest first:
//!
//! 1. a probe that was made and still holds (`storage-proof`): a volume made on one side was seen from the other;
//! 2. a source that names its store itself: a network disk, or pools of one kind with the same servers and export;
//! 3. one volume observed from both sides: a block device with one unique key, or a file whose inode changed at the same
//!    nanosecond and that has the same size. A guest that writes moves that time, so the source is looked at before and
//!    after the destination: a time between the two is that of one file that is being written, which is said as a warning,
//!    because a twin that is written as busily would look the same.
//!
//! A directory on both hosts proves nothing: each may be a disk of its own. What isn't shared is refused, unless the
//! request has it copied: then the host says whether it can be, and none of this is asked of that disk. `--unsafe` turns what is merely unproven into warnings, never what is proven wrong.

mod identity;
mod media;
mod rules;

use waypost_plugin::types::{Disk, DiskView, Pool, Severity};
use waypost_plugin::{DomainFacts, Finding, HostFacts, Precheck, Request, Travel, export_precheck};

use identity::{Sameness, sameness};

/// The policy.
pub struct Storage;

impl Precheck for Storage {
    fn check(request: &Request, domain: &DomainFacts, source: &HostFacts, destination: &HostFacts) -> Vec<Finding> {
        // Between different hypervisors a view of the other side means nothing, and another policy refuses.
        if source.hypervisor() != destination.hypervisor() {
            return vec![];
        }
        let case = Case { request, travel: request.travel(domain), source, destination };
        domain.disks().iter().flat_map(|disk| case.disk(disk)).collect()
    }
}

/// One question: what every rule needs to look at.
struct Case<'a> {
    request: &'a Request,
    travel: Travel,
    source: &'a HostFacts,
    destination: &'a HostFacts,
}

impl Case<'_> {
    fn disk(&self, disk: &Disk) -> Vec<Finding> {
        let Some(path) = disk.source.as_deref() else { return vec![] };
        if let Some(copy) = self.destination.disk_copy(&disk.target) {
            return self.copied(disk, copy).map(|finding| described(finding, disk, path)).into_iter().collect();
        }
        let mut findings = rules::of_the_disk_alone(self, disk);
        match disk.kind.as_str() {
            "network" => return findings,
            // Devices of the host; the rules above refused them.
            "nvme" | "vhostuser" | "vhostvdpa" => return findings,
            _ => {}
        }
        let here = self.source.disk_view(&disk.target);
        let there = self.destination.disk_view(&disk.target);
        let found = self.seen(disk, path, here, there);
        let finding = if media::is_removable(disk) { media::judge(disk, found, self) } else { self.judge(disk, found) };
        findings.extend(finding.map(|finding| described(finding, disk, path)));
        if findings.iter().all(|finding| finding.severity != Severity::Blocker) {
            findings.extend(rules::backing_chain(self, disk, there));
        }
        findings
    }

    /// A disk that travels along needs no storage in common, only a place to go to.
    fn copied(&self, disk: &Disk, copy: Result<(), String>) -> Option<Finding> {
        let host = self.destination.name();
        match copy {
            Err(why) => Some(
                Finding::blocker("storage-not-copyable", format!("Disk {} can't be copied to {host}.", disk.target))
                    .with("why", why)
                    .remedy("Do what the reason says, or move the disk to storage that both hosts share."),
            ),
            Ok(()) if self.travel == Travel::Offline => Some(
                Finding::blocker(
                    "storage-copy-offline",
                    format!(
                        "Disk {} can't be copied to {host}: the domain is shut off, so nothing copies it.",
                        disk.target
                    ),
                )
                .remedy("Start the domain and migrate it live, or copy the image by hand."),
            ),
            Ok(()) => None,
        }
    }

    /// `path` is that on the destination; the source's is another where the domain is edited on its way.
    fn seen(&self, disk: &Disk, path: &str, here: Option<&DiskView>, there: Option<&DiskView>) -> Seen<'_> {
        let own_path = here.map_or(path, |view| view.source.as_str());
        let named = there.and_then(|view| view.pool.as_deref()).and_then(|name| self.destination.pool(name));
        let Some(pool) = named.or_else(|| self.destination.pool_of_path(path)) else { return Seen::NoPool };
        if !pool.active {
            return Seen::PoolInactive(pool);
        }
        let our_pool = here
            .and_then(|view| view.pool.as_deref())
            .or(disk.pool.as_deref())
            .and_then(|name| self.source.pool(name))
            .or_else(|| self.source.pool_of_path(own_path));
        let sameness = sameness(self, [own_path, path], &disk.target, here, our_pool, there, pool);
        let present = there.is_some_and(|view| view.volume.is_some());
        match sameness {
            Sameness::Different(why) => Seen::Different(pool, why),
            _ if !present => Seen::NotFound(pool),
            Sameness::Proven => Seen::Same,
            Sameness::WrittenMeanwhile(times) => Seen::Likely(pool, times),
            Sameness::Unproven => Seen::Unproven(pool),
        }
    }

    fn judge(&self, disk: &Disk, seen: Seen<'_>) -> Option<Finding> {
        let host = self.destination.name();
        let (target, unproven) = (disk.target.as_str(), self.weight_of_doubt(disk));
        Some(match seen {
            Seen::Same => return None,
            Seen::Likely(pool, [before, there, again]) => Finding::warning(
                "storage-written-meanwhile",
                format!("Disk {target} looks the same on {host}, but it is being written, so its time of change proves less."),
            )
            .with("pool there", &pool.name)
            .with("changed, seen from the source", before)
            .with("changed, seen from the destination", there)
            .with("changed, seen from the source again", again),
            Seen::NoPool => Finding::of(
                unproven,
                "storage-unproven",
                format!("No pool of {host} holds disk {target}, so libvirt can't tell what is at its path there."),
            )
            .remedy("Define a storage pool over this directory on both hosts, best of a type that names its server."),
            Seen::Unproven(pool) => Finding::of(
                unproven,
                "storage-unproven",
                format!("Disk {target} is there on {host}, but nothing shows that it is the same storage."),
            )
            .with("pool there", &pool.name)
            .remedy("Define the pool with its server (netfs, rbd, gluster, iscsi), or install the storage probe."),
            Seen::PoolInactive(pool) => Finding::blocker(
                "storage-pool-inactive",
                format!("The pool of disk {target} is not started on {host}."),
            )
            .with("pool there", &pool.name)
            .remedy(format!("Start it: virsh pool-start {}; virsh pool-autostart {}.", pool.name, pool.name)),
            Seen::NotFound(pool) => Finding::blocker(
                "storage-not-found",
                format!("Disk {target} is not in the pool {} of {host}.", pool.name),
            )
            .with("pool there", &pool.name)
            .with("kind of pool", &pool.kind)
            .remedy(format!(
                "Move the disk to storage that both hosts share, or have it copied: --copy-storage full; if it is shared, \
                         refresh the list: virsh pool-refresh {}.",
                pool.name
            )),
            Seen::Different(pool, why) => Finding::blocker(
                "storage-differs",
                format!(
                    "The path of disk {target} leads to different storage on {host}: the guest would find other data."
                ),
            )
            .with("pool there", &pool.name)
            .with("why", why)
            .remedy("Move the disk to storage that both hosts share, and mount it at the same path on both."),
        })
    }

    /// How much it weighs that sameness is not proven.
    fn weight_of_doubt(&self, disk: &Disk) -> Severity {
        // Nothing is lost through a disk that nobody writes, and a person may vouch for the others.
        if self.request.unsafe_storage || disk.read_only { Severity::Warning } else { Severity::Blocker }
    }
}

/// What the destination shows at a disk's path.
enum Seen<'a> {
    Same,
    /// Changed between two looks of the source.
    Likely(&'a Pool, [String; 3]),
    Unproven(&'a Pool),
    NoPool,
    PoolInactive(&'a Pool),
    NotFound(&'a Pool),
    Different(&'a Pool, String),
}

fn described(finding: Finding, disk: &Disk, path: &str) -> Finding {
    finding.with("disk", &disk.target).with("path", path).with_option("pool here", disk.pool.as_deref(), "none")
}

export_precheck!(Storage);

#[cfg(test)]
mod tests;
