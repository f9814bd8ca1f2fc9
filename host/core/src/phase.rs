//! The one phase table. [`next`] is called for every record, when it is written and when it is read back, so that a
//! restarted controller can't see another course than the one that was driven.
//!
//! ```text
//! Accepted ─Planned─▶ Planned ─StepIntended─▶ Preparing ─Prepared─▶ Prepared ═PerformIntended═▶ Performing
//!    │                   └──────────────Prepared──────────────────────▲                        │        │
//!    │                                                                        Returned(moved)  │        │ Returned(failed)
//!    │                                                                                         ▼        ▼
//!    │◀──NextAttempt── Recovering ◀─Located── Locating ◀─Doubted── Finishing                 Locating
//!    ▼                     │  ▲──────ActionDone──┘    ▲
//!    │                     └─Resumed─▶ Performing     └─Reopened── Ended, if stuck
//!  Ended ◀──Ended(..)──────┴── every phase, with the outcomes that are true in it
//! ```
//! `PerformIntended` is the commit point: after it nothing is undone before both sides were looked at.

use thiserror::Error;

use crate::outcome::OutcomeKind;
use crate::words;

words! {
    /// Where a task is.
    pub enum Phase {
        /// Taken on; facts are read, rules are asked.
        Accepted = "accepted",
        /// Every choice is made.
        Planned = "planned",
        /// Something is being made ready, each step journalled with its undo.
        Preparing = "preparing",
        /// Ready.
        Prepared = "prepared",
        /// The transfer may be running.
        Performing = "performing",
        /// libvirt says it moved; that is being verified and tidied up.
        Finishing = "finishing",
        /// Nobody knows yet where the domain is.
        Locating = "locating",
        /// It was located; what to do is being chosen and done.
        Recovering = "recovering",
        /// Over.
        Ended = "ended",
    }
}

/// What can happen to a task, as far as the phase is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A plan was made.
    Planned,
    /// A step of the preparation is about to be done.
    StepIntended,
    /// It was done, or undone.
    StepSettled,
    /// Everything is ready.
    Prepared,
    /// The migration call is about to be made.
    PerformIntended,
    /// Another process took over the watching.
    Adopted,
    /// The running transfer is being steered.
    Steered,
    /// The migration is over, and libvirt says that it worked.
    ReturnedMoved,
    /// It is over and failed, or can't be told.
    ReturnedFailed,
    /// A step of the finish is about to be done, or was done.
    FinishStep,
    /// The verification found something else than expected.
    Doubted,
    /// Both sides were looked at.
    Located,
    /// A recovery action is about to be done.
    ActionIntended,
    /// It was done; look again.
    ActionDone,
    /// The two halves of an interrupted post-copy are being joined: the transfer goes on.
    Resumed,
    /// Another attempt begins.
    NextAttempt,
    /// A person goes on with a task that had ended stuck.
    Reopened,
    /// Somebody asked to cancel; that alone changes no phase.
    CancelRequested,
    /// The task is over.
    Ended(OutcomeKind),
}

/// An event that can't happen in a phase: a defect or a damaged journal, never a thing to work around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{event:?} can't happen in phase {phase}")]
pub struct Illegal {
    /// Phase.
    pub phase: Phase,
    /// Event.
    pub event: Event,
}

