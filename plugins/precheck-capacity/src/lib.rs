//! Memory, huge pages and vCPUs must suffice on the destination.
//!
//! The hypervisor needs more than the guest's memory: the figures are KubeVirt's, without what its own processes take
//! (page tables at 1/512 of the memory, 8 MiB for each vCPU, 8 MiB for I/O, 32 MiB for video), which were measured on
//! QEMU with KVM. What other migrations to the same host will need is not in the facts of one decision.

use waypost_plugin::types::HugePages;
use waypost_plugin::{DomainFacts, Finding, HostFacts, Precheck, Request, Travel, export_precheck, text};

/// The policy.
pub struct Capacity;

impl Precheck for Capacity {
    fn check(request: &Request, domain: &DomainFacts, _: &HostFacts, destination: &HostFacts) -> Vec<Finding> {
        let travel = request.travel(domain);
        let mut findings = Vec::new();
        match domain.memory_backing().huge_page_kib {
            Some(page_kib) => {
                findings.extend(huge_pages(travel, page_kib, domain, destination));
                findings.extend(memory(travel, 0, domain, destination));
            }
            None => findings.extend(memory(travel, domain.memory_kib(), domain, destination)),
        }
        findings.extend(vcpus(travel, domain, destination));
        findings
    }
}

fn overhead_kib(domain: &DomainFacts) -> u64 {
    domain.memory_kib() / 512 + u64::from(domain.vcpus_max()) * 8 * 1024 + 8 * 1024 + 32 * 1024
}

fn memory(travel: Travel, guest_kib: u64, domain: &DomainFacts, destination: &HostFacts) -> Option<Finding> {
    let overhead = overhead_kib(domain);
    let needed = guest_kib.saturating_add(overhead);
    let (total, free) = (destination.memory_kib(), destination.free_memory_kib());
    let (code, message, remedy) = if needed > total {
        (
            "memory-too-small",
            format!(
                "{} has {} of memory, the domain needs {}.",
                destination.name(),
                text::kib(total),
                text::kib(needed)
            ),
            "Choose a larger destination.",
        )
    } else if needed > free {
        (
            "memory-short",
            format!("{} has {} free, the domain needs {}.", destination.name(), text::kib(free), text::kib(needed)),
            "Choose another destination, or free memory on this one.",
        )
    } else {
        return None;
    };
    Some(
        Finding::of(travel.weight(), code, message)
            .with("guest memory", text::kib(guest_kib))
            .with("hypervisor's own need", text::kib(overhead))
            .with("free there", text::kib(free))
            .with("in all there", text::kib(total))
            .remedy(remedy),
    )
}

fn huge_pages(travel: Travel, page_kib: u64, domain: &DomainFacts, destination: &HostFacts) -> Option<Finding> {
    // No size given means the host's default size, which is its smallest huge page unless an administrator said else.
    let pools = destination.huge_pages();
    let huge = pools.iter().filter(|pool: &&HugePages| pool.size_kib > 4);
    let pool = match page_kib {
        0 => huge.min_by_key(|pool| pool.size_kib),
        size => pools.iter().find(|pool| pool.size_kib == size),
    };
    let host = destination.name();
    let Some(pool) = pool.filter(|pool| pool.total > 0) else {
        let sizes = text::list(pools.iter().filter(|pool| pool.total > 0).map(|pool| text::kib(pool.size_kib)), "none");
        return Some(
            Finding::of(travel.weight(), "huge-pages-missing", format!("{host} has no huge pages of this size."))
                .with("wanted", if page_kib == 0 { "default size".to_owned() } else { text::kib(page_kib) })
                .with("sizes there", sizes)
                .remedy("Reserve huge pages of this size there (virsh allocpages), or choose another destination."),
        );
    };
    let needed = domain.memory_kib().div_ceil(pool.size_kib);
    (needed > pool.free).then(|| {
        Finding::of(
            travel.weight(),
            "huge-pages-short",
            format!(
                "{host} has {} huge pages of {} free, the domain needs {needed}.",
                pool.free,
                text::kib(pool.size_kib)
            ),
        )
        .with("needed", needed)
        .with("free there", pool.free)
        .with("in all there", pool.total)
        .remedy("Free or reserve huge pages there (virsh allocpages), or choose another destination.")
    })
}

