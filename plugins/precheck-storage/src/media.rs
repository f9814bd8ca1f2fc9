//! CD-ROMs and floppies: what is in the drive may be missing there if the definition allows the drive to be emptied.

use waypost_plugin::Finding;
use waypost_plugin::types::{Disk, Severity};

use crate::{Case, Seen};

pub fn is_removable(disk: &Disk) -> bool {
    matches!(disk.device.as_str(), "cdrom" | "floppy")
}

pub fn judge(disk: &Disk, seen: Seen<'_>, case: &Case<'_>) -> Option<Finding> {
    let (host, target) = (case.destination.name(), disk.target.as_str());
    match seen {
        Seen::Same => None,
        Seen::Likely(..) | Seen::Unproven(_) => Some(Finding::warning(
            "media-unproven",
            format!("There is a medium for drive {target} on {host}, but nothing shows that it is the same one."),
        )),
        Seen::Different(_, why) => Some(
            Finding::warning(
                "media-differs",
                format!("The medium of drive {target} is another file on {host}; the guest would read that one."),
            )
            .with("why", why),
        ),
        // libvirt empties the drive when such a domain arrives.
        Seen::NoPool | Seen::PoolInactive(_) | Seen::NotFound(_)
            if matches!(disk.startup_policy.as_deref(), Some("optional" | "requisite")) =>
        {
            Some(Finding::warning(
                "media-ejected",
                format!("Drive {target} is empty on {host} if its medium isn't there: its startup policy allows it."),
            ))
        }
        Seen::NoPool | Seen::PoolInactive(_) | Seen::NotFound(_) => {
            let weight = if case.request.unsafe_storage { Severity::Warning } else { case.travel.weight() };
            Some(
                Finding::of(
                    weight,
                    "media-not-found",
                    format!(
                        "No started pool of {host} shows the medium of drive {target}; without it nothing starts there."
                    ),
                )
                .with_option("startup policy", disk.startup_policy.as_deref(), "mandatory")
                .remedy(format!(
                    "Eject it (virsh change-media DOMAIN {target} --eject), or provide it there in a pool."
                )),
            )
        }
    }
}
