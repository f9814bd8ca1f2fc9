//! Each branch with a made-up history, and whole transfers on a model of a guest and a link.

use waypost_plugin::testing::transfer::{
    Course, End, Model, bounds, done, opening_question, opening_question_with, question_of, reading, steering_question,
};
use waypost_plugin::testing::with_settings;
use waypost_plugin::{Bounds, Prediction, Sample};

use super::*;

mod passes;

const MIB: u64 = 1 << 20;

/// A guest that leaves so much in every pass of 5 s, after a first pass of 40 s: 100 MiB/s, one reading a second. Within a
/// pass a fifth is carried each second.
fn stalled(seconds: u64, leaves: u64) -> SteeringQuestion {
    let sample = |second: u64| match second {
        ..40 => reading(second * 1000, 1, 4096 * MIB - second * 100 * MIB),
        _ => reading(second * 1000, 2 + (second - 40) / 5, leaves - leaves / 5 * (second % 5)),
    };
    let mut question = question_of((1..=seconds).map(sample).collect());
    let too_many = question.samples.len().saturating_sub(240);
    question.samples.drain(..too_many);
    question.transfer.post_copy = true;
    question
}

fn decide(question: &SteeringQuestion) -> SteeringAnswer {
    let answer = Adaptive::decide(question);
    assert!(!answer.reason.is_empty());
    answer
}

/// It holds, and this is why.
fn holds(question: &SteeringQuestion, why: &str) {
    let answer = decide(question);
    assert_eq!(answer.action, "hold", "{}", answer.reason);
    assert!(answer.reason.contains(why), "{}", answer.reason);
}

fn only(question: &mut SteeringQuestion, permitted: &[&str]) {
    question.bounds.permitted = permitted.iter().map(|&action| action.to_owned()).collect();
}

#[test]
fn nothing_before_something_was_moved() {
    holds(&steering_question(), "nothing was moved yet");
    let still = Sample { processed_bytes: 0, ..reading(3_500_000, 1, 4096 * MIB) };
    holds(&question_of(vec![still.clone(); 3]), "nothing was moved yet");
}

#[test]
fn nothing_in_post_copy_and_while_an_order_takes_effect() {
    let mut question = stalled(200, 400 * MIB);
    question.samples.last_mut().unwrap().stage = "post-copy".into();
    holds(&question, "post-copy runs");
    let mut question = stalled(200, 400 * MIB);
    question.steered = vec![done(198_000, "set-downtime", Some(500))];
    holds(&question, "set-downtime takes effect");
    question.steered = vec![done(150_000, "suspend", None)];
    holds(&question, "stands still");
}

#[test]
fn it_waits_while_it_gets_smaller() {
    // The first pass, and a guest whose passes shrink by half.
    let first = (1..=39).map(|second| reading(second * 1000, 1, 4096 * MIB - second * 100 * MIB)).collect();
    holds(&question_of(first), "it gets smaller");
    let halving = |second: u64| reading(second * 1000, 1 + second / 10, (4096 * MIB) >> (second / 10));
    holds(&question_of((1..=100).map(halving).collect()), "it gets smaller");
}

#[test]
fn a_transfer_that_does_not_move_at_all_is_no_question_of_convergence() {
    let stuck = |second: u64| Sample {
        processed_bytes: 100 * MIB,
        bytes_per_s: Some(0),
        ..reading(second * 1000, 1, 3996 * MIB)
    };
    holds(&question_of((1..=100).map(stuck).collect()), "nothing moves");
}

#[test]
fn what_fits_into_the_bound_gets_its_downtime() {
    // 100 MiB a pass at 100 MiB/s: a second, and a fifth more.
    let answer = decide(&stalled(80, 100 * MIB));
    assert_eq!((answer.action.as_str(), answer.value), ("set-downtime", Some(1200)), "{}", answer.reason);
    for figure in ["100 MiB/s", "1200 ms", "bound 2000 ms"] {
        assert!(answer.reason.contains(figure), "{figure}: {}", answer.reason);
    }
    // Once it is set the next thing is tried.
    let mut question = stalled(70, 100 * MIB);
    question.transfer.max_downtime_ms = Some(1200);
    assert_eq!(decide(&question).action, "hold");
    question = stalled(74, 100 * MIB);
    question.transfer.max_downtime_ms = Some(1200);
    assert_eq!(decide(&question).action, "post-copy", "the end of a pass is a local minimum");
    // Not where it may not be set, and never below what hypervisors begin with.
    let mut question = stalled(80, 100 * MIB);
    only(&mut question, &["abort"]);
    holds(&question, "nothing that could end it is possible");
    assert_ne!(decide(&stalled(80, 10 * MIB)).action, "set-downtime");
}

