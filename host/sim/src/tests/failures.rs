//! Faults at every step: each migration comes to an end, and never does the simulation itself break the invariant.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use waypost_core::facts::DomainState;
use waypost_core::ports::{Command, FaultKind};
use waypost_core::request::Mode;
use waypost_core::situation::Side;

use super::*;
use crate::{Lasting, Power, Scripted, Step, What, Who};

fn slow() -> Options {
    Options { bandwidth_mib_s: Some(100), ..Options::default() }
}

#[tokio::test(start_paused = true)]
async fn every_fault_at_every_stage_ends_and_leaves_one_copy_that_can_run() {
    for &step in Step::ALL.iter().filter(|step| step.is_stage() || **step == Step::Connect) {
        for what in What::each() {
            for mode in [Mode::Live, Mode::Offline] {
                let state = if mode == Mode::Live { Power::Running } else { Power::ShutOff };
                let (world, id) = pair_with(DomainSpec { state, ..DomainSpec::default() });
                let bandwidth_mib_s = (mode == Mode::Live).then_some(100);
                let plan = plan(&world, id, "a", "b", Options { mode, bandwidth_mib_s, ..Options::default() }).await;
                world.script([Scripted::at(step, what.clone())]);
                let case = format!("{mode} {step} {what:?}");
                if let Ok(mut transfer) = world.start(&plan).await
                    && timeout(Duration::from_secs(2000), transfer.finished()).await.is_err()
                {
                    let stalls = matches!(what, What::Hang | What::NetworkDown(Lasting::Forever));
                    assert!(stalls, "{case}");
                    world.command(&host("a"), id, Command::AbortJob).await.unwrap();
                    assert_eq!(transfer.finished().await.unwrap_err().kind, FaultKind::Aborted, "{case}");
                }
                sleep(Duration::from_secs(2000)).await;
                // Post-copy is reached by nobody who doesn't ask for it, and has its own tests.
                if step != Step::PostCopy && (mode == Mode::Live || step != Step::SwitchOver && step != Step::Perform) {
                    assert_eq!(world.unspent(), [], "{case}");
                }
                let truth = world.truth(id);
                assert_eq!(world.violations(), [], "{case}");
                assert!(truth.running_on.len() <= 1, "{case}: {truth:?}");
                let died = matches!(what, What::HypervisorDies(_));
                assert!(!truth.lost || died, "{case}: {truth:?}");
                assert!(!truth.defined_on.is_empty(), "{case}: {truth:?}");
                if mode == Mode::Live && !died {
                    assert!(!truth.memory_complete_on.is_empty(), "{case}: {truth:?}");
                }
                assert!(world.state().jobs.is_empty(), "{case}");
            }
        }
    }
}

fn copied() -> waypost_core::copies::CopiedDisk {
    waypost_core::copies::CopiedDisk {
        target: "vda".into(),
        path: "/p".into(),
        pool: "shared".into(),
        volume: "p".into(),
        capacity_bytes: 1 << 20,
        format: "raw".into(),
        backing: None,
    }
}

