//! The controller is killed at every record, before and after it is written, and at many moments between; another one
//! finds the task in the store, adopts it and brings it to a truthful end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;
use waypost_core::ids::TaskId;
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::ports::{FaultKind, Store};
use waypost_core::request::{Options, SourceDefinition};
use waypost_core::situation::Action;
use waypost_core::stream::{Stream, Transport};
use waypost_engine::{Acted, Adopted, Driver, Engine, EngineError};
use waypost_sim::{Lasting, Scripted, Step, What, Who};
use waypost_store::SqliteStore;

use crate::faults::{NEVER, hasty};
use crate::support::{Case, Meddle, Mind, Minded, Ran, Site, Stroke, a, b, in_virtual_time, judge, side_by_side, tell};

/// Courses of every shape: straight ones, and failures that take every way through recovery.
pub fn courses() -> Vec<Case> {
    let short = Lasting::For(Duration::from_secs(5));
    let long = Lasting::For(Duration::from_secs(120));
    let limited = Options { max_downtime_ms: Some(500), ..hasty() };
    let keep = Options { source_definition: SourceDefinition::Keep, ..hasty() };
    let mut all = vec![
        Case::live().options(limited.clone()),
        Case::transient().options(hasty()),
        Case::paused().options(hasty()),
        Case::offline().options(hasty()),
        Case::live().options(keep.clone()),
        Case::offline().options(keep),
    ];
    for (step, what) in [
        (Step::Connect, What::ReplyLost(FaultKind::Unreachable)),
        (Step::Perform, What::LeftBehind),
        (Step::Perform, What::HypervisorDies(Who::Destination)),
        (Step::Perform, What::HypervisorDies(Who::Source)),
        (Step::Perform, What::Unreachable(Who::Source, long)),
        (Step::Perform, What::Hang),
        (Step::Perform, What::LinkCut(Lasting::Forever)),
        (Step::Finish, What::LinkCut(Lasting::Forever)),
        (Step::Finish, What::Hang),
        (Step::Confirm, What::DaemonDies(Who::Source, short)),
        (Step::Confirm, What::DaemonDies(Who::Destination, short)),
        (Step::Confirm, What::HypervisorDies(Who::Destination)),
        (Step::UndefineSource, What::Error(FaultKind::Other)),
        (Step::SetMaxDowntime, What::ReplyLost(FaultKind::Deadline)),
    ] {
        all.push(Case::live().options(limited.clone()).fault(Scripted::at(step, what)));
    }
    all.push(Case::copying());
    for (step, what) in [
        (Step::CreateVolume, What::Error(FaultKind::Storage)),
        (Step::CreateVolume, What::ReplyLost(FaultKind::Deadline)),
        (Step::Perform, What::HypervisorDies(Who::Destination)),
        (Step::Perform, What::LeftBehind),
        (Step::Confirm, What::DaemonDies(Who::Source, short)),
    ] {
        all.push(Case::copying().fault(Scripted::at(step, what)));
    }
    let failed = Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination));
    let kept = Scripted::at(Step::RemoveVolume, What::ReplyLost(FaultKind::Unreachable));
    all.push(Case::copying().fault(failed).fault(kept));
    let post_copy = Options { stream: Stream { post_copy: true, ..Stream::default() }, ..hasty() };
    let switched = || {
        let switch = Scripted::at(Step::Perform, What::SwitchToPostCopy).permille(100);
        Case::live().options(post_copy.clone()).fault(switch)
    };
    all.push(switched());
    // One in which nothing moves is interrupted by Waypost itself.
    for what in [What::Error(FaultKind::Network), What::InterruptPostCopy, What::LinkCut(long), What::Hang] {
        all.push(switched().fault(Scripted::at(Step::PostCopy, what)));
    }
    // A transfer that stands still, and two orders to abort it that nobody answers.
    let silent = |occurrence| Scripted::at(Step::AbortJob, What::Hang).occurrence(occurrence);
    let still = Case::live().options(limited.clone()).fault(Scripted::at(Step::Perform, What::Hang));
    all.push(still.fault(silent(1)).fault(silent(2)));
    let left = Scripted::at(Step::Confirm, What::ReplyLost(FaultKind::Unreachable));
    all.push(Case::offline().options(hasty()).fault(left));
    // Further attempts: the first meets a fault, the second may too.
    let died = || Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination));
    all.push(Case::live().options(hasty()).mind(Mind::Again).fault(died()));
    all.push(Case::copying().mind(Mind::Again).fault(died()).fault(died().occurrence(2)));
    // Steered all the way: slowed down, given more downtime, switched.
    let stream = Stream { post_copy: true, ..Stream::default() };
    all.push(Case::endless().mind(Mind::Steers).options(Options { stream, bandwidth_mib_s: Some(100), ..hasty() }));
    all.extend(direct_courses());
    all
}

