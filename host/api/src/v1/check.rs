//! What the rules say, and what would be done.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waypost_core::edit::{self, EditKind};
use waypost_core::facts::Snapshot;
use waypost_core::finding::Severity;
use waypost_core::plan;
use waypost_core::ports::DecisionRecord;
use waypost_core::tree::Shape as _;
use waypost_core::verdict::{self, Judged};

use crate::json;
use crate::time::rfc3339;

use super::foretold::{Prediction, Writing};

/// A check of one domain against its candidate destinations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// Name on the source.
    pub domain: String,
    /// UUID.
    pub id: String,
    /// `running`, `paused`, `shut-off`, ...
    pub state: String,
    /// Host it is on.
    pub source: String,
    /// When the facts were read.
    pub taken_at: String,
    /// SHA-256 of the canonical facts.
    pub facts_digest: String,
    /// One per destination, in the order asked.
    pub verdicts: Vec<Verdict>,
    /// What each policy did.
    pub decisions: Vec<Decision>,
}

impl Check {
    /// From its parts; plans are added where they were asked for.
    pub fn new(facts: &Snapshot, digest: &str, verdicts: &[verdict::Verdict], decisions: &[DecisionRecord]) -> Self {
        Self {
            domain: facts.domain.name.clone(),
            id: facts.domain.id.to_string(),
            state: facts.domain.state.to_string(),
            source: facts.source.name.to_string(),
            taken_at: rfc3339(facts.taken_at),
            facts_digest: digest.to_owned(),
            verdicts: verdicts.iter().map(Verdict::from).collect(),
            decisions: decisions.iter().map(Decision::from).collect(),
        }
    }
}

/// What a migration would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DryRun {
    /// Every choice; null where it was refused or can't be planned.
    pub plan: Option<Plan>,
    /// The same choices and those around it (policies, attempts, slots), in words, each with where it comes from; empty
    /// without a plan.
    pub choices: Vec<Choice>,
    /// Why no plan can be made; it is among the findings too.
    pub plan_error: Option<String>,
    /// What is expected of the transfer; null where it was not measured, and where no bandwidth is known.
    pub prediction: Option<Prediction>,
    /// What was measured of the guest, also where no bandwidth is known; null where it was not measured.
    #[serde(default)]
    pub writing: Option<Writing>,
    /// What the rules say.
    pub check: Check,
    /// What was touched to know all this, after the words "nothing was touched": empty, or what a storage probe made.
    #[serde(default)]
    pub touched: String,
}

/// A choice of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Choice {
    /// What is chosen: `transport`, `bandwidth`, `disk`, ...
    pub choice: String,
    /// What it comes to, for people.
    pub words: String,
    /// `asked`, `default`, `network`, `convergence-policy`, `configuration`, `facts`.
    pub from: String,
    /// Whether it stands around the plan, as a policy that would be asked, and is no part of it.
    #[serde(default)]
    pub around: bool,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)?;
        match self.from.as_str() {
            "default" => f.write_str(" (default)"),
            "network" => f.write_str(" (as its network has it)"),
            "convergence-policy" => f.write_str(" (as the convergence policy has it)"),
            "configuration" => f.write_str(" (as the configuration has it)"),
            _ => Ok(()),
        }
    }
}

/// What all findings about one destination come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// Destination.
    pub destination: String,
    /// `allowed` or `refused`.
    pub decision: String,
    /// Everything that was found, also by policies in shadow mode.
    pub findings: Vec<Finding>,
    /// What would be done; null where it was refused, not asked for, or can't be planned.
    pub plan: Option<Plan>,
    /// Why no plan can be made; it is among the findings too.
    pub plan_error: Option<String>,
}

impl From<&verdict::Verdict> for Verdict {
    fn from(verdict: &verdict::Verdict) -> Self {
        Self {
            destination: verdict.destination.to_string(),
            decision: verdict.decision().to_string(),
            findings: verdict.findings.iter().map(Finding::from).collect(),
            plan: None,
            plan_error: None,
        }
    }
}

impl Verdict {
    /// Whether a migration may go there.
    pub fn is_allowed(&self) -> bool {
        self.decision == verdict::Decision::Allowed.as_str()
    }

    /// What people are shown: a policy in shadow mode is on trial, and says nothing to them.
    pub fn shown(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.mode != verdict::PolicyMode::Shadow.as_str())
    }

    /// `refused by 2 blockers, 1 warning`.
    pub fn headline(&self) -> String {
        let count = |severity: Severity| self.shown().filter(|found| found.weight == severity.as_str()).count();
        let some = |n: usize, word: &str| match n {
            0 => None,
            1 => Some(format!("1 {word}")),
            n => Some(format!("{n} {word}s")),
        };
        let blockers = some(count(Severity::Blocker), "blocker");
        let (warnings, notes) = (some(count(Severity::Warning), "warning"), some(count(Severity::Info), "note"));
        let rest: Vec<_> = [warnings, notes].into_iter().flatten().collect();
        let mut text = match blockers.filter(|_| !self.is_allowed()) {
            Some(blockers) => format!("refused by {blockers}"),
            None => self.decision.clone(),
        };
        if !rest.is_empty() {
            text.push_str(if text.starts_with("refused") { ", " } else { " with " });
            text.push_str(&rest.join(", "));
        }
        text
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// Stable code.
    pub code: String,
    /// `info`, `warning`, `blocker`: as the policy said it.
    pub severity: String,
    /// The weight that counts: an advising policy's blocker is a warning.
    pub weight: String,
    /// One sentence.
    pub message: String,
    /// What was compared.
    pub evidence: Vec<Evidence>,
    /// What a person can do.
    pub remedy: Option<String>,
    /// Policy that found it; `waypost` for the host itself.
    pub plugin: String,
    /// `enforce`, `advise`, `shadow`.
    pub mode: String,
}

