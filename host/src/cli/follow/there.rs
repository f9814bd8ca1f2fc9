//! Follows a task of a service to its end. The service drives it whoever follows: where the way there is cut, only the telling is,
//! and it goes on after the last record that was seen.

use std::pin::Pin;
use std::time::Duration;

use anyhow::bail;
use tokio::signal::unix::Signal;
use tokio::time::{MissedTickBehavior, interval};
use waypost::TaskId;
use waypost::api::v1::{Entry, Percent, Progress, RecordEvent, TaskStatus, Verdict};
use waypost::service::client::{Client, ClientError, Event, Events, PATIENCE};

use super::{Interrupt, ended, interrupts};
use crate::cli::exit::Exit;
use crate::cli::output::Out;
use crate::cli::report::Reporter;

/// No event tells at which place of the queue a task waits: it is asked for.
const WAITING: Duration = Duration::from_secs(5);

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
        reporter.judged(records.attempt, &seen.progress.domain, verdict);
    }
    reporter.progress(&seen.progress);
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
    // Answers are waited for beside everything else.
    let (mut looking, mut cancelling): (Asking<'_, TaskStatus>, Asking<'_, TaskStatus>) = (None, None);
    let mut cancelled = false;
    let kind = loop {
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
                cancelling = Some(Box::pin(client.cancel(id)));
            }
            asked = answer(&mut cancelling), if cancelling.is_some() => {
                if let Err(error) = asked {
                    reporter.say(&format!("it could not be asked for: {error}"));
                }
            }
            event = events.next() => match event {
                Ok(Event::Record(record)) => {
                    if let Some(verdict) = seen.take(&record) {
                        reporter.judged(record.attempt, &seen.progress.domain, &verdict);
                    }
                    if let Some(kind) = record.outcome {
                        break kind;
                    }
                    reporter.progress(&seen.progress);
                }
                Ok(Event::Progress(progress)) => {
                    seen = Seen { progress: *progress, elsewhere: 0 };
                    reporter.progress(&seen.progress);
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
            looked = answer(&mut looking), if looking.is_some() => match looked.map(|status| (seen.compare(&status), status)) {
                Ok((Compared::Alike, _)) => reporter.progress(&seen.progress),
                Ok((Compared::Behind, _)) => {
                    reporter.say("the task is further than its events tell; they are asked for anew");
                    events.take_up_again();
                }
                Ok((Compared::Over, status)) => break status.status,
                // That it can't be told now is no news, and what is new has time to come as an event.
                Ok((Compared::Newer, _)) | Err(_) => {}
            },
            _ = waiting.tick(), if looking.is_none() && seen.may_wait() => looking = Some(Box::pin(client.task(id))),
        }
    };
    reporter.finish();
    let over = format!("task {id} is over: {kind}");
    // As patiently as its events.
    let patient = client.clone().with_patience(PATIENCE);
    let records = tokio::select! {
        records = patient.records(id) => records,
        _ = interrupts.recv() => bail!("{over}; left before its records were read: `waypost task {id}` shows them"),
    };
    ended(
        out,
        records.map_err(|error| {
            anyhow::Error::new(error)
                .context(format!("{over}; its records can't be read: `waypost task {id}` shows them"))
        })?,
    )
}

/// A question that was asked and is not answered yet.
type Asking<'a, T> = Option<Pin<Box<dyn Future<Output = Result<T, ClientError>> + 'a>>>;

/// The answer to it; none ever without a question. May be dropped and called again.
async fn answer<T>(asking: &mut Asking<'_, T>) -> Result<T, ClientError> {
    let answer = match asking.as_mut() {
        Some(asking) => asking.as_mut().await,
        None => std::future::pending().await,
    };
    *asking = None;
    answer
}

/// What is known of a task, from what was told of it.
struct Seen {
    progress: Progress,
    /// How often in a row the task was seen to be elsewhere, and nothing told of it.
    elsewhere: u32,
}

/// What a task's status is, compared with what was told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compared {
    /// The same.
    Alike,
    /// Newer, for the first time: what tells it may be on its way.
    Newer,
    /// It is newer, and nothing came that tells it.
    Behind,
    /// The task is over, and that does not come however often it is asked for.
    Over,
}

impl Seen {
    fn of(status: &TaskStatus) -> Self {
        let progress = Progress {
            task: status.id.clone(),
            domain: status.domain.clone(),
            source: status.source.clone(),
            destination: status.destination.clone(),
            phase: status.phase.clone(),
            attempt: status.attempt,
            progress: status.progress,
            note: note(status),
            sample: status.sample.clone(),
        };
        Self { progress, elsewhere: 0 }
    }

