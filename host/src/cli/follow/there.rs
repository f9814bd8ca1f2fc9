//! Follows a task of a service to its end. The service drives it whoever follows: where the way there is cut, only the telling is,
//! and it goes on after the last record that was seen.

use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::time::{MissedTickBehavior, interval};
use waypost::TaskId;
use waypost::api::v1::{Entry, Progress, RecordEvent, TaskStatus, Verdict};
use waypost::service::client::{Client, Event, Events};

use super::{Interrupt, ended, interrupts};
use crate::cli::exit::Exit;
use crate::cli::output::Out;
use crate::cli::report::Reporter;

/// No event tells at which place of the queue a task waits: it is asked for.
const WAITING: Duration = Duration::from_secs(1);

/// A task that was just made, from its first record on to its end, or until somebody leaves. An interrupt cancels it, also one that
/// came while it was being made.
pub async fn from_its_beginning(
    client: &Client,
    out: Out,
    made: &TaskStatus,
    id: TaskId,
    interrupts: Signal,
) -> anyhow::Result<Exit> {
    let (seen, events) = (Seen::of(made), client.events_of(id, None));
    follow(client, out, (id, seen, events), Reporter::new(out), (interrupts, Interrupt::Cancels)).await
}

/// A task as it stands, to its end or until somebody leaves.
pub async fn to_the_end(client: &Client, out: Out, id: TaskId, interrupt: Interrupt) -> anyhow::Result<Exit> {
    // First: what is written after it comes as an event.
    let status = client.task(id).await?;
    let records = client.records(id).await?;
    if records.outcome.is_some() {
        return ended(out, records);
    }
    // Before anything is said that somebody could answer with one.
    let interrupts = interrupts()?;
    let (seen, mut reporter) = (Seen::of(&status), Reporter::new(out));
    if let Some(verdict) = &records.verdict {
        reporter.judged(records.attempt, &seen.0.domain, verdict);
    }
    reporter.progress(&seen.0);
    let events = client.events_of(id, Some(status.sequence));
    follow(client, out, (id, seen, events), reporter, (interrupts, interrupt)).await
}

async fn follow(
    client: &Client,
    out: Out,
    (id, mut seen, mut events): (TaskId, Seen, Events),
    mut reporter: Reporter,
    (mut interrupts, interrupt): (Signal, Interrupt),
) -> anyhow::Result<Exit> {
    let mut waiting = interval(WAITING);
    waiting.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut cancelled = false;
    loop {
        tokio::select! {
            biased;
            _ = interrupts.recv() => {
                if interrupt == Interrupt::Leaves {
                    reporter.finish();
                    out.note(format!("left; the task goes on: waypost watch {id}, waypost cancel {id}"));
                    return Ok(Exit::Error);
                }
                if cancelled {
                    reporter.finish();
                    out.note(format!("left; the task is not over, and a transfer that runs goes on: waypost watch {id}"));
                    return Ok(Exit::Error);
                }
                cancelled = true;
                reporter.say("cancelling; a second interrupt leaves the transfer running");
                if let Err(error) = client.cancel(id).await {
                    reporter.say(&format!("it could not be asked for: {error}"));
                }
            }
            event = events.next() => match event {
                Ok(Event::Record(record)) => {
                    if let Some(verdict) = seen.take(&record) {
                        reporter.judged(record.attempt, &seen.0.domain, &verdict);
                    }
                    if record.outcome.is_some() {
                        break;
                    }
                    reporter.progress(&seen.0);
                }
                Ok(Event::Progress(progress)) => {
                    seen.0 = *progress;
                    reporter.progress(&seen.0);
                }
                Ok(Event::Interrupted(why)) => reporter.say(&format!("{why}; the task goes on, and so does this as soon as it can")),
                Ok(Event::Resumed) => reporter.say("connected again"),
                Err(error) => {
                    reporter.finish();
                    return Err(anyhow::Error::new(error).context(format!(
                        "task {id} can't be followed any further; it goes on there: `waypost watch {id}` follows it again"
                    )));
                }
            },
            _ = waiting.tick(), if seen.may_wait() => {
                // That it can't be told now is no news.
                if let Ok(status) = client.task(id).await
                    && status.phase == seen.0.phase
                {
                    seen.0.note = note(&status);
                    reporter.progress(&seen.0);
                }
            }
        }
    }
    reporter.finish();
    ended(out, client.records(id).await?)
}

