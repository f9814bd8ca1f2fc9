//! The picture of a fleet: each cell is what a check would say, trouble stays where it is, and many who look cost what one costs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use waypost_core::facts::StorageProof;
use waypost_core::ids::{DomainKey, HostName, Moment};
use waypost_core::ports::{Clock as _, Depth, FaultKind, KeptProof};
use waypost_core::request::Options;
use waypost_core::stream::Encryption;
use waypost_core::verdict::Verdict;
use waypost_engine::{Engine, Fleet, Question, Readiness, Settings};
use waypost_sim::{DomainSpec, HostSpec, Scripted, Step, What, World};

use crate::support::{Case, MemoryStore, Mind, Minded, Site, VirtualClock, a, b, in_virtual_time};

async fn readiness(engine: &Engine) -> Readiness {
    let fleet = engine.fleet().await.unwrap();
    engine.readiness_of(Fleet::clone(&fleet), &Options::default(), "test").await.unwrap()
}

/// The codes of what was found, by destination.
fn found(verdicts: &[Verdict]) -> Vec<(&str, Vec<&str>)> {
    let mut all = Vec::new();
    for verdict in verdicts {
        let codes = verdict.findings.iter().map(|judged| judged.finding.code.as_str());
        all.push((verdict.destination.as_str(), codes.collect()));
    }
    all
}

fn three_hosts() -> Case {
    Case { others: &["c"], ..Case::live() }
}

#[test]
fn trouble_with_one_candidate_is_that_candidates_as_in_a_check() {
    in_virtual_time(async {
        let no_answer = || Scripted::at(Step::PairFacts, What::Error(FaultKind::Unreachable)).on("b");
        let site = Site::new(three_hosts().fault(no_answer()).fault(no_answer()));
        let (engine, _) = site.engine(None);
        let picture = readiness(&engine).await;
        let [row] = picture.rows.as_slice() else { panic!("{picture:?}") };
        assert_eq!(found(&row.verdicts), [("b", vec!["destination-unreachable"]), ("c", vec![])]);
        assert!(picture.unread.is_empty(), "{picture:?}");
        let checked = engine.check(&Question::new(DomainKey::Name("g1".into()), "test")).await.unwrap();
        assert_eq!(found(&checked.verdicts), found(&row.verdicts));
    });
}

#[test]
fn a_host_that_is_silent_is_told_and_is_a_refused_cell_of_all_others() {
    in_virtual_time(async {
        let silent = Scripted::at(Step::HostFacts, What::Error(FaultKind::Unreachable)).on("c");
        let site = Site::new(three_hosts().fault(silent));
        let picture = readiness(&site.engine(None).0).await;
        assert_eq!(found(&picture.rows[0].verdicts), [("b", vec![]), ("c", vec!["destination-unreachable"])]);
        let unread: Vec<_> = picture.unread.iter().map(|one| (one.fault.host.as_str(), one.domain.is_some())).collect();
        assert_eq!(unread, [("c", false)]);
    });
}

/// Whose name that is has to be known by whoever shows it.
#[test]
fn a_domain_that_cannot_be_read_is_told_with_its_name_and_place() {
    in_virtual_time(async {
        let lost = Scripted::at(Step::DiskViews, What::Error(FaultKind::Other)).on("a");
        let site = Site::new(three_hosts().fault(lost));
        let picture = readiness(&site.engine(None).0).await;
        assert!(picture.rows.is_empty());
        let [unread] = picture.unread.as_slice() else { panic!("{picture:?}") };
        let (host, domain) = unread.domain.as_ref().unwrap();
        assert_eq!((host, domain.name.as_str()), (&a(), "g1"));
    });
}

