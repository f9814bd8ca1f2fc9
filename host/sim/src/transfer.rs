//! One migration, stage by stage, as libvirt's protocol goes: begin on the source, prepare on the destination, perform
//! until what is left fits into the downtime limit, switch over, finish on the destination, confirm on the source.
//!
//! It runs as a task of its own, as a peer-to-peer migration does in the source's daemon: who started it may be gone. A
//! direct one needs its client from stage to stage (`client`). What a failure leaves behind depends on the stage, and follows
//! what was measured of libvirt: up to the switch-over the source runs on and the destination is cleaned; while the
//! destination has all memory and nobody has confirmed, the source stays paused, because its daemon can't know.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use waypost_core::ids::{DomainId, HostName};
use waypost_core::plan::{Plan, TransferMode};
use waypost_core::ports::{Fault, FaultKind, HostEvent};

use crate::edit::edited;
use crate::script::{Step, What};
use crate::state::{Local, Process, lifecycle};
use crate::words;
use crate::world::World;

mod arrival;
mod checks;
mod client;
mod ending;
mod job;
mod offline;
mod post_copy;

pub(crate) use client::{Bond, Client, bound};
use ending::Trouble;
pub(crate) use job::Job;
use job::{bytes_in, time_for};

/// libvirt's keepalive with its defaults: five probes, five seconds apart.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(30);
/// QEMU's default downtime limit.
pub(crate) const MAX_DOWNTIME_MS: u64 = 300;
/// How long a stage that can't be aborted hangs.
const HANG: Duration = Duration::from_secs(600);
pub(crate) const PAGE: u64 = 4096;

const BEGIN: Duration = Duration::from_millis(20);
const PREPARE: Duration = Duration::from_millis(250);
const FINISH: Duration = Duration::from_millis(40);
const CONFIRM: Duration = Duration::from_millis(20);

/// What comes after a look at a transfer.
enum Span {
    /// What is left fits into the downtime limit.
    Fits,
    /// Another pass has begun.
    NextPass,
    /// Nothing before this moment; none: nothing by itself.
    Until(Option<Instant>),
}

/// How a transfer goes on when its passes are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The guest stops, the rest is sent, the destination's copy runs.
    SwitchOver,
    /// The destination's copy runs, the rest follows.
    PostCopy,
}

/// Joins the halves of an interrupted post-copy, and runs it to its end.
pub(crate) async fn resume(world: World, plan: Plan, bond: Option<Bond>) -> Result<(), Fault> {
    Run::of(&world, &plan, bond).resume().await
}

/// Runs a migration to its end. A direct one has a bond with its client.
pub(crate) async fn migrate(world: World, plan: Plan, bond: Option<Bond>) -> Result<(), Fault> {
    let run = Run::of(&world, &plan, bond);
    match plan.mode {
        TransferMode::Live => run.live().await,
        TransferMode::Offline => run.offline().await,
    }
}

struct Run<'a> {
    world: &'a World,
    plan: &'a Plan,
    source: &'a HostName,
    destination: &'a HostName,
    /// With the client, of a direct one.
    bond: Option<Bond>,
}

impl<'a> Run<'a> {
    fn of(world: &'a World, plan: &'a Plan, bond: Option<Bond>) -> Self {
        Self { world, plan, source: &plan.source.host, destination: &plan.destination.host, bond }
    }
}

