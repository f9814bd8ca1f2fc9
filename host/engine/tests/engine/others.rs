//! Other parties have their hands on the same guest: a person with virsh, a backup, another controller. What they do is neither
//! steered nor ended, and a guest that they moved on is not called lost.

use std::sync::Arc;
use std::time::Duration;

use waypost_core::facts::Snapshot;
use waypost_core::ids::{HostName, Moment, TaskId};
use waypost_core::journal::Record;
use waypost_core::notice::Notice;
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::plan::{End, Plan};
use waypost_core::ports::{Clock as _, Command, DecisionRecord, Hypervisor as _, Judgement, Policies, StorageProbe};
use waypost_core::recovery::{AttemptChange, RecoveryAnswer, RecoveryQuestion};
use waypost_core::request::{CheckRequest, Options};
use waypost_core::situation::Action;
use waypost_sim::{HostSpec, Lasting, Scripted, Step, What, Who};

use crate::faults::hasty;
use crate::killed::{bring_to_its_end, drive};
use crate::support::{Case, Mind, Minded, Sight, Site, a, b, in_virtual_time, judge};

fn c() -> HostName {
    HostName::new("c")
}

/// Tries again after a minute, and else does as another mind does.
struct AfterAMinute(Minded);

impl Policies for AfterAMinute {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, probe: Option<&dyn StorageProbe>) -> Judgement {
        self.0.precheck(request, facts, probe)
    }
    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        let (answer, decision) = self.0.recover(question);
        if !question.permitted.contains(&Action::TryAgain) || question.attempts_left == 0 {
            return (answer, decision);
        }
        let again = RecoveryAnswer {
            action: Action::TryAgain,
            delay_ms: 60_000,
            reason: "in a minute".into(),
            change: AttemptChange::NONE,
            way: None,
        };
        (again, decision)
    }
}

/// Three hosts, and a first attempt that fails half way.
fn failing() -> Site {
    let died = Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination));
    Site::new(Case { others: &["c"], ..Case::live() }.options(hasty()).fault(died))
}

/// Drives a task that waits for a minute when its first attempt has failed, and does something in that minute.
async fn meanwhile(site: &Site, then: Mind, act: impl AsyncFnOnce(TaskId)) -> (TaskId, Outcome) {
    let driver = site.engine_with(Arc::new(AfterAMinute(Minded::new(then)))).accept(site.request()).unwrap();
    let task = driver.id();
    let acting = async {
        while !journal(site, task).iter().any(|record| matches!(record, Record::Located { .. })) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        act(task).await;
    };
    let (outcome, ()) = tokio::join!(drive(driver), acting);
    let outcome = outcome.unwrap().unwrap();
    assert_eq!(judge(site, task, outcome.clone()).await.wrong, Vec::<String>::new(), "{outcome:?}");
    assert_eq!(site.ledger.told().starts, 1);
    (task, outcome)
}

fn journal(site: &Site, task: TaskId) -> Vec<Record> {
    site.store.journal(task).unwrap().into_iter().map(|(_, record)| record).collect()
}

/// Somebody moves the guest to the third host, with so many MiB a second at most.
async fn moved_on(site: &Site, task: TaskId, bandwidth_mib_s: Option<u64>) {
    let planned = journal(site, task).into_iter().find_map(|record| match record {
        Record::Planned { plan } => Some(plan),
        _ => None,
    });
    let destination = End { host: c(), uuid: None };
    let plan = Plan { destination, peer_uri: "sim://c/system".into(), bandwidth_mib_s, ..planned.unwrap() };
    drop(site.world.start(&plan).await.unwrap());
}

/// Nobody's transfer was watched as this task's, or ended.
fn left_alone(site: &Site, task: TaskId) {
    assert!(!site.ledger.told().orders.contains(&Command::AbortJob));
    assert!(!journal(site, task).iter().any(|record| matches!(record, Record::SteerIntended { .. })));
}

