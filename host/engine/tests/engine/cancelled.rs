//! Cancelling at every record, by the handle and through the store, and the time limit.

use std::time::Duration;

use tokio::time::Instant;
use waypost_core::journal::Record;
use waypost_core::outcome::OutcomeKind;
use waypost_core::phase::Phase;
use waypost_core::recovery::FailureClass;
use waypost_core::request::Options;
use waypost_sim::{Scripted, Step, What};

use crate::killed::{bring_to_its_end, courses, drive};
use crate::networks::{begin, networks};
use crate::support::{Case, Meddle, Mind, Minded, Ran, Site, Stroke, in_virtual_time, judge, side_by_side, tell};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Handle,
    Store,
}

/// Cancels at the n-th record; also gives the phase in which that was.
fn cancel_at(case: &Case, append: usize, way: Way) -> (Ran, Option<Phase>) {
    in_virtual_time(async {
        let site = Site::new(case.clone());
        let (engine, store) = site.engine(Some(Meddle { append, stroke: Stroke::Cancel }));
        let driver = engine.accept(site.request()).unwrap();
        if way == Way::Handle {
            store.cancel_by(driver.cancel_handle());
        }
        let task = driver.id();
        let outcome = drive(driver).await.unwrap().unwrap();
        let records: Vec<_> = site.store.journal(task).unwrap().into_iter().map(|(_, record)| record).collect();
        // The first record is written by `create`.
        let until = records.get(..=append);
        let phase = until.map(|records| waypost_core::journal::Course::replay(records).unwrap().phase);
        (judge(&site, task, outcome).await, phase)
    })
}

/// Its network is down, so that it would be refused, but for the wish that came while its facts were read.
#[test]
fn cancelled_while_it_is_judged_it_is_not_refused() {
    let slow = Scripted::at(Step::PairFacts, What::Slow(Duration::from_secs(5)));
    let (outcome, records) = in_virtual_time(async {
        let policies = std::sync::Arc::new(Minded::new(Mind::Conservative));
        let (_, store, driver) = begin(networks(), "down", Options::default(), vec![slow], policies);
        let (task, handle) = (driver.id(), driver.cancel_handle());
        let wish = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            handle.cancel("a person");
        };
        let (outcome, ()) = tokio::join!(driver.drive(), wish);
        (outcome.unwrap(), store.journal(task).unwrap())
    });
    assert_eq!(outcome.kind, OutcomeKind::Cancelled);
    assert_eq!(outcome.summary, "cancelled before anything was touched: g1 stays on a");
    assert!(records.iter().any(|(_, record)| matches!(record, Record::Judged { .. })), "{records:?}");
}

#[test]
fn cancelled_at_any_record_it_says_truthfully_whether_it_moved() {
    let mut cases = Vec::new();
    for case in courses() {
        for way in [Way::Handle, Way::Store] {
            for append in 1..=14 {
                for mind in [Mind::Conservative, Mind::Random(append as u64)] {
                    cases.push((case.clone().mind(mind), append, way));
                }
            }
        }
    }
    let ran = side_by_side(&cases, |(case, append, way)| cancel_at(case, *append, *way));
    let (judged, phases): (Vec<_>, Vec<_>) = ran.into_iter().unzip();
    let counts = tell("cancelled at every record", &cases, &judged);
    assert!(counts[&OutcomeKind::Cancelled] > 0 && counts[&OutcomeKind::Completed] > 0);
    for ((case, ran), phase) in cases.iter().zip(&judged).zip(phases) {
        let healthy = case.0.faults.is_empty();
        match phase {
            // Nothing was moved yet, so nothing but a cancelled task is true.
            Some(Phase::Accepted | Phase::Planned | Phase::Preparing | Phase::Prepared) if healthy => {
                assert_eq!(ran.outcome.kind, OutcomeKind::Cancelled, "{case:?}");
            }
            // A transfer of a second can be aborted; a definition has travelled before anybody can ask.
            Some(Phase::Performing) if healthy && case.0.mind == Mind::Conservative => {
                let live = case.0.power != waypost_sim::Power::ShutOff;
                let expected = if live { OutcomeKind::Cancelled } else { OutcomeKind::Completed };
                assert_eq!(ran.outcome.kind, expected, "{case:?}");
                assert_eq!(ran.outcome.summary.contains("too late"), !live, "{}", ran.outcome.summary);
            }
            Some(Phase::Finishing) => assert_ne!(ran.outcome.kind, OutcomeKind::Cancelled, "{case:?}"),
            _ => {}
        }
    }
}

