//! Sees that a transfer stands still although the source answers: the way of the memory is cut while control lives, which
//! libvirt alone notices after TCP's own many minutes.

use std::time::Duration;

use tokio::time::Instant;
use waypost_core::plan::Plan;
use waypost_core::sample::{Sample, Stage};

use super::helm::Demand;
use crate::settings::Settings;

/// What the readings of one transfer told of its movement.
#[derive(Debug, Clone)]
pub(super) struct Watchdog {
    last: Option<Seen>,
    /// When a reading last told of movement, and when the last one came.
    since: Instant,
    read: Instant,
    barked: bool,
    /// Something moved between two readings.
    moved: bool,
}

/// Bytes processed and remaining, and the stage.
type Seen = (u64, u64, Stage);

/// A transfer that began, and of which so long nothing moved, stands still: eight readings, as they come.
const STANDS_STILL: Duration = Duration::from_secs(2);

/// So many readings without movement are more than chance: one is due any moment, and one may have come just before it.
const RESTS: u32 = 3;

/// What a transfer does as far as its readings tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Moves,
    /// Not enough is known.
    Rests,
    StandsStill,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { last: None, since: now, read: now, barked: false, moved: false }
    }

    /// Of a transfer of which so far nothing was moved, nothing is under way that could be waited for; and where no readings come
    /// it is not known to stand still.
    pub(super) fn pace(&self, now: Instant, sample_every: Duration) -> Pace {
        let still = self.read.duration_since(self.since);
        match self.last {
            None | Some((0, ..)) => Pace::Moves,
            Some(_) if now.duration_since(self.read) >= STANDS_STILL => Pace::Moves,
            Some(_) if self.barked || still >= STANDS_STILL => Pace::StandsStill,
            Some(_) if !self.moved || still >= RESTS * sample_every => Pace::Rests,
            Some(_) => Pace::Moves,
        }
    }

    pub(super) fn look(&mut self, settings: &Settings, plan: &Plan, sample: &Sample, now: Instant) -> Option<Demand> {
        // The destination may have to make all of its memory and disks ready before it takes the first byte: a second per GiB.
        let begun = sample.processed_bytes > 0;
        let ready = match begun {
            true => Duration::ZERO,
            false => {
                let disks: u64 = plan.copies.0.iter().map(|disk| disk.capacity_bytes).sum();
                Duration::from_secs(plan.memory_bytes.unwrap_or(0).saturating_add(disks) >> 30)
            }
        };
        let patience = settings.stall_after + ready;
        if !self.barks((sample.processed_bytes, sample.remaining_bytes, sample.stage), patience, now) {
            return None;
        }
        let why = format!(
            "no byte moved for {} s, {} of {} bytes were sent: is the way between {} and {} open?",
            patience.as_secs(),
            sample.processed_bytes,
            sample.total_bytes,
            plan.source.host,
            plan.destination.host
        );
        Some(match sample.stage {
            Stage::PostCopy => Demand::Interrupt(why),
            Stage::Disks | Stage::PreCopy | Stage::Final => Demand::Stalled(why),
        })
    }

    /// Takes in what was read; whether it is to be told now that nothing has moved for so long.
    fn barks(&mut self, seen: Seen, patience: Duration, now: Instant) -> bool {
        if !self.sees(seen, now) || self.barked || now.duration_since(self.since) < patience {
            return false;
        }
        let (.., stage) = seen;
        // An interruption that was refused is asked for again, an ending is pursued by who ends.
        (self.since, self.barked) = (now, stage != Stage::PostCopy);
        true
    }

    /// Takes in what was read; whether nothing moved since what was read before. More that remains is no movement: a guest writes
    /// to its memory and to the disks that are copied while nothing of them gets through. The first that is told of it is some: the
    /// source is over with its preparation then.
    fn sees(&mut self, seen: Seen, now: Instant) -> bool {
        let (processed, left, stage) = seen;
        let begins = |last: Seen| (last.0, last.1) == (0, 0) && left > 0;
        let moves = self.last.is_none_or(|last| processed > last.0 || left < last.1 || stage != last.2 || begins(last));
        self.read = now;
        if moves {
            self.moved |= self.last.is_some();
            (self.since, self.barked) = (now, false);
        }
        self.last = Some(seen);
        !moves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_told_from_readings_that_differ_and_from_the_time_since() {
        let every = Duration::from_millis(250);
        let rest = RESTS * every;
        let at = |processed_bytes, stage| (processed_bytes, 1000, stage);
        let began = Instant::now();
        let mut watchdog = Watchdog::new();
        assert_eq!(watchdog.pace(began + STANDS_STILL, every), Pace::Moves, "nothing is under way yet");
        assert!(!watchdog.sees(at(0, Stage::PreCopy), began));
        assert_eq!(watchdog.pace(began + STANDS_STILL, every), Pace::Moves, "nothing is under way yet");
        let mut taken_over = Watchdog::new();
        assert!(!taken_over.sees(at(500, Stage::PreCopy), began));
        assert_eq!(taken_over.pace(began, every), Pace::Rests, "one reading tells nothing of movement");
        assert_eq!(taken_over.pace(began + STANDS_STILL, every), Pace::Moves, "no reading came since");
        assert!(taken_over.sees(at(500, Stage::PreCopy), began + STANDS_STILL));
        assert_eq!(taken_over.pace(began + STANDS_STILL, every), Pace::StandsStill);
        assert!(!watchdog.sees(at(500, Stage::PreCopy), began));
        assert_eq!(watchdog.pace(began, every), Pace::Moves);
        assert!(watchdog.sees(at(500, Stage::PreCopy), began + rest));
        assert_eq!(watchdog.pace(began + rest, every), Pace::Rests);
        assert!(watchdog.sees(at(500, Stage::PreCopy), began + STANDS_STILL));
        assert_eq!(watchdog.pace(began + STANDS_STILL, every), Pace::StandsStill);
        assert!(!watchdog.sees(at(501, Stage::PreCopy), began + STANDS_STILL));
        assert_eq!(watchdog.pace(began + STANDS_STILL, every), Pace::Moves);
    }

    /// When it barks in two minutes of such readings, four a second, s.
    fn barks(patience: Duration, reading: impl Fn(u64) -> Seen) -> Vec<u64> {
        let began = Instant::now();
        let mut watchdog = Watchdog::new();
        let at = |nth: u64| began + Duration::from_millis(250 * nth);
        (0..480).filter(|nth| watchdog.barks(reading(*nth), patience, at(*nth))).map(|nth| nth / 4).collect()
    }

    #[test]
    fn a_guest_that_writes_over_a_cut_way_does_not_put_it_off() {
        let patience = Duration::from_secs(20);
        for stage in [Stage::Disks, Stage::PreCopy] {
            assert_eq!(barks(patience, |nth| (500, 1000 + nth, stage)), [20], "{stage:?}: more and more remains");
            assert_eq!(barks(patience, |_| (500, 1000, stage)), [20], "{stage:?}: nothing changes");
        }
        // Interrupted again and again, until the host takes it.
        assert_eq!(barks(patience, |_| (500, 1000, Stage::PostCopy)), [20, 40, 60, 80, 100]);
    }

    #[test]
    fn a_transfer_that_moves_is_no_matter_of_the_watchdog() {
        let patience = Duration::from_secs(20);
        assert_eq!(
            barks(patience, |nth| (500 + nth, 1000 + nth, Stage::PreCopy)),
            [],
            "the guest writes more than is sent"
        );
        // A pass begins every 15 s, and what is sent is counted elsewhere.
        assert_eq!(
            barks(patience, |nth| (500, 1000 - nth % 60, Stage::PreCopy)),
            [],
            "what remains falls, and rises at once"
        );
        let told = |nth: u64| if nth < 60 { 0 } else { 1000 };
        assert_eq!(
            barks(patience, |nth| (0, told(nth), Stage::PreCopy)),
            [35],
            "what there is to send is told after 15 s"
        );
        let stages = |nth: u64| if nth < 60 { Stage::Disks } else { Stage::PreCopy };
        assert_eq!(barks(patience, |nth| (500, 1000, stages(nth))), [35], "another stage begins after 15 s");
    }
}
