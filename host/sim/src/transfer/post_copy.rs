//! Post-copy: the guest runs on the destination and its memory follows. From the switch on the two processes are one guest.
//! When the stream breaks both stay and so does the job; the source notices an interruption at once and a cut after a while,
//! the destination as soon as the source's farewell comes through. All of it as measured of libvirt 9.0.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use waypost_core::ids::{DomainId, HostName};
use waypost_core::ports::{Fault, FaultKind};

use super::ending::Trouble;
use super::{Run, time_for};
use crate::script::{Step, What};
use crate::state::{State, lifecycle};
use crate::words;

/// TCP gives a silent peer up after so long.
const NOTICE: Duration = Duration::from_secs(15);
/// A destination whose requests nobody confirms gives up sooner, where its host's TCP is told to.
const UNCONFIRMED: Duration = Duration::from_secs(8);

impl Run<'_> {
    /// The switch, and what follows it.
    pub(super) async fn post_copy(&self) -> Result<(), Trouble> {
        let id = self.id();
        {
            let mut state = self.world.state();
            state.pause(self.source, id, words::POST_COPY, "the switch to post-copy");
            state.tell(self.source, lifecycle(id, "suspended", "post-copy"));
            for host in [self.source, self.destination] {
                if let Some(process) = state.local_mut(host, id).and_then(|local| local.process.as_mut()) {
                    process.half = true;
                }
            }
            state.run(self.destination, id, words::POST_COPY, "the switch to post-copy");
            state.tell(self.destination, lifecycle(id, "resumed", "post-copy"));
        }
        self.follow().await?;
        self.joined().await;
        Ok(())
    }

    /// All memory is there. Without its client the hypervisors join the halves alone, and nobody asks the source to give its
    /// definition up.
    async fn joined(&self) {
        self.join();
        if !self.client_is_gone() {
            self.undefine_source().await;
        }
    }

    /// Sends what is left, until it is there or the stream breaks.
    async fn follow(&self) -> Result<(), Trouble> {
        let what = {
            let mut state = self.world.state();
            let Some(job) = state.jobs.get_mut(&self.id()) else { return Err(Trouble::Aborted) };
            (job.stage, job.interrupted, job.broken, job.hung, job.cut_since) =
                (Step::PostCopy, false, false, false, None);
            (job.copy.switched, job.copy.dirty_pages_s) = (true, 0);
            (job.way, job.broken_since) = (self.plan.migrate_uri.clone(), None);
            state.script.take(Step::PostCopy, self.source)
        };
        let mut stalled = false;
        match what {
            None => {}
            Some(What::Error(_) | What::LeftBehind) => return Err(Trouble::Broken),
            Some(What::Hang) => stalled = true,
            Some(What::ReplyLost(kind)) => {
                self.job(|job| job.lie = Some(kind));
            }
            Some(other) => self.world.state().strike(&other),
        }
        let Some(woken) = self.job(|job| Arc::clone(&job.woken)) else { return Err(Trouble::Aborted) };
        loop {
            let (rate, _) = self.limits();
            let look = {
                let mut state = self.world.state();
                let id = self.id();
                if self.client_is_gone() {
                    // Its call is interrupted, the memory goes on.
                    state.fail_half(self.source, id);
                }
                let whole =
                    [self.source, self.destination].iter().all(|host| state.process(host, id).is_some_and(|p| p.half));
                let cut = state.impassable(self.source, self.destination, &self.plan.migrate_uri);
                let Some(job) = state.jobs.get_mut(&id) else { return Err(Trouble::Aborted) };
                if !whole || job.interrupted {
                    return Err(Trouble::Broken);
                }
                job.copy.settle(if stalled || cut.is_some() { 0 } else { rate });
                match cut {
                    None if stalled => None,
                    None if job.copy.left == 0 => return Ok(()),
                    None => Some(Instant::now() + time_for(job.copy.left, rate)),
                    Some(until) => {
                        let notice = *job.cut_since.get_or_insert_with(Instant::now) + NOTICE;
                        if Instant::now() >= notice {
                            return Err(Trouble::Broken);
                        }
                        Some(until.map_or(notice, |until| until.min(notice)))
                    }
                }
            };
            match look {
                Some(at) => tokio::select! { () = sleep_until(at) => {} () = woken.notified() => {} },
                None => woken.notified().await,
            }
        }
    }

    /// All memory is there: one guest again.
    fn join(&self) {
        {
            let mut state = self.world.state();
            let id = self.id();
            for host in [self.source, self.destination] {
                if let Some(process) = state.local_mut(host, id).and_then(|local| local.process.as_mut()) {
                    process.half = false;
                }
            }
            if let Some(process) = state.local_mut(self.destination, id).and_then(|local| local.process.as_mut()) {
                process.complete = true;
            }
        }
        self.finish(true);
        self.job(|job| job.copy.downtime_ms = Some(5));
        self.confirm();
    }

    /// What a broken stream leaves: both halves, each with its job.
    pub(super) fn leave_broken(&self) -> Fault {
        let mut state = self.world.state();
        let id = self.id();
        if let Some(job) = state.jobs.get_mut(&id) {
            job.copy.settle(0);
            (job.broken, job.interrupted, job.broken_since) = (true, false, Some(Instant::now()));
        }
        state.fail_half(self.source, id);
        state.notice_breaks();
        state.log.note(self.source, format!("the post-copy of {id} is interrupted"));
        let died = state.process(self.destination, id).is_none();
        let (kind, why) = if died {
            (FaultKind::HypervisorDied, "operation failed: domain is not running")
        } else {
            (FaultKind::Network, "operation failed: job 'migration in' failed in post-copy phase")
        };
        words::fault(kind, self.source, "migrate", why)
    }

    /// The same call again, with the flag to resume.
    pub(super) async fn resume(&self) -> Result<(), Fault> {
        self.may_resume()?;
        let result = self.follow().await.map_err(|trouble| self.clean_up(trouble));
        if result.is_ok() {
            self.joined().await;
        }
        self.unregister(result)
    }

    fn may_resume(&self) -> Result<(), Fault> {
        let mut state = self.world.state();
        let id = self.id();
        let refuse = |why: &str| {
            let why = format!("Requested operation is not valid: {why}");
            Err(words::fault(FaultKind::Refused, self.source, "resume the post-copy", why))
        };
        let failed = |state: &State, host: &HostName| {
            state.process(host, id).is_some_and(|process| process.half && process.reason == words::POST_COPY_FAILED)
        };
        if !failed(&state, self.source) || !state.jobs.get(&id).is_some_and(|job| job.broken) {
            return refuse("QEMU reports migration is still running");
        }
        if state.impassable(self.source, self.destination, &self.plan.migrate_uri).is_some() {
            let why = "unable to connect to server: No route to host";
            return Err(words::fault(FaultKind::Network, self.source, "resume the post-copy", why));
        }
        state.notice_breaks();
        if state.process(self.destination, id).is_none() {
            return refuse("domain is not processing incoming migration");
        }
        if !failed(&state, self.destination) {
            return refuse("migration of the domain is being actively monitored by another thread");
        }
        for host in [self.source, self.destination] {
            if let Some(process) = state.local_mut(host, id).and_then(|local| local.process.as_mut()) {
                process.reason = words::POST_COPY;
            }
        }
        if let (Some(bond), Some(job)) = (&self.bond, state.jobs.get_mut(&id)) {
            job.woken = Arc::clone(&bond.woken);
        }
        state.log.note(self.source, format!("the post-copy of {id} is resumed"));
        Ok(())
    }
}

