//! `waypost migrate --dry-run`: what the rules say, every choice of the plan, and what stands around it: who would be asked
//! on the way, how often it may be tried, and how many migrations may run beside it.

use waypost::MigrationRequest;
use waypost::api::v1::Document;

use super::answers::Mover;
use super::exit::Exit;
use super::output::{Out, Tone};
use super::{check, plan};

pub async fn run(out: Out, mover: &Mover, request: MigrationRequest) -> anyhow::Result<Exit> {
    let told = mover.dry_run(request).await?;
    check::show(out, &told.check);
    if let Some(plan) = &told.plan {
        plan::show(&out, plan, &told.choices);
        out.line(out.tone(Tone::Strong, "around it"));
        told.choices.iter().filter(|choice| choice.around).for_each(|choice| out.line(format!("  {choice}")));
        plan::show_expected(&out, plan, told.prediction.as_ref(), told.writing.as_ref());
    }
    let (exit, touched) = (if told.plan.is_some() { Exit::Done } else { Exit::Refused }, told.touched.clone());
    out.document(Document::DryRun(Box::new(told)));
    out.line(format!("dry run: nothing was touched{touched}"));
    Ok(exit)
}
