//! What excludes what, and what needs what: libvirt would refuse most of it, but some only after the destination was
//! made ready, some in words that help nobody, and some not at all. One table, so that it can be read as one.

use super::{MAX_MIB_S, Refusal, offline};
use crate::network::MANAGEMENT;
use crate::request::{AfterMove, Mode, Options};
use crate::stream::{Compression, DiskCopy, Encryption, Transport};

/// Two options that can't be had together: their names, when both are there, why.
type Exclusion = (&'static str, &'static str, fn(&Options) -> bool, &'static str);

/// An option without what it is for: the option, what it needs, when that is missing, what to do.
type Need = (&'static str, &'static str, fn(&Options) -> bool, &'static str);

const OWN_WAY: &str = "a tunnelled migration has one stream, through the connection of the daemons";
const TUNNEL_IS_TLS: &str = "libvirt can't encrypt inside of a tunnel; the tunnel itself is encrypted where the peer URI is qemu+tls:// or qemu+ssh://";

/// Which two exclude each other. The first that fits is told.
pub(super) const EXCLUSIONS: &[Exclusion] = &[
    ("tunnelled", "parallel", |o| tunnelled(o) && parallel(o), OWN_WAY),
    ("tunnelled", "postcopy", |o| tunnelled(o) && o.stream.post_copy, "post-copy needs a way back that a tunnel lacks"),
    ("tunnelled", "tls", |o| tunnelled(o) && o.stream.encryption == Encryption::Required, TUNNEL_IS_TLS),
    ("tunnelled", "copy-storage", |o| tunnelled(o) && copies(o), "disks need a connection of their own"),
    ("tunnelled", "migrate-uri", |o| tunnelled(o) && o.migrate_uri.is_some(), OWN_WAY),
    ("tunnelled", "listen-address", |o| tunnelled(o) && o.listen_address.is_some(), OWN_WAY),
    ("tunnelled", "network", |o| tunnelled(o) && o.network.as_ref().is_some_and(|name| name != MANAGEMENT), OWN_WAY),
    ("tunnelled", "zerocopy", |o| tunnelled(o) && o.stream.zero_copy, OWN_WAY),
    (
        "parallel",
        "compress mt",
        |o| parallel(o) && compresses(o, Compression::Mt),
        "mt compresses one ordinary stream; with parallel connections use xbzrle, or zlib or zstd of a newer libvirt",
    ),
    (
        "compress zlib or zstd",
        "another method",
        |o| (compresses(o, Compression::Zlib) || compresses(o, Compression::Zstd)) && o.stream.compression.len() > 1,
        "libvirt takes one method for parallel connections; keep one of them",
    ),
    (
        "zerocopy",
        "tls",
        |o| o.stream.zero_copy && o.stream.encryption == Encryption::Required,
        "what is encrypted is copied",
    ),
    (
        "zerocopy",
        "compress",
        |o| o.stream.zero_copy && !o.stream.compression.is_empty(),
        "what is compressed is copied",
    ),
    (
        "postcopy",
        "parallel",
        |o| o.stream.post_copy && parallel(o),
        "libvirt takes both, but of a guest that switched then its memory is torn: it crashes on the destination and is lost",
    ),
    (
        "postcopy",
        "non-live",
        |o| o.stream.post_copy && o.stream.stands_still,
        "a guest that stands still has nothing to run on the destination meanwhile",
    ),
    (
        "postcopy",
        "paused",
        |o| o.stream.post_copy && o.after == AfterMove::Paused,
        "post-copy ends with the guest running; pause it on the destination afterwards",
    ),
    (
        "rdma",
        "parallel",
        |o| rdma(o) && parallel(o),
        "RDMA has one connection; use a tcp:// migrate URI, or leave parallel out",
    ),
    (
        "rdma",
        "tls",
        |o| rdma(o) && o.stream.encryption == Encryption::Required,
        "RDMA can't be encrypted; use a tcp:// migrate URI",
    ),
    (
        "disks-uri",
        "disks-port",
        |o| o.disks.uri.is_some() && o.disks.port.is_some(),
        "both say where the disks go; the URI may hold the port",
    ),
    (
        "no-tls",
        "tls-destination",
        |o| o.stream.encryption == Encryption::Off && o.stream.tls_destination.is_some(),
        "without encryption no certificate is looked at",
    ),
];

/// Which one needs another. The first that fits is told.
pub(super) const NEEDS: &[Need] = &[
    ("zerocopy", "parallel", |o| o.stream.zero_copy && !parallel(o), "add parallel"),
    ("compress zlib", "parallel", |o| compresses(o, Compression::Zlib) && !parallel(o), "add parallel"),
    ("compress zstd", "parallel", |o| compresses(o, Compression::Zstd) && !parallel(o), "add parallel"),
    (
        "compress-mt-level",
        "compress mt",
        |o| o.stream.mt_level.is_some() && !compresses(o, Compression::Mt),
        "add the method, or leave it out",
    ),
    (
        "compress-mt-threads",
        "compress mt",
        |o| o.stream.mt_threads.is_some() && !compresses(o, Compression::Mt),
        "add the method, or leave it out",
    ),
    (
        "compress-mt-dthreads",
        "compress mt",
        |o| o.stream.mt_dthreads.is_some() && !compresses(o, Compression::Mt),
        "add the method, or leave it out",
    ),
    (
        "compress-xbzrle-cache",
        "compress xbzrle",
        |o| o.stream.xbzrle_cache_bytes.is_some() && !compresses(o, Compression::Xbzrle),
        "add the method, or leave it out",
    ),
    (
        "compress-zlib-level",
        "compress zlib",
        |o| o.stream.zlib_level.is_some() && !compresses(o, Compression::Zlib),
        "add the method, or leave it out",
    ),
    (
        "compress-zstd-level",
        "compress zstd",
        |o| o.stream.zstd_level.is_some() && !compresses(o, Compression::Zstd),
        "add the method, or leave it out",
    ),
    (
        "auto-converge-initial",
        "auto-converge",
        |o| o.stream.auto_converge_initial.is_some() && !o.stream.auto_converge,
        "add auto-converge",
    ),
    (
        "auto-converge-increment",
        "auto-converge",
        |o| o.stream.auto_converge_increment.is_some() && !o.stream.auto_converge,
        "add auto-converge",
    ),
    (
        "postcopy-bandwidth",
        "postcopy",
        |o| o.stream.post_copy_bandwidth_mib_s.is_some() && !o.stream.post_copy,
        "add postcopy",
    ),
    (
        "rdma-pin-all",
        "an rdma:// migrate URI",
        |o| o.stream.rdma_pin_all && !rdma(o),
        "add migrate-uri rdma://ADDRESS, or leave it out",
    ),
    (
        "an rdma:// migrate URI",
        "no-tls",
        |o| rdma(o) && o.stream.encryption == Encryption::Auto,
        "RDMA can't be encrypted: say by name that it may go in plain text",
    ),
    (
        "tls over a unix:// migrate URI",
        "tls-destination",
        |o| {
            unix(o.migrate_uri.as_deref())
                && o.stream.encryption == Encryption::Required
                && o.stream.tls_destination.is_none()
        },
        "a socket's path has no name to compare with the destination's certificate: give it",
    ),
    (
        "copy-storage over a unix:// migrate URI",
        "disks-uri",
        |o| unix(o.migrate_uri.as_deref()) && copies(o) && o.disks.uri.is_none(),
        "say by which socket the disks go: unix:///path",
    ),
    ("migrate-disks", "copy-storage", |o| !o.disks.targets.is_empty() && !copies(o), "add copy-storage"),
    ("disks-uri", "copy-storage", |o| o.disks.uri.is_some() && !copies(o), "add copy-storage"),
    ("disks-port", "copy-storage", |o| o.disks.port.is_some() && !copies(o), "add copy-storage"),
    (
        "copy-storage-synchronous-writes",
        "copy-storage",
        |o| o.disks.synchronous_writes && !copies(o),
        "add copy-storage",
    ),
    ("detect-zeroes", "copy-storage", |o| !o.disks.detect_zeroes.is_empty() && !copies(o), "add copy-storage"),
    (
        "target-zero",
        "copy-storage full",
        |o| !o.disks.target_zero.is_empty() && o.disks.copy != DiskCopy::Full,
        "add copy-storage full: an incremental copy goes over an image that holds something",
    ),
];

/// A number, its bounds, and both in words.
type Range = (&'static str, fn(&Options) -> Option<u64>, u64, u64, &'static str);

/// Which numbers are possible.
pub(super) const RANGES: &[Range] = &[
    ("parallel", |o| wide(o.stream.parallel_connections), 1, 255, "1 to 255"),
    ("compress-mt-level", |o| wide(o.stream.mt_level), 0, 9, "0 to 9"),
    ("compress-mt-threads", |o| wide(o.stream.mt_threads), 1, 255, "1 to 255"),
    ("compress-mt-dthreads", |o| wide(o.stream.mt_dthreads), 1, 255, "1 to 255"),
    ("compress-xbzrle-cache (bytes)", |o| o.stream.xbzrle_cache_bytes, 4096, 1 << 40, "4096 to 1099511627776"),
    ("compress-zlib-level", |o| wide(o.stream.zlib_level), 0, 9, "0 to 9"),
    ("compress-zstd-level", |o| wide(o.stream.zstd_level), 0, 20, "0 to 20"),
    ("auto-converge-initial (%)", |o| wide(o.stream.auto_converge_initial), 1, 99, "1 to 99"),
    ("auto-converge-increment (%)", |o| wide(o.stream.auto_converge_increment), 1, 99, "1 to 99"),
    ("postcopy-bandwidth (MiB/s)", |o| o.stream.post_copy_bandwidth_mib_s, 1, MAX_MIB_S, "1 to 4294967295"),
    ("switchover-bandwidth (MiB/s)", |o| o.stream.switchover_bandwidth_mib_s, 1, MAX_MIB_S, "1 to 4294967295"),
    ("disks-port", |o| o.disks.port.map(u64::from), 1, 65535, "1 to 65535"),
];

/// Checks options against each other and against their ranges.
pub(super) fn check(options: &Options) -> Result<(), Refusal> {
    for (option, value, low, high, range) in RANGES {
        super::in_range(option, value(options), *low, *high, range)?;
    }
    if let Some(bytes) = options.stream.xbzrle_cache_bytes.filter(|bytes| !bytes.is_power_of_two()) {
        let option = "compress-xbzrle-cache (bytes)";
        return Err(Refusal::OutOfRange { option, value: bytes, range: "the powers of two" });
    }
    if options.mode == Mode::Offline
        && let Some(option) = offline::asked(options).next()
    {
        return Err(Refusal::Conflict { first: "offline", second: option.name, why: offline::WHY });
    }
    if let Some((first, second, _, why)) = EXCLUSIONS.iter().find(|(.., holds, _)| holds(options)) {
        return Err(Refusal::Conflict { first, second, why });
    }
    if let Some((option, needs, _, remedy)) = NEEDS.iter().find(|(.., lacks, _)| lacks(options)) {
        return Err(Refusal::Needs { option, needs, remedy });
    }
    uris(options)
}

fn uris(options: &Options) -> Result<(), Refusal> {
    let malformed = |option, text: &str, why| Err(Refusal::Malformed { option, text: text.to_owned(), why });
    if let Some(uri) = &options.disks.uri
        && !["tcp://", "unix://"].iter().any(|scheme| uri.starts_with(scheme))
    {
        return malformed("disks-uri", uri, "is no URI for disks: it begins with tcp:// or unix://");
    }
    if let Some(uri) = &options.stream.graphics_uri
        && !["spice://", "vnc://"].iter().any(|scheme| uri.starts_with(scheme))
    {
        return malformed("graphics-uri", uri, "is no graphics URI: it begins with spice:// or vnc://");
    }
    let disks = &options.disks;
    for (option, targets) in [
        ("migrate-disks", &disks.targets),
        ("detect-zeroes", &disks.detect_zeroes),
        ("target-zero", &disks.target_zero),
    ] {
        for (at, target) in targets.iter().enumerate() {
            if target.is_empty() || targets[..at].contains(target) {
                return malformed(option, target, "must name each disk once, by its target: vda,vdb");
            }
        }
    }
    for (option, targets) in [("detect-zeroes", &disks.detect_zeroes), ("target-zero", &disks.target_zero)] {
        let beside = |target: &&String| !disks.targets.is_empty() && !disks.targets.contains(target);
        if let Some(target) = targets.iter().find(beside) {
            return malformed(option, target, "is none of the disks that migrate-disks names, so it is not copied");
        }
    }
    Ok(())
}

fn tunnelled(options: &Options) -> bool {
    options.transport == Transport::Tunnelled
}

fn parallel(options: &Options) -> bool {
    options.stream.parallel_connections.is_some()
}

fn compresses(options: &Options, method: Compression) -> bool {
    options.stream.compression.contains(&method)
}

fn copies(options: &Options) -> bool {
    options.disks.copy != DiskCopy::No
}

fn rdma(options: &Options) -> bool {
    options.migrate_uri.as_ref().is_some_and(|uri| uri.starts_with("rdma://"))
}

fn unix(uri: Option<&str>) -> bool {
    uri.is_some_and(|uri| uri.starts_with("unix://"))
}

fn wide(number: Option<u32>) -> Option<u64> {
    number.map(u64::from)
}

#[cfg(test)]
mod tests;
