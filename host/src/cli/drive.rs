//! `waypost __drive`: the process behind `migrate --detach`. Its standard error is the task's log.

use waypost::wiring::Watching;
use waypost::{Adopted, TaskId};

use super::app::App;
use super::exit::Exit;
use super::follow::{self, Interrupt};
use super::output::Out;

/// What it says on standard output once it has the task.
pub const READY: &str = "ready";

pub fn run(app: &App, id: TaskId) -> anyhow::Result<Exit> {
    // A session of its own: neither the terminal's hang-up nor its interrupt is meant for this process. It fails where
    // the process leads a group already, which is as good.
    let _ = nix::unistd::setsid();
    let world = app.world();
    app.block_on(&world, async {
        let waypost = app.open(&world, Watching::Configured).await?;
        let adopted = waypost.engine().adopt(id)?;
        println!("{READY}");
        match adopted {
            Adopted::Driver(driver) => follow::drive(&waypost, Out::log(), *driver, Interrupt::Cancels).await,
            // Somebody was faster; then it is driven.
            Adopted::Observer(_) => Ok(Exit::Done),
        }
    })
}
