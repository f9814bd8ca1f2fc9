//! From a request to a plan: a slot, facts, rules, choices. Nothing is touched here.

use waypost_core::finding::Severity;
use waypost_core::ids::{DomainKey, HostName};
use waypost_core::journal::Record;
use waypost_core::outcome::OutcomeKind;
use waypost_core::ports::ClaimError;
use waypost_core::queue::{SlotWish, Turn};
use waypost_core::verdict::{Decision, Verdict};

use super::prepared::Planned;
use super::{Stage, Task, tell, waiting};
use crate::check::{CheckReport, Question, check};
use crate::error::EngineError;
use crate::gather::find;
use crate::planning::{self, For};

pub(crate) struct Accepted(pub(super) Task);

impl Accepted {
    pub(super) async fn judge(self) -> Result<Stage, EngineError> {
        let Self(mut task) = self;
        // The network of the last plan, where that was not the expected one.
        let mut instead = None;
        // Where the domain is, once it was found.
        let mut found = None;
        loop {
            if task.note_cancel()? {
                return cancelled(task, found.as_ref(), "");
            }
            let (source, wish) = match slot(&task, instead.clone()).await {
                Ok(found) => found,
                Err(error) => return untouched(task, error),
            };
            found = Some(source.clone());
            if let Some(wish) = &wish {
                let turn = waiting::claim(&task, wish)?;
                if turn != Turn::Granted {
                    if let Some(taken) = claim_early(&task, &source).await? {
                        return refused(task, taken.to_string(), "");
                    }
                    waiting::until_turn(&mut task, turn).await?;
                    // The domain may be elsewhere by now, and another task may be faster: all is asked again.
                    continue;
                }
            }
            task.recorder.note("reading facts and asking the prechecks");
            let request = task.recorder.course.current.clone();
            let question = Question { source: Some(source), ..request.clone().into() };
            let report = match check(task.ports(), &question).await {
                Ok(report) => report,
                Err(error) => return untouched(task, error),
            };
            let planned = report.plan(&request.destination, task.recorder.course.attempt);
            if let Some(Ok(plan)) = &planned
                && let Some(turn) = waiting::follow(&task, wish.as_ref(), plan)?
            {
                // The network that it takes instead is full. Facts don't keep: they are read again when it is its turn.
                instead = Some(plan.network.clone());
                waiting::until_turn(&mut task, turn).await?;
                continue;
            }
            return Self::plan(task, &report).await;
        }
    }

    /// What the answers come to.
    async fn plan(mut task: Task, report: &CheckReport) -> Result<Stage, EngineError> {
        let domain = &report.facts.domain;
        match task.ports().store.claim(task.recorder.id, domain.id, &domain.name, &report.facts.source.name) {
            Ok(()) => {}
            Err(ClaimError::Store(fault)) => return Err(fault.into()),
            Err(taken @ ClaimError::Taken(_)) => {
                return refused(task, taken.to_string(), &report.touched());
            }
        }
        // Facts and answers are kept before anything is done on their ground.
        for (digest, text) in &report.texts {
            task.ports().store.put_facts(digest, text)?;
        }
        task.recorder.put_decisions(&report.decisions)?;
        let verdict = report.verdicts.first().cloned();
        let Some(verdict) = verdict else { return Err(EngineError::Panicked("the check of one destination")) };
        task.record(Record::Judged { verdict: verdict.clone(), facts_digest: report.facts_digest.clone() })?;
        if verdict.decision() == Decision::Refused {
            // Whoever wanted it no more is not told that it may not be.
            if task.note_cancel()? {
                return cancelled(task, Some(&report.facts.source.name), &report.touched());
            }
            return refused(task, refusal(&verdict), &report.touched());
        }
        let attempt = task.recorder.course.attempt;
        let destination = task.recorder.course.current.destination.clone();
        match planning::plan(task.ports(), report, &destination, attempt, For::Execution).await? {
            Some(Ok(planning::Planned { plan, decision, .. })) => {
                task.recorder.put_decisions(decision.as_slice())?;
                let before = task.recorder.course.plan_before.as_ref();
                if let Some(why) = before.and_then(|before| plan.exposes_more_than(before)) {
                    return refused(task, why, &report.touched());
                }
                {
                    // What the plan takes of the networks must be on record before any of them may go.
                    let ports = task.ports().clone();
                    let _naming = ports.naming();
                    if *ports.settings().networks == *report.networks() {
                        task.record(Record::Planned { plan: plan.clone() })?;
                        return Ok(Stage::Planned(Planned { task, plan }));
                    }
                }
                // They changed while it was judged: it is judged by those that there are now.
                Ok(Stage::Accepted(Self(task)))
            }
            Some(Err(error)) => refused(task, error.to_string(), &report.touched()),
            None => Err(EngineError::Panicked("the check of one destination")),
        }
    }
}

