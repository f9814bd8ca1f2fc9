//! What shall go wrong, and when.
//!
//! A script is a list of [`Scripted`] faults. Each waits for one occurrence of one [`Step`] and then happens once. Steps are
//! the calls of the port and the stages of a migration; [`Step::ALL`] and [`What::each`] let a test try everything
//! against everything.

use std::time::Duration;

use waypost_core::ids::HostName;
use waypost_core::ports::FaultKind;
use waypost_core::words;

words! {
    /// Where a fault can happen: a call of the port, or a stage of a migration.
    pub enum Step {
        /// Facts of a host are read.
        HostFacts = "host-facts",
        /// Domains are listed.
        Domains = "domains",
        /// Facts of a domain are read.
        DomainFacts = "domain-facts",
        /// Disks are looked up.
        DiskViews = "disk-views",
        /// A destination is asked about the domain.
        PairFacts = "pair-facts",
        /// A side is observed.
        Observe = "observe",
        /// Job statistics are read.
        Sample = "sample",
        /// Final statistics are read.
        FinalSample = "final-sample",
        /// What is still told of a migration that failed is read.
        Evidence = "evidence",
        /// What the guest writes is measured.
        Activity = "activity",
        /// The downtime limit is read.
        ReadMaxDowntime = "read-max-downtime",
        /// The downtime limit is set.
        SetMaxDowntime = "set-max-downtime",
        /// The bandwidth limit is set.
        SetBandwidth = "set-bandwidth",
        /// The job is aborted.
        AbortJob = "abort-job",
        /// Post-copy is started.
        StartPostCopy = "start-post-copy",
        /// An interrupted post-copy is resumed.
        ResumePostCopy = "resume-post-copy",
        /// vCPUs are paused.
        Suspend = "suspend",
        /// vCPUs are resumed.
        Resume = "resume",
        /// A copy is destroyed.
        Destroy = "destroy",
        /// A definition is removed.
        Undefine = "undefine",
        /// Autostart is set.
        SetAutostart = "set-autostart",
        /// The notice that a domain carries is read.
        ReadNotice = "read-notice",
        /// It is put there, or taken away.
        PutNotice = "put-notice",
        /// Events are subscribed to.
        Events = "events",
        /// A volume is looked at.
        ReadVolume = "read-volume",
        /// A volume is made.
        CreateVolume = "create-volume",
        /// A volume is removed.
        RemoveVolume = "remove-volume",
        /// Somebody asks who uses a volume.
        VolumeUsers = "volume-users",
        /// A probe volume is created.
        CreateProbe = "create-probe",
        /// It is looked for.
        SeesProbe = "sees-probe",
        /// It is removed.
        RemoveProbe = "remove-probe",
        /// The migration's own connection is opened, or one with a login.
        Connect = "connect",
        /// The source is asked to begin.
        Begin = "begin",
        /// The destination prepares: the incoming domain is about to appear.
        Prepare = "prepare",
        /// Memory is being sent.
        Perform = "perform",
        /// The source is about to be paused for the last pass.
        SwitchOver = "switch-over",
        /// The guest runs on the destination, and its memory follows.
        PostCopy = "post-copy",
        /// The destination has all memory and is about to run.
        Finish = "finish",
        /// The destination runs, and the source does not know it yet.
        Confirm = "confirm",
        /// The source's definition is about to go, as part of the migration.
        UndefineSource = "undefine-source",
    }
}

impl Step {
    /// Whether it is a stage of a migration, and not a call.
    pub fn is_stage(self) -> bool {
        self >= Self::Begin
    }
}

/// Which host a fault is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The source of the migration that was started last; before any, the host that has the fleet's first domain.
    Source,
    /// Its destination; before any, the first host that isn't the source.
    Destination,
    /// This one.
    Host(HostName),
}

/// How long a trouble lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// So long.
    For(Duration),
    /// For good.
    Forever,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The step fails with an error of this kind and has no effect.
    Error(FaultKind),
    /// The hypervisor process of the domain there ends (`kill -9` of QEMU).
    HypervisorDies(Who),
    /// The libvirt daemon there ends, and comes back after a while or never; hypervisor processes live on.
    DaemonDies(Who, Lasting),
    /// The controller can't reach that host; the hosts still reach each other.
    Unreachable(Who, Lasting),
    /// Source and destination can't reach each other; the controller reaches both.
    LinkCut(Lasting),
    /// The network that the transfer takes carries nothing any more; the hosts still reach each other. Nothing happens where
    /// there is no transfer.
    NetworkDown(Lasting),
    /// The effect happens, but the caller is told this kind of fault. `Deadline` comes after the call's deadline.
    ReplyLost(FaultKind),
    /// A call never answers and has no effect; its caller gets a deadline. A migration stalls: until it is aborted
    /// while it still can be, and for ten minutes where it can't.
    Hang,
    /// A call is carried out so much later. One that is given up before never is.
    Slow(Duration),
    /// Somebody switches the transfer to post-copy; nothing happens where its migration does not allow that.
    SwitchToPostCopy,
    /// Somebody interrupts a post-copy on the source.
    InterruptPostCopy,
    /// The destination forgets the incoming domain, which stays there paused and without a job; the migration fails.
    LeftBehind,
}