/// Courses of which the controller is the client: with it the migration ends, and what it had come to is on the hosts.
fn direct_courses() -> Vec<Case> {
    let long = Lasting::For(Duration::from_secs(120));
    let limited = Options { max_downtime_ms: Some(500), ..hasty() };
    let mut all = vec![
        Case::live().options(limited.clone()),
        Case::transient().options(hasty()),
        Case::offline().options(hasty()),
        Case::copying(),
        Case::copying().fault(Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination))),
    ];
    for (step, what) in [
        (Step::Perform, What::HypervisorDies(Who::Destination)),
        (Step::Perform, What::Unreachable(Who::Destination, long)),
        (Step::SwitchOver, What::Unreachable(Who::Destination, long)),
        (Step::Finish, What::Unreachable(Who::Source, long)),
    ] {
        all.push(Case::live().options(limited.clone()).fault(Scripted::at(step, what)));
    }
    let switched = |bandwidth_mib_s: Option<u64>| {
        let stream = Stream { post_copy: true, ..Stream::default() };
        let switch = Scripted::at(Step::Perform, What::SwitchToPostCopy).permille(100);
        Case::live().options(Options { stream, bandwidth_mib_s, ..hasty() }).fault(switch)
    };
    all.push(switched(None));
    all.push(switched(None).fault(Scripted::at(Step::PostCopy, What::Error(FaultKind::Network))));
    // So slow that the connection is given up before the memory is there.
    all.push(switched(Some(20)).fault(Scripted::at(Step::PostCopy, What::Unreachable(Who::Destination, long))));
    let mut all: Vec<Case> = all.into_iter().map(|case| case.by(Transport::Direct)).collect();
    all.push(Case::live().options(limited).by(Transport::Tunnelled));
    all
}

/// Drives until the end, an error of the store, or the kill (none).
pub async fn drive(driver: Driver) -> Option<Result<Outcome, EngineError>> {
    let driving = tokio::spawn(driver.drive());
    unless_killed(tokio::time::timeout(NEVER, driving).await.unwrap_or_else(|_| panic!("a task has no end")))
}

/// What a controller came to; none if it was killed.
fn unless_killed<T>(ended: Result<T, JoinError>) -> Option<T> {
    match ended {
        Ok(result) => Some(result),
        Err(error) => match error.try_into_panic() {
            Ok(panic) if panic.is::<&str>() && panic.downcast_ref() == Some(&"the controller was killed") => None,
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => panic!("{error}"),
        },
    }
}

/// Adopts and drives a task to its end; one that ended with the record that killed its controller is only read.
pub async fn bring_to_its_end(engine: &Engine, task: TaskId) -> Outcome {
    match engine.adopt(task).unwrap() {
        Adopted::Driver(driver) => drive(*driver).await.unwrap().unwrap(),
        Adopted::Observer(_) => engine.read(task).unwrap().outcome.expect("nobody drives it, so it is over"),
    }
}

#[derive(Debug, Clone)]
struct Killed {
    case: Case,
    meddle: Meddle,
    away: Duration,
}

async fn play_on(mut site: Site, meddle: Meddle, away: Duration, second: Option<Arc<dyn Store>>) -> Ran {
    let (engine, _) = site.engine(Some(meddle));
    let driver = engine.accept(site.request()).unwrap();
    let task = driver.id();
    assert!(drive(driver).await.is_none(), "it was not killed");
    drop(engine);
    tokio::time::sleep(away).await;
    if let Some(second) = second {
        site.store = second;
    }
    let outcome = bring_to_its_end(&site.engine(None).0, task).await;
    judge(&site, task, outcome).await
}

