//! The hooks of which one policy is asked: who that is, and what its word comes to.
//!
//! The one that the site names; else the only one that would be obeyed; of several the one that is shipped as the
//! default. Where none would be obeyed, one that only advises or shadows is asked nevertheless: its answer is recorded,
//! which is what it is there for.

use std::sync::Arc;

use waypost_core::ids::{Moment, PluginName};
use waypost_core::ports::DecisionRecord;
use waypost_core::verdict::PolicyMode;

use crate::artifact::Hook;
use crate::call::{Caller, Cost};
use crate::config::{CONVERGENCE, RECOVERY};
use crate::entry::Askable;
use crate::failure::{Failure, FailureKind};
use crate::plugin::{Asked, Plugin};
use crate::policies::{HOST, not_loaded, plugin_of};
use crate::registry::{Set, Slot};
use crate::runtime::AskedPolicy;
use crate::tally::Tally;

/// Who is asked, or would be if it could.
pub(crate) struct Chosen<'s> {
    name: PluginName,
    slot: Option<&'s Slot>,
    plugin: Result<&'s Arc<Plugin>, Failure>,
}

impl<'s> Chosen<'s> {
    fn none(name: PluginName, cause: impl Into<String>) -> Self {
        Self { name, slot: None, plugin: Err(Failure::new(FailureKind::NotLoaded, cause)) }
    }

    fn of(slot: &'s Slot, hook: Hook) -> Self {
        let failure = |cause: String| Failure::new(FailureKind::NotLoaded, cause);
        let plugin = match &slot.askable {
            Askable::Refusing(_, failure) => Err(failure.clone()),
            Askable::Broken(trouble) => Err(not_loaded(trouble)),
            Askable::Ignored => Err(failure(format!("is named for {hook} and switched off"))),
            Askable::Ready(plugin) | Askable::LastGood(plugin, _) if plugin.has(hook) => Ok(plugin),
            Askable::Ready(_) | Askable::LastGood(..) => Err(failure(format!("has no {hook} hook"))),
        };
        Self { name: slot.name.clone(), slot: Some(slot), plugin }
    }
}

impl Chosen<'_> {
    /// For people.
    pub fn told(&self) -> AskedPolicy {
        AskedPolicy {
            name: self.name.clone(),
            mode: self.slot.map_or(PolicyMode::Enforce, |slot| slot.config.mode),
            trouble: self.plugin.as_ref().err().map(|failure| failure.cause.clone()),
        }
    }
}

/// Who is asked; none: there is nobody for this hook.
pub(crate) fn choose(set: &Set, hook: Hook) -> Option<Chosen<'_>> {
    let (named, default) = match hook {
        Hook::Recovery => (&set.recovery, RECOVERY),
        Hook::Convergence => (&set.convergence, CONVERGENCE),
        // All of these are asked.
        Hook::Precheck | Hook::Transform => return None,
    };
    if let Some(name) = named {
        return Some(match set.slots.iter().find(|slot| slot.name == *name) {
            Some(slot) => Chosen::of(slot, hook),
            None => Chosen::none(name.clone(), format!("is named for {hook} and is not in any plugin folder")),
        });
    }
    let has_hook = |slot: &&Slot| plugin_of(&slot.askable).is_some_and(|plugin| plugin.has(hook));
    let (obeyed, others): (Vec<&Slot>, Vec<&Slot>) =
        set.slots.iter().filter(has_hook).partition(|slot| slot.config.mode == PolicyMode::Enforce);
    // A default that is broken is not replaced by another in silence.
    let broken =
        set.slots.iter().find(|slot| slot.name.as_str() == default && matches!(slot.askable, Askable::Broken(_)));
    match (&obeyed[..], broken) {
        ([one], None) => Some(Chosen::of(one, hook)),
        ([], None) if hook == Hook::Convergence => pick(&others, default, hook),
        ([], None) => None,
        ([], Some(slot)) => Some(Chosen::of(slot, hook)),
        (_, Some(slot)) => Some(Chosen::of(slot, hook)),
        (several, None) => pick(several, default, hook),
    }
}

