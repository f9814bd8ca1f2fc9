//! Each option alone is taken, each row of the tables refuses exactly once, and with its own words.

use super::*;

type Change = fn(&mut Options);

/// Every option alone, with the company that it needs.
const ALONE: &[Change] = &[
    |o| o.transport = Transport::Direct,
    |o| o.transport = Transport::Tunnelled,
    |o| (o.transport, o.network) = (Transport::Tunnelled, Some(MANAGEMENT.into())),
    |o| o.stream.stands_still = true,
    |o| o.stream.parallel_connections = Some(255),
    |o| o.stream.compression = vec![Compression::Mt, Compression::Xbzrle],
    |o| (o.stream.compression, o.stream.parallel_connections) = (vec![Compression::Xbzrle], Some(2)),
    |o| (o.stream.compression, o.stream.parallel_connections) = (vec![Compression::Zstd], Some(2)),
    |o| (o.stream.compression, o.stream.mt_level) = (vec![Compression::Mt], Some(0)),
    |o| (o.stream.compression, o.stream.mt_threads) = (vec![Compression::Mt], Some(255)),
    |o| (o.stream.compression, o.stream.mt_dthreads) = (vec![Compression::Mt], Some(1)),
    |o| (o.stream.compression, o.stream.xbzrle_cache_bytes) = (vec![Compression::Xbzrle], Some(1 << 26)),
    |o| o.stream.auto_converge = true,
    |o| (o.stream.auto_converge, o.stream.auto_converge_initial) = (true, Some(99)),
    |o| (o.stream.auto_converge, o.stream.auto_converge_increment) = (true, Some(1)),
    |o| o.stream.post_copy = true,
    |o| (o.stream.post_copy, o.stream.post_copy_bandwidth_mib_s) = (true, Some(1)),
    |o| o.stream.encryption = Encryption::Required,
    |o| o.stream.encryption = Encryption::Off,
    |o| o.stream.tls_destination = Some("kvm2".into()),
    |o| (o.stream.zero_copy, o.stream.parallel_connections) = (true, Some(2)),
    |o| {
        (o.stream.rdma_pin_all, o.stream.encryption) = (true, Encryption::Off);
        o.migrate_uri = Some("rdma://10.88.0.2".into());
    },
    |o| o.stream.abort_on_error = true,
    |o| o.stream.graphics_uri = Some("spice://10.0.0.1:5901".into()),
    |o| o.stream.switchover_bandwidth_mib_s = Some(100),
    |o| o.disks.copy = DiskCopy::Full,
    |o| o.disks.copy = DiskCopy::Incremental,
    |o| (o.disks.copy, o.disks.targets) = (DiskCopy::Full, vec!["vda".into(), "vdb".into()]),
    |o| (o.disks.copy, o.disks.synchronous_writes) = (DiskCopy::Full, true),
    |o| (o.disks.copy, o.disks.detect_zeroes) = (DiskCopy::Full, vec!["vda".into()]),
    |o| (o.disks.copy, o.disks.target_zero) = (DiskCopy::Full, vec!["vda".into()]),
    |o| (o.disks.copy, o.disks.uri) = (DiskCopy::Full, Some("tcp://10.88.0.2".into())),
    |o| (o.disks.copy, o.disks.port) = (DiskCopy::Full, Some(49300)),
    |o| o.mode = Mode::Offline,
    |o| (o.mode, o.transport) = (Mode::Offline, Transport::Direct),
];

#[test]
fn each_option_is_taken_alone() {
    for change in ALONE {
        let options = with(*change);
        assert_eq!(check(&options), Ok(()), "{options:?}");
    }
}

fn with(change: Change) -> Options {
    let mut options = Options::default();
    change(&mut options);
    options
}