/// The table.
pub fn next(phase: Phase, event: Event) -> Result<Phase, Illegal> {
    use {Event as E, Phase as P};
    match (phase, event) {
        // Only of one that ended stuck, which the phase does not tell: `Course::check` knows.
        (P::Ended, E::Reopened) => Some(P::Locating),
        (P::Ended, _) => None,
        (phase, E::CancelRequested) => Some(phase),

        (P::Accepted, E::Planned) => Some(P::Planned),
        (P::Planned | P::Preparing, E::StepIntended) => Some(P::Preparing),
        (P::Preparing, E::StepSettled) => Some(P::Preparing),
        (P::Planned | P::Preparing, E::Prepared) => Some(P::Prepared),
        // Undoing what was made ready, after the preparation or when recovery has proven that nothing uses it.
        (P::Prepared, E::StepSettled) => Some(P::Prepared),
        (P::Recovering, E::StepSettled) => Some(P::Recovering),

        (P::Prepared, E::PerformIntended) => Some(P::Performing),
        (P::Performing, E::Adopted | E::Steered) => Some(P::Performing),
        (P::Performing, E::ReturnedMoved) => Some(P::Finishing),
        (P::Performing, E::ReturnedFailed) => Some(P::Locating),

        (P::Finishing, E::FinishStep | E::Adopted) => Some(P::Finishing),
        (P::Finishing, E::Doubted) => Some(P::Locating),

        (P::Locating | P::Recovering, E::Located) => Some(P::Recovering),
        (P::Recovering, E::ActionIntended) => Some(P::Recovering),
        (P::Recovering, E::ActionDone) => Some(P::Locating),
        // Recovery may find that the domain arrived after all: the same tidying up as after a clean finish.
        (P::Recovering, E::FinishStep) => Some(P::Recovering),
        // A transfer that was thought to be over, or out of sight, runs: it is watched again.
        (P::Recovering, E::Adopted) => Some(P::Performing),
        (P::Recovering, E::NextAttempt) => Some(P::Accepted),
        (P::Recovering, E::Resumed) => Some(P::Performing),

        // Before the commit point nothing moved: only outcomes that leave the domain on the source are true.
        (
            P::Accepted | P::Planned | P::Preparing | P::Prepared,
            E::Ended(OutcomeKind::Refused | OutcomeKind::RolledBack | OutcomeKind::Cancelled | OutcomeKind::Stuck),
        ) => Some(P::Ended),
        (P::Finishing, E::Ended(OutcomeKind::Completed)) => Some(P::Ended),
        // After it, an end needs a look at both sides first; a refusal is no longer possible.
        (
            P::Recovering,
            E::Ended(
                OutcomeKind::Completed
                | OutcomeKind::RolledBack
                | OutcomeKind::Cancelled
                | OutcomeKind::Stuck
                | OutcomeKind::Lost,
            ),
        ) => Some(P::Ended),
        _ => None,
    }
    .ok_or(Illegal { phase, event })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event() -> impl Strategy<Value = Event> {
        let plain = prop::sample::select(vec![
            Event::Planned,
            Event::StepIntended,
            Event::StepSettled,
            Event::Prepared,
            Event::PerformIntended,
            Event::Adopted,
            Event::ReturnedMoved,
            Event::ReturnedFailed,
            Event::FinishStep,
            Event::Doubted,
            Event::Located,
            Event::ActionIntended,
            Event::ActionDone,
            Event::NextAttempt,
            Event::Resumed,
            Event::Reopened,
            Event::CancelRequested,
        ]);
        prop_oneof![4 => plain, 1 => prop::sample::select(OutcomeKind::ALL).prop_map(Event::Ended)]
    }

    proptest! {
        /// Whatever happens in whatever order, these hold of every course that the table lets pass.
        #[test]
        fn no_legal_course_breaks_a_promise(events in prop::collection::vec(event(), 0..200)) {
            let mut phase = Phase::Accepted;
            let mut committed = false;
            let mut looked = false;
            for event in events {
                let Ok(then) = next(phase, event) else { continue };
                prop_assert!(phase != Phase::Ended || event == Event::Reopened, "nothing follows the end");
                match event {
                    Event::PerformIntended => {
                        prop_assert_eq!(phase, Phase::Prepared);
                        committed = true;
                        looked = false;
                    }
                    Event::Located => looked = true,
                    Event::ActionDone => looked = false,
                    // What a person reopens is beyond the commit point, as far as anybody knows.
                    Event::Reopened => (committed, looked) = (true, false),
                    Event::Resumed => {
                        prop_assert!(looked && committed, "a transfer is resumed that nobody looked at");
                        looked = false;
                    }
                    Event::NextAttempt => {
                        prop_assert!(looked, "another attempt needs a look at both sides");
                        committed = false;
                    }
                    Event::ActionIntended => prop_assert!(looked, "an action needs a look at both sides"),
                    Event::Ended(kind) => {
                        if committed && kind != OutcomeKind::Completed {
                            prop_assert!(looked, "{} after the commit point without a look", kind);
                        }
                        if !committed {
                            prop_assert!(!matches!(kind, OutcomeKind::Completed | OutcomeKind::Lost));
                        }
                        if committed {
                            prop_assert_ne!(kind, OutcomeKind::Refused);
                        }
                    }
                    _ => {}
                }
                phase = then;
            }
        }
    }

    #[test]
    fn the_straight_way_is_legal() {
        let mut phase = Phase::Accepted;
        for event in [
            Event::Planned,
            Event::Prepared,
            Event::PerformIntended,
            Event::ReturnedMoved,
            Event::FinishStep,
            Event::Ended(OutcomeKind::Completed),
        ] {
            phase = next(phase, event).unwrap();
        }
        assert_eq!(phase, Phase::Ended);
    }

    #[test]
    fn a_cancel_request_is_noted_in_every_phase_but_the_last() {
        for &phase in Phase::ALL {
            assert_eq!(next(phase, Event::CancelRequested).is_ok(), phase != Phase::Ended);
        }
    }
}