/// The default among several, or the only one.
fn pick<'s>(slots: &[&'s Slot], default: &str, hook: Hook) -> Option<Chosen<'s>> {
    match (slots.iter().find(|slot| slot.name.as_str() == default), slots) {
        (Some(slot), _) => Some(Chosen::of(slot, hook)),
        (None, []) => None,
        (None, [one]) => Some(Chosen::of(one, hook)),
        (None, [a, b, ..]) => {
            let cause = format!("does not choose: {} and {} are both {hook} policies, name one", a.name, b.name);
            Some(Chosen::none(PluginName::new(HOST), cause))
        }
    }
}

/// What a policy said, and what is recorded of that.
pub(crate) struct Word<T> {
    name: PluginName,
    mode: PolicyMode,
    digest: String,
    settings: String,
    answer: Result<T, Failure>,
    facts_read: Vec<String>,
    cost: Cost,
}

impl<T> Word<T> {
    /// Asks, and counts it.
    pub fn of(
        chosen: &Chosen<'_>,
        tally: &Tally,
        hook: Hook,
        ask: impl FnOnce(&Plugin, &Caller<'_>) -> Asked<T>,
    ) -> Self {
        let asked = match (&chosen.plugin, chosen.slot) {
            (Ok(plugin), Some(slot)) => ask(plugin, &slot.caller()),
            (Ok(_), None) => Asked::nothing(Failure::new(FailureKind::NotLoaded, "is in no plugin folder")),
            (Err(failure), _) => Asked::nothing(failure.clone()),
        };
        tally.note(&chosen.name, hook, &asked);
        Self::said_by(chosen, asked)
    }

    fn said_by(chosen: &Chosen<'_>, asked: Asked<T>) -> Self {
        let slot = chosen.slot;
        Self {
            name: chosen.name.clone(),
            mode: slot.map_or(PolicyMode::Enforce, |slot| slot.config.mode),
            digest: slot.and_then(|slot| plugin_of(&slot.askable)).map_or_else(String::new, |p| p.digest.clone()),
            settings: slot.map_or_else(|| "{}".to_owned(), |slot| slot.config.settings.clone()),
            answer: asked.answer,
            facts_read: asked.facts_read,
            cost: asked.cost,
        }
    }

    /// What stands for a word where nobody can be asked.
    pub fn nobody(cause: &str) -> Self {
        let chosen = Chosen::none(PluginName::new(HOST), cause);
        Self::said_by(&chosen, Asked::nothing(Failure::new(FailureKind::NotLoaded, cause)))
    }

    pub fn name(&self) -> &PluginName {
        &self.name
    }

    /// The answer, obeyed or not.
    pub fn said(&self) -> Option<&T> {
        self.answer.as_ref().ok()
    }

    /// The answer, or why it is not done: there is none, or the site doesn't obey this policy.
    pub fn obeyed(&self, describe: impl FnOnce(&T) -> String) -> Result<&T, String> {
        match &self.answer {
            Ok(answer) if self.mode == PolicyMode::Enforce => Ok(answer),
            Ok(answer) => Err(format!(
                "policy {} is in mode {}, its answer {} is not obeyed",
                self.name,
                self.mode,
                describe(answer)
            )),
            Err(failure) => Err(format!("policy {} {}", self.name, failure.cause)),
        }
    }

    /// For the record.
    pub fn record(self, hook: Hook, answer: String, fault: Option<String>, decided_at: Moment) -> DecisionRecord {
        DecisionRecord {
            plugin: self.name,
            digest: self.digest,
            hook: hook.as_str().to_owned(),
            mode: self.mode,
            settings: self.settings,
            facts_digest: String::new(),
            facts_read: self.facts_read,
            answer,
            fault,
            fuel: self.cost.fuel,
            micros: self.cost.micros,
            decided_at,
        }
    }
}
