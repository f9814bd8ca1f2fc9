//! Somebody sets the controller's clock: while a task runs, and while nobody drives it. The journal's moments then run
//! backwards or leave a gap, and nothing may rest on them but what is told of them.

use std::time::Duration;

use tokio::time::Instant;
use waypost_core::outcome::OutcomeKind;
use waypost_core::ports::Command;
use waypost_core::request::{DEFAULT_TIMEOUT_S, Options};

use crate::killed::{bring_to_its_end, courses};
use crate::support::{Case, Ran, Site, in_virtual_time, judge, side_by_side, tell};

const JUMPS_MS: [i64; 4] = [-86_400_000, -1500, 1500, 86_400_000];

/// When it is set, from the beginning.
const MOMENTS_MS: [u64; 6] = [0, 30, 200, 700, 5_000, 40_000];

fn cases() -> Vec<(Case, u64, i64)> {
    let each = |case: &Case| {
        let case = case.clone();
        MOMENTS_MS.into_iter().flat_map(move |at| {
            let case = case.clone();
            JUMPS_MS.into_iter().map(move |by| (case.clone(), at, by))
        })
    };
    courses().iter().flat_map(each).collect()
}

#[test]
fn a_clock_that_is_set_while_a_task_runs_changes_nothing_of_how_it_ends() {
    let cases = cases();
    let ran: Vec<(Ran, OutcomeKind)> = side_by_side(&cases, |(case, at, by)| {
        let undisturbed = in_virtual_time(async {
            let site = Site::new(case.clone());
            site.accept().drive().await.unwrap().kind
        });
        let ran = in_virtual_time(async {
            let site = Site::new(case.clone());
            let driver = site.accept();
            let task = driver.id();
            let clock = site.clock.clone();
            let (at, by) = (Duration::from_millis(*at), *by);
            let jump = tokio::spawn(async move {
                tokio::time::sleep(at).await;
                clock.jump(by);
            });
            let outcome = driver.drive().await.unwrap();
            jump.abort();
            judge(&site, task, outcome).await
        });
        (ran, undisturbed)
    });
    for ((case, at, by), (ran, undisturbed)) in cases.iter().zip(&ran) {
        assert_eq!(ran.outcome.kind, *undisturbed, "set by {by} ms after {at} ms: {case:?}");
    }
    tell("a clock that is set", &cases, &ran.into_iter().map(|(ran, _)| ran).collect::<Vec<_>>());
}

/// Killed at a moment; the clock is set, and another controller brings it to its end.
async fn set_between(case: &Case, at: u64, by: i64) -> Ran {
    let site = Site::new(case.clone());
    let driver = site.accept();
    let task = driver.id();
    let driving = tokio::spawn(driver.drive());
    tokio::time::sleep(Duration::from_millis(at)).await;
    driving.abort();
    let ended = driving.await;
    site.clock.jump(by);
    let outcome = match ended {
        Ok(outcome) => outcome.unwrap(),
        Err(_) => bring_to_its_end(&site.engine(None).0, task).await,
    };
    judge(&site, task, outcome).await
}

#[test]
fn a_clock_that_is_set_while_nobody_drives_makes_no_lie() {
    let cases = cases();
    let ran = side_by_side(&cases, |(case, at, by)| in_virtual_time(set_between(case, *at, *by)));
    let counts = tell("a clock that is set between two controllers", &cases, &ran);
    assert!(counts[&OutcomeKind::Completed] > 0 && counts[&OutcomeKind::RolledBack] > 0);
    // Where the source can be asked it tells how long the transfer goes on, so the clock changes nothing of how it ends.
    // Which of the others are over their time limit only the clock tells.
    for ((case, at, by), ran) in cases.iter().zip(&ran).filter(|((case, ..), _)| case.faults.is_empty()) {
        let undisturbed = in_virtual_time(set_between(case, *at, 0));
        let limited = |ran: &Ran| ran.outcome.causes.iter().any(|cause| cause.contains("the time limit of"));
        let said = [ran, &undisturbed].map(|ran| (ran.outcome.kind, limited(ran)));
        assert_eq!(said[0], said[1], "set by {by} ms after {at} ms: {case:?}: {:?}", ran.outcome);
    }
}

/// By the clock a day has gone when the second controller comes; by the job half a minute.
#[test]
fn the_time_limit_of_a_transfer_that_is_taken_over_counts_by_its_job() {
    for timeout_s in [DEFAULT_TIMEOUT_S, 60] {
        in_virtual_time(async {
            // It takes more than a minute and a half.
            let options = Options { bandwidth_mib_s: Some(10), timeout_s, ..Options::default() };
            let site = Site::new(Case::live().options(options));
            let driver = site.accept();
            let (task, began) = (driver.id(), Instant::now());
            let driving = tokio::spawn(driver.drive());
            tokio::time::sleep(Duration::from_secs(30)).await;
            driving.abort();
            assert!(driving.await.is_err(), "it was not killed");
            site.clock.jump(86_400_000);
            let outcome = bring_to_its_end(&site.engine(None).0, task).await;
            let took = began.elapsed().as_secs();
            if timeout_s == DEFAULT_TIMEOUT_S {
                assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
                assert!(!site.ledger.told().orders.contains(&Command::AbortJob));
            } else {
                assert_eq!(outcome.kind, OutcomeKind::RolledBack, "{outcome:?}");
                assert!((60..65).contains(&took), "{took} s");
            }
            assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
        });
    }
}
