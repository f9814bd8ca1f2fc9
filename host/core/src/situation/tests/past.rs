//! What the past of an attempt takes away: a further attempt that a late order could hit, and jobs that are somebody else's.

use super::*;

#[test]
fn an_abort_of_which_nobody_heard_the_end_keeps_the_next_attempt_from_beginning() {
    let plan = plans().into_iter().find(|plan| plan.initially == RunState::Running).unwrap();
    let now = Situation { source: Side::Absent { host: None }, destination: Side::Absent { host: None } };
    let may_begin = |records: &[&Record]| {
        let permitted = vec![Action::TryAgain, Action::HandOver];
        History::of(records.iter().copied()).judge(&plan, &now, permitted).0.contains(&Action::TryAgain)
    };
    let steered =
        Record::SteerIntended { action: Steering::Abort, value: None, by: "waypost".into(), reason: String::new() };
    let settled = |result| Record::SteerSettled { action: Steering::Abort, result };
    let (decided, refused) = (settled(Ok(())), settled(Err("it came too late".into())));
    let failed = Record::PerformReturned { result: Err((FailureClass::TimedOut, "it took too long".into())) };
    // Whoever gave it saw the transfer end, and waited for what it came to.
    assert!(may_begin(&[&Record::PerformIntended, &steered, &decided, &failed]));
    assert!(may_begin(&[&Record::PerformIntended, &steered, &decided, &failed, &Record::Adopted, &failed]));
    // Or was gone before that.
    assert!(!may_begin(&[&Record::PerformIntended, &steered, &decided, &Record::Adopted, &failed]));
    assert!(!may_begin(&[&Record::PerformIntended, &steered, &Record::Adopted, &failed]));
    // It was never given.
    assert!(may_begin(&[&Record::PerformIntended, &steered, &refused, &Record::Adopted, &failed]));
    // And one that recovery gave.
    let done = |result| Record::ActionDone { action: Action::AbortJob, result };
    assert!(may_begin(&[&Record::PerformIntended, &failed, &done(Ok(()))]));
    assert!(!may_begin(&[&Record::PerformIntended, &failed, &done(Err("no answer".into()))]));
}

#[test]
fn a_job_that_begins_when_this_attempts_was_over_is_somebody_elses() {
    let plan = plans().into_iter().find(|plan| {
        plan.mode == TransferMode::Live && plan.initially == RunState::Running && plan.finally == RunState::Running
    });
    let plan = plan.unwrap();
    let source = |state, reason: &str, job| shown(SOURCE, state, reason, true, job);
    let absent = || Side::Absent { host: Some(DESTINATION) };
    let runs = |job| source(DomainState::Running, "booted", job);
    let failed = || Record::PerformReturned { result: Err((FailureClass::Network, "it failed".into())) };
    let unknown = || Side::Unknown("no answer".into());
    let judged = |records: &[Record], looks: &[Side], now: (Side, Side)| {
        let now = Situation { source: now.0, destination: now.1 };
        let mut history = History::of(records);
        for source in looks {
            history.seen(&Situation { source: source.clone(), destination: absent() });
        }
        history.seen(&now);
        (history.shows_anothers_job(&now), history.judge(&plan, &now, permitted(&plan, &now)).0)
    };
    let ours = (false, vec![Action::Wait, Action::AbortJob]);
    let theirs = (true, vec![Action::Wait, Action::HandOver]);
    let heard = [Record::PerformIntended, failed()];
    assert_eq!(judged(&heard, &[runs(false)], (runs(true), absent())), theirs);
    assert_eq!(judged(&heard, &[runs(false)], (runs(true), unknown())), theirs, "the destination is gone for good");
    // What begins on a host that can't be asked is nothing to be ended either.
    let incoming = Side::Present(Observed {
        host: Some(DESTINATION),
        job: true,
        ..seen(&source(DomainState::Paused, "migration", true)).unwrap().clone()
    });
    let dark = judged(&heard, &[runs(false)], (unknown(), incoming.clone()));
    assert_eq!(dark, (false, vec![Action::Wait, Action::HandOver]));
    // What is left of this attempt's own on the destination alone is waited for as ever.
    assert_eq!(judged(&heard, &[], (runs(false), incoming)), ours);
    // The connection broke under the call, or somebody took over: the job that is seen is the one that was ordered, for as long
    // as none was seen to be gone.
    let unheard = [Record::PerformIntended, Record::Adopted, failed()];
    assert_eq!(judged(&unheard, &[], (runs(true), absent())), ours);
    assert_eq!(judged(&unheard, &[runs(false)], (runs(true), absent())), ours);
    assert_eq!(judged(&unheard, &[runs(true)], (runs(true), absent())), ours);
    assert_eq!(judged(&unheard, &[runs(true), runs(false)], (runs(true), absent())), theirs);
    // Who took over saw none for so long that none comes any more.
    let given_up = Record::PerformReturned { result: Err((FailureClass::ControllerRestarted, "none is left".into())) };
    let quiet = [Record::PerformIntended, Record::Adopted, given_up];
    assert_eq!(judged(&quiet, &[], (runs(true), absent())), ours);
    assert_eq!(judged(&quiet, &[runs(false)], (runs(true), absent())), theirs);
    // The next attempt's job is its own.
    let again = [Record::PerformIntended, failed(), Record::PerformIntended];
    assert_eq!(judged(&again, &[], (runs(true), absent())), ours);
    // Half of a guest is this attempt's, whether its host shows a job for it or not.
    let half = |job| source(DomainState::Paused, "post-copy-failed", job);
    let other_half = || {
        Side::Present(Observed {
            host: Some(DESTINATION),
            job: true,
            ..seen(&source(DomainState::Running, "post-copy-failed", true)).unwrap().clone()
        })
    };
    let (anothers, left) = judged(&heard, &[half(false)], (half(true), other_half()));
    assert!(!anothers && left.contains(&Action::ResumePostCopy), "{left:?}");
    // Nor is somebody else's post-copy resumed, interrupted or called lost.
    assert_eq!(judged(&heard, &[runs(false)], (half(true), other_half())), theirs);
}