impl State {
    /// Asks for the switch; where it can't be, the kind of the error and libvirt's words.
    pub(crate) fn start_post_copy(&mut self, domain: DomainId) -> Result<(), (FaultKind, &'static str)> {
        let Some(job) = self.jobs.get_mut(&domain) else {
            return Err((FaultKind::Refused, "Requested operation is not valid: domain is not being migrated"));
        };
        if !job.may_post_copy {
            return Err((FaultKind::Refused, words::NO_POST_COPY));
        }
        // libvirt lets it through, and QEMU refuses.
        if !job.sends_memory() {
            return Err((FaultKind::Other, words::TOO_EARLY));
        }
        job.post_copy = true;
        job.woken.notify_one();
        Ok(())
    }

    /// Asks for the interruption, on the source.
    pub(crate) fn interrupt_post_copy(&mut self, domain: DomainId) -> Result<(), &'static str> {
        match self.jobs.get_mut(&domain) {
            Some(job) if job.switched() && !job.broken => {
                job.interrupted = true;
                job.woken.notify_one();
                Ok(())
            }
            _ => Err("current job is not outgoing migration in post-copy mode"),
        }
    }

    /// A destination hears of the interruption when the source's farewell comes through. Over a network that stays dark it
    /// never does: then it notices that nobody confirms what it asks for.
    pub(crate) fn notice_breaks(&mut self) {
        let broken = self.jobs.iter().filter(|(_, job)| job.broken);
        let told = broken.filter(|(_, job)| {
            let linked = self.cut(&job.source, &job.destination).is_none();
            let through = self.impassable(&job.source, &job.destination, &job.way).is_none();
            let alone = job.broken_since.is_some_and(|since| since.elapsed() >= UNCONFIRMED);
            linked && (through || alone)
        });
        let told: Vec<_> = told.map(|(id, job)| (*id, job.destination.clone())).collect();
        for (id, destination) in told {
            self.fail_half(&destination, id);
        }
    }

    /// One half notices that it is cut off from the other.
    pub(crate) fn fail_half(&mut self, host: &HostName, domain: DomainId) {
        if let Some(process) = self.local_mut(host, domain).and_then(|local| local.process.as_mut())
            && process.half
            && process.reason != words::POST_COPY_FAILED
        {
            process.reason = words::POST_COPY_FAILED;
            let event = if process.runs { "resumed" } else { "suspended" };
            self.tell(host, lifecycle(domain, event, "post-copy-failed"));
        }
    }
}