impl From<&Judged> for Finding {
    fn from(judged: &Judged) -> Self {
        let finding = &judged.finding;
        Self {
            code: finding.code.clone(),
            severity: finding.severity.to_string(),
            weight: judged.weight().to_string(),
            message: finding.message.clone(),
            evidence: finding
                .evidence
                .iter()
                .map(|(name, value)| Evidence { name: name.clone(), value: value.clone() })
                .collect(),
            remedy: finding.remedy.clone(),
            plugin: judged.plugin.to_string(),
            mode: judged.mode.to_string(),
        }
    }
}

/// A name and a value. A list of them keeps its order and may repeat a name, which an object could not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// Every choice of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// Attempt, from 1.
    pub attempt: u32,
    /// UUID.
    pub id: String,
    /// Name on the source.
    pub domain: String,
    /// Name on the destination.
    pub destination_name: String,
    /// From.
    pub source: PlanEnd,
    /// To.
    pub destination: PlanEnd,
    /// URI by which the source's daemon reaches the destination's.
    pub peer_uri: String,
    /// `live` or `offline`.
    pub mode: String,
    /// `running`, `paused`, `shut-off`: before.
    pub initially: String,
    /// The same, after.
    pub finally: String,
    /// `undefine`, `keep-without-autostart`, `none`.
    pub source_definition: String,
    /// `define`, `transient-only`.
    pub destination_definition: String,
    /// `on`, `off`: on the destination.
    pub autostart: String,
    /// `absent`, `defined`: what the destination held before.
    pub destination_before: String,
    /// `checked`, `unsafe`.
    pub storage: String,
    /// Where the memory is sent; null: libvirt's choice.
    pub migrate_uri: Option<String>,
    /// Where the destination listens; null: libvirt's choice.
    pub listen_address: Option<String>,
    /// Limit; null: none.
    pub bandwidth_mib_s: Option<u64>,
    /// Limit; null: the hypervisor's default.
    pub max_downtime_ms: Option<u64>,
    /// Time for the whole transfer.
    pub timeout_s: u64,
    /// `peer-to-peer`, `direct`, `tunnelled`.
    pub transport: String,
    /// The stream, with the keys of `waypost_core::stream::Stream`.
    #[schema(value_type = Object)]
    pub stream: serde_json::Value,
    /// Disks that travel along, with the keys of `waypost_core::stream::Disks`.
    #[schema(value_type = Object)]
    pub disks: serde_json::Value,
    /// What each of them needs on the destination, with the keys of `waypost_core::copies::CopiedDisk`.
    #[schema(value_type = Vec<Object>)]
    pub copies: Vec<serde_json::Value>,
    /// Migration network; null: none was chosen.
    pub network: Option<String>,
    /// What may stand in for it where a post-copy is resumed, with the keys of `waypost_core::network::Detour`.
    #[schema(value_type = Vec<Object>)]
    pub detours: Vec<serde_json::Value>,
    /// Memory of the domain.
    pub memory_bytes: Option<u64>,
    /// What is edited in the definition on its way.
    pub edits: Vec<Edit>,
    /// What a person should know of these choices.
    pub notes: Vec<String>,
}

/// One edit of the definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Edit {
    /// Policy that wants it.
    pub plugin: String,
    /// Kind of place: `disk-source`, `interface-source`, ...
    pub kind: String,
    /// Which of them; null where there is only one.
    pub device: Option<String>,
    /// What stands there; null: nothing.
    pub before: Option<String>,
    /// What shall stand there; null: nothing.
    pub after: Option<String>,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = EditKind::parse(&self.kind).map(|kind| edit::place(kind, self.device.as_deref()));
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "{}: {} becomes {}", place.as_ref().unwrap_or(&self.kind), text(&self.before), text(&self.after))
    }
}

impl From<&edit::Edit> for Edit {
    fn from(edit: &edit::Edit) -> Self {
        let edit::Edit { plugin, kind, device, before, after, reason } = edit.clone();
        Self { plugin: plugin.to_string(), kind: kind.to_string(), device, before, after, reason }
    }
}

/// One end of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanEnd {
    /// Configured name.
    pub host: String,
    /// Host UUID.
    pub uuid: Option<String>,
}