/// One pair of options for each row of the table, in its order.
const EXCLUDED: &[Change] = &[
    |o| (o.transport, o.stream.parallel_connections) = (Transport::Tunnelled, Some(2)),
    |o| (o.transport, o.stream.post_copy) = (Transport::Tunnelled, true),
    |o| (o.transport, o.stream.encryption) = (Transport::Tunnelled, Encryption::Required),
    |o| (o.transport, o.disks.copy) = (Transport::Tunnelled, DiskCopy::Full),
    |o| (o.transport, o.migrate_uri) = (Transport::Tunnelled, Some("tcp://x".into())),
    |o| (o.transport, o.listen_address) = (Transport::Tunnelled, Some("::".into())),
    |o| (o.transport, o.network) = (Transport::Tunnelled, Some("mig".into())),
    |o| (o.transport, o.stream.zero_copy) = (Transport::Tunnelled, true),
    |o| (o.stream.parallel_connections, o.stream.compression) = (Some(2), vec![Compression::Mt]),
    |o| (o.stream.parallel_connections, o.stream.compression) = (Some(2), vec![Compression::Xbzrle, Compression::Zstd]),
    |o| (o.stream.zero_copy, o.stream.encryption) = (true, Encryption::Required),
    |o| (o.stream.zero_copy, o.stream.compression) = (true, vec![Compression::Xbzrle]),
    |o| (o.stream.post_copy, o.stream.parallel_connections) = (true, Some(2)),
    |o| (o.stream.post_copy, o.stream.stands_still) = (true, true),
    |o| (o.stream.post_copy, o.after) = (true, AfterMove::Paused),
    |o| (o.migrate_uri, o.stream.parallel_connections) = (Some("rdma://x".into()), Some(2)),
    |o| (o.migrate_uri, o.stream.encryption) = (Some("rdma://x".into()), Encryption::Required),
    |o| (o.disks.uri, o.disks.port) = (Some("tcp://x".into()), Some(1)),
    |o| (o.stream.encryption, o.stream.tls_destination) = (Encryption::Off, Some("x".into())),
];

#[test]
fn each_exclusion_is_told_with_both_names_and_the_reason() {
    assert_eq!(EXCLUDED.len(), EXCLUSIONS.len(), "one case for each row");
    for (change, (first, second, _, why)) in EXCLUDED.iter().zip(EXCLUSIONS) {
        let options = with(*change);
        assert_eq!(check(&options), Err(Refusal::Conflict { first, second, why }), "{options:?}");
    }
}

/// One lonely option for each row of the table, in its order.
const LONELY: &[Change] = &[
    |o| o.stream.zero_copy = true,
    |o| o.stream.compression = vec![Compression::Zlib],
    |o| o.stream.compression = vec![Compression::Zstd],
    |o| o.stream.mt_level = Some(1),
    |o| o.stream.mt_threads = Some(1),
    |o| (o.stream.compression, o.stream.mt_dthreads) = (vec![Compression::Xbzrle], Some(1)),
    |o| o.stream.xbzrle_cache_bytes = Some(4096),
    |o| o.stream.zlib_level = Some(1),
    |o| o.stream.zstd_level = Some(1),
    |o| o.stream.auto_converge_initial = Some(1),
    |o| o.stream.auto_converge_increment = Some(1),
    |o| o.stream.post_copy_bandwidth_mib_s = Some(1),
    |o| (o.stream.rdma_pin_all, o.migrate_uri) = (true, Some("tcp://x".into())),
    |o| o.migrate_uri = Some("rdma://x".into()),
    |o| (o.migrate_uri, o.stream.encryption) = (Some("unix:///x".into()), Encryption::Required),
    |o| (o.migrate_uri, o.disks.copy) = (Some("unix:///x".into()), DiskCopy::Full),
    |o| o.disks.targets = vec!["vda".into()],
    |o| o.disks.uri = Some("tcp://x".into()),
    |o| o.disks.port = Some(1),
    |o| o.disks.synchronous_writes = true,
    |o| o.disks.detect_zeroes = vec!["vda".into()],
    |o| (o.disks.copy, o.disks.target_zero) = (DiskCopy::Incremental, vec!["vda".into()]),
];

#[test]
fn each_option_without_what_it_is_for_is_told_with_what_to_do() {
    assert_eq!(LONELY.len(), NEEDS.len(), "one case for each row");
    for (change, (option, needs, _, remedy)) in LONELY.iter().zip(NEEDS) {
        let options = with(*change);
        assert_eq!(check(&options), Err(Refusal::Needs { option, needs, remedy }), "{options:?}");
    }
}

