//! The other way to an end: the destination's copy runs, and the rest of its memory follows. From the switch on the two
//! copies are one guest, so nothing that goes wrong ends either of them.

use tokio::time::{Instant, sleep_until};
use waypost_core::ports::FaultKind;

use super::ending::Trouble;
use super::{Run, time_for};
use crate::script::Step;
use crate::state::lifecycle;
use crate::words;

impl Run<'_> {
    /// Switches over and sends the rest.
    pub(super) async fn post_copy(&self) -> Result<(), Trouble> {
        let id = self.id();
        {
            let mut state = self.world.state();
            state.pause(self.source, id, words::POST_COPY, "switch to post-copy");
            state.tell(self.source, lifecycle(id, "suspended", "post-copy"));
            if let Some(process) = state.local_mut(self.destination, id).and_then(|local| local.process.as_mut()) {
                process.incoming = false;
            }
            state.run(self.destination, id, words::POST_COPY, "switch to post-copy");
            state.tell(self.destination, lifecycle(id, "resumed", "post-copy"));
        }
        let since = Instant::now();
        self.job(|job| {
            job.copy.settle(job.copy.rate);
            job.copy.switched = true;
            job.copy.dirty_pages_s = 0;
        });
        self.follow().await?;
        self.arrive(since).await
    }

    /// Sends what is left, while both copies live and the link does.
    async fn follow(&self) -> Result<(), Trouble> {
        let id = self.id();
        loop {
            self.check_both()?;
            let look = self.cut().map_err(|_| Trouble::PostCopy(FaultKind::Network))?;
            let (rate, _) = self.limits();
            let Some((left, woken)) = self.job(|job| {
                job.copy.settle(if look.is_some() || job.hung { 0 } else { rate });
                (job.copy.left, std::sync::Arc::clone(&job.woken))
            }) else {
                return Err(Trouble::PostCopy(FaultKind::Other));
            };
            if left == 0 {
                if let Some(process) =
                    self.world.state().local_mut(self.destination, id).and_then(|l| l.process.as_mut())
                {
                    process.complete = true;
                }
                return Ok(());
            }
            let hung = self.job(|job| job.hung).unwrap_or_default();
            let moving = (look.is_none() && !hung).then(|| Instant::now() + time_for(left, rate));
            match moving.or(look) {
                Some(at) => tokio::select! { () = sleep_until(at) => {} () = woken.notified() => {} },
                None => woken.notified().await,
            }
        }
    }

    /// What stands in the way of a post-copy right now.
    fn check_both(&self) -> Result<(), Trouble> {
        let state = self.world.state();
        let id = self.id();
        if state.process(self.source, id).is_none() || state.process(self.destination, id).is_none() {
            return Err(Trouble::PostCopy(FaultKind::HypervisorDied));
        }
        match state.jobs.get(&id) {
            Some(job) if job.interrupted => Err(Trouble::PostCopy(FaultKind::Other)),
            Some(_) => Ok(()),
            None => Err(Trouble::PostCopy(FaultKind::Other)),
        }
    }

    async fn arrive(&self, since: Instant) -> Result<(), Trouble> {
        self.job(|job| job.stage = Step::Finish);
        self.finish(true);
        let downtime = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX).min(POST_COPY_DOWNTIME_MS);
        self.job(|job| {
            job.copy.settle(0);
            job.copy.downtime_ms = Some(downtime);
        });
        self.job(|job| job.stage = Step::Confirm);
        self.confirm();
        self.undefine_source().await;
        Ok(())
    }
}

/// The guest stands still for the switch alone.
const POST_COPY_DOWNTIME_MS: u64 = 10;
