//! Everything that is, and every way in which it changes: domains on hosts, processes that hold memory, what can be
//! reached. Whatever changes here is written to the log and checked against invariant 1 at once. The file is long
//! because there are many ways: in several files, something could change without the check.

mod others;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use uuid::Uuid;
use waypost_core::evidence::Evidence;
use waypost_core::facts::{DomainState, HostFacts};
use waypost_core::ids::{DomainId, HostName};
use waypost_core::notice::Notice;
use waypost_core::ports::HostEvent;
use waypost_core::sample::Sample;

use crate::fleet::{DomainSpec, Fleet, HostSpec, Power};
use crate::login::Door;
use crate::oracle::{Log, Truth, Violation};
use crate::report;
use crate::script::{Lasting, Pending, Who};
use crate::storage::{self, Stores};
use crate::transfer::Job;

/// A world at one instant.
pub(crate) struct State {
    pub(crate) hosts: Vec<Host>,
    by_name: HashMap<HostName, usize>,
    pub(crate) stores: Stores,
    pub(crate) script: Pending,
    pub(crate) log: Log,
    /// Migrations that are under way, by domain.
    pub(crate) jobs: BTreeMap<DomainId, Job>,
    /// Jobs that are no migration, by domain: on which host, and what it is.
    pub(crate) others_jobs: BTreeMap<DomainId, (HostName, &'static str)>,
    /// The ends of the migration that was started last.
    pub(crate) route: Option<(HostName, HostName)>,
    /// Links that are cut, and until when.
    cuts: HashMap<(HostName, HostName), Option<Instant>>,
    /// Networks that carry nothing, by the migration URI that leads over them.
    dark: HashMap<Option<String>, Option<Instant>>,
    links: HashMap<(HostName, HostName), u64>,
    /// Domains that were active and that nobody has shut down.
    alive: BTreeMap<DomainId, ()>,
    first_domain: Option<DomainId>,
    /// What a host is to tell of a failed migration, where a test put it.
    pub(crate) evidence: BTreeMap<(HostName, DomainId), Evidence>,
    /// Disks that failed under a guest.
    pub(crate) disk_errors: BTreeMap<(HostName, DomainId), Vec<String>>,
    /// The domain that faults are about: the one that migrated last, before any the fleet's first.
    pub(crate) subject: Option<DomainId>,
}

/// A host.
pub(crate) struct Host {
    pub(crate) spec: Arc<HostSpec>,
    pub(crate) name: HostName,
    pub(crate) uuid: Uuid,
    /// What never changes of its facts.
    pub(crate) base: Arc<HostFacts>,
    pub(crate) domains: BTreeMap<DomainId, Local>,
    network: Trouble,
    daemon: Trouble,
    /// Told when `network` or `daemon` changes.
    pub(crate) reach: watch::Sender<u64>,
    listeners: Vec<mpsc::UnboundedSender<HostEvent>>,
    pub(crate) completed: HashMap<DomainId, Sample>,
    pub(crate) used_kib: u64,
    pub(crate) door: Door,
}

/// Since when and until when something doesn't work.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    None,
    Since(Instant, Option<Instant>),
}

impl Trouble {
    fn begin(lasting: Lasting) -> Self {
        let now = Instant::now();
        let until = match lasting {
            Lasting::For(time) => Some(now + time),
            Lasting::Forever => None,
        };
        Self::Since(now, until)
    }
    fn now(self) -> Option<Outage> {
        match self {
            Self::Since(since, until) if until.is_none_or(|until| Instant::now() < until) => {
                Some(Outage { since, until })
            }
            _ => None,
        }
    }
}

/// A trouble that is not over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outage {
    pub(crate) since: Instant,
    pub(crate) until: Option<Instant>,
}

/// Why the controller can't talk to a host.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Silence {
    Network(Outage),
    Daemon,
}

/// A domain on one host.
#[derive(Debug, Clone)]
pub(crate) struct Local {
    pub(crate) name: String,
    pub(crate) spec: Arc<DomainSpec>,
    /// Where its disks are: paths travel in the XML as they are.
    pub(crate) disk_paths: Arc<[String]>,
    pub(crate) persistent: bool,
    pub(crate) autostart: bool,
    pub(crate) process: Option<Process>,
    /// libvirt's reason for being shut off.
    pub(crate) off: &'static str,
    pub(crate) max_downtime_ms: Option<u64>,
    pub(crate) bandwidth_mib_s: Option<u64>,
    /// How far auto-converge goes, at once; none: as far as it can, step by step.
    pub(crate) most_throttle_percent: Option<u64>,
    /// Who moves it, for others to see.
    pub(crate) notice: Option<Notice>,
}

