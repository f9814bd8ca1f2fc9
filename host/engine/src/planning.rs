//! From a verdict to a plan: what is expected of the transfer, and how the convergence policy opens it. The same for a dry
//! run and a migration, so that the one shows what the other does.

use std::sync::Arc;
use std::time::Duration;

use waypost_core::convergence::{OpeningQuestion, Prediction, predict};
use waypost_core::ids::HostName;
use waypost_core::plan::{Plan, PlanError, RunState, TransferMode};
use waypost_core::ports::DecisionRecord;

use crate::check::{CheckReport, blocking};
use crate::engine::Ports;
use crate::error::EngineError;
use crate::task::helm::bounds;

/// A plan, and what was thought about it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Every choice.
    pub plan: Plan,
    /// What is expected, where it was measured.
    pub prediction: Option<Prediction>,
    /// How the convergence policy was asked and what it answered, if there is one.
    pub(crate) decision: Option<DecisionRecord>,
}

/// What the plan is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// To be shown: the second that a measurement takes is well spent.
    Show,
    /// To be executed.
    Execution,
}

/// How long the guest's writing is measured: the shortest time that QEMU and libvirt take.
const MEASURED: Duration = Duration::from_secs(1);
/// A measurement before a migration may cost this part of it. The measurement takes rather more than its second, and the
/// whole command is to take at most a twentieth more than the transfer.
const PART: u64 = 50;

/// Makes the plan for a destination that was allowed. None for one that was refused or not read.
pub(crate) async fn plan(
    ports: &Arc<Ports>,
    report: &CheckReport,
    destination: &HostName,
    attempt: u32,
    purpose: For,
) -> Result<Option<Result<Planned, PlanError>>, EngineError> {
    let plan = match report.plan(destination, attempt) {
        None => return Ok(None),
        Some(Err(error)) => return Ok(Some(Err(error))),
        Some(Ok(plan)) => plan,
    };
    if !plan.edits.is_empty()
        && let Err(fault) = ports.hypervisor.rehearse(&plan).await
    {
        return Ok(Some(Err(PlanError::Edits(fault.to_string()))));
    }
    if plan.mode != TransferMode::Live {
        return Ok(Some(Ok(Planned { plan, prediction: None, decision: None })));
    }
    let prediction = measured(ports, &plan, purpose).await;
    let question = OpeningQuestion {
        memory_bytes: plan.memory_bytes.unwrap_or(0),
        vcpus: report.facts.domain.vcpus,
        bounds: bounds(&plan, plan.max_downtime_ms, &ports.settings()),
        prediction: prediction.clone(),
        decided_at: ports.clock.now(),
        plan,
    };
    let asked = Arc::clone(ports);
    let (question, (opening, decision)) = blocking(move || {
        let answer = asked.policies.open(&question);
        Ok((question, answer))
    })
    .await?;
    let OpeningQuestion { plan, bounds, .. } = question;
    let plan = opening.applied(plan, &bounds);
    Ok(Some(Ok(Planned { plan, prediction, decision })))
}

/// What is expected of the transfer. None where the bandwidth isn't known, where measuring would cost more than its part,
/// or where the host can't measure.
async fn measured(ports: &Ports, plan: &Plan, purpose: For) -> Option<Prediction> {
    let bandwidth = plan.bandwidth_mib_s?.checked_mul(1 << 20).filter(|bandwidth| *bandwidth > 0)?;
    let memory = plan.memory_bytes?;
    if plan.initially != RunState::Running {
        return None;
    }
    // Of memory that the guest never touched nothing travels, so that what it holds decides.
    let least = match purpose {
        For::Show => 0,
        For::Execution => bandwidth.saturating_mul(MEASURED.as_secs() * PART),
    };
    if memory < least {
        return None;
    }
    match ports.hypervisor.activity(&plan.source.host, plan.domain, MEASURED, least).await {
        Ok(activity) => Some(predict(&activity?, memory, bandwidth, plan.max_downtime_ms)),
        Err(fault) => {
            // Only an expectation is lost with it.
            tracing::info!(%fault, "the guest's writing could not be measured");
            None
        }
    }
}
