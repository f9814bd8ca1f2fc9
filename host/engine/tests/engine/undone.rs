//! What a task that doesn't go on gives back, what it leaves because it is somebody else's by then, and what it says of it.

use std::time::Duration;

use waypost_core::ids::TaskId;
use waypost_core::journal::{Record, Step as Made, StepEnd};
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::plan::Plan;
use waypost_core::ports::{Command, Hypervisor as _};
use waypost_core::request::{Options, SourceDefinition};
use waypost_core::situation::{Action, Side};
use waypost_engine::Acted;
use waypost_sim::{Scripted, Step, What, Who};

use crate::faults::hasty;
use crate::killed::{bring_to_its_end, drive};
use crate::support::{Case, Meddle, Mind, Sight, Site, Stroke, a, in_virtual_time, judge};

fn keep() -> Options {
    Options { source_definition: SourceDefinition::Keep, ..hasty() }
}

/// The last plan of a task: whoever else moves the domain makes the same of it.
fn plan(site: &Site, task: TaskId) -> Plan {
    let journal = site.store.journal(task).expect("the journal");
    let planned = journal.into_iter().rev().find_map(|(_, record)| match record {
        Record::Planned { plan } => Some(plan),
        _ => None,
    });
    planned.expect("a plan")
}

async fn starts_with_its_host(site: &Site) -> bool {
    match site.world.observe(&a(), site.id).await {
        Side::Present(seen) => seen.autostart,
        side => panic!("its definition is kept: {side:?}"),
    }
}

fn died() -> Scripted {
    Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination))
}

fn no_harm(site: &Site) {
    assert_eq!(site.world.violations(), []);
    assert_eq!(site.ledger.told().breaches, Vec::<String>::new());
}

/// The controller is killed when the definition that stays has lost its autostart, and before its transfer begins.
#[test]
fn the_autostart_of_a_kept_definition_comes_back_only_where_the_domain_still_lives() {
    for (case, moved_on) in [(Case::live(), false), (Case::live(), true), (Case::offline(), false)] {
        in_virtual_time(async {
            let site = Site::new(case.clone().options(keep()));
            let killed = Meddle { append: 4, stroke: Stroke::KillAfter };
            let driver = site.engine(Some(killed)).0.accept(site.request()).unwrap();
            let task = driver.id();
            assert!(drive(driver).await.is_none(), "it was not killed");
            let journal = site.store.journal(task).unwrap();
            let taken = Made::SourceAutostart { host: a() };
            let last = journal.last().map(|(_, record)| record);
            assert_eq!(last, Some(&Record::StepSettled { step: taken, result: Ok(StepEnd::Done) }));
            assert!(!starts_with_its_host(&site).await);
            if moved_on {
                // A person moves it with virsh meanwhile, and keeps the definition, too.
                let plan = plan(&site, task);
                site.world.start(&plan).await.unwrap().finished().await.unwrap();
            }
            let outcome = bring_to_its_end(&site.engine(None).0, task).await;
            assert_eq!(outcome.kind, OutcomeKind::RolledBack, "{outcome:?}");
            assert_eq!(starts_with_its_host(&site).await, !moved_on, "{outcome:?}");
            assert_eq!(outcome.summary.contains("this task moved nothing of it"), moved_on, "{outcome:?}");
            assert_eq!(outcome.summary.contains("nothing of it was moved"), !moved_on, "{outcome:?}");
            match &outcome.remedy {
                Some(remedy) if moved_on => assert!(remedy.contains("g1 is shut-off on a (migrated)"), "{remedy}"),
                remedy => assert!(!moved_on && remedy.is_none(), "{outcome:?}"),
            }
            no_harm(&site);
        });
    }
}

/// Of two that set the same limit the other is faster, before this one looks a last time, or after that.
async fn slower_than_another(held_up: Step, theirs_ms: u64) -> (Site, Outcome) {
    // The other's transfer takes a minute and more.
    let limited = Options { max_downtime_ms: Some(20_000), bandwidth_mib_s: Some(10), ..Options::default() };
    let slow = Scripted::at(held_up, What::Slow(Duration::from_secs(5))).on("a");
    let site = Site::new(Case::live().options(limited).fault(slow));
    let driver = site.accept();
    let task = driver.id();
    let set = Command::SetMaxDowntime { ms: 20_000 };
    let faster = async {
        while !site.ledger.told().orders.contains(&set) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        site.world.command(&a(), site.id, Command::SetMaxDowntime { ms: theirs_ms }).await.unwrap();
        site.world.start(&plan(&site, task)).await.unwrap()
    };
    let (outcome, mut theirs) = tokio::join!(drive(driver), faster);
    let outcome = outcome.unwrap().unwrap();
    assert!(matches!(site.world.observe(&a(), site.id).await, Side::Present(seen) if seen.job), "theirs runs");
    assert_eq!(site.world.max_downtime(&a(), site.id).await.unwrap(), Some(theirs_ms), "{outcome:?}");
    let limits = |order: &&Command| matches!(order, Command::SetMaxDowntime { .. });
    assert_eq!(site.ledger.told().orders.iter().filter(limits).count(), 1, "it was set, and left alone from then on");
    theirs.finished().await.unwrap();
    (site, outcome)
}

