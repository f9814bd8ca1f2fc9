//! What the readings say: how fast the link is, how much a switch-over would have to carry, and whether that still shrinks.
//!
//! Within a pass the remaining bytes shrink in any case, and at its end they jump up by what was dirtied meanwhile. So of
//! convergence only the beginnings of passes tell: that much had to be moved at least. A pass that begins with clearly less
//! than the least before is progress, and a pass under way is none the worse for being long: what comes after it is not known
//! before it ends. Clearly less is measured by what was at stake: the least before, or where less than that was carried since,
//! by that: QEMU from 9.2 on counts what was dirtied in the middle of long passes, too, and each time begins a pass.
//!
//! What the first pass begins with is the whole, whatever its first reading says: a controller that was restarted reads it in
//! the middle of a pass.

use waypost_plugin::{Sample, SteeringQuestion};

/// Nothing gets smaller any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// The least that a pass began with, or what is left and stays the same.
    pub best_bytes: u64,
    /// How long ago a pass began with no less, or this was left first, ms.
    pub for_ms: u64,
    /// What is left stays the same, in the middle of a pass.
    pub in_pass: bool,
}

/// When a pass began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Beginning {
    at_ms: u64,
    /// With how much to move, bytes.
    left: u64,
    /// Moved by then, bytes.
    processed: u64,
}

/// The newest estimate of the bandwidth, bytes/s: of what was moved between two readings, newer ones weighing more. With
/// one reading alone it is what the hypervisor tells. None: nothing moves.
pub fn bandwidth(samples: &[Sample], newest_percent: u64) -> Option<u64> {
    let mut estimate: Option<u128> = None;
    for pair in samples.windows(2) {
        let ms = pair[1].elapsed_ms.saturating_sub(pair[0].elapsed_ms);
        let moved = pair[1].processed_bytes.saturating_sub(pair[0].processed_bytes);
        if ms == 0 {
            continue;
        }
        let rate = u128::from(moved) * 1000 / u128::from(ms);
        let weight = u128::from(newest_percent);
        estimate = Some(estimate.map_or(rate, |before| (before * (100 - weight) + rate * weight) / 100));
    }
    let told = || samples.last().and_then(|sample| sample.bytes_per_s);
    estimate.and_then(|rate| u64::try_from(rate).ok()).or_else(told).filter(|rate| *rate > 0)
}

/// The bandwidth over the whole window, bytes/s. None: nothing moved, or there are no two readings in it.
pub fn sustained(samples: &[Sample], window_ms: u64) -> Option<u64> {
    let newest = samples.last()?;
    let first = samples.iter().find(|sample| sample.elapsed_ms.saturating_add(window_ms) >= newest.elapsed_ms)?;
    let ms = newest.elapsed_ms.checked_sub(first.elapsed_ms).filter(|ms| *ms > 0)?;
    let moved = newest.processed_bytes.saturating_sub(first.processed_bytes);
    Some(moved.saturating_mul(1000) / ms).filter(|rate| *rate > 0)
}

/// Whether nothing at all was moved in the last window.
pub fn stands_still(samples: &[Sample], window_ms: u64) -> bool {
    let Some(newest) = samples.last() else { return true };
    let before = samples.iter().rev().find(|sample| sample.elapsed_ms.saturating_add(window_ms) <= newest.elapsed_ms);
    before.is_some_and(|before| newest.processed_bytes <= before.processed_bytes)
}

/// What a switch-over would have to carry as things are, bytes: the least that one of the last passes began with, or what is
/// left now where no second pass has begun.
pub fn burden(question: &SteeringQuestion) -> u64 {
    let passes = beginnings(question);
    let recent = passes.iter().skip(1).rev().take(3).map(|pass| pass.left).min();
    recent.or(question.newest().map(|newest| newest.remaining_bytes)).unwrap_or(0)
}

/// What the rest comes to at worst, bytes: what is left now, and another pass as large as the last.
pub fn rest(question: &SteeringQuestion) -> u64 {
    let left = question.newest().map_or(0, |newest| newest.remaining_bytes);
    let last = beginnings(question).get(1..).and_then(<[Beginning]>::last).map_or(0, |pass| pass.left);
    left.saturating_add(last)
}

