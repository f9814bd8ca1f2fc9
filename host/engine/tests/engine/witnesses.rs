//! Failures that nobody of ours saw: the controller was gone, and what the hosts still tell afterwards is all there is.

use std::time::Duration;

use waypost_core::evidence::Evidence;
use waypost_core::ids::TaskId;
use waypost_core::journal::Record;
use waypost_core::outcome::OutcomeKind;
use waypost_core::ports::{FaultKind, Hypervisor as _};
use waypost_core::recovery::FailureClass;
use waypost_core::request::Options;
use waypost_core::situation::Side;
use waypost_core::stream::Stream;
use waypost_sim::{Scripted, Step, What, Who};

use crate::killed::bring_to_its_end;
use crate::support::{Case, Site, a, b, in_virtual_time, judge};

/// What happens while no controller is there.
type Meanwhile = fn(&Site);

/// Whether a part of the memory was seen to be moved, before the switch or after it.
async fn moves(site: &Site, task: TaskId, in_post_copy: bool) -> bool {
    let there = site.world.observe(&b(), site.id).await;
    let half = matches!(there, Side::Present(seen) if seen.reason == "post-copy");
    let moved = matches!(site.store.reading(task), Ok(Some(reading)) if reading.sample.processed_bytes > 0);
    moved && half == in_post_copy
}

/// Plays a case whose controller dies in the middle of the transfer, or of its post-copy, and is succeeded by another after
/// something happened. Answers the class and the words that the failure went on record with, and how it ended.
fn unseen(case: Case, in_post_copy: bool, meanwhile: Meanwhile) -> (FailureClass, String, OutcomeKind) {
    in_virtual_time(async {
        let site = Site::new(case);
        let driver = site.accept();
        let task = driver.id();
        let driving = tokio::spawn(driver.drive());
        while !moves(&site, task, in_post_copy).await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        driving.abort();
        let _ = driving.await;
        meanwhile(&site);
        // Long enough for the hosts to make an end of it.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let outcome = bring_to_its_end(&site.engine(None).0, task).await;
        let journal = site.store.journal(task).unwrap();
        let mut failures = journal.iter().filter_map(|(_, record)| match record {
            Record::PerformReturned { result: Err(failure) } => Some(failure.clone()),
            _ => None,
        });
        let (class, words) = failures.next_back().expect("it failed");
        assert!(outcome.causes.contains(&words), "{outcome:?}");
        let kind = outcome.kind;
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
        (class, words, kind)
    })
}

fn slow() -> Options {
    Options { bandwidth_mib_s: Some(10), ..Options::default() }
}

fn destination_dies(site: &Site) {
    site.world.strike(&What::HypervisorDies(Who::Destination));
}

#[test]
fn where_the_hosts_tell_nothing_it_is_called_a_restart() {
    let (class, words, kind) = unseen(Case::live().options(slow()), false, destination_dies);
    assert_eq!((class, kind), (FailureClass::ControllerRestarted, OutcomeKind::RolledBack), "{words}");
    assert!(!words.contains("keeps as the job's error"), "{words}");
}

#[test]
fn the_error_that_a_host_keeps_of_the_job_is_what_the_failure_is_called() {
    let (class, words, kind) = unseen(Case::live().options(slow()), false, |site| {
        destination_dies(site);
        let job = Some((FaultKind::Storage, "no space left on the other side".to_owned()));
        site.world.leave_evidence(&a(), site.id, Evidence { job, messages: vec!["tainted: custom-argv".to_owned()] });
    });
    assert_eq!((class, kind), (FailureClass::Storage, OutcomeKind::RolledBack), "{words}");
    assert!(words.contains("a keeps as the job's error: no space left on the other side"), "{words}");
    assert!(words.contains("a has on record of g1: tainted: custom-argv"), "{words}");
}

#[test]
fn a_process_that_died_is_what_the_failure_is_called() {
    let source_dies: Meanwhile = |site| site.world.strike(&What::HypervisorDies(Who::Source));
    let (class, words, kind) = unseen(Case::live().options(slow()), false, source_dies);
    assert_eq!((class, kind), (FailureClass::HypervisorDied, OutcomeKind::Lost), "{words}");
    assert!(words.contains("the hypervisor process of g1 on a ended"), "{words}");

    // In post-copy, where all that was said before was that it is interrupted.
    let stream = Stream { post_copy: true, ..Stream::default() };
    let switched = Case::live()
        .options(Options { stream, ..slow() })
        .fault(Scripted::at(Step::Perform, What::SwitchToPostCopy).permille(100));
    let (class, words, kind) = unseen(switched, true, destination_dies);
    assert_eq!((class, kind), (FailureClass::HypervisorDied, OutcomeKind::Lost), "{words}");
    assert!(words.contains("the hypervisor process of g1 on b ended"), "{words}");
}

#[test]
fn a_disk_that_stopped_the_guest_is_named_wherever_it_is_told() {
    let (class, words, kind) = unseen(Case::live().options(slow()), false, |site| {
        destination_dies(site);
        site.world.fail_disk(&a(), site.id, "vda: no space");
    });
    assert_eq!(class, FailureClass::Storage, "{words}");
    assert!(words.contains("an I/O error of a disk stopped g1 on a: vda: no space"), "{words}");
    assert_eq!(kind, OutcomeKind::RolledBack);
}
