//! Every choice of one attempt, made before anything is touched. Who executes a plan has nothing left to decide.

mod age;
mod encryption;
mod travel;

use age::{dotted, of_an_age};
use thiserror::Error;
use uuid::Uuid;

use crate::admission::offline;
use crate::copies::{Copies, Uncopyable, copies, doubts};
use crate::edit::{Edit, Edits};
use crate::facts::{Candidate, DomainState, Snapshot, Tpm};
use crate::ids::{DomainId, HostName};
use crate::network::Detours;
use crate::request::{AfterMove, Mode, Options, Persistence, SourceDefinition, StorageSafety};
use crate::stream::{DiskCopy, Disks, Encryption, Stream, Transport};
use crate::words;

words! {
    /// How it travels.
    pub enum TransferMode {
        /// With its memory, running or paused.
        Live = "live",
        /// As a definition.
        Offline = "offline",
    }
    /// What it did when the plan was made, and so what it must do afterwards.
    pub enum RunState {
        /// Running.
        Running = "running",
        /// Paused.
        Paused = "paused",
        /// Shut off.
        ShutOff = "shut-off",
    }
    /// What becomes of the source's definition.
    pub enum SourceFate {
        /// Undefined.
        Undefine = "undefine",
        /// Kept, without autostart.
        KeepWithoutAutostart = "keep-without-autostart",
        /// There is none: the domain is transient.
        None = "none",
    }
    /// The definition on the destination.
    pub enum DestinationFate {
        /// Defined.
        Define = "define",
        /// Only running.
        TransientOnly = "transient-only",
    }
    /// Whether the domain shall start with its new host.
    pub enum Autostart {
        /// It shall.
        On = "on",
        /// It shall not.
        Off = "off",
    }
    /// What was known of the domain's UUID on the destination before anything was touched.
    pub enum Before {
        /// No such domain: whatever appears there is this migration's.
        Absent = "absent",
        /// A shut-off definition of the same domain was there already (the usual way back): never to be removed.
        Defined = "defined",
    }
}

/// One end of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Configured name.
    pub host: HostName,
    /// Host UUID: an absence counts only if the host that was planned says so.
    pub uuid: Option<Uuid>,
}

/// Sentences for a person beside a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes(pub Vec<String>);

/// The plan of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Attempt, from 1.
    pub attempt: u32,
    /// Domain.
    pub domain: DomainId,
    /// Its name on the source.
    pub name: String,
    /// Its name on the destination.
    pub destination_name: String,
    /// From.
    pub source: End,
    /// To.
    pub destination: End,
    /// URI by which the source's daemon reaches the destination's; for a direct migration the one by which the controller
    /// does. Without secrets.
    pub peer_uri: String,
    /// How it travels.
    pub mode: TransferMode,
    /// What it did before.
    pub initially: RunState,
    /// What it shall do after.
    pub finally: RunState,
    /// Definition on the source.
    pub source_fate: SourceFate,
    /// Definition on the destination.
    pub destination_fate: DestinationFate,
    /// Whether it starts with the destination.
    pub autostart: Autostart,
    /// What the destination held before.
    pub destination_before: Before,
    /// libvirt's storage check.
    pub storage: StorageSafety,
    /// Memory goes here.
    pub migrate_uri: Option<String>,
    /// The destination listens here.
    pub listen_address: Option<String>,
    /// Bandwidth limit, MiB/s.
    pub bandwidth_mib_s: Option<u64>,
    /// Downtime limit set before the start, ms.
    pub max_downtime_ms: Option<u64>,
    /// Time for the whole transfer, s.
    pub timeout_s: u64,
    /// Who drives it.
    pub transport: Transport,
    /// The stream; its encryption is decided: required or off.
    pub stream: Stream,
    /// Disks that travel along; their targets are named one by one wherever there are any.
    pub disks: Disks,
    /// What each of them needs on the destination.
    pub copies: Copies,
    /// Migration network that was chosen, by its configured name.
    pub network: Option<String>,
    /// What may stand in for it where a post-copy is resumed.
    pub detours: Detours,
    /// Memory of the domain; none where the facts don't tell.
    pub memory_bytes: Option<u64>,
    /// The file in which its hosts keep the variables of the guest's firmware; none where it has none.
    pub firmware_variables: Option<String>,
    /// Where its hosts keep the state of the guest's emulated TPM, a path or in words; none where it has none.
    pub tpm_state: Option<String>,
    /// What is edited in the definition on its way.
    pub edits: Edits,
    /// What a person should know of these choices, one sentence each.
    pub notes: Notes,
}

