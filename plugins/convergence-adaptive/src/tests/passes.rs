//! Passes that are longer than the window, and what a transfer is told by their beginnings: made-up courses that are asked
//! about every second, and a table of guests and links on the model.

use waypost_plugin::testing::transfer::{End, Model, bounds, question_of, reading};
use waypost_plugin::testing::with_settings;
use waypost_plugin::{Bounds, Convergence, Sample, SteeringQuestion};

use super::{Adaptive, MIB};

const GIB: u64 = 1024 * MIB;

/// Part of a transfer: of that pass, beginning with so many MiB, so many of them are carried each second for so long.
#[derive(Debug, Clone, Copy)]
struct Leg {
    pass: u64,
    left: u64,
    rate: u64,
    seconds: u64,
}

/// A pass that carries all of it.
fn pass(pass: u64, left: u64, rate: u64) -> Leg {
    Leg { pass, left, rate, seconds: left / rate }
}

/// One reading a second, the first when the first leg begins.
fn course(legs: &[Leg]) -> Vec<Sample> {
    let (mut readings, mut moved) = (vec![], 0);
    for leg in legs {
        for second in 0..leg.seconds {
            readings.push(Sample {
                total_bytes: legs[0].left * MIB,
                processed_bytes: (moved + leg.rate * second) * MIB,
                bytes_per_s: Some(leg.rate * MIB),
                ..reading(1000 * readings.len() as u64, leg.pass, (leg.left - leg.rate * second) * MIB)
            });
        }
        moved += leg.rate * leg.seconds;
    }
    readings
}

/// What is asked with the newest of these readings: all passes, two minutes of readings, post-copy allowed.
fn asked(readings: &[Sample], change: impl Fn(&mut SteeringQuestion)) -> SteeringQuestion {
    let mut question = question_of(readings.to_vec());
    question.samples.drain(..readings.len().saturating_sub(240));
    question.transfer.post_copy = true;
    change(&mut question);
    question
}

/// The first order of a course, and the second at which it is given.
fn first_order(readings: &[Sample], change: impl Fn(&mut SteeringQuestion)) -> Option<(usize, String)> {
    (1..=readings.len()).find_map(|count| {
        let answer = Adaptive::decide(&asked(&readings[..count], &change));
        (answer.action != "hold").then_some((count - 1, answer.action))
    })
}

fn is_left_alone(legs: &[Leg]) {
    let readings = course(legs);
    assert_eq!(first_order(&readings, |_| ()), None, "{legs:?}");
    with_settings(r#"{"abort_after_s": 1, "last_resort": []}"#, || {
        assert_eq!(first_order(&readings, |_| ()), None, "{legs:?}: nobody gives it up");
    });
}

#[test]
fn a_long_first_pass_is_left_alone() {
    is_left_alone(&[pass(1, 100 * 1024, 110)]);
}

#[test]
fn passes_that_shrink_are_left_alone_however_long_they_are() {
    is_left_alone(&[pass(1, 10_000, 100), pass(2, 3000, 100), pass(3, 300, 100)]);
    is_left_alone(&[pass(1, 16 * 1024, 110), pass(2, 4 * 1024, 110), pass(3, 1024, 110)]);
    // By a twentieth each, which is more than the margin.
    is_left_alone(&[pass(1, 10_000, 100), pass(2, 9500, 100), pass(3, 9000, 100), pass(4, 8500, 100)]);
}

/// From the second pass on QEMU 9.2 counts every 5 s what was dirtied, where the guest may be slowed down, and each time begins a
/// pass.
#[test]
fn passes_that_begin_in_the_middle_are_judged_by_what_was_carried() {
    let counted = |falls: u64| -> Vec<Leg> {
        let legs = (0..60).map(|number| Leg { pass: number + 2, left: 51_200 - falls * number, rate: 110, seconds: 5 });
        [pass(1, 102_400, 110)].into_iter().chain(legs).collect()
    };
    // Half of what is carried is dirtied: 275 MiB less each time, in the window 2 % of what is left.
    is_left_alone(&counted(275));
    // The first pass is over after 930 s, and the second time it is counted is 5 s later.
    let order = first_order(&course(&counted(0)), |_| ());
    assert_eq!(order, Some((930 + 5 + 20, "post-copy".to_owned())), "all that is carried is dirtied");
}

