//! What is known of a domain and of the hosts at one moment, read once and never changed.
//!
//! Units are in the names: `_kib` is 1024 bytes, `_bytes` bytes, `_ms` milliseconds. A word in libvirt's own spelling
//! (`"virtio"`, `"migrated"`) stays text, because libvirt may grow new ones; what Waypost itself decides on is a closed set.

mod domain;
mod host;
mod snapshot;
mod storage;

pub use domain::*;
pub use host::*;
pub use snapshot::*;
pub use storage::*;
