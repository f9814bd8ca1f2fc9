//! What the transform policies edit, before the prechecks are asked: they judge the domain as it would arrive. A
//! destination for which something is edited is judged on facts of its own, with the edits made in them; all others are
//! judged together on the facts as they were read. Where disks are elsewhere on a destination, it is looked at again.

use std::sync::Arc;

use waypost_core::edit::Edits;
use waypost_core::facts::{Candidate, PairFacts, Snapshot};
use waypost_core::ids::HostName;
use waypost_core::network::Networks;
use waypost_core::ports::{DecisionRecord, Fault, StorageProbe};
use waypost_core::request::CheckRequest;
use waypost_core::verdict::{Judged, Verdict};

use crate::check::blocking;
use crate::engine::Ports;
use crate::error::EngineError;
use crate::way;

/// What is to be judged.
pub(crate) struct Rewritten {
    /// The candidates in groups, each with the facts on which it is judged.
    pub(crate) groups: Vec<Arc<Snapshot>>,
    /// The edits, by destination.
    pub(crate) edits: Vec<(HostName, Edits)>,
    /// What the transform policies, or the host for them, found, by destination.
    findings: Vec<(HostName, Vec<Judged>)>,
    /// One record per transform policy.
    pub(crate) decisions: Vec<DecisionRecord>,
    /// Destinations that could not be looked at again.
    pub(crate) unreachable: Vec<(HostName, Fault)>,
}

impl Rewritten {
    fn nothing(facts: &Arc<Snapshot>) -> Self {
        Self {
            groups: vec![Arc::clone(facts)],
            edits: Vec::new(),
            findings: Vec::new(),
            decisions: Vec::new(),
            unreachable: Vec::new(),
        }
    }
}

/// Asks the transform policies, and makes the facts on which the prechecks judge.
pub(crate) async fn rewrite(
    ports: &Arc<Ports>,
    request: &CheckRequest,
    facts: &Arc<Snapshot>,
) -> Result<Rewritten, EngineError> {
    if !ports.policies.transforms() || facts.candidates.is_empty() {
        return Ok(Rewritten::nothing(facts));
    }
    let transformation = {
        let (ports, request, facts) = (Arc::clone(ports), request.clone(), Arc::clone(facts));
        blocking(move || Ok(ports.policies.transform(&request, &facts))).await?
    };
    let mut rewritten =
        Rewritten { groups: Vec::new(), decisions: transformation.decisions, ..Rewritten::nothing(facts) };
    let mut plain = Vec::new();
    for (candidate, transformed) in facts.candidates.iter().zip(transformation.each) {
        let name = &candidate.host.name;
        rewritten.findings.push((name.clone(), transformed.findings));
        if transformed.edits.is_empty() {
            plain.push(candidate.clone());
            continue;
        }
        match arriving(ports, facts, candidate, &transformed.edits).await {
            Ok(group) => {
                rewritten.groups.push(Arc::new(group));
                rewritten.edits.push((name.clone(), transformed.edits));
            }
            Err(fault) => rewritten.unreachable.push((name.clone(), fault)),
        }
    }
    if plain.len() == facts.candidates.len() {
        rewritten.groups.push(Arc::clone(facts));
    } else if !plain.is_empty() {
        rewritten.groups.push(Arc::new(Snapshot { candidates: plain, ..(**facts).clone() }));
    }
    Ok(rewritten)
}

/// The facts of one destination, with the domain as it would arrive there.
async fn arriving(ports: &Ports, facts: &Snapshot, to: &Candidate, edits: &Edits) -> Result<Snapshot, Fault> {
    let domain = Arc::new(edits.applied(&facts.domain));
    let (mut pair, mut again) = (to.pair.clone(), facts.source_disks_again.clone());
    if edits.move_disks() {
        let looked = ports.hypervisor.pair_facts(&to.host.name, &domain).await?;
        pair = PairFacts { destination_disks: looked.destination_disks, ..pair };
        // What a destination sees of a file lies between two looks of the source.
        again = ports.hypervisor.disk_views(&facts.source.name, &facts.domain).await?;
    }
    let candidates = vec![Candidate { host: Arc::clone(&to.host), pair }];
    Ok(Snapshot { domain, candidates, source_disks_again: again, ..facts.clone() })
}

/// The facts of each group, with one record per policy that judged them.
pub(crate) type Records = Vec<(Arc<Snapshot>, Vec<DecisionRecord>)>;

/// Asks the prechecks about all groups. Blocks for as long as they think.
pub(crate) fn judge(
    ports: &Ports,
    networks: &Networks,
    request: &CheckRequest,
    rewritten: &Rewritten,
    probe: Option<&dyn StorageProbe>,
) -> (Vec<Verdict>, Records) {
    let (mut verdicts, mut decisions) = (Vec::new(), Vec::new());
    for group in &rewritten.groups {
        for (request, group) in way::asked(networks, request, group) {
            let judgement = ports.policies.precheck(&request, &group, probe);
            verdicts.extend(judgement.verdicts);
            decisions.push((group, judgement.decisions));
        }
    }
    for verdict in &mut verdicts {
        let found = rewritten.findings.iter().find(|(name, _)| *name == verdict.destination);
        verdict.findings.extend(found.into_iter().flat_map(|(_, findings)| findings.clone()));
    }
    (verdicts, decisions)
}
