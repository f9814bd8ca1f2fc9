//! The destination must be able to give the guest the CPU that it has.
//!
//! libvirt's hypervisor-CPU comparison decides, asked of the destination with the domain's own emulator, machine and
//! type: comparing with the host's own CPU would refuse every emulated guest. Where a guest simply sees the host's CPU
//! (host-passthrough, or maximum under KVM) there is nothing to compare with but the other host's CPU.

use waypost_plugin::types::{CpuResult, GuestCpu, HostCpu};
use waypost_plugin::{DomainFacts, Finding, HostFacts, Precheck, Request, Travel, export_precheck, text};

/// The policy.
pub struct Cpu;

impl Precheck for Cpu {
    fn check(request: &Request, domain: &DomainFacts, source: &HostFacts, destination: &HostFacts) -> Vec<Finding> {
        // Another hypervisor or no such guests at all: other policies say so, and the comparison would only repeat it.
        if source.hypervisor() != destination.hypervisor()
            || !destination.runs(domain.architecture(), domain.virt_type())
        {
            return vec![];
        }
        let travel = request.travel(domain);
        let cpu = domain.cpu();
        let mut findings = Vec::new();
        if travel == Travel::Live {
            findings.extend(unmigratable(cpu, domain.tsc_frequency_hz()));
        }
        if sees_the_host(cpu, domain.virt_type()) {
            if travel == Travel::Live {
                findings.extend(passed_through(cpu, source, destination));
            }
        } else {
            findings.extend(compared(travel, cpu, destination));
        }
        findings
    }
}

fn sees_the_host(cpu: &GuestCpu, virt_type: &str) -> bool {
    match cpu.mode.as_deref() {
        Some("host-passthrough") => true,
        // Emulated, the maximum is what the emulator can do, whatever the host is.
        Some("maximum") => virt_type == "kvm",
        _ => false,
    }
}

fn unmigratable(cpu: &GuestCpu, tsc_frequency_hz: Option<u64>) -> Option<Finding> {
    if cpu.migratable == Some(false) {
        return Some(
            Finding::blocker("cpu-not-migratable", "The domain's CPU is configured as not migratable.")
                .with_option("mode", cpu.mode.as_deref(), "none")
                .with("migratable", "off")
                .remedy("Set migratable='on' on the cpu element and restart the domain, or migrate it shut off."),
        );
    }
    let invariant = |name: &str, policy: &str| name == "invtsc" && matches!(policy, "require" | "force");
    let unstated = tsc_frequency_hz.is_none();
    (unstated && cpu.features.iter().any(|feature| invariant(&feature.name, &feature.policy))).then(|| {
        Finding::blocker(
            "cpu-invariant-tsc",
            "The CPU has an invariant TSC, and the definition doesn't state the TSC's frequency: libvirt refuses it.",
        )
        .with("feature", "invtsc")
        .with("frequency of the TSC", "not stated")
        .remedy(
            "State it and restart the domain: <timer name='tsc' frequency='...'/> in the clock element; or migrate it shut off.",
        )
    })
}

fn passed_through(cpu: &GuestCpu, source: &HostFacts, destination: &HostFacts) -> Option<Finding> {
    let (here, there) = (source.cpu(), destination.cpu());
    let mode = cpu.mode.as_deref().unwrap_or_default();
    if here.model.is_none() || there.model.is_none() {
        return Some(
            Finding::warning(
                "cpu-unproven",
                format!("The guest sees the host's CPU ({mode}); the hosts don't say theirs."),
            )
            .with("source", describe(here))
            .with("destination", describe(there)),
        );
    }
    (!same_cpu(here, there)).then(|| {
        Finding::blocker(
            "cpu-passthrough-differs",
            format!("The guest sees the host's CPU ({mode}), and {} has another one.", destination.name()),
        )
        .with("source", describe(here))
        .with("destination", describe(there))
        .with("differing features", differing(here, there))
        .remedy("Choose a destination with the same CPU, give the domain a named model, or migrate it shut off.")
    })
}

fn same_cpu(here: &HostCpu, there: &HostCpu) -> bool {
    here.model == there.model
        && here.vendor == there.vendor
        && here.features.len() == there.features.len()
        && here.features.iter().all(|feature| there.features.contains(feature))
}

fn describe(cpu: &HostCpu) -> String {
    format!("{} {}", cpu.vendor.as_deref().unwrap_or("unknown vendor"), cpu.model.as_deref().unwrap_or("unknown model"))
}

fn differing(here: &HostCpu, there: &HostCpu) -> String {
    let lost = here.features.iter().filter(|feature| !there.features.contains(feature)).map(|name| format!("-{name}"));
    let gained =
        there.features.iter().filter(|feature| !here.features.contains(feature)).map(|name| format!("+{name}"));
    text::list(lost.chain(gained), "none")
}

