//! A record of a journal, for programs and in words.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use waypost_core::ids::Moment;
use waypost_core::journal::{Record, StepEnd};
use waypost_core::tree::Shape as _;

use super::check::{Plan, Verdict};
use super::sentence::sentence;
use super::task::Side;
use crate::time::rfc3339;

/// One record of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// When.
    pub at: String,
    /// What kind: `accepted`, `judged`, `planned`, `perform-intended`, ...
    pub record: String,
    /// What it holds; its keys depend on the kind.
    #[schema(value_type = Object)]
    pub details: Map<String, Value>,
    /// The same for people, in one line.
    #[serde(default)]
    pub words: String,
}

impl Entry {
    /// From the core's record.
    pub fn new(at: Moment, record: &Record) -> Self {
        let (kind, details) = entry(record);
        let details = match details {
            Value::Object(details) => details,
            _ => Map::new(),
        };
        Self { at: rfc3339(at), record: kind.to_owned(), details, words: sentence(record) }
    }
}

fn entry(record: &Record) -> (&'static str, Value) {
    match record {
        Record::Accepted { request } => {
            let o = &request.options;
            let options = json!({
                "mode": o.mode.as_str(), "destination_name": o.destination_name, "bandwidth_mib_s": o.bandwidth_mib_s,
                "max_downtime_ms": o.max_downtime_ms, "timeout_s": o.timeout_s, "persistence": o.persistence.as_str(),
                "source_definition": o.source_definition.as_str(), "after": o.after.as_str(), "storage": o.storage.as_str(),
                "migrate_uri": o.migrate_uri, "listen_address": o.listen_address, "network": o.network,
                "priority": o.priority.as_str(), "transport": o.transport.as_str(), "attempts": o.attempts,
                "stream": crate::json::value(&o.stream.to_tree()), "disks": crate::json::value(&o.disks.to_tree()),
            });
            let details = json!({
                "domain": request.domain.to_string(), "source": request.source.as_ref().map(ToString::to_string),
                "destination": request.destination.as_str(), "requester": request.requester, "options": options,
            });
            ("accepted", details)
        }
        Record::Judged { verdict, facts_digest } => {
            ("judged", json!({"verdict": Verdict::from(verdict), "facts_digest": facts_digest}))
        }
        Record::Planned { plan } => ("planned", json!({"plan": Plan::from(plan)})),
        Record::StepIntended { step } => ("step-intended", json!({"step": step_text(step)})),
        Record::StepSettled { step, result } => {
            let (result, error) = match result {
                Ok(StepEnd::Done) => ("done", None),
                Ok(StepEnd::Undone) => ("undone", None),
                Err(why) => ("failed", Some(why)),
            };
            ("step-settled", json!({"step": step_text(step), "result": result, "error": error}))
        }
        Record::Prepared => ("prepared", Value::Null),
        Record::PerformIntended => ("perform-intended", Value::Null),
        Record::Adopted => ("adopted", Value::Null),
        Record::SteerKept { action, by, reason } => {
            ("steer-kept", json!({"action": action.as_str(), "by": by, "reason": reason}))
        }
        Record::SteerIntended { action, value, by, reason } => {
            ("steer-intended", json!({"action": action.as_str(), "value": value, "by": by, "reason": reason}))
        }
        Record::SteerSettled { action, result } => (
            "steer-settled",
            json!({"action": action.as_str(), "result": done(result), "error": result.as_ref().err()}),
        ),
        Record::AbortUnconfirmed { why, may_come } => ("abort-unconfirmed", json!({"why": why, "may_come": may_come})),
        Record::PerformReturned { result: Ok(()) } => ("perform-returned", json!({"result": "moved"})),
        Record::PerformReturned { result: Err((class, message)) } => {
            ("perform-returned", json!({"result": "failed", "class": class.as_str(), "error": message}))
        }
        Record::FinishIntended { step } => ("finish-intended", json!({"step": step.as_str()})),
        Record::FinishSettled { step, result } => {
            ("finish-settled", json!({"step": step.as_str(), "result": done(result), "error": result.as_ref().err()}))
        }
        Record::Doubted { why } => ("doubted", json!({"why": why})),
        Record::Located { situation, permitted } => (
            "located",
            json!({
                "source": Side::from(&situation.source), "destination": Side::from(&situation.destination),
                "permitted": permitted.iter().map(|a| a.as_str()).collect::<Vec<_>>(),
            }),
        ),
        Record::ActionIntended { action, by, reason } => {
            ("action-intended", json!({"action": action.as_str(), "by": by.as_str(), "reason": reason}))
        }
        Record::ActionDone { action, result } => {
            ("action-done", json!({"action": action.as_str(), "result": done(result), "error": result.as_ref().err()}))
        }
        Record::NextAttempt { attempt, change } => (
            "next-attempt",
            json!({
                "attempt": attempt, "destination": change.destination.as_ref().map(|host| host.as_str()),
                "max_downtime_ms": change.max_downtime_ms, "post_copy": change.post_copy,
            }),
        ),
        Record::Resumed { way } => ("resumed", json!({"network": way})),
        Record::Reopened { by } => ("reopened", json!({"by": by})),
        Record::CancelRequested { requester } => ("cancel-requested", json!({"requester": requester})),
        Record::Ended { outcome } => (
            "ended",
            json!({
                "outcome": outcome.kind.as_str(), "summary": outcome.summary, "causes": outcome.causes,
                "remedy": outcome.remedy,
            }),
        ),
    }
}

fn done(result: &Result<(), String>) -> &'static str {
    if result.is_ok() { "done" } else { "failed" }
}

fn step_text(step: &waypost_core::journal::Step) -> Value {
    match step {
        waypost_core::journal::Step::MaxDowntime { host, ms, before_ms } => {
            json!({"name": "max-downtime", "host": host.as_str(), "ms": ms, "before_ms": before_ms})
        }
        waypost_core::journal::Step::SourceAutostart { host } => {
            json!({"name": "source-autostart", "host": host.as_str()})
        }
        waypost_core::journal::Step::Volume { host, disk } => {
            json!({"name": "volume", "host": host.as_str(), "volume": crate::json::value(&disk.to_tree())})
        }
        waypost_core::journal::Step::Throttle { host } => json!({"name": "throttle", "host": host.as_str()}),
    }
}
