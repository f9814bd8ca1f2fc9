//! Takes the step that is proven safe and leaves the rest to a person.
//!
//! The host computes what is permitted from what both sides said; permission is proof that a step can't make a second
//! copy or end the only one. So this policy takes what is permitted: first what brings the domain back to where it was,
//! then what removes a leftover, then what acknowledges an arrival. While nothing can be known it waits, and longer each
//! time, and after a number of looks a person gets the task with the evidence.

use serde::Deserialize;
use waypost_plugin::types::DomainState;
use waypost_plugin::{Answer, Question, Recovery, Side, export_recovery, settings};

/// The policy.
pub struct Conservative;

/// What a site may set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Looks at unreachable hosts before a person is asked.
    give_up_after_looks: u32,
}

impl Default for Settings {
    fn default() -> Self {
        // With the delays below: about eight minutes, longer than a host takes to boot.
        Self { give_up_after_looks: 20 }
    }
}

/// Steps of which the host permits at most one at a time, each with its reason.
const STEPS: [(&str, &str); 8] = [
    ("resume-source", "the destination holds nothing: the source's copy is complete and goes on"),
    ("destroy-destination", "the copy on the destination never ran; the source's is complete"),
    ("undefine-destination", "the definition on the destination is this migration's leftover"),
    ("resume-destination", "the source handed the domain over and the destination holds all of it"),
    ("destroy-source", "the destination runs; the source's paused copy is overtaken"),
    ("accept-destination", "the domain is on the destination and nowhere else"),
    ("accept-source", "the domain is on the source and nowhere else"),
    ("declare-lost", "both hosts say that no copy is left to continue"),
];

const LONGEST_DELAY_MS: u64 = 30_000;

impl Recovery for Conservative {
    fn decide(question: &Question) -> Answer {
        let permitted = |action: &str| question.permitted.iter().any(|permitted| permitted == action);
        if permitted("abort-job") && matches!(question.class.as_str(), "cancelled" | "timed-out") {
            return answer(
                "abort-job",
                backoff_ms(question.look) - backoff_ms(1),
                "the migration must end and its job runs",
            );
        }
        for (action, reason) in STEPS {
            if permitted(action) {
                return if action == "destroy-source" && !runs(&question.destination_side) {
                    answer("hand-over", 0, "the source may only go while the destination is seen running")
                } else {
                    answer(action, 0, reason)
                };
            }
        }
        let patient = read_settings(&settings()).unwrap_or_default().give_up_after_looks;
        // A host that permits nothing but to wait (a job runs) is never left: its end is what shows where the domain is.
        if permitted("wait") && (question.look <= patient || !permitted("hand-over")) {
            return answer("wait", backoff_ms(question.look), waiting_for(question));
        }
        answer("hand-over", 0, "no step is proven safe: a person must look at both hosts")
    }

    fn validate_settings(settings: &str) -> Result<(), String> {
        read_settings(settings).map(|_| ())
    }
}

fn read_settings(text: &str) -> Result<Settings, String> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    // serde would take a list for a struct's fields in their order.
    if !text.trim_start().starts_with('{') {
        return Err("settings must be a JSON object".to_owned());
    }
    let settings: Settings = serde_json::from_str(text)
        .map_err(|error| format!("{error} (known: give_up_after_looks, a number from 1, default 20)"))?;
    if settings.give_up_after_looks == 0 {
        return Err("give_up_after_looks must be at least 1".to_owned());
    }
    Ok(settings)
}

/// 1, 2, 4, ... seconds, 30 at most.
fn backoff_ms(look: u32) -> u64 {
    (1000 << look.saturating_sub(1).min(10)).min(LONGEST_DELAY_MS)
}

fn runs(side: &Side) -> bool {
    matches!(side, Side::Present(seen) if matches!(seen.state, DomainState::Running | DomainState::Blocked))
}

fn waiting_for(question: &Question) -> &'static str {
    match (&question.source_side, &question.destination_side) {
        (Side::Unknown(_), Side::Unknown(_)) => "neither host can be asked; either may run the domain",
        (Side::Unknown(_), _) => "the source can't be asked; it may run the domain",
        (_, Side::Unknown(_)) => "the destination can't be asked; it may run the domain",
        _ => "something is still going on with the domain",
    }
}

fn answer(action: &str, delay_ms: u64, reason: &str) -> Answer {
    Answer { action: action.to_owned(), delay_ms, reason: reason.to_owned() }
}

export_recovery!(Conservative);

#[cfg(test)]
mod tests;
