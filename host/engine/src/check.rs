//! What do the rules say? The same code for a check, a dry run and a real migration.

use std::sync::Arc;

use waypost_core::admission::{admit_options, under_site};
use waypost_core::edit::Edits;
use waypost_core::facts::{Candidate, Snapshot};
use waypost_core::finding::{Finding, Severity};
use waypost_core::ids::{DomainKey, HostName, PluginName};
use waypost_core::network::{Networks, route};
use waypost_core::plan::{Plan, PlanError, plan};
use waypost_core::ports::{DecisionRecord, Fault, FaultKind};
use waypost_core::request::{CheckRequest, MigrationRequest, Options};
use waypost_core::verdict::{Decision, Judged, PolicyMode, Verdict};

use crate::engine::Ports;
use crate::error::EngineError;
use crate::gather::{Gathered, find, gather, known_host};
use crate::probe::{Probed, Prober, touched};
use crate::rewriting::{self, rewrite};
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

impl Question {
    /// May it go to every other host, as its state allows, wherever it is? Whoever wants to know something else changes the fields.
    pub fn new(domain: DomainKey, requester: impl Into<String>) -> Self {
        let requester = requester.into();
        Self { domain, source: None, targets: Targets::All, options: Options::default(), requester }
    }
}

impl From<MigrationRequest> for Question {
    /// Whether it may be done as it is asked for.
    fn from(request: MigrationRequest) -> Self {
        let MigrationRequest { domain, source, destination, options, requester } = request;
        Self { domain, source, targets: Targets::These(vec![destination]), options, requester }
    }
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
    /// What a storage probe made for it, where a policy was granted one.
    pub probed: Vec<Probed>,
    /// The canonical texts on which policies decided, by digest, for who keeps them: they cost in proportion to what the
    /// hosts hold. The first is that of the facts as they were read.
    pub(crate) texts: Vec<(String, String)>,
    /// What is edited in the definition on its way, by destination.
    edits: Vec<(HostName, Edits)>,
    options: Options,
    networks: Arc<Networks>,
}

impl CheckReport {
    /// What would be done: the plan for a destination that was allowed, or why there can be none. None for a destination
    /// that the rules refuse, or that was not read.
    pub fn plan(&self, destination: &HostName, attempt: u32) -> Option<Result<Plan, PlanError>> {
        let allowed = self.verdicts.iter().any(|v| v.destination == *destination && v.decision() == Decision::Allowed);
        let candidate = self.facts.candidates.iter().find(|c| c.host.name == *destination)?;
        let planned = planned(attempt, &self.options, &self.networks, &self.edits, &self.facts, candidate);
        (allowed || planned.is_err()).then_some(planned)
    }

    /// What was touched to know all this, after the words "nothing was touched": empty, or what a storage probe made.
    pub fn touched(&self) -> String {
        touched(&self.probed)
    }

    /// What is edited in the definition on its way to a destination.
    pub fn edits(&self, destination: &HostName) -> Edits {
        edits_for(&self.edits, destination)
    }

    /// The networks among which the plan chooses.
    pub(crate) fn networks(&self) -> &Networks {
        &self.networks
    }

    /// The choices that were judged: what was asked for, under what the site says.
    pub fn options(&self) -> &Options {
        &self.options
    }
}

/// The edits for a destination.
fn edits_for(edits: &[(HostName, Edits)], destination: &HostName) -> Edits {
    edits.iter().find(|(name, _)| name == destination).map_or_else(Edits::default, |(_, edits)| edits.clone())
}

/// The plan for a candidate, with its edits and networks.
fn planned(
    attempt: u32,
    options: &Options,
    networks: &Networks,
    edits: &[(HostName, Edits)],
    facts: &Snapshot,
    to: &Candidate,
) -> Result<Plan, PlanError> {
    let plan = plan(attempt, options, facts, to)?.with_edits(edits_for(edits, &to.host.name))?;
    Ok(route(plan, networks, options, facts, to)?)
}

/// What the host itself has to say of a destination: its networks, and whether a plan can be made at all. What a policy
/// found already, and is obeyed in, is not said again.
pub(crate) fn judge(
    networks: &Networks,
    options: &Options,
    edits: &[(HostName, Edits)],
    facts: &Snapshot,
    verdict: &mut Verdict,
) {
    way::judge(networks, options, facts, verdict);
    let Some(candidate) = facts.candidates.iter().find(|c| c.host.name == verdict.destination) else { return };
    let error = match planned(1, options, networks, edits, facts, candidate) {
        Ok(plan) => return way::judge_disks(networks, options, &plan, facts, candidate, verdict),
        Err(error) => error,
    };
    let blocks = |judged: &Judged| judged.mode == PolicyMode::Enforce && judged.weight() == Severity::Blocker;
    if verdict.findings.iter().any(|judged| blocks(judged) && judged.finding.code == error.code()) {
        return;
    }
    let mut evidence = vec![("destination".to_owned(), verdict.destination.to_string())];
    if matches!(error, PlanError::Network(_)) {
        evidence.extend(way::tried(candidate));
    }
    let finding = Finding {
        code: error.code().into(),
        severity: Severity::Blocker,
        message: error.to_string(),
        evidence,
        remedy: Some(error.remedy()),
    };
    verdict.findings.push(Judged { plugin: PluginName::new("waypost"), mode: PolicyMode::Enforce, finding });
}

