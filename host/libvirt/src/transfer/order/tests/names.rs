//! No flag and no typed parameter of libvirt is out of reach: the lists are libvirt's own, that of 9.0 and what came after
//! it up to 12.2, and where its header is installed they are compared with that, so that a name which a still newer libvirt
//! adds is noticed where that is installed.

use std::collections::BTreeSet;
use std::fs;

use super::*;

/// The names of libvirt 9.0: a flag with its bit, a parameter with its text.
const LIST: &str = include_str!("libvirt-9.0.txt");
/// What came since, each with the version that brought it; no flag did.
const NEWER: &str = include_str!("libvirt-newer.txt");
const HEADER: &str = "/usr/include/libvirt/libvirt-domain.h";

/// Definitions that are changed on the way are the transform hook's to make, not a choice of the stream.
const OF_THE_TRANSFORM_HOOK: [&str; 2] = ["destination_xml", "persistent_xml"];

fn flags(list: &str) -> Vec<(&str, u32)> {
    list.lines()
        .filter_map(|line| line.strip_prefix("flag ")?.split_once(' '))
        .map(|(name, bit)| (name, bit.parse().unwrap()))
        .collect()
}

fn parameters(list: &str) -> BTreeSet<&str> {
    list.lines().filter_map(|line| line.strip_prefix("parameter ")).collect()
}

/// Names that came after 9.0, each with its version: 9.4.0 is 9 004 000.
fn newer_parameters() -> Vec<(&'static str, u64)> {
    let line = |line: &'static str| {
        let (version, name) = line.split_once(" parameter ").unwrap();
        let numbers: Vec<u64> = version.split('.').map(|number| number.parse().unwrap()).collect();
        (name, numbers.into_iter().fold(0, |sum, number| sum * 1000 + number))
    };
    NEWER.lines().map(line).collect()
}

/// Plans that between them make every choice there is.
fn all() -> Vec<Order> {
    let everything: &[fn(&mut Plan)] = &[
        |p| {
            p.destination_name = "g2".into();
            p.finally = RunState::Paused;
            p.storage = StorageSafety::Unsafe;
            (p.migrate_uri, p.listen_address) = (Some("tcp://x".into()), Some("::".into()));
            (p.bandwidth_mib_s, p.transport) = (Some(1), Transport::Direct);
            p.stream = Stream {
                stands_still: false,
                parallel_connections: Some(2),
                compression: vec![Compression::Mt, Compression::Zlib, Compression::Zstd],
                mt_level: Some(1),
                mt_threads: Some(1),
                mt_dthreads: Some(1),
                xbzrle_cache_bytes: Some(4096),
                zlib_level: Some(1),
                zstd_level: Some(1),
                auto_converge: true,
                auto_converge_initial: Some(1),
                auto_converge_increment: Some(1),
                post_copy: true,
                post_copy_bandwidth_mib_s: Some(1),
                encryption: Encryption::Required,
                tls_destination: Some("x".into()),
                zero_copy: true,
                rdma_pin_all: true,
                abort_on_error: true,
                graphics_uri: Some("vnc://x".into()),
                switchover_bandwidth_mib_s: Some(1),
            };
            p.disks = Disks {
                copy: DiskCopy::Full,
                targets: vec!["vda".into()],
                synchronous_writes: true,
                detect_zeroes: vec!["vda".into()],
                target_zero: vec!["vda".into()],
                uri: Some("tcp://x".into()),
                port: Some(1),
            };
        },
        |p| (p.transport, p.disks.copy) = (Transport::Tunnelled, DiskCopy::Incremental),
        |p| p.mode = TransferMode::Offline,
    ];
    let order = |change: &fn(&mut Plan)| {
        let mut changed = plan();
        change(&mut changed);
        Order::of(&changed)
    };
    everything.iter().map(order).chain([Order::of(&plan()).resuming()]).collect()
}

#[test]
fn every_flag_and_parameter_of_libvirt_can_be_asked_for() {
    let orders = all();
    let reached = orders.iter().fold(0, |flags, order| flags | order.flags);
    let missing: Vec<&str> =
        flags(LIST).into_iter().filter(|(_, bit)| reached & (1 << bit) == 0).map(|(name, _)| name).collect();
    assert_eq!(missing, [] as [&str; 0], "flags");
    let sent: BTreeSet<&str> =
        orders.iter().flat_map(|order| &order.params).map(|(name, _)| name.to_str().unwrap()).collect();
    let newer = newer_parameters().into_iter().map(|(name, _)| name);
    let missing: Vec<&str> = parameters(LIST)
        .into_iter()
        .chain(newer)
        .filter(|name| !sent.contains(name) && !OF_THE_TRANSFORM_HOOK.contains(name))
        .collect();
    assert_eq!(missing, [] as [&str; 0], "parameters");
}

/// What is not sent unasked needs the library that has it, and is refused by name where the one that is linked is older.
#[test]
fn what_came_after_9_0_is_asked_of_a_library_that_has_it() {
    let order = &all()[0];
    for (name, version) in newer_parameters() {
        assert!(order.params.iter().any(|(sent, _)| sent.to_str() == Ok(name)), "{name}");
        // A level is nothing without its method, which is what is refused.
        assert!(order.newer.iter().any(|(_, needed)| *needed == version), "{name} is not tied to {}", dotted(version));
        assert!(order.possible_with(version - 1).is_err(), "{name} before {}", dotted(version));
    }
    let last = newer_parameters().into_iter().map(|(_, version)| version).max().unwrap();
    assert!(order.possible_with(last).is_ok());
}

/// On a machine with a newer libvirt the header has more than the list of 9.0, and nothing that no list has.
#[test]
fn the_list_is_that_of_the_header() {
    let Ok(header) = fs::read_to_string(HEADER) else {
        assert!(flags(LIST).len() > 20 && parameters(LIST).len() > 15, "without the header the list stands alone");
        return;
    };
    for (name, bit) in flags(LIST) {
        let defined = header.lines().find_map(|line| {
            let (defined, value) = line.trim().split_once('=')?;
            (defined.trim() == format!("VIR_MIGRATE_{name}")).then(|| value.trim().trim_end_matches(',').to_owned())
        });
        assert_eq!(defined, Some(format!("(1 << {bit})")), "{name}");
    }
    let defined: BTreeSet<&str> = header
        .lines()
        .filter_map(|line| line.strip_prefix("# define VIR_MIGRATE_PARAM_")?.split_once('"')?.1.strip_suffix('"'))
        .collect();
    let unknown: Vec<&str> = parameters(LIST).difference(&defined).copied().collect();
    assert_eq!(unknown, [] as [&str; 0]);
    let listed: BTreeSet<&str> =
        parameters(LIST).into_iter().chain(newer_parameters().into_iter().map(|(name, _)| name)).collect();
    let unlisted: Vec<&str> = defined.difference(&listed).copied().collect();
    assert_eq!(unlisted, [] as [&str; 0], "a newer libvirt has them: reach them, and add them to libvirt-newer.txt");
}