fn compared(travel: Travel, cpu: &GuestCpu, destination: &HostFacts) -> Option<Finding> {
    let comparison = destination.cpu_comparison();
    let words = comparison.message.as_deref();
    match (comparison.result, travel) {
        (CpuResult::Identical | CpuResult::Superset, _) => None,
        // Started there, a host-model domain gets that host's model.
        (_, Travel::Offline) if cpu.mode.as_deref() == Some("host-model") => None,
        (CpuResult::Incompatible, _) => Some(
            Finding::of(
                travel.weight(),
                "cpu-incompatible",
                format!("{} can't run the guest's CPU.", destination.name()),
            )
            .with_option("guest", cpu.model.as_deref().or(cpu.mode.as_deref()), "hypervisor's default")
            .with("destination", describe(destination.cpu()))
            .with_option("libvirt says", words, "nothing more")
            .remedy("Choose a destination with these features, or give the domain a model that both hosts have."),
        ),
        (CpuResult::Unknown, Travel::Live) => Some(
            Finding::warning(
                "cpu-unproven",
                format!("Whether {} can run the guest's CPU is not known.", destination.name()),
            )
            .with_option("guest", cpu.model.as_deref().or(cpu.mode.as_deref()), "hypervisor's default")
            .with_option("libvirt says", words, "nothing"),
        ),
        (CpuResult::Unknown, Travel::Offline) => None,
    }
}

export_precheck!(Cpu);

#[cfg(test)]
mod tests {
    use waypost_plugin::Severity::{Blocker, Warning};
    use waypost_plugin::testing::{self, codes};
    use waypost_plugin::types::{CpuComparison, CpuFeature};
    use waypost_plugin::{DomainState, Severity};

    use super::*;

    fn check(domain: &DomainFacts, change: impl FnOnce(&mut HostFacts)) -> Vec<(String, Severity)> {
        let found = testing::check::<Cpu>(&testing::request(), domain, &testing::host_with("kvm2", change));
        codes(&found).into_iter().map(|(code, weight)| (code.to_owned(), weight)).collect()
    }

    fn answers(result: CpuResult) -> impl Fn(&mut HostFacts) {
        move |host| host.cpu_comparison = CpuComparison { result, message: Some("missing: avx512f".into()) }
    }

    fn with_cpu(change: impl FnOnce(&mut GuestCpu)) -> DomainFacts {
        testing::domain_with(|domain| change(&mut domain.cpu))
    }

    #[test]
    fn the_comparison_decides() {
        assert_eq!(check(&testing::domain(), answers(CpuResult::Superset)), []);
        assert_eq!(check(&testing::domain(), answers(CpuResult::Identical)), []);
        assert_eq!(
            check(&testing::domain(), answers(CpuResult::Incompatible)),
            [("cpu-incompatible".to_owned(), Blocker)]
        );
        assert_eq!(check(&testing::domain(), answers(CpuResult::Unknown)), [("cpu-unproven".to_owned(), Warning)]);
    }

    #[test]
    fn libvirts_words_are_in_the_evidence() {
        let destination = testing::host_with("kvm2", answers(CpuResult::Incompatible));
        let found = testing::check::<Cpu>(&testing::request(), &testing::domain(), &destination);
        assert!(found[0].evidence.contains(&("libvirt says".to_owned(), "missing: avx512f".to_owned())));
    }

    #[test]
    fn a_shut_off_domain_is_only_warned() {
        let off = |mode: &str| {
            testing::domain_with(|domain| {
                domain.state = DomainState::ShutOff;
                domain.cpu.mode = Some(mode.into());
            })
        };
        let incompatible = answers(CpuResult::Incompatible);
        assert_eq!(check(&off("custom"), &incompatible), [("cpu-incompatible".to_owned(), Warning)]);
        assert_eq!(check(&off("host-model"), &incompatible), []);
        assert_eq!(check(&off("custom"), answers(CpuResult::Unknown)), []);
        assert_eq!(check(&off("host-passthrough"), |host| host.cpu.model = Some("EPYC".into())), []);
    }

    #[test]
    fn a_passed_through_cpu_must_be_the_same() {
        let passed = with_cpu(|cpu| cpu.mode = Some("host-passthrough".into()));
        assert_eq!(check(&passed, answers(CpuResult::Incompatible)), [], "the comparison means nothing here");
        let differs = [("cpu-passthrough-differs".to_owned(), Blocker)];
        assert_eq!(check(&passed, |host| host.cpu.model = Some("EPYC".into())), differs);
        assert_eq!(check(&passed, |host| host.cpu.features.push("amx-bf16".into())), differs);
        assert_eq!(check(&passed, |host| host.cpu.model = None), [("cpu-unproven".to_owned(), Warning)]);
    }

    #[test]
    fn the_maximum_of_an_emulated_guest_is_the_emulators() {
        let emulated = testing::domain_with(|domain| {
            domain.virt_type = "qemu".into();
            domain.cpu.mode = Some("maximum".into());
        });
        assert_eq!(check(&emulated, |host| host.cpu.model = Some("EPYC".into())), []);
    }

    #[test]
    fn what_qemu_itself_blocks_is_said() {
        let pinned = with_cpu(|cpu| cpu.migratable = Some(false));
        assert_eq!(check(&pinned, |_| {}), [("cpu-not-migratable".to_owned(), Blocker)]);
        let invtsc = |policy: &str, tsc_frequency_hz: Option<u64>| {
            let features = vec![CpuFeature { name: "invtsc".into(), policy: policy.into() }];
            testing::domain_with(|domain| (domain.cpu.features, domain.tsc_frequency_hz) = (features, tsc_frequency_hz))
        };
        assert_eq!(check(&invtsc("require", None), |_| {}), [("cpu-invariant-tsc".to_owned(), Blocker)]);
        assert_eq!(check(&invtsc("require", Some(2_593_906_000)), |_| {}), [], "libvirt takes it then");
        assert_eq!(check(&invtsc("disable", None), |_| {}), []);
    }
}
