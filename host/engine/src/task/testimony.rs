//! What both hosts still tell of a transfer that failed, put beside what its call told. It is asked for before the failure
//! goes on record, because the record is what a policy and a person are told.

use std::time::Duration;

use waypost_core::evidence::{Evidence, Heard, Told};
use waypost_core::ids::HostName;
use waypost_core::plan::Plan;
use waypost_core::recovery::FailureClass;
use waypost_core::situation::Situation;

use super::Task;

/// A host that doesn't answer must not hold up the look at both hosts that follows.
const PATIENCE: Duration = Duration::from_secs(5);

/// The class and the words of a failure, with what both hosts still tell of it. The situation is given where nobody told the
/// failure and both sides were looked at after it.
pub(super) async fn weigh(
    task: &Task,
    plan: &Plan,
    own: FailureClass,
    message: String,
    situation: Option<&Situation>,
) -> (FailureClass, String) {
    // What is certain needs no witness, and a host that can't be reached is none.
    if matches!(own, FailureClass::Cancelled | FailureClass::Unreachable | FailureClass::Migrating)
        && situation.is_none()
    {
        return (own, message);
    }
    let (source, destination) =
        tokio::join!(ask(task, plan, &plan.source.host), ask(task, plan, &plan.destination.host));
    let told = if situation.is_some() || own == FailureClass::Other { Told::ByNobody } else { Told::ByACall };
    // A reading is of a transfer that moves something.
    let begun = task.recorder.last_sample().is_some_and(|sample| sample.processed_bytes > 0);
    let heard = Heard { source: &source, destination: &destination, situation, begun };
    heard.weigh(plan, own, told, &message)
}

/// What one host tells; one that tells nothing is no trouble of its own.
async fn ask(task: &Task, plan: &Plan, host: &HostName) -> Evidence {
    let answer = tokio::time::timeout(PATIENCE, task.ports().hypervisor.evidence(host, plan.domain)).await;
    answer.ok().and_then(Result::ok).unwrap_or_default()
}
