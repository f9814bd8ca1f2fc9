//! What is foretold of a transfer before it begins, and from which bandwidth: declared, seen earlier, or not known at all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use waypost_core::convergence::{Activity, Bandwidth, BandwidthFrom, Opening, OpeningQuestion, predict};
use waypost_core::facts::Snapshot;
use waypost_core::ids::HostName;
use waypost_core::network::{Network, Networks, Place, Role};
use waypost_core::outcome::OutcomeKind;
use waypost_core::ports::{DecisionRecord, Depth, Judgement, Policies, StorageProbe};
use waypost_core::recovery::{RecoveryAnswer, RecoveryQuestion};
use waypost_core::request::{CheckRequest, Options};
use waypost_core::stream::{Disks, Stream};
use waypost_engine::{Engine, Measuring, Planned, Question, Settings, Targets};

use crate::support::{Case, Mind, Minded, Site, a, b, in_virtual_time};

/// Keeps what it was asked before a transfer, and leaves everything as it is.
#[derive(Default)]
struct Listens(Mutex<Vec<OpeningQuestion>>);

impl Policies for Listens {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, probe: Option<&dyn StorageProbe>) -> Judgement {
        Minded::new(Mind::Conservative).precheck(request, facts, probe)
    }
    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        Minded::new(Mind::Conservative).recover(question)
    }
    fn open(&self, question: &OpeningQuestion) -> (Opening, Option<DecisionRecord>) {
        self.0.lock().unwrap().push(question.clone());
        (Opening::unchanged("nothing"), None)
    }
}

impl Listens {
    fn last(&self) -> OpeningQuestion {
        self.0.lock().unwrap().last().unwrap().clone()
    }
}

/// What a dry run says of a migration to that host.
async fn dry_run(site: &Site, engine: &Engine, to: HostName, options: Options) -> Planned {
    let question = Question {
        domain: site.request().domain,
        source: None,
        targets: Targets::These(vec![to.clone()]),
        options,
        requester: "test".into(),
    };
    let report = engine.check(&question).await.unwrap();
    engine.dry_run(&report, &to).await.unwrap().unwrap().unwrap()
}

/// To b, to its end.
async fn moved(site: &Site, engine: &Engine, options: Options) {
    let request = waypost_core::request::MigrationRequest { options, ..site.request() };
    let outcome = engine.accept(request).unwrap().drive().await.unwrap();
    assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
}

fn limited(mib_s: u64) -> Options {
    Options { bandwidth_mib_s: Some(mib_s), ..Options::default() }
}

fn network_of(mib_s: u64) -> Networks {
    let place = |address: &str| Place { address: address.parse().unwrap(), interface: None };
    let network = Network {
        name: "fast".into(),
        roles: vec![Role::Migration],
        fallback: vec![],
        bandwidth_mib_s: Some(mib_s),
        max_migrations: None,
        places: BTreeMap::from([(a(), place("10.8.0.1")), (b(), place("10.8.0.2"))]),
    };
    Networks { networks: vec![network], default: Some("fast".into()), ..Networks::default() }
}

/// What the guest of these cases dirties: 1000 pages a second.
const DIRTIED: u64 = 1000 * 4096;

#[test]
fn what_is_declared_is_reckoned_with_and_of_two_the_less() {
    let network = BandwidthFrom::Network;
    for (limit, declared, expected) in [
        (Some(100), None, (100, BandwidthFrom::Limit)),
        (Some(100), Some(700), (100, BandwidthFrom::Limit)),
        (Some(900), Some(700), (700, network)),
        (None, Some(700), (700, network)),
    ] {
        in_virtual_time(async {
            let site = Site::new(Case::live());
            let (engine, _) = site.engine(None);
            let networks = Arc::new(declared.map_or_else(Networks::default, network_of));
            engine.adjust(Settings { networks, ..Settings::default() }, Depth::default());
            let options = limit.map_or_else(Options::default, limited);
            let told = dry_run(&site, &engine, b(), options).await;
            let prediction = told.prediction.unwrap();
            let (mib_s, from) = expected;
            assert_eq!(prediction.bandwidth_bytes_per_s, mib_s << 20, "{limit:?}, {declared:?}");
            assert_eq!(prediction.bandwidth_from, from, "{limit:?}, {declared:?}");
            assert_eq!(prediction.dirty_bytes_per_s, DIRTIED);
            assert!(prediction.converges && prediction.total_ms.is_some(), "{prediction:?}");
        });
    }
}

