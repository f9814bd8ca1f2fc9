//! Orders to abort that are slow, get lost, are refused or of no use: none hits another attempt, and what isn't confirmed is
//! on record.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use waypost_core::convergence::Steering;
use waypost_core::ids::TaskId;
use waypost_core::journal::Record;
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::ports::{Command, FaultKind};
use waypost_core::request::Options;
use waypost_sim::{Lasting, Scripted, Step, What, Who};

use crate::faults::hasty;
use crate::killed::{bring_to_its_end, drive};
use crate::support::{Case, Mind, Sight, Site, in_virtual_time, judge};

/// What is on record of aborts that nothing confirmed: why, and whether an order may still come.
fn unconfirmed(site: &Site, task: TaskId) -> Vec<(String, bool)> {
    let journal = site.store.journal(task).unwrap();
    let told = |record: Record| match record {
        Record::AbortUnconfirmed { why, may_come } => Some((why, may_come)),
        _ => None,
    };
    journal.into_iter().filter_map(|(_, record)| told(record)).collect()
}

/// Transfers that failed.
fn failures(site: &Site, task: TaskId) -> usize {
    let journal = site.store.journal(task).unwrap();
    journal.iter().filter(|(_, record)| matches!(record, Record::PerformReturned { result: Err(_) })).count()
}

/// A transfer of 20 s that stands still half way, and is tried again.
fn still(abort: What) -> Site {
    let slow = Options { bandwidth_mib_s: Some(50), ..hasty() };
    let hangs = Scripted::at(Step::Perform, What::Hang);
    Site::new(Case::live().options(slow).mind(Mind::Again).fault(hangs).fault(Scripted::at(Step::AbortJob, abort)))
}

/// Drives a task to its end while something happens.
async fn during(site: &Site, meanwhile: impl Future<Output = ()>) -> (TaskId, Outcome) {
    let driver = site.accept();
    let task = driver.id();
    let (outcome, ()) = tokio::join!(drive(driver), meanwhile);
    let outcome = outcome.unwrap().unwrap();
    assert_eq!(judge(site, task, outcome.clone()).await.wrong, Vec::<String>::new(), "{outcome:?}");
    (task, outcome)
}

