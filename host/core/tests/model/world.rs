//! What is, whatever any host says: the two hosts, what is between them, and what must never be.

use std::fmt;

use waypost_core::outcome::OutcomeKind;
use waypost_core::plan::{Before, DestinationFate, RunState, SourceFate, TransferMode};
use waypost_core::situation::Action;

use crate::case::Case;

/// libvirt's reason for the state of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    Booted,
    Migration,
    Migrated,
    Canceled,
    PostCopy,
    PostCopyFailed,
    User,
    Unpaused,
}

/// Its reason for there being none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Off {
    Shutdown,
    Migrated,
    Failed,
    Crashed,
    Destroyed,
    /// What a restarted daemon says.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Process {
    pub runs: bool,
    pub reason: Reason,
    /// All memory is here.
    pub complete: bool,
    /// Another copy ran since.
    pub overtaken: bool,
    /// Its memory is on both hosts.
    pub half: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Host {
    pub process: Option<Process>,
    pub defined: bool,
    pub off: Off,
    pub daemon: bool,
    /// By the controller.
    pub reachable: bool,
    /// libvirt's job of an incoming guest.
    pub incoming: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    Source,
    Destination,
}

/// How far libvirt is with the migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    Idle,
    /// The order is on its way to the source.
    Called,
    Begun,
    /// The incoming guest is there, and memory flows.
    Prepared,
    /// The source's copy stands still, the destination has all memory.
    Switched,
    /// The destination has taken over, and the source doesn't know it yet.
    Finished,
    /// Post-copy: the guest runs on the destination and its memory follows.
    Flowing,
    /// Post-copy: the stream broke.
    Interrupted,
    /// Post-copy: all memory is there, and the source doesn't know it yet.
    Joined,
}

/// What the migration call tells whoever waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Said {
    Nothing,
    Moved,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct World {
    pub source: Host,
    pub destination: Host,
    /// Between the two daemons.
    pub management: bool,
    /// What memory takes, where that is a way of its own.
    pub migration: bool,
    pub stage: Stage,
    pub said: Said,
    /// The volume that was made for a copied disk.
    pub volume: bool,
    /// The guest shut itself down: only its definition is missed from now on.
    pub shut_down: bool,
    /// An order that its controller gave up, and that its host may still carry out.
    pub late: Option<Late>,
    /// What libvirt does with a source that takes its guest back.
    pub ran_before: bool,
    /// Faults that may still strike.
    pub faults: u8,
}

/// An order on its way, and whether something broke since both sides were read for it: then it may come too late for
/// what it was given for, and no one could have known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Late {
    pub order: Order,
    pub disturbed: bool,
}

/// What is asked of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    Do(Action),
    UndefineSource,
    RemoveVolume,
}

impl Order {
    pub fn end(self) -> End {
        match self {
            Self::Do(Action::ResumeDestination | Action::DestroyDestination | Action::UndefineDestination)
            | Self::RemoveVolume => End::Destination,
            Self::Do(_) | Self::UndefineSource => End::Source,
        }
    }
    /// libvirt lets it wait behind a job, and refuses it in the end.
    pub fn waits_for_jobs(self) -> bool {
        !matches!(
            self,
            Self::Do(Action::DestroySource | Action::DestroyDestination | Action::AbortJob | Action::InterruptPostCopy)
                | Self::RemoveVolume
        )
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    TwoRun,
    /// A copy runs that another one has overtaken.
    OvertakenRuns,
    /// A copy runs whose memory never came whole.
    IncompleteRuns,
    OnlyCopyDestroyed,
    LastDefinitionRemoved,
    DiskInUseRemoved,
    /// Another attempt begins while an order to abort the one before may still come.
    AbortOutlivesItsAttempt,
    /// An outcome says what isn't so.
    Lie(OutcomeKind),
    /// A record that the phases don't allow.
    IllegalRecord(String),
}

impl Host {
    pub fn job(&self, end: End, stage: Stage) -> bool {
        self.process.is_some()
            && match end {
                End::Source => stage >= Stage::Begun,
                End::Destination => self.incoming || matches!(stage, Stage::Flowing | Stage::Interrupted),
            }
    }
    pub fn answers(&self) -> bool {
        self.daemon && self.reachable
    }
    /// A whole guest that nothing has overtaken.
    fn could_run(&self) -> bool {
        self.process.is_some_and(|process| process.complete && !process.overtaken && !process.half)
    }
    fn runs(&self) -> bool {
        self.process.is_some_and(|process| process.runs)
    }
    pub fn die(&mut self, off: Off) {
        self.process = None;
        self.off = off;
        self.incoming = false;
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.process {
            Some(p) => {
                let does = if p.runs { "runs" } else { "paused" };
                let memory = if p.half {
                    "half"
                } else if p.complete {
                    "whole"
                } else {
                    "incomplete"
                };
                let old = if p.overtaken { ", overtaken" } else { "" };
                write!(f, "{does} ({:?}), {memory}{old}", p.reason)?;
            }
            None => write!(f, "off ({:?})", self.off)?,
        }
        let notes = [
            (self.defined, ", defined"),
            (self.incoming, ", incoming"),
            (!self.daemon, ", no daemon"),
            (!self.reachable, ", out of reach"),
        ];
        notes.iter().filter(|(so, _)| *so).try_for_each(|(_, note)| f.write_str(note))
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links = match (self.management, self.migration) {
            (true, true) => "",
            (false, true) => ", management cut",
            (true, false) => ", migration cut",
            (false, false) => ", both links cut",
        };
        let Self { source, destination, stage, said, volume, late, .. } = self;
        write!(f, "[{source}] [{destination}] {stage:?}, said {said:?}{links}, volume {volume}, late {late:?}")
    }
}

impl World {
    pub fn begin(case: &Case, faults: u8) -> Self {
        let runs = case.plan.initially == RunState::Running;
        let reason = if runs { Reason::Booted } else { Reason::User };
        let process = Process { runs, reason, complete: true, overtaken: false, half: false };
        let live = case.plan.mode == TransferMode::Live;
        let host =
            Host { process: None, defined: false, off: Off::Shutdown, daemon: true, reachable: true, incoming: false };
        let defined = case.plan.source_fate != SourceFate::None;
        Self {
            source: Host { process: live.then_some(process), defined, ..host },
            destination: Host { defined: case.plan.destination_before == Before::Defined, ..host },
            management: true,
            migration: true,
            stage: Stage::Idle,
            said: Said::Nothing,
            volume: false,
            shut_down: false,
            late: None,
            ran_before: runs,
            faults,
        }
    }

