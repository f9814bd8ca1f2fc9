//! Amounts in words, for whoever reads a plan or follows a task.

/// `1.2 GiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut scaled = count as f64 / 1024.0;
    let mut unit = 0;
    while scaled >= 1024.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    if scaled < 100.0 { format!("{scaled:.1} {}", UNITS[unit]) } else { format!("{scaled:.0} {}", UNITS[unit]) }
}

/// `250 ms`, `3.2 s`, `4 min 10 s`, `2 h 5 min`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{:.1} s", ms as f64 / 1000.0),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms / 1000 % 60),
        _ => format!("{} h {} min", ms / 3_600_000, ms / 60_000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        let amounts: Vec<_> = [0, 1023, 1024, 1_300_000, 200 << 20, 5 << 40].map(bytes).to_vec();
        assert_eq!(amounts, ["0 B", "1023 B", "1.0 KiB", "1.2 MiB", "200 MiB", "5.0 TiB"]);
        let times: Vec<_> = [0, 999, 1000, 61_500, 7_500_000].map(duration).to_vec();
        assert_eq!(times, ["0 ms", "999 ms", "1.0 s", "1 min 1 s", "2 h 5 min"]);
    }
}
