//! The picture: from the store of this machine or from a service, in the shape that `--json` prints, so that the screen can't show
//! anything else.

use std::time::Duration;

use anyhow::bail;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use waypost::TaskId;
use waypost::api::v1::{PastSample, Steer, Top, TopTask};
use waypost::core::convergence::Steering;
use waypost::core::ports::{Clock as _, Wish};
use waypost::service::client::{Client, ClientError};
use waypost::service::documents;
pub use waypost::service::documents::no_news;
use waypost::wiring::{SharedFeed, SharedStore, WallClock};

/// For so long an answer of a service is waited for: no key is looked at meanwhile.
const ANSWER: Duration = Duration::from_secs(3);

/// What is read, and in whose name something is asked for.
pub enum Desk {
    /// The records of this machine.
    Here {
        store: SharedStore,
        feed: SharedFeed,
        /// Hosts of the configuration.
        hosts: Vec<String>,
        requester: String,
    },
    /// A service. The screen waits for each answer, and not for long.
    There { client: Client, runtime: Runtime },
}

impl Desk {
    /// Everything, as it is right now.
    pub fn picture(&self) -> anyhow::Result<Top> {
        match self {
            Self::Here { store, feed, hosts, .. } => {
                Ok(documents::top(store.as_ref(), feed.as_ref(), hosts, WallClock.now(), |_| true)?)
            }
            Self::There { client, runtime } => answer(client, runtime, client.top()),
        }
    }

    /// Past readings of a task.
    pub fn samples(&self, task: &str) -> anyhow::Result<Vec<PastSample>> {
        let Ok(id) = task.parse::<TaskId>() else { return Ok(Vec::new()) };
        match self {
            Self::Here { feed, .. } => Ok(feed.samples(id)?.iter().map(PastSample::from).collect()),
            Self::There { client, runtime } => Ok(answer(client, runtime, client.samples(id))?.samples),
        }
    }

    /// Asks whoever drives the task to cancel it.
    pub fn cancel(&self, task: &str) -> anyhow::Result<()> {
        let Ok(id) = task.parse::<TaskId>() else { return Ok(()) };
        match self {
            Self::Here { store, requester, .. } => Ok(store.request_cancel(id, requester)?),
            Self::There { client, runtime } => answer(client, runtime, client.cancel(id)).map(drop),
        }
    }

    /// Asks whoever drives the task to switch it to post-copy.
    pub fn post_copy(&self, task: &str) -> anyhow::Result<()> {
        let Ok(id) = task.parse::<TaskId>() else { return Ok(()) };
        match self {
            Self::Here { store, requester, .. } => {
                let wish = Wish { action: Steering::PostCopy, value: None, requester: requester.clone() };
                Ok(store.request_steering(id, &[wish])?)
            }
            Self::There { client, runtime } => {
                let wanted = Steer { post_copy: true, ..Steer::default() };
                answer(client, runtime, client.steer(id, &wanted)).map(drop)
            }
        }
    }
}

/// What a service answers, if it does so soon enough.
fn answer<T>(
    client: &Client,
    runtime: &Runtime,
    question: impl Future<Output = Result<T, ClientError>>,
) -> anyhow::Result<T> {
    // Inside the runtime, whose clock it is.
    match runtime.block_on(async { timeout(ANSWER, question).await }) {
        Ok(answer) => Ok(answer?),
        Err(_) => bail!("the service at {} does not answer within {} s", client.address(), ANSWER.as_secs()),
    }
}

/// A word about what was asked of a task, which nobody may be there to do.
pub fn asked(said: &str, task: Option<&TopTask>) -> String {
    task.and_then(no_news).map_or_else(|| said.to_owned(), |no_news| format!("{said}; {no_news}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_something_of_a_silent_task_is_told_that_it_is_silent() {
        let task = |message: &str| TopTask { message: message.to_owned(), ..TopTask::default() };
        assert_eq!(asked("asked", Some(&task("g is moving"))), "asked");
        assert_eq!(asked("asked", None), "asked");
        let silent = TopTask { silent_ms: Some(34_000), ..task("no news for 34 s: does anybody drive it?") };
        assert_eq!(asked("asked", Some(&silent)), "asked; no news for 34 s: does anybody drive it?");
    }
}
