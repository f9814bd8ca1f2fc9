//! `waypost check`: what the rules say, once or for as long as somebody watches.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use waypost::api::v1::Document;
use waypost::core::verdict::{Decision, Verdict};
use waypost::service::documents::check as document;
use waypost::wiring::Watching;
use waypost::{CheckReport, DomainKey, HostName, Question, Targets, Waypost};

use super::app::App;
use super::args;
use super::exit::Exit;
use super::findings;
use super::output::{Out, Tone};
use super::plan;

/// What nothing tells of - free memory, another domain's start - is noticed by asking again after this time.
const AGAIN: Duration = Duration::from_secs(10);

pub fn run(app: &App, args: args::Check) -> anyhow::Result<Exit> {
    let options = args.how.options();
    let question = Question {
        domain: DomainKey::parse(&args.domain),
        source: args.how.source(),
        targets: match args.to.is_empty() {
            true => Targets::All,
            false => Targets::These(args.to.iter().map(HostName::new).collect()),
        },
        options,
        requester: app.requester(),
    };
    if args.watch {
        // A watcher waits for files and people, whom virtual time would not wait for.
        let world = app.world_in_real_time();
        return app.block_on(&world, async {
            let waypost = app.open_to_judge(&world, Watching::On).await?;
            watch(app, &waypost, &question).await
        });
    }
    let world = app.world();
    app.block_on(&world, async {
        let waypost = app.open_to_judge(&world, Watching::Off).await?;
        let report = waypost.engine().check(&question).await?;
        show(app.out, &report);
        show_edits(app.out, &report);
        app.out.document(Document::Check(Box::new(document(&report))));
        Ok(exit(&report))
    })
}

/// Done if some destination is open, refused if none is.
fn exit(report: &CheckReport) -> Exit {
    let open = report.verdicts.iter().any(|verdict| verdict.decision() == Decision::Allowed);
    if open { Exit::Done } else { Exit::Refused }
}

/// The findings, and a table above them where there are several destinations.
pub fn show(out: Out, report: &CheckReport) {
    let domain = &report.facts.domain;
    out.line(format!("{} is {} on {}", out.tone(Tone::Strong, &domain.name), domain.state, report.facts.source.name));
    if let [verdict] = &report.verdicts[..] {
        out.line(format!(
            "to {}: {}",
            verdict.destination,
            out.tone(findings::tone(verdict.decision()), findings::headline(verdict))
        ));
        findings::show(&out, verdict);
        return;
    }
    out.table(
        &["destination", "verdict"],
        report.verdicts.iter().map(|verdict| vec![verdict.destination.to_string(), findings::headline(verdict)]),
    );
    for verdict in report.verdicts.iter().filter(|verdict| verdict.shown().next().is_some()) {
        out.line("");
        out.line(format!(
            "to {}: {}",
            verdict.destination,
            out.tone(findings::tone(verdict.decision()), verdict.decision())
        ));
        findings::show(&out, verdict);
    }
}

/// What is edited in the definition on its way, for every destination that is open. A plan shows it too.
fn show_edits(out: Out, report: &CheckReport) {
    for verdict in report.verdicts.iter().filter(|verdict| verdict.decision() == Decision::Allowed) {
        for edit in report.edits(&verdict.destination).0 {
            out.line(format!("to {}: {}", verdict.destination, plan::edit_words(&edit)));
        }
    }
}

/// Judges again whenever something changed, and tells only what is new.
async fn watch(app: &App, waypost: &Waypost, question: &Question) -> anyhow::Result<Exit> {
    let changed = Arc::new(Notify::new());
    {
        let changed = Arc::clone(&changed);
        waypost.on_policy_change(move || changed.notify_one());
    }
    let mut listening: Vec<HostName> = Vec::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut before: Option<Result<(Vec<Verdict>, String), String>> = None;
    let mut last = Exit::Error;
    loop {
        let answer = waypost.engine().check(question).await;
        let told = match &answer {
            Ok(report) => Ok((report.verdicts.clone(), report.facts.source.name.to_string())),
            Err(error) => Err(error.to_string()),
        };
        if before.as_ref() != Some(&told) {
            if before.is_some() {
                app.out.line("");
            }
            app.out.line(app.out.tone(Tone::Dim, waypost::api::time::rfc3339(waypost.now())));
            match &answer {
                Ok(report) => {
                    show(app.out, report);
                    show_edits(app.out, report);
                    app.out.document(Document::Check(Box::new(document(report))));
                }
                // The domain or a host may come back: that is what is being watched for.
                Err(error) => app.out.error(&anyhow::anyhow!("{error}"), Exit::Error, None),
            }
            before = Some(told);
        }
        if let Ok(report) = &answer {
            last = exit(report);
            let involved =
                std::iter::once(&report.facts.source.name).chain(report.verdicts.iter().map(|v| &v.destination));
            for host in involved.filter(|host| !listening.contains(host)).cloned().collect::<Vec<_>>() {
                listen(waypost, host.clone(), Arc::clone(&changed)).await;
                listening.push(host);
            }
        }
        tokio::select! {
            () = changed.notified() => {}
            () = tokio::time::sleep(AGAIN) => {}
            _ = interrupt.recv() => return Ok(last),
        }
    }
}

/// Lets a host's events wake the watcher. Without events the timer has to do.
async fn listen(waypost: &Waypost, host: HostName, changed: Arc<Notify>) {
    if let Ok(mut events) = waypost.hypervisor().events(&host).await {
        tokio::spawn(async move {
            while events.next().await.is_some() {
                changed.notify_one();
            }
        });
    }
}