#[test]
fn what_a_probe_has_proven_counts_for_as_long_as_it_holds() {
    in_virtual_time(async {
        let site = Site::new(three_hosts());
        let (engine, _) = site.engine(None);
        let proof = |pool: &str| StorageProof {
            source_pool: pool.to_owned(),
            destination_pool: pool.to_owned(),
            shared: false,
        };
        for (pool, at) in [("shared", site.clock.now()), ("images", Moment(0))] {
            let kept = KeptProof { source: a(), destination: b(), proof: proof(pool), at };
            site.store.put_proof(&kept).unwrap();
        }
        let fleet = engine.fleet().await.unwrap();
        let known: Vec<_> = fleet.domains[0]
            .facts
            .candidates
            .iter()
            .map(|c| (c.host.name.clone(), c.pair.storage_proofs.clone()))
            .collect();
        assert_eq!(known, [(b(), vec![proof("shared")]), (HostName::new("c"), vec![])]);
        let checked = engine.check(&Question::new(DomainKey::Name("g1".into()), "test")).await.unwrap();
        assert_eq!(checked.facts.candidates[0].pair.storage_proofs, [proof("shared")]);
    });
}

/// A site that wants encryption everywhere refuses the same pairs in both.
#[test]
fn what_the_site_says_of_encryption_holds() {
    in_virtual_time(async {
        let world = World::new(&waypost_sim::Fleet::new(
            [HostSpec::named("a"), HostSpec::named("b")],
            [DomainSpec::named("g1", "a")],
        ))
        .unwrap();
        let settings = Settings { encryption: Encryption::Required, ..Settings::default() };
        let engine = over(world, settings);
        let picture = readiness(&engine).await;
        let checked = engine.check(&Question::new(DomainKey::Name("g1".into()), "test")).await.unwrap();
        let cells = found(&picture.rows[0].verdicts);
        assert!(!cells[0].1.is_empty(), "no host can encrypt here: {cells:?}");
        assert_eq!(found(&checked.verdicts), cells);
    });
}

fn over(world: World, settings: Settings) -> Engine {
    Engine::new(
        Arc::new(world),
        Arc::new(Minded::new(Mind::Conservative)),
        Arc::new(MemoryStore::default()),
        Arc::new(VirtualClock::new()),
        settings,
        Depth::default(),
    )
}

#[test]
fn domains_are_read_side_by_side_and_each_on_all_hosts_at_once() {
    in_virtual_time(async {
        let hosts = ["a", "b", "c", "d"].map(HostSpec::named);
        let domains: Vec<_> = (0..16).map(|n| DomainSpec::named(&format!("g{n}"), "a")).collect();
        let world = World::new(&waypost_sim::Fleet::new(hosts, domains)).unwrap();
        // Each of them, on each of three hosts.
        world.script(vec![Scripted::at(Step::PairFacts, What::Slow(Duration::from_secs(1))); 16 * 3]);
        let engine = over(world, Settings::default());
        let began = Instant::now();
        let fleet = engine.fleet().await.unwrap();
        assert!(fleet.domains.iter().all(|one| one.facts.candidates.len() == 3) && fleet.domains.len() == 16);
        // 48 s one after another; four domains at a time, and their hosts at once: 4 s.
        assert_eq!(began.elapsed().as_secs(), 4);
    });
}

/// Nobody gets what was read before it asked, and all who ask meanwhile get the next reading.
#[test]
fn those_who_ask_at_once_share_a_reading() {
    in_virtual_time(async {
        let engine = Site::new(three_hosts()).engine(None).0;
        let (one, two, three, four) = tokio::join!(engine.fleet(), engine.fleet(), engine.fleet(), engine.fleet());
        let [one, two, three, four] = [one, two, three, four].map(Result::unwrap);
        assert!(!Arc::ptr_eq(&one, &two));
        assert!(Arc::ptr_eq(&two, &three) && Arc::ptr_eq(&three, &four));
        let later = engine.fleet().await.unwrap();
        assert!(!Arc::ptr_eq(&four, &later));
    });
}

/// One that is given up leaves nothing behind that others wait for.
#[test]
fn a_reading_that_is_given_up_is_begun_anew() {
    in_virtual_time(async {
        let hang = Scripted::at(Step::HostFacts, What::Slow(Duration::from_secs(3600))).on("b");
        let engine = Site::new(three_hosts().fault(hang)).engine(None).0;
        let given_up = tokio::time::timeout(Duration::from_secs(1), engine.fleet()).await;
        assert!(given_up.is_err());
        assert_eq!(engine.fleet().await.unwrap().domains.len(), 1);
    });
}
