//! The transform policies, asked in the order of their names: what each wants of each destination, made into edits, and
//! put together. A policy without a usable answer makes a blocker: an unedited definition might start on the wrong network.

use std::sync::Arc;

use waypost_core::edit::{Conflict, Edit, Proposal, merge, resolve};
use waypost_core::facts::Snapshot;
use waypost_core::finding::{Finding, Severity, host_codes};
use waypost_core::ids::PluginName;
use waypost_core::ports::{DecisionRecord, Transformation, Transformed};
use waypost_core::request::CheckRequest;
use waypost_core::verdict::{Judged, PolicyMode};

use crate::artifact::Hook;
use crate::bindings::rewrite;
use crate::convert;
use crate::entry::Askable;
use crate::plugin::Asked;
use crate::policies::{HOST, older_version, plugin_of};
use crate::registry::{Registry, Set, Slot};
use crate::view::{Indexes, View};

/// Whether there is anybody to ask.
pub(crate) fn any(set: &Set) -> bool {
    set.slots.iter().any(has_hook)
}

fn has_hook(slot: &Slot) -> bool {
    plugin_of(&slot.askable).is_some_and(|plugin| plugin.has(Hook::Transform))
}

/// Asks all of them about all candidates.
pub(crate) fn ask(
    registry: &Registry,
    indexes: &Indexes,
    request: &CheckRequest,
    facts: &Arc<Snapshot>,
) -> Transformation {
    let set = registry.set();
    if !any(&set) {
        return Transformation::default();
    }
    let view = indexes.view(facts, &request.options);
    let asked = convert::transform_request(request);
    let mut wanted: Vec<(Vec<Edit>, Vec<Judged>)> = facts.candidates.iter().map(|_| Default::default()).collect();
    let mut decisions = Vec::new();
    for slot in set.slots.iter().filter(|slot| has_hook(slot)) {
        let (answers, record) = one(registry, slot, &view, &asked, request, facts);
        for ((edits, findings), answer) in wanted.iter_mut().zip(answers) {
            let judged = |finding| Judged { plugin: slot.name.clone(), mode: slot.config.mode, finding };
            findings.extend(answer.findings.into_iter().map(judged));
            match slot.config.mode {
                PolicyMode::Enforce => edits.extend(answer.edits),
                PolicyMode::Advise => findings.extend(answer.edits.iter().map(advised).map(judged)),
                PolicyMode::Shadow => {}
            }
        }
        decisions.push(record);
    }
    let each = wanted.into_iter().map(|(edits, findings)| together(edits, findings)).collect();
    Transformation { each, decisions }
}

/// What one policy says of one destination.
#[derive(Default)]
struct Answer {
    edits: Vec<Edit>,
    findings: Vec<Finding>,
}

fn one(
    registry: &Registry,
    slot: &Slot,
    view: &Arc<View>,
    asked: &rewrite::Request,
    request: &CheckRequest,
    facts: &Snapshot,
) -> (Vec<Answer>, DecisionRecord) {
    let plugin = plugin_of(&slot.askable);
    let asked: Asked<Vec<Vec<Proposal>>> = match (&slot.askable, plugin) {
        (Askable::Refusing(_, failure), _) => Asked::nothing(failure.clone()),
        (_, Some(plugin)) => plugin.transform(&registry.machine, &slot.caller(), view, asked),
        // Only what is loaded has a hook.
        (_, None) => Asked { answer: Ok(Vec::new()), cost: Default::default(), facts_read: Vec::new() },
    };
    registry.tally.note(&slot.name, Hook::Transform, &asked);
    let mut answers: Vec<Answer> = facts.candidates.iter().map(|_| Answer::default()).collect();
    if let Askable::LastGood(_, trouble) = &slot.askable {
        answers.iter_mut().for_each(|answer| answer.findings.push(older_version(slot, trouble)));
    }
    let mut fault = None;
    match asked.answer {
        Ok(proposals) => {
            for (answer, proposals) in answers.iter_mut().zip(proposals) {
                match resolve(&slot.name, &facts.domain, &proposals) {
                    Ok(edits) => answer.edits = edits,
                    Err(error) => {
                        answer.findings.push(unusable(&slot.name, &error.to_string()));
                        fault = Some(error.to_string());
                    }
                }
            }
        }
        Err(failure) => {
            let finding = failure.finding(&slot.name, slot.file.as_deref());
            answers.iter_mut().for_each(|answer| answer.findings.push(finding.clone()));
            fault = Some(failure.cause);
        }
    }
    let record = DecisionRecord {
        plugin: slot.name.clone(),
        digest: plugin.map_or_else(String::new, |plugin| plugin.digest.clone()),
        hook: Hook::Transform.as_str().to_owned(),
        mode: slot.config.mode,
        settings: slot.config.settings.clone(),
        facts_digest: String::new(),
        facts_read: asked.facts_read,
        answer: describe(facts, &answers),
        fault,
        fuel: asked.cost.fuel,
        micros: asked.cost.micros,
        decided_at: request.decided_at,
    };
    (answers, record)
}

fn describe(facts: &Snapshot, answers: &[Answer]) -> String {
    let mut lines = Vec::new();
    for (candidate, answer) in facts.candidates.iter().zip(answers) {
        let name = &candidate.host.name;
        lines.extend(answer.edits.iter().map(|edit| format!("{name}: {edit} ({})", edit.reason)));
        lines.extend(answer.findings.iter().map(|f| format!("{name}: {} {}: {}", f.severity, f.code, f.message)));
    }
    if lines.is_empty() { "nothing to edit".to_owned() } else { lines.join("\n") }
}

/// All edits of one destination, or why there are none.
fn together(edits: Vec<Edit>, mut findings: Vec<Judged>) -> Transformed {
    let edits = match merge(edits) {
        Ok(edits) => edits,
        Err(conflicts) => {
            findings.extend(conflicts.iter().map(|conflict| Judged {
                plugin: PluginName::new(HOST),
                mode: PolicyMode::Enforce,
                finding: contradiction(conflict),
            }));
            return Transformed { findings, ..Transformed::default() };
        }
    };
    let blocked = findings.iter().any(|j| j.mode == PolicyMode::Enforce && j.weight() == Severity::Blocker);
    Transformed { edits: if blocked { Default::default() } else { edits }, findings }
}

fn unusable(plugin: &PluginName, why: &str) -> Finding {
    Finding {
        code: host_codes::EDIT_UNUSABLE.to_owned(),
        severity: Severity::Blocker,
        message: format!("policy {plugin} wants an edit that can't be made: {why}"),
        evidence: vec![],
        remedy: Some("correct the settings of this policy, or tell its author".to_owned()),
    }
}

fn contradiction(conflict: &Conflict) -> Finding {
    let Conflict { first, second } = conflict;
    let says = |edit: &Edit| {
        let after = edit.after.clone().unwrap_or_else(|| "nothing".to_owned());
        (edit.plugin.to_string(), format!("{after} ({})", edit.reason))
    };
    Finding {
        code: host_codes::EDIT_CONFLICT.to_owned(),
        severity: Severity::Blocker,
        message: format!("{} and {} want different things of {}", first.plugin, second.plugin, first.place()),
        evidence: vec![says(first), says(second)],
        remedy: Some("change the settings of one of them, or take its file out of the plugin folder".to_owned()),
    }
}

fn advised(edit: &Edit) -> Finding {
    Finding {
        code: host_codes::EDIT_ADVISED.to_owned(),
        severity: Severity::Info,
        message: format!("would edit {edit}: {}", edit.reason),
        evidence: vec![],
        remedy: None,
    }
}