/// Why no plan can be made of a request that every rule allowed. The rules should have said so first; this is the last
/// line: it protects the guest also where a site removed the rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    /// Mode and state don't fit.
    #[error("the domain is {state}, so it can't be migrated {mode}: {remedy}")]
    WrongState {
        /// State.
        state: DomainState,
        /// Mode.
        mode: Mode,
        /// What to do.
        remedy: &'static str,
    },
    /// An error of a disk is to end the migration, and has stopped the guest already.
    #[error(
        "abort-on-error can't be had: an error of a disk has paused the domain already, and libvirt refuses it then; mend the storage and resume the domain, or leave the option out"
    )]
    StoppedByDisk,
    /// No way for the source's daemon.
    #[error(
        "host {0} has no peer URI by which the source's daemon could reach it: set `peer_uri` for it in the configuration"
    )]
    NoPeerUri(HostName),
    /// The domain is already active there.
    #[error("a domain with this UUID is {state} on {host} already: a second copy must not run")]
    ActiveOnDestination {
        /// Host.
        host: HostName,
        /// State.
        state: DomainState,
    },
    /// No network.
    #[error(transparent)]
    Network(#[from] crate::network::NetworkError),
    /// Encryption was asked for, or the site demands it.
    #[error(
        "the transfer can't be encrypted: {0} has no `migration_tls`; give its hypervisor certificates and say `migration_tls = true` for it in the configuration"
    )]
    NoTls(HostName),
    /// A daemon that is too old.
    #[error("{what} needs libvirt {}, and {host} has {}: leave it out, or update libvirt there", dotted(*.needed), dotted(*.has))]
    TooOld {
        /// Option.
        what: &'static str,
        /// Host.
        host: HostName,
        /// Version that it needs, as in the facts.
        needed: u64,
        /// Version that is there.
        has: u64,
    },
    /// A daemon that takes no more what older ones did.
    #[error("{what} is refused from libvirt {} on, and {host} has {}: leave one of the two out", dotted(*.refused_from), dotted(*.has))]
    TooNew {
        /// Options.
        what: &'static str,
        /// Host.
        host: HostName,
        /// The first version that refuses it, as in the facts.
        refused_from: u64,
        /// Version that is there.
        has: u64,
    },
    /// Both names are one libvirt host.
    #[error("{0} and {1} are the same libvirt host (host UUID {2})")]
    SameHost(HostName, HostName, Uuid),
    /// A disk can't be copied.
    #[error(transparent)]
    Copy(#[from] Uncopyable),
    /// There is nobody to copy a disk without a running domain.
    #[error(
        "disk {0} is not on {1}, and libvirt copies disks only of a domain that is active: start it, or copy the image by hand"
    )]
    CopyOffline(String, HostName),
    /// What was asked for can't be of a domain that is shut off.
    #[error("{option} can't be had: the domain is shut off, and {why}; start it, or leave the option out")]
    NotOffline {
        /// Option.
        option: &'static str,
        /// Reason.
        why: &'static str,
    },
    /// A copy goes to the path of the source.
    #[error(
        "disk {} is copied to its own path, and policy {} wants it at {}: leave one of them out",
        .0.device.as_deref().unwrap_or_default(), .0.plugin, .0.after.as_deref().unwrap_or("no path")
    )]
    EditOfCopied(Box<Edit>),
    /// The host can't make an edit.
    #[error("the edits of the definition can't be made: {0}")]
    Edits(String),
}

impl PlanError {
    /// A stable word for findings: where a shipped precheck finds the same, it is that precheck's word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongState { state: DomainState::ShutOff, .. } => "not-running",
            Self::WrongState { mode: Mode::Offline, state, .. } if state.is_active() => "still-active",
            Self::WrongState { .. } => "state-unsuitable",
            Self::StoppedByDisk => "abort-on-error-impossible",
            Self::NoPeerUri(_) => "peer-uri-missing",
            Self::ActiveOnDestination { .. } => "active-there",
            Self::Network(_) => "migration-network-missing",
            Self::NoTls(_) => "encryption-impossible",
            Self::TooOld { .. } => "libvirt-too-old",
            Self::TooNew { .. } => "libvirt-too-new",
            Self::SameHost(..) => "same-host",
            Self::Copy(_) => "storage-not-copyable",
            Self::CopyOffline(..) => "storage-copy-offline",
            Self::NotOffline { option: "transient", .. } => "definition-needed",
            Self::NotOffline { .. } => "option-impossible-offline",
            Self::EditOfCopied(_) => "edit-of-copied-disk",
            Self::Edits(_) => "edit-unusable",
        }
    }
}

