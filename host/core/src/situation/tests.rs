//! Every situation that two hosts can report, and what must hold of the answer in each: the table is small enough to be
//! searched whole.

mod past;

use super::view::has_job;
use super::*;
use crate::convergence::Steering;
use crate::ids::{DomainId, HostName};
use crate::journal::Record;
use crate::plan::{Before, DestinationFate, End, RunState, SourceFate, TransferMode};
use crate::recovery::FailureClass;

const SOURCE: Uuid = Uuid::from_u128(1);
const DESTINATION: Uuid = Uuid::from_u128(2);
const STRANGER: Uuid = Uuid::from_u128(3);

const REASONS: &[&str] = &[
    "migration",
    "post-copy",
    "post-copy-failed",
    "booted",
    "starting-up",
    "user",
    "io-error",
    "migrated",
    "crashed",
    "failed",
    "unknown",
    "shutdown",
    "destroyed",
    "saved",
];

fn shown(host: Uuid, state: DomainState, reason: &str, persistent: bool, job: bool) -> Side {
    Side::Present(Observed {
        host: Some(host),
        name: "g1".into(),
        state,
        reason: reason.into(),
        persistent,
        autostart: false,
        job,
        disk_errors: DiskErrors::default(),
    })
}

fn sides(own: Uuid) -> Vec<Side> {
    let mut sides =
        vec![Side::Unknown("timeout".into()), Side::Absent { host: Some(own) }, Side::Absent { host: Some(STRANGER) }];
    for &state in DomainState::ALL {
        for &reason in REASONS {
            for (persistent, job, host) in
                [(true, false, own), (false, false, own), (true, true, own), (true, false, STRANGER)]
            {
                sides.push(shown(host, state, reason, persistent, job));
            }
        }
    }
    sides
}

fn plans() -> Vec<Plan> {
    let mut plans = Vec::new();
    for &mode in TransferMode::ALL {
        for &initially in RunState::ALL {
            for &finally in RunState::ALL {
                for &destination_before in Before::ALL {
                    for &source_fate in SourceFate::ALL {
                        plans.push(Plan {
                            domain: DomainId(Uuid::from_u128(9)),
                            source: End { host: HostName::new("a"), uuid: Some(SOURCE) },
                            destination: End { host: HostName::new("b"), uuid: Some(DESTINATION) },
                            mode,
                            initially,
                            finally,
                            source_fate,
                            destination_before,
                            ..crate::testing::plan()
                        });
                    }
                }
            }
        }
    }
    plans
}

fn seen(side: &Side) -> Option<&Observed> {
    if let Side::Present(seen) = side { Some(seen) } else { None }
}
fn runs(side: &Side) -> bool {
    seen(side).is_some_and(|s| matches!(s.state, DomainState::Running | DomainState::Blocked))
}
fn active(side: &Side) -> bool {
    seen(side).is_some_and(|s| s.state.is_active() && s.state != DomainState::Crashed)
}
fn never_ran(side: &Side) -> bool {
    seen(side)
        .is_some_and(|s| s.state == DomainState::Paused && matches!(s.reason.as_str(), "migration" | "starting-up"))
}
/// What may be done to half of a guest: nothing that ends it or lets the older half run.
const HALVES: &[Action] =
    &[Action::Wait, Action::ResumePostCopy, Action::InterruptPostCopy, Action::HandOver, Action::DeclareLost];

fn half(side: &Side, planned: Uuid) -> bool {
    answered(side, planned)
        && seen(side).is_some_and(|s| {
            matches!(s.reason.as_str(), "post-copy" | "post-copy-failed")
                && matches!(s.state, DomainState::Running | DomainState::Blocked | DomainState::Paused)
        })
}
fn answered(side: &Side, planned: Uuid) -> bool {
    match side {
        Side::Unknown(_) => false,
        Side::Absent { host } => *host == Some(planned),
        Side::Present(seen) => seen.host == Some(planned),
    }
}

