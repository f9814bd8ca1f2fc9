//! The policies as the engine knows them: every precheck and every transform asked, every failure a blocker; of each
//! other hook one policy.

use std::sync::Arc;

use waypost_core::convergence::{Opening, OpeningQuestion, Steering, SteeringAnswer, SteeringQuestion};
use waypost_core::facts::Snapshot;
use waypost_core::finding::{Finding, Severity, host_codes};
use waypost_core::ids::{Moment, PluginName};
use waypost_core::ports::{DecisionRecord, Judgement, Policies, StorageProbe, Transformation};
use waypost_core::recovery::{RecoveryAnswer, RecoveryQuestion};
use waypost_core::request::CheckRequest;
use waypost_core::verdict::{Judged, PolicyMode, Verdict};

use crate::artifact::{Hook, LoadError};
use crate::bindings::check;
use crate::call::Caller;
use crate::chosen::{self, Word};
use crate::config::Grant;
use crate::convert;
use crate::entry::Askable;
use crate::failure::{Failure, FailureKind};
use crate::plugin::{Asked, Plugin};
use crate::probe;
use crate::registry::{Registry, Slot};
use crate::runtime::PolicyRuntime;
use crate::transform;
use crate::view::View;

/// The name under which the host makes findings of its own.
pub const HOST: &str = "waypost";
/// Code of the warning that an older version judged because the newer file can't be loaded.
pub const OLDER_VERSION: &str = "plugin-older-version";

impl Policies for PolicyRuntime {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, probe: Option<&dyn StorageProbe>) -> Judgement {
        let set = self.registry.set();
        let view = self.indexes.view(facts, &request.options);
        let asked = convert::request(request);
        let mut verdicts: Vec<Verdict> = facts
            .candidates
            .iter()
            .map(|candidate| Verdict { destination: candidate.host.name.clone(), findings: Vec::new() })
            .collect();
        let mut decisions = Vec::new();
        let mut any = false;
        for slot in &set.slots {
            let Some(opinion) = opinion(&self.registry, slot, &view, &asked, probe) else { continue };
            any |= slot.name.as_str() != HOST;
            for (at, verdict) in verdicts.iter_mut().enumerate() {
                let judged = |finding| Judged { plugin: slot.name.clone(), mode: slot.config.mode, finding };
                verdict.findings.extend(opinion.about_all.iter().cloned().map(judged));
                verdict.findings.extend(opinion.each.get(at).into_iter().flatten().cloned().map(judged));
            }
            decisions.push(opinion.record(slot, &verdicts, request.decided_at));
        }
        if !any {
            for verdict in &mut verdicts {
                let (plugin, mode) = (PluginName::new(HOST), PolicyMode::Enforce);
                verdict.findings.push(Judged { plugin, mode, finding: no_precheck(&self.registry) });
            }
        }
        Judgement { verdicts, decisions }
    }

    fn transforms(&self) -> bool {
        transform::any(&self.registry.set())
    }

    fn transform(&self, request: &CheckRequest, facts: &Arc<Snapshot>) -> Transformation {
        transform::ask(&self.registry, &self.indexes, request, facts)
    }

    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        let set = self.registry.set();
        let ask = |plugin: &Plugin, caller: &Caller<'_>| plugin.recover(&self.registry.machine, caller, question);
        let word = match chosen::choose(&set, Hook::Recovery) {
            Some(chosen) => Word::of(&chosen, &self.registry.tally, Hook::Recovery, ask),
            None => Word::nobody("decides, because no recovery policy is loaded"),
        };
        let (answer, fault) = match word.obeyed(|answer| answer.action.to_string()) {
            Ok(answer) => (answer.clone(), None),
            Err(fault) => (RecoveryAnswer::safe(&question.permitted, fault.clone()), Some(fault)),
        };
        let said = format!("{} after {} ms: {}", answer.action, answer.delay_ms, answer.reason);
        (answer, word.record(Hook::Recovery, said, fault, question.decided_at))
    }

    fn open(&self, question: &OpeningQuestion) -> (Opening, Option<DecisionRecord>) {
        let set = self.registry.set();
        let Some(chosen) = chosen::choose(&set, Hook::Convergence) else {
            return (Opening::unchanged("no convergence policy is loaded"), None);
        };
        let ask = |plugin: &Plugin, caller: &Caller<'_>| plugin.open(&self.registry.machine, caller, question);
        let word = Word::of(&chosen, &self.registry.tally, Hook::Convergence, ask);
        let (opening, fault) = match word.obeyed(describe_opening) {
            Ok(opening) => (opening.clone(), None),
            Err(fault) => (Opening::unchanged(fault.clone()), Some(fault)),
        };
        let said = format!("open {}: {}", describe_opening(&opening), opening.reason);
        (opening, Some(word.record(Hook::Convergence, said, fault, question.decided_at)))
    }

    fn steer(&self, question: &SteeringQuestion) -> (SteeringAnswer, Option<DecisionRecord>) {
        let set = self.registry.set();
        let Some(chosen) = chosen::choose(&set, Hook::Convergence) else {
            return (SteeringAnswer::hold("no convergence policy is loaded"), None);
        };
        let ask = |plugin: &Plugin, caller: &Caller<'_>| plugin.steer(&self.registry.machine, caller, question);
        let word = Word::of(&chosen, &self.registry.tally, Hook::Convergence, ask);
        let (answer, fault) = match word.obeyed(describe_steering) {
            Ok(asked) => {
                let kept = asked.clone().within(&question.bounds);
                let refused = kept.action != asked.action;
                let fault = refused.then(|| format!("policy {}: {}", word.name(), kept.reason));
                (kept, fault)
            }
            // Nothing is not obeyed where nothing was advised: a record that says so with every reading would bury the others.
            Err(fault) if word.said().is_some_and(|answer| answer.action == Steering::Hold) => {
                (SteeringAnswer::hold(fault), None)
            }
            Err(fault) => (SteeringAnswer::hold(fault.clone()), Some(fault)),
        };
        let said = format!("{}: {}", describe_steering(&answer), answer.reason);
        (answer, Some(word.record(Hook::Convergence, said, fault, question.decided_at)))
    }
}

