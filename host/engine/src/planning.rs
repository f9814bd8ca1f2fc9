//! From a verdict to a plan: what is expected of the transfer, and how the convergence policy opens it. The same for a dry
//! run and a migration, so that the one shows what the other does.

use std::sync::Arc;
use std::time::Duration;

use waypost_core::convergence::{Activity, Bandwidth, BandwidthFrom, OpeningQuestion, Prediction, Writing, predict};
use waypost_core::copies::used_bytes;
use waypost_core::facts::Snapshot;
use waypost_core::ids::HostName;
use waypost_core::plan::{Plan, PlanError, RunState, TransferMode};
use waypost_core::ports::DecisionRecord;
use waypost_core::stream::{Compression, Disks, Stream};

use crate::carried;
use crate::check::{CheckReport, blocking};
use crate::engine::Ports;
use crate::error::EngineError;
use crate::settings::Measuring;
use crate::task::helm::bounds;

/// A plan, and what was thought about it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Every choice.
    pub plan: Plan,
    /// What is expected, where it was measured and a bandwidth is known.
    pub prediction: Option<Prediction>,
    /// What was measured, also where no bandwidth is known.
    pub writing: Option<Writing>,
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
/// A measurement before a migration may cost this part of it, unless the site has it measured in any case. The measurement takes
/// rather more than its second, and the whole command is to take at most a twentieth more than the transfer.
const PART: u64 = 50;
/// What a network is taken to carry where nobody knows it, for the question whether it is worth the time to measure: 10 Gbit/s.
/// A slower one makes the transfer longer, and the measurement a smaller part of it.
const SUPPOSED_BYTES_PER_S: u64 = 10_000_000_000 / 8;

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
        return Ok(Some(Ok(Planned { plan, prediction: None, writing: None, decision: None })));
    }
    let Foretold { prediction, writing } = foretell(ports, &plan, &report.facts, purpose).await;
    let question = OpeningQuestion {
        memory_bytes: plan.memory_bytes.unwrap_or(0),
        vcpus: report.facts.domain.vcpus,
        bounds: bounds(&plan, plan.max_downtime_ms, &ports.settings()),
        prediction: prediction.clone(),
        writing,
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
    Ok(Some(Ok(Planned { plan, prediction, writing, decision })))
}

/// What was measured, and what that comes to.
#[derive(Debug, Default)]
struct Foretold {
    prediction: Option<Prediction>,
    writing: Option<Writing>,
}

/// What is to be expected of the transfer. Nothing where measuring would cost more than its part and the site doesn't say that it is
/// to be measured all the same, where the site says that it isn't, where the host can't measure, and of a guest that doesn't run; and
/// of the time it takes nothing where no bandwidth is known.
async fn foretell(ports: &Arc<Ports>, plan: &Plan, facts: &Snapshot, purpose: For) -> Foretold {
    let Some(memory) = plan.memory_bytes.filter(|_| plan.initially == RunState::Running) else {
        return Foretold::default();
    };
    let measure = match purpose {
        For::Show => Measuring::Always,
        For::Execution => ports.settings().measure,
    };
    if measure == Measuring::Never {
        return Foretold::default();
    }
    let bandwidth = bandwidth(ports, plan).await;
    // Of memory that the guest never touched nothing travels, so that what it holds decides.
    let least = match measure {
        Measuring::WorthIt => worth_measuring(bandwidth, &plan.stream),
        Measuring::Always | Measuring::Never => 0,
    };
    if memory < least {
        return Foretold::default();
    }
    match ports.hypervisor.activity(&plan.source.host, plan.domain, MEASURED, least).await {
        Ok(None) => Foretold::default(),
        Ok(Some(measured)) => {
            let activity = if plan.stream.stands_still { measured.standing_still() } else { measured };
            Foretold {
                prediction: bandwidth.map(|known| expected(plan, facts, &activity, memory, known)),
                writing: Some(Writing::of(&activity, memory, plan.max_downtime_ms)),
            }
        }
        Err(fault) => {
            // Only an expectation is lost with it.
            tracing::info!(%fault, "the guest's writing could not be measured");
            Foretold::default()
        }
    }
}

