//! What exists only for a policy that the site granted it. Using one of these makes the `.wasm` import it, and the host
//! refuses to load a `.wasm` that imports what it was not granted.

use crate::types::{NodeDevice, Volume};
use crate::{DomainFacts, HostFacts};

#[cfg(target_family = "wasm")]
use crate::bindings::precheck::waypost::facts as raw;

/// Granted as `volumes`: all volumes of that pool; none: no such pool, or it isn't started.
pub fn volumes(host: &HostFacts, pool: &str) -> Option<Vec<Volume>> {
    #[cfg(target_family = "wasm")]
    return raw::volumes::all(host.handle(), pool);
    #[cfg(not(target_family = "wasm"))]
    return host.volumes.get(pool).cloned();
}

/// Granted as `documents`: the domain's XML: `live` (as it runs), `inactive` (as it would start), `migratable` (as it
/// would be sent). None: there is no such document. Secrets are never in it.
pub fn domain_xml(domain: &DomainFacts, kind: &str) -> Option<String> {
    #[cfg(target_family = "wasm")]
    return raw::documents::domain_xml(domain.handle(), kind);
    #[cfg(not(target_family = "wasm"))]
    return domain.documents.get(kind).cloned();
}

/// Granted as `node-devices`: all node devices of a host; none: its driver can't list them.
pub fn node_devices(host: &HostFacts) -> Option<Vec<NodeDevice>> {
    #[cfg(target_family = "wasm")]
    return raw::node_devices::all(host.handle());
    #[cfg(not(target_family = "wasm"))]
    return host.node_devices.clone();
}

/// Granted as `storage-probe`: creates a small, uniquely named volume in the destination's pool, looks for it from the
/// source's pool, and removes it. The one import that touches a host. The error says why it could not be done.
pub fn probe_storage(destination: &HostFacts, source_pool: &str, destination_pool: &str) -> Result<bool, String> {
    #[cfg(target_family = "wasm")]
    return raw::storage_probe::shared(destination.handle(), source_pool, destination_pool);
    #[cfg(not(target_family = "wasm"))]
    return destination
        .probes
        .get(&(source_pool.to_owned(), destination_pool.to_owned()))
        .cloned()
        .unwrap_or_else(|| Err("no probe runs in a test that names no answer".to_owned()));
}
