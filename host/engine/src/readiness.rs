//! May every domain go to every host? The whole fleet, read once, judged on all cores.
//!
//! Each host is read once and shared by all domains; a domain is judged against all its candidates in one call of each
//! policy. The shared-storage probe never runs here (what one has proven counts), no way between hosts is tried, and nothing is put
//! on record: it is a picture, not a decision. Pictures are the dearest thing that anybody may ask for, so those who ask at once share
//! one reading, and one is judged at a time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use waypost_core::admission::{admit_options, under_site};
use waypost_core::facts::{Candidate, DomainBrief, HostFacts, Snapshot, StorageProof};
use waypost_core::ids::{DomainKey, HostName};
use waypost_core::ports::Fault;
use waypost_core::request::{CheckRequest, Options};
use waypost_core::verdict::Verdict;

use crate::check::{self, blocking};
use crate::engine::Ports;
use crate::error::EngineError;
use crate::probe;
use crate::rewriting;

/// How many domains of a host are read at once. A connection has four threads (see waypost-libvirt), and a domain is asked about on
/// all hosts: more would only wait there, before whatever a task asks.
const AT_ONCE: usize = 4;

/// One domain and what the rules say of each other host.
#[derive(Debug, Clone)]
pub struct ReadinessRow {
    /// Domain.
    pub domain: DomainBrief,
    /// Where it is.
    pub source: HostName,
    /// One verdict for each other host, by its name.
    pub verdicts: Vec<Verdict>,
}

/// The fleet.
#[derive(Debug, Clone)]
pub struct Readiness {
    /// One row per domain.
    pub rows: Vec<ReadinessRow>,
    /// Hosts whose domains are not known, and domains that could not be read: what has no rows here.
    pub unread: Vec<Unread>,
}

/// What could not be read.
#[derive(Debug, Clone)]
pub struct Unread {
    /// The domain, and where it is; none where it is a whole host.
    pub domain: Option<(HostName, DomainBrief)>,
    /// Why.
    pub fault: Fault,
}

/// A domain, with all that is known for its row.
#[derive(Debug, Clone)]
pub struct Pictured {
    /// Its place in its host's list.
    pub domain: DomainBrief,
    /// What the policies are asked about.
    pub facts: Arc<Snapshot>,
    /// Hosts that could not be asked about it.
    pub unreachable: Vec<(HostName, Fault)>,
}

/// Everything that the policies are asked about, read and not yet judged.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Its domains, host by host.
    pub domains: Vec<Pictured>,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

/// Keeps pictures from being taken side by side.
#[derive(Default)]
pub(crate) struct Camera {
    /// The number of readings that were begun.
    begun: AtomicU64,
    /// The last one and its number, as long as somebody has it. Held by whoever reads.
    last: Mutex<(u64, Weak<Fleet>)>,
    /// Held by whoever judges.
    judging: Mutex<()>,
}

/// Reads the fleet, or takes what somebody else has read since this was asked for: nobody is shown what was so before.
pub(crate) async fn fleet(ports: &Arc<Ports>) -> Result<Arc<Fleet>, EngineError> {
    let camera = &ports.camera;
    let asked_after = camera.begun.load(Ordering::Relaxed);
    let mut last = camera.last.lock().await;
    if last.0 > asked_after
        && let Some(fleet) = last.1.upgrade()
    {
        return Ok(fleet);
    }
    let number = camera.begun.fetch_add(1, Ordering::Relaxed) + 1;
    let fleet = Arc::new(read(ports).await?);
    *last = (number, Arc::downgrade(&fleet));
    Ok(fleet)
}

async fn read(ports: &Arc<Ports>) -> Result<Fleet, EngineError> {
    let mut unread = Vec::new();
    let mut reading = JoinSet::new();
    for name in ports.hypervisor.hosts() {
        let (hypervisor, depth) = (Arc::clone(&ports.hypervisor), ports.depth());
        reading.spawn(async move { (name.clone(), hypervisor.host_facts(&name, depth).await) });
    }
    let mut hosts: Vec<Arc<HostFacts>> = Vec::new();
    let mut silent = Vec::new();
    while let Some(facts) = reading.join_next().await {
        match facts.map_err(|_| EngineError::Panicked("reading a host"))? {
            (_, Ok(facts)) => hosts.push(Arc::new(facts)),
            (name, Err(fault)) => silent.push((name, fault)),
        }
    }
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    silent.sort_by(|(a, _), (b, _)| a.cmp(b));
    let proofs = proofs(ports, &hosts).await?;
    unread.extend(silent.iter().map(|(_, fault)| Unread { domain: None, fault: fault.clone() }));

    let there = Arc::new(There { hosts, silent, proofs });
    let mut reading = JoinSet::new();
    for source in &there.hosts {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        for brief in &source.domains {
            let (ports, there, turns) = (Arc::clone(ports), Arc::clone(&there), Arc::clone(&turns));
            let (source, brief) = (Arc::clone(source), brief.clone());
            reading.spawn(async move {
                // Nobody closes it.
                let _turn = turns.acquire_owned().await;
                let pictured = picture(&ports, &there, &source, &brief).await;
                (source.name.clone(), brief, pictured)
            });
        }
    }
    let mut domains = Vec::new();
    while let Some(read) = reading.join_next().await {
        let (source, brief, pictured) = read.map_err(|_| EngineError::Panicked("reading a domain"))?;
        match pictured {
            Ok(pictured) => domains.push(pictured),
            Err(fault) => unread.push(Unread { domain: Some((source, brief)), fault }),
        }
    }
    domains.sort_by(|a, b| (&a.facts.source.name, &a.domain.name).cmp(&(&b.facts.source.name, &b.domain.name)));
    let place = |unread: &Unread| unread.domain.as_ref().map(|(host, domain)| (host.clone(), domain.name.clone()));
    unread.sort_by_key(place);
    Ok(Fleet { domains, unread })
}