#[test]
fn a_guest_that_somebody_moved_to_a_third_host_is_not_called_lost() {
    for (answers, says) in [(true, "running on c"), (false, "unknown on c")] {
        in_virtual_time(async {
            let site = failing();
            let (_, outcome) = meanwhile(&site, Mind::Conservative, async |task| {
                moved_on(&site, task, None).await;
                tokio::time::sleep(Duration::from_secs(20)).await;
                assert_eq!(site.world.truth(site.id).running_on, [c()]);
                if !answers {
                    site.world.strike(&What::Unreachable(Who::Host(c()), Lasting::Forever));
                }
            })
            .await;
            assert_eq!(outcome.kind, OutcomeKind::Stuck, "{outcome:?}");
            assert!(outcome.summary.contains(says), "{outcome:?}");
            assert_eq!(site.world.truth(site.id).running_on, [c()]);
        });
    }
}

#[test]
fn one_that_no_host_has_is_lost_as_ever() {
    in_virtual_time(async {
        let died = Scripted::at(Step::Perform, What::HypervisorDies(Who::Source));
        let site = Site::new(Case { others: &["c"], ..Case::live() }.options(hasty()).fault(died));
        let driver = site.accept();
        let task = driver.id();
        let outcome = driver.drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Lost, "{outcome:?}");
        assert!(site.ledger.told().looked_at_change.contains_key(&c()), "it was asked");
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}

/// It takes longer than this task's own transfer might have.
#[test]
fn a_transfer_that_somebody_began_between_two_attempts_is_neither_steered_nor_ended() {
    in_virtual_time(async {
        let site = failing();
        let slow = async |task| moved_on(&site, task, Some(10)).await;
        let (task, outcome) = meanwhile(&site, Mind::Conservative, slow).await;
        left_alone(&site, task);
        assert!(!journal(&site, task).contains(&Record::Adopted));
        assert_eq!(outcome.kind, OutcomeKind::Stuck, "{outcome:?}");
        assert!(outcome.summary.contains("running on c"), "{outcome:?}");
        assert_eq!(site.world.truth(site.id).running_on, [c()]);
    });
}

#[test]
fn a_cancellation_ends_no_backup_that_began_between_two_attempts() {
    in_virtual_time(async {
        let site = failing();
        let (task, outcome) = meanwhile(&site, Mind::Conservative, async |task| {
            site.world.begin_job(&a(), site.id, "backup");
            tokio::time::sleep(Duration::from_secs(5)).await;
            site.engine(None).0.request_cancel(task, "ann").unwrap();
            tokio::time::sleep(Duration::from_secs(30)).await;
            assert!(site.world.end_job(site.id), "it still runs");
        })
        .await;
        left_alone(&site, task);
        assert_eq!(outcome.kind, OutcomeKind::Cancelled, "{outcome:?}");
    });
}

#[test]
fn a_job_that_is_not_the_migrations_is_named_to_whom_the_task_is_handed_over() {
    in_virtual_time(async {
        let site = failing();
        let (task, outcome) = meanwhile(&site, Mind::HandsOver, async |_| {
            site.world.begin_job(&a(), site.id, "backup");
        })
        .await;
        left_alone(&site, task);
        assert_eq!(outcome.kind, OutcomeKind::Stuck, "{outcome:?}");
        let says = "a job that is not this migration's (backup) runs on a";
        assert!(outcome.summary.contains(says), "{outcome:?}");
        assert!(site.world.end_job(site.id), "it still runs");
    });
}

/// Between its record and its call another controller begins to move the guest elsewhere. Whoever takes the task over, and is to
/// cancel it, finds that one's transfer.
#[test]
fn whoever_takes_over_a_task_that_never_called_leaves_another_controllers_transfer_alone() {
    in_virtual_time(async {
        let site = Site::new(Case { others: &["c"], ..Case::live() }.options(hasty()));
        site.ledger.meanwhile.set(|sight| {
            if matches!(sight, Sight::Written(Record::PerformIntended)) {
                std::panic::resume_unwind(Box::new("the controller was killed"));
            }
        });
        let driver = site.accept();
        let task = driver.id();
        assert!(drive(driver).await.is_none(), "it was killed");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let notice = Notice {
            task: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
            controller: "another".into(),
            since: site.clock.now(),
            destination: Some(HostSpec::named("c").host_uuid()),
        };
        site.world.put_notice(&a(), site.id, Some(&notice)).await.unwrap();
        moved_on(&site, task, Some(10)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let engine = site.engine(None).0;
        engine.request_cancel(task, "ann").unwrap();
        let outcome = bring_to_its_end(&engine, task).await;
        left_alone(&site, task);
        assert_eq!(outcome.kind, OutcomeKind::Stuck, "{outcome:?}");
        assert!(outcome.causes.iter().any(|cause| cause.contains("of the controller another")), "{outcome:?}");
        assert_eq!(site.world.truth(site.id).running_on, [c()]);
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}

/// The controller is killed between its record and its call, and a backup begins. Whoever takes the task over, and is to cancel it,
/// can't know whose job that is; but what it is the host says, and ends no other than a migration.
#[test]
fn a_cancellation_ends_no_backup_that_began_where_nobody_heard_of_a_call() {
    in_virtual_time(async {
        let site = Site::new(Case::live().options(hasty()));
        site.ledger.meanwhile.set(|sight| {
            if matches!(sight, Sight::Written(Record::PerformIntended)) {
                std::panic::resume_unwind(Box::new("the controller was killed"));
            }
        });
        let driver = site.accept();
        let task = driver.id();
        assert!(drive(driver).await.is_none(), "it was killed");
        site.world.begin_job(&a(), site.id, "backup");
        let engine = site.engine(None).0;
        engine.request_cancel(task, "ann").unwrap();
        let backup = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            assert!(site.world.end_job(site.id), "it still runs");
        };
        let (outcome, ()) = tokio::join!(bring_to_its_end(&engine, task), backup);
        assert_eq!(outcome.kind, OutcomeKind::Cancelled, "{outcome:?}");
        let refuses = |record: &Record| matches!(record, Record::AbortUnconfirmed { why, .. } if why.contains("a backup and no migration"));
        assert!(journal(&site, task).iter().any(refuses), "who cancels is told what is in the way");
        assert_eq!(site.world.truth(site.id).running_on, [a()]);
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}

/// Two begin in the same moment. The notice of the one whom the hypervisor then refuses is the one that stays, as long as the
/// other's transfer runs, and that one's controller is killed. What tells whose transfer it is is where it goes.
#[test]
fn a_transfer_beside_the_notice_of_one_that_was_refused_is_its_own_where_that_one_goes_elsewhere() {
    let uuid = |host: &str| Some(HostSpec::named(host).host_uuid());
    for (theirs, is_known) in [(uuid("c"), true), (uuid("b"), false), (None, false)] {
        in_virtual_time(async {
            let slow = Options { bandwidth_mib_s: Some(10), ..hasty() };
            let site = Site::new(Case { others: &["c"], ..Case::live() }.options(slow));
            let notice = Notice {
                task: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
                controller: "another".into(),
                // After this one's record of its intent, as its own clock has it.
                since: Moment(site.clock.now().0 + 60_000),
                destination: theirs,
            };
            site.world.put_notice(&a(), site.id, Some(&notice)).await.unwrap();
            let driver = site.accept();
            let task = driver.id();
            let driving = tokio::spawn(driver.drive());
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert_eq!(site.ledger.told().starts, 1);
            driving.abort();
            assert!(driving.await.is_err(), "it was killed");

            let engine = site.engine(None).0;
            engine.request_cancel(task, "ann").unwrap();
            let outcome = bring_to_its_end(&engine, task).await;
            if is_known {
                assert_eq!(outcome.kind, OutcomeKind::Cancelled, "{outcome:?}");
                assert!(site.ledger.told().orders.contains(&Command::AbortJob));
                assert_eq!(site.world.truth(site.id).running_on, [a()]);
            } else {
                left_alone(&site, task);
                assert!(outcome.causes.iter().any(|cause| cause.contains("of the controller another")), "{outcome:?}");
                assert_eq!(site.world.truth(site.id).running_on, [b()]);
            }
            assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
        });
    }
}
