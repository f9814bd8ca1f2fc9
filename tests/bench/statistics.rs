//! Medians, spreads, and a confidence interval that one slow moment of a shared machine doesn't spoil.

/// The middle value.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// The middle of paired differences and the ends of its 95 % confidence interval.
#[derive(Debug, Clone, Copy)]
pub struct Interval {
    pub middle: f64,
    pub least: f64,
    pub most: f64,
}

impl Interval {
    /// By Hodges and Lehmann: the middle is the median of the means of all pairs of values (each with itself, too), and the
    /// interval is the one that Wilcoxon's signed-rank test belongs to, in its normal approximation. It asks of differences
    /// that they lie evenly around their middle, as those of two alike commands do; beside the plain median it makes far more
    /// of few pairs, and the long tail of times on a shared machine does it as little harm. Of six values or more.
    pub fn of(values: &[f64]) -> Self {
        let mut means: Vec<f64> = values
            .iter()
            .enumerate()
            .flat_map(|(at, one)| values[at..].iter().map(move |other| f64::midpoint(*one, *other)))
            .collect();
        means.sort_by(f64::total_cmp);
        let n = values.len() as f64;
        let spread = (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt();
        let cut = (n * (n + 1.0) / 4.0 - NORMAL_975 * spread).floor().max(0.0) as usize;
        Self { middle: median(&means), least: means[cut], most: means[means.len() - 1 - cut] }
    }

    pub fn half_width(&self) -> f64 {
        (self.most - self.least) / 2.0
    }
}

/// Beyond which 2.5 % of a normal distribution lie.
const NORMAL_975: f64 = 1.96;

/// `median (least to most)`.
pub fn spread(values: &[f64], unit: &str) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let digits = if most.abs() >= 100.0 { 0 } else { 2 };
    format!("{:.digits$} {unit} ({least:.digits$} to {most:.digits$}, {} runs)", median(values), values.len())
}
