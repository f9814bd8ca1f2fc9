//! A site that requires encryption: nobody gets less, not by asking for it, not by leaving it open, and not by a second
//! attempt that a policy sends to a host which can't. And where nothing is required: no second attempt through a tunnel that
//! is less safe than the first one's.

use std::sync::Arc;

use waypost_core::admission::Refusal;
use waypost_core::facts::Snapshot;
use waypost_core::ids::{DomainKey, HostName};
use waypost_core::journal::Record;
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::plan::Plan;
use waypost_core::ports::{Clock, DecisionRecord, Depth, Judgement, Policies, StorageProbe, Store};
use waypost_core::recovery::{AttemptChange, RecoveryAnswer, RecoveryQuestion};
use waypost_core::request::{CheckRequest, MigrationRequest, Options};
use waypost_core::situation::Action;
use waypost_core::stream::{Encryption, Stream, Transport};
use waypost_engine::{Engine, EngineError, Settings};
use waypost_sim::{DomainSpec, Fleet, HostSpec, Scripted, Step, What, Who, World};

use crate::support::{MemoryStore, Mind, Minded, VirtualClock, in_virtual_time};

/// After a failure it sends the domain to `c`, where it may.
struct Elsewhere;

impl Policies for Elsewhere {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, probe: Option<&dyn StorageProbe>) -> Judgement {
        Minded::new(Mind::Conservative).precheck(request, facts, probe)
    }
    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        let (answer, decision) = Minded::new(Mind::Again).recover(question);
        let destination = question.others.iter().find(|host| host.as_str() == "c").cloned();
        let change = AttemptChange { destination, ..AttemptChange::NONE };
        let change = if answer.action == Action::TryAgain { change } else { AttemptChange::NONE };
        (RecoveryAnswer { change, ..answer }, decision)
    }
}

/// What came of a migration, where the domain then is, and the plans that were made.
type Moved = (Result<Outcome, EngineError>, Vec<HostName>, Vec<Plan>);

/// Moves g1 from a, of the hosts a, b and c, to b, where its process dies the first time.
fn moved(hosts: [HostSpec; 3], site: Encryption, options: Options) -> Moved {
    in_virtual_time(async {
        let world = World::new(&Fleet::new(hosts, [DomainSpec::named("g1", "a")])).unwrap();
        world.script([Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination))]);
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let engine = Engine::new(
            Arc::new(world.clone()),
            Arc::new(Elsewhere),
            Arc::clone(&store),
            Arc::new(VirtualClock::new()) as Arc<dyn Clock>,
            Settings { encryption: site, ..Settings::default() },
            Depth::default(),
        );
        let accepted = engine.accept(MigrationRequest {
            domain: DomainKey::Name("g1".into()),
            source: None,
            destination: HostName::new("b"),
            options,
            requester: "test".into(),
        });
        let running_on = || world.truth(world.domain("g1").unwrap()).running_on;
        let driver = match accepted {
            Ok(driver) => driver,
            Err(error) => return (Err(error), running_on(), vec![]),
        };
        let task = driver.id();
        let outcome = driver.drive().await;
        let journal = store.journal(task).unwrap();
        let plans = journal.iter().filter_map(|(_, record)| match record {
            Record::Planned { plan } => Some(plan.clone()),
            _ => None,
        });
        (outcome, running_on(), plans.collect())
    })
}

/// At a site that requires encryption, where those of the hosts that are named have certificates: what the plans say of it.
fn migrate(able: &[&str], encryption: Encryption) -> (Result<Outcome, EngineError>, Vec<HostName>, Vec<Encryption>) {
    let host = |name: &str| HostSpec { migration_tls: able.contains(&name), ..HostSpec::named(name) };
    let stream = Stream { encryption, ..Stream::default() };
    let options = Options { stream, ..Options::default() };
    let (outcome, where_it_is, plans) = moved(["a", "b", "c"].map(host), Encryption::Required, options);
    (outcome, where_it_is, plans.iter().map(|plan| plan.stream.encryption).collect())
}

