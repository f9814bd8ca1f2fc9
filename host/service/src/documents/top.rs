//! All that goes on, on one page: what `waypost top` shows, here or of a service. Read from the store alone; no host is asked.

use std::collections::BTreeMap;

use waypost_api::time::rfc3339;
use waypost_api::v1::{self, Sample, Top, TopHost, TopTask};
use waypost_core::convergence::Steering;
use waypost_core::feed::{Feed, TaskQuery, TaskState};
use waypost_core::ids::{Moment, TaskId};
use waypost_core::journal::{Course, Record};
use waypost_core::phase::Phase;
use waypost_core::ports::{Reading, Store, StoreFault, TaskBrief};
use waypost_engine::SWITCHES_SOON;

/// Tasks that are not over, at most; of more, the newest.
const UNFINISHED: u32 = 500;
/// Tasks that are over.
const FINISHED: u32 = 20;
/// Whoever drives a task writes down a reading a second. One that is older than this, ms, tells nothing of right now.
const FRESH_MS: u64 = 10_000;

/// Everything, as it is on record at that moment: the tasks that `sees` lets through, these hosts and those of the tasks.
pub fn top(
    store: &dyn Store,
    feed: &dyn Feed,
    hosts: &[String],
    now: Moment,
    sees: impl Fn(&TaskBrief) -> bool,
) -> Result<Top, StoreFault> {
    let query = |state| TaskQuery { states: vec![state], ..TaskQuery::default() };
    // First: of a task that goes on meanwhile the list is older than its reading, never newer.
    let mut unfinished = feed.page(&query(TaskState::Unfinished), UNFINISHED)?;
    unfinished.reverse();
    let mut readings: BTreeMap<TaskId, Reading> =
        feed.moving()?.into_iter().map(|moving| (moving.brief.id, moving.reading)).collect();
    let mut top = Top { at: rfc3339(now), ..Top::default() };
    for brief in unfinished.iter().filter(|brief| sees(brief)) {
        let reading = readings.remove(&brief.id);
        let journal = store.journal(brief.id)?;
        let task = going(brief, &journal, reading.as_ref(), now);
        match brief.waits && brief.phase == Phase::Accepted {
            true => top.waiting.push(task),
            false => top.running.push(task),
        }
    }
    let ended = feed.page(&query(TaskState::In(Phase::Ended)), FINISHED)?;
    top.finished = ended.iter().filter(|brief| sees(brief)).map(|brief| shape(brief, brief.updated_at)).collect();
    top.hosts = hosts_of(hosts, &top);
    Ok(top)
}

/// What is said of a task of which nothing was heard for too long; none: there are news, or there is nothing to hear.
pub fn no_news(task: &TopTask) -> Option<&str> {
    task.silent_ms.map(|_| task.message.as_str())
}

/// A task that is not over, with what only its journal tells.
fn going(brief: &TaskBrief, journal: &[(Moment, Record)], reading: Option<&Reading>, now: Moment) -> TopTask {
    // Simulated time may be ahead of ours.
    let mut task = shape(brief, now.max(brief.updated_at));
    let sample = reading.map(|reading| &reading.sample);
    task.sample = sample.map(Sample::from);
    if let Some(reading) = reading {
        age(&mut task, now.0.saturating_sub(reading.at.0));
    }
    if let Ok(course) = Course::replay(journal.iter().map(|(_, record)| record)) {
        task.attempt = course.attempt;
        task.cancel_requested = course.cancel_requested;
        task.max_downtime_ms = limit(journal, &course);
        task.may_post_copy = super::may_post_copy(course.plan.as_ref(), course.phase, sample);
        if course.kept.contains(&Steering::PostCopy) && task.silent_ms.is_none() {
            task.message = SWITCHES_SOON.to_owned();
        }
    }
    task
}

/// Takes away what is no longer true of a reading of that age, ms. How much was moved by then stays.
fn age(task: &mut TopTask, ms: u64) {
    let Some(sample) = task.sample.as_mut().filter(|_| ms > FRESH_MS) else { return };
    sample.bytes_per_s = None;
    sample.dirty_bytes_per_s = None;
    sample.remaining_ms = None;
    // In other phases nothing is read, whoever drives it.
    if task.phase == Phase::Performing.as_str() {
        task.silent_ms = Some(ms);
        task.message = format!("no news for {} s: does anybody drive it? `waypost watch {}`", ms / 1000, task.task);
    }
}

