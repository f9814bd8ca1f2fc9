//! A recorded transfer as text: one line about the whole, one line for each thing that was done to it, one line of numbers
//! for each reading.

use serde::{Deserialize, Serialize};

/// One transfer.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    pub head: Head,
    pub steered: Vec<Steered>,
    pub readings: Vec<Reading>,
}

/// About the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    pub title: String,
    pub settings: String,
    /// `completed`, `rolled-back`, ...
    pub outcome: String,
    /// From the first reading to the end.
    pub seconds: f64,
    /// libvirt's own figure.
    pub downtime_ms: Option<u64>,
    /// The limit in force at the start.
    pub first_limit_ms: u64,
}

/// Something that was done to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Steered {
    pub at_ms: u64,
    pub action: String,
    pub value: Option<u64>,
}

/// At ms since the start: KiB left, KiB/s sent, KiB/s dirtied, throttling in percent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading(pub u64, pub u64, pub u64, pub u64, pub u32);

impl Recording {
    pub fn to_text(&self) -> String {
        let mut lines = vec![line(&self.head)];
        lines.extend(self.steered.iter().map(line));
        lines.extend(self.readings.iter().map(line));
        lines.join("\n") + "\n"
    }

    pub fn from_text(text: &str) -> Self {
        let mut lines = text.lines();
        let head = serde_json::from_str(lines.next().expect("a first line")).expect("a head");
        let (mut steered, mut readings) = (Vec::new(), Vec::new());
        for line in lines {
            if line.starts_with('[') {
                readings.push(serde_json::from_str(line).expect("a reading"));
            } else {
                steered.push(serde_json::from_str(line).expect("what was done"));
            }
        }
        Self { head, steered, readings }
    }

    /// The downtime limit over time: from when on which, in ms, up to the end.
    pub fn limits(&self) -> Vec<(u64, u64)> {
        let mut limits = vec![(0, self.head.first_limit_ms)];
        let set = self.steered.iter().filter(|done| done.action == "set-downtime");
        limits.extend(set.filter_map(|done| Some((done.at_ms, done.value?))));
        limits
    }
}

fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain values")
}
