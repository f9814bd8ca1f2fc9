//! CPUs as far as a simulation needs them: models in the order of their age; a newer one runs guests of every older one.

use waypost_core::facts::CpuComparison;

const MODELS: &[&str] = &[
    "qemu64",
    "kvm64",
    "Conroe",
    "Penryn",
    "Nehalem",
    "Westmere",
    "SandyBridge",
    "IvyBridge",
    "Haswell",
    "Broadwell",
    "Skylake-Server",
    "Cascadelake-Server",
    "Icelake-Server",
    "SapphireRapids",
];

/// The place of a model in the order.
pub(crate) fn level(model: &str) -> Option<usize> {
    MODELS.iter().position(|known| *known == model)
}

/// All models, for a message.
pub(crate) fn known() -> String {
    MODELS.join(", ")
}

/// What a host says of a guest's CPU, with libvirt's words where it can't run it.
pub(crate) fn compare(guest: Option<&str>, host: &str) -> (CpuComparison, Option<String>) {
    let Some(model) = guest else { return (CpuComparison::Superset, None) };
    match (level(model), level(host)) {
        (Some(guest), Some(host)) if guest == host => (CpuComparison::Identical, None),
        (Some(guest), Some(host)) if guest < host => (CpuComparison::Superset, None),
        _ => (
            CpuComparison::Incompatible,
            Some(format!(
                "the CPU is incompatible with host CPU: Host CPU {host} does not provide required features of {model}"
            )),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_host_runs_older_guests_only() {
        assert_eq!(compare(Some("Haswell"), "Haswell").0, CpuComparison::Identical);
        assert_eq!(compare(Some("Nehalem"), "Haswell").0, CpuComparison::Superset);
        let (answer, why) = compare(Some("Icelake-Server"), "Haswell");
        assert_eq!(answer, CpuComparison::Incompatible);
        assert!(why.unwrap().contains("Icelake-Server"));
    }
}
