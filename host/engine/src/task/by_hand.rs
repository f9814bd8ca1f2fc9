//! One action by a person: looked up in what both sides permit right now, journalled as the person's, and nothing more.

use waypost_core::ids::PluginName;
use waypost_core::journal::Record;
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::phase::Phase;
use waypost_core::recovery::{AttemptChange, RecoveryAnswer};
use waypost_core::situation::{Action, Situation};

use super::recovering::carry_out;
use super::{Driver, Stage, judged};
use crate::error::EngineError;

/// What a person's order came to.
pub enum Acted {
    /// The task is over.
    Ended(Outcome),
    /// It was done, or failed as the journal tells, and the task is open. What both sides show now, and what is permitted.
    Open(Situation, Vec<Action>),
    /// A transfer follows, which wants to be driven.
    Driver(Box<Driver>),
}

impl Driver {
    /// Does this one action, if it is permitted now. A task that had ended stuck is open from then on.
    pub(crate) async fn act(self, action: Action, by: &str) -> Result<Acted, EngineError> {
        let Self { mut task } = self;
        let id = task.recorder.id;
        let course = &task.recorder.course;
        let outcome = course.outcome.as_ref().map(|outcome| outcome.kind);
        let open = matches!(course.phase, Phase::Locating | Phase::Recovering);
        let plan = course.plan.clone().filter(|_| open || outcome == Some(OutcomeKind::Stuck));
        let Some(plan) = plan else {
            let is = outcome.map_or_else(|| course.phase.to_string(), |kind| kind.to_string());
            return Err(EngineError::NotOpen { task: id, is });
        };
        let now = task.look(&plan).await;
        let course = &task.recorder.course;
        let (permitted, withheld) = judged(task.ports(), course, &task.recorder.history, &plan, &now);
        if !permitted.contains(&action) {
            let why = match withheld.iter().find(|(which, _)| *which == action) {
                Some((_, why)) => (*why).to_owned(),
                None => waypost_core::situation::why(&plan, &now).to_owned(),
            };
            let permitted = permitted.iter().map(|action| action.as_str()).collect::<Vec<_>>().join(", ");
            return Err(EngineError::NotPermitted { task: id, action, why, permitted });
        }
        if outcome.is_some() {
            task.record(Record::Reopened { by: by.to_owned() })?;
            // It is under way again, and takes its place among the others whatever the limits are.
            super::waiting::keep(task.ports(), id, &task.recorder.course)?;
        }
        task.record(Record::Located { situation: now.clone(), permitted: permitted.clone() })?;
        if action == Action::Wait {
            return Ok(Acted::Open(now, permitted));
        }
        let reason = format!("{by} asked for it");
        task.record(Record::ActionIntended { action, by: PluginName::new(by), reason: reason.clone() })?;
        let answer = RecoveryAnswer { action, delay_ms: 0, reason, change: AttemptChange::NONE, way: None };
        let task = match carry_out(task, plan, &now, answer).await? {
            Stage::Ended(outcome) => return Ok(Acted::Ended(outcome)),
            Stage::Locating(next) => {
                let mut task = next.task;
                let now = task.look(&next.plan).await;
                let permitted = task.permitted(&next.plan, &now);
                task.record(Record::Located { situation: now.clone(), permitted: permitted.clone() })?;
                return Ok(Acted::Open(now, permitted));
            }
            Stage::Accepted(next) => next.0,
            Stage::Performing(next) => next.task,
            Stage::Outside(next) => next.task,
            _ => return Err(EngineError::Panicked("an action by hand")),
        };
        Ok(Acted::Driver(Box::new(Driver { task })))
    }
}
