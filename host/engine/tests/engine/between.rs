//! Something happens between the last look and the order that it was for: while the order is being written down, on its way,
//! or among the questions that go before it.

use waypost_core::ids::{HostName, TaskId};
use waypost_core::journal::Record;
use waypost_core::outcome::OutcomeKind;
use waypost_core::ports::Command;
use waypost_core::situation::Action;
use waypost_engine::Acted;
use waypost_sim::{Lasting, Scripted, Step, What, Who};

use crate::faults::hasty;
use crate::support::{Case, Mind, OWN, Sight, Site, a, b, in_virtual_time, judge};

/// What came of an action, each time that it was intended.
fn results(site: &Site, task: TaskId, of: Action) -> Vec<Result<(), String>> {
    let journal = site.store.journal(task).unwrap();
    let result = |record: &Record| match record {
        Record::ActionDone { action, result } if *action == of => Some(result.clone()),
        _ => None,
    };
    journal.iter().filter_map(|(_, record)| result(record)).collect()
}

/// One that stands still on its source when its migration has failed, and a copy that somebody restores on the destination
/// while the order to let it run again is being written down.
fn restored_meanwhile(mind: Mind) -> Site {
    let cut = Scripted::at(Step::Finish, What::LinkCut(Lasting::Forever));
    let site = Site::new(Case::live().options(hasty()).fault(cut).mind(mind));
    let (world, id) = (site.world.clone(), site.id);
    site.ledger.meanwhile.set(move |sight| {
        if matches!(sight, Sight::Written(Record::ActionIntended { action: Action::ResumeSource, .. })) {
            world.restore(&b(), id);
        }
    });
    site
}

#[test]
fn nothing_is_let_run_beside_a_copy_that_began_to_run_while_that_was_written_down() {
    in_virtual_time(async {
        let site = restored_meanwhile(Mind::Conservative);
        let driver = site.accept();
        let task = driver.id();
        let outcome = driver.drive().await.unwrap();
        // Which copy is the good one no program knows.
        assert_eq!(outcome.kind, OutcomeKind::Stuck, "{outcome:?}");
        assert!(!site.ledger.told().orders.contains(&Command::Resume));
        assert!(matches!(&results(&site, task, Action::ResumeSource)[..], [Err(why)] if why.contains("changed")));
        assert_eq!(site.world.truth(site.id).running_on, [b()]);
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}

#[test]
fn nor_does_a_person_let_one_run_beside_it() {
    in_virtual_time(async {
        let site = restored_meanwhile(Mind::HandsOver);
        let driver = site.accept();
        let task = driver.id();
        assert_eq!(driver.drive().await.unwrap().kind, OutcomeKind::Stuck);
        assert_eq!(site.world.truth(site.id).running_on, []);
        let acted = site.engine(None).0.act(task, Action::ResumeSource, "ann").await.unwrap();
        let Acted::Open(seen) = acted else { panic!("nothing follows") };
        assert_eq!(seen.permitted, [Action::HandOver], "it was looked at again");
        assert!(!site.ledger.told().orders.contains(&Command::Resume));
        assert!(matches!(&results(&site, task, Action::ResumeSource)[..], [Err(why)] if why.contains("changed")));
        assert_eq!(site.world.truth(site.id).running_on, [b()]);
        assert_eq!(site.world.violations(), []);
        assert_eq!(site.ledger.told().breaches, Vec::<String>::new());
    });
}

/// The migration leaves a copy on the destination that has all memory and never ran, beside the one that stands still on the
/// source. While the order to end it is on its way somebody lets it run: from then on it is the only one that can.
#[test]
fn a_copy_that_began_to_run_while_the_order_to_end_it_was_on_its_way_is_not_ended() {
    in_virtual_time(async {
        let left = Scripted::at(Step::Finish, What::LeftBehind);
        let site = Site::new(Case::live().options(hasty()).fault(left));
        let (world, id) = (site.world.clone(), site.id);
        site.ledger.meanwhile.set(move |sight| {
            if matches!(sight, Sight::Ordered(host, Command::Destroy) if **host == b()) {
                world.resume(&b(), id);
            }
        });
        let driver = site.accept();
        let task = driver.id();
        let outcome = driver.drive().await.unwrap();
        let refused = results(&site, task, Action::DestroyDestination);
        let words = "is running (unpaused) by now, and was paused (migration)";
        assert!(matches!(&refused[..], [Err(why)] if why.contains(words)), "{refused:?}");
        // It was looked at again: now it is the source's copy that is overtaken.
        assert_eq!(results(&site, task, Action::DestroySource), [Ok::<(), String>(())]);
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        let truth = site.world.truth(site.id);
        assert!(truth.running_on == [b()] && truth.paused_on.is_empty(), "{truth:?}");
        assert_eq!(site.world.violations(), []);
        assert_eq!(site.ledger.told().breaches, Vec::<String>::new());
    });
}

/// Somebody gives the target of a copy that failed to a domain of theirs, on one host or the other, when both sides and the
/// destination's domains were looked at already. The source's own guest names the path as well, and keeps nothing from being
/// removed; whether the source has a pool over that path makes no difference.
#[test]
fn a_volume_that_a_domain_came_to_use_meanwhile_is_not_removed() {
    const TAKEN: &str = "/srv/images/g1-vdb.raw";
    fn somebody_starts_one(site: &Site, on: HostName) {
        let world = site.world.clone();
        site.ledger.meanwhile.set(move |sight| {
            if matches!(sight, Sight::Sought(path) if *path == TAKEN) && world.domain("other").is_none() {
                world.define_beside(&on, "other", TAKEN);
                world.boot(&on, world.domain("other").expect("it is defined"));
            }
        });
    }
    let cases = [Case::copying(), Case::copying_files()];
    for (host, case) in [b(), a()].iter().flat_map(|host| cases.iter().map(move |case| (host, case))) {
        in_virtual_time(async {
            let died = Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination));
            let site = Site::new(case.clone().fault(died));
            somebody_starts_one(&site, host.clone());
            let driver = site.accept();
            let task = driver.id();
            let outcome = driver.drive().await.unwrap();
            assert_eq!(outcome.kind, OutcomeKind::RolledBack, "{outcome:?}");
            let remedy = outcome.remedy.clone().unwrap();
            assert!(remedy.contains(&format!("domain other on {host} names {TAKEN}")), "{remedy}");
            // The other disk is nobody's.
            assert_eq!(site.world.volumes(&b(), OWN), ["g1-vdb.raw", "somebody.img"]);
            assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
        });
    }
}