async fn ordered_to_abort(site: &Site) {
    while !site.ledger.told().orders.contains(&Command::AbortJob) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// It takes 15 s, and the second attempt would run by then had another order ended the first one at once.
#[test]
fn a_slow_abort_is_the_only_one_and_hits_the_attempt_that_it_is_for() {
    in_virtual_time(async {
        let site = still(What::Slow(Duration::from_secs(15)));
        let (task, outcome) = during(&site, async {}).await;
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert!(outcome.summary.contains("attempt 2"), "{outcome:?}");
        assert_eq!(failures(&site, task), 1);
        assert_eq!(unconfirmed(&site, task), [("a does not answer".to_owned(), false)]);
    });
}

#[test]
fn an_attempt_that_ends_by_itself_meanwhile_waits_for_what_its_abort_comes_to() {
    in_virtual_time(async {
        let site = still(What::Slow(Duration::from_secs(15)));
        let dies = async {
            ordered_to_abort(&site).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            site.world.strike(&What::HypervisorDies(Who::Destination));
        };
        let (task, outcome) = during(&site, dies).await;
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert!(outcome.summary.contains("attempt 2"), "{outcome:?}");
        assert_eq!(failures(&site, task), 1);
        let journal = site.store.journal(task).unwrap();
        let at = |wanted: &dyn Fn(&Record) -> bool| {
            journal.iter().filter(|(_, record)| wanted(record)).map(|(at, _)| at.0).collect::<Vec<_>>()
        };
        let aborted = at(&|record| matches!(record, Record::SteerIntended { action: Steering::Abort, .. }))[0];
        let begun = at(&|record| *record == Record::PerformIntended);
        assert_eq!(begun.len(), 2);
        assert!(begun[1] >= aborted + 15_000, "{begun:?} after {aborted}");
    });
}

/// It ended the transfer, and for all that anybody knows the order is still on its way.
#[test]
fn after_an_abort_that_nobody_heard_the_end_of_nothing_is_tried_again() {
    in_virtual_time(async {
        let site = still(What::ReplyLost(FaultKind::Deadline));
        let (task, outcome) = during(&site, async {}).await;
        assert_eq!(outcome.kind, OutcomeKind::RolledBack, "{outcome:?}");
        assert_eq!(site.ledger.told().starts, 1);
        let told = unconfirmed(&site, task);
        assert!(matches!(&told[..], [(why, true)] if why.contains("did not say what became of")), "{told:?}");
    });
}

/// Its controller ends at the moment in which it gives the order: whether it got out nobody knows.
#[test]
fn after_an_abort_whose_controller_is_gone_nothing_is_tried_again() {
    in_virtual_time(async {
        let site = still(What::Slow(Duration::from_secs(1)));
        let killed = AtomicBool::new(false);
        site.ledger.meanwhile.set(move |sight| {
            let decided = matches!(sight, Sight::Written(Record::SteerSettled { action: Steering::Abort, .. }));
            if decided && !killed.swap(true, Ordering::Relaxed) {
                std::panic::resume_unwind(Box::new("the controller was killed"));
            }
        });
        let driver = site.accept();
        let task = driver.id();
        assert!(drive(driver).await.is_none(), "it was killed");
        let outcome = bring_to_its_end(&site.engine(None).0, task).await;
        assert_eq!(outcome.kind, OutcomeKind::RolledBack, "{outcome:?}");
        assert_eq!(site.ledger.told().starts, 1);
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}

/// A direct transfer that lost its destination orders its own end.
#[test]
fn after_an_abort_that_the_call_itself_gave_and_heard_nothing_of_nothing_is_tried_again() {
    for unsettled in [true, false] {
        in_virtual_time(async {
            let died = Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination));
            let site = Site::new(Case::live().options(hasty()).mind(Mind::Again).fault(died));
            site.ledger.told().unsettled = unsettled;
            let (task, outcome) = during(&site, async {}).await;
            let told = unconfirmed(&site, task);
            assert_eq!(told.iter().any(|(_, may_come)| *may_come), unsettled, "{told:?}");
            let kind = if unsettled { OutcomeKind::RolledBack } else { OutcomeKind::Completed };
            assert_eq!(outcome.kind, kind, "{outcome:?}");
            assert_eq!(site.ledger.told().starts, if unsettled { 1 } else { 2 });
        });
    }
}

/// Cancels a transfer of 100 s after 5 s, with that on the hosts from then on; gives what is on record, and how it ended.
async fn cancelled(faults: Vec<Scripted>, struck: Option<What>) -> (Vec<(String, bool)>, Outcome) {
    let slow = Options { bandwidth_mib_s: Some(10), ..Options::default() };
    let site = Site::new(faults.into_iter().fold(Case::live().options(slow), Case::fault));
    let driver = site.accept();
    let (task, cancel, mut views) = (driver.id(), driver.cancel_handle(), driver.views());
    let asked = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        struck.iter().for_each(|what| site.world.strike(what));
        cancel.cancel("somebody");
        views.wait_for(|view| view.note.contains("the abort is not confirmed")).await.map(drop).unwrap();
    };
    let (outcome, ()) = tokio::join!(drive(driver), asked);
    let outcome = outcome.unwrap().unwrap();
    assert_eq!(judge(&site, task, outcome.clone()).await.wrong, Vec::<String>::new(), "{outcome:?}");
    (unconfirmed(&site, task), outcome)
}

fn aborts(what: &What, times: u32) -> Vec<Scripted> {
    (1..=times).map(|occurrence| Scripted::at(Step::AbortJob, what.clone()).occurrence(occurrence)).collect()
}

