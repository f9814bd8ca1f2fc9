//! How the course of a task is told: a bar on a terminal, plain lines in a log, documents for a program.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;
use waypost::View;
use waypost::api::v1;
use waypost::core::phase::Phase;
use waypost::core::sample::{Sample, Stage};
use waypost::core::verdict::Decision;

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
        self.findings(view);
        // People are told what is going on, programs also in which phase of the record.
        let what = doing(view);
        let now =
            (view.attempt, if self.out.for_people() { what.to_owned() } else { format!("{} {what}", view.phase) });
        let turned = self.last.as_ref() != Some(&now);
        let due = turned || self.last_at.is_none_or(|at| at.elapsed() >= EVERY);
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(view.domain.clone());
                bar.set_position(u64::from(view.permille));
                bar.set_message(line(view));
            }
            None if due && view.phase != Phase::Ended => {
                self.out.note(format!("{:>3}%  {}", view.permille / 10, line(view)));
                self.out.side_document(v1::Document::Progress(Box::new(document(view))));
                self.last_at = Some(Instant::now());
            }
            None => {}
        }
        self.last = Some(now);
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

    /// All findings of all policies, once per attempt, before anything is touched.
    fn findings(&mut self, view: &View) {
        let Some(verdict) = view.verdict.as_ref().filter(|_| self.judged != Some(view.attempt)) else { return };
        self.judged = Some(view.attempt);
        let show = || {
            let decision = verdict.decision();
            // A refusal's headline is the outcome's; the findings are shown in either case.
            if decision == Decision::Allowed {
                let headline = self.out.tone(Tone::Good, findings::headline(verdict));
                self.out.line(format!("{} to {}: {headline}", view.domain, verdict.destination));
            }
            findings::show(&self.out, verdict);
        };
        match &self.bar {
            Some(bar) => bar.suspend(show),
            None => show(),
        }
    }
}

/// `moving: 1.2 GiB of 4.0 GiB, 12 s left, 112 MiB/s, dirties 3.0 MiB/s, pass 2, downtime about 30 ms`: what is asked
/// for most comes first, because a narrow terminal cuts the rest.
fn line(view: &View) -> String {
    let what = doing(view);
    match &view.sample {
        Some(sample) if view.phase == Phase::Performing && sample.stage != Stage::Final && sample.total_bytes > 0 => {
            format!("{what}: {}", figures(sample))
        }
        _ => what.to_owned(),
    }
}

/// What is going on, in words. Who only observes has no notes, as they are no part of the record.
fn doing(view: &View) -> &str {
    match view.phase {
        _ if !view.note.is_empty() => &view.note,
        Phase::Accepted => "reading facts and asking the prechecks",
        Phase::Planned | Phase::Preparing | Phase::Prepared => "preparing",
        Phase::Performing => "moving",
        Phase::Finishing => "verifying on both hosts",
        Phase::Locating => "looking at both hosts",
        Phase::Recovering => "recovering",
        Phase::Ended => "over",
    }
}

fn figures(sample: &Sample) -> String {
    let moved = sample.total_bytes.saturating_sub(sample.remaining_bytes);
    let shape = v1::Sample::from(sample);
    let mut parts = vec![format!("{} of {}", bytes(moved), bytes(sample.total_bytes))];
    parts.push(match shape.remaining_ms {
        Some(ms) => format!("{} left", duration(ms)),
        None => "no end in sight at this rate".to_owned(),
    });
    parts.extend(sample.bytes_per_s.map(|rate| format!("{}/s", bytes(rate))));
    parts.extend(shape.dirty_bytes_per_s.map(|rate| format!("dirties {}/s", bytes(rate))));
    parts.extend(sample.iteration.map(|pass| format!("pass {pass}")));
    parts.extend(sample.downtime_ms.map(|ms| format!("downtime about {}", duration(ms))));
    parts.extend(sample.throttle_percent.filter(|p| *p > 0).map(|percent| format!("throttled {percent}%")));
    if sample.stage == Stage::PostCopy {
        parts.push("runs on the destination, memory follows".to_owned());
    }
    parts.join(", ")
}

/// A view as a document.
fn document(view: &View) -> v1::Progress {
    v1::Progress {
        task: view.task.to_string(),
        domain: view.domain.clone(),
        source: view.source.as_ref().map(ToString::to_string),
        destination: view.destination.to_string(),
        phase: view.phase.to_string(),
        attempt: view.attempt,
        permille: view.permille,
        note: view.note.clone(),
        sample: view.sample.as_ref().map(v1::Sample::from),
    }
}