/// How many records a course appends.
fn appends(case: &Case) -> usize {
    in_virtual_time(async {
        let site = Site::new(case.clone());
        let (engine, store) = site.engine(None);
        drive(engine.accept(site.request()).unwrap()).await.unwrap().unwrap();
        store.appends()
    })
}

/// What sort of record each append of a course is: its name, and the first thing that it says.
fn sorts(case: &Case) -> Vec<String> {
    in_virtual_time(async {
        let site = Site::new(case.clone());
        let driver = site.accept();
        let task = driver.id();
        drive(driver).await.unwrap().unwrap();
        let journal = site.store.journal(task).unwrap();
        // The first record makes the task, and is no append.
        let sort = |text: String| text.split(',').next().unwrap_or_default().to_owned();
        journal.iter().skip(1).map(|(_, record)| sort(format!("{record:?}"))).collect()
    })
}

/// A person goes on with a task that ended stuck: whatever is permitted, in the order in which it is listed.
async fn by_hand(engine: &Engine, task: TaskId) -> Option<Outcome> {
    loop {
        let looked = engine.look(task).await.unwrap().expect("it has a plan");
        let wanted = looked.permitted.iter().find(|action| !matches!(action, Action::Wait | Action::HandOver));
        let (acting, action) = (engine.clone(), *wanted.unwrap_or(&Action::HandOver));
        let done = tokio::spawn(async move { acting.act(task, action, "ann").await });
        match unless_killed(done.await)?.unwrap() {
            Acted::Ended(outcome) => return Some(outcome),
            Acted::Open(..) => {}
            Acted::Driver(driver) => return drive(*driver).await.map(Result::unwrap),
        }
    }
}

/// A task that a policy handed over although much was possible, and a host that answers again.
async fn handed_over(case: &Case) -> (Site, TaskId) {
    let site = Site::new(case.clone());
    let (engine, _) = site.engine(None);
    let driver = engine.accept(site.request()).unwrap();
    let task = driver.id();
    let outcome = drive(driver).await.unwrap().unwrap();
    assert_eq!(outcome.kind, OutcomeKind::Stuck, "{outcome:?}");
    for host in [a(), b()] {
        site.world.mend(&host);
    }
    (site, task)
}

#[test]
fn killed_at_every_record_of_a_person_who_goes_on_it_ends_truthfully() {
    let (mut cases, mut ran) = (Vec::new(), Vec::new());
    for what in [What::LeftBehind, What::HypervisorDies(Who::Destination), What::LinkCut(Lasting::Forever)] {
        for step in [Step::Perform, Step::Finish] {
            let fault = Scripted::at(step, what.clone());
            let case = Case::live().options(hasty()).mind(Mind::HandsOver).fault(fault);
            let appends = in_virtual_time(async {
                let (site, task) = handed_over(&case).await;
                let (engine, store) = site.engine(None);
                by_hand(&engine, task).await.expect("nobody kills it");
                store.appends()
            });
            assert!(appends > 3, "reopened, looked at, acted on, ended: {appends} records");
            for append in 1..=appends {
                for stroke in [Stroke::KillBefore, Stroke::KillAfter] {
                    let meddle = Meddle { append, stroke };
                    cases.push((case.clone(), meddle));
                    ran.push(in_virtual_time(async {
                        let (site, task) = handed_over(&case).await;
                        let killed = by_hand(&site.engine(Some(meddle)).0, task).await;
                        assert_eq!(killed, None, "it was not killed");
                        let whoever = site.engine_with(Arc::new(Minded::new(Mind::Conservative)));
                        let outcome = bring_to_its_end(&whoever, task).await;
                        judge(&site, task, outcome).await
                    }));
                }
            }
        }
    }
    let counts = tell("killed while a person goes on", &cases, &ran);
    assert!(counts[&OutcomeKind::RolledBack] > 0, "{counts:?}");
}

