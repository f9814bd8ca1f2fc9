//! oVirt's migration policies, figure for figure.
//!
//! The engine hands a schedule to vdsm; vdsm polls the running transfer every 10 s, and at a poll that finds a new pass
//! over the memory it does the schedule's next item if the passes since the start are more than the item's limit: at
//! most one item a poll, nothing once post-copy runs. The start is the pass that the first poll found. All of this is
//! worked out anew from the first readings of the passes each time the policy is asked, so it needs no memory of its own:
//! what was done already is in the question.
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `schedule` | `minimal-downtime` | `legacy`, `minimal-downtime`, `suspend-workload`, `post-copy`, `very-large-vms` |
//! | `poll_ms` | 10000 | ms from 100 to 600,000 between two polls |
//! | `auto_converge` | as the schedule | slow the guest down: on in all schedules but `legacy`, which leaves it as planned |
//!
//! What a schedule says beyond that is no policy's to say here: guest events, how many migrations run at once,
//! compression (`suspend-workload`), parallel connections and zero-copy (`very-large-vms`).
//!
//! Two things are the host's: downtimes above the bound become the bound, and an item that isn't permitted is left out of
//! the schedule, as the engine leaves out `postcopy` for a domain that can't. Post-copy is permitted where the request
//! allows it.

mod schedule;

use serde::Deserialize;
use waypost_plugin::{
    Bounds, Convergence, Opening, OpeningQuestion, SteeringAnswer, SteeringQuestion, export_convergence, settings,
};

use schedule::{Action, Due, Item, Name};

/// How long a due item is tried at least before the next has its turn, ms, however short the polls are.
const TRIED_MS: u64 = 5000;

/// The policy.
pub struct Ovirt;

/// What a site may set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    schedule: Name,
    poll_ms: u64,
    auto_converge: Option<bool>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { schedule: Name::MinimalDowntime, poll_ms: 10_000, auto_converge: None }
    }
}

impl Convergence for Ovirt {
    fn open(_: &OpeningQuestion) -> Opening {
        let settings = read_settings(&settings()).unwrap_or_default();
        let schedule = settings.schedule.schedule();
        let reason =
            format!("oVirt's schedule {}: it begins with {} ms", settings.schedule.word(), schedule.initial_ms);
        Opening {
            max_downtime_ms: Some(schedule.initial_ms),
            auto_converge: settings.auto_converge.or(schedule.auto_converge),
            ..Opening::unchanged(reason)
        }
    }

    fn decide(question: &SteeringQuestion) -> SteeringAnswer {
        let settings = read_settings(&settings()).unwrap_or_default();
        let Some(newest) = question.newest() else {
            return SteeringAnswer::hold("no reading yet");
        };
        if newest.is_post_copy() {
            return SteeringAnswer::hold("post-copy runs: the schedule is over");
        }
        let items = permitted(settings.schedule.schedule().items, &question.bounds);
        let due = schedule::due(&items, settings.poll_ms, newest.elapsed_ms, &question.passes);
        match first_not_done(&due, question, newest.elapsed_ms, settings.poll_ms) {
            Some(due) => act(&settings, due, &question.bounds),
            None if due.len() == items.len() => SteeringAnswer::hold("the schedule is at its end"),
            None => {
                let next = &items[due.len()];
                SteeringAnswer::hold(format!("next is {next}", next = describe(next)))
            }
        }
    }

    fn validate_settings(settings: &str) -> Result<(), String> {
        read_settings(settings).map(|_| ())
    }
}

fn permitted(items: &[Item], bounds: &Bounds) -> Vec<Item> {
    items.iter().copied().filter(|item| bounds.permits(item.action.word())).collect()
}

/// What is due in order, less what was done in order. What others did to the transfer in between is passed over, and an
/// order that the host could not carry out isn't among what was done: vdsm tries none twice, so once its time is over the
/// next one has its turn.
fn first_not_done<'d>(due: &'d [Due], question: &SteeringQuestion, now_ms: u64, poll_ms: u64) -> Option<&'d Due> {
    let most_ms = question.bounds.max_downtime_ms;
    let (mut seen, mut in_force) = (0, None);
    for (at, next) in due.iter().enumerate() {
        let (action, value) = (next.item.action.word(), next.item.action.value(most_ms));
        let is = |done: &waypost_plugin::Steered| done.action == action && done.value == value;
        if let Some(found) = question.steered[seen..].iter().position(is) {
            seen += found + 1;
        } else {
            let is_last = at + 1 == due.len();
            // The limit that is in force already: the host does nothing, so it is never among what was done.
            let idle = value.is_some() && value == in_force;
            let had_its_time = now_ms - next.at_ms >= poll_ms.max(TRIED_MS);
            if is_last || !(idle || had_its_time) {
                return Some(next);
            }
        }
        in_force = value;
    }
    None
}

fn act(settings: &Settings, due: &Due, bounds: &Bounds) -> SteeringAnswer {
    let Due { item, passes, at_ms } = due;
    let word = settings.schedule.word();
    let reason = format!(
        "{word}: at the poll of {} s {passes} new passes since the first poll, more than {}",
        at_ms / 1000,
        item.limit
    );
    match item.action {
        Action::SetDowntime(ms) if ms > bounds.max_downtime_ms => {
            let most = bounds.max_downtime_ms;
            SteeringAnswer::set_downtime(most, format!("{reason}; {ms} ms are more than the bound of {most} ms"))
        }
        Action::SetDowntime(ms) => SteeringAnswer::set_downtime(ms, reason),
        Action::PostCopy | Action::Abort => SteeringAnswer::of(item.action.word(), reason),
    }
}

fn describe(item: &Item) -> String {
    let when = match item.limit {
        ..0 => "with the next new pass".to_owned(),
        limit => format!("after {} passes", limit + 1),
    };
    match item.action {
        Action::SetDowntime(ms) => format!("a downtime of {ms} ms, {when}"),
        Action::PostCopy | Action::Abort => format!("{}, {when}", item.action.word()),
    }
}

fn read_settings(text: &str) -> Result<Settings, String> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    // serde would take a list for a struct's fields in their order.
    if !text.trim_start().starts_with('{') {
        return Err("settings must be a JSON object".to_owned());
    }
    let settings: Settings = serde_json::from_str(text).map_err(|error| {
        format!("{error} (known: schedule, poll_ms, a number from 100 to 600000, and auto_converge, true or false)")
    })?;
    if !(100..=600_000).contains(&settings.poll_ms) {
        return Err(format!("poll_ms is {}; it must be from 100 to 600000", settings.poll_ms));
    }
    Ok(settings)
}

export_convergence!(Ovirt);

#[cfg(test)]
mod tests;
