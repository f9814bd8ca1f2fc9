//! A source that tells nothing of its transfer, although its daemon answers whatever else it is asked: its hypervisor stands still,
//! or has no time. Nothing is ended because of it, and it is told.

use std::time::Duration;

use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::request::Options;
use waypost_engine::{Adopted, Driver};
use waypost_sim::{Scripted, Step, What};

use crate::faults::hasty;
use crate::support::{Case, Site, in_virtual_time, judge};

const NOTHING: &str = "a tells nothing of the transfer for 20 s (read the job statistics on a: no answer in time): nobody knows \
                       whether it moves";
const AGAIN: &str = "a tells of the transfer again";

/// So many readings from the n-th on, each of which takes as long as its deadline: ten seconds.
fn unanswered(readings: usize, from: u32) -> impl Iterator<Item = Scripted> {
    (0..readings).map(move |_| Scripted::at(Step::Sample, What::Hang).occurrence(from))
}

/// A transfer of two minutes.
fn slow() -> Case {
    Case::live().options(Options { bandwidth_mib_s: Some(10), ..Options::default() })
}

/// Brings a task to its end, and gives what was said meanwhile of what the source tells.
async fn heard(site: &Site, driver: Driver) -> (Outcome, Vec<String>) {
    let (task, mut views) = (driver.id(), driver.views());
    let watching = tokio::spawn(async move {
        let mut notes: Vec<String> = Vec::new();
        while views.changed().await.is_ok() {
            let note = views.borrow_and_update().note.clone();
            if notes.last() != Some(&note) {
                notes.push(note);
            }
        }
        notes
    });
    let outcome = driver.drive().await.unwrap();
    let mut notes = watching.await.unwrap();
    assert_eq!(judge(site, task, outcome.clone()).await.wrong, Vec::<String>::new(), "{outcome:?}");
    notes.retain(|note| note.starts_with("a tells "));
    (outcome, notes)
}

#[test]
fn a_transfer_of_which_nothing_is_told_goes_on_until_its_time_is_over_and_that_is_said() {
    in_virtual_time(async {
        let mut case = Case::live().options(hasty()).fault(Scripted::at(Step::Perform, What::Hang));
        case.faults.extend(unanswered(20, 1));
        let site = Site::new(case);
        let (outcome, notes) = heard(&site, site.accept()).await;
        assert_eq!(outcome.kind, OutcomeKind::RolledBack, "{outcome:?}");
        assert!(outcome.causes[0].contains("the time limit of 60 s was over"), "{outcome:?}");
        assert_eq!(notes, [NOTHING], "once");
    });
}

#[test]
fn each_time_that_nothing_is_told_is_said_once_and_so_is_its_end() {
    in_virtual_time(async {
        let mut case = slow();
        case.faults.extend(unanswered(3, 1).chain(unanswered(3, 60)));
        // Shorter than a transfer may stand still.
        case.faults.extend(unanswered(1, 90));
        let site = Site::new(case);
        let (outcome, notes) = heard(&site, site.accept()).await;
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert_eq!(notes, [NOTHING, AGAIN, NOTHING, AGAIN]);
        assert_eq!(site.world.unspent(), [], "all of it happened");
    });
}

#[test]
fn who_watches_from_outside_says_it_too() {
    in_virtual_time(async {
        let site = Site::new(slow());
        let driver = site.accept();
        let task = driver.id();
        let driving = tokio::spawn(driver.drive());
        tokio::time::sleep(Duration::from_secs(10)).await;
        driving.abort();
        assert!(driving.await.is_err());
        // The first is the question how long the transfer has been going on.
        site.world.script(unanswered(4, 1));
        let Adopted::Driver(driver) = site.engine(None).0.adopt(task).unwrap() else { panic!("nobody drives it") };
        let (outcome, notes) = heard(&site, *driver).await;
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert_eq!(notes, [NOTHING, AGAIN]);
    });
}
