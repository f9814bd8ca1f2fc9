//! `waypost cancel ID`: asks whoever drives the task, or takes it over where nobody does, and says how it ended.

use waypost::TaskId;
use waypost::wiring::Watching;

use super::app::App;
use super::exit::Exit;
use super::follow::{self, Interrupt};

pub fn run(app: &App, id: TaskId) -> anyhow::Result<Exit> {
    let world = app.world();
    app.block_on(&world, async {
        let waypost = app.open(&world, Watching::Off).await?;
        waypost.engine().request_cancel(id, &app.requester())?;
        app.out.note(format!("asked for task {id} to be cancelled"));
        Ok(match follow::to_the_end(&waypost, app.out, id, Interrupt::Leaves).await? {
            // What this command was asked to do is done.
            Exit::Cancelled => Exit::Done,
            Exit::Done => {
                app.out.note("too late to cancel: the domain has moved");
                Exit::Error
            }
            other => other,
        })
    })
}
