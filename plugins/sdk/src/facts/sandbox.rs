//! Facts over the host's handles, each read at most once per call.

use std::cell::{OnceCell, RefCell};
use std::mem::ManuallyDrop;

use super::*;
use crate::bindings::precheck::waypost::facts::inventory as raw;

/// What was looked up, so that it is asked of the host once. Leaked: all of it ends with the call.
pub struct Found<T: 'static>(RefCell<Vec<(String, Option<&'static T>)>>);

impl<T> Found<T> {
    const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    fn get(&self, key: &str, ask: impl FnOnce() -> Option<T>) -> Option<&T> {
        if let Some((_, found)) = self.0.borrow().iter().find(|(known, _)| known == key) {
            return *found;
        }
        let found = ask().map(|value| &*Box::leak(Box::new(value)));
        self.0.borrow_mut().push((key.to_owned(), found));
        found
    }
}

macro_rules! over_handle {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $kind:ident $field:ident: $ty:ty,)* } $($cache:ident: $found:ty,)*) => {
        $(#[$meta])*
        pub struct $name {
            // Never dropped: the handle belongs to the glue code around the call, which outlives every use of this.
            handle: ManuallyDrop<raw::$name>,
            $($field: OnceCell<$ty>,)*
            $($cache: Found<$found>,)*
        }

        impl $name {
            pub(crate) fn over(handle: &raw::$name) -> Self {
                // SAFETY: it is the number of a handle that lives until the call ends, and `ManuallyDrop` keeps this
                // second owner from giving it back.
                let handle = ManuallyDrop::new(unsafe { raw::$name::from_handle(handle.handle()) });
                Self { handle, $($field: OnceCell::new(),)* $($cache: Found::new(),)* }
            }

            pub(crate) fn handle(&self) -> &raw::$name {
                &self.handle
            }

            $($(#[$doc])*
            pub fn $field(&self) -> handed_out!($kind $ty) {
                hand_out!($kind self.$field.get_or_init(|| self.handle.$field()))
            })*
        }
    };
}

macro_rules! host_over_handle {
    ($($table:tt)*) => {
        over_handle! { $($table)*
            found_pools: Pool,
            found_pools_of_paths: Pool,
            found_networks: Network,
            found_domains: DomainBrief,
            found_domains_by_id: DomainBrief,
            found_machines: Machine,
            found_disk_views: DiskView,
            found_disk_views_again: DiskView,
        }
    };
}

domain_getters!(over_handle);
host_getters!(host_over_handle);

impl DomainFacts {
    /// The metadata element of that namespace URI, as XML; none: there is none.
    pub fn metadata(&self, namespace: &str) -> Option<String> {
        self.handle.metadata(namespace)
    }
}

impl HostFacts {
    /// Whether it runs guests of that architecture and domain type.
    pub fn runs(&self, architecture: &str, virt_type: &str) -> bool {
        self.handle.runs(architecture, virt_type)
    }
    /// Emulator for that architecture and domain type; none: it runs no such guests, or names no emulator.
    pub fn emulator(&self, architecture: &str, virt_type: &str) -> Option<String> {
        self.handle.emulator(architecture, virt_type)
    }
    /// The machine type of that name; none: it has no such machine type.
    pub fn machine(&self, architecture: &str, virt_type: &str, name: &str) -> Option<&Machine> {
        let key = [architecture, virt_type, name].join("/");
        self.found_machines.get(&key, || self.handle.machine(architecture, virt_type, name))
    }
    /// The storage pool of that name.
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.found_pools.get(name, || self.handle.pool(name))
    }
    /// The storage pool whose target directory holds that path; the deepest where pools nest.
    pub fn pool_of_path(&self, path: &str) -> Option<&Pool> {
        self.found_pools_of_paths.get(path, || self.handle.pool_of_path(path))
    }
    /// The libvirt network of that name.
    pub fn network(&self, name: &str) -> Option<&Network> {
        self.found_networks.get(name, || self.handle.network(name))
    }
    /// Whether its kernel has a bridge of that name.
    pub fn bridge(&self, name: &str) -> Presence {
        self.handle.bridge(name)
    }
    /// The domain of that name on this host.
    pub fn domain_by_name(&self, name: &str) -> Option<&DomainBrief> {
        self.found_domains.get(name, || self.handle.domain_by_name(name))
    }
    /// The domain of that UUID on this host.
    pub fn domain_by_id(&self, id: &str) -> Option<&DomainBrief> {
        self.found_domains_by_id.get(id, || self.handle.domain_by_id(id))
    }
    /// What this host sees at the path of that disk of the domain; none: the disk has no source, or no such disk.
    pub fn disk_view(&self, target: &str) -> Option<&DiskView> {
        self.found_disk_views.get(target, || self.handle.disk_view(target))
    }
    /// What the source sees at the path of that disk, read again after all destinations were; none of a destination.
    pub fn disk_view_again(&self, target: &str) -> Option<&DiskView> {
        self.found_disk_views_again.get(target, || self.handle.disk_view_again(target))
    }
    /// Whether that pool of the source and that pool of this destination were proven to be one store by an earlier
    /// probe that still holds; none: not proven either way.
    pub fn storage_proof(&self, source_pool: &str, destination_pool: &str) -> Option<bool> {
        self.handle.storage_proof(source_pool, destination_pool)
    }
    /// Whether the request has that disk copied to this destination: none: it is not copied; an error says why it can't
    /// be, and what to do.
    pub fn disk_copy(&self, target: &str) -> Option<Result<(), String>> {
        self.handle.disk_copy(target)
    }
}