impl Run<'_> {
    fn id(&self) -> DomainId {
        self.plan.domain
    }

    fn job<T>(&self, with: impl FnOnce(&mut Job) -> T) -> Option<T> {
        self.world.state().jobs.get_mut(&self.id()).map(with)
    }

    async fn live(&self) -> Result<(), Fault> {
        let result = match self.register(true) {
            Ok(()) => self.stages().await.map_err(|trouble| self.clean_up(trouble)),
            // Whoever has the job has it on.
            Err(fault) => return Err(fault),
        };
        self.unregister(result)
    }

    async fn stages(&self) -> Result<(), Trouble> {
        self.enter(Step::Begin).await?;
        checks::begin(&self.world.state(), self.plan).map_err(Trouble::Refused)?;
        self.wait(BEGIN).await?;

        self.enter(Step::Prepare).await?;
        self.prepare()?;
        self.wait(PREPARE).await?;

        self.enter(Step::Perform).await?;
        self.stand_still();
        let performed = self.perform().await;
        self.world.state().script.leave_perform(self.source);
        let way = performed?;
        self.fill_copies();
        if way == Way::PostCopy {
            return self.post_copy().await;
        }
        self.enter(Step::SwitchOver).await?;
        let id = self.id();
        let initially = {
            let mut state = self.world.state();
            let runs = state.process(self.source, id).is_some_and(|process| process.runs);
            state.pause(self.source, id, "migration", "switch-over");
            state.tell(self.source, lifecycle(id, "suspended", "migrated"));
            runs
        };
        let paused = Instant::now();
        let rest = self.job(|job| {
            let rest = time_for(job.copy.left, job.copy.rate);
            job.copy.settle(job.copy.rate);
            rest
        });
        self.wait(rest.unwrap_or_default()).await?;
        if let Some(process) = self.world.state().local_mut(self.destination, id).and_then(|l| l.process.as_mut()) {
            process.complete = true;
        }

        self.enter(Step::Finish).await?;
        self.wait(FINISH).await?;
        self.finish(initially);
        let downtime = u64::try_from(paused.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.job(|job| {
            job.copy.settle(0);
            job.copy.downtime_ms = Some(downtime);
        });

        self.enter(Step::Confirm).await?;
        self.wait(CONFIRM).await?;
        self.confirm();
        self.undefine_source().await;
        Ok(())
    }

    /// Puts the migration on the list, or says why there can't be one.
    fn register(&self, shows: bool) -> Result<(), Fault> {
        let mut state = self.world.state();
        checks::may_begin(&state, self.plan)?;
        let job = Job {
            may_post_copy: self.plan.stream.post_copy,
            copies: !self.plan.copies.0.is_empty(),
            way: self.plan.migrate_uri.clone(),
            bandwidth_mib_s: self.plan.bandwidth_mib_s,
            ..Job::new(self.source, self.destination, shows)
        };
        let job = match &self.bond {
            Some(bond) => Job { woken: Arc::clone(&bond.woken), ..job },
            None => job,
        };
        state.jobs.insert(self.id(), job);
        // A new job forgets the figures of the last one.
        for host in [self.source, self.destination] {
            if let Some(host) = state.host_mut(host) {
                host.completed.remove(&self.id());
            }
        }
        Ok(())
    }

    fn unregister(&self, result: Result<(), Fault>) -> Result<(), Fault> {
        let lie = {
            let mut state = self.world.state();
            // A post-copy that broke keeps its job on both sides.
            match state.jobs.get_mut(&self.id()) {
                Some(job) if job.broken => job.lie.take(),
                Some(_) => state.jobs.remove(&self.id()).and_then(|job| job.lie),
                None => None,
            }
        };
        match lie {
            Some(kind) => Err(words::fault(kind, self.source, "migrate", words::scripted(kind))),
            None => result,
        }
    }

    /// Comes to a stage: whatever the script has for it happens.
    async fn enter(&self, stage: Step) -> Result<(), Trouble> {
        self.job(|job| job.stage = stage);
        let host = if matches!(stage, Step::Prepare | Step::Finish) { self.destination } else { self.source };
        if matches!(stage, Step::Prepare | Step::Perform | Step::Finish | Step::Confirm) {
            self.hear_client(host).await?;
        }
        if stage == Step::Perform {
            // A transfer meets its script on the way, by how much it has sent.
            return self.check();
        }
        let what = self.world.state().script.take(stage, host);
        if let Some(what) = what {
            self.strike(stage, what).await?;
        }
        self.check()
    }

    async fn strike(&self, stage: Step, what: What) -> Result<(), Trouble> {
        self.world.state().log.note(self.source, format!("script at {stage}: {what:?}"));
        match what {
            What::Error(kind) => return Err(Trouble::Scripted(kind)),
            What::ReplyLost(kind) => {
                self.job(|job| job.lie = Some(kind));
            }
            What::LeftBehind if stage == Step::Begin => return Err(Trouble::Scripted(FaultKind::Other)),
            What::LeftBehind => {
                self.job(|job| job.leave = true);
            }
            What::Hang if stage == Step::Perform => {
                self.job(|job| job.hung = true);
            }
            What::Hang if stage < Step::SwitchOver && self.plan.mode == TransferMode::Live => {
                // For ever, or until somebody aborts.
                loop {
                    self.wait(HANG).await?;
                }
            }
            What::Hang => self.wait(HANG).await?,
            other => self.world.state().strike(&other),
        }
        Ok(())
    }

    /// What stands in the way right now.
    fn check(&self) -> Result<(), Trouble> {
        let state = self.world.state();
        let id = self.id();
        let Some(job) = state.jobs.get(&id) else { return Err(Trouble::Aborted) };
        let handed_over = job.stage >= Step::Finish;
        let live = self.plan.mode == TransferMode::Live;
        match &job.orphaned {
            Some(host) if host == self.source => return Err(Trouble::SourceDaemon),
            Some(_) => return Err(Trouble::DestinationDaemon),
            None => {}
        }
        let dark = state.impassable(self.source, self.destination, &self.plan.migrate_uri).is_some();
        let waits = job.copies && job.stage == Step::Perform && dark;
        if (job.severed || (job.abort && !waits)) && !handed_over {
            return Err(Trouble::Aborted);
        }
        // A call that a daemon is in goes on to its end; with the incoming guest of nobody the transfer ends, too.
        if self.client_is_gone() && job.stage <= Step::SwitchOver {
            return Err(Trouble::Client);
        }
        // Once the destination has the memory, the source's process is of no use to the migration any more.
        if live && !handed_over && state.process(self.source, id).is_none() {
            return Err(Trouble::SourceDied);
        }
        if job.prepared && job.stage <= Step::Finish && state.process(self.destination, id).is_none() {
            return Err(Trouble::DestinationDied);
        }
        if job.leave && job.prepared {
            return Err(Trouble::Left);
        }
        if live && job.stage == Step::Confirm && state.process(self.source, id).is_none() {
            return Err(Trouble::SourceDied);
        }
        Ok(())
    }

    /// Whether the link is cut, and when to look again; trouble if it has been for too long.
    fn cut(&self) -> Result<Option<Instant>, Trouble> {
        if self.is_direct() {
            let stage = self.job(|job| job.stage).ok_or(Trouble::Aborted)?;
            return Ok(self.stands(stage));
        }
        let mut state = self.world.state();
        let cut = state.cut(self.source, self.destination);
        let Some(job) = state.jobs.get_mut(&self.id()) else { return Err(Trouble::Aborted) };
        let Some(until) = cut else {
            job.cut_since = None;
            return Ok(None);
        };
        let notice = *job.cut_since.get_or_insert_with(Instant::now) + KEEPALIVE;
        if Instant::now() >= notice {
            if job.copies && job.stage == Step::Perform {
                // The daemon gives up, and has its own abort wait for what of a disk is on its way.
                job.abort = true;
                return Ok(Some(until.unwrap_or_else(|| Instant::now() + HANG)));
            }
            return Err(Trouble::Cut);
        }
        Ok(Some(until.map_or(notice, |until| until.min(notice))))
    }

    /// Lets time pass in which the two hosts work; it doesn't while they can't reach each other.
    async fn wait(&self, time: Duration) -> Result<(), Trouble> {
        let mut left = time;
        let Some(woken) = self.job(|job| Arc::clone(&job.woken)) else { return Err(Trouble::Aborted) };
        loop {
            self.check()?;
            if let Some(look) = self.cut()? {
                tokio::select! { () = sleep_until(look) => {} () = woken.notified() => {} }
                continue;
            }
            let since = Instant::now();
            tokio::select! {
                () = sleep(left) => return self.check(),
                () = woken.notified() => left = left.saturating_sub(since.elapsed()),
            }
        }
    }

    /// The incoming process appears on the destination.
    fn prepare(&self) -> Result<(), Trouble> {
        let mut state = self.world.state();
        if !self.is_direct() && state.cut(self.source, self.destination).is_some() {
            let why = format!("unable to connect to server at '{}:16509': No route to host", self.destination);
            return Err(Trouble::Refused(words::fault(FaultKind::Network, self.source, "migrate", why)));
        }
        checks::prepare(&state, self.plan).map_err(Trouble::Refused)?;
        let id = self.id();
        let process = Process {
            runs: false,
            reason: "migration",
            complete: false,
            overtaken: false,
            incoming: true,
            half: false,
        };
        let source = state.local(self.source, id).map(|source| edited(source, &self.plan.edits));
        let Some(source) = source else { return Err(Trouble::SourceDied) };
        let before = state.local(self.destination, id).map(|there| (there.persistent, there.autostart));
        let (persistent, autostart) = before.unwrap_or((false, false));
        let incoming = Local {
            name: self.plan.destination_name.clone(),
            persistent,
            autostart,
            process: Some(process),
            off: "unknown",
            max_downtime_ms: None,
            bandwidth_mib_s: None,
            most_throttle_percent: None,
            // The notice goes with the document.
            ..source
        };
        state.begin(self.destination, id, incoming, "incoming migration");
        state.tell(self.destination, lifecycle(id, "started", "migrated"));
        let memory = state.local(self.source, id).map_or(0, |local| local.spec.memory_mib << 20);
        let disks: u64 = self.plan.copies.0.iter().map(|disk| disk.capacity_bytes).sum();
        let total = memory.saturating_add(disks);
        if let Some(job) = state.jobs.get_mut(&id) {
            job.prepared = true;
            job.disk_bytes = disks;
            job.copy.total = total;
            job.copy.left = total;
        }
        Ok(())
    }

    /// A guest that is not moved live stands still from here on.
    fn stand_still(&self) {
        let mut state = self.world.state();
        let runs = state.process(self.source, self.id()).is_some_and(|process| process.runs);
        if self.plan.stream.stands_still && runs {
            state.pause(self.source, self.id(), "migration", "not live");
            state.tell(self.source, lifecycle(self.id(), "suspended", "migrated"));
        }
    }

    /// Pass after pass, until what is left can be sent within the downtime limit.
    async fn perform(&self) -> Result<Way, Trouble> {
        let id = self.id();
        let Some(woken) = self.job(|job| {
            job.copy.setup_ms = job.elapsed_ms();
            job.copy.settle(0);
            job.copy.pass = 1;
            Arc::clone(&job.woken)
        }) else {
            return Err(Trouble::Aborted);
        };
        self.world.state().tell(self.source, HostEvent::Iteration { domain: id, iteration: 1 });
        let mut pass_began = Instant::now();
        loop {
            self.check()?;
            let look = self.cut()?;
            let (rate, max_downtime) = self.limits();
            let mended;
            let struck = {
                let mut state = self.world.state();
                // No error comes of a network that carries nothing: somebody has to notice.
                let dark = state.impassable(self.source, self.destination, &self.plan.migrate_uri);
                let Some(job) = state.jobs.get_mut(&id) else { return Err(Trouble::Aborted) };
                job.copy.settle(if job.hung || look.is_some() || dark.is_some() { 0 } else { rate });
                mended = dark.flatten();
                let permille = job.copy.permille();
                state.script.take_perform(self.source, permille)
            };
            if let Some(what) = struck {
                self.strike(Step::Perform, what).await?;
                continue;
            }
            if self.job(|job| job.post_copy).unwrap_or_default() {
                return Ok(Way::PostCopy);
            }
            match self.span(rate, max_downtime, &mut pass_began)? {
                Span::Fits => return Ok(Way::SwitchOver),
                Span::NextPass => {}
                Span::Until(moving) => match moving.or(look).or(mended) {
                    Some(at) => tokio::select! { () = sleep_until(at) => {} () = woken.notified() => {} },
                    None => woken.notified().await,
                },
            }
        }
    }

    /// What is next: another pass, the switch-over, or so much time.
    fn span(&self, rate: u64, max_downtime: Duration, pass_began: &mut Instant) -> Result<Span, Trouble> {
        let id = self.id();
        let mut state = self.world.state();
        let Some(local) = state.local(self.source, id) else { return Err(Trouble::SourceDied) };
        let spec = Arc::clone(&local.spec);
        let ordered = local.most_throttle_percent.and_then(|percent| u32::try_from(percent).ok());
        let runs = local.process.as_ref().is_some_and(|process| process.runs);
        let due = state.script.next_perform(self.source);
        let Some(job) = state.jobs.get_mut(&id) else { return Err(Trouble::Aborted) };
        let copy = &mut job.copy;
        let slowed = u64::from(100 - copy.throttle_percent.unwrap_or(0).min(99));
        copy.dirty_pages_s = if runs { spec.dirty_pages_s * slowed / 100 } else { 0 };
        if copy.left == 0 {
            let dirtied = bytes_in(copy.dirty_pages_s.saturating_mul(PAGE), pass_began.elapsed());
            copy.left = dirtied.min(spec.working_set_mib << 20).min(copy.total);
            if time_for(copy.left, rate) <= max_downtime {
                return Ok(Span::Fits);
            }
            *pass_began = Instant::now();
            copy.pass += 1;
            copy.slow_down(&self.plan.stream, ordered);
            let iteration = copy.pass;
            state.tell(self.source, HostEvent::Iteration { domain: id, iteration });
            return Ok(Span::NextPass);
        }
        let until_due = due.filter(|_| copy.pass == 1).map(|due| {
            let at = (u128::from(copy.total) * u128::from(due)).div_ceil(1000);
            u64::try_from(at).unwrap_or(u64::MAX).saturating_sub(copy.sent)
        });
        let bytes = until_due.map_or(copy.left, |until| until.min(copy.left));
        Ok(Span::Until((copy.rate > 0).then(|| Instant::now() + time_for(bytes, copy.rate))))
    }

    /// Bytes a second, and the downtime limit, as they are now.
    fn limits(&self) -> (u64, Duration) {
        let state = self.world.state();
        let local = state.local(self.source, self.id());
        let job = state.jobs.get(&self.id());
        // The limit of a request, and one that is set on the way, are the job's alone: libvirt puts back the domain's own.
        let limit = job.and_then(|job| job.bandwidth_mib_s).or(local.and_then(|local| local.bandwidth_mib_s));
        let link = state.bandwidth(self.source, self.destination);
        let rate = limit.map_or(link, |limit| link.min(limit.saturating_mul(1 << 20)));
        let downtime = local.and_then(|local| local.max_downtime_ms).unwrap_or(MAX_DOWNTIME_MS);
        (rate.max(1), Duration::from_millis(downtime))
    }

    /// What the source's disks hold is in their copies now.
    fn fill_copies(&self) {
        let mut state = self.world.state();
        for disk in &self.plan.copies.0 {
            let Some(here) = state.host(self.source).map(|host| (host.spec.clone(), host.base.clone())) else {
                continue;
            };
            let Some(there) = state.host(self.destination).map(|host| host.spec.clone()) else { continue };
            let Some(image) = state.stores.at(&here.0, &here.1, &disk.path) else { continue };
            let Some(pool) = there.pools.iter().find(|pool| pool.name == disk.pool) else { continue };
            state.stores.fill(&there, pool, &disk.volume, image.allocation_bytes);
        }
    }
}