/// Where the domain is, and the slot that it needs there.
async fn slot(task: &Task, instead: Option<Option<String>>) -> Result<(HostName, Option<SlotWish>), EngineError> {
    let request = &task.recorder.course.current;
    let source = find(task.ports(), &request.domain, request.source.as_ref()).await?;
    let wish = waiting::wish(task, &source, instead).await?;
    Ok((source, wish))
}

/// Says which domain a task that has to wait is about: a second task for it must not wait only to be refused.
async fn claim_early(task: &Task, source: &HostName) -> Result<Option<ClaimError>, EngineError> {
    let (ports, request) = (task.ports(), &task.recorder.course.current);
    // A host that doesn't answer now is asked again, and complained of, when it is the task's turn.
    let domains = ports.hypervisor.domains(source).await.unwrap_or_default();
    let domain = domains.into_iter().find(|there| match &request.domain {
        DomainKey::Id(id) => there.id == *id,
        DomainKey::Name(name) => there.name == *name,
    });
    let Some(domain) = domain else { return Ok(None) };
    match ports.store.claim(task.recorder.id, domain.id, &domain.name, source) {
        Ok(()) => Ok(None),
        Err(ClaimError::Store(fault)) => Err(fault.into()),
        Err(taken @ ClaimError::Taken(_)) => Ok(Some(taken)),
    }
}

/// `but` is what was touched to know what was asked.
fn cancelled(task: Task, source: Option<&HostName>, but: &str) -> Result<Stage, EngineError> {
    let domain = &task.recorder.course.current.domain;
    let stays = source.map(|source| format!(": {domain} stays on {source}")).unwrap_or_default();
    let summary = match task.recorder.course.attempt {
        1 => format!("cancelled before anything was touched{but}{stays}"),
        _ => format!("cancelled; {}", words_for_untouched(&task, but)),
    };
    let remedy = tell::state_left_before(&task.recorder.course);
    task.end_untouched(OutcomeKind::Cancelled, summary, remedy)
}

/// The source can't be read, or has no such domain: nothing was touched and nothing is known to be wrong.
fn untouched(task: Task, error: EngineError) -> Result<Stage, EngineError> {
    match error {
        EngineError::Store(_) | EngineError::Illegal(_) | EngineError::Panicked(_) => Err(error),
        error => {
            let summary = format!("{error}; {}", words_for_untouched(&task, ""));
            let remedy = tell::both_of(error.remedy(), tell::state_left_before(&task.recorder.course));
            task.end_untouched(OutcomeKind::RolledBack, summary, remedy)
        }
    }
}

/// A further attempt that is refused leaves what the one before it left: the domain on the source. `but` is what was touched
/// to know that it must be refused.
fn refused(task: Task, why: String, but: &str) -> Result<Stage, EngineError> {
    let kind = if task.recorder.course.attempt == 1 { OutcomeKind::Refused } else { OutcomeKind::RolledBack };
    let summary = format!("{why}; {}", words_for_untouched(&task, but));
    let remedy = tell::state_left_before(&task.recorder.course);
    task.end_untouched(kind, summary, remedy)
}

fn words_for_untouched(task: &Task, but: &str) -> String {
    match task.recorder.course.attempt {
        1 => format!("nothing was touched{but}"),
        n => {
            let perhaps = tell::perhaps_before(&task.recorder.course);
            format!("attempt {n} touched nothing{but}, and of the ones before nothing is left{perhaps}")
        }
    }
}

fn refusal(verdict: &Verdict) -> String {
    let blockers: Vec<_> = verdict
        .shown()
        .filter(|j| j.weight() == Severity::Blocker)
        .map(|j| format!("{} ({})", j.finding.message, j.plugin))
        .collect();
    let count = match blockers.len() {
        1 => "1 blocker".to_owned(),
        count => format!("{count} blockers"),
    };
    format!("refused by {count}: {}", blockers.join("; "))
}