/// A hypervisor process.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) runs: bool,
    pub(crate) reason: &'static str,
    /// All memory is here.
    pub(crate) complete: bool,
    /// Another copy ran since this one was made.
    pub(crate) overtaken: bool,
    /// Incoming, and libvirt's job for it is there.
    pub(crate) incoming: bool,
    /// Its memory is on two hosts: neither process is a whole guest.
    pub(crate) half: bool,
}

impl Local {
    pub(crate) fn state(&self) -> (DomainState, &'static str) {
        match &self.process {
            Some(process) if process.runs => (DomainState::Running, process.reason),
            Some(process) => (DomainState::Paused, process.reason),
            None => (DomainState::ShutOff, self.off),
        }
    }
}

impl State {
    /// The world of an expanded fleet.
    pub(crate) fn new(fleet: &Fleet) -> Self {
        let mut hosts: Vec<Host> = fleet.hosts.iter().map(Host::new).collect();
        let by_name: HashMap<_, _> = hosts.iter().enumerate().map(|(n, host)| (host.name.clone(), n)).collect();
        let mut stores = Stores::default();
        let mut alive = BTreeMap::new();
        for spec in &fleet.domains {
            let Some(host) = by_name.get(&HostName::new(spec.host.as_str())).map(|n| &mut hosts[*n]) else { continue };
            stores.put_disks(&host.spec, spec);
            let id = DomainId(spec.domain_uuid());
            let runs = spec.state == Power::Running;
            let reason = match spec.state {
                Power::Running | Power::ShutOff => "booted",
                Power::Paused => "user",
                Power::InSnapshot => "snapshot",
            };
            let process = Process { runs, reason, complete: true, overtaken: false, incoming: false, half: false };
            let process = (spec.state != Power::ShutOff).then_some(process);
            if process.is_some() {
                alive.insert(id, ());
                host.used_kib += spec.memory_mib * 1024;
            }
            // A model that isn't named is that of the first host, also after a move.
            let cpu = spec.cpu.clone().or_else(|| Some(host.spec.cpu.clone()));
            let machine = spec.machine.clone().or_else(|| host.spec.machines.first().cloned());
            let spec = Arc::new(DomainSpec { cpu, machine, ..spec.clone() });
            let local = Local::new(&spec, storage::paths(&host.spec, &spec), process);
            host.domains.insert(id, local);
        }
        let links = fleet.links.iter().map(|link| {
            let [a, b] = link.between.each_ref().map(|end| HostName::new(end.as_str()));
            (pair(&a, &b), link.bandwidth_mib_s)
        });
        let first_domain = fleet.domains.first().map(|spec| DomainId(spec.domain_uuid()));
        Self {
            by_name,
            stores,
            script: Pending::default(),
            log: Log::new(),
            jobs: BTreeMap::new(),
            others_jobs: BTreeMap::new(),
            route: None,
            cuts: HashMap::new(),
            dark: HashMap::new(),
            links: links.collect(),
            alive,
            first_domain,
            evidence: BTreeMap::new(),
            disk_errors: BTreeMap::new(),
            subject: first_domain,
            hosts,
        }
    }

    pub(crate) fn host(&self, name: &HostName) -> Option<&Host> {
        self.by_name.get(name).map(|n| &self.hosts[*n])
    }
    pub(crate) fn host_mut(&mut self, name: &HostName) -> Option<&mut Host> {
        self.by_name.get(name).map(|n| &mut self.hosts[*n])
    }
    pub(crate) fn local(&self, host: &HostName, domain: DomainId) -> Option<&Local> {
        self.host(host)?.domains.get(&domain)
    }
    pub(crate) fn local_mut(&mut self, host: &HostName, domain: DomainId) -> Option<&mut Local> {
        self.host_mut(host)?.domains.get_mut(&domain)
    }
    pub(crate) fn process(&self, host: &HostName, domain: DomainId) -> Option<&Process> {
        self.local(host, domain)?.process.as_ref()
    }

    /// Which host a scripted fault means.
    pub(crate) fn resolve(&self, who: &Who) -> Option<HostName> {
        if let Who::Host(host) = who {
            return Some(host.clone());
        }
        let source = match &self.route {
            Some((source, _)) => source.clone(),
            None => {
                let first = self.first_domain?;
                self.hosts.iter().find(|host| host.domains.contains_key(&first))?.name.clone()
            }
        };
        match (who, &self.route) {
            (Who::Source, _) => Some(source),
            (_, Some((_, destination))) => Some(destination.clone()),
            _ => self.hosts.iter().find(|host| host.name != source).map(|host| host.name.clone()),
        }
    }

