//! Somebody sets the controller's clock: while a task runs, and while nobody drives it. The journal's moments then run
//! backwards or leave a gap, and nothing may rest on them but what is told of them.

use std::time::Duration;

use waypost_core::outcome::OutcomeKind;

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

#[test]
fn a_clock_that_is_set_while_nobody_drives_makes_no_lie() {
    let cases = cases();
    let ran = side_by_side(&cases, |(case, at, by)| {
        in_virtual_time(async {
            let site = Site::new(case.clone());
            let driver = site.accept();
            let task = driver.id();
            let driving = tokio::spawn(driver.drive());
            tokio::time::sleep(Duration::from_millis(*at)).await;
            driving.abort();
            let ended = driving.await;
            site.clock.jump(*by);
            let outcome = match ended {
                Ok(outcome) => outcome.unwrap(),
                Err(_) => bring_to_its_end(&site.engine(None).0, task).await,
            };
            judge(&site, task, outcome).await
        })
    });
    let counts = tell("a clock that is set between two controllers", &cases, &ran);
    assert!(counts[&OutcomeKind::Completed] > 0 && counts[&OutcomeKind::RolledBack] > 0);
}
