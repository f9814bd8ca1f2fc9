//! Is a guest single and whole? Read off the counter that it prints.
//!
//! A guest of the lab counts in its own memory and prints the counter in steps of at least `every`. Each host keeps what
//! the guest printed there. However often the guest moved, all lines of all hosts together must look as if printed by
//! one guest that never stopped: one boot, every host's log rising, and no two values closer than `every`. The last rule
//! is what finds a second copy: after a botched switchover both copies advance past the same values, so that their lines,
//! merged by value, come closer together than one guest could print them. A copy that starts over from an older state
//! repeats values and is found by the same rule, even if the first copy is gone by then.

use std::fmt;

/// The first line of every guest of the lab, printed once per boot.
pub const BOOT_LINE: &str = "tick boot";

/// What a faultless counter tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterReport {
    /// The highest value.
    pub last: u32,
    /// How many values were printed.
    pub lines: usize,
    /// The largest step between two values, in ticks of 10 ms: the longest the guest stood still while its clock ran.
    pub max_gap: u32,
    /// Lines cut in two by a switchover; the rest of such a line is in another host's log.
    pub torn: usize,
    /// Where the guest ran, in order.
    pub segments: Vec<Segment>,
}

/// An uninterrupted stay on one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The host.
    pub host: String,
    /// The first value printed there.
    pub first: u32,
    /// The last value printed there.
    pub last: u32,
}

/// Proof that a guest is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CounterFault {
    /// It never printed a value.
    #[error("the guest printed nothing on any host")]
    Silent,
    /// It has stopped.
    #[error("the guest is lost: its counter stands still at {last}")]
    Lost {
        /// The last value on any host.
        last: u32,
    },
    /// It booted anew.
    #[error("the guest was restarted: it booted {boots} times")]
    Restarted {
        /// How often it booted, on all hosts together.
        boots: usize,
    },
    /// A host's log runs backwards.
    #[error("the guest went back on {host}: {after} follows {before}")]
    Backwards {
        /// The host.
        host: String,
        /// The higher value.
        before: u32,
        /// The value that follows it.
        after: u32,
    },
    /// Two copies ran, or one repeated what another had done.
    #[error("the guest ran twice: {earlier} and {later}, less than {every} ticks apart")]
    Doubled {
        /// The lower of the two values.
        earlier: Sighting,
        /// The higher.
        later: Sighting,
        /// What one guest keeps between two values.
        every: u32,
    },
}

/// A value in a host's log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// The value.
    pub value: u32,
    /// The host.
    pub host: String,
}

impl fmt::Display for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.value, self.host)
    }
}

/// Judges the serial logs of all hosts, given as (host, text), of a guest that prints every so many ticks.
pub fn judge(logs: &[(&str, &str)], every: u32) -> Result<CounterReport, CounterFault> {
    let boots = logs.iter().map(|(_, text)| text.matches(BOOT_LINE).count()).sum();
    if boots > 1 {
        return Err(CounterFault::Restarted { boots });
    }
    let (mut sightings, mut torn) = (Vec::new(), 0);
    for (host, text) in logs {
        let log = Log::parse(text);
        torn += log.torn;
        if let Some((before, after)) = log.values.windows(2).map(|pair| (pair[0], pair[1])).find(|(a, b)| b <= a) {
            return Err(CounterFault::Backwards { host: (*host).to_owned(), before, after });
        }
        sightings.extend(log.values.into_iter().map(|value| Sighting { value, host: (*host).to_owned() }));
    }
    sightings.sort();
    let mut max_gap = 0;
    for pair in sightings.windows(2) {
        let gap = pair[1].value - pair[0].value;
        if gap < every {
            let (earlier, later) = (pair[0].clone(), pair[1].clone());
            return Err(CounterFault::Doubled { earlier, later, every });
        }
        max_gap = max_gap.max(gap);
    }
    let last = sightings.last().ok_or(CounterFault::Silent)?.value;
    Ok(CounterReport { last, lines: sightings.len(), max_gap, torn, segments: segments(&sightings) })
}

/// The highest value in any of these logs; judges nothing.
pub fn latest<'a>(logs: impl IntoIterator<Item = &'a str>) -> Option<u32> {
    logs.into_iter().filter_map(|text| Log::parse(text).values.into_iter().max()).max()
}

struct Log {
    values: Vec<u32>,
    torn: usize,
}

impl Log {
    /// A value is eight hexadecimal digits on a line of their own. A switchover in the middle of a line leaves its head
    /// here and its tail in the next host's log: fewer digits are a piece, and more are the head of a line from before
    /// the guest left, followed by a whole one from after its return. Whatever is not made of digits is a message.
    fn parse(text: &str) -> Self {
        let mut log = Log { values: Vec::new(), torn: 0 };
        let (whole, rest) = text.rsplit_once('\n').unwrap_or(("", text));
        for line in whole.lines().map(|line| line.trim_end_matches('\r')) {
            if line.is_empty() || !line.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                continue;
            }
            if line.len() != 8 {
                log.torn += 1;
            }
            let tail = line.len().checked_sub(8).and_then(|start| line.get(start..));
            log.values.extend(tail.and_then(|digits| u32::from_str_radix(digits, 16).ok()));
        }
        if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            log.torn += 1;
        }
        log
    }
}

