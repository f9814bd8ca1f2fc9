//! Each schedule tick by tick, against a table written out from oVirt's figures, and what is ours beside them.

use waypost_plugin::Sample;
use waypost_plugin::testing::transfer::{
    End, Model, bounds, done, opening_question, question_of, reading, steering_question,
};
use waypost_plugin::testing::with_settings;

use super::*;

const MIB: u64 = 1 << 20;

/// A transfer of so many polls with one new pass between each two: pass 1 is under way at the first poll, pass 2 at the
/// second, ... Asked once a second; what the policy says is done as the host would. One line per tick of 10 s: what was
/// done in it, at which second.
fn ticks(settings: &str, polls: u64, change: impl Fn(&mut SteeringQuestion)) -> Vec<String> {
    with_settings(settings, || {
        let mut samples: Vec<Sample> = vec![];
        let mut steered = vec![];
        let mut lines = vec![];
        for second in 1..=polls * 10 {
            // A pass begins 5 s after each poll.
            let iteration = (second + 5) / 10 + u64::from(second < 5);
            samples.push(reading(second * 1000, iteration.max(1), 512 * MIB));
            let mut question = question_of(samples.clone());
            question.steered.clone_from(&steered);
            change(&mut question);
            let answer = Ovirt::decide(&question);
            assert!(!answer.reason.is_empty());
            if answer.action != "hold" {
                lines.push(match answer.value {
                    Some(ms) => format!("{second} s: {} {ms}", answer.action),
                    None => format!("{second} s: {}", answer.action),
                });
                steered.push(done(second * 1000 + 3, &answer.action, answer.value));
                if answer.action == "abort" {
                    break;
                }
            }
        }
        lines
    })
}

/// With the bound out of the way: no schedule goes beyond 5 s.
fn roomy(question: &mut SteeringQuestion) {
    question.bounds.max_downtime_ms = 5000;
}

fn schedule(name: &str) -> String {
    format!("{{\"schedule\":\"{name}\"}}")
}

/// The first poll (10 s) finds pass 1 and begins to count, the second finds 1 new pass, which is not more than 1, the
/// third 2, and so on.
#[test]
fn minimal_downtime_tick_by_tick() {
    let expected = [
        "30 s: set-downtime 150",
        "40 s: set-downtime 200",
        "50 s: set-downtime 300",
        "60 s: set-downtime 400",
        // 6 new passes at 70 s are not more than 6.
        "80 s: set-downtime 500",
        "90 s: abort",
    ];
    assert_eq!(ticks(&schedule("minimal-downtime"), 20, roomy), expected);
    assert_eq!(ticks("{}", 20, roomy), expected, "the default");
}

#[test]
fn suspend_workload_tick_by_tick() {
    let expected = [
        "30 s: set-downtime 150",
        "40 s: set-downtime 200",
        "50 s: set-downtime 300",
        "60 s: set-downtime 400",
        "80 s: set-downtime 500",
        "90 s: set-downtime 5000",
        "100 s: abort",
    ];
    assert_eq!(ticks(&schedule("suspend-workload"), 20, roomy), expected);
}

#[test]
fn post_copy_tick_by_tick() {
    let expected = ["30 s: set-downtime 150", "40 s: set-downtime 200", "50 s: post-copy", "60 s: abort"];
    assert_eq!(ticks(&schedule("post-copy"), 20, roomy), expected);
}

#[test]
fn very_large_vms_tick_by_tick() {
    let expected = [
        "30 s: set-downtime 400",
        "40 s: set-downtime 500",
        "50 s: set-downtime 700",
        "60 s: set-downtime 1000",
        "80 s: set-downtime 1500",
        "90 s: set-downtime 5000",
        "100 s: abort",
    ];
    assert_eq!(ticks(&schedule("very-large-vms"), 20, roomy), expected);
}