    // What a process does.

    /// Lets a copy run. Whatever other copy there is has been overtaken from now on.
    pub(crate) fn run(&mut self, host: &HostName, domain: DomainId, reason: &'static str, by: &str) {
        let Some(process) = self.local_mut(host, domain).and_then(|local| local.process.as_mut()) else { return };
        (process.runs, process.reason) = (true, reason);
        let (overtaken, complete, half) = (process.overtaken, process.complete, process.half);
        self.log.note(host, format!("{domain} runs ({reason}): {by}"));
        let (on, by) = (host.clone(), by.to_owned());
        if overtaken {
            self.log.violations.push(Violation::OvertakenRuns { domain, on, by: by.clone() });
        } else if !complete && !half {
            self.log.violations.push(Violation::IncompleteRuns { domain, on, by: by.clone() });
        }
        for other in self.hosts.iter_mut().filter(|other| other.name != *host) {
            if let Some(process) = other.domains.get_mut(&domain).and_then(|local| local.process.as_mut()) {
                process.overtaken = true;
            }
        }
        let on = self.truth(domain).running_on;
        if on.len() > 1 {
            self.log.violations.push(Violation::TwoRun { domain, on, by });
        }
    }

    /// Stops the vCPUs of a copy.
    pub(crate) fn pause(&mut self, host: &HostName, domain: DomainId, reason: &'static str, by: &str) {
        let Some(process) = self.local_mut(host, domain).and_then(|local| local.process.as_mut()) else { return };
        (process.runs, process.reason) = (false, reason);
        self.log.note(host, format!("{domain} is paused ({reason}): {by}"));
    }

    /// A new process on a host.
    pub(crate) fn begin(&mut self, host: &HostName, domain: DomainId, local: Local, by: &str) {
        let kib = local.spec.memory_mib * 1024;
        let Some(there) = self.host_mut(host) else { return };
        if local.process.is_some() {
            there.used_kib += kib;
        }
        there.domains.insert(domain, local);
        self.log.note(host, format!("{domain} appears: {by}"));
    }

    /// Ends the process of a copy; a domain that isn't defined is gone with it.
    pub(crate) fn end(&mut self, host: &HostName, domain: DomainId, off: &'static str, by: &str) {
        let Some(there) = self.host_mut(host) else { return };
        let Some(local) = there.domains.get_mut(&domain) else { return };
        if local.process.take().is_some() {
            local.off = off;
            there.used_kib = there.used_kib.saturating_sub(local.spec.memory_mib * 1024);
        }
        if !local.persistent {
            there.domains.remove(&domain);
        }
        self.log.note(host, format!("the process of {domain} ends ({off}): {by}"));
        self.wake(domain);
    }

    /// Ends a copy because a command says so.
    pub(crate) fn destroy(&mut self, host: &HostName, domain: DomainId, by: &str) {
        let could_run = self.could_run(domain);
        let half = self.process(host, domain).is_some_and(|process| process.half) && !could_run.is_empty();
        if half || could_run == [host.clone()] {
            self.log.violations.push(Violation::OnlyCopyDestroyed { domain, on: host.clone(), by: by.to_owned() });
        }
        self.end(host, domain, "destroyed", by);
    }

    /// Removes a definition.
    pub(crate) fn undefine(&mut self, host: &HostName, domain: DomainId, by: &str) {
        let Some(there) = self.host_mut(host) else { return };
        let Some(local) = there.domains.get_mut(&domain) else { return };
        (local.persistent, local.autostart) = (false, false);
        if local.process.is_none() {
            there.domains.remove(&domain);
        }
        self.log.note(host, format!("{domain} is undefined: {by}"));
        if !self.hosts.iter().any(|host| host.domains.contains_key(&domain)) {
            self.log.violations.push(Violation::OnlyCopyDestroyed { domain, on: host.clone(), by: by.to_owned() });
        }
    }

    /// A person shuts the domain down: from now on nothing of it is missed but its definition.
    pub(crate) fn shut_down(&mut self, host: &HostName, domain: DomainId) {
        self.alive.remove(&domain);
        self.end(host, domain, "shutdown", "a person shut it down");
        self.tell(host, lifecycle(domain, "stopped", "shutdown"));
    }

