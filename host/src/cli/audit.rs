//! `waypost audit`: who changed what, and what of that is kept.

use waypost::api::time::rfc3339;
use waypost::api::v1::{AuditPage, AuditPruned, Document};
use waypost::core::access::AuditQuery;
use waypost::{state, wiring};

use super::answers::Answers;
use super::app::App;
use super::args;
use super::exit::Exit;

pub fn run(app: &App, args: args::Audit) -> anyhow::Result<Exit> {
    let query = AuditQuery { before: args.before, who: args.who, task: args.task };
    let answers = Answers::of(app)?;
    let AuditPage { entries, next } = answers.block_on(async { answers.audit(&query, args.limit).await })?;
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    app.out.table(
        &["number", "at", "who", "proof", "from", "what", "domain", "host", "task", "outcome", "reason"],
        entries.iter().map(|entry| {
            vec![
                entry.number.to_string(),
                entry.at.clone(),
                entry.who.clone(),
                entry.proof.clone(),
                entry.from.clone(),
                entry.what.clone(),
                or_none(&entry.domain),
                or_none(&entry.host),
                or_none(&entry.task),
                or_none(&entry.outcome),
                or_none(&entry.reason),
            ]
        }),
    );
    if let Some(next) = next {
        app.out.note(format!("there are more: --before {next}"));
    }
    app.out.document(Document::Audit(AuditPage { entries, next }));
    Ok(Exit::Done)
}

pub fn prune(
    app: &App,
    args::AuditCommand::Prune { older_than, keep, reason }: args::AuditCommand,
) -> anyhow::Result<Exit> {
    let folder = wiring::state_folder(&app.config()?, &app.world());
    let (pruned, before) = state::prune_audit(&folder, (app.requester(), reason), older_than, keep)?;
    let state::AuditPruned { entries, left, number } = pruned;
    let before = rfc3339(before);
    app.out.line(format!(
        "{entries} entries of the audit log are forgotten: those before {before}, and all but the newest {keep}; {left} are left"
    ));
    if let Some(number) = number {
        app.out.note(format!("entry {number} says so"));
    }
    app.out.document(Document::AuditPruned(AuditPruned { entries, before, keep, left, number }));
    Ok(Exit::Done)
}
