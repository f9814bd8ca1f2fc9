//! What the site's networks mean for a verdict: no way at all is a blocker like any other, and a step back to another
//! network is a warning that the record keeps.

use waypost_core::facts::Snapshot;
use waypost_core::finding::{Finding, Severity};
use waypost_core::ids::PluginName;
use waypost_core::network::{Networks, memory_way};
use waypost_core::request::Options;
use waypost_core::verdict::{Judged, PolicyMode, Verdict};

/// No network can carry the memory.
const NO_WAY: &str = "migration-network-missing";
/// Another network than the wanted one is taken.
const STEPPED_BACK: &str = "migration-network-fallback";

/// Adds what the networks say of a destination.
pub(crate) fn judge(networks: &Networks, options: &Options, facts: &Snapshot, verdict: &mut Verdict) {
    let Some(candidate) = facts.candidates.iter().find(|c| c.host.name == verdict.destination) else { return };
    let (code, severity, message, remedy) = match memory_way(networks, options, facts, candidate) {
        Err(error) => (NO_WAY, Severity::Blocker, error.to_string(), None),
        Ok(Some(chosen)) => match chosen.stepped_back {
            Some(message) => (STEPPED_BACK, Severity::Warning, message, Some("bring the network up".to_owned())),
            None => return,
        },
        Ok(None) => return,
    };
    let evidence = vec![
        ("source".to_owned(), facts.source.name.to_string()),
        ("destination".to_owned(), verdict.destination.to_string()),
    ];
    let finding = Finding { code: code.into(), severity, message, evidence, remedy };
    verdict.findings.push(Judged { plugin: PluginName::new("waypost"), mode: PolicyMode::Enforce, finding });
}
