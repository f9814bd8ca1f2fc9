//! Compiling a file that somebody handed in, so that nobody waits for it longer than he is patient.
//!
//! The compiler takes no deadline and can't be told to stop. What it may cost is bounded by what is counted beforehand (`bounds`); that
//! bounds its time on a machine with nothing else to do, and not on every machine. So it runs on a thread of its own, and whoever asked
//! waits for so long. What is not done by then goes on alone, one at a time, and what came of it is in the cache when it is asked
//! for again.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// One piece of work at a time, which may outlast whoever asked for it.
#[derive(Default)]
pub(crate) struct Aside {
    taken: Arc<AtomicBool>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delay {
    /// Another piece is being worked on, for which nobody waits any more.
    Taken,
    /// It is not done yet, and goes on.
    Late,
    /// Its thread could not be started, or panicked.
    Failed,
}

/// The right to work; given back when it is dropped.
struct Turn(Arc<AtomicBool>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Aside {
    /// Does that on a thread of its own, and waits for it for so long.
    pub fn run<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Delay> {
        if self.taken.swap(true, Ordering::Acquire) {
            return Err(Delay::Taken);
        }
        let turn = Turn(Arc::clone(&self.taken));
        let (done, answer) = sync_channel(1);
        let started = thread::Builder::new().name("policy-compiler".into()).spawn(move || {
            let result = panic::catch_unwind(AssertUnwindSafe(work));
            // Before whoever waits hears of it, who may ask for the next one at once.
            drop(turn);
            if let Ok(result) = result {
                // Nobody may wait any more.
                let _ = done.send(result);
            }
        });
        if let Err(error) = started {
            tracing::error!(%error, "start a thread that compiles a policy");
            return Err(Delay::Failed);
        }
        answer.recv_timeout(patience).map_err(|error| match error {
            RecvTimeoutError::Timeout => Delay::Late,
            RecvTimeoutError::Disconnected => Delay::Failed,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const LONG: Duration = Duration::from_secs(120);

    #[test]
    fn what_is_not_done_in_time_goes_on_alone_and_nothing_beside_it() {
        let aside = Aside::default();
        assert_eq!(aside.run(LONG, || 1), Ok(1));
        assert_eq!(aside.run(LONG, || 2), Ok(2), "the turn is given back with the answer");
        let (let_go, held) = channel::<()>();
        let (ended, end) = channel();
        let slow = move || {
            let _ = held.recv();
            let _ = ended.send(3);
        };
        assert_eq!(aside.run(Duration::from_millis(1), slow), Err(Delay::Late));
        assert_eq!(aside.run(LONG, || 4), Err(Delay::Taken));
        let_go.send(()).unwrap();
        assert_eq!(end.recv(), Ok(3), "it came to its end");
        while aside.run(LONG, || 5) == Err(Delay::Taken) {
            thread::yield_now();
        }
        assert_eq!(aside.run(LONG, || 6), Ok(6));
    }

    #[test]
    fn a_panic_is_the_threads_alone() {
        let aside = Aside::default();
        assert_eq!(aside.run(LONG, || -> u8 { panic!("made on purpose") }), Err(Delay::Failed));
        assert_eq!(aside.run(LONG, || 1), Ok(1));
    }
}
