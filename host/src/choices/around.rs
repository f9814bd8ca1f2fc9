//! What stands around a plan.

use waypost_core::ids::PluginName;
use waypost_core::plan::Plan;
use waypost_core::queue::Priority;
use waypost_core::request::Options;
use waypost_policy::{Hook, PolicyRuntime};

use super::{Choice, Origin};
use crate::config::Config;

/// Who would be asked on the way, how often it may be tried, and how many migrations may run beside it.
pub fn around(config: &Config, policies: &PolicyRuntime, asked: &Options, plan: &Plan) -> Vec<Choice> {
    let named = |name: &Option<PluginName>| if name.is_some() { Origin::Site } else { Origin::Default };
    let attempts = match asked.attempts.unwrap_or(config.engine.max_attempts) {
        1 => "1 attempt".to_owned(),
        // Whether it ever does is the policy's own to say.
        most => match policies.asked_for(Hook::Recovery) {
            Some(asked) => format!("1 attempt, and up to {most} in all if {} tries again", asked.name),
            None => "1 attempt: no recovery policy is loaded that could try again".to_owned(),
        },
    };
    let slots = &config.engine.slots;
    let shared = plan.network.as_ref().and_then(|network| Some((network, slots.networks.get(network)?)));
    let network = shared.map(|(network, most)| format!(", at most {most} share {network}")).unwrap_or_default();
    let default_slots = waypost_core::queue::SlotLimits::default() == *slots;
    vec![
        Choice::new("attempts", Origin::asked(asked.attempts.is_some()), attempts),
        Choice::new(
            "convergence-policy",
            named(&config.policies.convergence),
            format!("asked while it runs: {}", who(policies, Hook::Convergence)),
        ),
        Choice::new(
            "recovery-policy",
            named(&config.policies.recovery),
            format!("asked after a failure: {}", who(policies, Hook::Recovery)),
        ),
        Choice::new(
            "priority",
            Origin::asked(asked.priority != Priority::Normal),
            format!("priority {} among those that wait", asked.priority),
        ),
        Choice::new(
            "slots",
            if default_slots { Origin::Default } else { Origin::Site },
            format!(
                "at most {} leave {} and {} enter {} at once{network}",
                slots.outgoing_per_host, plan.source.host, slots.incoming_per_host, plan.destination.host
            ),
        ),
    ]
}

fn who(policies: &PolicyRuntime, hook: Hook) -> String {
    match policies.asked_for(hook) {
        None => "nobody, no such policy is loaded".to_owned(),
        Some(asked) => match asked.trouble {
            Some(trouble) => format!("{}, which {trouble}", asked.name),
            None => format!("{}, mode {}", asked.name, asked.mode),
        },
    }
}
