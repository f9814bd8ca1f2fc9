//! `waypost watch ID`.

use waypost::TaskId;

use super::answers::Answers;
use super::app::App;
use super::exit::Exit;
use super::follow::{self, Interrupt};

pub fn run(app: &App, id: TaskId) -> anyhow::Result<Exit> {
    let answers = Answers::of(app)?;
    answers.block_on(async {
        // Who merely watches must not end a migration by leaving.
        follow::to_the_end(&answers.mover().await?, app.out, id, Interrupt::Leaves).await
    })
}
