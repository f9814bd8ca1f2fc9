//! Between the core's values and those of wit/: the one place that knows both.
//!
//! Out go facts, requests and questions, field by field, so that a field added to wit/ can't be forgotten silently;
//! in come findings and answers, which are checked here because a policy's word is not to be trusted.

use thiserror::Error;
use waypost_core::convergence::{
    Bounds, Opening, OpeningQuestion, Prediction, Steered, Steering, SteeringAnswer, SteeringQuestion, Writing,
};
use waypost_core::edit::{AUTO, BRIDGE, EditKind, NETWORK, Proposal};
use waypost_core::facts;
use waypost_core::finding::{Finding, Severity};
use waypost_core::ids::HostName;
use waypost_core::plan::Plan;
use waypost_core::recovery::{AttemptChange, RecoveryAnswer, RecoveryQuestion};
use waypost_core::request::{CheckRequest, StorageSafety};
use waypost_core::sample::Sample;
use waypost_core::situation::{Action, Side};

use crate::bindings::{check, environment, recover, rewrite, steer, types as wit};
use crate::text;

/// Converts a list.
pub(crate) fn all<T, W>(items: &[T], convert: impl FnMut(&T) -> W) -> Vec<W> {
    items.iter().map(convert).collect()
}

/// Records whose fields have one name and one shape on both sides.
macro_rules! same {
    ($($name:ident: $from:ident => $to:ident { $($field:ident,)* } $(+ |$value:ident| { $($other:ident: $made:expr,)* })?)*) => {$(
        pub(crate) fn $name(from: &facts::$from) -> wit::$to {
            $(let $value = from;)?
            wit::$to { $($field: from.$field.clone(),)* $($($other: $made,)*)? }
        }
    )*};
}

same! {
    firmware: Firmware => Firmware { kind, loader, nvram, kernel, initrd, }
    memory_backing: MemoryBacking => MemoryBacking { huge_page_kib, locked, source, access, }
    pin: Pin => Pin { threads, cpus, }
    cpu_feature: CpuFeature => CpuFeature { name, policy, }
    guest_cpu: GuestCpu => GuestCpu { mode, model, vendor, check, migratable, }
        + |cpu| { features: all(&cpu.features, cpu_feature), }
    backing_layer: BackingLayer => BackingLayer { kind, source, format, }
    disk: Disk => Disk {
        target, bus, device, kind, source, format, cache, shareable, read_only, transient, startup_policy, protocol,
        servers, pool, volume, encrypted, capacity_bytes, allocation_bytes,
    } + |disk| { backing: all(&disk.backing, backing_layer), }
    interface: Interface => NetworkInterface { kind, network, bridge, device, portgroup, model, mac, teaming, }
    hostdev: Hostdev => Hostdev { kind, address, managed, teaming, }
    tpm: Tpm => Tpm { model, backend, version, state_path, device_path, }
    graphics: Graphics => Graphics { kind, listen, socket, autoport, port, }
    character_device: CharacterDevice => CharacterDevice { device, kind, path, address, service, log, }
    filesystem: Filesystem => Filesystem { driver, source, target, }
    active_job: ActiveJob => ActiveJob { operation, elapsed_ms, }
    block_job: BlockJob => BlockJob { disk, kind, }
    pool_source: PoolSource => PoolSource { hosts, dir, devices, name, format, adapter, }
    pool: Pool => Pool { name, kind, active, target, capacity_bytes, allocation_bytes, available_bytes, }
        + |pool| { uuid: pool.uuid.to_string(), source: pool_source(&pool.source), }
    volume: Volume => Volume { name, key, path, kind, format, capacity_bytes, allocation_bytes, changed, }
    disk_view: DiskView => DiskView { source, pool, } + |view| { volume: view.volume.as_ref().map(volume), }
    huge_pages: HugePages => HugePages { size_kib, total, free, }
    numa_cell: NumaCell => NumaCell { id, memory_kib, free_memory_kib, cpus, }
        + |cell| { huge_pages: all(&cell.huge_pages, huge_pages), }
    host_cpu: HostCpu => HostCpu { model, vendor, features, }
    machine: Machine => Machine { name, canonical, vcpus_max, }
    migration_ports: MigrationPorts => MigrationPorts { first, last, in_use, }
    network: Network => Network { name, active, bridge, forward, portgroups, }
        + |network| { uuid: network.uuid.to_string(), }
    domain_brief: DomainBrief => DomainBrief { name, persistent, }
        + |domain| { id: domain.id.to_string(), state: domain_state(domain.state), }
    node_device: NodeDevice => NodeDevice { name, capabilities, parent, }
}

