//! A world: the simulated hosts behind one handle, and what a test or a person does to them from outside.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use waypost_core::evidence::Evidence;
use waypost_core::facts::Volume;
use waypost_core::ids::{DomainId, HostName};

use crate::fleet::{DomainSpec, Fleet, FleetError};
use crate::oracle::{Change, Truth, Violation};
use crate::script::{Lasting, Scripted, What, Who};
use crate::state::{Local, Process, State, lifecycle};

/// Simulated hosts. Clones are the same world, as seen by another controller.
#[derive(Clone)]
pub struct World {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    job_ended: Notify,
}

/// Hosts that a world may have instead of those that it has.
#[derive(Debug, Clone)]
pub struct OtherHosts {
    /// Expanded.
    fleet: Fleet,
    /// Those that are new.
    pub came: Vec<HostName>,
    /// Those that would be there no more.
    pub gone: BTreeSet<HostName>,
}

impl World {
    /// The world of a fleet.
    pub fn new(fleet: &Fleet) -> Result<Self, FleetError> {
        let state = Mutex::new(State::new(&fleet.expand()?));
        Ok(Self { inner: Arc::new(Inner { state, job_ended: Notify::new() }) })
    }

    /// What the hosts of that fleet are to this world. Only which hosts there are is looked at: whoever stays is as it is.
    pub fn others(&self, fleet: &Fleet) -> Result<OtherHosts, FleetError> {
        let fleet = fleet.expand()?;
        let then: Vec<HostName> = fleet.hosts.iter().map(|host| HostName::new(host.name.as_str())).collect();
        let now: Vec<HostName> = self.state().hosts.iter().map(|host| host.name.clone()).collect();
        let came = then.iter().filter(|name| !now.contains(name)).cloned().collect();
        let gone = now.iter().filter(|name| !then.contains(name)).cloned().collect();
        Ok(OtherHosts { fleet, came, gone })
    }

    /// Has those from now on. Whether somebody still needs what goes is the caller's to know.
    pub fn take(&self, others: &OtherHosts) {
        self.state().take_hosts(&others.fleet);
    }

    /// Adds faults to the script.
    pub fn script(&self, faults: impl IntoIterator<Item = Scripted>) {
        self.state().script.add(faults);
    }
    /// Faults that have not happened yet.
    pub fn unspent(&self) -> Vec<Scripted> {
        self.state().script.left()
    }

