//! May every domain go to every host? The whole fleet, read once, judged on all cores.
//!
//! Each host is read once and shared by all domains; a domain is judged against all its candidates in one call of each
//! policy. The shared-storage probe never runs here, no way between hosts is tried, and nothing is put on record: it is a picture, not a decision.

use std::sync::Arc;

use tokio::task::JoinSet;
use waypost_core::facts::{Candidate, DomainBrief, HostFacts, Snapshot};
use waypost_core::ids::{DomainKey, HostName};
use waypost_core::ports::Fault;
use waypost_core::request::{CheckRequest, Options};
use waypost_core::verdict::Verdict;

use crate::check;
use crate::engine::Ports;
use crate::error::EngineError;
use crate::rewriting;

/// One domain and what the rules say of each other host.
#[derive(Debug, Clone)]
pub struct ReadinessRow {
    /// Domain.
    pub domain: DomainBrief,
    /// Where it is.
    pub source: HostName,
    /// One verdict per candidate.
    pub verdicts: Vec<Verdict>,
}

/// The fleet.
#[derive(Debug, Clone)]
pub struct Readiness {
    /// One row per domain.
    pub rows: Vec<ReadinessRow>,
    /// Hosts or domains that could not be read; they are no candidates here.
    pub unread: Vec<Fault>,
}

/// Everything that the policies are asked about, read and not yet judged.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// One snapshot per domain, with its place in its host's list.
    pub snapshots: Vec<(DomainBrief, Arc<Snapshot>)>,
    /// What could not be read.
    pub unread: Vec<Fault>,
}

pub(crate) async fn read(ports: &Arc<Ports>) -> Result<Fleet, EngineError> {
    let mut unread = Vec::new();
    let mut reading = JoinSet::new();
    for name in ports.hypervisor.hosts() {
        let (hypervisor, depth) = (Arc::clone(&ports.hypervisor), ports.depth());
        reading.spawn(async move { hypervisor.host_facts(&name, depth).await });
    }
    let mut hosts: Vec<Arc<HostFacts>> = Vec::new();
    while let Some(facts) = reading.join_next().await {
        match facts.map_err(|_| EngineError::Panicked("reading a host"))? {
            Ok(facts) => hosts.push(Arc::new(facts)),
            Err(fault) => unread.push(fault),
        }
    }
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut snapshots = Vec::new();
    for source in &hosts {
        let mut domains: Vec<&DomainBrief> = source.domains.iter().collect();
        domains.sort_by(|a, b| a.name.cmp(&b.name));
        for brief in domains {
            match snapshot(ports, source, &hosts, brief).await {
                Ok(facts) => snapshots.push((brief.clone(), Arc::new(facts))),
                Err(fault) => unread.push(fault),
            }
        }
    }
    Ok(Fleet { snapshots, unread })
}

async fn snapshot(
    ports: &Ports,
    source: &Arc<HostFacts>,
    hosts: &[Arc<HostFacts>],
    brief: &DomainBrief,
) -> Result<Snapshot, Fault> {
    let taken_at = ports.clock.now();
    let hypervisor = &ports.hypervisor;
    let domain = Arc::new(hypervisor.domain_facts(&source.name, &DomainKey::Id(brief.id)).await?);
    let source_disks = hypervisor.disk_views(&source.name, &domain).await?;
    let mut candidates = Vec::new();
    for host in hosts.iter().filter(|host| host.name != source.name) {
        let pair = hypervisor.pair_facts(&host.name, &domain).await?;
        candidates.push(Candidate { host: Arc::clone(host), pair });
    }
    let source_disks_again = hypervisor.disk_views(&source.name, &domain).await?;
    Ok(Snapshot { taken_at, domain, source: Arc::clone(source), source_disks, source_disks_again, candidates })
}

pub(crate) async fn judge(
    ports: &Arc<Ports>,
    fleet: Fleet,
    options: &Options,
    requester: &str,
) -> Result<Readiness, EngineError> {
    let request = Arc::new(CheckRequest {
        options: options.clone(),
        requester: requester.to_owned(),
        decided_at: ports.clock.now(),
    });
    let networks = Arc::clone(&ports.settings().networks);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let Fleet { snapshots, mut unread } = fleet;
    let mut judged = Vec::with_capacity(snapshots.len());
    for (brief, facts) in snapshots {
        let mut rewritten = rewriting::rewrite(ports, &request, &facts).await?;
        unread.extend(rewritten.unreachable.drain(..).map(|(_, fault)| fault));
        judged.push((brief, facts, rewritten));
    }
    let snapshots = Arc::new(judged);
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut judging = JoinSet::new();
    for _ in 0..workers {
        let (ports, request, networks) = (Arc::clone(ports), Arc::clone(&request), Arc::clone(&networks));
        let (snapshots, next) = (Arc::clone(&snapshots), Arc::clone(&next));
        judging.spawn_blocking(move || {
            let mut rows = Vec::new();
            loop {
                let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let Some((brief, facts, rewritten)) = snapshots.get(index) else { return rows };
                let (mut verdicts, _) = rewriting::judge(&ports, &networks, &request, rewritten, None);
                verdicts.sort_by_key(|verdict| place_of(facts, verdict));
                for verdict in &mut verdicts {
                    check::judge(&networks, &request.options, &rewritten.edits, facts, verdict);
                }
                let row = ReadinessRow { domain: brief.clone(), source: facts.source.name.clone(), verdicts };
                rows.push((index, row));
            }
        });
    }
    let mut rows = Vec::with_capacity(snapshots.len());
    while let Some(part) = judging.join_next().await {
        rows.extend(part.map_err(|_| EngineError::Panicked("a policy's thread"))?);
    }
    rows.sort_by_key(|(index, _)| *index);
    Ok(Readiness { rows: rows.into_iter().map(|(_, row)| row).collect(), unread })
}

/// Where a verdict's destination is among the candidates.
fn place_of(facts: &Snapshot, verdict: &Verdict) -> usize {
    facts.candidates.iter().position(|candidate| candidate.host.name == verdict.destination).unwrap_or(usize::MAX)
}