/// All hosts, as they were read for the picture.
struct There {
    hosts: Vec<Arc<HostFacts>>,
    silent: Vec<(HostName, Fault)>,
    /// What was proven of the storage of two hosts, by source and destination.
    proofs: BTreeMap<(HostName, HostName), Vec<StorageProof>>,
}

/// What probes have proven and still holds.
async fn proofs(
    ports: &Arc<Ports>,
    hosts: &[Arc<HostFacts>],
) -> Result<BTreeMap<(HostName, HostName), Vec<StorageProof>>, EngineError> {
    let names: Vec<HostName> = hosts.iter().map(|host| host.name.clone()).collect();
    let ports = Arc::clone(ports);
    blocking(move || {
        let mut proofs = BTreeMap::new();
        for source in &names {
            for destination in names.iter().filter(|name| *name != source) {
                let holding = probe::holding(&ports, source, destination)?;
                if !holding.is_empty() {
                    proofs.insert((source.clone(), destination.clone()), holding);
                }
            }
        }
        Ok(proofs)
    })
    .await
}

/// One domain, seen from all hosts. Trouble with it, or with its source, ends it; trouble with a candidate is that candidate's.
async fn picture(
    ports: &Ports,
    there: &There,
    source: &Arc<HostFacts>,
    brief: &DomainBrief,
) -> Result<Pictured, Fault> {
    let taken_at = ports.clock.now();
    let hypervisor = &ports.hypervisor;
    let domain = Arc::new(hypervisor.domain_facts(&source.name, &DomainKey::Id(brief.id)).await?);
    let source_disks = hypervisor.disk_views(&source.name, &domain).await?;
    let mut asking = JoinSet::new();
    for host in there.hosts.iter().filter(|host| host.name != source.name) {
        let (hypervisor, host, domain) = (Arc::clone(hypervisor), Arc::clone(host), Arc::clone(&domain));
        asking.spawn(async move {
            let pair = hypervisor.pair_facts(&host.name, &domain).await;
            (host, pair)
        });
    }
    let (mut candidates, mut unreachable) = (Vec::new(), there.silent.clone());
    for (host, pair) in asking.join_all().await {
        match pair {
            Ok(mut pair) => {
                let proven = there.proofs.get(&(source.name.clone(), host.name.clone()));
                if !domain.disks.is_empty() {
                    pair.storage_proofs = proven.cloned().unwrap_or_default();
                }
                candidates.push(Candidate { host, pair });
            }
            Err(fault) => unreachable.push((host.name.clone(), fault)),
        }
    }
    candidates.sort_by(|a, b| a.host.name.cmp(&b.host.name));
    let source_disks_again = hypervisor.disk_views(&source.name, &domain).await?;
    let facts = Snapshot { taken_at, domain, source: Arc::clone(source), source_disks, source_disks_again, candidates };
    Ok(Pictured { domain: brief.clone(), facts: Arc::new(facts), unreachable })
}

pub(crate) async fn judge(
    ports: &Arc<Ports>,
    fleet: Fleet,
    options: &Options,
    requester: &str,
) -> Result<Readiness, EngineError> {
    let settings = ports.settings();
    // As a check would.
    let options = under_site(options, settings.encryption).map_err(EngineError::Refused)?;
    admit_options(&options).map_err(EngineError::Refused)?;
    let request = Arc::new(CheckRequest { options, requester: requester.to_owned(), decided_at: ports.clock.now() });
    let networks = Arc::clone(&settings.networks);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let _one_at_a_time = ports.camera.judging.lock().await;
    let Fleet { domains, unread } = fleet;
    let mut rewritten = Vec::with_capacity(domains.len());
    for domain in domains {
        let edited = rewriting::rewrite(ports, &request, &domain.facts).await?;
        rewritten.push((domain, edited));
    }
    let all = Arc::new(rewritten);
    let next = Arc::new(AtomicUsize::new(0));
    // A thread that is judging can't be stopped: it looks whether anybody still waits for it.
    let waiting = Arc::new(());
    let mut judging = JoinSet::new();
    for _ in 0..workers {
        let (ports, request, networks) = (Arc::clone(ports), Arc::clone(&request), Arc::clone(&networks));
        let (all, next, waiting) = (Arc::clone(&all), Arc::clone(&next), Arc::downgrade(&waiting));
        judging.spawn_blocking(move || {
            let mut rows = Vec::new();
            while waiting.strong_count() > 0 {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some((Pictured { domain, facts, unreachable }, rewritten)) = all.get(index) else { break };
                let (mut verdicts, _) = rewriting::judge(&ports, &networks, &request, rewritten, None);
                for verdict in &mut verdicts {
                    check::judge(&networks, &request.options, &rewritten.edits, facts, verdict);
                }
                let silent = unreachable.iter().chain(&rewritten.unreachable);
                verdicts.extend(silent.map(|(host, fault)| check::unread(host, Some(fault))));
                verdicts.sort_by(|a, b| a.destination.cmp(&b.destination));
                let row = ReadinessRow { domain: domain.clone(), source: facts.source.name.clone(), verdicts };
                rows.push((index, row));
            }
            rows
        });
    }
    let mut rows = Vec::with_capacity(all.len());
    while let Some(part) = judging.join_next().await {
        rows.extend(part.map_err(|_| EngineError::Panicked("a policy's thread"))?);
    }
    drop(waiting);
    rows.sort_by_key(|(index, _)| *index);
    Ok(Readiness { rows: rows.into_iter().map(|(_, row)| row).collect(), unread })
}
