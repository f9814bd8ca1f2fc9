//! A switch to post-copy that is ordered before memory travels: it is kept, over a restart too, given as soon as some does, and told to be
//! of no use where the transfer ends before.

use std::time::Duration;

use tokio::sync::watch;
use waypost_core::convergence::Steering;
use waypost_core::ids::TaskId;
use waypost_core::journal::Record;
use waypost_core::outcome::OutcomeKind;
use waypost_core::phase::Phase;
use waypost_core::ports::{Command, Wish};
use waypost_core::request::Options;
use waypost_core::sample::Stage;
use waypost_engine::{Adopted, SWITCHES_SOON, View};
use waypost_sim::{Lasting, Scripted, Step, What, Who};

use crate::steered::{orders, post_copy};
use crate::support::{Case, Place, Site, a, in_virtual_time, judge};

const KEPT: &str = "kept for anna: no memory is on its way yet; it is given as soon as some is";
const NOT_NEEDED: &str = "not needed: the transfer was over before memory was seen to travel";

/// One that never arrives by itself, and whose way carries nothing for its first ten seconds.
fn held_up() -> Site {
    let dark = What::LinkCut(Lasting::For(Duration::from_secs(10)));
    let case = Case::endless();
    let options = Options { stream: post_copy(), ..case.options.clone() };
    Site::new(case.options(options).fault(Scripted::at(Step::Perform, dark).permille(0)))
}

fn wish(action: Steering, value: Option<u64>) -> Wish {
    Wish { action, value, requester: "anna".into() }
}

/// Orders the switch as soon as that can be done, and waits until it is told to be kept.
async fn is_kept(site: &Site, task: TaskId, views: &mut watch::Receiver<View>) {
    views.wait_for(|view| view.phase == Phase::Performing).await.unwrap();
    let other = site.engine(None).0;
    other.request_steering(task, &[wish(Steering::PostCopy, None)]).unwrap();
    views.wait_for(|view| view.note == SWITCHES_SOON).await.unwrap();
    assert_eq!(other.observe(task).view().unwrap().note, SWITCHES_SOON, "others read it from the journal");
}

/// What is on record of the switch, up to the end of the transfer.
fn of_the_switch(site: &Site, task: TaskId) -> Vec<String> {
    let told = |record: &Record| match record {
        Record::SteerKept { action: Steering::PostCopy, by, reason } => Some(format!("kept for {by}: {reason}")),
        Record::SteerIntended { action: Steering::PostCopy, by, .. } => Some(format!("given for {by}")),
        Record::SteerSettled { action: Steering::PostCopy, result: Ok(()) } => Some("done".to_owned()),
        Record::SteerSettled { action: Steering::PostCopy, result: Err(why) } => Some(why.clone()),
        Record::PerformReturned { .. } => Some("over".to_owned()),
        _ => None,
    };
    site.store.journal(task).unwrap().iter().filter_map(|(_, record)| told(record)).collect()
}

/// How often hosts were asked for it.
fn given(site: &Site) -> usize {
    site.ledger.told().orders.iter().filter(|order| matches!(order, Command::StartPostCopy)).count()
}

