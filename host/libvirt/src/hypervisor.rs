//! The hypervisor port over libvirt.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use tokio::time::Instant;
use waypost_core::convergence::Activity;
use waypost_core::copies::CopiedDisk;
use waypost_core::evidence::Evidence;
use waypost_core::facts::{CpuComparison, DiskView, DomainBrief, DomainFacts, HostFacts, PairFacts, Volume, WayTried};
use waypost_core::ids::{DomainId, DomainKey, HostName};
use waypost_core::load::HostLoad;
use waypost_core::login::{Admitted, Hold, Login};
use waypost_core::network::Target;
use waypost_core::notice::Notice;
use waypost_core::plan::Plan;
use waypost_core::ports::{
    Command, Connection, Creation, Depth, Events, Fault, FoundVolume, Hypervisor, Later, Transfer,
};
use waypost_core::sample::Sample;
use waypost_core::situation::{Side, Standing};

use crate::config::HostConfig;
use crate::control::Control;
use crate::error::{Cause, Error, Failure};
use crate::facts::{DiskSource, abilities};
use crate::link::Session;
use crate::logins::Logins;
use crate::raw::{Comparison, CpuQuestion};
use crate::read::{Glimpse, domain, host, load, storage};
use crate::transfer::Start;
use crate::volumes;
use crate::{events, notice, orders, throttling, transfer, uri};

/// Between two looks at a measurement that takes longer than it was asked to.
const MEASURED_YET: Duration = Duration::from_millis(50);

/// Real hosts. A host is connected to when it is first asked something.
///
/// This is the one owner of which hosts there are. Whoever works with one has looked it up by its name for that one call, so
/// that other hosts hold from the next call on.
pub struct Libvirt {
    controls: RwLock<Vec<Arc<Control>>>,
    /// Who may ask an ssh daemon at present.
    logins: Arc<Logins>,
}

impl Libvirt {
    /// These hosts. Where a name comes twice, the first one is meant.
    pub fn new(hosts: impl IntoIterator<Item = HostConfig>) -> Self {
        let controls = hosts.into_iter().map(|host| Arc::new(Control::new(host))).collect();
        Self { controls: RwLock::new(controls), logins: Arc::default() }
    }

    /// Other hosts in the place of these. One that is [reached as](HostConfig::is_reached_as) before keeps its connection, and
    /// what else is said of it holds from the next call on. Of any other the connection is closed as soon as nobody works with it,
    /// and a new one is opened when it is first needed. Whether somebody still needs what goes is the caller's to know.
    pub fn take(&self, hosts: impl IntoIterator<Item = HostConfig>) {
        let mut controls = self.controls.write().unwrap_or_else(PoisonError::into_inner);
        let mut now = Vec::new();
        for host in hosts {
            let known = controls.iter().find(|known| known.host().is_reached_as(&host)).cloned();
            now.push(match known {
                Some(known) => {
                    known.adjust(host);
                    known
                }
                None => Arc::new(Control::new(host)),
            });
        }
        *controls = now;
    }