/// The downtime limit of this attempt: that of the plan, or what it was changed to.
fn limit(journal: &[(Moment, Record)], course: &Course) -> Option<u64> {
    let mut limit = course.plan.as_ref().and_then(|plan| plan.max_downtime_ms);
    let mut wanted = None;
    let begun = journal.iter().rposition(|(_, record)| matches!(record, Record::PerformIntended));
    for (_, record) in &journal[begun.unwrap_or(journal.len())..] {
        match record {
            Record::SteerIntended { action: Steering::SetDowntime, value, .. } => wanted = *value,
            Record::SteerSettled { action: Steering::SetDowntime, result: Ok(()) } => limit = wanted.or(limit),
            _ => {}
        }
    }
    limit
}

fn shape(brief: &TaskBrief, until: Moment) -> TopTask {
    let told = v1::TaskBrief::from(brief);
    TopTask {
        task: told.id,
        domain: told.domain,
        source: told.source,
        destination: told.destination,
        phase: told.phase,
        outcome: told.outcome,
        attempt: 1,
        progress: told.progress,
        message: told.message,
        elapsed_ms: until.0.saturating_sub(brief.created_at.0),
        silent_ms: None,
        sample: None,
        max_downtime_ms: None,
        may_post_copy: false,
        cancel_requested: false,
    }
}

/// The hosts of the configuration and of all tasks that are shown, busy ones first.
fn hosts_of(known: &[String], top: &Top) -> Vec<TopHost> {
    let mut hosts: BTreeMap<String, TopHost> = known.iter().map(|host| (host.clone(), TopHost::default())).collect();
    let mut count = |tasks: &[TopTask], note: fn(&mut TopHost, bool)| {
        for task in tasks {
            for (host, out) in [(task.source.as_ref(), true), (Some(&task.destination), false)] {
                if let Some(host) = host {
                    note(hosts.entry(host.clone()).or_default(), out);
                }
            }
        }
    };
    count(&top.running, |host, out| *(if out { &mut host.outgoing } else { &mut host.incoming }) += 1);
    count(&top.waiting, |host, out| *(if out { &mut host.waiting_out } else { &mut host.waiting_in }) += 1);
    count(&top.finished, |_, _| {});
    let mut hosts: Vec<TopHost> = hosts.into_iter().map(|(name, host)| TopHost { host: name, ..host }).collect();
    hosts.sort_by_key(|host| host.outgoing + host.incoming + host.waiting_out + host.waiting_in == 0);
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(source: &str, destination: &str) -> TopTask {
        TopTask { source: Some(source.into()), destination: destination.into(), ..TopTask::default() }
    }

    #[test]
    fn an_old_reading_tells_how_far_it_was_and_not_how_fast_it_is() {
        let fast = Sample {
            remaining_bytes: 7,
            bytes_per_s: Some(1),
            dirty_bytes_per_s: Some(2),
            remaining_ms: Some(3),
            ..Sample::from(&waypost_core::sample::Sample::default())
        };
        let after = |phase: &str, ms| {
            let sample = Some(fast.clone());
            let message = "g is moving".to_owned();
            let mut task =
                TopTask { phase: phase.into(), message, sample, ..TopTask { task: "id".into(), ..task("a", "b") } };
            age(&mut task, ms);
            task
        };
        let fresh = after("performing", 10_000);
        assert_eq!((fresh.sample.as_ref(), no_news(&fresh), fresh.silent_ms), (Some(&fast), None, None));
        let old = after("performing", 34_999);
        let words = "no news for 34 s: does anybody drive it? `waypost watch id`";
        assert_eq!((no_news(&old), old.silent_ms), (Some(words), Some(34_999)));
        let left = old.sample.unwrap();
        assert_eq!((left.bytes_per_s, left.dirty_bytes_per_s, left.remaining_ms), (None, None, None));
        assert_eq!(left.remaining_bytes, 7);
        // After the transfer there is nothing to read.
        let later = after("finishing", 34_999);
        assert_eq!((later.message.as_str(), later.silent_ms), ("g is moving", None));
        assert_eq!(later.sample.unwrap().bytes_per_s, None);
    }

    #[test]
    fn hosts_are_counted_by_direction_and_the_busy_ones_come_first() {
        let top = Top {
            running: vec![task("c", "b"), task("c", "b")],
            waiting: vec![task("b", "c")],
            finished: vec![task("d", "b")],
            ..Top::default()
        };
        let host = |host: &str, outgoing, incoming, waiting_out, waiting_in| TopHost {
            host: host.into(),
            outgoing,
            incoming,
            waiting_out,
            waiting_in,
        };
        let expected = [host("b", 0, 2, 1, 0), host("c", 2, 0, 0, 1), host("a", 0, 0, 0, 0), host("d", 0, 0, 0, 0)];
        assert_eq!(hosts_of(&["a".into(), "b".into()], &top), expected);
    }
}
