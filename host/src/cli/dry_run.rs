//! `waypost migrate --dry-run`: what the rules say, every choice of the plan, and what stands around it: who would be asked
//! on the way, how often it may be tried, and how many migrations may run beside it.

use waypost::api::v1::{self, Document};
use waypost::choices::{around, choices};
use waypost::service::documents::check as document;
use waypost::{MigrationRequest, Waypost};

use super::app::App;
use super::exit::Exit;
use super::output::Tone;
use super::{check, plan};

pub async fn run(app: &App, waypost: &Waypost, request: MigrationRequest) -> anyhow::Result<Exit> {
    let destination = request.destination.clone();
    let out = app.out;
    let report = waypost.engine().check(&request.into()).await?;
    check::show(out, &report);
    // A plan that can't be made is among the findings.
    let planned = waypost.engine().dry_run(&report, &destination).await?.and_then(Result::ok);
    let asked = report.options();
    let (mut made, mut beside) = (Vec::new(), Vec::new());
    if let Some(planned) = &planned {
        made = choices(&planned.plan, asked, Some(&report.facts.domain.disks));
        beside = around(&app.config()?, waypost.policies(), asked, &planned.plan);
        plan::show(&out, &planned.plan, &made);
        out.line(out.tone(Tone::Strong, "around it"));
        beside.iter().for_each(|choice| out.line(format!("  {choice}")));
        planned.prediction.iter().for_each(|prediction| plan::show_prediction(&out, prediction));
    }
    let check = document(&report);
    out.document(Document::DryRun(Box::new(v1::DryRun {
        plan: planned.as_ref().map(|planned| v1::Plan::from(&planned.plan)),
        choices: made.iter().chain(&beside).map(v1::Choice::from).collect(),
        prediction: planned.as_ref().and_then(|planned| planned.prediction.as_ref()).map(v1::Prediction::from),
        plan_error: check.verdicts.iter().find_map(|verdict| verdict.plan_error.clone()),
        check,
    })));
    out.line("dry run: nothing was touched");
    Ok(if planned.is_some() { Exit::Done } else { Exit::Refused })
}