    fn controls(&self) -> RwLockReadGuard<'_, Vec<Arc<Control>>> {
        // A change is one assignment, so they are never half of one.
        self.controls.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, host: &HostName) -> Option<Arc<Control>> {
        self.controls().iter().find(|control| control.name() == host).cloned()
    }

    fn control(&self, host: &HostName, attempted: &str) -> Result<Arc<Control>, Error> {
        self.known(host).ok_or_else(|| Error {
            host: host.clone(),
            attempted: attempted.to_owned(),
            cause: Cause::UnknownHost,
        })
    }

    /// Starts a migration, or goes on with one.
    async fn transfer(&self, plan: &Plan, how: Start) -> Result<Box<dyn Transfer>, Error> {
        let attempted = format!("migrate domain {}", plan.name);
        let source = self.control(&plan.source.host, &attempted)?;
        let destination = self.control(&plan.destination.host, &attempted)?;
        let there = destination.host();
        let configured = there.peer_uri.as_deref();
        // The plan is on record, so it holds the URI without its secrets; a host that was configured anew since then is
        // reached the way that was planned.
        let peer_uri = configured.filter(|uri| uri::without_secrets(uri) == plan.peer_uri).unwrap_or(&plan.peer_uri);
        let plan = Plan { peer_uri: peer_uri.to_owned(), ..plan.clone() };
        Ok(Box::new(transfer::start(&source, &destination, &plan, how).await?))
    }

    /// Asks a host something, from any thread of its connection.
    async fn ask<T: Send + 'static>(
        &self,
        host: &HostName,
        attempted: String,
        question: impl Fn(&Session) -> Result<T, Failure> + Send + Sync + 'static,
    ) -> Result<T, Error> {
        self.control(host, &attempted)?.read(attempted, question).await
    }

    async fn read_host(&self, name: &HostName, depth: Depth) -> Result<HostFacts, Error> {
        let control = self.control(name, "read its facts")?;
        let (machine, population, pools, surroundings) = tokio::try_join!(
            control.read("read its capabilities", host::machine),
            control.read("list its domains", host::population),
            control.read("read its storage pools", move |session| host::pools(session, depth.volumes)),
            control.read("read its networks", move |session| host::surroundings(session, depth.node_devices)),
        )?;
        let config = control.host();
        let capabilities = machine.capabilities;
        Ok(HostFacts {
            name: config.name.clone(),
            hostname: population.hostname,
            uuid: capabilities.uuid,
            uri: uri::without_secrets(&config.uri),
            // What policies and records see; the migration itself is given the configured one.
            peer_uri: config.peer_uri.as_deref().map(uri::without_secrets),
            addresses: config.addresses.clone(),
            drops_cache: abilities::drops_cache(
                &population.hypervisor,
                population.hypervisor_version,
                population.libvirt_version,
            ),
            arrived_paused_may_leave: abilities::arrived_paused_may_leave(
                &population.hypervisor,
                population.hypervisor_version,
            ),
            hypervisor: population.hypervisor,
            hypervisor_version: population.hypervisor_version,
            libvirt_version: population.libvirt_version,
            architecture: capabilities.architecture,
            cpus: machine.cpus,
            memory_kib: machine.memory_kib,
            free_memory_kib: machine.free_memory_kib,
            huge_pages: machine.huge_pages,
            numa: capabilities.numa,
            cpu: capabilities.cpu,
            guests: capabilities.guests,
            live_migration: capabilities.live_migration,
            migration_transports: capabilities.transports,
            migration_ports: config.ports(population.in_transit),
            migration_tls: config.migration_tls,
            pools,
            networks: surroundings.networks,
            bridges: surroundings.bridges,
            links: surroundings.links,
            domains: population.domains,
            node_devices: surroundings.node_devices,
        })
    }

    async fn read_views(&self, host: &HostName, domain: &DomainFacts) -> Result<Vec<DiskView>, Error> {
        let disks = domain.disks.clone();
        let attempted = format!("look for the disks of domain {}", domain.name);
        self.ask(host, attempted, move |session| storage::views(session, &disks)).await
    }

    async fn read_pair(&self, host: &HostName, domain: &DomainFacts) -> Result<PairFacts, Error> {
        let ((cpu, cpu_message), destination_disks) =
            tokio::try_join!(self.compare_cpu(host, domain), self.read_views(host, domain))?;
        // What is proven of stores and ways is asked of others besides this host.
        Ok(PairFacts { cpu, cpu_message, destination_disks, storage_proofs: Vec::new(), ways_tried: Vec::new() })
    }

    async fn compare_cpu(
        &self,
        host: &HostName,
        domain: &DomainFacts,
    ) -> Result<(CpuComparison, Option<String>), Error> {
        let question = match cpu_question(domain) {
            Ok(question) => question,
            Err(why) => return Ok((CpuComparison::Unknown, Some(why.to_owned()))),
        };
        let attempted = format!("compare the CPU of domain {}", domain.name);
        let answer = self.ask(host, attempted, move |session| match session.connection.compare_cpu(&question) {
            // An emulator or a machine type that isn't there, a driver without the call: no answer, but no fault either.
            Err(failure) if session.connection.is_open() => Ok(Err(failure)),
            Err(failure) => Err(failure),
            Ok(comparison) => Ok(Ok(comparison)),
        });
        Ok(match answer.await? {
            Ok(Comparison::Identical) => (CpuComparison::Identical, None),
            Ok(Comparison::Superset) => (CpuComparison::Superset, None),
            Ok(Comparison::Incompatible(why)) => (CpuComparison::Incompatible, Some(why)),
            Err(failure) => (CpuComparison::Unknown, Some(failure.message)),
        })
    }
}

