//! What hosts do by themselves, as it was measured of libvirt: the stages of a migration, and what they leave when they
//! can't go on. Each function is one step that may happen, whenever it can.

use waypost_core::plan::{DestinationFate, RunState, SourceFate, TransferMode};
use waypost_core::stream::Transport;

use crate::case::Case;
use crate::controller::At;
use crate::explore::Steps;
use crate::world::{End, Late, Off, Process, Reason, Said, Stage, Violation, World};

/// All that may happen next without a fault and without the controller.
pub fn steps(case: &Case, world: World, at: At, out: &mut Steps<'_>) {
    // The client of a direct migration gives each order itself.
    let driven = case.plan.transport != Transport::Direct
        || (at == At::Watching && world.source.reachable && world.destination.reachable);
    let source = world.source.daemon && driven;
    let offline = case.plan.mode == TransferMode::Offline;
    let mut step = |name: &'static str, change: &dyn Fn(&mut World) -> Result<(), Violation>| {
        let mut next = world;
        let result = change(&mut next);
        out.world(name, next, result);
    };
    let reached = world.link && world.destination.daemon;
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
        Stage::Begun if source && reached => step("the destination prepares", &|w| {
            if w.destination.process.is_some() {
                w.fail();
                return Ok(());
            }
            let reason = Reason::Migration;
            let incoming = Process { runs: false, reason, complete: false, overtaken: false, half: false };
            (w.destination.process, w.destination.incoming) = (Some(incoming), true);
            w.stage = Stage::Prepared;
            Ok(())
        }),
        Stage::Begun => step("the destination can't be reached", &|w| w.fails()),
        Stage::Prepared if !driven => step("the source misses its client", &|w| w.fails()),
        Stage::Prepared if source && reached => {
            step("the source stops for the last pass", &|w| {
                w.pause(End::Source, Reason::Migration);
                if let Some(process) = &mut w.destination.process {
                    process.complete = true;
                }
                w.stage = Stage::Switched;
                Ok(())
            });
            if case.plan.stream.post_copy {
                step("the switch to post-copy", &|w| w.switch());
            }
        }
        Stage::Prepared => step("the stream is given up", &|w| w.fails()),
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
        Stage::Finished | Stage::Joined => {
            if source && world.link {
                step("the source lets go", &|w| w.let_go(case));
            }
            if !(driven && reached) {
                step("the source never hears of the end", &|w| w.fails());
            }
        }
        Stage::Flowing if world.link => step("the rest of the memory is there", &|w| w.join(case)),
        Stage::Flowing => step("the source notices the cut", &|w| {
            w.interrupt();
            Ok(())
        }),
        Stage::Interrupted => {
            let unaware = |process: Process| process.half && process.reason == Reason::PostCopy;
            if world.link && world.destination.process.is_some_and(unaware) {
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
    if !world.link {
        step("the link is back", &|w| {
            w.link = true;
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
            Stage::Switched => self.link && self.source.daemon,
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

    /// The halves are joined again, if they can be.
    pub fn resume_post_copy(&mut self) {
        let waits = |process: Process| process.half && process.reason == Reason::PostCopyFailed;
        let both = [&self.source, &self.destination].iter().all(|host| host.daemon && host.process.is_some_and(waits));
        if self.stage != Stage::Interrupted || !both || !self.link {
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
