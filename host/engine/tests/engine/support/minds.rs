//! Policies: a precheck that allows everything, and recovery minds from sensible to hostile.

use std::sync::{Arc, Mutex, PoisonError};

use waypost_core::convergence::{Steering, SteeringAnswer, SteeringQuestion};
use waypost_core::facts::Snapshot;
use waypost_core::ids::{Moment, PluginName};
use waypost_core::ports::{DecisionRecord, Judgement, Policies, StorageProbe};
use waypost_core::recovery::{AttemptChange, FailureClass, RecoveryAnswer, RecoveryQuestion};
use waypost_core::request::CheckRequest;
use waypost_core::situation::Action;
use waypost_core::verdict::{PolicyMode, Verdict};

/// How recovery is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mind {
    /// What the shipped policy does.
    Conservative,
    /// Any permitted action after any time; a seed.
    Random(u64),
    /// Always the last that is permitted.
    Last,
    /// Always one that isn't permitted.
    Forbidden,
    /// Another attempt while there is one; then what the shipped policy does.
    Again,
    /// Hands over at once.
    HandsOver,
    /// What the shipped policy does; and the running transfer is slowed down, and then switched to post-copy.
    Steers,
}

/// A small random generator, so that a case is its seed.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize].clone()
    }
}

/// A mind at work.
pub struct Minded {
    mind: Mind,
    dice: Mutex<Dice>,
}

impl Minded {
    pub fn new(mind: Mind) -> Self {
        let seed = if let Mind::Random(seed) = mind { seed } else { 0 };
        Self { mind, dice: Mutex::new(Dice(seed)) }
    }
}

impl Policies for Minded {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, _: Option<&dyn StorageProbe>) -> Judgement {
        let allow = |candidate: &waypost_core::facts::Candidate| Verdict {
            destination: candidate.host.name.clone(),
            findings: vec![],
        };
        Judgement {
            verdicts: facts.candidates.iter().map(allow).collect(),
            decisions: vec![decision("precheck", "allowed".into(), request.decided_at)],
        }
    }

    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        let permitted = &question.permitted;
        let (action, delay_ms) = match self.mind {
            Mind::Again if permitted.contains(&Action::TryAgain) && question.attempts_left > 0 => (Action::TryAgain, 0),
            Mind::HandsOver if permitted.contains(&Action::HandOver) => (Action::HandOver, 0),
            Mind::Conservative | Mind::Again | Mind::HandsOver | Mind::Steers => conservative(question),
            Mind::Random(_) => {
                let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
                (dice.pick(permitted), dice.below(20_000))
            }
            Mind::Last => (*permitted.last().unwrap(), 0),
            Mind::Forbidden => (*Action::ALL.iter().find(|action| !permitted.contains(action)).unwrap(), 0),
        };
        let answer = RecoveryAnswer {
            action,
            delay_ms,
            reason: format!("{:?}", self.mind),
            change: AttemptChange::NONE,
            way: None,
        };
        (answer, decision("recovery", action.to_string(), question.decided_at))
    }

    fn steer(&self, question: &SteeringQuestion) -> (SteeringAnswer, Option<DecisionRecord>) {
        const ORDERS: [(Steering, Option<u64>); 3] =
            [(Steering::SetBandwidth, Some(90)), (Steering::SetDowntime, Some(400)), (Steering::PostCopy, None)];
        let left = ORDERS.iter().find(|(action, _)| question.steered.iter().all(|done| done.action != *action));
        let answer = match left.filter(|_| self.mind == Mind::Steers) {
            Some((action, value)) => SteeringAnswer { action: *action, value: *value, reason: "the next".into() },
            None => SteeringAnswer::hold("nothing"),
        };
        let decision = decision("convergence", answer.action.to_string(), question.decided_at);
        (answer, Some(decision))
    }
}

/// The shipped policy's choice: the one proven step, patience where there is none, then a person.
fn conservative(question: &RecoveryQuestion) -> (Action, u64) {
    const STEPS: [Action; 8] = [
        Action::AcceptSource,
        Action::AcceptDestination,
        Action::ResumeSource,
        Action::DestroyDestination,
        Action::UndefineDestination,
        Action::DestroySource,
        Action::ResumeDestination,
        Action::DeclareLost,
    ];
    let may = |action: Action| question.permitted.contains(&action);
    let delay_ms = (1000 << question.look.saturating_sub(1).min(10)).min(30_000);
    if may(Action::AbortJob) && matches!(question.class, FailureClass::Cancelled | FailureClass::TimedOut) {
        return (Action::AbortJob, delay_ms - 1000);
    }
    // As often as the shipped policy does, and then a person.
    let resumes = question.done.iter().filter(|deed| deed.action == Action::ResumePostCopy).count();
    if may(Action::ResumePostCopy) {
        return if resumes < 10 { (Action::ResumePostCopy, 3000) } else { (Action::HandOver, 0) };
    }
    if may(Action::InterruptPostCopy) && may(Action::HandOver) {
        return (Action::InterruptPostCopy, 0);
    }
    if let Some(step) = STEPS.into_iter().find(|step| may(*step)) {
        return (step, 0);
    }
    if may(Action::Wait) && (question.look <= 40 || !may(Action::HandOver)) {
        return (Action::Wait, delay_ms);
    }
    (Action::HandOver, 0)
}

fn decision(hook: &str, answer: String, decided_at: Moment) -> DecisionRecord {
    DecisionRecord {
        plugin: PluginName::new("test"),
        digest: String::new(),
        hook: hook.into(),
        mode: PolicyMode::Enforce,
        settings: "{}".into(),
        facts_digest: String::new(),
        facts_read: vec![],
        answer,
        fault: None,
        fuel: 0,
        micros: 0,
        decided_at,
    }
}
