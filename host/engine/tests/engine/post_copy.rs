//! Post-copy that breaks, further attempts, and what a person does about a task: the guest is never taken for two, and
//! what can be joined is joined.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use waypost_core::convergence::Steering;
use waypost_core::facts::Snapshot;
use waypost_core::journal::Record;
use waypost_core::outcome::OutcomeKind;
use waypost_core::ports::{Command, DecisionRecord, FaultKind, Judgement, Policies, StorageProbe, Wish};
use waypost_core::recovery::{AttemptChange, RecoveryAnswer, RecoveryQuestion};
use waypost_core::request::{CheckRequest, Options};
use waypost_core::situation::Action;
use waypost_core::stream::{Encryption, Stream, Transport};
use waypost_engine::{Acted, Adopted, EngineError};
use waypost_sim::{Lasting, Scripted, Step, What, Who};

use crate::faults::hasty;
use crate::support::{Case, Mind, Minded, Site, a, b, in_virtual_time, judge, side_by_side, tell};

/// A transfer that somebody switches to post-copy early.
fn switched() -> Case {
    let options = Options { stream: Stream { post_copy: true, ..Stream::default() }, ..hasty() };
    Case::live().options(options).fault(Scripted::at(Step::Perform, What::SwitchToPostCopy).permille(100))
}

fn resumed(site: &Site, task: waypost_core::ids::TaskId) -> usize {
    site.store.journal(task).unwrap().iter().filter(|(_, record)| matches!(record, Record::Resumed { .. })).count()
}

/// Whatever breaks while memory follows: joined again where both halves live, lost where one is gone, never two guests.
#[test]
fn every_fault_in_post_copy_ends_truthfully() {
    let short = Lasting::For(Duration::from_secs(5));
    let long = Lasting::For(Duration::from_secs(120));
    let mut cases = Vec::new();
    for mind in [Mind::Conservative, Mind::Last, Mind::Random(1), Mind::Random(2), Mind::Random(3)] {
        cases.push(switched().mind(mind));
        for what in [
            What::Error(FaultKind::Network),
            What::InterruptPostCopy,
            What::Hang,
            What::LinkCut(short),
            What::LinkCut(long),
            What::LinkCut(Lasting::Forever),
            What::HypervisorDies(Who::Source),
            What::HypervisorDies(Who::Destination),
            What::DaemonDies(Who::Source, short),
            What::DaemonDies(Who::Destination, short),
            What::Unreachable(Who::Source, long),
            What::Unreachable(Who::Destination, long),
            What::ReplyLost(FaultKind::Unreachable),
        ] {
            cases.push(switched().mind(mind).fault(Scripted::at(Step::PostCopy, what)));
        }
    }
    // Of a direct one the controller is the client, and the hosts finish it without one.
    let direct: Vec<Case> = cases.iter().cloned().map(|case| case.by(Transport::Direct)).collect();
    cases.extend(direct);
    let ran = side_by_side(&cases, |case| {
        in_virtual_time(async {
            let site = Site::new(case.clone());
            let driver = site.accept();
            let task = driver.id();
            let outcome = driver.drive().await.unwrap();
            judge(&site, task, outcome).await
        })
    });
    let counts = tell("a fault in post-copy", &cases, &ran);
    assert!(counts[&OutcomeKind::Completed] > 0 && counts[&OutcomeKind::Lost] > 0, "{counts:?}");
    assert!(!counts.contains_key(&OutcomeKind::RolledBack), "{counts:?}");
}