#[tokio::test(start_paused = true)]
async fn every_call_can_fail_hang_and_lose_its_answer() {
    let calls = Step::ALL.iter().filter(|step| !step.is_stage() && **step != Step::Connect);
    for &step in calls {
        for what in [What::Error(FaultKind::Other), What::Hang, What::ReplyLost(FaultKind::Deadline)] {
            let (world, id) = pair();
            let domain = facts(&world, "a", id).await;
            world.script([Scripted::at(step, what.clone()).on("a").occurrence(2)]);
            let (a, key) = (host("a"), DomainKey::Id(id));
            let mut results = Vec::new();
            for _ in 0..2 {
                results.push(match step {
                    Step::HostFacts => world.host_facts(&a, Depth::default()).await.map(drop),
                    Step::Domains => world.domains(&a).await.map(drop),
                    Step::DomainFacts => world.domain_facts(&a, &key).await.map(drop),
                    Step::DiskViews => world.disk_views(&a, &domain).await.map(drop),
                    Step::PairFacts => world.pair_facts(&a, &domain).await.map(drop),
                    Step::Sample => world.sample(&a, id).await.map(drop),
                    Step::FinalSample => world.final_sample(&a, id).await.map(drop),
                    Step::Evidence => world.evidence(&a, id).await.map(drop),
                    Step::Events => world.events(&a).await.map(drop),
                    Step::ReadVolume => world.volume(&a, "shared", "p").await.map(drop),
                    Step::CreateVolume => world.create_volume(&a, &copied()).await.map(drop),
                    Step::RemoveVolume => world.remove_volume(&a, "shared", "p").await,
                    Step::VolumeUsers => world.users_of(&a, &copied()).await.map(drop),
                    Step::CreateProbe => world.create_probe(&a, "shared", "p").await,
                    Step::SeesProbe => world.sees_probe(&a, "shared", "p").await.map(drop),
                    Step::RemoveProbe => world.remove_probe(&a, "shared", "p").await,
                    Step::Observe => match world.observe(&a, id).await {
                        Side::Unknown(why) => Err(crate::words::fault(FaultKind::Other, &a, "observe", why)),
                        _ => Ok(()),
                    },
                    Step::ReadMaxDowntime => world.max_downtime(&a, id).await.map(drop),
                    Step::SetMaxDowntime => world.command(&a, id, Command::SetMaxDowntime { ms: 1 }).await,
                    Step::SetBandwidth => world.command(&a, id, Command::SetBandwidth { mib_s: 1 }).await,
                    Step::AbortJob => world.command(&a, id, Command::AbortJob).await,
                    Step::StartPostCopy => world.command(&a, id, Command::StartPostCopy).await,
                    Step::Activity => world.activity(&a, id, Duration::from_secs(1), 0).await.map(drop),
                    Step::Suspend => world.command(&a, id, Command::Suspend).await,
                    Step::ResumePostCopy => {
                        let plan = plan(&world, id, "a", "b", slow()).await;
                        world.resume_post_copy(&plan).await.map(drop)
                    }
                    Step::Resume => world.command(&a, id, Command::Resume).await,
                    Step::Destroy => world.command(&a, id, Command::Destroy).await,
                    Step::Undefine => world.command(&a, id, Command::Undefine).await,
                    Step::ReadNotice => world.notice(&a, id).await.map(drop),
                    Step::PutNotice => world.put_notice(&a, id, None).await,
                    Step::SetAutostart => {
                        world.command(&a, id, Command::SetAutostart(waypost_core::plan::Autostart::On)).await
                    }
                    stage => panic!("{stage} is a stage"),
                });
            }
            let kind = results[1].as_ref().unwrap_err().kind;
            if !matches!(step, Step::Observe) {
                let expected = if matches!(what, What::Error(_)) { FaultKind::Other } else { FaultKind::Deadline };
                assert_eq!(kind, expected, "{step} {what:?}");
            }
            assert_eq!(world.unspent(), [], "{step}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_an_effect_all_the_same() {
    let (world, id) = pair();
    world.script([Scripted::at(Step::Confirm, What::ReplyLost(FaultKind::Deadline))]);
    assert_eq!(migrate(&world, id, Options::default()).await.unwrap_err().kind, FaultKind::Deadline);
    assert_eq!(world.truth(id).running_on, [host("b")]);
    world.script([Scripted::at(Step::CreateProbe, What::ReplyLost(FaultKind::Unreachable))]);
    assert!(world.create_probe(&host("a"), "shared", "p").await.is_err());
    assert!(world.volumes(&host("a"), "shared").contains(&"p".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_short_cut_is_survived_and_a_long_one_is_not() {
    let (world, id) = pair();
    world.script([Scripted::at(Step::Perform, What::LinkCut(Lasting::For(Duration::from_secs(20))))]);
    migrate(&world, id, slow()).await.unwrap();

    let (world, id) = pair();
    world.script([Scripted::at(Step::Perform, What::LinkCut(Lasting::Forever)).permille(100)]);
    let fault = migrate(&world, id, slow()).await.unwrap_err();
    assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Network, "internal error: client socket is closed"));
    // The source gives up first, the destination drops its half a little later.
    assert_eq!((world.truth(id).running_on, world.truth(id).paused_on), (vec![host("a")], vec![host("b")]));
    sleep(Duration::from_secs(11)).await;
    assert_eq!(world.truth(id).paused_on, []);
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_loses_the_source_loses_its_call_and_not_the_migration() {
    let (world, id) = pair();
    let away = What::Unreachable(Who::Source, Lasting::For(Duration::from_secs(120)));
    world.script([Scripted::at(Step::Perform, away)]);
    let fault = migrate(&world, id, slow()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable);
    assert!(matches!(world.observe(&host("a"), id).await, Side::Unknown(_)));
    assert_eq!(world.truth(id).running_on, [host("b")]);
    world.mend(&host("a"));
    assert!(matches!(world.observe(&host("a"), id).await, Side::Absent { .. }));
}

#[tokio::test(start_paused = true)]
async fn while_nobody_confirmed_the_source_stays_paused() {
    let (world, id) = pair();
    world.script([Scripted::at(Step::Finish, What::LinkCut(Lasting::Forever))]);
    assert!(migrate(&world, id, Options::default()).await.is_err());
    let Side::Present(source) = world.observe(&host("a"), id).await else { panic!("it is there") };
    assert_eq!((source.state, source.reason.as_str(), source.job), (DomainState::Paused, "migration", false));
    sleep(Duration::from_secs(60)).await;
    assert!(matches!(world.observe(&host("b"), id).await, Side::Absent { .. }));
    world.command(&host("a"), id, Command::Resume).await.unwrap();
    assert_eq!(world.truth(id).running_on, [host("a")]);
    assert_eq!(world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_dies_in_mid_copy_leaves_a_running_source() {
    let (world, id) = pair();
    world.script([Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination)).permille(700)]);
    let plan = plan(&world, id, "a", "b", slow()).await;
    let mut transfer = world.start(&plan).await.unwrap();
    let fault = transfer.finished().await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::HypervisorDied);
    assert_eq!((world.truth(id).running_on, world.truth(id).paused_on), (vec![host("a")], vec![]));
    // It struck where the script said: 7 of 10 seconds.
    let struck = world.changes().into_iter().find(|change| change.what.starts_with("script")).unwrap();
    assert!((7400..7600).contains(&struck.at_ms), "{struck}");
}