/// An autostart is given back there: a definition that somebody's move left behind would start as a second copy.
#[test]
fn a_source_is_at_home_only_where_nothing_says_or_may_have_hidden_that_it_was_moved_on() {
    let off = |side: &Side, reasons: &[&str]| {
        seen(side).is_some_and(|s| s.state == DomainState::ShutOff && reasons.contains(&s.reason.as_str()))
    };
    let (mut home, mut away) = (0, 0);
    for plan in plans() {
        for side in sides(SOURCE) {
            if !side.is_at_home(&plan) {
                away += 1;
                let lives = off(&side, &["shutdown", "destroyed", "saved"])
                    || (runs(&side) && !half(&side, SOURCE) && !never_ran(&side));
                assert!(!lives || !answered(&side, SOURCE) || has_job(&side), "{side:?}");
                continue;
            }
            home += 1;
            assert!(answered(&side, SOURCE) && !has_job(&side) && !half(&side, SOURCE), "{side:?}");
            assert!(!never_ran(&side) && !off(&side, &["migrated"]), "{side:?}");
            let hidden = off(&side, &["crashed", "failed", "unknown"]);
            assert!(!hidden || plan.mode == TransferMode::Offline, "{side:?}");
        }
    }
    assert!(home > 0 && away > 0);
}

#[test]
fn a_post_copy_is_left_alone_where_its_source_alone_says_that_it_broke() {
    let plan = plans().remove(0);
    let side = |host, state, reason: &str| {
        Side::Present(Observed {
            host: Some(host),
            name: "g1".into(),
            state,
            reason: reason.into(),
            persistent: true,
            autostart: false,
            job: true,
            disk_errors: DiskErrors::default(),
        })
    };
    for (here, there, alone) in [
        ("post-copy-failed", "post-copy", true),
        ("post-copy-failed", "post-copy-failed", false),
        ("post-copy", "post-copy-failed", false),
        ("post-copy", "post-copy", false),
        ("post-copy-failed", "migrated", false),
    ] {
        let situation = Situation {
            source: side(SOURCE, DomainState::Paused, here),
            destination: side(DESTINATION, DomainState::Running, there),
        };
        assert_eq!(situation.is_left_alone(&plan), alone, "{here}, {there}");
    }
    let stranger = side(STRANGER, DomainState::Running, "post-copy");
    let situation = Situation { source: side(SOURCE, DomainState::Paused, "post-copy-failed"), destination: stranger };
    assert!(!situation.is_left_alone(&plan), "another host answers");
}

#[test]
fn in_no_situation_does_the_answer_permit_a_second_copy_or_the_end_of_the_only_one() {
    let (sources, destinations, plans) = (sides(SOURCE), sides(DESTINATION), plans());
    let mut looked_at = 0_u32;
    for plan in &plans {
        for source in &sources {
            for destination in &destinations {
                let situation = Situation { source: source.clone(), destination: destination.clone() };
                let permitted = permitted(plan, &situation);
                looked_at += 1;
                let told = || format!("{plan:?}\n{situation:?}\n{permitted:?}");
                assert!(!permitted.is_empty(), "{}", told());
                let may = |action| permitted.contains(&action);

                if half(source, SOURCE) || half(destination, DESTINATION) {
                    assert!(permitted.iter().all(|a| HALVES.contains(a)), "half of a guest: {}", told());
                    let broken = |side: &Side| seen(side).is_some_and(|s| s.reason == "post-copy-failed");
                    let may = |action| permitted.contains(&action);
                    if half(source, SOURCE) && broken(source) && answered(destination, DESTINATION) {
                        assert!(situation.is_interrupted(plan), "watched for ever: {}", told());
                    }
                    let gone = seen(source).is_some_and(|s| s.state == DomainState::ShutOff && s.reason != "migrated");
                    if gone && answered(source, SOURCE) && half(destination, DESTINATION) {
                        assert!(situation.is_interrupted(plan), "watched for ever: {}", told());
                    }
                    if may(Action::ResumePostCopy) {
                        assert!(half(source, SOURCE) && half(destination, DESTINATION) && broken(source), "{}", told());
                    }
                    if may(Action::InterruptPostCopy) {
                        assert!(half(source, SOURCE) && !broken(source), "{}", told());
                    }
                    if may(Action::DeclareLost) {
                        assert_ne!(half(source, SOURCE), half(destination, DESTINATION), "joinable: {}", told());
                        assert!(!active(source) || !active(destination), "a process is left on both: {}", told());
                        assert!(answered(source, SOURCE) && answered(destination, DESTINATION), "{}", told());
                        assert!(broken(if half(source, SOURCE) { source } else { destination }), "{}", told());
                    }
                    continue;
                }
                if has_job(source) || has_job(destination) {
                    assert!(permitted.iter().all(|a| matches!(a, Action::Wait | Action::AbortJob)), "{}", told());
                    continue;
                }
                if !answered(source, SOURCE) || !answered(destination, DESTINATION) {
                    assert!(permitted.iter().all(|a| matches!(a, Action::Wait | Action::HandOver)), "{}", told());
                    continue;
                }
                if may(Action::ResumeSource) {
                    assert!(!active(destination) && active(source), "a second copy: {}", told());
                }
                if may(Action::ResumeDestination) {
                    assert!(!active(source) && never_ran(destination), "a second copy: {}", told());
                    assert_eq!(seen(source).map(|s| s.reason.as_str()), Some("migrated"), "half a memory: {}", told());
                }
                if may(Action::DestroyDestination) {
                    assert!(active(source) && never_ran(destination), "the only copy: {}", told());
                }
                if may(Action::DestroySource) {
                    assert_ne!(
                        seen(destination).map(|s| s.reason.as_str()),
                        Some("booted"),
                        "another past: {}",
                        told()
                    );
                    assert!(runs(destination) && !runs(source), "the only copy: {}", told());
                }
                if may(Action::UndefineDestination) {
                    assert!(seen(source).is_some() && !active(destination), "the only definition: {}", told());
                    assert_eq!(plan.destination_before, Before::Absent, "somebody else's definition: {}", told());
                }
                if may(Action::DeclareLost) {
                    assert!(!active(source) && !active(destination), "a copy is there: {}", told());
                    if plan.mode == TransferMode::Live && seen(source).is_some_and(|s| s.reason == "crashed") {
                        let told_so = |reason| {
                            seen(destination).is_some_and(|s| s.state == DomainState::ShutOff && s.reason == reason)
                        };
                        assert!(!told_so("shutdown"), "it went off in order, after it had arrived: {}", told());
                        assert!(!told_so("saved"), "its memory is in a file: {}", told());
                        assert!(!told_so("migrated"), "it was there, and was moved on: {}", told());
                    }
                }
                if runs(source) && runs(destination) && plan.mode == TransferMode::Live {
                    assert_eq!(permitted, [Action::HandOver], "{}", told());
                }
                if may(Action::TryAgain) {
                    assert!(may(Action::AcceptSource), "it is not safe on the source: {}", told());
                    let as_before = match plan.initially {
                        RunState::Running => runs(source),
                        RunState::Paused => seen(source).is_some_and(|s| s.state == DomainState::Paused),
                        RunState::ShutOff => !active(source),
                    };
                    assert!(as_before || plan.mode == TransferMode::Offline && !active(source), "{}", told());
                }
                if may(Action::AcceptSource) {
                    assert!(seen(source).is_some() && !active(destination), "{}", told());
                }
                if may(Action::AcceptDestination) {
                    assert!(seen(destination).is_some() && !active(source), "{}", told());
                }
            }
        }
    }
    assert!(looked_at > 1_000_000, "only {looked_at} situations were looked at");
}