/// The guest's CPU as a question to a hypervisor, or why there is none to ask. Always with the domain's own emulator,
/// machine and type: left alone libvirt takes the host's favourite, and answers for KVM what is asked for an emulation.
fn cpu_question(domain: &DomainFacts) -> Result<CpuQuestion, &'static str> {
    match domain.cpu.mode.as_deref() {
        // libvirt calls every host fit for these two, whatever it is.
        Some("host-passthrough") => Err("the guest has the host's own CPU, which libvirt compares with nothing"),
        Some("maximum") => {
            Err("the guest has all that its host's hypervisor offers, which libvirt compares with nothing")
        }
        _ => Ok(CpuQuestion {
            emulator: domain.emulator.clone(),
            architecture: domain.architecture.clone(),
            machine: domain.machine.clone(),
            virt_type: domain.virt_type.clone(),
            xml: domain.cpu.xml.clone().ok_or("the domain's document names no CPU")?,
        }),
    }
}

impl Hypervisor for Libvirt {
    fn hosts(&self) -> Vec<HostName> {
        self.controls().iter().map(|control| control.name().clone()).collect()
    }

    fn free_throttle_by_hand(&self, domain: &str) -> String {
        throttling::free_by_hand(domain)
    }

    fn connection(&self, host: &HostName) -> Connection {
        self.known(host).map_or(Connection::Unknown, |control| control.connection())
    }

    fn hold(&self, host: &HostName) -> Hold {
        self.known(host).map_or_else(|| Hold::new(Arc::new(())), |control| Hold::new(control.hold()))
    }

    fn admit<'a>(&'a self, host: &'a HostName, login: Login) -> Later<'a, Result<Admitted, Fault>> {
        Box::pin(async move { Ok(self.control(host, "open a connection")?.admit(login).await?) })
    }

    fn host_facts<'a>(&'a self, host: &'a HostName, depth: Depth) -> Later<'a, Result<HostFacts, Fault>> {
        Box::pin(async move { Ok(self.read_host(host, depth).await?) })
    }

    fn load<'a>(&'a self, host: &'a HostName) -> Later<'a, Result<HostLoad, Fault>> {
        Box::pin(async move {
            let attempted = "read its load";
            let control = self.control(host, attempted)?;
            let (vcpus, cpu) = control.read(attempted, load::load).await?;
            Ok(HostLoad { vcpus, cpu_busy_permille: cpu.and_then(|now| control.metered(now)) })
        })
    }

    fn domains<'a>(&'a self, host: &'a HostName) -> Later<'a, Result<Vec<DomainBrief>, Fault>> {
        Box::pin(async move { Ok(self.ask(host, "list its domains".to_owned(), host::domains).await?.0) })
    }

