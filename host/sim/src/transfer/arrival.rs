//! The end of a migration that worked: the destination takes over, the source lets go.

use waypost_core::plan::{DestinationFate, RunState, SourceFate};
use waypost_core::ports::HostEvent;
use waypost_core::sample::{Sample, Stage};

use super::Run;
use crate::script::Step;
use crate::state::lifecycle;

impl Run<'_> {
    /// The destination takes over.
    pub(super) fn finish(&self, initially_runs: bool) {
        let mut state = self.world.state();
        let id = self.id();
        if let Some(local) = state.local_mut(self.destination, id) {
            if let Some(process) = local.process.as_mut() {
                process.incoming = false;
            }
            if self.plan.destination_fate == DestinationFate::Define {
                local.persistent = true;
            }
        }
        if self.plan.destination_fate == DestinationFate::Define {
            state.log.note(self.destination, format!("{id} is defined"));
            state.tell(self.destination, lifecycle(id, "defined", "added"));
        }
        // A guest that a person suspended during the transfer runs afterwards: libvirt remembers the state of the
        // beginning. One that was paused then stays so.
        let runs =
            self.plan.finally == RunState::Running && (initially_runs || self.plan.initially == RunState::Running);
        if runs {
            state.run(self.destination, id, "migrated", "finish");
            state.tell(self.destination, lifecycle(id, "resumed", "migrated"));
        } else {
            state.pause(self.destination, id, "user", "finish");
            state.tell(self.destination, lifecycle(id, "suspended", "paused"));
        }
    }

    /// The source lets go.
    pub(super) fn confirm(&self) {
        let mut state = self.world.state();
        let id = self.id();
        state.end(self.source, id, "migrated", "confirm");
        state.tell(self.source, lifecycle(id, "stopped", "migrated"));
        let Some(job) = state.jobs.get(&id) else { return };
        let figures = Sample { stage: Stage::Final, remaining_bytes: 0, remaining_ms: None, ..job.sample() };
        for host in [self.source, self.destination] {
            if let Some(host) = state.host_mut(host) {
                host.completed.insert(id, figures.clone());
            }
        }
        state.tell(self.source, HostEvent::JobCompleted { domain: id, sample: figures });
    }

    /// libvirt only warns when this fails, so the migration is a success either way. No event tells of it.
    pub(super) async fn undefine_source(&self) {
        if self.plan.source_fate != SourceFate::Undefine {
            return;
        }
        if self.enter(Step::UndefineSource).await.is_err() {
            return;
        }
        let mut state = self.world.state();
        if state.local(self.source, self.id()).is_some_and(|local| local.persistent) {
            state.undefine(self.source, self.id(), "the migration");
        }
    }
}
