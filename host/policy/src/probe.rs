//! The shared-storage probe, as a policy reaches it.
//!
//! What wasmtime keeps in a store may not borrow, and the probe is borrowed for the length of one judgement. So a policy
//! that was granted the probe runs on a thread of its own and asks over a channel; the thread that wants the judgement
//! answers. Only such policies pay for it.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use waypost_core::ids::HostName;
use waypost_core::ports::StorageProbe;

struct Question {
    destination: HostName,
    source_pool: String,
    destination_pool: String,
    answer: Sender<Result<bool, String>>,
}

/// The policy's end.
pub(crate) struct ProbeLine(Sender<Question>);

impl ProbeLine {
    /// Asks, and waits for the probe to end.
    pub fn shared(
        &self,
        destination: &HostName,
        source_pool: String,
        destination_pool: String,
    ) -> Result<bool, String> {
        let (answer, answered) = mpsc::channel();
        let question = Question { destination: destination.clone(), source_pool, destination_pool, answer };
        let gone = |_| "the probe is no longer there".to_owned();
        self.0.send(question).map_err(|error| gone(error.to_string()))?;
        answered.recv().map_err(|error| gone(error.to_string()))?
    }
}

/// Runs `call` on another thread and answers its probes on this one until it is over.
pub(crate) fn serve<R: Send>(probe: &dyn StorageProbe, call: impl FnOnce(ProbeLine) -> R + Send) -> R {
    let (line, questions): (_, Receiver<Question>) = mpsc::channel();
    thread::scope(|scope| {
        let running = scope.spawn(move || call(ProbeLine(line)));
        for question in questions {
            let found = probe.shared(&question.destination, &question.source_pool, &question.destination_pool);
            if question.answer.send(found).is_err() {
                tracing::debug!("a policy ended before its probe");
            }
        }
        running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
