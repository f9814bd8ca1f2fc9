//! `waypost cancel ID`: asks whoever drives the task, or takes it over where nobody does, and says how it ended.

use std::pin::pin;
use std::time::Duration;

use waypost::core::phase::Phase;
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
        let switched = stands(&mover, id).await == Stands::Switched;
        if switched {
            app.out.note(SWITCHED);
        }
        let mut ending = pin!(follow::to_the_end(&mover, app.out, id, Interrupt::Leaves));
        let ended = match tokio::time::timeout(UNCONFIRMED, &mut ending).await {
            Ok(ended) => ended,
            Err(_) => {
                if !switched {
                    app.out.note(match stands(&mover, id).await {
                        Stands::Switched => SWITCHED.to_owned(),
                        Stands::Before => BEFORE.to_owned(),
                        Stands::Transfer => unconfirmed(),
                    });
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

/// And while its facts are read and its prechecks asked.
const BEFORE: &str = "nothing moves yet: the task ends when what it waits for has answered, a host or a precheck; an interrupt here \
                      leaves";

fn unconfirmed() -> String {
    format!(
        "the abort is not confirmed: after {} s no host has said that the transfer is over; it is asked for again and watched, \
         and an interrupt here leaves",
        UNCONFIRMED.as_secs()
    )
}

/// How far a task has come, as far as a cancellation is concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// Nothing was moved yet.
    Before,
    /// The transfer may be running.
    Transfer,
    /// It was switched to post-copy.
    Switched,
}

/// As far as the last reading tells. It is only for the words here: a reading that can't be had changes nothing of what was asked
/// for.
async fn stands(mover: &Mover, id: TaskId) -> Stands {
    let seen = match mover {
        Mover::Here(waypost) => waypost
            .engine()
            .observe(id)
            .view()
            .ok()
            .map(|view| (view.phase, view.sample.is_some_and(|sample| sample.stage == Stage::PostCopy))),
        Mover::There(client) => client.task(id).await.ok().and_then(|task| {
            Some((
                Phase::parse(&task.phase)?,
                task.sample.is_some_and(|sample| sample.stage == Stage::PostCopy.as_str()),
            ))
        }),
    };
    match seen {
        Some((_, true)) => Stands::Switched,
        Some((Phase::Accepted | Phase::Planned | Phase::Preparing | Phase::Prepared, _)) => Stands::Before,
        _ => Stands::Transfer,
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
