//! The hypervisor port of a world: each call meets the script, then the host's silence, then its effect. The file is long
//! because the port has many calls, which stand in its order.

mod call;
mod orders;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use waypost_core::convergence::Activity;
use waypost_core::copies::CopiedDisk;
use waypost_core::evidence::Evidence;
use waypost_core::facts::{
    Answer, CpuComparison, DiskView, DomainBrief, DomainFacts, HostFacts, PairFacts, Volume, WayTried,
};
use waypost_core::ids::{DomainId, DomainKey, HostName};
use waypost_core::load::HostLoad;
use waypost_core::login::{Admitted, Hold, Login};
use waypost_core::network::Target;
use waypost_core::notice::Notice;
use waypost_core::plan::Plan;
use waypost_core::ports::{
    Command, Connection, Creation, Depth, Events, Fault, FaultKind, FoundVolume, HostEvent, Hypervisor, Later, Transfer,
};
use waypost_core::sample::Sample;
use waypost_core::situation::{Side, Standing};
use waypost_core::stream::Transport;

use crate::fleet::{HostSpec, PoolSpec};
use crate::login::OPEN;
use crate::script::{Step, What};
use crate::state::{Silence, State};
use crate::transfer::{self, PAGE};
use crate::world::World;
use crate::{cpu, edit, words};

/// How long a caller waits for an answer that doesn't come.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long libvirt makes a modifying call wait for a job.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

impl World {
    /// One call to a host that lets the caller in.
    async fn call<T>(
        &self,
        step: Step,
        host: &HostName,
        attempted: &str,
        effect: impl FnOnce(&mut State) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let inside = |state: &mut State| {
            state.lets_in(host, attempted)?;
            effect(state)
        };
        self.reach(step, host, attempted, inside).await
    }

    /// What the script says of a call, whether the host answers, and then its effect.
    async fn reach<T>(
        &self,
        step: Step,
        host: &HostName,
        attempted: &str,
        effect: impl FnOnce(&mut State) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let fault = |kind| Err(words::fault(kind, host, attempted, words::scripted(kind)));
        let struck = {
            let mut state = self.state();
            if state.host(host).is_none() {
                let why = format!("host {host} is not in the fleet");
                return Err(words::fault(FaultKind::NoHost, host, attempted, why));
            }
            let struck = state.script.take(step, host);
            if let Some(what) = &struck {
                state.log.note(host, format!("script at {step}: {what:?}"));
                state.strike(what);
            }
            struck
        };
        match struck {
            Some(What::Error(kind)) => return fault(kind),
            Some(What::Hang) => {
                sleep(DEADLINE).await;
                return fault(FaultKind::Deadline);
            }
            Some(What::Slow(time)) => sleep(time).await,
            Some(What::ReplyLost(kind)) => {
                {
                    let mut state = self.state();
                    if state.silence(host).is_none() {
                        // Whatever it came to, nobody hears of it.
                        let _ = effect(&mut state);
                    }
                }
                if kind == FaultKind::Deadline {
                    sleep(DEADLINE).await;
                }
                return fault(kind);
            }
            _ => {}
        }
        let mut state = self.state();
        if let Some(silence) = state.silence(host) {
            return Err(unreachable(silence, host, attempted));
        }
        state.notice_breaks();
        effect(&mut state)
    }

    /// Waits, as libvirt does, for the job that holds a domain.
    async fn behind_the_job(&self, host: &HostName, domain: DomainId, attempted: &str) -> Result<(), Fault> {
        let give_up = Instant::now() + LOCK_TIMEOUT;
        loop {
            let ended = self.job_ended().notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.state().job_of(host, domain).is_none() {
                return Ok(());
            }
            if Instant::now() >= give_up {
                return Err(words::fault(FaultKind::Busy, host, attempted, words::LOCKED));
            }
            tokio::select! { () = ended => {} () = sleep_until(give_up) => {} }
        }
    }
}

fn unreachable(silence: Silence, host: &HostName, attempted: &str) -> Fault {
    let why = match silence {
        Silence::Network(_) => format!("unable to connect to server at '{host}:16509': No route to host"),
        Silence::Daemon => format!("unable to connect to server at '{host}:16509': Connection refused"),
    };
    words::fault(FaultKind::Unreachable, host, attempted, why)
}

fn no_domain(host: &HostName, attempted: &str, domain: &impl std::fmt::Display) -> Fault {
    let why = format!("Domain not found: no domain with matching uuid or name '{domain}'");
    words::fault(FaultKind::NoDomain, host, attempted, why)
}