#[test]
fn an_abort_that_may_still_come_keeps_the_next_attempt_from_beginning() {
    let plan = plans().into_iter().find(|plan| plan.initially == RunState::Running).unwrap();
    let now = Situation { source: Side::Absent { host: None }, destination: Side::Absent { host: None } };
    let left = |record: Record| {
        let permitted = vec![Action::TryAgain, Action::HandOver];
        History::of([&record]).judge(&plan, &now, permitted).0
    };
    let told = |may_come| Record::AbortUnconfirmed { why: "a does not answer".into(), may_come };
    assert_eq!(left(told(true)), [Action::HandOver]);
    assert_eq!(left(told(false)), [Action::TryAgain, Action::HandOver]);
    let history = History::of([&told(true), &Record::PerformIntended]);
    assert_eq!(history, History::default(), "of the attempt before");
}

#[test]
fn only_a_guest_that_an_order_of_ours_paused_is_owed_a_resume() {
    let source = |state, reason: &str, job| shown(SOURCE, state, reason, true, job);
    let seen = |source| Situation { source, destination: Side::Absent { host: Some(DESTINATION) } };
    let paused = |reason| seen(source(DomainState::Paused, reason, false));
    let plan = |initially| plans().into_iter().find(|plan| plan.initially == initially).unwrap();
    let order = |action| Record::SteerIntended { action, value: None, by: "any".into(), reason: String::new() };
    let suspend = order(Steering::Suspend);
    let resumed = |result| Record::ActionDone { action: Action::ResumeSource, result };
    let owed = |records: &[&Record], initially, now: &Situation| {
        History::of(records.iter().copied()).is_owed_a_resume(&plan(initially), now)
    };
    let stands = paused("user");
    assert!(owed(&[&suspend], RunState::Running, &stands));
    let refused = Record::SteerSettled { action: Steering::Suspend, result: Err("no answer".into()) };
    assert!(owed(&[&suspend, &refused], RunState::Running, &stands), "the answer may be what got lost");
    assert!(owed(&[&suspend, &resumed(Err("no".into()))], RunState::Running, &paused("migration")));
    // Nobody of ours, not any more, not for this attempt, not of this kind.
    assert!(!owed(&[], RunState::Running, &stands));
    assert!(!owed(&[&order(Steering::SetDowntime)], RunState::Running, &stands));
    assert!(!owed(&[&suspend, &resumed(Ok(()))], RunState::Running, &stands));
    let ran = Record::Located { situation: seen(source(DomainState::Running, "unpaused", false)), permitted: vec![] };
    assert!(!owed(&[&suspend, &ran], RunState::Running, &stands), "who paused it after that is somebody else");
    let reopened = Record::Reopened { by: "anna".into() };
    assert!(!owed(&[&suspend, &reopened], RunState::Running, &stands), "it may have been paused by a person since");
    assert!(!owed(&[&suspend, &Record::PerformIntended], RunState::Running, &stands));
    assert!(!owed(&[&suspend], RunState::Paused, &stands));
    assert!(!owed(&[&suspend], RunState::Running, &paused("io-error")));
    assert!(!owed(&[&suspend], RunState::Running, &seen(source(DomainState::Paused, "user", true))));
    assert!(!owed(&[&suspend], RunState::Running, &seen(source(DomainState::Paused, "post-copy-failed", false))));
}