fn segments(sightings: &[Sighting]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for Sighting { value, host } in sightings {
        match segments.last_mut() {
            Some(segment) if segment.host == *host => segment.last = *value,
            _ => segments.push(Segment { host: host.clone(), first: *value, last: *value }),
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(values: impl IntoIterator<Item = u32>) -> String {
        values.into_iter().map(|value| format!("{value:08X}\n")).collect()
    }

    fn boot(values: impl IntoIterator<Item = u32>) -> String {
        format!("{BOOT_LINE}\nR\n{}", lines(values))
    }

    fn segment(host: &str, first: u32, last: u32) -> Segment {
        Segment { host: host.to_owned(), first, last }
    }

    #[test]
    fn a_guest_that_moved_there_and_back_is_single_and_whole() {
        let one = boot([10, 20, 30]) + &lines([75, 85]);
        let two = lines([42, 52, 62]);
        let report = judge(&[("kvm1", &one), ("kvm2", &two)], 10).unwrap();
        let segments = vec![segment("kvm1", 10, 30), segment("kvm2", 42, 62), segment("kvm1", 75, 85)];
        assert_eq!(report, CounterReport { last: 85, lines: 8, max_gap: 13, torn: 0, segments });
    }

    #[test]
    fn a_guest_that_goes_on_at_the_source_after_the_switchover_is_doubled() {
        let one = boot([10, 20, 30, 40, 50]);
        let two = lines([40, 50, 60]);
        let fault = judge(&[("kvm1", &one), ("kvm2", &two)], 10).unwrap_err();
        assert!(matches!(fault, CounterFault::Doubled { every: 10, .. }), "{fault}");
    }

    #[test]
    fn two_copies_out_of_step_are_doubled() {
        let one = boot([10, 20, 30, 40]);
        let two = lines([33, 43]);
        let fault = judge(&[("kvm1", &one), ("kvm2", &two)], 10).unwrap_err();
        assert_eq!(fault.to_string(), "the guest ran twice: 30 on kvm1 and 33 on kvm2, less than 10 ticks apart");
    }

    #[test]
    fn a_copy_that_repeats_an_older_state_is_doubled_even_if_the_first_is_gone() {
        let one = boot((1..100).map(|n| n * 10));
        let two = lines((50..60).map(|n| n * 10));
        assert!(matches!(judge(&[("kvm1", &one), ("kvm2", &two)], 10), Err(CounterFault::Doubled { .. })));
    }

    #[test]
    fn a_guest_that_boots_again_elsewhere_is_restarted() {
        let (one, two) = (boot([10, 20]), boot([10, 20]));
        let fault = judge(&[("kvm1", &one), ("kvm2", &two)], 10).unwrap_err();
        assert_eq!(fault, CounterFault::Restarted { boots: 2 });
    }

    #[test]
    fn a_guest_that_boots_again_on_its_host_is_restarted() {
        let log = boot([10, 20]) + &boot([10]);
        assert_eq!(judge(&[("kvm1", &log)], 10), Err(CounterFault::Restarted { boots: 2 }));
    }

    #[test]
    fn a_log_that_runs_backwards_is_a_fault_without_a_boot() {
        let log = lines([10, 20, 15]);
        let fault = CounterFault::Backwards { host: "kvm1".to_owned(), before: 20, after: 15 };
        assert_eq!(judge(&[("kvm1", &log)], 10), Err(fault));
    }

    #[test]
    fn nothing_printed_is_silence() {
        assert_eq!(judge(&[("kvm1", "tick boot\nR\n"), ("kvm2", "")], 10), Err(CounterFault::Silent));
    }

    #[test]
    fn a_line_cut_in_two_by_the_switchover_is_no_fault() {
        let one = boot([10, 20]) + "0000";
        let two = "001E\n".to_owned() + &lines([40, 50]);
        let report = judge(&[("kvm1", &one), ("kvm2", &two)], 10).unwrap();
        assert_eq!((report.torn, report.max_gap, report.last), (2, 20, 50));
    }

    #[test]
    fn the_head_of_a_cut_line_does_not_spoil_the_line_printed_after_the_return() {
        let one = boot([16]) + "0000" + &lines([96]);
        let two = "0020\n".to_owned() + &lines([48, 64, 80]);
        let report = judge(&[("kvm1", &one), ("kvm2", &two)], 16).unwrap();
        assert_eq!((report.last, report.segments.len()), (96, 3));
    }

    #[test]
    fn a_guest_with_carriage_returns_and_messages_is_read_alike() {
        let log = "[    0.5] Linux\r\ntick boot\r\n0000000A\r\n00000014\r\n";
        assert_eq!(judge(&[("kvm1", log)], 10).unwrap().last, 20);
        assert_eq!(latest([log, "0000001E\n", "000000"]), Some(30));
    }
}
