//! Documents from what the engine answers: those that the command prints too, and a task as it stands.

mod top;

use std::collections::BTreeMap;

use waypost_api::time::rfc3339;
use waypost_api::v1;
use waypost_core::facts::HostFacts;
use waypost_core::feed::Feed;
use waypost_core::ids::{HostName, TaskId};
use waypost_core::journal::Course;
use waypost_core::phase::Phase;
use waypost_core::plan::{Plan, PlanError};
use waypost_core::ports::{Depth, Fault, Hypervisor, Store, StoreFault, TaskBrief};
use waypost_core::queue::Turn;
use waypost_core::request::Options;
use waypost_core::sample::{Sample, Stage};
use waypost_engine::{CheckReport, Engine, EngineError, Looked, Planned, Readiness, Unread, View, remedy};

use crate::problem::Failed;

pub use top::{no_news, top};

/// A report, with the plan of every open destination.
pub fn check(report: &CheckReport) -> v1::Check {
    let mut check = v1::Check::new(&report.facts, &report.facts_digest, &report.verdicts, &report.decisions);
    for (shape, verdict) in check.verdicts.iter_mut().zip(&report.verdicts) {
        match report.plan(&verdict.destination, 1) {
            Some(Ok(plan)) => shape.plan = Some(v1::Plan::from(&plan)),
            Some(Err(error)) => shape.plan_error = Some(error.to_string()),
            None => {}
        }
    }
    check
}

/// The domains of these hosts, which are asked at the same time; those that don't answer say why.
pub async fn domains(hypervisor: &dyn Hypervisor, hosts: Vec<HostName>) -> v1::Domains {
    let asked = hosts.into_iter().map(|name| async move {
        let answer = hypervisor.domains(&name).await;
        (name, answer)
    });
    let (mut domains, mut unread) = (Vec::new(), Vec::new());
    for (name, answer) in futures_util::future::join_all(asked).await {
        match answer {
            Ok(mut briefs) => {
                briefs.sort_by(|a, b| a.name.cmp(&b.name));
                domains.extend(briefs.iter().map(|brief| v1::Domain::new(name.as_str(), brief)));
            }
            Err(fault) => unread.push(host(&name, &Err(fault))),
        }
    }
    v1::Domains { domains, unread }
}

/// Tasks as a list shows them, with where they stand in the queue, who drives those that are not over, and where their plans lead.
pub fn tasks(
    feed: &dyn Feed,
    tasks: &[TaskBrief],
    standings: &BTreeMap<TaskId, Turn>,
) -> Result<Vec<v1::TaskBrief>, StoreFault> {
    let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
    let mut targets = feed.targets(&ids)?;
    let shape = |task: &TaskBrief| {
        let driven_by = if task.outcome.is_none() { Some(feed.driver(task.id)?) } else { None };
        Ok(v1::TaskBrief::new(task, standings, driven_by, targets.remove(&task.id)))
    };
    tasks.iter().map(shape).collect()
}

/// A host as it answered; of one that didn't, why and what to do.
pub fn host(name: &HostName, answer: &Result<HostFacts, Fault>) -> v1::Host {
    let remedy = answer.as_ref().err().and_then(remedy::of);
    v1::Host { remedy, ..v1::Host::new(name.as_str(), answer) }
}

/// A host as it answers, with its load; where that can't be read, without.
pub async fn looked_at(hypervisor: &dyn Hypervisor, name: &HostName) -> v1::Host {
    let answer = hypervisor.host_facts(name, Depth::default()).await;
    let shown = host(name, &answer);
    if answer.is_err() {
        return shown;
    }
    match hypervisor.load(name).await {
        Ok(load) => shown.with_load(&load),
        Err(_) => shown,
    }
}

/// All of these hosts, which are asked at the same time, in their order.
pub async fn hosts(hypervisor: &dyn Hypervisor, hosts: Vec<HostName>) -> v1::Hosts {
    let asked = hosts.into_iter().map(|name| async move { looked_at(hypervisor, &name).await });
    v1::Hosts { hosts: futures_util::future::join_all(asked).await }
}

/// Everything on record of a task. `words` puts its plan into words.
pub fn task(
    store: &dyn Store,
    id: TaskId,
    words: impl FnOnce(&Plan, &Options) -> Vec<v1::Choice>,
) -> Result<v1::Task, EngineError> {
    let (journal, decisions) = (store.journal(id)?, store.decisions(id)?);
    let course = Course::replay(journal.iter().map(|(_, record)| record))
        .map_err(|source| EngineError::Journal { task: id, source })?;
    let choices = course.plan.as_ref().map_or_else(Vec::new, |plan| words(plan, &course.current.options));
    let reading = store.reading(id)?.map(|reading| reading.sample);
    Ok(v1::Task::new(id, &course, &journal, &decisions, choices, reading.as_ref()))
}