/// Whether for a window no pass has begun with less than one before; or what is left stays the same in the middle of a pass.
pub fn stall(question: &SteeringQuestion, window_ms: u64, margin_percent: u64) -> Option<Stall> {
    let now = question.newest()?.elapsed_ms;
    let begins = now.checked_sub(window_ms)?;
    let passes = beginnings(question);
    let (first, later) = passes.split_first()?;
    let (mut best, mut since) = (first, None);
    for pass in later {
        if shrank(best, pass, margin_percent) {
            (best, since) = (pass, None);
        } else if pass.processed > best.processed {
            // Not before a pass has begun with no less is there anything to hold against the transfer.
            since.get_or_insert(pass.at_ms);
        }
    }
    if let Some(since) = since.filter(|since| *since <= begins) {
        return Some(Stall { best_bytes: best.left, for_ms: now - since, in_pass: false });
    }
    // Since the last rise: within one pass.
    let falling = question.samples.chunk_by(|before, after| after.remaining_bytes <= before.remaining_bytes).last()?;
    let left = falling.last()?.remaining_bytes;
    let reached = falling.iter().find(|sample| sample.remaining_bytes == left)?.elapsed_ms;
    (left > 0 && reached <= begins).then(|| Stall { best_bytes: left, for_ms: now - reached, in_pass: true })
}

/// The passes that began so far, oldest first. Where the hypervisor doesn't number them, one begins where more is left than
/// before.
fn beginnings(question: &SteeringQuestion) -> Vec<Beginning> {
    // Before the first pass, while the destination gets ready, nothing is left because nothing was counted.
    let counts = |sample: &&Sample| sample.total_bytes > 0 && sample.iteration != Some(0);
    let numbered = question.newest().is_some_and(|newest| newest.iteration.is_some());
    let first_readings: Vec<&Sample> = if numbered {
        question.passes.iter().filter(counts).collect()
    } else {
        let readings: Vec<&Sample> = question.samples.iter().filter(counts).collect();
        let rises = readings.windows(2).filter(|pair| pair[1].remaining_bytes > pair[0].remaining_bytes);
        readings.first().copied().into_iter().chain(rises.map(|pair| pair[1])).collect()
    };
    let beginning = |(number, sample): (usize, &Sample)| Beginning {
        at_ms: sample.elapsed_ms,
        left: if number == 0 { sample.total_bytes } else { sample.remaining_bytes },
        processed: sample.processed_bytes,
    };
    first_readings.into_iter().enumerate().map(beginning).collect()
}

/// Whether what is left now is as little as it gets: the smallest of the window, or within the margin of it. In a pass that is
/// longer than the window every moment is one, and no worse than its end: a guest that stalls dirties anew what is carried.
pub fn at_local_minimum(question: &SteeringQuestion, window_ms: u64, margin_percent: u64) -> bool {
    let Some(newest) = question.newest() else { return false };
    let begins = newest.elapsed_ms.saturating_sub(window_ms);
    let window = question.samples.iter().filter(|sample| sample.elapsed_ms > begins);
    let smallest = window.map(|sample| sample.remaining_bytes).min().unwrap_or(0);
    newest.remaining_bytes <= smallest.saturating_add(smallest / 100 * margin_percent)
}

/// Whether the guest was slowed down further within the window: percent before and now.
pub fn throttled_further(question: &SteeringQuestion, window_ms: u64) -> Option<(u32, u32)> {
    let newest = question.newest()?;
    let begins = newest.elapsed_ms.saturating_sub(window_ms);
    let before = question.samples.iter().rev().find(|sample| sample.elapsed_ms <= begins)?;
    let (before, now) = (before.throttle_percent.unwrap_or(0), newest.throttle_percent.unwrap_or(0));
    (now > before).then_some((before, now))
}

/// Whether a pass begins with clearly less than an earlier one.
fn shrank(before: &Beginning, now: &Beginning, margin_percent: u64) -> bool {
    let less = before.left.saturating_sub(now.left);
    let at_stake = before.left.min(now.processed.saturating_sub(before.processed));
    u128::from(less) * 100 > u128::from(at_stake) * u128::from(margin_percent)
}