pub(crate) fn domain_state(state: facts::DomainState) -> wit::DomainState {
    match state {
        facts::DomainState::NoState => wit::DomainState::NoState,
        facts::DomainState::Running => wit::DomainState::Running,
        facts::DomainState::Blocked => wit::DomainState::Blocked,
        facts::DomainState::Paused => wit::DomainState::Paused,
        facts::DomainState::Shutdown => wit::DomainState::Shutdown,
        facts::DomainState::ShutOff => wit::DomainState::ShutOff,
        facts::DomainState::Crashed => wit::DomainState::Crashed,
        facts::DomainState::PmSuspended => wit::DomainState::PmSuspended,
    }
}

pub(crate) fn cpu_result(result: facts::CpuComparison) -> wit::CpuResult {
    match result {
        facts::CpuComparison::Incompatible => wit::CpuResult::Incompatible,
        facts::CpuComparison::Identical => wit::CpuResult::Identical,
        facts::CpuComparison::Superset => wit::CpuResult::Superset,
        facts::CpuComparison::Unknown => wit::CpuResult::Unknown,
    }
}

pub(crate) fn cpu_comparison(pair: &facts::PairFacts) -> wit::CpuComparison {
    wit::CpuComparison { result: cpu_result(pair.cpu), message: pair.cpu_message.clone() }
}

pub(crate) fn level(level: environment::Level) -> tracing::Level {
    match level {
        environment::Level::Debug => tracing::Level::DEBUG,
        environment::Level::Info => tracing::Level::INFO,
        environment::Level::Warn => tracing::Level::WARN,
        environment::Level::Error => tracing::Level::ERROR,
    }
}

pub(crate) fn request(request: &CheckRequest) -> check::Request {
    let options = &request.options;
    check::Request {
        mode: options.mode.as_str().to_owned(),
        destination_name: options.destination_name.clone(),
        persistence: options.persistence.as_str().to_owned(),
        unsafe_storage: options.storage == StorageSafety::Unsafe,
        bandwidth_mib_s: options.bandwidth_mib_s,
        max_downtime_ms: options.max_downtime_ms,
        migrate_uri: options.migrate_uri.clone(),
        listen_address: options.listen_address.clone(),
        requester: request.requester.clone(),
        decided_at_ms: request.decided_at.0,
    }
}

pub(crate) fn transform_request(request: &CheckRequest) -> rewrite::Request {
    let options = &request.options;
    rewrite::Request {
        mode: options.mode.as_str().to_owned(),
        destination_name: options.destination_name.clone(),
        persistence: options.persistence.as_str().to_owned(),
        requester: request.requester.clone(),
        decided_at_ms: request.decided_at.0,
    }
}

pub(crate) fn question(question: &RecoveryQuestion) -> recover::Question {
    let plan = &question.plan;
    recover::Question {
        domain_id: plan.domain.to_string(),
        domain_name: plan.name.clone(),
        source: plan.source.host.as_str().to_owned(),
        destination: plan.destination.host.as_str().to_owned(),
        mode: plan.mode.as_str().to_owned(),
        initially: plan.initially.as_str().to_owned(),
        finally: plan.finally.as_str().to_owned(),
        source_side: side(&question.situation.source),
        destination_side: side(&question.situation.destination),
        class: question.class.as_str().to_owned(),
        message: question.message.clone(),
        attempt: question.attempt,
        look: question.look,
        permitted: all(&question.permitted, |action| action.as_str().to_owned()),
        decided_at_ms: question.decided_at.0,
        stage: question.stage.as_str().to_owned(),
        figures: question.sample.as_ref().map(figures),
        done: all(&question.done, |deed| recover::Deed {
            action: deed.action.as_str().to_owned(),
            error: deed.error.clone(),
        }),
        attempts_left: question.attempts_left,
        tried: all(&question.tried, |host| host.as_str().to_owned()),
        others: all(&question.others, |host| host.as_str().to_owned()),
        ways: question.ways.clone(),
    }
}

fn figures(sample: &Sample) -> recover::Figures {
    recover::Figures {
        elapsed_ms: sample.elapsed_ms,
        total_bytes: sample.total_bytes,
        processed_bytes: sample.processed_bytes,
        remaining_bytes: sample.remaining_bytes,
        bytes_per_s: sample.bytes_per_s,
        dirty_pages_per_s: sample.dirty_pages_per_s,
        iteration: sample.iteration,
    }
}

