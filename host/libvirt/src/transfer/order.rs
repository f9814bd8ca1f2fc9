//! The plan in libvirt's terms: which flags, and which typed parameters of which type. libvirt refuses a parameter of
//! another type than its own, and one that it doesn't know.

use std::ffi::CStr;

use virt_sys as sys;
use waypost_core::plan::{DestinationFate, Plan, RunState, SourceFate, TransferMode};
use waypost_core::request::StorageSafety;
use waypost_core::stream::{DiskCopy, Disks, Encryption, Stream, Transport, newer};

use super::sent::Definitions;
use crate::error::Failure;
use crate::raw::Param;

/// `VIR_MIGRATE_PARAM_MIGRATE_DISKS_TARGET_ZERO` of libvirt 12.2, which the bindings don't have yet.
const TARGET_ZERO: &CStr = c"migrate_disks_target_zero";

/// Flags and parameters of one migration.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) flags: u32,
    pub(super) params: Vec<(&'static CStr, Param)>,
    /// What needs a newer libvirt than 9.0, and which.
    newer: Vec<(&'static str, u64)>,
}

impl Order {
    /// The same order as the continuation of one that broke in post-copy. The flag for post-copy goes with it, whatever
    /// the plan's stream says: what broke was one.
    pub(super) fn resuming(mut self) -> Self {
        self.flags |= sys::VIR_MIGRATE_POSTCOPY | sys::VIR_MIGRATE_POSTCOPY_RESUME;
        self
    }

    /// The order for a plan.
    pub(super) fn of(plan: &Plan) -> Self {
        let mut order = Self { flags: transport(plan.transport), params: Vec::new(), newer: Vec::new() };
        let new_name = (plan.destination_name != plan.name).then_some(&plan.destination_name);
        order.text(sys::VIR_MIGRATE_PARAM_DEST_NAME, new_name);
        match plan.mode {
            TransferMode::Offline => order.flags |= sys::VIR_MIGRATE_OFFLINE,
            TransferMode::Live => {
                order.text(sys::VIR_MIGRATE_PARAM_URI, plan.migrate_uri.as_ref());
                order.text(sys::VIR_MIGRATE_PARAM_LISTEN_ADDRESS, plan.listen_address.as_ref());
                order.long(sys::VIR_MIGRATE_PARAM_BANDWIDTH, plan.bandwidth_mib_s);
                // A paused domain stays paused by itself; this is for one that runs.
                order.flag(plan.finally == RunState::Paused, sys::VIR_MIGRATE_PAUSED);
                order.stream(&plan.stream);
                order.compression(&plan.stream);
                order.disks(&plan.disks);
                order.newer = newer(&plan.stream, &plan.disks);
            }
        }
        order.flag(plan.destination_fate == DestinationFate::Define, sys::VIR_MIGRATE_PERSIST_DEST);
        order.flag(plan.source_fate == SourceFate::Undefine, sys::VIR_MIGRATE_UNDEFINE_SOURCE);
        order.flag(plan.storage == StorageSafety::Unsafe, sys::VIR_MIGRATE_UNSAFE);
        order
    }

    /// The definitions that are sent in place of the domain's own.
    pub(super) fn with(mut self, sent: Definitions) -> Self {
        self.text(sys::VIR_MIGRATE_PARAM_DEST_XML, Some(&sent.present));
        self.text(sys::VIR_MIGRATE_PARAM_PERSIST_XML, sent.definition.as_ref());
        self
    }

    /// Whether the libvirt library of that version knows all of it: what it doesn't know, it can't be asked to do.
    pub(super) fn possible_with(&self, version: u64) -> Result<(), Failure> {
        match self.newer.iter().find(|(_, needed)| *needed > version) {
            None => Ok(()),
            Some((what, needed)) => Err(Failure::refused(format!(
                "{what} needs libvirt {}, and the library here is {}: leave it out, or update libvirt",
                dotted(*needed),
                dotted(version)
            ))),
        }
    }

    fn stream(&mut self, stream: &Stream) {
        self.flag(!stream.stands_still, sys::VIR_MIGRATE_LIVE);
        self.flag(stream.parallel_connections.is_some(), sys::VIR_MIGRATE_PARALLEL);
        self.int(sys::VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, stream.parallel_connections);
        self.flag(stream.auto_converge, sys::VIR_MIGRATE_AUTO_CONVERGE);
        self.int(sys::VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL, stream.auto_converge_initial);
        self.int(sys::VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT, stream.auto_converge_increment);
        self.flag(stream.post_copy, sys::VIR_MIGRATE_POSTCOPY);
        self.long(sys::VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY, stream.post_copy_bandwidth_mib_s);
        // Whether it can be had was decided with the plan.
        self.flag(stream.encryption == Encryption::Required, sys::VIR_MIGRATE_TLS);
        self.text(sys::VIR_MIGRATE_PARAM_TLS_DESTINATION, stream.tls_destination.as_ref());
        self.flag(stream.zero_copy, sys::VIR_MIGRATE_ZEROCOPY);
        self.flag(stream.rdma_pin_all, sys::VIR_MIGRATE_RDMA_PIN_ALL);
        self.flag(stream.abort_on_error, sys::VIR_MIGRATE_ABORT_ON_ERROR);
        self.text(sys::VIR_MIGRATE_PARAM_GRAPHICS_URI, stream.graphics_uri.as_ref());
        self.long(sys::VIR_MIGRATE_PARAM_BANDWIDTH_AVAIL_SWITCHOVER, stream.switchover_bandwidth_mib_s);
    }

    fn compression(&mut self, stream: &Stream) {
        self.flag(!stream.compression.is_empty(), sys::VIR_MIGRATE_COMPRESSED);
        for method in &stream.compression {
            self.params.push((sys::VIR_MIGRATE_PARAM_COMPRESSION, Param::Text(method.to_string())));
        }
        self.int(sys::VIR_MIGRATE_PARAM_COMPRESSION_MT_LEVEL, stream.mt_level);
        self.int(sys::VIR_MIGRATE_PARAM_COMPRESSION_MT_THREADS, stream.mt_threads);
        self.int(sys::VIR_MIGRATE_PARAM_COMPRESSION_MT_DTHREADS, stream.mt_dthreads);
        self.long(sys::VIR_MIGRATE_PARAM_COMPRESSION_XBZRLE_CACHE, stream.xbzrle_cache_bytes);
        self.int(sys::VIR_MIGRATE_PARAM_COMPRESSION_ZLIB_LEVEL, stream.zlib_level);
        self.int(sys::VIR_MIGRATE_PARAM_COMPRESSION_ZSTD_LEVEL, stream.zstd_level);
    }

    fn disks(&mut self, disks: &Disks) {
        match disks.copy {
            DiskCopy::No => {}
            DiskCopy::Full => self.flags |= sys::VIR_MIGRATE_NON_SHARED_DISK,
            DiskCopy::Incremental => self.flags |= sys::VIR_MIGRATE_NON_SHARED_INC,
        }
        self.flag(disks.synchronous_writes, sys::VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES);
        self.texts(sys::VIR_MIGRATE_PARAM_MIGRATE_DISKS, &disks.targets);
        self.text(sys::VIR_MIGRATE_PARAM_DISKS_URI, disks.uri.as_ref());
        self.int(sys::VIR_MIGRATE_PARAM_DISKS_PORT, disks.port.map(u32::from));
        self.texts(sys::VIR_MIGRATE_PARAM_MIGRATE_DISKS_DETECT_ZEROES, &disks.detect_zeroes);
        self.texts(TARGET_ZERO, &disks.target_zero);
    }

    fn flag(&mut self, wanted: bool, flag: u32) {
        if wanted {
            self.flags |= flag;
        }
    }

    /// An `int` of libvirt's.
    fn int(&mut self, name: &'static CStr, value: Option<u32>) {
        self.params.extend(value.map(|value| (name, Param::Int(i32::try_from(value).unwrap_or(i32::MAX)))));
    }

    /// An `unsigned long long` of libvirt's.
    fn long(&mut self, name: &'static CStr, value: Option<u64>) {
        self.params.extend(value.map(|value| (name, Param::Unsigned(value))));
    }

    fn text(&mut self, name: &'static CStr, value: Option<&String>) {
        self.params.extend(value.map(|value| (name, Param::Text(value.clone()))));
    }

    /// A parameter that may come more than once.
    fn texts(&mut self, name: &'static CStr, values: &[String]) {
        self.params.extend(values.iter().map(|value| (name, Param::Text(value.clone()))));
    }
}

fn transport(transport: Transport) -> u32 {
    match transport {
        Transport::PeerToPeer => sys::VIR_MIGRATE_PEER2PEER,
        Transport::Tunnelled => sys::VIR_MIGRATE_PEER2PEER | sys::VIR_MIGRATE_TUNNELLED,
        // The source's daemon protects a peer-to-peer migration by itself; here it is told to, or it refuses.
        Transport::Direct => sys::VIR_MIGRATE_CHANGE_PROTECTION,
    }
}

fn dotted(version: u64) -> String {
    format!("{}.{}.{}", version / 1_000_000, version / 1_000 % 1_000, version % 1_000)
}

#[cfg(test)]
mod tests {
    mod names;

    use waypost_core::stream::Compression;
    use waypost_core::testing::plan;

    use super::*;

    #[test]
    fn a_resumed_post_copy_is_the_same_order_with_its_flag() {
        let (first, again) = (Order::of(&plan()), Order::of(&plan()).resuming());
        let added = sys::VIR_MIGRATE_POSTCOPY | sys::VIR_MIGRATE_POSTCOPY_RESUME;
        assert_eq!((again.flags, again.params), (first.flags | added, first.params));
    }

    #[test]
    fn a_plain_live_migration_sets_no_more_than_it_needs() {
        let order = Order::of(&plan());
        let expected = sys::VIR_MIGRATE_PEER2PEER
            | sys::VIR_MIGRATE_LIVE
            | sys::VIR_MIGRATE_PERSIST_DEST
            | sys::VIR_MIGRATE_UNDEFINE_SOURCE;
        assert_eq!((order.flags, order.params.len()), (expected, 0));
    }

    #[test]
    fn unsafe_is_set_only_where_a_person_asked_for_it() {
        assert_eq!(Order::of(&plan()).flags & sys::VIR_MIGRATE_UNSAFE, 0);
        let asked = Plan { storage: StorageSafety::Unsafe, ..plan() };
        assert_ne!(Order::of(&asked).flags & sys::VIR_MIGRATE_UNSAFE, 0);
    }

    /// Each choice alone, and what it adds to a plain live migration: flags and parameters in libvirt's own spelling.
    #[test]
    fn every_choice_of_the_plan_reaches_libvirt() {
        let int = |name: &'static str, value| (name, Param::Int(value));
        let long = |name: &'static str, value| (name, Param::Unsigned(value));
        let text = |name: &'static str, value: &str| (name, Param::Text(value.into()));
        type Row = (fn(&mut Plan), u32, Vec<(&'static str, Param)>);
        let added: Vec<Row> = vec![
            (|p| p.destination_name = "g2".into(), 0, vec![text("destination_name", "g2")]),
            (|p| p.finally = RunState::Paused, sys::VIR_MIGRATE_PAUSED, vec![]),
            (|p| p.storage = StorageSafety::Unsafe, sys::VIR_MIGRATE_UNSAFE, vec![]),
            (|p| p.migrate_uri = Some("tcp://[fd::2]".into()), 0, vec![text("migrate_uri", "tcp://[fd::2]")]),
            (|p| p.listen_address = Some("fd::2".into()), 0, vec![text("listen_address", "fd::2")]),
            (|p| p.bandwidth_mib_s = Some(40), 0, vec![long("bandwidth", 40)]),
            (|p| p.transport = Transport::Tunnelled, sys::VIR_MIGRATE_TUNNELLED, vec![]),
            (
                |p| p.stream.parallel_connections = Some(4),
                sys::VIR_MIGRATE_PARALLEL,
                vec![int("parallel.connections", 4)],
            ),
            (
                |p| p.stream.compression = vec![Compression::Mt, Compression::Xbzrle],
                sys::VIR_MIGRATE_COMPRESSED,
                vec![text("compression", "mt"), text("compression", "xbzrle")],
            ),
            (|p| p.stream.mt_level = Some(9), 0, vec![int("compression.mt.level", 9)]),
            (|p| p.stream.mt_threads = Some(2), 0, vec![int("compression.mt.threads", 2)]),
            (|p| p.stream.mt_dthreads = Some(3), 0, vec![int("compression.mt.dthreads", 3)]),
            (|p| p.stream.xbzrle_cache_bytes = Some(1 << 26), 0, vec![long("compression.xbzrle.cache", 1 << 26)]),
            (|p| p.stream.zlib_level = Some(1), 0, vec![int("compression.zlib.level", 1)]),
            (|p| p.stream.zstd_level = Some(20), 0, vec![int("compression.zstd.level", 20)]),
            (|p| p.stream.auto_converge = true, sys::VIR_MIGRATE_AUTO_CONVERGE, vec![]),
            (|p| p.stream.auto_converge_initial = Some(30), 0, vec![int("auto_converge.initial", 30)]),
            (|p| p.stream.auto_converge_increment = Some(5), 0, vec![int("auto_converge.increment", 5)]),
            (|p| p.stream.post_copy = true, sys::VIR_MIGRATE_POSTCOPY, vec![]),
            (|p| p.stream.post_copy_bandwidth_mib_s = Some(7), 0, vec![long("bandwidth.postcopy", 7)]),
            // No limit, where one was in force: left out, it would stay.
            (|p| p.stream.post_copy_bandwidth_mib_s = Some(0), 0, vec![long("bandwidth.postcopy", 0)]),
            (|p| p.stream.encryption = Encryption::Required, sys::VIR_MIGRATE_TLS, vec![]),
            (|p| p.stream.tls_destination = Some("kvm2.x".into()), 0, vec![text("tls.destination", "kvm2.x")]),
            (|p| p.stream.zero_copy = true, sys::VIR_MIGRATE_ZEROCOPY, vec![]),
            (|p| p.stream.rdma_pin_all = true, sys::VIR_MIGRATE_RDMA_PIN_ALL, vec![]),
            (|p| p.stream.abort_on_error = true, sys::VIR_MIGRATE_ABORT_ON_ERROR, vec![]),
            (|p| p.stream.graphics_uri = Some("spice://x:1".into()), 0, vec![text("graphics_uri", "spice://x:1")]),
            (|p| p.stream.switchover_bandwidth_mib_s = Some(9), 0, vec![long("bandwidth.avail.switchover", 9)]),
            (|p| p.disks.copy = DiskCopy::Full, sys::VIR_MIGRATE_NON_SHARED_DISK, vec![]),
            (|p| p.disks.copy = DiskCopy::Incremental, sys::VIR_MIGRATE_NON_SHARED_INC, vec![]),
            (|p| p.disks.synchronous_writes = true, sys::VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES, vec![]),
            (
                |p| p.disks.targets = vec!["vda".into(), "vdb".into()],
                0,
                vec![text("migrate_disks", "vda"), text("migrate_disks", "vdb")],
            ),
            (|p| p.disks.detect_zeroes = vec!["vda".into()], 0, vec![text("migrate_disks_detect_zeroes", "vda")]),
            (|p| p.disks.target_zero = vec!["vdb".into()], 0, vec![text("migrate_disks_target_zero", "vdb")]),
            (|p| p.disks.uri = Some("tcp://10.88.0.2".into()), 0, vec![text("disks_uri", "tcp://10.88.0.2")]),
            (|p| p.disks.port = Some(49300), 0, vec![int("disks_port", 49300)]),
        ];
        let plain = Order::of(&plan()).flags;
        for (change, flags, params) in added {
            let mut changed = plan();
            change(&mut changed);
            let order = Order::of(&changed);
            let got: Vec<_> = order.params.iter().map(|(n, v)| (n.to_str().unwrap(), v.clone())).collect();
            assert_eq!((order.flags ^ plain, got), (flags, params), "{changed:?}");
        }
    }

    #[test]
    fn what_a_choice_takes_away_is_not_sent() {
        let plain = Order::of(&plan()).flags;
        let flags = |change: fn(&mut Plan)| {
            let mut changed = plan();
            change(&mut changed);
            Order::of(&changed).flags
        };
        assert_eq!(flags(|p| p.stream.stands_still = true), plain & !sys::VIR_MIGRATE_LIVE);
        assert_eq!(
            flags(|p| p.transport = Transport::Direct),
            plain & !sys::VIR_MIGRATE_PEER2PEER | sys::VIR_MIGRATE_CHANGE_PROTECTION
        );
        assert_eq!(
            flags(|p| p.source_fate = SourceFate::KeepWithoutAutostart),
            plain & !sys::VIR_MIGRATE_UNDEFINE_SOURCE
        );
        assert_eq!(
            flags(|p| p.destination_fate = DestinationFate::TransientOnly),
            plain & !sys::VIR_MIGRATE_PERSIST_DEST
        );
    }

    #[test]
    fn what_the_linked_library_does_not_know_is_refused_with_the_version_that_does() {
        for (change, needed, before) in [
            ((|p| p.stream.compression = vec![Compression::Zstd]) as fn(&mut Plan), 9_004_000, 9_003_000),
            (|p| p.stream.compression = vec![Compression::Zlib], 9_004_000, 9_000_000),
            (|p| p.disks.detect_zeroes = vec!["vda".into()], 10_009_000, 10_008_000),
            (|p| p.stream.switchover_bandwidth_mib_s = Some(1), 11_001_000, 11_000_000),
            (|p| p.disks.target_zero = vec!["vda".into()], 12_002_000, 12_001_000),
        ] {
            let mut changed = plan();
            change(&mut changed);
            let order = Order::of(&changed);
            assert!(order.possible_with(needed).is_ok());
            let why = order.possible_with(before).unwrap_err().message;
            assert!(why.contains(&dotted(needed)) && why.contains(&dotted(before)), "{why}");
        }
        assert!(Order::of(&plan()).possible_with(9_000_000).is_ok());
    }

    #[test]
    fn an_offline_migration_moves_the_definition_and_nothing_else() {
        let order = Order::of(&Plan {
            mode: TransferMode::Offline,
            initially: RunState::ShutOff,
            finally: RunState::ShutOff,
            bandwidth_mib_s: Some(40),
            ..plan()
        });
        let expected = sys::VIR_MIGRATE_PEER2PEER
            | sys::VIR_MIGRATE_OFFLINE
            | sys::VIR_MIGRATE_PERSIST_DEST
            | sys::VIR_MIGRATE_UNDEFINE_SOURCE;
        assert_eq!((order.flags, order.params.len()), (expected, 0));
    }
}
