//! `waypost migrate --dry-run`: what the rules say, every choice of the plan, and what stands around it: who would be asked
//! on the way, how often it may be tried, and how many migrations may run beside it.

use waypost::api::v1::{self, Document};
use waypost::core::plan::Plan;
use waypost::core::queue::Priority;
use waypost::{MigrationRequest, Options, Question, Targets, Waypost};
use waypost_policy::Hook;

use super::app::App;
use super::exit::Exit;
use super::output::Tone;
use super::plan::{Choice, Origin};
use super::{check, plan};

pub async fn run(app: &App, waypost: &Waypost, request: MigrationRequest) -> anyhow::Result<Exit> {
    let question = Question {
        domain: request.domain,
        source: request.source,
        targets: Targets::These(vec![request.destination.clone()]),
        options: request.options,
        requester: request.requester,
    };
    let out = app.out;
    let report = waypost.engine().check(&question).await?;
    check::show(out, &report);
    // A plan that can't be made is among the findings.
    let planned = waypost.engine().dry_run(&report, &request.destination).await?.and_then(Result::ok);
    let asked = report.options();
    let (mut choices, mut around) = (Vec::new(), Vec::new());
    if let Some(planned) = &planned {
        choices = plan::choices(&planned.plan, asked, Some(&report.facts.domain.disks));
        around = around_it(app, waypost, asked, &planned.plan)?;
        plan::show(&out, &planned.plan, &choices);
        out.line(out.tone(Tone::Strong, "around it"));
        around.iter().for_each(|choice| out.line(format!("  {choice}")));
        planned.prediction.iter().for_each(|prediction| plan::show_prediction(&out, prediction));
    }
    let check = check::document(&report);
    out.document(Document::DryRun(Box::new(v1::DryRun {
        plan: planned.as_ref().map(|planned| v1::Plan::from(&planned.plan)),
        choices: choices.iter().chain(&around).map(v1::Choice::from).collect(),
        prediction: planned.as_ref().and_then(|planned| planned.prediction.as_ref()).map(v1::Prediction::from),
        plan_error: check.verdicts.iter().find_map(|verdict| verdict.plan_error.clone()),
        check,
    })));
    out.line("dry run: nothing was touched");
    Ok(if planned.is_some() { Exit::Done } else { Exit::Refused })
}

fn around_it(app: &App, waypost: &Waypost, asked: &Options, plan: &Plan) -> anyhow::Result<Vec<Choice>> {
    let config = app.config()?;
    let named = |name: &Option<waypost::PluginName>| if name.is_some() { Origin::Site } else { Origin::Default };
    let attempts = match asked.attempts.unwrap_or(config.engine.max_attempts) {
        1 => "1 attempt".to_owned(),
        most => format!("up to {most} attempts, where the recovery policy tries again"),
    };
    let slots = &config.engine.slots;
    let shared = plan.network.as_ref().and_then(|network| Some((network, slots.networks.get(network)?)));
    let network = shared.map(|(network, most)| format!(", at most {most} share {network}")).unwrap_or_default();
    let default_slots = waypost::core::queue::SlotLimits::default() == *slots;
    Ok(vec![
        Choice::new("attempts", Origin::asked(asked.attempts.is_some()), attempts),
        Choice::new(
            "convergence-policy",
            named(&config.policies.convergence),
            format!("asked while it runs: {}", who(waypost, Hook::Convergence)),
        ),
        Choice::new(
            "recovery-policy",
            named(&config.policies.recovery),
            format!("asked after a failure: {}", who(waypost, Hook::Recovery)),
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
    ])
}

fn who(waypost: &Waypost, hook: Hook) -> String {
    match waypost.policies().asked_for(hook) {
        None => "nobody, no such policy is loaded".to_owned(),
        Some(asked) => match asked.trouble {
            Some(trouble) => format!("{}, which {trouble}", asked.name),
            None => format!("{}, mode {}", asked.name, asked.mode),
        },
    }
}