/// A guest that stands still for the whole transfer writes nothing meanwhile, whatever it does before.
#[test]
fn a_guest_that_stands_still_converges_and_its_downtime_is_the_whole() {
    in_virtual_time(async {
        let site = Site::new(Case::endless());
        let policy = Arc::new(Listens::default());
        let engine = site.engine_with(policy.clone());
        let live = dry_run(&site, &engine, b(), limited(100)).await.prediction.unwrap();
        assert!(!live.converges && live.total_ms.is_none(), "{live:?}");
        let still = Stream { stands_still: true, ..Stream::default() };
        let told = dry_run(&site, &engine, b(), Options { stream: still, ..limited(100) }).await;
        let (prediction, writing) = (told.prediction.unwrap(), told.writing.unwrap());
        let all_of_it = told.plan.memory_bytes.unwrap() * 1000 / (100 << 20);
        assert_eq!((prediction.total_ms, prediction.downtime_ms), (Some(all_of_it), Some(all_of_it)));
        assert!(prediction.converges, "{prediction:?}");
        assert_eq!((writing.dirty_bytes_per_s, writing.converges_above_bytes_per_s), (0, 0));
        assert_eq!(policy.last().prediction, Some(prediction), "the policy is told the same");
    });
}

/// The two disks hold a quarter of a GiB each, and are copied before the memory while the guest runs.
#[test]
fn disks_that_are_copied_take_their_time_and_on_a_way_of_their_own_nobody_knows_how_long() {
    in_virtual_time(async {
        let site = Site::new(Case::copying());
        let (engine, _) = site.engine(None);
        let options = Options { bandwidth_mib_s: Some(100), ..site.case.options.clone() };
        let told = dry_run(&site, &engine, b(), options.clone()).await;
        assert_eq!(told.plan.copies.0.len(), 2);
        let activity = Activity { dirty_bytes_per_s: DIRTIED, resident_bytes: None };
        let bandwidth = Bandwidth { bytes_per_s: 100 << 20, from: BandwidthFrom::Limit };
        let memory = predict(&activity, told.plan.memory_bytes.unwrap(), bandwidth, None);
        let prediction = told.prediction.unwrap();
        assert_eq!(prediction.total_ms, Some(memory.total_ms.unwrap() + 5120));
        assert_eq!(prediction.downtime_ms, memory.downtime_ms);

        let apart = Disks { uri: Some("tcp://10.9.0.2".into()), ..options.disks.clone() };
        let told = dry_run(&site, &engine, b(), Options { disks: apart, ..options }).await;
        let prediction = told.prediction.unwrap();
        assert_eq!((prediction.total_ms, prediction.downtime_ms), (None, memory.downtime_ms));
        assert!(prediction.converges, "{prediction:?}");
    });
}

#[test]
fn without_a_bandwidth_it_is_said_which_would_do_and_a_policy_is_told_the_same() {
    in_virtual_time(async {
        let site = Site::new(Case::live());
        let policy = Arc::new(Listens::default());
        let engine = site.engine_with(policy.clone());
        let told = dry_run(&site, &engine, b(), Options::default()).await;
        assert_eq!(told.prediction, None, "nobody knows what the network carries");
        let writing = told.writing.unwrap();
        assert_eq!((writing.dirty_bytes_per_s, writing.converges_above_bytes_per_s), (DIRTIED, DIRTIED));
        let asked = policy.last();
        assert_eq!((asked.prediction, asked.writing), (None, Some(writing)));
    });
}