impl From<&plan::End> for PlanEnd {
    fn from(end: &plan::End) -> Self {
        Self { host: end.host.to_string(), uuid: end.uuid.map(|uuid| uuid.to_string()) }
    }
}

impl From<&plan::Plan> for Plan {
    fn from(plan: &plan::Plan) -> Self {
        Self {
            attempt: plan.attempt,
            id: plan.domain.to_string(),
            domain: plan.name.clone(),
            destination_name: plan.destination_name.clone(),
            source: PlanEnd::from(&plan.source),
            destination: PlanEnd::from(&plan.destination),
            peer_uri: plan.peer_uri.clone(),
            mode: plan.mode.to_string(),
            initially: plan.initially.to_string(),
            finally: plan.finally.to_string(),
            source_definition: plan.source_fate.to_string(),
            destination_definition: plan.destination_fate.to_string(),
            autostart: plan.autostart.to_string(),
            destination_before: plan.destination_before.to_string(),
            storage: plan.storage.to_string(),
            migrate_uri: plan.migrate_uri.clone(),
            listen_address: plan.listen_address.clone(),
            bandwidth_mib_s: plan.bandwidth_mib_s,
            max_downtime_ms: plan.max_downtime_ms,
            timeout_s: plan.timeout_s,
            transport: plan.transport.to_string(),
            stream: json::value(&plan.stream.to_tree()),
            disks: json::value(&plan.disks.to_tree()),
            copies: plan.copies.0.iter().map(|disk| json::value(&disk.to_tree())).collect(),
            network: plan.network.clone(),
            detours: plan.detours.0.iter().map(|detour| json::value(&detour.to_tree())).collect(),
            memory_bytes: plan.memory_bytes,
            edits: plan.edits.0.iter().map(Edit::from).collect(),
            notes: plan.notes.0.clone(),
        }
    }
}

/// What one policy was asked and answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// Policy.
    pub plugin: String,
    /// SHA-256 of its file.
    pub digest: String,
    /// `precheck`, `transform`, `recovery`, `convergence`.
    pub hook: String,
    /// `enforce`, `advise`, `shadow`.
    pub mode: String,
    /// Its settings, JSON text; null for whoever may not change policies, because they may hold secrets.
    pub settings: Option<String>,
    /// SHA-256 of the facts.
    pub facts_digest: String,
    /// Which facts it read.
    pub facts_read: Vec<String>,
    /// Its answer, readable.
    pub answer: String,
    /// Why there was no usable answer.
    pub fault: Option<String>,
    /// Fuel used.
    pub fuel: u64,
    /// Time used, µs.
    pub micros: u64,
    /// When.
    pub decided_at: String,
}

impl From<&DecisionRecord> for Decision {
    fn from(record: &DecisionRecord) -> Self {
        Self {
            plugin: record.plugin.to_string(),
            digest: record.digest.clone(),
            hook: record.hook.clone(),
            mode: record.mode.to_string(),
            settings: Some(record.settings.clone()),
            facts_digest: record.facts_digest.clone(),
            facts_read: record.facts_read.clone(),
            answer: record.answer.clone(),
            fault: record.fault.clone(),
            fuel: record.fuel,
            micros: record.micros,
            decided_at: rfc3339(record.decided_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use waypost_core::finding;
    use waypost_core::verdict::PolicyMode;

    use super::*;

    fn verdict(findings: &[(PolicyMode, Severity)]) -> Verdict {
        let judged = |&(mode, severity): &(PolicyMode, Severity)| Judged {
            plugin: "p".into(),
            mode,
            finding: finding::Finding {
                code: "c".into(),
                severity,
                message: "m".into(),
                evidence: vec![],
                remedy: None,
            },
        };
        let findings = findings.iter().map(judged).collect();
        Verdict::from(&verdict::Verdict { destination: "b".into(), findings })
    }

    #[test]
    fn a_headline_counts_what_is_shown() {
        use PolicyMode::{Advise, Enforce, Shadow};
        assert_eq!(verdict(&[]).headline(), "allowed");
        assert_eq!(verdict(&[(Shadow, Severity::Blocker)]).headline(), "allowed");
        assert_eq!(
            verdict(&[(Advise, Severity::Blocker), (Enforce, Severity::Info)]).headline(),
            "allowed with 1 warning, 1 note"
        );
        let two = verdict(&[(Enforce, Severity::Blocker), (Enforce, Severity::Blocker), (Enforce, Severity::Warning)]);
        assert_eq!(two.headline(), "refused by 2 blockers, 1 warning");
    }

    #[test]
    fn an_edit_is_told_in_the_words_of_the_core() {
        for (kind, device) in
            [(EditKind::DiskSource, Some("vda")), (EditKind::Title, None), (EditKind::CpuPin, Some("vcpu 0"))]
        {
            let edit = edit::Edit {
                plugin: "p".into(),
                kind,
                device: device.map(str::to_owned),
                before: None,
                after: Some("x".into()),
                reason: "r".into(),
            };
            assert_eq!(Edit::from(&edit).to_string(), edit.to_string());
        }
    }
}
