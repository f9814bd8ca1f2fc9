//! Courses on which nothing goes wrong, and what each leaves on both hosts.

use std::time::Duration;

use waypost_core::journal::Record;
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::phase::Phase;
use waypost_core::ports::{Command, Hypervisor as _};
use waypost_core::request::{AfterMove, Mode, Options, Persistence, SourceDefinition};
use waypost_core::sample::Stage;
use waypost_core::situation::{Observed, Side};
use waypost_engine::View;
use waypost_sim::{Power, Scripted, Step, What, Who};

use crate::support::{Case, Ran, Site, a, b, in_virtual_time, judge};

/// Drives the case, and gives every view that was to be seen on the way.
async fn drive(site: &Site) -> (Outcome, Vec<View>) {
    let driver = site.accept();
    let mut views = driver.views();
    let watching = tokio::spawn(async move {
        let mut seen = vec![views.borrow_and_update().clone()];
        while views.changed().await.is_ok() {
            seen.push(views.borrow_and_update().clone());
        }
        seen
    });
    let task = driver.id();
    let outcome = driver.drive().await.unwrap();
    let seen = watching.await.unwrap();
    let Ran { wrong, .. } = judge(site, task, outcome.clone()).await;
    assert_eq!(wrong, Vec::<String>::new(), "{:?}: {outcome:?}", site.case);
    (outcome, seen)
}

fn present(side: Side) -> Observed {
    match side {
        Side::Present(observed) => observed,
        side => panic!("it should be there: {side:?}"),
    }
}

#[test]
fn every_kind_of_domain_moves_as_asked() {
    let keep = Options { source_definition: SourceDefinition::Keep, ..Options::default() };
    let cases = [
        Case::live(),
        Case::live().options(Options { mode: Mode::Live, ..Options::default() }),
        Case::live().options(Options { after: AfterMove::Paused, ..Options::default() }),
        Case::live().options(keep.clone()),
        Case::live().options(Options { persistence: Persistence::Transient, ..keep.clone() }),
        Case::live().options(Options { bandwidth_mib_s: Some(100), ..Options::default() }),
        Case::live().options(Options { destination_name: Some("g2".into()), ..Options::default() }),
        Case::paused(),
        Case::paused().options(keep.clone()),
        Case::transient(),
        Case::transient().options(Options { persistence: Persistence::Persistent, ..Options::default() }),
        Case::transient().options(Options { destination_name: Some("g2".into()), ..Options::default() }),
        Case::offline(),
        Case::offline().options(keep),
        Case::offline().options(Options { destination_name: Some("g2".into()), ..Options::default() }),
        Case::offline().options(Options { mode: Mode::Offline, ..Options::default() }),
    ];
    for case in cases {
        in_virtual_time(async {
            let site = Site::new(case.clone());
            let (outcome, _) = drive(&site).await;
            // What is where is the judge's: state, definitions, name and autostart.
            assert_eq!((outcome.kind, outcome.causes.len(), &outcome.remedy), (OutcomeKind::Completed, 0, &None));
            let live = site.case.power != Power::ShutOff;
            assert_eq!(outcome.summary.contains("downtime"), live, "{}", outcome.summary);
        });
    }
}

#[test]
fn a_request_that_fits_no_state_touches_nothing() {
    for (case, mode) in [(Case::live(), Mode::Offline), (Case::offline(), Mode::Live)] {
        in_virtual_time(async {
            let site = Site::new(case.options(Options { mode, ..Options::default() }));
            let (outcome, _) = drive(&site).await;
            assert_eq!(outcome.kind, OutcomeKind::Refused);
            assert_eq!(site.world.changes(), []);
        });
    }
}

#[test]
fn a_kept_source_loses_its_autostart_and_the_destination_gets_it() {
    for case in [Case::live(), Case::offline()] {
        in_virtual_time(async {
            let keep = Options { source_definition: SourceDefinition::Keep, ..Options::default() };
            let site = Site::new(case.options(keep));
            assert!(present(site.world.observe(&a(), site.id).await).autostart);
            drive(&site).await;
            assert!(!present(site.world.observe(&a(), site.id).await).autostart);
            assert!(present(site.world.observe(&b(), site.id).await).autostart);
        });
    }
}

