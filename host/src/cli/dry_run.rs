//! `waypost migrate --dry-run`: what the rules say, every choice of the plan, and what stands around it: who would be asked
//! on the way, how often it may be tried, and how many migrations may run beside it.

use waypost::api::v1::{self, Document};
use waypost::choices::{around, choices};
use waypost::service::documents;
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
    let answer = waypost.engine().dry_run(&report, &destination).await?;
    // A plan that can't be made is among the findings.
    let planned = answer.as_ref().and_then(|planned| planned.as_ref().ok());
    let asked = report.options();
    let (mut made, mut beside) = (Vec::new(), Vec::new());
    if let Some(planned) = planned {
        made = choices(&planned.plan, asked, Some(&report.facts.domain.disks));
        beside = around(&app.config()?, waypost.policies(), asked, &planned.plan);
        plan::show(&out, &planned.plan, &made);
        out.line(out.tone(Tone::Strong, "around it"));
        beside.iter().for_each(|choice| out.line(format!("  {choice}")));
        planned.prediction.iter().for_each(|prediction| plan::show_prediction(&out, prediction));
    }
    let choices = made.iter().chain(&beside).map(v1::Choice::from).collect();
    out.document(Document::DryRun(Box::new(documents::dry_run(&report, answer.as_ref(), choices))));
    out.line(format!("dry run: nothing was touched{}", report.touched()));
    Ok(if planned.is_some() { Exit::Done } else { Exit::Refused })
}