impl PlanError {
    /// What to do about it, as a finding says it beside what is wrong.
    pub fn remedy(&self) -> String {
        match self {
            Self::WrongState { remedy, .. } => (*remedy).to_owned(),
            Self::StoppedByDisk => {
                "mend the storage and resume the domain, or leave abort-on-error out: it then arrives paused".to_owned()
            }
            Self::NoPeerUri(host) => {
                format!("set `peer_uri` for host {host} in the configuration, or migrate it direct")
            }
            Self::ActiveOnDestination { host, .. } => {
                format!(
                    "find out which of the two is the good one, and end the other before anything else; then see what is left on {host}"
                )
            }
            Self::Network(error) => error.remedy(),
            Self::NoTls(host) => format!(
                "give {host} certificates and say `migration_tls = true` for it in the configuration, or, where the site allows it, don't ask for encryption"
            ),
            Self::TooOld { what, host, .. } => format!("leave {what} out, or update libvirt on {host}"),
            Self::TooNew { what, .. } => format!("leave one of the two out of {what}"),
            Self::SameHost(..) => {
                "name another destination, or correct the URIs of the two hosts in the configuration".to_owned()
            }
            Self::Copy(error) => error.remedy(),
            Self::CopyOffline(disk, host) => {
                format!("start the domain, or bring the image of {disk} to {host} by hand and ask for no copy")
            }
            Self::NotOffline { option, .. } => format!("start the domain, or leave {option} out"),
            Self::EditOfCopied(edit) => format!(
                "copy the disk to its own path without the edit of policy {}, or make the image there yourself and leave the copy out",
                edit.plugin
            ),
            Self::Edits(_) => {
                "correct the policy that asks for the edits, its settings, or the domain's definition".to_owned()
            }
        }
    }
}

/// Makes the plan. Pure: same facts and options, same plan.
pub fn plan(attempt: u32, options: &Options, facts: &Snapshot, to: &Candidate) -> Result<Plan, PlanError> {
    let domain = &facts.domain;
    let (mode, initially) = travel::travel(options, domain)?;
    if mode == TransferMode::Offline
        && let Some((option, why)) = offline::impossible(options)
    {
        return Err(PlanError::NotOffline { option, why });
    }
    if let (Some(a), Some(b)) = (facts.source.uuid, to.host.uuid)
        && a == b
    {
        return Err(PlanError::SameHost(facts.source.name.clone(), to.host.name.clone(), a));
    }
    let peer_uri = match options.transport {
        Transport::Direct => to.host.uri.clone(),
        Transport::PeerToPeer | Transport::Tunnelled => {
            to.host.peer_uri.clone().ok_or_else(|| PlanError::NoPeerUri(to.host.name.clone()))?
        }
    };
    if mode == TransferMode::Live {
        of_an_age(options, facts, to)?;
    }
    let destination_before = match to.host.domains.iter().find(|there| there.id == domain.id) {
        None => Before::Absent,
        Some(there) if there.state.is_active() => {
            return Err(PlanError::ActiveOnDestination { host: to.host.name.clone(), state: there.state });
        }
        Some(_) => Before::Defined,
    };
    let define = match options.persistence {
        Persistence::Persistent => true,
        Persistence::Transient => false,
        Persistence::AsSource => domain.persistent,
    };
    let source_fate = match (domain.persistent, options.source_definition) {
        (false, _) => SourceFate::None,
        // Undefining the source without defining the destination would leave no definition at all; admission refuses
        // the explicit form, this arm keeps any other way to it harmless.
        (true, SourceDefinition::Undefine) if define => SourceFate::Undefine,
        (true, _) => SourceFate::KeepWithoutAutostart,
    };
    let (disks, copies, mut notes) = travelling_disks(mode, options, facts, to)?;
    let for_memory = match mode {
        TransferMode::Offline => {
            notes.0.extend(offline::notes(options));
            ForMemory::none(options.transport)
        }
        TransferMode::Live => {
            let encryption = encryption::decide(options, &facts.source, &to.host, &mut notes)?;
            ForMemory::asked(options, encryption)
        }
    };
    let finally = match (initially, options.after) {
        (RunState::Running, AfterMove::Paused) => RunState::Paused,
        (state, _) => state,
    };
    Ok(Plan {
        attempt,
        domain: domain.id,
        name: domain.name.clone(),
        destination_name: options.destination_name.clone().unwrap_or_else(|| domain.name.clone()),
        source: End { host: facts.source.name.clone(), uuid: facts.source.uuid },
        destination: End { host: to.host.name.clone(), uuid: to.host.uuid },
        peer_uri,
        mode,
        initially,
        finally,
        source_fate,
        destination_fate: if define { DestinationFate::Define } else { DestinationFate::TransientOnly },
        autostart: if domain.autostart && define { Autostart::On } else { Autostart::Off },
        destination_before,
        storage: options.storage,
        migrate_uri: for_memory.migrate_uri,
        listen_address: for_memory.listen_address,
        bandwidth_mib_s: for_memory.bandwidth_mib_s,
        max_downtime_ms: for_memory.max_downtime_ms,
        timeout_s: options.timeout_s,
        transport: for_memory.transport,
        stream: for_memory.stream,
        disks,
        copies,
        network: None,
        detours: Detours::default(),
        memory_bytes: Some(domain.memory_kib.saturating_mul(1024)),
        firmware_variables: domain.firmware.nvram.clone(),
        tpm_state: tpm_state(&domain.tpms),
        edits: Edits::default(),
        notes,
    })
}