#[test]
fn each_number_has_its_range() {
    type Set = fn(&mut Options, u64);
    const SET: &[Set] = &[
        |o, n| o.stream.parallel_connections = Some(n as u32),
        |o, n| (o.stream.compression, o.stream.mt_level) = (vec![Compression::Mt], Some(n as u32)),
        |o, n| (o.stream.compression, o.stream.mt_threads) = (vec![Compression::Mt], Some(n as u32)),
        |o, n| (o.stream.compression, o.stream.mt_dthreads) = (vec![Compression::Mt], Some(n as u32)),
        |o, n| (o.stream.compression, o.stream.xbzrle_cache_bytes) = (vec![Compression::Xbzrle], Some(n)),
        |o, n| {
            (o.stream.compression, o.stream.zlib_level) = (vec![Compression::Zlib], Some(n as u32));
            o.stream.parallel_connections = Some(2);
        },
        |o, n| {
            (o.stream.compression, o.stream.zstd_level) = (vec![Compression::Zstd], Some(n as u32));
            o.stream.parallel_connections = Some(2);
        },
        |o, n| (o.stream.auto_converge, o.stream.auto_converge_initial) = (true, Some(n as u32)),
        |o, n| (o.stream.auto_converge, o.stream.auto_converge_increment) = (true, Some(n as u32)),
        |o, n| (o.stream.post_copy, o.stream.post_copy_bandwidth_mib_s) = (true, Some(n)),
        |o, n| o.stream.switchover_bandwidth_mib_s = Some(n),
        |o, n| (o.disks.copy, o.disks.port) = (DiskCopy::Full, Some(n as u16)),
    ];
    assert_eq!(SET.len(), RANGES.len(), "one case for each row");
    for (set, (name, _, low, high, _)) in SET.iter().zip(RANGES) {
        let verdict = |number| {
            let mut options = Options::default();
            set(&mut options, number);
            check(&options)
        };
        assert_eq!((verdict(*low), verdict(*high)), (Ok(()), Ok(())), "{name}");
        // A port above its range can't even be said; the one below is looked at further down.
        for outside in [low.checked_sub(1), high.checked_add(1)].into_iter().flatten().filter(|_| *name != "disks-port")
        {
            assert!(matches!(verdict(outside), Err(Refusal::OutOfRange { .. })), "{name}: {outside}");
        }
    }
    let odd =
        |o: &mut Options| (o.stream.compression, o.stream.xbzrle_cache_bytes) = (vec![Compression::Xbzrle], Some(5000));
    assert!(check(&with(odd)).unwrap_err().to_string().contains("powers of two"));
    assert!(check(&with(|o| (o.disks.copy, o.disks.port) = (DiskCopy::Full, Some(0)))).is_err());
}

#[test]
fn texts_that_cant_be_are_refused() {
    let refused: &[Change] = &[
        |o| (o.disks.copy, o.disks.uri) = (DiskCopy::Full, Some("rdma://x".into())),
        |o| o.stream.graphics_uri = Some("10.0.0.1".into()),
        |o| (o.disks.copy, o.disks.targets) = (DiskCopy::Full, vec!["vda".into(), "vda".into()]),
        |o| (o.disks.copy, o.disks.detect_zeroes) = (DiskCopy::Full, vec!["".into()]),
        |o| (o.disks.copy, o.disks.target_zero) = (DiskCopy::Full, vec!["vda".into(), "vda".into()]),
    ];
    for change in refused {
        assert!(matches!(check(&with(*change)), Err(Refusal::Malformed { .. })), "{:?}", with(*change));
    }
}

#[test]
fn what_is_said_of_a_disks_zeroes_is_said_of_one_that_is_copied() {
    type Names = fn(&mut Options) -> &mut Vec<String>;
    let said: [(&str, Names); 2] =
        [("detect-zeroes", |o| &mut o.disks.detect_zeroes), ("target-zero", |o| &mut o.disks.target_zero)];
    for (name, targets) in said {
        let asked = |copied: &[&str], of: &str| {
            let mut options = Options::default();
            options.disks.copy = DiskCopy::Full;
            options.disks.targets = copied.iter().map(|&target| target.to_owned()).collect();
            targets(&mut options).push(of.to_owned());
            check(&options)
        };
        assert_eq!(asked(&["vda", "vdb"], "vdb"), Ok(()));
        assert_eq!(asked(&[], "vdb"), Ok(()), "which disks are copied the plan says");
        let refused = asked(&["vda"], "vdb").unwrap_err();
        assert!(matches!(refused, Refusal::Malformed { option, .. } if option == name), "{refused:?}");
        assert!(refused.to_string().contains("\"vdb\" is none of the disks that migrate-disks names"), "{refused}");
    }
}
