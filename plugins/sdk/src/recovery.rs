//! What the shipped recovery policies have in common: the steps that the host's permission alone proves safe, and the
//! patience for what nobody can know yet.
//!
//! The host computes what is permitted from what both sides said; permission is proof that a step can't make a second
//! copy or end the only one. So these policies take what is permitted, and differ in what they do where more than one
//! way leads on: another attempt, or another try to join what broke.

use crate::types::DomainState;
use crate::{Answer, Question, Side};

/// Steps of which the host permits at most one at a time, each with its reason.
pub const STEPS: [(&str, &str); 8] = [
    ("resume-source", "the destination holds nothing: the source's copy is complete and goes on"),
    ("destroy-destination", "the copy on the destination never ran; the source's is complete"),
    ("undefine-destination", "the definition on the destination is this migration's leftover"),
    ("resume-destination", "the source handed the domain over and the destination holds all of it"),
    ("destroy-source", "the destination runs; the source's paused copy is overtaken"),
    ("accept-destination", "the domain is on the destination and nowhere else"),
    ("accept-source", "the domain is on the source and nowhere else"),
    ("declare-lost", "both hosts say that no copy is left to continue"),
];

/// How long a policy tries before a person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Looks at hosts that can't be asked.
    pub looks: u32,
    /// Tries to resume an interrupted post-copy.
    pub resumes: u32,
}

const LONGEST_DELAY_MS: u64 = 30_000;

/// An answer that changes nothing for a further attempt.
pub fn answer(action: &str, delay_ms: u64, reason: &str) -> Answer {
    Answer { action: action.to_owned(), delay_ms, reason: reason.to_owned(), change: None, way: None }
}

/// 1, 2, 4, ... seconds, 30 at most; `number` counts from 1.
pub fn backoff_ms(number: u32) -> u64 {
    (1000 << number.saturating_sub(1).min(10)).min(LONGEST_DELAY_MS)
}

/// How often an action was tried in this attempt.
pub fn tries(question: &Question, action: &str) -> u32 {
    u32::try_from(question.done.iter().filter(|deed| deed.action == action).count()).unwrap_or(u32::MAX)
}

/// Whether the host permits it.
pub fn permits(question: &Question, action: &str) -> bool {
    question.permitted.iter().any(|permitted| permitted == action)
}

/// The proven step; patience where nothing can be known; else a person.
pub fn proven(question: &Question, patience: Patience) -> Answer {
    let permitted = |action: &str| permits(question, action);
    if permitted("abort-job") && matches!(question.class.as_str(), "cancelled" | "timed-out") {
        return answer(
            "abort-job",
            backoff_ms(question.look) - backoff_ms(1),
            "the migration must end and its job runs",
        );
    }
    if let Some(answer) = join(question, patience) {
        return answer;
    }
    for (action, reason) in STEPS {
        if permitted(action) {
            return if action == "destroy-source" && !runs(&question.destination_side) {
                answer("hand-over", 0, "the source may only go while the destination is seen running")
            } else {
                answer(action, 0, reason)
            };
        }
    }
    // A host that permits nothing but to wait (a job runs) is never left: its end is what shows where the domain is.
    if permitted("wait") && (question.look <= patience.looks || !permitted("hand-over")) {
        return answer("wait", backoff_ms(question.look), waiting_for(question));
    }
    answer("hand-over", 0, "no step is proven safe: a person must look at both hosts")
}

/// What there is to do about a guest whose memory is on both sides.
fn join(question: &Question, patience: Patience) -> Option<Answer> {
    if permits(question, "resume-post-copy") {
        let tried = tries(question, "resume-post-copy");
        return Some(if tried < patience.resumes {
            answer("resume-post-copy", backoff_ms(tried + 1), "both halves of the guest are there: they can be joined")
        } else {
            let reason = format!("{tried} tries to resume the post-copy failed; both halves of the guest are kept");
            answer("hand-over", 0, &reason)
        });
    }
    // While both sides believe that memory flows there is nothing to hand over, and nothing to mend.
    if permits(question, "interrupt-post-copy") && permits(question, "hand-over") {
        let reason = "the source has not noticed that the destination has no use for what it sends";
        return Some(answer("interrupt-post-copy", 0, reason));
    }
    None
}

fn runs(side: &Side) -> bool {
    matches!(side, Side::Present(seen) if matches!(seen.state, DomainState::Running | DomainState::Blocked))
}

fn waiting_for(question: &Question) -> &'static str {
    match (&question.source_side, &question.destination_side) {
        (Side::Unknown(_), Side::Unknown(_)) => "neither host can be asked, or tells enough; either may run the domain",
        (Side::Unknown(_), _) => "the source can't be asked, or doesn't tell enough; it may run the domain",
        (_, Side::Unknown(_)) => "the destination can't be asked, or doesn't tell enough; it may run the domain",
        _ => "something is still going on with the domain",
    }
}
