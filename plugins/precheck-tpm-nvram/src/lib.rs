//! The state of TPM and firmware must travel with the domain or be reachable from the destination.
//!
//! Live, both travel in the migration stream: QEMU carries the pflash contents that back an NVRAM file, and the state of
//! an emulated TPM (libvirt leaves it where it is if its directory is shared). Offline, nothing travels but the
//! definition, and undefining it on the source deletes the TPM's state: a guest that keeps its disk key there would
//! never open its disk again. So an emulated TPM refuses the offline way unless its state lies on shared storage.

use waypost_plugin::types::{Pool, Tpm};
use waypost_plugin::{DomainFacts, Finding, HostFacts, Precheck, Request, Travel, export_precheck};

/// The policy.
pub struct TpmNvram;

impl Precheck for TpmNvram {
    fn check(request: &Request, domain: &DomainFacts, source: &HostFacts, destination: &HostFacts) -> Vec<Finding> {
        let travel = request.travel(domain);
        let mut findings: Vec<_> =
            domain.tpms().iter().filter_map(|device| tpm(travel, device, source, destination)).collect();
        findings.extend(nvram(travel, domain, source, destination));
        findings.extend(loader(travel, domain, source, destination));
        findings
    }
}

fn tpm(travel: Travel, device: &Tpm, source: &HostFacts, destination: &HostFacts) -> Option<Finding> {
    let finding = match (device.backend.as_str(), travel) {
        ("emulator", Travel::Live) => return None,
        ("emulator", Travel::Offline) => match device.state_path.as_deref() {
            Some(path) if shared(path, source, destination) => return None,
            path => Finding::blocker(
                "tpm-state-stays",
                "The emulated TPM keeps its state on the source; offline it would be lost, and what it sealed with it.",
            )
            .with_option("state", path, "libvirt's own directory")
            .remedy("Start the domain and migrate it live: then the state travels. Or keep it in a shared pool."),
        },
        ("external", _) => Finding::warning(
            "tpm-external-unproven",
            "The TPM is served by a process of the site's own; whether one listens on the destination can't be told.",
        )
        .with_option("path", device.device_path.as_deref().or(device.state_path.as_deref()), "none"),
        ("passthrough", _) => Finding::of(
            travel.weight(),
            "tpm-passed-through",
            "The guest uses the source host's own TPM; no other chip has its keys.",
        )
        .with_option("device", device.device_path.as_deref(), "none")
        .remedy("Give the domain an emulated TPM. What the present one sealed must be unsealed first."),
        (other, _) => {
            Finding::warning("tpm-unknown", "This kind of TPM is not known to this policy.").with("back end", other)
        }
    };
    Some(finding.with("back end", &device.backend).with_option("version", device.version.as_deref(), "unknown"))
}

fn nvram(travel: Travel, domain: &DomainFacts, source: &HostFacts, destination: &HostFacts) -> Option<Finding> {
    let path = domain.firmware().nvram.as_deref()?;
    if travel == Travel::Live || shared(path, source, destination) {
        return None;
    }
    Some(
        Finding::blocker(
            "nvram-stays",
            "The firmware's variables (boot entries, Secure Boot keys) are in a file that an offline migration leaves behind.",
        )
        .with("file", path)
        .with_option("pool here", source.pool_of_path(path).map(|pool| &pool.name), "none")
        .with_option("pool there", destination.pool_of_path(path).map(|pool| &pool.name), "none")
        .remedy("Start the domain and migrate it live: then they travel. Or keep the file in a shared pool."),
    )
}

fn loader(travel: Travel, domain: &DomainFacts, source: &HostFacts, destination: &HostFacts) -> Option<Finding> {
    let path = domain.firmware().loader.as_deref()?;
    // Packages put it there on every host; where it is missing, the incoming guest doesn't start and nothing is lost.
    if travel == Travel::Offline || path.starts_with("/usr/share/") || shared(path, source, destination) {
        return None;
    }
    Some(
        Finding::warning(
            "firmware-unproven",
            format!("Whether the firmware image is on {}, too, can't be told.", destination.name()),
        )
        .with("file", path)
        .remedy("Make sure that the same image is at the same path there."),
    )
}

