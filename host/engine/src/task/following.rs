//! A post-copy that was left alone. Its source says that it broke because whoever drove it is gone - the client of a direct
//! migration, the destination's daemon - while both hypervisors bring it to its end by themselves. The same two states are
//! shown where the way was cut and the destination hasn't noticed yet. What tells the two apart is whether bytes move: as long
//! as they do there is nothing to join, nothing to try, and nobody to call, however much memory is still to come.

use std::time::Duration;

use tokio::time::Instant;
use waypost_core::plan::Plan;
use waypost_core::sample::Sample;
use waypost_core::situation::Situation;

use super::Task;
use super::recovering::wanted;
use crate::error::EngineError;

/// It takes so many looks to see that nothing moves: the figures of one are held against those of the one before.
const LOOKS: u32 = 2;

/// Watches a post-copy that was left alone for as long as it moves. Gives what both sides show when that is something else
/// than before, and nothing where nothing moves, or nobody can tell: then it is the policy's turn. Nothing goes on record:
/// whoever takes the task over meanwhile looks, and comes here again.
pub(super) async fn follow(task: &mut Task, plan: &Plan, before: &Situation) -> Result<Option<Situation>, EngineError> {
    if !before.is_left_alone(plan) {
        return Ok(None);
    }
    let settings = task.ports().settings();
    let mut flow = Flow::new(Instant::now(), settings.look_every * LOOKS, settings.stall_after);
    loop {
        let hypervisor = task.ports().hypervisor.clone();
        // A host that can't say is looked at again in a moment, and shows it then.
        let sample = hypervisor.sample(&plan.source.host, plan.domain).await.ok().flatten();
        if !flow.goes_on(sample.as_ref(), Instant::now()) {
            return Ok(None);
        }
        if let Some(sample) = sample.filter(|_| flow.moves) {
            task.recorder.note("nobody drives the post-copy any more, and its memory goes on: watching");
            task.recorder.reading(sample);
        }
        tokio::select! {
            () = tokio::time::sleep(settings.look_every) => {}
            () = wanted(task) => { task.note_cancel()?; }
        }
        let now = task.look(plan).await;
        if now != *before {
            return Ok(Some(now));
        }
    }
}

/// Whether bytes move.
struct Flow {
    /// Processed and remaining bytes of the last reading.
    last: Option<(u64, u64)>,
    /// When they last moved; at first, since when that is watched.
    since: Instant,
    /// They did.
    moves: bool,
    /// How long nothing may move at first.
    first: Duration,
    /// And once something has moved.
    patience: Duration,
}

impl Flow {
    fn new(now: Instant, first: Duration, patience: Duration) -> Self {
        Self { last: None, since: now, moves: false, first, patience: patience.max(first) }
    }

    /// Takes a reading, or that there is none, and says whether to go on watching.
    fn goes_on(&mut self, sample: Option<&Sample>, now: Instant) -> bool {
        if let Some(sample) = sample {
            let figures = (sample.processed_bytes, sample.remaining_bytes);
            if self.last.is_some_and(|(processed, left)| figures.0 > processed || figures.1 < left) {
                (self.moves, self.since) = (true, now);
            }
            self.last = Some(figures);
        }
        let most = if self.moves { self.patience } else { self.first };
        now.duration_since(self.since) < most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(1);
    const PATIENCE: Duration = Duration::from_secs(20);

    fn left(remaining_bytes: u64) -> Sample {
        Sample { processed_bytes: 1000 - remaining_bytes, remaining_bytes, ..Sample::default() }
    }

    #[test]
    fn what_moves_is_watched_for_ever_and_what_stands_as_long_as_it_may() {
        let begin = Instant::now();
        let at = |ms: u64| begin + Duration::from_millis(ms);
        let mut flow = Flow::new(begin, FIRST, PATIENCE);
        for second in 0..500 {
            assert!(flow.goes_on(Some(&left(1000 - second)), at(second * 900)), "{second}");
        }
        assert!(flow.moves);
        let stands = 499 * 900;
        assert!(flow.goes_on(Some(&left(501)), at(stands + 19_999)));
        assert!(!flow.goes_on(Some(&left(501)), at(stands + 20_000)));
    }

    #[test]
    fn what_never_moved_is_not_waited_for() {
        let begin = Instant::now();
        for reading in [Some(left(700)), None] {
            let mut flow = Flow::new(begin, FIRST, PATIENCE);
            assert!(flow.goes_on(reading.as_ref(), begin));
            assert!(flow.goes_on(reading.as_ref(), begin + FIRST / 2));
            assert!(!flow.goes_on(reading.as_ref(), begin + FIRST), "{reading:?}");
            assert!(!flow.moves);
        }
    }

    #[test]
    fn pages_that_are_sent_again_are_bytes_that_move() {
        let begin = Instant::now();
        let mut flow = Flow::new(begin, FIRST, PATIENCE);
        assert!(flow.goes_on(Some(&left(700)), begin));
        let again = Sample { processed_bytes: 400, ..left(700) };
        assert!(flow.goes_on(Some(&again), begin + FIRST), "the remaining stays, and more was processed");
        assert!(flow.moves);
    }
}