/// The guest dirties at least what is carried: passes as long as the one before.
#[test]
fn a_guest_that_stalls_in_long_passes_is_brought_to_its_end() {
    let order = |legs: &[Leg]| first_order(&course(legs), |_| ());
    let all_of_it = [pass(1, 10_000, 100), pass(2, 10_000, 100)];
    assert_eq!(order(&all_of_it), Some((120, "post-copy".to_owned())), "a window after the second pass began");
    // A part of it: that the second pass is shorter than the first is the end of the good news.
    let part = [pass(1, 16 * 1024, 128), pass(2, 4096, 128), pass(3, 4096, 128)];
    assert_eq!(order(&part), Some((128 + 32 + 20, "post-copy".to_owned())), "a window after the third pass began");
    with_settings(r#"{"abort_after_s": 30, "last_resort": []}"#, || {
        assert_eq!(order(&part), Some((128 + 32 + 30, "abort".to_owned())), "stalling counts from the third pass on");
    });
}

#[test]
fn a_bandwidth_that_collapses_is_no_stall_and_ends_in_time() {
    let collapses = [
        Leg { pass: 1, left: 16 * 1024, rate: 110, seconds: 60 },
        Leg { pass: 1, left: 16 * 1024 - 6600, rate: 5, seconds: 1000 },
    ];
    let order = |timeout_s: u64, permitted: &[&str]| {
        first_order(&course(&collapses), |question| {
            question.bounds.timeout_s = timeout_s;
            question.bounds.permitted = permitted.iter().map(|&action| action.to_owned()).collect();
        })
    };
    assert_eq!(order(3600, &["post-copy", "suspend"]), None, "the pass goes on");
    // What is left takes longer than the time: the first half of it is the transfer's own.
    assert_eq!(order(900, &["post-copy", "suspend"]), Some((450, "post-copy".to_owned())));
    assert_eq!(order(900, &["suspend"]), Some((450, "suspend".to_owned())));
    // In a later pass, and the guest dirties more in it than it began with.
    let later = [
        pass(1, 10_000, 100),
        Leg { pass: 2, left: 3000, rate: 100, seconds: 10 },
        Leg { pass: 2, left: 2000, rate: 10, seconds: 200 },
        Leg { pass: 3, left: 6300, rate: 10, seconds: 60 },
    ];
    let order = first_order(&course(&later), |_| ());
    assert_eq!(order, Some((330, "post-copy".to_owned())), "a window after the third pass began");
}

#[test]
fn where_nothing_has_moved_for_a_window_no_order_is_given() {
    let mut readings = course(&[pass(1, 10_000, 100), pass(2, 10_000, 100)]);
    readings.truncate(115);
    let cut = readings[114].clone();
    readings.extend((115..3600).map(|second| Sample { elapsed_ms: second * 1000, ..cut.clone() }));
    let held = |count: usize| Adaptive::decide(&asked(&readings[..count], |_| ()));
    for count in [136, 200, 3500] {
        let answer = held(count);
        assert_eq!(answer.action, "hold", "at {count} s");
        assert!(answer.reason.contains("nothing moves"), "{}", answer.reason);
    }
}

/// Bytes are moved, and none of those that are left.
#[test]
fn a_pass_in_which_what_is_left_stays_the_same_is_a_stall() {
    let mut readings = course(&[pass(1, 10_000, 100)]);
    for reading in &mut readings[50..] {
        reading.remaining_bytes = 5000 * MIB;
    }
    assert_eq!(first_order(&readings, |_| ()), Some((70, "post-copy".to_owned())));
}