#[test]
fn a_cut_in_post_copy_is_resumed_until_the_link_is_back() {
    in_virtual_time(async {
        let cut = Scripted::at(Step::PostCopy, What::LinkCut(Lasting::For(Duration::from_secs(25))));
        let site = Site::new(switched().fault(cut));
        let driver = site.accept();
        let task = driver.id();
        let outcome = driver.drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert!(resumed(&site, task) >= 1);
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}

/// A direct one with a quarter of an hour of memory still to come: that is far beyond the patience of any policy.
fn slow() -> Case {
    let stream = Stream { post_copy: true, ..Stream::default() };
    let options = Options { stream, bandwidth_mib_s: Some(1), timeout_s: 3600, ..Options::default() };
    let switch = Scripted::at(Step::Perform, What::SwitchToPostCopy).permille(10);
    Case::live().options(options).by(Transport::Direct).fault(switch)
}

/// Its client lost the connection to the destination: the source says that it failed, and it goes on. What isn't broken is not
/// joined, and no person is called as long as it moves.
#[test]
fn a_post_copy_that_was_left_alone_is_followed_for_as_long_as_it_moves() {
    in_virtual_time(async {
        let lost = What::Unreachable(Who::Destination, Lasting::For(Duration::from_secs(120)));
        let site = Site::new(slow().fault(Scripted::at(Step::PostCopy, lost)));
        let driver = site.accept();
        let task = driver.id();
        let since = Instant::now();
        let outcome = driver.drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert!(since.elapsed() > Duration::from_secs(600), "{:?}", since.elapsed());
        assert_eq!(resumed(&site, task), 0);
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}

/// The client is gone with its controller; the next controller finds what goes on by itself.
#[test]
fn a_post_copy_that_its_controller_left_alone_is_followed_by_the_next() {
    in_virtual_time(async {
        let site = Site::new(slow());
        let driver = site.accept();
        let task = driver.id();
        let driving = tokio::spawn(driver.drive());
        while !site.world.truth(site.id).running_on.contains(&b()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        driving.abort();
        let _ = driving.await;

        let Adopted::Driver(driver) = site.engine(None).0.adopt(task).unwrap() else { panic!("nobody drives it") };
        let since = Instant::now();
        let outcome = driver.drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert!(since.elapsed() > Duration::from_secs(600), "{:?}", since.elapsed());
        assert_eq!(resumed(&site, task), 0);
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}

/// Nothing moves any more, which the watch over the transfer sees after 20 s. The destination knows at once.
#[test]
fn a_break_that_the_destination_tells_of_is_not_waited_out() {
    in_virtual_time(async {
        let site = Site::new(switched().fault(Scripted::at(Step::PostCopy, What::Hang)));
        let driver = site.accept();
        let task = driver.id();
        let told = async {
            while !site.world.truth(site.id).running_on.contains(&b()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // By then a reading has shown the switch.
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert!(!site.ledger.told().orders.contains(&Command::InterruptPostCopy), "nobody knows yet");
            let since = Instant::now();
            site.world.notice_break(&b(), site.id);
            while !site.ledger.told().orders.contains(&Command::InterruptPostCopy) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            since.elapsed()
        };
        let (outcome, took) = tokio::join!(driver.drive(), told);
        let outcome = outcome.unwrap();
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(interruptions(&site, task).len(), 1);
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert!(resumed(&site, task) >= 1);
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}

/// Of an interruption by Waypost itself, seconds since the task began at which it was on record as intended.
fn interruptions(site: &Site, task: waypost_core::ids::TaskId) -> Vec<u64> {
    let journal = site.store.journal(task).unwrap();
    let ours = |record: &Record| match record {
        Record::SteerIntended { action: Steering::Interrupt, by, .. } => by == "waypost",
        _ => false,
    };
    journal.iter().filter(|(_, record)| ours(record)).map(|(at, _)| (at.0 - journal[0].0.0) / 1000).collect()
}

/// The host refuses it four times: it is on record each time, and less and less often.
#[test]
fn an_interruption_is_on_record_and_does_not_flood_it() {
    in_virtual_time(async {
        let refused = |occurrence| Scripted::at(Step::AbortJob, What::Error(FaultKind::Refused)).occurrence(occurrence);
        let hangs = switched().fault(Scripted::at(Step::PostCopy, What::Hang));
        let site = Site::new((1..=4).fold(hangs, |case, occurrence| case.fault(refused(occurrence))));
        let driver = site.accept();
        let task = driver.id();
        let outcome = driver.drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        let given = interruptions(&site, task);
        assert_eq!(given.len(), 5, "{given:?}");
        let apart: Vec<u64> = given.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(apart[0] >= 19 && apart[2] >= 39 && apart[3] >= 59, "{apart:?}");
        let journal = site.store.journal(task).unwrap();
        let failed =
            |record: &Record| matches!(record, Record::SteerSettled { action: Steering::Interrupt, result: Err(_) });
        assert_eq!(journal.iter().filter(|(_, record)| failed(record)).count(), 4);
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}

#[test]
fn nobody_asks_for_what_waypost_does_by_itself() {
    in_virtual_time(async {
        let site = Site::new(slow());
        let driver = site.accept();
        let task = driver.id();
        let engine = site.engine(None).0;
        let driving = tokio::spawn(driver.drive());
        while !site.world.truth(site.id).running_on.contains(&b()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for action in [Steering::Sever, Steering::Interrupt] {
            let wish = Wish { action, value: None, requester: "anna".into() };
            let refused = engine.request_steering(task, &[wish]);
            assert!(matches!(refused, Err(EngineError::NotSteerable { .. })), "{action}");
        }
        driving.abort();
    });
}

/// Tries again with a change, as often as it may.
struct Again {
    change: AttemptChange,
    asked: Mutex<Vec<RecoveryQuestion>>,
}

impl Policies for Again {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, probe: Option<&dyn StorageProbe>) -> Judgement {
        Minded::new(Mind::Conservative).precheck(request, facts, probe)
    }
    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        self.asked.lock().unwrap().push(question.clone());
        let (answer, decision) = Minded::new(Mind::Conservative).recover(question);
        if question.permitted.contains(&Action::TryAgain) {
            let change = self.change.clone();
            let answer =
                RecoveryAnswer { action: Action::TryAgain, delay_ms: 5000, reason: "again".into(), change, way: None };
            return (answer, decision);
        }
        (answer, decision)
    }
}

fn again(change: AttemptChange) -> Arc<Again> {
    Arc::new(Again { change, asked: Mutex::default() })
}

#[test]
fn a_second_attempt_completes_and_carries_its_change() {
    in_virtual_time(async {
        let options = Options { max_downtime_ms: Some(500), ..hasty() };
        let died = Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination));
        let site = Site::new(Case::live().options(options).fault(died));
        let change = AttemptChange { destination: Some("z".into()), max_downtime_ms: Some(900), post_copy: Some(true) };
        let policy = again(change);
        let driver = site.engine_with(policy.clone()).accept(site.request()).unwrap();
        let task = driver.id();
        let outcome = driver.drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert!(outcome.summary.contains("attempt 2"), "{outcome:?}");
        assert_eq!(outcome.causes, Vec::<String>::new(), "what went wrong before is over");
        let journal = site.store.journal(task).unwrap();
        let plans: Vec<_> = journal
            .iter()
            .filter_map(|(_, record)| match record {
                Record::Planned { plan } => Some((plan.attempt, plan.max_downtime_ms, plan.stream.post_copy)),
                _ => None,
            })
            .collect();
        assert_eq!(plans, [(1, Some(500), false), (2, Some(900), true)]);
        let asked = policy.asked.lock().unwrap()[0].clone();
        assert_eq!((asked.attempts_left, asked.tried, asked.others), (2, vec!["b".into()], vec![]));
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}

#[test]
fn attempts_are_bounded_and_the_last_failure_rolls_back_with_every_cause() {
    for (asked, starts) in [(None, 3), (Some(1), 1), (Some(2), 2)] {
        in_virtual_time(async {
            let mut case = Case::live().options(Options { attempts: asked, ..hasty() });
            case.faults = (0..9).map(|_| Scripted::at(Step::Begin, What::Error(FaultKind::Network))).collect();
            let site = Site::new(case);
            let driver = site.engine_with(again(AttemptChange::NONE)).accept(site.request()).unwrap();
            let task = driver.id();
            let outcome = driver.drive().await.unwrap();
            assert_eq!(outcome.kind, OutcomeKind::RolledBack, "{outcome:?}");
            assert_eq!(site.ledger.told().starts, starts);
            assert_eq!(outcome.causes.len(), starts, "{outcome:?}");
            assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
        });
    }
}

#[test]
fn what_was_encrypted_stays_encrypted_in_every_attempt() {
    in_virtual_time(async {
        let stream = Stream { encryption: Encryption::Required, ..Stream::default() };
        let died = Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination));
        let site = Site::new(Case::live().options(Options { stream, ..hasty() }).fault(died));
        let driver = site.engine_with(again(AttemptChange::NONE)).accept(site.request()).unwrap();
        let task = driver.id();
        driver.drive().await.unwrap();
        let journal = site.store.journal(task).unwrap();
        let encryption = journal.iter().filter_map(|(_, record)| match record {
            Record::Planned { plan } => Some(plan.stream.encryption),
            _ => None,
        });
        assert_eq!(encryption.collect::<Vec<_>>(), [Encryption::Required, Encryption::Required]);
    });
}

/// A person brings a stuck task to its end, one permitted action after another, and nothing else is done.
#[test]
fn a_stuck_task_is_brought_to_its_end_by_hand() {
    in_virtual_time(async {
        let site = Site::new(Case::live().fault(Scripted::at(Step::Perform, What::LeftBehind)).mind(Mind::Last));
        let driver = site.accept();
        let task = driver.id();
        assert_eq!(driver.drive().await.unwrap().kind, OutcomeKind::Stuck);
        let (engine, _) = site.engine(None);
        let refused = engine.act(task, Action::DestroySource, "ann").await;
        assert!(matches!(refused, Err(EngineError::NotPermitted { .. })));
        assert!(engine.read(task).unwrap().outcome.is_some(), "what isn't permitted reopens nothing");
        let done = engine.act(task, Action::DestroyDestination, "ann").await.unwrap();
        let Acted::Open(seen) = done else { panic!("the task is open") };
        assert!(seen.permitted.contains(&Action::AcceptSource), "{seen:?}");
        let Acted::Ended(outcome) = engine.act(task, Action::AcceptSource, "ann").await.unwrap() else {
            panic!("the task is over")
        };
        assert_eq!(outcome.kind, OutcomeKind::RolledBack);
        let again = engine.act(task, Action::AcceptSource, "ann").await;
        assert!(matches!(again, Err(EngineError::NotOpen { .. })));
        let journal = site.store.journal(task).unwrap();
        let by = journal
            .iter()
            .filter(|(_, record)| matches!(record, Record::ActionIntended { by, .. } if by.as_str() == "ann"));
        assert_eq!(by.count(), 2);
        assert_eq!(site.world.truth(site.id).running_on, [a()]);
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}