#[test]
fn a_kept_definition_is_no_obstacle_on_the_way_back() {
    for case in [Case::live(), Case::offline()] {
        in_virtual_time(async {
            let keep = Options { source_definition: SourceDefinition::Keep, ..Options::default() };
            let site = Site::new(case.options(keep));
            drive(&site).await;
            let mut back = site.request();
            (back.source, back.destination) = (Some(b()), a());
            site.ledger.told().starts = 0;
            let outcome = site.engine(None).0.accept(back).unwrap().drive().await.unwrap();
            assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
            let truth = site.world.truth(site.id);
            assert_eq!((truth.running_on, truth.defined_on), (site.before.running_on.clone(), vec![a(), b()]));
            assert!(present(site.world.observe(&a(), site.id).await).autostart);
            assert!(!present(site.world.observe(&b(), site.id).await).autostart);
        });
    }
}

#[test]
fn a_downtime_limit_is_set_before_the_start_and_given_back_after_a_failure() {
    in_virtual_time(async {
        let limited = Options { max_downtime_ms: Some(700), ..Options::default() };
        let died = Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination));
        let site = Site::new(Case::live().options(limited).fault(died));
        site.world.command(&a(), site.id, Command::SetMaxDowntime { ms: 450 }).await.unwrap();
        let driver = site.accept();
        let task = driver.id();
        let outcome = driver.drive().await.unwrap();
        assert_eq!((outcome.kind, &outcome.remedy), (OutcomeKind::RolledBack, &None));
        assert_eq!(site.world.max_downtime(&a(), site.id).await.unwrap(), Some(450));
        let records = site.store.journal(task).unwrap();
        let at = |which: fn(&Record) -> bool| records.iter().position(|(_, record)| which(record)).unwrap();
        let set = at(|record| matches!(record, Record::StepIntended { .. }));
        assert!(set < at(|record| *record == Record::PerformIntended));
    });
    in_virtual_time(async {
        let limited = Options { max_downtime_ms: Some(700), ..Options::default() };
        let refused = What::Error(waypost_core::ports::FaultKind::Refused);
        let site = Site::new(Case::live().options(limited).fault(Scripted::at(Step::SetMaxDowntime, refused)));
        let (outcome, _) = drive(&site).await;
        assert_eq!(outcome.kind, OutcomeKind::RolledBack);
        assert_eq!(site.ledger.told().starts, 0);
    });
}

#[test]
fn the_limits_that_were_asked_for_are_kept() {
    in_virtual_time(async {
        let site = Site::new(Case::live().options(Options { bandwidth_mib_s: Some(100), ..Options::default() }));
        let began = tokio::time::Instant::now();
        site.accept().drive().await.unwrap();
        // A GiB at 100 MiB/s.
        assert!((10..13).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    });
}

#[test]
fn final_figures_are_real_and_progress_is_honest() {
    in_virtual_time(async {
        let site = Site::new(Case::live().options(Options { bandwidth_mib_s: Some(100), ..Options::default() }));
        let (outcome, seen) = drive(&site).await;
        assert!(seen.len() > 20, "{}", seen.len());
        for pair in seen.windows(2) {
            assert!(pair[0].permille <= pair[1].permille && pair[0].generation < pair[1].generation);
        }
        for view in &seen {
            assert_eq!(view.permille == 1000, view.phase == Phase::Ended, "{} in {}", view.permille, view.phase);
            assert_eq!(view.outcome.is_some(), view.phase == Phase::Ended);
        }
        let halfway = seen.iter().filter(|view| (200..800).contains(&view.permille)).count();
        assert!(halfway > 10, "progress jumps");
        let last = seen.last().unwrap();
        let figures = last.sample.clone().unwrap();
        assert_eq!(figures.stage, Stage::Final);
        // Finish and what was left of the memory: less than the limit of 300 ms and a little.
        let downtime = figures.downtime_ms.unwrap();
        assert!((40..400).contains(&downtime), "{downtime}");
        assert!(outcome.summary.contains(&format!("downtime {downtime} ms")), "{}", outcome.summary);
        assert!(figures.processed_bytes >= 1 << 30);
        let kept = site.store.reading(last.task).unwrap().unwrap();
        assert_eq!((kept.permille, kept.sample), (1000, figures));
    });
}

#[test]
fn decisions_and_facts_are_kept_before_anything_is_done() {
    in_virtual_time(async {
        let site = Site::new(Case::live().fault(Scripted::at(Step::Perform, What::LeftBehind)));
        let driver = site.accept();
        let task = driver.id();
        driver.drive().await.unwrap();
        let decisions = site.store.decisions(task).unwrap();
        assert_eq!(decisions[0].hook, "precheck");
        assert!(site.store.facts(&decisions[0].facts_digest).unwrap().is_some());
        let chosen: Vec<_> = decisions[1..].iter().map(|decision| decision.answer.as_str()).collect();
        assert_eq!(chosen, ["destroy-destination", "accept-source"]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(site.world.truth(site.id), site.before);
    });
}
