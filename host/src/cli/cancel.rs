//! `waypost cancel ID`: asks whoever drives the task, or takes it over where nobody does, and says how it ended.

use std::pin::pin;
use std::time::Duration;

use waypost::core::sample::Stage;
use waypost::{OutcomeKind, TaskId};

use super::answers::{Answers, Mover};
use super::app::App;
use super::exit::Exit;
use super::follow::{self, Interrupt};

/// An abort is carried out within a second; what takes longer than this is worth a word, as the task itself has it.
const UNCONFIRMED: Duration = waypost::ABORT_TAKES;

pub fn run(app: &App, id: TaskId) -> anyhow::Result<Exit> {
    let answers = Answers::of(app)?;
    answers.block_on(async {
        let mover = answers.mover().await?;
        if is_cancelled(&mover, id).await? {
            app.out.note(format!("task {id} is cancelled already"));
        } else {
            match &mover {
                Mover::Here(waypost) => waypost.engine().request_cancel(id, &app.requester())?,
                Mover::There(client) => client.cancel(id).await.map(drop)?,
            }
            app.out.note(format!("asked for task {id} to be cancelled"));
        }
        // Of a post-copy nobody asks for an abort, so none is waited for.
        let switched = is_switched(&mover, id).await;
        if switched {
            app.out.note(SWITCHED);
        }
        let mut ending = pin!(follow::to_the_end(&mover, app.out, id, Interrupt::Leaves));
        let ended = match tokio::time::timeout(UNCONFIRMED, &mut ending).await {
            Ok(ended) => ended,
            Err(_) => {
                if !switched {
                    let since = is_switched(&mover, id).await;
                    app.out.note(if since { SWITCHED.to_owned() } else { unconfirmed() });
                }
                ending.await
            }
        };
        Ok(match ended? {
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

/// What a cancellation comes to while the guest's memory follows it.
const SWITCHED: &str = "the guest runs on the destination already, and its memory follows: nothing is taken back; this waits for the \
                        end, and an interrupt here leaves";

fn unconfirmed() -> String {
    format!(
        "the abort is not confirmed: after {} s no host has said that the transfer is over; it is asked for again and watched, \
         and an interrupt here leaves",
        UNCONFIRMED.as_secs()
    )
}

/// Whether the transfer was switched to post-copy, as far as its last reading tells. It is only for the words here: a reading
/// that can't be had changes nothing of what was asked for.
async fn is_switched(mover: &Mover, id: TaskId) -> bool {
    match mover {
        Mover::Here(waypost) => {
            let sample = waypost.engine().observe(id).view().ok().and_then(|view| view.sample);
            sample.is_some_and(|sample| sample.stage == Stage::PostCopy)
        }
        Mover::There(client) => {
            let sample = client.task(id).await.ok().and_then(|task| task.sample);
            sample.is_some_and(|sample| sample.stage == "post-copy")
        }
    }
}

async fn is_cancelled(mover: &Mover, id: TaskId) -> anyhow::Result<bool> {
    Ok(match mover {
        Mover::Here(waypost) => {
            waypost.engine().read(id)?.outcome.is_some_and(|outcome| outcome.kind == OutcomeKind::Cancelled)
        }
        Mover::There(client) => client.task(id).await?.status == OutcomeKind::Cancelled.as_str(),
    })
}