/// Before the destination is ready nothing is counted, and that is no pass of 0 bytes that no other can undercut.
#[test]
fn readings_before_the_first_pass_count_for_nothing() {
    let ready =
        |number: Option<u64>| Sample { total_bytes: 0, processed_bytes: 0, iteration: number, ..reading(0, 0, 0) };
    for number in [Some(0), None] {
        let mut readings = vec![ready(number)];
        readings.extend(course(&[pass(1, 10_000, 100), pass(2, 3000, 100), pass(3, 900, 100)]));
        for (second, reading) in readings.iter_mut().enumerate() {
            reading.elapsed_ms = second as u64 * 1000;
            reading.iteration = reading.iteration.filter(|_| number.is_some());
        }
        assert_eq!(first_order(&readings, |_| ()), None, "{number:?}");
    }
}

#[test]
fn passes_that_nobody_numbers_begin_where_more_is_left() {
    let unnumbered = |legs: &[Leg]| {
        let mut readings = course(legs);
        for reading in &mut readings {
            reading.iteration = None;
        }
        first_order(&readings, |_| ())
    };
    assert_eq!(unnumbered(&[pass(1, 9000, 100), pass(2, 3000, 100), pass(3, 900, 100)]), None);
    let same = [pass(1, 9000, 100), pass(2, 3000, 100), pass(3, 3000, 100)];
    assert_eq!(unnumbered(&same), Some((140, "post-copy".to_owned())));
}

/// A controller that is restarted in the middle of a pass reads little as its first: no later pass has to undercut that.
#[test]
fn a_transfer_that_was_taken_over_in_the_middle_of_a_pass_is_left_alone() {
    let readings = course(&[pass(1, 10_000, 100), pass(2, 3000, 100), pass(3, 900, 100)]);
    assert_eq!(first_order(&readings[95..], |_| ()), None);
}

/// Whatever the memory, the link and the guest's writing: what converges gets no order but a downtime. What does not is forced
/// to its end 45 s at the latest after the first pass that is no smaller than the one before, which is the third: a window and
/// the search for a local minimum are 40 s. Where passes take less than 25 s it may be later: the model is read once a second,
/// and a pass of which the first second was missed looks clearly smaller, until none is read later.
#[test]
fn what_converges_is_left_alone_and_what_does_not_is_brought_to_its_end() {
    let (mut alone, mut forced) = (0, 0);
    for (gib, link) in [(1, 50), (4, 110), (16, 110), (16, 1100), (100, 110), (100, 1100)] {
        for dirty_percent in [0, 10, 60, 90, 100, 130, 1000] {
            for written_percent in [10, 40, 100] {
                let model = Model {
                    memory_bytes: gib * GIB,
                    working_set_bytes: gib * GIB / 100 * written_percent,
                    dirty_bytes_per_s: link * MIB / 100 * dirty_percent,
                    link_bytes_per_s: link * MIB,
                    bounds: Bounds { max_downtime_ms: 300, timeout_s: 10_000_000, ..bounds() },
                    ..Model::default()
                };
                let course = with_settings(r#"{"throttle": false}"#, || model.run::<Adaptive>());
                let case =
                    format!("{gib} GiB, {link} MiB/s, {dirty_percent} %, {written_percent} %: {:?}", course.steered);
                assert_eq!(course.end, End::Moved, "{case}");
                if dirty_percent <= 90 {
                    assert!(course.steered.iter().all(|done| done.action == "set-downtime"), "{case}");
                    alone += 1;
                } else {
                    let first_s = gib * 1024 / link;
                    let second_s = first_s * written_percent / 100;
                    let missed_s = if second_s < 25 { 25 + second_s } else { 0 };
                    let latest_s = (first_s + second_s + missed_s + 45).max(60 + 20);
                    let at =
                        course.steered.iter().find(|done| done.action == "post-copy").map(|done| done.at_ms / 1000);
                    assert!(at.is_some_and(|at| at <= latest_s), "by {latest_s} s: {case}");
                    forced += 1;
                }
            }
        }
    }
    assert!(alone > 0 && forced > 0, "{alone}, {forced}");
}