    /// Whether it may be waiting for its turn.
    fn may_wait(&self) -> bool {
        self.progress.phase == "accepted"
    }

    /// Takes in where it waits, where nothing is newer than what was told.
    fn compare(&mut self, status: &TaskStatus) -> Compared {
        if status.phase == self.progress.phase {
            self.progress.note = note(status);
            self.elsewhere = 0;
            return Compared::Alike;
        }
        self.elsewhere += 1;
        match self.elsewhere {
            1 => Compared::Newer,
            // Its events were asked for anew and do not come; nothing is written after the last of them.
            3.. if status.outcome.is_some() => Compared::Over,
            // Every second time they are asked for, and the next time they may be on their way.
            even if even.is_multiple_of(2) => Compared::Behind,
            _ => Compared::Newer,
        }
    }

    /// Takes in what was written. Answers what the rules say, where that was written.
    fn take(&mut self, record: &RecordEvent) -> Option<Verdict> {
        self.elsewhere = 0;
        let seen = &mut self.progress;
        if record.attempt != seen.attempt {
            (seen.attempt, seen.progress, seen.sample) = (record.attempt, Percent::default(), None);
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
    use waypost::api::v1::Outcome;

    use super::*;

    fn seen() -> Seen {
        let progress = Progress {
            task: "t".into(),
            domain: "0b7e".into(),
            source: None,
            destination: "b".into(),
            phase: "accepted".into(),
            attempt: 1,
            progress: Percent::of_permille(700),
            note: "place 2".into(),
            sample: None,
        };
        Seen { progress, elsewhere: 0 }
    }

    fn status(phase: &str, outcome: Option<&str>) -> TaskStatus {
        let text = || "x".to_owned();
        let outcome =
            outcome.map(|kind| Outcome { kind: kind.to_owned(), summary: text(), causes: Vec::new(), remedy: None });
        TaskStatus {
            id: text(),
            status: "queued".to_owned(),
            message: "place 1".to_owned(),
            progress: Percent::default(),
            phase: phase.to_owned(),
            attempt: 1,
            domain: text(),
            domain_id: None,
            source: None,
            destination: text(),
            target_uri: None,
            requested_by: text(),
            cancel_requested: false,
            may_post_copy: false,
            least_throttle_percent: None,
            created_at: text(),
            updated_at: text(),
            started_at: None,
            ended_at: None,
            outcome,
            sample: None,
            sequence: 1,
        }
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
        assert!(seen.progress.note.is_empty());
        let plan = json!({"plan": {"domain": "web1", "source": {"host": "a", "uuid": null}}});
        assert!(seen.take(&record(1, "planned", "planned", plan)).is_none());
        assert_eq!((seen.progress.domain.as_str(), seen.progress.source.as_deref()), ("web1", Some("a")));
        assert_eq!((seen.progress.phase.as_str(), seen.progress.progress.permille()), ("planned", 700));
        seen.take(&record(2, "accepted", "next-attempt", json!({"attempt": 2, "destination": "c"})));
        let Progress { destination, attempt, progress, .. } = &seen.progress;
        assert_eq!((destination.as_str(), *attempt, progress.permille()), ("c", 2, 0));
        // A kind that is not known yet says where the task is, and nothing else.
        seen.take(&record(2, "performing", "new-kind", json!({})));
        assert_eq!(seen.progress.phase, "performing");
    }

    #[test]
    fn events_that_tell_less_than_the_task_are_asked_for_anew_and_not_waited_for_for_ever() {
        let mut seen = seen();
        assert_eq!(seen.compare(&status("accepted", None)), Compared::Alike);
        assert_eq!(seen.progress.note, "place 1");
        // Once it may be on its way.
        assert_eq!(seen.compare(&status("performing", None)), Compared::Newer);
        seen.take(&record(1, "accepted", "judged", json!({})));
        assert_eq!(seen.compare(&status("performing", None)), Compared::Newer);
        assert_eq!(seen.compare(&status("ended", Some("completed"))), Compared::Behind);
        assert_eq!(seen.compare(&status("ended", Some("completed"))), Compared::Over);
        // One that goes on is asked for as long as it does.
        let mut seen = self::seen();
        let compared: Vec<_> = (0..4).map(|_| seen.compare(&status("performing", None))).collect();
        assert_eq!(compared, [Compared::Newer, Compared::Behind, Compared::Newer, Compared::Behind]);
    }
}