fn side(side: &Side) -> recover::Side {
    match side {
        Side::Unknown(why) => recover::Side::Unknown(why.clone()),
        Side::Absent { .. } => recover::Side::Absent,
        Side::Present(seen) => recover::Side::Present(recover::Observed {
            name: seen.name.clone(),
            state: domain_state(seen.state),
            reason: seen.reason.clone(),
            persistent: seen.persistent,
            job: seen.job,
        }),
    }
}

pub(crate) fn opening_question(question: &OpeningQuestion) -> steer::OpeningQuestion {
    steer::OpeningQuestion {
        transfer: transfer(&question.plan, question.memory_bytes, &[]),
        vcpus: question.vcpus,
        bounds: bounds(&question.bounds),
        prediction: question.prediction.as_ref().map(prediction).or_else(|| question.writing.map(unreckoned)),
        decided_at_ms: question.decided_at.0,
    }
}

pub(crate) fn steering_question(question: &SteeringQuestion) -> steer::SteeringQuestion {
    steer::SteeringQuestion {
        transfer: transfer(&question.plan, question.memory_bytes, &question.steered),
        bounds: bounds(&question.bounds),
        elapsed_ms: question.elapsed_ms,
        samples: all(&question.samples, sample),
        passes: all(&question.passes, sample),
        steered: all(&question.steered, |done| steer::Steered {
            at_ms: done.at_ms,
            action: done.action.as_str().to_owned(),
            value: done.value,
        }),
        decided_at_ms: question.decided_at.0,
    }
}

/// The plan, and over its limits those that were set since.
fn transfer(plan: &Plan, memory_bytes: u64, steered: &[Steered]) -> steer::Transfer {
    let last = |action| steered.iter().rev().find(|done| done.action == action).and_then(|done| done.value);
    steer::Transfer {
        domain_id: plan.domain.to_string(),
        domain_name: plan.name.clone(),
        source: plan.source.host.as_str().to_owned(),
        destination: plan.destination.host.as_str().to_owned(),
        initially: plan.initially.as_str().to_owned(),
        memory_bytes,
        transport: plan.transport.as_str().to_owned(),
        parallel_connections: plan.stream.parallel_connections,
        encryption: plan.stream.encryption.as_str().to_owned(),
        disk_copy: plan.disks.copy.as_str().to_owned(),
        auto_converge: plan.stream.auto_converge,
        post_copy: plan.stream.post_copy,
        max_downtime_ms: last(Steering::SetDowntime).or(plan.max_downtime_ms),
        bandwidth_mib_s: last(Steering::SetBandwidth).or(plan.bandwidth_mib_s),
    }
}

fn bounds(bounds: &Bounds) -> steer::Bounds {
    steer::Bounds {
        max_downtime_ms: bounds.max_downtime_ms,
        max_bandwidth_mib_s: bounds.max_bandwidth_mib_s,
        permitted: all(&bounds.permitted, |action| action.as_str().to_owned()),
        timeout_s: bounds.timeout_s,
    }
}

fn prediction(expected: &Prediction) -> steer::Prediction {
    let Prediction { dirty_bytes_per_s, bandwidth_bytes_per_s, bandwidth_from: _, converges, total_ms, downtime_ms } =
        *expected;
    steer::Prediction { dirty_bytes_per_s, bandwidth_bytes_per_s, converges, total_ms, downtime_ms }
}

/// What was measured where no bandwidth is known. The record has no other place for it: a bandwidth of 0 is none, and with none
/// only a guest that writes nothing is sure to converge.
fn unreckoned(writing: Writing) -> steer::Prediction {
    steer::Prediction {
        dirty_bytes_per_s: writing.dirty_bytes_per_s,
        bandwidth_bytes_per_s: 0,
        converges: writing.converges_above_bytes_per_s == 0,
        total_ms: None,
        downtime_ms: None,
    }
}

fn sample(sample: &Sample) -> steer::Sample {
    steer::Sample {
        elapsed_ms: sample.elapsed_ms,
        total_bytes: sample.total_bytes,
        processed_bytes: sample.processed_bytes,
        remaining_bytes: sample.remaining_bytes,
        bytes_per_s: sample.bytes_per_s,
        dirty_pages_per_s: sample.dirty_pages_per_s,
        page_bytes: sample.page_bytes,
        iteration: sample.iteration,
        downtime_ms: sample.downtime_ms,
        throttle_percent: sample.throttle_percent,
        stage: sample.stage.as_str().to_owned(),
    }
}