/// Through a tunnel, at a site that leaves encryption open, to b and then to c, which are reached by these URIs: the ways that
/// were planned.
fn tunnel(to_b: &str, to_c: &str) -> (Outcome, Vec<HostName>, Vec<String>) {
    let host =
        |(name, uri): (&str, Option<&str>)| HostSpec { peer_uri: uri.map(str::to_owned), ..HostSpec::named(name) };
    let hosts = [("a", None), ("b", Some(to_b)), ("c", Some(to_c))].map(host);
    let options = Options { transport: Transport::Tunnelled, ..Options::default() };
    let (outcome, where_it_is, plans) = moved(hosts, Encryption::Auto, options);
    (outcome.expect("it is taken on"), where_it_is, plans.into_iter().map(|plan| plan.peer_uri).collect())
}

fn on(host: &str) -> Vec<HostName> {
    vec![HostName::new(host)]
}

#[test]
fn a_plain_transfer_is_refused_whether_it_is_asked_for_or_all_that_can_be_had() {
    let (refused, where_it_is, plans) = migrate(&["a", "b"], Encryption::Off);
    assert!(matches!(refused, Err(EngineError::Refused(Refusal::Unencrypted))), "{refused:?}");
    assert_eq!((where_it_is, plans), (on("a"), vec![]));
    for (able, lacks) in [(&["a"][..], "b"), (&["b"][..], "a"), (&[][..], "a")] {
        let (outcome, where_it_is, plans) = migrate(able, Encryption::Auto);
        let outcome = outcome.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Refused, "{outcome:?}");
        let why = format!("{lacks} has no `migration_tls`");
        assert!(outcome.summary.contains(&why), "{outcome:?}");
        assert_eq!((where_it_is, plans), (on("a"), vec![]));
    }
}

#[test]
fn a_further_attempt_goes_to_no_host_that_cannot_encrypt() {
    let (outcome, where_it_is, plans) = migrate(&["a", "b", "c"], Encryption::Auto);
    assert_eq!(outcome.unwrap().kind, OutcomeKind::Completed);
    assert_eq!((where_it_is, plans), (on("c"), vec![Encryption::Required; 2]));

    let (outcome, where_it_is, plans) = migrate(&["a", "b"], Encryption::Auto);
    let outcome = outcome.unwrap();
    assert_eq!(outcome.kind, OutcomeKind::RolledBack, "{outcome:?}");
    assert!(outcome.summary.contains("c has no `migration_tls`"), "{outcome:?}");
    assert!(outcome.summary.contains("attempt 2 touched nothing"), "{outcome:?}");
    assert_eq!((where_it_is, plans), (on("a"), vec![Encryption::Required]));
}

#[test]
fn a_further_attempt_goes_through_no_tunnel_that_is_less_safe() {
    let (tls, ssh, tcp) = ("qemu+tls://b/system", "qemu+ssh://root@c/system", "qemu+tcp://c/system");
    for before in [tls, "qemu://b/system"] {
        let (outcome, where_it_is, ways) = tunnel(before, tcp);
        assert_eq!(outcome.kind, OutcomeKind::RolledBack, "{outcome:?}");
        for named in [before, tcp, "attempt 2 touched nothing"] {
            assert!(outcome.summary.contains(named), "{named}: {outcome:?}");
        }
        assert_eq!((where_it_is, ways), (on("a"), vec![before.to_owned()]));
    }
    // As safe as before, or plain text from the first attempt on.
    for (before, then) in [(tls, ssh), ("qemu+tcp://b/system", tcp)] {
        let (outcome, where_it_is, ways) = tunnel(before, then);
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert_eq!((where_it_is, ways), (on("c"), vec![before.to_owned(), then.to_owned()]));
    }
}
