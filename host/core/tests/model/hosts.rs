//! What hosts do by themselves, as it was measured of libvirt: the stages of a migration, and what they leave when they
//! can't go on. Each function is one step that may happen, whenever it can.

use waypost_core::plan::{DestinationFate, RunState, SourceFate, TransferMode};

use crate::case::Case;
use crate::controller::At;
use crate::explore::Steps;
use crate::world::{End, Late, Off, Process, Reason, Said, Stage, Violation, World};

/// All that may happen next without a fault and without the controller.
pub fn steps(case: &Case, world: World, at: At, out: &mut Steps<'_>) {
    // The client of a direct migration gives each order itself.
    let driven = !case.is_direct() || (at == At::Watching && world.source.reachable && world.destination.reachable);
    let source = world.source.daemon && driven;
    let offline = case.plan.mode == TransferMode::Offline;
    let mut step = |name: &'static str, change: &dyn Fn(&mut World) -> Result<(), Violation>| {
        let mut next = world;
        let result = change(&mut next);
        out.world(name, next, result);
    };
    // One link at least of a direct or a tunnelled migration is never cut: it has no use for it.
    let reached = world.management && world.destination.daemon;
    let through = if case.needs_migration() { world.migration } else { world.management };
    match world.stage {
        Stage::Idle => {}
        Stage::Called if !driven || !world.source.daemon => {
            step("the order to migrate is lost", &|w| w.fails());
        }
        Stage::Called => step("the source begins", &|w| {
            let there = if offline { w.source.defined } else { w.source.process.is_some() };
            if there {
                w.stage = Stage::Begun;
            } else {
                w.fail();
            }
            Ok(())
        }),
        Stage::Begun if !driven => step("the source misses its client", &|w| w.fails()),
        Stage::Begun if source && reached && offline => step("the definition arrives", &|w| {
            w.destination.defined = true;
            w.stage = Stage::Finished;
            Ok(())
        }),
        Stage::Begun if source && reached => step("the destination prepares", &|w| w.prepare()),
        Stage::Begun => step("the destination can't be reached", &|w| w.fails()),
        Stage::Prepared if !driven => step("the source misses its client", &|w| w.fails()),
        Stage::Prepared => {
            // Memory needs the daemons no more than at its end: it may be there before a keepalive ends the transfer.
            if source && through {
                step("the source stops for the last pass", &|w| w.stop());
                if case.plan.stream.post_copy {
                    step("the switch to post-copy", &|w| w.switch());
                }
            }
            // A cut of the migration link alone is noticed by nobody for many minutes, or until somebody aborts.
            if !(source && reached && through) {
                step("the stream is given up", &|w| w.fails());
            }
        }
        Stage::Switched if source && reached && world.destination.process.is_some() => {
            step("the destination takes over", &|w| w.take_over(case));
            if world.source.process.is_none() {
                step("the source's end is noticed", &|w| w.fails());
            }
        }
        Stage::Switched if driven => step("the switch-over is given up", &|w| w.fails()),
        Stage::Switched => step("the source misses its client", &|w| {
            // It has given the memory away, and leaves its copy as it is.
            w.stage = Stage::Finished;
            w.fails()
        }),
        Stage::Finished => {
            if source && world.management {
                step("the source lets go", &|w| w.let_go(case));
            }
            if !(driven && reached) {
                step("the source never hears of the end", &|w| w.fails());
            }
        }
        Stage::Flowing => {
            if world.migration {
                step("the rest of the memory is there", &|w| w.join(case));
            } else {
                step("the source notices the cut", &|w| {
                    w.interrupt();
                    Ok(())
                });
            }
            if world.source.daemon && !(driven && reached) && !world.is_left_alone() {
                step("the source loses who drives the post-copy", &|w| w.leave_alone());
            }
        }
        Stage::Joined if world.is_left_alone() => {
            if world.source.daemon {
                step("the source lets go by itself", &|w| w.let_go_alone());
            }
        }
        Stage::Joined => {
            if source && world.management {
                step("the source lets go", &|w| w.let_go(case));
            }
            if !(driven && reached) {
                if world.source.daemon {
                    step("the source loses who drives the post-copy", &|w| w.leave_alone());
                }
                if !case.is_direct() {
                    step("the source never hears of the end", &|w| w.fails());
                }
            }
        }
        Stage::Interrupted => {
            let unaware = |process: Process| process.half && process.reason == Reason::PostCopy;
            if world.migration && world.destination.process.is_some_and(unaware) {
                step("the destination notices the break", &|w| {
                    if let Some(process) = &mut w.destination.process {
                        process.reason = Reason::PostCopyFailed;
                    }
                    Ok(())
                });
            }
        }
    }
    if world.stage == Stage::Idle && world.destination.incoming && world.destination.daemon {
        step("the destination drops its incoming guest", &|w| {
            w.destination.die(Off::Failed);
            Ok(())
        });
    }
    if let Some(Late { order, disturbed }) = world.late
        && world.host(order.end()).daemon
        && !(order.waits_for_jobs() && world.host(order.end()).job(order.end(), world.stage))
    {
        step("an order that nobody waits for is carried out", &|w| {
            w.late = None;
            w.obey(order, case).or_else(|violation| if disturbed { Ok(()) } else { Err(violation) })
        });
    }
    if !world.management {
        step("the management link is back", &|w| {
            w.management = true;
            Ok(())
        });
    }
    if !world.migration {
        step("the migration link is back", &|w| {
            w.migration = true;
            Ok(())
        });
    }
    for end in [End::Source, End::Destination] {
        if !world.host(end).daemon {
            step("a daemon is back", &|w| {
                let host = w.host_mut(end);
                host.daemon = true;
                if host.process.is_none() {
                    host.off = Off::Unknown;
                }
                Ok(())
            });
        }
        if !world.host(end).reachable {
            step("a host can be reached again", &|w| {
                w.host_mut(end).reachable = true;
                Ok(())
            });
        }
    }
}

