//! From a request to a plan: facts, rules, choices. Nothing is touched here.

use waypost_core::finding::Severity;
use waypost_core::journal::Record;
use waypost_core::outcome::OutcomeKind;
use waypost_core::ports::ClaimError;
use waypost_core::verdict::{Decision, Verdict};

use super::prepared::Planned;
use super::{Stage, Task};
use crate::check::{Question, Targets, check};
use crate::error::EngineError;
use crate::planning::{self, For};

pub(crate) struct Accepted(pub(super) Task);

impl Accepted {
    pub(super) async fn judge(self) -> Result<Stage, EngineError> {
        let Self(mut task) = self;
        if task.note_cancel()? {
            return task.end_untouched(OutcomeKind::Cancelled, "cancelled before anything was touched".into(), None);
        }
        task.recorder.note("reading facts and asking the prechecks");
        let request = task.recorder.course.request.clone();
        let question = Question {
            domain: request.domain.clone(),
            source: request.source.clone(),
            targets: Targets::These(vec![request.destination.clone()]),
            options: request.options.clone(),
            requester: request.requester.clone(),
        };
        let report = match check(task.ports(), &question).await {
            Ok(report) => report,
            Err(error @ (EngineError::Store(_) | EngineError::Illegal(_) | EngineError::Panicked(_))) => {
                return Err(error);
            }
            // The source can't be read, or has no such domain: nothing was touched and nothing is known to be wrong.
            Err(error) => {
                let summary = format!("{error}; nothing was touched");
                return task.end_untouched(OutcomeKind::RolledBack, summary, None);
            }
        };
        let domain = &report.facts.domain;
        match task.ports().store.claim(task.recorder.id, domain.id, &domain.name, &report.facts.source.name) {
            Ok(()) => {}
            Err(ClaimError::Store(fault)) => return Err(fault.into()),
            Err(taken @ ClaimError::Taken(_)) => {
                return task.end_untouched(OutcomeKind::Refused, format!("{taken}; nothing was touched"), None);
            }
        }
        // Facts and answers are kept before anything is done on their ground.
        task.ports().store.put_facts(&report.facts_digest, &report.facts_text)?;
        task.recorder.put_decisions(&report.decisions)?;
        let verdict = report.verdicts.first().cloned();
        let Some(verdict) = verdict else { return Err(EngineError::Panicked("the check of one destination")) };
        task.record(Record::Judged { verdict: verdict.clone(), facts_digest: report.facts_digest.clone() })?;
        if verdict.decision() == Decision::Refused {
            return task.end_untouched(OutcomeKind::Refused, refusal(&verdict), None);
        }
        let attempt = task.recorder.course.attempt;
        match planning::plan(task.ports(), &report, &request.destination, attempt, For::Execution).await? {
            Some(Ok(planning::Planned { plan, decision, .. })) => {
                task.recorder.put_decisions(decision.as_slice())?;
                task.record(Record::Planned { plan: plan.clone() })?;
                Ok(Stage::Planned(Planned { task, plan }))
            }
            Some(Err(error)) => task.end_untouched(OutcomeKind::Refused, format!("{error}; nothing was touched"), None),
            None => Err(EngineError::Panicked("the check of one destination")),
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
    format!("refused by {count}: {}; nothing was touched", blockers.join("; "))
}