#[test]
fn what_earlier_transfers_carried_is_reckoned_with_on_the_way_back() {
    in_virtual_time(async {
        let site = Site::new(Case::live());
        let (engine, _) = site.engine(None);
        moved(&site, &engine, Options::default()).await;
        let told = dry_run(&site, &engine, a(), Options::default()).await;
        let prediction = told.prediction.unwrap();
        assert_eq!(prediction.bandwidth_from, BandwidthFrom::EarlierTransfers);
        // The simulated link carries 1000 MiB/s, and beginning and ending take their time.
        let mib_s = prediction.bandwidth_bytes_per_s >> 20;
        assert!((700..=1000).contains(&mib_s), "{mib_s} MiB/s");
        // What a person says is stronger.
        let told = dry_run(&site, &engine, a(), limited(30)).await;
        assert_eq!(told.prediction.unwrap().bandwidth_bytes_per_s, 30 << 20);
    });
}

#[test]
fn a_transfer_that_was_held_back_shows_its_limit_and_not_the_network() {
    in_virtual_time(async {
        let site = Site::new(Case::live());
        let (engine, _) = site.engine(None);
        moved(&site, &engine, limited(50)).await;
        let told = dry_run(&site, &engine, a(), Options::default()).await;
        assert_eq!(told.prediction, None);
        assert!(told.writing.is_some());
    });
}

/// A second for a transfer of a few would be too much; for one of two minutes it isn't. Where nobody knows what the network
/// carries it is taken for one of 10 Gbit/s, over which 62.5 GB take 50 s.
#[test]
fn before_a_migration_it_is_measured_only_where_that_is_worth_its_time() {
    for (memory_mib, options, predicted, measured) in [
        (1024, Options::default(), false, false),
        (1024, limited(400), false, false),
        (1024, limited(10), true, true),
        (59_000, Options::default(), false, false),
        (60_000, Options::default(), false, true),
    ] {
        in_virtual_time(async {
            let site = Site::new(Case { memory_mib, ..Case::live() });
            let policy = Arc::new(Listens::default());
            let engine = site.engine_with(policy.clone());
            moved(&site, &engine, options.clone()).await;
            let asked = policy.last();
            assert_eq!(asked.prediction.is_some(), predicted, "{memory_mib} MiB, {options:?}");
            assert_eq!(asked.writing.is_some(), measured, "{memory_mib} MiB, {options:?}");
        });
    }
}

/// What a site says instead: before each migration, however short, or before none, however long. A dry run measures all the same.
#[test]
fn a_site_has_it_measured_before_each_migration_or_before_none() {
    for (measure, memory_mib, options, predicted, measured) in [
        (Measuring::Always, 1024, Options::default(), false, true),
        (Measuring::Always, 1024, limited(400), true, true),
        (Measuring::Never, 1024, limited(10), false, false),
        (Measuring::Never, 60_000, Options::default(), false, false),
    ] {
        in_virtual_time(async {
            let site = Site::new(Case { memory_mib, ..Case::live() });
            let policy = Arc::new(Listens::default());
            let engine = site.engine_with(policy.clone());
            engine.adjust(Settings { measure, ..Settings::default() }, Depth::default());
            let shown = dry_run(&site, &engine, b(), options.clone()).await;
            assert!(shown.writing.is_some(), "{measure}, {memory_mib} MiB, {options:?}");
            moved(&site, &engine, options.clone()).await;
            let asked = policy.last();
            assert_eq!(asked.prediction.is_some(), predicted, "{measure}, {memory_mib} MiB, {options:?}");
            assert_eq!(asked.writing.is_some(), measured, "{measure}, {memory_mib} MiB, {options:?}");
        });
    }
}