/// The choices that are about memory: a plan without any has none of them, so that it doesn't claim what isn't done.
struct ForMemory {
    migrate_uri: Option<String>,
    listen_address: Option<String>,
    bandwidth_mib_s: Option<u64>,
    max_downtime_ms: Option<u64>,
    transport: Transport,
    stream: Stream,
}

impl ForMemory {
    fn asked(options: &Options, encryption: Encryption) -> Self {
        Self {
            migrate_uri: options.migrate_uri.clone(),
            listen_address: options.listen_address.clone(),
            bandwidth_mib_s: options.bandwidth_mib_s,
            max_downtime_ms: options.max_downtime_ms,
            transport: options.transport,
            stream: Stream { encryption, ..options.stream.clone() },
        }
    }

    fn none(transport: Transport) -> Self {
        Self {
            migrate_uri: None,
            listen_address: None,
            bandwidth_mib_s: None,
            max_downtime_ms: None,
            // The daemons' connection carries the definition anyway.
            transport: if transport == Transport::Tunnelled { Transport::PeerToPeer } else { transport },
            stream: Stream { encryption: Encryption::Off, ..Stream::default() },
        }
    }
}

/// Of a TPM of the host nothing is kept for the guest.
fn tpm_state(tpms: &[Tpm]) -> Option<String> {
    let emulated = tpms.iter().find(|tpm| tpm.backend == "emulator")?;
    Some(emulated.state_path.clone().unwrap_or_else(|| "its folder below that of the host's TPM emulator".to_owned()))
}

impl Plan {
    /// What a host that takes the guest's memory in makes for it beside its definition and its disks, each with what it is. A
    /// definition that travels makes nothing.
    pub fn made_for_the_guest(&self) -> Vec<String> {
        let of = |place: Option<&String>, what: &str| place.map(|place| format!("{place} ({what})"));
        let kept = [
            of(self.firmware_variables.as_ref(), "the variables of its firmware"),
            of(self.tpm_state.as_ref(), "the state of its emulated TPM"),
        ];
        kept.into_iter().flatten().filter(|_| self.mode == TransferMode::Live).collect()
    }

    /// The plan with edits of the definition.
    pub fn with_edits(self, edits: Edits) -> Result<Self, PlanError> {
        match self.copies.0.iter().find_map(|disk| edits.of_disk(&disk.target)) {
            Some(edit) => Err(PlanError::EditOfCopied(Box::new(edit.clone()))),
            None => Ok(Self { edits, ..self }),
        }
    }
}

/// The disks that are copied, by name.
fn travelling_disks(
    mode: TransferMode,
    options: &Options,
    facts: &Snapshot,
    to: &Candidate,
) -> Result<(Disks, Copies, Notes), PlanError> {
    let copies = copies(&options.disks, facts, to)?;
    let Some(first) = copies.0.first() else {
        let nothing = "no disk is copied: the destination has all of them".to_owned();
        let notes = if options.disks.copy == DiskCopy::No { vec![] } else { vec![nothing] };
        return Ok((Disks::default(), copies, Notes(notes)));
    };
    if mode == TransferMode::Offline {
        return Err(PlanError::CopyOffline(first.target.clone(), to.host.name.clone()));
    }
    let kept = format!("the images of copied disks stay on {}: libvirt never deletes them", facts.source.name);
    let (disks, left_out) = copies.by_name(&options.disks);
    let room = doubts(&options.disks, &copies, facts, to);
    Ok((disks, copies, Notes([vec![kept], left_out, room].concat())))
}
