//! What breaks, at any moment, as often as the budget allows. Everything but a process comes back, or doesn't.

use crate::case::Case;
use crate::explore::Steps;
use crate::world::{End, Late, Off, Reason, Said, Stage, World};

/// Every fault that can strike now. The controller's own are where its course is.
pub fn steps(case: &Case, world: World, out: &mut Steps<'_>) {
    if world.faults == 0 {
        return;
    }
    let mut strike = |name: &'static str, change: &dyn Fn(&mut World)| {
        let mut next = world;
        next.faults -= 1;
        next.late = next.late.map(|late| Late { disturbed: true, ..late });
        change(&mut next);
        out.fault(name, next);
    };
    if world.source.process.is_some() {
        strike("the source's process dies", &|w| w.source_ends(Off::Crashed));
    }
    if world.destination.process.is_some() {
        strike("the destination's process dies", &|w| w.destination_ends(Off::Crashed));
    }
    if world.source.daemon {
        strike("the source's daemon dies", &|w| {
            w.forget(End::Source);
            if matches!(w.stage, Stage::Called | Stage::Begun | Stage::Prepared | Stage::Switched | Stage::Finished) {
                w.fail();
            }
        });
    }
    if world.destination.daemon {
        strike("the destination's daemon dies", &|w| {
            w.forget(End::Destination);
            if matches!(w.stage, Stage::Prepared | Stage::Switched) {
                w.destination.die(Off::Failed);
                w.fail();
            }
        });
    }
    let (management, migration) =
        (case.needs_management() && world.management, case.needs_migration() && world.migration);
    if management {
        strike("the management link is cut", &|w| w.management = false);
    }
    if migration {
        strike("the migration link is cut", &|w| w.migration = false);
    }
    if management && migration {
        strike("both links are cut", &|w| (w.management, w.migration) = (false, false));
    }
    for end in [End::Source, End::Destination] {
        if world.host(end).reachable {
            let name = match end {
                End::Source => "the controller can't reach the source",
                End::Destination => "the controller can't reach the destination",
            };
            strike(name, &|w| w.host_mut(end).reachable = false);
        }
    }
    if matches!(world.stage, Stage::Prepared | Stage::Switched) {
        strike("the destination forgets its incoming guest", &|w| {
            w.destination.incoming = false;
            w.fail();
        });
    }
    if matches!(world.stage, Stage::Begun | Stage::Prepared) {
        strike("the migration fails by itself", &|w| w.fail());
    }
    if world.source.process.is_some_and(|process| process.runs) {
        strike("the guest shuts itself down on the source", &|w| {
            w.shut_down = true;
            w.source_ends(Off::Shutdown);
        });
    }
    if world.destination.process.is_some_and(|process| process.runs) {
        strike("the guest shuts itself down on the destination", &|w| {
            w.shut_down = true;
            w.destination_ends(Off::Shutdown);
        });
    }
    if matches!(world.stage, Stage::Finished) && world.source.daemon && world.management && !case.copies {
        strike("the source lets go, and its caller is told that it failed", &|w| {
            w.source.die(Off::Migrated);
            (w.stage, w.said) = (Stage::Idle, Said::Failed);
        });
    }
}

impl World {
    fn forget(&mut self, end: End) {
        self.host_mut(end).daemon = false;
        if self.late.is_some_and(|late| late.order.end() == end) {
            self.late = None;
        }
    }

    fn source_ends(&mut self, off: Off) {
        self.source.die(off);
        match self.stage {
            Stage::Called | Stage::Begun | Stage::Prepared => self.fail(),
            // The destination's half is left with what it has.
            Stage::Flowing => (self.stage, self.said) = (Stage::Interrupted, Said::Failed),
            _ => {}
        }
    }

    fn destination_ends(&mut self, off: Off) {
        self.destination.die(off);
        match self.stage {
            Stage::Prepared | Stage::Switched => self.fail(),
            Stage::Flowing => self.interrupt(),
            Stage::Interrupted => {
                if let Some(process) = &mut self.source.process {
                    process.reason = Reason::PostCopyFailed;
                }
            }
            _ => {}
        }
    }
}