/// From how much memory on a transfer takes so long that measuring costs no more than its part. Of pages that are compressed, the
/// first time too, nobody knows how little of them travels: a bandwidth says nothing of the time then.
fn worth_measuring(bandwidth: Option<Bandwidth>, stream: &Stream) -> u64 {
    let shrunk = |method: &Compression| *method != Compression::Xbzrle;
    let telling = bandwidth.filter(|_| !stream.compression.iter().any(shrunk));
    let bytes_per_s = telling.map_or(SUPPOSED_BYTES_PER_S, |known| known.bytes_per_s);
    bytes_per_s.saturating_mul(MEASURED.as_secs() * PART)
}

/// What is to be expected of the memory, and of the disks that are copied before it.
fn expected(plan: &Plan, facts: &Snapshot, activity: &Activity, memory: u64, bandwidth: Bandwidth) -> Prediction {
    let running = predict(activity, memory, bandwidth, plan.max_downtime_ms);
    let alone = if plan.stream.stands_still { running.standing_still() } else { running };
    if plan.copies.0.is_empty() {
        return alone;
    }
    let known = goes_for_disks(bandwidth.from, &plan.stream, &plan.disks);
    alone.with_disks(used_bytes(&plan.copies, facts).filter(|_| known))
}

/// Whether the memory's bandwidth is that of the disks: what the network or the limit lets through is, where they go the same
/// way. What earlier transfers carried over several connections, or compressed, is not: a disk has one connection, and travels
/// as it is.
fn goes_for_disks(from: BandwidthFrom, stream: &Stream, disks: &Disks) -> bool {
    let seen = from == BandwidthFrom::EarlierTransfers;
    let as_disks_go = stream.parallel_connections.is_none() && stream.compression.is_empty();
    disks.uri.is_none() && (!seen || as_disks_go)
}

/// What there is to reckon with: what is declared, else what earlier transfers showed.
async fn bandwidth(ports: &Arc<Ports>, plan: &Plan) -> Option<Bandwidth> {
    let declared = carried::declared(plan, &ports.settings().networks);
    if declared.is_some() {
        return declared;
    }
    let (store, plan) = (Arc::clone(&ports.store), plan.clone());
    match blocking(move || Ok(carried::earlier(store.as_ref(), &plan)?)).await {
        Ok(known) => known,
        Err(error) => {
            // Only an expectation is lost with it; the next record will meet a store in trouble.
            tracing::info!(%error, "earlier transfers could not be read");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_spent_on_measuring_where_the_transfer_is_known_to_take_fifty() {
        let slow = Some(Bandwidth { bytes_per_s: 1 << 20, from: BandwidthFrom::Limit });
        let with = |compression: Vec<Compression>| Stream { compression, ..Stream::default() };
        assert_eq!(worth_measuring(slow, &with(vec![])), 50 << 20);
        assert_eq!(
            worth_measuring(slow, &with(vec![Compression::Xbzrle])),
            50 << 20,
            "the first time a page travels whole"
        );
        for method in [Compression::Mt, Compression::Zlib, Compression::Zstd] {
            assert_eq!(worth_measuring(slow, &with(vec![method])), 62_500_000_000, "{method}");
        }
        assert_eq!(worth_measuring(slow, &with(vec![Compression::Xbzrle, Compression::Mt])), 62_500_000_000);
        assert_eq!(worth_measuring(None, &with(vec![])), 62_500_000_000);
    }

    #[test]
    fn the_memorys_bandwidth_is_the_disks_where_they_travel_alike() {
        use BandwidthFrom::{EarlierTransfers, Limit, Network};
        let plain = Stream::default();
        let parallel = Stream { parallel_connections: Some(4), ..Stream::default() };
        let compressed = Stream { compression: vec![Compression::Zstd], ..Stream::default() };
        let along = Disks::default();
        for stream in [&plain, &parallel, &compressed] {
            for from in [Limit, Network] {
                assert!(goes_for_disks(from, stream, &along), "{from}, {stream:?}");
            }
        }
        assert!(goes_for_disks(EarlierTransfers, &plain, &along));
        assert!(!goes_for_disks(EarlierTransfers, &parallel, &along));
        assert!(!goes_for_disks(EarlierTransfers, &compressed, &along));
        let apart = Disks { uri: Some("tcp://10.9.0.2".into()), ..Disks::default() };
        assert!(!goes_for_disks(Limit, &plain, &apart));
    }
}
