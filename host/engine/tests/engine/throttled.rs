//! How far a guest is slowed down is changed while its transfer runs: by a person, by a policy, and by nobody where it can't be.

use std::time::Duration;

use waypost_core::convergence::{Steering, SteeringQuestion};
use waypost_core::ids::TaskId;
use waypost_core::journal::{Record, Step as Made, StepEnd};
use waypost_core::outcome::OutcomeKind;
use waypost_core::ports::{Command, Depth, Wish};
use waypost_core::request::Options;
use waypost_core::sample::Stage;
use waypost_core::stream::Stream;
use waypost_engine::{Engine, Settings, View};

use crate::steered::{Pilot, end, orders};
use crate::support::{Case, Place, Site, a, in_virtual_time, judge};

/// One that never arrives by itself, and is slowed down from the third pass on, after 15 s: by so much first, by 10 % more every 5 s.
fn slowed(first: Option<u32>) -> Case {
    let stream = Stream { auto_converge: true, auto_converge_initial: first, ..Stream::default() };
    let case = Case::endless();
    case.clone().options(Options { stream, timeout_s: 600, ..case.options })
}

fn throttle(value: Option<u64>) -> Wish {
    Wish { action: Steering::SetThrottle, value, requester: "anna".into() }
}

/// Why a person can't have it.
fn refused(engine: &Engine, task: TaskId, wish: Wish) -> String {
    engine.request_steering(task, &[wish]).expect_err("it can't be done").to_string()
}

fn freed(site: &Site) -> bool {
    site.ledger.told().orders.contains(&Command::FreeThrottle)
}

#[test]
fn a_person_says_how_far_the_guest_is_slowed_down_in_either_direction() {
    in_virtual_time(async {
        let site = Site::new(slowed(None));
        let pilot = Pilot::that_says(Steering::Hold, None);
        let engine = site.engine_with(pilot.clone());
        let now = || pilot.asked().last().and_then(|question| question.samples.last()?.throttle_percent);
        let (task, outcome) = end(&site, &engine, async |task| {
            let other = site.engine(None).0;
            tokio::time::sleep(Duration::from_secs(38)).await;
            assert!(now() > Some(45), "step by step: {:?}", now());
            for wrong in [None, Some(0), Some(19), Some(100)] {
                let why = refused(&other, task, throttle(wrong));
                assert!(why.contains("20 to 99 %"), "{wrong:?}: {why}");
            }
            other.request_steering(task, &[throttle(Some(45))]).unwrap();
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert_eq!(now(), Some(45), "less than it was");
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_eq!(now(), Some(45), "and no further, though that is too little");
            other.request_steering(task, &[throttle(Some(99))]).unwrap();
        })
        .await;
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        let done = [(Steering::SetThrottle, Some(45), true), (Steering::SetThrottle, Some(99), true)];
        assert_eq!(orders(&site, task), done);
        let journal = site.store.journal(task).unwrap();
        let (began, ended) = (journal[0].0.0, journal.last().unwrap().0.0);
        assert!(ended - began < 130_000, "at once, and not by 10 % every 5 s: {} ms", ended - began);
        assert!(!freed(&site), "the maximum went with the process");
    });
}

