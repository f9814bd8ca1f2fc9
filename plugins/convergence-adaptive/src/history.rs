//! What the readings say: how fast the link is, how much a switch-over would have to carry, and whether that still shrinks.
//!
//! Within a pass the remaining bytes shrink in any case, and at its end they jump up by what was dirtied meanwhile. So
//! they say little of a guest whose passes are short; the first reading of each pass, right after the jump, does: that
//! much had to be moved at least. Those first readings are compared, window against everything before it, from the second
//! pass on (the first is the whole memory). While a pass is longer than the window there is no new first reading in it,
//! and then the remaining bytes themselves are compared, the smallest in the window against the smallest before.

use waypost_plugin::{Sample, SteeringQuestion};

/// Nothing gets smaller any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// Smallest amount to be moved that was ever seen, and not undercut by the margin since.
    pub best_bytes: u64,
    /// How long ago that was, ms.
    pub for_ms: u64,
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

/// What a switch-over would have to carry as things are, bytes: the smallest of the last passes' first readings, or what is
/// left now where no second pass has begun.
pub fn burden(question: &SteeringQuestion) -> u64 {
    let later = question.passes.get(1..).unwrap_or_default();
    let recent = later.iter().rev().take(3).map(|pass| pass.remaining_bytes).min();
    recent.or(question.newest().map(|newest| newest.remaining_bytes)).unwrap_or(0)
}

/// What the rest comes to at worst, bytes: what is left now, and another pass as large as the last.
pub fn rest(question: &SteeringQuestion) -> u64 {
    let left = question.newest().map_or(0, |newest| newest.remaining_bytes);
    let last = question.passes.get(1..).and_then(<[Sample]>::last).map_or(0, |pass| pass.remaining_bytes);
    left.saturating_add(last)
}

/// Whether it got no smaller in the last window.
pub fn stall(question: &SteeringQuestion, window_ms: u64, margin_percent: u64) -> Option<Stall> {
    let now = question.newest()?.elapsed_ms;
    let begins = now.checked_sub(window_ms)?;
    let later = question.passes.get(1..).unwrap_or_default();
    let series = if later.iter().any(|pass| pass.elapsed_ms > begins) { later } else { &question.samples[..] };
    let smallest = |recent: bool| {
        let part = series.iter().filter(|sample| (sample.elapsed_ms > begins) == recent);
        part.map(|sample| sample.remaining_bytes).min()
    };
    let (recent, before) = (smallest(true)?, smallest(false)?);
    if shrank(recent, before, margin_percent) {
        return None;
    }
    let best = series.iter().fold(None, |best: Option<&Sample>, sample| match best {
        Some(best) if !shrank(sample.remaining_bytes, best.remaining_bytes, margin_percent) => Some(best),
        _ => Some(sample),
    })?;
    Some(Stall { best_bytes: best.remaining_bytes, for_ms: now - best.elapsed_ms })
}

/// Whether what is left now is as little as it gets: the smallest of the window, or within the margin of it.
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

fn shrank(now: u64, before: u64, margin_percent: u64) -> bool {
    u128::from(now) * 100 < u128::from(before) * u128::from(100 - margin_percent.min(100))
}