#[test]
fn a_dip_of_the_bandwidth_makes_no_long_downtime() {
    let mut question = stalled(80, 100 * MIB);
    // In the last two seconds a tenth was carried.
    let newest = question.samples.len() - 1;
    let before = question.samples[newest - 2].processed_bytes;
    question.samples[newest - 1].processed_bytes = before + 10 * MIB;
    question.samples[newest].processed_bytes = before + 20 * MIB;
    let answer = decide(&question);
    assert_eq!(answer.action, "set-downtime", "{}", answer.reason);
    // 20 s at 91 MiB/s on the whole; the newest readings alone say 46, and 2610 ms.
    assert!((1200..1500).contains(&answer.value.unwrap()), "{:?}: {}", answer.value, answer.reason);
    // One that lasts is believed.
    for (number, sample) in question.samples.iter_mut().rev().enumerate().take(30) {
        sample.processed_bytes = before - 10 * MIB * number as u64;
    }
    let answer = decide(&question);
    assert!(answer.action != "set-downtime" || answer.value.unwrap() > 2000, "{:?}: {}", answer.value, answer.reason);
}

#[test]
fn a_guest_that_is_slowed_down_further_gets_its_time() {
    let mut question = stalled(84, 400 * MIB);
    for sample in &mut question.samples {
        sample.throttle_percent = Some(u32::try_from(sample.elapsed_ms / 1000).unwrap());
    }
    holds(&question, "slowed down from 64 to 84 %");
    for sample in &mut question.samples {
        sample.throttle_percent = Some(99);
    }
    assert_eq!(decide(&question).action, "post-copy");
}

#[test]
fn post_copy_comes_at_a_local_minimum_and_after_the_transfers_own_time() {
    // Passes begin at 70, 75, ...: at 71 s four fifths of a pass are left, at 74 s one fifth.
    holds(&stalled(71, 400 * MIB), "waits for a local minimum");
    let answer = decide(&stalled(74, 400 * MIB));
    assert_eq!(answer.action, "post-copy");
    assert!(answer.reason.contains("local minimum"), "{}", answer.reason);
    let answer = decide(&stalled(91, 400 * MIB));
    assert_eq!(answer.action, "post-copy", "looked long enough");
    assert!(answer.reason.contains("no lower minimum"), "{}", answer.reason);
    with_settings(r#"{"own_time_s": 100}"#, || {
        holds(&stalled(84, 400 * MIB), "the first 100 s are the transfer's own")
    });
    // Half of a short limit.
    let mut question = stalled(84, 400 * MIB);
    question.bounds.timeout_s = 150;
    with_settings(r#"{"own_time_s": 100}"#, || assert_eq!(decide(&question).action, "post-copy"));
}

#[test]
fn post_copy_that_was_tried_or_not_prepared_is_not_tried() {
    let mut question = stalled(84, 400 * MIB);
    question.steered = vec![done(70_000, "post-copy", None)];
    holds(&question, "suspend only shortly before the time limit");
    let mut question = stalled(84, 400 * MIB);
    question.transfer.post_copy = false;
    holds(&question, "suspend only shortly before the time limit");
    // What the host refused again and again isn't permitted for a while.
    let mut question = stalled(84, 400 * MIB);
    only(&mut question, &["set-downtime", "suspend", "abort"]);
    holds(&question, "suspend only shortly before the time limit");
    question.bounds.timeout_s = 95;
    assert_eq!(decide(&question).action, "suspend");
}

