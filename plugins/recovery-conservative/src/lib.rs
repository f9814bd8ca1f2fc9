//! Takes the step that is proven safe and leaves the rest to a person.
//!
//! The host computes what is permitted from what both sides said; permission is proof that a step can't make a second
//! copy or end the only one. So this policy takes what is permitted: first what brings the domain back to where it was,
//! then what removes a leftover, then what acknowledges an arrival. While nothing can be known it waits, and longer each
//! time, and after a number of looks a person gets the task with the evidence. A post-copy that broke is resumed, later
//! each time, because it costs nothing to try. It never begins another attempt: that is `recovery-retry`'s opinion.

use serde::Deserialize;
use waypost_plugin::recovery::{Patience, proven};
use waypost_plugin::{Answer, Question, Recovery, export_recovery, settings};

/// The policy.
pub struct Conservative;

/// What a site may set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Looks at unreachable hosts before a person is asked.
    give_up_after_looks: u32,
    /// Tries to resume an interrupted post-copy before a person is asked.
    resumes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        // With the delays below: about eight minutes, longer than a host takes to boot.
        Self { give_up_after_looks: 20, resumes: 20 }
    }
}

impl Recovery for Conservative {
    fn decide(question: &Question) -> Answer {
        let settings = read_settings(&settings()).unwrap_or_default();
        proven(question, Patience { looks: settings.give_up_after_looks, resumes: settings.resumes })
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
    let settings: Settings = serde_json::from_str(text).map_err(|error| {
        format!("{error} (known: give_up_after_looks and resumes, numbers from 1, default 20 each)")
    })?;
    if settings.give_up_after_looks == 0 {
        return Err("give_up_after_looks must be at least 1".to_owned());
    }
    if settings.resumes == 0 {
        return Err("resumes must be at least 1".to_owned());
    }
    Ok(settings)
}

export_recovery!(Conservative);

#[cfg(test)]
mod tests;