/// What both sides of a task say, and what may be done about it.
pub fn situation(id: TaskId, seen: &Looked) -> v1::Situation {
    let Looked { plan, situation, permitted, withheld, networks } = seen;
    v1::Situation::new(id, plan, situation, permitted, networks, withheld)
}

/// What a dry run came to: the report, the plan or why there is none, and its choices in words.
pub fn dry_run(
    report: &CheckReport,
    planned: Option<&Result<Planned, PlanError>>,
    choices: Vec<v1::Choice>,
) -> v1::DryRun {
    let check = check(report);
    let (planned, refused) = match planned {
        Some(Ok(planned)) => (Some(planned), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    v1::DryRun {
        plan: planned.map(|planned| v1::Plan::from(&planned.plan)),
        choices,
        prediction: planned.and_then(|planned| planned.prediction.as_ref()).map(v1::Prediction::from),
        writing: planned.and_then(|planned| planned.writing).map(v1::Writing::from),
        plan_error: refused.or_else(|| check.verdicts.iter().find_map(|verdict| verdict.plan_error.clone())),
        check,
        touched: report.touched(),
    }
}

/// The picture of a fleet.
pub(crate) fn readiness(readiness: &Readiness) -> v1::Readiness {
    v1::Readiness {
        rows: readiness
            .rows
            .iter()
            .map(|row| v1::ReadinessRow {
                domain: v1::Domain::new(row.source.as_str(), &row.domain),
                verdicts: row.verdicts.iter().map(v1::Verdict::from).collect(),
            })
            .collect(),
        unread: readiness.unread.iter().map(unread).collect(),
    }
}

fn unread(unread: &Unread) -> v1::Unread {
    v1::Unread::new(&unread.fault, unread.domain.as_ref().map(|(_, domain)| domain.name.as_str()))
}

/// A task as it stands; none if there is no such task.
pub(crate) fn status(engine: &Engine, feed: &dyn Feed, id: TaskId) -> Result<Option<v1::TaskStatus>, Failed> {
    // First: whoever waits from this number on misses nothing of what is read after it.
    let sequence = feed.last_change_of(id)?;
    let Some(brief) = feed.brief(id)? else { return Ok(None) };
    let (view, times) = engine.observe(id).view_with_times()?;
    let ended = view.outcome.as_ref().map(|outcome| outcome.kind);
    let least_throttle_percent = engine.least_throttle(&view);
    Ok(Some(v1::TaskStatus {
        id: id.to_string(),
        status: v1::standing(ended, view.phase == Phase::Accepted && !view.note.is_empty()),
        message: message(&view),
        progress: v1::progress(view.permille, ended),
        phase: view.phase.to_string(),
        attempt: view.attempt,
        domain: view.domain,
        domain_id: brief.domain.map(|id| id.to_string()),
        source: view.source.or(brief.source).map(|host| host.to_string()),
        destination: view.destination.to_string(),
        target_uri: view.plan.as_ref().map(|plan| plan.peer_uri.clone()),
        requested_by: view.requester,
        cancel_requested: view.cancel_requested,
        may_post_copy: may_post_copy(view.plan.as_ref(), view.phase, view.sample.as_ref()),
        least_throttle_percent,
        created_at: rfc3339(brief.created_at),
        updated_at: rfc3339(brief.updated_at),
        started_at: times.started.map(rfc3339),
        ended_at: times.ended.map(rfc3339),
        outcome: view.outcome.as_ref().map(v1::Outcome::from),
        sample: view.sample.as_ref().map(v1::Sample::from),
        sequence,
    }))
}

/// Whether a task may be switched to post-copy, by its last reading: it was asked for with that, its transfer has begun, and the guest
/// does not run on the destination yet. An order that comes before memory travels is kept until some does.
fn may_post_copy(plan: Option<&Plan>, phase: Phase, sample: Option<&Sample>) -> bool {
    let offered = plan.is_some_and(|plan| plan.stream.post_copy);
    let before = sample.is_none_or(|sample| matches!(sample.stage, Stage::Disks | Stage::PreCopy));
    offered && before && phase == Phase::Performing
}

/// Whether there is something new about a task since a number, or since a progress that was seen.
pub(crate) fn is_news(feed: &dyn Feed, id: TaskId, since: u64, permille: Option<u16>) -> Result<bool, StoreFault> {
    if feed.last_change_of(id)? > since {
        return Ok(true);
    }
    Ok(permille.is_some() && feed.brief(id)?.map(|brief| brief.permille) != permille)
}

fn message(view: &View) -> String {
    if let Some(outcome) = &view.outcome {
        return outcome.summary.clone();
    }
    if !view.note.is_empty() {
        return view.note.clone();
    }
    v1::going_on(view.phase, &view.domain, view.destination.as_str())
}