impl Hypervisor for World {
    fn hosts(&self) -> Vec<HostName> {
        self.state().hosts.iter().map(|host| host.name.clone()).collect()
    }

    fn free_throttle_by_hand(&self, domain: &str) -> String {
        format!("sim free-throttle {domain}")
    }

    fn connection(&self, host: &HostName) -> Connection {
        let state = self.state();
        match state.host(host) {
            None => Connection::Unknown,
            Some(_) if state.silence(host).is_some() => Connection::Down,
            Some(there) => there.door.connection(),
        }
    }

    fn hold(&self, host: &HostName) -> Hold {
        match self.state().host_mut(host) {
            Some(there) => there.door.hold(),
            None => Hold::new(Arc::new(())),
        }
    }

    fn admit<'a>(&'a self, host: &'a HostName, login: Login) -> Later<'a, Result<Admitted, Fault>> {
        Box::pin(self.reach(Step::Connect, host, OPEN, move |state| state.admit(host, login)))
    }

    fn host_facts<'a>(&'a self, host: &'a HostName, depth: Depth) -> Later<'a, Result<HostFacts, Fault>> {
        Box::pin(self.call(Step::HostFacts, host, "read the facts of the host", move |state| {
            let no_host = || words::fault(FaultKind::NoHost, host, "read the facts of the host", "no such host");
            state.host(host).map(|there| there.facts(&state.stores, depth)).ok_or_else(no_host)
        }))
    }

    fn load<'a>(&'a self, host: &'a HostName) -> Later<'a, Result<HostLoad, Fault>> {
        let attempted = "read the load of the host";
        // Of a host that can't be asked for its facts this can't be read either.
        Box::pin(self.call(Step::HostFacts, host, attempted, move |state| {
            let no_host = || words::fault(FaultKind::NoHost, host, attempted, "no such host");
            state.host(host).map(|there| there.load()).ok_or_else(no_host)
        }))
    }

    fn domains<'a>(&'a self, host: &'a HostName) -> Later<'a, Result<Vec<DomainBrief>, Fault>> {
        Box::pin(self.call(Step::Domains, host, "list the domains", move |state| {
            Ok(state.host(host).map(|there| there.briefs()).unwrap_or_default())
        }))
    }

