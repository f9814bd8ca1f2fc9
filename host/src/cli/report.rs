//! How the course of a task is told: a bar on a terminal, plain lines in a log, documents for a program.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;
use waypost::View;
use waypost::api::v1::{Document, Percent, Progress, Sample, Verdict};
use waypost::core::phase::Phase;

use super::findings;
use super::output::{Out, Tone, bytes, duration};

/// Plain lines and documents come at most this often while only figures change.
const EVERY: Duration = Duration::from_secs(1);

pub struct Reporter {
    out: Out,
    bar: Option<ProgressBar>,
    /// Attempt whose findings were shown.
    judged: Option<u32>,
    last: Option<(u32, String)>,
    last_at: Option<Instant>,
}

impl Reporter {
    pub fn new(out: Out) -> Self {
        let bar = (out.for_people() && stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(1000);
            // The template is a constant: if it were wrong the default style would do.
            if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:16}] {percent:>3}% {wide_msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        Self { out, bar, judged: None, last: None, last_at: None }
    }

    /// Tells what is new in a view.
    pub fn view(&mut self, view: &View) {
        if let Some(verdict) = view.verdict.as_ref().filter(|_| self.judged != Some(view.attempt)) {
            self.judged(view.attempt, &view.domain, &Verdict::from(verdict));
        }
        self.progress(&document(view));
    }

    /// Tells how far it is, if that is news.
    pub fn progress(&mut self, seen: &Progress) {
        // People are told what is going on, programs also in which phase of the record.
        let what = doing(seen);
        let now =
            (seen.attempt, if self.out.for_people() { what.to_owned() } else { format!("{} {what}", seen.phase) });
        let turned = self.last.as_ref() != Some(&now);
        let due = turned || self.last_at.is_none_or(|at| at.elapsed() >= EVERY);
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(seen.domain.clone());
                bar.set_position(u64::from(seen.progress.permille()));
                bar.set_message(line(seen));
            }
            None if due && seen.phase != Phase::Ended.as_str() => {
                self.out.note(format!("{:>3}%  {}", seen.progress.whole(), line(seen)));
                self.out.side_document(Document::Progress(Box::new(seen.clone())));
                self.last_at = Some(Instant::now());
            }
            None => {}
        }
        self.last = Some(now);
    }

    /// All findings of all policies, once per attempt, before anything is touched.
    pub fn judged(&mut self, attempt: u32, domain: &str, verdict: &Verdict) {
        if self.judged.replace(attempt) == Some(attempt) {
            return;
        }
        let show = || {
            // A refusal's headline is the outcome's; the findings are shown in either case.
            if verdict.is_allowed() {
                let headline = self.out.tone(Tone::Good, verdict.headline());
                self.out.line(format!("{domain} to {}: {headline}", verdict.destination));
            }
            findings::show(&self.out, verdict);
        };
        match &self.bar {
            Some(bar) => bar.suspend(show),
            None => show(),
        }
    }

    /// A line between the others.
    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.out.note(text)),
            None => self.out.note(text),
        }
    }

    /// No more views will come.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `moving: 1.2 GiB of 4.0 GiB, 12 s left, 112 MiB/s, dirties 3.0 MiB/s, pass 2, downtime about 30 ms`: what is asked
/// for most comes first, because a narrow terminal cuts the rest.
fn line(seen: &Progress) -> String {
    let what = doing(seen);
    match &seen.sample {
        Some(sample)
            if seen.phase == Phase::Performing.as_str() && sample.stage != "final" && sample.total_bytes > 0 =>
        {
            format!("{what}: {}", figures(sample))
        }
        _ => what.to_owned(),
    }
}

/// What is going on, in words. Who only observes has no notes, as they are no part of the record.
fn doing(seen: &Progress) -> &str {
    match Phase::parse(&seen.phase) {
        _ if !seen.note.is_empty() => &seen.note,
        Some(Phase::Accepted) => "reading facts and asking the prechecks",
        Some(Phase::Planned | Phase::Preparing | Phase::Prepared) => "preparing",
        Some(Phase::Performing) => "moving",
        Some(Phase::Finishing) => "verifying on both hosts",
        Some(Phase::Locating) => "looking at both hosts",
        Some(Phase::Recovering) => "recovering",
        Some(Phase::Ended) => "over",
        // Of a service that is newer than this program.
        None => &seen.phase,
    }
}

fn figures(sample: &Sample) -> String {
    let moved = sample.total_bytes.saturating_sub(sample.remaining_bytes);
    let mut parts = vec![format!("{} of {}", bytes(moved), bytes(sample.total_bytes))];
    parts.push(match sample.remaining_ms {
        Some(ms) => format!("{} left", duration(ms)),
        // libvirt tells no rate of them.
        None if sample.stage == "disks" => "the disks first".to_owned(),
        None => "no end in sight at this rate".to_owned(),
    });
    parts.extend(sample.bytes_per_s.map(|rate| format!("{}/s", bytes(rate))));
    parts.extend(sample.dirty_bytes_per_s.map(|rate| format!("dirties {}/s", bytes(rate))));
    parts.extend(sample.iteration.map(|pass| format!("pass {pass}")));
    parts.extend(sample.downtime_ms.map(|ms| format!("downtime about {}", duration(ms))));
    parts.extend(sample.throttle_percent.filter(|p| *p > 0).map(|percent| format!("throttled {percent}%")));
    if sample.stage == "post-copy" {
        parts.push("runs on the destination, memory follows".to_owned());
    }
    parts.join(", ")
}

/// A view as a document.
fn document(view: &View) -> Progress {
    Progress {
        task: view.task.to_string(),
        domain: view.domain.clone(),
        source: view.source.as_ref().map(ToString::to_string),
        destination: view.destination.to_string(),
        phase: view.phase.to_string(),
        attempt: view.attempt,
        progress: Percent::of_permille(view.permille),
        note: view.note.clone(),
        sample: view.sample.as_ref().map(Sample::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(stage: &str) -> Sample {
        Sample {
            stage: stage.into(),
            elapsed_ms: 1000,
            total_bytes: 4 << 30,
            processed_bytes: 1 << 30,
            remaining_bytes: 3 << 30,
            bytes_per_s: None,
            dirty_bytes_per_s: None,
            iteration: None,
            downtime_ms: None,
            remaining_ms: None,
            throttle_percent: None,
        }
    }

    #[test]
    fn of_disks_no_rate_is_missed_and_of_memory_it_is() {
        assert_eq!(figures(&sample("disks")), "1.0 GiB of 4.0 GiB, the disks first");
        let told = Sample { remaining_ms: Some(12_000), ..sample("disks") };
        assert_eq!(figures(&told), "1.0 GiB of 4.0 GiB, 12.0 s left");
        assert_eq!(figures(&sample("pre-copy")), "1.0 GiB of 4.0 GiB, no end in sight at this rate");
        let moving = Sample { bytes_per_s: Some(112 << 20), iteration: Some(2), ..sample("pre-copy") };
        assert_eq!(figures(&moving), "1.0 GiB of 4.0 GiB, no end in sight at this rate, 112 MiB/s, pass 2");
        let following = "1.0 GiB of 4.0 GiB, no end in sight at this rate, runs on the destination, memory follows";
        assert_eq!(figures(&sample("post-copy")), following);
    }
}
