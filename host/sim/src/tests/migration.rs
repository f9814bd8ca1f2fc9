//! The straight way: times, figures, events, and what is where afterwards.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use waypost_core::plan::Autostart;
use waypost_core::ports::{Command, FaultKind};
use waypost_core::request::{AfterMove, Persistence, SourceDefinition};
use waypost_core::sample::Stage;
use waypost_core::situation::{Side, Situation, arrived};
use waypost_core::stream::Stream;

use super::*;
use crate::Power;

#[tokio::test(start_paused = true)]
async fn a_domain_moves_in_the_time_that_its_memory_needs() {
    let (world, id) = pair();
    let (from, to) = (world.events(&host("a")).await.unwrap(), world.events(&host("b")).await.unwrap());
    let plan = plan(&world, id, "a", "b", Options::default()).await;
    let began = Instant::now();
    world.start(&plan).await.unwrap().finished().await.unwrap();
    // 1 GiB at 1000 MiB/s, and the set-up around it; 1000 dirty pages a second fit into the downtime limit.
    let took = began.elapsed().as_millis();
    assert!((1330..1400).contains(&took), "{took} ms");
    let truth = world.truth(id);
    assert_eq!((truth.running_on, truth.defined_on), (vec![host("b")], vec![host("b")]));
    assert!(!truth.lost && world.violations().is_empty());
    assert_eq!(
        heard(from).await,
        ["iteration 1", "suspended migrated", "stopped migrated", "job completed"],
        "undefining through the migration tells nothing"
    );
    assert_eq!(heard(to).await, ["started migrated", "defined added", "resumed migrated"]);
    let figures = world.final_sample(&host("a"), id).await.unwrap().unwrap();
    assert_eq!((figures.stage, figures.remaining_bytes), (Stage::Final, 0));
    assert!(figures.downtime_ms.unwrap() < 300 && figures.processed_bytes > figures.total_bytes);
    let situation =
        Situation { source: world.observe(&host("a"), id).await, destination: world.observe(&host("b"), id).await };
    assert!(arrived(&plan, &situation), "{situation:?}");
}

