//! Policies: a precheck that allows everything, and a recovery that takes what is safe and leaves the rest to a person.

use std::sync::Arc;

use waypost::core::facts::{Candidate, Snapshot};
use waypost::core::ids::{Moment, PluginName};
use waypost::core::ports::{DecisionRecord, Judgement, Policies, StorageProbe};
use waypost::core::recovery::{AttemptChange, RecoveryAnswer, RecoveryQuestion};
use waypost::core::request::CheckRequest;
use waypost::core::situation::Action;
use waypost::core::verdict::{PolicyMode, Verdict};

pub struct Plain;

impl Policies for Plain {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, _: Option<&dyn StorageProbe>) -> Judgement {
        let allow = |candidate: &Candidate| Verdict { destination: candidate.host.name.clone(), findings: vec![] };
        Judgement {
            verdicts: facts.candidates.iter().map(allow).collect(),
            decisions: vec![decision("precheck", "allowed", request.decided_at)],
        }
    }

    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        let safe = [Action::AcceptSource, Action::AcceptDestination, Action::AbortJob, Action::HandOver];
        let action = safe.into_iter().find(|action| question.permitted.contains(action)).unwrap_or(Action::Wait);
        let answer = RecoveryAnswer {
            action,
            delay_ms: 1000,
            reason: "it is safe".into(),
            change: AttemptChange::NONE,
            way: None,
        };
        (answer, decision("recovery", action.as_str(), question.decided_at))
    }
}

/// The same, which tries once more where that is permitted.
pub struct TriesAgain;

impl Policies for TriesAgain {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, probe: Option<&dyn StorageProbe>) -> Judgement {
        Plain.precheck(request, facts, probe)
    }

    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        if question.attempt == 1 && question.permitted.contains(&Action::TryAgain) {
            let (plain, _) = Plain.recover(question);
            let answer = RecoveryAnswer { action: Action::TryAgain, delay_ms: 0, ..plain };
            return (answer, decision("recovery", Action::TryAgain.as_str(), question.decided_at));
        }
        Plain.recover(question)
    }
}

fn decision(hook: &str, answer: &str, decided_at: Moment) -> DecisionRecord {
    DecisionRecord {
        plugin: PluginName::new("plain"),
        digest: String::new(),
        hook: hook.into(),
        mode: PolicyMode::Enforce,
        settings: "{}".into(),
        facts_digest: String::new(),
        facts_read: vec![],
        answer: answer.into(),
        fault: None,
        fuel: 0,
        micros: 0,
        decided_at,
    }
}
