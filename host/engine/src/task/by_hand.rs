//! One action by a person: looked up in what both sides permit right now, journalled as the person's, and nothing more.

use waypost_core::ids::{PluginName, TaskId};
use waypost_core::journal::Record;
use waypost_core::network::all_ways;
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::phase::Phase;
use waypost_core::plan::Plan;
use waypost_core::recovery::{AttemptChange, RecoveryAnswer};
use waypost_core::situation::{Action, Situation};

use super::recovering::carry_out;
use super::{Driver, Stage, Task, judged};
use crate::engine::Looked;
use crate::error::EngineError;

/// What a person wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What.
    pub action: Action,
    /// The network that a resumed post-copy takes; none: the next in turn. No other action takes one.
    pub network: Option<String>,
}

impl From<Action> for Order {
    fn from(action: Action) -> Self {
        Self { action, network: None }
    }
}

impl Order {
    /// Only a way that was planned with the migration can be named: no other has an address.
    fn check(&self, task: TaskId, plan: &Plan) -> Result<(), EngineError> {
        let Some(network) = self.network.clone() else { return Ok(()) };
        let ways = all_ways(plan);
        let why = if self.action != Action::ResumePostCopy {
            format!("only {} takes one", Action::ResumePostCopy)
        } else if !ways.contains(&network) {
            format!("its plan has {}", ways.join(", "))
        } else {
            return Ok(());
        };
        Err(EngineError::NoWay { task, action: self.action, network, why })
    }
}

/// What a person's order came to.
pub enum Acted {
    /// The task is over.
    Ended(Outcome),
    /// It was done, or failed as the journal tells, and the task is open. What both sides show now, and what is permitted.
    Open(Box<Looked>),
    /// A transfer follows, which wants to be driven.
    Driver(Box<Driver>),
}

/// Does this one action, if it is permitted now. A task that had ended stuck is open from then on.
pub(crate) async fn act(mut task: Task, order: Order, by: &str) -> Result<Acted, EngineError> {
    let id = task.recorder.id;
    let course = &task.recorder.course;
    let outcome = course.outcome.as_ref().map(|outcome| outcome.kind);
    let open = matches!(course.phase, Phase::Locating | Phase::Recovering);
    let plan = course.plan.clone().filter(|_| open || outcome == Some(OutcomeKind::Stuck));
    let Some(plan) = plan else {
        let is = outcome.map_or_else(|| course.phase.to_string(), |kind| kind.to_string());
        return Err(EngineError::NotOpen { task: id, is });
    };
    order.check(id, &plan)?;
    let Order { action, network: way } = order;
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
        return Ok(Acted::Open(Box::new(shown(&task, plan, now))));
    }
    let over = way.as_ref().map(|network| format!(", over network {network}")).unwrap_or_default();
    let reason = format!("{by} asked for it{over}");
    task.record(Record::ActionIntended { action, by: PluginName::new(by), reason: reason.clone() })?;
    let answer = RecoveryAnswer { action, delay_ms: 0, reason, change: AttemptChange::NONE, way };
    // A transfer that was begun stays in the hands of whoever drives on: its call's return says how it ended.
    let driver = Driver::about(&task);
    let stage = carry_out(task, plan, &now, answer).await?;
    match stage {
        Stage::Ended(outcome) => Ok(Acted::Ended(outcome)),
        Stage::Locating(next) => {
            let mut task = next.task;
            let now = task.look(&next.plan).await;
            let permitted = task.permitted(&next.plan, &now);
            task.record(Record::Located { situation: now.clone(), permitted: permitted.clone() })?;
            Ok(Acted::Open(Box::new(shown(&task, next.plan, now))))
        }
        Stage::Accepted(_) | Stage::Performing(_) | Stage::Outside(_) => Ok(Acted::Driver(Box::new(driver(stage)))),
        _ => Err(EngineError::Panicked("an action by hand")),
    }
}

fn shown(task: &Task, plan: Plan, now: Situation) -> Looked {
    Looked::new(task.ports(), &task.recorder.course, &task.recorder.history, plan, now)
}