#[test]
fn a_switch_that_comes_before_memory_travels_is_kept_and_given_as_soon_as_some_does() {
    in_virtual_time(async {
        let site = held_up();
        let driver = site.accept();
        let (task, mut views) = (driver.id(), driver.views());
        let meanwhile = async {
            is_kept(&site, task, &mut views).await;
            let limit = wish(Steering::SetBandwidth, Some(50));
            site.engine(None).0.request_steering(task, &[limit]).unwrap();
            views.wait_for(|view| view.note.contains("set-bandwidth")).await.unwrap();
            assert_eq!(given(&site), 0);
        };
        let (outcome, ()) = tokio::join!(driver.drive(), meanwhile);
        let outcome = outcome.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        // A host that is asked too early refuses.
        assert_eq!(of_the_switch(&site, task), [KEPT, "given for anna", "done", "over"]);
        let done = [(Steering::SetBandwidth, Some(50), true), (Steering::PostCopy, None, true)];
        assert_eq!(orders(&site, task), done, "what is kept holds nothing up");
        assert_eq!((given(&site), site.store.wishes(task).unwrap()), (1, vec![]));
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}

#[test]
fn while_disks_are_copied_it_is_kept_until_their_memory_follows() {
    in_virtual_time(async {
        let options = Options {
            stream: post_copy(),
            bandwidth_mib_s: Some(100),
            timeout_s: 3600,
            disks: Case::copying().options.disks,
            ..Options::default()
        };
        let site = Site::new(Case { disks: Place::Own, ..Case::endless() }.options(options));
        let driver = site.accept();
        let (task, mut views) = (driver.id(), driver.views());
        let meanwhile = async {
            let of_disks = |view: &View| view.sample.as_ref().is_some_and(|now| now.stage == Stage::Disks);
            views.wait_for(of_disks).await.unwrap();
            is_kept(&site, task, &mut views).await;
            assert!(of_disks(&views.borrow()), "there is time enough");
        };
        let (outcome, ()) = tokio::join!(driver.drive(), meanwhile);
        let outcome = outcome.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert_eq!(of_the_switch(&site, task), [KEPT, "given for anna", "done", "over"]);
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}

/// What ends a transfer before it moves anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Cancelled,
    Failed,
}

#[test]
fn where_the_transfer_ends_before_it_is_told_that_it_was_not_needed() {
    for end in [End::Cancelled, End::Failed] {
        in_virtual_time(async {
            let site = held_up();
            let driver = site.accept();
            let (task, mut views) = (driver.id(), driver.views());
            let meanwhile = async {
                is_kept(&site, task, &mut views).await;
                match end {
                    End::Cancelled => site.engine(None).0.request_cancel(task, "anna").unwrap(),
                    End::Failed => site.world.strike(&What::HypervisorDies(Who::Destination)),
                }
            };
            let (outcome, ()) = tokio::join!(driver.drive(), meanwhile);
            let outcome = outcome.unwrap();
            let kind = if end == End::Cancelled { OutcomeKind::Cancelled } else { OutcomeKind::RolledBack };
            assert_eq!(outcome.kind, kind, "{end:?}: {outcome:?}");
            assert_eq!(of_the_switch(&site, task), [KEPT, NOT_NEEDED, "over"], "{end:?}");
            assert_eq!((given(&site), site.store.wishes(task).unwrap()), (0, vec![]), "{end:?}");
            assert_eq!(site.engine(None).0.read(task).unwrap().kept, [], "{end:?}");
            assert_eq!(site.world.truth(site.id).running_on, [a()], "{end:?}");
            assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new(), "{end:?}");
        });
    }
}

#[test]
fn a_later_controller_knows_of_it_and_gives_it() {
    in_virtual_time(async {
        let site = held_up();
        let driver = site.accept();
        let (task, mut views) = (driver.id(), driver.views());
        let driving = tokio::spawn(driver.drive());
        is_kept(&site, task, &mut views).await;
        driving.abort();
        assert!(driving.await.is_err());
        let other = site.engine(None).0;
        assert_eq!(other.observe(task).view().unwrap().note, SWITCHES_SOON, "while nobody drives it");
        let Adopted::Driver(driver) = other.adopt(task).unwrap() else { panic!("nobody drives it") };
        let outcome = driver.drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert_eq!(of_the_switch(&site, task), [KEPT, "given for anna", "done", "over"], "kept once, and given once");
        assert_eq!((given(&site), site.store.wishes(task).unwrap()), (1, vec![]));
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}

/// A later controller that has nothing to give it to still tells what came of it.
#[test]
fn a_later_controller_that_finds_the_transfer_over_tells_that_it_was_not_needed() {
    in_virtual_time(async {
        let site = held_up();
        let driver = site.accept();
        let (task, mut views) = (driver.id(), driver.views());
        let driving = tokio::spawn(driver.drive());
        is_kept(&site, task, &mut views).await;
        driving.abort();
        assert!(driving.await.is_err());
        site.world.strike(&What::HypervisorDies(Who::Destination));
        // Until the source has noticed.
        tokio::time::sleep(Duration::from_secs(20)).await;
        let Adopted::Driver(driver) = site.engine(None).0.adopt(task).unwrap() else { panic!("nobody drives it") };
        let outcome = driver.drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::RolledBack, "{outcome:?}");
        assert_eq!(of_the_switch(&site, task), [KEPT, NOT_NEEDED, "over"]);
        assert_eq!((given(&site), site.store.wishes(task).unwrap()), (0, vec![]));
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}
