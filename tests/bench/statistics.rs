//! Medians, spreads, and a confidence interval that one slow moment of a shared machine doesn't spoil.

/// The middle value.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// A median and the ends of its 95 % confidence interval.
#[derive(Debug, Clone, Copy)]
pub struct Interval {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Interval {
    /// By bootstrap: the median of so many samples drawn from these values, with the same ones drawn in every run. The
    /// median and not the mean, because times on a shared machine have a long tail.
    pub fn of(values: &[f64]) -> Self {
        let mut draw = Draw(0x9e37_79b9_7f4a_7c15);
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let sample: Vec<f64> = values.iter().map(|_| values[draw.below(values.len())]).collect();
                median(&sample)
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        Self { median: median(values), least: medians[RESAMPLES / 40], most: medians[RESAMPLES - 1 - RESAMPLES / 40] }
    }

    pub fn half_width(&self) -> f64 {
        (self.most - self.least) / 2.0
    }
}

const RESAMPLES: usize = 2000;

/// Xorshift: reproducible, and good enough to draw by.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// `median (least to most)`.
pub fn spread(values: &[f64], unit: &str) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let digits = if most.abs() >= 100.0 { 0 } else { 2 };
    format!("{:.digits$} {unit} ({least:.digits$} to {most:.digits$}, {} runs)", median(values), values.len())
}
