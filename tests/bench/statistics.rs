//! Medians, ratios pair by pair, and a confidence interval.

/// The middle value.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// Mean of the differences of pairs and the half width of its 95 % confidence interval (Student's t).
pub fn paired_difference(pairs: &[(f64, f64)]) -> (f64, f64) {
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| a - b).collect();
    let n = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / n;
    let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, quantile(differences.len() - 1) * (variance / n).sqrt())
}

/// Two-sided 95 % quantile of Student's t by degrees of freedom (any table of the distribution), rounded up.
fn quantile(freedom: usize) -> f64 {
    match freedom {
        0..=5 => 2.78,
        6..=9 => 2.45,
        10..=14 => 2.23,
        15..=18 => 2.14,
        19..=29 => 2.10,
        _ => 2.05,
    }
}

/// `median (least to most)`.
pub fn spread(values: &[f64], unit: &str) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{:.3} {unit} ({least:.3} to {most:.3}, {} runs)", median(values), values.len())
}