    /// A person starts the domain.
    pub(crate) fn start(&mut self, host: &HostName, domain: DomainId) {
        let Some(there) = self.host_mut(host) else { return };
        let Some(local) = there.domains.get_mut(&domain).filter(|local| local.process.is_none()) else { return };
        local.process = Some(Process {
            runs: false,
            reason: "starting-up",
            complete: true,
            overtaken: false,
            incoming: false,
            half: false,
        });
        there.used_kib += local.spec.memory_mib * 1024;
        self.alive.insert(domain, ());
        self.run(host, domain, "booted", "a person started it");
        self.tell(host, lifecycle(domain, "started", "booted"));
    }

    // What is true.

    /// Hosts that hold a copy that runs or could be let run.
    fn could_run(&self, domain: DomainId) -> Vec<HostName> {
        let halves = self.hosts_where(domain, |local| local.process.as_ref().is_some_and(|process| process.half));
        self.hosts_where(domain, |local| {
            local.process.as_ref().is_some_and(|process| match process.half {
                true => process.runs && halves.len() == 2,
                false => process.runs || (process.complete && !process.overtaken),
            })
        })
    }

    fn hosts_where(&self, domain: DomainId, which: impl Fn(&Local) -> bool) -> Vec<HostName> {
        let there = |host: &&Host| host.domains.get(&domain).is_some_and(&which);
        self.hosts.iter().filter(there).map(|host| host.name.clone()).collect()
    }

    pub(crate) fn truth(&self, domain: DomainId) -> Truth {
        let process = |which: fn(&Process) -> bool| {
            self.hosts_where(domain, move |local| local.process.as_ref().is_some_and(which))
        };
        let nowhere = !self.hosts.iter().any(|host| host.domains.contains_key(&domain));
        Truth {
            running_on: process(|p| p.runs),
            paused_on: process(|p| !p.runs),
            defined_on: self.hosts_where(domain, |local| local.persistent),
            memory_complete_on: process(|p| p.complete && !p.overtaken),
            lost: nowhere || (self.alive.contains_key(&domain) && self.could_run(domain).is_empty()),
        }
    }

    // What can be reached.

    pub(crate) fn silence(&self, host: &HostName) -> Option<Silence> {
        let host = self.host(host)?;
        host.daemon.now().map(|_| Silence::Daemon).or_else(|| host.network.now().map(Silence::Network))
    }

    pub(crate) fn daemon_is_down(&self, host: &HostName) -> bool {
        self.host(host).is_some_and(|host| host.daemon.now().is_some())
    }

    pub(crate) fn cut_off(&mut self, host: &HostName, lasting: Lasting) {
        self.log.note(host, "the controller can't reach it any more");
        self.lose(host, "connection closed due to keepalive timeout", |host| host.network = Trouble::begin(lasting));
    }

    pub(crate) fn reconnect(&mut self, host: &HostName) {
        if let Some(there) = self.host_mut(host) {
            (there.network, there.daemon) = (Trouble::None, Trouble::None);
            there.reach.send_modify(|epoch| *epoch += 1);
        }
        self.wake_all();
    }

