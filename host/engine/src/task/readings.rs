//! The readings of a running transfer that a convergence policy is told of: not all of them, and all that tell something.

use std::collections::VecDeque;

use waypost_core::convergence::{HISTORY, SPACING_MS};
use waypost_core::sample::Sample;

/// Passes over the memory that a policy is told of: of a transfer that has more, the first and the last ones.
pub(super) const PASSES: usize = 1000;

/// Notes the passes that a reading tells of: its own, where it is the first of it, and those before that began and were over
/// since the reading before. What was left when those began nobody has read; this reading is the first since, so it stands
/// for them. Numbers only grow, whatever order events and readings come in.
///
/// QEMU numbers a pass before it counts what is dirty, so that a reading in between has the number of this pass and the rest of
/// the one before. A later one of the pass that has more left stands for it then: within a pass nothing grows.
pub(super) fn note_passes(passes: &mut Vec<Sample>, begun: &mut Vec<u64>, sample: &Sample) {
    if let Some(last) = passes.last_mut()
        && sample.iteration.is_some()
        && last.iteration == sample.iteration
        && last.remaining_bytes < sample.remaining_bytes
    {
        *last = sample.clone();
    }
    let over: Vec<u64> = begun.extract_if(.., |number| Some(*number) <= sample.iteration).collect();
    for number in over.into_iter().map(Some).chain([sample.iteration]) {
        if passes.last().is_some_and(|last| last.iteration >= number) {
            continue;
        }
        if passes.len() == PASSES {
            passes.remove(PASSES / 2);
        }
        passes.push(Sample { iteration: number, ..sample.clone() });
    }
}

/// Keeps a reading: the newest, and before it two minutes of them at a distance.
pub(super) fn keep(samples: &mut VecDeque<Sample>, sample: &Sample) {
    let mut newest = samples.iter().rev().map(|sample| sample.elapsed_ms);
    let too_soon = matches!((newest.next(), newest.next()), (Some(last), Some(before)) if last.saturating_sub(before) < SPACING_MS);
    if too_soon {
        samples.pop_back();
    } else if samples.len() == HISTORY {
        samples.pop_front();
    }
    samples.push_back(sample.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_minutes_of_readings_are_kept_however_often_it_is_read() {
        for every_ms in [100, 250, 500, 1000] {
            let mut samples = VecDeque::new();
            for at in (0..=600_000).step_by(every_ms) {
                keep(&mut samples, &Sample { elapsed_ms: at, ..Sample::default() });
            }
            let times: Vec<u64> = samples.iter().map(|sample| sample.elapsed_ms).collect();
            assert!(times.len() <= HISTORY && times.last() == Some(&600_000), "every {every_ms} ms: {times:?}");
            assert!(times[0] <= 600_000 - 118_000, "every {every_ms} ms it begins at {}", times[0]);
            assert!(times[..times.len() - 1].windows(2).all(|pair| pair[1] - pair[0] >= SPACING_MS));
        }
    }

    fn numbers(passes: &[Sample]) -> Vec<Option<u64>> {
        passes.iter().map(|pass| pass.iteration).collect()
    }

    fn reading(iteration: Option<u64>, remaining_bytes: u64) -> Sample {
        Sample { iteration, remaining_bytes, ..Sample::default() }
    }

    #[test]
    fn a_pass_that_was_over_before_anything_was_read_is_told_with_the_next_reading() {
        let (mut passes, mut begun) = (Vec::new(), vec![1]);
        note_passes(&mut passes, &mut begun, &reading(Some(1), 900));
        note_passes(&mut passes, &mut begun, &reading(Some(1), 500));
        assert_eq!(numbers(&passes), [Some(1)]);
        // The reading was on its way when the last of these was told.
        begun.extend([2, 3, 4, 5]);
        note_passes(&mut passes, &mut begun, &reading(Some(4), 70));
        assert_eq!(numbers(&passes), [1, 2, 3, 4].map(Some));
        assert_eq!(passes.iter().map(|pass| pass.remaining_bytes).collect::<Vec<_>>(), [900, 70, 70, 70]);
        assert_eq!(begun, [5]);
        note_passes(&mut passes, &mut begun, &reading(Some(3), 10));
        assert_eq!(numbers(&passes), [1, 2, 3, 4].map(Some), "no number comes twice or falls");
        note_passes(&mut passes, &mut begun, &reading(Some(6), 60));
        assert_eq!(numbers(&passes), [1, 2, 3, 4, 5, 6].map(Some));
        assert_eq!(begun, []);
    }

    #[test]
    fn a_reading_of_a_pass_that_is_not_counted_yet_does_not_stand_for_it() {
        let (mut passes, mut begun) = (Vec::new(), Vec::new());
        for (number, left) in [(1, 900), (1, 3), (2, 3), (2, 300), (2, 200)] {
            note_passes(&mut passes, &mut begun, &reading(Some(number), left));
        }
        assert_eq!(passes, [reading(Some(1), 900), reading(Some(2), 300)]);
        // A hypervisor that numbers nothing has one pass as far as anybody knows.
        let (mut passes, mut begun) = (Vec::new(), Vec::new());
        for left in [900, 3, 1000] {
            note_passes(&mut passes, &mut begun, &reading(None, left));
        }
        assert_eq!(passes, [reading(None, 900)]);
    }

    #[test]
    fn of_many_passes_the_first_and_the_last_are_kept() {
        let (mut passes, mut begun) = (Vec::new(), Vec::new());
        for number in 1..=3 * PASSES as u64 {
            note_passes(&mut passes, &mut begun, &reading(Some(number), 1));
        }
        assert_eq!(passes.len(), PASSES);
        assert_eq!((passes[0].iteration, passes[PASSES - 1].iteration), (Some(1), Some(3 * PASSES as u64)));
    }
}
