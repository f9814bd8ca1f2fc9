//! Rules that need no second look at the disk itself: what kind it is, how it is cached, and what lies behind it.

use waypost_plugin::types::{Disk, DiskView, Severity};
use waypost_plugin::{Finding, HostFacts, Travel, text};

use crate::Case;
use crate::identity::{is_local, same_pool};
use crate::media::is_removable;

pub fn of_the_disk_alone(case: &Case<'_>, disk: &Disk) -> Vec<Finding> {
    [host_device(case, disk), local_server(case, disk), transient(case, disk), cached(case, disk)]
        .into_iter()
        .flatten()
        .map(|finding| finding.with("disk", &disk.target).with_option("source", disk.source.as_deref(), "none"))
        .collect()
}

fn host_device(case: &Case<'_>, disk: &Disk) -> Option<Finding> {
    let what = match disk.kind.as_str() {
        "nvme" => "an NVMe device of the source host",
        "vhostuser" | "vhostvdpa" => "served by a process or device of the source host",
        "dir" => "a directory of the source host shown as a disk",
        _ => return None,
    };
    Some(
        Finding::of(case.travel.weight(), "storage-host-device", format!("Disk {} is {what}.", disk.target))
            .with("kind", &disk.kind)
            .remedy("Move its data to storage that both hosts share."),
    )
}

fn local_server(case: &Case<'_>, disk: &Disk) -> Option<Finding> {
    if disk.kind != "network" {
        return None;
    }
    let server = disk.servers.iter().find(|server| is_local(server))?;
    Some(
        Finding::of(
            if is_removable(disk) { Severity::Warning } else { Severity::Blocker },
            "storage-server-local",
            format!(
                "Disk {} is served by {server}, which is another machine on {}.",
                disk.target,
                case.destination.name()
            ),
        )
        .with_option("protocol", disk.protocol.as_deref(), "unknown")
        .with("servers", text::list(&disk.servers, "none"))
        .remedy("Name the server so that every host reaches the same one."),
    )
}

fn transient(case: &Case<'_>, disk: &Disk) -> Option<Finding> {
    (disk.transient && case.travel == Travel::Live).then(|| {
        Finding::blocker(
            "storage-transient",
            format!("Disk {} is transient; libvirt can't migrate that live.", disk.target),
        )
        .with("transient", "yes")
        .remedy("Shut the domain down and migrate it offline.")
    })
}

/// libvirt's own rule: empty, read-only, network and shareable disks are safe, so are the cache modes none and directsync,
/// so is every mode where the hypervisor drops its cache, so are files on a coherent cluster file system.
fn cached(case: &Case<'_>, disk: &Disk) -> Option<Finding> {
    let safe_mode = matches!(disk.cache.as_deref(), Some("none" | "directsync"));
    if case.travel == Travel::Offline || safe_mode || disk.read_only || disk.shareable || disk.kind == "network" {
        return None;
    }
    if case.source.drops_cache() == Some(true) {
        return None;
    }
    let path = disk.source.as_deref().unwrap_or_default();
    let format = case.source.pool_of_path(path).and_then(|pool| pool.source.format.as_deref());
    if matches!(format, Some("gfs2" | "ocfs2" | "ceph" | "cephfs")) {
        return None;
    }
    Some(
        Finding::of(
            if case.request.unsafe_storage { Severity::Warning } else { Severity::Blocker },
            "storage-cache-unsafe",
            format!(
                "Disk {} is cached by the host, and this hypervisor does not drop its cache on arrival.",
                disk.target
            ),
        )
        .with_option("cache mode", disk.cache.as_deref(), "hypervisor's default")
        .with_option("hypervisor version", case.source.hypervisor_version().map(text::version), "unknown")
        .remedy("Set cache='none' or 'directsync' on the disk, or update the hypervisor to one that drops its cache (QEMU 4.0 or newer, with libvirt 6.0 or newer)."),
    )
}

/// Every image behind the disk must be the same, too. One that lies in the disk's own pools is, since the disk is.
pub fn backing_chain(case: &Case<'_>, disk: &Disk, there: Option<&DiskView>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for layer in disk.backing.iter().filter(|layer| layer.kind != "network") {
        let Some(path) = layer.source.as_deref() else { continue };
        let pool_of = |host: &'_ HostFacts| host.pool_of_path(path).map(|pool| pool.name.clone());
        let (ours, theirs) = (pool_of(case.source), pool_of(case.destination));
        let beside = ours.is_some()
            && ours == disk.pool
            && theirs.is_some()
            && theirs.as_deref() == there.and_then(|view| view.pool.as_deref());
        if beside || same_pool(case.source, case.destination, path) {
            continue;
        }
        findings.push(
            Finding::of(
                case.weight_of_doubt(disk),
                "backing-unproven",
                format!(
                    "An image behind disk {} is not known to be the same on {}.",
                    disk.target,
                    case.destination.name()
                ),
            )
            .with("disk", &disk.target)
            .with("image", path)
            .with_option("pool here", ours, "none")
            .with_option("pool there", theirs, "none")
            .remedy(
                "Move it beside the disk, or flatten the disk (virsh blockpull), or define pools that name its server.",
            ),
        );
    }
    findings
}
