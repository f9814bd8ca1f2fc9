//! A record as a sentence, for whoever reads a journal: said here and not by who shows it, so that a client that doesn't know a
//! kind of record yet has words for it.

use waypost_core::journal::{Record, Step, StepEnd};
use waypost_core::situation::Action;

use super::check::Verdict;
use super::task::Side;

/// What was decided, is about to be done, or was seen.
pub(super) fn sentence(record: &Record) -> String {
    match record {
        Record::Accepted { request } => format!("accepted: {} to {}", request.domain, request.destination),
        Record::Judged { verdict, .. } => format!("judged: {}", Verdict::from(verdict).headline()),
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
        Record::SteerKept { action, by, reason } => format!("{by}: {action}: kept: {reason}"),
        Record::SteerIntended { action, value: Some(value), by, reason } => {
            format!("{by}: {action} {value}: {reason}")
        }
        Record::SteerIntended { action, value: None, by, reason } => format!("{by}: {action}: {reason}"),
        Record::SteerSettled { action, result: Ok(()) } => format!("done: {action}"),
        Record::SteerSettled { action, result: Err(why) } => format!("failed: {action}: {why}"),
        Record::AbortUnconfirmed { why, may_come: false } => format!("the abort is not confirmed: {why}"),
        Record::AbortUnconfirmed { why, may_come: true } => {
            format!("the abort is not confirmed, and an order to abort may still come: {why}")
        }
        Record::FinishIntended { step } => format!("about to {}", step.as_str()),
        Record::FinishSettled { step, result } => match result {
            Ok(()) => format!("done: {}", step.as_str()),
            Err(why) => format!("failed: {}: {why}", step.as_str()),
        },
        Record::Doubted { why } => format!("doubted: {why}"),
        Record::Located { situation, permitted } => {
            let permitted: Vec<_> = permitted.iter().copied().map(Action::as_str).collect();
            let (source, destination) = (Side::from(&situation.source), Side::from(&situation.destination));
            format!("looked: source {source}, destination {destination}; permitted: {}", permitted.join(", "))
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

fn step_words(step: &Step) -> String {
    match step {
        Step::MaxDowntime { host, ms, .. } => format!("set the downtime limit to {ms} ms on {host}"),
        Step::SourceAutostart { host } => format!("switch the autostart of the definition that stays on {host} off"),
        Step::Volume { host, disk } => {
            format!("make volume {} in pool {} of {host} for disk {}", disk.volume, disk.pool, disk.target)
        }
        Step::Throttle { host } => format!("set a maximum for how far the guest is slowed down on {host}"),
    }
}