    /// The daemon ends. What it was about to receive ends with it; processes that were running live on.
    pub(crate) fn kill_daemon(&mut self, host: &HostName, lasting: Lasting) {
        self.log.note(host, "the libvirt daemon ends");
        self.lose(host, "End of file while reading data", |host| host.daemon = Trouble::begin(lasting));
        let incoming = self.host(host).into_iter().flat_map(|host| &host.domains);
        let incoming = incoming.filter(|(_, local)| local.process.as_ref().is_some_and(|p| p.incoming && !p.runs));
        for domain in incoming.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.end(host, domain, "failed", "its daemon ended");
        }
        let ends = |job: &&mut Job| job.source == *host || job.destination == *host;
        // The processes finish a post-copy among themselves, and a restarted daemon knows its job again.
        for job in self.jobs.values_mut().filter(ends).filter(|job| !job.switched()) {
            job.orphaned = Some(host.clone());
            // A restarted daemon knows of no job.
            job.shows &= job.source != *host;
        }
        self.wake_all();
    }

    fn lose(&mut self, host: &HostName, why: &str, change: impl FnOnce(&mut Host)) {
        let Some(there) = self.host_mut(host) else { return };
        change(there);
        there.door.break_off();
        there.reach.send_modify(|epoch| *epoch += 1);
        for listener in there.listeners.drain(..) {
            // A listener that is gone needs no telling.
            let _ = listener.send(HostEvent::Disconnected { why: why.to_owned() });
        }
    }

    pub(crate) fn cut_link(&mut self, a: &HostName, b: &HostName, lasting: Lasting) {
        self.log.note(a, format!("the link to {b} is cut"));
        self.cuts.insert(pair(a, b), end_of(lasting));
        self.wake_all();
    }

    /// The network that a transfer takes carries nothing any more; the daemons' own does.
    pub(crate) fn darken(&mut self, domain: DomainId, lasting: Lasting) {
        let Some((source, way)) = self.jobs.get(&domain).map(|job| (job.source.clone(), job.way.clone())) else {
            return;
        };
        self.log.note(&source, format!("the network of {} carries nothing", way.as_deref().unwrap_or("the memory")));
        self.dark.insert(way, end_of(lasting));
        self.wake_all();
    }

    /// Whether memory can't get through over a network now, and until when: the hosts' link is cut, or that network.
    pub(crate) fn impassable(&self, a: &HostName, b: &HostName, way: &Option<String>) -> Option<Option<Instant>> {
        let dark = self.dark.get(way).copied();
        let dark = dark.filter(|until| until.is_none_or(|until| Instant::now() < until));
        self.cut(a, b).or(dark)
    }

    pub(crate) fn mend_link(&mut self, a: &HostName, b: &HostName) {
        self.cuts.remove(&pair(a, b));
        self.wake_all();
    }

    /// Whether the link is cut now, and until when.
    pub(crate) fn cut(&self, a: &HostName, b: &HostName) -> Option<Option<Instant>> {
        let until = *self.cuts.get(&pair(a, b))?;
        until.is_none_or(|until| Instant::now() < until).then_some(until)
    }

    /// What the way between two hosts carries, bytes a second.
    pub(crate) fn bandwidth(&self, a: &HostName, b: &HostName) -> u64 {
        let own = |name| self.host(name).map_or(u64::MAX, |host| host.spec.bandwidth_mib_s);
        self.links.get(&pair(a, b)).copied().unwrap_or_else(|| own(a).min(own(b))).saturating_mul(1 << 20)
    }

    // What is told.

    pub(crate) fn listen(&mut self, host: &HostName) -> mpsc::UnboundedReceiver<HostEvent> {
        let (sender, receiver) = mpsc::unbounded_channel();
        if let Some(host) = self.host_mut(host) {
            host.listeners.push(sender);
        }
        receiver
    }

    /// Tells who listens; a host that can't be reached tells nobody.
    pub(crate) fn tell(&mut self, host: &HostName, event: HostEvent) {
        if self.silence(host).is_none()
            && let Some(host) = self.host_mut(host)
        {
            host.listeners.retain(|listener| listener.send(event.clone()).is_ok());
        }
    }

    pub(crate) fn wake(&self, domain: DomainId) {
        if let Some(job) = self.jobs.get(&domain) {
            job.woken.notify_one();
        }
    }

    fn wake_all(&self) {
        self.jobs.values().for_each(|job| job.woken.notify_one());
    }
}

/// An event of a domain's life.
pub(crate) fn lifecycle(domain: DomainId, event: &str, detail: &str) -> HostEvent {
    HostEvent::Lifecycle { domain, event: event.to_owned(), detail: detail.to_owned() }
}

fn end_of(lasting: Lasting) -> Option<Instant> {
    match lasting {
        Lasting::For(time) => Some(Instant::now() + time),
        Lasting::Forever => None,
    }
}

fn pair(a: &HostName, b: &HostName) -> (HostName, HostName) {
    if a <= b { (a.clone(), b.clone()) } else { (b.clone(), a.clone()) }
}

impl Host {
    fn new(spec: &HostSpec) -> Self {
        let network = if spec.reachable { Trouble::None } else { Trouble::begin(Lasting::Forever) };
        Self {
            name: HostName::new(spec.name.as_str()),
            uuid: spec.host_uuid(),
            base: Arc::new(report::host(spec)),
            domains: BTreeMap::new(),
            network,
            daemon: Trouble::None,
            reach: watch::Sender::new(0),
            listeners: Vec::new(),
            completed: HashMap::new(),
            used_kib: 0,
            door: Door::of(spec),
            spec: Arc::new(spec.clone()),
        }
    }
}

impl Local {
    /// One that is defined and off.
    pub(crate) fn defined(spec: &Arc<DomainSpec>, disk_paths: Arc<[String]>) -> Self {
        Self::new(spec, disk_paths, None)
    }
    /// A domain as its fleet describes it.
    fn new(spec: &Arc<DomainSpec>, disk_paths: Arc<[String]>, process: Option<Process>) -> Self {
        Self {
            name: spec.name.clone(),
            spec: Arc::clone(spec),
            disk_paths,
            persistent: spec.persistent,
            autostart: spec.autostart,
            process,
            off: "shutdown",
            max_downtime_ms: None,
            bandwidth_mib_s: None,
            most_throttle_percent: None,
            notice: None,
        }
    }
}
