//! What do the rules say? The same code for a check, a dry run and a real migration.

use std::sync::Arc;

use waypost_core::admission::{admit_options, under_site};
use waypost_core::facts::{Candidate, Snapshot};
use waypost_core::finding::{Finding, Severity};
use waypost_core::ids::{DomainKey, HostName, PluginName};
use waypost_core::network::{Networks, route};
use waypost_core::plan::{Plan, PlanError, plan};
use waypost_core::ports::{DecisionRecord, Fault};
use waypost_core::request::{CheckRequest, Options};
use waypost_core::verdict::{Decision, Judged, PolicyMode, Verdict};

use crate::engine::Ports;
use crate::error::EngineError;
use crate::gather::{Gathered, find, gather, known_host};
use crate::probe::Prober;
use crate::way;

/// What is checked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Domain.
    pub domain: DomainKey,
    /// Where it is; none: look on every host.
    pub source: Option<HostName>,
    /// Where it may go.
    pub targets: Targets,
    /// How.
    pub options: Options,
    /// Who asks.
    pub requester: String,
}

/// Candidate destinations.
#[derive(Debug, Clone)]
pub enum Targets {
    /// These.
    These(Vec<HostName>),
    /// Every configured host but the source.
    All,
}

/// What the rules said.
#[derive(Debug, Clone)]
pub struct CheckReport {
    /// The facts.
    pub facts: Arc<Snapshot>,
    /// SHA-256 of their canonical text.
    pub facts_digest: String,
    /// One verdict per destination asked for, in that order.
    pub verdicts: Vec<Verdict>,
    /// One record per policy.
    pub decisions: Vec<DecisionRecord>,
    /// The canonical text itself, for who keeps it: it costs in proportion to what the hosts hold.
    pub(crate) facts_text: String,
    options: Options,
    networks: Arc<Networks>,
}

impl CheckReport {
    /// What would be done: the plan for a destination that was allowed, or why there can be none. None for a destination
    /// that the rules refuse, or that was not read.
    pub fn plan(&self, destination: &HostName, attempt: u32) -> Option<Result<Plan, PlanError>> {
        let allowed = self.verdicts.iter().any(|v| v.destination == *destination && v.decision() == Decision::Allowed);
        let candidate = self.facts.candidates.iter().find(|c| c.host.name == *destination)?;
        let planned = planned(attempt, &self.options, &self.networks, &self.facts, candidate);
        (allowed || planned.is_err()).then_some(planned)
    }

    /// The choices that were judged: what was asked for, under what the site says.
    pub fn options(&self) -> &Options {
        &self.options
    }
}

/// The plan for a candidate, with its networks.
fn planned(
    attempt: u32,
    options: &Options,
    networks: &Networks,
    facts: &Snapshot,
    to: &Candidate,
) -> Result<Plan, PlanError> {
    let plan = plan(attempt, options, facts, to)?;
    Ok(route(plan, networks, options, facts, to)?)
}

/// What the host itself has to say of a destination: its networks, and whether a plan can be made at all. What a policy
/// found already, and is obeyed in, is not said again.
pub(crate) fn judge(networks: &Networks, options: &Options, facts: &Snapshot, verdict: &mut Verdict) {
    way::judge(networks, options, facts, verdict);
    let Some(candidate) = facts.candidates.iter().find(|c| c.host.name == verdict.destination) else { return };
    let Err(error) = planned(1, options, networks, facts, candidate) else { return };
    let blocks = |judged: &Judged| judged.mode == PolicyMode::Enforce && judged.weight() == Severity::Blocker;
    if verdict.findings.iter().any(|judged| blocks(judged) && judged.finding.code == error.code()) {
        return;
    }
    let finding = Finding {
        code: error.code().into(),
        severity: Severity::Blocker,
        message: error.to_string(),
        evidence: vec![("destination".to_owned(), verdict.destination.to_string())],
        remedy: None,
    };
    verdict.findings.push(Judged { plugin: PluginName::new("waypost"), mode: PolicyMode::Enforce, finding });
}

/// Codes of the engine's own findings.
const UNREACHABLE: &str = "destination-unreachable";

pub(crate) async fn check(ports: &Arc<Ports>, question: &Question) -> Result<CheckReport, EngineError> {
    // Also for a task that was accepted under an older configuration.
    let options = under_site(&question.options, ports.settings.encryption).map_err(EngineError::Refused)?;
    admit_options(&options).map_err(EngineError::Refused)?;
    let known = ports.hypervisor.hosts();
    let source = find(ports, &question.domain, question.source.as_ref()).await?;
    let destinations = match &question.targets {
        Targets::These(hosts) => {
            for host in hosts {
                known_host(&known, host)?;
            }
            hosts.clone()
        }
        Targets::All => known.into_iter().filter(|host| *host != source).collect(),
    };
    let Gathered { facts, unreachable } = gather(ports, &question.domain, &source, &destinations).await?;
    let request =
        CheckRequest { options: options.clone(), requester: question.requester.clone(), decided_at: ports.clock.now() };
    let (judgement, (facts_digest, facts_text)) = {
        let (ports, facts) = (Arc::clone(ports), Arc::clone(&facts));
        let runtime = tokio::runtime::Handle::current();
        // Policies compute: off the threads that drive tasks. The digest is as heavy, so it goes along.
        blocking(move || {
            let canonical = facts.canonical();
            let prober = Prober::new(Arc::clone(&ports), facts.source.name.clone(), runtime);
            Ok((ports.policies.precheck(&request, &facts, Some(&prober)), canonical))
        })
        .await?
    };
    let mut judged = judgement.verdicts.into_iter().map(|v| (v.destination.clone(), v)).collect::<Vec<_>>();
    let networks = Arc::clone(&ports.settings.networks);
    for (_, verdict) in &mut judged {
        judge(&networks, &options, &facts, verdict);
    }
    let verdicts = destinations
        .iter()
        .map(|host| match judged.iter().position(|(name, _)| name == host) {
            Some(at) => judged.swap_remove(at).1,
            None => unread(host, unreachable.iter().find(|(name, _)| name == host).map(|(_, fault)| fault)),
        })
        .collect();
    let mut decisions = judgement.decisions;
    for decision in &mut decisions {
        decision.facts_digest.clone_from(&facts_digest);
    }
    Ok(CheckReport { facts, facts_digest, facts_text, verdicts, decisions, options, networks })
}

/// A destination that can't be read is a refused destination, with the host's own words.
fn unread(host: &HostName, fault: Option<&Fault>) -> Verdict {
    let mut evidence = vec![("host".to_owned(), host.to_string())];
    if let Some(fault) = fault {
        evidence.push(("error".to_owned(), fault.to_string()));
        evidence.extend(fault.code.map(|code| ("libvirt code".to_owned(), code.to_string())));
    }
    let finding = Finding {
        code: UNREACHABLE.into(),
        severity: Severity::Blocker,
        message: format!("destination {host} can't be read, so nothing is known of it"),
        evidence,
        remedy: Some(format!("see that libvirt runs on {host} and that `waypost hosts` reaches it")),
    };
    Verdict {
        destination: host.clone(),
        findings: vec![Judged { plugin: PluginName::new("waypost"), mode: PolicyMode::Enforce, finding }],
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| EngineError::Panicked("a policy's thread"))?
}