    /// Where a domain really is.
    pub fn truth(&self, domain: DomainId) -> Truth {
        self.state().truth(domain)
    }
    /// Every violation of invariant 1 so far.
    pub fn violations(&self) -> Vec<Violation> {
        self.state().log.violations.clone()
    }
    /// Everything that happened so far.
    pub fn changes(&self) -> Vec<Change> {
        self.state().log.changes.clone()
    }
    /// All domains.
    pub fn all_domains(&self) -> Vec<DomainId> {
        let state = self.state();
        let mut all: Vec<_> = state.hosts.iter().flat_map(|host| host.domains.keys().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
    /// The domain of that name, on the first host that has one.
    pub fn domain(&self, name: &str) -> Option<DomainId> {
        let state = self.state();
        let mut all = state.hosts.iter().flat_map(|host| &host.domains);
        all.find(|(_, local)| local.name == name).map(|(id, _)| *id)
    }
    /// Names of the probe volumes and images that a pool of a host holds.
    pub fn volumes(&self, host: &HostName, pool: &str) -> Vec<String> {
        let state = self.state();
        let Some(host) = state.host(host) else { return vec![] };
        let pool = host.spec.pools.iter().find(|spec| spec.name == pool);
        pool.map_or_else(Vec::new, |pool| state.stores.all(&host.spec, pool).into_iter().map(|v| v.name).collect())
    }

    /// The same, with all that is known of them.
    pub fn images(&self, host: &HostName, pool: &str) -> Vec<Volume> {
        let state = self.state();
        let Some(host) = state.host(host) else { return vec![] };
        let pool = host.spec.pools.iter().find(|spec| spec.name == pool);
        pool.map_or_else(Vec::new, |pool| state.stores.all(&host.spec, pool))
    }

    // What a person or an accident does, past every controller.

    /// A person puts an image of their own into a pool, full to its last byte.
    pub fn put_image(&self, host: &HostName, pool: &str, name: &str, format: &str, capacity_bytes: u64) {
        let mut state = self.state();
        let Some(spec) = state.host(host).map(|host| host.spec.clone()) else { return };
        let Some(pool) = spec.pools.iter().find(|spec| spec.name == pool) else { return };
        state.stores.put(&crate::storage::identity(&spec, pool), pool, name, format, capacity_bytes);
        state.stores.fill(&spec, pool, name, capacity_bytes);
    }
    /// From now on a pool makes its volumes in multiples of so many bytes, as a volume group does in its extents.
    pub fn round_volumes(&self, host: &HostName, pool: &str, extent_bytes: u64) {
        let mut state = self.state();
        let Some(spec) = state.host(host).map(|host| host.spec.clone()) else { return };
        let Some(pool) = spec.pools.iter().find(|spec| spec.name == pool) else { return };
        state.stores.round(&spec, pool, extent_bytes);
    }
    /// A person defines another domain whose only disk is at that path.
    pub fn define_beside(&self, host: &HostName, name: &str, path: &str) {
        let spec = DomainSpec { disks: vec![], interfaces: vec![], ..DomainSpec::named(name, host.as_str()) };
        let id = DomainId(spec.domain_uuid());
        let local = Local::defined(&Arc::new(spec), [path.to_owned()].into());
        self.state().begin(host, id, local, "a person defined it");
    }

    /// A trouble, now. What only makes sense at a step ([`What::Error`] and its like) does nothing here.
    pub fn strike(&self, what: &What) {
        self.state().strike(what);
    }
    /// Ends every trouble of a host, its daemon's death included.
    pub fn mend(&self, host: &HostName) {
        self.state().reconnect(host);
    }
    /// Joins two hosts again.
    pub fn mend_link(&self, a: &HostName, b: &HostName) {
        self.state().mend_link(a, b);
    }
    /// A person suspends the domain.
    pub fn suspend(&self, host: &HostName, domain: DomainId) {
        let mut state = self.state();
        state.pause(host, domain, "user", "a person suspended it");
        state.tell(host, lifecycle(domain, "suspended", "paused"));
    }
    /// The half of a post-copy that a host has notices that the stream broke, before the other one does.
    pub fn notice_break(&self, host: &HostName, domain: DomainId) {
        self.state().fail_half(host, domain);
    }
    /// A disk fails under the guest, which stops: `vda: no space`.
    pub fn fail_disk(&self, host: &HostName, domain: DomainId, error: &str) {
        let mut state = self.state();
        state.disk_errors.entry((host.clone(), domain)).or_default().push(error.to_owned());
        state.pause(host, domain, "io-error", "one of its disks failed");
        state.tell(host, lifecycle(domain, "suspended", "io-error"));
    }
    /// What a host tells from now on of a migration of the domain that failed. Like libvirt 9.0 it tells nothing by itself.
    pub fn leave_evidence(&self, host: &HostName, domain: DomainId, evidence: Evidence) {
        self.state().evidence.insert((host.clone(), domain), evidence);
    }
    /// A person begins a job with the domain that is no migration: `backup`, `dump`. It ends when they say so, or when somebody
    /// aborts it.
    pub fn begin_job(&self, host: &HostName, domain: DomainId, operation: &'static str) {
        self.state().others_jobs.insert(domain, (host.clone(), operation));
    }
    /// That job is over. Answers whether it was still there.
    pub fn end_job(&self, domain: DomainId) -> bool {
        let ended = self.state().others_jobs.remove(&domain).is_some();
        self.job_ended().notify_waiters();
        ended
    }
    /// A person starts a defined domain; nothing stops them from starting a second copy.
    pub fn boot(&self, host: &HostName, domain: DomainId) {
        self.state().start(host, domain);
    }
    /// A person lets a paused copy run; nothing stops them from letting a second one run.
    pub fn resume(&self, host: &HostName, domain: DomainId) {
        let mut state = self.state();
        state.run(host, domain, "unpaused", "a person let it run");
        state.tell(host, lifecycle(domain, "resumed", "unpaused"));
    }
    /// A person restores the domain there from a memory image of their own, without a definition; nothing stops them from
    /// making a second copy.
    pub fn restore(&self, host: &HostName, domain: DomainId) {
        let mut state = self.state();
        let Some(local) = state.hosts.iter().find_map(|host| host.domains.get(&domain).cloned()) else { return };
        let process =
            Process { runs: false, reason: "restored", complete: true, overtaken: false, incoming: false, half: false };
        let local = Local { persistent: false, autostart: false, process: Some(process), ..local };
        state.begin(host, domain, local, "a person restores it");
        state.run(host, domain, "restored", "a person restored it");
        state.tell(host, lifecycle(domain, "started", "restored"));
    }
    /// A person shuts the domain down in order.
    pub fn shut_down(&self, host: &HostName, domain: DomainId) {
        self.state().shut_down(host, domain);
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Every change is made before anything that could panic.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(crate) fn job_ended(&self) -> &Notify {
        &self.inner.job_ended
    }
}

impl State {
    /// Does to the world what a fault does to it; nothing for those that concern one call only.
    pub(crate) fn strike(&mut self, what: &What) {
        match what {
            What::HypervisorDies(who) => {
                if let Some(host) = self.resolve(who) {
                    self.kill_processes(&host);
                }
            }
            What::DaemonDies(who, lasting) => {
                if let Some(host) = self.resolve(who) {
                    self.kill_daemon(&host, *lasting);
                }
            }
            What::Unreachable(who, lasting) => {
                if let Some(host) = self.resolve(who) {
                    self.cut_off(&host, *lasting);
                }
            }
            What::LinkCut(lasting) => self.cut_route(*lasting),
            What::NetworkDown(lasting) => {
                if let Some(domain) = self.subject {
                    self.darken(domain, *lasting);
                }
            }
            What::SwitchToPostCopy | What::InterruptPostCopy => {
                if let Some(domain) = self.subject {
                    // Where it isn't possible nothing happens, as to the person who tried.
                    let _ = match what {
                        What::SwitchToPostCopy => self.start_post_copy(domain).map_err(|(_, why)| why),
                        _ => self.interrupt_post_copy(domain),
                    };
                }
            }
            What::Error(_) | What::ReplyLost(_) | What::Hang | What::Slow(_) | What::LeftBehind => {}
        }
    }

    /// The processes of the domain that is on its way, or of the fleet's first domain where none is.
    fn kill_processes(&mut self, host: &HostName) {
        let moving = self.jobs.iter().find(|(_, job)| job.source == *host || job.destination == *host);
        let Some(domain) = moving.map(|(id, _)| *id).or(self.subject) else { return };
        if self.process(host, domain).is_some() {
            self.end(host, domain, "crashed", "its hypervisor died");
            self.tell(host, lifecycle(domain, "stopped", "failed"));
        }
    }

    fn cut_route(&mut self, lasting: Lasting) {
        if let (Some(source), Some(destination)) = (self.resolve(&Who::Source), self.resolve(&Who::Destination)) {
            self.cut_link(&source, &destination, lasting);
        }
    }
}
