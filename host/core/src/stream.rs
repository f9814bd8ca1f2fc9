//! How the memory and the disks of a domain travel: who drives the two hosts, what the stream looks like, which disks go
//! along. The words are libvirt's; what excludes what is [`crate::admission`]'s to say.

use crate::{facts, words};

words! {
    /// Who drives the migration, and which way the memory takes.
    pub enum Transport {
        /// The source's daemon drives it over a connection of its own to the destination's; it goes on without the
        /// controller.
        PeerToPeer = "peer-to-peer",
        /// The controller drives both daemons; it ends with the controller.
        Direct = "direct",
        /// Peer-to-peer, and the memory goes through the daemons' own connection.
        Tunnelled = "tunnelled",
    }
    /// A way to make the stream smaller.
    pub enum Compression {
        /// Multi-threaded zlib of the older kind.
        Mt = "mt",
        /// Only what changed within a page that was sent before.
        Xbzrle = "xbzrle",
        /// zlib on parallel connections (libvirt 9.4).
        Zlib = "zlib",
        /// zstd on parallel connections (libvirt 9.4).
        Zstd = "zstd",
    }
    /// Whether the stream is encrypted with native TLS.
    pub enum Encryption {
        /// Where the configuration says that both hosts can.
        Auto = "auto",
        /// Encrypted, or refused.
        Required = "required",
        /// Plain.
        Off = "off",
    }
    /// What becomes of disks that the destination does not share.
    pub enum DiskCopy {
        /// Nothing: all disks are shared.
        No = "none",
        /// Copied whole.
        Full = "full",
        /// Copied as far as they differ from a base that is there already.
        Incremental = "incremental",
    }
}

facts! {
    /// The stream. What is none or false is libvirt's default.
    pub struct Stream {
        /// The guest is paused for the whole transfer (a migration without libvirt's LIVE flag).
        pub stands_still: bool,
        /// Parallel connections (multifd), 1 to 255; none: one ordinary stream.
        pub parallel_connections: Option<u32>,
        /// Ways to compress.
        pub compression: Vec<Compression>,
        /// Level of `mt`, 0 to 9.
        pub mt_level: Option<u32>,
        /// Compressing threads of `mt`, 1 to 255.
        pub mt_threads: Option<u32>,
        /// Decompressing threads of `mt`, 1 to 255.
        pub mt_dthreads: Option<u32>,
        /// Page cache of `xbzrle`, bytes; a power of two.
        pub xbzrle_cache_bytes: Option<u64>,
        /// Level of `zlib`, 0 to 9.
        pub zlib_level: Option<u32>,
        /// Level of `zstd`, 0 to 20.
        pub zstd_level: Option<u32>,
        /// The guest is slowed down while the transfer does not converge.
        pub auto_converge: bool,
        /// First slow-down, percent, 1 to 99.
        pub auto_converge_initial: Option<u32>,
        /// Each further slow-down, percent, 1 to 99.
        pub auto_converge_increment: Option<u32>,
        /// The switch to post-copy is allowed.
        pub post_copy: bool,
        /// Bandwidth limit of post-copy, MiB/s. No request names 0: it lifts the limit of another way.
        pub post_copy_bandwidth_mib_s: Option<u64>,
        /// Native TLS.
        pub encryption: Encryption,
        /// Name in the destination's certificate, where it isn't the one of the migration URI.
        pub tls_destination: Option<String>,
        /// Without copying to the kernel; needs parallel connections and locked memory.
        pub zero_copy: bool,
        /// All memory is pinned at the start of an RDMA migration.
        pub rdma_pin_all: bool,
        /// An I/O error of a guest's disk ends the migration.
        pub abort_on_error: bool,
        /// Where clients of the graphical console are sent: `spice://address:port`.
        pub graphics_uri: Option<String>,
        /// Bandwidth to reckon with at the switch-over, MiB/s (libvirt 11.1).
        pub switchover_bandwidth_mib_s: Option<u64>,
    }

    /// The disks that travel along.
    pub struct Disks {
        /// Whether, and how.
        pub copy: DiskCopy,
        /// Their targets in the guest (`vda`); empty: all that are writable, not shareable and not empty.
        pub targets: Vec<String>,
        /// Writes of the guest wait for the copy: it converges whatever the guest writes.
        pub synchronous_writes: bool,
        /// Targets whose zeroes are found and left out (libvirt 10.9).
        pub detect_zeroes: Vec<String>,
        /// Targets whose image on the destination reads as zeroes already, so that none are written there (libvirt 12.2).
        /// Nobody checks it: an image that doesn't would differ from the source's.
        pub target_zero: Vec<String>,
        /// Where the source sends them: `tcp://address:port` or `unix:///path`.
        pub uri: Option<String>,
        /// Port on which the destination takes them.
        pub port: Option<u16>,
    }
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            stands_still: false,
            parallel_connections: None,
            compression: Vec::new(),
            mt_level: None,
            mt_threads: None,
            mt_dthreads: None,
            xbzrle_cache_bytes: None,
            zlib_level: None,
            zstd_level: None,
            auto_converge: false,
            auto_converge_initial: None,
            auto_converge_increment: None,
            post_copy: false,
            post_copy_bandwidth_mib_s: None,
            encryption: Encryption::Auto,
            tls_destination: None,
            zero_copy: false,
            rdma_pin_all: false,
            abort_on_error: false,
            graphics_uri: None,
            switchover_bandwidth_mib_s: None,
        }
    }
}

impl Default for Disks {
    fn default() -> Self {
        Self {
            copy: DiskCopy::No,
            targets: Vec::new(),
            synchronous_writes: false,
            detect_zeroes: Vec::new(),
            target_zero: Vec::new(),
            uri: None,
            port: None,
        }
    }
}

/// What libvirt 9.0 takes and a later one refuses, and from which version on.
pub fn given_up(stream: &Stream) -> Option<(&'static str, u64)> {
    let parallel = stream.parallel_connections.is_some() && stream.compression.contains(&Compression::Xbzrle);
    parallel.then_some(("compression method xbzrle with parallel connections", 9_004_000))
}

/// What needs a newer libvirt than 9.0, and which: 9.4.0 is 9,004,000.
pub fn newer(stream: &Stream, disks: &Disks) -> Vec<(&'static str, u64)> {
    let methods = [(Compression::Zlib, "compression method zlib"), (Compression::Zstd, "compression method zstd")];
    let mut newer: Vec<_> = methods
        .into_iter()
        .filter(|(method, _)| stream.compression.contains(method))
        .map(|(_, what)| (what, 9_004_000))
        .collect();
    if !disks.detect_zeroes.is_empty() {
        newer.push(("the detection of zeroes", 10_009_000));
    }
    if !disks.target_zero.is_empty() {
        newer.push(("an image that holds zeroes already", 12_002_000));
    }
    if stream.switchover_bandwidth_mib_s.is_some() {
        newer.push(("a bandwidth for the switch-over", 11_001_000));
    }
    newer
}