    fn domain_facts<'a>(&'a self, host: &'a HostName, domain: &'a DomainKey) -> Later<'a, Result<DomainFacts, Fault>> {
        let attempted = "read the facts of the domain";
        Box::pin(self.call(Step::DomainFacts, host, attempted, move |state| {
            let there = state.host(host).ok_or_else(|| no_domain(host, attempted, domain))?;
            let found = match domain {
                DomainKey::Id(id) => there.domains.get_key_value(id),
                DomainKey::Name(name) => there.domains.iter().find(|(_, local)| local.name == *name),
            };
            let (id, local) = found.ok_or_else(|| no_domain(host, attempted, domain))?;
            Ok(state.domain_facts(there, *id, local))
        }))
    }

    fn disk_views<'a>(
        &'a self,
        host: &'a HostName,
        domain: &'a DomainFacts,
    ) -> Later<'a, Result<Vec<DiskView>, Fault>> {
        Box::pin(self.call(Step::DiskViews, host, "look at the domain's disks", move |state| {
            Ok(state.host(host).map(|there| there.disk_views(&state.stores, domain)).unwrap_or_default())
        }))
    }

    fn pair_facts<'a>(
        &'a self,
        destination: &'a HostName,
        domain: &'a DomainFacts,
    ) -> Later<'a, Result<PairFacts, Fault>> {
        let attempted = "compare the domain with the host";
        Box::pin(self.call(Step::PairFacts, destination, attempted, move |state| {
            let there = state.host(destination).ok_or_else(|| no_domain(destination, attempted, &domain.name))?;
            let (cpu, cpu_message) = if !there.spec.compares_cpus {
                let why = "this function is not supported by the connection driver: virConnectCompareHypervisorCPU";
                (CpuComparison::Unknown, Some(why.to_owned()))
            } else if there.spec.architecture != domain.architecture {
                let why =
                    format!("CPU arch {} does not match host arch {}", domain.architecture, there.spec.architecture);
                (CpuComparison::Incompatible, Some(why))
            } else {
                cpu::compare(domain.cpu.model.as_deref(), &there.spec.cpu)
            };
            let destination_disks = there.disk_views(&state.stores, domain);
            Ok(PairFacts { cpu, cpu_message, destination_disks, storage_proofs: vec![], ways_tried: vec![] })
        }))
    }

    fn try_ways<'a>(&'a self, source: &'a HostName, targets: &'a [Target]) -> Later<'a, Vec<WayTried>> {
        let known = self.state().host(source).and_then(|host| host.spec.ways.clone());
        let told = |target: &Target| {
            let ways = known.as_ref()?;
            // Daemons listen, and hypervisors not yet.
            let usual = |port| if (49152..=49215).contains(&port) { Answer::Refused } else { Answer::Taken };
            let way = |port, answer, message| WayTried { to: target.to.clone(), port, answer, message };
            let tried = |port: &u16| {
                let word = ways.get(&target.to).map_or(usual(*port).as_str(), String::as_str);
                match Answer::parse(word) {
                    Some(answer) => way(Some(*port), answer, None),
                    None => way(Some(*port), Answer::Untried, Some(word.to_owned())),
                }
            };
            Some(match &target.ports {
                Ok(ports) => ports.iter().map(tried).collect(),
                Err(why) => vec![way(None, Answer::Untried, Some(why.clone()))],
            })
        };
        let told = targets.iter().filter_map(told).flat_map(|ways: Vec<_>| ways).collect();
        Box::pin(async move { told })
    }

    fn observe<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Side> {
        let look = self.call(Step::Observe, host, "look for the domain", move |state| Ok(state.observe(host, domain)));
        Box::pin(async move { look.await.unwrap_or_else(|fault| Side::Unknown(fault.to_string())) })
    }

    fn sample<'a>(&'a self, source: &'a HostName, domain: DomainId) -> Later<'a, Result<Option<Sample>, Fault>> {
        let attempted = "read the job statistics";
        Box::pin(self.call(Step::Sample, source, attempted, move |state| {
            if state.local(source, domain).is_none() {
                return Err(no_domain(source, attempted, &domain));
            }
            match state.job_of(source, domain) {
                Some("migration-in") => {
                    let why =
                        "Requested operation is not valid: migration statistics are available only on the source host";
                    Err(words::fault(FaultKind::Refused, source, attempted, why))
                }
                Some(_) => Ok(state.jobs.get(&domain).map(transfer::Job::sample)),
                None => Ok(None),
            }
        }))
    }

    fn final_sample<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Result<Option<Sample>, Fault>> {
        Box::pin(self.call(Step::FinalSample, host, "read the completed job's statistics", move |state| {
            Ok(state.host(host).and_then(|there| there.completed.get(&domain).cloned()))
        }))
    }

    fn evidence<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Result<Evidence, Fault>> {
        Box::pin(self.call(Step::Evidence, host, "read what is told of the migration", move |state| {
            let there = state.local(host, domain).is_some();
            let told = there.then(|| state.evidence.get(&(host.clone(), domain)).cloned());
            Ok(told.flatten().unwrap_or_default())
        }))
    }

    fn max_downtime<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Result<Option<u64>, Fault>> {
        let attempted = "read the downtime limit";
        Box::pin(self.call(Step::ReadMaxDowntime, host, attempted, move |state| {
            let Some(local) = state.local_mut(host, domain) else { return Err(no_domain(host, attempted, &domain)) };
            Ok(Some(local.max_downtime_ms.unwrap_or(crate::transfer::MAX_DOWNTIME_MS)))
        }))
    }

    fn activity<'a>(
        &'a self,
        host: &'a HostName,
        domain: DomainId,
        time: Duration,
        least: u64,
    ) -> Later<'a, Result<Option<Activity>, Fault>> {
        Box::pin(async move {
            let attempted = "measure what the domain writes";
            // A simulated guest holds all of its memory.
            if self.state().local(host, domain).is_some_and(|local| local.spec.memory_mib << 20 < least) {
                return Ok(None);
            }
            sleep(time).await;
            self.call(Step::Activity, host, attempted, move |state| {
                let local = state.local(host, domain).ok_or_else(|| no_domain(host, attempted, &domain))?;
                let runs = local.process.as_ref().is_some_and(|process| process.runs);
                let working_set = local.spec.working_set_mib << 20;
                let dirty = if runs { local.spec.dirty_pages_s.saturating_mul(PAGE) } else { 0 };
                Ok(Some(Activity { dirty_bytes_per_s: dirty.min(working_set), resident_bytes: None }))
            })
            .await
        })
    }

    fn command_if<'a>(
        &'a self,
        host: &'a HostName,
        domain: DomainId,
        command: Command,
        expected: Option<&'a Standing>,
    ) -> Later<'a, Result<(), Fault>> {
        let (step, attempted) = orders::named(command);
        Box::pin(async move {
            if matches!(command, Command::Resume | Command::Undefine | Command::SetAutostart(_))
                && self.state().silence(host).is_none()
            {
                self.behind_the_job(host, domain, attempted).await?;
            }
            self.call(step, host, attempted, move |state| {
                orders::as_expected(state, host, domain, expected, attempted)?;
                orders::obey(state, host, domain, command, attempted)
            })
            .await
        })
    }

    fn rehearse<'a>(&'a self, plan: &'a Plan) -> Later<'a, Result<(), Fault>> {
        let attempted = "edit the definition";
        Box::pin(
            self.call(Step::DomainFacts, &plan.source.host, attempted, move |state| {
                edit::possible(state, plan, attempted)
            }),
        )
    }

    fn notice<'a>(&'a self, host: &'a HostName, domain: DomainId) -> Later<'a, Result<Option<Notice>, Fault>> {
        let attempted = "read the domain's notice";
        Box::pin(self.call(Step::ReadNotice, host, attempted, move |state| {
            let local = state.local(host, domain).ok_or_else(|| no_domain(host, attempted, &domain))?;
            Ok(local.notice.clone().filter(|_| local.process.is_some()))
        }))
    }

    fn put_notice<'a>(
        &'a self,
        host: &'a HostName,
        domain: DomainId,
        notice: Option<&'a Notice>,
    ) -> Later<'a, Result<(), Fault>> {
        let attempted = "put a notice on the domain";
        Box::pin(async move {
            if self.state().silence(host).is_none() {
                self.behind_the_job(host, domain, attempted).await?;
            }
            self.call(Step::PutNotice, host, attempted, move |state| {
                let local = state.local_mut(host, domain).ok_or_else(|| no_domain(host, attempted, &domain))?;
                if local.process.is_none() {
                    let why = "Requested operation is not valid: domain is not running".to_owned();
                    return Err(crate::words::fault(FaultKind::Refused, host, attempted, why));
                }
                local.notice = notice.cloned();
                Ok(())
            })
            .await
        })
    }

    fn start<'a>(&'a self, plan: &'a Plan) -> Later<'a, Result<Box<dyn Transfer>, Fault>> {
        let source = &plan.source.host;
        Box::pin(self.call(Step::Connect, source, "open a connection for the migration", move |state| {
            if plan.transport == Transport::Direct {
                state.lets_in(&plan.destination.host, OPEN)?;
            }
            state.route = Some((source.clone(), plan.destination.host.clone()));
            state.subject = Some(plan.domain);
            Ok(self.calling(state, plan, |bond| transfer::migrate(self.clone(), plan.clone(), bond)))
        }))
    }

    fn resume_post_copy<'a>(&'a self, plan: &'a Plan) -> Later<'a, Result<Box<dyn Transfer>, Fault>> {
        let source = &plan.source.host;
        Box::pin(self.call(Step::ResumePostCopy, source, "resume the post-copy", move |state| {
            Ok(self.calling(state, plan, |bond| transfer::resume(self.clone(), plan.clone(), bond)))
        }))
    }

    fn events<'a>(&'a self, host: &'a HostName) -> Later<'a, Result<Box<dyn Events>, Fault>> {
        Box::pin(self.call(Step::Events, host, "subscribe to events", move |state| {
            Ok(Box::new(Listener(state.listen(host))) as Box<dyn Events>)
        }))
    }

    fn volume<'a>(
        &'a self,
        host: &'a HostName,
        pool: &'a str,
        volume: &'a str,
    ) -> Later<'a, Result<Option<FoundVolume>, Fault>> {
        let attempted = "look for a volume";
        Box::pin(self.call(Step::ReadVolume, host, attempted, move |state| {
            in_pool(state, host, pool, attempted, |state, spec, pool| {
                Ok(state.stores.get(spec, pool, volume).map(|volume| FoundVolume { volume, backing: None }))
            })
        }))
    }

    fn volume_at<'a>(&'a self, host: &'a HostName, path: &'a str) -> Later<'a, Result<Option<Volume>, Fault>> {
        Box::pin(self.call(Step::ReadVolume, host, "look for a volume", move |state| {
            Ok(state.host(host).and_then(|there| state.stores.at(&there.spec, &there.base, path)))
        }))
    }

    fn create_volume<'a>(&'a self, host: &'a HostName, disk: &'a CopiedDisk) -> Later<'a, Result<Creation, Fault>> {
        let attempted = "create a volume";
        Box::pin(self.call(Step::CreateVolume, host, attempted, move |state| {
            in_pool(state, host, &disk.pool, attempted, |state, spec, pool| {
                if state.stores.get(spec, pool, &disk.volume).is_some() {
                    return Ok(Creation::Taken);
                }
                state.log.note(host, format!("volume {} is created in {}", disk.volume, pool.name));
                state.stores.make(spec, pool, disk);
                Ok(Creation::Made)
            })
        }))
    }

    fn remove_volume<'a>(&'a self, host: &'a HostName, pool: &'a str, volume: &'a str) -> Later<'a, Result<(), Fault>> {
        let attempted = "remove a volume";
        Box::pin(self.call(Step::RemoveVolume, host, attempted, move |state| {
            in_pool(state, host, pool, attempted, |state, spec, pool| {
                state.log.note(host, format!("volume {volume} is removed from {}", pool.name));
                state.stores.remove(spec, pool, volume);
                Ok(())
            })
        }))
    }

    fn users_of<'a>(&'a self, host: &'a HostName, disk: &'a CopiedDisk) -> Later<'a, Result<Vec<DomainBrief>, Fault>> {
        Box::pin(self.call(Step::VolumeUsers, host, "look who uses a volume", move |state| {
            let Some(there) = state.host(host) else { return Ok(vec![]) };
            let uses = |id: DomainId| there.domains.get(&id).is_some_and(|local| local.disk_paths.contains(&disk.path));
            Ok(there.briefs().into_iter().filter(|brief| uses(brief.id)).collect())
        }))
    }

    fn create_probe<'a>(&'a self, host: &'a HostName, pool: &'a str, volume: &'a str) -> Later<'a, Result<(), Fault>> {
        let attempted = "create a probe volume";
        Box::pin(self.call(Step::CreateProbe, host, attempted, move |state| {
            in_pool(state, host, pool, attempted, |state, spec, pool| {
                if state.stores.get(spec, pool, volume).is_some() {
                    let why = format!("storage volume '{volume}' exists already");
                    return Err(words::fault(FaultKind::Storage, host, attempted, why));
                }
                state.log.note(host, format!("probe volume {volume} is created in {}", pool.name));
                state.stores.put(&crate::storage::identity(spec, pool), pool, volume, "raw", 1 << 20);
                Ok(())
            })
        }))
    }

    fn sees_probe<'a>(&'a self, host: &'a HostName, pool: &'a str, volume: &'a str) -> Later<'a, Result<bool, Fault>> {
        let attempted = "look for a probe volume";
        Box::pin(self.call(Step::SeesProbe, host, attempted, move |state| {
            in_pool(state, host, pool, attempted, |state, spec, pool| {
                Ok(state.stores.get(spec, pool, volume).is_some())
            })
        }))
    }

    fn remove_probe<'a>(&'a self, host: &'a HostName, pool: &'a str, volume: &'a str) -> Later<'a, Result<(), Fault>> {
        let attempted = "remove a probe volume";
        Box::pin(self.call(Step::RemoveProbe, host, attempted, move |state| {
            in_pool(state, host, pool, attempted, |state, spec, pool| {
                state.log.note(host, format!("probe volume {volume} is removed from {}", pool.name));
                state.stores.remove(spec, pool, volume);
                Ok(())
            })
        }))
    }
}

fn in_pool<T>(
    state: &mut State,
    host: &HostName,
    pool: &str,
    attempted: &str,
    work: impl FnOnce(&mut State, &HostSpec, &PoolSpec) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let fault = |why: String| words::fault(FaultKind::Storage, host, attempted, why);
    let spec = state.host(host).map(|there| Arc::clone(&there.spec));
    let found = spec.as_ref().and_then(|spec| Some((spec, spec.pools.iter().find(|known| known.name == pool)?)));
    let Some((spec, pool)) = found else {
        return Err(fault(format!("Storage pool not found: no storage pool with matching name '{pool}'")));
    };
    if !pool.active {
        return Err(fault(format!("Requested operation is not valid: storage pool '{}' is not active", pool.name)));
    }
    work(state, spec, pool)
}

/// Events of one host.
struct Listener(mpsc::UnboundedReceiver<HostEvent>);

impl Events for Listener {
    fn next(&mut self) -> Later<'_, Option<HostEvent>> {
        Box::pin(self.0.recv())
    }
}

impl crate::state::Host {
    fn disk_views(&self, stores: &crate::storage::Stores, domain: &DomainFacts) -> Vec<DiskView> {
        stores.views(&self.spec, &self.base, domain)
    }
}