fn vcpus(travel: Travel, domain: &DomainFacts, destination: &HostFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let limit = domain
        .machine()
        .and_then(|name| destination.machine(domain.architecture(), domain.virt_type(), name))
        .and_then(|machine| machine.vcpus_max);
    if let Some(limit) = limit.filter(|limit| domain.vcpus_max() > *limit) {
        findings.push(
            Finding::of(
                travel.weight(),
                "vcpus-over-machine-limit",
                format!("The machine type takes {limit} vCPUs on {}.", destination.name()),
            )
            .with("vCPUs", domain.vcpus_max())
            .with("limit there", limit)
            .remedy("Choose a destination whose hypervisor allows more, or give the domain fewer vCPUs."),
        );
    }
    if domain.vcpus() > destination.cpus() {
        findings.push(
            Finding::warning(
                "vcpus-over-host-cpus",
                format!(
                    "The guest has more vCPUs than {} has CPUs: they will wait for each other.",
                    destination.name()
                ),
            )
            .with("vCPUs", domain.vcpus())
            .with("CPUs there", destination.cpus()),
        );
    }
    findings
}

export_precheck!(Capacity);

#[cfg(test)]
mod tests {
    use waypost_plugin::DomainState;
    use waypost_plugin::Severity::{self, Blocker, Warning};
    use waypost_plugin::testing::{self, codes};

    use super::*;

    const GIB: u64 = 1024 * 1024;

    fn check(domain: &DomainFacts, change: impl FnOnce(&mut HostFacts)) -> Vec<(String, Severity)> {
        let found = testing::check::<Capacity>(&testing::request(), domain, &testing::host_with("kvm2", change));
        codes(&found).into_iter().map(|(code, weight)| (code.to_owned(), weight)).collect()
    }

    fn one(code: &str, weight: Severity) -> Vec<(String, Severity)> {
        vec![(code.to_owned(), weight)]
    }

    fn off() -> DomainFacts {
        testing::domain_with(|domain| domain.state = DomainState::ShutOff)
    }

    #[test]
    fn enough_is_enough() {
        assert_eq!(check(&testing::domain(), |_| {}), []);
    }

    #[test]
    fn the_hypervisors_own_need_counts() {
        // 4 GiB of guest: 8 MiB of page tables, 16 for two vCPUs, 8 and 32 more.
        assert_eq!(overhead_kib(&testing::domain()), 64 * 1024);
        let exact = 4 * GIB + 64 * 1024;
        assert_eq!(check(&testing::domain(), |host| host.free_memory_kib = exact), []);
        assert_eq!(check(&testing::domain(), |host| host.free_memory_kib = exact - 1), one("memory-short", Blocker));
    }

    #[test]
    fn a_host_that_is_too_small_is_told_from_one_that_is_full() {
        let small = |host: &mut HostFacts| {
            host.memory_kib = 2 * GIB;
            host.free_memory_kib = GIB;
        };
        assert_eq!(check(&testing::domain(), small), one("memory-too-small", Blocker));
        assert_eq!(check(&off(), small), one("memory-too-small", Warning));
        assert_eq!(check(&off(), |host| host.free_memory_kib = 0), one("memory-short", Warning));
    }

    #[test]
    fn huge_pages_are_counted_in_their_own_size() {
        let domain = testing::domain_with(|domain| domain.memory_backing.huge_page_kib = Some(2048));
        let pages = |size_kib, free| {
            move |host: &mut HostFacts| host.huge_pages = vec![HugePages { size_kib, total: 4096, free }]
        };
        assert_eq!(check(&domain, pages(2048, 2048)), []);
        assert_eq!(check(&domain, pages(2048, 2047)), one("huge-pages-short", Blocker));
        assert_eq!(check(&domain, pages(1_048_576, 16)), one("huge-pages-missing", Blocker));
        assert_eq!(check(&domain, |_| {}), one("huge-pages-missing", Blocker));
        let any_size = testing::domain_with(|domain| domain.memory_backing.huge_page_kib = Some(0));
        assert_eq!(check(&any_size, pages(2048, 2048)), []);
        assert_eq!(check(&any_size, pages(4, 1_000_000)), one("huge-pages-missing", Blocker));
    }

    #[test]
    fn a_guest_on_huge_pages_needs_little_ordinary_memory() {
        let domain = testing::domain_with(|domain| domain.memory_backing.huge_page_kib = Some(2048));
        let found = check(&domain, |host| {
            host.huge_pages = vec![HugePages { size_kib: 2048, total: 4096, free: 4096 }];
            host.free_memory_kib = 64 * 1024;
        });
        assert_eq!(found, []);
    }

    #[test]
    fn vcpus_have_a_hard_limit_and_a_soft_one() {
        let many = testing::domain_with(|domain| domain.vcpus_max = 256);
        assert_eq!(check(&many, |_| {}), one("vcpus-over-machine-limit", Blocker));
        let wide = testing::domain_with(|domain| {
            domain.vcpus = 32;
            domain.vcpus_max = 32;
        });
        assert_eq!(check(&wide, |_| {}), one("vcpus-over-host-cpus", Warning));
    }
}
