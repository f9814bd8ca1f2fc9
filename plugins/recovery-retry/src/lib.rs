//! Begins another attempt where the failure may have been a passing one.
//!
//! Everything that makes the domain safe again is done first, as `recovery-conservative` does it: another attempt is
//! permitted only once the domain is on the source as it was and nothing is left on the destination. Then: after a
//! failure of the way or of the destination's processes the same again, later each time; after a destination that could not
//! be reached another one, if there is one, once that one can be asked again: while it can't, nothing is permitted but to
//! wait and to hand over, because it may run the domain; and after a transfer that took too long, or that was given up because
//! it did not converge, the same with more downtime or with post-copy, where the site says so: then the convergence policy of
//! the next attempt has a way to end it that this one's had not.
//! Never after a person cancelled it, and never after a refusal: what was refused will be refused again.

use serde::Deserialize;
use waypost_plugin::recovery::{Patience, permits, proven};
use waypost_plugin::{Answer, Change, Question, Recovery, export_recovery, settings};

/// The policy.
pub struct Retry;

/// What a site may set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Looks at unreachable hosts before a person is asked.
    give_up_after_looks: u32,
    /// Tries to resume an interrupted post-copy before a person is asked.
    resumes: u32,
    /// Wait before the second attempt, ms; doubled for each further one, up to ten minutes.
    delay_ms: u64,
    /// Whether another destination may be taken after one that could not be reached.
    other_destination: bool,
    /// Downtime limit of the attempt after one that took too long, ms; none: that is not tried again.
    downtime_after_timeout_ms: Option<u64>,
    /// Whether the attempt after one that took too long, or did not converge, may switch to post-copy.
    post_copy_after_timeout: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            give_up_after_looks: 20,
            resumes: 20,
            delay_ms: 10_000,
            other_destination: true,
            downtime_after_timeout_ms: None,
            post_copy_after_timeout: false,
        }
    }
}

const LONGEST_DELAY_MS: u64 = 600_000;

impl Recovery for Retry {
    fn decide(question: &Question) -> Answer {
        let settings = read_settings(&settings()).unwrap_or_default();
        match again(question, &settings) {
            Some(answer) => answer,
            None => {
                let patience = Patience { looks: settings.give_up_after_looks, resumes: settings.resumes };
                proven(question, patience)
            }
        }
    }

    fn validate_settings(settings: &str) -> Result<(), String> {
        read_settings(settings).map(|_| ())
    }
}

fn again(question: &Question, settings: &Settings) -> Option<Answer> {
    if !permits(question, "try-again") || question.attempts_left == 0 {
        return None;
    }
    let mut change = Change { destination: None, max_downtime_ms: None, post_copy: None };
    let reason = match question.class.as_str() {
        "network" | "stalled" | "hypervisor-died" | "controller-restarted" | "other" => {
            "the failure may have been a passing one"
        }
        "unreachable" => match question.others.first().filter(|_| settings.other_destination) {
            Some(host) => {
                change.destination = Some(host.clone());
                "the destination could not be reached: another one is tried"
            }
            None => "the destination could not be reached, and can be asked again",
        },
        "timed-out" | "not-converging" => {
            change.max_downtime_ms = settings.downtime_after_timeout_ms;
            change.post_copy = settings.post_copy_after_timeout.then_some(true);
            match (change.max_downtime_ms, change.post_copy) {
                (None, None) => return None,
                (Some(_), None) => "it came to no end: the guest may stand still for longer",
                (None, Some(_)) => "it came to no end: the guest may run on the destination before its memory is there",
                (Some(_), Some(_)) => {
                    "it came to no end: the guest may stand still for longer, or run on the destination before its memory is there"
                }
            }
        }
        // Somebody's wish, or something that no further attempt would find otherwise.
        _ => return None,
    };
    let delay_ms = settings.delay_ms.saturating_mul(1 << question.attempt.saturating_sub(1).min(20));
    let changed = change.destination.is_some() || change.max_downtime_ms.is_some() || change.post_copy.is_some();
    Some(Answer {
        action: "try-again".to_owned(),
        delay_ms: delay_ms.min(LONGEST_DELAY_MS),
        reason: reason.to_owned(),
        change: changed.then_some(change),
        way: None,
    })
}

fn read_settings(text: &str) -> Result<Settings, String> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    // serde would take a list for a struct's fields in their order.
    if !text.trim_start().starts_with('{') {
        return Err("settings must be a JSON object".to_owned());
    }
    let settings: Settings = serde_json::from_str(text).map_err(|error| {
        format!(
            "{error} (known: give_up_after_looks, resumes, delay_ms, other_destination, downtime_after_timeout_ms, \
             post_copy_after_timeout)"
        )
    })?;
    if settings.give_up_after_looks == 0 || settings.resumes == 0 {
        return Err("give_up_after_looks and resumes must be at least 1".to_owned());
    }
    if settings.downtime_after_timeout_ms.is_some_and(|ms| !(1..=2_000_000).contains(&ms)) {
        return Err("downtime_after_timeout_ms must be 1 to 2000000".to_owned());
    }
    Ok(settings)
}

export_recovery!(Retry);

#[cfg(test)]
mod tests;