/// What is known of a task, from what was told of it.
struct Seen(Progress);

impl Seen {
    fn of(status: &TaskStatus) -> Self {
        Self(Progress {
            task: status.id.clone(),
            domain: status.domain.clone(),
            source: status.source.clone(),
            destination: status.destination.clone(),
            phase: status.phase.clone(),
            attempt: status.attempt,
            permille: status.permille,
            note: note(status),
            sample: status.sample.clone(),
        })
    }

    /// Whether it may be waiting for its turn.
    fn may_wait(&self) -> bool {
        self.0.phase == "accepted"
    }

    /// Takes in what was written. Answers what the rules say, where that was written.
    fn take(&mut self, record: &RecordEvent) -> Option<Verdict> {
        let Self(seen) = self;
        if record.attempt != seen.attempt {
            (seen.attempt, seen.permille, seen.sample) = (record.attempt, 0, None);
        }
        if let Some(phase) = &record.phase {
            seen.phase.clone_from(phase);
        }
        seen.note.clear();
        let Entry { record: kind, details, .. } = &record.entry;
        let text = |value: Option<&serde_json::Value>| value.and_then(|value| value.as_str()).map(str::to_owned);
        match kind.as_str() {
            "judged" => return details.get("verdict").and_then(|verdict| serde_json::from_value(verdict.clone()).ok()),
            "planned" => {
                let plan = details.get("plan");
                if let Some(domain) = text(plan.and_then(|plan| plan.get("domain"))) {
                    seen.domain = domain;
                }
                seen.source = text(plan.and_then(|plan| plan.pointer("/source/host"))).or(seen.source.take());
            }
            "next-attempt" => {
                if let Some(host) = text(details.get("destination")) {
                    seen.destination = host;
                }
            }
            _ => {}
        }
        None
    }
}

/// What a task waits for; of one that goes on the phase says enough.
fn note(status: &TaskStatus) -> String {
    if status.status == "queued" { status.message.clone() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen() -> Seen {
        Seen(Progress {
            task: "t".into(),
            domain: "0b7e".into(),
            source: None,
            destination: "b".into(),
            phase: "accepted".into(),
            attempt: 1,
            permille: 700,
            note: "place 2".into(),
            sample: None,
        })
    }

    fn record(attempt: u32, phase: &str, kind: &str, details: serde_json::Value) -> RecordEvent {
        let details = details.as_object().cloned().unwrap_or_default();
        let entry = Entry { at: String::new(), record: kind.into(), details, words: String::new() };
        let (task, phase, outcome) = ("t".to_owned(), Some(phase.to_owned()), None);
        RecordEvent { sequence: 1, task, number: 1, attempt, phase, outcome, entry }
    }

    #[test]
    fn records_tell_where_it_is_and_where_it_goes() {
        let mut seen = seen();
        let verdict = json!({"verdict": {"destination": "b", "decision": "allowed", "findings": [], "plan": null, "plan_error": null}});
        assert_eq!(seen.take(&record(1, "accepted", "judged", verdict)).unwrap().destination, "b");
        assert!(seen.0.note.is_empty());
        let plan = json!({"plan": {"domain": "web1", "source": {"host": "a", "uuid": null}}});
        assert!(seen.take(&record(1, "planned", "planned", plan)).is_none());
        assert_eq!((seen.0.domain.as_str(), seen.0.source.as_deref()), ("web1", Some("a")));
        assert_eq!((seen.0.phase.as_str(), seen.0.permille), ("planned", 700));
        seen.take(&record(2, "accepted", "next-attempt", json!({"attempt": 2, "destination": "c"})));
        assert_eq!((seen.0.destination.as_str(), seen.0.attempt, seen.0.permille), ("c", 2, 0));
        // A kind that is not known yet says where the task is, and nothing else.
        seen.take(&record(2, "performing", "new-kind", json!({})));
        assert_eq!(seen.0.phase, "performing");
    }
}
