//! No flag and no typed parameter of libvirt 9.0 is out of reach: the list is libvirt's own, and where its header is
//! installed the list is compared with that.

use std::collections::BTreeSet;
use std::fs;

use super::*;

/// The names of libvirt 9.0: a flag with its bit, a parameter with its text.
const LIST: &str = include_str!("libvirt-9.0.txt");
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
                compression: vec![Compression::Mt],
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
fn every_flag_and_parameter_of_libvirt_9_0_can_be_asked_for() {
    let orders = all();
    let reached = orders.iter().fold(0, |flags, order| flags | order.flags);
    let missing: Vec<&str> =
        flags(LIST).into_iter().filter(|(_, bit)| reached & (1 << bit) == 0).map(|(name, _)| name).collect();
    assert_eq!(missing, [] as [&str; 0], "flags");
    let sent: BTreeSet<&str> =
        orders.iter().flat_map(|order| &order.params).map(|(name, _)| name.to_str().unwrap()).collect();
    let missing: Vec<&str> = parameters(LIST)
        .into_iter()
        .filter(|name| !sent.contains(name) && !OF_THE_TRANSFORM_HOOK.contains(name))
        .collect();
    assert_eq!(missing, [] as [&str; 0], "parameters");
}

/// On a machine with a newer libvirt the header may have more than the list, never less.
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
}
