//! Facts as plain values, for native tests. What a look-up searches is a field, too.

use std::collections::BTreeMap;

use super::*;
use crate::types::{NodeDevice, Volume};

macro_rules! plain {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $kind:ident $field:ident: $ty:ty,)* } and { $($(#[$more_doc:meta])* $more:ident: $more_ty:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        pub struct $name {
            $($(#[$doc])* pub $field: $ty,)*
            $($(#[$more_doc])* pub $more: $more_ty,)*
        }

        impl $name {
            $($(#[$doc])*
            pub fn $field(&self) -> handed_out!($kind $ty) {
                hand_out!($kind &self.$field)
            })*
        }
    };
}

macro_rules! plain_domain {
    ($($table:tt)*) => {
        plain! { $($table)* and {
            /// Metadata elements by namespace URI.
            metadata: BTreeMap<String, String>,
            /// XML documents by kind.
            documents: BTreeMap<String, String>,
        } }
    };
}
domain_getters!(plain_domain);

macro_rules! plain_host {
    ($($table:tt)*) => {
        plain! { $($table)* and {
            /// What it can run.
            guests: Vec<GuestKind>,
            /// Storage pools. `pool_names` is separate: set it where the policy reads it.
            pools: Vec<Pool>,
            /// libvirt networks.
            networks: Vec<Network>,
            /// Bridges of its kernel; none: libvirt can't tell.
            bridges: Option<Vec<String>>,
            /// Its domains.
            domains: Vec<DomainBrief>,
            /// What it sees of the domain's disks, by target.
            disk_views: BTreeMap<String, DiskView>,
            /// What the source sees of them when it is read again; where nothing is said, the same as before.
            disk_views_again: BTreeMap<String, DiskView>,
            /// What earlier probes proved.
            storage_proofs: Vec<StorageProof>,
            /// Disks that the request has copied to this destination, by target; an error for one that can't be.
            disk_copies: BTreeMap<String, Result<(), String>>,
            /// Volumes by pool, for a policy with the grant.
            volumes: BTreeMap<String, Vec<Volume>>,
            /// Node devices, for a policy with the grant.
            node_devices: Option<Vec<NodeDevice>>,
            /// What a probe of a pair of pools answers, by source pool and destination pool, for a policy with the grant.
            probes: BTreeMap<(String, String), Result<bool, String>>,
        } }
    };
}
host_getters!(plain_host);

/// One kind of guest that a host can run.
#[derive(Debug, Clone)]
pub struct GuestKind {
    /// Architecture.
    pub architecture: String,
    /// Domain type.
    pub virt_type: String,
    /// Emulator.
    pub emulator: Option<String>,
    /// Machine types.
    pub machines: Vec<Machine>,
}

/// What an earlier probe found for a pair of pools.
#[derive(Debug, Clone)]
pub struct StorageProof {
    /// Pool of the source.
    pub source_pool: String,
    /// Pool of the destination.
    pub destination_pool: String,
    /// They are one store.
    pub shared: bool,
}

impl DomainFacts {
    /// The metadata element of that namespace URI, as XML; none: there is none.
    pub fn metadata(&self, namespace: &str) -> Option<String> {
        self.metadata.get(namespace).cloned()
    }
}

impl HostFacts {
    fn guest_kind(&self, architecture: &str, virt_type: &str) -> Option<&GuestKind> {
        self.guests.iter().find(|guest| guest.architecture == architecture && guest.virt_type == virt_type)
    }
    /// Whether it runs guests of that architecture and domain type.
    pub fn runs(&self, architecture: &str, virt_type: &str) -> bool {
        self.guest_kind(architecture, virt_type).is_some()
    }
    /// Emulator for that architecture and domain type; none: it runs no such guests, or names no emulator.
    pub fn emulator(&self, architecture: &str, virt_type: &str) -> Option<String> {
        self.guest_kind(architecture, virt_type)?.emulator.clone()
    }
    /// The machine type of that name; none: it has no such machine type.
    pub fn machine(&self, architecture: &str, virt_type: &str, name: &str) -> Option<&Machine> {
        self.guest_kind(architecture, virt_type)?.machines.iter().find(|machine| machine.name == name)
    }
    /// The storage pool of that name.
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == name)
    }
    /// The storage pool whose target directory holds that path; the deepest where pools nest.
    pub fn pool_of_path(&self, path: &str) -> Option<&Pool> {
        let holds = |pool: &&Pool| {
            pool.target.as_deref().is_some_and(|target| {
                path.strip_prefix(target.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
            })
        };
        self.pools.iter().filter(holds).max_by_key(|pool| pool.target.as_ref().map_or(0, String::len))
    }
    /// The libvirt network of that name.
    pub fn network(&self, name: &str) -> Option<&Network> {
        self.networks.iter().find(|network| network.name == name)
    }
    /// Whether its kernel has a bridge of that name.
    pub fn bridge(&self, name: &str) -> Presence {
        match &self.bridges {
            None => Presence::Unknown,
            Some(bridges) if bridges.iter().any(|bridge| bridge == name) => Presence::Present,
            Some(_) => Presence::Absent,
        }
    }
    /// The domain of that name on this host.
    pub fn domain_by_name(&self, name: &str) -> Option<&DomainBrief> {
        self.domains.iter().find(|domain| domain.name == name)
    }
    /// The domain of that UUID on this host.
    pub fn domain_by_id(&self, id: &str) -> Option<&DomainBrief> {
        self.domains.iter().find(|domain| domain.id == id)
    }
    /// What this host sees at the path of that disk of the domain; none: the disk has no source, or no such disk.
    pub fn disk_view(&self, target: &str) -> Option<&DiskView> {
        self.disk_views.get(target)
    }
    /// What the source sees at the path of that disk, read again after all destinations were.
    pub fn disk_view_again(&self, target: &str) -> Option<&DiskView> {
        self.disk_views_again.get(target).or_else(|| self.disk_views.get(target))
    }
    /// Whether that pool of the source and that pool of this destination were proven to be one store by an earlier
    /// probe that still holds; none: not proven either way.
    pub fn storage_proof(&self, source_pool: &str, destination_pool: &str) -> Option<bool> {
        self.storage_proofs
            .iter()
            .find(|proof| proof.source_pool == source_pool && proof.destination_pool == destination_pool)
            .map(|proof| proof.shared)
    }
    /// Whether the request has that disk copied to this destination: none: it is not copied; an error says why it can't
    /// be, and what to do.
    pub fn disk_copy(&self, target: &str) -> Option<Result<(), String>> {
        self.disk_copies.get(target).cloned()
    }
}
