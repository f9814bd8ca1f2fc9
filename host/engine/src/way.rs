//! What the site's networks mean for a verdict: no way at all is a blocker like any other, and a step back to another
//! network, or a name that seems to lead nowhere, is a warning that the record keeps.

use std::sync::Arc;

use waypost_core::facts::{Candidate, Snapshot};
use waypost_core::finding::{Finding, Severity};
use waypost_core::ids::PluginName;
use waypost_core::network::{Networks, disks_way, memory_uri, memory_way};
use waypost_core::plan::Plan;
use waypost_core::request::{CheckRequest, Options};
use waypost_core::stream::Transport;
use waypost_core::verdict::{Judged, PolicyMode, Verdict};

/// No network can carry the memory.
const NO_WAY: &str = "migration-network-missing";
/// Another network than the wanted one is taken.
const STEPPED_BACK: &str = "migration-network-fallback";
/// What the destination calls itself was not reached, and nobody knows whether it listens there.
const DOUBTFUL: &str = "migration-network-doubtful";

/// What the prechecks are asked: a migrate URI that the networks make stands in the request as one that was asked for does,
/// so that no rule judges a way that isn't taken. Destinations with one answer to it are asked about together.
pub(crate) fn asked(
    networks: &Networks,
    request: &CheckRequest,
    facts: &Arc<Snapshot>,
) -> Vec<(CheckRequest, Arc<Snapshot>)> {
    let mut groups: Vec<(Option<String>, Vec<Candidate>)> = Vec::new();
    for candidate in &facts.candidates {
        let uri = memory_uri(networks, &request.options, facts, candidate);
        match groups.iter_mut().find(|(known, _)| *known == uri) {
            Some((_, group)) => group.push(candidate.clone()),
            None => groups.push((uri, vec![candidate.clone()])),
        }
    }
    let of_group = |(uri, candidates): (Option<String>, Vec<Candidate>)| {
        let mut request = request.clone();
        if uri.is_some() {
            request.options.migrate_uri = uri;
        }
        let all = candidates.len() == facts.candidates.len();
        let group = if all { Arc::clone(facts) } else { Arc::new(Snapshot { candidates, ..(**facts).clone() }) };
        (request, group)
    };
    groups.into_iter().map(of_group).collect()
}

/// Adds what the networks say of a destination.
pub(crate) fn judge(networks: &Networks, options: &Options, facts: &Snapshot, verdict: &mut Verdict) {
    let Some(candidate) = facts.candidates.iter().find(|c| c.host.name == verdict.destination) else { return };
    let (from, there) = (&facts.source.name, &verdict.destination);
    let mut said = Vec::new();
    match memory_way(networks, options, facts, candidate) {
        Err(error) => said.push((NO_WAY, Severity::Blocker, error.to_string(), error.remedy())),
        Ok(Some(chosen)) => {
            if let Some(message) = chosen.stepped_back {
                let remedy = match options.transport {
                    Transport::Tunnelled => "drop the tunnel, or name management as the network of the request",
                    _ => "bring the network up",
                };
                said.push((STEPPED_BACK, Severity::Warning, message, remedy.to_owned()));
            }
            if let Some(message) = chosen.doubt {
                let remedy = format!(
                    "declare the network that carries the memory, with the address of {there} on it, or name an address in the \
                     request; if it is that name, see what stands between {from} and {there} (route, firewall)"
                );
                said.push((DOUBTFUL, Severity::Warning, message, remedy));
            }
        }
        Ok(None) => {}
    }
    say(said, facts, candidate, verdict);
}

/// Adds what they say of the disks, whose way may be another one.
pub(crate) fn judge_disks(
    networks: &Networks,
    options: &Options,
    plan: &Plan,
    facts: &Snapshot,
    candidate: &Candidate,
    verdict: &mut Verdict,
) {
    if options.disks.uri.is_some() {
        return;
    }
    let Ok(Some(chosen)) = disks_way(networks, plan, facts, candidate) else { return };
    let bring_up = "bring the network up".to_owned();
    let said = chosen.stepped_back.map(|message| (STEPPED_BACK, Severity::Warning, message, bring_up));
    say(said.into_iter().collect(), facts, candidate, verdict);
}

/// Adds findings of the host's own: their codes, weights, words and remedies.
fn say(said: Vec<(&str, Severity, String, String)>, facts: &Snapshot, candidate: &Candidate, verdict: &mut Verdict) {
    let (from, there) = (&facts.source.name, &candidate.host.name);
    let mut evidence = vec![("source".to_owned(), from.to_string()), ("destination".to_owned(), there.to_string())];
    evidence.extend(tried(candidate));
    verdict.findings.extend(said.into_iter().map(|(code, severity, message, remedy)| {
        let (code, evidence, remedy) = (code.to_owned(), evidence.clone(), Some(remedy));
        let finding = Finding { code, severity, message, evidence, remedy };
        Judged { plugin: PluginName::new("waypost"), mode: PolicyMode::Enforce, finding }
    }));
}

/// Each way that was tried to a destination with what became of it, as evidence.
pub(crate) fn tried(candidate: &Candidate) -> impl Iterator<Item = (String, String)> {
    candidate.pair.ways_tried.iter().map(|way| {
        let port = way.port.map(|port| format!(" port {port}")).unwrap_or_default();
        let why = way.message.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        (format!("way to {}{port}", way.to), format!("{}{why}", way.answer))
    })
}