/// Whether a path lies on one store that pools of both hosts name, or that was proven to be one.
fn shared(path: &str, source: &HostFacts, destination: &HostFacts) -> bool {
    let (Some(here), Some(there)) = (source.pool_of_path(path), destination.pool_of_path(path)) else { return false };
    let named = |pool: &Pool| !pool.source.hosts.is_empty();
    there.active
        && (destination.storage_proof(&here.name, &there.name) == Some(true)
            || (named(here) && here.kind == there.kind && here.source == there.source && here.target == there.target))
}

export_precheck!(TpmNvram);

#[cfg(test)]
mod tests {
    use waypost_plugin::DomainState;
    use waypost_plugin::Severity::{self, Blocker, Warning};
    use waypost_plugin::testing::{self, codes};

    use super::*;

    /// Asks for a running and for a shut-off domain.
    fn both(change: impl Fn(&mut DomainFacts)) -> [Vec<(String, Severity)>; 2] {
        [DomainState::Running, DomainState::ShutOff].map(|state| {
            let domain = testing::domain_with(|domain| {
                domain.state = state;
                change(domain);
            });
            let found = testing::check::<TpmNvram>(&testing::request(), &domain, &testing::host("kvm2"));
            codes(&found).into_iter().map(|(code, weight)| (code.to_owned(), weight)).collect()
        })
    }

    fn one(code: &str, weight: Severity) -> Vec<(String, Severity)> {
        vec![(code.to_owned(), weight)]
    }

    fn with_tpm(backend: &'static str, state_path: Option<&'static str>) -> impl Fn(&mut DomainFacts) {
        move |domain| {
            domain.tpms = vec![Tpm {
                model: Some("tpm-crb".into()),
                backend: backend.into(),
                version: Some("2.0".into()),
                state_path: state_path.map(Into::into),
                device_path: None,
            }];
        }
    }

    #[test]
    fn a_bios_guest_without_a_tpm_has_nothing_to_say() {
        assert_eq!(both(|_| {}), [vec![], vec![]]);
    }

    #[test]
    fn an_emulated_tpm_travels_live_and_is_lost_offline() {
        assert_eq!(both(with_tpm("emulator", None)), [vec![], one("tpm-state-stays", Blocker)]);
        assert_eq!(both(with_tpm("emulator", Some("/var/lib/swtpm/web"))), [vec![], one("tpm-state-stays", Blocker)]);
        assert_eq!(both(with_tpm("emulator", Some("/srv/shared/tpm/web"))), [vec![], vec![]]);
    }

    #[test]
    fn a_chip_of_the_host_stays() {
        let found = both(with_tpm("passthrough", None));
        assert_eq!(found, [one("tpm-passed-through", Blocker), one("tpm-passed-through", Warning)]);
        assert_eq!(both(with_tpm("external", None))[0], one("tpm-external-unproven", Warning));
        assert_eq!(both(with_tpm("novel", None))[0], one("tpm-unknown", Warning));
    }

    #[test]
    fn firmware_variables_travel_live_and_stay_offline() {
        let nvram = |path: &'static str| move |domain: &mut DomainFacts| domain.firmware.nvram = Some(path.into());
        let local = both(nvram("/var/lib/libvirt/qemu/nvram/web_VARS.fd"));
        assert_eq!(local, [vec![], one("nvram-stays", Blocker)]);
        assert_eq!(both(nvram("/srv/shared/web_VARS.fd")), [vec![], vec![]]);
    }

    #[test]
    fn a_firmware_image_of_the_sites_own_is_unproven() {
        let loader = |path: &'static str| move |domain: &mut DomainFacts| domain.firmware.loader = Some(path.into());
        assert_eq!(both(loader("/usr/share/OVMF/OVMF_CODE.fd")), [vec![], vec![]]);
        assert_eq!(both(loader("/opt/firmware.fd")), [one("firmware-unproven", Warning), vec![]]);
    }
}
