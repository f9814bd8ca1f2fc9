//! Copied disks: their targets are made before the transfer, and taken back only where they can be nothing else.

use std::time::Duration;

use waypost_core::convergence::Steering;
use waypost_core::journal::{Record, Step as Made, StepEnd};
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::plan::PlanError;
use waypost_core::ports::Command;
use waypost_sim::{Lasting, Scripted, Step, What, Who};

use crate::aborted::copy_cut_and_cancelled;
use crate::killed::{bring_to_its_end, drive};
use crate::support::{Case, Meddle, OWN, Site, Stroke, a, b, in_virtual_time, judge};

/// Records of volumes, in order: what was intended, and what came of it.
fn volumes(site: &Site, task: waypost_core::ids::TaskId) -> Vec<String> {
    let journal = site.store.journal(task).unwrap();
    let word = |record: &Record| match record {
        Record::StepIntended { step: Made::Volume { disk, .. } } => Some(format!("{} intended", disk.target)),
        Record::StepSettled { step: Made::Volume { disk, .. }, result } => Some(match result {
            Ok(StepEnd::Done) => format!("{} done", disk.target),
            Ok(StepEnd::Undone) => format!("{} undone", disk.target),
            Err(_) => format!("{} failed", disk.target),
        }),
        _ => None,
    };
    journal.iter().filter_map(|(_, record)| word(record)).collect()
}

fn names_there(site: &Site) -> Vec<String> {
    site.world.volumes(&b(), OWN)
}

/// Drives a case to its end, with the site and its volumes' records.
async fn played(case: Case) -> (Site, Outcome, Vec<String>) {
    let site = Site::new(case);
    let driver = site.accept();
    let task = driver.id();
    let outcome = drive(driver).await.unwrap().unwrap();
    let judged = judge(&site, task, outcome.clone()).await;
    assert!(judged.wrong.is_empty(), "{outcome:?}: {:?}", judged.wrong);
    let records = volumes(&site, task);
    (site, outcome, records)
}

#[test]
fn a_domain_moves_with_its_disks_and_says_that_their_images_stay() {
    in_virtual_time(async {
        let (site, outcome, records) = played(Case::copying()).await;
        assert_eq!(outcome.kind, OutcomeKind::Completed);
        assert!(outcome.summary.contains("its images stay on a: /srv/images/g1-vda.qcow2"), "{}", outcome.summary);
        assert_eq!(records, ["vda intended", "vda done", "vdb intended", "vdb done"]);
        assert_eq!(names_there(&site), ["g1-vda.qcow2", "g1-vdb.raw", "somebody.img"]);
    });
}

#[test]
fn what_was_made_is_taken_back_when_the_transfer_fails() {
    for case in [Case::copying(), Case::copying_files()] {
        in_virtual_time(async {
            let fault = Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination));
            let (site, outcome, records) = played(case.fault(fault)).await;
            assert_eq!((outcome.kind, outcome.remedy), (OutcomeKind::RolledBack, None));
            let all = ["vda intended", "vda done", "vdb intended", "vdb done", "vdb undone", "vda undone"];
            assert_eq!(records, all);
            assert_eq!(names_there(&site), ["somebody.img"]);
        });
    }
}

#[test]
fn what_cannot_be_removed_is_told_to_a_person() {
    in_virtual_time(async {
        let failed = Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination));
        let refused = Scripted::at(Step::RemoveVolume, What::Error(waypost_core::ports::FaultKind::Storage));
        let (site, outcome, _) = played(Case::copying().fault(failed).fault(refused)).await;
        assert_eq!(outcome.kind, OutcomeKind::RolledBack);
        assert_eq!(names_there(&site), ["g1-vdb.raw", "somebody.img"]);
        let remedy = outcome.remedy.unwrap();
        assert!(remedy.contains("virsh vol-delete g1-vdb.raw images") && !remedy.contains("g1-vda"), "{remedy}");
        assert!(
            outcome.summary.contains("/srv/images/g1-vdb.raw on b of this migration is left"),
            "{}",
            outcome.summary
        );
    });
}