#[test]
fn legacy_tick_by_tick() {
    let expected = [
        "30 s: set-downtime 104",
        "40 s: set-downtime 120",
        "50 s: set-downtime 189",
        "60 s: set-downtime 500",
        // 42 new passes at 430 s are not more than 42.
        "440 s: set-downtime 500",
        "450 s: abort",
    ];
    assert_eq!(ticks(&schedule("legacy"), 60, roomy), expected);
}

#[test]
fn each_opens_with_its_downtime() {
    for (name, initial_ms, auto_converge) in [
        ("legacy", 101, None),
        ("minimal-downtime", 100, Some(true)),
        ("suspend-workload", 100, Some(true)),
        ("post-copy", 100, Some(true)),
        ("very-large-vms", 300, Some(true)),
    ] {
        let opening = with_settings(&schedule(name), || Ovirt::open(&opening_question()));
        assert_eq!(opening.max_downtime_ms, Some(initial_ms), "{name}");
        assert_eq!(opening.auto_converge, auto_converge, "{name}");
        assert!(opening.reason.contains(name), "{}", opening.reason);
    }
    let off = with_settings(r#"{"auto_converge":false}"#, || Ovirt::open(&opening_question()));
    assert_eq!(off.auto_converge, Some(false));
}

#[test]
fn a_bound_of_the_plan_is_not_passed_and_the_schedule_goes_on() {
    let tight = |question: &mut SteeringQuestion| question.bounds.max_downtime_ms = 250;
    let expected = [
        "30 s: set-downtime 150",
        "40 s: set-downtime 200",
        "50 s: set-downtime 250",
        "60 s: set-downtime 250",
        "80 s: set-downtime 250",
        "90 s: set-downtime 250",
        "100 s: abort",
    ];
    assert_eq!(ticks(&schedule("suspend-workload"), 20, tight), expected);
}

#[test]
fn what_is_not_permitted_is_left_out() {
    let without = |question: &mut SteeringQuestion| question.bounds.permitted.retain(|action| action != "post-copy");
    let expected = ["30 s: set-downtime 150", "40 s: set-downtime 200", "50 s: abort"];
    assert_eq!(ticks(&schedule("post-copy"), 20, without), expected);
    let nothing = |question: &mut SteeringQuestion| question.bounds.permitted.clear();
    assert!(ticks(&schedule("legacy"), 60, nothing).is_empty());
}

#[test]
fn one_action_a_poll_however_many_passes_went_by() {
    // Short passes: 5 in each 10 s.
    let samples = |seconds: u64| -> Vec<Sample> {
        (1..=seconds).map(|second| reading(second * 1000, 1 + second / 2, 100 * MIB)).collect()
    };
    let at = |seconds| Ovirt::decide(&question_of(samples(seconds)));
    assert_eq!(at(19).action, "hold", "the first poll only begins to count");
    assert_eq!((at(20).action.as_str(), at(20).value), ("set-downtime", Some(150)), "{:?}", at(20));
    let mut question = question_of(samples(29));
    question.steered = vec![done(20_100, "set-downtime", Some(150))];
    assert_eq!(Ovirt::decide(&question).action, "hold", "not before the next poll");
}

#[test]
fn a_late_question_is_answered_as_a_timely_one() {
    let samples: Vec<Sample> = (1..=37).map(|second| reading(second * 1000, 1 + second / 10, 100 * MIB)).collect();
    let answer = Ovirt::decide(&question_of(samples));
    assert_eq!((answer.action.as_str(), answer.value), ("set-downtime", Some(150)), "{}", answer.reason);
}

/// A host does nothing about a limit that is in force already, and a refused order is not among what was done.
#[test]
fn what_is_never_seen_done_does_not_hold_the_schedule_up() {
    let samples = |seconds: u64| -> Vec<Sample> {
        (1..=seconds).map(|second| reading(second * 1000, 1 + second / 10, 100 * MIB)).collect()
    };
    with_settings(&schedule("legacy"), || {
        let mut question = question_of(samples(450));
        question.steered = [(30, 104), (40, 120), (50, 189), (60, 500)]
            .map(|(second, ms)| done(second * 1000, "set-downtime", Some(ms)))
            .into();
        assert_eq!(Ovirt::decide(&question).action, "abort");
    });
    with_settings(&schedule("post-copy"), || {
        let steered = vec![done(30_000, "set-downtime", Some(150)), done(40_000, "set-downtime", Some(200))];
        for (second, expected) in [(50, "post-copy"), (59, "post-copy"), (60, "abort")] {
            let mut question = question_of(samples(second));
            question.steered.clone_from(&steered);
            assert_eq!(Ovirt::decide(&question).action, expected, "{second}");
        }
    });
}

#[test]
fn what_a_person_did_in_between_is_passed_over() {
    let samples: Vec<Sample> = (1..=45).map(|second| reading(second * 1000, 1 + second / 10, 100 * MIB)).collect();
    let mut question = question_of(samples);
    question.steered = vec![
        done(25_000, "set-bandwidth", Some(50)),
        done(30_000, "set-downtime", Some(150)),
        done(31_000, "set-downtime", Some(1000)),
    ];
    let answer = Ovirt::decide(&question);
    assert_eq!((answer.action.as_str(), answer.value), ("set-downtime", Some(200)), "{}", answer.reason);
}

#[test]
fn nothing_is_said_without_readings_without_passes_and_in_post_copy() {
    assert_eq!(Ovirt::decide(&steering_question()).action, "hold");
    let unknown = Sample { iteration: None, ..reading(500_000, 1, 10 * MIB) };
    assert_eq!(Ovirt::decide(&question_of(vec![unknown])).action, "hold");
    let mut samples: Vec<Sample> = (1..=90).map(|second| reading(second * 1000, 1 + second / 5, 100 * MIB)).collect();
    assert_ne!(Ovirt::decide(&question_of(samples.clone())).action, "hold");
    samples.push(Sample { stage: "post-copy".into(), ..reading(91_000, 30, 100 * MIB) });
    assert_eq!(Ovirt::decide(&question_of(samples)).action, "hold");
}

#[test]
fn a_site_sets_the_poll_interval() {
    with_settings(r#"{"poll_ms": 1000}"#, || {
        let samples: Vec<Sample> = (1..=3).map(|second| reading(second * 1000, second, 100 * MIB)).collect();
        assert_eq!(Ovirt::decide(&question_of(samples)).value, Some(150));
    });
}