#[test]
fn a_job_that_has_not_begun_yet_is_not_taken_for_one_that_is_over() {
    let observed = |host, state, reason: &str, job| {
        Side::Present(Observed {
            host: Some(host),
            name: "g1".into(),
            state,
            reason: reason.into(),
            persistent: host == SOURCE,
            autostart: false,
            job,
            disk_errors: DiskErrors::default(),
        })
    };
    let source = |state, reason, job| observed(SOURCE, state, reason, job);
    let incoming = observed(DESTINATION, DomainState::Paused, "migration", false);
    let absent = Side::Absent { host: Some(DESTINATION) };
    let runs = |job| source(DomainState::Running, "booted", job);
    let let_go = source(DomainState::Paused, "migration", false);
    let plan = plans().into_iter().find(|plan| {
        plan.mode == TransferMode::Live && plan.initially == RunState::Running && plan.finally == RunState::Running
    });
    let plan = Plan { destination_fate: DestinationFate::TransientOnly, ..plan.unwrap() };
    let now = Situation { source: let_go.clone(), destination: absent.clone() };
    let resumes = |records: &[Record], looks: &[(&Side, &Side)]| {
        let mut history = History::of(records);
        for (source, destination) in looks {
            history.seen(&Situation { source: (*source).clone(), destination: (*destination).clone() });
        }
        history.judge(&plan, &now, permitted(&plan, &now)).0.contains(&Action::ResumeSource)
    };
    let failed = Record::PerformReturned { result: Err((FailureClass::Other, "it failed".into())) };
    let after = [(&let_go, &incoming), (&let_go, &incoming)];
    // The call was heard to fail: from then on nothing lets the copy over there run.
    assert!(resumes(&[Record::PerformIntended, failed.clone()], &after));
    // Taken over by somebody who heard nothing, before the order had arrived: it may have run there, and left no trace.
    let unheard = [Record::PerformIntended, Record::Adopted];
    assert!(!resumes(&unheard, &[(&runs(false), &absent), (&runs(false), &incoming)]));
    assert!(!resumes(&[unheard[0].clone(), unheard[1].clone(), failed], &after), "given up is not heard");
    // The same, but its job was seen before it was gone.
    assert!(resumes(&unheard, &[(&runs(true), &incoming), (&let_go, &incoming), (&let_go, &incoming)]));
}

#[test]
fn an_arrival_is_never_seen_while_the_source_is_active() {
    for plan in &plans() {
        for source in &sides(SOURCE) {
            for destination in &sides(DESTINATION) {
                let situation = Situation { source: source.clone(), destination: destination.clone() };
                if arrived(plan, &situation) {
                    assert!(!active(source), "{plan:?}\n{situation:?}");
                    assert!(answered(source, SOURCE) && answered(destination, DESTINATION), "{plan:?}\n{situation:?}");
                    assert!(seen(destination).is_some(), "{plan:?}\n{situation:?}");
                    let allowed = permitted(plan, &situation);
                    let may_accept = allowed.contains(&Action::AcceptDestination);
                    // Two shut-off definitions of a kept source look alike; libvirt's word is what tells them apart.
                    assert!(may_accept || plan.mode == TransferMode::Offline, "{plan:?}\n{situation:?}\n{allowed:?}");
                }
            }
        }
    }
}
