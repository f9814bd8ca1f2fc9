//! Nova's way with a live migration, figure for figure: a ladder of downtimes by time alone, and an end after so many
//! seconds per GiB.
//!
//! The downtime begins at `downtime_ms / downtime_steps` and grows in `downtime_steps` even steps, one every
//! `downtime_delay_s` for each GiB of data: with the defaults 50, 95, 140, ... 500 ms. After `completion_timeout_s` for
//! each GiB the transfer is ended: `abort`, or `force_complete`, which is post-copy where the request
//! allows it and else a pause.
//! The data are the memory in whole GiB, at least 2, and where disks travel along what the readings have beyond the
//! memory, in whole GiB, at least 2 (Nova counts 2 per disk; how many disks there are is not known here).
//!
//! | setting | default | Nova's name | meaning |
//! |---|---|---|---|
//! | `downtime_ms` | 500 | `live_migration_downtime` | last step, ms, at least 100 |
//! | `downtime_steps` | 10 | `live_migration_downtime_steps` | steps, at least 3 |
//! | `downtime_delay_s` | 75 | `live_migration_downtime_delay` | s per step and GiB, at least 3 |
//! | `completion_timeout_s` | 800 | `live_migration_completion_timeout` | s per GiB; 0: never ended here |
//! | `timeout_action` | `abort` | `live_migration_timeout_action` | `abort` or `force_complete` |
//! | `auto_converge` | false | `live_migration_permit_auto_converge` | slow the guest down |
//!
//! The host's own time limit for the whole transfer stands beside Nova's and ends it too: to see Nova's, set the host's
//! longer.

use serde::Deserialize;
use waypost_plugin::{
    Convergence, Opening, OpeningQuestion, SteeringAnswer, SteeringQuestion, export_convergence, settings,
};

const GIB: u64 = 1 << 30;

/// The policy.
pub struct Nova;

/// What is done when the time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TimeoutAction {
    Abort,
    ForceComplete,
}

/// What a site may set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    downtime_ms: u64,
    downtime_steps: u64,
    downtime_delay_s: u64,
    completion_timeout_s: u64,
    timeout_action: TimeoutAction,
    auto_converge: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            downtime_ms: 500,
            downtime_steps: 10,
            downtime_delay_s: 75,
            completion_timeout_s: 800,
            timeout_action: TimeoutAction::Abort,
            auto_converge: false,
        }
    }
}

impl Convergence for Nova {
    fn open(_: &OpeningQuestion) -> Opening {
        let settings = read_settings(&settings()).unwrap_or_default();
        let first_ms = settings.step_ms(0);
        Opening {
            max_downtime_ms: Some(first_ms),
            auto_converge: settings.auto_converge.then_some(true),
            ..Opening::unchanged(format!("Nova's ladder begins with {first_ms} ms"))
        }
    }

    fn decide(question: &SteeringQuestion) -> SteeringAnswer {
        let settings = read_settings(&settings()).unwrap_or_default();
        if question.newest().is_some_and(waypost_plugin::Sample::is_post_copy) {
            return SteeringAnswer::hold("post-copy runs: the ladder is over");
        }
        let gib = data_gib(question);
        let limit_ms = settings.completion_timeout_s.saturating_mul(gib).saturating_mul(1000);
        if limit_ms > 0 && question.elapsed_ms > limit_ms {
            return settings.end(question, limit_ms);
        }
        let delay_ms = settings.downtime_delay_s.saturating_mul(gib).saturating_mul(1000);
        // Step n is passed after n delays: at the very moment the one before is still in force.
        let step = (question.elapsed_ms.saturating_sub(1) / delay_ms.max(1)).min(settings.downtime_steps);
        let ms = settings.step_ms(step).min(question.bounds.max_downtime_ms);
        let reason = format!(
            "step {step} of {} for {gib} GiB, one every {} s: {ms} ms",
            settings.downtime_steps,
            delay_ms / 1000
        );
        // Compared with what the policy set itself: what a person sets between two steps stays until the next.
        let set = question.steered.iter().any(|done| done.action == "set-downtime" && done.value == Some(ms));
        if set || question.transfer.max_downtime_ms == Some(ms) || !question.bounds.permits("set-downtime") {
            return SteeringAnswer::hold(reason);
        }
        SteeringAnswer::set_downtime(ms, reason)
    }

    fn validate_settings(settings: &str) -> Result<(), String> {
        read_settings(settings).map(|_| ())
    }
}

impl Settings {
    /// The downtime of a step, from 0: an even ladder between the first and the last.
    fn step_ms(&self, step: u64) -> u64 {
        let (last, steps) = (u128::from(self.downtime_ms), u128::from(self.downtime_steps));
        // last/steps + (last - last/steps)/steps * step, rounded down once.
        let ms = (last * steps + last * (steps - 1) * u128::from(step)) / (steps * steps);
        u64::try_from(ms).unwrap_or(u64::MAX)
    }

    fn end(&self, question: &SteeringQuestion, limit_ms: u64) -> SteeringAnswer {
        let seconds = limit_ms / 1000;
        let wanted: &[&str] = match self.timeout_action {
            TimeoutAction::Abort => &["abort"],
            TimeoutAction::ForceComplete => &["post-copy", "suspend"],
        };
        let mut done = question.steered.iter().filter(|done| wanted.contains(&done.action.as_str()));
        if let Some(done) = done.next() {
            return SteeringAnswer::hold(format!("{} was ordered: it takes its time", done.action));
        }
        match wanted.iter().find(|action| question.bounds.permits(action)) {
            Some(action) => SteeringAnswer::of(action, format!("not complete after {seconds} s")),
            None => {
                SteeringAnswer::hold(format!("not complete after {seconds} s; {} isn't permitted", wanted.join(", ")))
            }
        }
    }
}

/// What is to be moved, as Nova counts it.
fn data_gib(question: &SteeringQuestion) -> u64 {
    let memory = question.transfer.memory_bytes;
    let total = question.samples.iter().map(|sample| sample.total_bytes).max().unwrap_or(0);
    let disks = if question.transfer.disk_copy == "none" { 0 } else { (total.saturating_sub(memory) / GIB).max(2) };
    (memory / GIB).max(2) + disks
}

fn read_settings(text: &str) -> Result<Settings, String> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    // serde would take a list for a struct's fields in their order.
    if !text.trim_start().starts_with('{') {
        return Err("settings must be a JSON object".to_owned());
    }
    let settings: Settings = serde_json::from_str(text).map_err(|error| {
        format!(
            "{error} (known: downtime_ms, downtime_steps, downtime_delay_s, completion_timeout_s, timeout_action, abort or \
             force_complete, and auto_converge, true or false)"
        )
    })?;
    for (name, value, least) in [
        ("downtime_ms", settings.downtime_ms, 100),
        ("downtime_steps", settings.downtime_steps, 3),
        ("downtime_delay_s", settings.downtime_delay_s, 3),
    ] {
        if value < least {
            return Err(format!("{name} is {value}; it must be at least {least}"));
        }
    }
    if settings.downtime_steps > 1000 {
        return Err(format!("downtime_steps is {}; it must be at most 1000", settings.downtime_steps));
    }
    Ok(settings)
}

export_convergence!(Nova);

#[cfg(test)]
mod tests;