#[test]
fn what_a_preparation_leaves_is_said_and_not_that_nothing_was_touched() {
    in_virtual_time(async {
        let mut case = Case::copying();
        case.options.source_definition = waypost_core::request::SourceDefinition::Keep;
        let refused = waypost_core::ports::FaultKind::Refused;
        let full = Scripted::at(Step::CreateVolume, What::Error(waypost_core::ports::FaultKind::Storage));
        // Off, and then on again.
        let kept_off = Scripted::at(Step::SetAutostart, What::Error(refused)).occurrence(2);
        let site = Site::new(case.clone().fault(full.clone()).fault(kept_off));
        let outcome = drive(site.accept()).await.unwrap().unwrap();
        assert_eq!(outcome.kind, OutcomeKind::RolledBack, "{outcome:?}");
        assert!(outcome.summary.contains("g1 is running on a ("), "{outcome:?}");
        assert!(outcome.summary.contains("): nothing of it was moved"), "{outcome:?}");
        assert!(outcome.summary.contains("is left: the autostart of g1 on a, now off"), "{outcome:?}");
        assert!(outcome.remedy.unwrap().contains("the autostart of g1 on a"));

        let site = Site::new(case.fault(full));
        let outcome = drive(site.accept()).await.unwrap().unwrap();
        assert!(outcome.summary.contains("nothing of this migration is left"), "{outcome:?}");
        assert_eq!(outcome.remedy, None);
    });
}

#[test]
fn an_image_that_is_there_refuses_the_copy() {
    in_virtual_time(async {
        let site = Site::new(Case::copying());
        site.world.put_image(&b(), OWN, "g1-vdb.raw", "raw", 5);
        let driver = site.accept();
        let task = driver.id();
        let outcome = drive(driver).await.unwrap().unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Refused);
        assert!(outcome.summary.contains("something at /srv/images/g1-vdb.raw on b"), "{}", outcome.summary);
        assert_eq!((volumes(&site, task), names_there(&site).len()), (vec![], 2));
    });
}

/// As a volume group does whose extents are of another size.
#[test]
fn a_target_that_comes_out_rounded_is_taken_back() {
    in_virtual_time(async {
        let site = Site::new(Case::copying());
        site.world.round_volumes(&b(), OWN, 3 << 20);
        let driver = site.accept();
        let task = driver.id();
        let outcome = drive(driver).await.unwrap().unwrap();
        assert_eq!((outcome.kind, &outcome.remedy), (OutcomeKind::RolledBack, &None), "{outcome:?}");
        let rounded = "was made as qcow2 of 1075838976 bytes instead of qcow2 of 1073741824 bytes";
        assert!(outcome.summary.contains(rounded), "{}", outcome.summary);
        let records = ["vda intended", "vda intended", "vda done", "vda undone", "vda undone"];
        assert_eq!(volumes(&site, task), records, "as it was ordered, and as it came out");
        let judged = judge(&site, task, outcome).await;
        assert_eq!((judged.wrong, names_there(&site)), (vec![], vec!["somebody.img".to_owned()]));
    });
}

/// Kills the controller right after it intended the first volume, lets somebody do something, and brings it to its end.
async fn killed_at_the_intent(meanwhile: impl FnOnce(&Site)) -> (Site, Outcome) {
    let site = Site::new(Case::copying());
    // Judged, planned, the intent.
    let (engine, _) = site.engine(Some(Meddle { append: 3, stroke: Stroke::KillAfter }));
    let driver = engine.accept(site.request()).unwrap();
    let task = driver.id();
    assert!(drive(driver).await.is_none());
    assert_eq!(volumes(&site, task), ["vda intended"]);
    meanwhile(&site);
    let outcome = bring_to_its_end(&site.engine(None).0, task).await;
    (site, outcome)
}

