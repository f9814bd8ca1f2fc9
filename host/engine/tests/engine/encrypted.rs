//! A site that requires encryption: nobody gets less, not by asking for it, not by leaving it open, and not by a second
//! attempt that a policy sends to a host which can't.

use std::sync::Arc;

use waypost_core::admission::Refusal;
use waypost_core::facts::Snapshot;
use waypost_core::ids::{DomainKey, HostName};
use waypost_core::journal::Record;
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::ports::{Clock, DecisionRecord, Depth, Judgement, Policies, StorageProbe, Store};
use waypost_core::recovery::{AttemptChange, RecoveryAnswer, RecoveryQuestion};
use waypost_core::request::{CheckRequest, MigrationRequest, Options};
use waypost_core::situation::Action;
use waypost_core::stream::{Encryption, Stream};
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

/// Three hosts of a site that requires encryption; those that are named have certificates. Moves g1 from a to b, where its
/// process dies the first time. Answers where it then is, too, and the plans that were made.
fn migrate(able: &[&str], encryption: Encryption) -> (Result<Outcome, EngineError>, Vec<HostName>, Vec<Encryption>) {
    in_virtual_time(async {
        let host = |name: &str| HostSpec { migration_tls: able.contains(&name), ..HostSpec::named(name) };
        let world = World::new(&Fleet::new(["a", "b", "c"].map(host), [DomainSpec::named("g1", "a")])).unwrap();
        world.script([Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination))]);
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let engine = Engine::new(
            Arc::new(world.clone()),
            Arc::new(Elsewhere),
            Arc::clone(&store),
            Arc::new(VirtualClock::new()) as Arc<dyn Clock>,
            Settings { encryption: Encryption::Required, ..Settings::default() },
            Depth::default(),
        );
        let stream = Stream { encryption, ..Stream::default() };
        let accepted = engine.accept(MigrationRequest {
            domain: DomainKey::Name("g1".into()),
            source: None,
            destination: HostName::new("b"),
            options: Options { stream, ..Options::default() },
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
            Record::Planned { plan } => Some(plan.stream.encryption),
            _ => None,
        });
        (outcome, running_on(), plans.collect())
    })
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
