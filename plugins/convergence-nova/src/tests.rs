//! The ladder against the figures that Nova's own arithmetic gives, its two ends, and what is ours beside them.

use waypost_plugin::testing::transfer::{
    End, Model, bounds, done, opening_question, question_of, reading, steering_question_with,
};
use waypost_plugin::testing::with_settings;
use waypost_plugin::{Bounds, Sample};

use super::*;

/// Asked at that second, with these downtimes set before.
fn at(seconds: u64, change: impl FnOnce(&mut SteeringQuestion)) -> SteeringAnswer {
    Nova::decide(&steering_question_with(|question| {
        question.elapsed_ms = seconds * 1000;
        question.bounds.timeout_s = 100_000;
        change(question);
    }))
}

#[test]
fn the_ladder_has_eleven_points() {
    let settings = Settings::default();
    let ladder: Vec<u64> = (0..=10).map(|step| settings.step_ms(step)).collect();
    assert_eq!(ladder, [50, 95, 140, 185, 230, 275, 320, 365, 410, 455, 500]);
    // The example in Nova's own text: 10 steps up to 400 ms.
    let settings = Settings { downtime_ms: 400, ..settings };
    let ladder: Vec<u64> = (0..=10).map(|step| settings.step_ms(step)).collect();
    assert_eq!(ladder, [40, 76, 112, 148, 184, 220, 256, 292, 328, 364, 400]);
}

/// 4 GiB: a step every 300 s.
#[test]
fn each_step_comes_after_its_delay() {
    let mut steered = vec![];
    let mut taken = vec![];
    for second in 1..=3199 {
        let answer = at(second, |question| question.steered.clone_from(&steered));
        if let Some(ms) = answer.value {
            taken.push((second, ms));
            steered.push(done(second * 1000, "set-downtime", Some(ms)));
        }
    }
    let expected = [
        (1, 50),
        (301, 95),
        (601, 140),
        (901, 185),
        (1201, 230),
        (1501, 275),
        (1801, 320),
        (2101, 365),
        (2401, 410),
        (2701, 455),
        (3001, 500),
    ];
    assert_eq!(taken, expected);
}

#[test]
fn it_opens_with_the_first_step() {
    let opening = Nova::open(&opening_question());
    assert_eq!((opening.max_downtime_ms, opening.auto_converge), (Some(50), None));
    let forced = with_settings(r#"{"auto_converge":true}"#, || Nova::open(&opening_question()));
    assert_eq!(forced.auto_converge, Some(true));
    let set = at(1, |question| question.transfer.max_downtime_ms = Some(50));
    assert_eq!(set.action, "hold", "it opened so already");
}

#[test]
fn small_domains_count_as_two_gib_and_disks_count_too() {
    let gib = |memory: u64, copy: &str, total: u64| {
        let mut question = question_of(vec![Sample { total_bytes: total, ..reading(1000, 1, 1) }]);
        question.transfer.memory_bytes = memory;
        question.transfer.disk_copy = copy.into();
        data_gib(&question)
    };
    assert_eq!(gib(GIB / 4, "none", GIB / 4), 2);
    assert_eq!(gib(9 * GIB - 1, "none", 9 * GIB), 8);
    assert_eq!(gib(4 * GIB, "full", 24 * GIB), 24);
    assert_eq!(gib(4 * GIB, "incremental", 4 * GIB + 1), 6);
    assert_eq!(gib(4 * GIB, "none", 24 * GIB), 4);
}

#[test]
fn it_ends_after_800_s_for_each_gib() {
    assert_ne!(at(3200, |_| {}).action, "abort");
    assert_eq!(at(3201, |_| {}).action, "abort");
    with_settings(r#"{"timeout_action":"force_complete"}"#, || {
        assert_eq!(at(3201, |_| {}).action, "post-copy");
        let without =
            |question: &mut SteeringQuestion| question.bounds.permitted.retain(|action| action != "post-copy");
        assert_eq!(at(3201, without).action, "suspend");
        let ordered = |question: &mut SteeringQuestion| question.steered = vec![done(3_200_500, "suspend", None)];
        assert_eq!(at(3202, ordered).action, "hold");
        assert_eq!(at(3202, |question| question.bounds.permitted.clear()).action, "hold");
    });
    with_settings(r#"{"completion_timeout_s":0}"#, || assert_eq!(at(90_000, |_| {}).value, Some(500)));
}

#[test]
fn nothing_is_done_in_post_copy_and_nothing_beyond_the_bound() {
    let running = |question: &mut SteeringQuestion| {
        question.samples = vec![Sample { stage: "post-copy".into(), ..reading(1000, 1, 1) }];
    };
    assert_eq!(at(9000, running).action, "hold");
    assert_eq!(at(3001, |question| question.bounds.max_downtime_ms = 120).value, Some(120));
    let unable = |question: &mut SteeringQuestion| question.bounds.permitted.retain(|action| action != "set-downtime");
    assert_eq!(at(301, unable).action, "hold");
}

#[test]
fn settings_are_held_to_what_is_known() {
    for right in ["", "{}", r#"{"downtime_ms":100,"downtime_steps":3,"downtime_delay_s":3,"timeout_action":"abort"}"#] {
        assert_eq!(Nova::validate_settings(right), Ok(()), "{right}");
    }
    for wrong in [
        r#"{"downtime_ms":99}"#,
        r#"{"downtime_steps":2}"#,
        r#"{"downtime_steps":1001}"#,
        r#"{"downtime_delay_s":2}"#,
        r#"{"timeout_action":"pause"}"#,
        r#"{"downtime":1}"#,
        "[]",
    ] {
        assert!(Nova::validate_settings(wrong).is_err(), "{wrong}");
    }
}

/// On the model of a guest that never converges.
#[test]
fn a_transfer_that_does_not_converge_is_ended() {
    let model = |permitted: &[&str]| Model {
        dirty_bytes_per_s: 20_000 << 20,
        bounds: Bounds {
            timeout_s: 10_000,
            permitted: permitted.iter().map(|&action| action.to_owned()).collect(),
            ..bounds()
        },
        ..Model::default()
    };
    assert_eq!(model(&["set-downtime", "abort"]).run::<Nova>().end, End::Aborted);
    with_settings(r#"{"timeout_action":"force_complete"}"#, || {
        for permitted in [["set-downtime", "post-copy"], ["set-downtime", "suspend"]] {
            let course = model(&permitted).run::<Nova>();
            assert_eq!(course.end, End::Moved, "{permitted:?}");
            assert!(course.steered.iter().all(|done| done.value.is_none_or(|ms| ms <= 2000)), "{:?}", course.steered);
        }
    });
}