#[test]
fn an_image_that_somebody_made_where_one_was_intended_is_left_alone() {
    in_virtual_time(async {
        let theirs = |site: &Site| site.world.put_image(&b(), OWN, "g1-vda.qcow2", "qcow2", 1 << 30);
        let (site, outcome) = killed_at_the_intent(theirs).await;
        assert_eq!(outcome.kind, OutcomeKind::RolledBack);
        assert!(outcome.remedy.unwrap().contains("nobody heard whether this migration made it"));
        assert_eq!(names_there(&site), ["g1-vda.qcow2", "somebody.img"]);
    });
    in_virtual_time(async {
        let (site, outcome) = killed_at_the_intent(|_| {}).await;
        assert_eq!((outcome.kind, outcome.remedy), (OutcomeKind::RolledBack, None));
        assert_eq!(names_there(&site), ["somebody.img"]);
    });
}

#[test]
fn a_disk_that_another_domain_names_is_neither_made_nor_removed() {
    in_virtual_time(async {
        let site = Site::new(Case::copying());
        site.world.define_beside(&b(), "other", "/srv/images/g1-vda.qcow2");
        let outcome = drive(site.accept()).await.unwrap().unwrap();
        assert_eq!(outcome.kind, OutcomeKind::RolledBack);
        assert!(outcome.summary.contains("domain other on b names /srv/images/g1-vda.qcow2"), "{}", outcome.summary);
        assert_eq!(names_there(&site), ["somebody.img"]);
    });
    in_virtual_time(async {
        let fault = Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination));
        let site = Site::new(Case::copying().fault(fault));
        let driver = site.accept();
        let mut views = driver.views();
        let world = site.world.clone();
        let meanwhile = async {
            views.wait_for(|view| view.note == "moving").await.unwrap();
            world.define_beside(&b(), "other", "/srv/images/g1-vda.qcow2");
        };
        let (outcome, ()) = tokio::join!(drive(driver), meanwhile);
        let outcome = outcome.unwrap().unwrap();
        assert_eq!(outcome.kind, OutcomeKind::RolledBack);
        assert!(outcome.remedy.unwrap().contains("domain other on b names"));
        assert_eq!(names_there(&site), ["g1-vda.qcow2", "somebody.img"], "what nobody names is gone");
    });
}

#[test]
fn a_copy_cancelled_half_way_leaves_the_guest_where_it_was_and_nothing_there() {
    in_virtual_time(async {
        let site = Site::new(Case::copying());
        let driver = site.accept();
        let (task, cancel, mut views) = (driver.id(), driver.cancel_handle(), driver.views());
        let meanwhile = async {
            // Half of one GiB of memory and two of disks.
            let half = |view: &waypost_engine::View| {
                view.sample.as_ref().is_some_and(|sample| sample.processed_bytes > 3 << 29)
            };
            let total = views.wait_for(half).await.unwrap().sample.as_ref().unwrap().total_bytes;
            assert_eq!(total, 2 << 30, "it counts the disks until the memory is on its way");
            cancel.cancel("somebody");
        };
        let (outcome, ()) = tokio::join!(drive(driver), meanwhile);
        let outcome = outcome.unwrap().unwrap();
        assert_eq!((outcome.kind, &outcome.remedy), (OutcomeKind::Cancelled, &None));
        let judged = judge(&site, task, outcome).await;
        assert_eq!((judged.wrong, names_there(&site)), (vec![], vec!["somebody.img".to_owned()]));
    });
}

