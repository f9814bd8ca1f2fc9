//! What a hypervisor can do that no call of libvirt tells: it follows from its type and the versions. Known here and nowhere
//! else, so that no rule needs to name a hypervisor.

/// QEMU's name in libvirt.
const QEMU: &str = "QEMU";
/// Since this version it drops its cached pages when a guest arrives (`drop-cache`), so that a cached disk is safe.
const QEMU_DROPS_CACHE: u64 = 4_000_000;
/// libvirt has asked it for that since about this version; before, it refuses.
const LIBVIRT_KNOWS_IT: u64 = 6_000_000;
/// Before this version it aborts, and the guest is lost, when one leaves that arrived paused and has not run since: its
/// images were never taken over.
const QEMU_TAKES_IMAGES_OVER: u64 = 10_000_000;

/// Whether the pages of an image that the host has cached are dropped when a guest arrives.
pub(crate) fn drops_cache(hypervisor: &str, version: Option<u64>, libvirt: Option<u64>) -> Option<bool> {
    match (hypervisor, version, libvirt) {
        (QEMU, Some(version), Some(libvirt)) => Some(version >= QEMU_DROPS_CACHE && libvirt >= LIBVIRT_KNOWS_IT),
        _ => None,
    }
}

/// Whether a guest that arrived paused may leave again before it has run.
pub(crate) fn arrived_paused_may_leave(hypervisor: &str, version: Option<u64>) -> Option<bool> {
    match (hypervisor, version) {
        (QEMU, Some(version)) => Some(version >= QEMU_TAKES_IMAGES_OVER),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abilities_follow_from_the_versions_of_a_known_hypervisor() {
        assert_eq!(drops_cache(QEMU, Some(7_002_022), Some(9_000_000)), Some(true));
        assert_eq!(drops_cache(QEMU, Some(3_001_000), Some(9_000_000)), Some(false));
        assert_eq!(drops_cache(QEMU, Some(7_002_022), Some(5_000_000)), Some(false));
        assert_eq!(arrived_paused_may_leave(QEMU, Some(7_002_022)), Some(false));
        assert_eq!(arrived_paused_may_leave(QEMU, Some(10_000_000)), Some(true));
        for (hypervisor, version) in [(QEMU, None), ("Xen", Some(10_000_000))] {
            assert_eq!(drops_cache(hypervisor, version, Some(9_000_000)), None);
            assert_eq!(arrived_paused_may_leave(hypervisor, version), None);
        }
    }
}
