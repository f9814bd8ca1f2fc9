//! The policies as the engine knows them: every precheck asked, every failure a blocker, one recovery policy.

use std::sync::Arc;

use waypost_core::facts::Snapshot;
use waypost_core::finding::{Finding, Severity, host_codes};
use waypost_core::ids::{Moment, PluginName};
use waypost_core::ports::{DecisionRecord, Judgement, Policies, StorageProbe};
use waypost_core::recovery::{RecoveryAnswer, RecoveryQuestion};
use waypost_core::request::CheckRequest;
use waypost_core::verdict::{Judged, PolicyMode, Verdict};

use crate::artifact::{Hook, LoadError};
use crate::bindings::check;
use crate::config::Grant;
use crate::convert;
use crate::entry::Standing;
use crate::failure::{Failure, FailureKind};
use crate::plugin::{Asked, Plugin};
use crate::probe;
use crate::registry::{Registry, Set, Slot};
use crate::runtime::PolicyRuntime;
use crate::view::View;

/// The name under which the host makes findings of its own.
pub const HOST: &str = "waypost";
/// Code of the warning that an older version judged because the newer file can't be loaded.
pub const OLDER_VERSION: &str = "plugin-older-version";

impl Policies for PolicyRuntime {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, probe: Option<&dyn StorageProbe>) -> Judgement {
        let set = self.registry.set();
        let view = self.indexes.view(facts, &request.options.disks);
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

    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        let set = self.registry.set();
        let chosen = choose_recovery(&set);
        let slot = chosen.as_ref().ok().map(|(slot, _)| *slot);
        let asked = match chosen {
            Ok((slot, plugin)) => plugin.recover(&self.registry.machine, &slot.caller(), question),
            Err(failure) => Asked::nothing(failure),
        };
        let name = slot.map(|slot| slot.name.clone()).or_else(|| set.recovery.clone());
        let name = name.unwrap_or_else(|| PluginName::new(HOST));
        let mode = slot.map_or(PolicyMode::Enforce, |slot| slot.config.mode);
        let (answer, fault) = match asked.answer {
            Ok(answer) if mode == PolicyMode::Enforce => (answer, None),
            Ok(answer) => {
                let fault = format!("policy {name} is in mode {mode}, its answer {} is not obeyed", answer.action);
                (RecoveryAnswer::safe(&question.permitted, fault.clone()), Some(fault))
            }
            Err(failure) => {
                let fault = format!("policy {name} {}", failure.cause);
                (RecoveryAnswer::safe(&question.permitted, fault.clone()), Some(fault))
            }
        };
        let record = DecisionRecord {
            plugin: name,
            digest: slot.and_then(|slot| plugin_of(&slot.standing)).map_or_else(String::new, |p| p.digest.clone()),
            hook: Hook::Recovery.as_str().to_owned(),
            mode,
            settings: slot.map_or_else(|| "{}".to_owned(), |slot| slot.config.settings.clone()),
            facts_digest: String::new(),
            facts_read: asked.facts_read,
            answer: format!("{} after {} ms: {}", answer.action, answer.delay_ms, answer.reason),
            fault,
            fuel: asked.cost.fuel,
            micros: asked.cost.micros,
            decided_at: question.decided_at,
        };
        (answer, record)
    }
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
    let plugin = plugin_of(&slot.standing);
    if plugin.is_some_and(|plugin| !plugin.has(Hook::Precheck)) {
        return None;
    }
    let mut about_all = Vec::new();
    let asked = match &slot.standing {
        Standing::Ignored => return None,
        Standing::Broken(trouble) => Asked::nothing(not_loaded(trouble)),
        Standing::Refusing(_, failure) => Asked::nothing(failure.clone()),
        Standing::Ready(plugin) => ask(registry, slot, plugin, view, request, probe),
        Standing::LastGood(plugin, trouble) => {
            about_all.push(older_version(slot, trouble));
            ask(registry, slot, plugin, view, request, probe)
        }
    };
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

fn plugin_of(standing: &Standing) -> Option<&Arc<Plugin>> {
    match standing {
        Standing::Ready(plugin) | Standing::LastGood(plugin, _) | Standing::Refusing(plugin, _) => Some(plugin),
        Standing::Broken(_) | Standing::Ignored => None,
    }
}

fn not_loaded(trouble: &LoadError) -> Failure {
    let remedy = Some(trouble.remedy());
    Failure { remedy, ..Failure::new(FailureKind::NotLoaded, format!("is not loaded: {}", trouble.chain())) }
}

fn older_version(slot: &Slot, trouble: &LoadError) -> Finding {
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

/// Who decides where several could and none is named: the shipped policy that tries least.
pub const DEFAULT_RECOVERY: &str = "recovery-conservative";

/// The one who is named; else the only one there is; else the shipped default, if it is one of them.
fn choose_recovery(set: &Set) -> Result<(&Slot, &Arc<Plugin>), Failure> {
    let usable = |slot: &Slot| plugin_of(&slot.standing).is_some_and(|plugin| plugin.has(Hook::Recovery));
    let not_loaded_here = |cause: &str| Failure::new(FailureKind::NotLoaded, cause);
    let slot = match &set.recovery {
        Some(name) => {
            let slot = set.slots.iter().find(|slot| slot.name == *name);
            slot.ok_or_else(|| not_loaded_here("is named for recovery and is not in any plugin folder"))?
        }
        None => {
            let obeyed: Vec<&Slot> =
                set.slots.iter().filter(|slot| usable(slot) && slot.config.mode == PolicyMode::Enforce).collect();
            let default = obeyed.iter().find(|slot| slot.name.as_str() == DEFAULT_RECOVERY);
            match (obeyed.as_slice(), default) {
                ([], _) => return Err(not_loaded_here("has to decide: no recovery policy is loaded")),
                ([slot], _) | (_, Some(slot)) => *slot,
                ([a, b, ..], None) => {
                    let cause =
                        format!("has to decide: {} and {} are both recovery policies, name one", a.name, b.name);
                    return Err(not_loaded_here(&cause));
                }
            }
        }
    };
    match &slot.standing {
        Standing::Refusing(_, failure) => Err(failure.clone()),
        Standing::Broken(trouble) => Err(not_loaded(trouble)),
        Standing::Ignored => Err(not_loaded_here("is named for recovery and switched off")),
        Standing::Ready(plugin) | Standing::LastGood(plugin, _) if usable(slot) => Ok((slot, plugin)),
        Standing::Ready(_) | Standing::LastGood(..) => Err(not_loaded_here("has no recovery hook")),
    }
}