/// The abort waits for the blocks that are on their way, and none of them gets an answer.
#[test]
fn a_copy_that_the_abort_does_not_end_has_its_connections_closed() {
    let orders = |site: &Site, task| {
        let journal = site.store.journal(task).unwrap();
        let began = journal[0].0.0;
        let word = |at: u64, record: &Record| match record {
            Record::SteerIntended { action, by, .. } if by == "waypost" => Some((*action, (at - began) / 1000)),
            _ => None,
        };
        journal.iter().filter_map(|(at, record)| word(at.0, record)).collect::<Vec<_>>()
    };
    in_virtual_time(async move {
        for (lasting, cut) in [
            (Lasting::Forever, What::NetworkDown(Lasting::Forever)),
            (Lasting::For(Duration::from_secs(300)), What::LinkCut(Lasting::For(Duration::from_secs(300)))),
        ] {
            let site = Site::new(Case::copying().fault(Scripted::at(Step::Perform, cut).permille(300)));
            let driver = site.accept();
            let task = driver.id();
            let outcome = drive(driver).await.unwrap().unwrap();
            assert_eq!(outcome.kind, OutcomeKind::RolledBack, "{lasting:?}: {outcome:?}");
            assert!(outcome.causes[0].contains("no byte moved for 20 s"), "{outcome:?}");
            let given = orders(&site, task);
            let [(Steering::Abort, aborted), (Steering::Sever, severed)] = given[..] else { panic!("{given:?}") };
            assert!(severed - aborted <= 1, "{given:?}");
            let orders = site.ledger.told().orders.clone();
            let first = orders.iter().position(|order| *order == Command::SeverCopies);
            let abort = orders.iter().position(|order| *order == Command::AbortJob);
            assert!(first.is_some() && abort.is_none_or(|abort| first < Some(abort)), "{orders:?}");
            let judged = judge(&site, task, outcome).await;
            assert_eq!((judged.wrong, names_there(&site)), (vec![], vec!["somebody.img".to_owned()]));
        }
    });
}

#[test]
fn an_abort_that_works_closes_no_connections() {
    in_virtual_time(async {
        // Back before the ten seconds after the cancellation are over.
        let lasting = Lasting::For(Duration::from_secs(5));
        // So soon that nobody can know of the cut.
        let (site, _) = copy_cut_and_cancelled(lasting, Duration::from_millis(500)).await;
        assert!(site.ledger.told().orders.contains(&Command::AbortJob));
        assert!(!site.ledger.told().orders.contains(&Command::SeverCopies));
    });
}

#[test]
fn an_incremental_copy_goes_over_what_a_person_prepared_and_never_removes_it() {
    let incremental = || {
        let mut case = Case::copying();
        case.options.disks.copy = waypost_core::stream::DiskCopy::Incremental;
        case
    };
    in_virtual_time(async {
        let outcome = drive(Site::new(incremental()).accept()).await.unwrap().unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Refused);
        assert!(outcome.summary.contains("make the target there first"), "{}", outcome.summary);
    });
    for fault in [None, Some(Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination)))] {
        in_virtual_time(async {
            let mut case = incremental();
            case.faults.extend(fault.clone());
            let site = Site::new(case);
            for (name, format) in [("g1-vda.qcow2", "qcow2"), ("g1-vdb.raw", "raw")] {
                site.world.put_image(&b(), OWN, name, format, 1 << 30);
            }
            let driver = site.accept();
            let task = driver.id();
            let outcome = drive(driver).await.unwrap().unwrap();
            let expected = if fault.is_none() { OutcomeKind::Completed } else { OutcomeKind::RolledBack };
            assert_eq!(outcome.kind, expected, "{outcome:?}");
            assert_eq!((volumes(&site, task), names_there(&site).len()), (vec![], 3));
        });
    }
}

#[test]
fn a_plan_of_a_shared_disk_copies_nothing() {
    in_virtual_time(async {
        let mut case = Case::live();
        case.options.disks.copy = waypost_core::stream::DiskCopy::Full;
        let (site, outcome, records) = played(case.clone()).await;
        assert_eq!((outcome.kind, records), (OutcomeKind::Completed, vec![]));
        assert_eq!(names_there(&site), ["somebody.img"]);
        case.options.disks.targets = vec!["vda".into()];
        let site = Site::new(case);
        let outcome = drive(site.accept()).await.unwrap().unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Refused);
        let refused =
            waypost_core::copies::Uncopyable::Shared { disk: "vda".into(), host: b(), why: "its pools name one store" };
        assert!(outcome.summary.contains(&PlanError::Copy(refused).to_string()), "{}", outcome.summary);
        assert!(site.world.truth(site.id).running_on == [a()]);
    });
}
