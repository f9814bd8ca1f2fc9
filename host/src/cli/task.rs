//! `waypost task ID`: everything that is on record, readable. Nobody is asked: hosts may be gone, the record stays.

use waypost::TaskId;
use waypost::api::time::clock;
use waypost::api::v1::{self, Document};
use waypost::core::journal::{Course, Record, Step, StepEnd};
use waypost::core::situation::Side;

use super::app::App;
use super::exit::Exit;
use super::output::{Out, Tone};
use super::{findings, plan};

pub fn run(app: &App, id: TaskId) -> anyhow::Result<Exit> {
    let store = app.store()?;
    let journal = store.journal(id)?;
    let decisions = store.decisions(id)?;
    let course = Course::replay(journal.iter().map(|(_, record)| record))?;
    let out = app.out;
    let request = &course.request;
    out.line(format!("task {id}: {} to {}, asked for by {}", request.domain, request.destination, request.requester));
    let state = course.outcome.as_ref().map_or(course.phase.as_str(), |outcome| outcome.kind.as_str());
    out.line(format!("{}, attempt {}", out.tone(Tone::Strong, state), course.attempt));
    if let Some(verdict) = &course.verdict {
        out.line(format!(
            "\nto {}: {}",
            verdict.destination,
            out.tone(findings::tone(verdict.decision()), findings::headline(verdict))
        ));
        findings::show(&out, verdict);
    }
    if let Some(plan) = &course.plan {
        out.line("");
        plan::show(&out, plan, &waypost::choices::choices(plan, &course.current.options, None));
    }
    out.line(format!("\n{}", out.tone(Tone::Strong, "journal (UTC)")));
    if let Some((at, _)) = journal.first() {
        out.line(format!("  {}", waypost::api::time::rfc3339(*at).split('T').next().unwrap_or_default()));
    }
    for (at, record) in &journal {
        out.line(format!("  {}  {}", out.tone(Tone::Dim, clock(*at)), sentence(record)));
    }
    decided(out, &decisions.iter().map(v1::Decision::from).collect::<Vec<_>>());
    if let Some(outcome) = &course.outcome {
        out.line(format!("\n{}: {}", out.tone(Tone::Strong, outcome.kind.as_str()), outcome.summary));
        for cause in &outcome.causes {
            out.line(format!("  cause: {cause}"));
        }
        if let Some(remedy) = &outcome.remedy {
            out.line(format!("  remedy: {remedy}"));
        }
    }
    let task = v1::Task::new(id, (course.phase, course.attempt, course.outcome.as_ref()), &journal, &decisions);
    out.document(Document::Task(Box::new(task)));
    Ok(Exit::Done)
}

fn decided(out: Out, decisions: &[v1::Decision]) {
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

/// A record as a sentence.
pub fn sentence(record: &Record) -> String {
    match record {
        Record::Accepted { request } => format!("accepted: {} to {}", request.domain, request.destination),
        Record::Judged { verdict, .. } => format!("judged: {}", findings::headline(verdict)),
        Record::Planned { plan } => {
            format!("planned: {}, {} to {}", plan.mode, plan.source.host, plan.destination.host)
        }
        Record::StepIntended { step } => format!("about to {}", step_words(step)),
        Record::StepSettled { step, result } => match result {
            Ok(StepEnd::Done) => format!("done: {}", step_words(step)),
            Ok(StepEnd::Undone) => format!("undone: {}", step_words(step)),
            Err(why) => format!("failed to {}: {why}", step_words(step)),
        },
        Record::Prepared => "ready".into(),
        Record::PerformIntended => "about to start the transfer".into(),
        Record::Adopted => "watched from outside from here on".into(),
        Record::PerformReturned { result: Ok(()) } => "the transfer is over: moved".into(),
        Record::PerformReturned { result: Err((class, message)) } => {
            format!("the transfer is over: {class}: {message}")
        }
        Record::SteerIntended { action, value: Some(value), by, reason } => {
            format!("{by}: {action} {value}: {reason}")
        }
        Record::SteerIntended { action, value: None, by, reason } => format!("{by}: {action}: {reason}"),
        Record::SteerSettled { action, result: Ok(()) } => format!("done: {action}"),
        Record::SteerSettled { action, result: Err(why) } => format!("failed: {action}: {why}"),
        Record::FinishIntended { step } => format!("about to {}", step.as_str()),
        Record::FinishSettled { step, result } => match result {
            Ok(()) => format!("done: {}", step.as_str()),
            Err(why) => format!("failed: {}: {why}", step.as_str()),
        },
        Record::Doubted { why } => format!("doubted: {why}"),
        Record::Located { situation, permitted } => {
            let permitted: Vec<_> = permitted.iter().map(|action| action.as_str()).collect();
            format!(
                "looked: source {}, destination {}; permitted: {}",
                side(&situation.source),
                side(&situation.destination),
                permitted.join(", ")
            )
        }
        Record::ActionIntended { action, by, reason } => format!("{by} chose {action}: {reason}"),
        Record::ActionDone { action, result: Ok(()) } => format!("done: {action}"),
        Record::ActionDone { action, result: Err(why) } => format!("failed: {action}: {why}"),
        Record::NextAttempt { attempt, change } => {
            let mut words = format!("attempt {attempt} begins");
            if let Some(host) = &change.destination {
                words.push_str(&format!(", to {host}"));
            }
            if let Some(ms) = change.max_downtime_ms {
                words.push_str(&format!(", with up to {ms} ms of downtime"));
            }
            if let Some(post_copy) = change.post_copy {
                words.push_str(if post_copy { ", post-copy allowed" } else { ", without post-copy" });
            }
            words
        }
        Record::Resumed { way: None } => "the post-copy is resumed".into(),
        Record::Resumed { way: Some(way) } => format!("the post-copy is resumed, over network {way}"),
        Record::Reopened { by } => format!("{by} goes on with the task"),
        Record::CancelRequested { requester } => format!("{requester} asked to cancel"),
        Record::Ended { outcome } => format!("ended: {}", outcome.kind),
    }
}

/// `running (booted), defined`.
pub fn side(side: &Side) -> String {
    match side {
        Side::Unknown(why) => format!("unknown ({why})"),
        Side::Absent { .. } => "absent".into(),
        Side::Present(seen) => {
            let defined = if seen.persistent { ", defined" } else { "" };
            let job = if seen.job { ", a job runs" } else { "" };
            format!("{} ({}){defined}{job}", seen.state, seen.reason)
        }
    }
}

fn step_words(step: &Step) -> String {
    match step {
        Step::MaxDowntime { host, ms, .. } => format!("set the downtime limit to {ms} ms on {host}"),
        Step::SourceAutostart { host } => format!("switch the autostart of the definition that stays on {host} off"),
        Step::Volume { host, disk } => {
            format!("make volume {} in pool {} of {host} for disk {}", disk.volume, disk.pool, disk.target)
        }
    }
}