/// Bytes of a code.
pub const CODE_BYTES: usize = 64;
/// Bytes of a message, a remedy or a reason.
pub const MESSAGE_BYTES: usize = 4096;
/// Evidence of one finding.
pub const EVIDENCE_ENTRIES: usize = 64;
/// Bytes of the name of an evidence.
pub const EVIDENCE_NAME_BYTES: usize = 128;
/// Bytes of the value of an evidence.
pub const EVIDENCE_VALUE_BYTES: usize = 8192;
/// Findings about one destination.
pub const FINDINGS: usize = 64;
/// Edits for one destination.
pub const EDITS: usize = 256;
/// Longest delay that a recovery policy may ask for, ms.
pub const DELAY_MS: u64 = 3_600_000;

/// An answer that is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Nonsense {
    #[error("it answered for {answered} destinations and was asked about {asked}")]
    Destinations { answered: usize, asked: usize },
    #[error("{count} edits for one destination; at most {EDITS} are taken")]
    Edits { count: usize },
    #[error("{count} findings about one destination; at most {FINDINGS} are taken")]
    Findings { count: usize },
    #[error("the code {code:?} of a finding isn't 1 to {CODE_BYTES} of a-z, 0-9 and -")]
    Code { code: String },
    #[error("the {what} of finding {code} has {size} {unit}; at most {most} are taken")]
    TooLong { what: &'static str, code: String, size: usize, unit: &'static str, most: usize },
    #[error("a finding without a message: {code}")]
    Wordless { code: String },
    #[error("it chose {action:?}, which is not among what is permitted: {permitted}")]
    NotPermitted { action: String, permitted: String },
    #[error("it asked for a delay of {delay_ms} ms; at most {DELAY_MS} are taken")]
    Delay { delay_ms: u64 },
    #[error("it chose {action:?}, which is none of: {known}")]
    UnknownAction { action: String, known: String },
    #[error("its reason has {size} bytes; at most {MESSAGE_BYTES} are taken")]
    Reason { size: usize },
}

/// The findings per destination, if all of them can be used: half an answer is none.
pub(crate) fn findings(answer: Vec<Vec<wit::Finding>>, asked: usize) -> Result<Vec<Vec<Finding>>, Nonsense> {
    if answer.len() != asked {
        return Err(Nonsense::Destinations { answered: answer.len(), asked });
    }
    answer
        .into_iter()
        .map(|findings| match findings.len() {
            count if count > FINDINGS => Err(Nonsense::Findings { count }),
            _ => findings.into_iter().map(finding).collect(),
        })
        .collect()
}

fn finding(from: wit::Finding) -> Result<Finding, Nonsense> {
    let wit::Finding { code, severity, message, evidence, remedy } = from;
    let usable = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if code.is_empty() || code.len() > CODE_BYTES || !code.bytes().all(usable) {
        return Err(Nonsense::Code { code: text::line(&code, CODE_BYTES) });
    }
    let within = |what, size, unit, most| match size > most {
        true => Err(Nonsense::TooLong { what, code: code.clone(), size, unit, most }),
        false => Ok(()),
    };
    within("message", message.len(), "bytes", MESSAGE_BYTES)?;
    within("remedy", remedy.as_ref().map_or(0, String::len), "bytes", MESSAGE_BYTES)?;
    within("evidence", evidence.len(), "entries", EVIDENCE_ENTRIES)?;
    for (name, value) in &evidence {
        within("name of an evidence", name.len(), "bytes", EVIDENCE_NAME_BYTES)?;
        within("value of an evidence", value.len(), "bytes", EVIDENCE_VALUE_BYTES)?;
    }
    if message.trim().is_empty() {
        return Err(Nonsense::Wordless { code });
    }
    let tame = |text: &str| text::line(text, usize::MAX);
    Ok(Finding {
        severity: match severity {
            wit::Severity::Info => Severity::Info,
            wit::Severity::Warning => Severity::Warning,
            wit::Severity::Blocker => Severity::Blocker,
        },
        message: tame(&message),
        evidence: all(&evidence, |(name, value)| (tame(name), tame(value))),
        remedy: remedy.map(|remedy| tame(&remedy)),
        code,
    })
}

/// The proposals per destination. Whether they can be made is for the core to say, which knows the domain.
pub(crate) fn proposals(answer: Vec<Vec<rewrite::Edit>>, asked: usize) -> Result<Vec<Vec<Proposal>>, Nonsense> {
    if answer.len() != asked {
        return Err(Nonsense::Destinations { answered: answer.len(), asked });
    }
    answer
        .into_iter()
        .map(|edits| match edits.len() {
            count if count > EDITS => Err(Nonsense::Edits { count }),
            _ => edits.into_iter().map(proposal).collect(),
        })
        .collect()
}