fn every_record(courses: &[Case], away: &[u64]) -> Vec<Killed> {
    let mut all = Vec::new();
    for case in courses {
        for append in 1..=appends(case) {
            for stroke in [Stroke::KillBefore, Stroke::KillAfter] {
                for away in away {
                    let meddle = Meddle { append, stroke };
                    all.push(Killed { case: case.clone(), meddle, away: Duration::from_millis(*away) });
                }
            }
        }
    }
    all
}

#[test]
fn killed_at_every_record_it_is_adopted_and_ends_truthfully() {
    let mut cases = every_record(&courses(), &[0, 700, 400_000]);
    // Those with a mind of their own keep it.
    let plain = courses().into_iter().enumerate().filter(|(_, case)| case.mind == Mind::Conservative);
    let adversarial = plain.map(|(seed, case)| case.mind(Mind::Random(seed as u64)));
    cases.extend(every_record(&adversarial.collect::<Vec<_>>(), &[0]));
    let ran = side_by_side(&cases, |killed: &Killed| {
        in_virtual_time(play_on(Site::new(killed.case.clone()), killed.meddle, killed.away, None))
    });
    let counts = tell("killed at every record", &cases, &ran);
    assert!(counts[&OutcomeKind::Completed] > 0 && counts[&OutcomeKind::RolledBack] > 0);
}

/// Every course over a real store, at a sample of its records: each sort of record that no course before it has written, and
/// where there is none one of its records by turns. All of them would be some thousand stores in which each record waits
/// for the disk, and to a store one record of a sort is as another. The straight course and a failure are killed at every
/// record.
#[test]
fn killed_over_a_real_store_it_is_adopted_from_its_folder() {
    let left = Case::live().options(hasty()).fault(Scripted::at(Step::Perform, What::LeftBehind));
    let mut cases = every_record(&[Case::live().options(hasty()), left], &[0]);
    let mut known = BTreeSet::new();
    for (number, case) in courses().into_iter().enumerate() {
        let sorts = sorts(&case);
        let mut points: Vec<usize> = Vec::new();
        for (index, sort) in sorts.iter().enumerate() {
            if known.insert(sort.clone()) {
                points.push(index + 1);
            }
        }
        if points.is_empty() {
            points.push(1 + number % sorts.len());
        }
        for append in points {
            for stroke in [Stroke::KillBefore, Stroke::KillAfter] {
                cases.push(Killed { case: case.clone(), meddle: Meddle { append, stroke }, away: Duration::ZERO });
            }
        }
    }
    assert!(known.len() > 20, "{} sorts of records: {known:?}", known.len());
    let ran = side_by_side(&cases, |killed: &Killed| {
        let folder = tempfile::tempdir().unwrap();
        let open = || Arc::new(SqliteStore::open(&folder.path().join("store")).unwrap());
        in_virtual_time(async {
            let site = Site::over(killed.case.clone(), open());
            play_on(site, killed.meddle, killed.away, Some(open())).await
        })
    });
    tell("killed over SQLite", &cases, &ran);
}

#[test]
fn killed_at_any_moment_it_is_adopted_and_ends_truthfully() {
    let mut cases = Vec::new();
    for case in courses() {
        let moments = (0..40).map(|n| n * 50).chain([3_000, 10_000, 30_000, 35_000, 45_000, 59_000, 100_000]);
        cases.extend(moments.map(|ms| (case.clone(), Duration::from_millis(ms))));
    }
    let ran = side_by_side(&cases, |(case, moment)| {
        in_virtual_time(async {
            let site = Site::new(case.clone());
            let driver = site.accept();
            let task = driver.id();
            let driving = tokio::spawn(driver.drive());
            tokio::time::sleep(*moment).await;
            driving.abort();
            // Over before the kill, or killed.
            let outcome = match driving.await {
                Ok(outcome) => outcome.unwrap(),
                Err(_) => bring_to_its_end(&site.engine(None).0, task).await,
            };
            judge(&site, task, outcome).await
        })
    });
    tell("killed at any moment", &cases, &ran);
}
