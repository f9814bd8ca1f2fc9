//! The facts of one decision as host functions find them: the snapshot and an index of what each host holds.
//!
//! A handle that a policy holds is a number: 0 is the source, `n` the candidate `n - 1`. wasmtime keeps per instance which
//! numbers were handed out as what, so a policy can't make one up, and there is nothing to free when it drops one.
//!
//! In a readiness matrix the same hosts come back with every domain, so their indexes are kept for as long as their
//! facts are, and each part of an index is made when it is first asked for.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use waypost_core::copies;
use waypost_core::facts::{Candidate, DomainBrief, HostFacts, Network, Pool, Snapshot};
use waypost_core::ids::DomainId;
use waypost_core::request::Options;
use waypost_core::stream::{Disks, Transport};

/// The domain of the snapshot, as the type of its handle.
pub enum DomainHandle {}
/// A host of the snapshot, as the type of its handle.
pub enum HostHandle {}

/// Lists up to this length are searched from end to end.
const SHORT: usize = 12;

/// A snapshot that can be asked.
pub(crate) struct View {
    snapshot: Arc<Snapshot>,
    /// Disks that the request has travel along.
    disks: Disks,
    /// Who drives the migration that is asked about.
    transport: Transport,
    indexes: Vec<Arc<HostIndex>>,
}

/// One host of a view.
#[derive(Clone, Copy)]
pub(crate) struct HostView<'a> {
    pub facts: &'a HostFacts,
    /// What depends on the pair; none for the source.
    pub candidate: Option<&'a Candidate>,
    index: &'a HostIndex,
}

impl View {
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
    /// What comes of the wish to copy a disk to a candidate; none where it is not copied.
    pub fn disk_copy(&self, to: &Candidate, target: &str) -> Option<Result<(), String>> {
        let mut copies = copies::resolve(&self.disks, &self.snapshot, to).into_iter();
        let (_, copy) = copies.find(|(disk, _)| disk == target)?;
        Some(copy.map(drop).map_err(|why| why.to_string()))
    }
    /// Whether the source's daemon is to connect to a candidate's.
    pub fn needs_peer_uri(&self) -> bool {
        self.transport != Transport::Direct
    }
    /// Source and candidates.
    pub fn host_count(&self) -> usize {
        self.indexes.len()
    }
    /// The host of a handle.
    pub fn host(&self, handle: u32) -> Option<HostView<'_>> {
        let index = self.indexes.get(handle as usize)?;
        let candidate = match handle.checked_sub(1) {
            None => None,
            Some(at) => Some(self.snapshot.candidates.get(at as usize)?),
        };
        let facts = candidate.map_or(&*self.snapshot.source, |candidate| &candidate.host);
        Some(HostView { facts, candidate, index })
    }
}

impl<'a> HostView<'a> {
    pub fn pool(&self, name: &str) -> Option<&'a Pool> {
        look_up(&self.facts.pools, &self.index.pools, |pool| pool.name.as_str(), name)
    }
    pub fn network(&self, name: &str) -> Option<&'a Network> {
        look_up(&self.facts.networks, &self.index.networks, |network| network.name.as_str(), name)
    }
    pub fn domain_by_name(&self, name: &str) -> Option<&'a DomainBrief> {
        look_up(&self.facts.domains, &self.index.domains_by_name, |domain| domain.name.as_str(), name)
    }
    pub fn domain_by_id(&self, id: DomainId) -> Option<&'a DomainBrief> {
        let domains = &self.facts.domains;
        if domains.len() <= SHORT {
            return domains.iter().find(|domain| domain.id == id);
        }
        let index = self.index.domains_by_id.get_or_init(|| positions(domains.iter().map(|domain| domain.id)));
        domains.get(*index.get(&id)?)
    }
}

fn look_up<'a, T>(
    items: &'a [T],
    index: &OnceLock<HashMap<Box<str>, usize>>,
    name_of: fn(&T) -> &str,
    name: &str,
) -> Option<&'a T> {
    if items.len() <= SHORT {
        return items.iter().find(|item| name_of(item) == name);
    }
    items.get(*index.get_or_init(|| positions(items.iter().map(|item| name_of(item).into()))).get(name)?)
}

/// Where each key is first seen: the same answer as a search from end to end.
fn positions<K: Hash + Eq>(keys: impl Iterator<Item = K>) -> HashMap<K, usize> {
    let mut map = HashMap::new();
    for (at, key) in keys.enumerate() {
        map.entry(key).or_insert(at);
    }
    map
}

/// Where things are in the lists of one host.
#[derive(Default)]
struct HostIndex {
    pools: OnceLock<HashMap<Box<str>, usize>>,
    networks: OnceLock<HashMap<Box<str>, usize>>,
    domains_by_name: OnceLock<HashMap<Box<str>, usize>>,
    domains_by_id: OnceLock<HashMap<DomainId, usize>>,
}

/// The indexes of all host facts that are alive.
#[derive(Default)]
pub(crate) struct Indexes {
    // The key is the address of the facts. The weak reference keeps that address from being used again, so an entry
    // never speaks of other facts than those it was made for.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    by_address: HashMap<usize, (Weak<HostFacts>, Arc<HostIndex>)>,
    sweep_at: usize,
}

impl Indexes {
    /// Makes a snapshot askable.
    pub fn view(&self, snapshot: &Arc<Snapshot>, options: &Options) -> Arc<View> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.by_address.len() > known.sweep_at {
            known.by_address.retain(|_, (facts, _)| facts.strong_count() > 0);
            known.sweep_at = 64 + 2 * known.by_address.len();
        }
        let hosts =
            std::iter::once(&snapshot.source).chain(snapshot.candidates.iter().map(|candidate| &candidate.host));
        let indexes = hosts
            .map(|facts| {
                let entry = known.by_address.entry(Arc::as_ptr(facts) as usize);
                let (_, index) = entry.or_insert_with(|| (Arc::downgrade(facts), Arc::default()));
                Arc::clone(index)
            })
            .collect();
        let (disks, transport) = (options.disks.clone(), options.transport);
        Arc::new(View { snapshot: Arc::clone(snapshot), disks, transport, indexes })
    }
}
