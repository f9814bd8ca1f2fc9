//! What the calls of each policy came to, counted where they are made: most of them leave no record, because a check is no
//! task and a policy that goes on holding says nothing new.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use waypost_core::ids::PluginName;

use crate::artifact::Hook;
use crate::call::Cost;
use crate::failure::Failure;
use crate::plugin::Asked;

/// What the calls of one policy for one of its hooks came to since the runtime was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calls {
    /// The policy.
    pub plugin: PluginName,
    /// The hook.
    pub hook: Hook,
    /// How often it was wanted, also where there was nothing that could be asked.
    pub calls: u64,
    /// How often there was no usable answer, by the code of its finding.
    pub failures: BTreeMap<&'static str, u64>,
    /// Fuel used.
    pub fuel: u64,
    /// Time used, µs.
    pub micros: u64,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Tally(Mutex<BTreeMap<(PluginName, &'static str), Calls>>);

impl Tally {
    /// Counts a question and what came of it.
    pub fn note<T>(&self, plugin: &PluginName, hook: Hook, asked: &Asked<T>) {
        self.add(plugin, hook, asked.cost, asked.answer.as_ref().err());
    }

    fn add(&self, plugin: &PluginName, hook: Hook, cost: Cost, failure: Option<&Failure>) {
        // Sums: a panic between two of them loses one addition at most.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = all.entry((plugin.clone(), hook.as_str())).or_insert_with(|| Calls {
            plugin: plugin.clone(),
            hook,
            calls: 0,
            failures: BTreeMap::new(),
            fuel: 0,
            micros: 0,
        });
        calls.calls += 1;
        calls.fuel = calls.fuel.saturating_add(cost.fuel);
        calls.micros = calls.micros.saturating_add(cost.micros);
        if let Some(failure) = failure {
            *calls.failures.entry(failure.kind.code()).or_default() += 1;
        }
    }

    /// By policy and hook.
    pub fn read(&self) -> Vec<Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    #[test]
    fn each_question_counts_once_with_its_cost_and_its_failure() {
        let tally = Tally::default();
        let (web, cost) = (PluginName::new("web"), Cost { fuel: 10, micros: 3 });
        tally.note(&web, Hook::Precheck, &Asked { answer: Ok(()), cost, facts_read: vec![] });
        tally.note(&web, Hook::Precheck, &Asked::<()>::nothing(Failure::new(FailureKind::NotLoaded, "is not there")));
        tally.note(&web, Hook::Recovery, &Asked { answer: Ok(()), cost, facts_read: vec![] });
        let of = |hook, calls, failures: &[(&'static str, u64)]| Calls {
            plugin: web.clone(),
            hook,
            calls,
            failures: failures.iter().copied().collect(),
            fuel: 10,
            micros: 3,
        };
        let failed = [(FailureKind::NotLoaded.code(), 1)];
        assert_eq!(tally.read(), [of(Hook::Precheck, 2, &failed), of(Hook::Recovery, 1, &[])]);
    }
}
