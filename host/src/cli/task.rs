//! `waypost task ID`: everything that is on record, readable. Nobody is asked: hosts may be gone, the record stays.

use waypost::TaskId;
use waypost::api::v1::{Decision, Document, Entry};

use super::answers::Answers;
use super::app::App;
use super::exit::Exit;
use super::output::{Out, Tone};
use super::{findings, plan};

pub fn run(app: &App, id: TaskId) -> anyhow::Result<Exit> {
    let answers = Answers::of(app)?;
    let task = answers.block_on(async { answers.records(id).await })?;
    let out = app.out;
    out.line(format!("task {id}: {} to {}, asked for by {}", task.domain, task.destination, task.requested_by));
    let state = task.outcome.as_ref().map_or(&task.phase, |outcome| &outcome.kind);
    out.line(format!("{}, attempt {}", out.tone(Tone::Strong, state), task.attempt));
    if let Some(verdict) = &task.verdict {
        let headline = out.tone(findings::tone(verdict), verdict.headline());
        out.line(format!("\nto {}: {headline}", verdict.destination));
        findings::show(&out, verdict);
    }
    if let Some(plan) = &task.plan {
        out.line("");
        plan::show(&out, plan, &task.choices);
    }
    out.line(format!("\n{}", out.tone(Tone::Strong, "journal (UTC)")));
    if let Some(first) = task.journal.first() {
        out.line(format!("  {}", first.at.split('T').next().unwrap_or_default()));
    }
    for entry in &task.journal {
        out.line(format!("  {}  {}", out.tone(Tone::Dim, clock(entry)), entry.words));
    }
    decided(out, &task.decisions);
    if let Some(outcome) = &task.outcome {
        out.line(format!("\n{}: {}", out.tone(Tone::Strong, &outcome.kind), outcome.summary));
        for cause in &outcome.causes {
            out.line(format!("  cause: {cause}"));
        }
        if let Some(remedy) = &outcome.remedy {
            out.line(format!("  remedy: {remedy}"));
        }
    }
    out.document(Document::Task(Box::new(task)));
    Ok(Exit::Done)
}

/// The records after the first so many, for whoever had them done.
pub fn show_records(out: Out, journal: &[Entry], after: usize) {
    out.line("what was seen and done:");
    for entry in journal.iter().skip(after) {
        out.line(format!("  {}  {}", clock(entry), entry.words));
    }
}

/// `12:00:00.000` of a record's moment.
fn clock(entry: &Entry) -> &str {
    entry.at.split_once('T').map_or(entry.at.as_str(), |(_, clock)| clock.trim_end_matches('Z'))
}

fn decided(out: Out, decisions: &[Decision]) {
    if decisions.is_empty() {
        return;
    }
    out.line(format!("\n{}", out.tone(Tone::Strong, "decisions")));
    for decision in decisions {
        out.line(format!(
            "  {} {} ({}): {}",
            decision.plugin,
            decision.hook,
            decision.mode,
            decision.fault.as_ref().unwrap_or(&decision.answer).trim_end()
        ));
        let digest = decision.digest.get(..12).unwrap_or(&decision.digest);
        let detail =
            format!("{digest}  {} µs, fuel {}; read {}", decision.micros, decision.fuel, read(&decision.facts_read));
        out.line(format!("      {}", out.tone(Tone::Dim, detail)));
    }
}

fn read(facts: &[String]) -> String {
    if facts.is_empty() { "no facts".to_owned() } else { facts.join(", ") }
}
