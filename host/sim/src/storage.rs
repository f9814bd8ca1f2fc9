//! Stores and their volumes. Two pools on two hosts are one store where they name the same one; a file that merely has
//! the same path elsewhere is another file, which its change time shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use waypost_core::copies::CopiedDisk;
use waypost_core::facts::{DiskView, DomainFacts, HostFacts, PoolSource, Volume};

use crate::fleet::{DiskSpec, DomainSpec, HostSpec, PoolSpec};
use crate::generate::uuid_of;

/// All stores by identity, each with its volumes by name; and of those that make volumes in extents only, how large one is.
#[derive(Debug, Default)]
pub(crate) struct Stores(BTreeMap<String, BTreeMap<String, Volume>>, BTreeMap<String, u64>);

const GIB: u64 = 1 << 30;

/// What store a pool of a host is.
pub(crate) fn identity(host: &HostSpec, pool: &PoolSpec) -> String {
    match &pool.store {
        Some(store) => format!("store {store}"),
        None if pool.servers.is_empty() => format!("pool {} of {}", pool.name, host.name),
        None => format!("{} {:?} {:?} {:?}", pool.kind, pool.servers, pool.dir, pool.source_name),
    }
}

/// What the definition of a pool tells of its store.
pub(crate) fn source(pool: &PoolSpec) -> PoolSource {
    let format = (pool.kind == "netfs").then(|| "nfs".to_owned());
    PoolSource {
        hosts: pool.servers.clone(),
        dir: pool.dir.clone().filter(|_| !pool.servers.is_empty()),
        devices: vec![],
        name: pool.source_name.clone(),
        format,
        adapter: None,
    }
}

/// The target of a disk of a domain.
pub(crate) fn target(index: usize, disk: &DiskSpec) -> String {
    let letter = char::from(b'a' + u8::try_from(index % 26).unwrap_or(0));
    disk.target.clone().unwrap_or_else(|| format!("vd{letter}"))
}

/// The name of a disk's volume, or its path where it is in no pool.
pub(crate) fn volume_name(domain: &DomainSpec, index: usize, disk: &DiskSpec) -> String {
    let made = || format!("{}-{}.{}", domain.name, target(index, disk), disk.format);
    disk.volume.clone().unwrap_or_else(|| if disk.pool.is_some() { made() } else { format!("/srv/{}", made()) })
}

/// The paths of a domain's disks on the host where it is made.
pub(crate) fn paths(host: &HostSpec, domain: &DomainSpec) -> Arc<[String]> {
    let path = |(index, disk): (usize, &DiskSpec)| {
        let name = volume_name(domain, index, disk);
        let pool = host.pools.iter().find(|pool| disk.pool.as_ref() == Some(&pool.name));
        pool.map_or_else(|| name.clone(), |pool| format!("{}/{name}", pool.target.trim_end_matches('/')))
    };
    domain.disks.iter().enumerate().map(path).collect()
}

impl Stores {
    /// Makes sure that there is such a volume.
    pub(crate) fn put(&mut self, store: &str, pool: &PoolSpec, name: &str, format: &str, capacity_bytes: u64) {
        let path = format!("{}/{name}", pool.target);
        // One file, one change time: it depends on the store and the name, and on nothing of the host that looks.
        let bits = uuid_of(store, name).as_u128();
        let changed =
            format!("{}.{:09}", 1_700_000_000 + (bits >> 64) % 10_000_000, (bits & 0xffff_ffff) % 1_000_000_000);
        self.0.entry(store.to_owned()).or_default().entry(name.to_owned()).or_insert_with(|| Volume {
            name: name.to_owned(),
            key: path.clone(),
            path,
            kind: "file".into(),
            format: Some(format.to_owned()),
            capacity_bytes,
            allocation_bytes: capacity_bytes / 4,
            changed: Some(changed),
        });
    }