fn describe_steering(answer: &SteeringAnswer) -> String {
    match (answer.action, answer.value) {
        (Steering::SetDowntime, Some(ms)) => format!("set-downtime {ms} ms"),
        (Steering::SetBandwidth, Some(mib_s)) => format!("set-bandwidth {mib_s} MiB/s"),
        (Steering::SetThrottle, Some(percent)) => format!("set-throttle {percent} %"),
        (action, _) => action.to_string(),
    }
}

fn describe_opening(opening: &Opening) -> String {
    let number = |name: &str, value: Option<u64>, unit: &str| value.map(|value| format!("{name} {value}{unit}"));
    let switch = |name: &str, value: Option<bool>| value.map(|on| format!("{name} {}", if on { "on" } else { "off" }));
    let parts = [
        number("max-downtime", opening.max_downtime_ms, " ms"),
        switch("auto-converge", opening.auto_converge),
        number("auto-converge-initial", opening.auto_converge_initial.map(u64::from), " %"),
        number("auto-converge-increment", opening.auto_converge_increment.map(u64::from), " %"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "as planned".to_owned() } else { format!("with {}", parts.join(", ")) }
}

/// What one policy, or the host in its stead, says.
struct Opinion {
    /// About every destination alike: failures, and that an older version judged.
    about_all: Vec<Finding>,
    /// Per destination.
    each: Vec<Vec<Finding>>,
    digest: String,
    fault: Option<String>,
    facts_read: Vec<String>,
    cost: crate::call::Cost,
}

/// None for a policy that has no precheck.
fn opinion(
    registry: &Registry,
    slot: &Slot,
    view: &Arc<View>,
    request: &check::Request,
    probe: Option<&dyn StorageProbe>,
) -> Option<Opinion> {
    let plugin = plugin_of(&slot.askable);
    if plugin.is_some_and(|plugin| !plugin.has(Hook::Precheck)) {
        return None;
    }
    let mut about_all = Vec::new();
    let asked = match &slot.askable {
        Askable::Ignored => return None,
        Askable::Broken(trouble) => Asked::nothing(not_loaded(trouble)),
        Askable::Refusing(_, failure) => Asked::nothing(failure.clone()),
        Askable::Ready(plugin) => ask(registry, slot, plugin, view, request, probe),
        Askable::LastGood(plugin, trouble) => {
            about_all.push(older_version(slot, trouble));
            ask(registry, slot, plugin, view, request, probe)
        }
    };
    registry.tally.note(&slot.name, Hook::Precheck, &asked);
    let (each, fault) = match asked.answer {
        Ok(each) => (each, None),
        Err(failure) => {
            about_all.push(failure.finding(&slot.name, slot.file.as_deref()));
            (Vec::new(), Some(failure.cause))
        }
    };
    let digest = plugin.map_or_else(String::new, |plugin| plugin.digest.clone());
    Some(Opinion { about_all, each, digest, fault, facts_read: asked.facts_read, cost: asked.cost })
}

fn ask(
    registry: &Registry,
    slot: &Slot,
    plugin: &Plugin,
    view: &Arc<View>,
    request: &check::Request,
    probe: Option<&dyn StorageProbe>,
) -> Asked<Vec<Vec<Finding>>> {
    let call = |line| plugin.precheck(&registry.machine, &slot.caller(), view, request, line);
    match probe {
        Some(probe) if slot.config.grants.contains(&Grant::StorageProbe) => {
            probe::serve(probe, |line| call(Some(line)))
        }
        _ => call(None),
    }
}

impl Opinion {
    fn record(self, slot: &Slot, verdicts: &[Verdict], decided_at: Moment) -> DecisionRecord {
        let mut lines: Vec<String> =
            self.about_all.iter().map(|finding| describe("every destination", finding)).collect();
        for (verdict, findings) in verdicts.iter().zip(&self.each) {
            lines.extend(findings.iter().map(|finding| describe(verdict.destination.as_str(), finding)));
        }
        if lines.is_empty() {
            lines.push("nothing to say".to_owned());
        }
        DecisionRecord {
            plugin: slot.name.clone(),
            digest: self.digest,
            hook: Hook::Precheck.as_str().to_owned(),
            mode: slot.config.mode,
            settings: slot.config.settings.clone(),
            facts_digest: String::new(),
            facts_read: self.facts_read,
            answer: lines.join("\n"),
            fault: self.fault,
            fuel: self.cost.fuel,
            micros: self.cost.micros,
            decided_at,
        }
    }
}

fn describe(destination: &str, finding: &Finding) -> String {
    let Finding { code, severity, message, evidence, .. } = finding;
    let evidence: Vec<String> = evidence.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let evidence = if evidence.is_empty() { String::new() } else { format!(" ({})", evidence.join(", ")) };
    format!("{destination}: {severity} {code}: {message}{evidence}")
}

pub(crate) fn plugin_of(askable: &Askable) -> Option<&Arc<Plugin>> {
    match askable {
        Askable::Ready(plugin) | Askable::LastGood(plugin, _) | Askable::Refusing(plugin, _) => Some(plugin),
        Askable::Broken(_) | Askable::Ignored => None,
    }
}

pub(crate) fn not_loaded(trouble: &LoadError) -> Failure {
    let remedy = Some(trouble.remedy());
    Failure { remedy, ..Failure::new(FailureKind::NotLoaded, format!("is not loaded: {}", trouble.chain())) }
}

pub(crate) fn older_version(slot: &Slot, trouble: &LoadError) -> Finding {
    let file = slot.file.as_ref().map_or_else(String::new, |file| file.display().to_string());
    Finding {
        code: OLDER_VERSION.to_owned(),
        severity: Severity::Warning,
        message: format!(
            "an older version of policy {} judged, because its file can't be used: {}",
            slot.name,
            trouble.chain()
        ),
        evidence: vec![("file".to_owned(), file)],
        remedy: Some(trouble.remedy()),
    }
}

fn no_precheck(registry: &Registry) -> Finding {
    let folders: Vec<String> = registry.folders.iter().map(|folder| folder.display().to_string()).collect();
    Finding {
        code: host_codes::NO_PRECHECK.to_owned(),
        severity: Severity::Blocker,
        message: "no precheck policy is loaded, so nothing was judged".to_owned(),
        evidence: vec![("folders".to_owned(), folders.join(", "))],
        remedy: Some("put the shipped policies into a plugin folder, or name the folder that holds them".to_owned()),
    }
}
