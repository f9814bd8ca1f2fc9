//! Reads the facts of one decision: the domain, its source, all candidates, at one moment and concurrently.

use std::sync::Arc;

use tokio::task::JoinSet;
use waypost_core::facts::{Candidate, DomainBrief, DomainFacts, DomainState, HostFacts, PairFacts, Snapshot};
use waypost_core::ids::{DomainKey, HostName};
use waypost_core::network::{Networks, targets};
use waypost_core::ports::{Fault, FaultKind};
use waypost_core::request::Options;

use crate::engine::Ports;
use crate::error::EngineError;
use crate::probe;

/// The facts, and the candidates that could not be read: a host that is down must not hide what the others say.
pub(crate) struct Gathered {
    pub(crate) facts: Arc<Snapshot>,
    pub(crate) unreachable: Vec<(HostName, Fault)>,
}

/// Finds the host that has the domain. Where several do, an active copy tells them from a definition that was kept.
pub(crate) async fn find(
    ports: &Ports,
    domain: &DomainKey,
    source: Option<&HostName>,
) -> Result<HostName, EngineError> {
    let known = ports.hypervisor.hosts();
    if let Some(source) = source {
        return known_host(&known, source).map(|()| source.clone());
    }
    let mut asking = JoinSet::new();
    for host in known.clone() {
        let hypervisor = Arc::clone(&ports.hypervisor);
        asking.spawn(async move {
            let domains = hypervisor.domains(&host).await;
            (host, domains)
        });
    }
    let (mut active, mut defined, mut silent) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(answer) = asking.join_next().await {
        // A host that doesn't answer can't be the one that was meant without being named.
        let (host, domains) = match answer {
            Ok((host, Ok(domains))) => (host, domains),
            Ok((host, Err(_))) => {
                silent.push(host);
                continue;
            }
            Err(_) => return Err(EngineError::Panicked("listing a host's domains")),
        };
        let mine = domains.into_iter().find(|d| match domain {
            DomainKey::Id(id) => d.id == *id,
            DomainKey::Name(name) => d.name == *name,
        });
        match mine {
            Some(d) if d.state.is_active() => active.push((host, d)),
            Some(_) => defined.push(host),
            None => {}
        }
    }
    // One domain that is active twice is being migrated: it is where it runs, the other copy is on its way in.
    let one_domain = active.windows(2).all(|pair| pair[0].1.id == pair[1].1.id);
    if active.len() > 1 && one_domain && active.iter().filter(|(_, d)| runs(d)).count() == 1 {
        active.retain(|(_, d)| runs(d));
    }
    let active_nowhere = active.is_empty();
    let mut candidates: Vec<_> =
        if active.is_empty() { defined } else { active.into_iter().map(|(host, _)| host).collect() };
    // A definition that isn't running may be one that was kept while the domain runs on the host that is silent.
    let only_defined = active_nowhere && !candidates.is_empty();
    if only_defined && !silent.is_empty() {
        silent.sort();
        return Err(EngineError::MayRunElsewhere {
            domain: domain.clone(),
            defined: list(&candidates),
            silent: list(&silent),
        });
    }
    match candidates.len() {
        1 => Ok(candidates.remove(0)),
        0 => {
            silent.sort();
            let silent = if silent.is_empty() { String::new() } else { format!("; no answer from: {}", list(&silent)) };
            Err(EngineError::NoDomain { domain: domain.clone(), asked: list(&known), silent })
        }
        _ => {
            candidates.sort();
            Err(EngineError::Ambiguous { domain: domain.clone(), hosts: list(&candidates) })
        }
    }
}

fn runs(domain: &DomainBrief) -> bool {
    matches!(domain.state, DomainState::Running | DomainState::Blocked)
}

pub(crate) fn known_host(known: &[HostName], name: &HostName) -> Result<(), EngineError> {
    if known.contains(name) { Ok(()) } else { Err(EngineError::NoHost { name: name.clone(), known: list(known) }) }
}