fn proposal(from: rewrite::Edit) -> Result<Proposal, Nonsense> {
    use rewrite::Change;
    let rewrite::Edit { change, reason } = from;
    let port = |port: Option<u16>| port.map_or_else(|| AUTO.to_owned(), |port| port.to_string());
    let (kind, device, after) = match change {
        Change::DiskSource(to) => (EditKind::DiskSource, Some(to.target), to.path),
        Change::InterfaceBridge(to) => (EditKind::InterfaceSource, Some(to.mac), Some(format!("{BRIDGE}{}", to.name))),
        Change::InterfaceNetwork(to) => {
            (EditKind::InterfaceSource, Some(to.mac), Some(format!("{NETWORK}{}", to.name)))
        }
        Change::GraphicsListen(to) => (EditKind::GraphicsListen, Some(to.kind), Some(to.address)),
        Change::GraphicsPort(to) => (EditKind::GraphicsPort, Some(to.kind), Some(port(to.port))),
        Change::CharacterPath(to) => {
            (EditKind::CharacterPath, Some(format!("{} {}", to.device, to.index)), Some(to.path))
        }
        Change::Emulator(path) => (EditKind::Emulator, None, Some(path)),
        Change::Loader(path) => (EditKind::Loader, None, Some(path)),
        Change::Title(title) => (EditKind::Title, None, title),
        Change::Description(text) => (EditKind::Description, None, text),
        Change::Metadata(to) => (EditKind::Metadata, Some(to.namespace), to.element),
        Change::CpuPin(to) => (EditKind::CpuPin, Some(to.threads), to.cpus),
        Change::MemoryNodes(nodes) => (EditKind::MemoryNodes, None, nodes),
        Change::OnPoweroff(word) => (EditKind::OnPoweroff, None, Some(word)),
        Change::OnReboot(word) => (EditKind::OnReboot, None, Some(word)),
        Change::OnCrash(word) => (EditKind::OnCrash, None, Some(word)),
    };
    Ok(Proposal { kind, device, after, reason: sentence(&reason)? })
}

/// The answer, if it is one of the permitted.
pub(crate) fn recovery_answer(from: recover::Answer, permitted: &[Action]) -> Result<RecoveryAnswer, Nonsense> {
    let recover::Answer { action, delay_ms, reason, change, way } = from;
    let reason = sentence(&reason)?;
    if delay_ms > DELAY_MS {
        return Err(Nonsense::Delay { delay_ms });
    }
    let Some(chosen) = Action::parse(&action).filter(|action| permitted.contains(action)) else {
        let permitted = permitted.iter().map(|action| action.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Nonsense::NotPermitted { action: text::line(&action, CODE_BYTES), permitted });
    };
    // What isn't offered is left out by the engine, which knows the request: see `AttemptChange::within`.
    let change = change.map_or(AttemptChange::NONE, |change| AttemptChange {
        destination: change.destination.map(|host| HostName::new(text::line(&host, CODE_BYTES * 4))),
        max_downtime_ms: change.max_downtime_ms,
        post_copy: change.post_copy,
    });
    // One that isn't offered is left out as well: it is the host's turn then.
    let way = way.map(|way| text::line(&way, CODE_BYTES * 4));
    Ok(RecoveryAnswer { action: chosen, delay_ms, reason, change, way })
}

/// The opening, within the bounds.
pub(crate) fn opening(from: steer::Opening, bounds: &Bounds) -> Result<Opening, Nonsense> {
    let steer::Opening { max_downtime_ms, auto_converge, auto_converge_initial, auto_converge_increment, reason } =
        from;
    let reason = sentence(&reason)?;
    let opening = Opening { max_downtime_ms, auto_converge, auto_converge_initial, auto_converge_increment, reason };
    Ok(opening.within(bounds))
}

/// The answer as it was given, if its action is known; the bounds are still to be applied.
pub(crate) fn steering_answer(from: steer::Answer) -> Result<SteeringAnswer, Nonsense> {
    let steer::Answer { action, value, reason } = from;
    let reason = sentence(&reason)?;
    let Some(action) = Steering::parse(&action) else {
        let choices = Steering::ALL.iter().filter(|action| !action.is_our_own());
        let known = choices.map(|action| action.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Nonsense::UnknownAction { action: text::line(&action, CODE_BYTES), known });
    };
    Ok(SteeringAnswer { action, value, reason })
}

fn sentence(reason: &str) -> Result<String, Nonsense> {
    match reason.len() {
        size if size > MESSAGE_BYTES => Err(Nonsense::Reason { size }),
        _ => Ok(text::line(reason, usize::MAX)),
    }
}
