//! How a task ended. Said only of what was observed.

use crate::words;

words! {
    /// How a task ended.
    pub enum OutcomeKind {
        /// The domain is on the destination, as asked.
        Completed = "completed",
        /// A policy or a rule of the engine refused; nothing was touched.
        Refused = "refused",
        /// It failed; the domain is safe on the source and nothing of this migration is left on the destination.
        RolledBack = "rolled-back",
        /// A person cancelled; the domain is safe on the source.
        Cancelled = "cancelled",
        /// It can't be told, or not be mended, without a person.
        Stuck = "stuck",
        /// The running domain is proven to be no more.
        Lost = "lost",
    }
}

/// The end of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How.
    pub kind: OutcomeKind,
    /// One sentence: what happened and where the domain is now.
    pub summary: String,
    /// What went wrong, both sides' errors, in the order seen.
    pub causes: Vec<String>,
    /// What a person should do, if anything.
    pub remedy: Option<String>,
}