impl World {
    /// The migration ends without a success: what is left is what libvirt leaves at that stage.
    pub fn fail(&mut self) {
        // Who can't know whether the destination took over stays paused.
        let knows = match self.stage {
            Stage::Switched => self.management && self.source.daemon,
            Stage::Finished | Stage::Joined => false,
            _ => true,
        };
        if knows
            && let Some(process) = &mut self.source.process
            && !process.runs
            && process.reason == Reason::Migration
        {
            (process.runs, process.reason) =
                if self.ran_before { (true, Reason::Canceled) } else { (false, Reason::User) };
        }
        (self.stage, self.said) = (Stage::Idle, Said::Failed);
    }

    fn fails(&mut self) -> Result<(), Violation> {
        self.fail();
        Ok(())
    }

    pub fn abort(&mut self) -> Result<(), Violation> {
        if matches!(self.stage, Stage::Begun | Stage::Prepared | Stage::Switched) {
            // An abort at the switch-over ends the incoming guest first.
            if self.stage == Stage::Switched {
                self.destination.die(Off::Failed);
            }
            self.fail();
        }
        Ok(())
    }

    fn prepare(&mut self) -> Result<(), Violation> {
        if self.destination.process.is_some() {
            self.fail();
            return Ok(());
        }
        let reason = Reason::Migration;
        let incoming = Process { runs: false, reason, complete: false, overtaken: false, half: false };
        (self.destination.process, self.destination.incoming) = (Some(incoming), true);
        self.stage = Stage::Prepared;
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Violation> {
        self.pause(End::Source, Reason::Migration);
        if let Some(process) = &mut self.destination.process {
            process.complete = true;
        }
        self.stage = Stage::Switched;
        Ok(())
    }

    fn switch(&mut self) -> Result<(), Violation> {
        self.stage = Stage::Flowing;
        self.destination.incoming = false;
        self.pause(End::Source, Reason::PostCopy);
        for host in [&mut self.source, &mut self.destination] {
            if let Some(process) = &mut host.process {
                process.half = true;
            }
        }
        self.run(End::Destination, Reason::PostCopy)
    }

    /// A post-copy's stream breaks. The destination notices when the source's farewell comes through.
    pub fn interrupt(&mut self) {
        if self.stage == Stage::Flowing {
            (self.stage, self.said) = (Stage::Interrupted, Said::Failed);
            if let Some(process) = &mut self.source.process {
                process.reason = Reason::PostCopyFailed;
            }
        }
    }

    /// The post-copy's call on the source was broken off, and its memory goes on: the source says that it failed, and both
    /// hypervisors bring it to its end by themselves.
    fn is_left_alone(&self) -> bool {
        let failed = |process: Process| process.reason == Reason::PostCopyFailed;
        matches!(self.stage, Stage::Flowing | Stage::Joined) && self.source.process.is_some_and(failed)
    }

    fn leave_alone(&mut self) -> Result<(), Violation> {
        if let Some(process) = &mut self.source.process {
            process.reason = Reason::PostCopyFailed;
            self.said = Said::Failed;
        }
        Ok(())
    }

    /// Nobody told it to give its definition up.
    fn let_go_alone(&mut self) -> Result<(), Violation> {
        self.source.die(Off::Migrated);
        self.stage = Stage::Idle;
        Ok(())
    }

    /// The halves are joined again, if they can be. Where nothing is broken they can't.
    pub fn resume_post_copy(&mut self) {
        let waits = |process: Process| process.half && process.reason == Reason::PostCopyFailed;
        let both = [&self.source, &self.destination].iter().all(|host| host.daemon && host.process.is_some_and(waits));
        if self.stage != Stage::Interrupted || !both || !(self.management && self.migration) {
            self.said = Said::Failed;
            return;
        }
        (self.stage, self.said) = (Stage::Flowing, Said::Nothing);
        for host in [&mut self.source, &mut self.destination] {
            if let Some(process) = &mut host.process {
                process.reason = Reason::PostCopy;
            }
        }
    }

    fn take_over(&mut self, case: &Case) -> Result<(), Violation> {
        self.stage = Stage::Finished;
        self.destination.incoming = false;
        if case.plan.destination_fate == DestinationFate::Define {
            self.destination.defined = true;
        }
        if case.plan.finally == RunState::Running {
            return self.run(End::Destination, Reason::Migrated);
        }
        self.pause(End::Destination, Reason::User);
        Ok(())
    }

    fn join(&mut self, case: &Case) -> Result<(), Violation> {
        for host in [&mut self.source, &mut self.destination] {
            if let Some(process) = &mut host.process {
                process.half = false;
            }
        }
        let Some(process) = &mut self.destination.process else { return Ok(()) };
        process.complete = true;
        self.take_over(case)?;
        self.stage = Stage::Joined;
        Ok(())
    }

    fn let_go(&mut self, case: &Case) -> Result<(), Violation> {
        if case.plan.mode == TransferMode::Live {
            self.source.die(Off::Migrated);
        }
        if case.plan.source_fate == SourceFate::Undefine {
            self.source.defined = false;
        }
        (self.stage, self.said) = (Stage::Idle, Said::Moved);
        Ok(())
    }
}