    pub fn host(&self, end: End) -> &Host {
        match end {
            End::Source => &self.source,
            End::Destination => &self.destination,
        }
    }

    pub fn host_mut(&mut self, end: End) -> &mut Host {
        match end {
            End::Source => &mut self.source,
            End::Destination => &mut self.destination,
        }
    }

    /// Lets a copy run. The other one is overtaken from now on.
    pub fn run(&mut self, end: End, reason: Reason) -> Result<(), Violation> {
        let Some(process) = &mut self.host_mut(end).process else { return Ok(()) };
        (process.runs, process.reason) = (true, reason);
        let process = *process;
        let other = match end {
            End::Source => &mut self.destination,
            End::Destination => &mut self.source,
        };
        if let Some(other) = &mut other.process {
            other.overtaken = true;
        }
        if process.overtaken {
            return Err(Violation::OvertakenRuns);
        }
        if !process.complete && !process.half {
            return Err(Violation::IncompleteRuns);
        }
        if self.source.runs() && self.destination.runs() {
            return Err(Violation::TwoRun);
        }
        Ok(())
    }

    pub fn pause(&mut self, end: End, reason: Reason) {
        if let Some(process) = &mut self.host_mut(end).process {
            (process.runs, process.reason) = (false, reason);
        }
    }

    /// An order takes effect.
    pub fn obey(&mut self, order: Order, case: &Case) -> Result<(), Violation> {
        let end = order.end();
        match order {
            Order::Do(Action::ResumeSource | Action::ResumeDestination) => {
                if self.host(end).process.is_some_and(|process| !process.runs) {
                    return self.run(end, Reason::Unpaused);
                }
            }
            Order::Do(Action::DestroySource | Action::DestroyDestination) => return self.destroy(end),
            Order::Do(Action::UndefineDestination) | Order::UndefineSource => {
                self.host_mut(end).defined = false;
                let was_defined = case.plan.source_fate != SourceFate::None;
                if was_defined && !self.source.defined && !self.destination.defined {
                    return Err(Violation::LastDefinitionRemoved);
                }
            }
            Order::RemoveVolume => {
                if self.volume && self.destination.process.is_some() {
                    return Err(Violation::DiskInUseRemoved);
                }
                self.volume = false;
            }
            Order::Do(Action::AbortJob) => return self.abort(),
            Order::Do(Action::InterruptPostCopy) => self.interrupt(),
            Order::Do(_) => {}
        }
        Ok(())
    }

    fn destroy(&mut self, end: End) -> Result<(), Violation> {
        let Some(process) = self.host(end).process else { return Ok(()) };
        let joinable = [&self.source, &self.destination].iter().all(|host| host.process.is_some_and(|p| p.half));
        let only = self.host(end).could_run() && !(self.source.could_run() && self.destination.could_run());
        if (process.half && joinable) || only {
            return Err(Violation::OnlyCopyDestroyed);
        }
        self.host_mut(end).die(Off::Destroyed);
        Ok(())
    }

    /// No copy is left that could be continued, and no host says that it was shut down in order: a transient one that shuts
    /// itself down leaves no more than one that crashed.
    fn lost(&self) -> bool {
        let hosts = [&self.source, &self.destination];
        let halves = hosts.iter().filter(|host| host.process.is_some_and(|p| p.half)).count();
        let told = hosts.iter().any(|host| host.defined && host.process.is_none() && host.off == Off::Shutdown);
        let shut_down = self.shut_down && told && halves == 0;
        !shut_down && halves < 2 && !hosts.iter().any(|host| host.could_run())
    }

    /// Whether what a task says of its end is so.
    pub fn holds(&self, kind: OutcomeKind, case: &Case) -> bool {
        let plan = &case.plan;
        if plan.mode == TransferMode::Offline {
            return match kind {
                OutcomeKind::Completed => self.destination.defined,
                OutcomeKind::RolledBack | OutcomeKind::Cancelled => {
                    self.source.defined && !self.destination.defined && self.stage == Stage::Idle
                }
                OutcomeKind::Lost => !self.source.defined && !self.destination.defined,
                OutcomeKind::Stuck | OutcomeKind::Refused => true,
            };
        }
        let whole_at = |host: &Host, runs: RunState| {
            host.could_run() && host.runs() == (runs == RunState::Running) || self.shut_down && host.process.is_none()
        };
        match kind {
            OutcomeKind::Completed => {
                let kept = plan.destination_fate == DestinationFate::TransientOnly || self.destination.defined;
                whole_at(&self.destination, plan.finally) && self.source.process.is_none() && kept
            }
            OutcomeKind::RolledBack | OutcomeKind::Cancelled => {
                whole_at(&self.source, plan.initially)
                    && self.destination.process.is_none()
                    && (plan.destination_before == Before::Defined || !self.destination.defined)
            }
            OutcomeKind::Lost => self.lost(),
            OutcomeKind::Stuck | OutcomeKind::Refused => true,
        }
    }
}