/// It would hold for every later migration of the guest, whoever begins it.
#[test]
fn where_the_guest_stays_nothing_is_left_of_how_far_it_was_slowed_down() {
    in_virtual_time(async {
        let site = Site::new(slowed(Some(40)));
        // Less than the first step, below which QEMU takes no maximum.
        let pilot = Pilot::that_says(Steering::SetThrottle, Some(5));
        let engine = site.engine_with(pilot.clone());
        let (task, outcome) = end(&site, &engine, async |task| {
            tokio::time::sleep(Duration::from_secs(60)).await;
            let other = site.engine(None).0;
            assert!(refused(&other, task, throttle(Some(39))).contains("40 to 99 %"));
            assert!(!freed(&site));
            other.request_cancel(task, "anna").unwrap();
        })
        .await;
        assert_eq!(outcome.kind, OutcomeKind::Cancelled, "{outcome:?}");
        assert_eq!(orders(&site, task), [(Steering::SetThrottle, Some(40), true)], "within its bounds, and once");
        assert_eq!(pilot.asked().last().unwrap().samples.last().unwrap().throttle_percent, Some(40));
        assert!(freed(&site));
        let undone = Record::StepSettled { step: Made::Throttle { host: a() }, result: Ok(StepEnd::Undone) };
        assert!(site.store.journal(task).unwrap().iter().any(|(_, record)| *record == undone));
        assert_eq!(engine.read(task).unwrap().open_steps, []);
        assert!(outcome.remedy.as_ref().is_none_or(|remedy| !remedy.contains("by hand")), "{outcome:?}");
    });
}

#[test]
fn nobody_changes_it_where_the_transfer_was_begun_without_or_the_site_does_without() {
    for (case, settings, says) in [
        (Case::endless(), Settings::default(), "begun without auto-converge"),
        (slowed(None), Settings { set_throttle: false, ..Settings::default() }, "engine.set_throttle"),
    ] {
        in_virtual_time(async {
            let site = Site::new(case.clone());
            let pilot = Pilot::that_says(Steering::SetThrottle, Some(60));
            let engine = site.engine_with(pilot.clone());
            engine.adjust(settings.clone(), Depth::default());
            let (task, outcome) = end(&site, &engine, async |task| {
                tokio::time::sleep(Duration::from_secs(30)).await;
                assert!(refused(&engine, task, throttle(Some(60))).contains(says), "{says}");
                engine.request_cancel(task, "anna").unwrap();
            })
            .await;
            assert_eq!((outcome.kind, orders(&site, task)), (OutcomeKind::Cancelled, vec![]), "{says}");
            let asked = pilot.asked();
            let may = |question: &SteeringQuestion| question.bounds.permitted.contains(&Steering::SetThrottle);
            assert!(asked.len() > 3 && !asked.iter().any(may), "{says}");
            assert!(!freed(&site), "{says}");
        });
    }
}

/// Before, libvirt has still to set the transfer up; afterwards nothing is slowed down any more.
#[test]
fn only_while_memory_is_copied_from_a_guest_that_runs_there_it_is_changed() {
    in_virtual_time(async {
        let stream = Stream { auto_converge: true, post_copy: true, ..Stream::default() };
        let disks = Case::copying().options.disks;
        let options = Options { stream, bandwidth_mib_s: Some(100), timeout_s: 3600, disks, ..Options::default() };
        let site = Site::new(Case { disks: Place::Own, ..Case::endless() }.options(options));
        let driver = site.engine_with(Pilot::that_says(Steering::Hold, None)).accept(site.request()).unwrap();
        let (task, mut views) = (driver.id(), driver.views());
        let meanwhile = async {
            let other = site.engine(None).0;
            let at = |stage| move |view: &View| view.sample.as_ref().is_some_and(|now| now.stage == stage);
            views.wait_for(at(Stage::Disks)).await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
            other.request_steering(task, &[throttle(Some(60))]).unwrap();
            views.wait_for(at(Stage::PreCopy)).await.unwrap();
            tokio::time::sleep(Duration::from_secs(4)).await;
            let switch = Wish { action: Steering::PostCopy, value: None, requester: "anna".into() };
            other.request_steering(task, &[switch, throttle(Some(60))]).unwrap();
        };
        let (outcome, ()) = tokio::join!(driver.drive(), meanwhile);
        let outcome = outcome.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        let wish = (Steering::SetThrottle, Some(60), false);
        assert_eq!(orders(&site, task), [wish, (Steering::PostCopy, None, true), wish]);
        let given = |order: &Command| matches!(order, Command::SetThrottle { .. });
        assert!(!site.ledger.told().orders.iter().any(given));
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}
