//! A direct migration: it needs its client from stage to stage, and ends with it.

use std::time::Duration;

use tokio::time::sleep;
use waypost_core::ports::{Command, FaultKind, Transfer};
use waypost_core::situation::Side;
use waypost_core::stream::{Stream, Transport};

use super::*;
use crate::{Lasting, Scripted, Step, What, Who};

/// Ten seconds of transfer.
fn direct() -> Options {
    Options { transport: Transport::Direct, bandwidth_mib_s: Some(100), ..Options::default() }
}

async fn begun(world: &World, id: DomainId, options: Options) -> (Plan, Box<dyn Transfer>) {
    let plan = plan(world, id, "a", "b", options).await;
    let transfer = world.start(&plan).await.unwrap();
    (plan, transfer)
}

async fn shows(world: &World, on: &str, id: DomainId) -> String {
    match world.observe(&host(on), id).await {
        Side::Present(seen) => format!("{} ({})", seen.state, seen.reason),
        Side::Absent { .. } => "nothing".into(),
        Side::Unknown(why) => why,
    }
}

#[tokio::test(start_paused = true)]
async fn it_moves_while_its_client_lives() {
    let (world, id) = pair();
    let (_, mut transfer) = begun(&world, id, direct()).await;
    transfer.finished().await.unwrap();
    let truth = world.truth(id);
    assert_eq!((truth.running_on, truth.defined_on), (vec![host("b")], vec![host("b")]));
    assert_eq!(world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn without_its_client_it_is_cancelled_and_the_destination_is_cleaned_at_once() {
    let (world, id) = pair();
    let (_, transfer) = begun(&world, id, direct()).await;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(world.truth(id).paused_on, [host("b")]);
    drop(transfer);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(
        (shows(&world, "a", id).await.as_str(), shows(&world, "b", id).await.as_str()),
        ("running (booted)", "nothing")
    );
    assert!(world.state().jobs.is_empty());
    migrate(&world, id, direct()).await.unwrap();
    assert_eq!(world.truth(id).running_on, [host("b")]);
    assert_eq!(world.violations(), []);
}

/// The client is lost right after the source has given all memory away, before it called the destination; and before it
/// told the source that the guest runs there.
#[tokio::test(start_paused = true)]
async fn a_source_that_gave_its_memory_away_stays_paused_without_its_client() {
    for (unheard, there) in [(Who::Destination, "nothing"), (Who::Source, "running (migrated)")] {
        let (world, id) = pair();
        let at = if there == "nothing" { Step::SwitchOver } else { Step::Finish };
        world.script([Scripted::at(at, What::Unreachable(unheard.clone(), Lasting::Forever))]);
        let (_, mut transfer) = begun(&world, id, direct()).await;
        assert!(transfer.finished().await.is_err());
        drop(transfer);
        sleep(Duration::from_secs(60)).await;
        for name in ["a", "b"] {
            world.mend(&host(name));
        }
        assert_eq!(shows(&world, "a", id).await, "paused (migration)", "{unheard:?}");
        assert_eq!(shows(&world, "b", id).await, there, "{unheard:?}");
        assert!(world.state().jobs.is_empty(), "{unheard:?}");
        assert_eq!(world.violations(), []);
    }
}

/// Nobody but the client waits for what the hosts have to say to each other, so a cut of their link alone is no failure.
#[tokio::test(start_paused = true)]
async fn a_cut_between_the_hosts_is_told_to_nobody_and_an_abort_ends_it() {
    let (world, id) = pair();
    world.script([Scripted::at(Step::Perform, What::LinkCut(Lasting::Forever))]);
    let (_, mut transfer) = begun(&world, id, direct()).await;
    assert!(tokio::time::timeout(Duration::from_secs(600), transfer.finished()).await.is_err());
    world.command(&host("a"), id, Command::AbortJob).await.unwrap();
    assert_eq!(transfer.finished().await.unwrap_err().kind, FaultKind::Aborted);
    assert_eq!(world.truth(id).running_on, [host("a")]);
    assert_eq!(world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_the_client_cannot_reach_ends_it_when_the_connection_is_given_up() {
    for (lasting, moves) in [(Duration::from_secs(5), true), (Duration::from_secs(120), false)] {
        let (world, id) = pair();
        world.script([Scripted::at(Step::Perform, What::Unreachable(Who::Destination, Lasting::For(lasting)))]);
        let (_, mut transfer) = begun(&world, id, direct()).await;
        assert_eq!(transfer.finished().await.is_ok(), moves, "{lasting:?}");
        let truth = world.truth(id);
        if moves {
            assert_eq!((truth.running_on, truth.paused_on), (vec![host("b")], vec![]), "{lasting:?}");
        } else {
            // All memory had been given away by then, and nobody told the source that the guest won't run there.
            world.mend(&host("b"));
            assert_eq!(shows(&world, "a", id).await, "paused (migration)");
            assert_eq!(shows(&world, "b", id).await, "nothing");
        }
        assert_eq!(world.violations(), []);
    }
}

/// What was measured where the client's connection to the destination broke: the source says that its post-copy failed, the
/// destination runs on, nothing can be resumed because nothing is broken, and in the end the guest has moved.
#[tokio::test(start_paused = true)]
async fn in_post_copy_the_hosts_bring_it_to_its_end_without_the_client() {
    let (world, id) = pair();
    world.script([Scripted::at(Step::Perform, What::SwitchToPostCopy).permille(100)]);
    let options = Options { stream: Stream { post_copy: true, ..Stream::default() }, ..direct() };
    let (plan, transfer) = begun(&world, id, options).await;
    sleep(Duration::from_secs(3)).await;
    drop(transfer);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(shows(&world, "a", id).await, "paused (post-copy-failed)");
    assert_eq!(shows(&world, "b", id).await, "running (post-copy)");
    let refused = world.resume_post_copy(&plan).await.unwrap().finished().await.unwrap_err();
    assert!(refused.message.contains("migration is still running"), "{refused}");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(shows(&world, "a", id).await, "shut-off (migrated)");
    assert_eq!(shows(&world, "b", id).await, "running (migrated)");
    let truth = world.truth(id);
    assert_eq!(truth.memory_complete_on, [host("b")]);
    assert_eq!(truth.defined_on, [host("a"), host("b")], "nobody told the source to give its definition up");
    assert_eq!(world.violations(), []);
}
