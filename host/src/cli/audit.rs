//! `waypost audit`: who changed what.

use waypost::api::v1::{AuditPage, Document};
use waypost::core::access::AuditQuery;

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