    /// From now on the store of a pool makes its volumes in multiples of so many bytes.
    pub(crate) fn round(&mut self, host: &HostSpec, pool: &PoolSpec, extent_bytes: u64) {
        self.1.insert(identity(host, pool), extent_bytes);
    }

    /// Makes an empty volume where nothing is.
    pub(crate) fn make(&mut self, host: &HostSpec, pool: &PoolSpec, disk: &CopiedDisk) {
        let store = identity(host, pool);
        let extent = self.1.get(&store).map_or(1, |bytes| (*bytes).max(1));
        self.put(&store, pool, &disk.volume, &disk.format, disk.capacity_bytes.next_multiple_of(extent));
        if let Some(volume) = self.0.get_mut(&store).and_then(|volumes| volumes.get_mut(&disk.volume)) {
            volume.allocation_bytes = 0;
        }
    }

    /// The volume at a path of a host, where an active pool holds it.
    pub(crate) fn at(&self, host: &HostSpec, facts: &HostFacts, path: &str) -> Option<Volume> {
        let pool = facts.pool_of_path(path).filter(|pool| pool.active)?;
        let pool = host.pools.iter().find(|spec| spec.name == pool.name)?;
        let name = path.strip_prefix(pool.target.trim_end_matches('/'))?.trim_start_matches('/');
        self.get(host, pool, name)
    }

    /// Copies what a volume holds.
    pub(crate) fn fill(&mut self, host: &HostSpec, pool: &PoolSpec, name: &str, allocation_bytes: u64) {
        if let Some(volume) = self.0.get_mut(&identity(host, pool)).and_then(|volumes| volumes.get_mut(name)) {
            volume.allocation_bytes = allocation_bytes;
        }
    }

    /// The volumes of a domain's disks.
    pub(crate) fn put_disks(&mut self, host: &HostSpec, domain: &DomainSpec) {
        for (index, disk) in domain.disks.iter().enumerate() {
            if let Some(pool) = host.pools.iter().find(|pool| disk.pool.as_ref() == Some(&pool.name)) {
                let name = volume_name(domain, index, disk);
                self.put(&identity(host, pool), pool, &name, &disk.format, disk.size_gib * GIB);
            }
        }
    }

    /// A volume, as a pool shows it.
    pub(crate) fn get(&self, host: &HostSpec, pool: &PoolSpec, name: &str) -> Option<Volume> {
        let volume = self.0.get(&identity(host, pool))?.get(name)?;
        let path = format!("{}/{name}", pool.target);
        Some(Volume { key: path.clone(), path, ..volume.clone() })
    }

    /// All volumes of a pool.
    pub(crate) fn all(&self, host: &HostSpec, pool: &PoolSpec) -> Vec<Volume> {
        let names = self.0.get(&identity(host, pool)).into_iter().flat_map(BTreeMap::keys);
        names.filter_map(|name| self.get(host, pool, name)).collect()
    }

    /// Removes a volume, if it is there.
    pub(crate) fn remove(&mut self, host: &HostSpec, pool: &PoolSpec, name: &str) {
        if let Some(volumes) = self.0.get_mut(&identity(host, pool)) {
            volumes.remove(name);
        }
    }

    /// What a host sees at the path of each disk.
    pub(crate) fn views(&self, host: &HostSpec, facts: &HostFacts, domain: &DomainFacts) -> Vec<DiskView> {
        let look = |(target, source): (String, String)| {
            let pool = facts.pool_of_path(&source).filter(|pool| pool.active);
            let pool = pool.and_then(|pool| host.pools.iter().find(|spec| spec.name == pool.name));
            let volume = pool.and_then(|pool| {
                let name = source.strip_prefix(pool.target.trim_end_matches('/'))?.trim_start_matches('/');
                self.get(host, pool, name)
            });
            DiskView { target, source, pool: pool.map(|pool| pool.name.clone()), volume }
        };
        let named = domain.disks.iter().filter_map(|disk| Some((disk.target.clone(), disk.source.clone()?)));
        named.map(look).collect()
    }
}
