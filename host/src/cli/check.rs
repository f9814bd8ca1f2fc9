//! `waypost check`: what the rules say, once or for as long as somebody watches.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use waypost::api::v1::{Check, Document, Verdict};
use waypost::core::ports::Clock as _;
use waypost::service::client::ClientError;
use waypost::wiring::{WallClock, Watching};
use waypost::{DomainKey, HostName, Question, Targets, Waypost};

use super::answers::{Answers, Mover};
use super::app::App;
use super::args;
use super::exit::Exit;
use super::findings;
use super::output::{Out, Tone};
use super::plan;

/// What nothing tells of - free memory, another domain's start, of a service any change - is noticed by asking again after this
/// time.
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
    let answers = Answers::of(app)?;
    if args.watch {
        // A watcher waits for files and people, whom virtual time would not wait for.
        let answers = answers.in_real_time();
        return answers.block_on(async { watch(app, &answers.judge(Watching::Configured).await?, &question).await });
    }
    answers.block_on(async {
        let told = answers.judge(Watching::Off).await?.check(&question).await?;
        show(app.out, &told);
        show_plans(app.out, &told);
        let exit = exit(&told);
        app.out.document(Document::Check(Box::new(told)));
        Ok(exit)
    })
}

/// Done if some destination is open, refused if none is.
fn exit(told: &Check) -> Exit {
    if told.verdicts.iter().any(Verdict::is_allowed) { Exit::Done } else { Exit::Refused }
}

/// The findings, and a table above them where there are several destinations.
pub fn show(out: Out, told: &Check) {
    out.line(format!("{} is {} on {}", out.tone(Tone::Strong, &told.domain), told.state, told.source));
    let headed = |verdict: &Verdict, words: String| {
        out.line(format!("to {}: {}", verdict.destination, out.tone(findings::tone(verdict), words)));
        findings::show(&out, verdict);
    };
    if let [verdict] = &told.verdicts[..] {
        headed(verdict, verdict.headline());
        return;
    }
    out.table(
        &["destination", "verdict"],
        told.verdicts.iter().map(|verdict| vec![verdict.destination.clone(), verdict.headline()]),
    );
    for verdict in told.verdicts.iter().filter(|verdict| verdict.shown().next().is_some()) {
        out.line("");
        headed(verdict, verdict.decision.clone());
    }
}

/// What is edited in the definition on its way, and what a person should know of the plan, for every destination that is
/// open. A plan shows it too.
fn show_plans(out: Out, told: &Check) {
    let open = || told.verdicts.iter().filter(|verdict| verdict.is_allowed());
    for verdict in open() {
        for edit in verdict.plan.iter().flat_map(|plan| &plan.edits) {
            out.line(format!("to {}: {}", verdict.destination, plan::edit_words(edit)));
        }
    }
    let noted = open().flat_map(|verdict| {
        verdict.plan.iter().flat_map(|plan| &plan.notes).map(move |note| (note.as_str(), verdict.destination.as_str()))
    });
    for (note, destinations) in once_each(noted) {
        out.line(format!("to {}: note: {note}", destinations.join(", ")));
    }
}

/// Each note once, in the order in which they come, with all the destinations that it is of.
fn once_each<'a>(noted: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut each: Vec<(&str, Vec<&str>)> = Vec::new();
    for (note, destination) in noted {
        match each.iter_mut().find(|(known, _)| *known == note) {
            Some((_, destinations)) => destinations.push(destination),
            None => each.push((note, vec![destination])),
        }
    }
    each
}

/// Judges again whenever something changed, and tells only what is new.
async fn watch(app: &App, mover: &Mover, question: &Question) -> anyhow::Result<Exit> {
    let changed = Arc::new(Notify::new());
    if let Mover::Here(waypost) = mover {
        let changed = Arc::clone(&changed);
        waypost.on_policy_change(move || changed.notify_one());
    }
    let mut listening: Vec<HostName> = Vec::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut before: Option<Result<(Vec<Verdict>, String), String>> = None;
    let mut last = Exit::Error;
    loop {
        let answer = match mover.check(question).await {
            Err(error) if is_in_vain(&error) => return Err(error),
            answer => answer,
        };
        let told = match &answer {
            Ok(told) => Ok((judged(told), told.source.clone())),
            Err(error) => Err(error.to_string()),
        };
        if before.as_ref() != Some(&told) {
            if before.is_some() {
                app.out.line("");
            }
            app.out.line(app.out.tone(Tone::Dim, now(mover)));
            match &answer {
                Ok(told) => {
                    show(app.out, told);
                    show_plans(app.out, told);
                    app.out.document(Document::Check(Box::new(told.clone())));
                }
                // The domain or a host may come back: that is what is being watched for.
                Err(error) => app.out.error(&anyhow::anyhow!("{error}"), Exit::Error, None),
            }
            before = Some(told);
        }
        if let Ok(told) = &answer {
            last = exit(told);
            let involved =
                std::iter::once(&told.source).chain(told.verdicts.iter().map(|verdict| &verdict.destination));
            let involved = involved.map(HostName::new).filter(|host| !listening.contains(host));
            for host in involved.collect::<Vec<_>>() {
                if let Mover::Here(waypost) = mover {
                    listen(waypost, host.clone(), Arc::clone(&changed)).await;
                }
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

/// What the rules say, without the plans that follow from it.
fn judged(told: &Check) -> Vec<Verdict> {
    told.verdicts.iter().map(|verdict| Verdict { plan: None, ..verdict.clone() }).collect()
}

/// Whether a service will say the same however often it is asked: to somebody whom it doesn't know, for one.
fn is_in_vain(error: &anyhow::Error) -> bool {
    let Some(error) = error.downcast_ref::<ClientError>() else { return false };
    let of_the_hosts = ["no-such-domain", "domain-unclear", "host-failed", "host-silent", "too-slow"];
    !error.may_pass() && !error.code().is_some_and(|code| of_the_hosts.contains(&code))
}

fn now(mover: &Mover) -> String {
    let now = match mover {
        Mover::Here(waypost) => waypost.now(),
        Mover::There(_) => WallClock.now(),
    };
    waypost::api::time::rfc3339(now)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_of_several_destinations_is_told_once() {
        let noted = [("plain", "b"), ("way to b", "b"), ("plain", "c"), ("way to c", "c")];
        let each = [("plain", vec!["b", "c"]), ("way to b", vec!["b"]), ("way to c", vec!["c"])];
        assert_eq!(once_each(noted.into_iter()), each);
    }
}
