//! `waypost watch ID`.

use waypost::TaskId;
use waypost::wiring::Watching;

use super::app::App;
use super::exit::Exit;
use super::follow::{self, Interrupt};

pub fn run(app: &App, id: TaskId) -> anyhow::Result<Exit> {
    let world = app.world();
    app.block_on(&world, async {
        let waypost = app.open(&world, Watching::Off).await?;
        // Who merely watches must not end a migration by leaving.
        follow::to_the_end(&waypost, app.out, id, Interrupt::Leaves).await
    })
}