/// Codes of the engine's own findings.
const UNREACHABLE: &str = "destination-unreachable";

pub(crate) async fn check(ports: &Arc<Ports>, question: &Question) -> Result<CheckReport, EngineError> {
    // Also for a task that was accepted under an older configuration.
    let settings = ports.settings();
    let options = under_site(&question.options, settings.encryption).map_err(EngineError::Refused)?;
    let networks = Arc::clone(&settings.networks);
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
    let Gathered { facts, mut unreachable } =
        gather(ports, &question.domain, &source, &destinations, (&options, &networks)).await?;
    let request =
        CheckRequest { options: options.clone(), requester: question.requester.clone(), decided_at: ports.clock.now() };
    let mut rewritten = rewrite(ports, &request, &facts).await?;
    unreachable.append(&mut rewritten.unreachable);
    let edits = rewritten.edits.clone();
    let (verdicts, decisions, texts, probed) = {
        let (ports, networks, facts) = (Arc::clone(ports), Arc::clone(&networks), Arc::clone(&facts));
        let runtime = tokio::runtime::Handle::current();
        // Policies compute: off the threads that drive tasks. The digests are as heavy, so they go along.
        blocking(move || {
            let mut texts = vec![facts.canonical()];
            let prober = Prober::new(Arc::clone(&ports), facts.source.name.clone(), runtime);
            let (verdicts, judged) = rewriting::judge(&ports, &networks, &request, &rewritten, Some(&prober));
            let mut decisions = on_ground_of(&texts[0].0, rewritten.decisions);
            for (ground, records) in judged {
                let at = match Arc::ptr_eq(&ground, &facts) {
                    true => 0,
                    false => {
                        texts.push(ground.canonical());
                        texts.len() - 1
                    }
                };
                decisions.extend(on_ground_of(&texts[at].0, records));
            }
            Ok((verdicts, decisions, texts, prober.made()))
        })
        .await?
    };
    let facts_digest = texts.first().map(|(digest, _)| digest.clone()).unwrap_or_default();
    let mut judged = verdicts.into_iter().map(|v| (v.destination.clone(), v)).collect::<Vec<_>>();
    for (_, verdict) in &mut judged {
        judge(&networks, &options, &edits, &facts, verdict);
    }
    let verdicts = destinations
        .iter()
        .map(|host| match judged.iter().position(|(name, _)| name == host) {
            Some(at) => judged.swap_remove(at).1,
            None => unread(host, unreachable.iter().find(|(name, _)| name == host).map(|(_, fault)| fault)),
        })
        .collect();
    Ok(CheckReport { facts, facts_digest, verdicts, decisions, probed, texts, edits, options, networks })
}

/// The records with the digest of the facts on which they were made.
fn on_ground_of(digest: &str, mut records: Vec<DecisionRecord>) -> Vec<DecisionRecord> {
    records.iter_mut().for_each(|record| digest.clone_into(&mut record.facts_digest));
    records
}

/// A destination that can't be read is a refused destination, with the host's own words.
pub(crate) fn unread(host: &HostName, fault: Option<&Fault>) -> Verdict {
    let mut evidence = vec![("host".to_owned(), host.to_string())];
    if let Some(fault) = fault {
        evidence.push(("error".to_owned(), fault.to_string()));
        evidence.push(("kind of error".to_owned(), fault.kind.to_string()));
        evidence.extend(fault.code.map(|code| ("libvirt code".to_owned(), code.to_string())));
    }
    let remedy = match fault.filter(|fault| fault.kind == FaultKind::Authentication) {
        Some(fault) => format!("see what is configured for {host}, which lets nobody in with it: {}", fault.message),
        None => format!("see that libvirt runs on {host} and that `waypost hosts` reaches it"),
    };
    let finding = Finding {
        code: UNREACHABLE.into(),
        severity: Severity::Blocker,
        message: format!("destination {host} can't be read, so nothing is known of it"),
        evidence,
        remedy: Some(remedy),
    };
    Verdict {
        destination: host.clone(),
        findings: vec![Judged { plugin: PluginName::new("waypost"), mode: PolicyMode::Enforce, finding }],
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    // What it logs is about the same task.
    let span = tracing::Span::current();
    let work = move || span.in_scope(work);
    tokio::task::spawn_blocking(work).await.map_err(|_| EngineError::Panicked("a policy's thread"))?
}
