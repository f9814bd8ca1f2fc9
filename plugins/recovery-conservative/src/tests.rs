//! One row for every list that the host ever permits, and what time and settings change.

use waypost_plugin::testing::{question_with, with_settings};
use waypost_plugin::types::DomainState;
use waypost_plugin::{Deed, Observed, Side};

use super::*;

fn present(state: DomainState, reason: &str) -> Side {
    Side::Present(Observed { name: "web".into(), state, reason: reason.into(), persistent: true, job: false })
}

fn decide(permitted: &[&str], change: impl FnOnce(&mut Question)) -> Answer {
    Conservative::decide(&question_with(|question| {
        question.permitted = permitted.iter().map(|&action| action.to_owned()).collect();
        change(question);
    }))
}

#[test]
fn every_list_that_a_host_permits_has_its_answer() {
    use DomainState::{Paused, Running, ShutOff};
    let table: [(&[&str], Side, Side, &str); 11] = [
        (&["wait", "abort-job"], present(Running, "booted"), present(Paused, "migration"), "wait"),
        (&["wait", "hand-over"], Side::Unknown("no route".into()), Side::Absent, "wait"),
        (&["hand-over"], present(Running, "booted"), present(Running, "migrated"), "hand-over"),
        (&["accept-source", "hand-over"], present(Running, "booted"), Side::Absent, "accept-source"),
        (
            &["undefine-destination", "hand-over"],
            present(Running, "booted"),
            present(ShutOff, "failed"),
            "undefine-destination",
        ),
        (
            &["destroy-destination", "hand-over"],
            present(Paused, "migration"),
            present(Paused, "migration"),
            "destroy-destination",
        ),
        (&["resume-source", "hand-over"], present(Paused, "migration"), Side::Absent, "resume-source"),
        (
            &["destroy-source", "hand-over"],
            present(Paused, "migration"),
            present(Running, "migrated"),
            "destroy-source",
        ),
        (
            &["accept-destination", "hand-over"],
            present(ShutOff, "migrated"),
            present(Running, "migrated"),
            "accept-destination",
        ),
        (
            &["resume-destination", "hand-over"],
            present(ShutOff, "migrated"),
            present(Paused, "migration"),
            "resume-destination",
        ),
        (&["declare-lost", "hand-over"], present(ShutOff, "crashed"), Side::Absent, "declare-lost"),
    ];
    for (permitted, source, destination, expected) in table {
        let given = decide(permitted, |question| {
            question.source_side = source;
            question.destination_side = destination;
        });
        assert_eq!(given.action, expected, "{permitted:?}");
        assert!(permitted.contains(&given.action.as_str()), "{permitted:?}: only what is permitted");
        assert!(!given.reason.is_empty());
        assert_eq!(given.delay_ms > 0, expected == "wait", "{permitted:?}: a safe step needs no delay");
    }
}

#[test]
fn the_answer_is_permitted_whatever_new_actions_come() {
    let given = decide(&["teleport", "hand-over"], |_| {});
    assert_eq!(given.action, "hand-over");
}

#[test]
fn a_job_is_aborted_only_where_the_migration_must_end() {
    for (class, expected) in [
        ("cancelled", "abort-job"),
        ("timed-out", "abort-job"),
        ("unreachable", "wait"),
        ("network", "wait"),
        ("controller-restarted", "wait"),
        ("other", "wait"),
    ] {
        let given = decide(&["wait", "abort-job"], |question| question.class = class.into());
        assert_eq!(given.action, expected, "{class}");
    }
    let first = decide(&["wait", "abort-job"], |question| question.class = "cancelled".into());
    assert_eq!(first.delay_ms, 0, "the first time at once");
    let third = decide(&["wait", "abort-job"], |question| {
        question.class = "cancelled".into();
        question.look = 3;
    });
    assert_eq!(third.delay_ms, 3000, "and then not in a hurry");
}

#[test]
fn the_source_goes_only_while_the_destination_is_seen_running() {
    let given = decide(&["destroy-source", "hand-over"], |question| {
        question.destination_side = present(DomainState::Paused, "migration");
    });
    assert_eq!(given.action, "hand-over");
}

#[test]
fn waiting_grows_and_ends() {
    let delay = |look| decide(&["wait", "hand-over"], |question| question.look = look);
    let delays: Vec<_> = (1..=8).map(|look| delay(look).delay_ms).collect();
    assert_eq!(delays, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    assert_eq!(delay(20).action, "wait");
    assert_eq!(delay(21).action, "hand-over");
    assert_eq!(delay(u32::MAX).action, "hand-over");
}

#[test]
fn a_running_job_is_never_left_alone() {
    let given = decide(&["wait", "abort-job"], |question| question.look = 5000);
    assert_eq!((given.action.as_str(), given.delay_ms), ("wait", 30_000));
}

#[test]
fn a_site_sets_its_patience() {
    with_settings("{\"give_up_after_looks\": 2}", || {
        let action = |look| decide(&["wait", "hand-over"], |question| question.look = look).action;
        assert_eq!([action(2), action(3)], ["wait", "hand-over"]);
    });
}

#[test]
fn settings_are_held_to_what_is_known() {
    assert_eq!(Conservative::validate_settings("{}"), Ok(()));
    assert_eq!(Conservative::validate_settings("{\"give_up_after_looks\": 3}"), Ok(()));
    for wrong in
        ["{\"give_up_after_look\": 3}", "{\"give_up_after_looks\": 0}", "{\"give_up_after_looks\": \"3\"}", "[]"]
    {
        assert!(Conservative::validate_settings(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_interrupted_post_copy_is_resumed_later_each_time_and_then_a_person_is_asked() {
    let tried = |times: usize| {
        decide(&["resume-post-copy", "wait", "hand-over"], |question| {
            let deed = Deed { action: "resume-post-copy".into(), error: Some("No route to host".into()) };
            question.done = vec![deed; times];
        })
    };
    let delays: Vec<_> = [0, 1, 2, 5, 19].map(|times| (tried(times).action, tried(times).delay_ms)).into();
    let resume = |ms| ("resume-post-copy".to_owned(), ms);
    assert_eq!(delays, [resume(1000), resume(2000), resume(4000), resume(30_000), resume(30_000)]);
    assert_eq!(tried(20).action, "hand-over");
    let source = decide(&["interrupt-post-copy", "wait", "hand-over"], |_| {});
    assert_eq!(source.action, "interrupt-post-copy", "the source has not noticed");
    assert_eq!(decide(&["wait", "interrupt-post-copy"], |_| {}).action, "wait", "memory flows");
}

#[test]
fn another_attempt_is_not_its_opinion() {
    assert_eq!(decide(&["accept-source", "try-again", "hand-over"], |_| {}).action, "accept-source");
}
