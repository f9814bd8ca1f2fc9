//! The other ways in which a migration ends, and what each leaves on both sides.

use std::time::Duration;

use tokio::time::sleep;
use waypost_core::ids::{DomainId, HostName};
use waypost_core::plan::RunState;
use waypost_core::ports::{Fault, FaultKind};

use super::Run;
use crate::script::Step;
use crate::state::{State, lifecycle};
use crate::words;

/// After a cut the destination drops its incoming guest later than the source gives up.
const CLEANED_LATER: Duration = Duration::from_secs(10);

/// Why a migration can't go on.
pub(super) enum Trouble {
    Aborted,
    SourceDied,
    DestinationDied,
    SourceDaemon,
    DestinationDaemon,
    Cut,
    /// Who drove a direct one is gone.
    Client,
    Left,
    /// The stream of a post-copy broke.
    Broken,
    Scripted(FaultKind),
    Refused(Fault),
}

impl Run<'_> {
    /// Leaves what libvirt leaves, and says what libvirt says.
    pub(super) fn clean_up(&self, trouble: Trouble) -> Fault {
        if matches!(trouble, Trouble::Broken) {
            return self.leave_broken();
        }
        let mut state = self.world.state();
        let id = self.id();
        let (stage, prepared) = state.jobs.get(&id).map_or((Step::Begin, false), |job| (job.stage, job.prepared));
        let running = state.process(self.destination, id).is_some_and(|process| !process.incoming);
        // Who can't be told that the destination took over stays paused, and a daemon that died resumes nobody.
        let resume = match trouble {
            Trouble::Cut => stage <= Step::Perform,
            Trouble::SourceDaemon | Trouble::SourceDied => false,
            // What the source had given away it leaves as it is: nobody tells it whether the destination took over.
            Trouble::Left | Trouble::Client => stage < Step::Finish,
            _ => !(prepared && running),
        };
        if prepared && !running {
            match trouble {
                Trouble::Left => {
                    if let Some(process) = state.local_mut(self.destination, id).and_then(|l| l.process.as_mut()) {
                        process.incoming = false;
                    }
                }
                Trouble::Cut => self.drop_incoming_later(),
                Trouble::Client => drop_incoming(&mut state, self.destination, id, "destroyed"),
                _ => drop_incoming(&mut state, self.destination, id, "failed"),
            }
        }
        let ours = state.process(self.source, id).is_some_and(|process| !process.runs && process.reason == "migration");
        if ours && resume {
            if self.plan.initially == RunState::Running {
                state.run(self.source, id, "migration-canceled", "the migration failed");
                state.tell(self.source, lifecycle(id, "resumed", "migrated"));
            } else {
                state.pause(self.source, id, "user", "the migration failed");
            }
        }
        let says = |kind, message: &str| words::fault(kind, self.source, "migrate", message);
        let fault = match trouble {
            Trouble::Aborted => says(FaultKind::Aborted, words::scripted(FaultKind::Aborted)),
            Trouble::SourceDied => says(FaultKind::HypervisorDied, "operation failed: domain is not running"),
            Trouble::DestinationDied => says(FaultKind::HypervisorDied, words::scripted(FaultKind::HypervisorDied)),
            Trouble::SourceDaemon => says(FaultKind::Unreachable, "End of file while reading data: Input/output error"),
            Trouble::DestinationDaemon | Trouble::Cut | Trouble::Client => {
                says(FaultKind::Network, words::scripted(FaultKind::Network))
            }
            Trouble::Left | Trouble::Broken => says(FaultKind::Other, words::scripted(FaultKind::Other)),
            Trouble::Scripted(kind) => says(kind, words::scripted(kind)),
            Trouble::Refused(fault) => fault,
        };
        state.log.note(self.source, format!("the migration of {id} failed at {stage}: {}", fault.message));
        fault
    }

    fn drop_incoming_later(&self) {
        let (world, destination, id) = (self.world.clone(), self.destination.clone(), self.id());
        tokio::spawn(async move {
            sleep(CLEANED_LATER).await;
            drop_incoming(&mut world.state(), &destination, id, "failed");
            world.job_ended().notify_waiters();
        });
    }
}

/// The destination's daemon ends a guest that nobody sends to any more, or whose client is gone.
fn drop_incoming(state: &mut State, host: &HostName, domain: DomainId, off: &'static str) {
    if state.process(host, domain).is_some_and(|process| process.incoming && !process.runs) {
        state.end(host, domain, off, "the incoming migration failed");
        state.tell(host, lifecycle(domain, "stopped", off));
    }
}