#[test]
fn cancelled_before_it_is_driven_it_asks_no_host() {
    for way in [Way::Handle, Way::Store] {
        in_virtual_time(async {
            let site = Site::new(Case::live());
            let (engine, _) = site.engine(None);
            let driver = engine.accept(site.request()).unwrap();
            match way {
                Way::Handle => driver.cancel_handle().cancel("somebody"),
                Way::Store => engine.request_cancel(driver.id(), "somebody").unwrap(),
            }
            let task = driver.id();
            let outcome = driver.drive().await.unwrap();
            assert_eq!(outcome.kind, OutcomeKind::Cancelled);
            let journal = site.store.journal(task).unwrap();
            assert!(matches!(&journal[1].1, Record::CancelRequested { requester } if requester == "somebody"));
            assert_eq!((journal.len(), site.world.changes()), (3, vec![]));
            assert!(engine.request_cancel(task, "late").is_err(), "a task that is over can't be cancelled");
        });
    }
}

/// The transfer of ten seconds is cancelled at every half second, in its own process and after a restart.
#[test]
fn cancelled_at_any_moment_of_the_transfer_it_stays_on_the_source() {
    for tenths in (2..90).step_by(4) {
        for adopted in [false, true] {
            in_virtual_time(async {
                let slow = Options { bandwidth_mib_s: Some(100), ..Options::default() };
                let site = Site::new(Case::live().options(slow));
                let (engine, _) = site.engine(None);
                let driver = engine.accept(site.request()).unwrap();
                let task = driver.id();
                let driving = tokio::spawn(driver.drive());
                tokio::time::sleep(Duration::from_millis(100 * tenths)).await;
                let asked = Instant::now();
                let outcome = if adopted {
                    driving.abort();
                    assert!(driving.await.is_err());
                    engine.request_cancel(task, "somebody").unwrap();
                    bring_to_its_end(&site.engine(None).0, task).await
                } else {
                    engine.request_cancel(task, "somebody").unwrap();
                    driving.await.unwrap().unwrap()
                };
                assert_eq!(outcome.kind, OutcomeKind::Cancelled, "at {tenths}: {outcome:?}");
                assert!(asked.elapsed() < Duration::from_secs(4), "at {tenths}: {:?}", asked.elapsed());
                assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
            });
        }
    }
}

#[test]
fn the_time_limit_ends_a_transfer_also_for_a_later_controller() {
    for (killed_after, what) in
        [(None, None), (Some(8), None), (Some(300), None), (None, Some(What::Hang)), (Some(8), Some(What::Hang))]
    {
        in_virtual_time(async {
            let limited = Options { bandwidth_mib_s: Some(10), timeout_s: 20, ..Options::default() };
            let mut case = Case::live().options(limited);
            if let Some(what) = what.clone() {
                case = case.fault(Scripted::at(Step::Perform, what).permille(100));
            }
            let site = Site::new(case);
            let driver = site.accept();
            let (task, began) = (driver.id(), Instant::now());
            let driving = tokio::spawn(driver.drive());
            let outcome = match killed_after {
                None => driving.await.unwrap().unwrap(),
                Some(seconds) => {
                    tokio::time::sleep(Duration::from_secs(seconds.min(15))).await;
                    driving.abort();
                    let _ = driving.await;
                    tokio::time::sleep(Duration::from_secs(seconds.saturating_sub(15))).await;
                    bring_to_its_end(&site.engine(None).0, task).await
                }
            };
            let took = began.elapsed().as_secs();
            if killed_after == Some(300) {
                // Nobody was there to end it, so it went through.
                assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
            } else {
                assert_eq!(outcome.kind, OutcomeKind::RolledBack, "{outcome:?}");
                assert!((20..25).contains(&took), "{took} s");
                let failure = site.engine(None).0.read(task).unwrap().failure.unwrap();
                assert_eq!(failure.0, FailureClass::TimedOut);
            }
            assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
        });
    }
}