#[test]
fn the_last_resort_comes_before_the_time_limit_in_the_sites_order() {
    // 12 s for the rest at worst, half of that again, and 5 s: 17 s before the end.
    let late = |permitted: &[&str]| {
        let mut question = stalled(184, 400 * MIB);
        question.bounds.timeout_s = 195;
        only(&mut question, permitted);
        decide(&question)
    };
    assert_eq!(late(&["suspend", "abort"]).action, "suspend");
    assert_eq!(late(&["suspend", "post-copy"]).action, "post-copy");
    with_settings(r#"{"last_resort": ["suspend", "post-copy"]}"#, || {
        assert_eq!(late(&["suspend", "post-copy"]).action, "suspend");
        assert_eq!(late(&["post-copy"]).action, "post-copy");
    });
    with_settings(r#"{"last_resort": []}"#, || {
        let answer = late(&["suspend", "post-copy", "abort"]);
        assert_eq!(answer.action, "hold", "time alone is no ground to give up: {}", answer.reason);
    });
    let mut early = stalled(184, 400 * MIB);
    early.bounds.timeout_s = 300;
    only(&mut early, &["suspend"]);
    holds(&early, "only shortly before");
}

#[test]
fn a_transfer_that_shrinks_too_slowly_is_forced_as_well() {
    let mut question = question_of((1..=30).map(|s| reading(s * 1000, 1, 8000 * MIB - s * 100 * MIB)).collect());
    question.bounds.timeout_s = 60;
    assert_eq!(decide(&question).action, "suspend", "5000 MiB in 30 s can't be carried, and a pass less is no way out");
}

#[test]
fn a_site_may_have_it_give_up() {
    with_settings(r#"{"abort_after_s": 30, "last_resort": []}"#, || {
        holds(&stalled(65, 400 * MIB), "nothing that could end it is possible");
        assert_eq!(decide(&stalled(75, 400 * MIB)).action, "abort");
        let mut question = stalled(75, 400 * MIB);
        only(&mut question, &["set-downtime"]);
        holds(&question, "nothing that could end it is possible");
    });
}

#[test]
fn the_bandwidth_is_that_of_what_was_moved() {
    let samples = [(1, 100), (2, 200), (3, 300), (4, 350)];
    let samples: Vec<Sample> =
        samples.map(|(second, mib)| Sample { processed_bytes: mib * MIB, ..reading(second * 1000, 1, 1) }).into();
    assert_eq!(history::bandwidth(&samples, 40), Some(80 * MIB));
    assert_eq!(history::bandwidth(&samples, 100), Some(50 * MIB));
    assert_eq!(history::bandwidth(&samples[..1], 40), Some(100 * MIB), "what the hypervisor tells");
    assert_eq!(history::bandwidth(&[], 40), None);
}

#[test]
fn it_opens_as_it_is_predicted() {
    let predicted = |converges| {
        let expected = Prediction {
            dirty_bytes_per_s: 300 * MIB,
            bandwidth_bytes_per_s: 100 * MIB,
            converges,
            total_ms: None,
            downtime_ms: None,
        };
        Adaptive::open(&opening_question_with(|question| question.prediction = Some(expected)))
    };
    assert_eq!(predicted(true).auto_converge, None);
    let opening = predicted(false);
    assert_eq!(opening.auto_converge, Some(true));
    assert!(opening.reason.contains("300 MiB/s") && opening.reason.contains("100 MiB/s"), "{}", opening.reason);
    assert_eq!(Adaptive::open(&opening_question()).auto_converge, Some(true), "nothing is known");
    let measured = |dirty_bytes_per_s| {
        let only = Prediction {
            dirty_bytes_per_s,
            bandwidth_bytes_per_s: 0,
            converges: dirty_bytes_per_s == 0,
            total_ms: None,
            downtime_ms: None,
        };
        Adaptive::open(&opening_question_with(|question| question.prediction = Some(only)))
    };
    let opening = measured(300 * MIB);
    assert_eq!(opening.auto_converge, Some(true), "over a slow network it would not converge");
    assert!(opening.reason.contains("300 MiB/s, and what the network carries is not known"), "{}", opening.reason);
    assert_eq!(measured(0).auto_converge, None, "a guest that writes nothing converges over any");
    with_settings(r#"{"throttle": false, "throttle_initial_percent": 40}"#, || {
        let opening = Adaptive::open(&opening_question());
        assert_eq!((opening.auto_converge, opening.auto_converge_initial), (None, None));
    });
    with_settings(r#"{"throttle_initial_percent": 40, "throttle_increment_percent": 20}"#, || {
        let opening = Adaptive::open(&opening_question());
        assert_eq!((opening.auto_converge_initial, opening.auto_converge_increment), (Some(40), Some(20)));
    });
}