impl What {
    /// One of every sort, for tests that try all.
    pub fn each() -> Vec<Self> {
        let short = Lasting::For(Duration::from_secs(5));
        let long = Lasting::For(Duration::from_secs(120));
        let mut all: Vec<Self> = FaultKind::ALL.iter().map(|kind| Self::Error(*kind)).collect();
        for who in [Who::Source, Who::Destination] {
            all.push(Self::HypervisorDies(who.clone()));
            for lasting in [short, long, Lasting::Forever] {
                all.push(Self::DaemonDies(who.clone(), lasting));
                all.push(Self::Unreachable(who.clone(), lasting));
            }
        }
        all.extend([short, long, Lasting::Forever].map(Self::LinkCut));
        all.extend([short, Lasting::Forever].map(Self::NetworkDown));
        all.extend([FaultKind::Deadline, FaultKind::Unreachable].map(Self::ReplyLost));
        all.extend([Self::Hang, Self::LeftBehind]);
        all
    }
}

/// One fault of a script. It happens once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scripted {
    /// At which step.
    pub at: Step,
    /// Only if the step is done on this host.
    pub host: Option<HostName>,
    /// At which occurrence of that step from now on, from 1.
    pub occurrence: u32,
    /// For [`Step::Perform`]: when so much of the first pass over the memory was sent.
    pub permille: u16,
    /// What happens.
    pub what: What,
}

impl Scripted {
    /// At the first occurrence; a transfer in the middle of its first pass.
    pub fn at(at: Step, what: What) -> Self {
        Self { at, host: None, occurrence: 1, permille: if at == Step::Perform { 500 } else { 0 }, what }
    }
    /// At the n-th occurrence, from 1.
    pub fn occurrence(self, occurrence: u32) -> Self {
        Self { occurrence, ..self }
    }
    /// When so much of the first pass was sent.
    pub fn permille(self, permille: u16) -> Self {
        Self { permille, ..self }
    }
    fn is_for(&self, step: Step, host: &HostName) -> bool {
        self.at == step && self.host.as_ref().is_none_or(|wanted| wanted == host)
    }
    /// On this host only.
    pub fn on(self, host: &str) -> Self {
        Self { host: Some(HostName::new(host)), ..self }
    }
}

/// The faults that are still to come.
#[derive(Debug, Default)]
pub(crate) struct Pending(Vec<Scripted>);

impl Pending {
    pub(crate) fn add(&mut self, faults: impl IntoIterator<Item = Scripted>) {
        self.0.extend(faults);
    }
    pub(crate) fn left(&self) -> Vec<Scripted> {
        self.0.clone()
    }
    /// Counts an occurrence of a step, and gives what happens at it.
    pub(crate) fn take(&mut self, step: Step, host: &HostName) -> Option<What> {
        let mut hit = None;
        for (index, fault) in self.0.iter_mut().enumerate().filter(|(_, fault)| fault.is_for(step, host)) {
            fault.occurrence = fault.occurrence.saturating_sub(1);
            if fault.occurrence == 0 && hit.is_none() {
                hit = Some(index);
            }
        }
        hit.map(|index| self.0.remove(index).what)
    }
    /// What happens to a transfer that has sent so much of its first pass.
    pub(crate) fn take_perform(&mut self, host: &HostName, permille: u16) -> Option<What> {
        let hit = self.0.iter().position(|fault| {
            fault.is_for(Step::Perform, host) && fault.occurrence <= 1 && fault.permille <= permille
        })?;
        Some(self.0.remove(hit).what)
    }
    /// When the next fault of a transfer is due.
    pub(crate) fn next_perform(&self, host: &HostName) -> Option<u16> {
        let due = self.0.iter().filter(|fault| fault.is_for(Step::Perform, host) && fault.occurrence <= 1);
        due.map(|fault| fault.permille).min()
    }
    /// A transfer is over: what waits for a later one is nearer.
    pub(crate) fn leave_perform(&mut self, host: &HostName) {
        for fault in self.0.iter_mut().filter(|fault| fault.is_for(Step::Perform, host)) {
            fault.occurrence = fault.occurrence.saturating_sub(1);
        }
    }
}
