//! When another attempt is begun, where and how late; and when not.

use waypost_plugin::testing::{question_with, with_settings};

use super::*;

fn decide(class: &str, change: impl FnOnce(&mut Question)) -> Answer {
    Retry::decide(&question_with(|question| {
        question.class = class.to_owned();
        question.permitted = ["accept-source", "try-again", "hand-over"].map(str::to_owned).into();
        change(question);
    }))
}

#[test]
fn each_class_of_failure_has_its_answer() {
    let table = [
        ("network", "try-again"),
        ("stalled", "try-again"),
        ("hypervisor-died", "try-again"),
        ("controller-restarted", "try-again"),
        ("other", "try-again"),
        ("unreachable", "try-again"),
        ("cancelled", "accept-source"),
        ("refused", "accept-source"),
        ("incompatible", "accept-source"),
        ("storage", "accept-source"),
        ("timed-out", "accept-source"),
        ("not-converging", "accept-source"),
        ("a-class-of-tomorrow", "accept-source"),
    ];
    for (class, expected) in table {
        assert_eq!(decide(class, |_| {}).action, expected, "{class}");
    }
}

#[test]
fn only_a_destination_that_cannot_be_reached_is_left_for_another() {
    let destination = |answer: Answer| answer.change.and_then(|change| change.destination);
    assert_eq!(destination(decide("unreachable", |_| {})).as_deref(), Some("kvm3"));
    assert_eq!(destination(decide("network", |_| {})), None);
    assert_eq!(destination(decide("unreachable", |question| question.others.clear())), None);
    let kept = with_settings(r#"{"other_destination": false}"#, || decide("unreachable", |_| {}));
    assert_eq!(destination(kept), None);
}

#[test]
fn each_attempt_waits_twice_as_long_as_the_one_before_and_none_for_ever() {
    let delay = |attempt| decide("network", |question| question.attempt = attempt).delay_ms;
    assert_eq!([1, 2, 3, 40].map(delay), [10_000, 20_000, 40_000, 600_000]);
}

#[test]
fn without_attempts_or_permission_the_proven_step_is_taken() {
    assert_eq!(decide("network", |question| question.attempts_left = 0).action, "accept-source");
    let first = ["undefine-destination", "hand-over"].map(str::to_owned);
    assert_eq!(decide("network", |question| question.permitted = first.into()).action, "undefine-destination");
}

#[test]
fn a_site_may_allow_more_downtime_after_a_transfer_that_took_too_long() {
    let answer = with_settings(r#"{"downtime_after_timeout_ms": 2000}"#, || decide("timed-out", |_| {}));
    assert_eq!(answer.action, "try-again");
    assert_eq!(answer.change.unwrap().max_downtime_ms, Some(2000));
}

#[test]
fn a_site_may_allow_post_copy_after_a_transfer_that_came_to_no_end() {
    let allowed = r#"{"post_copy_after_timeout": true}"#;
    for class in ["timed-out", "not-converging"] {
        let answer = with_settings(allowed, || decide(class, |_| {}));
        assert_eq!(answer.action, "try-again", "{class}");
        let change = answer.change.unwrap();
        assert_eq!((change.post_copy, change.max_downtime_ms), (Some(true), None), "{class}");
    }
    // Any other failure says nothing against the way that was taken.
    let other = with_settings(allowed, || decide("network", |_| {}));
    assert!(other.change.is_none());
    let both = r#"{"post_copy_after_timeout": true, "downtime_after_timeout_ms": 900}"#;
    let change = with_settings(both, || decide("not-converging", |_| {})).change.unwrap();
    assert_eq!((change.post_copy, change.max_downtime_ms), (Some(true), Some(900)));
    // A person's wish is none of the policy's business, and neither is an attempt that nobody allows.
    assert_eq!(with_settings(allowed, || decide("cancelled", |_| {})).action, "accept-source");
    let last = with_settings(allowed, || decide("not-converging", |question| question.attempts_left = 0));
    assert_eq!(last.action, "accept-source");
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    for bad in [
        "[]",
        r#"{"resumes": 0}"#,
        r#"{"delay": 1}"#,
        r#"{"downtime_after_timeout_ms": 0}"#,
        r#"{"post_copy_after_timeout": 1}"#,
    ] {
        assert!(Retry::validate_settings(bad).is_err(), "{bad}");
    }
    assert_eq!(Retry::validate_settings("{}"), Ok(()));
}