    fn domain_facts<'a>(&'a self, host: &'a HostName, domain: &'a DomainKey) -> Later<'a, Result<DomainFacts, Fault>> {
        Box::pin(async move {
            let key = domain.clone();
            Ok(self.ask(host, format!("read domain {domain}"), move |session| domain::facts(session, &key)).await?)
        })
    }

    fn disk_views<'a>(
        &'a self,
        host: &'a HostName,
        domain: &'a DomainFacts,
    ) -> Later<'a, Result<Vec<DiskView>, Fault>> {
        Box::pin(async move { Ok(self.read_views(host, domain).await?) })
    }

    fn pair_facts<'a>(
        &'a self,
        destination: &'a HostName,
        domain: &'a DomainFacts,
    ) -> Later<'a, Result<PairFacts, Fault>> {
        Box::pin(async move { Ok(self.read_pair(destination, domain).await?) })
    }

    fn try_ways<'a>(&'a self, source: &'a HostName, targets: &'a [Target]) -> Later<'a, Vec<WayTried>> {
        let probe = self.known(source).and_then(|control| control.host().way_probe.clone());
        Box::pin(async move {
            match probe {
                Some(probe) => probe.try_ways(targets, &self.logins).await,
                None => Vec::new(),
            }
        })
    }

    fn observe<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Side> {
        Box::pin(async move {
            let glimpse = Glimpse::default();
            let noted = glimpse.clone();
            let look = move |session: &Session| domain::observe(session, domain, &noted);
            let seen = self.ask(host, format!("look at domain {domain}"), look).await;
            seen.unwrap_or_else(|error| glimpse.side(error))
        })
    }

    fn sample<'a>(&'a self, source: &'a HostName, domain: DomainId) -> Later<'a, Result<Option<Sample>, Fault>> {
        Box::pin(async move {
            let attempted = format!("read the job of domain {domain}");
            Ok(self.ask(source, attempted, move |session| domain::sample(session, domain)).await?)
        })
    }

    fn final_sample<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Result<Option<Sample>, Fault>> {
        Box::pin(async move {
            let attempted = format!("read the completed job of domain {domain}");
            Ok(self.ask(host, attempted, move |session| domain::final_sample(session, domain)).await?)
        })
    }

    fn evidence<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Result<Evidence, Fault>> {
        Box::pin(async move {
            let attempted = format!("read what is told of the migration of domain {domain}");
            Ok(self.ask(host, attempted, move |session| domain::evidence(session, domain)).await?)
        })
    }

    fn max_downtime<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Result<Option<u64>, Fault>> {
        Box::pin(async move {
            let attempted = format!("read the downtime limit of domain {domain}");
            Ok(self.ask(host, attempted, move |session| orders::max_downtime(session, domain)).await?)
        })
    }

    fn activity<'a>(
        &'a self,
        host: &'a HostName,
        domain: DomainId,
        time: Duration,
        least: u64,
    ) -> Later<'a, Result<Option<Activity>, Fault>> {
        Box::pin(async move {
            let attempted = format!("measure what domain {domain} writes");
            let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX).max(1);
            if !self
                .ask(host, attempted.clone(), move |session| orders::begin_to_measure(session, domain, seconds, least))
                .await?
            {
                return Ok(None);
            }
            // No event tells of the end of a measurement.
            let give_up = Instant::now() + time * 3;
            let mut wait = time;
            loop {
                tokio::time::sleep(wait).await;
                let measured =
                    self.ask(host, attempted.clone(), move |session| orders::measured(session, domain)).await?;
                if measured.is_some() || Instant::now() >= give_up {
                    return Ok(measured);
                }
                wait = MEASURED_YET;
            }
        })
    }

    fn command_if<'a>(
        &'a self,
        host: &'a HostName,
        domain: DomainId,
        command: Command,
        expected: Option<&'a Standing>,
    ) -> Later<'a, Result<(), Fault>> {
        Box::pin(async move {
            let attempted = orders::attempted(command, domain);
            let control = self.control(host, &attempted)?;
            // The call may outlive whoever waits for it.
            let expected = expected.cloned();
            let order = move |session: &Session| orders::carry_out(session, domain, command, expected.as_ref());
            Ok(control.order(attempted, order).await?)
        })
    }

    fn rehearse<'a>(&'a self, plan: &'a Plan) -> Later<'a, Result<(), Fault>> {
        Box::pin(async move {
            if plan.edits.is_empty() {
                return Ok(());
            }
            let source = self.control(&plan.source.host, "edit a definition")?;
            Ok(transfer::rehearse(&source, plan).await?)
        })
    }

    fn notice<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Result<Option<Notice>, Fault>> {
        Box::pin(async move {
            let attempted = format!("read the notice of domain {domain}");
            Ok(self.ask(host, attempted, move |session| notice::read(session, domain)).await?)
        })
    }

    fn put_notice<'a>(
        &'a self,
        host: &'a HostName,
        domain: DomainId,
        notice: Option<&'a Notice>,
    ) -> Later<'a, Result<(), Fault>> {
        Box::pin(async move {
            let attempted = match notice {
                Some(_) => format!("put a notice on domain {domain}"),
                None => format!("take the notice from domain {domain}"),
            };
            let (control, notice) = (self.control(host, &attempted)?, notice.cloned());
            Ok(control.order(attempted, move |session| notice::put(session, domain, notice.as_ref())).await?)
        })
    }

    fn start<'a>(&'a self, plan: &'a Plan) -> Later<'a, Result<Box<dyn Transfer>, Fault>> {
        Box::pin(async move { Ok(self.transfer(plan, Start::Begin).await?) })
    }

    fn resume_post_copy<'a>(&'a self, plan: &'a Plan) -> Later<'a, Result<Box<dyn Transfer>, Fault>> {
        Box::pin(async move { Ok(self.transfer(plan, Start::Resume).await?) })
    }

    fn events<'a>(&'a self, host: &'a HostName) -> Later<'a, Result<Box<dyn Events>, Fault>> {
        Box::pin(async move {
            let control = self.control(host, "subscribe to events")?;
            Ok(Box::new(events::subscribe(&control).await?) as Box<dyn Events>)
        })
    }

    fn volume<'a>(
        &'a self,
        host: &'a HostName,
        pool: &'a str,
        volume: &'a str,
    ) -> Later<'a, Result<Option<FoundVolume>, Fault>> {
        Box::pin(async move {
            let attempted = format!("look for volume {volume} in pool {pool}");
            let (pool, volume) = (pool.to_owned(), volume.to_owned());
            Ok(self.ask(host, attempted, move |session| volumes::find(session, &pool, &volume)).await?)
        })
    }

    fn volume_at<'a>(&'a self, host: &'a HostName, path: &'a str) -> Later<'a, Result<Option<Volume>, Fault>> {
        Box::pin(async move {
            let (attempted, source) = (format!("look for the volume {path}"), DiskSource::Path(path.to_owned()));
            Ok(self.ask(host, attempted, move |session| Ok(storage::place(session, &source)?.volume)).await?)
        })
    }

    fn create_volume<'a>(&'a self, host: &'a HostName, disk: &'a CopiedDisk) -> Later<'a, Result<Creation, Fault>> {
        Box::pin(async move {
            let attempted = format!("create volume {} in pool {}", disk.volume, disk.pool);
            let (control, disk) = (self.control(host, &attempted)?, disk.clone());
            Ok(control.order(attempted, move |session| volumes::create(session, &disk)).await?)
        })
    }

    fn remove_volume<'a>(&'a self, host: &'a HostName, pool: &'a str, volume: &'a str) -> Later<'a, Result<(), Fault>> {
        Box::pin(async move {
            let attempted = format!("remove volume {volume} from pool {pool}");
            let (pool, volume) = (pool.to_owned(), volume.to_owned());
            let control = self.control(host, &attempted)?;
            Ok(control.order(attempted, move |session| volumes::remove(session, &pool, &volume)).await?)
        })
    }

    fn users_of<'a>(&'a self, host: &'a HostName, disk: &'a CopiedDisk) -> Later<'a, Result<Vec<DomainBrief>, Fault>> {
        Box::pin(async move {
            let (attempted, disk) = (format!("look who uses {}", disk.path), disk.clone());
            Ok(self.ask(host, attempted, move |session| volumes::users(session, &disk)).await?)
        })
    }

    fn create_probe<'a>(&'a self, host: &'a HostName, pool: &'a str, volume: &'a str) -> Later<'a, Result<(), Fault>> {
        Box::pin(async move {
            let attempted = format!("create probe {volume} in pool {pool}");
            let (pool, volume) = (pool.to_owned(), volume.to_owned());
            let control = self.control(host, &attempted)?;
            Ok(control.order(attempted, move |session| storage::create_probe(session, &pool, &volume)).await?)
        })
    }

    fn sees_probe<'a>(&'a self, host: &'a HostName, pool: &'a str, volume: &'a str) -> Later<'a, Result<bool, Fault>> {
        Box::pin(async move {
            let attempted = format!("look for probe {volume} in pool {pool}");
            let (pool, volume) = (pool.to_owned(), volume.to_owned());
            Ok(self.ask(host, attempted, move |session| storage::sees_probe(session, &pool, &volume)).await?)
        })
    }

    fn remove_probe<'a>(&'a self, host: &'a HostName, pool: &'a str, volume: &'a str) -> Later<'a, Result<(), Fault>> {
        Box::pin(async move {
            let attempted = format!("remove probe {volume} from pool {pool}");
            let (pool, volume) = (pool.to_owned(), volume.to_owned());
            let control = self.control(host, &attempted)?;
            Ok(control.order(attempted, move |session| storage::remove_probe(session, &pool, &volume)).await?)
        })
    }
}