pub(crate) fn list(hosts: &[HostName]) -> String {
    hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")
}

/// Reads everything. Trouble with the source or the domain ends it, trouble with a candidate is that candidate's.
pub(crate) async fn gather(
    ports: &Ports,
    domain: &DomainKey,
    source: &HostName,
    destinations: &[HostName],
    (options, networks): (&Options, &Arc<Networks>),
) -> Result<Gathered, EngineError> {
    let taken_at = ports.clock.now();
    let depth = ports.depth();
    // The candidates' own facts don't need the domain's: they are read while the domain is.
    let mut hosts = JoinSet::new();
    for (index, name) in destinations.iter().cloned().enumerate() {
        let hypervisor = Arc::clone(&ports.hypervisor);
        hosts.spawn(async move { (index, hypervisor.host_facts(&name, depth).await) });
    }
    let source_host = {
        let (hypervisor, source) = (Arc::clone(&ports.hypervisor), source.clone());
        tokio::spawn(async move { hypervisor.host_facts(&source, depth).await })
    };
    let domain_facts = Arc::new(ports.hypervisor.domain_facts(source, domain).await?);
    let source_disks = ports.hypervisor.disk_views(source, &domain_facts).await?;
    let source_host = Arc::new(source_host.await.map_err(|_| EngineError::Panicked("reading the source"))??);

    let mut pairs = JoinSet::new();
    let mut read: Vec<Option<Result<(HostFacts, PairFacts), Fault>>> = destinations.iter().map(|_| None).collect();
    while let Some(answer) = hosts.join_next().await {
        let (index, facts) = answer.map_err(|_| EngineError::Panicked("reading a candidate"))?;
        match facts {
            Err(fault) => read[index] = Some(Err(fault)),
            Ok(facts) => {
                let (hypervisor, domain) = (Arc::clone(&ports.hypervisor), Arc::clone(&domain_facts));
                let ways = targets(networks, options, &domain, &source_host, &facts);
                let source = source.clone();
                pairs.spawn(async move {
                    let compared = hypervisor.pair_facts(&facts.name, &domain);
                    let (pair, ways_tried) = tokio::join!(compared, hypervisor.try_ways(&source, &ways));
                    (index, pair.map(|pair| (facts, PairFacts { ways_tried, ..pair })))
                });
            }
        }
    }
    while let Some(answer) = pairs.join_next().await {
        let (index, both) = answer.map_err(|_| EngineError::Panicked("reading a candidate"))?;
        read[index] = Some(both);
    }

    let (mut candidates, mut unreachable) = (Vec::new(), Vec::new());
    for (name, answer) in destinations.iter().zip(read) {
        match answer {
            Some(Ok((host, mut pair))) => {
                pair.storage_proofs = proofs(ports, source, name, &domain_facts)?;
                candidates.push(Candidate { host: Arc::new(host), pair });
            }
            Some(Err(fault)) => unreachable.push((name.clone(), fault)),
            None => unreachable.push((name.clone(), unread(name))),
        }
    }
    let source_disks_again = ports.hypervisor.disk_views(source, &domain_facts).await?;
    let facts = Arc::new(Snapshot {
        taken_at,
        domain: domain_facts,
        source: source_host,
        source_disks,
        source_disks_again,
        candidates,
    });
    Ok(Gathered { facts, unreachable })
}

fn proofs(
    ports: &Ports,
    source: &HostName,
    destination: &HostName,
    domain: &DomainFacts,
) -> Result<Vec<waypost_core::facts::StorageProof>, EngineError> {
    if domain.disks.is_empty() {
        return Ok(Vec::new());
    }
    Ok(probe::holding(ports, source, destination)?)
}

fn unread(host: &HostName) -> Fault {
    Fault {
        kind: FaultKind::Other,
        host: host.clone(),
        attempted: "read its facts".into(),
        message: "no answer".into(),
        code: None,
        domain: None,
    }
}
