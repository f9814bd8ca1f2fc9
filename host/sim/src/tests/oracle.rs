//! Controllers that do the wrong thing on purpose, and the oracle that sees it.

use std::time::Duration;

use tokio::time::sleep;
use waypost_core::facts::DomainState;
use waypost_core::ports::{Command, FaultKind};
use waypost_core::request::SourceDefinition;
use waypost_core::situation::{Side, Standing};

use super::*;
use crate::{Power, Scripted, Step, Violation, What, Who};

#[tokio::test(start_paused = true)]
async fn a_second_start_is_seen() {
    let (world, id) = pair();
    let keep = Options { source_definition: SourceDefinition::Keep, ..Options::default() };
    migrate(&world, id, keep).await.unwrap();
    assert_eq!(world.violations(), []);
    world.boot(&host("a"), id);
    assert!(matches!(&world.violations()[..], [Violation::TwoRun { on, .. }] if on.len() == 2));
    assert_eq!(world.truth(id).running_on, [host("a"), host("b")]);
}

#[tokio::test(start_paused = true)]
async fn resuming_a_source_that_was_overtaken_is_seen() {
    let (world, id) = pair();
    world.script([Scripted::at(Step::Confirm, What::LinkCut(crate::Lasting::Forever))]);
    assert!(migrate(&world, id, Options::default()).await.is_err());
    let truth = world.truth(id);
    assert_eq!((truth.running_on, truth.paused_on), (vec![host("b")], vec![host("a")]));
    assert_eq!(truth.memory_complete_on, [host("b")], "the source's memory is older");
    world.command(&host("a"), id, Command::Resume).await.unwrap();
    let seen = world.violations();
    assert!(seen.iter().any(|v| matches!(v, Violation::OvertakenRuns { .. })), "{seen:?}");
    assert!(seen.iter().any(|v| matches!(v, Violation::TwoRun { .. })), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn destroying_the_only_copy_is_seen_and_destroying_another_is_not() {
    let (world, id) = pair();
    world.script([Scripted::at(Step::Confirm, What::LinkCut(crate::Lasting::Forever))]);
    assert!(migrate(&world, id, Options::default()).await.is_err());
    world.command(&host("a"), id, Command::Destroy).await.unwrap();
    assert_eq!(world.violations(), [], "that copy could not run any more");
    world.command(&host("b"), id, Command::Destroy).await.unwrap();
    assert!(matches!(&world.violations()[..], [Violation::OnlyCopyDestroyed { .. }]));
    assert!(world.truth(id).lost);
}

#[tokio::test(start_paused = true)]
async fn an_order_for_another_host_or_for_a_copy_that_stood_otherwise_does_nothing() {
    let (world, id) = pair();
    let Side::Present(seen) = world.observe(&host("a"), id).await else { panic!("it is there") };
    let here = Standing { host: seen.host, state: seen.state, reason: seen.reason };
    let elsewhere = Standing { host: Some(uuid::Uuid::nil()), ..here.clone() };
    let paused = Standing { state: DomainState::Paused, ..here.clone() };
    for (wrong, words) in [(elsewhere, "the order is for host"), (paused, "the domain is running")] {
        let fault = world.command_if(&host("a"), id, Command::Destroy, Some(&wrong)).await.unwrap_err();
        assert!(fault.kind == FaultKind::Refused && fault.message.contains(words), "{fault}");
        assert_eq!(world.truth(id).running_on, [host("a")]);
    }
    world.command_if(&host("a"), id, Command::Suspend, Some(&here)).await.unwrap();
    assert_eq!(world.truth(id).paused_on, [host("a")]);
}

#[tokio::test(start_paused = true)]
async fn removing_the_last_definition_is_seen() {
    let (world, id) = pair_with(DomainSpec { state: Power::ShutOff, ..DomainSpec::default() });
    world.command(&host("a"), id, Command::Undefine).await.unwrap();
    assert!(matches!(&world.violations()[..], [Violation::OnlyCopyDestroyed { .. }]));
    assert!(world.truth(id).lost);
}

#[tokio::test(start_paused = true)]
async fn running_half_a_memory_is_seen() {
    let (world, id) = pair();
    world.script([Scripted::at(Step::Perform, What::LeftBehind)]);
    assert!(migrate(&world, id, Options::default()).await.is_err());
    assert_eq!(world.truth(id).memory_complete_on, [host("a")]);
    world.command(&host("b"), id, Command::Resume).await.unwrap();
    assert!(world.violations().iter().any(|v| matches!(v, Violation::IncompleteRuns { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_died_on_its_only_host_is_lost_and_one_that_was_shut_down_is_not() {
    let (world, id) = pair();
    world.strike(&What::HypervisorDies(Who::Source));
    sleep(Duration::from_millis(1)).await;
    assert!(world.truth(id).lost);
    let (world, id) = pair();
    world.shut_down(&host("a"), id);
    assert!(!world.truth(id).lost);
    assert_eq!(world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn of_two_equal_paused_copies_either_may_go_on_but_not_both() {
    let (world, id) = pair_with(DomainSpec { state: Power::Paused, ..DomainSpec::default() });
    world.script([Scripted::at(Step::Confirm, What::LinkCut(crate::Lasting::Forever))]);
    assert!(migrate(&world, id, Options::default()).await.is_err());
    assert_eq!(world.truth(id).memory_complete_on, [host("a"), host("b")]);
    world.command(&host("a"), id, Command::Resume).await.unwrap();
    assert_eq!(world.violations(), []);
    world.command(&host("b"), id, Command::Resume).await.unwrap();
    assert!(world.violations().iter().any(|v| matches!(v, Violation::TwoRun { .. })));
}