#[test]
fn settings_are_held_to_what_is_known() {
    for right in ["", "{}", r#"{"schedule":"legacy","poll_ms":100,"auto_converge":true}"#] {
        assert_eq!(Ovirt::validate_settings(right), Ok(()), "{right}");
    }
    for wrong in
        [r#"{"schedule":"fast"}"#, r#"{"poll_ms":99}"#, r#"{"poll_ms":600001}"#, r#"{"poll":1}"#, "[]", r#"["legacy"]"#]
    {
        assert!(Ovirt::validate_settings(wrong).is_err(), "{wrong}");
    }
}

/// On the model of a guest that never converges: each schedule ends as its last item says.
#[test]
fn each_schedule_ends_a_transfer_that_does_not_converge() {
    for (name, end) in [
        ("legacy", End::Aborted),
        ("minimal-downtime", End::Aborted),
        ("suspend-workload", End::Moved),
        ("post-copy", End::Moved),
        ("very-large-vms", End::Moved),
    ] {
        // 300 MiB again and again over 100 MiB/s: 3 s of downtime, or throttling by 95 %.
        let model = Model {
            working_set_bytes: 300 * MIB,
            dirty_bytes_per_s: 20_000 * MIB,
            bounds: Bounds { max_downtime_ms: 5000, ..bounds() },
            ..Model::default()
        };
        let course =
            with_settings(&format!(r#"{{"schedule":"{name}","auto_converge":false}}"#), || model.run::<Ovirt>());
        assert_eq!(course.end, end, "{name}: {:?}", course.steered);
    }
}