#[test]
fn settings_are_held_to_what_is_known() {
    for right in ["", "{}", r#"{"window_s":2,"margin_percent":0,"newest_percent":100,"last_resort":[]}"#] {
        assert_eq!(Adaptive::validate_settings(right), Ok(()), "{right}");
    }
    for wrong in [
        "[]",
        r#"{"window":20}"#,
        r#"{"window_s":1}"#,
        r#"{"window_s":61}"#,
        r#"{"margin_percent":51}"#,
        r#"{"newest_percent":0}"#,
        r#"{"switchover_s":61}"#,
        r#"{"reserve_s":0}"#,
        r#"{"throttle_initial_percent":100}"#,
        r#"{"throttle_increment_percent":0}"#,
        r#"{"last_resort":["abort"]}"#,
        r#"{"last_resort":["suspend","suspend"]}"#,
    ] {
        assert!(Adaptive::validate_settings(wrong).is_err(), "{wrong}");
    }
}

/// Whatever the guest does: nothing that isn't permitted, no more downtime than allowed, and an end in time; and where the
/// end may be forced the guest arrives.
#[test]
fn a_steered_transfer_ends_within_its_bounds() {
    let permitted: [&[&str]; 5] = [
        &["hold", "set-downtime", "post-copy", "suspend", "abort"],
        &["set-downtime", "suspend"],
        &["set-downtime", "post-copy"],
        &["set-downtime"],
        &[],
    ];
    let mut forced = 0;
    for permitted in permitted {
        for working_set in [16, 100, 300, 1024] {
            for dirty in [0, 10, 80, 99, 101, 250, 20_000] {
                for (timeout_s, max_downtime_ms, ask_every_ms) in [(60, 300, 1000), (120, 1500, 250), (900, 4000, 1000)]
                {
                    let model = Model {
                        memory_bytes: 1024 * MIB,
                        working_set_bytes: working_set * MIB,
                        dirty_bytes_per_s: dirty * MIB,
                        bounds: Bounds {
                            max_downtime_ms,
                            timeout_s,
                            permitted: permitted.iter().map(|&action| action.to_owned()).collect(),
                            ..bounds()
                        },
                        ask_every_ms,
                        ..Model::default()
                    };
                    let course = model.run::<Adaptive>();
                    let case = format!("{permitted:?} {working_set} {dirty} {timeout_s}: {:?}", course.steered);
                    keeps_to_its_bounds(&model, &course, &case);
                    let can_be_forced = permitted.contains(&"suspend") || permitted.contains(&"post-copy");
                    if can_be_forced {
                        assert_eq!(course.end, End::Moved, "{case}");
                    }
                    forced += usize::from(course.steered.iter().any(|done| done.action != "set-downtime"));
                }
            }
        }
    }
    assert!(forced > 20, "the table has guests that have to be forced: {forced}");
}

fn keeps_to_its_bounds(model: &Model, course: &Course, case: &str) {
    assert!(course.elapsed_ms <= model.bounds.timeout_s * 1000, "{case}");
    let answered = course.answers.iter().filter(|answer| answer.action != "hold");
    for answer in answered {
        assert!(model.bounds.permits(&answer.action), "{case}: {}", answer.reason);
        assert!(answer.value.is_none_or(|ms| ms <= model.bounds.max_downtime_ms), "{case}: {}", answer.reason);
    }
    let suspended = course.steered.iter().any(|done| done.action == "suspend");
    if course.end == End::Moved && !suspended {
        assert!(course.downtime_ms <= model.bounds.max_downtime_ms.max(model.default_downtime_ms), "{case}");
    }
}

/// What converges by itself is left alone.
#[test]
fn a_transfer_that_converges_is_left_alone() {
    for dirty in [0, 5, 20, 40] {
        let course = Model { dirty_bytes_per_s: dirty * MIB, ..Model::default() }.run::<Adaptive>();
        assert_eq!((course.end, &course.steered[..]), (End::Moved, &[][..]), "{dirty}");
    }
}