#[test]
fn an_abort_that_nothing_confirms_is_on_record_with_why_until_it_is() {
    let out_of_reach = What::Unreachable(Who::Source, Lasting::For(Duration::from_secs(18)));
    for (faults, struck, says) in [
        (aborts(&What::Hang, 2), None, "a does not answer"),
        (vec![], Some(out_of_reach), "a does not answer"),
        (aborts(&What::Error(FaultKind::Other), 14), None, "a refuses the order"),
    ] {
        in_virtual_time(async {
            let (told, outcome) = cancelled(faults.clone(), struck.clone()).await;
            assert_eq!(outcome.kind, OutcomeKind::Cancelled, "{outcome:?}");
            assert!(told[0].0.contains(says), "{told:?}");
            let same = told.iter().filter(|(why, may_come)| why.contains(says) && *may_come == told[0].1);
            assert_eq!(same.count(), 1, "it is said once: {told:?}");
            // Only of an order whose deadline passed nobody knows whether it still comes.
            let silent = faults.iter().any(|fault| fault.what == What::Hang);
            assert_eq!(told.iter().any(|(_, may_come)| *may_come), silent, "{told:?}");
        });
    }
}

#[test]
fn an_abort_in_time_leaves_no_word() {
    in_virtual_time(async {
        let slow = Options { bandwidth_mib_s: Some(10), ..Options::default() };
        let site = Site::new(Case::live().options(slow));
        let driver = site.accept();
        let (task, cancel) = (driver.id(), driver.cancel_handle());
        let asked = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            cancel.cancel("somebody");
        };
        let (outcome, ()) = tokio::join!(drive(driver), asked);
        assert_eq!(outcome.unwrap().unwrap().kind, OutcomeKind::Cancelled);
        assert_eq!(unconfirmed(&site, task), []);
    });
}

/// A copy whose network is cut for so long, cancelled so long after the last reading before that; it ends as cancelled.
pub async fn copy_cut_and_cancelled(lasting: Lasting, later: Duration) -> (Site, TaskId) {
    let cut = Scripted::at(Step::Perform, What::NetworkDown(lasting)).permille(300);
    let site = Site::new(Case::copying().fault(cut));
    let driver = site.accept();
    let (task, cancel, mut views) = (driver.id(), driver.cancel_handle(), driver.views());
    let cancelled = async {
        // As far as it comes before the cut, of one GiB of memory and two of disks.
        let cut = |view: &waypost_engine::View| {
            view.sample.as_ref().is_some_and(|now| now.processed_bytes >= (3 << 30) / 100 * 29)
        };
        views.wait_for(cut).await.unwrap();
        tokio::time::sleep(later).await;
        cancel.cancel("somebody");
    };
    let (outcome, ()) = tokio::join!(drive(driver), cancelled);
    assert_eq!(outcome.unwrap().unwrap().kind, OutcomeKind::Cancelled);
    (site, task)
}

/// A second after the cut nobody knows of it, but that the last readings were all the same is enough to wait with the abort.
#[test]
fn a_copy_that_is_cancelled_right_after_its_network_was_cut_is_severed_before_it_is_aborted() {
    in_virtual_time(async {
        let (site, task) = copy_cut_and_cancelled(Lasting::Forever, Duration::from_secs(1)).await;
        assert_eq!(unconfirmed(&site, task), []);
        let orders = site.ledger.told().orders.clone();
        let ending: Vec<_> =
            orders.iter().filter(|order| matches!(order, Command::SeverCopies | Command::AbortJob)).collect();
        assert_eq!(ending.first(), Some(&&Command::SeverCopies), "{orders:?}");
    });
}

/// libvirt accepts the abort, and the blocks that are on their way hold it up.
#[test]
fn the_copies_of_disks_are_severed_when_it_is_said_that_the_abort_is_not_confirmed() {
    in_virtual_time(async {
        // So soon after something moved that nobody can know of the cut: later they are severed first.
        let (site, task) = copy_cut_and_cancelled(Lasting::Forever, Duration::from_millis(500)).await;
        let told = unconfirmed(&site, task);
        assert_eq!(told, [("a accepts the order, and the transfer goes on".to_owned(), false)]);
        let journal = site.store.journal(task).unwrap();
        let said = journal.iter().position(|(_, record)| matches!(record, Record::AbortUnconfirmed { .. })).unwrap();
        let (next_at, next) = &journal[said + 1];
        assert!(matches!(next, Record::SteerIntended { action: Steering::Sever, .. }), "{next:?}");
        assert!(next_at.0 - journal[said].0.0 <= 1000, "at the same moment");
    });
}