#[test]
fn whoever_comes_second_leaves_the_running_transfer_of_the_other_its_limit() {
    for (held_up, says) in [
        (Step::Observe, "another job began on g1 just before the start"),
        (Step::ReadNotice, "another migration job is already running"),
    ] {
        in_virtual_time(async {
            let (site, outcome) = slower_than_another(held_up, 20_000).await;
            assert_eq!(outcome.kind, OutcomeKind::RolledBack, "{outcome:?}");
            let why = format!("{}; {}", outcome.summary, outcome.causes.join("; "));
            assert!(why.contains(says), "{why}");
            // It may be what is in force because of this task, so whoever reads of it knows what was before.
            let remedy = outcome.remedy.clone().unwrap_or_default();
            assert!(remedy.contains("the downtime limit of 20000 ms on a (a job that isn't this task's"), "{remedy}");
            assert!(remedy.contains("virsh migrate-setmaxdowntime g1 300"), "{remedy}");
            no_harm(&site);
        });
        in_virtual_time(async {
            // And what isn't this task's limit any more is nothing that it has left.
            let (site, outcome) = slower_than_another(held_up, 900).await;
            assert_eq!((outcome.kind, &outcome.remedy), (OutcomeKind::RolledBack, &None), "{outcome:?}");
            no_harm(&site);
        });
    }
}

/// The first attempt moved memory; the second is cancelled before it has a plan, or with it.
#[test]
fn an_attempt_that_ends_before_it_moves_anything_says_what_the_ones_before_may_have_left() {
    for (tpm, planned) in [(true, false), (true, true), (false, false), (false, true)] {
        in_virtual_time(async {
            let site = Site::new(Case { tpm, ..Case::live().options(hasty()).mind(Mind::Again).fault(died()) });
            let driver = site.accept();
            let (task, cancel) = (driver.id(), driver.cancel_handle());
            site.ledger.meanwhile.set(move |sight| {
                let now = match sight {
                    Sight::Written(Record::NextAttempt { .. }) => !planned,
                    Sight::Written(Record::Planned { plan }) => planned && plan.attempt == 2,
                    _ => false,
                };
                if now {
                    cancel.cancel("somebody");
                }
            });
            let outcome = drive(driver).await.unwrap().unwrap();
            assert_eq!(outcome.kind, OutcomeKind::Cancelled, "{outcome:?}");
            assert_eq!(site.ledger.told().starts, 1);
            let says = if planned { "attempt 2 moved nothing of it" } else { "cancelled; attempt 2 touched nothing" };
            assert!(outcome.summary.contains(says), "{outcome:?}");
            assert!(!outcome.summary.contains("before anything was touched"), "{outcome:?}");
            assert_eq!(outcome.summary.contains("is left, but perhaps its folder"), tpm, "{outcome:?}");
            let asks = "(the state of its emulated TPM) was left on b";
            assert_eq!(outcome.remedy.as_ref().is_some_and(|remedy| remedy.contains(asks)), tpm, "{outcome:?}");
            assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
        });
    }
}

/// A person goes on from there, and takes the evidence for all that there is.
#[test]
fn a_task_that_ends_stuck_or_lost_names_what_it_took_from_the_source_and_what_it_may_have_left() {
    let dies = |who| Scripted::at(Step::Perform, What::HypervisorDies(who));
    for (fault, mind, kind) in [
        (dies(Who::Destination), Mind::HandsOver, OutcomeKind::Stuck),
        (dies(Who::Source), Mind::Conservative, OutcomeKind::Lost),
    ] {
        in_virtual_time(async {
            let options = Options { max_downtime_ms: Some(500), ..keep() };
            let site = Site::new(Case { tpm: true, ..Case::live().options(options).mind(mind).fault(fault) });
            let driver = site.accept();
            let task = driver.id();
            let outcome = drive(driver).await.unwrap().unwrap();
            assert_eq!(outcome.kind, kind, "{outcome:?}");
            assert!(!starts_with_its_host(&site).await);
            let remedy = outcome.remedy.clone().unwrap_or_default();
            assert!(remedy.contains("where g1 is to stay on a, give back its "), "{remedy}");
            assert!(remedy.contains("its autostart, now off (virsh autostart g1)"), "{remedy}");
            // The limit ended with the process.
            let limit = "its downtime limit, set to 500 ms (virsh migrate-setmaxdowntime g1 300)";
            assert_eq!(remedy.contains(limit), kind == OutcomeKind::Stuck, "{remedy}");
            assert!(remedy.contains("(the state of its emulated TPM) was left on b"), "{remedy}");
            assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
            if kind == OutcomeKind::Stuck {
                // Whoever has it finished by Waypost needs to do nothing of it.
                let acted = site.engine(None).0.act(task, Action::AcceptSource, "ann").await.unwrap();
                let Acted::Ended(outcome) = acted else { panic!("that ends it") };
                assert_eq!(outcome.kind, OutcomeKind::RolledBack, "{outcome:?}");
                assert!(starts_with_its_host(&site).await);
                assert_eq!(site.world.max_downtime(&a(), site.id).await.unwrap(), Some(300));
                no_harm(&site);
            }
        });
    }
}