/// 100 MiB/s dirtied in 256 MiB, over a link of 50.
fn hot() -> DomainSpec {
    DomainSpec { memory_mib: 512, dirty_pages_s: 25_600, working_set_mib: 256, ..DomainSpec::default() }
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_dirties_faster_than_the_link_needs_another_limit() {
    let (world, id) = pair_with(hot());
    let options = Options { bandwidth_mib_s: Some(50), ..Options::default() };
    let plan = plan(&world, id, "a", "b", options).await;
    let mut transfer = world.start(&plan).await.unwrap();
    sleep(Duration::from_secs(600)).await;
    let sample = world.sample(&host("a"), id).await.unwrap().unwrap();
    assert_eq!((sample.bytes_per_s, sample.dirty_pages_per_s), (Some(50 << 20), Some(25_600)));
    assert!(sample.iteration.unwrap() > 100 && sample.processed_bytes > 20 * sample.total_bytes, "{sample:?}");
    assert_eq!(sample.estimated_remaining_ms(), None);
    assert!(world.sample(&host("b"), id).await.is_err(), "statistics are the source's");

    // The working set takes 5.12 s: with a second more it fits.
    world.command(&host("a"), id, Command::SetMaxDowntime { ms: 6000 }).await.unwrap();
    let began = Instant::now();
    transfer.finished().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(12));
    let downtime = world.final_sample(&host("a"), id).await.unwrap().unwrap().downtime_ms.unwrap();
    assert!((5120..5200).contains(&downtime), "{downtime}");
    assert!(world.violations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn more_bandwidth_makes_it_converge_too() {
    let (world, id) = pair_with(hot());
    let options = Options { bandwidth_mib_s: Some(50), ..Options::default() };
    let plan = plan(&world, id, "a", "b", options).await;
    let mut transfer = world.start(&plan).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    world.command(&host("a"), id, Command::SetBandwidth { mib_s: 900 }).await.unwrap();
    transfer.finished().await.unwrap();
    assert_eq!(world.truth(id).running_on, [host("b")]);
}

#[tokio::test(start_paused = true)]
async fn an_abort_leaves_the_guest_on_the_source_and_tells_only_the_destination() {
    let (world, id) = pair_with(hot());
    let options = Options { bandwidth_mib_s: Some(50), ..Options::default() };
    let plan = plan(&world, id, "a", "b", options).await;
    let (from, to) = (world.events(&host("a")).await.unwrap(), world.events(&host("b")).await.unwrap());
    let mut transfer = world.start(&plan).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    assert_eq!(world.truth(id).paused_on, [host("b")]);
    world.command(&host("a"), id, Command::AbortJob).await.unwrap();
    assert_eq!(transfer.finished().await.unwrap_err().kind, FaultKind::Aborted);
    let truth = world.truth(id);
    assert_eq!((truth.running_on, truth.paused_on, truth.defined_on), (vec![host("a")], vec![], vec![host("a")]));
    assert_eq!(heard(from).await, ["iteration 1"], "no event tells the source of a failure");
    assert_eq!(heard(to).await, ["started migrated", "stopped failed"]);
    let fault = world.command(&host("a"), id, Command::AbortJob).await.unwrap_err();
    assert!(fault.message.contains("no job is active"), "{fault}");
}

/// libvirt passes on what QEMU says.
#[tokio::test(start_paused = true)]
async fn a_switch_to_post_copy_is_refused_before_any_memory_is_sent() {
    let (world, id) = pair_with(hot());
    let stream = Stream { post_copy: true, ..Stream::default() };
    let options = Options { bandwidth_mib_s: Some(50), stream, ..Options::default() };
    let plan = plan(&world, id, "a", "b", options).await;
    let mut transfer = world.start(&plan).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let fault = world.command(&host("a"), id, Command::StartPostCopy).await.unwrap_err();
    assert_eq!((fault.kind, fault.code), (FaultKind::Other, Some(1)), "{fault}");
    assert!(fault.message.contains("Postcopy must be started after migration has been started"), "{fault}");
    sleep(Duration::from_secs(2)).await;
    world.command(&host("a"), id, Command::StartPostCopy).await.unwrap();
    transfer.finished().await.unwrap();
    assert_eq!(world.truth(id).running_on, [host("b")]);
}

#[tokio::test(start_paused = true)]
async fn a_transfer_outlives_who_started_it() {
    let (world, id) = pair();
    let plan = plan(&world, id, "a", "b", Options::default()).await;
    drop(world.start(&plan).await.unwrap());
    sleep(Duration::from_secs(10)).await;
    assert_eq!(world.truth(id).running_on, [host("b")]);
}

#[tokio::test(start_paused = true)]
async fn choices_of_the_plan_are_obeyed() {
    for (options, names, defined, running) in [
        (Options { destination_name: Some("new".into()), ..Options::default() }, "new", vec!["b"], true),
        (Options { source_definition: SourceDefinition::Keep, ..Options::default() }, "g1", vec!["a", "b"], true),
        (Options { after: AfterMove::Paused, ..Options::default() }, "g1", vec!["b"], false),
        (
            Options {
                persistence: Persistence::Transient,
                source_definition: SourceDefinition::Keep,
                ..Options::default()
            },
            "g1",
            vec!["a"],
            true,
        ),
    ] {
        let (world, id) = pair_with(DomainSpec { autostart: true, ..DomainSpec::default() });
        migrate(&world, id, options.clone()).await.unwrap();
        let truth = world.truth(id);
        assert_eq!(truth.defined_on, defined.into_iter().map(host).collect::<Vec<_>>(), "{options:?}");
        assert_eq!(!truth.running_on.is_empty(), running, "{options:?}");
        assert_eq!(truth.memory_complete_on, [host("b")], "{options:?}");
        assert!(!truth.lost && world.violations().is_empty(), "{options:?}");
        assert_eq!(facts(&world, "b", id).await.name, names);
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_domain_arrives_paused_and_may_be_resumed() {
    let (world, id) = pair_with(DomainSpec { state: Power::Paused, ..DomainSpec::default() });
    migrate(&world, id, Options::default()).await.unwrap();
    assert_eq!(world.truth(id).paused_on, [host("b")]);
    world.command(&host("b"), id, Command::Resume).await.unwrap();
    assert_eq!(world.truth(id).running_on, [host("b")]);
    assert!(world.violations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn there_and_back_again() {
    let (world, id) = pair();
    let keep = Options { source_definition: SourceDefinition::Keep, ..Options::default() };
    migrate(&world, id, keep).await.unwrap();
    world.command(&host("b"), id, Command::SetAutostart(Autostart::On)).await.unwrap();
    let plan = plan(&world, id, "b", "a", Options::default()).await;
    world.start(&plan).await.unwrap().finished().await.unwrap();
    let truth = world.truth(id);
    assert_eq!((truth.running_on, truth.defined_on), (vec![host("a")], vec![host("a")]));
    assert!(matches!(world.observe(&host("b"), id).await, Side::Absent { .. }));
    assert!(world.violations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_same_fleet_and_script_take_the_same_course() {
    let course = async || {
        let (world, id) = pair_with(hot());
        world.script([crate::Scripted::at(
            crate::Step::Perform,
            crate::What::LinkCut(crate::Lasting::For(Duration::from_secs(4))),
        )]);
        migrate(&world, id, Options::default()).await.unwrap();
        (world.changes(), world.final_sample(&host("a"), id).await.unwrap())
    };
    let (first, second) = (course().await, course().await);
    assert_eq!(first.0.len(), second.0.len());
    assert_eq!(first, second);
}

#[tokio::test]
async fn in_an_ordinary_runtime_it_takes_real_time() {
    let (world, id) = pair_with(DomainSpec { memory_mib: 64, ..DomainSpec::default() });
    let began = std::time::Instant::now();
    migrate(&world, id, Options::default()).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
}
